//! Grants: who, with which role, when.

use crate::check::place::Place;
use crate::check::typing::condition;
use crate::check::typing::scope::{Me, Scope, Use};
use crate::check::world::World;
use crate::check::{e031_unknown_actor, e032_unknown_role};
use ir::Diagnostic;
use ir::domain::{Access, ActorId, Caller, Grant, ResourceId};
use ir::model;

/// The caller that a grant names.
pub(crate) fn caller(
    world: &World<'_>,
    asked: &model::Grant,
    place: Place<'_>,
    found: &mut Vec<Diagnostic>,
) -> Option<Caller> {
    match asked.actor.as_str() {
        "anyone" | "system" => {
            if let Some(role) = &asked.role {
                found.push(e032_unknown_role::of_no_actor(&asked.actor, role, place));
            }
            let anyone = asked.actor == "anyone";
            return Some(if anyone { Caller::Anyone } else { Caller::System });
        }
        _ => {}
    }
    let Some(&actor) = world.actors.get(asked.actor.as_str()) else {
        found.push(e031_unknown_actor::fault(world, &asked.actor, place));
        return None;
    };
    let Some(role) = &asked.role else { return Some(Caller::Actor(actor, None)) };
    let roles = &world.model.actors[actor.index()].roles;
    let Some(index) = roles.iter().position(|known| known == role) else {
        found.push(e032_unknown_role::fault(world, actor, role, place));
        return None;
    };
    Some(Caller::Actor(actor, u16::try_from(index).ok()))
}

/// Who `me` is under a grant.
pub(crate) fn me(caller: &Caller) -> Me {
    match caller {
        Caller::Anyone => Me::Nobody("`anyone` may come without a token"),
        Caller::System => Me::Nobody("`system` is nobody's account"),
        Caller::Actor(actor, _) => Me::Actor(*actor),
    }
}

/// A grant on a row of `resource`, with its condition typed.
pub(crate) fn grant(
    world: &World<'_>,
    resource: Option<ResourceId>,
    asked: &model::Grant,
    place: Place<'_>,
    found: &mut Vec<Diagnostic>,
) -> Option<Grant> {
    let caller = caller(world, asked, place, found)?;
    let scope = Scope { me: me(&caller), ..Scope::row(world, place, Use::Allow, resource) };
    let when = match &asked.when {
        Some(expression) => Some(condition(&scope, expression, found)?),
        None => None,
    };
    Some(Grant { text: asked.text.clone(), caller, when })
}

/// The access of a resource; `write` stands for create, update and delete.
pub(super) fn access(
    world: &World<'_>,
    resource: ResourceId,
    found: &mut Vec<Diagnostic>,
) -> Access {
    let entry = world.entry(resource);
    let allow = &entry.model.allow;
    let mut list = |part: &'static str, grants: &[model::Grant]| -> Vec<Grant> {
        let place = Place::new(entry.name(), part);
        grants.iter().filter_map(|g| grant(world, Some(resource), g, place, found)).collect()
    };
    let read = list("allow.read", &allow.read);
    let write = list("allow.write", &allow.write);
    let mut with_write = |part: &'static str, grants: &[model::Grant]| -> Vec<Grant> {
        let mut grants = list(part, grants);
        grants.extend(write.iter().cloned());
        grants
    };
    let create = with_write("allow.create", &allow.create);
    let update = with_write("allow.update", &allow.update);
    let delete = with_write("allow.delete", &allow.delete);
    Access { read, create, update, delete }
}

/// Who `me` is in guards and effects of a command: the one actor that may call it.
pub(crate) fn command_me(by: &[Grant]) -> Me {
    let mut actors = by.iter().map(|grant| match grant.caller {
        Caller::Actor(actor, _) => Some(actor),
        Caller::Anyone | Caller::System => None,
    });
    let first: Option<Option<ActorId>> = actors.next();
    match first {
        Some(Some(actor)) if actors.all(|other| other == Some(actor)) => Me::Actor(actor),
        _ => Me::Nobody("callers of several kinds may call this command"),
    }
}
