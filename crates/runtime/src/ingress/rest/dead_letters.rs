//! `/v1/dead-letters`: events that a consumer gave up, for who may read and change every row that
//! they are about: listed, looked at, tried again (with other data, if need be), or discarded.

use super::audit::resources;
use super::caller_name;
use super::cursor::Binding;
use super::list::limit;
use super::negotiate::body_form;
use super::query::{decode_segment, invalid, none, parameters, unknown};
use crate::consume::letters;
use crate::engine::access::unauthenticated;
use crate::engine::backend::{Backend, Live};
use crate::engine::change::read_json;
use crate::engine::{Failure, not_found, problem};
use crate::http::{Request, Response};
use crate::identity::tenant;
use crate::json::{Json, write};
use crate::plan::Plan;
use crate::ports::events::{Held, HeldQuery, Remedy, State};
use crate::problem::{Problem, kinds};
use crate::request::Call;
use http::{Method, StatusCode, header};
use ir::value::Value;
use std::fmt::Write as _;
use std::sync::Arc;

/// Dead letters that one call tries again at most.
const REDRIVEN_MAX: u32 = 1_000;
/// The names of resources whose dead letters the caller may see, and the call's tenant is known.
fn admitted(live: &Live, call: &Call) -> Result<Vec<String>, Failure> {
    if call.principal.is_none() {
        return Err(unauthenticated());
    }
    let plan = &live.engine.plan;
    if plan.domain.tenancy.is_some() && call.tenant.is_none() {
        return Err(Box::new(tenant::unknown(&plan.domain)));
    }
    let mut resources = resources(plan, call);
    // What comes from outside is nobody's row: it is for who looks after rows of its context.
    for receiver in &plan.domain.receivers {
        let name = plan.domain.sender_name(receiver);
        let context = name.split_once('.').map(|(context, _)| format!("{context}."));
        if context.is_some_and(|context| resources.iter().any(|one| one.starts_with(&context))) {
            resources.push(name);
        }
    }
    if resources.is_empty() {
        let detail = "dead letters are for who may read and change every row of a resource";
        return Err(Box::new(Problem::new(kinds::FORBIDDEN).detail(detail)));
    }
    Ok(resources)
}

/// `GET /v1/dead-letters`
pub(super) async fn list(
    backend: &Backend,
    live: &Live,
    request: &Request,
    call: &Call,
) -> Result<Response, Failure> {
    let resources = admitted(live, call)?;
    let plan = &live.engine.plan;
    let mut binding = Binding::new(&backend.cursor_key);
    binding.add(b"listDeadLetters");
    binding.add(caller_name(call).as_bytes());
    binding.add(call.tenant.as_deref().unwrap_or_default().as_bytes());
    let mut query = of_tenant(call);
    let (mut items, mut cursor, mut raw) = (plan.settings.page_items_default, None, String::new());
    let parameters = parameters(request)?;
    for parameter in &parameters {
        let (name, value) = (&*parameter.name, &*parameter.value);
        if name == "cursor" {
            cursor = Some(value.to_owned());
            continue;
        }
        let between = if raw.is_empty() { "" } else { "&" };
        let _ = write!(raw, "{between}{}", parameter.raw);
        match name {
            "limit" => items = limit(value, plan.settings.page_items_max)?,
            "consumer" => {
                binding.add(value.as_bytes());
                query.consumer = Some(value.to_owned());
            }
            _ => return Err(unknown(name, "is no parameter of this list")),
        }
    }
    if let Some(cursor) = cursor {
        let place = binding.place(&cursor, 2);
        let at = place.and_then(|place| match place.as_slice() {
            [Value::Timestamp(since), Value::Uuid(event)] => Some((*since, *event)),
            _ => None,
        });
        query.after = Some(at.ok_or_else(|| {
            let problem = Problem::new(kinds::INVALID_CURSOR);
            Box::new(problem.parameter("cursor", "was not made for this list"))
        })?);
    }
    query.rows_max = items + 1;
    let mut page = held(live, call, &query).await?;
    let more = page.len() > items as usize;
    page.truncate(items as usize);
    let next = match page.last().filter(|_| more) {
        None => None,
        Some(last) => {
            let place = [Value::Timestamp(last.since), Value::Uuid(last.event.id)];
            Some(binding.cursor(&place).ok_or_else(|| problem(kinds::INTERNAL))?)
        }
    };
    page.retain(|held| resources.contains(&held.event.resource.to_string()));
    let body = body(plan, &page, next.as_deref());
    let mut response =
        Response::json(StatusCode::OK, body).header(header::CACHE_CONTROL, "no-store");
    if let Some(next) = next {
        let between = if raw.is_empty() { "" } else { "&" };
        let link = format!("<{}?{raw}{between}cursor={next}>; rel=\"next\"", request.path());
        response = response.header(header::LINK, &link);
    }
    Ok(response)
}

fn of_tenant(call: &Call) -> HeldQuery {
    HeldQuery {
        tenant: Some(call.tenant.clone()),
        state: Some(State::Dead),
        rows_max: REDRIVEN_MAX,
        ..HeldQuery::default()
    }
}

/// What all services hold for the caller's tenant.
async fn held(live: &Live, call: &Call, query: &HeldQuery) -> Result<Vec<Held>, Failure> {
    Ok(letters::held(live.engine.stores(), Some(&call.tenant), query).await?)
}

