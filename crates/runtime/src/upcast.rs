//! Events that were told in an older version, read as the current one.
//!
//! The log keeps what was written, under the version that it was written as; whoever reads an event
//! reads it as it would be told now. From version to version goes what the model says of each; what
//! it does not know of an old one is passed over. An event of the current version is not touched.
//! One of a newer version was written by a process that serves a newer model: who finds it waits
//! until it is served here too, for it can be read by nobody until then.

use crate::engine::outage;
use crate::json::Json;
use crate::json::read::parse;
use crate::json::scalar::Shape;
use crate::plan::Plan;
use crate::ports::events::Logged;
use crate::problem::{Problem, kinds, pointer_token};
use ir::domain::{Domain, Event, EventId, Field, OlderVersion, Source};
use ir::expr::{Expr, ExprKind, FieldRef};
use ir::value::Value;
use kernel::expr::{Fault, Scope, evaluate};
use regex::Regex;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What the older versions of an event are read by, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Versions(Vec<Older>);

/// One older version.
#[derive(Debug)]
struct Older {
    /// By its members.
    shapes: Vec<Shape>,
    /// By the members of the next version: what is made of it fits it.
    next: Vec<Shape>,
}

/// Why an event can't be read as one of the current version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// It is of a version that this model does not know yet.
    Newer {
        /// Type, as on the wire.
        wire_type: String,
        /// The version that the model has.
        known: u32,
    },
    /// What it holds is not what the model says of that version.
    Unfit {
        /// Where, as a JSON Pointer into the data.
        at: String,
        /// What is wrong with it.
        detail: String,
    },
}

impl Unread {
    /// What is wrong, for people.
    pub fn detail(&self) -> String {
        match self {
            Self::Newer { wire_type, known } => format!(
                "the event is told as `{wire_type}`, and this process serves a model that knows it \
                 up to version {known}: a newer model is served elsewhere, and must be here before \
                 the event can be read"
            ),
            Self::Unfit { at, detail } => format!(
                "the data is not what the model says of the event's version: `{at}` {detail}"
            ),
        }
    }

    /// As an answer: what is newer may be read later.
    pub(crate) fn problem(&self) -> Problem {
        match self {
            Self::Newer { .. } => {
                Problem::new(kinds::UNAVAILABLE).detail(self.detail()).retry_after(1)
            }
            Self::Unfit { at, detail } => {
                Problem::new(kinds::INVALID_VALUE).at(at.as_str(), detail.as_str())
            }
        }
    }
}

impl Versions {
    /// Of an event.
    pub(crate) fn of(event: &Event) -> Self {
        let current = || event.data.iter().map(|member| Shape::of_type(&member.ty)).collect();
        let shapes = |older: &OlderVersion| older.data.iter().map(shape).collect();
        let after = event.older.iter().skip(1).map(shapes).chain([current()]);
        let all = event.older.iter().zip(after);
        Self(all.map(|(older, next)| Older { shapes: shapes(older), next }).collect())
    }
}

/// The type of a member, without bounds: what was told was within those of its time.
fn shape(field: &Field) -> Shape {
    Shape::of(&Field { min: None, max: None, pattern: None, ..field.clone() })
}

/// Everything that an old event is read by.
struct Reading<'a> {
    event: &'a Event,
    versions: &'a Versions,
    patterns: &'a BTreeMap<String, Regex>,
}

impl Reading<'_> {
    /// The members of the current version, of an event that was told as an older one.
    fn values(&self, version: u32, data: &str) -> Result<Vec<Value>, Unread> {
        let first = version.saturating_sub(1) as usize;
        let mut values = None;
        let steps = self.event.older.iter().zip(&self.versions.0).skip(first);
        for (older, by) in steps {
            let read = match values.take() {
                Some(values) => values,
                None => read(older, by, data)?,
            };
            values = Some(self.next(older, by, &read)?);
        }
        values.ok_or_else(|| unfit("", "is of a version that the model says nothing of"))
    }

    /// The members of the next version.
    fn next(&self, older: &OlderVersion, by: &Older, read: &[Value]) -> Result<Vec<Value>, Unread> {
        let scope = Members { values: read, patterns: self.patterns };
        let made = older.next.iter().zip(&by.next).map(|(expr, shape)| {
            let value = evaluate(expr, &scope).map_err(faulty)?.into_owned();
            shape.fit(value).map_err(|wrong| unfit("", wrong.detail))
        });
        made.collect()
    }
}

