//! Statements of every table, made once from domain and schema.

use super::dialect::{Dialect, quote};
use super::list::Memo;
use super::shape::{Cell, Misshapen, Shape, Stored};
use crate::plan::audit::AuditPlan;
use crate::record::Record;
use ir::domain::{Domain, FieldId, ResourceId};
use ir::model::OnDelete;
use ir::schema::{Column, Part, Schema, Table};
use ir::value::Value;
use std::sync::Arc;

mod inserts;
mod references;
mod statements;
mod trail;
mod uniques;
mod updates;

pub use inserts::{INSERT_ROWS_MAX, Inserts};
pub use references::{Action, Referer, Target};
pub use trail::Trail;
pub use uniques::{OverlapCheck, UniqueKey};
pub use updates::{Update, Updates};

/// Everything a store needs to know of a schema.
pub struct Plan {
    /// The dialect that the text is in.
    pub dialect: Arc<dyn Dialect>,
    /// The model.
    pub domain: Arc<Domain>,
    /// The schema.
    pub schema: Arc<Schema>,
    /// By resource, the rows of views behind them.
    pub tables: Vec<TablePlan>,
}

/// One table.
pub struct TablePlan {
    /// Quoted name.
    pub name: String,
    /// Name without quotes, as it stands in the store's messages.
    pub plain_name: String,
    /// Quoted tenant column.
    pub tenant: Option<String>,
    /// Quoted column of the owner's id, in a child's table.
    pub owner: Option<String>,
    /// Where each field lies, by [`FieldId`]; none where it is not stored.
    pub fields: Vec<Option<Place>>,
    /// Columns read, of a row named `r`.
    pub select_list: String,
    /// Cells before the first field: id, and in a root version and times.
    pub lead_cells: usize,
    /// Columns in the order of the parameters of [`TablePlan::insert`].
    pub insert_slots: Vec<Slot>,
    /// One row by tenant and id.
    pub get: String,
    /// The children of an owner in order, by tenant and owner.
    pub of_owner: Option<String>,
    /// A new row.
    pub insert: String,
    /// Several of them: [`Plan::insert`].
    pub inserts: Inserts,
    /// Replace a root of a version: [`Plan::update`].
    pub updates: Updates,
    /// Puts a child: new or replaced, if it is that owner's.
    pub upsert: Option<String>,
    /// Deletes a root of a version: tenant, id, version. A child: tenant, id, owner.
    pub delete: String,
    /// Is the row there with that version? Tenant, id, version.
    pub is_version: String,
    /// Raises a counter: by, tenant, id.
    pub count: Vec<(FieldId, String)>,
    /// References of this table that the store holds.
    pub targets: Vec<Target>,
    /// What refers to rows of this table, owned children first.
    pub referers: Vec<Referer>,
    /// Statements of pages.
    pub pages: Memo,
    /// Unique keys of the resource.
    pub uniques: Vec<UniqueKey>,
    /// Spans that never overlap.
    pub overlaps: Vec<OverlapCheck>,
    /// Somebody else makes the table: no constraint of ours is on it.
    pub unmanaged: bool,
}

/// Where a field lies in a row.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its form.
    pub shape: Shape,
    /// Index of its first cell in the select list.
    pub at: usize,
    /// Quoted column of each part.
    pub columns: Vec<String>,
    /// Quoted shadow column that `q` looks in.
    pub search: Option<String>,
    /// May be null.
    pub nullable: bool,
}

/// What a parameter of a statement is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    /// The tenant of the call.
    Tenant,
    /// The row's id.
    Id,
    /// Its version.
    Version,
    /// When it was made.
    CreatedAt,
    /// When it was changed.
    UpdatedAt,
    /// The id of the owner.
    Owner,
    /// The index among its siblings.
    Position,
    /// A part of a field.
    Field(FieldId, Part, Shape),
    /// The version that was read.
    Expected,
}

/// What a statement is bound to beside the row itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// Whose.
    pub tenant: Option<&'a str>,
    /// Owner of a child.
    pub owner: u128,
    /// Index among its siblings.
    pub position: usize,
    /// The version that was read.
    pub expected: i64,
}

/// A schema that does not fit its domain: the design is at fault, not the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanError(pub String);

impl std::fmt::Display for PlanError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the schema does not fit the model: {}", self.0)
    }
}

impl std::error::Error for PlanError {}

impl Plan {
    /// Makes all statements.
    ///
    /// # Errors
    /// Where a table lacks a column that every table of ours has.
    pub fn new(
        domain: Arc<Domain>,
        schema: Arc<Schema>,
        dialect: Arc<dyn Dialect>,
    ) -> Result<Self, PlanError> {
        let stored = domain.stored().count();
        if schema.tables.len() != stored {
            return Err(PlanError(format!(
                "{} tables for {stored} resources and views",
                schema.tables.len()
            )));
        }
        let hidden = AuditPlan::of(&domain);
        let tables: Result<Vec<_>, _> = domain
            .stored()
            .map(|(id, _)| statements::table(&domain, &schema, id, dialect.as_ref(), &hidden))
            .collect();
        Ok(Self { dialect, domain, schema, tables: tables? })
    }

