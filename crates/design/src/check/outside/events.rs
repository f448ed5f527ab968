//! Events: who emits them and what their data is.

use super::inbound;
use super::versions::older;
use crate::check::constraints::constant;
use crate::check::place::Place;
use crate::check::resolve::plain_event;
use crate::check::typing::scope::EventShape;
use crate::check::world::{Meaning, World};
use crate::check::{e031_unknown_actor, e035_unknown_field};
use ir::Diagnostic;
use ir::domain::{self, Domain, EventMember, Field, ResourceId, Source};
use ir::expr::{FieldRef, Type};
use ir::model::{self, At};
use ir::value::Value;
use std::collections::BTreeMap;

/// One event.
#[derive(Debug, Default)]
pub(crate) struct Event<'m> {
    /// Its declaration; none for the event of a plain write.
    pub(crate) declared: Option<&'m model::Event>,
    /// What a system outside tells of, with the index of its receiver.
    pub(crate) inbound: Option<(usize, &'m model::WebhookEvent)>,
    /// The resources whose commands or plain writes emit it, each once.
    pub(crate) emitters: Vec<ResourceId>,
    /// Its data.
    pub(crate) shape: EventShape<'m>,
}

/// All events by name, those of plain writes among them.
pub(crate) type Events<'m> = BTreeMap<String, Event<'m>>;

/// Finds all events; data that an emitter does not have is a fault.
pub(crate) fn find_events<'m>(world: &World<'m>, found: &mut Vec<Diagnostic>) -> Events<'m> {
    let mut events: Events<'m> = BTreeMap::new();
    for (name, declared) in &world.events {
        for actor in &declared.webhook {
            if !world.actors.contains_key(actor.as_str()) {
                let place = Place::new(declared.name.as_str(), "webhook");
                found.push(e031_unknown_actor::listener(world, actor, place));
            }
        }
        let event = Event { declared: Some(declared), ..Event::default() };
        events.insert((*name).to_owned(), event);
    }
    for (id, entry) in world.entries() {
        for emitted in entry.model.commands.iter().flat_map(|command| &command.emit) {
            if let Some(event) = events.get_mut(emitted.as_str())
                && !event.emitters.contains(&id)
            {
                event.emitters.push(id);
            }
        }
        for change in &entry.model.emit {
            let name = plain_event(entry.name(), change.as_str());
            let event = events.entry(name).or_default();
            if !event.emitters.contains(&id) {
                event.emitters.push(id);
            }
        }
    }
    for event in events.values_mut() {
        event.shape = match event.declared {
            Some(declared) => declared_shape(world, declared, &event.emitters, found),
            None => plain_shape(world, &event.emitters),
        };
    }
    inbound::add(world, &mut events);
    events
}

fn declared_shape<'m>(
    world: &World<'m>,
    declared: &'m model::Event,
    emitters: &[ResourceId],
    found: &mut Vec<Diagnostic>,
) -> EventShape<'m> {
    let mut members = BTreeMap::new();
    for name in &declared.data {
        let mut meaning = Meaning::Faulty;
        for (at, emitter) in emitters.iter().enumerate() {
            let Some(field) = world.entry(*emitter).field(name.as_str()) else {
                let place = Place::new(declared.name.as_str(), "data");
                found.push(e035_unknown_field::fault(world, *emitter, name, place));
                continue;
            };
            if at == 0 {
                meaning = of_field(world, *emitter, field);
            }
        }
        members.insert(name.as_str(), meaning);
    }
    EventShape { members, ..EventShape::default() }
}

/// A plain write tells everything that is neither secret nor personal.
fn plain_shape<'m>(world: &World<'m>, emitters: &[ResourceId]) -> EventShape<'m> {
    let mut members = BTreeMap::new();
    let Some(id) = emitters.first() else { return EventShape::default() };
    for name in ["id", "created_at", "updated_at"] {
        if let Some(field) = world.entry(*id).field(name) {
            members.insert(name, of_field(world, *id, field));
        }
    }
    let entry = world.entry(*id);
    for (name, field) in &entry.fields {
        let declared = entry.declared(*field);
        if declared.secret.is_none() && declared.personal.is_none() {
            members.insert(*name, of_field(world, *id, FieldRef::Field(*field)));
        }
    }
    EventShape { members, ..EventShape::default() }
}

