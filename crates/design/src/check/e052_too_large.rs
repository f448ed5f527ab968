//! # E052 expression too large
//! An expression, with its named rules written out, has more than 2,000 parts or 100 levels, or a
//! number has more than 18 digits. All expressions of a model have at most 500,000 parts.
//!
//! **Why**: each request evaluates it, and each list turns it into SQL.
//!
//! Wrong: each rule uses the one before twice, so the last stands for 2^13 comparisons.
//! ```yaml
//! rules: { r1: r0 || r0, r2: r1 || r1, r3: r2 || r2 }
//! ```
//! Right: compute a part of it in a field, or compare with a list.
//! ```yaml
//! rules: { early: "status in [draft, placed, paid]" }
//! ```

use super::place::Place;
use super::typing::{DEPTH_MAX, NODES_MAX};
use super::world::MODEL_NODES_MAX;
use ir::quantity::number;
use ir::source::Span;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E052");

/// Too many parts or levels.
pub(crate) fn fault(span: Span, place: Place<'_>) -> Diagnostic {
    let parts = number(f64::from(NODES_MAX));
    let message =
        format!("the expression in {place} has more than {parts} parts or {DEPTH_MAX} levels");
    Diagnostic::error(CODE, span, message)
        .why("each request evaluates it, and each list turns it into SQL")
        .help("compute a part of it in a field, or use `in [a, b]` instead of many `||`")
}

/// All expressions of the model together.
pub(crate) fn model(span: Span) -> Diagnostic {
    let parts = number(f64::from(MODEL_NODES_MAX));
    let message = format!(
        "the expressions of the model have more than {parts} parts, named rules written out"
    );
    Diagnostic::error(CODE, span, message)
        .why("each of them is kept, evaluated and turned into SQL")
        .help("shorten the named rules that are used most")
}

/// A number with too many digits.
pub(crate) fn digits(span: Span, place: Place<'_>) -> Diagnostic {
    let message = format!("a number in {place} has more than 18 digits");
    Diagnostic::error(CODE, span, message).why("numbers are exact, in 64 bits")
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn rules_that_double_each_other_end_at_the_limit() {
        let mut rules = String::from("r0: title == 'a'");
        for at in 1..14 {
            rules.push_str(&format!(", r{at}: r{0} || r{0}", at - 1));
        }
        let resource = format!(
            "
            Note:
              rules: {{ {rules} }}
              fields: {{ title: string max 20 }}
              allow: {{ read: anyone, write: staff when r13 }}"
        );
        check_resources(
            &resource,
            expect![[r#"
                error[E052]: the expression in `allow.write` of `Note` has more than 2,000 parts or 100 levels
                 --> mainstay.yaml:7:22
                  |
                7 |         rules: { r0: title == 'a', r1: r0 || r0, r2: r1 || r1, r3: r2 || r2, r4: r3 || r3, r5: r…
                  |                      ^^^^^
                  = why: each request evaluates it, and each list turns it into SQL
                  = help: compute a part of it in a field, or use `in [a, b]` instead of many `||`
            "#]],
        );
    }
}
