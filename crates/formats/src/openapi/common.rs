//! What every document has: security schemes, headers, problems, the batch, the probes.

use super::Writing;
use super::answers::Answers;
use super::scalar::reference;
use crate::example::Form;
use crate::tree::{Node, list, map};
use ir::architecture::Architecture;
use ir::contract::{BATCH_ROWS_MAX, OperationKind};
use ir::model::Proof;

/// The `ETag` that a row must have, or `*` for any.
const VERSION: &str = "^(?:\\*|\"[!#-~]*\")$";
/// The header that carries an API key.
pub(super) const KEY_HEADER: &str = "X-API-Key";

pub(super) fn security_schemes(writing: &Writing<'_>) -> Node {
    let mut schemes = Node::empty();
    let by_token = writing.actors(Proof::Oidc);
    if !by_token.is_empty() {
        let about = format!(
            "A token of the OpenID provider, for {}. `mainstay token` makes one in development.",
            by_token.join(", ")
        );
        schemes.set(
            "bearer",
            map([
                ("type", "http".into()),
                ("scheme", "bearer".into()),
                ("bearerFormat", "JWT".into()),
                ("description", about.into()),
            ]),
        );
    }
    let by_key = writing.actors(Proof::ApiKey);
    if !by_key.is_empty() {
        let about = format!("A key for {}, made by `mainstay key create`.", by_key.join(", "));
        schemes.set(
            "key",
            map([
                ("type", "apiKey".into()),
                ("in", "header".into()),
                ("name", KEY_HEADER.into()),
                ("description", about.into()),
            ]),
        );
    }
    schemes
}

/// What a write tells, and a read may bring, where copies of the database may answer reads.
pub(super) const POSITION: &str = "Mainstay-Position";

/// True where the database that was decided can have copies that lag.
pub(super) fn has_copies(architecture: &Architecture) -> bool {
    let decisions = &architecture.decisions;
    decisions.iter().any(|one| one.name == "database" && one.choice.starts_with("PostgreSQL"))
}

pub(super) fn headers(copies: bool) -> Node {
    let text = || map([("type", "string".into())]);
    let header =
        |about: &str, schema: Node| map([("description", about.into()), ("schema", schema)]);
    let seconds = map([("type", "integer".into()), ("minimum", 0.into())]);
    let tag = map([("type", "string".into()), ("pattern", "^\"(?:[0-9]+\\.)?[!#-~]+\"$".into())]);
    let flag = map([("type", "string".into()), ("const", "true".into())]);
    let mut all = map([
        ("ETag", header("Version, if it is of one row, and hash of the representation", tag)),
        ("Location", header("The path of the new row", text())),
        ("Link", header("`rel=\"next\"`: the next page (RFC 8288)", text())),
        ("Idempotent-Replayed", header("The answer of an earlier call with this key", flag)),
        ("Idempotency-Expires", header("When the key is forgotten (HTTP date)", text())),
        ("Preference-Applied", header("The preference that was followed (RFC 7240)", text())),
        ("Retry-After", header("Seconds to wait", seconds.clone())),
        ("Accept-Patch", header("What PATCH takes", text())),
        ("WWW-Authenticate", header("How to prove who calls (RFC 6750)", text())),
        (
            "Cache-Control",
            header("How long this answer may be reused, and by whom (RFC 9111)", text()),
        ),
        ("Age", header("Seconds since the answer was read", seconds)),
        (
            "Cache-Status",
            header("Whether it was reused (RFC 9211): `mainstay; hit`, or why not", text()),
        ),
        ("traceparent", header("The trace of this answer (W3C)", text())),
    ]);
    if copies {
        let about = "After a write where replicas answer reads: a read that sends it back, to \
                     whichever process, misses nothing up to here";
        all.set(POSITION, header(about, text()));
    }
    all
}

