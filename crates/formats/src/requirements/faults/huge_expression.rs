//! # E016 expression too large
//! An expression has more than 4,096 characters, more than 64 operators above each other or more
//! than 32 parentheses inside each other.
//!
//! **Why**: it is checked, run and turned into SQL; nobody could review it.
//!
//! Wrong:
//! ```yaml
//! require: a == 1 || a == 2 || a == 3 || … || a == 200
//! ```
//! Right:
//! ```yaml
//! require: a in [1, 2, 3]
//! ```
//! A list, a named rule (`rules:`) or a field says what is meant.

use super::super::expression::{EXPRESSION_BYTES_MAX, EXPRESSION_HEIGHT_MAX};
use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E016");

/// Too many bytes.
pub(crate) fn long(span: Span, bytes: usize) -> Diagnostic {
    fault(
        span,
        format!("this expression has {bytes} bytes, and {EXPRESSION_BYTES_MAX} are allowed"),
    )
}

/// Too many operators above each other.
pub(crate) fn high(span: Span) -> Diagnostic {
    fault(span, format!("more than {EXPRESSION_HEIGHT_MAX} operators stand above each other"))
}

/// Too many parentheses inside each other.
pub(crate) fn deep(span: Span, levels_max: usize) -> Diagnostic {
    fault(span, format!("this is nested deeper than {levels_max} levels"))
}

fn fault(span: Span, message: String) -> Diagnostic {
    Diagnostic::error(CODE, span, message)
        .help("name parts of it in `rules`, or write `x in [a, b, c]`")
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::check;
    use expect_test::expect;

    #[test]
    fn chains_nests_and_long_texts_are_refused() {
        let model = |require: &str| {
            format!(
                "contexts: {{ c: {{ resources: {{ R: {{ rules: {{ own: '{require}' }} }} }} }} }}\n"
            )
        };
        check(
            &model(&format!("a{}", " || a".repeat(70))),
            expect![[r#"
            error[E016]: more than 64 operators stand above each other
             --> mainstay.yaml:1:51
              |
            1 | …{ c: { resources: { R: { rules: { own: 'a || a || a || a || a || a || a || a || a || a || a || …
              |                                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              = help: name parts of it in `rules`, or write `x in [a, b, c]`
        "#]],
        );
        check(
            &model(&format!("{}a", "(".repeat(33))),
            expect![[r#"
            error[E016]: this is nested deeper than 32 levels
             --> mainstay.yaml:1:84
              |
            1 | contexts: { c: { resources: { R: { rules: { own: '(((((((((((((((((((((((((((((((((a' } } } } }
              |                                                                                    ^
              = help: name parts of it in `rules`, or write `x in [a, b, c]`
        "#]],
        );
        check(
            &model(&"a".repeat(5_000)),
            expect![[r#"
                error[E016]: this expression has 5000 bytes, and 4096 are allowed
                 --> mainstay.yaml:1:51
                  |
                1 | …{ c: { resources: { R: { rules: { own: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…
                  |                                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
                  = help: name parts of it in `rules`, or write `x in [a, b, c]`
            "#]],
        );
    }
}