fn unfit(at: impl Into<String>, detail: impl Into<String>) -> Unread {
    Unread::Unfit { at: at.into(), detail: detail.into() }
}

fn faulty(fault: Fault) -> Unread {
    let detail = match fault {
        Fault::Overflow => "makes a number that is out of range",
        Fault::DivisionByZero => "makes a division by zero",
        Fault::MixedCurrencies => "has money of unlike currencies",
        Fault::Mismatch => "does not fit what is made of it",
    };
    unfit("", detail)
}

/// The members of an event as it was told. What its version did not know is passed over; what is
/// missing has its default, or is null: also what went with a person.
fn read(older: &OlderVersion, by: &Older, data: &str) -> Result<Vec<Value>, Unread> {
    let json = parse(data.as_bytes()).map_err(|why| unfit("", why.reason))?;
    let Json::Object(members) = json else {
        return Err(unfit("", format!("must be an object, not {}", json.kind())));
    };
    let mut values = Vec::with_capacity(older.data.len());
    for (field, shape) in older.data.iter().zip(&by.shapes) {
        let found = members.iter().find(|(name, _)| *name == field.name);
        values.push(match found.map(|(_, value)| value) {
            None => default_of(field),
            Some(Json::Null) => Value::Null,
            Some(json) => shape.read(json, &[]).map_err(|wrong| {
                unfit(format!("/{}{}", pointer_token(&field.name), wrong.inside), wrong.detail)
            })?,
        });
    }
    Ok(values)
}

/// What is about a person is no default: where it is missing, it was erased.
fn default_of(field: &Field) -> Value {
    match &field.source {
        Source::Default(Expr { kind: ExprKind::Literal(value), .. }) if !field.personal => {
            value.clone()
        }
        _ => Value::Null,
    }
}

/// The members of a version, as expressions read them.
struct Members<'a> {
    values: &'a [Value],
    patterns: &'a BTreeMap<String, Regex>,
}

impl Scope for Members<'_> {
    fn field(&self, _: FieldRef) -> Cow<'_, Value> {
        Cow::Owned(Value::Null)
    }

    fn input(&self, at: usize) -> Cow<'_, Value> {
        self.values.get(at).map_or(Cow::Owned(Value::Null), Cow::Borrowed)
    }

    fn me(&self) -> Option<&str> {
        None
    }

    fn now(&self) -> i64 {
        0
    }

    fn matches(&self, text: &str, pattern: &str) -> bool {
        self.patterns.get(pattern).is_some_and(|pattern| pattern.is_match(text))
    }
}

/// The event that one of the log is to be read as: none where it is of the current version, or of
/// no event that the model has.
fn current_of(plan: &Plan, event: &Logged) -> Option<EventId> {
    // Most models have one version of everything, and most events are of the current one.
    if event.version == 1 && !plan.consumers.versioned {
        return None;
    }
    let id = plan.consumers.event(&event.event)?;
    (plan.domain.event(id).version != event.version).then_some(id)
}

/// The members of the current version of an event of the log; none where that is what it is.
///
/// # Errors
/// Where it can't be read as that.
pub(crate) fn values(
    plan: &Plan,
    id: EventId,
    logged: &Logged,
) -> Result<Option<Vec<Value>>, Unread> {
    let event = plan.domain.event(id);
    if event.version == logged.version {
        return Ok(None);
    }
    if event.version < logged.version {
        let wire_type = ir::domain::wire_type(&logged.event, logged.version);
        return Err(Unread::Newer { wire_type, known: event.version });
    }
    let (versions, patterns) = (plan.consumers.versions(id), &plan.patterns);
    Reading { event, versions, patterns }.values(logged.version, &logged.data).map(Some)
}

/// An event of the log as it would be told now.
///
/// # Errors
/// Where it can't be read as that.
pub fn current<'e>(plan: &Plan, event: &'e Logged) -> Result<Cow<'e, Logged>, Unread> {
    let Some(id) = current_of(plan, event) else { return Ok(Cow::Borrowed(event)) };
    let Some(values) = values(plan, id, event)? else { return Ok(Cow::Borrowed(event)) };
    let of = plan.domain.event(id);
    let data = data(of, values);
    Ok(Cow::Owned(Logged { version: of.version, data: data.into(), ..event.clone() }))
}

