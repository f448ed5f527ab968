//! The types of fields on the wire: reading, bounds, and fitting a computed value to its field.

use super::literal::{
    exact, fixed, half_even, is_email, is_url, made_by, read_money, read_span, read_uuid, rescale,
};
use super::{Json, time};
use ir::domain::{Field, Kind};
use ir::expr::Type;
use ir::model::FieldType;
use ir::value::{Currency, MONEY_UNITS, Value};
use regex::Regex;
use std::borrow::Cow;

/// Decimals that money is kept with.
pub(super) const MONEY_SCALE: u8 = 4;

/// The compiled type of a field.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// What it is.
    pub(crate) ty: Wire,
    /// Least value or length, in units of the type.
    min: Option<i64>,
    /// Greatest value or length.
    max: Option<i64>,
    /// Pattern of the whole text, and as it was written.
    pattern: Option<(Regex, Box<str>)>,
}

/// The types by their form on the wire.
#[derive(Debug, Clone)]
pub(crate) enum Wire {
    /// Text.
    Text,
    /// Absolute http(s) address.
    Url,
    /// Mail address.
    Email,
    /// Subject of a caller.
    Subject,
    /// One of these.
    Enum(Box<[Box<str>]>),
    /// Whole number.
    Int,
    /// Exact decimal, as text.
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// True or false.
    Bool,
    /// Amount and currency, the only one where it is fixed.
    Money(Option<Currency>),
    /// Day.
    Date,
    /// Time of day.
    Time,
    /// Instant.
    Timestamp,
    /// Length of time.
    Duration,
    /// Two instants.
    Timespan,
    /// Id.
    Uuid,
    /// Id of a row.
    Reference,
    /// Any JSON.
    Json,
    /// Several of a kind.
    List(Box<Shape>),
    /// Owned rows; never read as a scalar.
    Children,
}

/// Why a value was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// JSON Pointer from the value on: `/amount`.
    pub(crate) inside: String,
    /// What would be right.
    pub(crate) detail: String,
    /// It is a member that does not belong there.
    pub(crate) unknown: bool,
}

impl Wrong {
    pub(super) fn new(detail: impl Into<String>) -> Self {
        Self { inside: String::new(), detail: detail.into(), unknown: false }
    }

    /// The same, at a member of the value.
    pub(super) fn inside(mut self, member: &str) -> Self {
        self.inside.insert_str(0, &format!("/{}", crate::problem::pointer_token(member)));
        self
    }
}

/// Ids that operations of a batch made, for `#0`; empty outside a batch.
pub(crate) type Made<'a> = &'a [Option<u128>];

impl Shape {
    /// Compiles the type of a field.
    pub(crate) fn of(field: &Field) -> Self {
        let ty = match &field.kind {
            Kind::Enum(values) => {
                Wire::Enum(values.iter().map(|value| value.as_str().into()).collect())
            }
            Kind::Reference { .. } => Wire::Reference,
            Kind::Actor(_) => Wire::Subject,
            Kind::Children { .. } => Wire::Children,
            Kind::Scalar => wire(&field.declared),
        };
        let unit = |bound: &Option<Value>| bound.as_ref().and_then(|value| in_units(&ty, value));
        let (min, max) = (unit(&field.min), unit(&field.max));
        let pattern = field.pattern.as_deref().and_then(|pattern| {
            // A pattern was compiled when the model was checked.
            Some((Regex::new(&format!("^(?:{pattern})$")).ok()?, pattern.into()))
        });
        Self { ty, min, max, pattern }
    }

    /// Compiles the type of an expression, which has no bounds.
    pub(crate) fn of_type(ty: &Type) -> Self {
        let ty = match ty {
            Type::Null | Type::Json => Wire::Json,
            Type::Bool => Wire::Bool,
            Type::Int => Wire::Int,
            Type::Decimal { precision, scale } => {
                Wire::Decimal { precision: *precision, scale: *scale }
            }
            Type::Money { currency } => wire(&FieldType::Money { currency: currency.clone() }),
            Type::Text => Wire::Text,
            Type::Enum { values } => {
                Wire::Enum(values.iter().map(|value| value.as_str().into()).collect())
            }
            Type::Date => Wire::Date,
            Type::Time => Wire::Time,
            Type::Timestamp => Wire::Timestamp,
            Type::Duration => Wire::Duration,
            Type::Timespan => Wire::Timespan,
            Type::Uuid => Wire::Uuid,
            Type::List(element) => Wire::List(Box::new(Self::of_type(element))),
            Type::Reference(_) => Wire::Reference,
            Type::Actor(_) => Wire::Subject,
        };
        Self { ty, min: None, max: None, pattern: None }
    }

