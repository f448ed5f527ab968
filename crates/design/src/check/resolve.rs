//! From a model to its domain: every name looked up, every expression typed, and a fault told
//! where that fails. What is at fault keeps its place, so that the rest can be checked as well.

mod access;
mod bounds;
mod commands;
mod fields;
mod resources;

use super::outside::{Doings, Events, find_events, integrations, receivers, typed_events};
use super::world::World;
use ir::Diagnostic;
use ir::domain::{Actor, CommandId, Context, ContextId, Domain, Resource, ResourceId, Tenancy};
use ir::model::{self, Model};
use std::collections::BTreeMap;

pub(crate) use access::{caller, grant, me as me_of};
pub(crate) use bounds::{bounded, order};
pub(crate) use fields::{input, reads_fields};
pub(crate) use resources::plain_event;

/// A model with its names in maps, and its domain as far as it can be made.
#[derive(Debug)]
pub(crate) struct Resolved<'m> {
    pub(crate) world: World<'m>,
    pub(crate) domain: Domain,
    pub(crate) events: Events<'m>,
    /// Filled when what stands outside the resources was looked at.
    pub(crate) doings: Doings,
}

impl Resolved<'_> {
    /// Does a workflow, a schedule, a job or a reaction call the command?
    pub(crate) fn is_called(&self, resource: ResourceId, command: CommandId) -> bool {
        self.doings.incomplete || self.doings.called.contains(&(resource, command))
    }
}

/// Resolves the whole model.
pub(crate) fn resolve<'m>(model: &'m Model, found: &mut Vec<Diagnostic>) -> Resolved<'m> {
    let mut world = World::of(model);
    fields::find_kinds(&mut world, found);
    let mut resources: Vec<Resource> =
        world.entries().map(|(id, _)| resources::resource(&world, id, found)).collect();
    let starts = starts(&world);
    for (entry, resource) in world.resources.iter().zip(&mut resources) {
        for (asked, command) in entry.model.commands.iter().zip(&mut resource.commands) {
            let at = (entry.context, entry.name(), asked.name.as_str());
            command.starts = starts.get(&at).map(|name| (*name).to_owned());
        }
    }
    give_children_what_their_root_has(&mut resources);
    let mut domain = Domain {
        system: model.system.value.clone(),
        title: text_or(model.title.as_ref(), &model.system.value),
        summary: text_or(model.summary.as_ref(), ""),
        tenancy: model.tenancy.as_ref().map(tenancy),
        actors: model.actors.iter().map(actor).collect(),
        contexts: model.contexts.iter().map(context).collect(),
        resources,
        events: Vec::new(),
        receivers: receivers(&world),
        integrations: integrations(&world, found),
        reactions: Vec::new(),
        views: Vec::new(),
        schedules: Vec::new(),
        jobs: Vec::new(),
    };
    let events = find_events(&world, found);
    domain.events = typed_events(&world, &domain, &events, found);
    Resolved { world, domain, events, doings: Doings::default() }
}

/// The workflow that each command starts: by context, resource and command.
fn starts<'m>(world: &World<'m>) -> BTreeMap<(ContextId, &'m str, &'m str), &'m str> {
    let mut starts = BTreeMap::new();
    for workflow in &world.model.workflows {
        if let Some((id, command)) = world.command_quietly(workflow.after.as_str()) {
            let entry = world.entry(id);
            let command = entry.model.commands[command.index()].name.as_str();
            let at = (entry.context, entry.name(), command);
            starts.entry(at).or_insert(workflow.name.as_str());
        }
    }
    starts
}

fn give_children_what_their_root_has(resources: &mut [Resource]) {
    for at in 0..resources.len() {
        if let Some((root, _)) = resources[at].owner {
            resources[at].access = resources[root.index()].access.clone();
            resources[at].shared = resources[root.index()].shared;
        }
    }
}

fn text_or(text: Option<&model::Text>, otherwise: &str) -> String {
    text.map_or_else(|| otherwise.to_owned(), |text| text.value.clone())
}

fn tenancy(tenancy: &model::Tenancy) -> Tenancy {
    let claim = tenancy.claim.value.clone();
    let mark = format!("{{{claim}}}");
    let host = tenancy.host.as_ref().and_then(|host| host.value.split_once(&mark));
    let host = host.map(|(before, after)| (before.to_owned(), after.to_owned()));
    Tenancy { isolation: tenancy.isolation.value, claim, host }
}

fn actor(actor: &model::Actor) -> Actor {
    Actor {
        name: actor.name.value.clone(),
        proof: actor.proof.value,
        roles: actor.roles.iter().map(|role| role.value.clone()).collect(),
        limit: actor.limit.as_ref().map(|limit| limit.value),
        across_tenants: actor.across_tenants.is_some(),
        claims: actor.claims.iter().map(|(o, t)| (o.value.clone(), t.value.clone())).collect(),
        issuer: actor.issuer.as_ref().map(|issuer| issuer.value.clone()),
    }
}

fn context(context: &model::Context) -> Context {
    Context { name: context.name.value.clone(), about: text_or(context.about.as_ref(), "") }
}
