//! # E056 bounds that cannot hold
//! The least value is above the greatest, or a bound is no value of the field's type.
//!
//! **Why**: no value would ever be accepted.
//!
//! Wrong:
//! ```yaml
//! quantity: int 99..1
//! price: money min cheap
//! ```
//! Right:
//! ```yaml
//! quantity: int 1..99
//! price: money min 0.01
//! ```

use super::place::Place;
use ir::model::{Bound, Field, FieldType};
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E056");

/// The field's least is above its greatest.
pub(crate) fn fault(field: &Field, place: Place<'_>) -> Diagnostic {
    let text = |bound: &Option<Bound>| bound.as_ref().map_or("", |bound| &bound.text).to_owned();
    let (min, max) = (text(&field.min), text(&field.max));
    let span = field.min.as_ref().map_or(field.ty.span, |bound| bound.span);
    let message = format!("{place} is at least {min} and at most {max}");
    let fault = Diagnostic::error(CODE, span, message);
    fault.why("no value would ever be accepted").help(format!("write `{max}..{min}`"))
}

/// A list of children that may hold none or fewer than none.
pub(crate) fn children(field: &Field, min: u32, max: u32, place: Place<'_>) -> Diagnostic {
    let message = format!("{place} holds {min} to {max} children");
    let fault = Diagnostic::error(CODE, field.ty.span, message);
    fault.why("no list would ever be accepted").help("write `many Child 1..50`")
}

/// A bound that is no value of the type.
pub(crate) fn no_value(bound: &Bound, declared: &FieldType, place: Place<'_>) -> Diagnostic {
    let wanted = match declared {
        FieldType::String | FieldType::Text | FieldType::Url | FieldType::Email => {
            "a length in characters (`40`)"
        }
        FieldType::List(_) => "a number of elements (`5`)",
        FieldType::Int | FieldType::Counter => "a whole number (`1`)",
        FieldType::Decimal { .. } => "a number with no more places than the field (`0.5`)",
        FieldType::Money { .. } => "an amount (`0.01`)",
        FieldType::Date => "a day (`2026-01-31`)",
        FieldType::Time => "a time of day (`09:30`)",
        FieldType::Timestamp => "an instant (`2026-01-31T09:30:00Z`)",
        FieldType::Duration => "a length of time (`7d`)",
        FieldType::Bool
        | FieldType::Timespan
        | FieldType::Uuid
        | FieldType::Json
        | FieldType::Enum(_)
        | FieldType::Reference { .. }
        | FieldType::Actor(_)
        | FieldType::Many { .. } => "absent",
    };
    let message = format!("the bound `{}` of {place} is no value of its type", bound.text);
    Diagnostic::error(CODE, bound.span, message).help(format!("a bound here is {wanted}"))
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn a_range_that_runs_backwards_and_a_bound_of_another_type() {
        let resource = "
            Part:
              fields: { count: int 99..1, name: string max 2.5 }
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
            error[E056]: `count` of `Part` is at least 99 and at most 1
             --> mainstay.yaml:7:30
              |
            7 |         fields: { count: int 99..1, name: string max 2.5 }
              |                              ^^
              = why: no value would ever be accepted
              = help: write `1..99`

            error[E056]: the bound `2.5` of `name` of `Part` is no value of its type
             --> mainstay.yaml:7:54
              |
            7 |         fields: { count: int 99..1, name: string max 2.5 }
              |                                                      ^^^
              = help: a bound here is a length in characters (`40`)
        "#]],
        );
    }
}
