//! Evaluation of typed expressions.
//!
//! The same meaning as the SQL that `runtime` makes of them: two-valued logic, a comparison with a
//! null value is false (`!=` true), overflow and division by zero are faults, and a fault denies.

mod aggregate;
mod arithmetic;
mod compare;

use ir::domain::FieldId;
use ir::expr::{Aggregate, EventMeta, Expr, ExprKind, FieldRef, Function, Type};
use ir::value::Value;
use std::borrow::Cow;

/// Microseconds in a day.
const DAY_MICROS: i64 = 86_400_000_000;

/// Why an expression has no value. In a rule or guard a fault denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A number left its range.
    Overflow,
    /// Division or remainder by zero.
    DivisionByZero,
    /// Arithmetic over money of unlike currencies.
    MixedCurrencies,
    /// The expression and the values do not fit each other; a checked model never gets here.
    Mismatch,
}

/// What an expression may read. Places that a scope does not have are null.
pub trait Scope {
    /// A field of the row in scope.
    fn field(&self, field: FieldRef) -> Cow<'_, Value>;

    /// A field of the row that owns the row in scope.
    fn parent(&self, _field: FieldRef) -> Cow<'_, Value> {
        Cow::Owned(Value::Null)
    }

    /// A field of the row at the end of a path of references; null where one of them is null or
    /// leads nowhere.
    fn related(&self, _path: &[FieldId], _field: FieldRef) -> Cow<'_, Value> {
        Cow::Owned(Value::Null)
    }

    /// Visits the owned children of a field in order.
    fn children(
        &self,
        _field: FieldId,
        _visit: &mut dyn FnMut(&dyn Scope) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        Ok(())
    }

    /// Input number n of the command.
    fn input(&self, _at: usize) -> Cow<'_, Value> {
        Cow::Owned(Value::Null)
    }

    /// Value number n of the command's `get`.
    fn got(&self, _at: usize) -> Cow<'_, Value> {
        Cow::Owned(Value::Null)
    }

    /// Subject of the caller.
    fn me(&self) -> Option<&str>;

    /// Microseconds since 1970.
    fn now(&self) -> i64;

    /// A field of `item`.
    fn item(&self, _field: FieldRef) -> Cow<'_, Value> {
        Cow::Owned(Value::Null)
    }

    /// A field of a row that `item` refers to.
    fn item_related(&self, _path: &[FieldId], _field: FieldRef) -> Cow<'_, Value> {
        Cow::Owned(Value::Null)
    }

    /// A member of the event's data.
    fn event_data(&self, _name: &str) -> Cow<'_, Value> {
        Cow::Owned(Value::Null)
    }

    /// What the event carries beside its data.
    fn event_meta(&self, _meta: EventMeta) -> Cow<'_, Value> {
        Cow::Owned(Value::Null)
    }

    /// A member of a step's answer.
    fn step(&self, _step: &str, _member: &str) -> Cow<'_, Value> {
        Cow::Owned(Value::Null)
    }

    /// True where the whole text matches the pattern (RE2 syntax). The kernel has no regular
    /// expressions of its own; who drives it keeps them compiled.
    fn matches(&self, _text: &str, _pattern: &str) -> bool {
        false
    }
}

/// The value of an expression.
///
/// # Errors
/// A [`Fault`] where there is none.
pub fn evaluate<'a>(expr: &'a Expr, scope: &'a dyn Scope) -> Result<Cow<'a, Value>, Fault> {
    Ok(match &expr.kind {
        ExprKind::Literal(value) => Cow::Borrowed(value),
        ExprKind::Field(field) => scope.field(*field),
        ExprKind::Related { path, field, .. } => scope.related(path, *field),
        ExprKind::Parent(field) => scope.parent(*field),
        ExprKind::Input(at) => scope.input(*at),
        ExprKind::Got(at) => scope.got(*at),
        ExprKind::Me => Cow::Owned(scope.me().map_or(Value::Null, Value::text)),
        ExprKind::Now => Cow::Owned(Value::Timestamp(scope.now())),
        ExprKind::Age => Cow::Owned(age(scope)?),
        ExprKind::Item(field) => scope.item(*field),
        ExprKind::ItemRelated { path, field, .. } => scope.item_related(path, *field),
        ExprKind::EventData(name) => scope.event_data(name),
        ExprKind::EventMeta(meta) => scope.event_meta(*meta),
        ExprKind::Step { step, member } => scope.step(step, member),
        ExprKind::Not(_)
        | ExprKind::And(_)
        | ExprKind::Or(_)
        | ExprKind::Compare(..)
        | ExprKind::In(..) => Cow::Owned(Value::Bool(holds(expr, scope)?)),
        ExprKind::Negate(inner) => {
            Cow::Owned(arithmetic::negate(evaluate(inner, scope)?.as_ref())?)
        }
        ExprKind::Arithmetic(operator, left, right) => Cow::Owned(arithmetic::apply(
            *operator,
            evaluate(left, scope)?.as_ref(),
            evaluate(right, scope)?.as_ref(),
            &expr.ty,
        )?),
        ExprKind::If(condition, then, otherwise) => {
            return evaluate(if holds(condition, scope)? { then } else { otherwise }, scope);
        }
        ExprKind::Call(function, arguments) => call(*function, arguments, scope)?,
        ExprKind::Aggregate(fold, children, inner) => Cow::Owned(aggregate::over_children(
            *fold,
            *children,
            inner.as_deref(),
            &expr.ty,
            scope,
        )?),
        // A view folds event by event: the machine of the projection does it, not an expression.
        ExprKind::ViewAggregate(..) => return Err(Fault::Mismatch),
    })
}

