//! Steps on PostgreSQL. What looks at every row does so without a lock that others wait for:
//! constraints come `NOT VALID` and are validated after, indexes are made concurrently.

use super::Written;
use super::shape::Shapes;
use crate::sql::postgresql::{self as ddl, Place, quoted_literal};
use crate::sql::{only, quoted};
use ir::migration::{Action, Fill, Held, HeldColumn, HeldKey, Run, Step};
use ir::schema::{Schema, Table};

/// Pages in one transaction of a backfill.
const CHUNK_PAGES: u64 = 64;
/// The constraint by which a column is proven to have no nulls.
const NOT_NULL: &str = "\"mainstay_not_null\"";

const BRIEF: &str = "the table, for a moment (ACCESS EXCLUSIVE, after at most lock_timeout)";
const READ: &str = "other changes of the table's structure; rows are read and written meanwhile";
const ROWS: &str = "the rows of a chunk";
const BUILD: &str = "writes to the table while the constraint is built (ACCESS EXCLUSIVE)";

/// Writes steps for a place of rows.
pub(super) struct Writer<'a> {
    pub(super) shapes: &'a Shapes<'a>,
    pub(super) name: &'a dyn Fn(&Table) -> String,
}

impl Writer<'_> {
    pub(super) fn written(&self, step: &Step) -> Written {
        match (&step.before, &step.shape) {
            (before, None) => {
                let table = self.called(before.as_ref());
                done(vec![format!("DROP TABLE {table}")], None, BRIEF)
            }
            (None, Some(shape)) => {
                let undo = format!("DROP TABLE {}", self.called(Some(shape)));
                done(self.created(shape), Some(vec![undo]), BRIEF)
            }
            (Some(before), Some(shape)) => self.changed(step, before, shape),
        }
    }

    fn changed(&self, step: &Step, before: &Held, shape: &Held) -> Written {
        let table = self.called(Some(shape));
        match &step.action {
            Action::MoveTable(_) => {
                done(self.moved(before, shape), Some(self.moved(shape, before)), BRIEF)
            }
            Action::RenameColumn { from, to } => {
                let undo = vec![renamed(&table, to, from)];
                done(vec![renamed(&table, from, to)], Some(undo), BRIEF)
            }
            Action::AddColumns(columns) => {
                let undo = columns.iter().map(|column| without(&table, column)).collect();
                let run = self.added(columns, before, shape);
                Written { run, undo: Some(undo), locks: BRIEF }
            }
            Action::SetDefault(column) => {
                let undo = default(&table, before, column);
                done(default(&table, shape, column), Some(undo), BRIEF)
            }
            Action::Loosen | Action::Tighten => {
                let undo = Some(flat(self.constrained(shape, before)));
                let built = shape.overlaps.iter().any(|one| !before.overlaps.contains(one));
                let locks = if built { BUILD } else { BRIEF };
                Written { run: self.constrained(before, shape), undo, locks }
            }
            Action::Backfill { column, fill } => {
                let run = filled(&table, before, shape, column, fill);
                Written { run, undo: Some(Vec::new()), locks: ROWS }
            }
            Action::AddIndex(name) => {
                let undo = Some(vec![self.unindexed(shape, name)]);
                Written { run: vec![Run::Alone(self.indexed(shape, name))], undo, locks: READ }
            }
            Action::DropIndex(name) => {
                let (run, undo) = (self.unindexed(before, name), self.indexed(before, name));
                Written { run: vec![Run::Alone(vec![run])], undo: Some(undo), locks: READ }
            }
            Action::RenameIndex { from, to } => {
                let rename = |from: &str, to: &str| {
                    let (from, to) = (self.beside(before, from), quoted(to));
                    format!("ALTER INDEX IF EXISTS {from} RENAME TO {to}")
                };
                done(vec![rename(from, to)], Some(vec![rename(to, from)]), BRIEF)
            }
            Action::SwapColumn { from, to } => {
                done(vec![without(&table, to), renamed(&table, from, to)], None, BRIEF)
            }
            Action::DropColumns(columns) => {
                done(columns.iter().map(|column| without(&table, column)).collect(), None, BRIEF)
            }
            Action::CreateTable | Action::DropTable => done(Vec::new(), None, BRIEF),
            Action::HandOver => Written::nothing(),
        }
    }

    fn called(&self, held: Option<&Held>) -> String {
        held.map(|held| (self.name)(&self.shapes.table(held).1)).unwrap_or_default()
    }

    fn place(&self) -> Place<'_> {
        Place { holds: &|_| true, name: self.name, reaches_out: true }
    }

    /// An index stands in the schema of its table.
    fn beside(&self, held: &Held, index: &str) -> String {
        let table = self.called(Some(held));
        let end = table.len() - quoted(own(&table)).len();
        format!("{}{}", &table[..end], quoted(index))
    }

    fn created(&self, shape: &Held) -> Vec<String> {
        let (schema, table) = self.shapes.table(shape);
        let mut pieces = ddl::extensions(&[(0, &table)]);
        let mut run = vec![self.schema(&table)];
        let keys: Vec<_> = table.foreign_keys.iter().collect();
        ddl::create_table(&schema, self.place(), &table, &keys, &mut pieces);
        run.extend(pieces.into_iter().map(|piece| piece.text));
        run.retain(|text| !text.is_empty());
        run
    }

    /// The schema of a context, where that is where the table stands.
    fn schema(&self, table: &Table) -> String {
        let own = quoted(&table.context);
        match (self.name)(table).starts_with(&format!("{own}.")) {
            true => format!("CREATE SCHEMA IF NOT EXISTS {own}"),
            false => String::new(),
        }
    }

    fn moved(&self, from: &Held, to: &Held) -> Vec<String> {
        let (was, is) = (self.called(Some(from)), self.called(Some(to)));
        let (old, new) = (own(&was), own(&is));
        let mut run = Vec::new();
        let mut at = was.clone();
        if old != new {
            run.push(format!("ALTER TABLE {was} RENAME TO {}", quoted(new)));
            at = format!("{}{}", &was[..was.len() - quoted(old).len()], quoted(new));
        }
        if at != is {
            let (_, table) = self.shapes.table(to);
            run.push(self.schema(&table));
            run.push(format!("ALTER TABLE {at} SET SCHEMA {}", quoted(&to.context)));
        }
        run.retain(|text| !text.is_empty());
        run
    }

    fn added(&self, columns: &[String], before: &Held, shape: &Held) -> Vec<Run> {
        let table = self.called(Some(shape));
        let new = shape.columns.iter().filter(|column| columns.contains(&column.name));
        let add = new.map(|column| {
            let (name, kind) = (quoted(&column.name), ddl::kind(column.storage));
            let null = if column.nullable { "" } else { " NOT NULL" };
            let value = column.default.as_ref().map(|value| quoted_literal(column.storage, value));
            let value = value.map(|value| format!(" DEFAULT {value}")).unwrap_or_default();
            format!("ADD COLUMN {name} {kind}{null}{value}")
        });
        let add: Vec<String> = add.collect();
        let mut bare = before.clone();
        let new = shape.columns.iter().filter(|column| columns.contains(&column.name));
        bare.columns.extend(new.map(|column| {
            let (check, part) = (None, None);
            HeldColumn { check, part, ..column.clone() }
        }));
        let mut first = vec![format!("ALTER TABLE {table} {}", add.join(", "))];
        let mut rest = self.constrained(&bare, shape);
        if let Some(Run::Together(statements)) = rest.first_mut() {
            first.append(statements);
            rest.remove(0);
        }
        [Run::Together(first)].into_iter().chain(rest).collect()
    }

    /// From the constraints of one shape to those of another.
    fn constrained(&self, before: &Held, shape: &Held) -> Vec<Run> {
        let table = self.called(Some(shape));
        let ((_, was), (schema, is)) = (self.shapes.table(before), self.shapes.table(shape));
        let mut now = Vec::new();
        let mut not_null = Vec::new();
        for column in &shape.columns {
            let Some(old) = before.column(&column.name) else { continue };
            let name = quoted(&column.name);
            if old.check != column.check {
                now.push(dropped(&table, "c", std::slice::from_ref(&column.name)));
                let check = column.check.as_ref();
                let wanted = is.columns.iter().find(|other| other.name == column.name);
                let check = check.zip(wanted);
                let check = check.and_then(|(check, column)| ddl::condition(column, &name, check));
                let add = |check| format!("ALTER TABLE {table} ADD CHECK ({check}) NOT VALID");
                now.extend(check.map(add));
            }
            match (old.nullable, column.nullable) {
                (false, true) => {
                    now.push(format!("ALTER TABLE {table} ALTER COLUMN {name} DROP NOT NULL"));
                }
                (true, false) => not_null.push(name),
                (true, true) | (false, false) => {}
            }
        }
        now.extend(paired(&table, &was, &is));
        now.extend(self.keyed(&table, before, shape, (&schema, &is)));
        now.extend(excluded(&table, before, shape, &was, &is));
        let waits = now.iter().any(|text| text.ends_with("NOT VALID"));
        let mut runs = vec![Run::Together(now)];
        if waits {
            runs.push(Run::Alone(vec![validated(&table)]));
        }
        runs.extend(not_null.iter().flat_map(|column| proven(&table, column)));
        runs.retain(|run| !run.statements().is_empty());
        runs
    }

    fn keyed(
        &self,
        table: &str,
        before: &Held,
        shape: &Held,
        (schema, is): (&Schema, &Table),
    ) -> Vec<String> {
        let gone = before.foreign_keys.iter().filter(|key| !shape.foreign_keys.contains(key));
        let gone = gone.map(|key: &HeldKey| dropped(table, "f", &key.columns));
        let keys = shape.foreign_keys.iter().zip(&is.foreign_keys);
        let new = keys.filter(|(held, _)| !before.foreign_keys.contains(held)).map(|(_, key)| {
            let key = ddl::foreign_key(schema, self.place(), key);
            format!("ALTER TABLE {table} ADD {key} NOT VALID")
        });
        gone.chain(new).collect()
    }

    /// What a broken-off attempt left is dropped first.
    fn indexed(&self, shape: &Held, name: &str) -> Vec<String> {
        let (_, table) = self.shapes.table(shape);
        let Some(index) = table.indexes.iter().find(|index| index.name == name) else {
            return Vec::new();
        };
        let create = ddl::create_index(&table, &self.called(Some(shape)), index);
        let create = create.replacen("INDEX ", "INDEX CONCURRENTLY ", 1);
        let mut run = Vec::new();
        if create.contains("_trgm_") {
            run.extend(ddl::extensions(&[(0, &table)]).into_iter().map(|piece| piece.text));
            run.retain(|text| text.contains("trgm"));
        }
        run.extend([self.unindexed(shape, name), create]);
        run
    }

    fn unindexed(&self, held: &Held, name: &str) -> String {
        format!("DROP INDEX CONCURRENTLY IF EXISTS {}", self.beside(held, name))
    }
}

