//! OpenAPI 3.1 of an architecture: every parameter, header, status, problem and example of the
//! public operations. It is written from the same contract that the backend routes by.

mod answers;
mod common;
mod events;
mod jobs;
mod links;
mod operations;
mod parameters;
mod paths;
mod receivers;
pub(crate) mod scalar;
pub(crate) mod schemas;
mod trail;
mod webhooks;

#[cfg(test)]
mod tests;

pub(crate) use answers::refused_transition;

use crate::example::Examples;
use crate::tree::{Node, list, map};
use ir::architecture::Architecture;
use ir::contract::Operation;
use ir::domain::{Resource, ResourceId};
use ir::model::Proof;
use schemas::SchemaNames;
use std::collections::BTreeSet;

/// The document as YAML.
pub fn write(architecture: &Architecture) -> String {
    document(architecture).yaml()
}

/// The same document as JSON.
pub fn write_json(architecture: &Architecture) -> String {
    document(architecture).json()
}

/// What every part of the document looks at.
struct Writing<'a> {
    architecture: &'a Architecture,
    names: SchemaNames,
    examples: Examples<'a>,
}

impl<'a> Writing<'a> {
    fn resource(&self, id: ResourceId) -> &'a Resource {
        self.architecture.domain.resource(id)
    }

    fn operations(&self) -> impl Iterator<Item = &'a Operation> {
        self.architecture.contract.operations.iter().filter(|operation| !operation.internal)
    }

    /// The actors that prove themselves that way, by name.
    fn actors(&self, proof: Proof) -> Vec<&'a str> {
        let actors = self.architecture.domain.actors.iter();
        actors.filter(|actor| actor.proof == proof).map(|actor| actor.name.as_str()).collect()
    }
}

fn document(architecture: &Architecture) -> Node {
    let domain = &architecture.domain;
    let writing =
        Writing { architecture, names: SchemaNames::of(domain), examples: Examples { domain } };
    let mut answers = answers::Answers::default();
    let paths = paths::paths(&writing, &mut answers);
    let components = map([
        ("securitySchemes", common::security_schemes(&writing)),
        ("parameters", parameters::shared(&writing)),
        ("headers", common::headers(common::has_copies(architecture))),
        ("responses", answers.responses(&writing)),
        ("examples", answers.examples(&writing)),
        ("schemas", schemas::schemas(&writing)),
    ]);
    let components = used(&paths, components);
    map([
        ("openapi", "3.1.0".into()),
        ("info", info(architecture)),
        ("servers", servers(architecture)),
        ("tags", tags(&writing)),
        ("paths", paths),
        ("components", components),
    ])
}

/// The components without those that nothing refers to.
fn used(paths: &Node, components: Node) -> Node {
    let mut names = BTreeSet::new();
    for part in [paths, &components] {
        part.each_member(&mut |name, node| {
            if let ("$ref", Node::Text(target)) = (name, node) {
                names.insert(target.clone());
            }
        });
    }
    let Node::Map(mut kinds) = components else { return components };
    for (kind, members) in &mut kinds {
        if let Node::Map(members) = members
            && kind != "securitySchemes"
        {
            members.retain(|(name, _)| names.contains(&format!("#/components/{kind}/{name}")));
        }
    }
    kinds.retain(|(_, node)| *node != Node::empty());
    Node::Map(kinds)
}

fn info(architecture: &Architecture) -> Node {
    let domain = &architecture.domain;
    let mut info = map([("title", (&domain.title).into()), ("version", "1.0.0".into())]);
    let about = if domain.summary.is_empty() { &domain.title } else { &domain.summary };
    let mut description = about.trim().to_owned();
    description.push_str(
        "\n\nUnknown parameters and members are refused, never ignored. Every error is a problem \
         (RFC 9457) whose `type` says what to do. Lists are paged by `next_cursor`; ids are \
         UUIDv7; instants are RFC 3339 in UTC; money is an exact amount with its currency.",
    );
    info.set("description", description);
    info
}

fn servers(architecture: &Architecture) -> Node {
    let mut servers = vec![map([
        ("url", "/".into()),
        ("description", "The server this document was read from".into()),
    ])];
    if let Some(tenancy) = &architecture.domain.tenancy
        && let Some((before, after)) = &tenancy.host
    {
        let variable = map([("default", "acme".into()), ("description", "The tenant".into())]);
        servers.push(map([
            ("url", format!("https://{before}{{{}}}{after}", tenancy.claim).into()),
            ("description", "The host of a tenant".into()),
            ("variables", Node::empty().with(&tenancy.claim, variable)),
        ]));
    }
    Node::List(servers)
}

fn tags(writing: &Writing<'_>) -> Node {
    let mut tags = Vec::new();
    let stored = writing.architecture.domain.stored();
    for (id, resource) in stored.filter(|(_, resource)| resource.owner.is_none()) {
        if writing.operations().any(|operation| operation.resource == Some(id)) {
            let context = &writing.architecture.domain.contexts[resource.context.index()];
            let about = match (resource.about.is_empty(), context.about.is_empty()) {
                (false, _) => resource.about.clone(),
                (true, false) => format!("Of {}: {}", context.name, context.about),
                (true, true) => format!("Of {}", context.name),
            };
            let name = writing.names.one(id);
            tags.push(map([("name", name.into()), ("description", about.into())]));
        }
    }
    if writing.operations().any(|operation| operation.resource.is_none()) {
        let about = "Several operations at once";
        tags.push(map([("name", "Batch".into()), ("description", about.into())]));
    }
    if operations::any(writing).is_some() {
        let about = "What takes longer than a call: how far it is, and what came of it";
        tags.push(map([("name", "Operations".into()), ("description", about.into())]));
    }
    if writing.architecture.settings.audited {
        let about = "What was done, by whom and by which rule";
        tags.push(map([("name", "Audit".into()), ("description", about.into())]));
    }
    if webhooks::any(writing) {
        let about = "Endpoints that events are delivered to";
        tags.push(map([("name", webhooks::TAG.into()), ("description", about.into())]));
    }
    if receivers::any(writing) {
        let about = "What systems outside tell of, by signed webhooks";
        tags.push(map([("name", receivers::TAG.into()), ("description", about.into())]));
    }
    tags.push(map([
        ("name", "Rights".into()),
        ("description", "What the caller may do, and why".into()),
    ]));
    tags.push(map([("name", "Health".into()), ("description", "Probes of the process".into())]));
    list(tags)
}
