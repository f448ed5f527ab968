//! How a value lies in one or two cells of a row.

use ir::domain::{Field, Kind};
use ir::model::FieldType;
use ir::schema::Part;
use ir::value::{Currency, Value};
use std::borrow::Cow;

/// The form of a value in storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// 0 or 1.
    Bool,
    /// Whole number.
    Int,
    /// Units of `10^-scale`.
    Decimal {
        /// Digits after the point.
        scale: u8,
    },
    /// Units of 1/10,000, and the currency in a second cell.
    Money,
    /// Text.
    Text,
    /// Days since 1970.
    Date,
    /// Microseconds of the day.
    Time,
    /// Microseconds since 1970.
    Timestamp,
    /// Microseconds.
    Duration,
    /// Start, and the end in a second cell.
    Timespan,
    /// 16 bytes.
    Uuid,
    /// JSON text.
    Json,
    /// JSON array of elements of that shape.
    List(Box<Shape>),
}

/// What goes into one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Nothing.
    Null,
    /// Whole number.
    Int(i64),
    /// Text.
    Text(Cow<'a, str>),
    /// An id.
    Uuid([u8; 16]),
}

/// What comes out of one column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stored<'a> {
    /// Nothing.
    Null,
    /// Whole number.
    Int(i64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// What no column of ours holds.
    Foreign,
}

/// A value that does not have the shape of its column: a fault of the program or of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misshapen;

impl Cell<'_> {
    /// The same, owned.
    pub fn into_owned(self) -> Cell<'static> {
        match self {
            Self::Null => Cell::Null,
            Self::Int(n) => Cell::Int(n),
            Self::Text(text) => Cell::Text(Cow::Owned(text.into_owned())),
            Self::Uuid(bytes) => Cell::Uuid(bytes),
        }
    }
}

impl Shape {
    /// The shape of a field; none for children, which have a table of their own.
    pub fn of_field(field: &Field) -> Option<Self> {
        match &field.kind {
            Kind::Enum(_) | Kind::Actor(_) => Some(Self::Text),
            Kind::Reference { .. } => Some(Self::Uuid),
            Kind::Children { .. } => None,
            Kind::Scalar => Self::of_type(&field.declared),
        }
    }

    fn of_type(declared: &FieldType) -> Option<Self> {
        Some(match declared {
            FieldType::String
            | FieldType::Text
            | FieldType::Url
            | FieldType::Email
            | FieldType::Enum(_)
            | FieldType::Actor(_) => Self::Text,
            FieldType::Int | FieldType::Counter => Self::Int,
            FieldType::Decimal { scale, .. } => Self::Decimal { scale: *scale },
            FieldType::Bool => Self::Bool,
            FieldType::Money { .. } => Self::Money,
            FieldType::Date => Self::Date,
            FieldType::Time => Self::Time,
            FieldType::Timestamp => Self::Timestamp,
            FieldType::Duration => Self::Duration,
            FieldType::Timespan => Self::Timespan,
            FieldType::Uuid | FieldType::Reference { .. } => Self::Uuid,
            FieldType::Json => Self::Json,
            FieldType::List(element) => Self::List(Box::new(Self::of_type(element)?)),
            FieldType::Many { .. } => return None,
        })
    }

