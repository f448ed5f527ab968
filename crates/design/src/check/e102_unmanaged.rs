//! # E102 table of somebody else that cannot be served
//! A resource is kept in a table that somebody else makes (`managed: no_ddl`), and asks for what
//! only a table of Mainstay's own has, or for a table that is another's.
//!
//! **Why**: Mainstay makes and changes nothing about such a table. What a rule rests on must be in
//! it already, where it can be looked at when the backend starts: a unique index can, a condition
//! on it can't be compared. The folded copy that `search` looks in is filled by Mainstay's writes
//! alone, so that rows of the others were never found. Where each tenant has a schema or a database
//! of its own, one table can't be in all of them.
//!
//! Wrong:
//! ```yaml
//! Order: { managed: no_ddl, fields: { note: string max 200 search } }
//! ```
//! Right: the table is named, with its schema on PostgreSQL, `public` where none is.
//! ```yaml
//! Order: { table: legacy.orders, managed: no_ddl, fields: { note: string max 200 } }
//! ```

use super::resolve::Resolved;
use crate::lower::unmanaged;
use crate::naming::{plural, snake};
use crate::rules;
use ir::domain::{Kind, Resource};
use ir::model::{self, Isolation};
use ir::schema::PUBLIC;
use ir::source::Span;
use ir::{Code, Diagnostic};
use std::collections::BTreeMap;

pub(crate) const CODE: Code = Code("E102");

/// Schemas that are the server's own, or Mainstay's.
const SCHEMAS: [&str; 4] = ["mainstay", "information_schema", "pg_catalog", "pg_toast"];
/// What tables of Mainstay's own and of SQLite begin with.
const PREFIXES: [&str; 2] = ["mainstay_", "sqlite_"];

/// Looks at resources whose table somebody else makes.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let world = &resolved.world;
    if world.resources.iter().all(|entry| entry.model.unmanaged.is_none()) {
        return;
    }
    let tenancy = resolved.domain.tenancy.as_ref();
    let isolation = tenancy.map(|tenancy| rules::isolation(world.model, tenancy.isolation));
    for (entry, resource) in world.resources.iter().zip(&resolved.domain.resources) {
        let Some(span) = entry.model.unmanaged else { continue };
        name(entry.model, span, found);
        promises(entry.model, found);
        apart(entry.model, resource, isolation, span, found);
    }
    if isolation == Some(Isolation::Schema) {
        reached(resolved, found);
    }
    once(resolved, found);
}

fn name(asked: &model::Resource, span: Span, found: &mut Vec<Diagnostic>) {
    let Some(table) = &asked.table else {
        let message = format!("`{}` names no table, and none is made for it", asked.name);
        let fault = Diagnostic::error(CODE, span, message);
        found.push(fault.help("name it: `table: legacy.orders`, or `table: orders`"));
        return;
    };
    let (schema, name) = unmanaged(asked).unwrap_or_default();
    let message = if schema.is_empty() || name.is_empty() {
        format!("`{table}` is no name of a table")
    } else if SCHEMAS.contains(&schema.as_str())
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    {
        format!("`{table}` is a table of the database's own, or of Mainstay's")
    } else {
        return;
    };
    let fault = Diagnostic::error(CODE, table.span, message);
    found.push(fault.help("name a table of yours, its schema before it: `legacy.orders`"));
}

fn promises(asked: &model::Resource, found: &mut Vec<Diagnostic>) {
    for field in &asked.fields {
        let Some(span) = field.search else { continue };
        let message =
            format!("`{}` of `{}` is searched in a table of somebody else", field.name, asked.name);
        found.push(
            Diagnostic::error(CODE, span, message)
                .why("`q` looks in a folded copy that only Mainstay's own writes fill")
                .help("leave `search` out, or let Mainstay make the table"),
        );
    }
    for unique in &asked.unique {
        let Some(when) = &unique.when else { continue };
        let message = format!("`{}` is unique under a condition: {}", asked.name, when.text);
        found.push(
            Diagnostic::error(CODE, unique.span, message)
                .why("whether an index of somebody else has just that condition can't be told")
                .help("leave the condition out, or let Mainstay make the table"),
        );
    }
}

fn apart(
    asked: &model::Resource,
    resource: &Resource,
    isolation: Option<Isolation>,
    span: Span,
    found: &mut Vec<Diagnostic>,
) {
    let own = match isolation {
        Some(Isolation::Schema) => "schema",
        Some(Isolation::Database) => "database",
        Some(Isolation::Row) | None => return,
    };
    if resource.shared {
        return;
    }
    let message = format!("each tenant has a {own} of its own, and `{}` is one table", asked.name);
    let fault = Diagnostic::error(CODE, span, message);
    found.push(
        fault.why("the rows of all tenants would be in it, and nothing would part them").help(
            "keep tenants apart by `row`, or say `shared: true` where the rows are nobody's own",
        ),
    );
}

/// Whether rows of some tenant refer to a shared one is known by foreign keys alone.
fn reached(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let world = &resolved.world;
    for (entry, resource) in world.resources.iter().zip(&resolved.domain.resources) {
        for (asked, field) in entry.model.fields.iter().zip(&resource.fields) {
            let Kind::Reference { target, crosses: false, .. } = field.kind else { continue };
            let to = &world.resources[target.index()];
            if resource.shared || to.model.unmanaged.is_none() {
                continue;
            }
            let (own, to) = (entry.name(), to.name());
            let message = format!("`{}` of `{own}` refers to a table of somebody else", field.name);
            let why = format!(
                "each tenant's `{own}` is in a schema of its own, and no foreign key would keep \
                 `{to}` from being deleted"
            );
            found.push(
                Diagnostic::error(CODE, asked.ty.span, message).why(why).help(
                    "keep tenants apart by `row` or `database`, or let Mainstay make the table",
                ),
            );
        }
    }
}

