//! Example values for contracts and documents, computed from the types: valid, readable, and the
//! same in every run.

mod pattern;
mod window;

pub use pattern::matching;

use crate::bodies::{self, Body};
use crate::tree::{Node, list, map};
use ir::domain::{Domain, Field, FieldId, Kind, Resource, ResourceId, Source};
use ir::expr::{Aggregate, Expr, ExprKind, FieldRef, Operator};
use ir::model::FieldType;
use ir::value::{Currency, MONEY_UNITS, Value};

/// 2026-01-15T09:30:00Z in microseconds since 1970: the time of every example.
pub(crate) const MORNING: i64 = 1_768_469_400_000_000;
/// The day of it, since 1970.
const DAY: i32 = 20_468;
/// References and computed fields are followed this far.
const STEPS_MAX: u8 = 6;
/// Subjects of the first actors.
const PEOPLE: [&str; 5] = ["alice", "bruno", "chen", "dana", "emil"];

/// Makes examples for the resources of a domain.
#[derive(Clone, Copy)]
pub(crate) struct Examples<'a> {
    /// The domain.
    pub(crate) domain: &'a Domain,
}

/// What a body is an example of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// What is read: every member.
    Read,
    /// What creates a row.
    Create,
    /// What replaces a row: children keep their ids.
    Replace,
}

/// The example id of a row: a UUIDv7 of the examples' time, different for each name.
pub(crate) fn id(name: &str) -> String {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let time = u64::try_from(MORNING / 1_000).unwrap_or_default();
    let (first, last) = (hash >> 52, hash & 0x3fff_ffff_ffff_ffff);
    let variant = 0x8000_0000_0000_0000 | last;
    format!(
        "{:08x}-{:04x}-7{first:03x}-{:04x}-{:012x}",
        time >> 16,
        time & 0xffff,
        variant >> 48,
        variant & 0xffff_ffff_ffff
    )
}

impl<'a> Examples<'a> {
    /// The example of a row or body. None where a pattern is beyond what can be made up.
    pub(crate) fn body(self, resource: ResourceId, form: Form) -> Option<Node> {
        self.object(resource, form, 0)
    }

    fn object(self, resource_id: ResourceId, form: Form, steps: u8) -> Option<Node> {
        let resource = self.domain.resource(resource_id);
        let mut members = Vec::new();
        let has_id = form == Form::Read || (form == Form::Replace && resource.owner.is_some());
        if has_id {
            members.push(("id".to_owned(), id(&self.domain.full_name(resource_id)).into()));
        }
        for (field_id, field) in resource.fields() {
            let need = match form {
                Form::Read => !field.secret,
                Form::Create => bodies::need(self.domain, resource_id, field, Body::Create).shown(),
                Form::Replace => {
                    bodies::need(self.domain, resource_id, field, Body::Replace).shown()
                }
            };
            if need && let Some(node) = self.member(resource_id, field_id, form, steps)? {
                members.push((field.name.clone(), node));
            }
        }
        if form == Form::Read && resource.owner.is_none() {
            members.push(("created_at".to_owned(), timestamp(MORNING).into()));
            members.push(("updated_at".to_owned(), timestamp(MORNING).into()));
        }
        Some(Node::Map(members))
    }

    /// The outer option: the whole body has no example; the inner one: the member is left out.
    fn member(
        self,
        resource_id: ResourceId,
        field_id: FieldId,
        form: Form,
        steps: u8,
    ) -> Option<Option<Node>> {
        let field = self.domain.resource(resource_id).field(field_id);
        if let Kind::Children { target, min, .. } = field.kind {
            if steps > STEPS_MAX {
                return Some(None);
            }
            let one = self.object(target, form, steps + 1)?;
            let count = min.clamp(1, 2) as usize;
            return Some(Some(list(vec![one; count])));
        }
        match self.value(resource_id, field, steps) {
            Some(Value::Null) if form != Form::Read => Some(None),
            Some(value) => Some(Some(wire(&value))),
            None if field.optional => Some(None),
            None => None,
        }
    }

