//! Comparisons as SQL: exact over unlike scales, money only with its own currency.

use super::condition::{Condition, Mode, Refused};
use super::shape::{Cell, Shape};
use super::term::{Compiler, Param, Row, Term, signature};
use ir::expr::{Expr, ExprKind, FieldRef, Implicit, Operator};
use ir::value::Value;

/// Where a constant lies among the numbers of a column's scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// It is one of them.
    Exact(i64),
    /// Between this one and the next.
    Above(i64),
    /// Greater than all of them.
    PastGreatest,
    /// Less than all of them.
    PastLeast,
}

impl Compiler<'_> {
    pub(super) fn comparison(
        &mut self,
        operator: Operator,
        left: &Expr,
        right: &Expr,
        row: &Row<'_>,
        mode: Mode,
    ) -> Result<Condition, Refused> {
        if let Some((tested, wanted)) = null_test(operator, left, right) {
            let value = self.term(tested, row)?;
            let test = if wanted { "IS NULL" } else { "IS NOT NULL" };
            let sql = self.checked(&format!("{} {test}", value.sql), &[&value], "NULL");
            return Ok(Condition { sql, faults: value.faults });
        }
        if let (ExprKind::Age, ExprKind::Literal(Value::Duration(less))) = (&left.kind, &right.kind)
        {
            let created = self.field(FieldRef::Implicit(Implicit::CreatedAt), row)?;
            let since = self.now(*less);
            return self.compared(flipped(operator), &created, &since, mode);
        }
        let (left, right) = (self.term(left, row)?, self.term(right, row)?);
        self.compared(operator, &left, &right, mode)
    }

    pub(super) fn compared(
        &mut self,
        operator: Operator,
        left: &Term,
        right: &Term,
        mode: Mode,
    ) -> Result<Condition, Refused> {
        let faults = left.faults || right.faults;
        let sql = if operator == Operator::NotEqual {
            let equal = self.relation(Operator::Equal, left, right)?;
            format!("NOT coalesce({equal}, FALSE)")
        } else {
            let relation = self.relation(operator, left, right)?;
            match mode {
                Mode::Loose if !faults => relation,
                Mode::Loose | Mode::Exact => format!("coalesce({relation}, FALSE)"),
            }
        };
        Ok(Condition { sql: self.checked(&sql, &[left, right], "NULL"), faults })
    }

    /// `left operator right`, null where one of them is null.
    fn relation(
        &mut self,
        operator: Operator,
        left: &Term,
        right: &Term,
    ) -> Result<String, Refused> {
        let sign = sign(operator).ok_or(Refused::Misshapen)?;
        let never = || Ok("FALSE".to_owned());
        let (Some(a), Some(b)) = (&left.shape, &right.shape) else { return never() };
        let (one, other) = self.in_one_form(left, right);
        let plain = || Ok(format!("{one} {sign} {other}"));
        let documents = || {
            let text = |json: &str| self.dialect().json_text(json);
            Ok(format!("{} {sign} {}", text(&left.sql), text(&right.sql)))
        };
        let both = |one: &str| match (&left.second, &right.second) {
            (Some(a), Some(b)) => Ok(format!("({one} AND {a} = {b})")),
            _ => Err(Refused::Misshapen),
        };
        match (a, b) {
            (Shape::Money, Shape::Money) => both(&format!("{one} {sign} {other}")),
            (Shape::Timespan, Shape::Timespan) if operator == Operator::Equal => {
                both(&format!("{} = {}", left.sql, right.sql))
            }
            (Shape::List(_), Shape::List(_)) if operator == Operator::Equal => documents(),
            (Shape::Json, Shape::Json) => documents(),
            (Shape::Timespan, Shape::Timespan) | (Shape::List(_), Shape::List(_)) => never(),
            (a, b) if a == b => plain(),
            (a, b) => match (scale(a), scale(b)) {
                (Some(of_a), Some(of_b)) if of_a == of_b => plain(),
                (Some(of_a), Some(of_b)) => self.numbers(operator, (left, of_a), (right, of_b)),
                _ => never(),
            },
        }
    }

    /// Numbers of unlike scales; a constant is brought to the scale of the other side.
    fn numbers(
        &mut self,
        operator: Operator,
        (left, of_left): (&Term, u8),
        (right, of_right): (&Term, u8),
    ) -> Result<String, Refused> {
        if let Some(units) = right.literal.as_ref().and_then(units) {
            return self.with_constant(operator, &left.sql, fit(units, of_right, of_left));
        }
        if let Some(units) = left.literal.as_ref().and_then(units) {
            let fit = fit(units, of_left, of_right);
            return self.with_constant(flipped(operator), &right.sql, fit);
        }
        let word = |term: &Term| term.shape.as_ref().and_then(signature);
        let (Some(a), Some(b)) = (word(left), word(right)) else { return Err(Refused::Misshapen) };
        let sign = sign(operator).ok_or(Refused::Misshapen)?;
        let order = self.dialect().function("order");
        Ok(format!("{order}('{a}|{b}', {}, {}) {sign} 0", self.lift(left), self.lift(right)))
    }

    fn with_constant(
        &mut self,
        operator: Operator,
        value: &str,
        fit: Fit,
    ) -> Result<String, Refused> {
        let less = matches!(operator, Operator::Less | Operator::LessEqual);
        let greater = matches!(operator, Operator::Greater | Operator::GreaterEqual);
        let (sign, units) = match fit {
            Fit::Exact(units) => (sign(operator).ok_or(Refused::Misshapen)?, units),
            Fit::Above(floor) if less => ("<=", floor),
            Fit::Above(floor) if greater => (">", floor),
            Fit::PastGreatest if less => return Ok(format!("{value} IS NOT NULL")),
            Fit::PastLeast if greater => return Ok(format!("{value} IS NOT NULL")),
            Fit::Above(_) | Fit::PastGreatest | Fit::PastLeast => return Ok("FALSE".to_owned()),
        };
        let units = self.param(Param::Cell(Cell::Int(units)), &Shape::Int);
        Ok(format!("{value} {sign} {units}"))
    }
}

