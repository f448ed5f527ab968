//! SQLite: STRICT tables named `<context>_<table>`, ids as 16 bytes, times as microseconds.

use super::{
    in_order, index_columns, is_span, left_out, list, needed_by, one_line, only, operations, pairs,
    quoted, system, text,
};
use ir::model::OnDelete;
use ir::schema::{Check, Column, ForeignKey, Index, Literal, Schema, Storage, Table};

/// The statements that make the tables of a fresh database, in order, system tables not among
/// them: each table, its triggers, its indexes. `holds` says which tables the database has.
pub fn sqlite_statements(schema: &Schema, holds: &dyn Fn(&Table) -> bool) -> Vec<String> {
    let tables = in_order(schema, holds);
    let mut statements = Vec::new();
    for (_, table) in &tables {
        statements.push(create_table(schema, table, holds));
        statements.extend(table.indexes.iter().map(|index| create_index(table, index)));
    }
    statements.extend(tables.iter().flat_map(|(_, table)| triggers(schema, table, holds)));
    statements
}

/// The whole file for people: every statement with its reason, system tables at the end.
pub fn write_sqlite(schema: &Schema, holds: &dyn Fn(&Table) -> bool) -> String {
    let mut out = String::from("PRAGMA foreign_keys = ON;\n");
    let tables = in_order(schema, holds);
    for (_, table) in &tables {
        out.push_str(&format!("\n{};\n", create_table(schema, table, holds)));
        for index in &table.indexes {
            out.push_str(&format!("\n{}{};\n", needed_by(index), create_index(table, index)));
        }
        for overlap in &table.overlaps {
            let equal = list(&overlap.equal);
            let (start, end) = (quoted(&overlap.start), quoted(&overlap.end));
            out.push_str(&format!(
                "-- rows of equal {equal} never overlap from {start} to {end}: the one writer \
                 looks before it writes\n"
            ));
        }
    }
    for trigger in tables.iter().flat_map(|(_, table)| triggers(schema, table, holds)) {
        out.push_str(&format!("\n-- a reference is cleared where its row goes\n{trigger};\n"));
    }
    out.push_str(&left_out(schema, holds));
    out.push_str(system::SQLITE);
    out.push_str(operations::SQLITE);
    out
}

/// The file of API keys, `_keys.db`: one for the whole system.
pub fn write_sqlite_keys() -> String {
    system::SQLITE_KEYS.to_owned()
}

/// No foreign key reaches into another database: there the backend looks for the row itself.
pub(super) fn create_table(
    schema: &Schema,
    table: &Table,
    holds: &dyn Fn(&Table) -> bool,
) -> String {
    let mut parts: Vec<String> = table.columns.iter().map(column).collect();
    parts.push(format!("PRIMARY KEY ({})", list(&table.primary_key)));
    let here = table.foreign_keys.iter().filter(|key| holds(&schema.tables[key.table]));
    parts.extend(here.map(|key| foreign_key(schema, key)));
    for (first, second) in pairs(table) {
        let (one, two) = (quoted(&first.name), quoted(&second.name));
        if first.nullable {
            parts.push(format!("CHECK (({one} IS NULL) = ({two} IS NULL))"));
        }
        if is_span(first) {
            parts.push(format!("CHECK ({one} < {two})"));
        }
    }
    format!("CREATE TABLE {} (\n  {}\n) STRICT", quoted(&table.sql_name()), parts.join(",\n  "))
}

fn column(column: &Column) -> String {
    let own = match column.storage {
        Storage::Uuid => Some("length({}) = 16"),
        Storage::Bool => Some("{} IN (0, 1)"),
        Storage::Currency => Some("length({}) = 3"),
        Storage::Int | Storage::Decimal { .. } | Storage::Units => None,
        Storage::Date | Storage::Time | Storage::Timestamp | Storage::Duration => None,
        Storage::Text | Storage::Json => None,
    };
    let (name, kind) = (quoted(&column.name), kind(column.storage));
    let null = if column.nullable { "" } else { " NOT NULL" };
    let check = match &column.check {
        Some(check) => condition(&name, check),
        None => own.map(|own| own.replace("{}", &name)),
    };
    let check = check.map(|check| format!(" CHECK ({check})")).unwrap_or_default();
    format!("{name} {kind}{null}{check}")
}

