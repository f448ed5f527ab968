//! `min`, `max` and `a..b` as values of the field's type.

use crate::check::e056_bounds;
use crate::check::place::Place;
use crate::check::typing::literals;
use ir::Diagnostic;
use ir::model::{Bound, Field, FieldType};
use ir::value::Value;

/// Scale of money, and of a bound of money: amounts are compared, whatever the currency.
const MONEY_SCALE: u8 = 4;

/// A bound as a value: of a text its length, of a list its number of elements, of money the amount
/// as a decimal of four places.
pub(crate) fn bound(declared: &FieldType, text: &str) -> Option<Value> {
    match declared {
        FieldType::String
        | FieldType::Text
        | FieldType::Url
        | FieldType::Email
        | FieldType::List(_) => whole(text).filter(|length| *length >= 0).map(Value::Int),
        FieldType::Int | FieldType::Counter => whole(text).map(Value::Int),
        FieldType::Decimal { scale, .. } => decimal(text, *scale),
        FieldType::Money { .. } => decimal(text, MONEY_SCALE),
        FieldType::Date => literals::date(text).map(Value::Date),
        FieldType::Time => literals::time(text).map(Value::Time),
        FieldType::Timestamp => literals::timestamp(text).map(Value::Timestamp),
        FieldType::Duration => length(text).map(Value::Duration),
        FieldType::Bool
        | FieldType::Timespan
        | FieldType::Uuid
        | FieldType::Json
        | FieldType::Enum(_)
        | FieldType::Reference { .. }
        | FieldType::Actor(_)
        | FieldType::Many { .. } => None,
    }
}

/// May the type have bounds at all?
pub(crate) fn bounded(declared: &FieldType) -> bool {
    match declared {
        FieldType::Bool
        | FieldType::Timespan
        | FieldType::Uuid
        | FieldType::Json
        | FieldType::Enum(_)
        | FieldType::Reference { .. }
        | FieldType::Actor(_)
        | FieldType::Many { .. } => false,
        FieldType::String
        | FieldType::Text
        | FieldType::Url
        | FieldType::Email
        | FieldType::List(_)
        | FieldType::Int
        | FieldType::Counter
        | FieldType::Decimal { .. }
        | FieldType::Money { .. }
        | FieldType::Date
        | FieldType::Time
        | FieldType::Timestamp
        | FieldType::Duration => true,
    }
}

fn whole(text: &str) -> Option<i64> {
    literals::decimal(text).filter(|(_, scale)| *scale == 0).map(|(units, _)| units)
}

fn decimal(text: &str, scale: u8) -> Option<Value> {
    let (units, from) = literals::decimal(text)?;
    let units = literals::rescale(units, u32::from(from), u32::from(scale))?;
    Some(Value::Decimal { units, scale })
}

/// `7d`, or with words as elsewhere in the model: `7 days`, `30 min`.
fn length(text: &str) -> Option<i64> {
    let joined: String = text.split_whitespace().collect();
    let (number, unit) = joined.split_at(joined.find(|c: char| !c.is_ascii_digit())?);
    let unit = match unit {
        "min" | "minute" | "minutes" => "m",
        "hour" | "hours" => "h",
        "day" | "days" => "d",
        "week" | "weeks" => "w",
        "second" | "seconds" => "s",
        _ => return literals::duration(&joined),
    };
    literals::duration(&format!("{number}{unit}"))
}

/// Least and greatest of a field; a bound that is no value of the type is told and left out.
pub(super) fn bounds(
    field: &Field,
    place: Place<'_>,
    found: &mut Vec<Diagnostic>,
) -> (Option<Value>, Option<Value>) {
    let mut value = |bound: &Option<Bound>| {
        let written = bound.as_ref()?;
        let value = self::bound(&field.ty.value, &written.text);
        if value.is_none() && bounded(&field.ty.value) {
            found.push(e056_bounds::no_value(written, &field.ty.value, place));
        }
        value
    };
    let (min, max) = (value(&field.min), value(&field.max));
    if let (Some(min), Some(max)) = (&min, &max)
        && order(min) > order(max)
    {
        found.push(e056_bounds::fault(field, place));
    }
    (min, max)
}

/// A number that orders bounds of one field.
pub(crate) fn order(value: &Value) -> i64 {
    match value {
        Value::Int(n) | Value::Time(n) | Value::Timestamp(n) | Value::Duration(n) => *n,
        Value::Decimal { units, .. } | Value::Money { units, .. } => *units,
        Value::Date(days) => i64::from(*days),
        Value::Null
        | Value::Bool(_)
        | Value::Text(_)
        | Value::Timespan { .. }
        | Value::Uuid(_)
        | Value::Json(_)
        | Value::List(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_has_the_type_of_its_field() {
        assert_eq!(bound(&FieldType::String, "40"), Some(Value::Int(40)));
        assert_eq!(bound(&FieldType::String, "-1"), None);
        assert_eq!(bound(&FieldType::Int, "50_000"), Some(Value::Int(50_000)));
        assert_eq!(bound(&FieldType::Int, "1.5"), None);
        let decimal = FieldType::Decimal { precision: 6, scale: 2 };
        assert_eq!(bound(&decimal, "1.5"), Some(Value::Decimal { units: 150, scale: 2 }));
        assert_eq!(bound(&decimal, "1.505"), None);
        let money = FieldType::Money { currency: None };
        assert_eq!(bound(&money, "9.99"), Some(Value::Decimal { units: 99_900, scale: 4 }));
        assert_eq!(bound(&FieldType::Date, "1970-01-02"), Some(Value::Date(1)));
        assert_eq!(bound(&FieldType::Duration, "2 days"), bound(&FieldType::Duration, "48h"));
        assert_eq!(bound(&FieldType::Bool, "1"), None);
    }
}
