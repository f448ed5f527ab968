//! Conditions of expressions as SQL.
//!
//! The language is two-valued, SQL is three-valued. At the top of a filter null may stand for
//! false, which leaves comparisons bare, so that an index can serve them ([`Mode::Loose`]). Under
//! `not`, and wherever the answer goes on, a condition is exactly true or false, and null then
//! means a fault ([`Mode::Exact`]): a row whose condition faults is not shown.

use super::shape::Shape;
use super::term::{Compiler, Row, Term};
use ir::domain::ResourceId;
use ir::expr::{Expr, ExprKind, Function, Operator};
use ir::value::Value;

/// What null means in the text of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// False.
    Loose,
    /// A fault.
    Exact,
}

/// A condition as SQL, safe to stand between `AND`s.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub(super) sql: String,
    /// It may fault.
    pub(super) faults: bool,
}

/// An expression that no filter can hold; a checked model has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Something that is not to be had in a row's scope.
    NotInScope(&'static str),
    /// A field without a column.
    NotStored(String),
    /// Types that do not fit each other.
    Misshapen,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotInScope(what) => write!(f, "a filter cannot read {what}"),
            Self::NotStored(field) => write!(f, "a filter cannot read `{field}`: it is not stored"),
            Self::Misshapen => write!(f, "types in a filter that do not fit each other"),
        }
    }
}

impl std::error::Error for Refused {}

