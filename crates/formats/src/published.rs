//! What was published, read back from `architecture.json`: of the whole only what consumers of
//! events know, so that an architecture that another version wrote can be read too.

use ir::domain::{
    Context, ContextId, Domain, Event, EventMember, Field, Kind, Resource, ResourceId, Source,
    Tenancy,
};
use ir::expr::{Expr, ExprKind, FieldRef, Implicit, Type};
use ir::model::{At, FieldType, Isolation};
use ir::value::Value;
use serde::Deserialize;
use serde::de::IgnoredAny;

#[derive(Deserialize)]
struct Published {
    domain: PublishedDomain,
}

#[derive(Deserialize)]
struct PublishedDomain {
    system: String,
    tenancy: Option<IgnoredAny>,
    contexts: Vec<PublishedContext>,
    resources: Vec<PublishedResource>,
    events: Vec<PublishedEvent>,
}

#[derive(Deserialize)]
struct PublishedContext {
    name: String,
}

#[derive(Deserialize)]
struct PublishedResource {
    name: String,
    context: ContextId,
    path: String,
    shared: bool,
    fields: Vec<PublishedField>,
}

#[derive(Deserialize)]
struct PublishedField {
    name: String,
    declared: FieldType,
    kind: Kind,
    source: PublishedSource,
    optional: bool,
    min: Option<Value>,
    max: Option<Value>,
    pattern: Option<String>,
    personal: bool,
    secret: bool,
    read: Option<IgnoredAny>,
}

/// [`Source`] without its expressions.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum PublishedSource {
    Client,
    Default(IgnoredAny),
    Computed(IgnoredAny),
    Copied(At, IgnoredAny),
    State,
    Caller,
    Counted,
}

#[derive(Deserialize)]
struct PublishedEvent {
    name: String,
    emitters: Vec<ResourceId>,
    data: Vec<PublishedMember>,
    /// Others send it: what became of it here breaks nobody.
    #[serde(default)]
    inbound: Option<IgnoredAny>,
    #[serde(default = "first")]
    version: u32,
}

fn first() -> u32 {
    1
}

#[derive(Deserialize)]
struct PublishedMember {
    name: String,
    optional: bool,
}

/// The events of an `architecture.json` with the fields behind them. Of the rest of the domain
/// there is only what `design::compatibility` looks at; no expression is read.
///
/// # Errors
/// Why the text is no architecture, for people.
pub fn events(text: &str) -> Result<Domain, String> {
    let Published { domain: read } =
        serde_json::from_str(text).map_err(|fault| format!("it is no architecture: {fault}"))?;
    let domain = Domain {
        system: read.system,
        tenancy: read.tenancy.map(|_| Tenancy {
            isolation: Isolation::Row,
            claim: String::new(),
            host: None,
        }),
        contexts: read
            .contexts
            .into_iter()
            .map(|context| Context { name: context.name, about: String::new() })
            .collect(),
        resources: read.resources.into_iter().map(resource).collect(),
        events: read.events.into_iter().filter(|one| one.inbound.is_none()).map(event).collect(),
        ..Domain::default()
    };
    match stays_inside(&domain) {
        true => Ok(domain),
        false => Err("it names a resource or a context that it does not have".to_owned()),
    }
}

/// True where every id leads to something.
fn stays_inside(domain: &Domain) -> bool {
    let known = |id: &ResourceId| id.index() < domain.resources.len();
    let of_known = |resource: &Resource| {
        let children = resource.children().all(|(_, child)| known(&child));
        children && resource.context.index() < domain.contexts.len()
    };
    domain.resources.iter().all(of_known)
        && domain.events.iter().all(|event| event.emitters.iter().all(known))
}

fn resource(read: PublishedResource) -> Resource {
    Resource {
        name: read.name,
        about: String::new(),
        context: read.context,
        path: read.path,
        owner: None,
        shared: read.shared,
        fields: read.fields.into_iter().map(field).collect(),
        uniques: Vec::new(),
        overlaps: Vec::new(),
        commands: Vec::new(),
        access: ir::domain::Access::default(),
        routes: Vec::new(),
        emits: Vec::new(),
        idempotency_required: false,
        if_match_required: false,
        cache: None,
    }
}

fn field(read: PublishedField) -> Field {
    let unread = || Expr { kind: ExprKind::Literal(Value::Null), ty: Type::Null };
    let source = match read.source {
        PublishedSource::Client => Source::Client,
        PublishedSource::Default(_) => Source::Default(unread()),
        PublishedSource::Computed(_) => Source::Computed(unread()),
        PublishedSource::Copied(at, _) => Source::Copied(at, unread()),
        PublishedSource::State => Source::State,
        PublishedSource::Caller => Source::Caller,
        PublishedSource::Counted => Source::Counted,
    };
    Field {
        name: read.name,
        about: String::new(),
        declared: read.declared,
        kind: read.kind,
        source,
        optional: read.optional,
        min: read.min,
        max: read.max,
        pattern: read.pattern,
        search: false,
        personal: read.personal,
        secret: read.secret,
        state: false,
        filterable: false,
        read: read.read.map(|_| Vec::new()),
        write: None,
    }
}

fn event(read: PublishedEvent) -> Event {
    let member = |read: PublishedMember| EventMember {
        name: read.name,
        field: FieldRef::Implicit(Implicit::Id),
        ty: Type::Null,
        optional: read.optional,
        default: None,
    };
    Event {
        name: read.name,
        emitters: read.emitters,
        data: read.data.into_iter().map(member).collect(),
        webhook: Vec::new(),
        declared: false,
        inbound: None,
        version: read.version,
        older: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::events;
    use crate::fixture::eventful;
    use crate::machine;
    use ir::domain::ResourceId;

    #[test]
    fn what_was_written_is_read_back() {
        let written = eventful();
        let read = events(&machine::write(&written)).expect("an architecture");
        let names = |domain: &ir::domain::Domain| {
            let event = |event: &ir::domain::Event| {
                let members = event.data.iter().map(|one| (one.name.clone(), one.optional));
                (event.name.clone(), event.emitters.clone(), members.collect::<Vec<_>>())
            };
            domain.events.iter().map(event).collect::<Vec<_>>()
        };
        assert_eq!(names(&read), names(&written.domain));
        for (read, written) in read.resources.iter().zip(&written.domain.resources) {
            assert_eq!((&read.name, &read.path), (&written.name, &written.path));
            for (read, written) in read.fields.iter().zip(&written.fields) {
                assert_eq!(read.name, written.name);
                assert_eq!((&read.declared, &read.kind), (&written.declared, &written.kind));
                assert_eq!((&read.min, &read.max), (&written.min, &written.max));
                assert_eq!(read.read.is_some(), written.read.is_some());
            }
        }
    }

    #[test]
    fn what_is_no_architecture_is_told_as_such() {
        let fault = |text: &str| events(text).expect_err("no architecture");
        assert!(fault("{}").starts_with("it is no architecture: missing field `domain`"));
        assert!(fault("\u{0}").starts_with("it is no architecture"));
        let mut lost = eventful();
        lost.domain.events[0].emitters = vec![ResourceId(99)];
        assert!(fault(&machine::write(&lost)).contains("does not have"));
    }
}