/// The same, for whoever looks after the log: what can't be read is shown as it was written.
pub fn shown<'e>(plan: &Plan, event: &'e Logged) -> Cow<'e, Logged> {
    current(plan, event).unwrap_or(Cow::Borrowed(event))
}

/// True for an event of a version that the model does not know yet; told to operators.
pub(crate) fn is_newer(plan: &Plan, event: &Logged) -> bool {
    let known = || plan.consumers.event(&event.event);
    let newer = event.version > 1
        && known().is_some_and(|id| plan.domain.event(id).version < event.version);
    if newer {
        outage::log_newer(&event.event, event.version);
    }
    newer
}

/// The type on the wire that an event has now.
pub(crate) fn told_as(domain: &Domain, name: &str) -> String {
    let event = domain.event_named(name).map(|(_, event)| event.wire_type());
    event.unwrap_or_else(|| ir::domain::wire_type(name, 1))
}

/// The name of an event that somebody means by a name or by a type of the wire: none for a type of
/// another version than is told now.
pub fn meant<'t>(domain: &Domain, text: &'t str) -> Result<&'t str, String> {
    if domain.event_named(text).is_some() {
        return Ok(text);
    }
    let Some((name, version)) = ir::domain::of_wire_type(text) else { return Ok(text) };
    match domain.event_named(name) {
        Some((_, event)) if event.version != version => Err(event.wire_type()),
        Some(_) => Ok(name),
        None => Ok(text),
    }
}

