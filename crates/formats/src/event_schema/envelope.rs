//! The attributes of CloudEvents 1.0.2 around the data, as the backend fills them.

use crate::openapi::scalar::{any_text, instant, uuid};
use crate::tree::{Node, list, map};
use ir::architecture::Architecture;
use ir::domain::{Domain, Event, ResourceId};

/// Digits of `sequence`: texts of equal length sort as their numbers do.
pub(crate) const SEQUENCE_DIGITS: usize = 19;
/// A row, as it stands in a subject.
const ROW: &str = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
/// W3C trace parent of version 00.
const TRACE_PARENT: &str = "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$";

/// An attribute of a CloudEvent.
pub(crate) struct Attribute {
    /// Name, as on the wire.
    pub(crate) name: &'static str,
    /// Every event has it.
    pub(crate) required: bool,
    /// What it may be.
    pub(crate) schema: Node,
}

fn required(name: &'static str, schema: Node) -> Attribute {
    Attribute { name, required: true, schema }
}

/// All attributes of an event, in the order in which they are sent.
pub(crate) fn attributes(architecture: &Architecture, event: &Event) -> Vec<Attribute> {
    let mut own = own_attributes(architecture, event);
    let mut all = common_attributes();
    for attribute in &mut all {
        if let Some(at) = own.iter().position(|one| one.name == attribute.name) {
            *attribute = own.remove(at);
        }
    }
    all.retain(|attribute| attribute.name != "tenant" || architecture.domain.tenancy.is_some());
    all
}

/// What every event has, whichever it is.
pub(crate) fn common_attributes() -> Vec<Attribute> {
    let text = || map([("type", "string".into())]);
    let said = |schema: Node, about: &str| schema.with("description", about);
    let digits = format!("^[0-9]{{{SEQUENCE_DIGITS}}}$");
    let sequence = text().with("pattern", digits);
    let trace = text().with("pattern", TRACE_PARENT);
    vec![
        required("specversion", text().with("const", "1.0")),
        required("id", said(uuid(), "With `source` it names the event; a repetition has the same")),
        required("source", said(text(), "System and context that it comes from")),
        required("type", said(text(), "Name and version of the event")),
        required("subject", said(text(), "The row that it is about")),
        required("time", said(instant(), "When it happened, in UTC")),
        required("datacontenttype", text().with("const", "application/json")),
        required(
            "partitionkey",
            said(uuid(), "The row: events with the same key come in their order"),
        ),
        required(
            "sequence",
            said(sequence, "Grows from event to event of a source and tenant, with gaps"),
        ),
        Attribute { name: "tenant", required: false, schema: said(any_text(), "Whose it is") },
        Attribute {
            name: "traceparent",
            required: false,
            schema: said(trace, "The trace that caused it (W3C)"),
        },
    ]
}

/// What only this event's attributes are: narrower than those of all.
pub(crate) fn own_attributes(architecture: &Architecture, event: &Event) -> Vec<Attribute> {
    let domain = &architecture.domain;
    let emitters = &event.emitters;
    let mut sources: Vec<String> = emitters.iter().map(|id| source(domain, *id)).collect();
    sources.sort();
    sources.dedup();
    let source = match &sources[..] {
        [one] => map([("type", "string".into()), ("const", one.into())]),
        several => map([("type", "string".into()), ("enum", list(several.iter()))]),
    };
    let mut paths: Vec<&str> =
        emitters.iter().map(|id| domain.resource(*id).path.as_str()).collect();
    paths.sort_unstable();
    paths.dedup();
    let paths = match &paths[..] {
        [one] => (*one).to_owned(),
        several => format!("(?:{})", several.join("|")),
    };
    let text = |about: &str| map([("type", "string".into()), ("description", about.into())]);
    let wire_type = map([("type", "string".into()), ("const", event.wire_type().into())]);
    let subject = text("The row that it is about").with("pattern", format!("^{paths}/{ROW}$"));
    let mut own =
        vec![required("source", source), required("type", wire_type), required("subject", subject)];
    if let Some(tenancy) = &domain.tenancy {
        let shared = emitters.iter().any(|id| domain.resource(*id).shared);
        let about = match shared {
            false => format!("Whose it is: the `{}` of the row", tenancy.claim),
            true => {
                format!("The `{}` in which the change was made, if it was in one", tenancy.claim)
            }
        };
        let schema = any_text().with("description", about);
        own.push(Attribute { name: "tenant", required: !shared, schema });
    }
    own
}

/// Where events about rows of a resource come from, `/shop/ordering`.
pub(super) fn source(domain: &Domain, resource: ResourceId) -> String {
    let context = domain.resource(resource).context;
    format!("/{}/{}", domain.system, domain.contexts[context.index()].name)
}
