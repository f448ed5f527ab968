//! What passes between contexts and out of the system.

use super::decision::{Section, write_all};
use super::page::{Page, coded, listed};
use crate::event_schema::{file_of, in_version, published};
use crate::mermaid;
use ir::architecture::Architecture;
use ir::domain::{Event, Resource};

pub(super) fn write(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Service communication");
    let events: Vec<&Event> = published(&architecture.domain).map(|(_, event)| event).collect();
    let rows: Vec<Vec<String>> = events.iter().map(|event| channel(architecture, event)).collect();
    if rows.is_empty() {
        page.text(format!("`{}` publishes no event.", architecture.domain.system));
    } else {
        page.text(
            "The contract of events is [contracts/asyncapi.yaml](contracts/asyncapi.yaml), with a \
             JSON Schema for each type.",
        );
    }
    let head = ["Event", "Type", "Published by", "Key", "Data", "Consumers", "Webhooks to"];
    page.table(&head, rows);
    write_all(page, architecture, Section::Communication);
}

/// The contract of the version that is told, and of those before it.
fn contracts(event: &Event) -> String {
    let link =
        |event: &Event| format!("[{}](contracts/events/{})", event.wire_type(), file_of(event));
    let older: Vec<String> =
        event.older().map(|(version, _)| link(&in_version(event, version))).collect();
    match older.is_empty() {
        true => link(event),
        false => format!("{}; read as it: {}", link(event), older.join(", ")),
    }
}

fn channel(architecture: &Architecture, event: &Event) -> Vec<String> {
    let (domain, model) = (&architecture.domain, &architecture.model);
    let name = event.name.as_str();
    let emits = |resource: &Resource| {
        let mut by: Vec<String> = resource
            .commands
            .iter()
            .filter(|command| command.emits.iter().any(|one| one == name))
            .map(|command| format!("{}.{}", resource.name, command.name))
            .collect();
        let plain = resource.emits.iter().filter(|(_, one)| one == name);
        by.extend(plain.map(|_| format!("writes of {}", resource.name)));
        by
    };
    let publishers: Vec<String> = domain.resources.iter().flat_map(emits).collect();
    let key = domain
        .resources
        .iter()
        .find(|resource| !emits(resource).is_empty())
        .map(|resource| format!("id of {}", resource.name))
        .unwrap_or_default();
    let mut consumers = Vec::new();
    for context in &model.contexts {
        for reaction in context.reacts.iter().filter(|one| one.event == name) {
            consumers.push(format!("{} {}", context.name, mermaid::effect(&reaction.effect)));
        }
        for view in context.views.iter().filter(|view| view.from.iter().any(|one| *one == name)) {
            consumers.push(format!("view {}.{}", context.name, view.name));
        }
    }
    let data: Vec<&str> = event.data.iter().map(|one| one.name.as_str()).collect();
    let webhooks = event.webhook.iter().map(|actor| domain.actor(*actor).name.as_str());
    let webhooks: Vec<&str> = webhooks.collect();
    vec![
        format!("`{name}`"),
        contracts(event),
        listed(&coded(publishers)),
        key,
        listed(&coded(data)),
        consumers.join("; "),
        listed(&webhooks),
    ]
}
