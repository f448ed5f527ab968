//! Who makes a seed row: the first caller that the model's rules name, as whom the row says.

use super::{Row, Tree};
use ir::domain::{Caller as Named, Domain, Grant, Kind, Resource};

/// Whom a request is made as.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Caller {
    /// Without a token.
    Anyone,
    /// With a token of these claims.
    Token {
        /// Actor, or `system`.
        actor: String,
        /// The role, if one is needed.
        role: Option<String>,
        /// Who it is.
        subject: String,
    },
}

/// The caller for one of the grants: first an actor that the row names, then the first grant.
/// `None` where nobody may.
pub(super) fn for_grants(
    domain: &Domain,
    resource: &Resource,
    grants: &[Grant],
    row: &Row,
) -> Option<Caller> {
    let named = grants.iter().find_map(|grant| {
        let Named::Actor(actor, role) = grant.caller else { return None };
        let subject = subject(resource, row, actor)?;
        Some(token(domain, actor, role, subject))
    });
    named.or_else(|| {
        grants.first().map(|grant| match grant.caller {
            Named::Anyone => Caller::Anyone,
            Named::System => Caller::Token {
                actor: "system".to_owned(),
                role: None,
                subject: "system".to_owned(),
            },
            Named::Actor(actor, role) => {
                let of = domain.actor(actor);
                let role_name = role.and_then(|role| of.roles.get(usize::from(role)));
                let subject = role_name.unwrap_or(&of.name).clone();
                token(domain, actor, role, subject)
            }
        })
    })
}

fn token(
    domain: &Domain,
    actor: ir::domain::ActorId,
    role: Option<u16>,
    subject: String,
) -> Caller {
    let of = domain.actor(actor);
    let role = role.and_then(|role| of.roles.get(usize::from(role)).cloned());
    Caller::Token { actor: of.name.clone(), role, subject }
}

/// The subject that the row gives a field of that actor.
fn subject(resource: &Resource, row: &Row, actor: ir::domain::ActorId) -> Option<String> {
    row.fields.iter().find_map(|(name, value)| {
        let (_, field) = resource.field_named(name)?;
        match (&field.kind, value) {
            (Kind::Actor(of), Tree::Text(subject)) if *of == actor => Some(subject.clone()),
            (Kind::Actor(_), Tree::Text(_) | Tree::List(_) | Tree::Map(_)) => None,
            (Kind::Scalar | Kind::Enum(_) | Kind::Reference { .. } | Kind::Children { .. }, _) => {
                None
            }
        }
    })
}
