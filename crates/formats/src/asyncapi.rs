//! AsyncAPI 3.0 of an architecture: a channel for each event, what is in it, which context sends it
//! and who receives it. No server stands in it: over which way events travel is not of the model.

mod operations;
mod parties;

#[cfg(test)]
mod tests;

use crate::event_schema::{
    Attribute, TOLERANCE, Writing, common_attributes, in_version, own_attributes, placed,
    published, replaced_by, sample,
};
use crate::tree::{Node, list, map};
use ir::architecture::Architecture;
use ir::domain::{Event, EventId};
use parties::{consumers, emissions};

/// Media type of one event.
const MEDIA_TYPE: &str = "application/cloudevents+json";
/// The shared schema of all events. No resource and no event is written like it.
const ENVELOPE: &str = "envelope";
/// The trait of all messages.
const TRAIT: &str = "cloudevent";
/// The id by which messages of one cause are found.
const CORRELATION: &str = "trace";
/// Where schemas stand.
const SCHEMAS: &str = "#/components/schemas/";

/// The document as YAML; none where nothing is published.
pub fn write(architecture: &Architecture) -> Option<String> {
    document(architecture).map(|document| document.yaml())
}

fn document(architecture: &Architecture) -> Option<Node> {
    let domain = &architecture.domain;
    let events: Vec<(EventId, &Event)> = published(domain).collect();
    if events.is_empty() {
        return None;
    }
    let mut channels = Node::empty();
    for (id, event) in &events {
        channels.set(&event.wire_type(), channel(architecture, *id, event));
    }
    Some(map([
        ("asyncapi", "3.0.0".into()),
        ("info", info(architecture, &events)),
        ("defaultContentType", MEDIA_TYPE.into()),
        ("channels", channels),
        ("operations", operations::operations(architecture, &events)),
        ("components", components(architecture, &events)),
    ]))
}

fn info(architecture: &Architecture, events: &[(EventId, &Event)]) -> Node {
    let domain = &architecture.domain;
    let about = if domain.summary.is_empty() { &domain.title } else { &domain.summary };
    let description = format!(
        "{}\n\nEvents are CloudEvents 1.0.2 in the structured mode of JSON. One is committed with \
         the change that it tells of, so none is lost and none tells of what did not happen. It \
         is delivered at least once, and a repetition has the same `source` and `id`: a consumer \
         that remembers them acts once. `GET /v1/events` lists and streams them to whom the rows \
         that they are about may be shown. {TOLERANCE} Operations are those of the whole system; a \
         tag names the context.",
        about.trim()
    );
    let mut tags = Vec::new();
    for (at, context) in domain.contexts.iter().enumerate() {
        let takes_part = events.iter().any(|(id, event)| {
            let emits = emissions(domain, event).iter().any(|one| one.context.index() == at);
            emits || consumers(domain, *id).iter().any(|one| one.context.index() == at)
        });
        if takes_part {
            let mut tag = map([("name", (&context.name).into())]);
            if !context.about.is_empty() {
                tag.set("description", &context.about);
            }
            tags.push(tag);
        }
    }
    map([
        ("title", (&domain.title).into()),
        ("version", "1.0.0".into()),
        ("description", description.into()),
        ("tags", Node::List(tags)),
    ])
}

fn channel(architecture: &Architecture, id: EventId, event: &Event) -> Node {
    let domain = &architecture.domain;
    let name = event.wire_type();
    let message = map([("$ref", format!("#/components/messages/{name}").into())]);
    let mut contexts: Vec<&str> = Vec::new();
    for emission in emissions(domain, event) {
        let context = &domain.contexts[emission.context.index()].name;
        if !contexts.contains(&context.as_str()) {
            contexts.push(context);
        }
    }
    map([
        ("address", (&name).into()),
        ("description", parties::description(architecture, id, event).into()),
        ("messages", Node::empty().with(&name, message)),
        ("tags", list(contexts.into_iter().map(tag))),
    ])
}

