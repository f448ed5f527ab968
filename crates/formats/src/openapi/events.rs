//! `GET /v1/events` and `/v1/dead-letters`, where events are published.

use super::Writing;
use super::answers::Answers;
use super::scalar::reference;
use crate::event_schema::published;
use crate::example;
use crate::tree::{Node, list, map};
use ir::contract::problems::FORBIDDEN;
use ir::contract::{Operation, OperationKind};
use ir::domain::Event;
use ir::model::Proof;

/// The tag of all of them.
const TAG: &str = "Events";

pub(super) fn text() -> Node {
    map([("type", "string".into())])
}

pub(super) fn uuid() -> Node {
    text().with("format", "uuid")
}

pub(super) fn instant() -> Node {
    text().with("format", "date-time")
}

pub(super) fn about(schema: Node, description: &str) -> Node {
    schema.with("description", description)
}

/// Events that somebody emits.
pub(super) fn any(writing: &Writing<'_>) -> bool {
    published(&writing.architecture.domain).next().is_some()
}

/// The paths; none where nothing is published.
pub(super) fn paths(writing: &Writing<'_>, answers: &mut Answers) -> Vec<(String, Node)> {
    let of = |kind: fn(&OperationKind) -> bool| {
        writing.operations().find(|one| one.resource.is_some() && kind(&one.kind))
    };
    // Their problems are those of the like: of a list, a row, a change.
    let (Some(lists), true) = (of(|kind| *kind == OperationKind::List), any(writing)) else {
        return Vec::new();
    };
    let row = of(|kind| *kind == OperationKind::Get).unwrap_or(lists);
    let change = of(|kind| matches!(kind, OperationKind::Update | OperationKind::Command(_)));
    let change = change.unwrap_or(row);
    let base = format!("/{}", writing.architecture.contract.version);
    let get = |node: Node| map([("get", node)]);
    let post = |node: Node| map([("post", node)]);
    let letters = format!("{base}/dead-letters");
    let one = get(letter(writing, answers, row)).with("delete", discard(writing, answers, row));
    vec![
        (format!("{base}/events"), get(events(writing, answers, lists))),
        (letters.clone(), get(dead_letters(writing, answers, lists))),
        (format!("{letters}/redrive"), post(redrive_all(writing, answers, lists))),
        (format!("{letters}/{{id}}"), one),
        (format!("{letters}/{{id}}/redrive"), post(redrive(writing, answers, change))),
    ]
}

pub(super) fn security(writing: &Writing<'_>) -> Node {
    let mut ways = Vec::new();
    for (scheme, proof) in [("bearer", Proof::Oidc), ("key", Proof::ApiKey)] {
        if !writing.actors(proof).is_empty() {
            ways.push(map([(scheme, Node::List(Vec::new()))]));
        }
    }
    Node::List(ways)
}

pub(super) fn query(name: &str, description: &str, schema: Node) -> Node {
    map([
        ("name", name.into()),
        ("in", "query".into()),
        ("description", description.into()),
        ("schema", schema),
    ])
}

pub(super) fn limit(writing: &Writing<'_>) -> Node {
    let settings = &writing.architecture.settings;
    let schema = map([
        ("type", "integer".into()),
        ("minimum", 1_i64.into()),
        ("default", i64::from(settings.page_items_default).into()),
    ]);
    let most = settings.page_items_max;
    query("limit", &format!("Items of a page; more than {most} are {most}"), schema)
}

/// An operation of ours, with the problems of another.
fn operation(
    writing: &Writing<'_>,
    answers: &mut Answers,
    like: &Operation,
    (id, summary, description): (&str, &str, &str),
    parameters: Vec<Node>,
    (status, answer): (&str, Node),
) -> Node {
    let mut responses = map([(status, answer)]);
    let mut like = like.clone();
    if !like.problems.contains(&FORBIDDEN.slug) {
        like.problems.push(FORBIDDEN.slug);
    }
    answers.problems(&like, &mut responses);
    let mut node = map([
        ("operationId", id.into()),
        ("summary", summary.into()),
        ("description", description.into()),
        ("tags", list([TAG])),
        ("security", security(writing)),
    ]);
    if !parameters.is_empty() {
        node.set("parameters", list(parameters));
    }
    node.with("responses", responses)
}

pub(super) fn json(description: &str, schema: &str, example: Node) -> Node {
    let media = map([("schema", reference(schema)), ("example", example)]);
    map([("description", description.into()), ("content", map([("application/json", media)]))])
}

