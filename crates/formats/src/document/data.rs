//! Tables, indexes with their queries, consistency, and what is cached.

use super::decision::{Section, of, write_all};
use super::page::{Page, coded, listed};
use crate::mermaid;
use ir::architecture::Architecture;
use ir::domain::{Kind, Source};
use ir::model::{At, OnDelete};
use ir::schema::{Index, Table};

pub(super) fn write(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Data architecture");
    for service in &architecture.services {
        let tables: Vec<&Table> = architecture
            .schema
            .tables
            .iter()
            .filter(|table| service.contexts.contains(&table.context))
            .collect();
        if tables.is_empty() {
            continue;
        }
        page.heading(3, &format!("Schema of `{}`", service.name));
        let name = &service.name;
        page.text(format!(
            "DDL: [SQLite](schema/{name}.sqlite.sql), [PostgreSQL](schema/{name}.postgresql.sql)."
        ));
        for context in mermaid::with_tables(&architecture.domain) {
            if service.contexts.iter().any(|own| own == context) {
                page.diagram(&mermaid::entities(architecture, context));
            }
        }
        page.heading(4, &format!("Indexes of `{name}`"));
        let rows = tables.iter().flat_map(|table| indexes(table));
        page.table(&["Table", "Index", "Query that needs it"], rows);
        theirs(page, architecture, &tables);
    }
    consistency(page, architecture);
    write_all(page, architecture, Section::Data);
}

/// The tables that somebody else makes, and what must be in them.
fn theirs(page: &mut Page, architecture: &Architecture, tables: &[&Table]) {
    let theirs: Vec<&&Table> = tables.iter().filter(|table| !table.is_managed()).collect();
    if theirs.is_empty() {
        return;
    }
    page.text(
        "These tables are somebody else's (`managed: no_ddl`): they are served, and no statement \
         of Mainstay makes, changes or drops them. `mainstay up` looks whether each has its \
         columns and unique keys, and prints the SQL for what is missing. They have no foreign \
         keys, checks or exclusions of Mainstay's: what a rule says of rows is looked for by each \
         of its own writes. They are in no export, move or backup of rows.",
    );
    let rows = theirs.iter().map(|table| {
        let columns = table.columns.iter().map(|column| {
            let null = if column.nullable { " (may be null)" } else { "" };
            format!("`{}`{null}", column.name)
        });
        let columns: Vec<String> = columns.collect();
        vec![qualified(table), architecture.domain.full_name(table.resource), columns.join(", ")]
    });
    page.table(&["Table", "Holds", "Must have"], rows);
}

fn qualified(table: &Table) -> String {
    format!("{}.{}", table.sql_schema(), table.name)
}

/// The primary key and the queries that it serves, then the indexes.
fn indexes(table: &Table) -> Vec<Vec<String>> {
    let name = qualified(table);
    let key = match table.owner {
        None => "one row by id; `GET` of the list, newest first",
        Some(_) => "one row by id",
    };
    let mut rows = vec![vec![
        name.clone(),
        format!("primary key ({})", table.primary_key.join(", ")),
        key.to_owned(),
    ]];
    rows.extend(
        table
            .indexes
            .iter()
            .map(|index| vec![name.clone(), described(index), index.needed_by.join("; ")]),
    );
    rows
}

fn described(index: &Index) -> String {
    let column = |(name, down): &(String, bool)| {
        if *down { format!("{name} desc") } else { name.clone() }
    };
    let columns: Vec<String> = index.columns.iter().map(column).collect();
    let kind = if index.unique.is_some() { "unique " } else { "" };
    let partial = if index.only.is_empty() { "" } else { ", partial" };
    format!("{kind}({}){partial}", columns.join(", "))
}

/// What one transaction holds, and how far other contexts' data may be behind.
fn consistency(page: &mut Page, architecture: &Architecture) {
    let domain = &architecture.domain;
    page.heading(3, "Transactions and consistency");
    let rows = domain.roots().map(|(_, resource)| {
        let mut within = vec![resource.name.clone()];
        within.extend(
            resource.children().map(|(field, _)| format!("`{}`", resource.field(field).name)),
        );
        let emits: Vec<&str> = resource
            .commands
            .iter()
            .flat_map(|command| command.emits.iter().map(String::as_str))
            .chain(resource.emits.iter().map(|(_, event)| event.as_str()))
            .collect();
        let guards = resource
            .commands
            .iter()
            .filter(|command| !command.require.is_empty() || !command.transitions.is_empty());
        let guards: Vec<&str> = guards.map(|command| command.name.as_str()).collect();
        vec![listed(&within), listed(&coded(guards)), listed(&coded(emits))]
    });
    let head = ["Written together, under one version", "Guarded in it", "Events committed with it"];
    page.table(&head, rows);
    page.table(&["Field", "Is", "How consistent"], fields(architecture));
}

/// The fields whose values come from elsewhere.
fn fields(architecture: &Architecture) -> Vec<Vec<String>> {
    let domain = &architecture.domain;
    let mut rows = Vec::new();
    let held = |from, to| [from, to].iter().all(|id| architecture.schema.table(*id).is_managed());
    for (id, resource) in domain.resources() {
        for field in &resource.fields {
            let name = format!("{}.{}", domain.full_name(id), field.name);
            match (&field.kind, &field.source) {
                (Kind::Reference { target, crosses: true, .. }, _) => rows.push(vec![
                    name,
                    format!("id of {}", domain.full_name(*target)),
                    "checked when it is written; the target may go later".to_owned(),
                ]),
                (Kind::Reference { target, on_delete, .. }, _) => rows.push(vec![
                    name,
                    match held(id, *target) {
                        true => format!("foreign key to {}", domain.resource(*target).name),
                        false => format!(
                            "id of {}, looked for by each write, without foreign key",
                            domain.resource(*target).name
                        ),
                    },
                    match on_delete {
                        OnDelete::Restrict => "the target cannot go while it is referred to",
                        OnDelete::Clear => "null when the target goes",
                        OnDelete::Cascade => "goes with its target",
                    }
                    .to_owned(),
                ]),
                (_, Source::Copied(at, _)) => rows.push(vec![
                    name,
                    "copy".to_owned(),
                    match at {
                        At::Write => "as it was when the row was written; never changes after",
                        At::Read => "asked of its owner at each read",
                        At::Kept => "follows its owner by events, as late as they are",
                    }
                    .to_owned(),
                ]),
                (_, Source::Counted) => rows.push(vec![
                    name,
                    "buffered count".to_owned(),
                    "may lose its last second at a crash".to_owned(),
                ]),
                (_, _) => {}
            }
        }
    }
    rows
}

pub(super) fn caching(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Caching strategy");
    let written = write_all(page, architecture, Section::Caching);
    let subjects: Vec<&str> =
        of(architecture, Section::Caching).map(|one| one.subject.as_str()).collect();
    let bare: Vec<String> = architecture
        .domain
        .roots()
        .map(|(id, _)| architecture.domain.full_name(id))
        .filter(|name| !subjects.contains(&name.as_str()))
        .collect();
    if !written {
        page.text(format!(
            "None: the model gives no time for which an answer about {} may be old.",
            listed(&coded(&bare))
        ));
    } else if !bare.is_empty() && !subjects.contains(&"system") {
        page.text(format!("Read fresh each time: {}.", listed(&coded(&bare))));
    }
}
