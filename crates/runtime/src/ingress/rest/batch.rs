//! `POST /v1/batch`: several writes of one context, all or none.

use super::keys::Key;
use super::write::{location, represent};
use super::{Asked, etag, negotiate, query};
use crate::engine::access::unauthenticated;
use crate::engine::change::{Body, Done, Match, Preconditions, Row, Verb, Write, read_json};
use crate::engine::faults::{At, Faults};
use crate::engine::unit::Unit;
use crate::engine::{Failure, not_found};
use crate::http::Response;
use crate::json::literal::read_uuid;
use crate::json::{Json, write};
use crate::problem::{Problem, kinds};
use http::{Method, StatusCode, header};
use ir::contract::{BATCH_ROWS_MAX, OperationKind};
use std::borrow::Cow;

/// One operation as it stands in the body.
struct Entry<'j> {
    method: &'j str,
    path: &'j str,
    body: Option<&'j Json<'j>>,
    if_match: Match,
}

impl Asked<'_> {
    /// The whole batch.
    pub(super) async fn batch(&self) -> Result<Response, Failure> {
        query::none(self.request)?;
        negotiate::body_form(self.request, false)?;
        let key = self.key(false)?;
        let json = read_json(&self.request.body)?;
        let most = self.live.engine.plan.settings.batch_operations_max;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let entries = entries(&json, most)?;
        let mut writes = Vec::with_capacity(entries.len());
        let mut kinds = Vec::with_capacity(entries.len());
        let mut rows = 0;
        for (at, entry) in entries.iter().enumerate() {
            let (kind, write) = self.entry(at, entry, key.as_ref()).map_err(|failure| {
                let pointer = format!("/operations/{at}");
                if failure.errors.is_empty() {
                    let detail =
                        failure.detail.clone().unwrap_or_else(|| failure.kind.title.to_owned());
                    return Box::new(failure.at(pointer, detail));
                }
                failure
            })?;
            self.same_context(at, writes.first(), &write)?;
            rows += self.rows(&write);
            kinds.push(kind);
            writes.push(write);
        }
        if rows > BATCH_ROWS_MAX {
            let detail = format!(
                "have {rows} rows with their children, and a batch at most {BATCH_ROWS_MAX}"
            );
            let problem = Problem::new(crate::problem::kinds::INVALID_VALUE);
            return Err(Box::new(problem.at("/operations", detail)));
        }
        self.run(&writes, key, Some(&kinds)).await
    }

    /// Rows that a write brings: its own, and the children in its body.
    fn rows(&self, write: &Write<'_>) -> usize {
        let plan = &self.live.engine.plan;
        let resource = plan.domain.resource(write.resource);
        let Body::Json(Json::Object(members)) = write.body else { return 1 };
        let children = plan.resource(write.resource).children.iter().map(|child| {
            let name = &resource.field(child.field).name;
            members.iter().find(|(member, _)| **member == **name).map_or(
                0,
                |(_, list)| match list {
                    Json::Array(rows) => rows.len(),
                    _ => 0,
                },
            )
        });
        1 + children.sum::<usize>()
    }

    /// An operation of the batch as the same checks let it through that it would meet alone.
    fn entry<'j>(
        &self,
        at: usize,
        entry: &Entry<'j>,
        key: Option<&Key>,
    ) -> Result<(OperationKind, Write<'j>), Failure> {
        let plan = &self.live.engine.plan;
        let found = plan.router.find(entry.path).ok_or_else(not_found)?;
        let method = Method::from_bytes(entry.method.as_bytes()).map_err(|_| not_found())?;
        let operation = found.endpoint.operation(&method).map(|index| &plan.operations[index]);
        let hidden = |internal: bool| internal && !self.call.is_system();
        if hidden(found.endpoint.internal) {
            return Err(not_found());
        }
        let Some(operation) = operation else {
            let detail = format!("`{}` takes {}", entry.path, found.endpoint.allow);
            let problem = Problem::new(kinds::METHOD_NOT_ALLOWED).detail(detail);
            return Err(Box::new(problem.header(header::ALLOW, &found.endpoint.allow)));
        };
        if hidden(operation.internal) {
            return Err(not_found());
        }
        if self.call.principal.is_none() && !operation.anonymous {
            return Err(unauthenticated());
        }
        let verb = match operation.kind {
            OperationKind::Create => Verb::Create,
            OperationKind::Replace => Verb::Replace,
            OperationKind::Update => Verb::Update,
            OperationKind::Delete => Verb::Delete,
            OperationKind::Command(command) => Verb::Command(command),
            OperationKind::List | OperationKind::Get => return Err(not_found()),
            OperationKind::Route(_) | OperationKind::Batch => return Err(not_found()),
        };
        let resource = operation.resource.ok_or_else(not_found)?;
        if plan.domain.resource(resource).idempotency_required && key.is_none() {
            let problem = Problem::new(kinds::KEY_REQUIRED);
            return Err(Box::new(problem.detail("the batch needs an `Idempotency-Key`")));
        }
        let row = match (verb, found.segment) {
            (Verb::Create, _) => None,
            (_, Some(segment)) => Some(row(segment, at)?),
            (_, None) => return Err(not_found()),
        };
        let body = match (verb, entry.body) {
            (Verb::Delete, _) | (Verb::Command(_), None) => Body::Nothing,
            (_, Some(json)) => Body::Json(json),
            (Verb::Create | Verb::Replace | Verb::Update, None) => {
                let problem = Problem::new(kinds::INVALID_VALUE);
                let pointer = format!("/operations/{at}/body");
                return Err(Box::new(problem.at(pointer, "is required")));
            }
        };
        let preconditions =
            Preconditions { matches: entry.if_match.clone(), differs: Match::Absent };
        Ok((operation.kind, Write { verb, resource, row, body, preconditions }))
    }

    /// A batch is atomic within one context, so it may not leave it.
    fn same_context(
        &self,
        at: usize,
        first: Option<&Write<'_>>,
        write: &Write<'_>,
    ) -> Result<(), Failure> {
        let domain = &self.live.engine.plan.domain;
        let context = |write: &Write<'_>| domain.resource(write.resource).context;
        let Some(first) = first.filter(|first| context(first) != context(write)) else {
            return Ok(());
        };
        let name = |write: &Write<'_>| &domain.contexts[context(write).index()].name;
        let detail = format!(
            "is of the context `{}`, and the first operation is of `{}`: a batch is atomic within \
             one context",
            name(write),
            name(first)
        );
        let problem = Problem::new(kinds::INVALID_VALUE);
        Err(Box::new(problem.at(format!("/operations/{at}/path"), detail)))
    }

    /// `{"results":[{"status":201,…}]}`
    pub(super) fn batch_answer(&self, unit: &Unit<'_>, done: &[Done]) -> (Response, Vec<u8>) {
        let mut body = Vec::with_capacity(64 + done.len() * 512);
        body.extend_from_slice(b"{\"results\":[");
        for (at, done) in done.iter().enumerate() {
            if at > 0 {
                body.push(b',');
            }
            let shown = represent(unit, done);
            let status: &[u8] = match (done.verb, &shown) {
                (Verb::Create, _) => b"{\"status\":201",
                (_, Some(_)) => b"{\"status\":200",
                (_, None) => b"{\"status\":204",
            };
            body.extend_from_slice(status);
            if done.verb == Verb::Create {
                body.extend_from_slice(b",\"location\":");
                write::text(&mut body, &location(unit, done));
            }
            if let Some((tag, row)) = shown {
                body.extend_from_slice(b",\"etag\":");
                write::text(&mut body, tag.to_str().unwrap_or_default());
                body.extend_from_slice(b",\"body\":");
                body.extend_from_slice(&row);
            }
            body.push(b'}');
        }
        body.extend_from_slice(b"]}");
        let response = Response::new(StatusCode::OK);
        (response.header(header::CONTENT_TYPE, "application/json"), body)
    }
}