fn done(statements: Vec<String>, undo: Option<Vec<String>>, locks: &'static str) -> Written {
    Written { run: vec![Run::Together(statements)], undo, locks }
}

fn renamed(table: &str, from: &str, to: &str) -> String {
    format!("ALTER TABLE {table} RENAME COLUMN {} TO {}", quoted(from), quoted(to))
}

/// The last part of a name, without its quotes.
fn own(name: &str) -> &str {
    name.rsplit_once(".\"").map_or(name.trim_matches('"'), |(_, own)| own.trim_end_matches('"'))
}

fn flat(runs: Vec<Run>) -> Vec<String> {
    runs.iter().flat_map(Run::statements).map(str::to_owned).collect()
}

fn without(table: &str, column: &str) -> String {
    format!("ALTER TABLE {table} DROP COLUMN {}", quoted(column))
}

fn default(table: &str, shape: &Held, column: &str) -> Vec<String> {
    let Some(column) = shape.column(column) else { return Vec::new() };
    let name = quoted(&column.name);
    let set = match &column.default {
        Some(value) => format!("SET DEFAULT {}", quoted_literal(column.storage, value)),
        None => "DROP DEFAULT".to_owned(),
    };
    vec![format!("ALTER TABLE {table} ALTER COLUMN {name} {set}")]
}

