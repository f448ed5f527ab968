//! The grammar of a list's parameters: filters, sort keys, expansions.

use crate::json::scalar::{Shape, Wire};
use ir::contract::{Filter, Operation};
use ir::domain::{Domain, Field, FieldId, Kind, Resource, ResourceId, Source};
use ir::expr::{Expr, ExprKind, FieldRef, Function, Implicit, Operator, Type};
use ir::model::FieldType;
use ir::schema::Part;
use ir::value::{CURRENCY_WANTED, Currency};

/// Filters by name.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    /// Sorted by name.
    by_name: Vec<FilterPlan>,
}

/// A field, or part of one, that a list can be narrowed by.
#[derive(Debug)]
pub(crate) struct FilterPlan {
    /// `total`, `total.currency`
    pub(crate) name: Box<str>,
    /// The field.
    pub(crate) field: FieldRef,
    /// The part of it.
    part: Part,
    /// Reads a value.
    shape: Shape,
    /// What is compared.
    subject: Expr,
    /// The type of what it is compared with.
    ty: Type,
    /// Operators it takes.
    operators: Vec<Op>,
    /// May stand in `sort`.
    pub(crate) sortable: bool,
}

/// An operator of a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    /// A comparison; bare names are `Equal`.
    Compare(Operator),
    /// One of several, by commas.
    In,
    /// `true` or `false`.
    Null,
    /// Begins so.
    Prefix,
}

/// Values of one `in` at most.
const IN_VALUES_MAX: usize = 100;

impl Op {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "ne" => Self::Compare(Operator::NotEqual),
            "gt" => Self::Compare(Operator::Greater),
            "gte" => Self::Compare(Operator::GreaterEqual),
            "lt" => Self::Compare(Operator::Less),
            "lte" => Self::Compare(Operator::LessEqual),
            "in" => Self::In,
            "null" => Self::Null,
            "prefix" => Self::Prefix,
            _ => return None,
        })
    }
}

/// Why a parameter is no filter.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// No such field or operator.
    Unknown(String),
    /// The value is not of the type.
    Invalid(String),
}

impl Filters {
    /// Of a list operation; empty for others.
    pub(crate) fn of(domain: &Domain, operation: &Operation) -> Self {
        let Some(resource) = operation.resource else { return Self::default() };
        let resource = domain.resource(resource);
        let mut by_name: Vec<FilterPlan> =
            operation.filters.iter().map(|filter| FilterPlan::of(resource, filter)).collect();
        by_name.sort_by(|a, b| a.name.cmp(&b.name));
        Self { by_name }
    }

    fn named(&self, name: &str) -> Option<&FilterPlan> {
        let at = self.by_name.binary_search_by(|filter| (*filter.name).cmp(name)).ok()?;
        Some(&self.by_name[at])
    }

    /// The filter of a parameter name, with its operator.
    pub(crate) fn parameter(&self, name: &str) -> Result<(&FilterPlan, Op), Refused> {
        if let Some(filter) = self.named(name) {
            return Ok((filter, Op::Compare(Operator::Equal)));
        }
        let split = name.rsplit_once('.');
        let Some((filter, operator)) =
            split.and_then(|(name, operator)| Some((self.named(name)?, operator)))
        else {
            return Err(Refused::Unknown("is no parameter of this list".to_owned()));
        };
        match Op::named(operator).filter(|operator| filter.operators.contains(operator)) {
            Some(operator) => Ok((filter, operator)),
            None => Err(Refused::Unknown(format!("`{}` has no such operator", filter.name))),
        }
    }

    /// The sort key of a name.
    pub(crate) fn sort(&self, name: &str) -> Option<&FilterPlan> {
        self.named(name).filter(|filter| filter.sortable)
    }
}

impl FilterPlan {
    fn of(resource: &Resource, filter: &Filter) -> Self {
        let (ty, mut shape) = match filter.field {
            FieldRef::Implicit(Implicit::Id) => (Type::Uuid, plain(FieldType::Uuid)),
            FieldRef::Implicit(Implicit::CreatedAt | Implicit::UpdatedAt) => {
                (Type::Timestamp, plain(FieldType::Timestamp))
            }
            FieldRef::Field(id) => {
                let field = resource.field(id);
                (type_of(field), Shape::of(field))
            }
        };
        let whole = Expr { kind: ExprKind::Field(filter.field), ty: ty.clone() };
        let call = |function, ty| Expr { kind: ExprKind::Call(function, vec![whole.clone()]), ty };
        let (subject, ty) = match filter.part {
            Part::Currency => {
                shape = plain(FieldType::String);
                (call(Function::Currency, Type::Text), Type::Text)
            }
            Part::Start => (call(Function::Start, Type::Timestamp), Type::Timestamp),
            Part::End => (call(Function::End, Type::Timestamp), Type::Timestamp),
            Part::Units => (whole.clone(), Type::Decimal { precision: 18, scale: 4 }),
            Part::Whole | Part::Search => (whole.clone(), ty),
        };
        Self {
            name: filter.name.as_str().into(),
            field: filter.field,
            part: filter.part,
            shape,
            subject,
            ty,
            operators: filter.operators.iter().filter_map(|name| Op::named(name)).collect(),
            sortable: filter.sortable,
        }
    }

