//! Indexes from uniques and queries, without any that the primary key or another index serves.

use super::condition::conditions;
use super::queries::Query;
use crate::naming::identifier;
use ir::domain::{Resource, Unique};
use ir::schema::{Index, Part, Table};

/// The indexes of a table.
pub(super) fn indexes(resource: &Resource, table: &Table, queries: Vec<Query>) -> Vec<Index> {
    let mut indexes: Vec<Index> = Vec::new();
    for (number, unique) in resource.uniques.iter().enumerate() {
        indexes.extend(unique_index(resource, table, number, unique));
    }
    for query in queries {
        let columns = columns(table, &query);
        if is_prefix(&columns, &primary(table)) {
            continue;
        }
        add(&mut indexes, columns, query.why);
    }
    for index in &mut indexes {
        index.name = name(table, index);
    }
    indexes
}

fn primary(table: &Table) -> Vec<(String, bool)> {
    table.primary_key.iter().map(|column| (column.clone(), false)).collect()
}

/// Tenant, then what is equal, then the order. An index is read both ways, so that the order
/// begins ascending and only a change of direction within it is kept.
fn columns(table: &Table, query: &Query) -> Vec<(String, bool)> {
    let turned = query.order.first().is_some_and(|(_, down)| *down);
    let tenant = table.tenant.iter().filter(|_| query.in_tenant);
    let fixed = tenant.chain(&query.equal).map(|name| (name.clone(), false));
    let mut columns: Vec<(String, bool)> = fixed.collect();
    for (name, down) in &query.order {
        if columns.iter().all(|(taken, _)| taken != name) {
            columns.push((name.clone(), *down != turned));
        }
    }
    columns
}

fn is_prefix(short: &[(String, bool)], long: &[(String, bool)]) -> bool {
    long.starts_with(short)
}

fn add(indexes: &mut Vec<Index>, columns: Vec<(String, bool)>, why: String) {
    let serves = |index: &Index| {
        // A whole unique key finds one row at most, whatever order is asked for after it.
        let one_row = index.unique.is_some() && is_prefix(&index.columns, &columns);
        index.only.is_empty() && (is_prefix(&columns, &index.columns) || one_row)
    };
    if let Some(index) = indexes.iter_mut().find(|index| serves(index)) {
        if !index.needed_by.contains(&why) {
            index.needed_by.push(why);
        }
        return;
    }
    let mut needed_by = Vec::new();
    let shorter = |index: &Index| {
        index.unique.is_none() && index.only.is_empty() && is_prefix(&index.columns, &columns)
    };
    let mut at = indexes.len();
    while let Some(found) = indexes.iter().position(shorter) {
        at = at.min(found);
        needed_by.extend(indexes.remove(found).needed_by);
    }
    needed_by.push(why);
    let index = Index { name: String::new(), columns, unique: None, only: Vec::new(), needed_by };
    indexes.insert(at.min(indexes.len()), index);
}

fn name(table: &Table, index: &Index) -> String {
    let kind = if index.unique.is_some() { "ux" } else { "ix" };
    let mut parts = vec![kind, &table.context, &table.name];
    parts.extend(index.columns.iter().map(|(column, _)| column.as_str()));
    identifier(&parts)
}

fn unique_index(
    resource: &Resource,
    table: &Table,
    number: usize,
    unique: &Unique,
) -> Option<Index> {
    let mut columns: Vec<(String, bool)> =
        table.tenant.iter().map(|tenant| (tenant.clone(), false)).collect();
    for field in &unique.fields {
        let parts = table.columns.iter().filter(|column| {
            column.field.is_some_and(|(id, part)| id == *field && part != Part::Search)
        });
        columns.extend(parts.map(|column| (column.name.clone(), false)));
    }
    let names: Vec<String> =
        unique.fields.iter().map(|field| format!("`{}`", resource.field(*field).name)).collect();
    let only = match &unique.when {
        None => Vec::new(),
        Some(when) => conditions(resource, table, when)
            .unwrap_or_else(|| unreachable!("E065 refuses what an index can't hold")),
    };
    let partial = if unique.when.is_some() { ", of the rows its condition holds for" } else { "" };
    if columns.len() == usize::from(table.tenant.is_some()) {
        return None;
    }
    Some(Index {
        name: String::new(),
        columns,
        unique: Some(number),
        only,
        needed_by: vec![format!("unique {}{partial}", names.join(", "))],
    })
}
