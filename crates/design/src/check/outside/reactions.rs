//! Reactions: what a context does when an event happens.

use super::calls::{Callee, Given, callee, give, inputs};
use super::views::event_named;
use super::{Call, Doings, Outside, integrations};
use crate::check::place::Place;
use crate::check::typing::assign::assign;
use crate::check::typing::condition;
use crate::check::typing::scope::{EventShape, Scope, Use};
use crate::check::{e035_unknown_field, e060_not_settable, e062_child_as_root, e081_inputs};
use ir::Diagnostic;
use ir::domain::{self, ContextId, FieldId, ResourceId, Source};
use ir::expr::{Expr, FieldRef, Implicit};
use ir::model::{Effect, Reaction};
use ir::source::Name;

/// Looks at every reaction; gives those without fault.
pub(super) fn look(
    outside: Outside<'_, '_>,
    doings: &mut Doings,
    found: &mut Vec<Diagnostic>,
) -> Vec<domain::Reaction> {
    let mut typed = Vec::new();
    for (at, context) in outside.world.model.contexts.iter().enumerate() {
        for reaction in &context.reacts {
            doings.heard.insert(reaction.event.value.clone());
            typed.extend(one(outside, ContextId::of(at), reaction, doings, found));
        }
    }
    typed
}

fn one(
    outside: Outside<'_, '_>,
    context: ContextId,
    reaction: &Reaction,
    doings: &mut Doings,
    found: &mut Vec<Diagnostic>,
) -> Option<domain::Reaction> {
    let context_name = outside.world.context_name(context);
    let part = format!("reacts.{}", reaction.event);
    let place = Place::new(context_name, &part);
    let event = event_named(outside, &reaction.event, place, found)?;
    let scope = scope(outside, place, event);
    let when = reaction.when.as_ref().map(|when| condition(&scope, when, found));
    let effect = match &reaction.effect {
        Effect::Create(name) | Effect::Update(name) => {
            let target = outside.world.resource_from(context, name, place, found)?;
            if outside.domain.resource(target).owner.is_some() {
                found.push(e062_child_as_root::fault(outside.world, target, name.span, place));
                return None;
            }
            if matches!(reaction.effect, Effect::Create(_)) {
                doings.creates.insert(target);
            }
            write(&scope, outside, target, name, reaction, found)
        }
        Effect::Do(name) => call(&scope, outside, name, reaction, doings, found),
    };
    Some(domain::Reaction {
        context,
        event: outside.domain.event_named(reaction.event.as_str())?.0,
        when: match when {
            Some(when) => Some(when?),
            None => None,
        },
        effect: effect?,
    })
}

/// Types a call of a command or of an operation.
fn call(
    scope: &Scope<'_, '_>,
    outside: Outside<'_, '_>,
    name: &Name,
    reaction: &Reaction,
    doings: &mut Doings,
    found: &mut Vec<Diagnostic>,
) -> Option<domain::Effect> {
    let Some(callee) = callee(outside, name, None, None, scope.place, found) else {
        doings.incomplete = true;
        return None;
    };
    let given = Given { call: name, with: &reaction.with, shared: false };
    match callee {
        Callee::Command { resource, command, .. } => {
            let own = outside.events.get(reaction.event.as_str());
            let own = own.is_some_and(|event| event.emitters.contains(&resource));
            let context = scope.place.of;
            let by = format!("the reaction to `{}` in `{context}`", reaction.event);
            doings.calls.push(Call { by, span: name.span, resource, command });
            let told = reaction.with.iter().any(|(name, _)| name == "id");
            let callee = Callee::Command { resource, command, row_known: own && !told };
            let arguments = give(outside, scope, callee, given, found)?;
            let (id, inputs) = inputs(outside, (resource, command), arguments);
            Some(domain::Effect::Command { resource, command, id, inputs })
        }
        Callee::Operation(_) => {
            let with = give(outside, scope, callee, given, found)?;
            integrations::call(outside.domain, name, with).map(domain::Effect::Operation)
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
) -> Option<domain::Effect> {
    let update = matches!(reaction.effect, Effect::Update(_));
    let given = values(scope, outside, target, reaction, found);
    let told = |field: &str| reaction.with.iter().any(|(name, _)| name == field);
    let missing: Vec<&str> = if update {
        (!told("id")).then_some("id").into_iter().collect()
    } else {
        let needed = outside.domain.resource(target).fields.iter().filter(|field| {
            let given = matches!(field.source, Source::Client | Source::Caller);
            given && !field.optional && !told(&field.name)
        });
        needed.map(|field| field.name.as_str()).collect()
    };
    if !missing.is_empty() {
        found.push(e081_inputs::missing(name, &missing, scope.place));
        return None;
    }
    let (id, values) = given?;
    Some(match id {
        Some(id) => domain::Effect::Update { resource: target, id, values },
        None => domain::Effect::Create { resource: target, values },
    })
}

/// The row named, where one is, and the values of its fields.
type Values = (Option<Expr>, Vec<(FieldId, Expr)>);

fn values(
    scope: &Scope<'_, '_>,
    outside: Outside<'_, '_>,
    target: ResourceId,
    reaction: &Reaction,
    found: &mut Vec<Diagnostic>,
) -> Option<Values> {
    let world = outside.world;
    let entry = world.entry(target);
    let update = matches!(reaction.effect, Effect::Update(_));
    let mut typed = Some((None, Vec::new()));
    for (member, expression) in &reaction.with {
        let Some(field) = entry.field(member.as_str()) else {
            found.push(e035_unknown_field::fault(world, target, member, scope.place));
            typed = None;
            continue;
        };
        let names_row = update && field == FieldRef::Implicit(Implicit::Id);
        if !names_row
            && let Some(fault) = e060_not_settable::check(entry, field, member, scope.place)
        {
            found.push(fault);
            typed = None;
            continue;
        }
        let ty = world.type_of(target, field);
        let value = ty.and_then(|ty| assign(scope, expression, &ty, member.as_str(), found));
        typed = typed.zip(value).map(|((mut id, mut values), value)| {
            match field {
                FieldRef::Field(field) => values.push((field, value)),
                FieldRef::Implicit(_) => id = Some(value),
            }
            (id, values)
        });
    }
    typed
}
