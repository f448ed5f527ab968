//! Answers: problems by status, shared where several operations give the same.

use super::Writing;
use crate::example;
use crate::tree::{Node, list, map};
use ir::contract::{Contract, Operation, OperationKind, Problem, problems};
use ir::domain::{Domain, Kind};
use std::collections::BTreeMap;

/// The shared answers, gathered while the operations are written.
#[derive(Default)]
pub(super) struct Answers {
    shared: BTreeMap<String, Vec<Problem>>,
}

impl Answers {
    /// Adds the problems of an operation to its answers, one status each.
    pub(super) fn problems(&mut self, operation: &Operation, answers: &mut Node) {
        self.slugs(&operation.problems, answers);
    }

    /// Adds problems by their slugs.
    pub(super) fn slugs(&mut self, slugs: &[&str], answers: &mut Node) {
        let known = slugs.iter().filter_map(|slug| problems::named(slug));
        let mut by_status: BTreeMap<u16, Vec<Problem>> = BTreeMap::new();
        for problem in known {
            by_status.entry(problem.status).or_default().push(problem);
        }
        for (status, problems) in by_status {
            let slugs: Vec<&str> = problems.iter().map(|problem| problem.slug).collect();
            let name = slugs.join(".");
            let reference = format!("#/components/responses/{name}");
            answers.set(&status.to_string(), map([("$ref", reference.into())]));
            self.shared.insert(name, problems);
        }
    }

    /// `components.responses`
    pub(super) fn responses(&self, _: &Writing<'_>) -> Node {
        let mut ordered: Vec<(&String, &Vec<Problem>)> = self.shared.iter().collect();
        ordered.sort_by_key(|(name, problems)| (problems[0].status, *name));
        let mut responses = Node::empty();
        for (name, problems) in ordered {
            responses.set(name, response(problems));
        }
        responses
    }

    /// `components.examples`: one of each problem that some operation answers with.
    pub(super) fn examples(&self, writing: &Writing<'_>) -> Node {
        let contract = &writing.architecture.contract;
        let refused = refused_transition(contract, &writing.architecture.domain);
        let mut examples = Node::empty();
        for problem in problems::ALL {
            if self.shared.values().flatten().any(|used| used.slug == problem.slug) {
                let value = match &refused {
                    Some(refused) if problem.slug == problems::ILLEGAL_TRANSITION.slug => {
                        refused.answer.clone()
                    }
                    Some(_) | None => problem_example(problem),
                };
                let node = map([
                    ("summary", problem.title.into()),
                    ("description", problem.meaning.into()),
                    ("value", value),
                ]);
                examples.set(problem.slug, node);
            }
        }
        examples
    }
}

fn response(problems: &[Problem]) -> Node {
    let titles: Vec<&str> = problems.iter().map(|problem| problem.title).collect();
    let mut examples = Node::empty();
    for problem in problems {
        let reference = format!("#/components/examples/{}", problem.slug);
        examples.set(problem.slug, map([("$ref", reference.into())]));
    }
    let media = map([("schema", super::scalar::reference("Problem")), ("examples", examples)]);
    let mut response = map([("description", titles.join("; ").into())]);
    let mut headers = Node::empty();
    let names: &[&str] = match problems[0].status {
        401 => &["WWW-Authenticate"],
        409 if problems.iter().any(|problem| problem.slug == "key-running") => &["Retry-After"],
        415 => &["Accept-Patch"],
        429 | 503 => &["Retry-After"],
        _ => &[],
    };
    for name in names {
        headers.set(name, map([("$ref", format!("#/components/headers/{name}").into())]));
    }
    if headers != Node::empty() {
        response.set("headers", headers);
    }
    response.with("content", map([("application/problem+json", media)]))
}

/// The trace that the examples happened in.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A command that is called in a state it does not start from, and what it answers.
pub(crate) struct RefusedTransition<'a> {
    /// The command's operation.
    pub(crate) operation: &'a Operation,
    /// The field that holds the state.
    pub(crate) field: &'a str,
    /// The state that the row is in.
    pub(crate) from: &'a str,
    /// The problem as it is sent.
    pub(crate) answer: Node,
}

/// The first command of clients that some state refuses, called in the last such state.
pub(crate) fn refused_transition<'a>(
    contract: &'a Contract,
    domain: &'a Domain,
) -> Option<RefusedTransition<'a>> {
    contract.operations.iter().filter(|one| !one.internal).find_map(|operation| {
        let OperationKind::Command(command) = operation.kind else { return None };
        let resource = domain.resource(operation.resource?);
        let command = &resource.commands[command.index()];
        let transition = command.transitions.first()?;
        let field = resource.field(transition.field);
        let Kind::Enum(values) = &field.kind else { return None };
        let from = values.iter().rev().find(|value| !transition.from.contains(value))?;
        let needed = transition.from.join("` or `");
        let (name, field) = (&command.name, &field.name);
        let detail = format!("`{name}` needs `{field}` to be `{needed}`, and it is `{from}`");
        let mut answer = problem_example(&problems::ILLEGAL_TRANSITION);
        answer.set("detail", detail);
        answer.set("field", field);
        answer.set("from", from);
        answer.set("to", &transition.to);
        answer.set("allowed", list(resource.reachable(transition.field, from)));
        Some(RefusedTransition { operation, field, from, answer })
    })
}

/// A problem as it is sent.
fn problem_example(problem: &Problem) -> Node {
    let mut node = map([
        ("type", problem.type_uri().into()),
        ("title", problem.title.into()),
        ("status", i64::from(problem.status).into()),
    ]);
    node.set("instance", format!("urn:trace:{TRACE}"));
    node.set("trace_id", TRACE);
    let error = |place: &str, at: &str, detail: &str| {
        Node::List(vec![map([(place, at.into()), ("detail", detail.into())])])
    };
    match problem.slug {
        "unknown-parameter" => {
            node.set("errors", error("parameter", "colour", "is no parameter of this list"));
        }
        "invalid-parameter" => {
            node.set("errors", error("parameter", "limit", "must be at least 1"));
        }
        "unknown-member" => node.set("errors", error("pointer", "/colour", "is not known here")),
        "read-only-member" => node.set("errors", error("pointer", "/id", "is read-only")),
        "invalid-value" => node.set("errors", error("pointer", "/name", "is missing")),
        "duplicate" => node.set("errors", error("pointer", "/name", "is taken")),
        "unknown-reference" => {
            let detail = format!("there is no row {}", example::id("nothing"));
            node.set("errors", error("pointer", "/reference", &detail));
        }
        _ => {}
    }
    node
}
