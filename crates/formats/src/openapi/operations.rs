//! Rows in bulk, and the long-running operations that bring and take them: `…/import`,
//! `…/export` and `/v1/operations`.

use super::Writing;
use super::answers::Answers;
use super::events::{about, instant, json, limit, query, security, text, uuid};
use super::scalar::reference;
use crate::example;
use crate::tree::{Node, list, map};
use ir::contract::problems::{
    FORBIDDEN, GUARD_FAILED, KEY_REQUIRED, KEY_REUSED, KEY_RUNNING, MALFORMED_BODY, NOT_FOUND,
    TOO_MANY_REQUESTS, UNKNOWN_MEMBER, UNSUPPORTED_MEDIA_TYPE,
};
use ir::contract::problems::{INVALID_CURSOR, INVALID_VALUE};
use ir::contract::{Operation, OperationKind, Problem};
use ir::domain::Resource;

/// The tag of what is asked of operations.
pub(super) const TAG: &str = "Operations";
const NDJSON: &str = "application/x-ndjson";
const CSV: &str = "text/csv";

/// The operation that each of ours is like, where rows can be created or listed.
pub(super) fn any<'a>(writing: &Writing<'a>) -> Option<&'a Operation> {
    let kinds = [OperationKind::List, OperationKind::Create];
    writing.operations().find(|one| one.resource.is_some() && kinds.contains(&one.kind))
}

/// The paths, resource by resource, then those of operations.
pub(super) fn paths(writing: &Writing<'_>, answers: &mut Answers) -> Vec<(String, Node)> {
    let Some(like) = any(writing) else { return Vec::new() };
    let mut paths = Vec::new();
    for operation in writing.operations() {
        match operation.kind {
            OperationKind::Create => {
                let node = import(writing, answers, operation);
                paths.push((format!("{}/import", operation.path), map([("post", node)])));
            }
            OperationKind::List => {
                let node = export(writing, answers, operation);
                paths.push((format!("{}/export", operation.path), map([("post", node)])));
            }
            _ => {}
        }
    }
    paths.extend(own(writing, answers, like));
    paths.extend(super::jobs::paths(writing, answers, like));
    paths
}

/// What one of ours is called.
pub(super) struct Said<'a> {
    pub(super) id: String,
    pub(super) summary: String,
    pub(super) about: &'a str,
    pub(super) tag: &'a str,
}

fn said<'a>(id: &str, summary: &str, about: &'a str) -> Said<'a> {
    Said { id: id.to_owned(), summary: summary.to_owned(), about, tag: TAG }
}

/// An operation of ours: with the problems of another but some, and others.
pub(super) fn node(
    writing: &Writing<'_>,
    answers: &mut Answers,
    (like, without, with): (&Operation, &[Problem], &[Problem]),
    said: Said<'_>,
    parameters: Vec<Node>,
    (status, answer): (&str, Node),
) -> Node {
    let mut like = like.clone();
    like.problems.retain(|slug| without.iter().all(|problem| problem.slug != *slug));
    for problem in with {
        if !like.problems.contains(&problem.slug) {
            like.problems.push(problem.slug);
        }
    }
    let known = ir::contract::problems::ALL.iter().map(|problem| problem.slug);
    like.problems = known.filter(|slug| like.problems.contains(slug)).collect();
    let mut responses = map([(status, answer)]);
    answers.problems(&like, &mut responses);
    let mut node = map([
        ("operationId", said.id.into()),
        ("summary", said.summary.into()),
        ("description", said.about.into()),
        ("tags", list([said.tag])),
        ("security", security(writing)),
    ]);
    if !parameters.is_empty() {
        node.set("parameters", list(parameters));
    }
    node.with("responses", responses)
}

/// The key that makes asking twice the same as asking once, as the resource demands it.
pub(super) fn key(resource: &Resource) -> Node {
    let name = match resource.idempotency_required {
        true => "idempotencyKeyRequired",
        false => "idempotencyKey",
    };
    map([("$ref", format!("#/components/parameters/{name}").into())])
}

