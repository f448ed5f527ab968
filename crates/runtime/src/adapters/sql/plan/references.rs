//! Who refers to whom inside a context: what a write must find, what a deletion must look after.
//!
//! The store carries out `clear` and `cascade` by itself before it deletes a row. A dialect's own
//! `SET NULL` over (tenant, reference) would clear the tenant too, and a root whose row changes
//! must get a new version.

use super::trail::Trail;
use super::{Where, action};
use crate::adapters::sql::dialect::{Dialect, quote};
use crate::plan::audit::AuditPlan;
use ir::domain::{Domain, FieldId, Kind, ResourceId};
use ir::model::OnDelete;
use ir::schema::{Part, Schema};

/// A reference that a foreign key holds.
#[derive(Debug, Clone)]
pub struct Target {
    /// The field.
    pub field: FieldId,
    /// Resource referred to.
    pub resource: ResourceId,
    /// Is the row there? Tenant (where there is one), id.
    pub exists: String,
    /// No foreign key sees to it: one of the tables is somebody else's.
    pub looked_for: bool,
}

/// A table that refers to this one.
#[derive(Debug, Clone)]
pub struct Referer {
    /// Its resource.
    pub resource: ResourceId,
    /// What a deletion here does there.
    pub action: Action,
    /// Ids of the rows there: tenant, id here.
    pub ids: String,
    /// Deletes those rows, where nothing refers to them in turn: tenant, id here.
    pub delete_all: String,
    /// No foreign key sees to it: one of the tables is somebody else's.
    pub looked_for: bool,
    /// What the audit trail says of those rows; none where they are part of what goes.
    pub trail: Option<Trail>,
}

/// What a deletion does to a referring row.
#[derive(Debug, Clone)]
pub enum Action {
    /// Owned: goes with its owner, unless others hold on to it.
    Owned,
    /// Goes too.
    Cascade {
        /// A child's owner gets a new version: now, tenant, id of the child.
        touch: Option<String>,
    },
    /// The reference becomes null: now (in a root), tenant, id here.
    Clear {
        /// Sets the reference to null, in a root with a new version.
        clear: String,
        /// A child's owner gets a new version: now, tenant, id here.
        touch: Option<String>,
    },
    /// Refuses.
    Restrict,
}

pub(super) fn targets(
    domain: &Domain,
    schema: &Schema,
    id: ResourceId,
    dialect: &dyn Dialect,
) -> Vec<Target> {
    let mut all = Vec::new();
    for (field, declared) in domain.resource(id).fields() {
        if let Kind::Reference { target, crosses: false, .. } = declared.kind {
            let table = schema.table(target);
            let tenant = table.tenant.as_deref().map(quote);
            let mut by = Where::new(dialect, 1, tenant.as_deref());
            by.equal("\"id\"");
            let exists = format!("SELECT 1 FROM {}{}", dialect.table(table), by.finish());
            let looked_for = !table.is_managed() || !schema.table(id).is_managed();
            all.push(Target { field, resource: target, exists, looked_for });
        }
    }
    all
}

pub(super) fn referers(
    domain: &Domain,
    schema: &Schema,
    id: ResourceId,
    dialect: &dyn Dialect,
    hidden: &AuditPlan,
) -> Vec<Referer> {
    let mut all = Vec::new();
    for (of, resource) in domain.resources() {
        if resource.owner.is_some_and(|(owner, _)| owner == id)
            && let Some(owner) = &schema.table(of).owner
        {
            all.push(referer(schema, (of, id), &quote(owner), Action::Owned, dialect));
        }
        for (field, declared) in resource.fields() {
            if let Kind::Reference { target, crosses: false, on_delete } = declared.kind
                && target == id
                && let Some(column) = schema.table(of).column(field, Part::Whole)
            {
                let column = quote(&column.name);
                let on_delete = action(schema.table(of), field, on_delete);
                let action = action_of(domain, schema, of, &column, on_delete, dialect);
                let trail = Some(Trail::of(domain, schema, (of, field), dialect, hidden));
                all.push(Referer { trail, ..referer(schema, (of, id), &column, action, dialect) });
            }
        }
    }
    all
}

fn referer(
    schema: &Schema,
    (of, to): (ResourceId, ResourceId),
    column: &str,
    action: Action,
    dialect: &dyn Dialect,
) -> Referer {
    let table = schema.table(of);
    let looked_for = !table.is_managed() || !schema.table(to).is_managed();
    let tenant = table.tenant.as_deref().map(quote);
    let mut by = Where::new(dialect, 1, tenant.as_deref());
    by.equal(column);
    let rows = format!("FROM {}{}", dialect.table(table), by.finish());
    let (ids, delete_all) = (format!("SELECT \"id\" {rows}"), format!("DELETE {rows}"));
    Referer { resource: of, action, ids, delete_all, looked_for, trail: None }
}

fn action_of(
    domain: &Domain,
    schema: &Schema,
    of: ResourceId,
    column: &str,
    on_delete: OnDelete,
    dialect: &dyn Dialect,
) -> Action {
    let table = schema.table(of);
    let tenant = table.tenant.as_deref().map(quote);
    match on_delete {
        OnDelete::Restrict => Action::Restrict,
        OnDelete::Cascade => {
            Action::Cascade { touch: touch(domain, schema, of, "\"id\"", dialect) }
        }
        OnDelete::Clear => {
            let root = table.owner.is_none();
            let mut by = Where::new(dialect, if root { 2 } else { 1 }, tenant.as_deref());
            by.equal(column);
            let version = if root { version(dialect) } else { String::new() };
            let clear = format!(
                "UPDATE {} SET {column} = NULL{version}{}",
                dialect.table(table),
                by.finish()
            );
            Action::Clear { clear, touch: touch(domain, schema, of, column, dialect) }
        }
    }
}

/// Gives the owners of some children a new version.
fn touch(
    domain: &Domain,
    schema: &Schema,
    child: ResourceId,
    column: &str,
    dialect: &dyn Dialect,
) -> Option<String> {
    let (owner, _) = domain.resource(child).owner?;
    let (table, children) = (schema.table(owner), schema.table(child));
    let link = quote(children.owner.as_ref()?);
    let tenant = table.tenant.as_deref().map(quote);
    let mut inner = Where::new(dialect, if tenant.is_some() { 3 } else { 2 }, None);
    inner.equal(column);
    if let Some(tenant) = children.tenant.as_deref().map(quote) {
        inner.raw(&format!("{tenant} = {}", dialect.placeholder(2)));
    }
    let mut by = Where::new(dialect, 2, tenant.as_deref());
    by.raw(&format!(
        "\"id\" IN (SELECT {link} FROM {}{})",
        dialect.table(children),
        inner.finish()
    ));
    let set = version(dialect);
    let set = set.trim_start_matches(", ");
    Some(format!("UPDATE {} SET {set}{}", dialect.table(table), by.finish()))
}

fn version(dialect: &dyn Dialect) -> String {
    let now = dialect.placeholder(1);
    format!(", \"row_version\" = \"row_version\" + 1, \"updated_at\" = {now}")
}