/// `{id}`, or `#n` for the row that operation n made.
fn row(segment: &str, at: usize) -> Result<Row, Failure> {
    let made = segment.strip_prefix('#').or_else(|| segment.strip_prefix("%23"));
    if let Some(number) = made {
        let number = number.parse::<usize>().ok().filter(|number| *number < at);
        return number.map(Row::Made).ok_or_else(|| {
            let detail = "`#` and a number name the row that an earlier operation made";
            let problem = Problem::new(kinds::INVALID_VALUE);
            Box::new(problem.at(format!("/operations/{at}/path"), detail))
        });
    }
    read_uuid(segment).map(Row::Id).ok_or_else(|| {
        let problem = Problem::new(kinds::INVALID_VALUE);
        Box::new(problem.at(format!("/operations/{at}/path"), "must hold a UUID"))
    })
}

/// The operations of a body.
fn entries<'j>(json: &'j Json<'j>, most: usize) -> Result<Vec<Entry<'j>>, Failure> {
    let mut faults = Faults::default();
    let mut entries = Vec::new();
    let mut found = None;
    match json {
        Json::Object(members) => {
            for (name, value) in members {
                if name == "operations" {
                    found = Some(value);
                } else {
                    let at = At::Member(&At::Root, name);
                    faults.add(kinds::UNKNOWN_MEMBER, at.pointer(), "is no member of a batch");
                }
            }
        }
        other => {
            faults.invalid(&At::Root, format!("must be an object, not {}", other.kind()));
        }
    }
    let at = At::Member(&At::Root, "operations");
    match found {
        Some(Json::Array(operations)) if (1..=most).contains(&operations.len()) => {
            for (index, operation) in operations.iter().enumerate() {
                entries.extend(entry(operation, &At::Index(&at, index), &mut faults));
            }
        }
        Some(Json::Array(_)) => {
            faults.invalid(&at, format!("must have 1 to {most} elements"));
        }
        Some(other) => faults.invalid(&at, format!("must be an array, not {}", other.kind())),
        None if faults.is_empty() => faults.invalid(&at, "is required"),
        None => {}
    }
    faults.settle()?;
    Ok(entries)
}

