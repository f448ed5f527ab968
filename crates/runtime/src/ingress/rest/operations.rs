//! `/v1/operations`: what callers asked for that takes longer than a request, how far it is, and
//! what came of it. A caller sees its own operations alone.

use super::cursor::Binding;
use super::list::limit;
use super::query::{invalid, none, parameters, unknown};
use super::{caller_name, negotiate};
use crate::engine::access::unauthenticated;
use crate::engine::backend::{Backend, Live};
use crate::engine::{Failure, not_found};
use crate::http::response::Body;
use crate::http::{Request, Response};
use crate::json::literal::read_uuid;
use crate::json::write;
use crate::operate::RETENTION_MICROS;
use crate::plan::router::Own;
use crate::ports::operations::{Operation, OperationQuery, Operations, State};
use crate::ports::store::{Store, Tenant};
use crate::problem::{Problem, kinds};
use crate::request::Call;
use http::{Method, StatusCode, header};
use ir::value::Value;
use std::fmt::Write as _;
use std::sync::Arc;

pub(super) mod begin;
mod kept;
pub(crate) mod pages;
mod rows;

/// Seconds after which somebody who waits for the end of one asks again.
const RETRY_SECONDS: u64 = 1;

/// What was asked, by whom.
struct Asked<'a> {
    backend: &'a Arc<Backend>,
    live: &'a Live,
    request: &'a Request,
    call: &'a Call,
    owner: Arc<str>,
}

/// An operation, and which service's store keeps it.
struct Found {
    service: usize,
    operation: Operation,
}

/// Answers whatever is asked of operations.
pub(super) async fn answer(
    backend: &Arc<Backend>,
    live: &Live,
    request: &Request,
    call: &Call,
    (own, segment): (Own, Option<&str>),
) -> Result<Response, Failure> {
    let Some(principal) = &call.principal else { return Err(unauthenticated()) };
    let owner = Arc::clone(&principal.id);
    let asked = Asked { backend, live, request, call, owner };
    if own == Own::OperationResult {
        let found = asked.find(segment).await?;
        return kept::result(&asked, &found).await;
    }
    negotiate::acceptable(request)?;
    if own == Own::Operations {
        return asked.list().await;
    }
    let found = asked.find(segment).await?;
    match (own, &request.method) {
        (Own::OperationRows, _) => kept::rows(&asked, &found).await,
        (Own::CancelOperation, _) => asked.cancel(&found).await,
        (_, &Method::DELETE) => asked.remove(&found).await,
        _ => {
            none(request)?;
            Ok(asked.shown(StatusCode::OK, &found.operation))
        }
    }
}

