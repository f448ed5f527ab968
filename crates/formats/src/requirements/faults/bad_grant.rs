//! # E022 bad rule of access
//! Who may do something is not written as `actor`, `actor.role` or either of them with
//! `when condition`.
//!
//! **Why**: a rule that can't be read would either deny everybody or let everybody in.
//!
//! Wrong:
//! ```yaml
//! allow: { read: shopper if own }
//! ```
//! Right:
//! ```yaml
//! allow: { read: shopper when own }
//! ```

use super::shown;
use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E022");

/// The text and what is wrong with it.
pub(crate) fn at(span: Span, text: &str, message: &str) -> Diagnostic {
    let fault = Diagnostic::error(CODE, span, format!("`{}`: {message}", shown(text)));
    fault.help("for example: `shopper when own`, `staff.manager`, `anyone`")
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::check;
    use expect_test::expect;

    #[test]
    fn a_rule_of_access_that_cannot_be_read_is_refused() {
        let text = "contexts:\n  c:\n    resources:\n      R:\n        allow:\n          \
                    read: shopper if own\n          create: staff.picker.lead\n          \
                    update: [Staff, shopper when]\n          delete: shopper | staff\n";
        check(
            text,
            expect![[r#"
            error[E022]: `shopper if own`: only `when` may follow the actor
             --> mainstay.yaml:6:17
              |
            6 |           read: shopper if own
              |                 ^^^^^^^^^^^^^^
              = help: for example: `shopper when own`, `staff.manager`, `anyone`

            error[E022]: `staff.picker.lead`: an actor is `lower_snake_case`, perhaps with a role after a point
             --> mainstay.yaml:7:19
              |
            7 |           create: staff.picker.lead
              |                   ^^^^^^^^^^^^^^^^^
              = help: for example: `shopper when own`, `staff.manager`, `anyone`

            error[E022]: `Staff`: an actor is `lower_snake_case`, perhaps with a role after a point
             --> mainstay.yaml:8:20
              |
            8 |           update: [Staff, shopper when]
              |                    ^^^^^
              = help: for example: `shopper when own`, `staff.manager`, `anyone`

            error[E022]: `shopper when`: a condition follows `when`
             --> mainstay.yaml:8:27
              |
            8 |           update: [Staff, shopper when]
              |                           ^^^^^^^^^^^^
              = help: for example: `shopper when own`, `staff.manager`, `anyone`

            error[E022]: `shopper | staff`: several rules are a list: `[shopper, staff]`
             --> mainstay.yaml:9:19
              |
            9 |           delete: shopper | staff
              |                   ^^^^^^^^^^^^^^^
              = help: for example: `shopper when own`, `staff.manager`, `anyone`
        "#]],
        );
    }
}
