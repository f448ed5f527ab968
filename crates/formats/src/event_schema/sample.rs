//! An event as an example: valid, readable, and the same in every run.

use super::envelope::{SEQUENCE_DIGITS, source};
use crate::example::{self, Examples, Form, MORNING};
use crate::tree::{Node, map};
use ir::architecture::Architecture;
use ir::domain::{Domain, Event, ResourceId};
use ir::expr::FieldRef;

/// The tenant of examples.
const TENANT: &str = "acme";

/// The whole event; none where a member is beyond what can be made up.
pub(crate) fn sample(architecture: &Architecture, event: &Event) -> Option<Node> {
    let domain = &architecture.domain;
    let emitter = *event.emitters.first()?;
    let resource = domain.resource(emitter);
    let row = example::id(&domain.full_name(emitter));
    let mut sample = map([
        ("specversion", "1.0".into()),
        ("id", example::id(&event.name).into()),
        ("source", source(domain, emitter).into()),
        ("type", event.wire_type().into()),
        ("subject", format!("{}/{row}", resource.path).into()),
        ("time", example::timestamp(MORNING).into()),
        ("datacontenttype", "application/json".into()),
        ("partitionkey", row.into()),
        ("sequence", format!("{:0width$}", 1, width = SEQUENCE_DIGITS).into()),
    ]);
    if domain.tenancy.is_some() && !resource.shared {
        sample.set("tenant", TENANT);
    }
    sample.set("data", data(domain, event, emitter)?);
    Some(sample)
}

fn data(domain: &Domain, event: &Event, emitter: ResourceId) -> Option<Node> {
    let row = Examples { domain }.body(emitter, Form::Read)?;
    let mut data = Node::empty();
    for member in &event.data {
        let state = reached(domain, event, emitter, member.field);
        data.set(
            &member.name,
            match state {
                Some(state) => state.into(),
                None => row.get(&member.name)?.clone(),
            },
        );
    }
    Some(data)
}

/// The state that the first command which emits the event leads to.
fn reached<'d>(
    domain: &'d Domain,
    event: &Event,
    emitter: ResourceId,
    field: FieldRef,
) -> Option<&'d str> {
    let mut commands = domain.resource(emitter).commands.iter();
    let command = commands.find(|command| command.emits.contains(&event.name))?;
    let mut moves = command.transitions.iter();
    let to = moves.find(|transition| FieldRef::Field(transition.field) == field);
    to.map(|transition| transition.to.as_str())
}