impl Asked<'_> {
    fn store(&self, service: usize) -> Result<&dyn Operations, Failure> {
        operations_of(self.live, service).ok_or_else(not_found)
    }

    /// The operation that a path names, if it is the caller's.
    async fn find(&self, segment: Option<&str>) -> Result<Found, Failure> {
        let id = segment.and_then(read_uuid).ok_or_else(|| {
            Box::new(Problem::new(kinds::INVALID_PARAMETER).parameter("id", "must be a UUID"))
        })?;
        let query = OperationQuery { id: Some(id), rows_max: 1, ..OperationQuery::default() };
        self.found(&query).await?.into_iter().next().ok_or_else(not_found)
    }

    /// Operations of the caller, newest first.
    async fn found(&self, query: &OperationQuery) -> Result<Vec<Found>, Failure> {
        let query = OperationQuery { owner: Some(Arc::clone(&self.owner)), ..query.clone() };
        let mut found: Vec<Found> = Vec::new();
        for service in 0..self.live.engine.stores().len() {
            let Some(store) = operations_of(self.live, service) else { continue };
            for tenant in tenants(self.call) {
                let all = store.operations(&tenant, &query).await?;
                found.extend(all.into_iter().map(|operation| Found { service, operation }));
            }
        }
        found.sort_by_key(|found| (std::cmp::Reverse(found.operation.id), found.service));
        // Services in one database keep them together.
        found.dedup_by_key(|found| found.operation.id);
        found.truncate(usize::try_from(query.rows_max).unwrap_or(usize::MAX));
        Ok(found)
    }

    /// `GET /v1/operations`
    async fn list(&self) -> Result<Response, Failure> {
        let settings = &self.live.engine.plan.settings;
        let mut binding = self.binding(b"listOperations");
        let (mut items, mut cursor, mut raw) = (settings.page_items_default, None, String::new());
        let mut query = OperationQuery::default();
        let parameters = parameters(self.request)?;
        for parameter in &parameters {
            let (name, value) = (&*parameter.name, &*parameter.value);
            if name == "cursor" {
                cursor = Some(value.to_owned());
                continue;
            }
            let between = if raw.is_empty() { "" } else { "&" };
            // Writing to a string can't fail.
            let _written = write!(raw, "{between}{}", parameter.raw);
            match name {
                "limit" => items = limit(value, settings.page_items_max)?,
                "state" => {
                    binding.add(value.as_bytes());
                    let wrong = "must be `queued`, `running`, `done`, `failed` or `cancelled`";
                    let state = State::named(value).ok_or_else(|| invalid("state", wrong))?;
                    query.state = Some(state);
                }
                _ => return Err(unknown(name, "is no parameter of this list")),
            }
        }
        if let Some(cursor) = cursor {
            query.before = Some(before(&binding, &cursor)?);
        }
        query.rows_max = items + 1;
        let mut found = self.found(&query).await?;
        let limit = usize::try_from(items).unwrap_or(usize::MAX);
        let more = found.len() > limit;
        found.truncate(limit);
        let mut out = b"{\"items\":[".to_vec();
        for (at, found) in found.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            item(&mut out, &found.operation);
        }
        out.push(b']');
        let last = found.last().filter(|_| more);
        let next = last.and_then(|last| binding.cursor(&[Value::Uuid(last.operation.id)]));
        Ok(self.page(out, next.as_deref(), &raw))
    }

    /// The rest of a page, and where the next one is.
    fn page(&self, mut out: Vec<u8>, next: Option<&str>, raw: &str) -> Response {
        if let Some(next) = next {
            out.extend_from_slice(format!(",\"next_cursor\":\"{next}\"").as_bytes());
        }
        out.push(b'}');
        let mut response = Response::json(StatusCode::OK, out);
        if let Some(next) = next {
            let path = self.request.path();
            let between = if raw.is_empty() { "" } else { "&" };
            let link = format!("<{path}?{raw}{between}cursor={next}>; rel=\"next\"");
            response = response.header(header::LINK, &link);
        }
        self.private(response)
    }

    fn binding(&self, name: &[u8]) -> Binding<'_> {
        let mut binding = Binding::new(&self.backend.cursor_key);
        binding.add(name);
        binding.add(caller_name(self.call).as_bytes());
        binding.add(self.call.tenant.as_deref().unwrap_or_default().as_bytes());
        binding
    }

    /// `POST /v1/operations/{id}/cancel`: as often as one likes, with one effect.
    async fn cancel(&self, found: &Found) -> Result<Response, Failure> {
        none(self.request)?;
        let Found { service, operation } = found;
        let now = self.backend.now();
        let times = (now, now.saturating_add(RETENTION_MICROS));
        let store = self.store(*service)?;
        let cancelled = store.cancel(&operation.tenant, operation.id, times).await?;
        let query =
            OperationQuery { id: Some(operation.id), rows_max: 1, ..OperationQuery::default() };
        let mut all = store.operations(&operation.tenant, &query).await?;
        let after = all.pop().ok_or_else(not_found)?;
        if !cancelled && after.state != State::Cancelled {
            let detail = format!("it is {} already", after.state.name());
            return Err(Box::new(Problem::new(kinds::GUARD_FAILED).detail(detail)));
        }
        Ok(self.shown(StatusCode::OK, &after))
    }

    /// `DELETE /v1/operations/{id}`
    async fn remove(&self, found: &Found) -> Result<Response, Failure> {
        none(self.request)?;
        let Found { service, operation } = found;
        if self.store(*service)?.remove(&operation.tenant, operation.id).await? {
            return Ok(Response::new(StatusCode::NO_CONTENT));
        }
        let detail = "it is not over: cancel it first";
        Err(Box::new(Problem::new(kinds::GUARD_FAILED).detail(detail)))
    }

    fn shown(&self, status: StatusCode, operation: &Operation) -> Response {
        let mut response = shown(status, operation);
        response.tenant = self.call.tenant.clone();
        response
    }

    fn private(&self, response: Response) -> Response {
        let mut response = response.header(header::CACHE_CONTROL, "no-store");
        response.tenant = self.call.tenant.clone();
        response
    }
}

