//! Paths and their operations.

use super::answers::Answers;
use super::scalar::reference;
use super::{
    Writing, common, events, links, operations, parameters, receivers, schemas, trail, webhooks,
};
use crate::bodies::{Body, Need, need};
use crate::example::{self, Form};
use crate::tree::{Node, list, map};
use ir::contract::{Operation, OperationKind};
use ir::domain::{Caller, Field, Grant, ResourceId};
use ir::model::Proof;

/// All paths in the order of the contract, then the probes.
pub(super) fn paths(writing: &Writing<'_>, answers: &mut Answers) -> Node {
    let mut paths: Vec<(String, Node)> = Vec::new();
    for operation in writing.operations() {
        let method = operation.method.to_lowercase();
        let node = self::operation(writing, operation, answers);
        // Operations of one path stand together, so it is among the last.
        match paths.iter_mut().rev().find(|(path, _)| *path == operation.path) {
            Some((_, path)) => path.set(&method, node),
            None => paths.push((operation.path.clone(), Node::empty().with(&method, node))),
        }
    }
    paths.extend(operations::paths(writing, answers));
    paths.extend(trail::path(writing, answers));
    paths.extend(events::paths(writing, answers));
    paths.extend(webhooks::paths(writing, answers));
    paths.extend(receivers::paths(writing, answers));
    paths.extend(common::explain(writing, answers));
    paths.extend(common::probes().into_iter().map(|(path, node)| (path.to_owned(), node)));
    Node::Map(paths)
}

fn operation(writing: &Writing<'_>, operation: &Operation, answers: &mut Answers) -> Node {
    let mut node =
        map([("operationId", (&operation.id).into()), ("summary", (&operation.summary).into())]);
    if let Some(about) = description(writing, operation) {
        node.set("description", about);
    }
    let tag = operation.resource.map_or("Batch", |id| writing.names.one(id));
    node.set("tags", list([tag]));
    node.set("security", security(writing, operation));
    let parameters = parameters::parameters(writing, operation);
    if parameters != Node::List(Vec::new()) {
        node.set("parameters", parameters);
    }
    if let Some(body) = request(writing, operation) {
        node.set("requestBody", body);
    }
    let mut responses = success(writing, operation);
    answers.problems(operation, &mut responses);
    node.with("responses", responses)
}

fn grants<'a>(writing: &Writing<'a>, operation: &Operation) -> &'a [Grant] {
    let Some(id) = operation.resource else { return &[] };
    let resource = writing.resource(id);
    match operation.kind {
        OperationKind::List | OperationKind::Get => &resource.access.read,
        OperationKind::Create => &resource.access.create,
        OperationKind::Replace | OperationKind::Update => &resource.access.update,
        OperationKind::Delete => &resource.access.delete,
        OperationKind::Command(command) => &resource.commands[command.index()].by,
        OperationKind::Route(_) | OperationKind::Batch => &[],
    }
}

