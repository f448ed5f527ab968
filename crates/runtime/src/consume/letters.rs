//! Events that consumers gave up, for whoever looks after them: over HTTP, or at the store itself.

use crate::cloudevents;
use crate::json::literal::read_uuid;
use crate::json::write;
use crate::plan::Plan;
use crate::ports::events::{Held, HeldQuery, Place, Remedy};
use crate::ports::store::{Store, Tenant, Unavailable};
use crate::upcast;
use ir::value::Value;
use std::sync::Arc;

/// The event and the consumer that the id of a dead letter names: `<event>:<consumer>`.
pub fn named(text: &str) -> Option<(u128, String)> {
    let (event, consumer) = text.split_once(':')?;
    Some((read_uuid(event)?, consumer.to_owned()))
}

/// What all services hold, each what its own consumers could not do, in the order in which it was
/// held; where a tenant is named, only in places where something of it may be.
///
/// # Errors
/// Where a store can't be read.
pub async fn held(
    stores: &[Arc<dyn Store>],
    tenant: Option<&Tenant>,
    query: &HeldQuery,
) -> Result<Vec<Held>, Unavailable> {
    let mut all: Vec<Held> = Vec::new();
    for store in stores {
        let Some(letters) = store.eventing() else { continue };
        for place in places(&**store, tenant).await? {
            all.extend(letters.held(&place, query).await?);
        }
    }
    all.sort_by_key(|held| (held.since, held.event.id));
    // Services in one database keep them together.
    all.dedup_by(|a, b| a.event.id == b.event.id && a.part.consumer == b.part.consumer);
    all.truncate(query.rows_max as usize);
    Ok(all)
}

/// Does something about a dead letter, wherever it is kept; false where there is none such any
/// more. `now` is in microseconds since 1970.
///
/// # Errors
/// Where a store can't be read or written.
pub async fn remedy(
    stores: &[Arc<dyn Store>],
    tenant: Option<&Tenant>,
    (event, consumer): (u128, &str),
    remedy: &Remedy,
    now: i64,
) -> Result<bool, Unavailable> {
    for store in stores {
        let Some(letters) = store.eventing() else { continue };
        for place in places(&**store, tenant).await? {
            if letters.remedy(&place, consumer, event, remedy, now).await? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Where dead letters may be kept.
async fn places(store: &dyn Store, tenant: Option<&Tenant>) -> Result<Vec<Place>, Unavailable> {
    let Some(log) = store.eventing() else { return Ok(Vec::new()) };
    let mut places = log.places().await?;
    if let Some(tenant) = tenant {
        places.retain(|place| place.is_none() || place == tenant);
    }
    Ok(places)
}

/// What a dead letter is known by.
pub fn id(held: &Held) -> String {
    format!("{}:{}", uuid(held.event.id), held.part.consumer)
}

/// What is done with a dead letter to have it tried again, with other data where some is given:
/// that is of the version that the letter is shown in.
pub fn redrive(plan: &Plan, held: &Held, data: Option<Arc<str>>) -> Remedy {
    let data = data.map(|data| (data, upcast::shown(plan, &held.event).version));
    Remedy::Redrive { data }
}

/// A dead letter as the API shows it, its event whole.
pub fn text(plan: &Plan, held: &Held) -> String {
    let mut out = Vec::new();
    write(&mut out, plan, held);
    String::from_utf8(out).unwrap_or_default()
}

/// A dead letter: who gave it up, since when, what was tried and went wrong, and the event.
pub(crate) fn write(out: &mut Vec<u8>, plan: &Plan, held: &Held) {
    out.extend_from_slice(b"{\"id\":");
    write::text(out, &id(held));
    out.extend_from_slice(b",\"consumer\":");
    write::text(out, &held.part.consumer);
    out.extend_from_slice(b",\"since\":");
    write::value(out, &Value::Timestamp(held.since));
    out.extend_from_slice(b",\"attempts\":");
    write::int(out, i64::from(held.attempts));
    out.extend_from_slice(if held.edited { b",\"edited\":true" } else { b",\"edited\":false" });
    out.extend_from_slice(b",\"errors\":[");
    for (at, error) in held.errors.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"at\":");
        write::value(out, &Value::Timestamp(error.at));
        out.extend_from_slice(b",\"problem\":");
        write::text(out, &error.problem);
        out.extend_from_slice(b",\"detail\":");
        write::text(out, &error.detail);
        out.push(b'}');
    }
    out.extend_from_slice(b"],\"event\":");
    let event = upcast::shown(plan, &held.event);
    cloudevents::write(out, plan, &event, event.data.as_bytes());
    out.push(b'}');
}

/// An id, as it is written.
pub(crate) fn uuid(id: u128) -> String {
    let mut out = Vec::with_capacity(36);
    write::uuid(&mut out, id);
    String::from_utf8(out).unwrap_or_default()
}