fn operations_of(live: &Live, service: usize) -> Option<&dyn Operations> {
    live.engine.stores().get(service).and_then(|store: &Arc<dyn Store>| store.operations())
}

/// Whose operations a caller may have: its tenant's, and those about what tenants share.
fn tenants(call: &Call) -> Vec<Tenant> {
    match &call.tenant {
        Some(tenant) => vec![Some(Arc::clone(tenant)), None],
        None => vec![None],
    }
}

/// The id that a cursor holds.
fn before(binding: &Binding<'_>, cursor: &str) -> Result<u128, Failure> {
    match binding.place(cursor, 1).as_deref() {
        Some([Value::Uuid(id)]) => Ok(*id),
        _ => {
            let problem = Problem::new(kinds::INVALID_CURSOR);
            Err(Box::new(problem.parameter("cursor", "was not made for this list")))
        }
    }
}

/// The answer that shows one: while it is not over, when to ask again.
fn shown(status: StatusCode, operation: &Operation) -> Response {
    let mut out = Vec::with_capacity(512);
    item(&mut out, operation);
    let mut response = Response::json(status, out).header(header::CACHE_CONTROL, "no-store");
    if !operation.state.is_over() {
        response = response.header(header::RETRY_AFTER, &RETRY_SECONDS.to_string());
    }
    response
}

/// `/v1/operations/0190a5c4-…`
fn path(operation: &Operation) -> String {
    format!("/v1/operations/{}", write::uuid_text(operation.id))
}

/// The answer to who asked for one.
fn accepted(operation: &Operation) -> (Response, Vec<u8>) {
    let response = shown(StatusCode::ACCEPTED, operation);
    let Body::Full(body) = &response.body else { return (response, Vec::new()) };
    let body = body.to_vec();
    (response.header(header::LOCATION, &path(operation)), body)
}

fn item(out: &mut Vec<u8>, operation: &Operation) {
    let (verb, of) = operation.kind.split_once(' ').unwrap_or((&operation.kind, ""));
    out.extend_from_slice(b"{\"id\":");
    write::id(out, operation.id);
    for (name, value) in [("kind", verb), ("of", of), ("state", operation.state.name())] {
        out.push(b',');
        out.extend_from_slice(&write::key(name));
        write::text(out, value);
    }
    let over = operation.state.is_over();
    out.extend_from_slice(if over { b",\"done\":true" } else { b",\"done\":false" });
    out.extend_from_slice(b",\"metadata\":{\"priority\":");
    write::text(out, operation.priority.name());
    let total = operation.total.map(|total| ("rows_total", total));
    let numbers = [("rows_done", operation.done), ("rows_failed", operation.failed)];
    let numbers = total.into_iter().chain(numbers).chain([("attempts", operation.attempts)]);
    for (name, number) in numbers {
        out.push(b',');
        out.extend_from_slice(&write::key(name));
        write::int(out, number);
    }
    let times = [
        ("created_at", Some(operation.created)),
        ("started_at", operation.started),
        ("ended_at", operation.ended),
        ("expires_at", operation.expires),
    ];
    for (name, time) in times.into_iter().filter_map(|(name, time)| Some((name, time?))) {
        out.push(b',');
        out.extend_from_slice(&write::key(name));
        write::instant(out, time);
    }
    out.push(b'}');
    if let Some(problem) = &operation.problem {
        out.extend_from_slice(b",\"error\":");
        out.extend_from_slice(problem.as_bytes());
    }
    if let Some(result) = &operation.result {
        out.extend_from_slice(b",\"response\":");
        out.extend_from_slice(result.as_bytes());
    }
    let mut links = vec![("self", "")];
    match verb {
        "import" => links.push(("rows", "/rows")),
        "export" if operation.state == State::Done => links.push(("result", "/result")),
        _ => {}
    }
    out.extend_from_slice(b",\"links\":{");
    for (at, (name, rest)) in links.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&write::key(name));
        write::text(out, &format!("{}{rest}", path(operation)));
    }
    out.extend_from_slice(b"}}");
}
