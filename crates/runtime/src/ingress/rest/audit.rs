//! `GET /v1/audit`: what was done, newest first, to whom the model allows it.
//!
//! A caller sees the entries of those resources that a rule without condition lets it read and
//! another lets it change (or a command do something to); who may act in every tenant sees those
//! that it may read, of the tenant that it names. What only some readers of a row may see is in no
//! entry at all (see [`crate::plan::audit`]).

use super::caller_name;
use super::cursor::Binding;
use super::list::limit;
use super::query::{invalid, parameters, unknown};
use crate::engine::access::{always, unauthenticated};
use crate::engine::audit::{Look, TRAIL};
use crate::engine::backend::{Backend, Live};
use crate::engine::{Failure, problem};
use crate::http::{Request, Response};
use crate::identity::tenant;
use crate::json::Json;
use crate::json::literal::read_uuid;
use crate::json::read::parse;
use crate::json::time::read_timestamp;
use crate::json::write;
use crate::plan::Plan;
use crate::ports::audit::{Kept, Query};
use crate::ports::store::{Bindings, Tenant};
use crate::problem::{Problem, kinds};
use crate::request::Call;
use http::{StatusCode, header};
use ir::value::Value;
use std::fmt::Write as _;

/// What was asked for.
struct Asked<'a> {
    query: Query,
    limit: u32,
    /// The chain of what tenants share instead of the tenant's.
    shared: bool,
    cursor: Option<String>,
    binding: Binding<'a>,
    /// The query without cursor, as it came.
    raw: String,
}

/// A page of the trail.
pub(super) async fn list(
    backend: &Backend,
    live: &Live,
    request: &Request,
    call: &Call,
) -> Result<Response, Failure> {
    let Some(principal) = &call.principal else { return Err(unauthenticated()) };
    let plan = &live.engine.plan;
    let resources = resources(plan, call);
    if resources.is_empty() {
        let detail = "the trail is for who may read and change every row of a resource, and for \
                      actors across tenants";
        return Err(Box::new(Problem::new(kinds::FORBIDDEN).detail(detail)));
    }
    let mut asked = asked(backend, plan, request, call)?;
    if asked.shared && plan.domain.tenancy.is_some() && !principal.across_tenants {
        let detail = "what tenants share is shown to who may act in every tenant";
        return Err(Box::new(Problem::new(kinds::FORBIDDEN).detail(detail)));
    }
    let tenant = call.tenant.clone().filter(|_| !asked.shared);
    if plan.domain.tenancy.is_some() && !asked.shared && tenant.is_none() {
        return Err(Box::new(tenant::unknown(&plan.domain)));
    }
    if let Some(cursor) = &asked.cursor {
        let place = asked.binding.place(cursor, 1);
        let id = place.and_then(|place| place.first().and_then(Value::as_uuid));
        asked.query.before = Some(id.ok_or_else(|| {
            let problem = Problem::new(kinds::INVALID_CURSOR);
            Box::new(problem.parameter("cursor", "was not made for this list"))
        })?);
    }
    asked.query.resources = match asked.query.resources.pop() {
        None => resources,
        Some(one) if resources.contains(&one) => vec![one],
        Some(_) => return Err(invalid("resource", "is no resource whose entries you may see")),
    };
    asked.query.rows_max = asked.limit + 1;
    let mut page = entries(live, &tenant, &asked.query, &call.bindings).await?;
    let more = page.len() > asked.limit as usize;
    page.truncate(asked.limit as usize);
    let look = Look { operation: "listAudit", resource: None, rows: &[], expanded: &[] };
    live.engine.looked(call, &look).await?;
    let next = match page.last().filter(|_| more) {
        None => None,
        Some(last) => {
            let place = asked.binding.cursor(&[Value::Uuid(last.entry.id)]);
            // Without it the trail would seem to end here.
            Some(place.ok_or_else(|| problem(kinds::INTERNAL))?)
        }
    };
    let body = body(&page, next.as_deref());
    let mut response =
        Response::json(StatusCode::OK, body).header(header::CACHE_CONTROL, "no-store");
    if let Some(next) = next {
        let (path, raw) = (request.path(), &asked.raw);
        let between = if raw.is_empty() { "" } else { "&" };
        let link = format!("<{path}?{raw}{between}cursor={next}>; rel=\"next\"");
        response = response.header(header::LINK, &link);
    }
    response.tenant = call.tenant.clone();
    Ok(response)
}

/// The resources whose entries the caller may see; none where it may see none.
pub(super) fn resources(plan: &Plan, call: &Call) -> Vec<String> {
    let everywhere = call.principal.as_ref().is_some_and(|principal| principal.across_tenants);
    let mut all: Vec<String> = plan
        .domain
        .roots()
        .filter(|(_, resource)| {
            let access = &resource.access;
            let commands = resource.commands.iter().map(|command| &command.by);
            let mut powers = [&access.update, &access.delete].into_iter().chain(commands);
            call.is_system()
                || (always(call, &access.read)
                    && (everywhere || powers.any(|grants| always(call, grants))))
        })
        .map(|(id, _)| plan.domain.full_name(id))
        .collect();
    if !all.is_empty() {
        all.push(TRAIL.to_owned());
    }
    all
}

