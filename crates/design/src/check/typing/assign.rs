//! Does a value fit the place it is put into? Constants take the place's own type.

use super::scope::Scope;
use super::{infer, literals};
use crate::check::e047_wrong_type;
use ir::Diagnostic;
use ir::expr::{Aggregate, Expr, ExprKind, Expression, Operator, Type};
use ir::value::Value;

/// Why a value does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// Another type.
    Type,
    /// More digits after the point than the place keeps.
    Digits {
        /// Of the value.
        value: u8,
        /// Of the place.
        place: u8,
    },
    /// A bare number where money of any currency goes.
    Currency,
}

/// Types an expression that is put into a place of type `to`, called `target` in messages.
pub(crate) fn assign(
    scope: &Scope<'_, '_>,
    expression: &Expression,
    to: &Type,
    target: &str,
    found: &mut Vec<Diagnostic>,
) -> Option<Expr> {
    let expr = infer(scope, expression, Some(to), found)?;
    let told = scope.event.is_some_and(|event| event.inbound);
    if told && expr.ty == Type::Uuid && matches!(to, Type::Reference(_)) {
        // Whether it is the id of such a row is seen when the row is looked for.
        return Some(expr);
    }
    let got = expr.clone();
    match coerce(expr, to) {
        Ok(expr) => Some(expr),
        Err(misfit) => {
            found.push(e047_wrong_type::fault(scope, expression, &got, to, target, misfit));
            None
        }
    }
}

/// As [`assign`] for what goes to another system as JSON: ids, enums and callers are text there.
pub(crate) fn assign_wire(
    scope: &Scope<'_, '_>,
    expression: &Expression,
    to: &Type,
    target: &str,
    found: &mut Vec<Diagnostic>,
) -> Option<Expr> {
    let expr = infer(scope, expression, Some(to), found)?;
    let is_text = matches!(expr.ty, Type::Reference(_) | Type::Uuid | Type::Actor(_));
    if *to == Type::Text && is_text {
        return Some(expr);
    }
    let got = expr.clone();
    match coerce(expr, to) {
        Ok(expr) => Some(expr),
        Err(misfit) => {
            found.push(e047_wrong_type::fault(scope, expression, &got, to, target, misfit));
            None
        }
    }
}

/// The expression as a value of type `to`.
pub(crate) fn coerce(expr: Expr, to: &Type) -> Result<Expr, Misfit> {
    match (&expr.ty, to) {
        (Type::Null, _) => Ok(Expr { kind: expr.kind, ty: to.clone() }),
        (Type::Int | Type::Decimal { .. }, Type::Decimal { scale, .. }) => {
            to_decimal(expr, *scale, to)
        }
        (Type::Int | Type::Decimal { .. }, Type::Money { currency: Some(currency) }) => {
            literals::money(&expr, currency).ok_or(Misfit::Type)
        }
        (Type::Int | Type::Decimal { .. }, Type::Money { currency: None }) => Err(Misfit::Currency),
        (Type::Money { currency: Some(from) }, Type::Money { currency: Some(to) })
            if from != to =>
        {
            Err(Misfit::Type)
        }
        (Type::Money { .. }, Type::Money { .. })
        | (Type::Enum { .. }, Type::Text)
        | (Type::Reference(_), Type::Uuid) => Ok(expr),
        (Type::Enum { values }, Type::Enum { values: wanted }) => {
            let all = values.iter().all(|value| wanted.contains(value));
            if all { Ok(expr) } else { Err(Misfit::Type) }
        }
        (_, Type::Json) => Ok(expr),
        (from, to) if from == to => Ok(expr),
        _ => Err(Misfit::Type),
    }
}

fn to_decimal(expr: Expr, scale: u8, to: &Type) -> Result<Expr, Misfit> {
    let from = match &expr.ty {
        Type::Decimal { scale, .. } => *scale,
        _ => 0,
    };
    if let ExprKind::Literal(value) = &expr.kind {
        let units = match value {
            Value::Int(whole) => literals::rescale(*whole, 0, u32::from(scale)),
            Value::Decimal { units, scale: from } => {
                literals::rescale(*units, u32::from(*from), u32::from(scale))
            }
            _ => None,
        };
        let value = units.map(|units| Value::Decimal { units, scale });
        return value
            .map(|value| super::literal(value, to.clone()))
            .ok_or(Misfit::Digits { value: from, place: scale });
    }
    if from > scale && !rounds(&expr) {
        return Err(Misfit::Digits { value: from, place: scale });
    }
    Ok(expr)
}

/// A quotient or a mean is rounded anyway, so it is rounded to the place it goes to.
fn rounds(expr: &Expr) -> bool {
    matches!(
        expr.kind,
        ExprKind::Arithmetic(Operator::Divide, ..)
            | ExprKind::Aggregate(Aggregate::Avg, ..)
            | ExprKind::ViewAggregate(Aggregate::Avg, ..)
    )
}
