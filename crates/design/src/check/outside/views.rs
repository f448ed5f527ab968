//! Views: keys and values made from events.

mod rebuilt;
mod rows;

use super::{Doings, Outside};
use crate::check::place::Place;
use crate::check::resolve::{caller, me_of};
use crate::check::typing::scope::{EventShape, Given, Scope, Use};
use crate::check::typing::{condition, infer};
use crate::check::world::{Meaning, World, value_type};
use crate::check::{e038_unknown_event, e048_call, e078_view_key};
use ir::Diagnostic;
use ir::domain::{self, ContextId, Grant, Kind};
use ir::expr::{Expr, ExprKind, Expression, Type};
use ir::model::{self, FieldType, View};
use ir::source::Name;
use rebuilt::rebuilt;
pub(crate) use rows::LATE_SECONDS;
use rows::Typed;
use std::collections::BTreeMap;

/// Looks at every view; gives those without fault.
pub(super) fn look(
    outside: Outside<'_, '_>,
    doings: &mut Doings,
    found: &mut Vec<Diagnostic>,
) -> Vec<domain::View> {
    let mut views = Vec::new();
    for (at, context) in outside.world.model.contexts.iter().enumerate() {
        for view in &context.views {
            doings.heard.extend(view.from.iter().map(|event| event.value.clone()));
            views.extend(one(outside, ContextId::of(at), view, found));
        }
    }
    views
}

fn one(
    outside: Outside<'_, '_>,
    context: ContextId,
    view: &View,
    found: &mut Vec<Diagnostic>,
) -> Option<domain::View> {
    let name = view.name.as_str();
    let shape = shared_shape(outside, view, found);
    let mut members: Vec<Given<'_>> = Vec::new();
    let mut exprs: Vec<Option<(&str, Expr)>> = Vec::new();
    for (list, purpose) in [(&view.key, Use::ViewKey), (&view.set, Use::ViewValue)] {
        for (member, expression) in list {
            let place = Place::new(name, member.as_str());
            let scope =
                Scope { event: shape.as_ref(), ..Scope::row(outside.world, place, purpose, None) };
            let expr = typed(&scope, expression, shape.is_some(), found);
            let ty = expr.as_ref().map(|expr| expr.ty.clone());
            let fault = match (purpose, &expr) {
                (Use::ViewKey, Some(expr)) => {
                    e078_view_key::fault(outside.world, &expr.ty, expression, place)
                }
                (_, Some(expr)) if !is_folded(expr) => {
                    Some(e048_call::not_folded(expression.span, place))
                }
                (_, Some(_) | None) => None,
            };
            exprs.push(expr.filter(|_| fault.is_none()).map(|expr| (member.as_str(), expr)));
            found.extend(fault);
            members.push(Given { name: member.as_str(), ty });
        }
    }
    if view.window.is_some() {
        members.extend(rows::window_members().map(|(name, ty)| Given { name, ty: Some(ty) }));
    }
    let place = Place::new(name, "allow.read");
    let grants: Vec<Option<Grant>> = view
        .allow
        .read
        .iter()
        .map(|grant| {
            let caller = caller(outside.world, grant, place, found)?;
            let row = Scope::row(outside.world, place, Use::Filter, None);
            let scope = Scope { me: me_of(&caller), got: &members, ..row };
            let when = match &grant.when {
                Some(when) => Some(condition(&scope, when, found)?),
                None => None,
            };
            Some(Grant { text: grant.text.clone(), caller, when })
        })
        .collect();
    shape.as_ref()?;
    let mut key: Vec<(&str, Expr)> = exprs.into_iter().collect::<Option<_>>()?;
    let values = key.split_off(view.key.len());
    let read = grants.into_iter().collect::<Option<_>>()?;
    rows::view(outside, context, view, Typed { key, values, read })
}

/// Is everything that is read of an event inside a fold? Many events make one row.
fn is_folded(expr: &Expr) -> bool {
    let mut folded = true;
    rebuilt(expr, &mut |part| match part.kind {
        ExprKind::ViewAggregate(..) => Some(part.clone()),
        ExprKind::EventData(_) | ExprKind::EventMeta(_) => {
            folded = false;
            None
        }
        _ => None,
    });
    folded
}

fn typed(
    scope: &Scope<'_, '_>,
    expression: &Expression,
    known: bool,
    found: &mut Vec<Diagnostic>,
) -> Option<Expr> {
    if !known {
        return None;
    }
    infer(scope, expression, None, found)
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
    let shape = EventShape { members: members.unwrap_or_default(), ..EventShape::default() };
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
pub(super) fn wire_type(world: &World<'_>, field: &model::Field) -> Option<Type> {
    let kind = match &field.ty.value {
        FieldType::Enum(values) => {
            Kind::Enum(values.iter().map(|value| value.value.clone()).collect())
        }
        FieldType::Actor(actor) => Kind::Actor(*world.actors.get(actor.as_str())?),
        FieldType::Reference { .. } => return Some(Type::Uuid),
        FieldType::Many { .. } => return Some(Type::Json),
        _ => Kind::Scalar,
    };
    Some(value_type(&field.ty.value, &kind))
}
