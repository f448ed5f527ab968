//! What a stored value becomes where the type of its column changes, and which constraint lets
//! through all that another lets through.

use ir::schema::{Check, Storage};

/// How stored values of one type become those of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conversion {
    /// They are the same.
    Same,
    /// Times a number, divided by another.
    Scaled {
        /// Factor.
        times: i64,
        /// Divisor.
        by: i64,
    },
    /// Nobody can say.
    None,
}

/// From one storage type to another.
pub(super) fn conversion(from: Storage, to: Storage) -> Conversion {
    if from == to {
        return Conversion::Same;
    }
    let (Some(from), Some(to)) = (scale(from), scale(to)) else { return Conversion::None };
    let power = |digits: u8| 10_i64.checked_pow(u32::from(digits));
    let (times, by) =
        if to >= from { (power(to - from), Some(1)) } else { (Some(1), power(from - to)) };
    match (times, by) {
        (Some(1), Some(1)) => Conversion::Same,
        (Some(times), Some(by)) => Conversion::Scaled { times, by },
        (None, _) | (_, None) => Conversion::None,
    }
}

/// Digits after the point of numbers without a unit.
fn scale(storage: Storage) -> Option<u8> {
    match storage {
        Storage::Int => Some(0),
        Storage::Decimal { scale } => Some(scale),
        Storage::Uuid | Storage::Bool | Storage::Units | Storage::Currency => None,
        Storage::Text | Storage::Date | Storage::Time | Storage::Timestamp => None,
        Storage::Duration | Storage::Json => None,
    }
}

/// As a model says it.
pub(super) fn word(storage: Storage) -> &'static str {
    match storage {
        Storage::Uuid => "an id",
        Storage::Bool => "a bool",
        Storage::Int => "an int",
        Storage::Decimal { .. } => "a decimal",
        Storage::Units => "money",
        Storage::Currency => "a currency",
        Storage::Text => "text",
        Storage::Date => "a date",
        Storage::Time => "a time",
        Storage::Timestamp => "a timestamp",
        Storage::Duration => "a duration",
        Storage::Json => "json",
    }
}

/// True where whatever fulfils `a` fulfils `b`.
pub(super) fn implies(a: Option<&Check>, b: Option<&Check>) -> bool {
    let within = |(low, high): (Option<i64>, Option<i64>), min: Option<i64>, max: Option<i64>| {
        min.is_none_or(|min| low.is_some_and(|low| low >= min))
            && max.is_none_or(|max| high.is_some_and(|high| high <= max))
    };
    match (a, b) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(Check::Range { min: low, max: high }), Some(Check::Range { min, max }))
        | (Some(Check::Length { min: low, max: high }), Some(Check::Length { min, max })) => {
            within((*low, *high), *min, *max)
        }
        (Some(Check::OneOf(few)), Some(Check::OneOf(many))) => {
            few.iter().all(|value| many.contains(value))
        }
        (Some(Check::OneOf(few)), Some(Check::Length { min, max })) => few.iter().all(|value| {
            let length = i64::try_from(value.chars().count()).ok();
            within((length, length), *min, *max)
        }),
        (Some(Check::Range { .. }), Some(Check::Length { .. } | Check::OneOf(_))) => false,
        (Some(Check::Length { .. }), Some(Check::Range { .. } | Check::OneOf(_))) => false,
        (Some(Check::OneOf(_)), Some(Check::Range { .. })) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_become_decimals_and_back_where_nothing_is_cut_off() {
        let decimal = |scale| Storage::Decimal { scale };
        let scaled = |times, by| Conversion::Scaled { times, by };
        assert_eq!(conversion(Storage::Int, decimal(2)), scaled(100, 1));
        assert_eq!(conversion(decimal(4), decimal(1)), scaled(1, 1_000));
        assert_eq!(conversion(Storage::Int, decimal(0)), Conversion::Same);
        assert_eq!(conversion(Storage::Int, Storage::Units), Conversion::None);
        assert_eq!(conversion(Storage::Text, Storage::Uuid), Conversion::None);
    }

    #[test]
    fn a_wider_constraint_is_implied_and_a_narrower_is_not() {
        let length = |max| Some(Check::Length { min: None, max: Some(max) });
        let of = |values: &[&str]| {
            Some(Check::OneOf(values.iter().map(|value| (*value).to_owned()).collect()))
        };
        assert!(implies(length(5).as_ref(), length(6).as_ref()));
        assert!(!implies(length(6).as_ref(), length(5).as_ref()));
        assert!(implies(of(&["a"]).as_ref(), of(&["b", "a"]).as_ref()));
        assert!(!implies(of(&["a", "c"]).as_ref(), of(&["a"]).as_ref()));
        assert!(implies(of(&["abc"]).as_ref(), length(3).as_ref()));
        assert!(implies(length(5).as_ref(), None));
        assert!(!implies(None, length(5).as_ref()));
    }
}