fn events(writing: &Writing<'_>, answers: &mut Answers, like: &Operation) -> Node {
    let domain = &writing.architecture.domain;
    let types = published(domain).map(|(_, event)| Node::from(event.wire_type().as_str()));
    let types = map([
        ("type", "array".into()),
        ("items", text().with("enum", Node::List(types.collect()))),
        ("minItems", 1_i64.into()),
        ("uniqueItems", true.into()),
    ]);
    let only = query("type", "Only of these types", types).with("explode", false);
    let order = text().with("enum", list(["oldest", "newest"])).with("default", "oldest");
    let parameters = vec![
        limit(writing),
        query("cursor", "Where a page ended: its `end_cursor` or `next_cursor`", text()),
        only,
        query("row", "Only about this row", uuid()),
        query("since", "Only at or after this instant", instant()),
        query("until", "Only before this instant", instant()),
        query("order", "Which come first", order),
    ];
    let page = json("A page", "EventPage", page_example(writing));
    let said = ("listEvents", "List what happened", EVENTS);
    operation(writing, answers, like, said, parameters, ("200", page))
}

const EVENTS: &str = "Events of the tenant as CloudEvents 1.0, oldest first, about rows that the \
    caller may read, without members that it may not; those about rows that are gone for who may \
    read every row. `end_cursor` is where the page ended, to go on from later; `next_cursor` \
    stands only where there is more already. With `Accept: text/event-stream` they are streamed \
    on as they come, each with its place as `id`, which `Last-Event-ID` takes.";

fn dead_letters(writing: &Writing<'_>, answers: &mut Answers, like: &Operation) -> Node {
    let parameters = vec![
        limit(writing),
        query("cursor", "Where the page before ended: its `next_cursor`", text()),
        query("consumer", "Only of this consumer", text()),
    ];
    let page = json("A page, in the order in which they were given up", "DeadLetterPage", {
        map([("items", Node::List(Vec::new()))])
    });
    let said = ("listDeadLetters", "List events that a consumer gave up", LETTERS);
    operation(writing, answers, like, said, parameters, ("200", page))
}

const LETTERS: &str = "An event whose effect fails is tried again, later each time; what can never \
    succeed, or failed too often, is given up and kept here with what went wrong. Later events of \
    the same row wait behind it. For who may read and change every row of the resource that the \
    event is about.";

/// An event and a consumer.
const ID: &str = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:[A-Za-z0-9._-][A-Za-z0-9 ._-]{0,127}$";

fn id_parameter() -> Node {
    map([
        ("name", "id".into()),
        ("in", "path".into()),
        ("required", true.into()),
        ("description", "The `id` of the dead letter".into()),
        ("schema", text().with("pattern", ID)),
    ])
}

fn letter(writing: &Writing<'_>, answers: &mut Answers, like: &Operation) -> Node {
    let found = map([
        ("description", "The dead letter".into()),
        ("content", map([("application/json", map([("schema", reference("DeadLetter"))]))])),
    ]);
    let said = ("getDeadLetter", "Get an event that a consumer gave up", LETTERS);
    operation(writing, answers, like, said, vec![id_parameter()], ("200", found))
}

fn discard(writing: &Writing<'_>, answers: &mut Answers, like: &Operation) -> Node {
    let gone = map([("description", "It is given up for good".into())]);
    let what = "What waits behind it goes on; nobody does it later.";
    let said = ("discardDeadLetter", "Discard an event that a consumer gave up", what);
    operation(writing, answers, like, said, vec![id_parameter()], ("204", gone))
}

fn redriven() -> Node {
    json("So many are tried again", "Redriven", map([("redriven", 1_i64.into())]))
}

fn redrive(writing: &Writing<'_>, answers: &mut Answers, like: &Operation) -> Node {
    let what = "It is tried again from the beginning; with `data` in the body that takes the \
                place of what was published. It keeps its id, so that it has its effect once.";
    let said = ("redriveDeadLetter", "Try an event again", what);
    let data = map([("type", "object".into()), ("additionalProperties", true.into())]);
    let schema = map([
        ("type", "object".into()),
        ("properties", map([("data", about(data, "In place of the event's own"))])),
        ("additionalProperties", false.into()),
    ]);
    let body = map([("content", map([("application/json", map([("schema", schema)]))]))]);
    let node = operation(writing, answers, like, said, vec![id_parameter()], ("202", redriven()));
    node.with("requestBody", body)
}

