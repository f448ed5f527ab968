//! `GET /v1/audit`, where the system writes down what is done.

use super::Writing;
use super::answers::Answers;
use super::scalar::reference;
use crate::example;
use crate::tree::{Node, list, map};
use ir::contract::OperationKind;
use ir::model::Proof;

fn text() -> Node {
    map([("type", "string".into())])
}

fn uuid() -> Node {
    text().with("format", "uuid")
}

fn instant() -> Node {
    text().with("format", "date-time")
}

fn about(schema: Node, description: &str) -> Node {
    schema.with("description", description)
}

/// The path; none where nothing is written down.
pub(super) fn path(writing: &Writing<'_>, answers: &mut Answers) -> Option<(String, Node)> {
    if !writing.architecture.settings.audited {
        return None;
    }
    let mut lists = writing.operations().filter(|one| one.kind == OperationKind::List);
    let like = lists.next()?;
    let mut ways = Vec::new();
    for (scheme, proof) in [("bearer", Proof::Oidc), ("key", Proof::ApiKey)] {
        if !writing.actors(proof).is_empty() {
            ways.push(map([(scheme, Node::List(Vec::new()))]));
        }
    }
    let media =
        map([("schema", reference("AuditPage")), ("example", page_example(writing, &like.path))]);
    let headers = map([
        ("Link", map([("$ref", "#/components/headers/Link".into())])),
        ("traceparent", map([("$ref", "#/components/headers/traceparent".into())])),
    ]);
    let page = map([
        ("description", "A page, newest first".into()),
        ("headers", headers),
        ("content", map([("application/json", media)])),
    ]);
    let mut responses = map([("200", page)]);
    answers.problems(like, &mut responses);
    let operation = map([
        ("operationId", "listAudit".into()),
        ("summary", "List what was done, by whom and by which rule".into()),
        ("description", DESCRIPTION.into()),
        ("tags", list(["Audit"])),
        ("security", Node::List(ways)),
        ("parameters", parameters(writing)),
        ("responses", responses),
    ]);
    let path = format!("/{}/audit", writing.architecture.contract.version);
    Some((path, map([("get", operation)])))
}

const DESCRIPTION: &str = "Each change is an entry, committed with it and chained to the entry \
    before by its hash; so is each look into a tenant that is not the caller's own. A caller sees \
    the entries of the resources of which a rule without condition lets it read every row and \
    another lets it change or command every row; an actor across tenants those of the resources \
    of which it may read every row, of the tenant that it names. Values of fields that are \
    personal, secret or for some readers alone read `redacted`.";

fn parameters(writing: &Writing<'_>) -> Node {
    let settings = &writing.architecture.settings;
    let query = |name: &str, description: &str, schema: Node| {
        map([
            ("name", name.into()),
            ("in", "query".into()),
            ("description", description.into()),
            ("schema", schema),
        ])
    };
    let limit = map([
        ("type", "integer".into()),
        ("minimum", 1_i64.into()),
        ("default", i64::from(settings.page_items_default).into()),
    ]);
    let most = settings.page_items_max;
    let flag = map([("type", "boolean".into())]);
    let domain = &writing.architecture.domain;
    let names = domain.roots().map(|(id, _)| domain.full_name(id)).chain(["audit".to_owned()]);
    let names = names.map(|name| Node::from(name.as_str()));
    let resource = text().with("enum", Node::List(names.collect()));
    let mut all = vec![
        query("limit", &format!("Entries of a page; more than {most} are {most}"), limit),
        query("cursor", "Where the page before ended: its `next_cursor`", text()),
        query("resource", "Only of this resource, one whose entries the caller sees", resource),
        query("row", "Only about this row", uuid()),
        query("who", "Only of the caller with this subject", text()),
        query("operation", "Only of the operation with this id", text()),
        query("since", "Only at or after this instant", instant()),
        query("until", "Only before this instant", instant()),
    ];
    if writing.architecture.domain.tenancy.is_some() {
        let what = "Entries of what all tenants share, for who may act in every tenant";
        all.push(query("shared", what, flag));
    }
    list(all)
}

/// `AuditEntry` and `AuditPage`.
pub(super) fn schemas(schemas: &mut Node) {
    let number = map([("type", "integer".into()), ("minimum", 1_i64.into())]);
    let hash = || text().with("pattern", "^[0-9a-f]{64}$");
    let texts = map([("type", "array".into()), ("items", text())]);
    let ids = map([("type", "array".into()), ("items", uuid())]);
    let either = list([Node::from("string"), "null".into()]);
    let actor = map([("type", either)]);
    let changes = map([("type", "object".into()), ("additionalProperties", true.into())]);
    let deleted = map([("resource", text()), ("row", uuid())]);
    let along = map([("type", "object".into()), ("properties", deleted)]);
    let properties = map([
        ("id", uuid()),
        ("number", about(number, "Counts the entries of the chain, without gaps")),
        ("time", instant()),
        ("who", about(text(), "Subject of the caller; empty without token")),
        ("operation", about(text(), "Id of the operation")),
        ("resource", about(text(), "The resource; `audit` for a look at the trail itself")),
        ("previous", about(hash(), "Hash of the entry before; zeros for the first")),
        ("hash", about(hash(), "SHA-256 over `previous` and the fields of the entry")),
        ("row", about(uuid(), "The row, where it is about one")),
        ("actor", about(actor, "The caller's actor; null without token")),
        ("roles", about(texts, "Roles that the caller had")),
        ("key", about(text(), "Public part of the API key that was used")),
        ("tenant", about(text(), "The tenant")),
        ("why", about(text(), "The rule that allowed it: `mainstay explain` takes it")),
        ("trace_id", about(text(), "The trace of the request")),
        (
            "changes",
            about(changes, "Fields that changed, `before` and `after`; of children a list"),
        ),
        (
            "along_with",
            about(along, "The row whose deletion took this one along, or cleared its reference"),
        ),
        ("rows", about(ids, "Rows that a look showed")),
        ("expanded", about(text(), "Relations that a look showed as rows")),
        ("body", about(text(), "What stands in place of the rest, where somebody changed it")),
    ]);
    let required = ["id", "number", "time", "who", "operation", "resource", "previous", "hash"];
    schemas.set(
        "AuditEntry",
        map([("type", "object".into()), ("required", list(required)), ("properties", properties)]),
    );
    let items = map([("type", "array".into()), ("items", reference("AuditEntry"))]);
    schemas.set(
        "AuditPage",
        map([
            ("type", "object".into()),
            ("required", list(["items"])),
            ("properties", map([("items", items), ("next_cursor", text())])),
        ]),
    );
}

fn page_example(writing: &Writing<'_>, seed: &str) -> Node {
    let changing = |one: &&ir::contract::Operation| {
        matches!(one.kind, OperationKind::Update | OperationKind::Command(_))
    };
    let operation = writing.operations().find(changing);
    let resource = operation.and_then(|one| one.resource);
    let resource =
        resource.map_or_else(String::new, |id| writing.architecture.domain.full_name(id));
    let entry = map([
        ("id", example::id(&format!("{seed} audit")).into()),
        ("number", 1_i64.into()),
        ("time", "2026-01-31T12:00:00Z".into()),
        ("who", "alice".into()),
        ("operation", operation.map_or("", |one| one.id.as_str()).into()),
        ("resource", resource.into()),
        ("previous", "0".repeat(64).into()),
        ("hash", "9f3c".repeat(16).into()),
        ("row", example::id(seed).into()),
        ("changes", Node::empty()),
    ]);
    map([("items", list([entry]))])
}
