//! Jobs: `POST /v1/operations/{job}`.

use super::Writing;
use super::answers::Answers;
use super::operations::{Said, TAG, accepted, key, node};
use super::schemas::inputs;
use crate::tree::{Node, map};
use ir::contract::problems::{
    FORBIDDEN, INVALID_CURSOR, INVALID_VALUE, KEY_REUSED, KEY_RUNNING, MALFORMED_BODY,
    TOO_MANY_REQUESTS, UNKNOWN_MEMBER, UNSUPPORTED_MEDIA_TYPE,
};
use ir::contract::{Operation, Problem};
use ir::domain::{Job, Source};

/// The path of each job that somebody but `system` may ask for.
pub(super) fn paths(
    writing: &Writing<'_>,
    answers: &mut Answers,
    like: &Operation,
) -> Vec<(String, Node)> {
    let jobs = writing.architecture.domain.jobs.iter().filter(|job| !job.internal());
    jobs.map(|job| (job.address(), map([("post", post(writing, answers, like, job))]))).collect()
}

fn post(writing: &Writing<'_>, answers: &mut Answers, like: &Operation, job: &Job) -> Node {
    let resource = writing.resource(job.resource);
    let names = job.by.iter().map(|grant| format!("`{}`", grant.text));
    let mut about = match job.about.is_empty() {
        true => String::new(),
        false => format!("{}\n\n", job.about),
    };
    about.push_str(&format!(
        "Calls `{}` once in effect, beside the requests, in up to {} attempts; what is refused \
         for good is not tried again. Asked for by {}.",
        writing.architecture.domain.target_name(job),
        job.attempts_max,
        names.collect::<Vec<_>>().join(", ")
    ));
    let parameters = vec![key(resource)];
    let mut id = String::from("ask");
    for word in job.path.split('-').filter(|word| !word.is_empty()) {
        let (first, rest) = word.split_at(1);
        id.push_str(&first.to_uppercase());
        id.push_str(rest);
    }
    let words = job.name.replace('_', " ");
    let said = Said { id, summary: format!("Ask for `{words}`"), about: &about, tag: TAG };
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
    // What is refused later stands in the operation.
    let without: Vec<Problem> = ir::contract::problems::ALL
        .iter()
        .filter(|problem| matches!(problem.status, 409 | 422))
        .copied()
        .chain([INVALID_CURSOR])
        .collect();
    let of = (like, without.as_slice(), with.as_slice());
    let node = node(writing, answers, of, said, parameters, ("202", accepted()));
    if job.input.is_empty() {
        return node;
    }
    let mut media = map([("schema", inputs(writing, job.resource, &job.input))]);
    if let Some(example) = writing.examples.inputs(job.resource, &job.input) {
        media.set("example", example);
    }
    let needed = |field: &ir::domain::Field| !field.optional && field.source == Source::Client;
    let required = job.input.iter().any(needed);
    let content = map([("application/json", media)]);
    node.with("requestBody", map([("required", required.into()), ("content", content)]))
}