    /// Inputs of a command, or members of any other list of fields.
    pub(crate) fn inputs(self, resource: ResourceId, fields: &[Field]) -> Option<Node> {
        let mut members = Vec::new();
        for field in fields {
            members.push((field.name.clone(), wire(&self.value(resource, field, 0)?)));
        }
        Some(Node::Map(members))
    }

    /// The example value of a field.
    pub(crate) fn value(self, resource: ResourceId, field: &Field, steps: u8) -> Option<Value> {
        if steps > STEPS_MAX {
            return self.plain(field, resource);
        }
        if let Some(bound) = self.bound(resource, field) {
            return Some(bound);
        }
        match &field.source {
            Source::Computed(expr) | Source::Copied(_, expr) | Source::Default(expr) => {
                let made = self.expr(resource, expr, steps + 1);
                made.filter(|value| fits(field, value)).or_else(|| self.plain(field, resource))
            }
            Source::Counted => Some(Value::Int(0)),
            Source::Client | Source::State | Source::Caller => self.plain(field, resource),
        }
    }

    fn plain(self, field: &Field, resource: ResourceId) -> Option<Value> {
        match &field.kind {
            Kind::Enum(values) => values.first().map(|value| Value::text(value.as_str())),
            Kind::Reference { target, .. } => {
                let text = id(&self.domain.full_name(*target));
                u128::from_str_radix(&text.replace('-', ""), 16).ok().map(Value::Uuid)
            }
            Kind::Actor(actor) => Some(Value::text(PEOPLE[actor.index() % PEOPLE.len()])),
            Kind::Children { .. } => None,
            Kind::Scalar => scalar(field, &field.declared, self.domain.resource(resource)),
        }
    }

    /// As much of the language as examples need; none for the rest.
    fn expr(self, resource_id: ResourceId, expr: &Expr, steps: u8) -> Option<Value> {
        let resource = self.domain.resource(resource_id);
        match &expr.kind {
            ExprKind::Literal(value) => Some(value.clone()),
            ExprKind::Field(FieldRef::Field(id)) => {
                self.value(resource_id, resource.field(*id), steps)
            }
            ExprKind::Related { target, field: FieldRef::Field(id), .. } => {
                self.value(*target, self.domain.resource(*target).field(*id), steps)
            }
            ExprKind::Now => Some(Value::Timestamp(MORNING)),
            ExprKind::Arithmetic(operator, left, right) => {
                let left = self.expr(resource_id, left, steps)?;
                arithmetic(*operator, left, self.expr(resource_id, right, steps)?)
            }
            ExprKind::Aggregate(fold, children, inner) => {
                let Kind::Children { target, min, .. } = resource.field(*children).kind else {
                    return None;
                };
                let count = i64::from(min.clamp(1, 2));
                match (fold, inner) {
                    (Aggregate::Count, _) => Some(Value::Int(count)),
                    (Aggregate::Sum, Some(inner)) => {
                        let one = self.expr(target, inner, steps)?;
                        arithmetic(Operator::Multiply, one, Value::Int(count))
                    }
                    (Aggregate::Min | Aggregate::Max | Aggregate::Avg, Some(inner)) => {
                        self.expr(target, inner, steps)
                    }
                    (_, None) => None,
                }
            }
            _ => None,
        }
    }
}

/// An expression's value is shown only where it is of the field's own form.
fn fits(field: &Field, value: &Value) -> bool {
    match (&field.declared, value) {
        (FieldType::Money { .. }, Value::Money { .. }) => true,
        (FieldType::Int | FieldType::Counter, Value::Int(_)) => true,
        (FieldType::Decimal { scale: declared, .. }, Value::Decimal { scale, .. }) => {
            scale == declared
        }
        (FieldType::Bool, Value::Bool(_)) => true,
        (FieldType::Timestamp, Value::Timestamp(_)) => true,
        (FieldType::String | FieldType::Text | FieldType::Enum(_), Value::Text(_)) => true,
        (_, Value::Null) => field.optional,
        _ => false,
    }
}