fn redrive_all(writing: &Writing<'_>, answers: &mut Answers, like: &Operation) -> Node {
    let most =
        map([("type", "integer".into()), ("minimum", 1_i64.into()), ("default", 1_000_i64.into())]);
    let parameters = vec![
        query("consumer", "Only of this consumer", text()),
        query("limit", "So many at most; more than 1000 are 1000", most),
    ];
    let said = ("redriveDeadLetters", "Try events again", "The oldest first, so many at a time.");
    operation(writing, answers, like, said, parameters, ("202", redriven()))
}

/// `Event`, `EventPage`, `DeadLetter`, `DeadLetterPage` and `Redriven`.
pub(super) fn schemas(schemas: &mut Node) {
    let object = |required: Vec<&str>, properties: Node| {
        map([("type", "object".into()), ("required", list(required)), ("properties", properties)])
    };
    let data = map([("type", "object".into()), ("additionalProperties", true.into())]);
    let data = about(data, "As the schema of its type says, in `contracts/events`");
    let event = map([
        ("specversion", text().with("const", "1.0")),
        ("id", uuid()),
        ("source", about(text(), "System and context")),
        ("type", about(text(), "Name and version")),
        ("subject", about(text(), "The row it is about")),
        ("time", instant()),
        ("datacontenttype", text().with("const", "application/json")),
        ("partitionkey", about(uuid(), "Events of one key come in order")),
        ("sequence", about(text().with("pattern", "^[0-9]{19}$"), "Its place in the log")),
        ("tenant", about(text(), "Whose it is")),
        ("traceparent", about(text(), "The trace of the call that caused it")),
        ("data", data),
    ]);
    let required =
        vec!["specversion", "id", "source", "type", "subject", "time", "partitionkey", "data"];
    schemas.set("Event", object(required, event));
    let items = |of: &str| map([("type", "array".into()), ("items", reference(of))]);
    let page = map([
        ("items", items("Event")),
        ("end_cursor", about(text(), "Where the page ended")),
        ("next_cursor", about(text(), "The same, where there is more already")),
    ]);
    schemas.set("EventPage", object(vec!["items", "end_cursor"], page));
    let attempt = map([
        ("at", instant()),
        ("problem", about(text(), "Last segment of the problem's type")),
        ("detail", text()),
    ]);
    let attempt = object(vec!["at", "problem", "detail"], attempt);
    let attempts = map([("type", "array".into()), ("items", attempt)]);
    let number = map([("type", "integer".into()), ("minimum", 0_i64.into())]);
    let edited = map([("type", "boolean".into())]);
    let letter = map([
        ("id", text()),
        ("consumer", about(text(), "Who gave it up")),
        ("since", instant()),
        ("attempts", number.clone()),
        ("edited", about(edited, "Its data was edited since it was published")),
        ("errors", about(attempts, "What went wrong, the latest last")),
        ("event", reference("Event")),
    ]);
    let required = vec!["id", "consumer", "since", "attempts", "edited", "errors", "event"];
    schemas.set("DeadLetter", object(required, letter));
    let page = map([("items", items("DeadLetter")), ("next_cursor", text())]);
    schemas.set("DeadLetterPage", object(vec!["items"], page));
    schemas.set("Redriven", object(vec!["redriven"], map([("redriven", number)])));
}

fn page_example(writing: &Writing<'_>) -> Node {
    let domain = &writing.architecture.domain;
    let first = published(domain).next();
    let emitter = |event: &Event| event.emitters.first().map(|id| domain.resource(*id));
    let item = first.and_then(|(_, event)| {
        let resource = emitter(event)?;
        let context = &domain.contexts[resource.context.index()].name;
        let row = example::id(&event.name);
        let mut item = map([
            ("specversion", "1.0".into()),
            ("id", example::id(&format!("{} event", event.name)).into()),
            ("source", format!("/{}/{context}", domain.system).into()),
            ("type", event.wire_type().into()),
            ("subject", format!("{}/{row}", resource.path).into()),
            ("time", "2026-01-31T12:00:00Z".into()),
            ("datacontenttype", "application/json".into()),
            ("partitionkey", row.clone().into()),
            ("sequence", format!("{:019}", 1).into()),
        ]);
        if domain.tenancy.is_some() && !resource.shared {
            item.set("tenant", "acme");
        }
        Some(item.with("data", map([("id", row.into())])))
    });
    map([("items", Node::List(item.into_iter().collect())), ("end_cursor", "bm93aGVyZQ".into())])
}
