//! Events as they leave: CloudEvents 1.0.2, in the JSON format where they are read one by one, in
//! binary mode where a broker carries them.

use crate::json::{literal, read, time, write};
use crate::plan::Plan;
use crate::ports::broker::Delivered;
use crate::ports::events::Logged;
use crate::upcast;
use ir::domain::{of_wire_type, wire_type};
use ir::value::Value;
use std::sync::Arc;

/// Media type of one event.
pub const MEDIA_TYPE: &str = "application/cloudevents+json";
/// What the data of an event is.
const CONTENT_TYPE: &str = "application/json";
/// Digits of `sequence`: texts of equal length sort as their numbers do.
const SEQUENCE_DIGITS: usize = 19;

/// Where events of a context come from: with the id it names one event in the world of the system.
pub(crate) fn source(system: &str, resource: &str) -> String {
    let context = resource.split_once('.').map_or(resource, |(context, _)| context);
    format!("/{system}/{context}")
}

/// What an event is about: the path of the row below the version, `orders/<id>`; the name of a
/// resource that the model has no more stands for its path.
pub(crate) fn subject(plan: &Plan, event: &Logged) -> String {
    let of = plan.consumers.resource(&event.resource).map(|id| plan.domain.resource(id));
    let mut text = of.map_or(&*event.resource, |resource| resource.path.as_str()).to_owned();
    text.push('/');
    let mut out = text.into_bytes();
    write::uuid(&mut out, event.row);
    String::from_utf8(out).unwrap_or_default()
}

/// An event in structured mode, whole, as it would be told now.
pub fn text(plan: &Plan, event: &Logged) -> String {
    let mut out = Vec::new();
    let event = upcast::shown(plan, event);
    write(&mut out, plan, &event, event.data.as_bytes());
    String::from_utf8(out).unwrap_or_default()
}

/// Writes an event in structured mode, with `data` in place of its own.
pub(crate) fn write(out: &mut Vec<u8>, plan: &Plan, event: &Logged, data: &[u8]) {
    out.extend_from_slice(b"{\"specversion\":\"1.0\",\"id\":");
    write::id(out, event.id);
    let sequence = format!("{:0width$}", event.position, width = SEQUENCE_DIGITS);
    for (name, value) in [
        ("source", source(&plan.domain.system, &event.resource)),
        ("type", wire_type(&event.event, event.version)),
        ("subject", subject(plan, event)),
    ] {
        member(out, name, &value);
    }
    out.extend_from_slice(b",\"time\":");
    write::value(out, &Value::Timestamp(event.time));
    out.extend_from_slice(b",\"datacontenttype\":\"application/json\",\"partitionkey\":");
    write::id(out, event.row);
    member(out, "sequence", &sequence);
    if let Some(tenant) = &event.tenant {
        member(out, "tenant", tenant);
    }
    if let Some(trace) = &event.trace {
        member(out, "traceparent", trace);
    }
    out.extend_from_slice(b",\"data\":");
    out.extend_from_slice(data);
    out.push(b'}');
}

/// The attributes of an event in binary mode, by their names. Beside those of the JSON format there
/// is `aggregate`, the full name of the resource it is about.
pub(crate) fn attributes(plan: &Plan, event: &Logged) -> Vec<(&'static str, String)> {
    let mut when = Vec::new();
    time::write_timestamp(&mut when, event.time);
    let when = String::from_utf8(when).unwrap_or_default();
    let mut all = vec![
        ("specversion", "1.0".to_owned()),
        ("id", write::uuid_text(event.id)),
        ("source", source(&plan.domain.system, &event.resource)),
        ("type", wire_type(&event.event, event.version)),
        ("subject", subject(plan, event)),
        ("time", when),
        ("datacontenttype", CONTENT_TYPE.to_owned()),
        ("partitionkey", write::uuid_text(event.row)),
        ("sequence", format!("{:0width$}", event.position, width = SEQUENCE_DIGITS)),
        ("aggregate", event.resource.to_string()),
    ];
    all.extend(event.tenant.as_ref().map(|tenant| ("tenant", tenant.to_string())));
    all.extend(event.trace.as_ref().map(|trace| ("traceparent", trace.to_string())));
    all
}

/// The event that a message in binary mode is; else the attribute that is missing or wrong.
pub(crate) fn received(message: &Delivered) -> Result<Logged, &'static str> {
    let attribute = |name: &'static str| {
        let found = message.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).ok_or(name)
    };
    let text = |name| attribute(name).map(Arc::from);
    if attribute("specversion")? != "1.0" {
        return Err("specversion");
    }
    let data = std::str::from_utf8(&message.body).map_err(|_| "data")?;
    if attribute("datacontenttype")? != CONTENT_TYPE || read::parse(&message.body).is_err() {
        return Err("data");
    }
    let (event, version) = of_wire_type(attribute("type")?).ok_or("type")?;
    Ok(Logged {
        position: message.position,
        id: literal::read_uuid(attribute("id")?).ok_or("id")?,
        tenant: text("tenant").ok(),
        event: event.into(),
        version,
        resource: text("aggregate")?,
        row: literal::read_uuid(attribute("partitionkey")?).ok_or("partitionkey")?,
        time: time::read_timestamp(attribute("time")?).ok_or("time")?,
        data: data.into(),
        trace: text("traceparent").ok(),
    })
}

fn member(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(b',');
    out.extend_from_slice(&write::key(name));
    write::text(out, value);
}
