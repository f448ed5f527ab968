//! What a condition can never be: contradictions among comparisons of one field with constants.
//! Only what is certain counts; anything else may hold.

use super::resolve::order;
use ir::domain::{Field, Kind, Resource};
use ir::expr::{Expr, ExprKind, FieldRef, Operator};
use ir::value::Value;
use std::collections::BTreeMap;

/// What is known of one field.
#[derive(Debug, Clone, Default)]
struct Known {
    /// It is one of these.
    one_of: Option<Vec<Value>>,
    /// It is none of these.
    none_of: Vec<Value>,
    least: Option<i64>,
    greatest: Option<i64>,
    null: Option<bool>,
}

/// What is known of the fields of a row: what their declarations say (bounds, enums, what cannot
/// be null) and what was assumed beyond that.
#[derive(Debug, Clone)]
pub(crate) struct Facts<'d> {
    resource: &'d Resource,
    assumed: BTreeMap<FieldRef, Known>,
}

impl<'d> Facts<'d> {
    /// What the declarations say.
    pub(crate) fn of(resource: &'d Resource) -> Self {
        Self { resource, assumed: BTreeMap::new() }
    }

    /// What is known of one field, to be added to.
    fn known(&mut self, field: FieldRef) -> &mut Known {
        let resource = self.resource;
        self.assumed.entry(field).or_insert_with(|| match field {
            FieldRef::Field(id) => declared(resource.field(id)),
            FieldRef::Implicit(_) => Known { null: Some(false), ..Known::default() },
        })
    }

    /// With a field that is one of these texts.
    #[must_use]
    pub(crate) fn with(mut self, field: FieldRef, values: &[String]) -> Self {
        let known = self.known(field);
        let values: Vec<Value> = values.iter().map(|value| Value::text(value.as_str())).collect();
        known.keep(&values);
        self
    }

    /// Can the condition never hold, given these facts?
    pub(crate) fn never(&self, condition: &Expr) -> bool {
        let mut facts = self.clone();
        !facts.assume(condition, true)
    }

    /// Adds a condition; false where it contradicts what is known.
    pub(crate) fn assume(&mut self, condition: &Expr, holds: bool) -> bool {
        match (&condition.kind, holds) {
            (ExprKind::Literal(Value::Bool(value)), _) => *value == holds,
            (ExprKind::Not(inner), _) => self.assume(inner, !holds),
            (ExprKind::And(terms), true) | (ExprKind::Or(terms), false) => {
                terms.iter().all(|term| self.assume(term, holds))
            }
            (ExprKind::Or(terms), true) | (ExprKind::And(terms), false) => {
                terms.iter().any(|term| self.clone().assume(term, holds))
            }
            (ExprKind::Compare(operator, left, right), _) => {
                self.comparison(*operator, left, right, holds)
            }
            (ExprKind::In(element, list), true) => self.within(element, list),
            (ExprKind::Field(field), true) => self.equal(*field, &Value::Bool(true)),
            _ => true,
        }
    }

    fn comparison(&mut self, operator: Operator, left: &Expr, right: &Expr, holds: bool) -> bool {
        let (field, value, operator) = match (&left.kind, &right.kind) {
            (ExprKind::Field(field), ExprKind::Literal(value)) => (*field, value, operator),
            (ExprKind::Literal(value), ExprKind::Field(field)) => (*field, value, turned(operator)),
            (ExprKind::Literal(a), ExprKind::Literal(b)) => {
                return constants(operator, a, b).is_none_or(|truth| truth == holds);
            }
            _ => return true,
        };
        let operator = match (operator, holds) {
            (operator, true) => operator,
            (Operator::Equal, false) => Operator::NotEqual,
            (Operator::NotEqual, false) => Operator::Equal,
            // `not (x < 5)` also holds where x is null: nothing certain.
            (_, false) => return true,
        };
        match operator {
            Operator::Equal if value.is_null() => self.null(field, true),
            Operator::NotEqual if value.is_null() => self.null(field, false),
            Operator::Equal => self.equal(field, value),
            Operator::NotEqual => self.unequal(field, value),
            Operator::Less | Operator::LessEqual | Operator::Greater | Operator::GreaterEqual => {
                self.bound(field, operator, value)
            }
            _ => true,
        }
    }

