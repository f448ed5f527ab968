//! The data of an event: members of the row that it is about, typed as the API shows them.

use super::Writing;
use crate::openapi::scalar::{field as scalar, instant, or_null, reference, uuid};
use crate::openapi::schemas::{described, may_be_null};
use crate::tree::{Node, list, map};
use ir::domain::{
    Domain, Event, EventMember, Field, FieldId, Kind, OlderVersion, ResourceId, Source,
};
use ir::expr::{FieldRef, Implicit};

/// The object `data`. A member that some readers may not see is not required, nor is one that goes
/// with a person, nor one that is a secret at another emitter.
pub(super) fn of(writing: &Writing<'_>, event: &Event) -> Node {
    let mut properties = Node::empty();
    let mut required: Vec<&str> = Vec::new();
    for member in &event.data {
        if event.emitters.iter().all(|emitter| always_told(writing, *emitter, &member.name)) {
            required.push(&member.name);
        }
        properties.set(&member.name, schema(writing, event, member));
    }
    let mut about = super::TOLERANCE.to_owned();
    if required.len() < event.data.len() {
        about.push_str(
            " What is not required is left out for those who may not read it, and where a person \
             was erased.",
        );
    }
    let mut schema = map([("type", "object".into()), ("description", about.into())]);
    if !required.is_empty() {
        schema.set("required", list(required));
    }
    schema.with("properties", properties)
}

/// The object `data` of an older version. A member that some of its events lack is not required,
/// nor is one that goes with a person.
pub(super) fn older(older: &OlderVersion) -> Node {
    let mut properties = Node::empty();
    let mut required: Vec<&str> = Vec::new();
    for field in &older.data {
        let schema = described(field, scalar(field).unwrap_or_else(Node::empty));
        let lacking = field.optional || field.personal || field.source != Source::Client;
        if !lacking {
            required.push(&field.name);
        }
        properties.set(&field.name, if field.optional { or_null(schema) } else { schema });
    }
    let mut schema = map([("type", "object".into()), ("description", super::TOLERANCE.into())]);
    if !required.is_empty() {
        schema.set("required", list(required));
    }
    schema.with("properties", properties)
}

/// A whole owned row.
pub(super) fn row(writing: &Writing<'_>, id: ResourceId) -> Node {
    let resource = writing.architecture.domain.resource(id);
    let mut properties = Node::empty().with("id", uuid());
    let mut required = vec!["id"];
    for (field_id, field) in resource.fields().filter(|(_, field)| !field.secret) {
        required.push(&field.name);
        properties.set(&field.name, of_field(writing, id, field_id, field, false));
    }
    let mut schema = map([("type", "object".into())]);
    if !resource.about.is_empty() {
        schema.set("description", &resource.about);
    }
    schema.with("required", list(required)).with("properties", properties)
}

/// What a member may be at any of the emitters.
fn schema(writing: &Writing<'_>, event: &Event, member: &EventMember) -> Node {
    let domain = &writing.architecture.domain;
    let mut forms: Vec<Node> = Vec::new();
    for emitter in &event.emitters {
        let form = match member_at(domain, *emitter, &member.name) {
            Some(FieldRef::Implicit(Implicit::Id)) => uuid(),
            Some(FieldRef::Implicit(Implicit::CreatedAt | Implicit::UpdatedAt)) => instant(),
            Some(FieldRef::Field(id)) => {
                let field = domain.resource(*emitter).field(id);
                if field.secret {
                    continue;
                }
                of_field(writing, *emitter, id, field, member.optional)
            }
            None => continue,
        };
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    match forms.len() {
        1 => forms.remove(0),
        _ => map([("anyOf", Node::List(forms))]),
    }
}

fn of_field(
    writing: &Writing<'_>,
    resource: ResourceId,
    id: FieldId,
    field: &Field,
    optional: bool,
) -> Node {
    let schema = match field.kind {
        Kind::Children { target, .. } => {
            map([("type", "array".into()), ("items", reference(writing.name(target)))])
        }
        Kind::Reference { .. } | Kind::Scalar | Kind::Enum(_) | Kind::Actor(_) => {
            scalar(field).unwrap_or_else(Node::empty)
        }
    };
    let schema = described(field, schema);
    let null = optional || may_be_null(&writing.architecture.schema, resource, id, field);
    if null { or_null(schema) } else { schema }
}

fn member_at(domain: &Domain, resource: ResourceId, name: &str) -> Option<FieldRef> {
    match name {
        "id" => Some(FieldRef::Implicit(Implicit::Id)),
        "created_at" => Some(FieldRef::Implicit(Implicit::CreatedAt)),
        "updated_at" => Some(FieldRef::Implicit(Implicit::UpdatedAt)),
        _ => {
            let (id, _) = domain.resource(resource).field_named(name)?;
            Some(FieldRef::Field(id))
        }
    }
}

/// True where whoever is told of the event, whenever, is told this member of it.
fn always_told(writing: &Writing<'_>, emitter: ResourceId, name: &str) -> bool {
    let domain = &writing.architecture.domain;
    let open = |field: &Field| field.read.is_none() && !field.secret;
    let guarded = |field: &Field| field.read.is_some();
    match member_at(domain, emitter, name) {
        Some(FieldRef::Implicit(_)) => true,
        Some(FieldRef::Field(id)) => {
            let field = domain.resource(emitter).field(id);
            let rows = match field.kind {
                Kind::Children { target, .. } => Some(domain.resource(target)),
                Kind::Reference { .. } | Kind::Scalar | Kind::Enum(_) | Kind::Actor(_) => None,
            };
            let hidden = rows.is_some_and(|rows| rows.fields.iter().any(guarded));
            open(field) && !hidden && !writing.erasable.has(domain, emitter, id)
        }
        None => false,
    }
}
