//! # E047 value of the wrong type
//! An expression gives a value that does not fit where it is put: a default, a computed or copied
//! field, an effect, an input.
//!
//! **Why**: every write would fail on it.
//!
//! Wrong:
//! ```yaml
//! total: money = quantity
//! rate: decimal(5.2) = 0.125
//! ```
//! Right:
//! ```yaml
//! total: money = quantity * price
//! rate: decimal(6.3) = 0.125
//! ```

use super::typing::assign::Misfit;
use super::typing::scope::Scope;
use super::typing::types;
use ir::expr::{Expr, Expression, Type};
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E047");

/// `got` does not fit into `target`, which is a `to`.
pub(crate) fn fault(
    scope: &Scope<'_, '_>,
    expression: &Expression,
    got: &Expr,
    to: &Type,
    target: &str,
    misfit: Misfit,
) -> Diagnostic {
    let name = |ty: &Type| types::name(scope.world, ty);
    let (from, wanted) = (name(&got.ty), name(to));
    let text = &expression.text;
    let message = format!("`{text}` in {} is {from}, but `{target}` is {wanted}", scope.place);
    let fault = Diagnostic::error(CODE, expression.span, message);
    match misfit {
        Misfit::Type => fault,
        Misfit::Digits { value, place } => {
            let fault = fault.why("digits would be cut off, and money or rates with them");
            fault.help(format!("give `{target}` {value} places instead of {place}"))
        }
        Misfit::Currency => fault
            .why("money of any currency has no amount without one")
            .help(format!("fix the currency of `{target}`: `money EUR`")),
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn values_that_do_not_fit_their_field() {
        let resource = "
            Part:
              fields:
                name: string max 20
                count: int = 'none'
                rate: decimal(5.2) = 0.125
                price: money = 5
                label: string max 20 = count * 2
              commands:
                rename: { input: { to: int }, set: { name: to }, by: staff }
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
            error[E047]: `'none'` in `count` of `Part` is text, but `count` is an int
             --> mainstay.yaml:9:24
              |
            9 |           count: int = 'none'
              |                        ^^^^^^

            error[E047]: `0.125` in `rate` of `Part` is a decimal with 3 places, but `rate` is a decimal with 2 places
              --> mainstay.yaml:10:32
               |
            10 |           rate: decimal(5.2) = 0.125
               |                                ^^^^^
               = why: digits would be cut off, and money or rates with them
               = help: give `rate` 3 places instead of 2

            error[E047]: `5` in `price` of `Part` is an int, but `price` is money
              --> mainstay.yaml:11:26
               |
            11 |           price: money = 5
               |                          ^
               = why: money of any currency has no amount without one
               = help: fix the currency of `price`: `money EUR`

            error[E047]: `count * 2` in `label` of `Part` is an int, but `label` is text
              --> mainstay.yaml:12:34
               |
            12 |           label: string max 20 = count * 2
               |                                  ^^^^^^^^^

            error[E047]: `to` in `Part.rename` is an int, but `name` is text
              --> mainstay.yaml:14:54
               |
            14 |           rename: { input: { to: int }, set: { name: to }, by: staff }
               |                                                      ^^
        "#]],
        );
    }
}