fn arithmetic(operator: Operator, left: Value, right: Value) -> Option<Value> {
    let combine = |a: i64, b: i64| match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        _ => None,
    };
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => combine(a, b).map(Value::Int),
        (Value::Money { units, currency }, Value::Int(by))
        | (Value::Int(by), Value::Money { units, currency })
            if operator == Operator::Multiply =>
        {
            units.checked_mul(by).map(|units| Value::Money { units, currency })
        }
        (Value::Money { units: a, currency }, Value::Money { units: b, .. })
            if operator != Operator::Multiply =>
        {
            combine(a, b).map(|units| Value::Money { units, currency })
        }
        _ => None,
    }
}

fn scalar(field: &Field, declared: &FieldType, resource: &Resource) -> Option<Value> {
    Some(match declared {
        FieldType::String | FieldType::Text => return text(field, resource),
        FieldType::Email => Value::text("alice@example.com"),
        FieldType::Url => Value::text("https://example.com/a/page"),
        FieldType::Int | FieldType::Counter => Value::Int(within(field, 1, 2)),
        FieldType::Decimal { scale, .. } => {
            let one = 10_i64.checked_pow(u32::from(*scale))?;
            Value::Decimal { units: within(field, one, one + one / 2), scale: *scale }
        }
        FieldType::Bool => Value::Bool(true),
        FieldType::Money { currency } => {
            let code = currency.as_deref().unwrap_or("EUR");
            let letters = <[u8; 3]>::try_from(code.as_bytes()).ok()?;
            let typical = 125 * MONEY_UNITS / 10;
            let units = within(field, MONEY_UNITS, typical);
            let whole = units - units.rem_euclid(MONEY_UNITS);
            let currency = Currency(letters);
            let units = if currency.decimals() == 0 { whole } else { units };
            Value::Money { units, currency }
        }
        FieldType::Date => Value::Date(i32::try_from(within(field, 1, i64::from(DAY))).ok()?),
        FieldType::Time => Value::Time(within(field, 1, 34_200_000_000)),
        FieldType::Timestamp => Value::Timestamp(within(field, 1, MORNING)),
        FieldType::Duration => Value::Duration(within(field, 1, 1_800_000_000)),
        FieldType::Timespan => Value::Timespan { start: MORNING, end: MORNING + 1_800_000_000 },
        FieldType::Uuid => {
            Value::Uuid(u128::from_str_radix(&id(&field.name).replace('-', ""), 16).ok()?)
        }
        FieldType::Json => Value::Json("{}".into()),
        FieldType::List(element) => {
            let bare = Field { min: None, max: None, ..field.clone() };
            let one = scalar(&bare, element, resource)?;
            let least = bound(&field.min, 1).unwrap_or(1).max(1);
            Value::List(vec![one; usize::try_from(least).ok()?])
        }
        FieldType::Enum(values) => Value::text(values.first()?.as_str()),
        FieldType::Reference { .. } | FieldType::Actor(_) | FieldType::Many { .. } => return None,
    })
}

/// The typical value, moved into the bounds; a bound that is a whole number counts `one` each.
fn within(field: &Field, one: i64, typical: i64) -> i64 {
    let min = bound(&field.min, one).unwrap_or(i64::MIN);
    let max = bound(&field.max, one).unwrap_or(i64::MAX);
    typical.min(max).max(min)
}

/// A bound in the units of its type, where `one` is what a whole number counts.
fn bound(value: &Option<Value>, one: i64) -> Option<i64> {
    match value.as_ref()? {
        Value::Int(number) => number.checked_mul(one),
        Value::Decimal { units, scale } => {
            let has = 10_i64.checked_pow(u32::from(*scale))?;
            units.checked_mul(one)?.checked_div(has)
        }
        Value::Money { units, .. } => Some(*units),
        Value::Date(days) => Some(i64::from(*days)),
        Value::Time(micros) | Value::Timestamp(micros) | Value::Duration(micros) => Some(*micros),
        Value::Null | Value::Bool(_) | Value::Text(_) | Value::Timespan { .. } => None,
        Value::Uuid(_) | Value::Json(_) | Value::List(_) => None,
    }
}

