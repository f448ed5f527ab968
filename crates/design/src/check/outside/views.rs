//! Views: keys and values made from events.

use super::{Doings, Outside};
use crate::check::place::Place;
use crate::check::resolve::{caller, me_of};
use crate::check::typing::scope::{EventShape, Given, Scope, Use};
use crate::check::typing::{condition, infer};
use crate::check::world::{Meaning, value_type};
use crate::check::{e038_unknown_event, e078_view_key};
use ir::Diagnostic;
use ir::domain::Kind;
use ir::expr::{Expression, Type};
use ir::model::{self, FieldType, View};
use ir::source::Name;
use std::collections::BTreeMap;

/// Looks at every view.
pub(super) fn look(outside: Outside<'_, '_>, doings: &mut Doings, found: &mut Vec<Diagnostic>) {
    for context in &outside.world.model.contexts {
        for view in &context.views {
            doings.heard.extend(view.from.iter().map(|event| event.value.clone()));
            one(outside, view, found);
        }
    }
}

fn one(outside: Outside<'_, '_>, view: &View, found: &mut Vec<Diagnostic>) {
    let name = view.name.as_str();
    let shape = shared_shape(outside, view, found);
    let mut members: Vec<Given<'_>> = Vec::new();
    for (list, purpose) in [(&view.key, Use::ViewKey), (&view.set, Use::ViewValue)] {
        for (member, expression) in list {
            let place = Place::new(name, member.as_str());
            let scope =
                Scope { event: shape.as_ref(), ..Scope::row(outside.world, place, purpose, None) };
            let ty = typed(&scope, expression, shape.is_some(), found);
            if purpose == Use::ViewKey
                && let Some(ty) = &ty
            {
                found.extend(e078_view_key::fault(outside.world, ty, expression, place));
            }
            members.push(Given { name: member.as_str(), ty });
        }
    }
    let place = Place::new(name, "allow.read");
    for grant in &view.allow.read {
        let Some(caller) = caller(outside.world, grant, place, found) else { continue };
        let Some(when) = &grant.when else { continue };
        let row = Scope::row(outside.world, place, Use::Filter, None);
        let scope = Scope { me: me_of(&caller), got: &members, ..row };
        condition(&scope, when, found);
    }
}

fn typed(
    scope: &Scope<'_, '_>,
    expression: &Expression,
    known: bool,
    found: &mut Vec<Diagnostic>,
) -> Option<Type> {
    if !known {
        return None;
    }
    infer(scope, expression, None, found).map(|expr| expr.ty)
}

/// The members that all events of a view have; none where an event is unknown.
fn shared_shape<'a>(
    outside: Outside<'a, '_>,
    view: &View,
    found: &mut Vec<Diagnostic>,
) -> Option<EventShape<'a>> {
    let mut members: Option<BTreeMap<&str, Meaning>> = None;
    let mut known = true;
    for name in &view.from {
        let Some(event) = event_named(outside, name, Place::new(view.name.as_str(), "from"), found)
        else {
            known = false;
            continue;
        };
        members = Some(match members {
            None => event.members.clone(),
            Some(mut shared) => {
                shared.retain(|name, meaning| event.members.get(name) == Some(meaning));
                shared
            }
        });
    }
    let shape = EventShape { members: members.unwrap_or_default() };
    known.then_some(shape)
}

/// The data of an event that somebody listens to.
pub(super) fn event_named<'a>(
    outside: Outside<'a, '_>,
    name: &Name,
    place: Place<'_>,
    found: &mut Vec<Diagnostic>,
) -> Option<&'a EventShape<'a>> {
    let event = outside.events.get(name.as_str());
    if event.is_none() {
        let known = outside.events.keys().map(String::as_str);
        found.push(e038_unknown_event::fault(outside.world, name, place, known));
    }
    event.map(|event| &event.shape)
}

/// The type of a member of an integration's body or answer: nothing there refers to resources.
pub(super) fn wire_type(outside: Outside<'_, '_>, field: &model::Field) -> Option<Type> {
    let kind = match &field.ty.value {
        FieldType::Enum(values) => {
            Kind::Enum(values.iter().map(|value| value.value.clone()).collect())
        }
        FieldType::Actor(actor) => Kind::Actor(*outside.world.actors.get(actor.as_str())?),
        FieldType::Reference { .. } => return Some(Type::Uuid),
        FieldType::Many { .. } => return Some(Type::Json),
        _ => Kind::Scalar,
    };
    Some(value_type(&field.ty.value, &kind))
}
