//! Folds over owned children.

use super::arithmetic::{decimal, divide_half_even, money, rescale};
use super::{Fault, Scope, compare, evaluate};
use ir::domain::FieldId;
use ir::expr::{Aggregate, Expr, Type};
use ir::value::{Currency, Value};
use std::cmp::Ordering;

/// `sum(lines.amount)` and its kin. Nulls are passed over; a sum over nothing is zero, except of
/// money whose currency is open (null); least, greatest and mean of nothing are null.
pub(super) fn over_children(
    fold: Aggregate,
    children: FieldId,
    inner: Option<&Expr>,
    ty: &Type,
    scope: &dyn Scope,
) -> Result<Value, Fault> {
    let mut state = State::default();
    scope.children(children, &mut |child| {
        let Some(inner) = inner else {
            state.rows += 1;
            return Ok(());
        };
        let value = evaluate(inner, child)?;
        if value.is_null() {
            return Ok(());
        }
        state.rows += 1;
        match fold {
            Aggregate::Count => Ok(()),
            Aggregate::Sum | Aggregate::Avg => state.add(&value),
            Aggregate::Min => state.keep(&value, Ordering::Less),
            Aggregate::Max => state.keep(&value, Ordering::Greater),
        }
    })?;
    match fold {
        Aggregate::Count => Ok(Value::Int(state.rows)),
        Aggregate::Min | Aggregate::Max => Ok(state.kept.unwrap_or_default()),
        Aggregate::Sum => state.sum(ty),
        Aggregate::Avg => state.mean(ty),
    }
}

/// A running fold after one more value; nulls are passed over. None in place of what was kept is a
/// fold of nothing. `ty` is the type of the values.
pub(super) fn go_on(
    fold: Aggregate,
    kept: Option<&Value>,
    value: Option<&Value>,
    ty: &Type,
) -> Result<Value, Fault> {
    let all = || kept.into_iter().chain(value).filter(|value| !value.is_null());
    let mut state = State::default();
    match fold {
        Aggregate::Count => {
            let before = match kept {
                None | Some(Value::Null) => 0,
                Some(Value::Int(count)) => *count,
                Some(_) => return Err(Fault::Mismatch),
            };
            let more = i64::from(value.is_some_and(|value| !value.is_null()));
            before.checked_add(more).map(Value::Int).ok_or(Fault::Overflow)
        }
        Aggregate::Sum => {
            all().try_for_each(|value| state.add(value))?;
            state.sum(ty)
        }
        Aggregate::Min => {
            all().try_for_each(|value| state.keep(value, Ordering::Less))?;
            Ok(state.kept.unwrap_or_default())
        }
        Aggregate::Max => {
            all().try_for_each(|value| state.keep(value, Ordering::Greater))?;
            Ok(state.kept.unwrap_or_default())
        }
        // Kept as a sum and a count.
        Aggregate::Avg => Err(Fault::Mismatch),
    }
}

#[derive(Default)]
struct State {
    rows: i64,
    total: i128,
    scale: u8,
    currency: Option<Currency>,
    duration: bool,
    kept: Option<Value>,
}

impl State {
    fn add(&mut self, value: &Value) -> Result<(), Fault> {
        let (units, scale) = match value {
            Value::Int(n) => (*n, 0),
            Value::Decimal { units, scale } => (*units, *scale),
            Value::Duration(micros) => {
                self.duration = true;
                (*micros, 0)
            }
            Value::Money { units, currency } => {
                if self.currency.is_some_and(|other| other != *currency) {
                    return Err(Fault::MixedCurrencies);
                }
                self.currency = Some(*currency);
                (*units, 0)
            }
            _ => return Err(Fault::Mismatch),
        };
        let common = self.scale.max(scale);
        let total = rescale(self.total, self.scale, common)?;
        let units = rescale(i128::from(units), scale, common)?;
        self.total = total.checked_add(units).ok_or(Fault::Overflow)?;
        self.scale = common;
        Ok(())
    }

    fn keep(&mut self, value: &Value, wanted: Ordering) -> Result<(), Fault> {
        let better = match &self.kept {
            None => true,
            Some(kept) => match compare::order(value, kept) {
                Some(order) => order == wanted,
                None => return Err(Fault::MixedCurrencies),
            },
        };
        if better {
            self.kept = Some(value.clone());
        }
        Ok(())
    }

    fn sum(self, ty: &Type) -> Result<Value, Fault> {
        self.as_type(self.total, self.scale, ty)
    }

    fn mean(self, ty: &Type) -> Result<Value, Fault> {
        if self.rows == 0 {
            return Ok(Value::Null);
        }
        let wanted = match ty {
            Type::Decimal { scale, .. } => *scale,
            _ => self.scale,
        };
        let total = rescale(self.total, self.scale, wanted.max(self.scale))?;
        let mean = divide_half_even(total, i128::from(self.rows));
        self.as_type(mean, wanted.max(self.scale), ty)
    }

    fn as_type(&self, units: i128, scale: u8, ty: &Type) -> Result<Value, Fault> {
        match ty {
            Type::Money { currency } => {
                let fixed = currency.as_deref().and_then(|code| code.as_bytes().try_into().ok());
                match self.currency.or(fixed.map(Currency)) {
                    Some(currency) => money(units, currency),
                    None => Ok(Value::Null),
                }
            }
            Type::Decimal { scale: wanted, .. } => {
                decimal(rescale(units, scale, *wanted)?, *wanted)
            }
            Type::Duration => {
                i64::try_from(units).map(Value::Duration).map_err(|_| Fault::Overflow)
            }
            _ => i64::try_from(units).map(Value::Int).map_err(|_| Fault::Overflow),
        }
    }
}
