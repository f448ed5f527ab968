//! What a consumer of events would notice when a model follows another: one that was written for
//! the old contract must read what the new one sends.
//!
//! So what is sent may only narrow. A new event or a new member is nothing that anybody waits for;
//! a member that goes, may be null or may have a value that never came before is. Where the version
//! of an event was raised nobody who was written for the old one hears of it any more: then what
//! the model says of the old one must be what was published.

use ir::domain::{Domain, Event, EventMember, Field, Kind, ResourceId, Source};
use ir::model::{At, FieldType};
use ir::value::Value;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use witness::{beyond, holds, lacks, quoted, sample};

#[cfg(test)]
mod tests;
mod versions;
mod witness;

/// Something that consumers of an event can't bear.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Incompatibility {
    /// The event, `order.paid`.
    pub event: String,
    /// What of it: an attribute (`source`) or a member (`data.lines.price`); empty for all of it.
    pub at: String,
    /// What became of it.
    pub reason: String,
    /// A piece of an event that may be sent now and that no consumer had to read before, in words
    /// that follow a verb; empty where nothing is sent at all any more.
    pub witness: String,
}

/// Where a version is told of that was lowered.
pub(crate) const LOWERED: &str = "version";
/// What the place of a member of an older version begins with; its number and `.` follow.
pub(crate) const OLDER: &str = "from.";

/// Everything that a consumer of the old events can't bear of the new ones, by event and member;
/// empty where they are compatible.
pub fn incompatibilities(old: &Domain, new: &Domain) -> Vec<Incompatibility> {
    let mut found = Vec::new();
    for event in &old.events {
        let mut compared = Compared { old, new, event: &event.name, found: &mut found };
        match new.event_named(&event.name) {
            Some((_, now)) => match now.version.cmp(&event.version) {
                Ordering::Equal => compared.event(event, now),
                Ordering::Greater => compared.upcast(event, now),
                Ordering::Less => compared.lowered(event, now),
            },
            None => compared.tell("", "is gone: who waits for it waits for ever", String::new()),
        }
    }
    found
}

/// What is sent of a field, whatever the model calls it.
enum Form<'d> {
    /// One of these.
    Names(&'d [String]),
    /// An id.
    Id,
    /// Whole owned rows.
    Rows(ResourceId),
    /// A scalar; the subject of a caller is a text without bounds.
    Scalar(&'d FieldType),
}

fn form(field: &Field) -> Form<'_> {
    match &field.kind {
        Kind::Enum(values) => Form::Names(values),
        Kind::Reference { .. } => Form::Id,
        Kind::Actor(_) => Form::Scalar(&FieldType::String),
        Kind::Children { target, .. } => Form::Rows(*target),
        Kind::Scalar if field.declared == FieldType::Uuid => Form::Id,
        Kind::Scalar => Form::Scalar(&field.declared),
    }
}

/// One event of two models.
struct Compared<'a> {
    old: &'a Domain,
    new: &'a Domain,
    event: &'a str,
    found: &'a mut Vec<Incompatibility>,
}

impl<'a> Compared<'a> {
    fn tell(&mut self, at: &str, reason: impl Into<String>, witness: String) {
        let (event, at) = (self.event.to_owned(), at.to_owned());
        self.found.push(Incompatibility { event, at, reason: reason.into(), witness });
    }

