//! Folds over owned children as correlated subqueries.

use super::signature;
use super::{Compiler, Param, Term};
use crate::adapters::sql::condition::Refused;
use crate::adapters::sql::shape::{Cell, Shape};
use ir::expr::{Aggregate, Type};

impl Compiler<'_> {
    /// `from` is `FROM children t1 WHERE …`.
    pub(super) fn folded(
        &mut self,
        fold: Aggregate,
        inner: Option<Term>,
        ty: &Type,
        from: &str,
    ) -> Result<Term, Refused> {
        let Some(inner) = inner else {
            return Ok(Term::one(format!("(SELECT count(*) {from})"), Shape::Int));
        };
        let Some(shape) = inner.shape.clone() else {
            return Ok(match fold {
                Aggregate::Count => Term::one("0".to_owned(), Shape::Int),
                Aggregate::Sum | Aggregate::Min | Aggregate::Max | Aggregate::Avg => Term::null(),
            });
        };
        let native = match fold {
            Aggregate::Count => Some("count"),
            Aggregate::Min if shape != Shape::Money => Some("min"),
            Aggregate::Max if shape != Shape::Money => Some("max"),
            Aggregate::Sum | Aggregate::Avg | Aggregate::Min | Aggregate::Max => None,
        };
        if let (Some(function), false) = (native, inner.faults) {
            let made = if fold == Aggregate::Count { Shape::Int } else { shape };
            let sql = format!("(SELECT {function}({}) {from})", inner.sql);
            return Ok(Term { lifted: inner.lifted, ..Term::one(sql, made) });
        }
        let (made, result) = match (fold, ty) {
            (Aggregate::Count, _) => (Shape::Int, "int".to_owned()),
            (Aggregate::Min | Aggregate::Max, _) => (shape.clone(), "same".to_owned()),
            (_, Type::Money { currency: Some(code) }) => (Shape::Money, format!("money:{code}")),
            (_, Type::Money { currency: None }) => (Shape::Money, "money".to_owned()),
            (_, Type::Decimal { scale, .. }) => {
                (Shape::Decimal { scale: *scale }, format!("decimal:{scale}"))
            }
            (_, Type::Duration) => (Shape::Duration, "duration".to_owned()),
            _ => (Shape::Int, "int".to_owned()),
        };
        signature(&shape).ok_or(Refused::Misshapen)?;
        let name = match fold {
            Aggregate::Sum => "sum",
            Aggregate::Count => "count",
            Aggregate::Min => "min",
            Aggregate::Max => "max",
            Aggregate::Avg => "avg",
        };
        let currency = inner.second.clone().unwrap_or_else(|| "NULL".to_owned());
        let value = self.lift(&inner);
        let call = self.dialect().fold(name, &shape, &result, &value, &currency);
        let zero = fold == Aggregate::Count || (fold == Aggregate::Sum && result != "money");
        let call = if zero { format!("coalesce({call}, 0)") } else { call };
        let sql = format!("(SELECT {call} {from})");
        let second = (made == Shape::Money).then(|| self.currency(&currency, ty, from));
        let shape = Some(made);
        Ok(Term { sql, second, shape, faults: true, lifted: true, literal: None })
    }

    /// The currency of a fold: that of its rows (one, or it is a fault), else the fixed one.
    fn currency(&mut self, currency: &str, ty: &Type, from: &str) -> String {
        let found = format!("(SELECT min({currency}) {from})");
        match ty {
            Type::Money { currency: Some(code) } => {
                let fixed = Param::Cell(Cell::Text(code.clone().into()));
                let fixed = self.param(fixed, &Shape::Text);
                format!("coalesce({found}, {fixed})")
            }
            _ => found,
        }
    }
}