/// What the model says of it, who may call it, what it requires and changes.
fn description(writing: &Writing<'_>, operation: &Operation) -> Option<String> {
    let mut parts = Vec::new();
    let resource = operation.resource.map(|id| writing.resource(id));
    if let (OperationKind::Command(id), Some(resource)) = (operation.kind, resource) {
        let command = &resource.commands[id.index()];
        if !command.about.is_empty() {
            parts.push(command.about.clone());
        }
        for transition in &command.transitions {
            let field = &resource.field(transition.field).name;
            let from = transition.from.join("` or `");
            parts.push(format!("`{field}` goes from `{from}` to `{}`.", transition.to));
        }
        let guards = command.require.iter().map(|(text, _)| format!("Requires `{text}`."));
        parts.extend(guards);
        if !command.not_during.is_empty() {
            parts.push(format!("Not while `{}` runs.", command.not_during.join("` or `")));
        }
        if let Some(workflow) = &command.starts {
            parts.push(format!("Starts `{workflow}`."));
        }
    }
    if let (OperationKind::Route(at), Some(resource)) = (operation.kind, resource)
        && resource.routes[at].redirect.is_some()
    {
        parts.push("Query parameters are ignored, whatever they are.".to_owned());
    }
    let texts: Vec<String> = grants(writing, operation)
        .iter()
        .filter(|grant| grant.caller != Caller::System)
        .map(|grant| format!("`{}`", grant.text))
        .collect();
    if !texts.is_empty() {
        parts.push(format!("Allowed: {}.", texts.join(", ")));
    }
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// One alternative for each way to prove who calls; an empty one where nobody has to.
fn security(writing: &Writing<'_>, operation: &Operation) -> Node {
    let domain = &writing.architecture.domain;
    let grants = grants(writing, operation);
    let every = grants.is_empty() || grants.iter().any(|grant| grant.caller == Caller::Anyone);
    let proves = |proof: Proof| {
        let named = grants.iter().any(|grant| match grant.caller {
            Caller::Actor(id, _) => domain.actor(id).proof == proof,
            Caller::Anyone | Caller::System => false,
        });
        (every || named) && !writing.actors(proof).is_empty()
    };
    let mut ways = Vec::new();
    if matches!(operation.kind, OperationKind::Route(_)) {
        return Node::List(ways);
    }
    if proves(Proof::Oidc) {
        ways.push(map([("bearer", Node::List(Vec::new()))]));
    }
    if proves(Proof::ApiKey) {
        ways.push(map([("key", Node::List(Vec::new()))]));
    }
    if operation.anonymous {
        ways.push(Node::empty());
    }
    Node::List(ways)
}

fn json(schema: Node, example: Option<Node>) -> Node {
    map([("application/json", media(schema, example))])
}

fn media(schema: Node, example: Option<Node>) -> Node {
    let mut media = map([("schema", schema)]);
    if let Some(example) = example {
        media.set("example", example);
    }
    media
}

fn request(writing: &Writing<'_>, operation: &Operation) -> Option<Node> {
    let body = |content: Node, required: bool| {
        Some(map([("required", required.into()), ("content", content)]))
    };
    let schema = |id, form| reference(&writing.names.body(id, form));
    match (operation.kind, operation.resource) {
        (OperationKind::Create, Some(id)) => {
            let example = schemas::example(writing, id, Form::Create);
            body(json(schema(id, Body::Create), example), true)
        }
        (OperationKind::Replace, Some(id)) => {
            let example = schemas::example(writing, id, Form::Replace);
            body(json(schema(id, Body::Replace), example), true)
        }
        (OperationKind::Update, Some(id)) => {
            let media = media(schema(id, Body::Patch), patch_example(writing, id));
            body(map([("application/merge-patch+json", media)]), true)
        }
        (OperationKind::Command(command), Some(id)) => {
            let command = &writing.resource(id).commands[command.index()];
            if command.input.is_empty() {
                return None;
            }
            let domain = &writing.architecture.domain;
            let needed = |field: &Field| need(domain, id, field, Body::Create) == Need::Required;
            let required = command.input.iter().any(needed);
            let example = writing.examples.inputs(id, &command.input);
            body(json(reference(&writing.names.input(id, command)), example), required)
        }
        (OperationKind::Batch, _) => {
            body(json(reference("Batch"), common::batch_example(writing)), true)
        }
        (OperationKind::List | OperationKind::Get | OperationKind::Delete, _) => None,
        (OperationKind::Route(_), _) => None,
        (_, None) => None,
    }
}

/// The first member that a client may change, alone.
fn patch_example(writing: &Writing<'_>, id: ResourceId) -> Option<Node> {
    let Node::Map(members) = schemas::example(writing, id, Form::Replace)? else { return None };
    let simple = |node: &Node| !matches!(node, Node::List(_));
    let position = members.iter().position(|(_, node)| simple(node)).unwrap_or(0);
    members.into_iter().nth(position).map(|member| Node::Map(vec![member]))
}

/// What is said of answers that may be reused.
fn reused(writing: &Writing<'_>, id: ResourceId) -> &'static [&'static str] {
    match writing.resource(id).cache {
        Some(_) => &["Cache-Control", "Age", "Cache-Status"],
        None => &[],
    }
}

/// The answers of a call that went well.
fn success(writing: &Writing<'_>, operation: &Operation) -> Node {
    let names = &writing.names;
    match (operation.kind, operation.resource) {
        (OperationKind::List, Some(id)) => {
            let example = page_example(writing, operation, id);
            let content = json(reference(&names.page(id)), example);
            let headers = [&["Link", "ETag"][..], reused(writing, id)].concat();
            let page = answer("A page", &headers, Some(content));
            let same = [&["ETag"][..], reused(writing, id)].concat();
            map([
                ("200", linked(writing, operation, page)),
                ("304", answer("The page has not changed", &same, None)),
            ])
        }
        (OperationKind::Get, Some(id)) => {
            let either = list([reference(names.one(id)), reference(&names.part(id))]);
            let content = json(map([("anyOf", either)]), read_example(writing, id));
            let headers = [&["ETag"][..], reused(writing, id)].concat();
            map([
                ("200", linked(writing, operation, answer("The row", &headers, Some(content)))),
                ("304", answer("The row has not changed", &headers, None)),
            ])
        }
        (OperationKind::Create, Some(id)) => {
            let content = json(reference(names.one(id)), read_example(writing, id));
            let headers = [&["Location", "ETag"][..], &written(writing, &PREFERRED)].concat();
            let made = answer("The new row", &headers, Some(content));
            map([("201", linked(writing, operation, made))])
        }
        (OperationKind::Replace | OperationKind::Update | OperationKind::Command(_), Some(id)) => {
            let content = json(reference(names.one(id)), read_example(writing, id));
            let headers = [&["ETag"][..], &written(writing, &PREFERRED)].concat();
            let bare = "Done; the row was not asked for, or may not be read any more";
            map([
                ("200", answer("The row as it is now", &headers, Some(content))),
                ("204", answer(bare, &headers, None)),
            ])
        }
        (OperationKind::Delete, _) => {
            map([("204", answer("The row is gone", &written(writing, &REPEATED), None))])
        }
        (OperationKind::Route(at), Some(id)) => {
            if writing.resource(id).routes[at].redirect.is_some() {
                return map([("302", answer("The target", &["Location"], None))]);
            }
            let content = json(reference(names.one(id)), read_example(writing, id));
            map([("200", answer("The row", &["ETag"], Some(content)))])
        }
        (OperationKind::Batch, _) => {
            let content = json(reference("BatchAnswer"), None);
            let about = "What each operation answers, in their order";
            map([("200", answer(about, &written(writing, &REPEATED), Some(content)))])
        }
        (_, None) => Node::empty(),
    }
}

/// With what can be done next.
fn linked(writing: &Writing<'_>, operation: &Operation, answer: Node) -> Node {
    match links::links(writing, operation) {
        Some(links) => answer.with("links", links),
        None => answer,
    }
}

/// Headers of what may have been answered before.
const REPEATED: [&str; 2] = ["Idempotent-Replayed", "Idempotency-Expires"];
/// The same, where something may be asked to be left out.
const PREFERRED: [&str; 3] = [REPEATED[0], REPEATED[1], "Preference-Applied"];

/// Headers of a write.
fn written(writing: &Writing<'_>, headers: &[&'static str]) -> Vec<&'static str> {
    let position = common::has_copies(writing.architecture).then_some(common::POSITION);
    headers.iter().copied().chain(position).collect()
}

fn answer(about: &str, headers: &[&str], content: Option<Node>) -> Node {
    let mut node = map([("description", about.into())]);
    let mut all = Node::empty();
    for name in headers.iter().chain(&["traceparent"]) {
        all.set(name, map([("$ref", format!("#/components/headers/{name}").into())]));
    }
    node.set("headers", all);
    if let Some(content) = content {
        node.set("content", content);
    }
    node
}

fn read_example(writing: &Writing<'_>, id: ResourceId) -> Option<Node> {
    schemas::example(writing, id, Form::Read)
}

/// A page with one row, without its children.
fn page_example(writing: &Writing<'_>, operation: &Operation, id: ResourceId) -> Option<Node> {
    let Node::Map(mut members) = read_example(writing, id)? else { return None };
    let resource = writing.resource(id);
    let is_children =
        |name: &str| resource.children().any(|(field, _)| resource.field(field).name == name);
    members.retain(|(name, _)| !is_children(name));
    let cursor = example::id(&operation.id).replace('-', "");
    Some(map([("items", list([Node::Map(members)])), ("next_cursor", cursor.into())]))
}
