//! Does a constant fit the constraints of a field? Only what is certain is told.

use super::resolve::order;
use super::suggest::Budget;
use ir::domain::{Field, Kind};
use ir::expr::{Expr, ExprKind};
use ir::model::FieldType;
use ir::value::Value;
use regex::RegexBuilder;

/// Larger patterns are left to the first write: compiling them takes long.
const PATTERN_COMPILED_BYTES_MAX: usize = 1 << 19;

/// The constant that an expression is, if it is one.
pub(crate) fn constant(expr: &Expr) -> Option<&Value> {
    match &expr.kind {
        ExprKind::Literal(value) => Some(value),
        _ => None,
    }
}

/// Why the field can never take the value; none where it can.
pub(crate) fn broken(field: &Field, value: &Value, budget: &Budget) -> Option<String> {
    if value.is_null() {
        return (!field.optional).then(|| "it must have a value".to_owned());
    }
    if let (Kind::Enum(values), Value::Text(text)) = (&field.kind, value) {
        let known = values.iter().any(|known| **known == **text);
        return (!known).then(|| format!("it is one of `{}`", values.join(" | ")));
    }
    if let (Some(pattern), Value::Text(text)) = (&field.pattern, value)
        && budget.spend_pattern()
        && !may_match(pattern, text)
    {
        return Some(format!("the whole of it must match `{pattern}`"));
    }
    if let FieldType::Decimal { precision, scale } = field.declared
        && let Value::Decimal { units, .. } = value
        && units.unsigned_abs() >= 10_u64.saturating_pow(u32::from(precision))
    {
        let whole = precision.saturating_sub(scale);
        return Some(format!("it has at most {whole} digits before the point"));
    }
    let size = match value {
        Value::Text(text) => i64::try_from(text.chars().count()).unwrap_or(i64::MAX),
        Value::List(items) => i64::try_from(items.len()).unwrap_or(i64::MAX),
        other => order(other),
    };
    let length = match value {
        Value::Text(_) => " characters",
        Value::List(_) => " elements",
        _ => "",
    };
    if let Some(min) = field.min.as_ref().filter(|min| size < order(min)) {
        return Some(format!("it is at least {}{length}", shown(min)));
    }
    let max = field.max.as_ref().filter(|max| size > order(max))?;
    Some(format!("it is at most {}{length}", shown(max)))
}

/// Whether the whole text matches; true where the pattern is at fault itself or too large to try.
fn may_match(pattern: &str, text: &str) -> bool {
    let whole = RegexBuilder::new(&format!("^(?:{pattern})$"))
        .size_limit(PATTERN_COMPILED_BYTES_MAX)
        .build();
    whole.map_or(true, |whole| whole.is_match(text))
}

/// Why no value of `from` is one of `to`; none where some may be.
pub(crate) fn disjoint(from: &Field, to: &Field) -> Option<String> {
    let text = |field: &Field| field.declared == FieldType::String;
    if std::mem::discriminant(&from.declared) != std::mem::discriminant(&to.declared)
        && !(text(from) && text(to))
    {
        return None;
    }
    let above = |low: &Option<Value>, high: &Option<Value>| match (low, high) {
        (Some(low), Some(high)) => order(low) > order(high),
        _ => false,
    };
    if above(&from.min, &to.max) {
        return to.max.as_ref().map(|max| format!("it is at most {}", shown(max)));
    }
    if above(&to.min, &from.max) {
        return to.min.as_ref().map(|min| format!("it is at least {}", shown(min)));
    }
    None
}

/// A bound as it would be written.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Int(n) => n.to_string(),
        Value::Decimal { units, scale } => decimal(*units, *scale),
        Value::Money { units, currency } => format!("{} {}", decimal(*units, 4), currency.as_str()),
        Value::Text(text) => format!("'{text}'"),
        Value::Bool(value) => value.to_string(),
        Value::Null => "null".to_owned(),
        Value::Duration(micros) => format!("{} s", micros / 1_000_000),
        Value::Date(_)
        | Value::Time(_)
        | Value::Timestamp(_)
        | Value::Timespan { .. }
        | Value::Uuid(_)
        | Value::Json(_)
        | Value::List(_) => "its bound".to_owned(),
    }
}

fn decimal(units: i64, scale: u8) -> String {
    let digits = format!("{:0>width$}", units.unsigned_abs(), width = usize::from(scale) + 1);
    let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
    let fraction = fraction.trim_end_matches('0');
    let sign = if units < 0 { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_they_are_written() {
        assert_eq!(shown(&Value::Decimal { units: -1250, scale: 2 }), "-12.5");
        assert_eq!(shown(&Value::Decimal { units: 5, scale: 4 }), "0.0005");
        assert_eq!(shown(&Value::Int(99)), "99");
    }
}