impl Compiler<'_> {
    /// A condition on a row named `r`, for the top of a filter: rows for which it is null are not
    /// shown.
    ///
    /// # Errors
    /// [`Refused`] where the expression reads what a row does not have.
    pub fn filter(&mut self, expr: &Expr, resource: ResourceId) -> Result<String, Refused> {
        let row = Row { alias: "r".to_owned(), resource, owner: None };
        Ok(self.condition(expr, &row, Mode::Loose)?.sql)
    }

    pub(super) fn condition(
        &mut self,
        expr: &Expr,
        row: &Row<'_>,
        mode: Mode,
    ) -> Result<Condition, Refused> {
        match &expr.kind {
            ExprKind::Not(inner) => {
                let inner = self.condition(inner, row, Mode::Exact)?;
                Ok(Condition { sql: format!("NOT ({})", inner.sql), ..inner })
            }
            ExprKind::And(all) => self.every(all, row, mode),
            ExprKind::Or(any) => self.any(any, row, mode),
            ExprKind::Compare(operator, left, right) => {
                self.comparison(*operator, left, right, row, mode)
            }
            ExprKind::In(needle, elements) => self.membership(needle, elements, row, mode),
            ExprKind::Literal(Value::Bool(yes)) => {
                let sql = if *yes { "TRUE" } else { "FALSE" };
                Ok(Condition { sql: sql.to_owned(), faults: false })
            }
            ExprKind::Call(Function::StartsWith, arguments) => {
                let [text, prefix @ ..] = arguments.as_slice() else {
                    return Err(Refused::Misshapen);
                };
                let text = self.term(text, row)?;
                let test = self.starts_with(text, prefix, row)?;
                self.holds(test, mode)
            }
            _ => {
                let value = self.term(expr, row)?;
                self.holds(value, mode)
            }
        }
    }

    /// A value that is true, false or null.
    fn holds(&self, value: Term, mode: Mode) -> Result<Condition, Refused> {
        if value.shape.as_ref().is_some_and(|shape| *shape != Shape::Bool) {
            return Err(Refused::Misshapen);
        }
        let test = match value.lifted {
            true => self.dialect().condition(&value.sql),
            false => value.sql.clone(),
        };
        let sql = match (value.faults, mode) {
            (true, _) => self.checked(&format!("coalesce({test}, FALSE)"), &[&value], "NULL"),
            (false, Mode::Exact) => format!("coalesce({test}, FALSE)"),
            (false, Mode::Loose) => test,
        };
        Ok(Condition { sql, faults: value.faults })
    }

    /// What was made of values, or something else where one of them is the mark of a fault.
    pub(super) fn checked(&self, made: &str, values: &[&Term], otherwise: &str) -> String {
        let faults: Vec<_> =
            values.iter().filter(|value| value.faults).map(|value| self.is_fault(value)).collect();
        if faults.is_empty() {
            return made.to_owned();
        }
        format!("CASE WHEN {} THEN {otherwise} ELSE {made} END", faults.join(" OR "))
    }

    /// From left to right: the first false one decides, a fault before it denies.
    fn every(&mut self, all: &[Expr], row: &Row<'_>, mode: Mode) -> Result<Condition, Refused> {
        let all = self.conditions(all, row, mode)?;
        let faults = all.iter().any(|one| one.faults);
        // A fault and a false one both hide the row, so the order is of no matter at the top.
        if mode == Mode::Loose || !faults {
            return Ok(joined(all, " AND ", "TRUE"));
        }
        Ok(in_order(all, "WHEN FALSE THEN FALSE WHEN TRUE THEN", "TRUE"))
    }

    /// From left to right: the first true one decides, a fault before it denies.
    fn any(&mut self, any: &[Expr], row: &Row<'_>, mode: Mode) -> Result<Condition, Refused> {
        let loose = self.conditions(any, row, mode)?;
        if !loose.iter().any(|one| one.faults) {
            return Ok(joined(loose, " OR ", "FALSE"));
        }
        let exact = self.conditions(any, row, Mode::Exact)?;
        Ok(in_order(exact, "WHEN TRUE THEN TRUE WHEN FALSE THEN", "FALSE"))
    }

    fn conditions(
        &mut self,
        all: &[Expr],
        row: &Row<'_>,
        mode: Mode,
    ) -> Result<Vec<Condition>, Refused> {
        all.iter().map(|one| self.condition(one, row, mode)).collect()
    }

    fn membership(
        &mut self,
        needle: &Expr,
        elements: &[Expr],
        row: &Row<'_>,
        mode: Mode,
    ) -> Result<Condition, Refused> {
        let needle = self.term(needle, row)?;
        let mut terms = Vec::with_capacity(elements.len());
        for element in elements {
            match &element.kind {
                ExprKind::Literal(Value::List(all)) => {
                    for one in all {
                        terms.push(self.literal(one)?);
                    }
                }
                _ => terms.push(self.term(element, row)?),
            }
        }
        let faults = needle.faults || terms.iter().any(|one| one.faults);
        let mode = if faults { Mode::Exact } else { mode };
        let mut any = Vec::with_capacity(terms.len());
        for element in &terms {
            any.push(match &element.shape {
                Some(Shape::List(of)) => self.within(&needle, element, of)?,
                _ => self.compared(Operator::Equal, &needle, element, mode)?,
            });
        }
        if any.is_empty() {
            let sql = self.checked("FALSE", &[&needle], "NULL");
            return Ok(Condition { sql, faults });
        }
        if faults {
            return Ok(in_order(any, "WHEN TRUE THEN TRUE WHEN FALSE THEN", "FALSE"));
        }
        Ok(joined(any, " OR ", "FALSE"))
    }

    /// A value among the elements of a stored list.
    fn within(&mut self, needle: &Term, list: &Term, of: &Shape) -> Result<Condition, Refused> {
        let alias = self.alias();
        let value = format!("{alias}.value");
        let plain = Term { faults: false, literal: None, ..needle.clone() };
        let (needle_alike, element) = match of {
            Shape::Uuid if needle.shape == Some(Shape::Uuid) => {
                let sql = self.dialect().uuid_text(&needle.sql);
                (Term { sql, shape: Some(Shape::Text), ..plain }, Term::lifted(value, Shape::Text))
            }
            Shape::Money | Shape::Timespan | Shape::Json | Shape::List(_) => {
                return Err(Refused::NotInScope("elements of such a list"));
            }
            of => (plain, Term::lifted(self.dialect().element(&value, of), of.clone())),
        };
        let equal = self.compared(Operator::Equal, &needle_alike, &element, Mode::Loose)?;
        let source = self.dialect().elements(&list.sql, &alias);
        let exists = format!("EXISTS (SELECT 1 FROM {source} WHERE {})", equal.sql);
        let faults = needle.faults || list.faults;
        Ok(Condition { sql: self.checked(&exists, &[needle, list], "NULL"), faults })
    }
}

fn joined(all: Vec<Condition>, by: &str, none: &str) -> Condition {
    let faults = all.iter().any(|one| one.faults);
    let sql = match all.as_slice() {
        [] => none.to_owned(),
        [one] => one.sql.clone(),
        all => {
            let all: Vec<_> = all.iter().map(|one| one.sql.as_str()).collect();
            format!("({})", all.join(by))
        }
    };
    Condition { sql, faults }
}

/// `CASE a WHEN TRUE THEN TRUE WHEN FALSE THEN (CASE b …) END`: null where the deciding one is.
fn in_order(all: Vec<Condition>, branches: &str, none: &str) -> Condition {
    let mut sql = String::new();
    for one in all.into_iter().rev() {
        sql = if sql.is_empty() {
            one.sql
        } else {
            format!("CASE ({}) {branches} ({sql}) END", one.sql)
        };
    }
    if sql.is_empty() {
        sql.push_str(none);
    }
    Condition { sql, faults: true }
}
