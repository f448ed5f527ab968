//! # E037 unknown value of an enum
//! A transition, a condition or a default names a value that the enum does not have.
//!
//! **Why**: no row can ever hold it; a transition to it could not be stored, a condition on it
//! would never hold.
//!
//! Wrong:
//! ```yaml
//! status: draft | paid | shipped
//! commands: { ship: { status: payed -> shipped, by: staff } }
//! ```
//! Right:
//! ```yaml
//! commands: { ship: { status: paid -> shipped, by: staff } }
//! ```

use super::place::Place;
use super::suggest::{Budget, unknown};
use ir::source::{Name, Span};
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E037");

/// `value` is none of `values`.
pub(crate) fn fault(
    value: &str,
    span: Span,
    values: &[String],
    place: Place<'_>,
    budget: &Budget,
) -> Diagnostic {
    let name = Name::new(value.to_owned(), span);
    unknown(CODE, "value", &name, place, values.iter().map(String::as_str), budget)
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn a_transition_from_a_value_that_is_not_there() {
        let resource = "
            Order:
              fields: { status: draft | paid | shipped }
              commands:
                pay: { status: draft -> paid, by: user }
                ship: { status: payed -> shipped, by: staff }
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
                error[E037]: unknown value `payed` in `Order.ship`
                  --> mainstay.yaml:10:27
                   |
                10 |           ship: { status: payed -> shipped, by: staff }
                   |                           ^^^^^
                   = help: did you mean `paid`?
                10 +           ship: { status: paid -> shipped, by: staff }
            "#]],
        );
    }

    #[test]
    fn a_condition_on_a_quoted_value_that_is_not_there() {
        let resource = "
            Part:
              fields: { size: small | large }
              allow: { read: anyone, write: staff when size == 'medium' }";
        check_resources(
            resource,
            expect![[r#"
            error[E037]: unknown value `medium` in `allow.write` of `Part`
             --> mainstay.yaml:8:58
              |
            8 |         allow: { read: anyone, write: staff when size == 'medium' }
              |                                                          ^^^^^^^^
              = help: known here: `small`, `large`
        "#]],
        );
    }
}
