//! What came of deliveries to an endpoint, a delivery by way of trial, and deliveries once more.

use super::Asked;
use super::body::Again;
use crate::cloudevents;
use crate::consume::{attempt, note};
use crate::engine::{Failure, problem};
use crate::http::Response;
use crate::ingress::rest::caller_name;
use crate::ingress::rest::cursor::Binding;
use crate::ingress::rest::list::limit;
use crate::ingress::rest::negotiate::body_form;
use crate::ingress::rest::query::{none, parameters, unknown};
use crate::json::write;
use crate::ports::events::{EventQuery, Held, HeldQuery, Logged, State};
use crate::ports::webhooks::{Attempt, AttemptQuery, Endpoint};
use crate::problem::{Problem, kinds};
use crate::upcast::told_as;
use crate::webhooks::registry::{self, Ear};
use crate::webhooks::send::{Answered, Client, Message, Receiver};
use crate::webhooks::{consumer, keys};
use http::{StatusCode, header};
use ir::domain::Domain;
use ir::value::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Events that one call has sent again at most.
const REPLAYED_MAX: u32 = 1_000;
/// Events near the time of an id that are looked at for it.
const NEAR_MAX: u32 = 10_000;
/// An event is looked for so long before and after the time that its id tells.
const NEAR_MICROS: i64 = 5_000_000;
/// Events that wait for another attempt and are looked at, to tell when that is.
const WAITING_MAX: u32 = 1_000;
/// How often it is looked whether what was delivered just now is settled,
const SETTLED_LOOKS_MAX: usize = 6;
/// and between two looks.
const SETTLED_EVERY: Duration = Duration::from_millis(100);
/// Left of a call's time to write its answer.
const ANSWER_TIME: Duration = Duration::from_millis(500);
/// What a delivery by way of trial is called.
const TEST: &str = "webhook.test";
const MILLI_MICROS: i64 = 1_000;

/// `GET /v1/webhooks/{id}/attempts`: newest first.
pub(super) async fn attempts(asked: &Asked<'_>, endpoint: &Endpoint) -> Result<Response, Failure> {
    let (engine, call) = (&asked.live.engine, asked.call);
    let settings = &engine.plan.settings;
    let mut binding = Binding::new(&asked.backend.cursor_key);
    binding.add(b"listWebhookAttempts");
    binding.add(caller_name(call).as_bytes());
    binding.add(&endpoint.id.to_be_bytes());
    let (mut items, mut cursor) = (settings.page_items_default, None);
    for parameter in parameters(asked.request)? {
        match &*parameter.name {
            "limit" => items = limit(&parameter.value, settings.page_items_max)?,
            "cursor" => cursor = Some(parameter.value.into_owned()),
            name => return Err(unknown(name, "is no parameter of this list")),
        }
    }
    let mut query = AttemptQuery { endpoint: endpoint.id, before: None, rows_max: items + 1 };
    if let Some(cursor) = cursor {
        let place = binding.place(&cursor, 1);
        let before = place.and_then(|place| place.first().and_then(Value::as_uuid));
        query.before = Some(before.ok_or_else(|| {
            let problem = Problem::new(kinds::INVALID_CURSOR);
            Box::new(problem.parameter("cursor", "was not made for this list"))
        })?);
    }
    let home = registry::home(engine).ok_or_else(|| problem(kinds::INTERNAL))?;
    let mut page = home.attempts(&call.tenant, &query).await?;
    let more = page.len() > items as usize;
    page.truncate(items as usize);
    let next = match page.last().filter(|_| more) {
        None => None,
        Some(last) => {
            let place = binding.cursor(&[Value::Uuid(last.id)]);
            Some(place.ok_or_else(|| problem(kinds::INTERNAL))?)
        }
    };
    let due = due(asked, endpoint).await?;
    let domain = &engine.plan.domain;
    let mut out = b"{\"items\":[".to_vec();
    let mut told: Vec<u128> = Vec::new();
    for (at, attempt) in page.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        // The next attempt comes after the last one.
        let last = query.before.is_none() && !told.contains(&attempt.event);
        told.push(attempt.event);
        item(&mut out, domain, attempt, due.get(&attempt.event).copied().filter(|_| last));
    }
    out.push(b']');
    if let Some(next) = &next {
        out.extend_from_slice(b",\"next_cursor\":");
        write::text(&mut out, next);
    }
    out.push(b'}');
    let mut response = Response::json(StatusCode::OK, out);
    if let Some(next) = next {
        let (path, limit) = (asked.request.path(), items);
        let link = format!("<{path}?limit={limit}&cursor={next}>; rel=\"next\"");
        response = response.header(header::LINK, &link);
    }
    Ok(asked.private(response))
}

