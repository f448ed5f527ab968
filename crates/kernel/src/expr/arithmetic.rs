//! Exact arithmetic: integers, decimals, money, instants and lengths of time.

use super::{DAY_MICROS, Fault};
use ir::expr::{Operator, Type};
use ir::value::{Currency, MONEY_UNITS, Value};

/// Decimals of a money unit.
const MONEY_SCALE: u8 = 4;

/// `-value`
pub(super) fn negate(value: &Value) -> Result<Value, Fault> {
    let minus = |n: i64| n.checked_neg().ok_or(Fault::Overflow);
    Ok(match value {
        Value::Null => Value::Null,
        Value::Int(n) => Value::Int(minus(*n)?),
        Value::Decimal { units, scale } => Value::Decimal { units: minus(*units)?, scale: *scale },
        Value::Money { units, currency } => {
            Value::Money { units: minus(*units)?, currency: *currency }
        }
        Value::Duration(n) => Value::Duration(minus(*n)?),
        _ => return Err(Fault::Mismatch),
    })
}

/// `left operator right`, in the type that the checker gave the whole.
pub(super) fn apply(
    operator: Operator,
    left: &Value,
    right: &Value,
    ty: &Type,
) -> Result<Value, Fault> {
    if left.is_null() || right.is_null() {
        return Ok(Value::Null);
    }
    if let Some(value) = with_time(operator, left, right)? {
        return Ok(value);
    }
    match (left, right) {
        (Value::Int(a), Value::Int(b)) if *ty == Type::Int => {
            Ok(Value::Int(whole(operator, *a, *b)?))
        }
        (Value::Text(a), Value::Text(b)) if operator == Operator::Add => {
            Ok(Value::text(format!("{a}{b}")))
        }
        (Value::Money { .. }, _) | (_, Value::Money { .. }) => {
            with_money(operator, left, right, ty)
        }
        _ => {
            let (a, b) = (number(left)?, number(right)?);
            let scale = match ty {
                Type::Decimal { scale, .. } => *scale,
                _ => a.scale.max(b.scale),
            };
            decimal(exact(operator, a, b, scale)?, scale)
        }
    }
}

fn whole(operator: Operator, a: i64, b: i64) -> Result<i64, Fault> {
    if matches!(operator, Operator::Divide | Operator::Remainder) && b == 0 {
        return Err(Fault::DivisionByZero);
    }
    let value = match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::Divide => a.checked_div(b),
        Operator::Remainder => a.checked_rem(b),
        _ => return Err(Fault::Mismatch),
    };
    value.ok_or(Fault::Overflow)
}

fn with_time(operator: Operator, left: &Value, right: &Value) -> Result<Option<Value>, Fault> {
    let plus = |a: i64, b: i64| match operator {
        Operator::Add => a.checked_add(b).ok_or(Fault::Overflow),
        Operator::Subtract => a.checked_sub(b).ok_or(Fault::Overflow),
        _ => Err(Fault::Mismatch),
    };
    Ok(Some(match (left, right) {
        (Value::Timestamp(a), Value::Timestamp(b)) if operator == Operator::Subtract => {
            Value::Duration(plus(*a, *b)?)
        }
        (Value::Timestamp(a), Value::Duration(b)) => Value::Timestamp(plus(*a, *b)?),
        (Value::Duration(a), Value::Timestamp(b)) if operator == Operator::Add => {
            Value::Timestamp(plus(*a, *b)?)
        }
        (Value::Duration(a), Value::Duration(b)) => Value::Duration(plus(*a, *b)?),
        (Value::Date(a), Value::Date(b)) if operator == Operator::Subtract => {
            Value::Duration(micros(i64::from(*a) - i64::from(*b))?)
        }
        (Value::Date(a), Value::Duration(b)) => {
            let days = plus(micros(i64::from(*a))?, *b)?.div_euclid(DAY_MICROS);
            Value::Date(i32::try_from(days).map_err(|_| Fault::Overflow)?)
        }
        (Value::Duration(a), Value::Int(b)) => Value::Duration(whole(operator, *a, *b)?),
        (Value::Int(a), Value::Duration(b)) if operator == Operator::Multiply => {
            Value::Duration(whole(operator, *a, *b)?)
        }
        _ => return Ok(None),
    }))
}

fn micros(days: i64) -> Result<i64, Fault> {
    days.checked_mul(DAY_MICROS).ok_or(Fault::Overflow)
}

