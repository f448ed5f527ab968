//! Which unique key a refused row collided with, and the check of spans that never overlap.

use super::{Slot, Where, quoted};
use crate::adapters::sql::dialect::{Dialect, quote};
use crate::adapters::sql::shape::Shape;
use ir::domain::Resource;
use ir::schema::{Column, IndexCondition, Literal, Overlap, Table};

/// A unique key of a resource.
#[derive(Debug, Clone)]
pub struct UniqueKey {
    /// Index in the resource's `uniques`.
    pub unique: usize,
    /// Name of its index.
    pub index: String,
    /// Columns without quotes, sorted, the tenant among them.
    pub columns: Vec<String>,
    /// Another row with the same key, by [`UniqueKey::slots`]: tells keys over the same columns
    /// apart.
    pub other: String,
    /// Parameters of [`UniqueKey::other`].
    pub slots: Vec<Slot>,
}

/// The check of spans that never overlap.
#[derive(Debug, Clone)]
pub struct OverlapCheck {
    /// Index in the resource's `overlaps`.
    pub overlap: usize,
    /// Another row whose span meets, by [`OverlapCheck::slots`].
    pub other: String,
    /// Parameters.
    pub slots: Vec<Slot>,
}

pub(super) fn keys(resource: &Resource, table: &Table, dialect: &dyn Dialect) -> Vec<UniqueKey> {
    let mut all = Vec::new();
    for index in &table.indexes {
        let Some(unique) = index.unique else { continue };
        let names: Vec<String> = index.columns.iter().map(|(name, _)| name.clone()).collect();
        let mut by = Where::new(dialect, 1, None);
        let slots = equal_all(resource, table, &names, &mut by);
        index.only.iter().for_each(|condition| by.raw(&self::condition(condition)));
        let other = format!("SELECT 1 FROM {}{} LIMIT 1", dialect.table(table), by.finish());
        let mut columns = names;
        columns.sort();
        all.push(UniqueKey { unique, index: index.name.clone(), columns, other, slots });
    }
    all
}

pub(super) fn overlaps(table: &Table, dialect: &dyn Dialect) -> Vec<OverlapCheck> {
    table.overlaps.iter().enumerate().map(|(at, one)| overlap(table, at, one, dialect)).collect()
}

/// Equal columns and both ends are compared with the row itself as it lies in the table, so the
/// check needs no values but the id: tenant, id.
fn overlap(table: &Table, at: usize, overlap: &Overlap, dialect: &dyn Dialect) -> OverlapCheck {
    let mut conditions: Vec<String> =
        quoted(&overlap.equal).iter().map(|column| format!("o.{column} = r.{column}")).collect();
    let (start, end) = (quote(&overlap.start), quote(&overlap.end));
    conditions.push(format!("o.{start} < r.{end}"));
    conditions.push(format!("o.{end} > r.{start}"));
    conditions.push(format!("o.{start} < o.{end}"));
    conditions.push(format!("r.{start} < r.{end}"));
    conditions.push("o.\"id\" <> r.\"id\"".to_owned());
    let tenant = table.tenant.as_deref().map(|tenant| format!("r.{}", quote(tenant)));
    let mut by = Where::new(dialect, 1, tenant.as_deref());
    by.equal("r.\"id\"");
    let name = dialect.table(table);
    let other = format!(
        "SELECT 1 FROM {name} r JOIN {name} o ON {}{} LIMIT 1",
        conditions.join(" AND "),
        by.finish()
    );
    let mut slots: Vec<Slot> = table.tenant.iter().map(|_| Slot::Tenant).collect();
    slots.push(Slot::Id);
    OverlapCheck { overlap: at, other, slots }
}

fn equal_all(
    resource: &Resource,
    table: &Table,
    names: &[String],
    by: &mut Where<'_>,
) -> Vec<Slot> {
    let mut slots = Vec::new();
    for column in table.columns.iter().filter(|column| names.contains(&column.name)) {
        if let Some(slot) = slot(resource, table, column) {
            by.equal(&quote(&column.name));
            slots.push(slot);
        }
    }
    slots
}

fn slot(resource: &Resource, table: &Table, column: &Column) -> Option<Slot> {
    match column.field {
        Some((field, part)) => {
            Some(Slot::Field(field, part, Shape::of_field(resource.field(field))?))
        }
        None if Some(&column.name) == table.tenant.as_ref() => Some(Slot::Tenant),
        None if Some(&column.name) == table.owner.as_ref() => Some(Slot::Owner),
        None => None,
    }
}

fn condition(condition: &IndexCondition) -> String {
    let literal = |literal: &Literal| match literal {
        Literal::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Literal::Int(n) => n.to_string(),
    };
    match condition {
        IndexCondition::NotNull(column) => format!("{} IS NOT NULL", quote(column)),
        IndexCondition::Null(column) => format!("{} IS NULL", quote(column)),
        IndexCondition::Equal(column, value) => format!("{} = {}", quote(column), literal(value)),
        IndexCondition::NotEqual(column, value) => {
            // Null is unequal to a value here, as it is for the index.
            format!("{} IS DISTINCT FROM {}", quote(column), literal(value))
        }
    }
}