/// True where a condition holds; null is false.
///
/// # Errors
/// A [`Fault`], which denies.
pub fn holds(expr: &Expr, scope: &dyn Scope) -> Result<bool, Fault> {
    match &expr.kind {
        ExprKind::Not(inner) => Ok(!holds(inner, scope)?),
        ExprKind::And(all) => {
            for one in all {
                if !holds(one, scope)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        ExprKind::Or(any) => {
            for one in any {
                if holds(one, scope)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        ExprKind::Compare(operator, left, right) => {
            if let Some(literal_null) = compare::null_test(*operator, left, right) {
                return Ok(evaluate(literal_null.tested, scope)?.is_null() == literal_null.wanted);
            }
            let (left, right) = (evaluate(left, scope)?, evaluate(right, scope)?);
            Ok(compare::compare(*operator, &left, &right))
        }
        ExprKind::In(needle, elements) => {
            let needle = evaluate(needle, scope)?;
            for element in elements {
                let element = evaluate(element, scope)?;
                let found = match element.as_ref() {
                    Value::List(all) => all.iter().any(|one| compare::equal(&needle, one)),
                    one => compare::equal(&needle, one),
                };
                if found {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => match evaluate(expr, scope)?.as_ref() {
            Value::Bool(answer) => Ok(*answer),
            Value::Null => Ok(false),
            _ => Err(Fault::Mismatch),
        },
    }
}

fn age(scope: &dyn Scope) -> Result<Value, Fault> {
    match scope.field(FieldRef::Implicit(ir::expr::Implicit::CreatedAt)).as_ref() {
        Value::Timestamp(created) => {
            scope.now().checked_sub(*created).map(Value::Duration).ok_or(Fault::Overflow)
        }
        _ => Ok(Value::Null),
    }
}

fn call<'a>(
    function: Function,
    arguments: &'a [Expr],
    scope: &'a dyn Scope,
) -> Result<Cow<'a, Value>, Fault> {
    let argument = |at: usize| match arguments.get(at) {
        Some(argument) => evaluate(argument, scope),
        None => Err(Fault::Mismatch),
    };
    let first = argument(0)?;
    let value = match (function, first.as_ref()) {
        (_, Value::Null) => match function {
            Function::StartsWith | Function::Matches => Value::Bool(false),
            Function::Date | Function::Lower | Function::Size => Value::Null,
            Function::Currency | Function::Start | Function::End => Value::Null,
        },
        (Function::Date, Value::Timestamp(micros)) => {
            let days = micros.div_euclid(DAY_MICROS);
            Value::Date(i32::try_from(days).map_err(|_| Fault::Overflow)?)
        }
        (Function::Lower, Value::Text(text)) => Value::text(text.to_ascii_lowercase()),
        (Function::Size, Value::Text(text)) => count(text.chars().count())?,
        (Function::Size, Value::List(elements)) => count(elements.len())?,
        (Function::Currency, Value::Money { currency, .. }) => Value::text(currency.as_str()),
        (Function::Start, Value::Timespan { start, .. }) => Value::Timestamp(*start),
        (Function::End, Value::Timespan { end, .. }) => Value::Timestamp(*end),
        (Function::Matches, Value::Text(text)) => {
            let pattern = argument(1)?;
            Value::Bool(pattern.as_text().is_some_and(|pattern| scope.matches(text, pattern)))
        }
        (Function::StartsWith, Value::Text(text)) => {
            let prefix = argument(1)?;
            Value::Bool(prefix.as_text().is_some_and(|prefix| text.starts_with(prefix)))
        }
        _ => return Err(Fault::Mismatch),
    };
    Ok(Cow::Owned(value))
}

/// A running fold after one more event: `kept` is none before the first of its row.
///
/// # Errors
/// A [`Fault`] where the value can't be added: then nothing of the event may be kept.
pub(crate) fn fold(
    fold: &ir::domain::Fold,
    kept: Option<&Value>,
    event: &dyn Scope,
) -> Result<Value, Fault> {
    match &fold.of {
        Some(of) => {
            let value = evaluate(of, event)?;
            aggregate::go_on(fold.aggregate, kept, Some(value.as_ref()), &of.ty)
        }
        None => aggregate::go_on(fold.aggregate, kept, Some(&Value::Bool(true)), &Type::Int),
    }
}

/// A running fold over the events of two rows together.
///
/// # Errors
/// A [`Fault`] where the values can't be added.
pub(crate) fn merge(fold: &ir::domain::Fold, one: &Value, other: &Value) -> Result<Value, Fault> {
    let ty = fold.of.as_ref().map_or(&Type::Int, |of| &of.ty);
    match (fold.aggregate, one, other) {
        (Aggregate::Count, Value::Int(one), Value::Int(other)) => {
            one.checked_add(*other).map(Value::Int).ok_or(Fault::Overflow)
        }
        _ => aggregate::go_on(fold.aggregate, Some(one), Some(other), ty),
    }
}

fn count(n: usize) -> Result<Value, Fault> {
    i64::try_from(n).map(Value::Int).map_err(|_| Fault::Overflow)
}

#[cfg(test)]
mod tests;