const IMPORT: &str = "The rows are kept before the answer is given, then made one after the other \
    with the rights of the caller, beside other calls. A row that is refused stops no other: \
    `links.rows` of the operation says what became of each. A line is one row as the body of \
    `POST` to the collection; of values between commas the header names the members, money as \
    `price.amount` and `price.currency`.";

fn import(writing: &Writing<'_>, answers: &mut Answers, create: &Operation) -> Node {
    let Some(id) = create.resource else { return Node::empty() };
    let resource = writing.resource(id);
    let one = writing.names.one(id);
    let truth = map([("type", "boolean".into()), ("default", false.into())]);
    let parameters =
        vec![query("atomic", "All rows or none, of at most 1000", truth), key(resource)];
    let said = Said {
        id: format!("import{one}"),
        summary: format!("Create many of `{}`", resource.path),
        about: IMPORT,
        tag: one,
    };
    let with = [
        MALFORMED_BODY,
        UNKNOWN_MEMBER,
        UNSUPPORTED_MEDIA_TYPE,
        INVALID_VALUE,
        FORBIDDEN,
        TOO_MANY_REQUESTS,
        KEY_RUNNING,
        KEY_REUSED,
    ];
    // Those of a row stand in the report.
    let without: Vec<Problem> = ir::contract::problems::ALL
        .iter()
        .filter(|problem| matches!(problem.status, 409 | 422))
        .copied()
        .collect();
    let of = (create, without.as_slice(), with.as_slice());
    let node = node(writing, answers, of, said, parameters, ("202", accepted()));
    let lines = map([("schema", about(text(), "Rows as JSON, a line each"))]);
    let values = map([("schema", about(text(), "Values between commas, under a header"))]);
    let content = map([(NDJSON, lines), (CSV, values)]);
    node.with("requestBody", map([("required", true.into()), ("content", content)]))
}

const EXPORT: &str = "Every row that the caller may read, with the filters, order and members of \
    the list; in the form that `Accept` names, lines of JSON or values between commas. Rows are \
    read page by page: those that change meanwhile are in it as they are when their page is read.";

fn export(writing: &Writing<'_>, answers: &mut Answers, lists: &Operation) -> Node {
    let Some(id) = lists.resource else { return Node::empty() };
    let resource = writing.resource(id);
    let many = writing.names.one(id);
    let paged = ["#/components/parameters/limit", "#/components/parameters/cursor"];
    let match_none = "#/components/parameters/ifNoneMatch";
    let is = |node: &Node, names: &[&str]| match node {
        Node::Map(members) => members.iter().any(|(name, value)| {
            name == "$ref" && matches!(value, Node::Text(text) if names.contains(&text.as_str()))
        }),
        _ => false,
    };
    let mut parameters = match super::parameters::parameters(writing, lists) {
        Node::List(all) => all,
        _ => Vec::new(),
    };
    parameters.retain(|node| !is(node, &paged) && !is(node, &[match_none]));
    parameters.push(key(resource));
    let said = Said {
        id: lists.id.replacen("list", "export", 1),
        summary: format!("Export `{}`", resource.path),
        about: EXPORT,
        tag: many,
    };
    let mut with = vec![FORBIDDEN, TOO_MANY_REQUESTS, MALFORMED_BODY, KEY_RUNNING, KEY_REUSED];
    if resource.idempotency_required {
        with.push(KEY_REQUIRED);
    }
    let of = (lists, &[INVALID_CURSOR][..], with.as_slice());
    node(writing, answers, of, said, parameters, ("202", accepted()))
}

