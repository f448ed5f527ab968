//! Which members the bodies of an operation hold: what the client gives, what the server fills.

use ir::domain::{Caller, Domain, Field, Grant, Kind, ResourceId, Source};

/// The bodies of plain writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    /// POST on the collection.
    Create,
    /// PUT.
    Replace,
    /// PATCH.
    Patch,
}

/// Whether a body holds a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// It must.
    Required,
    /// It may.
    Optional,
    /// It may not: 400.
    Absent,
}

impl Need {
    /// True where an example shows it.
    pub(crate) fn shown(self) -> bool {
        self != Self::Absent
    }
}

/// Whether a body of a resource, or of its root where it is a child, holds a field.
pub(crate) fn need(domain: &Domain, resource: ResourceId, field: &Field, body: Body) -> Need {
    let given = match &field.source {
        Source::Client if field.optional => Need::Optional,
        Source::Client => match field.kind {
            Kind::Children { min: 0, .. } => Need::Optional,
            Kind::Children { .. } | Kind::Scalar | Kind::Enum(_) => Need::Required,
            Kind::Reference { .. } | Kind::Actor(_) => Need::Required,
        },
        Source::Default(_) => Need::Optional,
        Source::Caller => caller(domain, resource, field, body),
        Source::Computed(_) | Source::Copied(..) | Source::State | Source::Counted => Need::Absent,
    };
    match (given, body) {
        (Need::Required, Body::Patch) => Need::Optional,
        (given, _) => given,
    }
}

/// Filled from the caller where the caller is that actor, else given.
fn caller(domain: &Domain, resource: ResourceId, field: &Field, body: Body) -> Need {
    let Kind::Actor(actor) = field.kind else { return Need::Absent };
    let root = domain.resource(resource).owner.map_or(resource, |(root, _)| root);
    let access = &domain.resource(root).access;
    let grants: &[Grant] = match body {
        Body::Create => &access.create,
        Body::Replace | Body::Patch => &access.update,
    };
    let is = |grant: &Grant| matches!(grant.caller, Caller::Actor(other, _) if other == actor);
    let (all, none) = (grants.iter().all(is), !grants.iter().any(is));
    match body {
        Body::Create | Body::Replace if all => Need::Absent,
        Body::Patch if all => Need::Absent,
        Body::Create if none && !field.optional => Need::Required,
        Body::Create | Body::Replace | Body::Patch => Need::Optional,
    }
}