    /// A value from a body. `null` is the caller's to think of.
    ///
    /// # Errors
    /// Where it is of another type or outside a bound.
    pub(crate) fn read(&self, json: &Json<'_>, made: Made<'_>) -> Result<Value, Wrong> {
        let value = match (&self.ty, json) {
            (Wire::Money(_), Json::Object(members)) => read_money(members)?,
            (Wire::Timespan, Json::Object(members)) => read_span(members)?,
            (Wire::List(element), Json::Array(elements)) => {
                let read = |(at, json): (usize, &Json<'_>)| {
                    element.read(json, made).map_err(|wrong| wrong.inside(&at.to_string()))
                };
                Value::List(elements.iter().enumerate().map(read).collect::<Result<_, _>>()?)
            }
            (Wire::Json, json) => {
                if json.holds_nul() {
                    return Err(Wrong::new("may not hold the character NUL"));
                }
                let mut text = Vec::new();
                json.write(&mut text);
                Value::Json(String::from_utf8(text).unwrap_or_default().into_boxed_str())
            }
            (Wire::Bool, Json::Bool(value)) => Value::Bool(*value),
            (Wire::Int, Json::Number(digits)) => {
                let whole = exact(digits, 0).ok_or_else(|| Wrong::new(self.wanted()))?;
                Value::Int(whole)
            }
            (Wire::Reference, Json::Text(text)) if text.starts_with('#') && !made.is_empty() => {
                Value::Uuid(
                    made_by(text, made).ok_or_else(|| {
                        Wrong::new("no earlier operation of the batch made this row")
                    })?,
                )
            }
            (Wire::Bool | Wire::Int, Json::Text(_)) | (Wire::Money(_), _) => {
                return Err(self.unlike(json));
            }
            (_, Json::Text(text)) => self.parse(text).ok_or_else(|| Wrong::new(self.wanted()))?,
            (_, _) => return Err(self.unlike(json)),
        };
        self.check(&value)?;
        Ok(value)
    }

    fn unlike(&self, json: &Json<'_>) -> Wrong {
        Wrong::new(format!("{}, not {}", self.wanted(), json.kind()))
    }

    /// A value from text, as it stands in a query or in quotes; no bounds are looked at.
    pub(crate) fn parse(&self, text: &str) -> Option<Value> {
        Some(match &self.ty {
            Wire::Text | Wire::Url | Wire::Email | Wire::Subject => Value::text(text),
            Wire::Enum(values) => values
                .iter()
                .find(|value| ***value == *text)
                .map(|value| Value::Text(value.clone()))?,
            Wire::Int => Value::Int(fixed(text, 0)?),
            Wire::Decimal { scale, .. } => {
                Value::Decimal { units: fixed(text, *scale)?, scale: *scale }
            }
            // A filter compares amounts whatever their currency.
            Wire::Money(_) => {
                Value::Decimal { units: fixed(text, MONEY_SCALE)?, scale: MONEY_SCALE }
            }
            Wire::Bool => match text {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                _ => return None,
            },
            Wire::Date => Value::Date(time::read_date(text)?),
            Wire::Time => Value::Time(time::read_time(text)?),
            Wire::Timestamp | Wire::Timespan => Value::Timestamp(time::read_timestamp(text)?),
            Wire::Duration => Value::Duration(time::read_duration(text)?),
            Wire::Uuid | Wire::Reference => Value::Uuid(read_uuid(text)?),
            Wire::Json | Wire::List(_) | Wire::Children => return None,
        })
    }