fn of_field(world: &World<'_>, resource: ResourceId, field: FieldRef) -> Meaning {
    match field {
        FieldRef::Field(id) => world.meaning(resource, id),
        FieldRef::Implicit(_) => {
            world.type_of(resource, field).map_or(Meaning::Faulty, Meaning::Value)
        }
    }
}

/// The events as the domain holds them: what is at fault is left out.
pub(crate) fn typed(
    world: &World<'_>,
    domain: &Domain,
    events: &Events<'_>,
    found: &mut Vec<Diagnostic>,
) -> Vec<domain::Event> {
    let mut one = |(name, event): (&String, &Event<'_>)| {
        let data = data(world, domain, event);
        let versions = event.declared.zip(event.emitters.first().copied());
        let older = versions.map_or_else(Vec::new, |of| older(world, domain, of, &data, found));
        domain::Event {
            name: name.clone(),
            emitters: event.emitters.clone(),
            data,
            webhook: event.declared.map_or_else(Vec::new, |declared| {
                let known = |actor: &ir::source::Name| world.actors.get(actor.as_str()).copied();
                declared.webhook.iter().filter_map(known).collect()
            }),
            declared: event.declared.is_some(),
            inbound: event.inbound.map(|(receiver, told)| inbound::of(receiver, told)),
            version: event.declared.map_or(1, model::Event::number),
            older,
        }
    };
    events.iter().map(&mut one).collect()
}

/// In the order of the declaration, in that of a representation where there is none.
fn data(world: &World<'_>, domain: &Domain, event: &Event<'_>) -> Vec<EventMember> {
    if let Some((_, told)) = event.inbound {
        return inbound::data(told);
    }
    let Some(emitter) = event.emitters.first() else { return Vec::new() };
    let names: Vec<&str> = match event.declared {
        Some(declared) => declared.data.iter().map(|name| name.as_str()).collect(),
        None => {
            let fields = world.entry(*emitter).model.fields.iter().map(|field| field.name.as_str());
            let names = ["id"].into_iter().chain(fields).chain(["created_at", "updated_at"]);
            names.filter(|name| event.shape.members.contains_key(name)).collect()
        }
    };
    let mut members: Vec<EventMember> = Vec::new();
    for name in names {
        if members.iter().all(|member| member.name != name) {
            members.extend(member(world, domain, *emitter, name));
        }
    }
    if members.is_empty() {
        // An event that tells nothing would not even say which row it is about.
        members.extend(member(world, domain, *emitter, "id"));
    }
    members
}

/// None for a secret, which leaves the store by no way, and for what is at fault.
fn member(
    world: &World<'_>,
    domain: &Domain,
    emitter: ResourceId,
    name: &str,
) -> Option<EventMember> {
    let field = world.entry(emitter).field(name)?;
    let ty = match of_field(world, emitter, field) {
        Meaning::Value(ty) => ty,
        Meaning::Children(_) => Type::Json,
        Meaning::Faulty => return None,
    };
    let (optional, default) = match field {
        FieldRef::Implicit(_) => (false, None),
        FieldRef::Field(id) => {
            let field = domain.resource(emitter).field(id);
            if field.secret {
                return None;
            }
            // What is asked of its owner at each read is not in the row that the event tells of.
            let asked = matches!(field.source, Source::Copied(At::Read, _));
            (field.optional || asked, default_of(field))
        }
    };
    Some(EventMember { name: name.to_owned(), field, ty, optional, default })
}

/// What the member is in events that are older than it: what the rows of that time were given when
/// the field was added. What is about a person is no default, for a member that was erased is not
/// there either.
fn default_of(field: &Field) -> Option<Value> {
    match &field.source {
        Source::Default(expr) if !field.personal => {
            constant(expr).filter(|value| !value.is_null()).cloned()
        }
        Source::Default(_)
        | Source::Client
        | Source::Computed(_)
        | Source::Copied(..)
        | Source::State
        | Source::Caller
        | Source::Counted => None,
    }
}