fn asked<'a>(
    backend: &'a Backend,
    plan: &Plan,
    request: &Request,
    call: &Call,
) -> Result<Asked<'a>, Failure> {
    let mut binding = Binding::new(&backend.cursor_key);
    binding.add(b"listAudit");
    binding.add(caller_name(call).as_bytes());
    binding.add(call.tenant.as_deref().unwrap_or_default().as_bytes());
    let mut asked = Asked {
        query: Query::default(),
        limit: plan.settings.page_items_default,
        shared: false,
        cursor: None,
        binding,
        raw: String::new(),
    };
    let mut terms: Vec<(&str, &str)> = Vec::new();
    let parameters = parameters(request)?;
    for parameter in &parameters {
        let (name, value) = (&*parameter.name, &*parameter.value);
        if name == "cursor" {
            asked.cursor = Some(value.to_owned());
            continue;
        }
        let between = if asked.raw.is_empty() { "" } else { "&" };
        let _ = write!(asked.raw, "{between}{}", parameter.raw);
        if name == "limit" {
            asked.limit = limit(value, plan.settings.page_items_max)?;
            continue;
        }
        asked.term(name, value)?;
        terms.push((name, value));
    }
    terms.sort_unstable();
    for (name, value) in terms {
        asked.binding.add(name.as_bytes());
        asked.binding.add(value.as_bytes());
    }
    Ok(asked)
}

impl Asked<'_> {
    fn term(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        let text = || match value.contains('\0') {
            true => Err(invalid(name, "may not hold the character NUL")),
            false => Ok(value.to_owned()),
        };
        let moment = || {
            let wrong = || invalid(name, "must be an instant, as `2026-01-31T12:00:00Z`");
            read_timestamp(value).ok_or_else(wrong)
        };
        let query = &mut self.query;
        match name {
            "resource" => query.resources = vec![text()?],
            "row" => {
                let id = read_uuid(value).ok_or_else(|| invalid(name, "must be a UUID"))?;
                query.row = Some(id);
            }
            "who" => query.who = Some(text()?),
            "operation" => query.operation = Some(text()?),
            "since" => query.since = Some(moment()?),
            "until" => query.until = Some(moment()?),
            "shared" => {
                self.shared = match value {
                    "true" => true,
                    "false" => false,
                    _ => return Err(invalid(name, "must be `true` or `false`")),
                };
            }
            _ => return Err(unknown(name, "is no parameter of this list")),
        }
        Ok(())
    }
}

/// A page of what all services keep: each has a chain of its own.
async fn entries(
    live: &Live,
    tenant: &Tenant,
    query: &Query,
    bindings: &Bindings,
) -> Result<Vec<Kept>, Failure> {
    let mut page = Vec::new();
    for store in live.engine.stores() {
        page.extend(store.audit(tenant, query, bindings).await?);
    }
    page.sort_by_key(|kept: &Kept| std::cmp::Reverse(kept.entry.id));
    // Services in one database have one chain.
    page.dedup_by_key(|kept| kept.entry.id);
    page.truncate(query.rows_max as usize);
    Ok(page)
}

fn body(page: &[Kept], next: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + page.len() * 512);
    out.extend_from_slice(b"{\"items\":[");
    for (at, kept) in page.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        item(&mut out, kept);
    }
    out.push(b']');
    if let Some(next) = next {
        out.extend_from_slice(b",\"next_cursor\":");
        write::text(&mut out, next);
    }
    out.push(b'}');
    out
}

fn item(out: &mut Vec<u8>, kept: &Kept) {
    let entry = &kept.entry;
    out.extend_from_slice(b"{\"id\":");
    write::value(out, &Value::Uuid(entry.id));
    out.extend_from_slice(b",\"number\":");
    write::int(out, kept.number);
    out.extend_from_slice(b",\"time\":");
    write::value(out, &Value::Timestamp(entry.time));
    for (name, text) in [
        ("who", &entry.who),
        ("operation", &entry.operation),
        ("resource", &entry.resource),
        ("previous", &hex(&kept.previous)),
        ("hash", &hex(&kept.hash)),
    ] {
        out.push(b',');
        out.extend_from_slice(&write::key(name));
        write::text(out, text);
    }
    if let Some(row) = entry.row {
        out.extend_from_slice(b",\"row\":");
        write::value(out, &Value::Uuid(row));
    }
    // The rest is an object that was made here; what somebody else put in its place is shown as
    // text.
    match parse(entry.body.as_bytes()) {
        Ok(Json::Object(members)) if !members.is_empty() => {
            out.push(b',');
            out.extend_from_slice(&entry.body.trim_start().as_bytes()[1..]);
        }
        Ok(_) | Err(_) => {
            out.extend_from_slice(b",\"body\":");
            write::text(out, &entry.body);
            out.push(b'}');
        }
    }
}

fn hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