/// `GET`, `DELETE` of `/v1/dead-letters/{id}`
pub(super) async fn one(
    live: &Live,
    request: &Request,
    call: &Call,
    segment: Option<&str>,
) -> Result<Response, Failure> {
    let resources = admitted(live, call)?;
    none(request)?;
    let (event, consumer) = named(segment)?;
    let held = find(live, call, &resources, event, &consumer).await?;
    if request.method != Method::DELETE {
        let mut out = Vec::new();
        letters::write(&mut out, &live.engine.plan, &held);
        let response = Response::json(StatusCode::OK, out);
        return Ok(response.header(header::CACHE_CONTROL, "no-store"));
    }
    remedied(live, call, &held, &Remedy::Discard).await?;
    Ok(Response::new(StatusCode::NO_CONTENT))
}

/// `POST /v1/dead-letters/{id}/redrive`
pub(super) async fn redrive(
    live: &Live,
    request: &Request,
    call: &Call,
    segment: Option<&str>,
) -> Result<Response, Failure> {
    let resources = admitted(live, call)?;
    none(request)?;
    let (event, consumer) = named(segment)?;
    if !request.body.is_empty() {
        body_form(request, false)?;
    }
    let data = edited(&request.body)?;
    let held = find(live, call, &resources, event, &consumer).await?;
    let remedy = letters::redrive(&live.engine.plan, &held, data);
    remedied(live, call, &held, &remedy).await?;
    Ok(Response::json(StatusCode::ACCEPTED, "{\"redriven\":1}"))
}

/// `POST /v1/dead-letters/redrive`: all of a consumer, or all; so many at a time.
pub(super) async fn redrive_all(
    live: &Live,
    request: &Request,
    call: &Call,
) -> Result<Response, Failure> {
    let resources = admitted(live, call)?;
    let mut query = of_tenant(call);
    query.rows_max = REDRIVEN_MAX;
    for parameter in parameters(request)? {
        match &*parameter.name {
            "consumer" => query.consumer = Some(parameter.value.into_owned()),
            "limit" => query.rows_max = limit(&parameter.value, REDRIVEN_MAX)?,
            name => return Err(unknown(name, "is no parameter of this operation")),
        }
    }
    let mut redriven = 0;
    for held in held(live, call, &query).await? {
        if !resources.contains(&held.event.resource.to_string()) {
            continue;
        }
        match remedied(live, call, &held, &Remedy::Redrive { data: None }).await {
            Ok(()) => redriven += 1,
            // Somebody else did something about it meanwhile.
            Err(problem) if problem.kind == kinds::NOT_FOUND => {}
            Err(problem) => return Err(problem),
        }
    }
    let body = format!("{{\"redriven\":{redriven}}}");
    Ok(Response::json(StatusCode::ACCEPTED, body))
}

/// The data that takes the place of what was published: `{"data": {…}}`, or no body.
fn edited(body: &[u8]) -> Result<Option<Arc<str>>, Failure> {
    if body.is_empty() {
        return Ok(None);
    }
    let wrong = |at: &str, detail: &str| {
        let problem = Problem::new(kinds::INVALID_VALUE);
        Box::new(problem.at(at, detail))
    };
    let Json::Object(members) = read_json(body)? else {
        return Err(wrong("", "must be an object with `data`, or nothing"));
    };
    let mut data = None;
    for (name, value) in &members {
        match (&**name, value) {
            ("data", Json::Object(_)) => {
                let mut text = Vec::new();
                value.write(&mut text);
                data = Some(String::from_utf8(text).unwrap_or_default().into());
            }
            ("data", _) => return Err(wrong("/data", "must be an object")),
            (name, _) => {
                let detail = format!("`{}` is no member of this body", name);
                let problem = Problem::new(kinds::UNKNOWN_MEMBER);
                return Err(Box::new(problem.at(format!("/{name}"), detail)));
            }
        }
    }
    Ok(data)
}

/// The event and the consumer that an id names: `<event>:<consumer>`.
fn named(segment: Option<&str>) -> Result<(u128, String), Failure> {
    let text = segment.and_then(decode_segment);
    let parts = text.as_deref().and_then(letters::named);
    parts.ok_or_else(|| invalid("id", "must be the `id` of a dead letter"))
}

async fn find(
    live: &Live,
    call: &Call,
    resources: &[String],
    event: u128,
    consumer: &str,
) -> Result<Held, Failure> {
    let query = HeldQuery {
        event: Some(event),
        consumer: Some(consumer.to_owned()),
        rows_max: 1,
        ..of_tenant(call)
    };
    let found = held(live, call, &query).await?.into_iter().next();
    found.filter(|held| resources.contains(&held.event.resource.to_string())).ok_or_else(not_found)
}

async fn remedied(live: &Live, call: &Call, held: &Held, remedy: &Remedy) -> Result<(), Failure> {
    let (consumer, event) = (&held.part.consumer, held.event.id);
    tracing::info!(
        consumer = &**consumer,
        event = %letters::uuid(event),
        by = caller_name(call),
        edited = matches!(remedy, Remedy::Redrive { data: Some(_) }),
        discarded = *remedy == Remedy::Discard,
        "dead letter"
    );
    let (stores, now) = (live.engine.stores(), call.bindings.now);
    if letters::remedy(stores, Some(&call.tenant), (event, consumer), remedy, now).await? {
        let told = (Arc::clone(consumer), held.event.row);
        // Where nobody works on it here, somebody finds it in time.
        let _nobody = live.engine.shared.remedied.send(told);
        return Ok(());
    }
    Err(not_found())
}

fn body(plan: &Plan, page: &[Held], next: Option<&str>) -> Vec<u8> {
    let mut out = b"{\"items\":[".to_vec();
    for (at, held) in page.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        letters::write(&mut out, plan, held);
    }
    out.push(b']');
    if let Some(next) = next {
        out.extend_from_slice(b",\"next_cursor\":");
        write::text(&mut out, next);
    }
    out.push(b'}');
    out
}