    fn event(&mut self, was: &Event, now: &Event) {
        let source = |domain: &Domain, event: &Event| {
            let context = |id: &ResourceId| domain.resource(*id).context.index();
            let name = |id: &ResourceId| domain.contexts[context(id)].name.clone();
            let of = |id: &ResourceId| format!("/{}/{}", domain.system, name(id));
            event.emitters.iter().map(of).collect::<BTreeSet<_>>()
        };
        let path = |domain: &Domain, event: &Event| {
            let of = |id: &ResourceId| domain.resource(*id).path.clone();
            event.emitters.iter().map(of).collect::<BTreeSet<_>>()
        };
        self.values("source", &source(self.old, was), &source(self.new, now));
        self.values("subject", &path(self.old, was), &path(self.new, now));
        let tenanted = |domain: &Domain, event: &Event| {
            let shared = |id: &ResourceId| domain.resource(*id).shared;
            domain.tenancy.is_some() && !event.emitters.iter().any(shared)
        };
        if tenanted(self.old, was) && !tenanted(self.new, now) {
            self.tell("tenant", "is not in every event any more", lacks("tenant"));
        }
        for member in &was.data {
            let at = format!("data.{}", member.name);
            let Some(kept) = now.data.iter().find(|other| other.name == member.name) else {
                self.tell(&at, "is gone", lacks(&at));
                continue;
            };
            if nullable(self.new, now, kept) && !nullable(self.old, was, member) {
                self.tell(&at, "may be null", holds(&at, "null"));
            }
            let domain = self.new;
            for emitter in &now.emitters {
                let before = self.before(was, &domain.full_name(*emitter), &member.name);
                let after = domain.resource(*emitter).field_named(&member.name);
                // Implicit ones are the same everywhere.
                if let (Some(before), Some((_, after))) = (before, after) {
                    if after.secret {
                        let emitter = &domain.resource(*emitter).name;
                        let reason = format!("is left out where `{emitter}` emits it");
                        self.tell(&at, reason, lacks(&at));
                    }
                    self.field(&at, before, after);
                }
            }
        }
    }

    /// The field that was behind a member: of the emitter of that name, else of the first.
    fn before(&self, was: &Event, emitter: &str, member: &str) -> Option<&'a Field> {
        let old = self.old;
        let same = was.emitters.iter().find(|id| old.full_name(**id) == emitter);
        let (_, field) = old.resource(*same.or(was.emitters.first())?).field_named(member)?;
        Some(field)
    }

    /// Values of an attribute that did not come before.
    fn values(&mut self, at: &str, was: &BTreeSet<String>, now: &BTreeSet<String>) {
        let more: Vec<&String> = now.difference(was).collect();
        self.more(
            at,
            &more,
            if at == "subject" { "/01976f1e-7c2a-7000-8000-000000000001" } else { "" },
        );
    }

    /// Values that did not come before; `tail` is what the wire has behind each.
    fn more(&mut self, at: &str, more: &[&String], tail: &str) {
        let Some(first) = more.first() else { return };
        let witness = holds(at, &quoted(&format!("{first}{tail}")));
        let more: Vec<String> = more.iter().map(|value| format!("`{value}`")).collect();
        self.tell(at, format!("may be {}", more.join(" or ")), witness);
    }

    fn field(&mut self, at: &str, was: &Field, now: &Field) {
        if now.read.is_some() && was.read.is_none() {
            self.tell(at, "is left out for those who may not read it", lacks(at));
        }
        if now.personal && !was.personal {
            self.tell(at, "is left out where a person was erased", lacks(at));
        }
        match (form(was), form(now)) {
            (Form::Id, Form::Id) => {}
            (Form::Names(was), Form::Names(now)) => {
                let more = |value: &&String| !was.contains(value);
                self.more(at, &now.iter().filter(more).collect::<Vec<_>>(), "");
            }
            (Form::Rows(was), Form::Rows(now)) => self.rows(at, was, now),
            // Any JSON takes whatever comes.
            (Form::Scalar(FieldType::Json), _) => {}
            (Form::Scalar(FieldType::String | FieldType::Text), Form::Id | Form::Names(_))
                if was.min.is_none() && was.max.is_none() && was.pattern.is_none() => {}
            (Form::Scalar(before), Form::Scalar(after)) if narrows(before, after) => {
                self.bounds(at, was, now);
            }
            (Form::Id | Form::Names(_) | Form::Rows(_) | Form::Scalar(_), _) => {
                self.tell(at, "is of another type", holds(at, &sample(now)));
            }
        }
    }

    /// Owned rows: every member that was there is still there, and narrower.
    fn rows(&mut self, at: &str, was: ResourceId, now: ResourceId) {
        let (old, new) = (self.old, self.new);
        for (_, before) in old.resource(was).fields().filter(|(_, field)| !field.secret) {
            let at = format!("{at}.{}", before.name);
            let after = new.resource(now).field_named(&before.name);
            match after.filter(|(_, field)| !field.secret) {
                Some((_, after)) => {
                    if may_be_null(after) && !may_be_null(before) {
                        self.tell(&at, "may be null", holds(&at, "null"));
                    }
                    self.field(&at, before, after);
                }
                None => self.tell(&at, "is gone", lacks(&at)),
            }
        }
    }

    fn bounds(&mut self, at: &str, was: &Field, now: &Field) {
        if let Some(least) = &was.min
            && wider(was.min.as_ref(), now.min.as_ref(), Ordering::Less)
        {
            let witness = beyond(at, was, least, -1);
            self.tell(at, "may be less, or shorter, than before", witness);
        }
        if let Some(most) = &was.max
            && wider(was.max.as_ref(), now.max.as_ref(), Ordering::Greater)
        {
            let witness = beyond(at, was, most, 1);
            self.tell(at, "may be more, or longer, than before", witness);
        }
        if let Some(pattern) = &was.pattern
            && was.pattern != now.pattern
        {
            let witness = format!("a text in `{at}` that does not match `{pattern}`");
            self.tell(at, "is of another pattern", witness);
        }
    }
}

