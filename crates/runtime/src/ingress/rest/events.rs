//! `GET /v1/events`: what happened in a tenant, as CloudEvents, to whom the model allows the rows.
//!
//! Oldest first, so that who has read to the end goes on from there: `end_cursor` stands in every
//! page, `next_cursor` only where there is more already. With `Accept: text/event-stream` the same
//! goes on for ever (WHATWG server-sent events), each event with its cursor as id, which a client
//! that reconnects sends back as `Last-Event-ID`.

use super::caller_name;
use super::cursor::Binding;
use super::list::limit;
use super::query::{elements, invalid, parameters, unknown};
use crate::cloudevents;
use crate::engine::access::unauthenticated;
use crate::engine::backend::{Backend, Live};
use crate::engine::told::{Told, known};
use crate::engine::unit::Unit;
use crate::engine::{Failure, problem};
use crate::http::negotiation::media_type;
use crate::http::{Request, Response};
use crate::identity::tenant;
use crate::json::literal::read_uuid;
use crate::json::time::read_timestamp;
use crate::json::write;
use crate::plan::Plan;
use crate::ports::events::{EventQuery, Logged};
use crate::problem::{Problem, kinds};
use crate::request::Call;
use crate::upcast;
use http::{StatusCode, header};
use ir::value::Value;
use std::fmt::Write as _;
use std::sync::Arc;

mod stream;

/// Events that one page looks at for those the caller may be told.
const SCANNED_MAX: u32 = 1_000;
/// What a list that goes on for ever is sent as.
const EVENT_STREAM: &str = "text/event-stream";

/// What was asked for.
pub(super) struct Wanted<'a> {
    query: EventQuery,
    limit: u32,
    /// Position in the log of each service, where the page begins.
    from: Vec<Option<i64>>,
    binding: Binding<'a>,
    /// The query without cursor, as it came.
    raw: String,
}

/// Events of one page.
struct Page {
    told: Vec<Told>,
    /// Position in the log of each service, where it ended.
    end: Vec<Option<i64>>,
    more: bool,
}

/// A page, or all that comes.
pub(super) async fn list(
    backend: &Arc<Backend>,
    live: &Live,
    request: &Request,
    call: &Call,
) -> Result<Response, Failure> {
    let Some(offered) = media_type(&request.headers, &["application/json", EVENT_STREAM]) else {
        let detail = "`application/json` and `text/event-stream` are the forms served here";
        let problem = Problem::new(kinds::NOT_ACCEPTABLE);
        return Err(Box::new(problem.header_fault("Accept", detail)));
    };
    let wanted = wanted(&backend.cursor_key, live, request, call)?;
    if offered == EVENT_STREAM {
        return stream::begin(backend, live, request, call, wanted);
    }
    let page = page(live, call, &wanted).await?;
    let cursor = |end: &[Option<i64>]| {
        // Without it the list would seem to end here.
        wanted.binding.cursor(&place(end)).ok_or_else(|| problem(kinds::INTERNAL))
    };
    let end = cursor(&page.end)?;
    let body = body(&live.engine.plan, &page, &end);
    let mut response =
        Response::json(StatusCode::OK, body).header(header::CACHE_CONTROL, "no-store");
    if page.more {
        let between = if wanted.raw.is_empty() { "" } else { "&" };
        let (path, raw) = (request.path(), &wanted.raw);
        let link = format!("<{path}?{raw}{between}cursor={end}>; rel=\"next\"");
        response = response.header(header::LINK, &link);
    }
    response.tenant = call.tenant.clone();
    Ok(response)
}

fn place(end: &[Option<i64>]) -> Vec<Value> {
    end.iter().map(|at| at.map_or(Value::Null, Value::Int)).collect()
}

fn wanted<'k>(
    key: &'k crate::engine::seal::CursorKey,
    live: &Live,
    request: &Request,
    call: &Call,
) -> Result<Wanted<'k>, Failure> {
    if call.principal.is_none() {
        return Err(unauthenticated());
    }
    let plan = &live.engine.plan;
    if plan.domain.tenancy.is_some() && call.tenant.is_none() {
        return Err(Box::new(tenant::unknown(&plan.domain)));
    }
    let known = known(plan, call);
    if known.is_empty() {
        let detail = "events are for who may read rows that they are about";
        return Err(Box::new(Problem::new(kinds::FORBIDDEN).detail(detail)));
    }
    let (mut wanted, cursor) = asked(key, plan, request, call)?;
    wanted.from = vec![None; plan.services];
    let cursor = cursor.or_else(|| {
        let last = request.headers.get("last-event-id")?;
        last.to_str().ok().map(str::to_owned)
    });
    if let Some(cursor) = cursor {
        let place = wanted.binding.place(&cursor, plan.services).ok_or_else(|| {
            let problem = Problem::new(kinds::INVALID_CURSOR);
            Box::new(problem.parameter("cursor", "was not made for this list"))
        })?;
        let position = |value: &Value| match value {
            Value::Int(at) => Some(*at),
            _ => None,
        };
        wanted.from = place.iter().map(position).collect();
    }
    for event in &mut wanted.query.events {
        let meant = upcast::meant(&plan.domain, event).map_err(|now| {
            invalid("type", format!("`{event}` is told no more: it is read as `{now}`"))
        })?;
        *event = meant.to_owned();
    }
    if wanted.query.events.is_empty() {
        wanted.query.events = known;
    } else if let Some(other) = wanted.query.events.iter().find(|name| !known.contains(name)) {
        let detail = format!("`{other}` is no event that you may be told");
        return Err(invalid("type", detail));
    }
    Ok(wanted)
}

