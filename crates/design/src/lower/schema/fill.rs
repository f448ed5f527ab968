//! What rows get that were there before their column: the field's default, where it is constant.

use super::columns::{instant, units_of_money};
use super::condition::literal;
use ir::domain::{Field, Kind, Source};
use ir::expr::ExprKind;
use ir::model::FieldType;
use ir::schema::{Literal, Part};
use ir::value::Value;

/// The constant for a part of a field.
pub(super) fn fill(field: &Field, part: Part) -> Option<Literal> {
    let value = default(field);
    match part {
        Part::Whole => value.as_ref().and_then(|value| whole(field, value)),
        Part::Units => value.as_ref().and_then(units_of_money).map(Literal::Int),
        Part::Currency => currency(field, value.as_ref()).map(Literal::Text),
        Part::Start | Part::End => value.as_ref().and_then(|value| end(value, part)),
        Part::Search => None,
    }
}

fn default(field: &Field) -> Option<Value> {
    match (&field.source, &field.kind) {
        (Source::Default(expr), _) => match &expr.kind {
            ExprKind::Literal(value) if !value.is_null() => Some(value.clone()),
            _ => None,
        },
        (Source::State, Kind::Enum(values)) => values.first().map(|value| Value::text(&**value)),
        (Source::Counted, _) => Some(Value::Int(0)),
        (Source::State | Source::Client | Source::Computed(_), _) => None,
        (Source::Copied(..) | Source::Caller, _) => None,
    }
}

fn whole(field: &Field, value: &Value) -> Option<Literal> {
    literal(field, value).or_else(|| instant(value).map(Literal::Int))
}

fn currency(field: &Field, value: Option<&Value>) -> Option<String> {
    match (value, &field.declared) {
        (Some(Value::Money { currency, .. }), _) => Some(currency.as_str().to_owned()),
        (_, FieldType::Money { currency: Some(own) }) => Some(own.clone()),
        _ => None,
    }
}

fn end(value: &Value, part: Part) -> Option<Literal> {
    match (value, part) {
        (Value::Timespan { start, .. }, Part::Start) => Some(Literal::Int(*start)),
        (Value::Timespan { end, .. }, _) => Some(Literal::Int(*end)),
        _ => None,
    }
}