    /// The plan of a resource's table.
    pub fn table(&self, resource: ResourceId) -> &TablePlan {
        &self.tables[resource.index()]
    }

    /// The resource of the children of a field.
    pub fn child(&self, resource: ResourceId, field: FieldId) -> Option<ResourceId> {
        self.domain.resource(resource).children().find_map(|(id, of)| (id == field).then_some(of))
    }
}

impl TablePlan {
    /// The record in a row whose cells are those of the select list.
    ///
    /// # Errors
    /// [`Misshapen`] where the file holds something that no write of ours puts there.
    pub fn decode<'r>(
        &self,
        cell: &mut dyn FnMut(usize) -> Stored<'r>,
    ) -> Result<Record, Misshapen> {
        let int = |stored: Stored<'_>| match stored {
            Stored::Int(n) => Ok(n),
            Stored::Null | Stored::Text(_) | Stored::Bytes(_) | Stored::Foreign => Err(Misshapen),
        };
        let Stored::Bytes(id) = cell(0) else { return Err(Misshapen) };
        let id = u128::from_be_bytes(id.try_into().map_err(|_| Misshapen)?);
        let (version, created_at, updated_at) = match self.owner {
            Some(_) => (0, 0, 0),
            None => (int(cell(1))?, int(cell(2))?, int(cell(3))?),
        };
        let mut values = Vec::with_capacity(self.fields.len());
        for place in &self.fields {
            values.push(match place {
                None => Value::Null,
                Some(place) => {
                    let second =
                        if place.columns.len() > 1 { cell(place.at + 1) } else { Stored::Null };
                    place.shape.decode(cell(place.at), second)?
                }
            });
        }
        let values = values.into_boxed_slice();
        Ok(Record { id, version, created_at, updated_at, values, children: Vec::new() })
    }

    /// The cell of a slot.
    ///
    /// # Errors
    /// [`Misshapen`] where a value is not of its field's type.
    pub fn cell<'a>(
        &self,
        slot: &Slot,
        record: &'a Record,
        context: &Context<'a>,
    ) -> Result<Cell<'a>, Misshapen> {
        Ok(match slot {
            Slot::Tenant => tenant(context.tenant),
            Slot::Id => id(record.id),
            Slot::Version => Cell::Int(record.version),
            Slot::CreatedAt => Cell::Int(record.created_at),
            Slot::UpdatedAt => Cell::Int(record.updated_at),
            Slot::Owner => id(context.owner),
            Slot::Position => Cell::Int(i64::try_from(context.position).unwrap_or(i64::MAX)),
            Slot::Expected => Cell::Int(context.expected),
            Slot::Field(field, Part::Search, _) => match record.value(*field) {
                Value::Text(text) => Cell::Text(crate::search::fold(text).into()),
                _ => Cell::Null,
            },
            Slot::Field(field, part, shape) => shape.encode(record.value(*field), *part)?,
        })
    }

    /// How many cells the select list has.
    pub fn cells(&self) -> usize {
        let of_fields = self.fields.iter().flatten().map(|place| place.columns.len());
        self.lead_cells + of_fields.sum::<usize>()
    }

    /// Where a field lies.
    pub fn place(&self, field: FieldId) -> Option<&Place> {
        self.fields.get(field.index()).and_then(Option::as_ref)
    }
}

/// The cell of an id.
pub fn id(id: u128) -> Cell<'static> {
    Cell::Uuid(id.to_be_bytes())
}

/// The cell of a tenant.
pub fn tenant(tenant: Option<&str>) -> Cell<'_> {
    tenant.map_or(Cell::Null, |tenant| Cell::Text(tenant.into()))
}

/// Conditions `tenant = ?n and …` for columns given; the tenant's first where there is one.
pub(super) struct Where<'a> {
    dialect: &'a dyn Dialect,
    text: String,
    next: usize,
}

impl<'a> Where<'a> {
    pub(super) fn new(dialect: &'a dyn Dialect, next: usize, tenant: Option<&str>) -> Self {
        let mut all = Self { dialect, text: String::new(), next };
        if let Some(tenant) = tenant {
            all.equal(tenant);
        }
        all
    }

    pub(super) fn equal(&mut self, column: &str) {
        let placeholder = self.dialect.placeholder(self.next);
        self.next += 1;
        self.raw(&format!("{column} = {placeholder}"));
    }

    pub(super) fn raw(&mut self, condition: &str) {
        self.text.push_str(if self.text.is_empty() { " WHERE " } else { " AND " });
        self.text.push_str(condition);
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

pub(super) fn implicit<'a>(table: &'a Table, name: &str) -> Result<&'a Column, PlanError> {
    table
        .columns
        .iter()
        .find(|column| column.field.is_none() && column.name == name)
        .ok_or_else(|| PlanError(format!("table `{}` has no column `{name}`", table.sql_name())))
}

/// What the engine does by itself where a referenced row goes.
pub(super) fn action(table: &Table, field: FieldId, declared: OnDelete) -> OnDelete {
    let held = table.foreign_keys.iter().find(|key| key.field == Some(field));
    held.map_or(declared, |key| key.on_delete)
}

pub(super) fn quoted(columns: &[String]) -> Vec<String> {
    columns.iter().map(|column| quote(column)).collect()
}
