//! What stands outside the resources: events and who listens, workflows, schedules, jobs and
//! journeys.
//! Names are looked up and expressions typed here; what follows from them is asked by the codes.

mod calls;
mod events;
mod inbound;
mod integrations;
mod jobs;
mod journeys;
mod reactions;
mod schedules;
mod versions;
mod views;
mod workflows;

use super::resolve::Resolved;
use super::world::World;
use ir::Diagnostic;
use ir::domain::{CommandId, Domain, ResourceId};
use ir::source::Span;
use std::collections::BTreeSet;

pub(crate) use calls::{Callee, callee, path_segments};
pub(crate) use events::{Events, find_events, typed as typed_events};
pub(crate) use inbound::{full_name, receivers, sent, type_of};
pub(crate) use integrations::{integrations, repeats};
pub(crate) use journeys::journey_actor;
pub(crate) use views::LATE_SECONDS;

/// Mainstay itself calls a command: a step, a schedule, a job or a reaction.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// Who calls, in words: `` the step `pay` of `place_order` ``.
    pub(crate) by: String,
    pub(crate) span: Span,
    pub(crate) resource: ResourceId,
    pub(crate) command: CommandId,
}

/// What Mainstay itself does by order of the model.
#[derive(Debug, Default)]
pub(crate) struct Doings {
    /// Commands it calls.
    pub(crate) calls: Vec<Call>,
    /// The same as a set.
    pub(crate) called: BTreeSet<(ResourceId, CommandId)>,
    /// A name of a callee is at fault, so that something may be called that is not known.
    pub(crate) incomplete: bool,
    /// Resources that reactions make rows of.
    pub(crate) creates: BTreeSet<ResourceId>,
    /// Events that somebody listens to.
    pub(crate) heard: BTreeSet<String>,
}

/// What a pass over the outside works with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outside<'a, 'm> {
    pub(crate) world: &'a World<'m>,
    pub(crate) domain: &'a Domain,
    pub(crate) events: &'a Events<'m>,
}

/// Looks at everything outside the resources and fills the domain with what is without fault.
pub(crate) fn look(resolved: &mut Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let outside =
        Outside { world: &resolved.world, domain: &resolved.domain, events: &resolved.events };
    let mut doings = Doings::default();
    let views = views::look(outside, &mut doings, found);
    let reactions = reactions::look(outside, &mut doings, found);
    workflows::look(outside, &mut doings, found);
    let schedules = schedules::look(outside, &mut doings, found);
    let jobs = jobs::look(outside, &mut doings, found);
    journeys::look(outside, found);
    doings.called = doings.calls.iter().map(|call| (call.resource, call.command)).collect();
    resolved.doings = doings;
    resolved.domain.views = views;
    resolved.domain.reactions = reactions;
    resolved.domain.schedules = schedules;
    resolved.domain.jobs = jobs;
}