    /// What is wanted, for messages.
    pub(crate) fn wanted(&self) -> Cow<'static, str> {
        Cow::Borrowed(match &self.ty {
            Wire::Text | Wire::Subject => "must be text",
            Wire::Url => "must be an absolute http or https URL",
            Wire::Email => "must be an e-mail address",
            Wire::Enum(values) => {
                let names: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
                return Cow::Owned(format!("must be one of {}", names.join(", ")));
            }
            Wire::Int => "must be a whole number of 64 bits",
            Wire::Decimal { scale, .. } => {
                return Cow::Owned(format!(
                    "must be a decimal number with at most {scale} decimals, as text"
                ));
            }
            Wire::Bool => "must be true or false",
            Wire::Money(_) => "must be an object of `amount` and `currency`",
            Wire::Date => "must be a date such as `2026-01-31`",
            Wire::Time => "must be a time of day such as `12:30:00`",
            Wire::Timestamp => "must be an RFC 3339 timestamp such as `2026-01-31T12:30:00Z`",
            Wire::Duration => "must be an ISO 8601 duration such as `PT30M`",
            Wire::Timespan => "must be an object of `start` and `end`",
            Wire::Uuid | Wire::Reference => "must be a UUID",
            Wire::Json => "must be JSON",
            Wire::List(_) => "must be an array",
            Wire::Children => "must be an array of objects",
        })
    }

    /// Looks at the bounds of a value of the right type.
    ///
    /// # Errors
    /// Where it is outside.
    pub(crate) fn check(&self, value: &Value) -> Result<(), Wrong> {
        match value {
            Value::Null | Value::Bool(_) | Value::Uuid(_) | Value::Json(_) => Ok(()),
            Value::Text(text) => self.check_text(text),
            Value::Int(n) => self.range(*n, Value::Int),
            Value::Decimal { units, scale } => {
                if let Wire::Decimal { precision, .. } = self.ty {
                    let beyond = 10_u64.checked_pow(u32::from(precision));
                    if beyond.is_some_and(|beyond| units.unsigned_abs() >= beyond) {
                        let detail = format!("must have at most {precision} digits in all");
                        return Err(Wrong::new(detail));
                    }
                }
                let scale = *scale;
                self.range(*units, move |units| Value::Decimal { units, scale })
            }
            Value::Money { units, currency } => self.check_money(*units, *currency),
            Value::Date(days) => {
                self.range(i64::from(*days), |days| Value::Date(i32::try_from(days).unwrap_or(0)))
            }
            Value::Time(micros) => self.range(*micros, Value::Time),
            Value::Timestamp(micros) => self.range(*micros, Value::Timestamp),
            Value::Duration(micros) => self.range(*micros, Value::Duration),
            Value::Timespan { start, end } if start >= end => {
                Err(Wrong::new("must be after `start`").inside("end"))
            }
            Value::Timespan { .. } => Ok(()),
            Value::List(elements) => self.length(elements.len(), "element"),
        }
    }

    fn check_text(&self, text: &str) -> Result<(), Wrong> {
        if text.contains('\0') {
            return Err(Wrong::new("may not hold the character NUL"));
        }
        let sound = match &self.ty {
            Wire::Url => is_url(text),
            Wire::Email => is_email(text),
            Wire::Enum(values) => values.iter().any(|value| **value == *text),
            _ => true,
        };
        if !sound {
            return Err(Wrong::new(self.wanted()));
        }
        if self.min.is_some() || self.max.is_some() {
            self.length(text.chars().count(), "character")?;
        }
        match &self.pattern {
            Some((pattern, written)) if !pattern.is_match(text) => {
                Err(Wrong::new(format!("must match `{written}`")))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn check_money(&self, units: i64, currency: Currency) -> Result<(), Wrong> {
        if let Wire::Money(Some(only)) = self.ty
            && only != currency
        {
            return Err(Wrong::new(format!("must be `{}`", only.as_str())).inside("currency"));
        }
        let decimals = currency.decimals();
        if units % 10_i64.pow(u32::from(MONEY_SCALE - decimals)) != 0 {
            let detail = format!("`{}` has {decimals} decimals", currency.as_str());
            return Err(Wrong::new(detail).inside("amount"));
        }
        self.range(units, |units| Value::Decimal { units, scale: MONEY_SCALE })
            .map_err(|wrong| wrong.inside("amount"))
    }

    fn length(&self, length: usize, of: &str) -> Result<(), Wrong> {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        let bound = |bound: i64, side: &str| {
            let plural = if bound == 1 { "" } else { "s" };
            Err(Wrong::new(format!("must have at {side} {bound} {of}{plural}")))
        };
        match (self.min, self.max) {
            (Some(min), _) if length < min => bound(min, "least"),
            (_, Some(max)) if length > max => bound(max, "most"),
            _ => Ok(()),
        }
    }

    fn range(&self, units: i64, show: impl Fn(i64) -> Value) -> Result<(), Wrong> {
        let bound = |bound: i64, side: &str| {
            let mut text = Vec::new();
            super::write::value(&mut text, &show(bound));
            let text = String::from_utf8(text).unwrap_or_default();
            Err(Wrong::new(format!("must be at {side} {}", text.trim_matches('"'))))
        };
        match (self.min, self.max) {
            (Some(min), _) if units < min => bound(min, "least"),
            (_, Some(max)) if units > max => bound(max, "most"),
            _ => Ok(()),
        }
    }

    /// Fits the result of an expression to the field: whole numbers become decimals, decimals and
    /// money take the digits the field has (half to even). Null stays null.
    ///
    /// # Errors
    /// Where it is outside a bound.
    pub(crate) fn fit(&self, value: Value) -> Result<Value, Wrong> {
        let value = match (&self.ty, value) {
            (Wire::Decimal { scale, .. }, Value::Int(n)) => {
                let units = n.checked_mul(10_i64.pow(u32::from(*scale)));
                let units = units.ok_or_else(|| Wrong::new("is out of range"))?;
                Value::Decimal { units, scale: *scale }
            }
            (Wire::Decimal { scale, .. }, Value::Decimal { units, scale: from }) => {
                let units = rescale(units, from, *scale);
                Value::Decimal {
                    units: units.ok_or_else(|| Wrong::new("is out of range"))?,
                    scale: *scale,
                }
            }
            (Wire::Money(_), Value::Money { units, currency }) => {
                let unit = 10_i64.pow(u32::from(MONEY_SCALE - currency.decimals()));
                Value::Money { units: half_even(units, unit) * unit, currency }
            }
            (_, value) => value,
        };
        self.check(&value)?;
        Ok(value)
    }
}

fn wire(declared: &FieldType) -> Wire {
    match declared {
        FieldType::String | FieldType::Text => Wire::Text,
        FieldType::Int | FieldType::Counter => Wire::Int,
        FieldType::Decimal { precision, scale } => {
            Wire::Decimal { precision: *precision, scale: *scale }
        }
        FieldType::Bool => Wire::Bool,
        FieldType::Money { currency } => {
            let letters = currency.as_deref().and_then(|code| code.as_bytes().try_into().ok());
            Wire::Money(letters.map(Currency))
        }
        FieldType::Date => Wire::Date,
        FieldType::Time => Wire::Time,
        FieldType::Timestamp => Wire::Timestamp,
        FieldType::Duration => Wire::Duration,
        FieldType::Timespan => Wire::Timespan,
        FieldType::Uuid => Wire::Uuid,
        FieldType::Url => Wire::Url,
        FieldType::Email => Wire::Email,
        FieldType::Json => Wire::Json,
        FieldType::Enum(values) => {
            Wire::Enum(values.iter().map(|value| value.as_str().into()).collect())
        }
        FieldType::List(element) => {
            Wire::List(Box::new(Shape { ty: wire(element), min: None, max: None, pattern: None }))
        }
        FieldType::Reference { .. } => Wire::Reference,
        FieldType::Actor(_) => Wire::Subject,
        FieldType::Many { .. } => Wire::Children,
    }
}

/// A bound in units of the type.
fn in_units(ty: &Wire, bound: &Value) -> Option<i64> {
    let scale = match ty {
        Wire::Decimal { scale, .. } => *scale,
        Wire::Money(_) => MONEY_SCALE,
        _ => 0,
    };
    match bound {
        Value::Int(n) => n.checked_mul(10_i64.pow(u32::from(scale))),
        Value::Decimal { units, scale: from } => rescale(*units, *from, scale),
        Value::Money { units, .. } => rescale(*units, MONEY_SCALE, scale),
        Value::Date(days) => Some(i64::from(*days)),
        Value::Time(micros) | Value::Timestamp(micros) | Value::Duration(micros) => Some(*micros),
        Value::Null | Value::Bool(_) | Value::Text(_) | Value::Timespan { .. } => None,
        Value::Uuid(_) | Value::Json(_) | Value::List(_) => None,
    }
}

/// Units in one of money: the scale and the constant of the value type agree.
const _: () = assert!(MONEY_UNITS == 10_i64.pow(MONEY_SCALE as u32));
