//! An event that shows what changed: a piece of one that may be sent now, and never was before.

use super::{Form, form};
use ir::domain::Field;
use ir::model::FieldType;
use ir::value::Value;

/// `{"data": {"lines": [{"price": null}]}}`, for a place such as `data.lines.price`: what is below
/// a member of the data is a row of it.
pub(super) fn holds(at: &str, value: &str) -> String {
    let mut text = value.to_owned();
    for (depth, name) in at.split('.').enumerate().collect::<Vec<_>>().into_iter().rev() {
        let object = format!("{{\"{name}\": {text}}}");
        text = if depth >= 2 { format!("[{object}]") } else { object };
    }
    format!("`{text}`")
}

/// An event that lacks a place.
pub(super) fn lacks(at: &str) -> String {
    match at.rsplit_once('.') {
        Some((above, name)) => {
            let rest = if above.contains('.') { "[{…}]" } else { "{…}" };
            format!("{} without `{name}`", holds(above, rest))
        }
        None => format!("an event without `{at}`"),
    }
}

/// A text in quotes; names of models need no escape.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// A value of a field.
pub(super) fn sample(field: &Field) -> String {
    match form(field) {
        Form::Names(names) => quoted(names.first().map_or("", String::as_str)),
        Form::Id => quoted("01976f1e-7c2a-7000-8000-000000000001"),
        Form::Rows(_) => "[{…}]".to_owned(),
        Form::Scalar(ty) => of_type(ty),
    }
}

fn of_type(ty: &FieldType) -> String {
    match ty {
        FieldType::String
        | FieldType::Text
        | FieldType::Reference { .. }
        | FieldType::Actor(_)
        | FieldType::Uuid => quoted("a text"),
        FieldType::Int | FieldType::Counter => "1".to_owned(),
        FieldType::Decimal { scale, .. } => {
            let places = usize::from(*scale);
            quoted(&format!("{:.places$}", 1.0))
        }
        FieldType::Bool => "true".to_owned(),
        FieldType::Money { currency } => {
            let currency = currency.as_deref().unwrap_or("EUR");
            format!("{{\"amount\": \"1.00\", \"currency\": \"{currency}\"}}")
        }
        FieldType::Date => quoted("2026-01-01"),
        FieldType::Time => quoted("12:00:00"),
        FieldType::Timestamp => quoted("2026-01-01T00:00:00Z"),
        FieldType::Duration => quoted("PT1H"),
        FieldType::Timespan => {
            "{\"start\": \"2026-01-01T00:00:00Z\", \"end\": \"2026-01-02T00:00:00Z\"}".to_owned()
        }
        FieldType::Url => quoted("https://example.com/"),
        FieldType::Email => quoted("a@example.com"),
        FieldType::Json => "{}".to_owned(),
        FieldType::Enum(names) => quoted(names.first().map_or("", |name| name.as_str())),
        FieldType::List(of) => format!("[{}]", of_type(of)),
        FieldType::Many { .. } => "[{…}]".to_owned(),
    }
}

/// A value one step beyond a bound that was: below it for `step` -1, above it for 1.
pub(super) fn beyond(at: &str, field: &Field, bound: &Value, step: i64) -> String {
    let length = matches!(
        form(field),
        Form::Scalar(
            FieldType::String
                | FieldType::Text
                | FieldType::Url
                | FieldType::Email
                | FieldType::List(_)
        )
    );
    match bound {
        Value::Int(n) if length => {
            let unit = if matches!(form(field), Form::Scalar(FieldType::List(_))) {
                "elements"
            } else {
                "characters"
            };
            format!("{} {unit} in `{at}`", n.saturating_add(step))
        }
        Value::Int(n) => holds(at, &n.saturating_add(step).to_string()),
        Value::Null
        | Value::Bool(_)
        | Value::Decimal { .. }
        | Value::Money { .. }
        | Value::Text(_)
        | Value::Date(_)
        | Value::Time(_)
        | Value::Timestamp(_)
        | Value::Duration(_)
        | Value::Timespan { .. }
        | Value::Uuid(_)
        | Value::Json(_)
        | Value::List(_) => {
            let side = if step < 0 { "below the least" } else { "above the most" };
            format!("a value of `{at}` {side} that there was")
        }
    }
}