/// `x == null` and its kin, with what is asked of `x`.
fn null_test<'e>(operator: Operator, left: &'e Expr, right: &'e Expr) -> Option<(&'e Expr, bool)> {
    let wanted = match operator {
        Operator::Equal => true,
        Operator::NotEqual => false,
        _ => return None,
    };
    let is_null = |expr: &Expr| matches!(expr.kind, ExprKind::Literal(Value::Null));
    match (is_null(left), is_null(right)) {
        (_, true) => Some((left, wanted)),
        (true, false) => Some((right, wanted)),
        (false, false) => None,
    }
}

fn sign(operator: Operator) -> Option<&'static str> {
    Some(match operator {
        Operator::Equal => "=",
        Operator::Less => "<",
        Operator::LessEqual => "<=",
        Operator::Greater => ">",
        Operator::GreaterEqual => ">=",
        Operator::NotEqual
        | Operator::Or
        | Operator::And
        | Operator::In
        | Operator::Add
        | Operator::Subtract
        | Operator::Multiply
        | Operator::Divide
        | Operator::Remainder => return None,
    })
}

/// The operator with its sides exchanged.
fn flipped(operator: Operator) -> Operator {
    match operator {
        Operator::Less => Operator::Greater,
        Operator::LessEqual => Operator::GreaterEqual,
        Operator::Greater => Operator::Less,
        Operator::GreaterEqual => Operator::LessEqual,
        same @ (Operator::Equal
        | Operator::NotEqual
        | Operator::Or
        | Operator::And
        | Operator::In
        | Operator::Add
        | Operator::Subtract
        | Operator::Multiply
        | Operator::Divide
        | Operator::Remainder) => same,
    }
}

/// Digits after the point of a number's units.
fn scale(shape: &Shape) -> Option<u8> {
    match shape {
        Shape::Int => Some(0),
        Shape::Decimal { scale } => Some(*scale),
        Shape::Money => Some(4),
        Shape::Bool
        | Shape::Text
        | Shape::Date
        | Shape::Time
        | Shape::Timestamp
        | Shape::Duration
        | Shape::Timespan
        | Shape::Uuid
        | Shape::Json
        | Shape::List(_) => None,
    }
}

fn units(value: &Value) -> Option<i64> {
    match value {
        Value::Int(n) => Some(*n),
        Value::Decimal { units, .. } | Value::Money { units, .. } => Some(*units),
        _ => None,
    }
}

/// Where `units / 10^from` lies among numbers of `10^-to`.
fn fit(units: i64, from: u8, to: u8) -> Fit {
    if from > to {
        let by = 10_i128.pow(u32::from(from - to));
        let (floor, rest) = (i128::from(units).div_euclid(by), i128::from(units).rem_euclid(by));
        // The floor of a smaller number fits.
        let floor = i64::try_from(floor).unwrap_or(i64::MIN);
        return if rest == 0 { Fit::Exact(floor) } else { Fit::Above(floor) };
    }
    let wide = i128::from(units).saturating_mul(10_i128.saturating_pow(u32::from(to - from)));
    match i64::try_from(wide) {
        Ok(units) => Fit::Exact(units),
        Err(_) if units > 0 => Fit::PastGreatest,
        Err(_) => Fit::PastLeast,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_finds_its_place_among_coarser_and_finer_numbers() {
        assert_eq!(fit(125, 1, 0), Fit::Above(12));
        assert_eq!(fit(-125, 1, 0), Fit::Above(-13));
        assert_eq!(fit(120, 1, 0), Fit::Exact(12));
        assert_eq!(fit(12, 0, 4), Fit::Exact(120_000));
        assert_eq!(fit(i64::MAX, 0, 1), Fit::PastGreatest);
        assert_eq!(fit(i64::MIN, 0, 1), Fit::PastLeast);
    }
}
