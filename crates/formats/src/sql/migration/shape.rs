//! Tables as a database holds them, in the form that the writers of DDL know.

use super::Dialect;
use crate::sql::{postgresql, quoted, sqlite};
use ir::domain::{FieldId, ResourceId};
use ir::migration::{Held, HeldColumn, HeldIndex};
use ir::schema::{Column, ForeignKey, Index, Part, Schema, Storage, Table};
use std::collections::BTreeMap;

/// Names of all tables that steps speak of.
pub(super) struct Shapes<'a> {
    pub(super) names: &'a BTreeMap<String, (String, String)>,
}

impl Shapes<'_> {
    /// `ordering.orders`
    pub(super) fn place(&self, key: &str) -> String {
        let (context, name) = self.name(key);
        format!("{context}.{name}")
    }

    fn name(&self, key: &str) -> (String, String) {
        self.names.get(key).cloned().unwrap_or_default()
    }

    /// A table of that name without anything else.
    pub(super) fn stub(&self, key: &str) -> Table {
        let (context, name) = self.name(key);
        bare(context, name)
    }

    /// The table, and a schema in which its keys find the names of what they refer to.
    pub(super) fn table(&self, held: &Held) -> (Schema, Table) {
        let mut table = bare(held.context.clone(), held.name.clone());
        table.tenant.clone_from(&held.tenant);
        table.owner.clone_from(&held.owner);
        table.columns = columns(&held.columns);
        table.primary_key.clone_from(&held.primary_key);
        table.indexes = held.indexes.iter().map(index).collect();
        table.overlaps.clone_from(&held.overlaps);
        let mut schema = Schema::default();
        for key in &held.foreign_keys {
            let (columns, to) = (key.columns.clone(), key.to.clone());
            let (table_at, on_delete) = (schema.tables.len(), key.on_delete);
            schema.tables.push(self.stub(&key.table));
            let field = None;
            let key = ForeignKey { columns, table: table_at, to, on_delete, field };
            table.foreign_keys.push(key);
        }
        (schema, table)
    }
}

fn bare(context: String, name: String) -> Table {
    Table {
        resource: ResourceId(0),
        context,
        name,
        tenant: None,
        owner: None,
        columns: Vec::new(),
        primary_key: Vec::new(),
        foreign_keys: Vec::new(),
        indexes: Vec::new(),
        overlaps: Vec::new(),
        was: None,
        unmanaged: None,
    }
}

pub(super) fn index(held: &HeldIndex) -> Index {
    Index {
        name: held.name.clone(),
        columns: held.columns.clone(),
        unique: held.unique.then_some(0),
        only: held.only.clone(),
        needed_by: Vec::new(),
    }
}

/// Two columns of one field are known by their parts and their order.
fn columns(held: &[HeldColumn]) -> Vec<Column> {
    let mut open: Option<(Part, u16)> = None;
    let mut next = 0;
    let mut all = Vec::with_capacity(held.len());
    for column in held {
        let begins = match column.part {
            Some(Part::Currency) => Some(Part::Units),
            Some(Part::End) => Some(Part::Start),
            Some(Part::Whole | Part::Units | Part::Start | Part::Search) | None => None,
        };
        let of = match (open, begins) {
            (Some((part, of)), Some(begins)) if part == begins => of,
            _ => {
                next += 1;
                next
            }
        };
        if let Some(part @ (Part::Units | Part::Start)) = column.part {
            open = Some((part, of));
        } else if begins.is_some() {
            open = None;
        }
        all.push(self::column(column, column.part.map(|part| (FieldId(of), part))));
    }
    all
}

pub(super) fn column(held: &HeldColumn, field: Option<(FieldId, Part)>) -> Column {
    Column {
        name: held.name.clone(),
        storage: held.storage,
        nullable: held.nullable,
        field,
        check: held.check.clone(),
        was: None,
        fill: None,
        giver: ir::schema::Giver::Writer,
    }
}

/// The columns of a table as the database itself tells them, a line each: what was changed behind
/// Mainstay's back shows as a difference.
pub fn structure(held: &Held, dialect: Dialect<'_>) -> Vec<String> {
    let line = |column: &HeldColumn| {
        let kind = match dialect {
            Dialect::Sqlite => sqlite::kind(column.storage),
            Dialect::Postgresql(_) => told(column.storage),
        };
        let null = if column.nullable { "" } else { " NOT NULL" };
        format!("{} {kind}{null}", quoted(&column.name))
    };
    let mut lines: Vec<String> = held.columns.iter().map(line).collect();
    lines.sort();
    lines
}

/// As `format_type` of PostgreSQL says it.
fn told(storage: Storage) -> &'static str {
    match storage {
        Storage::Currency => "character(3)",
        Storage::Text => "text",
        Storage::Time => "time without time zone",
        Storage::Timestamp => "timestamp with time zone",
        Storage::Uuid | Storage::Bool | Storage::Int | Storage::Decimal { .. } => {
            postgresql::kind(storage)
        }
        Storage::Units | Storage::Date | Storage::Duration | Storage::Json => {
            postgresql::kind(storage)
        }
    }
}
