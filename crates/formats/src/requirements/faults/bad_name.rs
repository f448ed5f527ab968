//! # E013 bad name
//! A name has characters that its kind does not allow: resources and views are `UpperCamelCase`,
//! fields, commands, actors and all others `lower_snake_case`, events `lower.snake` with points.
//!
//! **Why**: a name becomes a path, a column, a type and a member; one spelling serves all of them
//! without quoting.
//!
//! Wrong:
//! ```yaml
//! resources: { order-line: {} }
//! ```
//! Right:
//! ```yaml
//! resources: { OrderLine: {} }
//! ```

use super::shown;
use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E013");

/// Characters of a name.
pub(crate) const NAME_CHARS_MAX: usize = 60;

/// The name, what it names, how it should look, and a spelling of it that would do.
pub(crate) fn at(span: Span, name: &str, what: &str, form: &str, better: &str) -> Diagnostic {
    let of = if what.is_empty() { String::new() } else { format!(" of {what}") };
    let message = format!("`{}` is no name{of}: {form}", shown(name));
    let fault = Diagnostic::error(CODE, span, message);
    if better.is_empty() || better == name {
        return fault;
    }
    fault.help(format!("write `{better}`")).fix(better)
}

/// A name that is too long.
pub(crate) fn long(span: Span, name: &str) -> Diagnostic {
    let message = format!("the name `{}` is too long", shown(name));
    Diagnostic::error(CODE, span, message)
        .help(format!("a name has at most {NAME_CHARS_MAX} characters, as databases allow"))
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::check;
    use expect_test::expect;

    #[test]
    fn each_kind_of_name_has_its_spelling() {
        let text = format!(
            "system: My Shop\nactors: {{ Shop-User: oidc }}\nevents: {{ OrderPaid: {{ data: [id] }} }}\n\
             contexts:\n  c:\n    resources:\n      order_line: {{ fields: {{ unitPrice: money, 2nd: int }} }}\n      \
             R: {{ fields: {{ {}: int }} }}\n",
            "x".repeat(70)
        );
        check(
            &text,
            expect![[r#"
                error[E013]: `My Shop` is no name: it has letters, digits, `-` and `_`
                 --> mainstay.yaml:1:9
                  |
                1 | system: My Shop
                  |         ^^^^^^^
                  = help: write `my-shop`
                1 + system: my-shop

                error[E013]: `Shop-User` is no name of an actor: it is written `lower_snake_case`
                 --> mainstay.yaml:2:11
                  |
                2 | actors: { Shop-User: oidc }
                  |           ^^^^^^^^^
                  = help: write `shop_user`
                2 + actors: { shop_user: oidc }

                error[E013]: `OrderPaid` is no name of an event: it is written `lower_snake.case`, with points
                 --> mainstay.yaml:3:11
                  |
                3 | events: { OrderPaid: { data: [id] } }
                  |           ^^^^^^^^^
                  = help: write `order.paid`
                3 + events: { order.paid: { data: [id] } }

                error[E013]: `order_line` is no name of a resource: it is written `UpperCamelCase`
                 --> mainstay.yaml:7:7
                  |
                7 |       order_line: { fields: { unitPrice: money, 2nd: int } }
                  |       ^^^^^^^^^^
                  = help: write `OrderLine`
                7 +       OrderLine: { fields: { unitPrice: money, 2nd: int } }

                error[E013]: `unitPrice` is no name of a field: it is written `lower_snake_case`
                 --> mainstay.yaml:7:31
                  |
                7 |       order_line: { fields: { unitPrice: money, 2nd: int } }
                  |                               ^^^^^^^^^
                  = help: write `unit_price`
                7 +       order_line: { fields: { unit_price: money, 2nd: int } }

                error[E013]: `2nd` is no name of a field: it is written `lower_snake_case`
                 --> mainstay.yaml:7:49
                  |
                7 |       order_line: { fields: { unitPrice: money, 2nd: int } }
                  |                                                 ^^^

                error[E013]: the name `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…` is too long
                 --> mainstay.yaml:8:22
                  |
                8 |       R: { fields: { xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: int…
                  |                      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
                  = help: a name has at most 60 characters, as databases allow
            "#]],
        );
    }
}