    /// The condition of one term.
    pub(crate) fn condition(&self, operator: Op, text: &str) -> Result<Expr, Refused> {
        let kind = match operator {
            Op::Compare(operator) => {
                let value = self.literal(text)?;
                ExprKind::Compare(operator, self.subject().into(), value.into())
            }
            Op::In => {
                let texts: Vec<&str> = text.split(',').collect();
                if texts.len() > IN_VALUES_MAX {
                    let detail = format!("takes at most {IN_VALUES_MAX} values");
                    return Err(Refused::Invalid(detail));
                }
                if texts.contains(&"") {
                    return Err(Refused::Invalid("has an empty element".to_owned()));
                }
                let values = texts.into_iter().map(|text| self.literal(text));
                ExprKind::In(self.subject().into(), values.collect::<Result<_, _>>()?)
            }
            Op::Null => {
                let operator = match text {
                    "true" => Operator::Equal,
                    "false" => Operator::NotEqual,
                    _ => return Err(Refused::Invalid("must be true or false".to_owned())),
                };
                let null = Expr { kind: ExprKind::Literal(ir::value::Value::Null), ty: Type::Null };
                ExprKind::Compare(operator, self.subject().into(), null.into())
            }
            Op::Prefix => {
                let prefix = self.literal(text)?;
                ExprKind::Call(Function::StartsWith, vec![self.subject(), prefix])
            }
        };
        Ok(Expr { kind, ty: Type::Bool })
    }

    fn subject(&self) -> Expr {
        self.subject.clone()
    }

    fn literal(&self, text: &str) -> Result<Expr, Refused> {
        if text.contains('\0') {
            return Err(Refused::Invalid("may not hold the character NUL".to_owned()));
        }
        if self.part == Part::Currency && Currency::of(text).is_none() {
            return Err(Refused::Invalid(CURRENCY_WANTED.to_owned()));
        }
        match self.shape.parse(text) {
            Some(value) => Ok(Expr { kind: ExprKind::Literal(value), ty: self.ty.clone() }),
            None => Err(Refused::Invalid(match self.shape.ty {
                Wire::Money(_) => "must be an amount such as `12.50`".to_owned(),
                Wire::Timespan => "must be an RFC 3339 timestamp".to_owned(),
                _ => self.shape.wanted().into_owned(),
            })),
        }
    }
}

/// The type of a declaration without bounds.
fn plain(declared: FieldType) -> Shape {
    Shape::of(&Field {
        name: String::new(),
        about: String::new(),
        declared,
        kind: Kind::Scalar,
        source: Source::Client,
        optional: false,
        min: None,
        max: None,
        pattern: None,
        search: false,
        personal: false,
        secret: false,
        state: false,
        filterable: true,
        read: None,
        write: None,
    })
}

/// The type of a field's value in expressions.
fn type_of(field: &Field) -> Type {
    match &field.kind {
        Kind::Enum(values) => return Type::Enum { values: values.clone() },
        Kind::Reference { target, .. } => return Type::Reference(*target),
        Kind::Actor(actor) => return Type::Actor(*actor),
        Kind::Children { .. } => return Type::Null,
        Kind::Scalar => {}
    }
    scalar_type(&field.declared)
}

fn scalar_type(declared: &FieldType) -> Type {
    match declared {
        FieldType::String | FieldType::Text | FieldType::Url | FieldType::Email => Type::Text,
        FieldType::Int | FieldType::Counter => Type::Int,
        FieldType::Decimal { precision, scale } => {
            Type::Decimal { precision: *precision, scale: *scale }
        }
        FieldType::Bool => Type::Bool,
        FieldType::Money { currency } => Type::Money { currency: currency.clone() },
        FieldType::Date => Type::Date,
        FieldType::Time => Type::Time,
        FieldType::Timestamp => Type::Timestamp,
        FieldType::Duration => Type::Duration,
        FieldType::Timespan => Type::Timespan,
        FieldType::Uuid => Type::Uuid,
        FieldType::Json => Type::Json,
        FieldType::Enum(_) | FieldType::Actor(_) => Type::Text,
        FieldType::List(element) => Type::List(Box::new(scalar_type(element))),
        FieldType::Reference { .. } => Type::Uuid,
        FieldType::Many { .. } => Type::Null,
    }
}

/// A relation that `expand` takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expand {
    /// `lines`, `product`, `lines.product`
    pub(crate) name: String,
    /// The children field it goes through, with their resource.
    pub(crate) children: Option<(FieldId, ResourceId)>,
    /// The reference that is followed, with its target; none for children alone.
    pub(crate) reference: Option<(FieldId, ResourceId)>,
}

/// The expansions of an operation.
pub(crate) fn expands(domain: &Domain, operation: &Operation) -> Vec<Expand> {
    let Some(resource) = operation.resource else { return Vec::new() };
    let resource = domain.resource(resource);
    operation.expands.iter().filter_map(|name| expand(domain, resource, name)).collect()
}

fn expand(domain: &Domain, resource: &Resource, name: &str) -> Option<Expand> {
    let (first, rest) = match name.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (name, None),
    };
    let (field, of) = resource.field_named(first)?;
    let (children, reference) = match (&of.kind, rest) {
        (Kind::Children { target, .. }, None) => (Some((field, *target)), None),
        (Kind::Children { target, .. }, Some(rest)) => {
            let (inner, of) = domain.resource(*target).field_named(rest)?;
            let Kind::Reference { target: far, .. } = of.kind else { return None };
            (Some((field, *target)), Some((inner, far)))
        }
        (Kind::Reference { target, .. }, None) => (None, Some((field, *target))),
        (Kind::Reference { .. }, Some(_)) => return None,
        (Kind::Scalar | Kind::Enum(_) | Kind::Actor(_), _) => return None,
    };
    Some(Expand { name: name.to_owned(), children, reference })
}