    /// The shape of a value; none for null and for the empty list.
    pub fn of_value(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Null => return None,
            Value::Bool(_) => Self::Bool,
            Value::Int(_) => Self::Int,
            Value::Decimal { scale, .. } => Self::Decimal { scale: *scale },
            Value::Money { .. } => Self::Money,
            Value::Text(_) => Self::Text,
            Value::Date(_) => Self::Date,
            Value::Time(_) => Self::Time,
            Value::Timestamp(_) => Self::Timestamp,
            Value::Duration(_) => Self::Duration,
            Value::Timespan { .. } => Self::Timespan,
            Value::Uuid(_) => Self::Uuid,
            Value::Json(_) => Self::Json,
            Value::List(elements) => Self::List(Box::new(Self::of_value(elements.first()?)?)),
        })
    }

    /// The parts of a field of this shape, in the order of its cells.
    pub fn parts(&self) -> &'static [Part] {
        match self {
            Self::Money => &[Part::Units, Part::Currency],
            Self::Timespan => &[Part::Start, Part::End],
            Self::Bool
            | Self::Int
            | Self::Decimal { .. }
            | Self::Text
            | Self::Date
            | Self::Time
            | Self::Timestamp
            | Self::Duration
            | Self::Uuid
            | Self::Json
            | Self::List(_) => &[Part::Whole],
        }
    }

    /// The shape of one cell of a value.
    pub fn of_part(&self, part: Part) -> Self {
        match (self, part) {
            (Self::Money, Part::Currency) | (_, Part::Search) => Self::Text,
            (Self::Money, _) => Self::Int,
            (Self::Timespan, _) => Self::Timestamp,
            (other, _) => other.clone(),
        }
    }

    /// The cell of a part of a value.
    ///
    /// # Errors
    /// [`Misshapen`] where the value is of another type.
    pub fn encode<'a>(&self, value: &'a Value, part: Part) -> Result<Cell<'a>, Misshapen> {
        let text = |text: &'a str| Cell::Text(Cow::Borrowed(text));
        Ok(match (self, value) {
            (_, Value::Null) => Cell::Null,
            (Self::Bool, Value::Bool(yes)) => Cell::Int(i64::from(*yes)),
            (Self::Int, Value::Int(n))
            | (Self::Time, Value::Time(n))
            | (Self::Timestamp, Value::Timestamp(n))
            | (Self::Duration, Value::Duration(n)) => Cell::Int(*n),
            (Self::Decimal { scale }, Value::Decimal { units, scale: of }) => {
                Cell::Int(exactly(*units, *of, *scale).ok_or(Misshapen)?)
            }
            (Self::Money, Value::Money { units, currency }) => match part {
                Part::Currency => Cell::Text(Cow::Owned(currency.as_str().to_owned())),
                Part::Whole | Part::Units | Part::Start | Part::End | Part::Search => {
                    Cell::Int(*units)
                }
            },
            (Self::Text, Value::Text(all)) | (Self::Json, Value::Json(all)) => text(all),
            (Self::Date, Value::Date(days)) => Cell::Int(i64::from(*days)),
            (Self::Timespan, Value::Timespan { start, end }) => match part {
                Part::End => Cell::Int(*end),
                Part::Whole | Part::Units | Part::Currency | Part::Start | Part::Search => {
                    Cell::Int(*start)
                }
            },
            (Self::Uuid, Value::Uuid(id)) => Cell::Uuid(id.to_be_bytes()),
            (Self::List(element), Value::List(all)) => {
                let all: Result<Vec<_>, _> = all.iter().map(|one| element.to_json(one)).collect();
                Cell::Text(Cow::Owned(serde_json::Value::Array(all?).to_string()))
            }
            _ => return Err(Misshapen),
        })
    }

    /// The value of one or two cells (the second is null where the shape has one).
    ///
    /// # Errors
    /// [`Misshapen`] where the file holds something else.
    pub fn decode(&self, first: Stored<'_>, second: Stored<'_>) -> Result<Value, Misshapen> {
        if first == Stored::Null {
            return Ok(Value::Null);
        }
        Ok(match (self, first, second) {
            (Self::Bool, Stored::Int(n), _) => Value::Bool(n != 0),
            (Self::Int, Stored::Int(n), _) => Value::Int(n),
            (Self::Decimal { scale }, Stored::Int(units), _) => {
                Value::Decimal { units, scale: *scale }
            }
            (Self::Money, Stored::Int(units), Stored::Text(code)) => {
                Value::Money { units, currency: currency(code)? }
            }
            (Self::Text, Stored::Text(text), _) => Value::text(text),
            (Self::Json, Stored::Text(text), _) => Value::Json(text.into()),
            (Self::Date, Stored::Int(days), _) => {
                Value::Date(i32::try_from(days).map_err(|_| Misshapen)?)
            }
            (Self::Time, Stored::Int(n), _) => Value::Time(n),
            (Self::Timestamp, Stored::Int(n), _) => Value::Timestamp(n),
            (Self::Duration, Stored::Int(n), _) => Value::Duration(n),
            (Self::Timespan, Stored::Int(start), Stored::Int(end)) => {
                Value::Timespan { start, end }
            }
            (Self::Uuid, Stored::Bytes(bytes), _) => {
                Value::Uuid(u128::from_be_bytes(bytes.try_into().map_err(|_| Misshapen)?))
            }
            (Self::List(element), Stored::Text(text), _) => {
                let all: Vec<serde_json::Value> =
                    serde_json::from_str(text).map_err(|_| Misshapen)?;
                let all: Result<_, _> = all.iter().map(|one| element.of_json(one)).collect();
                Value::List(all?)
            }
            _ => return Err(Misshapen),
        })
    }

    fn to_json(&self, value: &Value) -> Result<serde_json::Value, Misshapen> {
        use serde_json::Value as Json;
        let cell = |part| {
            Ok(match self.encode(value, part)? {
                Cell::Null => Json::Null,
                Cell::Int(n) if *self == Self::Bool => Json::Bool(n != 0),
                Cell::Int(n) => Json::from(n),
                Cell::Text(text) => Json::from(text.into_owned()),
                Cell::Uuid(bytes) => Json::from(format!("{:032x}", u128::from_be_bytes(bytes))),
            })
        };
        match self.parts() {
            [first, second] => Ok(Json::Array(vec![cell(*first)?, cell(*second)?])),
            _ => cell(Part::Whole),
        }
    }

    fn of_json(&self, json: &serde_json::Value) -> Result<Value, Misshapen> {
        use serde_json::Value as Json;
        let stored = |json: &'_ Json| match json {
            Json::Bool(yes) => Stored::Int(i64::from(*yes)),
            Json::Number(n) => n.as_i64().map_or(Stored::Foreign, Stored::Int),
            Json::Null | Json::String(_) | Json::Array(_) | Json::Object(_) => Stored::Null,
        };
        match (self, json) {
            (Self::Uuid, Json::String(hex)) => {
                u128::from_str_radix(hex, 16).map(Value::Uuid).map_err(|_| Misshapen)
            }
            (_, Json::String(text)) => self.decode(Stored::Text(text), Stored::Null),
            (Self::Money, Json::Array(parts)) => match parts.as_slice() {
                [units, Json::String(code)] => self.decode(stored(units), Stored::Text(code)),
                _ => Err(Misshapen),
            },
            (Self::Timespan, Json::Array(parts)) => match parts.as_slice() {
                [start, end] => self.decode(stored(start), stored(end)),
                _ => Err(Misshapen),
            },
            (_, json) => self.decode(stored(json), Stored::Null),
        }
    }
}

/// Units of `10^-from` as units of `10^-to`; none where that is not exact.
pub fn exactly(units: i64, from: u8, to: u8) -> Option<i64> {
    if to >= from {
        units.checked_mul(10_i64.checked_pow(u32::from(to - from))?)
    } else {
        let by = 10_i64.checked_pow(u32::from(from - to))?;
        (units % by == 0).then_some(units / by)
    }
}

fn currency(code: &str) -> Result<Currency, Misshapen> {
    code.as_bytes().try_into().map(Currency).map_err(|_| Misshapen)
}
