//! Exact arithmetic as calls of `mainstay_arithmetic`, whose first argument says what is added to
//! what: `add|decimal:2|int|decimal:2`.

use super::{Compiler, Term};
use crate::adapters::sql::condition::Refused;
use crate::adapters::sql::shape::Shape;
use ir::expr::{Operator, Type};

/// The name of a shape in a signature; none where there is no arithmetic over it.
pub(crate) fn word(shape: &Shape) -> Option<String> {
    Some(match shape {
        Shape::Int => "int".to_owned(),
        Shape::Decimal { scale } => format!("decimal:{scale}"),
        Shape::Money => "money".to_owned(),
        Shape::Date => "date".to_owned(),
        Shape::Timestamp => "timestamp".to_owned(),
        Shape::Duration => "duration".to_owned(),
        Shape::Text => "text".to_owned(),
        Shape::Bool => "bool".to_owned(),
        Shape::Time => "time".to_owned(),
        Shape::Uuid => "uuid".to_owned(),
        Shape::Timespan | Shape::Json | Shape::List(_) => return None,
    })
}

/// The shape of a name in a signature.
pub(crate) fn shape(word: &str) -> Option<Shape> {
    Some(match word {
        "int" => Shape::Int,
        "money" => Shape::Money,
        "date" => Shape::Date,
        "timestamp" => Shape::Timestamp,
        "duration" => Shape::Duration,
        "text" => Shape::Text,
        "bool" => Shape::Bool,
        "time" => Shape::Time,
        "uuid" => Shape::Uuid,
        _ => Shape::Decimal { scale: word.strip_prefix("decimal:")?.parse().ok()? },
    })
}

/// The name of an operator in a signature.
pub(crate) fn operator_word(operator: Operator) -> Option<&'static str> {
    Some(match operator {
        Operator::Add => "add",
        Operator::Subtract => "subtract",
        Operator::Multiply => "multiply",
        Operator::Divide => "divide",
        Operator::Remainder => "remainder",
        Operator::Or
        | Operator::And
        | Operator::Equal
        | Operator::NotEqual
        | Operator::Less
        | Operator::LessEqual
        | Operator::Greater
        | Operator::GreaterEqual
        | Operator::In => return None,
    })
}

impl Compiler<'_> {
    pub(super) fn negate(&mut self, inner: Term) -> Result<Term, Refused> {
        let Some(shape) = inner.shape.clone() else { return Ok(Term::null()) };
        let word = word(&shape).ok_or(Refused::Misshapen)?;
        Ok(Term {
            sql: format!("{}('{word}', {})", self.dialect().function("negate"), self.lift(&inner)),
            second: inner.second,
            shape: Some(shape),
            faults: true,
            lifted: true,
            literal: None,
        })
    }

    pub(in crate::adapters::sql) fn arithmetic(
        &mut self,
        operator: Operator,
        left: Term,
        right: Term,
        ty: &Type,
    ) -> Result<Term, Refused> {
        let faults = left.faults || right.faults;
        let (Some(a), Some(b)) = (&left.shape, &right.shape) else {
            // Null it is, but a fault on the other side still counts.
            let fault = self.dialect().fault(None);
            let sql = self.checked("NULL", &[&left, &right], fault);
            return Ok(Term { sql, literal: None, ..Term::null() }.faulting(faults));
        };
        if (a, b, operator) == (&Shape::Text, &Shape::Text, Operator::Add) {
            let joined = Term::one(format!("({} || {})", left.sql, right.sql), Shape::Text);
            return Ok(self.passing(&[&left, &right], joined));
        }
        let shape = result(operator, a, b, ty).ok_or(Refused::Misshapen)?;
        let signature = [Some(a), Some(b), Some(&shape)].map(|shape| shape.and_then(word));
        let [Some(a), Some(b), Some(made)] = signature else { return Err(Refused::Misshapen) };
        let operator = operator_word(operator).ok_or(Refused::Misshapen)?;
        let second = |term: &Term| term.second.clone().unwrap_or_else(|| "NULL".to_owned());
        let sql = format!(
            "{}('{operator}|{a}|{b}|{made}', {}, {}, {}, {})",
            self.dialect().function("arithmetic"),
            self.lift(&left),
            second(&left),
            self.lift(&right),
            second(&right)
        );
        let second = match (&shape, left.shape == Some(Shape::Money)) {
            (Shape::Money, true) => left.second,
            (Shape::Money, false) => right.second,
            _ => None,
        };
        let shape = Some(shape);
        Ok(Term { sql, second, shape, faults: true, lifted: true, literal: None })
    }
}

/// The shape of `a operator b`, as evaluation has it.
fn result(operator: Operator, a: &Shape, b: &Shape, ty: &Type) -> Option<Shape> {
    Some(match (a, b) {
        (Shape::Timestamp, Shape::Timestamp) | (Shape::Date, Shape::Date)
            if operator == Operator::Subtract =>
        {
            Shape::Duration
        }
        (Shape::Timestamp, Shape::Duration) => Shape::Timestamp,
        (Shape::Duration, Shape::Timestamp) if operator == Operator::Add => Shape::Timestamp,
        (Shape::Duration, Shape::Duration | Shape::Int) => Shape::Duration,
        (Shape::Int, Shape::Duration) if operator == Operator::Multiply => Shape::Duration,
        (Shape::Date, Shape::Duration) => Shape::Date,
        (Shape::Int, Shape::Int) if *ty == Type::Int => Shape::Int,
        (Shape::Money, Shape::Money) => match (operator, ty) {
            (Operator::Divide, Type::Decimal { scale, .. }) => Shape::Decimal { scale: *scale },
            _ => Shape::Money,
        },
        (Shape::Money, Shape::Int | Shape::Decimal { .. }) => Shape::Money,
        (Shape::Int | Shape::Decimal { .. }, Shape::Money) => Shape::Money,
        _ => match ty {
            Type::Decimal { scale, .. } => Shape::Decimal { scale: *scale },
            _ => Shape::Decimal { scale: scale(a)?.max(scale(b)?) },
        },
    })
}

fn scale(shape: &Shape) -> Option<u8> {
    match shape {
        Shape::Int => Some(0),
        Shape::Decimal { scale } => Some(*scale),
        Shape::Bool
        | Shape::Money
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
