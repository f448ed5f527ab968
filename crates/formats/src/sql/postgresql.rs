//! PostgreSQL 15 and later: one SQL schema per context, text in collation "C", row-level security
//! where tenants share a table, exclusion constraints for spans that never overlap.

use super::sqlite::bounds;
use super::{
    in_order, index_columns, is_search, is_span, left_out, list, needed_by, only, operations,
    pairs, quoted, system, text,
};
use ir::model::OnDelete;
use ir::schema::{Check, Column, ForeignKey, Index, Literal, Part, Schema, Storage, Table};

/// Which tables a place of rows holds, and how it calls them.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// True for its own tables.
    pub holds: &'a dyn Fn(&Table) -> bool,
    /// Quoted name of a table, its own or another's.
    pub name: &'a dyn Fn(&Table) -> String,
    /// Keys lead to tables that it does not hold: their rows stay as long as they are referred to.
    pub reaches_out: bool,
}

/// A statement with the comments and the room before it.
pub(super) struct Piece {
    before: String,
    pub(super) text: String,
}

fn piece(before: impl Into<String>, text: impl Into<String>) -> Piece {
    Piece { before: before.into(), text: text.into() }
}

/// The name that a table has where contexts are schemas.
pub fn postgresql_name(table: &Table) -> String {
    format!("{}.{}", quoted(table.sql_schema()), quoted(&table.name))
}

/// The whole file: extensions, schemas, tables, policies, indexes, system tables.
pub fn write_postgresql(schema: &Schema, holds: &dyn Fn(&Table) -> bool) -> String {
    let place = Place { holds, name: &postgresql_name, reaches_out: false };
    let mut out = String::new();
    for Piece { before, text } in pieces(schema, place) {
        out.push_str(&format!("{before}{text};\n"));
    }
    out.push_str(&left_out(schema, holds));
    out.push_str(system::POSTGRESQL);
    out.push_str(operations::POSTGRESQL);
    out
}

/// The statements that make a place of rows, in order, system tables not among them.
pub fn postgresql_statements(schema: &Schema, place: Place<'_>) -> Vec<String> {
    pieces(schema, place).into_iter().map(|piece| piece.text).collect()
}

fn pieces(schema: &Schema, place: Place<'_>) -> Vec<Piece> {
    let tables = in_order(schema, place.holds);
    let mut out = extensions(&tables);
    let mut seen = Vec::new();
    for (_, table) in &tables {
        let own = format!("{}.", quoted(&table.context));
        if !seen.contains(&own) && (place.name)(table).starts_with(&own) {
            out.push(piece("", format!("CREATE SCHEMA {}", quoted(&table.context))));
            seen.push(own);
        }
    }
    let mut made: Vec<usize> = Vec::new();
    let mut later = Vec::new();
    let held = |key: &&ForeignKey| place.reaches_out || (place.holds)(&schema.tables[key.table]);
    for (at, table) in &tables {
        made.push(*at);
        let (now, wait): (Vec<&ForeignKey>, Vec<&ForeignKey>) =
            table.foreign_keys.iter().filter(held).partition(|key| made.contains(&key.table));
        create_table(schema, place, table, &now, &mut out);
        later.extend(wait.into_iter().map(|key| (*table, key)));
    }
    for (table, key) in later {
        let key = foreign_key(schema, place, key);
        out.push(piece("\n", format!("ALTER TABLE {} ADD {key}", (place.name)(table))));
    }
    out
}

pub(super) fn extensions(tables: &[(usize, &Table)]) -> Vec<Piece> {
    let mut out = Vec::new();
    let mut extension = |why: &str, name: &str| {
        let text = format!("CREATE EXTENSION IF NOT EXISTS {name}");
        out.push(piece(format!("-- {why}\n"), text));
    };
    if tables.iter().any(|(_, table)| !table.overlaps.is_empty()) {
        extension("equality beside spans in one exclusion constraint", "btree_gist");
    }
    let searched = |table: &Table| table.indexes.iter().any(|index| is_search(table, index));
    if tables.iter().any(|(_, table)| searched(table)) {
        extension("words within the searched columns", "pg_trgm");
    }
    out
}

