//! Reactions: what a context does when an event happens.

use super::calls::{Callee, Given, callee, give};
use super::views::event_named;
use super::{Call, Doings, Outside};
use crate::check::place::Place;
use crate::check::typing::assign::assign;
use crate::check::typing::condition;
use crate::check::typing::scope::{EventShape, Scope, Use};
use crate::check::world::Meaning;
use crate::check::{e035_unknown_field, e060_not_settable, e062_child_as_root, e081_inputs};
use ir::Diagnostic;
use ir::domain::{ContextId, ResourceId, Source};
use ir::expr::{FieldRef, Implicit};
use ir::model::{Effect, Reaction};
use ir::source::Name;

/// Looks at every reaction.
pub(super) fn look(outside: Outside<'_, '_>, doings: &mut Doings, found: &mut Vec<Diagnostic>) {
    for (at, context) in outside.world.model.contexts.iter().enumerate() {
        for reaction in &context.reacts {
            doings.heard.insert(reaction.event.value.clone());
            one(outside, ContextId::of(at), reaction, doings, found);
        }
    }
}

fn one(
    outside: Outside<'_, '_>,
    context: ContextId,
    reaction: &Reaction,
    doings: &mut Doings,
    found: &mut Vec<Diagnostic>,
) {
    let context_name = outside.world.context_name(context);
    let part = format!("reacts.{}", reaction.event);
    let place = Place::new(context_name, &part);
    let Some(event) = event_named(outside, &reaction.event, place, found) else { return };
    let scope = scope(outside, place, event);
    if let Some(when) = &reaction.when {
        condition(&scope, when, found);
    }
    match &reaction.effect {
        Effect::Create(name) | Effect::Update(name) => {
            let Some(target) = outside.world.resource_from(context, name, place, found) else {
                return;
            };
            if outside.domain.resource(target).owner.is_some() {
                found.push(e062_child_as_root::fault(outside.world, target, name.span, place));
                return;
            }
            let create = matches!(reaction.effect, Effect::Create(_));
            if create {
                doings.creates.insert(target);
            }
            write(&scope, outside, target, name, reaction, found);
        }
        Effect::Do(name) => {
            let Some(callee) = callee(outside, name, None, None, place, found) else {
                doings.incomplete = true;
                return;
            };
            let given = Given { call: name, with: &reaction.with, shared: false };
            if let Callee::Command { resource, command, .. } = callee {
                let own = outside.events.get(reaction.event.as_str());
                let own = own.is_some_and(|event| event.emitters.contains(&resource));
                let by = format!("the reaction to `{}` in `{context_name}`", reaction.event);
                doings.calls.push(Call { by, span: name.span, resource, command });
                let told = reaction.with.iter().any(|(name, _)| name == "id");
                let row_known = own && !told;
                let callee = Callee::Command { resource, command, row_known };
                return give(outside, &scope, callee, given, found);
            }
            give(outside, &scope, callee, given, found);
        }
    }
}

fn scope<'a, 'm>(
    outside: Outside<'a, 'm>,
    place: Place<'a>,
    event: &'a EventShape<'a>,
) -> Scope<'a, 'm> {
    Scope { event: Some(event), ..Scope::row(outside.world, place, Use::Reaction, None) }
}

/// Types the values of a row that is made or changed.
fn write(
    scope: &Scope<'_, '_>,
    outside: Outside<'_, '_>,
    target: ResourceId,
    name: &Name,
    reaction: &Reaction,
    found: &mut Vec<Diagnostic>,
) {
    let world = outside.world;
    let resource = outside.domain.resource(target);
    let entry = world.entry(target);
    let update = matches!(reaction.effect, Effect::Update(_));
    for (member, expression) in &reaction.with {
        let Some(field) = entry.field(member.as_str()) else {
            found.push(e035_unknown_field::fault(world, target, member, scope.place));
            continue;
        };
        let names_row = update && field == FieldRef::Implicit(Implicit::Id);
        if !names_row
            && let Some(fault) = e060_not_settable::check(entry, field, member, scope.place)
        {
            found.push(fault);
            continue;
        }
        let ty = match field {
            FieldRef::Field(id) => match world.meaning(target, id) {
                Meaning::Value(ty) => ty,
                Meaning::Children(_) | Meaning::Faulty => continue,
            },
            FieldRef::Implicit(_) => match world.type_of(target, field) {
                Some(ty) => ty,
                None => continue,
            },
        };
        assign(scope, expression, &ty, member.as_str(), found);
    }
    let told = |field: &str| reaction.with.iter().any(|(name, _)| name == field);
    let missing: Vec<&str> = if update {
        (!told("id")).then_some("id").into_iter().collect()
    } else {
        let needed = resource.fields.iter().filter(|field| {
            let given = matches!(field.source, Source::Client | Source::Caller);
            given && !field.optional && !told(&field.name)
        });
        needed.map(|field| field.name.as_str()).collect()
    };
    if !missing.is_empty() {
        found.push(e081_inputs::missing(name, &missing, scope.place));
    }
}