/// The type of a column.
pub(super) fn kind(storage: Storage) -> &'static str {
    match storage {
        Storage::Uuid => "BLOB",
        Storage::Currency | Storage::Text | Storage::Json => "TEXT",
        Storage::Bool | Storage::Int | Storage::Decimal { .. } | Storage::Units => "INTEGER",
        Storage::Date | Storage::Time | Storage::Timestamp | Storage::Duration => "INTEGER",
    }
}

pub(super) fn condition(name: &str, check: &Check) -> Option<String> {
    match check {
        Check::Range { min, max } => bounds(name, *min, *max),
        Check::Length { min, max } => bounds(&format!("length({name})"), *min, *max),
        Check::OneOf(values) => {
            let values: Vec<String> = values.iter().map(|value| text(value)).collect();
            Some(format!("{name} IN ({})", values.join(", ")))
        }
    }
}

pub(super) fn bounds(what: &str, min: Option<i64>, max: Option<i64>) -> Option<String> {
    match (min, max) {
        (Some(min), Some(max)) => Some(format!("{what} BETWEEN {min} AND {max}")),
        (Some(min), None) => Some(format!("{what} >= {min}")),
        (None, Some(max)) => Some(format!("{what} <= {max}")),
        (None, None) => None,
    }
}

fn foreign_key(schema: &Schema, key: &ForeignKey) -> String {
    let then = match key.on_delete {
        OnDelete::Restrict => "RESTRICT",
        OnDelete::Cascade => "CASCADE",
        // A trigger has cleared the reference by then.
        OnDelete::Clear => "NO ACTION",
    };
    format!(
        "FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {then}",
        list(&key.columns),
        quoted(&schema.tables[key.table].sql_name()),
        list(&key.to)
    )
}

/// `ON DELETE SET NULL` would clear the tenant too, and would not raise the version.
pub(super) fn triggers(
    schema: &Schema,
    table: &Table,
    holds: &dyn Fn(&Table) -> bool,
) -> Vec<String> {
    let here = table.foreign_keys.iter().filter(|key| holds(&schema.tables[key.table]));
    let clearing = here.filter(|key| key.on_delete == OnDelete::Clear);
    clearing
        .filter_map(|key| {
            let column = key.columns.last()?;
            let target = &schema.tables[key.table];
            let name = format!("clear_{}_{column}", table.sql_name());
            let rows: Vec<String> = key
                .columns
                .iter()
                .zip(&key.to)
                .map(|(here, there)| format!("{} = OLD.{}", quoted(here), quoted(there)))
                .collect();
            let version = match table.owner {
                None => ", \"row_version\" = \"row_version\" + 1",
                Some(_) => "",
            };
            Some(format!(
                "CREATE TRIGGER {} BEFORE DELETE ON {} BEGIN\n  UPDATE {} SET {} = NULL{version} \
                 WHERE {};\nEND",
                quoted(&name),
                quoted(&target.sql_name()),
                quoted(&table.sql_name()),
                quoted(column),
                rows.join(" AND ")
            ))
        })
        .collect()
}

pub(super) fn create_index(table: &Table, index: &Index) -> String {
    let unique = if index.unique.is_some() { "UNIQUE " } else { "" };
    format!(
        "CREATE {unique}INDEX {} ON {} ({}){}",
        quoted(&one_line(&index.name)),
        quoted(&table.sql_name()),
        index_columns(index),
        only(table, index, "IS NOT", literal)
    )
}

pub(super) fn literal(_: &Column, value: &Literal) -> String {
    match value {
        Literal::Text(value) => text(value),
        Literal::Int(value) => value.to_string(),
    }
}