pub(super) fn create_table(
    schema: &Schema,
    place: Place<'_>,
    table: &Table,
    keys: &[&ForeignKey],
    out: &mut Vec<Piece>,
) {
    let name = (place.name)(table);
    let mut parts: Vec<String> = table.columns.iter().map(column).collect();
    parts.push(format!("PRIMARY KEY ({})", list(&table.primary_key)));
    parts.extend(keys.iter().map(|key| foreign_key(schema, place, key)));
    parts.extend(pair_checks(table).into_iter().map(|(_, check)| check));
    parts.extend(exclusions(table));
    out.push(piece("\n", format!("CREATE TABLE {name} (\n  {}\n)", parts.join(",\n  "))));
    out.extend(policy(table, &name));
    let wanted = table.indexes.iter().filter(|index| !excluded(table, index));
    for index in wanted {
        let text = create_index(table, &name, index);
        out.push(piece(format!("\n{}", needed_by(index)), text));
    }
}

fn column(column: &Column) -> String {
    let (name, kind) = (quoted(&column.name), kind(column.storage));
    let null = if column.nullable { "" } else { " NOT NULL" };
    let check = column.check.as_ref().and_then(|check| condition(column, &name, check));
    let check = check.map(|check| format!(" CHECK ({check})")).unwrap_or_default();
    format!("{name} {kind}{null}{check}")
}

/// The type of a column.
pub(super) fn kind(storage: Storage) -> &'static str {
    match storage {
        Storage::Uuid => "uuid",
        Storage::Bool => "boolean",
        Storage::Int | Storage::Duration | Storage::Units | Storage::Decimal { .. } => "bigint",
        Storage::Currency => "char(3)",
        Storage::Text => "text COLLATE \"C\"",
        Storage::Date => "date",
        Storage::Time => "time",
        Storage::Timestamp => "timestamptz",
        Storage::Json => "json",
    }
}

pub(super) fn condition(column: &Column, name: &str, check: &Check) -> Option<String> {
    match check {
        Check::Range { min, max } => match column.storage {
            Storage::Date => moment(name, *min, *max, |days| format!("date '1970-01-01' + {days}")),
            Storage::Time => moment(name, *min, *max, |micros| {
                format!("time '00:00' + interval '{micros} microseconds'")
            }),
            Storage::Timestamp => moment(name, *min, *max, |micros| {
                format!("timestamptz '1970-01-01Z' + interval '{micros} microseconds'")
            }),
            Storage::Uuid | Storage::Bool | Storage::Int | Storage::Decimal { .. } => {
                bounds(name, *min, *max)
            }
            Storage::Units | Storage::Currency | Storage::Text => bounds(name, *min, *max),
            Storage::Duration | Storage::Json => bounds(name, *min, *max),
        },
        Check::Length { min, max } => bounds(&format!("char_length({name})"), *min, *max),
        Check::OneOf(values) => {
            let values: Vec<String> = values.iter().map(|value| text(value)).collect();
            Some(format!("{name} IN ({})", values.join(", ")))
        }
    }
}

fn moment(
    name: &str,
    min: Option<i64>,
    max: Option<i64>,
    write: impl Fn(i64) -> String,
) -> Option<String> {
    let min = min.map(|min| format!("{name} >= {}", write(min)));
    let max = max.map(|max| format!("{name} <= {}", write(max)));
    let both: Vec<String> = min.into_iter().chain(max).collect();
    (!both.is_empty()).then(|| both.join(" AND "))
}

pub(super) fn foreign_key(schema: &Schema, place: Place<'_>, key: &ForeignKey) -> String {
    let target = &schema.tables[key.table];
    let then = match (key.on_delete, key.columns.last()) {
        _ if !(place.holds)(target) => "RESTRICT".to_owned(),
        (OnDelete::Restrict, _) => "RESTRICT".to_owned(),
        (OnDelete::Cascade, _) => "CASCADE".to_owned(),
        (OnDelete::Clear, Some(column)) => format!("SET NULL ({})", quoted(column)),
        (OnDelete::Clear, None) => "SET NULL".to_owned(),
    };
    format!(
        "FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {then}",
        list(&key.columns),
        (place.name)(target),
        list(&key.to)
    )
}

