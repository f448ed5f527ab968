//! First rows for an empty store: from `seed/*.yaml` beside the model, or plausible ones by type.
//!
//! Rows are made through the API itself, each by a caller whom the model allows it, so that every
//! rule of the model holds for them too.

mod caller;
pub(crate) mod file;
mod load;
mod plausible;
mod wire;
mod words;

pub(crate) use caller::Caller;
pub(crate) use load::{Loaded, load};
pub(crate) use plausible::plausible;

use formats::seed::{Members, Tree};
use ir::domain::{Domain, Field, Kind, ResourceId};

/// Gives a token for a caller in a tenant, or says why not.
pub(crate) type Mint<'a> = dyn Fn(&Caller, Option<&str>) -> Result<String, String> + 'a;

/// A row that is to be made, and what happens to it then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Whose; none where the model has no tenants.
    pub(crate) tenant: Option<String>,
    /// Of which root.
    pub(crate) resource: ResourceId,
    /// Its name: references of later rows to it are written so.
    pub(crate) name: String,
    /// Where it is written, for messages; empty for a plausible one.
    pub(crate) place: String,
    /// The values of its fields.
    pub(crate) fields: Members,
    /// Commands that follow, with their inputs.
    pub(crate) then: Vec<(String, Members)>,
    /// Skipped where the API refuses it, rather than a fault.
    pub(crate) may_fail: bool,
}

/// A request that makes a row and needs no other row: resource, caller and body.
pub(crate) fn example(
    domain: &Domain,
    seed: u64,
) -> Option<(ResourceId, Caller, serde_json::Value)> {
    plausible(domain, seed).into_iter().find_map(|row| {
        let resource = domain.resource(row.resource);
        let who = caller::for_grants(domain, resource, &resource.access.create, &row)?;
        let refers = |fields: &[Field]| {
            fields.iter().any(|field| matches!(field.kind, Kind::Reference { .. }))
        };
        let children = || resource.children().map(|(_, child)| domain.resource(child));
        if refers(&resource.fields) || children().any(|child| refers(&child.fields)) {
            return None;
        }
        let body = load::body_for(domain, &row, &who, &wire::Made::default()).ok()?;
        Some((row.resource, who, body))
    })
}
