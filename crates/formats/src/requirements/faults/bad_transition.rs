//! # E021 bad transition
//! A change of state is not written as `from -> to`.
//!
//! **Why**: a command's other keys name the states it changes; both ends must be said.
//!
//! Wrong:
//! ```yaml
//! pay: { status: paid, by: system }
//! ```
//! Right:
//! ```yaml
//! pay: { status: placed -> paid, by: system }
//! ```

use super::shown;
use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E021");

/// The text and what is wrong with it.
pub(crate) fn at(span: Span, text: &str, message: &str) -> Diagnostic {
    let fault = Diagnostic::error(CODE, span, format!("`{}`: {message}", shown(text)));
    fault.help("for example: `draft | placed -> cancelled`")
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::check;
    use expect_test::expect;

    #[test]
    fn a_transition_has_two_ends_and_one_target() {
        let text = "contexts:\n  c:\n    resources:\n      R:\n        commands:\n          \
                    pay: { status: paid, by: system }\n          drop: { status: -> gone, by: system }\n          \
                    part: { status: a -> b | c, by: system }\n          typo: { requires: a > 1, by: system }\n";
        check(
            text,
            expect![[r#"
            error[E021]: `paid`: `->` is missing
             --> mainstay.yaml:6:26
              |
            6 |           pay: { status: paid, by: system }
              |                          ^^^^
              = help: for example: `draft | placed -> cancelled`

            error[E021]: `-> gone`: one of the two ends is missing
             --> mainstay.yaml:7:27
              |
            7 |           drop: { status: -> gone, by: system }
              |                           ^^^^^^^
              = help: for example: `draft | placed -> cancelled`

            error[E021]: `a -> b | c`: a transition has one target
             --> mainstay.yaml:8:27
              |
            8 |           part: { status: a -> b | c, by: system }
              |                           ^^^^^^^^^^
              = help: for example: `draft | placed -> cancelled`

            error[E010]: unknown key `requires` in the command `typo`
             --> mainstay.yaml:9:19
              |
            9 |           typo: { requires: a > 1, by: system }
              |                   ^^^^^^^^
              = help: did you mean `require`?
            9 +           typo: { require: a > 1, by: system }
        "#]],
        );
    }
}