fn tag(context: &str) -> Node {
    map([("name", context.into())])
}

fn components(architecture: &Architecture, events: &[(EventId, &Event)]) -> Node {
    let writing = Writing::of(architecture);
    let (mut messages, mut schemas) = (Node::empty(), Node::empty());
    let tenancy = architecture.domain.tenancy.is_some();
    let common = common_attributes().into_iter();
    let common = common.filter(|attribute| tenancy || attribute.name != "tenant");
    let about = "What every event has around its data (CloudEvents 1.0.2)";
    schemas.set(ENVELOPE, object(common.collect(), Some(about)));
    let mut data = Vec::new();
    for (_, event) in events {
        for (version, of) in event.older() {
            let older = in_version(event, version);
            let said = replaced_by(architecture, &older);
            messages.set(&older.wire_type(), shape_of(&older).with("description", said));
            schemas.set(&older.wire_type(), payload(architecture, &older));
            data.push((format!("{}.data", older.wire_type()), writing.older_data(of)));
        }
        messages.set(&event.wire_type(), message(architecture, event));
        schemas.set(&event.wire_type(), payload(architecture, event));
        data.push((format!("{}.data", event.wire_type()), writing.data(event)));
    }
    let shared = writing.shared(data.iter().map(|(_, schema)| schema));
    for (name, schema) in data.into_iter().chain(shared) {
        schemas.set(&name, placed(schema, SCHEMAS));
    }
    let correlation = map([
        ("description", "The trace that caused the event (W3C Trace Context)".into()),
        ("location", "$message.payload#/traceparent".into()),
    ]);
    let specification = map([
        ("description", "CloudEvents 1.0.2".into()),
        ("url", "https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md".into()),
    ]);
    let shape = map([
        ("contentType", MEDIA_TYPE.into()),
        ("correlationId", reference("correlationIds", CORRELATION)),
        ("externalDocs", specification),
    ]);
    map([
        ("messages", messages),
        ("messageTraits", Node::empty().with(TRAIT, shape)),
        ("correlationIds", Node::empty().with(CORRELATION, correlation)),
        ("schemas", schemas),
    ])
}

fn reference(kind: &str, name: &str) -> Node {
    map([("$ref", format!("#/components/{kind}/{name}").into())])
}

fn object(attributes: Vec<Attribute>, about: Option<&str>) -> Node {
    let required = attributes.iter().filter(|attribute| attribute.required);
    let required = list(required.map(|attribute| attribute.name));
    let mut properties = Node::empty();
    for attribute in attributes {
        properties.set(attribute.name, attribute.schema);
    }
    let mut schema = map([("type", "object".into())]);
    if let Some(about) = about {
        schema.set("description", about);
    }
    schema.with("required", required).with("properties", properties)
}

/// The schema of an event with its envelope.
fn payload(architecture: &Architecture, event: &Event) -> Node {
    let mut own = own_attributes(architecture, event);
    let schema = map([("$ref", format!("{SCHEMAS}{}.data", event.wire_type()).into())]);
    own.push(Attribute { name: "data", required: true, schema });
    let envelope = map([("$ref", format!("{SCHEMAS}{ENVELOPE}").into())]);
    map([("allOf", list([envelope, object(own, None)]))])
}

fn shape_of(event: &Event) -> Node {
    let name = event.wire_type();
    map([
        ("name", (&name).into()),
        ("title", event.name.replace(['.', '_', '-'], " ").into()),
        ("traits", list([reference("messageTraits", TRAIT)])),
        ("payload", reference("schemas", &name)),
    ])
}

fn message(architecture: &Architecture, event: &Event) -> Node {
    let mut message = shape_of(event);
    if let Some(sample) = sample(architecture, event) {
        message.set("examples", list([map([("payload", sample)])]));
    }
    message
}