/// A table is one resource's.
fn once(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let world = &resolved.world;
    let mut taken: BTreeMap<String, (Span, bool)> = BTreeMap::new();
    for entry in &world.resources {
        let asked = entry.model;
        let own = || {
            let context = &world.model.contexts[entry.context.index()].name;
            let named = asked.table.as_ref().map(|table| table.value.clone());
            (context.value.clone(), named.unwrap_or_else(|| plural(&snake(asked.name.as_str()))))
        };
        let (theirs, span) = (unmanaged(asked), asked.table.as_ref().unwrap_or(&asked.name).span);
        let is_theirs = theirs.is_some();
        let (schema, table) = theirs.unwrap_or_else(own);
        let bare = is_theirs && schema == PUBLIC;
        let names =
            [format!("{schema}.{table}"), if bare { table } else { format!("{schema}_{table}") }];
        for name in names {
            match taken.get(&name) {
                Some((first, other)) if is_theirs || *other => {
                    let message = format!("two resources are kept in the table `{name}`");
                    let fault = Diagnostic::error(CODE, span, message);
                    let fault = fault.also(*first, "the other one");
                    found.push(fault.help("a table holds the rows of one resource"));
                    break;
                }
                Some(_) => {}
                None => drop(taken.insert(name, (span, is_theirs))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::{check, check_resources};
    use expect_test::expect;

    #[test]
    fn a_table_of_somebody_else_lacks_what_only_our_own_have() {
        let resources = "
            Order:
              table: legacy.orders
              managed: no_ddl
              fields: { note: string max 200 search, state: open | closed }
              unique: [[note when state == open]]
              allow: { read: user, write: user }
            Invoice:
              managed: no_ddl
              fields: { note: string max 200 }
              allow: { read: user, write: user }
            Receipt:
              table: mainstay.outbox
              managed: no_ddl
              fields: { note: string max 200 }
              allow: { read: user, write: user }
            Archive:
              table: legacy.orders
              managed: no_ddl
              fields: { note: string max 200 }
              allow: { read: user, write: user }";
        check_resources(
            resources,
            expect![[r#"
            error[E102]: `note` of `Order` is searched in a table of somebody else
             --> mainstay.yaml:9:40
              |
            9 |         fields: { note: string max 200 search, state: open | closed }
              |                                        ^^^^^^
              = why: `q` looks in a folded copy that only Mainstay's own writes fill
              = help: leave `search` out, or let Mainstay make the table

            error[E102]: `Order` is unique under a condition: state == open
              --> mainstay.yaml:10:18
               |
            10 |         unique: [[note when state == open]]
               |                  ^^^^^^^^^^^^^^^^^^^^^^^^^
               = why: whether an index of somebody else has just that condition can't be told
               = help: leave the condition out, or let Mainstay make the table

            error[E102]: `Invoice` names no table, and none is made for it
              --> mainstay.yaml:13:18
               |
            13 |         managed: no_ddl
               |                  ^^^^^^
               = help: name it: `table: legacy.orders`, or `table: orders`

            error[E102]: `mainstay.outbox` is a table of the database's own, or of Mainstay's
              --> mainstay.yaml:17:16
               |
            17 |         table: mainstay.outbox
               |                ^^^^^^^^^^^^^^^
               = help: name a table of yours, its schema before it: `legacy.orders`

            error[E102]: two resources are kept in the table `legacy.orders`
              --> mainstay.yaml:22:16
               |
             7 |         table: legacy.orders
               |                ------------- the other one
            ...
            22 |         table: legacy.orders
               |                ^^^^^^^^^^^^^
               = help: a table holds the rows of one resource
        "#]],
        );
    }

    #[test]
    fn one_table_is_not_in_the_schema_of_each_tenant() {
        let model = "
system: test
tenancy: schema by org
actors: { user: oidc, admin: oidc across tenants }
contexts:
  desk:
    resources:
      Note:
        table: notes
        managed: no_ddl
        fields: { title: string max 20 }
        allow: { read: user, write: user }
      Country:
        table: countries
        managed: no_ddl
        shared: true
        fields: { title: string max 20 }
        allow: { read: user, write: admin }
      Place:
        fields: { country: Country }
        allow: { read: user, write: user }
";
        check(
            model,
            expect![[r#"
                error[E102]: each tenant has a schema of its own, and `Note` is one table
                 --> mainstay.yaml:9:18
                  |
                9 |         managed: no_ddl
                  |                  ^^^^^^
                  = why: the rows of all tenants would be in it, and nothing would part them
                  = help: keep tenants apart by `row`, or say `shared: true` where the rows are nobody's own

                error[E102]: `country` of `Place` refers to a table of somebody else
                  --> mainstay.yaml:19:28
                   |
                19 |         fields: { country: Country }
                   |                            ^^^^^^^
                   = why: each tenant's `Place` is in a schema of its own, and no foreign key would keep `Country` from being deleted
                   = help: keep tenants apart by `row` or `database`, or let Mainstay make the table
            "#]],
        );
    }

    #[test]
    fn a_table_that_is_named_with_its_schema_is_fine() {
        let resources = "
            Order:
              table: legacy.orders
              managed: no_ddl
              fields: { number: int unique, when: timespan }
              never_overlap: [number, when]
              allow: { read: user, write: user }";
        check_resources(resources, expect![[""]]);
    }
}