    fn within(&mut self, element: &Expr, list: &[Expr]) -> bool {
        let ExprKind::Field(field) = element.kind else { return true };
        let mut values = Vec::new();
        for item in list {
            let ExprKind::Literal(value) = &item.kind else { return true };
            values.push(value.clone());
        }
        let known = self.known(field);
        known.keep(&values);
        known.possible()
    }

    fn null(&mut self, field: FieldRef, wanted: bool) -> bool {
        let known = self.known(field);
        if known.null.is_some_and(|null| null != wanted) {
            return false;
        }
        known.null = Some(wanted);
        !wanted || known.one_of.is_none()
    }

    fn equal(&mut self, field: FieldRef, value: &Value) -> bool {
        let known = self.known(field);
        if known.null == Some(true) {
            return false;
        }
        known.keep(std::slice::from_ref(value));
        known.possible()
    }

    fn unequal(&mut self, field: FieldRef, value: &Value) -> bool {
        let known = self.known(field);
        known.none_of.push(value.clone());
        known.possible()
    }

    fn bound(&mut self, field: FieldRef, operator: Operator, value: &Value) -> bool {
        let known = self.known(field);
        if known.null == Some(true) || !comparable(value) {
            return known.null != Some(true);
        }
        let at = order(value);
        match operator {
            Operator::Less => known.below(at.saturating_sub(1)),
            Operator::LessEqual => known.below(at),
            Operator::Greater => known.above(at.saturating_add(1)),
            _ => known.above(at),
        }
        known.possible()
    }
}

impl Known {
    fn keep(&mut self, values: &[Value]) {
        let kept = match self.one_of.take() {
            None => values.to_vec(),
            Some(known) => known.into_iter().filter(|value| values.contains(value)).collect(),
        };
        self.one_of = Some(kept);
    }

    fn below(&mut self, at: i64) {
        self.greatest = Some(self.greatest.map_or(at, |greatest| greatest.min(at)));
    }

    fn above(&mut self, at: i64) {
        self.least = Some(self.least.map_or(at, |least| least.max(at)));
    }

    /// Is there a value that all of it allows?
    fn possible(&self) -> bool {
        let in_bounds = |value: &Value| {
            !comparable(value)
                || (self.least.is_none_or(|least| order(value) >= least)
                    && self.greatest.is_none_or(|greatest| order(value) <= greatest))
        };
        let bounds = match (self.least, self.greatest) {
            (Some(least), Some(greatest)) => least <= greatest,
            _ => true,
        };
        let mut left = self.one_of.iter().flatten();
        let some = self.one_of.is_none()
            || left.any(|value| in_bounds(value) && !self.none_of.contains(value));
        bounds && some
    }
}

fn declared(field: &Field) -> Known {
    let null = (!field.optional).then_some(false);
    if let Kind::Enum(values) = &field.kind {
        let values = values.iter().map(|value| Value::text(value.as_str())).collect();
        let one_of = (!field.optional).then_some(values);
        return Known { one_of, null, ..Known::default() };
    }
    let number = |bound: &Option<Value>| {
        let measures = !lengths(&field.declared);
        bound.as_ref().filter(|value| measures && comparable(value)).map(order)
    };
    Known { null, least: number(&field.min), greatest: number(&field.max), ..Known::default() }
}

/// Are the bounds of the type lengths rather than values?
fn lengths(ty: &ir::model::FieldType) -> bool {
    use ir::model::FieldType;
    matches!(
        ty,
        FieldType::String
            | FieldType::Text
            | FieldType::Url
            | FieldType::Email
            | FieldType::List(_)
            | FieldType::Decimal { .. }
            | FieldType::Money { .. }
    )
}

/// Has the value one scale, so that its number can be compared with others of its field?
fn comparable(value: &Value) -> bool {
    matches!(
        value,
        Value::Int(_) | Value::Date(_) | Value::Time(_) | Value::Timestamp(_) | Value::Duration(_)
    )
}

fn turned(operator: Operator) -> Operator {
    match operator {
        Operator::Less => Operator::Greater,
        Operator::LessEqual => Operator::GreaterEqual,
        Operator::Greater => Operator::Less,
        Operator::GreaterEqual => Operator::LessEqual,
        other => other,
    }
}

fn constants(operator: Operator, a: &Value, b: &Value) -> Option<bool> {
    match operator {
        Operator::Equal => Some(a == b && !a.is_null()).filter(|_| same_kind(a, b)),
        Operator::NotEqual => Some(a != b).filter(|_| same_kind(a, b)),
        _ => None,
    }
}

fn same_kind(a: &Value, b: &Value) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}
