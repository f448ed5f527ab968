//! # E059 `at` without anything to copy
//! A field says when it is copied but reads nothing, or has no expression at all.
//!
//! **Why**: `at write`, `at read` and `at kept` say when a value is taken from another row. A
//! constant is a default without them.
//!
//! Wrong:
//! ```yaml
//! stock: int = 0 at write
//! ```
//! Right:
//! ```yaml
//! stock: int = 0
//! price: money = product.price at write
//! ```

use super::place::Place;
use ir::source::Span;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E059");

/// There is no expression.
pub(crate) fn without_expression(span: Span, place: Place<'_>) -> Diagnostic {
    let message = format!("{place} says when it is copied, but not from where");
    Diagnostic::error(CODE, span, message).help("write `= product.price at write`")
}

/// The expression reads no field.
pub(crate) fn reads_nothing(span: Span, place: Place<'_>) -> Diagnostic {
    let message = format!("{place} says when it is copied, but its expression reads no field");
    Diagnostic::error(CODE, span, message)
        .why("a constant is the same at every moment")
        .help("leave the word out: then the value is a default that a client may overwrite")
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn a_constant_is_not_copied() {
        let resource = "
            Part:
              fields: { stock: int = 0 at write }
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
            error[E059]: `stock` of `Part` says when it is copied, but its expression reads no field
             --> mainstay.yaml:7:37
              |
            7 |         fields: { stock: int = 0 at write }
              |                                     ^^^^^
              = why: a constant is the same at every moment
              = help: leave the word out: then the value is a default that a client may overwrite
        "#]],
        );
    }
}
