//! `/v1/webhooks`: endpoints that events are delivered to, where the model lets some be delivered.

use super::Writing;
use super::answers::Answers;
use super::events::{about, instant, limit, query, security, text, uuid};
use super::scalar::reference;
use crate::tree::{Node, list, map};
use ir::contract::problems;
use ir::contract::{Operation, OperationKind};

/// The tag of all of them.
pub(super) const TAG: &str = "Webhooks";

/// Characters of a URL and of a description at most.
const URL_CHARACTERS_MAX: i64 = 2_048;
const DESCRIPTION_CHARACTERS_MAX: i64 = 500;

/// May anybody have events delivered?
pub(super) fn any(writing: &Writing<'_>) -> bool {
    writing.architecture.domain.events.iter().any(|event| !event.webhook.is_empty())
}

/// One call.
struct Said {
    id: &'static str,
    summary: &'static str,
    description: &'static str,
    parameters: Vec<Node>,
    body: Option<(&'static str, &'static str)>,
    /// Status, description, and the schema of the answer.
    answer: (&'static str, &'static str, Option<&'static str>),
    problems: &'static [ir::contract::Problem],
}

const BODY: &[ir::contract::Problem] = &[
    problems::MALFORMED_BODY,
    problems::UNKNOWN_MEMBER,
    problems::BODY_TOO_LARGE,
    problems::UNSUPPORTED_MEDIA_TYPE,
    problems::INVALID_VALUE,
];

/// The paths; none where nothing is delivered.
pub(super) fn paths(writing: &Writing<'_>, answers: &mut Answers) -> Vec<(String, Node)> {
    let of = |kind: fn(&OperationKind) -> bool| {
        writing.operations().find(|one| one.resource.is_some() && kind(&one.kind))
    };
    let lists = of(|kind| *kind == OperationKind::List);
    let row = of(|kind| *kind == OperationKind::Get).or(lists);
    let (Some(row), true) = (row, any(writing)) else { return Vec::new() };
    let lists = lists.unwrap_or(row);
    let mut one = |like: &Operation, said: Said| operation(writing, answers, like, said);
    let base = format!("/{}/webhooks", writing.architecture.contract.version);
    let all = map([("get", one(row, all())), ("post", one(row, create()))]);
    let each = map([
        ("get", one(row, get())),
        ("patch", one(row, change())),
        ("delete", one(row, remove())),
    ]);
    vec![
        (base.clone(), all),
        (format!("{base}/{{id}}"), each),
        (format!("{base}/{{id}}/rotate"), map([("post", one(row, rotate()))])),
        (format!("{base}/{{id}}/attempts"), map([("get", one(lists, attempts(writing)))])),
        (format!("{base}/{{id}}/test"), map([("post", one(row, test()))])),
        (format!("{base}/{{id}}/replay"), map([("post", one(row, replay()))])),
    ]
}

fn operation(writing: &Writing<'_>, answers: &mut Answers, like: &Operation, said: Said) -> Node {
    let mut slugs = like.problems.clone();
    let own = [problems::FORBIDDEN, problems::UNKNOWN_PARAMETER, problems::INVALID_PARAMETER];
    let body = if said.body.is_some() { BODY } else { &[] };
    for problem in own.iter().chain(body).chain(said.problems) {
        if !slugs.contains(&problem.slug) {
            slugs.push(problem.slug);
        }
    }
    let (status, description, schema) = said.answer;
    let mut answer = map([("description", description.into())]);
    if let Some(schema) = schema {
        let media = map([("schema", reference(schema))]);
        answer.set("content", map([("application/json", media)]));
    }
    let mut responses = map([(status, answer)]);
    answers.slugs(&slugs, &mut responses);
    let mut node = map([
        ("operationId", said.id.into()),
        ("summary", said.summary.into()),
        ("description", said.description.into()),
        ("tags", list([TAG])),
        ("security", security(writing)),
    ]);
    if !said.parameters.is_empty() {
        node.set("parameters", list(said.parameters));
    }
    if let Some((media, schema)) = said.body {
        let content = map([(media, map([("schema", reference(schema))]))]);
        node.set("requestBody", map([("required", true.into()), ("content", content)]));
    }
    node.with("responses", responses)
}

fn id() -> Node {
    map([
        ("name", "id".into()),
        ("in", "path".into()),
        ("required", true.into()),
        ("description", "The `id` of the endpoint".into()),
        ("schema", uuid()),
    ])
}

fn all() -> Said {
    Said {
        id: "listWebhooks",
        summary: "List endpoints that events are delivered to",
        description: "Those that the caller registered; all of the tenant's for who may read and \
                      change every row of a resource. There are 50 at most, the oldest first.",
        parameters: Vec::new(),
        body: None,
        answer: ("200", "All of them", Some("WebhookList")),
        problems: &[],
    }
}

fn create() -> Said {
    let schema = text().with("minLength", 1_i64).with("maxLength", 255_i64);
    let key = map([
        ("name", "Idempotency-Key".into()),
        ("in", "header".into()),
        ("description", "A call that is repeated with it registers one endpoint".into()),
        ("schema", schema),
    ]);
    Said {
        id: "createWebhook",
        summary: "Register an endpoint",
        description: "Events that happen from then on are delivered to it at least once, those of \
                      a row in order, as Standard Webhooks 1.0. The key that they are signed with \
                      is shown here, and never again. The address is looked at before it is \
                      called: those inside of networks are refused.",
        parameters: vec![key],
        body: Some(("application/json", "NewWebhook")),
        answer: ("201", "It is registered", Some("Webhook")),
        problems: &[problems::GUARD_FAILED, problems::KEY_REUSED],
    }
}

fn get() -> Said {
    Said {
        id: "getWebhook",
        summary: "Get an endpoint",
        description: "Without the key that deliveries are signed with.",
        parameters: vec![id()],
        body: None,
        answer: ("200", "The endpoint", Some("Webhook")),
        problems: &[],
    }
}

fn change() -> Said {
    Said {
        id: "updateWebhook",
        summary: "Change an endpoint",
        description: "Members that are left out stay. One that is enabled again goes on with \
                      what happened meanwhile, as far as the log has it.",
        parameters: vec![id()],
        body: Some(("application/merge-patch+json", "WebhookChange")),
        answer: ("200", "The endpoint as it is now", Some("Webhook")),
        problems: &[],
    }
}

fn remove() -> Said {
    Said {
        id: "deleteWebhook",
        summary: "Delete an endpoint",
        description: "Nothing more is delivered to it.",
        parameters: vec![id()],
        body: None,
        answer: ("204", "It is gone", None),
        problems: &[],
    }
}

fn rotate() -> Said {
    Said {
        id: "rotateWebhook",
        summary: "Make a new key for an endpoint",
        description: "It is shown here, and never again. For 24 hours the one before signs too.",
        parameters: vec![id()],
        body: None,
        answer: ("200", "The endpoint with its new key", Some("Webhook")),
        problems: &[],
    }
}

fn attempts(writing: &Writing<'_>) -> Said {
    Said {
        id: "listWebhookAttempts",
        summary: "List what came of deliveries",
        description: "The newest first; they are kept for seven days.",
        parameters: vec![
            id(),
            limit(writing),
            query("cursor", "Where the page before ended: its `next_cursor`", text()),
        ],
        body: None,
        answer: ("200", "A page", Some("WebhookAttemptPage")),
        problems: &[problems::NOT_FOUND],
    }
}

fn test() -> Said {
    Said {
        id: "testWebhook",
        summary: "Deliver an event of no meaning now",
        description: "An event `webhook.test.v1`, signed as all others; what came of it is the \
                      answer.",
        parameters: vec![id()],
        body: None,
        answer: ("200", "What came of it", Some("WebhookTrial")),
        problems: &[],
    }
}

fn replay() -> Said {
    Said {
        id: "replayWebhook",
        summary: "Deliver events once more",
        description: "One that the endpoint has heard, or those of a time, 1000 at most; each \
                      under the id that it has.",
        parameters: vec![id()],
        body: Some(("application/json", "WebhookReplay")),
        answer: ("202", "So many are delivered once more", Some("WebhookReplayed")),
        problems: &[problems::GUARD_FAILED, problems::UNKNOWN_REFERENCE],
    }
}

fn object(required: &[&str], properties: Node) -> Node {
    let mut node = map([("type", "object".into())]);
    if !required.is_empty() {
        node.set("required", list(required.to_vec()));
    }
    node.with("properties", properties)
}

fn items(of: Node) -> Node {
    map([("type", "array".into()), ("items", of)])
}

fn one_of(words: &[&str]) -> Node {
    text().with("enum", list(words.to_vec()))
}

fn flag() -> Node {
    map([("type", "boolean".into())])
}

fn count() -> Node {
    map([("type", "integer".into()), ("minimum", 0_i64.into())])
}

/// Everything that the calls take and answer.
pub(super) fn schemas(writing: &Writing<'_>, schemas: &mut Node) {
    let offered = writing.architecture.domain.events.iter().filter(|one| !one.webhook.is_empty());
    let names: Vec<String> = offered.map(|event| event.wire_type()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let events = || items(one_of(&names)).with("minItems", 1_i64);
    let url = || {
        let url = text().with("format", "uri").with("maxLength", URL_CHARACTERS_MAX);
        about(url, "Where they are delivered, over HTTPS")
    };
    let description = || text().with("maxLength", DESCRIPTION_CHARACTERS_MAX);
    let signing = about(one_of(&["hmac", "ed25519"]), "How deliveries are signed");
    let new = map([
        ("url", url()),
        ("events", events()),
        ("description", description()),
        ("signing", signing.clone().with("default", "hmac")),
    ]);
    let closed = |schema: Node| schema.with("additionalProperties", false);
    schemas.set("NewWebhook", closed(object(&["url", "events"], new)));
    let change = map([
        ("url", url()),
        ("events", events()),
        ("description", description()),
        ("disabled", about(flag(), "Nothing is delivered")),
    ]);
    schemas.set("WebhookChange", closed(object(&[], change)));
    schemas.set("Webhook", webhook(signing));
    schemas.set("WebhookList", object(&["items"], map([("items", items(reference("Webhook")))])));
    attempt_schemas(schemas);
    let again = map([
        ("event", about(uuid(), "Its id")),
        ("since", instant()),
        ("until", about(instant(), "Now, where it is left out")),
    ]);
    let either = list([map([("required", list(["event"]))]), map([("required", list(["since"]))])]);
    schemas.set("WebhookReplay", closed(object(&[], again)).with("oneOf", either));
    let told = map([("replayed", count()), ("more", about(flag(), "There are more of that time"))]);
    schemas.set("WebhookReplayed", object(&["replayed", "more"], told));
}

fn webhook(signing: Node) -> Node {
    let properties = map([
        ("id", uuid()),
        ("url", text()),
        ("events", items(text())),
        ("description", text()),
        ("signing", signing),
        ("secret", about(text(), "The key (`whsec_…`), when it is made and never again")),
        ("public_key", about(text(), "What Ed25519 signatures are verified by (`whpk_…`)")),
        ("previous_public_key", about(text(), "That of the key before, while it signs too")),
        ("previous_key_until", instant()),
        ("state", one_of(&["active", "disabled"])),
        ("reason", about(text(), "Why it was disabled")),
        ("failing_since", about(instant(), "Since when nothing got through")),
        ("actor", about(text(), "Who registered it")),
        ("owner", about(text(), "Subject of the caller who registered it")),
        ("created_at", instant()),
        ("updated_at", instant()),
    ]);
    let required = [
        "id",
        "url",
        "events",
        "description",
        "signing",
        "state",
        "actor",
        "owner",
        "created_at",
        "updated_at",
    ];
    object(&required, properties)
}

fn attempt_schemas(schemas: &mut Node) {
    let came = |first: Node| {
        first
            .with("delivered", flag())
            .with("status", about(count(), "What the receiver answered, if it did"))
            .with("error", about(text(), "Why it failed"))
            .with("duration_ms", count())
            .with("answer", about(text(), "The beginning of what was answered"))
    };
    let attempt = map([("id", uuid()), ("event", uuid()), ("type", text()), ("at", instant())]);
    let attempt = came(attempt).with("next_attempt", instant());
    let required = ["id", "event", "type", "at", "delivered", "duration_ms", "answer"];
    schemas.set("WebhookAttempt", object(&required, attempt));
    let page = map([("items", items(reference("WebhookAttempt"))), ("next_cursor", text())]);
    schemas.set("WebhookAttemptPage", object(&["items"], page));
    let trial = came(map([("event", uuid())]));
    let required = ["event", "delivered", "duration_ms", "answer"];
    schemas.set("WebhookTrial", object(&required, trial));
}