/// It is kept, and done later.
pub(super) fn accepted() -> Node {
    let header = |name: &str| map([("$ref", format!("#/components/headers/{name}").into())]);
    let whole = map([("type", "integer".into()), ("minimum", 1_i64.into())]);
    let retry =
        map([("description", "Seconds after which to ask for it".into()), ("schema", whole)]);
    let headers = map([
        ("Location", header("Location")),
        ("Retry-After", retry),
        ("traceparent", header("traceparent")),
    ]);
    json("It is kept, and will be done", "Operation", operation_example()).with("headers", headers)
}

fn own(writing: &Writing<'_>, answers: &mut Answers, like: &Operation) -> Vec<(String, Node)> {
    let base = format!("/{}/operations", writing.architecture.contract.version);
    let cursor = || query("cursor", "Where the page before ended: its `next_cursor`", text());
    let id = || {
        map([
            ("name", "id".into()),
            ("in", "path".into()),
            ("required", true.into()),
            ("description", "The `id` of the operation".into()),
            ("schema", uuid()),
        ])
    };
    // Nothing of the rows of a resource is asked.
    let without: Vec<Problem> = ir::contract::problems::ALL
        .iter()
        .filter(|one| matches!(one.status, 409 | 415 | 422) || one.slug == FORBIDDEN.slug)
        .copied()
        .chain([MALFORMED_BODY, UNKNOWN_MEMBER, INVALID_CURSOR])
        .collect();
    let mut one = |said: Said<'_>, with: &[Problem], more: Vec<Node>, answer: (&str, Node)| {
        node(writing, answers, (like, &without, with), said, more, answer)
    };
    let state = text().with("enum", list(STATES));
    let page = json("A page", "OperationPage", map([("items", list([operation_example()]))]));
    let parameters =
        vec![limit(writing), cursor(), query("state", "Only those that stand so", state)];
    let what = "Those of the caller, newest first.";
    let said_of = said("listOperations", "List operations", what);
    let lists = one(said_of, &[INVALID_CURSOR], parameters, ("200", page));
    let shown = || json("The operation", "Operation", operation_example());
    let said_of = said("getOperation", "Get an operation", GET);
    let get = one(said_of, &[NOT_FOUND], vec![id()], ("200", shown()));
    let gone = map([("description", "It is gone with all that was kept of it".into())]);
    let said_of = said("deleteOperation", "Delete an operation that is over", DELETE);
    let delete = one(said_of, &[NOT_FOUND, GUARD_FAILED], vec![id()], ("204", gone));
    let said_of = said("cancelOperation", "Cancel an operation", CANCEL);
    let cancel = one(said_of, &[NOT_FOUND, GUARD_FAILED], vec![id()], ("200", shown()));
    let truth = map([("type", "boolean".into()), ("default", false.into())]);
    let failed = query("failed", "Only rows that are refused", truth);
    let report = json("A page, in the order of the lines", "OperationRowPage", row_example());
    let parameters = vec![id(), limit(writing), cursor(), failed];
    let said_of = said("listOperationRows", "List what became of each row of an import", ROWS);
    let rows = one(said_of, &[NOT_FOUND, INVALID_CURSOR], parameters, ("200", report));
    let media = map([("schema", text())]);
    let content = map([(NDJSON, media.clone()), (CSV, media)]);
    let file = map([("description", "The file".into()), ("content", content)]);
    let said_of = said("getOperationResult", "Get what an export made", RESULT);
    let result = one(said_of, &[NOT_FOUND, GUARD_FAILED], vec![id()], ("200", file));
    vec![
        (base.clone(), map([("get", lists)])),
        (format!("{base}/{{id}}"), map([("get", get), ("delete", delete)])),
        (format!("{base}/{{id}}/rows"), map([("get", rows)])),
        (format!("{base}/{{id}}/result"), map([("get", result)])),
        (format!("{base}/{{id}}/cancel"), map([("post", cancel)])),
    ]
}

const STATES: [&str; 5] = ["queued", "running", "done", "failed", "cancelled"];
const GET: &str = "While it is not over, `Retry-After` says when to ask again. It is kept for 7 \
    days after its end.";
