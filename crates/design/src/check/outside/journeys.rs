//! Journeys: each step a request that can be made.

use super::Outside;
use crate::check::place::Place;
use crate::check::resolve::{caller, me_of};
use crate::check::typing::condition;
use crate::check::typing::scope::{Me, Scope, Use};
use crate::check::{
    e034_unknown_resource, e039_unknown_command, e062_child_as_root, e091_list_options,
};
use ir::Diagnostic;
use ir::domain::{Caller, ResourceId};
use ir::model::{Journey, JourneyStep, Verb};
use ir::source::Name;

/// The caller that `as:` names; no fault is told twice.
pub(crate) fn journey_actor(
    outside: Outside<'_, '_>,
    journey: &Journey,
    found: &mut Vec<Diagnostic>,
) -> Option<Caller> {
    let grant = journey.actor.as_ref()?;
    let place = Place::new(journey.name.as_str(), "as");
    caller(outside.world, grant, place, found)
}

/// Looks at every journey.
pub(super) fn look(outside: Outside<'_, '_>, found: &mut Vec<Diagnostic>) {
    for journey in &outside.world.model.workload {
        let actor = journey_actor(outside, journey, found);
        let me = match &actor {
            Some(caller) => me_of(caller),
            None => Me::Nobody("the journey does not say `as:` whom"),
        };
        for step in &journey.steps {
            one(outside, journey, step, me, found);
        }
    }
}

fn one(
    outside: Outside<'_, '_>,
    journey: &Journey,
    step: &JourneyStep,
    me: Me,
    found: &mut Vec<Diagnostic>,
) {
    let place = Place::new(journey.name.as_str(), "steps");
    if reads_view(outside, step) {
        return;
    }
    let Some(resource) = find(outside, &step.resource, place, found) else { return };
    if outside.domain.resource(resource).owner.is_some() {
        let fault = e062_child_as_root::fault(outside.world, resource, step.resource.span, place);
        found.push(fault);
        return;
    }
    if let Verb::Command(name) = &step.verb
        && !outside.world.entry(resource).commands.contains_key(name.as_str())
    {
        let fault = e039_unknown_command::fault(outside.world, resource, name, place);
        found.push(fault);
    }
    if let Some(when) = &step.condition {
        let row = Scope::row(outside.world, place, Use::Filter, Some(resource));
        condition(&Scope { me, ..row }, when, found);
    }
    e091_list_options::step(outside.domain.resource(resource), step, place, found);
}

/// Is it a list or a get of a view?
fn reads_view(outside: Outside<'_, '_>, step: &JourneyStep) -> bool {
    let bare = step.resource.as_str().rsplit('.').next().unwrap_or_default();
    matches!(step.verb, Verb::List | Verb::Get) && outside.world.views.contains(bare)
}

fn find(
    outside: Outside<'_, '_>,
    name: &Name,
    place: Place<'_>,
    found: &mut Vec<Diagnostic>,
) -> Option<ResourceId> {
    let world = outside.world;
    if !name.as_str().contains('.') && world.homes(name.as_str()).is_empty() {
        found.push(e034_unknown_resource::fault(world, None, name, place));
        return None;
    }
    world.resource_anywhere(name, place, found)
}
