//! Shared rows that rows of a tenant's own database refer to: no foreign key reaches there, so
//! they are looked for and held until the tenant's changes are committed.

use super::cells::Bound;
use super::error::unavailable;
use super::place::{Held, Place, Places};
use super::pool::Lease;
use crate::adapters::sql::plan;
use crate::ports::store::{CommitError, Unavailable, Write, WriteSet};
use crate::record::Record;
use ir::domain::{FieldId, ResourceId};
use ir::value::Value;
use std::time::Duration;

/// Rows that nobody deletes meanwhile.
pub(super) struct Keeping(Lease);

/// A reference to a shared row.
struct Reference {
    write: usize,
    resource: ResourceId,
    field: FieldId,
    id: u128,
}

/// Holds the shared rows that a set refers to; none where it refers to none, or keys hold them.
pub(super) async fn hold(
    places: &Places,
    place: &Place<'_>,
    set: &WriteSet,
    left: Option<Duration>,
) -> Result<Option<Keeping>, CommitError> {
    if !places.by_database() || matches!(place.base, Held::Home(_)) {
        return Ok(None);
    }
    let references = references(places, set);
    if references.is_empty() {
        return Ok(None);
    }
    let lease = places.home.writers.lease(left).await.map_err(CommitError::Unavailable)?;
    let done = look(places, &lease, &references).await;
    match done {
        Ok(None) => Ok(Some(Keeping(lease))),
        Ok(Some(Reference { write, resource, field, id })) => {
            Keeping(lease).let_go().await;
            Err(CommitError::UnknownReference { write, resource, field, id })
        }
        Err(why) => Err(CommitError::Unavailable(why)),
    }
}

/// The first reference that leads nowhere.
async fn look(
    places: &Places,
    lease: &Lease,
    references: &[Reference],
) -> Result<Option<Reference>, Unavailable> {
    let broken = |error: tokio_postgres::Error| unavailable(&error);
    lease.plain("BEGIN").await.map_err(broken)?;
    for one in references {
        let targets = &places.plan.table(one.resource).targets;
        let Some(target) = targets.iter().find(|target| target.field == one.field) else {
            continue;
        };
        let text = format!("{} FOR KEY SHARE", target.exists);
        let id = Bound(plan::id(one.id));
        if lease.query(&text, &[&id]).await.map_err(broken)?.is_empty() {
            let Reference { write, resource, field, id } = *one;
            return Ok(Some(Reference { write, resource, field, id }));
        }
    }
    Ok(None)
}

/// The references of a set to rows of the database that all tenants share.
fn references(places: &Places, set: &WriteSet) -> Vec<Reference> {
    let mut all = Vec::new();
    let mut of = |write: usize, resource: ResourceId, record: &Record| {
        for target in &places.plan.table(resource).targets {
            let shared = places.plan.domain.resource(target.resource).shared;
            if let (true, Value::Uuid(id)) = (shared, record.value(target.field)) {
                all.push(Reference { write, resource, field: target.field, id: *id });
            }
        }
    };
    let child = |resource, field| places.plan.child(resource, field);
    for (at, write) in set.writes.iter().enumerate() {
        match write {
            Write::Insert { resource, record } => {
                of(at, *resource, record);
                for (field, children) in &record.children {
                    let Some(child) = child(*resource, *field) else { continue };
                    children.iter().for_each(|record| of(at, child, record));
                }
            }
            Write::Update { resource, record, children, .. } => {
                of(at, *resource, record);
                for (field, change) in children {
                    let Some(child) = child(*resource, *field) else { continue };
                    change.put.iter().for_each(|record| of(at, child, record));
                }
            }
            Write::Delete { .. } | Write::Count { .. } | Write::Clear { .. } => {}
        }
    }
    all
}

impl Keeping {
    /// Others may delete them again.
    pub(super) async fn let_go(self) {
        if self.0.plain("COMMIT").await.is_ok() {
            self.0.ended();
        }
    }
}
