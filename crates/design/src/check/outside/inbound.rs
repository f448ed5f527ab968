//! Events that systems outside tell of: who receives them, and what is kept.

use super::events::{Event, Events};
use crate::check::typing::scope::EventShape;
use crate::check::world::{Meaning, World, value_type};
use ir::domain::{ContextId, EventMember, Inbound, Kind, Receiver};
use ir::expr::{FieldRef, Implicit, Type};
use ir::model::{FieldType, Model, WebhookEvent, WebhookMember, Webhooks};
use ir::source::Name;

/// Integrations that send webhooks, in the order of the model.
pub(crate) fn sent(model: &Model) -> impl Iterator<Item = (&Name, &Webhooks)> {
    model.integrations.iter().filter_map(|one| Some((&one.name, one.webhooks.as_ref()?)))
}

/// Those that receive, in the order of [`sent`].
pub(crate) fn receivers(world: &World<'_>) -> Vec<Receiver> {
    if world.model.contexts.is_empty() {
        return Vec::new();
    }
    let one = |(name, webhooks): (&Name, &Webhooks)| Receiver {
        name: name.value.clone(),
        scheme: webhooks.verify.value,
        tolerance_seconds: match &webhooks.tolerance {
            Some(tolerance) => tolerance.value,
            None => Receiver::TOLERANCE_SECONDS,
        },
        context: context(world, name, webhooks),
    };
    sent(world.model).map(one).collect()
}

/// The one that is named, else the first that reacts to one of its events, else the first.
fn context(world: &World<'_>, name: &Name, webhooks: &Webhooks) -> ContextId {
    let named = webhooks.into.as_ref().and_then(|into| world.contexts.get(into.as_str()));
    let told = |event: &Name| webhooks.events.iter().any(|one| full_name(name, one) == event.value);
    named.copied().unwrap_or_else(|| {
        let contexts = &world.model.contexts;
        let reacts = contexts.iter().position(|one| one.reacts.iter().any(|r| told(&r.event)));
        ContextId::of(reacts.unwrap_or(0))
    })
}

/// `payments.charge.succeeded`
pub(crate) fn full_name(integration: &Name, event: &WebhookEvent) -> String {
    format!("{integration}.{}", event.name)
}

/// Adds what comes from outside; a name of our own stays ours, which is a fault told elsewhere.
pub(super) fn add<'m>(world: &World<'m>, events: &mut Events<'m>) {
    for (receiver, (name, webhooks)) in sent(world.model).enumerate() {
        for told in &webhooks.events {
            let members = told.data.iter().map(|member| {
                let meaning = type_of(member).map_or(Meaning::Faulty, Meaning::Value);
                (member.name.as_str(), meaning)
            });
            let shape = EventShape { members: members.collect(), inbound: true };
            let event = Event { inbound: Some((receiver, told)), shape, ..Event::default() };
            events.entry(full_name(name, told)).or_insert(event);
        }
    }
}

/// The type of a member; none where nobody outside can tell such a thing.
pub(crate) fn type_of(member: &WebhookMember) -> Option<Type> {
    let kind = match &member.ty.value {
        FieldType::Enum(values) => {
            Kind::Enum(values.iter().map(|value| value.value.clone()).collect())
        }
        FieldType::Actor(_)
        | FieldType::Reference { .. }
        | FieldType::Many { .. }
        | FieldType::Counter => return None,
        _ => Kind::Scalar,
    };
    Some(value_type(&member.ty.value, &kind))
}

/// Where an event comes from, as the domain holds it.
pub(super) fn of(receiver: usize, told: &WebhookEvent) -> Inbound {
    let from = |member: &WebhookMember| member.from.as_ref().map(|from| from.value.clone());
    Inbound {
        receiver,
        sent_as: told.name.value.clone(),
        from: typed(told).map(|(member, _)| from(member)).collect(),
    }
}

/// Its members, as the domain holds them.
pub(super) fn data(told: &WebhookEvent) -> Vec<EventMember> {
    let one = |(member, ty): (&WebhookMember, Type)| EventMember {
        name: member.name.value.clone(),
        field: FieldRef::Implicit(Implicit::Id),
        ty,
        optional: member.optional.is_some(),
        default: None,
    };
    typed(told).map(one).collect()
}

fn typed(told: &WebhookEvent) -> impl Iterator<Item = (&WebhookMember, Type)> {
    told.data.iter().filter_map(|member| Some((member, type_of(member)?)))
}
