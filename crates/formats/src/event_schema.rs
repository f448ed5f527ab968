//! The contract of an event: a JSON Schema (2020-12) of the CloudEvent that leaves the system, a
//! file for each event and version. AsyncAPI is folded from the same parts.

mod data;
mod envelope;
mod erasable;
mod sample;

#[cfg(test)]
mod tests;

pub(crate) use envelope::{Attribute, attributes, common_attributes, own_attributes};
pub(crate) use sample::sample;

use crate::openapi::scalar::{any_money, currency, timespan};
use crate::openapi::schemas::SchemaNames;
use crate::tree::{Node, list, map};
use erasable::Erasable;
use ir::architecture::Architecture;
use ir::domain::{Domain, Event, EventId, OlderVersion, ResourceId};
use std::collections::BTreeMap;

/// The dialect of the files.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// Where parts of a schema point before they have a place.
const SHARED: &str = "#/components/schemas/";
/// What every reader of an event must bear.
pub(crate) const TOLERANCE: &str =
    "Members of `data` that a consumer does not know are to be ignored: more may come.";

/// Every file below `contracts/events/`, name and text; none where nothing is published.
pub fn write(architecture: &Architecture) -> Vec<(String, String)> {
    let writing = Writing::of(architecture);
    let mut files = Vec::new();
    for (_, event) in published(&architecture.domain) {
        for (version, of) in event.older() {
            let event = in_version(event, version);
            files.push((file_of(&event), older_document(&writing, &event, of).json()));
        }
        files.push((file_of(event), document(&writing, event).json()));
    }
    files
}

/// The event as it was told in an older version, for what names the version.
pub(crate) fn in_version(event: &Event, version: u32) -> Event {
    Event { version, older: Vec::new(), ..event.clone() }
}

/// What is said of an older version: logs still hold it, and everybody reads it as the current one.
pub(crate) fn replaced_by(architecture: &Architecture, older: &Event) -> String {
    let current = architecture.domain.event_named(&older.name).map(|(_, event)| event.wire_type());
    format!(
        "Told no more: it is in logs from before, and whoever reads it there is told `{}`, which \
         it is made into.",
        current.unwrap_or_default()
    )
}

/// The name of the file of an event, `order.paid.v1.json`.
pub(crate) fn file_of(event: &Event) -> String {
    format!("{}.json", event.wire_type())
}

/// Events that somebody emits; what nobody emits has neither source nor data.
pub(crate) fn published(domain: &Domain) -> impl Iterator<Item = (EventId, &Event)> {
    let all = domain.events.iter().enumerate().map(|(at, event)| (EventId::of(at), event));
    all.filter(|(_, event)| !event.emitters.is_empty())
}

/// What every part of a contract of events looks at.
pub(crate) struct Writing<'a> {
    /// The architecture.
    pub(crate) architecture: &'a Architecture,
    names: SchemaNames,
    erasable: Erasable,
}

impl<'a> Writing<'a> {
    /// Looks at an architecture.
    pub(crate) fn of(architecture: &'a Architecture) -> Self {
        let domain = &architecture.domain;
        let (names, erasable) = (SchemaNames::of(domain), Erasable::of(domain));
        Self { architecture, names, erasable }
    }

    /// The schema of the data of an event.
    pub(crate) fn data(&self, event: &Event) -> Node {
        data::of(self, event)
    }

    /// The schema of the data of an older version.
    pub(crate) fn older_data(&self, older: &OlderVersion) -> Node {
        data::older(older)
    }

    /// The schemas that these lead to, by name; references stay as they are.
    pub(crate) fn shared<'n>(
        &self,
        schemas: impl IntoIterator<Item = &'n Node>,
    ) -> BTreeMap<String, Node> {
        let mut found = BTreeMap::new();
        let mut open: Vec<String> = schemas.into_iter().flat_map(references).collect();
        while let Some(name) = open.pop() {
            if !found.contains_key(&name)
                && let Some(schema) = self.part(&name)
            {
                open.extend(references(&schema));
                found.insert(name, schema);
            }
        }
        found
    }

    /// A schema that others refer to: of a type that needs one, or of an owned row.
    fn part(&self, name: &str) -> Option<Node> {
        match name {
            "Money" => Some(any_money()),
            "Currency" => Some(currency()),
            "Timespan" => Some(timespan()),
            row => {
                let mut all = self.architecture.domain.resources().map(|(id, _)| id);
                all.find(|id| self.names.one(*id) == row).map(|id| data::row(self, id))
            }
        }
    }

    fn name(&self, resource: ResourceId) -> &str {
        self.names.one(resource)
    }
}

/// Names of the shared schemas that a schema refers to.
fn references(schema: &Node) -> Vec<String> {
    let mut names = Vec::new();
    schema.each_member(&mut |name, node| {
        if let ("$ref", Node::Text(target)) = (name, node) {
            names.extend(target.strip_prefix(SHARED).map(str::to_owned));
        }
    });
    names
}

/// The same with shared schemas looked for at another place. What stands beside a reference goes
/// beside an `allOf`, for draft 7, which AsyncAPI extends, ignores it there.
pub(crate) fn placed(schema: Node, place: &str) -> Node {
    match schema {
        Node::Map(members) => {
            let alone = members.len() == 1;
            let mut placed = Node::empty();
            for (name, node) in members {
                match (name.as_str(), node) {
                    ("$ref", Node::Text(target)) => {
                        let target = match target.strip_prefix(SHARED) {
                            Some(shared) => format!("{place}{shared}"),
                            None => target,
                        };
                        let reference = map([("$ref", target.into())]);
                        if alone {
                            return reference;
                        }
                        placed.set("allOf", list([reference]));
                    }
                    (name, node) => placed.set(name, self::placed(node, place)),
                }
            }
            placed
        }
        Node::List(elements) => {
            Node::List(elements.into_iter().map(|node| placed(node, place)).collect())
        }
        Node::Null | Node::Bool(_) | Node::Int(_) | Node::Text(_) => schema,
    }
}

fn document(writing: &Writing<'_>, event: &Event) -> Node {
    let mut schema = whole(writing, event, writing.data(event), "");
    if let Some(sample) = sample(writing.architecture, event) {
        schema.set("examples", list([sample]));
    }
    placed(schema, "#/$defs/")
}

fn older_document(writing: &Writing<'_>, event: &Event, older: &OlderVersion) -> Node {
    let said = format!(" {}", replaced_by(writing.architecture, event));
    let schema = whole(writing, event, writing.older_data(older), &said);
    placed(schema.with("deprecated", true), "#/$defs/")
}

/// The whole CloudEvent around its data.
fn whole(writing: &Writing<'_>, event: &Event, data: Node, said: &str) -> Node {
    let shared = writing.shared([&data]);
    let mut properties = Node::empty();
    let mut required: Vec<String> = Vec::new();
    for attribute in attributes(writing.architecture, event) {
        if attribute.required {
            required.push(attribute.name.to_owned());
        }
        properties.set(attribute.name, attribute.schema);
    }
    required.push("data".to_owned());
    properties.set("data", data);
    let about = format!(
        "The event `{}` of {}, a CloudEvent 1.0.2 in the structured mode of JSON.{said} \
         {TOLERANCE}",
        event.wire_type(),
        writing.architecture.domain.title
    );
    let mut schema = map([
        ("$schema", DIALECT.into()),
        ("title", event.wire_type().into()),
        ("description", about.into()),
        ("type", "object".into()),
        ("required", list(required)),
        ("properties", properties),
    ]);
    if !shared.is_empty() {
        schema.set("$defs", Node::Map(shared.into_iter().collect()));
    }
    schema
}
