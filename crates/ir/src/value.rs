//! The values of fields and expressions, exact in every case.

mod currency;

pub use currency::{Currency, WANTED as CURRENCY_WANTED};

use serde::{Deserialize, Serialize};

/// Money is stored in these many units to the one.
pub const MONEY_UNITS: i64 = 10_000;

/// One value.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Absent.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// Whole number; counters too.
    Int(i64),
    /// `units / 10^scale`.
    Decimal {
        /// The digits as a whole number.
        units: i64,
        /// Digits after the point.
        scale: u8,
    },
    /// `units / 10,000` of an ISO 4217 currency.
    Money {
        /// Units of 1/10,000.
        units: i64,
        /// The currency.
        currency: Currency,
    },
    /// Text, enum value, URL, e-mail, actor's subject.
    Text(Box<str>),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since midnight.
    Time(i64),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
    /// Microseconds.
    Duration(i64),
    /// Half-open span, microseconds since 1970.
    Timespan {
        /// First instant.
        start: i64,
        /// One past the last.
        end: i64,
    },
    /// An id.
    Uuid(u128),
    /// JSON text, as it was accepted (compact).
    Json(Box<str>),
    /// Several scalars.
    List(Vec<Value>),
}

impl Value {
    /// True for [`Value::Null`].
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// A text value.
    pub fn text(text: impl Into<Box<str>>) -> Self {
        Self::Text(text.into())
    }

    /// The text of a text value.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The id of an id value.
    pub fn as_uuid(&self) -> Option<u128> {
        match self {
            Self::Uuid(id) => Some(*id),
            _ => None,
        }
    }
}
