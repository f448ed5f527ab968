//! # E015 expression that can't be read
//! The text of a condition, guard or computed value is not in the expression language: CEL's
//! operators (`== != < <= > >= in && || ! + - * / %`, also `and or not`), calls, members, numbers,
//! `'text'`, `if(condition, then, otherwise)`.
//!
//! **Why**: a rule that can't be read can't be enforced.
//!
//! Wrong:
//! ```yaml
//! require: stock => quantity
//! ```
//! Right:
//! ```yaml
//! require: stock >= quantity
//! ```

use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E015");

/// What is wrong at that place.
pub(crate) fn at(span: Span, message: &str) -> Diagnostic {
    Diagnostic::error(CODE, span, message)
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::check;
    use expect_test::expect;

    fn model(require: &str) -> String {
        format!(
            "contexts:\n  c:\n    resources:\n      R:\n        commands:\n          \
             take:\n            require: {require}\n"
        )
    }

    #[test]
    fn the_caret_stands_at_the_fault_within_the_expression() {
        check(
            &model("stock => quantity"),
            expect![[r#"
                error[E015]: `=>` has no meaning in an expression
                 --> mainstay.yaml:7:28
                  |
                7 |             require: stock => quantity
                  |                            ^^
                  = help: write `>=`
                7 +             require: stock >= quantity
            "#]],
        );
        check(
            &model("a == 1 and and b"),
            expect![[r#"
            error[E015]: an operand was expected before `and`
             --> mainstay.yaml:7:33
              |
            7 |             require: a == 1 and and b
              |                                 ^^^
        "#]],
        );
    }

    #[test]
    fn the_place_is_right_behind_quotes_and_escapes() {
        check(
            &model(r#""a == \"x\" && b = 1""#),
            expect![[r#"
            error[E015]: `=` has no meaning in an expression
             --> mainstay.yaml:7:39
              |
            7 |             require: "a == \"x\" && b = 1"
              |                                       ^
              = help: equality is written `==`
            7 +             require: "a == \"x\" && b == 1"
        "#]],
        );
        check(
            &model("'a == ''x'' && b = 1'"),
            expect![[r#"
            error[E015]: `=` has no meaning in an expression
             --> mainstay.yaml:7:39
              |
            7 |             require: 'a == ''x'' && b = 1'
              |                                       ^
              = help: equality is written `==`
            7 +             require: 'a == ''x'' && b == 1'
        "#]],
        );
        check(
            &model(">-\n              a == 1\n              && b = 1"),
            expect![[r#"
            error[E015]: `=` has no meaning in an expression
             --> mainstay.yaml:9:20
              |
            9 |               && b = 1
              |                    ^
              = help: equality is written `==`
            9 +               && b == 1
        "#]],
        );
    }

    #[test]
    fn text_whose_quotes_yaml_took_is_shown_with_its_cure() {
        check(
            &model("'order failed'"),
            expect![[r#"
            error[E015]: `failed` does not continue the expression
             --> mainstay.yaml:7:29
              |
            7 |             require: 'order failed'
              |                             ^^^^^^
              = why: YAML takes the outer quotes away before the expression is read
              = help: text in an expression has quotes of its own: `("order failed")`
        "#]],
        );
    }
}