pub(super) fn problem() -> Node {
    let text = |about: &str| map([("type", "string".into()), ("description", about.into())]);
    let error = map([
        ("type", "object".into()),
        ("required", list(["detail"])),
        (
            "properties",
            map([
                ("pointer", text("JSON Pointer into the body")),
                ("parameter", text("Name of the query or path parameter")),
                ("header", text("Name of the header")),
                ("detail", text("What is wrong there and what would be right")),
                ("code", text("A narrower type")),
            ]),
        ),
    ]);
    let status =
        map([("type", "integer".into()), ("minimum", 400.into()), ("maximum", 599.into())]);
    let errors = map([
        ("type", "array".into()),
        ("description", "Every fault of the request".into()),
        ("items", error),
    ]);
    map([
        ("type", "object".into()),
        ("description", "What went wrong (RFC 9457)".into()),
        ("required", list(["type", "title", "status", "instance", "trace_id"])),
        (
            "properties",
            map([
                ("type", text("Stable name of the kind of problem")),
                ("title", text("The kind in words")),
                ("status", status),
                ("detail", text("What happened this time")),
                ("instance", text("The trace as a URI")),
                ("trace_id", text("Finds the call in logs and traces")),
                ("errors", errors),
            ]),
        ),
    ])
}

/// Which rule allows or denies an operation to the caller.
pub(super) fn explanation() -> Node {
    let text =
        |values: &[&str]| map([("type", "string".into()), ("enum", list(values.iter().copied()))]);
    let rule = map([
        ("type", "object".into()),
        ("required", list(["rule", "result"])),
        (
            "properties",
            map([
                ("rule", map([("type", "string".into())])),
                ("result", text(&["allows", "other_caller", "condition_false", "depends_on_row"])),
            ]),
        ),
    ]);
    map([
        ("type", "object".into()),
        ("required", list(["operation", "decision", "rules"])),
        (
            "properties",
            map([
                ("operation", map([("type", "string".into())])),
                ("decision", text(&["allowed", "denied", "depends_on_row"])),
                ("rules", map([("type", "array".into()), ("items", rule)])),
            ]),
        ),
    ])
}

/// The schemas of the batch.
pub(super) fn batch(writing: &Writing<'_>, schemas: &mut Node) {
    let most = i64::from(writing.architecture.settings.batch_operations_max);
    let version = &writing.architecture.contract.version;
    let operation = map([
        ("type", "object".into()),
        ("required", list(["method", "path"])),
        (
            "properties",
            map([
                (
                    "method",
                    map([
                        ("type", "string".into()),
                        ("enum", list(["POST", "PUT", "PATCH", "DELETE"])),
                    ]),
                ),
                (
                    "path",
                    map([
                        ("type", "string".into()),
                        ("pattern", format!("^/{version}/[^?]*$").into()),
                        ("description", "`#0` stands for the id that operation 0 made".into()),
                    ]),
                ),
                ("body", map([("type", "object".into())])),
                ("if_match", map([("type", "string".into()), ("pattern", VERSION.into())])),
            ]),
        ),
        ("additionalProperties", false.into()),
    ]);
    let rows = format!("At most {BATCH_ROWS_MAX} rows, children counted");
    schemas.set(
        "Batch",
        map([
            ("type", "object".into()),
            ("required", list(["operations"])),
            (
                "properties",
                map([(
                    "operations",
                    map([
                        ("type", "array".into()),
                        ("description", rows.into()),
                        ("minItems", 1.into()),
                        ("maxItems", most.into()),
                        ("items", operation),
                    ]),
                )]),
            ),
            ("additionalProperties", false.into()),
        ]),
    );
    schemas.set("BatchAnswer", batch_answer());
}

/// What each operation of a batch answered.
fn batch_answer() -> Node {
    let result = map([
        ("type", "object".into()),
        ("required", list(["status"])),
        (
            "properties",
            map([
                ("status", map([("type", "integer".into())])),
                ("location", map([("type", "string".into())])),
                ("etag", map([("type", "string".into())])),
                ("body", map([("type", "object".into())])),
            ]),
        ),
    ]);
    let results = map([("type", "array".into()), ("items", result)]);
    map([
        ("type", "object".into()),
        ("required", list(["results"])),
        ("properties", map([("results", results)])),
    ])
}

