//! Commands: inputs, lookups, guards, transitions, effects, callers, events.

use super::access::{command_me, grant};
use super::fields::input;
use crate::check::place::Place;
use crate::check::typing::assign::assign;
use crate::check::typing::scope::{Given, Me, Scope, Use};
use crate::check::typing::{condition, infer};
use crate::check::world::{Entry, Meaning, World, value_type};
use crate::check::{
    e035_unknown_field, e037_unknown_value, e038_unknown_event, e041_unknown_workflow,
    e060_not_settable,
};
use ir::Diagnostic;
use ir::domain::{Caller, Command, FieldId, Grant, Kind, ResourceId, Transition};
use ir::expr::{Expr, FieldRef};
use ir::model;

/// Where a command stands.
struct At<'a, 'm> {
    world: &'a World<'m>,
    resource: ResourceId,
    entry: &'a Entry<'m>,
    place: Place<'m>,
}

/// One command of a resource.
pub(super) fn command(
    world: &World<'_>,
    resource: ResourceId,
    asked: &model::Command,
    found: &mut Vec<Diagnostic>,
) -> Command {
    let entry = world.entry(resource);
    let name = format!("{}.{}", entry.name(), asked.name);
    let place = Place::new(&name, "");
    let by: Vec<Grant> = asked
        .by
        .iter()
        .filter_map(|g| grant(world, Some(resource), g, Place::new(&name, "by"), found))
        .collect();
    let inputs: Vec<_> =
        asked.input.iter().map(|field| input(world, entry.context, field, place, found)).collect();
    let given: Vec<Given<'_>> = inputs
        .iter()
        .map(|(field, known)| {
            let ty = known.then(|| value_type(&field.declared, &field.kind));
            Given { name: &field.name, ty }
        })
        .collect();
    let me = command_me(&by);
    let row = Scope::row(world, place, Use::Get, Some(resource));
    let scope = Scope { me, input: &given, ..row };
    let got = get(&scope, asked, found);
    let got_types: Vec<Given<'_>> = asked
        .get
        .iter()
        .zip(&got)
        .map(|((name, _), got)| Given {
            name: name.as_str(),
            ty: got.as_ref().map(|expr| expr.ty.clone()),
        })
        .collect();
    let scope = Scope { got: &got_types, ..scope };
    let guard = Scope { purpose: Use::Guard, ..scope };
    let require = asked.require.iter().filter_map(|expression| {
        condition(&guard, expression, found).map(|expr| (expression.text.clone(), expr))
    });
    let require = require.collect();
    let at = At { world, resource, entry, place };
    let transitions = at.transitions(asked, found);
    let effect = Scope { purpose: Use::Effect, ..scope };
    let set = at.effects(&effect, asked, found);
    at.names(asked, found);
    let get = asked.get.iter().zip(got);
    let get = get.filter_map(|((name, _), expr)| Some((name.value.clone(), expr?))).collect();
    Command {
        name: asked.name.value.clone(),
        about: asked.about.as_ref().map_or_else(String::new, |about| about.value.clone()),
        input: inputs.into_iter().map(|(field, _)| field).collect(),
        get,
        require,
        transitions,
        set,
        internal: !by.is_empty() && by.iter().all(|grant| grant.caller == Caller::System),
        by,
        emits: asked.emit.iter().map(|event| event.value.clone()).collect(),
        not_during: asked.not_during.iter().map(|name| name.value.clone()).collect(),
        starts: None,
    }
}

/// Values looked up before the guard; each may use those before it.
fn get(
    scope: &Scope<'_, '_>,
    asked: &model::Command,
    found: &mut Vec<Diagnostic>,
) -> Vec<Option<Expr>> {
    let mut got: Vec<Option<Expr>> = Vec::new();
    for (_, expression) in &asked.get {
        let before: Vec<Given<'_>> = asked
            .get
            .iter()
            .zip(&got)
            .map(|((name, _), got)| Given {
                name: name.as_str(),
                ty: got.as_ref().map(|expr| expr.ty.clone()),
            })
            .collect();
        let scope = Scope { got: &before, ..*scope };
        got.push(infer(&scope, expression, None, found));
    }
    got
}

impl At<'_, '_> {
    fn transitions(&self, asked: &model::Command, found: &mut Vec<Diagnostic>) -> Vec<Transition> {
        let mut transitions = Vec::new();
        for transition in &asked.transitions {
            let Some(&field) = self.entry.fields.get(transition.field.as_str()) else {
                let fault = e035_unknown_field::state(
                    self.world,
                    self.resource,
                    &transition.field,
                    self.place,
                );
                found.push(fault);
                continue;
            };
            let Some(Kind::Enum(values)) = &self.entry.kinds[field.index()] else {
                found.push(e060_not_settable::no_state(&transition.field, self.place));
                continue;
            };
            let before = found.len();
            for value in transition.from.iter().chain([&transition.to]) {
                if !values.contains(&value.value) {
                    let budget = &self.world.budget;
                    let (text, span) = (value.as_str(), value.span);
                    found.push(e037_unknown_value::fault(text, span, values, self.place, budget));
                }
            }
            if found.len() == before {
                let from = transition.from.iter().map(|value| value.value.clone()).collect();
                transitions.push(Transition { field, from, to: transition.to.value.clone() });
            }
        }
        transitions
    }

    fn effects(
        &self,
        scope: &Scope<'_, '_>,
        asked: &model::Command,
        found: &mut Vec<Diagnostic>,
    ) -> Vec<(FieldId, Expr)> {
        let mut effects = Vec::new();
        for (name, expression) in &asked.set {
            let Some(field) = self.entry.field(name.as_str()) else {
                let (world, place) = (self.world, self.place);
                found.push(e035_unknown_field::fault(world, self.resource, name, place));
                continue;
            };
            if let Some(fault) = e060_not_settable::check(self.entry, field, name, self.place) {
                found.push(fault);
                continue;
            }
            let FieldRef::Field(id) = field else { continue };
            let Meaning::Value(ty) = self.world.meaning(self.resource, id) else { continue };
            let expr = assign(scope, expression, &ty, name.as_str(), found);
            effects.extend(expr.map(|expr| (id, expr)));
        }
        effects
    }

    /// Events and workflows that the command names.
    fn names(&self, asked: &model::Command, found: &mut Vec<Diagnostic>) {
        for event in &asked.emit {
            if !self.world.events.contains_key(event.as_str()) {
                found.push(e038_unknown_event::emitted(self.world, event, self.place));
            }
        }
        for workflow in &asked.not_during {
            let Some(known) = self.world.workflows.get(workflow.as_str()) else {
                found.push(e041_unknown_workflow::fault(self.world, workflow, self.place));
                continue;
            };
            let row = self.world.command_quietly(known.after.as_str()).map(|(row, _)| row);
            if row.is_some_and(|row| row != self.resource) {
                found.push(e041_unknown_workflow::elsewhere(workflow, &known.after, self.place));
            }
        }
    }
}

/// Who may be `me` where nobody calls.
pub(super) const NO_CALLER: Me = Me::Nobody("nobody calls here");