fn asked<'k>(
    key: &'k crate::engine::seal::CursorKey,
    plan: &Plan,
    request: &Request,
    call: &Call,
) -> Result<(Wanted<'k>, Option<String>), Failure> {
    let mut binding = Binding::new(key);
    binding.add(b"listEvents");
    binding.add(caller_name(call).as_bytes());
    binding.add(call.tenant.as_deref().unwrap_or_default().as_bytes());
    let mut wanted = Wanted {
        query: EventQuery::default(),
        limit: plan.settings.page_items_default,
        from: Vec::new(),
        binding,
        raw: String::new(),
    };
    let mut cursor = None;
    let mut terms: Vec<(&str, &str)> = Vec::new();
    let parameters = parameters(request)?;
    for parameter in &parameters {
        let (name, value) = (&*parameter.name, &*parameter.value);
        if name == "cursor" {
            cursor = Some(value.to_owned());
            continue;
        }
        let between = if wanted.raw.is_empty() { "" } else { "&" };
        let _ = write!(wanted.raw, "{between}{}", parameter.raw);
        if name == "limit" {
            wanted.limit = limit(value, plan.settings.page_items_max)?;
            continue;
        }
        wanted.term(name, value)?;
        terms.push((name, value));
    }
    terms.sort_unstable();
    for (name, value) in terms {
        wanted.binding.add(name.as_bytes());
        wanted.binding.add(value.as_bytes());
    }
    Ok((wanted, cursor))
}

impl Wanted<'_> {
    fn term(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        let moment = || {
            let wrong = || invalid(name, "must be an instant, as `2026-01-31T12:00:00Z`");
            read_timestamp(value).ok_or_else(wrong)
        };
        let query = &mut self.query;
        match name {
            "type" => {
                query.events = elements(name, value)?.into_iter().map(str::to_owned).collect();
            }
            "row" => {
                let id = read_uuid(value).ok_or_else(|| invalid(name, "must be a UUID"))?;
                query.row = Some(id);
            }
            "since" => query.since = Some(moment()?),
            "until" => query.until = Some(moment()?),
            "order" => {
                query.newest_first = match value {
                    "oldest" => false,
                    "newest" => true,
                    _ => return Err(invalid(name, "must be `oldest` or `newest`")),
                };
            }
            _ => return Err(unknown(name, "is no parameter of this list")),
        }
        Ok(())
    }
}

/// A page of what all services keep, in the order of time where there are several. It may be
/// shorter than asked for, and there be more: at most so many events are looked at.
async fn page(live: &Live, call: &Call, wanted: &Wanted<'_>) -> Result<Page, Failure> {
    let mut page = Page { told: Vec::new(), end: wanted.from.clone(), more: true };
    let mut scanned = 0;
    let mut unit = Unit::new(&live.engine, call);
    while page.more && page.told.len() < wanted.limit as usize && scanned < SCANNED_MAX {
        let lacks = wanted.limit - u32::try_from(page.told.len()).unwrap_or(wanted.limit);
        let (read, more) = merged(live, call, wanted, &mut page.end, lacks).await?;
        page.more = more;
        scanned += lacks;
        page.told.extend(unit.told(read).await?);
    }
    Ok(page)
}

/// The next events of all logs; true where there are more behind them.
async fn merged(
    live: &Live,
    call: &Call,
    wanted: &Wanted<'_>,
    end: &mut [Option<i64>],
    most: u32,
) -> Result<(Vec<Logged>, bool), Failure> {
    let mut all: Vec<(usize, Logged)> = Vec::new();
    for (service, store) in live.engine.stores().iter().enumerate() {
        let Some(log) = store.eventing() else { continue };
        let query = EventQuery { from: end[service], rows_max: most + 1, ..wanted.query.clone() };
        let read = log.page(&call.tenant, &query).await?;
        all.extend(read.into_iter().map(|event| (service, event)));
    }
    all.sort_by_key(|(_, event)| (event.time, event.id));
    if wanted.query.newest_first {
        all.reverse();
    }
    // Services in one database have one log.
    all.dedup_by_key(|(_, event)| event.id);
    let more = all.len() > most as usize;
    all.truncate(most as usize);
    for (service, event) in &all {
        let at = &mut end[*service];
        let (past, newest) = (event.position, wanted.query.newest_first);
        *at = Some(at.map_or(past, |at| if newest { at.min(past) } else { at.max(past) }));
    }
    Ok((all.into_iter().map(|(_, event)| event).collect(), more))
}

fn body(plan: &Plan, page: &Page, end: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(128 + page.told.len() * 512);
    out.extend_from_slice(b"{\"items\":[");
    for (at, told) in page.told.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        cloudevents::write(&mut out, plan, &told.event, told.data());
    }
    out.extend_from_slice(b"],\"end_cursor\":");
    write::text(&mut out, end);
    if page.more {
        out.extend_from_slice(b",\"next_cursor\":");
        write::text(&mut out, end);
    }
    out.push(b'}');
    out
}