fn entry<'j>(json: &'j Json<'j>, at: &At<'_>, faults: &mut Faults) -> Option<Entry<'j>> {
    let Json::Object(members) = json else {
        faults.invalid(at, format!("must be an object, not {}", json.kind()));
        return None;
    };
    let (mut method, mut path) = (None, None);
    let mut entry = Entry { method: "", path: "", body: None, if_match: Match::Absent };
    for (name, value) in members {
        let at = At::Member(at, name);
        match (&**name, value) {
            ("method", Json::Text(text)) => {
                if matches!(&**text, "POST" | "PUT" | "PATCH" | "DELETE") {
                    method = Some(text);
                } else {
                    faults.invalid(&at, "must be `POST`, `PUT`, `PATCH` or `DELETE`");
                    method = Some(text);
                }
            }
            ("path", Json::Text(text)) => {
                if !text.starts_with('/') || text.contains('?') {
                    faults.invalid(&at, "must be a path without query");
                }
                path = Some(text);
            }
            ("body", Json::Object(_)) => entry.body = Some(value),
            ("if_match", Json::Text(text)) => match etag::member(text) {
                Some(tags) => entry.if_match = tags,
                None => faults.invalid(&at, "must be `*` or an `ETag` with its quotes"),
            },
            ("method" | "path" | "if_match", other) => {
                faults.invalid(&at, format!("must be text, not {}", other.kind()));
            }
            ("body", other) => {
                faults.invalid(&at, format!("must be an object, not {}", other.kind()));
            }
            _ => faults.add(kinds::UNKNOWN_MEMBER, at.pointer(), "is no member of an operation"),
        }
    }
    for (name, given) in [("method", method.is_some()), ("path", path.is_some())] {
        if !given && !members.iter().any(|(member, _)| member == name) {
            faults.invalid(&At::Member(at, name), "is required");
        }
    }
    let text = |text: Option<&'j Cow<'j, str>>| text.map_or("", |text| &**text);
    (entry.method, entry.path) = (text(method), text(path));
    Some(entry)
}
