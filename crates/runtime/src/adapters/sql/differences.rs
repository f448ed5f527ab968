//! What differs between the schema that a file was made for and that of the model.

use ir::schema::{Schema, Table};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// The rows can be copied into a new table.
    Rebuilt {
        /// Which.
        table: String,
        /// Columns that stay.
        copied: Vec<String>,
        /// Shadow columns of a search with the column they are made from.
        filled: Vec<(String, String)>,
        /// Why that goes only as long as there are no rows.
        empty_only: Vec<String>,
    },
    /// The model has no such table any more.
    Dropped {
        /// Which.
        table: String,
    },
    /// It would lose or invent data.
    Refused {
        /// Of which table.
        table: String,
        /// In words.
        why: String,
    },
}

/// What is kept of a schema: tables of this service by name, without ids and reasons.
pub(crate) fn remembered(schema: &Schema, ours: &dyn Fn(&str) -> bool) -> Json {
    let tables: BTreeMap<String, Json> = schema
        .tables
        .iter()
        .filter(|table| ours(&table.sql_name()))
        .map(|table| (table.sql_name(), of_table(schema, table)))
        .collect();
    json!(tables)
}

fn of_table(schema: &Schema, table: &Table) -> Json {
    let columns: Vec<Json> = table
        .columns
        .iter()
        .map(|column| {
            json!({
                "name": column.name, "storage": column.storage, "nullable": column.nullable,
                "check": column.check,
                "part": column.field.map(|(_, part)| part),
            })
        })
        .collect();
    let foreign_keys: Vec<Json> = table
        .foreign_keys
        .iter()
        .map(|key| {
            json!({
                "columns": key.columns, "table": schema.tables[key.table].sql_name(),
                "to": key.to, "on_delete": format!("{:?}", key.on_delete),
            })
        })
        .collect();
    let mut indexes: Vec<Json> = table
        .indexes
        .iter()
        .map(|index| {
            json!({
                "name": index.name, "columns": index.columns,
                "unique": index.unique.is_some(), "only": index.only,
            })
        })
        .collect();
    indexes.sort_by_key(ToString::to_string);
    json!({
        "columns": columns, "primary_key": table.primary_key, "foreign_keys": foreign_keys,
        "indexes": indexes,
    })
}

/// What differs; indexes are compared in the file itself.
pub(crate) fn differences(before: &Json, after: &Json) -> Vec<Change> {
    let empty = serde_json::Map::new();
    let (before, after) =
        (before.as_object().unwrap_or(&empty), after.as_object().unwrap_or(&empty));
    let mut changes = Vec::new();
    for (table, was) in before {
        match after.get(table) {
            Some(is) => changes.extend(of_tables(table, was, is)),
            None => changes.push(Change::Dropped { table: table.clone() }),
        }
    }
    changes
}

fn of_tables(table: &str, was: &Json, is: &Json) -> Vec<Change> {
    let same = |member: &str| was[member] == is[member];
    if same("columns") && same("primary_key") && same("foreign_keys") {
        return Vec::new();
    }
    let mut changes = Vec::new();
    let refuse = |why: String| Change::Refused { table: table.to_owned(), why };
    if !same("primary_key") {
        changes.push(refuse(format!("table `{table}` has another primary key (its tenancy?)")));
    }
    let (columns_were, columns) = (by_name(&was["columns"]), by_name(&is["columns"]));
    let (mut copied, mut filled, mut empty_only) = (Vec::new(), Vec::new(), Vec::new());
    for (name, column) in &columns_were {
        match columns.get(name) {
            None if column["part"] == "search" => {}
            None => changes.push(refuse(format!("column `{table}.{name}` is in no model"))),
            Some(now) if now["storage"] != column["storage"] => {
                changes.push(refuse(format!(
                    "column `{table}.{name}` was {} and is {}",
                    column["storage"], now["storage"]
                )));
            }
            Some(_) => copied.push(name.clone()),
        }
    }
    for (name, column) in columns.iter().filter(|(name, _)| !columns_were.contains_key(*name)) {
        let source = name.strip_suffix("_search").filter(|of| columns_were.contains_key(*of));
        match source {
            Some(source) if column["part"] == "search" => {
                filled.push((name.clone(), source.to_owned()));
            }
            _ if column["nullable"] == true => {}
            _ => empty_only.push(format!(
                "column `{table}.{name}` is new and must have a value: make it `optional`"
            )),
        }
    }
    if changes.is_empty() {
        changes.push(Change::Rebuilt { table: table.to_owned(), copied, filled, empty_only });
    }
    changes
}

fn by_name(columns: &Json) -> BTreeMap<String, &Json> {
    let all = columns.as_array().map_or(&[][..], Vec::as_slice);
    all.iter().filter_map(|one| Some((one["name"].as_str()?.to_owned(), one))).collect()
}
