//! Events as they leave: CloudEvents 1.0.2 in the JSON format.

use crate::json::write;
use crate::plan::Plan;
use crate::ports::events::Logged;
use ir::domain::wire_type;
use ir::value::Value;

/// Media type of one event.
pub const MEDIA_TYPE: &str = "application/cloudevents+json";
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
    let domain = &plan.domain;
    let of = domain.resources().find(|(id, _)| domain.full_name(*id) == *event.resource);
    let mut text = of.map_or(&*event.resource, |(_, resource)| resource.path.as_str()).to_owned();
    text.push('/');
    let mut out = text.into_bytes();
    write::uuid(&mut out, event.row);
    String::from_utf8(out).unwrap_or_default()
}

/// An event in structured mode, whole.
pub fn text(plan: &Plan, event: &Logged) -> String {
    let mut out = Vec::new();
    write(&mut out, plan, event, event.data.as_bytes());
    String::from_utf8(out).unwrap_or_default()
}

/// Writes an event in structured mode, with `data` in place of its own.
pub(crate) fn write(out: &mut Vec<u8>, plan: &Plan, event: &Logged, data: &[u8]) {
    out.extend_from_slice(b"{\"specversion\":\"1.0\",\"id\":");
    write::id(out, event.id);
    let sequence = format!("{:0width$}", event.position, width = SEQUENCE_DIGITS);
    for (name, value) in [
        ("source", source(&plan.domain.system, &event.resource)),
        ("type", wire_type(&event.event)),
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

fn member(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(b',');
    out.extend_from_slice(&write::key(name));
    write::text(out, value);
}