/// Drops the constraints of a kind over exactly these columns: who made them named them.
fn dropped(table: &str, kind: &str, columns: &[String]) -> String {
    let columns: Vec<String> = columns.iter().map(|column| crate::sql::text(column)).collect();
    over(
        table,
        &format!(
            "contype = '{kind}' AND conname <> 'mainstay_not_null' AND (SELECT array_agg(attname \
             ORDER BY attname) FROM pg_attribute WHERE attrelid = conrelid AND attnum = \
             ANY (conkey)) = (SELECT array_agg(c::name ORDER BY c::name) FROM \
             unnest(ARRAY[{}]) AS c)",
            columns.join(", ")
        ),
        "DROP CONSTRAINT",
    )
}

/// Looks at every row that was there before a constraint; others read and write meanwhile.
fn validated(table: &str) -> String {
    over(table, "NOT convalidated", "VALIDATE CONSTRAINT")
}

fn over(table: &str, which: &str, what: &str) -> String {
    let regclass = crate::sql::text(table);
    format!(
        "DO $$ DECLARE name text; BEGIN FOR name IN SELECT conname FROM pg_constraint WHERE \
         conrelid = {regclass}::regclass AND {which} LOOP EXECUTE format('ALTER TABLE {} {what} \
         %I', name); END LOOP; END $$",
        table.replace('\'', "''").replace('%', "%%")
    )
}

