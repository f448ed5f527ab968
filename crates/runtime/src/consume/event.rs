//! What an expression sees of an event: its data, read by the types that the model gives it.

use crate::engine::Failure;
use crate::json::read::parse;
use crate::json::{Json, write};
use crate::plan::Plan;
use crate::ports::events::Logged;
use crate::problem::{Problem, kinds};
use crate::upcast;
use ir::domain::{Event, EventId};
use ir::expr::{EventMeta, FieldRef};
use ir::value::Value;
use kernel::expr::Scope;
use std::borrow::Cow;

/// The scope of one event.
pub(super) struct EventScope<'e> {
    plan: &'e Plan,
    of: &'e Event,
    event: &'e Logged,
    /// In the order of the event's members.
    data: Vec<Value>,
    now: i64,
}

impl<'e> EventScope<'e> {
    /// Reads the data of an event. One of an older version is read as the current one; an older one
    /// of this version has fewer members: one that is not there has the default that it was added
    /// with, or is null. Members that the model does not know stay where they are, unread.
    ///
    /// # Errors
    /// Where the data is not what the model says of it.
    pub(super) fn of(
        plan: &'e Plan,
        id: EventId,
        event: &'e Logged,
        now: i64,
    ) -> Result<Self, Failure> {
        let of = plan.domain.event(id);
        if let Some(data) =
            upcast::values(plan, id, event).map_err(|why| Box::new(why.problem()))?
        {
            return Ok(Self { plan, of, event, data, now });
        }
        let malformed =
            |detail: String| Box::new(Problem::new(kinds::INVALID_VALUE).at("", detail));
        let json = parse(event.data.as_bytes()).map_err(|why| malformed(why.reason))?;
        let Json::Object(members) = json else {
            return Err(malformed(format!("must be an object, not {}", json.kind())));
        };
        let mut data = Vec::with_capacity(of.data.len());
        for (member, shape) in of.data.iter().zip(plan.consumers.shapes(id)) {
            let found = members.iter().find(|(name, _)| *name == member.name);
            let value = match found.map(|(_, value)| value) {
                None | Some(Json::Null) if of.inbound.is_some() && !member.optional => {
                    let at = format!("/{}", crate::problem::pointer_token(&member.name));
                    let problem = Problem::new(kinds::INVALID_VALUE);
                    return Err(Box::new(problem.at(at, "is missing from what was sent")));
                }
                None => member.default.clone().unwrap_or_default(),
                Some(Json::Null) => Value::Null,
                Some(json) => shape.read(json, &[]).map_err(|wrong| {
                    let name = crate::problem::pointer_token(&member.name);
                    let at = format!("/{name}{}", wrong.inside);
                    Box::new(Problem::new(kinds::INVALID_VALUE).at(at, wrong.detail))
                })?,
            };
            data.push(value);
        }
        Ok(Self { plan, of, event, data, now })
    }
}

impl Scope for EventScope<'_> {
    fn field(&self, _: FieldRef) -> Cow<'_, Value> {
        Cow::Owned(Value::Null)
    }

    fn me(&self) -> Option<&str> {
        None
    }

    fn now(&self) -> i64 {
        self.now
    }

    fn event_data(&self, name: &str) -> Cow<'_, Value> {
        let at = self.of.data.iter().position(|member| member.name == name);
        at.map_or(Cow::Owned(Value::Null), |at| Cow::Borrowed(&self.data[at]))
    }

    fn event_meta(&self, meta: EventMeta) -> Cow<'_, Value> {
        Cow::Owned(match meta {
            EventMeta::Time => Value::Timestamp(self.event.time),
            EventMeta::Tenant => self.event.tenant.as_deref().map_or(Value::Null, Value::text),
            EventMeta::Type => Value::text(&*self.event.event),
            EventMeta::Id => Value::Uuid(self.event.id),
        })
    }

    fn matches(&self, text: &str, pattern: &str) -> bool {
        self.plan.patterns.get(pattern).is_some_and(|pattern| pattern.is_match(text))
    }
}

/// A JSON object of named values, as a client would send it.
pub(crate) fn object<'v>(members: impl Iterator<Item = (&'v str, Value)>) -> Vec<u8> {
    let mut out = b"{".to_vec();
    for (at, (name, value)) in members.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&write::key(name));
        write::value(&mut out, &value);
    }
    out.push(b'}');
    out
}

#[cfg(test)]
mod tests {
    use super::EventScope;
    use crate::fixture;
    use crate::plan::plan;
    use crate::ports::events::Logged;
    use ir::domain::EventId;
    use ir::value::Value;
    use kernel::expr::Scope;

    /// What is read of an event whose data is `data`, in the order of the names.
    fn read(data: &str, names: &[&str]) -> Vec<Value> {
        let mut plan = plan(&fixture::shop());
        let event = &mut plan.domain.events[2];
        assert_eq!((&*event.name, &*event.data[1].name), ("room.changed", "name"));
        event.data[1].default = Some(Value::text("a room"));
        let logged = Logged {
            position: 1,
            id: 1,
            tenant: None,
            event: "room.changed".into(),
            version: 1,
            resource: "stay.Room".into(),
            row: 2,
            time: 0,
            data: data.into(),
            trace: None,
        };
        let Ok(scope) = EventScope::of(&plan, EventId(2), &logged, 0) else {
            panic!("{data} is read")
        };
        assert_eq!(&*logged.data, data, "the log keeps what it was given");
        names.iter().map(|name| scope.event_data(name).into_owned()).collect()
    }

    #[test]
    fn an_event_older_than_a_member_is_read_with_its_default() {
        assert_eq!(read("{}", &["id", "name"]), [Value::Null, Value::text("a room")]);
    }

    #[test]
    fn what_was_told_as_null_stays_null() {
        assert_eq!(read(r#"{"name":null}"#, &["name"]), [Value::Null]);
        assert_eq!(read(r#"{"name":"blue"}"#, &["name"]), [Value::text("blue")]);
    }

    #[test]
    fn members_that_the_model_does_not_know_are_passed_over() {
        let data = r#"{"floor":{"of":[3]},"name":"blue"}"#;
        assert_eq!(read(data, &["name", "floor"]), [Value::text("blue"), Value::Null]);
    }
}
