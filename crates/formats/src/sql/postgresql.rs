//! PostgreSQL 15 and later: one SQL schema per context, text in collation "C", row-level security
//! where tenants share a table, exclusion constraints for spans that never overlap.

use super::sqlite::bounds;
use super::{
    in_order, index_columns, is_search, is_span, list, needed_by, only, pairs, quoted, system, text,
};
use ir::model::OnDelete;
use ir::schema::{Check, Column, ForeignKey, Index, Literal, Part, Schema, Storage, Table};

/// The whole file: extensions, schemas, tables, policies, indexes, system tables.
pub fn write_postgresql(schema: &Schema, holds: &dyn Fn(&Table) -> bool) -> String {
    let tables = in_order(schema, holds);
    let mut out = extensions(&tables);
    let mut contexts: Vec<&str> = tables.iter().map(|(_, table)| table.context.as_str()).collect();
    contexts.dedup();
    let mut seen = Vec::new();
    for context in contexts {
        if !seen.contains(&context) {
            out.push_str(&format!("CREATE SCHEMA {};\n", quoted(context)));
            seen.push(context);
        }
    }
    let mut made: Vec<usize> = Vec::new();
    let mut later = Vec::new();
    for (at, table) in &tables {
        made.push(*at);
        let (now, wait): (Vec<&ForeignKey>, Vec<&ForeignKey>) =
            table.foreign_keys.iter().partition(|key| made.contains(&key.table));
        out.push_str(&create_table(schema, table, &now));
        later.extend(wait.into_iter().map(|key| (*table, key)));
    }
    for (table, key) in later {
        let key = foreign_key(schema, key);
        out.push_str(&format!("\nALTER TABLE {} ADD {key};\n", name(table)));
    }
    out.push_str(system::POSTGRESQL);
    out
}

fn extensions(tables: &[(usize, &Table)]) -> String {
    let mut out = String::new();
    if tables.iter().any(|(_, table)| !table.overlaps.is_empty()) {
        out.push_str("-- equality beside spans in one exclusion constraint\n");
        out.push_str("CREATE EXTENSION IF NOT EXISTS btree_gist;\n");
    }
    let searched = |table: &Table| table.indexes.iter().any(|index| is_search(table, index));
    if tables.iter().any(|(_, table)| searched(table)) {
        out.push_str("-- words within the searched columns\n");
        out.push_str("CREATE EXTENSION IF NOT EXISTS pg_trgm;\n");
    }
    out
}

fn name(table: &Table) -> String {
    format!("{}.{}", quoted(&table.context), quoted(&table.name))
}

fn create_table(schema: &Schema, table: &Table, keys: &[&ForeignKey]) -> String {
    let mut parts: Vec<String> = table.columns.iter().map(column).collect();
    parts.push(format!("PRIMARY KEY ({})", list(&table.primary_key)));
    parts.extend(keys.iter().map(|key| foreign_key(schema, key)));
    for (first, second) in pairs(table) {
        let (one, two) = (quoted(&first.name), quoted(&second.name));
        if first.nullable {
            parts.push(format!("CHECK (({one} IS NULL) = ({two} IS NULL))"));
        }
        if is_span(first) {
            parts.push(format!("CHECK ({one} < {two})"));
        }
    }
    parts.extend(exclusions(table));
    let mut out = format!("\nCREATE TABLE {} (\n  {}\n);\n", name(table), parts.join(",\n  "));
    out.push_str(&policy(table));
    let wanted = table.indexes.iter().filter(|index| !excluded(table, index));
    for index in wanted {
        out.push_str(&format!("\n{}{}", needed_by(index), create_index(table, index)));
    }
    out
}

fn column(column: &Column) -> String {
    let kind = match column.storage {
        Storage::Uuid => "uuid".to_owned(),
        Storage::Bool => "boolean".to_owned(),
        Storage::Int | Storage::Duration | Storage::Units => "bigint".to_owned(),
        Storage::Decimal { .. } => "bigint".to_owned(),
        Storage::Currency => "char(3)".to_owned(),
        Storage::Text => "text COLLATE \"C\"".to_owned(),
        Storage::Date => "date".to_owned(),
        Storage::Time => "time".to_owned(),
        Storage::Timestamp => "timestamptz".to_owned(),
        Storage::Json => "jsonb".to_owned(),
    };
    let name = quoted(&column.name);
    let null = if column.nullable { "" } else { " NOT NULL" };
    let check = column.check.as_ref().and_then(|check| condition(column, &name, check));
    let check = check.map(|check| format!(" CHECK ({check})")).unwrap_or_default();
    format!("{name} {kind}{null}{check}")
}

fn condition(column: &Column, name: &str, check: &Check) -> Option<String> {
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

fn foreign_key(schema: &Schema, key: &ForeignKey) -> String {
    let then = match (key.on_delete, key.columns.last()) {
        (OnDelete::Restrict, _) => "RESTRICT".to_owned(),
        (OnDelete::Cascade, _) => "CASCADE".to_owned(),
        (OnDelete::Clear, Some(column)) => format!("SET NULL ({})", quoted(column)),
        (OnDelete::Clear, None) => "SET NULL".to_owned(),
    };
    format!(
        "FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {then}",
        list(&key.columns),
        name(&schema.tables[key.table]),
        list(&key.to)
    )
}

fn exclusions(table: &Table) -> Vec<String> {
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

/// An index that only the search for overlaps needs: here the exclusion constraint has its own.
fn excluded(table: &Table, index: &Index) -> bool {
    index.needed_by.len() == 1
        && table.overlaps.iter().any(|overlap| {
            let columns = overlap.equal.iter().chain([&overlap.start]);
            columns.eq(index.columns.iter().map(|(name, _)| name))
        })
}

/// Holds tenants apart a second time, beneath the queries that carry the tenant anyway.
fn policy(table: &Table) -> String {
    let Some(tenant) = &table.tenant else { return String::new() };
    let (name, tenant) = (name(table), quoted(tenant));
    let own = format!("{tenant} = current_setting('mainstay.tenant', true)");
    format!(
        "ALTER TABLE {name} ENABLE ROW LEVEL SECURITY;\n\
         ALTER TABLE {name} FORCE ROW LEVEL SECURITY;\n\
         CREATE POLICY tenant ON {name}\n  USING ({own})\n  WITH CHECK ({own});\n"
    )
}

fn create_index(table: &Table, index: &Index) -> String {
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
        let (table, columns) = (name(table), columns.join(", "));
        return format!("CREATE INDEX {index_name} ON {table} USING gin ({columns});\n");
    }
    format!(
        "CREATE {unique}INDEX {index_name} ON {} ({}){};\n",
        name(table),
        index_columns(index),
        only(table, index, "IS DISTINCT FROM", literal)
    )
}

fn literal(column: &Column, value: &Literal) -> String {
    match (value, column.storage) {
        (Literal::Text(value), _) => text(value),
        (Literal::Int(value), Storage::Bool) => (*value != 0).to_string(),
        (Literal::Int(value), _) => value.to_string(),
    }
}
