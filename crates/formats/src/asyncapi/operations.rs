//! What contexts and views do with events: send, receive.

use super::parties::{consumers, emissions};
use super::tag;
use crate::document::page::{capital, listed};
use crate::tree::{Node, list, map};
use ir::architecture::Architecture;
use ir::domain::{ContextId, Event, EventId};

/// All operations, those of an event together.
pub(super) fn operations(architecture: &Architecture, events: &[(EventId, &Event)]) -> Node {
    let domain = &architecture.domain;
    let mut operations = Node::empty();
    for (id, event) in events {
        let wire = event.wire_type();
        let mut sent: Vec<(ContextId, Vec<String>)> = Vec::new();
        for emission in emissions(domain, event) {
            match sent.iter_mut().find(|(context, _)| *context == emission.context) {
                Some((_, by)) => by.push(emission.by),
                None => sent.push((emission.context, vec![emission.by])),
            }
        }
        for (context, by) in sent {
            let context = &domain.contexts[context.index()].name;
            let summary = format!("Sent by {}", listed(&by));
            let operation = operation("send", &wire, summary, context);
            operations.set(&format!("{context}.send.{wire}"), operation);
        }
        for consumer in consumers(domain, *id) {
            let context = &domain.contexts[consumer.context.index()].name;
            let summary = capital(&listed(&consumer.does));
            let operation = operation("receive", &wire, summary, context);
            operations.set(&format!("{}.receive.{wire}", consumer.name), operation);
        }
    }
    operations
}

fn operation(action: &str, wire: &str, summary: String, context: &str) -> Node {
    let channel = map([("$ref", format!("#/channels/{wire}").into())]);
    let message = map([("$ref", format!("#/channels/{wire}/messages/{wire}").into())]);
    map([
        ("action", action.into()),
        ("channel", channel),
        ("summary", summary.into()),
        ("tags", list([tag(context)])),
        ("messages", list([message])),
    ])
}
