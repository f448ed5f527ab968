//! Indexes from uniques and queries, without any that the primary key or another index serves.

use super::names::identifier;
use super::queries::Query;
use ir::domain::{Resource, Unique};
use ir::expr::{Expr, ExprKind, FieldRef, Implicit, Operator};
use ir::schema::{Column, Index, IndexCondition, Literal, Part, Storage, Table};
use ir::value::{MONEY_UNITS, Value};

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

/// A condition that an index cannot hold leaves an ordinary index: the writer looks there.
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
        None => Some(Vec::new()),
        Some(when) => conditions(table, when),
    };
    let partial = if unique.when.is_some() { ", of the rows its condition holds for" } else { "" };
    if columns.len() == usize::from(table.tenant.is_some()) {
        return None;
    }
    Some(Index {
        name: String::new(),
        columns,
        unique: only.is_some().then_some(number),
        only: only.unwrap_or_default(),
        needed_by: vec![format!("unique {}{partial}", names.join(", "))],
    })
}

/// The condition as simple comparisons of columns, all of which must hold.
fn conditions(table: &Table, when: &Expr) -> Option<Vec<IndexCondition>> {
    match &when.kind {
        ExprKind::And(parts) => {
            let parts: Option<Vec<_>> = parts.iter().map(|part| conditions(table, part)).collect();
            Some(parts?.into_iter().flatten().collect())
        }
        ExprKind::Field(field) => {
            let column = column(table, *field)?;
            Some(vec![IndexCondition::Equal(column.name.clone(), Literal::Int(1))])
        }
        ExprKind::Not(inner) => match &inner.kind {
            ExprKind::Field(field) => {
                let column = column(table, *field)?;
                Some(vec![IndexCondition::NotEqual(column.name.clone(), Literal::Int(1))])
            }
            _ => None,
        },
        ExprKind::Compare(operator, left, right) => {
            let (field, value) = match (&left.kind, &right.kind) {
                (ExprKind::Field(field), ExprKind::Literal(value))
                | (ExprKind::Literal(value), ExprKind::Field(field)) => (*field, value),
                _ => return None,
            };
            Some(vec![comparison(column(table, field)?, *operator, value)?])
        }
        _ => None,
    }
}

fn comparison(column: &Column, operator: Operator, value: &Value) -> Option<IndexCondition> {
    let name = column.name.clone();
    match (operator, value.is_null()) {
        (Operator::Equal, true) => Some(IndexCondition::Null(name)),
        (Operator::NotEqual, true) => Some(IndexCondition::NotNull(name)),
        (Operator::Equal, false) => Some(IndexCondition::Equal(name, literal(column, value)?)),
        (Operator::NotEqual, false) => {
            Some(IndexCondition::NotEqual(name, literal(column, value)?))
        }
        _ => None,
    }
}

fn literal(column: &Column, value: &Value) -> Option<Literal> {
    match (column.storage, value) {
        (Storage::Text, Value::Text(text)) => Some(Literal::Text(text.to_string())),
        (Storage::Int, Value::Int(number)) => Some(Literal::Int(*number)),
        (Storage::Bool, Value::Bool(flag)) => Some(Literal::Int(i64::from(*flag))),
        (Storage::Units, Value::Int(number)) => number.checked_mul(MONEY_UNITS).map(Literal::Int),
        _ => None,
    }
}

fn column(table: &Table, field: FieldRef) -> Option<&Column> {
    match field {
        FieldRef::Field(id) => table.column(id, Part::Whole),
        FieldRef::Implicit(implicit) => {
            let name = match implicit {
                Implicit::Id => super::ID,
                Implicit::CreatedAt => super::CREATED_AT,
                Implicit::UpdatedAt => super::UPDATED_AT,
            };
            table.columns.iter().find(|column| column.name == name)
        }
    }
}