/// A batch that creates the first thing that can be created.
pub(super) fn batch_example(writing: &Writing<'_>) -> Option<Node> {
    let create = writing.operations().find(|operation| operation.kind == OperationKind::Create)?;
    let body = writing.examples.body(create.resource?, Form::Create)?;
    let one = map([("method", "POST".into()), ("path", (&create.path).into()), ("body", body)]);
    Some(map([("operations", list([one]))]))
}

/// The probes, which nobody has to prove anything for.
pub(super) fn probes() -> Vec<(&'static str, Node)> {
    let probe = |id: &str, summary: &str, down: Option<&str>| {
        let media = map([("schema", map([("type", "string".into())])), ("example", "ok\n".into())]);
        let mut answers = map([(
            "200",
            map([("description", "It is".into()), ("content", map([("text/plain", media)]))]),
        )]);
        if let Some(why) = down {
            let problem = map([("schema", reference("Problem"))]);
            answers.set(
                "503",
                map([
                    ("description", why.into()),
                    ("content", map([("application/problem+json", problem)])),
                ]),
            );
        }
        let operation = map([
            ("operationId", id.into()),
            ("summary", summary.into()),
            ("tags", list(["Health"])),
            ("security", Node::List(Vec::new())),
            ("responses", answers),
        ]);
        map([("get", operation)])
    };
    let ready = "It starts, stops or lacks its store";
    vec![
        ("/livez", probe("livez", "Is the process alive?", None)),
        ("/readyz", probe("readyz", "Can it serve?", Some(ready))),
        ("/startupz", probe("startupz", "Has it started?", Some("It still starts"))),
    ]
}

/// `GET /v1/explain`, for callers that are known.
pub(super) fn explain(writing: &Writing<'_>, answers: &mut Answers) -> Option<(String, Node)> {
    let of_rows = || writing.operations().filter(|operation| operation.resource.is_some());
    let ids: Vec<&String> = of_rows().map(|operation| &operation.id).collect();
    let like = of_rows().find(|operation| operation.kind == OperationKind::Get)?;
    let mut ways = Vec::new();
    for (scheme, proof) in [("bearer", Proof::Oidc), ("key", Proof::ApiKey)] {
        if !writing.actors(proof).is_empty() {
            ways.push(map([(scheme, Node::List(Vec::new()))]));
        }
    }
    let query = |name: &str, about: &str, schema: Node| {
        map([
            ("name", name.into()),
            ("in", "query".into()),
            ("description", about.into()),
            ("schema", schema),
        ])
    };
    let id = map([("type", "string".into()), ("format", "uuid".into())]);
    let name = map([("type", "string".into()), ("enum", list(ids))]);
    let parameters = [
        query("operation", "The id of an operation", name).with("required", true),
        query("id", "The row, where it depends on it", id),
    ];
    let example = map([
        ("operation", (&like.id).into()),
        ("decision", "denied".into()),
        ("rules", Node::List(Vec::new())),
    ]);
    let media = map([("schema", reference("Explanation")), ("example", example)]);
    let mut responses = map([(
        "200",
        map([
            ("description", "What allows or denies it".into()),
            ("content", map([("application/json", media)])),
        ]),
    )]);
    answers.problems(like, &mut responses);
    let operation = map([
        ("operationId", "explain".into()),
        ("summary", "Explain what allows or denies an operation to the caller".into()),
        ("tags", list(["Rights"])),
        ("security", Node::List(ways)),
        ("parameters", list(parameters)),
        ("responses", responses),
    ]);
    let path = format!("/{}/explain", writing.architecture.contract.version);
    Some((path, map([("get", operation)])))
}