/// True where a member is null at some emitter.
fn nullable(domain: &Domain, event: &Event, member: &EventMember) -> bool {
    let at = |id: &ResourceId| domain.resource(*id).field_named(&member.name);
    member.optional || event.emitters.iter().filter_map(at).any(|(_, field)| may_be_null(field))
}

/// What is asked of its owner at each read is not in the row that an event tells of.
fn may_be_null(field: &Field) -> bool {
    field.optional || matches!(field.source, Source::Copied(At::Read, _))
}

/// True where every value of the second type is one of the first.
fn narrows(was: &FieldType, now: &FieldType) -> bool {
    use FieldType::*;
    match (was, now) {
        (String | Text, String | Text | Email | Url | Enum(_) | Uuid) => true,
        (Int, Int | Counter) => true,
        (Decimal { precision: digits, scale: decimals }, Decimal { precision, scale }) => {
            let whole = |digits: &u8, decimals: &u8| digits.saturating_sub(*decimals);
            scale <= decimals && whole(precision, scale) <= whole(digits, decimals)
        }
        (Money { currency: None }, Money { .. }) => true,
        (List(was), List(now)) => narrows(was, now),
        (Enum(was), Enum(now)) => now.iter().all(|value| was.contains(value)),
        (was, now) => was == now,
    }
}

/// True where a bound went, or moved towards `direction`; bounds that can't be compared have moved.
fn wider(was: Option<&Value>, now: Option<&Value>, direction: Ordering) -> bool {
    let Some(was) = was else { return false };
    let Some(now) = now else { return true };
    let order = match (now, was) {
        (Value::Int(now), Value::Int(was)) => now.cmp(was),
        (Value::Decimal { units: now, scale }, Value::Decimal { units: was, scale: before }) => {
            let even = |units: &i64, scale: &u8| {
                // At most 18 digits after the point: no product of an `i64` leaves an `i128`.
                i128::from(*units) * 10_i128.pow(18_u32.saturating_sub(u32::from(*scale)))
            };
            even(now, scale).cmp(&even(was, before))
        }
        (Value::Money { units: now, .. }, Value::Money { units: was, .. })
        | (Value::Time(now), Value::Time(was))
        | (Value::Timestamp(now), Value::Timestamp(was))
        | (Value::Duration(now), Value::Duration(was)) => now.cmp(was),
        (Value::Date(now), Value::Date(was)) => now.cmp(was),
        (now, was) if now == was => Ordering::Equal,
        _ => direction,
    };
    order == direction
}
