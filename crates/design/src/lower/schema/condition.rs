//! The condition of a `unique … when` as that of a partial index: comparisons of fields with
//! constants, all of which must hold. What is not of that kind, the checker refuses (E065).

use super::columns::{instant, is_stored, scaled, units_of_money};
use ir::domain::{Field, FieldId, Kind, Resource};
use ir::expr::{Expr, ExprKind, FieldRef, Operator};
use ir::model::FieldType;
use ir::schema::{IndexCondition, Literal, Part, Table};
use ir::value::Value;

/// One comparison: the column as field and part, and what it must be.
struct Comparison {
    field: FieldId,
    part: Part,
    test: Test,
}

enum Test {
    Null,
    NotNull,
    Equal(Literal),
    NotEqual(Literal),
}

/// True where an index can hold the condition.
pub(crate) fn holds(resource: &Resource, when: &Expr) -> bool {
    comparisons(resource, when).is_some()
}

/// The condition over the columns of the table.
pub(super) fn conditions(
    resource: &Resource,
    table: &Table,
    when: &Expr,
) -> Option<Vec<IndexCondition>> {
    let condition = |Comparison { field, part, test }: Comparison| {
        let column = table.column(field, part)?.name.clone();
        Some(match test {
            Test::Null => IndexCondition::Null(column),
            Test::NotNull => IndexCondition::NotNull(column),
            Test::Equal(value) => IndexCondition::Equal(column, value),
            Test::NotEqual(value) => IndexCondition::NotEqual(column, value),
        })
    };
    comparisons(resource, when)?.into_iter().map(condition).collect()
}

fn comparisons(resource: &Resource, when: &Expr) -> Option<Vec<Comparison>> {
    match &when.kind {
        ExprKind::And(parts) => {
            let parts: Option<Vec<_>> =
                parts.iter().map(|part| comparisons(resource, part)).collect();
            Some(parts?.into_iter().flatten().collect())
        }
        ExprKind::Field(field) => {
            Some(vec![compared(resource, *field, Operator::Equal, &Value::Bool(true))?])
        }
        ExprKind::Not(inner) => match &inner.kind {
            ExprKind::Field(field) => {
                Some(vec![compared(resource, *field, Operator::NotEqual, &Value::Bool(true))?])
            }
            _ => None,
        },
        ExprKind::Compare(operator, left, right) => {
            let (field, value) = match (&left.kind, &right.kind) {
                (ExprKind::Field(field), ExprKind::Literal(value))
                | (ExprKind::Literal(value), ExprKind::Field(field)) => (*field, value),
                _ => return None,
            };
            Some(vec![compared(resource, field, *operator, value)?])
        }
        _ => None,
    }
}

fn compared(
    resource: &Resource,
    field: FieldRef,
    operator: Operator,
    value: &Value,
) -> Option<Comparison> {
    let FieldRef::Field(id) = field else { return None };
    let field = resource.field(id);
    if !is_stored(field) {
        return None;
    }
    let part = match field.declared {
        FieldType::Money { .. } => Part::Units,
        FieldType::Timespan => Part::Start,
        _ => Part::Whole,
    };
    let test = match (operator, value.is_null()) {
        (Operator::Equal, true) => Test::Null,
        (Operator::NotEqual, true) => Test::NotNull,
        (Operator::Equal, false) => Test::Equal(literal(field, value)?),
        (Operator::NotEqual, false) => Test::NotEqual(literal(field, value)?),
        _ => return None,
    };
    Some(Comparison { field: id, part, test })
}

/// The constant as every store writes it alike: a text or a whole number of storage units.
pub(super) fn literal(field: &Field, value: &Value) -> Option<Literal> {
    if let (Kind::Enum(_), Value::Text(text)) = (&field.kind, value) {
        return Some(Literal::Text(text.to_string()));
    }
    match (&field.declared, value) {
        (
            FieldType::String | FieldType::Text | FieldType::Url | FieldType::Email,
            Value::Text(text),
        ) => Some(Literal::Text(text.to_string())),
        (FieldType::Int | FieldType::Counter, _) => scaled(value, 0).map(Literal::Int),
        (FieldType::Bool, Value::Bool(flag)) => Some(Literal::Int(i64::from(*flag))),
        (FieldType::Decimal { scale, .. }, _) => scaled(value, *scale).map(Literal::Int),
        (FieldType::Money { currency: Some(own) }, Value::Money { currency, .. }) => {
            let same = own == currency.as_str();
            units_of_money(value).filter(|_| same).map(Literal::Int)
        }
        (FieldType::Money { .. }, Value::Int(_) | Value::Decimal { .. }) => {
            units_of_money(value).map(Literal::Int)
        }
        (FieldType::Duration, Value::Duration(_)) => instant(value).map(Literal::Int),
        _ => None,
    }
}
