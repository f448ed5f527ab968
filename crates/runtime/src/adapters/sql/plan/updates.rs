//! Updates of a root: only the columns of fields that change are set, so that indexes over the
//! others are left alone. The statement of each set of fields is made once.

use super::{Plan, PlanError, Slot, Where, statements};
use crate::adapters::sql::dialect::{Dialect, quote};
use ir::domain::{FieldId, Resource, ResourceId};
use ir::model::FieldType;
use ir::schema::Table;
use std::sync::OnceLock;

/// Sets of fields of a table whose statements are kept; others set all columns.
const KEPT_MAX: usize = 64;

/// A statement that replaces a root of a version.
#[derive(Debug)]
pub struct Update {
    fields: Box<[FieldId]>,
    /// Its text.
    pub text: String,
    /// Its parameters.
    pub slots: Vec<Slot>,
}

/// The updates of a table.
pub struct Updates {
    /// Columns that an update may set; counters are left out: their buffered increments must not
    /// be overwritten by what was read.
    columns: Vec<(Slot, String)>,
    /// Quoted tenant column.
    tenant: Option<String>,
    /// Sets all of them.
    all: Update,
    /// Filled from the front.
    kept: Box<[OnceLock<Update>]>,
}

impl Updates {
    pub(super) fn new(
        name: &str,
        resource: &Resource,
        table: &Table,
        dialect: &dyn Dialect,
    ) -> Result<Self, PlanError> {
        let counter = |field: FieldId| resource.field(field).declared == FieldType::Counter;
        let slots = statements::slots(resource, table)?.into_iter().zip(&table.columns);
        let changes = |slot: &Slot| match slot {
            Slot::Field(field, ..) => !counter(*field),
            Slot::Version | Slot::UpdatedAt => true,
            Slot::Tenant
            | Slot::Id
            | Slot::CreatedAt
            | Slot::Owner
            | Slot::Position
            | Slot::Expected => false,
        };
        let columns: Vec<(Slot, String)> = slots
            .filter(|(slot, _)| changes(slot))
            .map(|(slot, column)| (slot, quote(&column.name)))
            .collect();
        let tenant = table.tenant.as_deref().map(quote);
        let all = make(name, &columns, tenant.as_deref(), dialect, None);
        let kept = (0..KEPT_MAX).map(|_| OnceLock::new()).collect();
        Ok(Self { columns, tenant, all, kept })
    }
}

/// The statement that sets those fields alone, or all.
fn make(
    name: &str,
    columns: &[(Slot, String)],
    tenant: Option<&str>,
    dialect: &dyn Dialect,
    fields: Option<&[FieldId]>,
) -> Update {
    let wanted = |slot: &Slot| match (slot, fields) {
        (Slot::Field(field, ..), Some(fields)) => fields.contains(field),
        _ => true,
    };
    let (mut sets, mut slots) = (Vec::new(), Vec::new());
    for (slot, column) in columns.iter().filter(|(slot, _)| wanted(slot)) {
        slots.push(slot.clone());
        sets.push(format!("{column} = {}", dialect.placeholder(slots.len())));
    }
    let mut all = Where::new(dialect, slots.len() + 1, tenant);
    all.equal("\"id\"");
    all.equal("\"row_version\"");
    slots.extend(tenant.map(|_| Slot::Tenant));
    slots.extend([Slot::Id, Slot::Expected]);
    let text = format!("UPDATE {name} SET {}{}", sets.join(", "), all.finish());
    Update { fields: fields.unwrap_or_default().into(), text, slots }
}

impl Plan {
    /// The update of a root that sets those fields, in the order of their ids.
    pub fn update(&self, resource: ResourceId, fields: &[FieldId]) -> &Update {
        let table = self.table(resource);
        let Updates { columns, tenant, all, kept } = &table.updates;
        for place in kept {
            let dialect = self.dialect.as_ref();
            let made = || make(&table.name, columns, tenant.as_deref(), dialect, Some(fields));
            let update = place.get_or_init(made);
            if *update.fields == *fields {
                return update;
            }
        }
        all
    }
}
