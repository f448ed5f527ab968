//! Comparison of values: two-valued, null is equal to nothing.

use ir::expr::{Expr, ExprKind, Operator};
use ir::value::{MONEY_UNITS, Value};
use std::cmp::Ordering;

/// `x == null` or `x != null`.
pub(super) struct NullTest<'a> {
    pub(super) tested: &'a Expr,
    pub(super) wanted: bool,
}

/// Recognises a comparison with the literal `null`: the one way to ask whether there is a value.
pub(super) fn null_test<'a>(
    operator: Operator,
    left: &'a Expr,
    right: &'a Expr,
) -> Option<NullTest<'a>> {
    let wanted = match operator {
        Operator::Equal => true,
        Operator::NotEqual => false,
        _ => return None,
    };
    let is_null = |expr: &Expr| matches!(expr.kind, ExprKind::Literal(Value::Null));
    let tested = if is_null(right) {
        left
    } else if is_null(left) {
        right
    } else {
        return None;
    };
    Some(NullTest { tested, wanted })
}

/// Applies a comparison operator.
pub(super) fn compare(operator: Operator, left: &Value, right: &Value) -> bool {
    let order = order(left, right);
    match operator {
        Operator::Equal => order == Some(Ordering::Equal),
        Operator::NotEqual => order != Some(Ordering::Equal),
        Operator::Less => order == Some(Ordering::Less),
        Operator::LessEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Operator::Greater => order == Some(Ordering::Greater),
        Operator::GreaterEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        Operator::Or
        | Operator::And
        | Operator::In
        | Operator::Add
        | Operator::Subtract
        | Operator::Multiply
        | Operator::Divide
        | Operator::Remainder => false,
    }
}

/// True where both are there and equal.
pub(super) fn equal(left: &Value, right: &Value) -> bool {
    order(left, right) == Some(Ordering::Equal)
}

/// The order of two values of comparable types; none where one is null, the currencies are unlike
/// or there is no order between unlike values.
pub(super) fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) | (Value::Json(a), Value::Json(b)) => {
            Some(a.as_bytes().cmp(b.as_bytes()))
        }
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
        (Value::Time(a), Value::Time(b))
        | (Value::Timestamp(a), Value::Timestamp(b))
        | (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
        (Value::Uuid(a), Value::Uuid(b)) => Some(a.cmp(b)),
        (Value::Timespan { .. }, Value::Timespan { .. }) | (Value::List(_), Value::List(_)) => {
            if left == right {
                Some(Ordering::Equal)
            } else {
                None
            }
        }
        (Value::Money { units: a, currency: of_a }, Value::Money { units: b, currency: of_b }) => {
            (of_a == of_b).then(|| a.cmp(b))
        }
        _ => {
            let ((a, of_a), (b, of_b)) = (amount(left)?, amount(right)?);
            a.checked_mul(of_b).zip(b.checked_mul(of_a)).map(|(a, b)| a.cmp(&b))
        }
    }
}

/// A number as whole units and how many make one.
fn amount(value: &Value) -> Option<(i128, i128)> {
    match value {
        Value::Int(n) => Some((i128::from(*n), 1)),
        Value::Decimal { units, scale } => {
            Some((i128::from(*units), 10_i128.checked_pow(u32::from(*scale))?))
        }
        Value::Money { units, .. } => Some((i128::from(*units), i128::from(MONEY_UNITS))),
        _ => None,
    }
}
