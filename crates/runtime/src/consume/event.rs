//! What an expression sees of an event: its data, read by the types that the model gives it.

use crate::engine::Failure;
use crate::json::read::parse;
use crate::json::{Json, write};
use crate::plan::Plan;
use crate::ports::events::Logged;
use crate::problem::{Problem, kinds};
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
    /// Reads the data of an event. A member that is not there is null: an older event has fewer.
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
                None | Some(Json::Null) => Value::Null,
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
pub(super) fn object<'v>(members: impl Iterator<Item = (&'v str, Value)>) -> Vec<u8> {
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
