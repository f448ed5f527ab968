//! # E003 too deep
//! Mappings and lists stand more than 64 levels inside each other.
//!
//! **Why**: no model needs ten; a limit keeps a hostile file from exhausting the stack.
//!
//! Wrong:
//! ```yaml
//! a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[ … ]]]]
//! ```
//! Right:
//! ```yaml
//! a: [b, c]
//! ```

use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E003");

/// The level that is too deep.
pub(crate) fn at(span: Span, levels_max: usize) -> Diagnostic {
    let message = format!("this is nested deeper than {levels_max} levels; the rest is not read");
    Diagnostic::error(CODE, span, message).help("close the levels before it")
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::check;
    use expect_test::expect;

    #[test]
    fn ten_thousand_levels_are_refused_at_the_sixty_fifth() {
        check(
            &format!("a: {}", "[".repeat(10_000)),
            expect![[r#"
                error[E003]: this is nested deeper than 64 levels; the rest is not read
                 --> mainstay.yaml:1:76
                  |
                1 | …[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[…
                  |                                          ^
                  = help: close the levels before it
            "#]],
        );
        let mut block = String::new();
        for level in 0..1_400 {
            block.push_str(&" ".repeat(level));
            block.push_str("a:\n");
        }
        check(
            &block,
            expect![[r#"
                error[E010]: unknown key `a` in a model
                 --> mainstay.yaml:1:1
                  |
                1 | a:
                  | ^
                  = help: known here: `mainstay`, `system`, `title`, `summary`, `tenancy`, `goals`, `constraints`, `actors`, `contexts`, `integrations`, `workflows`, `events`, `schedules`, `jobs`, `workload` or `decisions`

                error[E003]: this is nested deeper than 64 levels; the rest is not read
                  --> mainstay.yaml:65:65
                   |
                65 |                                                                 a:
                   |                                                                 ^
                   = help: close the levels before it
            "#]],
        );
        check(
            &"- ".repeat(10_000),
            expect![[r#"
            error[E012]: a model file is a mapping of keys, not a list
             --> mainstay.yaml:1:1
              |
            1 | - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - …
              | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              = help: begin with `system: name`

            error[E003]: this is nested deeper than 64 levels; the rest is not read
             --> mainstay.yaml:1:129
              |
            1 | …- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -…
              |                                          ^
              = help: close the levels before it
        "#]],
        );
    }
}