fn with_money(operator: Operator, left: &Value, right: &Value, ty: &Type) -> Result<Value, Fault> {
    match (left, right) {
        (Value::Money { units: a, currency }, Value::Money { units: b, currency: other }) => {
            if currency != other {
                return Err(Fault::MixedCurrencies);
            }
            if let (Operator::Divide, Type::Decimal { scale, .. }) = (operator, ty) {
                let (a, b) = (Number::money(*a), Number::money(*b));
                return decimal(exact(operator, a, b, *scale)?, *scale);
            }
            match operator {
                Operator::Add | Operator::Subtract => {
                    money(whole(operator, *a, *b)?.into(), *currency)
                }
                _ => Err(Fault::Mismatch),
            }
        }
        (Value::Money { units, currency }, other) => {
            let units = exact(operator, Number::money(*units), number(other)?, MONEY_SCALE)?;
            money(units, *currency)
        }
        (other, Value::Money { units, currency }) if operator == Operator::Multiply => {
            let units = exact(operator, number(other)?, Number::money(*units), MONEY_SCALE)?;
            money(units, *currency)
        }
        _ => Err(Fault::Mismatch),
    }
}

/// An exact decimal number wide enough for one operation.
#[derive(Clone, Copy)]
struct Number {
    units: i128,
    scale: u8,
}

impl Number {
    fn money(units: i64) -> Self {
        Self { units: i128::from(units), scale: MONEY_SCALE }
    }
}

fn number(value: &Value) -> Result<Number, Fault> {
    match value {
        Value::Int(n) => Ok(Number { units: i128::from(*n), scale: 0 }),
        Value::Decimal { units, scale } => Ok(Number { units: i128::from(*units), scale: *scale }),
        _ => Err(Fault::Mismatch),
    }
}

/// The result in units of `10^-scale`, rounded half to even where it must be.
fn exact(operator: Operator, a: Number, b: Number, scale: u8) -> Result<i128, Fault> {
    match operator {
        Operator::Add | Operator::Subtract | Operator::Remainder => {
            let common = a.scale.max(b.scale);
            let (a, b) = (widen(a, common)?, widen(b, common)?);
            let value = match operator {
                Operator::Add => a.checked_add(b),
                Operator::Subtract => a.checked_sub(b),
                _ if b == 0 => return Err(Fault::DivisionByZero),
                _ => a.checked_rem(b),
            };
            rescale(value.ok_or(Fault::Overflow)?, common, scale)
        }
        Operator::Multiply => {
            let value = a.units.checked_mul(b.units).ok_or(Fault::Overflow)?;
            rescale(value, a.scale + b.scale, scale)
        }
        Operator::Divide => {
            if b.units == 0 {
                return Err(Fault::DivisionByZero);
            }
            // a/10^s ÷ b/10^t = (a·10^(scale+t) ÷ b·10^s) / 10^scale
            let above = a.units.checked_mul(power(scale + b.scale)?).ok_or(Fault::Overflow)?;
            let below = b.units.checked_mul(power(a.scale)?).ok_or(Fault::Overflow)?;
            Ok(divide_half_even(above, below))
        }
        _ => Err(Fault::Mismatch),
    }
}

fn widen(number: Number, scale: u8) -> Result<i128, Fault> {
    number.units.checked_mul(power(scale - number.scale)?).ok_or(Fault::Overflow)
}

/// Units of `10^-from` as units of `10^-to`, rounded half to even.
pub(super) fn rescale(units: i128, from: u8, to: u8) -> Result<i128, Fault> {
    if to >= from {
        units.checked_mul(power(to - from)?).ok_or(Fault::Overflow)
    } else {
        Ok(divide_half_even(units, power(from - to)?))
    }
}

fn power(exponent: u8) -> Result<i128, Fault> {
    10_i128.checked_pow(u32::from(exponent)).ok_or(Fault::Overflow)
}

/// Division rounded to the nearest, ties to even; `below` is not zero.
pub(super) fn divide_half_even(above: i128, below: i128) -> i128 {
    let (quotient, rest) = (above / below, above % below);
    let twice = rest.unsigned_abs().saturating_mul(2);
    let away = match twice.cmp(&below.unsigned_abs()) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => quotient % 2 != 0,
        std::cmp::Ordering::Greater => true,
    };
    match (away, (above < 0) == (below < 0)) {
        (false, _) => quotient,
        (true, true) => quotient + 1,
        (true, false) => quotient - 1,
    }
}

/// A decimal value of that scale.
pub(super) fn decimal(units: i128, scale: u8) -> Result<Value, Fault> {
    let units = i64::try_from(units).map_err(|_| Fault::Overflow)?;
    Ok(Value::Decimal { units, scale })
}

/// An amount of money.
pub(super) fn money(units: i128, currency: Currency) -> Result<Value, Fault> {
    let units = i64::try_from(units).map_err(|_| Fault::Overflow)?;
    debug_assert_eq!(MONEY_UNITS, 10_i64.pow(u32::from(MONEY_SCALE)));
    Ok(Value::Money { units, currency })
}