/// When events that wait are tried again.
async fn due(asked: &Asked<'_>, endpoint: &Endpoint) -> Result<BTreeMap<u128, i64>, Failure> {
    let query = HeldQuery {
        consumer: Some(consumer(endpoint.id).to_string()),
        state: Some(State::Retry),
        rows_max: WAITING_MAX,
        ..HeldQuery::default()
    };
    let mut due = BTreeMap::new();
    for Ear { source, place, .. } in registry::ears(&asked.live.engine, endpoint).await? {
        let Some(letters) = asked.live.engine.stores()[source].eventing() else { continue };
        let held = letters.held(&place, &query).await?;
        due.extend(held.into_iter().map(|held| (held.event.id, held.due)));
    }
    Ok(due)
}

fn item(out: &mut Vec<u8>, domain: &Domain, attempt: &Attempt, next: Option<i64>) {
    out.extend_from_slice(b"{\"id\":");
    write::id(out, attempt.id);
    out.extend_from_slice(b",\"event\":");
    write::id(out, attempt.event);
    out.extend_from_slice(b",\"type\":");
    write::text(out, &told_as(domain, &attempt.name));
    out.extend_from_slice(b",\"at\":");
    write::value(out, &Value::Timestamp(attempt.at));
    let (status, error) = (attempt.status, attempt.error.as_deref());
    came(out, status, error, attempt.took, &attempt.answer);
    if let Some(next) = next {
        out.extend_from_slice(b",\"next_attempt\":");
        write::value(out, &Value::Timestamp(next));
    }
    out.push(b'}');
}

/// What came of an attempt.
fn came(out: &mut Vec<u8>, status: Option<u16>, error: Option<&str>, took: i64, answer: &str) {
    let delivered = if error.is_none() { "true" } else { "false" };
    out.extend_from_slice(format!(",\"delivered\":{delivered}").as_bytes());
    if let Some(status) = status {
        out.extend_from_slice(b",\"status\":");
        write::int(out, i64::from(status));
    }
    if let Some(error) = error {
        out.extend_from_slice(b",\"error\":");
        write::text(out, error);
    }
    out.extend_from_slice(b",\"duration_ms\":");
    write::int(out, took / MILLI_MICROS);
    out.extend_from_slice(b",\"answer\":");
    write::text(out, answer);
}

/// `POST /v1/webhooks/{id}/test`: a signed delivery now, and what came of it.
pub(super) async fn test(asked: &Asked<'_>, endpoint: &Endpoint) -> Result<Response, Failure> {
    none(asked.request)?;
    let (backend, call) = (asked.backend, asked.call);
    let Ok(_place) = backend.hooks.places.try_acquire() else {
        let detail = "too many deliveries are under way";
        return Err(Box::new(Problem::new(kinds::UNAVAILABLE).detail(detail).retry_after(1)));
    };
    let at = backend.now();
    let event = trial(asked, endpoint, at);
    let mut body = Vec::with_capacity(512);
    cloudevents::write(&mut body, &asked.live.engine.plan, &event, event.data.as_bytes());
    let id = write::uuid_text(event.id);
    let message = Message { id, body, trace: asked.request.trace.clone() };
    let keys = keys(&backend.cursor_key, endpoint, at).ok_or_else(|| problem(kinds::INTERNAL))?;
    let client = Client::new(&backend.hooks.guard).map_err(|_| problem(kinds::INTERNAL))?;
    let to = Receiver { url: &endpoint.url, keys: &keys, signing: endpoint.signing };
    let left = asked.request.remaining().saturating_sub(ANSWER_TIME);
    let sent = tokio::time::timeout(left, client.send(&to, &message, at)).await;
    let answered = sent.unwrap_or_else(|_| Answered {
        status: None,
        error: Some("did not answer within the time of this call".to_owned()),
        retry_after: None,
        took: i64::try_from(left.as_micros()).unwrap_or(i64::MAX),
        answer: String::new(),
    });
    backend.hooks.count(&answered);
    let noted = attempt(backend.draw_id(at), endpoint, &event, at, &answered);
    note(&asked.live.engine, &noted, call.bindings.now).await?;
    let mut out = b"{\"event\":".to_vec();
    write::id(&mut out, event.id);
    came(&mut out, answered.status, answered.error.as_deref(), answered.took, &answered.answer);
    out.push(b'}');
    Ok(asked.private(Response::json(StatusCode::OK, out)))
}