const DELETE: &str = "With its report and what it made.";
const CANCEL: &str = "What is committed stays, and nothing follows. Done again it has no other \
    effect.";
const ROWS: &str = "With the line that each row stood in, and its id or the problem with it.";
const RESULT: &str = "Lines of JSON or values between commas, as the export was asked for.";

fn operation_example() -> Node {
    let id = example::id("operation");
    let at = format!("/v1/operations/{id}");
    map([
        ("id", id.into()),
        ("kind", "import".into()),
        ("of", "catalog.Product".into()),
        ("state", "queued".into()),
        ("done", false.into()),
        (
            "metadata",
            map([
                ("priority", "normal".into()),
                ("rows_total", 2_000_i64.into()),
                ("rows_done", 0_i64.into()),
                ("rows_failed", 0_i64.into()),
                ("attempts", 0_i64.into()),
                ("created_at", "2026-01-31T12:00:00Z".into()),
            ]),
        ),
        ("links", map([("self", at.clone().into()), ("rows", format!("{at}/rows").into())])),
    ])
}

fn row_example() -> Node {
    let row = map([
        ("line", 1_i64.into()),
        ("status", 201_i64.into()),
        ("id", example::id("operation row").into()),
    ]);
    map([("items", list([row]))])
}

/// `Operation`, `OperationPage`, `OperationRow` and `OperationRowPage`.
pub(super) fn schemas(writing: &Writing<'_>, schemas: &mut Node) {
    let object = |required: Vec<&str>, properties: Node| {
        map([("type", "object".into()), ("required", list(required)), ("properties", properties)])
    };
    let number = || map([("type", "integer".into()), ("minimum", 0_i64.into())]);
    let items = |of: &str| map([("type", "array".into()), ("items", reference(of))]);
    let metadata = map([
        ("priority", text().with("enum", list(["high", "normal", "low"]))),
        ("rows_total", number()),
        ("rows_done", about(number(), "Made or refused")),
        ("rows_failed", about(number(), "Refused")),
        ("attempts", about(number(), "How often somebody began to work on it")),
        ("created_at", instant()),
        ("started_at", instant()),
        ("ended_at", instant()),
        ("expires_at", about(instant(), "It is forgotten then")),
    ]);
    let required = vec!["priority", "rows_done", "rows_failed", "attempts", "created_at"];
    let links = map([
        ("self", text()),
        ("rows", about(text(), "What became of each row")),
        ("result", about(text(), "The file that was made")),
    ]);
    let response = map([("type", "object".into()), ("additionalProperties", true.into())]);
    let (kinds, of) = match writing.architecture.domain.jobs.is_empty() {
        true => (list(["import", "export"]), "The resource"),
        false => (list(["import", "export", "job"]), "The resource, or the job"),
    };
    let operation = map([
        ("id", uuid()),
        ("kind", text().with("enum", kinds)),
        ("of", about(text(), of)),
        ("state", text().with("enum", list(STATES))),
        ("done", about(map([("type", "boolean".into())]), "Nothing follows any more")),
        ("metadata", object(required, metadata)),
        ("error", reference("Problem")),
        ("response", about(response, "What came of it")),
        ("links", object(vec!["self"], links)),
    ]);
    let required = vec!["id", "kind", "of", "state", "done", "metadata", "links"];
    schemas.set("Operation", object(required, operation));
    let page = map([("items", items("Operation")), ("next_cursor", text())]);
    schemas.set("OperationPage", object(vec!["items"], page));
    let row = map([
        ("line", about(number(), "Where it stood, from 1")),
        ("status", about(number(), "As if it had come alone")),
        ("id", about(uuid(), "The new row")),
        ("problem", reference("Problem")),
    ]);
    schemas.set("OperationRow", object(vec!["line", "status"], row));
    let page = map([("items", items("OperationRow")), ("next_cursor", text())]);
    schemas.set("OperationRowPage", object(vec!["items"], page));
}
