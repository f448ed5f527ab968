//! What follows from events: who consumes which, and of which type their data is.

use super::needs::Needs;
use crate::json::scalar::Shape;
use crate::upcast::Versions;
use ir::domain::{ContextId, Domain, EventId, ResourceId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Consumers in order, and the shapes of events.
#[derive(Debug, Default)]
pub(crate) struct Consumers {
    /// Contexts that react.
    pub(crate) contexts: Vec<Consumer>,
    /// Views, by their index in the domain.
    pub(crate) views: Vec<Consumer>,
    /// What the inputs of a schedule's command read of other rows, by its index in the domain.
    pub(crate) schedules: Vec<Needs>,
    /// By event, in the order of its members.
    shapes: Vec<Vec<Shape>>,
    /// By event, what its older versions are read by.
    versions: Vec<Versions>,
    /// Some event has had another version.
    pub(crate) versioned: bool,
    /// Events by name.
    events: BTreeMap<String, EventId>,
    /// Resources by full name: what events say they are about.
    resources: BTreeMap<String, ResourceId>,
}

/// Somebody who works through events.
#[derive(Debug)]
pub(crate) struct Consumer {
    /// What its state is kept under: the context's name, or `view reporting.SalesByDay`.
    pub(crate) name: Arc<str>,
    /// Where its effects go, so its state too.
    pub(crate) context: ContextId,
    /// What it hears: the event, and the index of the reaction in the domain (0 for a view).
    pub(crate) hears: Vec<(EventId, usize)>,
    /// The contexts whose rows the events are about, each once.
    pub(crate) sources: Vec<ContextId>,
}

impl Consumers {
    /// Works it out.
    pub(crate) fn of(domain: &Domain) -> Self {
        let mut contexts: Vec<Consumer> = Vec::new();
        for (at, reaction) in domain.reactions.iter().enumerate() {
            let there = contexts.iter().position(|one| one.context == reaction.context);
            let there = there.unwrap_or_else(|| {
                let name = domain.contexts[reaction.context.index()].name.as_str().into();
                contexts.push(Consumer::new(name, reaction.context));
                contexts.len() - 1
            });
            contexts[there].hear(domain, reaction.event, at);
        }
        let views = domain.views.iter().enumerate().map(|(at, view)| {
            let name = domain.full_name(domain.view_rows(at));
            let mut consumer = Consumer::new(format!("view {name}").into(), view.rows.context);
            view.from.iter().for_each(|event| consumer.hear(domain, *event, 0));
            consumer
        });
        let views = views.collect();
        let shapes = domain
            .events
            .iter()
            .map(|event| event.data.iter().map(|member| Shape::of_type(&member.ty)).collect());
        let inputs = domain.schedules.iter().map(|schedule| &schedule.inputs);
        let events = domain.events.iter().enumerate();
        Self {
            contexts,
            views,
            schedules: inputs.map(|all| Needs::of(all.iter().map(|(_, expr)| expr))).collect(),
            shapes: shapes.collect(),
            versions: domain.events.iter().map(Versions::of).collect(),
            versioned: domain.events.iter().any(|event| event.version > 1),
            events: events.map(|(at, event)| (event.name.clone(), EventId::of(at))).collect(),
            resources: domain.resources().map(|(id, _)| (domain.full_name(id), id)).collect(),
        }
    }

    /// The event of a name.
    pub(crate) fn event(&self, name: &str) -> Option<EventId> {
        self.events.get(name).copied()
    }

    /// The resource of a full name, where the model still has it.
    pub(crate) fn resource(&self, name: &str) -> Option<ResourceId> {
        self.resources.get(name).copied()
    }

    /// The types of an event's members, in their order.
    pub(crate) fn shapes(&self, event: EventId) -> &[Shape] {
        &self.shapes[event.index()]
    }

    /// What the older versions of an event are read by.
    pub(crate) fn versions(&self, event: EventId) -> &Versions {
        &self.versions[event.index()]
    }

    /// Events that views are made of: they are kept for good, to be replayed.
    pub(crate) fn replayed(&self, domain: &Domain) -> Vec<String> {
        let heard = self.views.iter().flat_map(|view| &view.hears);
        let mut names: Vec<String> =
            heard.map(|(event, _)| domain.event(*event).name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }
}

impl Consumer {
    fn new(name: Arc<str>, context: ContextId) -> Self {
        Self { name, context, hears: Vec::new(), sources: Vec::new() }
    }

    fn hear(&mut self, domain: &Domain, event: EventId, reaction: usize) {
        self.hears.push((event, reaction));
        let heard = domain.event(event);
        let kept = heard.inbound.iter().map(|inbound| domain.kept_in(inbound));
        let about = heard.emitters.iter().map(|emitter| domain.resource(*emitter).context);
        for context in about.chain(kept) {
            if !self.sources.contains(&context) {
                self.sources.push(context);
            }
        }
    }

    /// The reaction to an event; none where the consumer does not hear it.
    pub(crate) fn reaction(&self, event: EventId) -> Option<usize> {
        self.hears.iter().find(|(heard, _)| *heard == event).map(|(_, reaction)| *reaction)
    }
}