/// Not null without a look at the rows under a lock: a validated check proves it.
fn proven(table: &str, column: &str) -> Vec<Run> {
    let alter = format!("ALTER TABLE {table}");
    vec![
        Run::Together(vec![
            format!("{alter} DROP CONSTRAINT IF EXISTS {NOT_NULL}"),
            format!("{alter} ADD CONSTRAINT {NOT_NULL} CHECK ({column} IS NOT NULL) NOT VALID"),
        ]),
        Run::Alone(vec![format!("{alter} VALIDATE CONSTRAINT {NOT_NULL}")]),
        Run::Together(vec![
            format!("{alter} ALTER COLUMN {column} SET NOT NULL"),
            format!("{alter} DROP CONSTRAINT {NOT_NULL}"),
        ]),
    ]
}

/// Constraints over two columns of a field.
fn paired(table: &str, was: &Table, is: &Table) -> Vec<String> {
    let (were, are) = (ddl::pair_checks(was), ddl::pair_checks(is));
    if were == are {
        return Vec::new();
    }
    let mut out = Vec::new();
    let there = |column: &String| is.columns.iter().any(|other| other.name == *column);
    let mut seen = Vec::new();
    for (columns, _) in were.iter().filter(|(columns, _)| columns.iter().all(there)) {
        if !seen.contains(&columns) {
            out.push(dropped(table, "c", columns));
            seen.push(columns);
        }
    }
    out.extend(are.iter().map(|(_, check)| format!("ALTER TABLE {table} ADD {check} NOT VALID")));
    out
}

fn excluded(table: &str, before: &Held, shape: &Held, was: &Table, is: &Table) -> Vec<String> {
    let (were, are) = (ddl::exclusions(was), ddl::exclusions(is));
    if were == are
        || (before.overlaps == shape.overlaps && before.columns.len() != shape.columns.len())
    {
        return Vec::new();
    }
    let mut out: Vec<String> = ddl::extensions(&[(0, is)])
        .into_iter()
        .map(|piece| piece.text)
        .filter(|text| text.contains("gist"))
        .collect();
    out.push(over(table, "contype = 'x'", "DROP CONSTRAINT"));
    out.extend(are.iter().map(|exclusion| format!("ALTER TABLE {table} ADD {exclusion}")));
    out
}

fn filled(table: &str, before: &Held, shape: &Held, column: &str, fill: &Fill) -> Vec<Run> {
    let mut runs = Vec::new();
    let default_of = |held: &Held| held.column(column).and_then(|column| column.default.clone());
    if default_of(before) != default_of(shape) {
        runs.push(Run::Together(default(table, shape, column)));
    }
    let storage = shape.column(column).map(|column| column.storage);
    let name = quoted(column);
    let (value, also) = match fill {
        Fill::Constant(value) => {
            let value = storage.map(|storage| quoted_literal(storage, value));
            (value.unwrap_or_default(), String::new())
        }
        Fill::Search(of) => (folded(&quoted(of)), format!(" AND {} IS NOT NULL", quoted(of))),
        Fill::Scaled { of, times, by } => {
            let of = quoted(of);
            let value = if *by > 1 { format!("{of} / {by}") } else { format!("{of} * {times}") };
            (value, format!(" AND {of} IS NOT NULL"))
        }
    };
    runs.push(Run::Chunks {
        end: format!(
            "SELECT pg_relation_size({}::regclass) / current_setting('block_size')::bigint + 1",
            crate::sql::text(table)
        ),
        rows: format!("SELECT count(*) FROM {table} WHERE {name} IS NULL{also}"),
        statement: format!(
            "UPDATE {table} SET {name} = {value} WHERE ctid >= '(:from,0)'::tid \
             AND ctid < '(:to,0)'::tid AND {name} IS NULL{also}"
        ),
        step: CHUNK_PAGES,
    });
    runs
}

/// Near to what the backend folds; the next write of a row folds it exactly.
fn folded(column: &str) -> String {
    format!(
        "(SELECT coalesce(string_agg(' ' || word, '' ORDER BY at), '') FROM \
         regexp_split_to_table(lower(regexp_replace(normalize({column}, NFKD), \
         U&'[\\0300-\\036f]', '', 'g') COLLATE \"und-x-icu\"), '[^[:alnum:]]+') \
         WITH ORDINALITY AS words (word, at) WHERE word <> '')"
    )
}

/// ` WHERE …` of a partial index.
pub(super) fn conditions(table: &Table, index: &ir::schema::Index) -> String {
    only(table, index, "IS DISTINCT FROM", ddl::literal)
}