/// An event that tells of nothing.
fn trial(asked: &Asked<'_>, endpoint: &Endpoint, at: i64) -> Logged {
    Logged {
        position: 0,
        id: asked.backend.draw_id(at),
        tenant: endpoint.tenant.clone(),
        event: TEST.into(),
        version: 1,
        resource: "webhooks".into(),
        row: endpoint.id,
        time: at,
        data: format!("{{\"webhook\":\"{}\"}}", write::uuid_text(endpoint.id)).into(),
        trace: Some(asked.request.trace.traceparent().into()),
    }
}

/// `POST /v1/webhooks/{id}/replay`: events are sent once more, under the ids that they have.
pub(super) async fn replay(asked: &Asked<'_>, endpoint: &Endpoint) -> Result<Response, Failure> {
    none(asked.request)?;
    body_form(asked.request, false)?;
    let now = asked.call.bindings.now;
    let again = Again::read(&asked.request.body, now)?;
    if endpoint.disabled {
        let detail = "the endpoint is disabled";
        return Err(Box::new(Problem::new(kinds::GUARD_FAILED).detail(detail)));
    }
    let query = EventQuery { events: endpoint.events.clone(), ..EventQuery::default() };
    let query = match again {
        Again::One(id) => {
            let made = i64::try_from(id >> 80).unwrap_or(0).saturating_mul(MILLI_MICROS);
            let (since, until) =
                (made.saturating_sub(NEAR_MICROS), made.saturating_add(NEAR_MICROS));
            let (since, until) = (Some(since), Some(until));
            EventQuery { since, until, rows_max: NEAR_MAX, ..query }
        }
        Again::Span(since, until) => {
            let (since, until) = (Some(since), Some(until));
            EventQuery { since, until, rows_max: REPLAYED_MAX + 1, ..query }
        }
    };
    let (mut replayed, mut more) = (0, false);
    for ear in registry::ears(&asked.live.engine, endpoint).await? {
        let mut found = heard(asked, endpoint, &ear, &query).await?;
        match again {
            Again::One(id) => found.retain(|event| event.id == id),
            Again::Span(..) => {
                more |= found.len() > REPLAYED_MAX as usize;
                found.truncate(REPLAYED_MAX as usize);
            }
        }
        replayed += hold(asked, &ear, found, now).await?;
    }
    if replayed == 0 && matches!(again, Again::One(_)) {
        let detail = "is no event in the log that this endpoint has heard";
        return Err(Box::new(Problem::new(kinds::UNKNOWN_REFERENCE).at("/event", detail)));
    }
    asked.log(endpoint, "replayed");
    let body = format!("{{\"replayed\":{replayed},\"more\":{more}}}");
    Ok(asked.private(Response::json(StatusCode::ACCEPTED, body)))
}

/// Events of a log that the endpoint has heard. Those that it has not are delivered in any case;
/// that one was is known a moment after it was delivered, which is waited for.
async fn heard(
    asked: &Asked<'_>,
    endpoint: &Endpoint,
    ear: &Ear,
    query: &EventQuery,
) -> Result<Vec<Logged>, Failure> {
    let engine = &asked.live.engine;
    let Some(log) = engine.stores()[ear.source].eventing() else { return Ok(Vec::new()) };
    let mut found = log.page(&endpoint.tenant, query).await?;
    found.retain(|event| engine.plan.service_of_resource(&event.resource) == Some(ear.source));
    let last = found.last().map_or(0, |event| event.position);
    let mut settled = 0;
    for look in 0..SETTLED_LOOKS_MAX {
        if look > 0 {
            tokio::time::sleep(SETTLED_EVERY).await;
        }
        let progress = log.progress(&ear.place).await?;
        let own = progress.into_iter().find(|progress| progress.part == ear.part);
        settled = own.map_or(0, |progress| progress.position);
        if settled >= last {
            break;
        }
    }
    found.retain(|event| event.position <= settled);
    Ok(found)
}

/// Has events delivered again; how many.
async fn hold(
    asked: &Asked<'_>,
    ear: &Ear,
    events: Vec<Logged>,
    now: i64,
) -> Result<usize, Failure> {
    let Some(kept) = asked.live.engine.stores()[ear.source].webhooks() else { return Ok(0) };
    let held: Vec<Held> = events
        .into_iter()
        .map(|event| Held {
            part: ear.part.clone(),
            event,
            state: State::Retry,
            attempts: 0,
            due: now,
            since: now,
            errors: Vec::new(),
            edited: false,
        })
        .collect();
    if !held.is_empty() {
        kept.hold(&ear.place, &held).await?;
    }
    Ok(held.len())
}