/// `Name 1`, fitted to the bounds or made from the pattern.
fn text(field: &Field, resource: &Resource) -> Option<Value> {
    let min = usize::try_from(bound(&field.min, 1).unwrap_or(0)).ok()?;
    let max = usize::try_from(bound(&field.max, 1).unwrap_or(i64::MAX)).ok()?;
    if let Some(pattern) = &field.pattern {
        return matching(pattern, min, max, 0).map(Value::Text);
    }
    let words = match field.name.as_str() {
        "name" | "title" | "label" => format!("{} 1", spaced(&resource.name)),
        name => format!("{} 1", spaced(name)),
    };
    let mut text: String = words.chars().take(max).collect();
    while text.chars().count() < min {
        text.push('x');
    }
    Some(Value::text(text))
}

/// `OrderLine` and `order_line` to `Order line`.
fn spaced(name: &str) -> String {
    let mut out = String::new();
    for (at, letter) in name.chars().enumerate() {
        match letter {
            '_' | '-' => out.push(' '),
            letter if at == 0 => out.extend(letter.to_uppercase()),
            letter if letter.is_uppercase() => {
                out.push(' ');
                out.extend(letter.to_lowercase());
            }
            letter => out.push(letter),
        }
    }
    out
}

/// A value in its wire form.
pub(crate) fn wire(value: &Value) -> Node {
    match value {
        Value::Null => Node::Null,
        Value::Bool(flag) => Node::Bool(*flag),
        Value::Int(number) => Node::Int(*number),
        Value::Decimal { units, scale } => decimal(*units, *scale, *scale).into(),
        Value::Money { units, currency } => {
            let amount = decimal(*units, 4, currency.decimals());
            map([("amount", amount.into()), ("currency", currency.as_str().into())])
        }
        Value::Text(text) => Node::Text(text.to_string()),
        Value::Json(_) => Node::empty(),
        Value::Date(days) => date(*days).into(),
        Value::Time(micros) => clock(*micros).into(),
        Value::Timestamp(micros) => timestamp(*micros).into(),
        Value::Duration(micros) => duration(*micros).into(),
        Value::Timespan { start, end } => {
            map([("start", timestamp(*start).into()), ("end", timestamp(*end).into())])
        }
        Value::Uuid(id) => uuid(*id).into(),
        Value::List(elements) => list(elements.iter().map(wire)),
    }
}

fn uuid(id: u128) -> String {
    let hex = format!("{id:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// `units / 10^scale` with at least `shown` decimals.
pub(crate) fn decimal(units: i64, scale: u8, shown: u8) -> String {
    let one = 10_u64.pow(u32::from(scale));
    let sign = if units < 0 { "-" } else { "" };
    let (whole, rest) = (units.unsigned_abs() / one, units.unsigned_abs() % one);
    let mut fraction = if scale == 0 {
        String::new()
    } else {
        format!("{rest:0width$}", width = usize::from(scale))
    };
    while fraction.len() > usize::from(shown) && fraction.ends_with('0') {
        fraction.pop();
    }
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

/// `2026-01-15`
pub(crate) fn date(days: i32) -> String {
    let days = i64::from(days) + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let of_years = of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096;
    let year = of_years / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

fn clock(micros: i64) -> String {
    let seconds = micros.rem_euclid(86_400_000_000) / 1_000_000;
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// `2026-01-15T09:30:00Z`
pub(crate) fn timestamp(micros: i64) -> String {
    let days = i32::try_from(micros.div_euclid(86_400_000_000)).unwrap_or_default();
    format!("{}T{}Z", date(days), clock(micros))
}

fn duration(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    format!("{sign}PT{}S", micros.unsigned_abs() / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn example_ids_are_of_version_seven_and_differ_by_name() {
        let (a, b) = (id("catalog.Product"), id("ordering.Order"));
        assert_ne!(a, b);
        for id in [a, b] {
            let bytes = id.as_bytes();
            assert_eq!((id.len(), bytes[14]), (36, b'7'), "{id}");
            assert!(matches!(bytes[19], b'8' | b'9' | b'a' | b'b'), "{id}");
            assert!(id.starts_with("019bc0fd-"), "{id}");
        }
    }

    #[test]
    fn the_time_of_the_examples_is_what_its_name_says() {
        assert_eq!(timestamp(MORNING), "2026-01-15T09:30:00Z");
        assert_eq!(date(DAY), "2026-01-15");
        assert_eq!(decimal(-125_000, 4, 2), "-12.50");
        assert_eq!(decimal(125, 0, 0), "125");
    }
}