pub(super) fn exclusions(table: &Table) -> Vec<String> {
    let exclusion = |overlap: &ir::schema::Overlap| {
        let equal: String =
            overlap.equal.iter().map(|column| format!("{} WITH =, ", quoted(column))).collect();
        let (start, end) = (quoted(&overlap.start), quoted(&overlap.end));
        let nullable = table.columns.iter().any(|c| c.name == overlap.start && c.nullable);
        let only = if nullable { format!(" WHERE ({start} IS NOT NULL)") } else { String::new() };
        format!("EXCLUDE USING gist ({equal}tstzrange({start}, {end}, '[)') WITH &&){only}")
    };
    table.overlaps.iter().map(exclusion).collect()
}

/// Constraints of columns that are null together, with the columns.
pub(super) fn pair_checks(table: &Table) -> Vec<([String; 2], String)> {
    let mut checks = Vec::new();
    for (first, second) in pairs(table) {
        let columns = || [first.name.clone(), second.name.clone()];
        let (one, two) = (quoted(&first.name), quoted(&second.name));
        if first.nullable {
            checks.push((columns(), format!("CHECK (({one} IS NULL) = ({two} IS NULL))")));
        }
        if is_span(first) {
            checks.push((columns(), format!("CHECK ({one} < {two})")));
        }
    }
    checks
}

/// An index that only the search for overlaps needs: here the exclusion constraint has its own.
fn excluded(table: &Table, index: &Index) -> bool {
    index.needed_by.len() == 1
        && table.overlaps.iter().any(|overlap| {
            let columns = overlap.equal.iter().chain([&overlap.start]);
            columns.eq(index.columns.iter().map(|(name, _)| name))
        })
}

/// Holds tenants apart a second time, beneath the queries that carry the tenant anyway.
fn policy(table: &Table, name: &str) -> Vec<Piece> {
    let Some(tenant) = &table.tenant else { return Vec::new() };
    let own = own_rows(tenant);
    let policy = format!("CREATE POLICY tenant ON {name}\n  USING ({own})\n  WITH CHECK ({own})");
    vec![
        piece("", format!("ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")),
        piece("", format!("ALTER TABLE {name} FORCE ROW LEVEL SECURITY")),
        piece("", policy),
    ]
}

/// The condition of a tenant's own rows.
pub(super) fn own_rows(tenant: &str) -> String {
    format!("{} = current_setting('mainstay.tenant', true)", quoted(tenant))
}

pub(super) fn create_index(table: &Table, name: &str, index: &Index) -> String {
    let (unique, index_name) = match index.unique {
        Some(_) => ("UNIQUE ", quoted(&index.name)),
        None => ("", quoted(&index.name)),
    };
    if is_search(table, index) {
        let shadow = |name: &String| {
            table.columns.iter().any(|column| {
                column.name == *name && matches!(column.field, Some((_, Part::Search)))
            })
        };
        let columns = index.columns.iter().map(|(name, _)| name).filter(|name| shadow(name));
        let columns: Vec<String> =
            columns.map(|column| format!("{} gin_trgm_ops", quoted(column))).collect();
        let columns = columns.join(", ");
        return format!("CREATE INDEX {index_name} ON {name} USING gin ({columns})");
    }
    format!(
        "CREATE {unique}INDEX {index_name} ON {name} ({}){}",
        index_columns(index),
        only(table, index, "IS DISTINCT FROM", literal)
    )
}

pub(super) fn literal(column: &Column, value: &Literal) -> String {
    match (value, column.storage) {
        (Literal::Text(value), _) => text(value),
        (Literal::Int(value), Storage::Bool) => (*value != 0).to_string(),
        (Literal::Int(value), _) => value.to_string(),
    }
}

/// A constant as a value of a column of that type.
pub(super) fn quoted_literal(storage: Storage, value: &Literal) -> String {
    match (value, storage) {
        (Literal::Text(value), _) => text(value),
        (Literal::Int(value), Storage::Bool) => (*value != 0).to_string(),
        (Literal::Int(value), Storage::Date) => format!("date '1970-01-01' + {value}"),
        (Literal::Int(value), Storage::Time) => {
            format!("time '00:00' + interval '{value} microseconds'")
        }
        (Literal::Int(value), Storage::Timestamp) => {
            format!("timestamptz '1970-01-01Z' + interval '{value} microseconds'")
        }
        (Literal::Int(value), _) => value.to_string(),
    }
}
