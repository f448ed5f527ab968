//! `POST /v1/webhooks/in/{integration}`, one path for each system outside that sends webhooks.

use super::Writing;
use super::answers::Answers;
use super::scalar::reference;
use crate::document::page::{coded, listed};
use crate::tree::{Node, list, map};
use ir::contract::problems;
use ir::domain::{Event, Receiver};
use ir::model::Scheme;
use ir::quantity::{Unit, print};

/// The tag of all of them.
pub(super) const TAG: &str = "Webhooks in";

/// What a delivery is refused with.
const REFUSED: [ir::contract::Problem; 6] = [
    problems::MALFORMED_BODY,
    problems::UNAUTHENTICATED,
    problems::NOT_FOUND,
    problems::BODY_TOO_LARGE,
    problems::UNAVAILABLE,
    problems::DEADLINE_EXCEEDED,
];

/// Is there anybody who sends?
pub(super) fn any(writing: &Writing<'_>) -> bool {
    !writing.architecture.domain.receivers.is_empty()
}

/// The paths; none where nothing is received.
pub(super) fn paths(writing: &Writing<'_>, answers: &mut Answers) -> Vec<(String, Node)> {
    let receivers = writing.architecture.domain.receivers.iter().enumerate();
    let mut paths = Vec::new();
    for (at, receiver) in receivers {
        paths.push((receiver.path(), map([("post", operation(writing, answers, at, receiver))])));
    }
    paths
}

fn operation(writing: &Writing<'_>, answers: &mut Answers, at: usize, receiver: &Receiver) -> Node {
    let domain = &writing.architecture.domain;
    let mut problems: Vec<&'static str> = REFUSED.iter().map(|problem| problem.slug).collect();
    if domain.tenancy.is_some() {
        problems.push(problems::TENANT_UNKNOWN.slug);
    }
    let media = map([
        ("schema", reference("WebhookTaken")),
        ("example", map([("outcome", "accepted".into())])),
    ]);
    let taken = map([
        ("description", "It is kept, was kept before, or is of no interest here".into()),
        ("content", map([("application/json", media)])),
    ]);
    let mut responses = map([("202", taken)]);
    answers.slugs(&problems, &mut responses);
    let body = map([("type", "object".into()), ("additionalProperties", true.into())]);
    let body = map([
        ("required", true.into()),
        ("content", map([("application/json", map([("schema", body)]))])),
    ]);
    map([
        ("operationId", format!("receive{}", camel(&receiver.name)).into()),
        ("summary", format!("Take a webhook of `{}`", receiver.name).into()),
        ("description", description(writing, at, receiver).into()),
        ("tags", list([TAG])),
        // The signature is its proof.
        ("security", Node::List(Vec::new())),
        ("parameters", list(headers(receiver.scheme))),
        ("requestBody", body),
        ("responses", responses),
    ])
}

/// A name of the model as a part of an operation's.
fn camel(name: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        format!("{}{rest}", first.to_ascii_uppercase())
    };
    name.split('_').map(word).collect()
}

fn description(writing: &Writing<'_>, at: usize, receiver: &Receiver) -> String {
    let proof = match receiver.scheme {
        Scheme::Standard => "Proved by Standard Webhooks 1.0",
        Scheme::Stripe => "Proved by `Stripe-Signature`",
        Scheme::GitHub => "Proved by `X-Hub-Signature-256`, which covers the body alone",
        Scheme::Rfc9421 => {
            "Proved by HTTP Message Signatures (RFC 9421, `hmac-sha256` or `ed25519`), which must \
             cover `content-digest` and say when they were `created`"
        }
    };
    let time = match receiver.scheme {
        Scheme::GitHub => String::new(),
        Scheme::Standard | Scheme::Stripe | Scheme::Rfc9421 => {
            let seconds = print(receiver.tolerance_seconds, &Unit::Seconds);
            format!(", at most {seconds} ago or ahead")
        }
    };
    let of = |event: &&Event| event.inbound.as_ref().is_some_and(|one| one.receiver == at);
    let events = writing.architecture.domain.events.iter().filter(of);
    let names = events.filter_map(|event| Some(event.inbound.as_ref()?.sent_as.as_str()));
    let mut text = format!(
        "{proof}{time}. Answered once what it tells is on disk; what follows comes after that, \
         once for each id of the sender. Kept: {}. Other events are answered alike and dropped.",
        listed(&coded(names)),
    );
    if writing.architecture.domain.tenancy.is_some() {
        text.push_str(" The host names the tenant.");
    }
    text
}

fn headers(scheme: Scheme) -> Vec<Node> {
    let named: &[(&str, &str)] = match scheme {
        Scheme::Standard => &[
            ("webhook-id", "The message's id, the same at each attempt"),
            ("webhook-timestamp", "When it was signed, in seconds since 1970"),
            ("webhook-signature", "`v1,` and `v1a,` signatures, with spaces between them"),
        ],
        Scheme::Stripe => &[("Stripe-Signature", "`t=…,v1=…`")],
        Scheme::GitHub => &[
            ("X-Hub-Signature-256", "`sha256=…`"),
            ("X-GitHub-Event", "What happened"),
            ("X-GitHub-Delivery", "The delivery's id"),
        ],
        Scheme::Rfc9421 => &[
            ("Content-Digest", "Digest of the body (RFC 9530), `sha-256` or `sha-512`"),
            ("Signature-Input", "What is signed, and how"),
            ("Signature", "The signatures"),
        ],
    };
    let one = |(name, about): &(&str, &str)| {
        let mut schema = map([("type", "string".into()), ("minLength", 1_i64.into())]);
        if let Some(pattern) = pattern(name) {
            schema.set("pattern", pattern);
        }
        map([
            ("name", (*name).into()),
            ("in", "header".into()),
            ("required", true.into()),
            ("description", (*about).into()),
            ("schema", schema),
        ])
    };
    named.iter().map(one).collect()
}

/// What a header has to be, where anything else is malformed rather than proof of nothing.
fn pattern(header: &str) -> Option<&'static str> {
    match header {
        "webhook-timestamp" => Some("^[0-9]{1,18}$"),
        "Stripe-Signature" => Some("^t=[0-9]{1,18},"),
        _ => None,
    }
}

/// `WebhookTaken`
pub(super) fn schemas(schemas: &mut Node) {
    let words = list(["accepted", "repeated", "ignored"]);
    let outcome = map([("type", "string".into()), ("enum", words)]);
    schemas.set(
        "WebhookTaken",
        map([
            ("type", "object".into()),
            ("required", list(["outcome"])),
            ("properties", map([("outcome", outcome)])),
        ]),
    );
}