/// The data of the current version. A member that must have a value and has none went with a
/// person: it is left out, as it is from events of the current version.
fn data(event: &Event, values: Vec<Value>) -> String {
    let members = event.data.iter().zip(values);
    let told = members.filter(|(member, value)| member.optional || !value.is_null());
    let named = told.map(|(member, value)| (member.name.as_str(), value));
    String::from_utf8(crate::consume::object(named)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::plan::consumers::Consumers;
    use ir::domain::{EventMember, Kind};
    use ir::expr::{Implicit, Operator, Type};
    use ir::model::FieldType;

    /// A member as it was told.
    fn told(name: &str, declared: FieldType) -> Field {
        Field {
            name: name.to_owned(),
            about: String::new(),
            declared,
            kind: Kind::Scalar,
            source: Source::Client,
            optional: false,
            min: None,
            max: None,
            pattern: None,
            search: false,
            personal: false,
            secret: false,
            state: false,
            filterable: false,
            read: None,
            write: None,
        }
    }

    fn of(kind: ExprKind, ty: Type) -> Expr {
        Expr { kind, ty }
    }

    fn input(at: usize, ty: Type) -> Expr {
        of(ExprKind::Input(at), ty)
    }

    fn literal(value: Value, ty: Type) -> Expr {
        of(ExprKind::Literal(value), ty)
    }

    const CENTS: Type = Type::Decimal { precision: 10, scale: 2 };

    /// `room.changed` in its third version: version 1 told `cents` as a number, and a `label` that
    /// is personal; version 2 told `price`; now it is `fee`, beside `name` and `floor`.
    fn plan() -> Plan {
        let mut plan = crate::plan::plan(&fixture::shop());
        let event = &mut plan.domain.events[2];
        let member = |name: &str, ty, optional| EventMember {
            name: name.to_owned(),
            field: FieldRef::Implicit(Implicit::Id),
            ty,
            optional,
            default: None,
        };
        event.version = 3;
        event.data = vec![
            member("name", Type::Text, false),
            member("fee", CENTS, false),
            member("floor", Type::Int, true),
        ];
        let label = Field {
            personal: true,
            source: Source::Default(literal(Value::text("somebody"), Type::Text)),
            ..told("label", FieldType::String)
        };
        let floor = Field {
            source: Source::Default(literal(Value::Int(1), Type::Int)),
            ..told("floor", FieldType::Int)
        };
        let hundred = Box::new(literal(Value::Int(100), Type::Int));
        let cents = Box::new(input(1, Type::Int));
        let price = ExprKind::Arithmetic(Operator::Divide, cents, hundred);
        let first = OlderVersion {
            data: vec![label, told("cents", FieldType::Int), floor.clone()],
            next: vec![input(0, Type::Text), of(price, CENTS), input(2, Type::Int)],
        };
        let price = FieldType::Decimal { precision: 10, scale: 2 };
        let second = OlderVersion {
            data: vec![told("name", FieldType::String), told("price", price), floor],
            next: vec![input(0, Type::Text), input(1, CENTS), input(2, Type::Int)],
        };
        event.older = vec![first, second];
        plan.consumers = Consumers::of(&plan.domain);
        plan
    }

    fn logged(version: u32, data: &str) -> Logged {
        Logged {
            position: 1,
            id: 1,
            tenant: None,
            event: "room.changed".into(),
            version,
            resource: "stay.Room".into(),
            row: 2,
            time: 0,
            data: data.into(),
            trace: None,
        }
    }

    #[track_caller]
    fn read(version: u32, data: &str, expected: &str) {
        let event = logged(version, data);
        let plan = plan();
        let now = current(&plan, &event).expect("it is read");
        assert_eq!((now.version, &*now.data), (3, expected));
        assert_eq!((event.version, &*event.data), (version, data), "the log keeps what it has");
    }

    #[test]
    fn an_old_event_is_read_through_every_version_between() {
        let now = r#"{"name":"blue","fee":"12.50","floor":4}"#;
        read(1, r#"{"label":"blue","cents":1250,"floor":4}"#, now);
        read(2, r#"{"name":"blue","price":"12.50","floor":4}"#, now);
    }

    #[test]
    fn what_an_old_version_did_not_know_is_passed_over_and_what_it_lacks_has_its_default() {
        let data = r#"{"cents":5,"seats":{"of":[3]},"label":"red"}"#;
        read(1, data, r#"{"name":"red","fee":"0.05","floor":1}"#);
        let data = r#"{"price":"0.05","name":"red","floor":null}"#;
        read(2, data, r#"{"name":"red","fee":"0.05","floor":null}"#);
    }

    #[test]
    fn what_went_with_a_person_is_left_out_and_never_comes_back() {
        read(1, r#"{"cents":5,"floor":2}"#, r#"{"fee":"0.05","floor":2}"#);
    }

    #[test]
    fn an_event_of_the_current_version_is_not_touched() {
        let event = logged(3, r#"{"fee" : "0.05", "more": 1}"#);
        let plan = plan();
        assert!(matches!(current(&plan, &event), Ok(Cow::Borrowed(_))));
        assert_eq!(values(&plan, EventId(2), &event), Ok(None));
        let other = Logged { event: "room.sold".into(), version: 7, ..event };
        assert!(matches!(current(&plan, &other), Ok(Cow::Borrowed(_))), "the model has none such");
    }

    #[test]
    fn an_event_of_a_newer_version_is_told_as_such() {
        let plan = plan();
        let event = logged(4, "{}");
        let newer = Unread::Newer { wire_type: "room.changed.v4".to_owned(), known: 3 };
        assert_eq!(current(&plan, &event).expect_err("it is newer"), newer);
        assert_eq!(newer.problem().kind.status, 503, "it may be read later");
        assert!(is_newer(&plan, &event) && !is_newer(&plan, &logged(3, "{}")));
        assert_eq!(shown(&plan, &event), Cow::Borrowed(&event), "an operator sees what is there");
    }

    #[test]
    fn what_does_not_fit_its_version_is_told_with_its_place() {
        let unread = |data: &str| match current(&plan(), &logged(1, data)) {
            Err(Unread::Unfit { at, detail }) => format!("{at}: {detail}"),
            other => panic!("{other:?}"),
        };
        assert_eq!(unread("[]"), ": must be an object, not an array");
        assert_eq!(
            unread(r#"{"cents":"5"}"#),
            "/cents: must be a whole number of 64 bits, not text"
        );
    }

    #[test]
    fn a_type_is_meant_by_its_name_or_as_it_is_told_now() {
        let domain = plan().domain;
        for text in ["room.changed", "room.changed.v3"] {
            assert_eq!(meant(&domain, text), Ok("room.changed"));
        }
        for text in ["room.changed.v2", "room.changed.v4"] {
            assert_eq!(meant(&domain, text), Err("room.changed.v3".to_owned()));
        }
        assert_eq!(meant(&domain, "room.sold.v2"), Ok("room.sold.v2"), "there is none such");
        assert_eq!(told_as(&domain, "room.changed"), "room.changed.v3");
        assert_eq!(told_as(&domain, "webhook.test"), "webhook.test.v1");
    }
}
