//! # E008 value torn apart
//! Inside `{}` or `[]` a comma, a colon or a bracket of an expression is taken by YAML, so that
//! the expression is cut.
//!
//! **Why**: YAML ends a value at the first comma there; only quotes keep it whole.
//!
//! Wrong:
//! ```yaml
//! reserve: { require: if(open, stock > 0, false), by: system }
//! ```
//! Right:
//! ```yaml
//! reserve: { require: "if(open, stock > 0, false)", by: system }
//! ```

use super::shown;
use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E008");

/// The whole value and the text that keeps it together.
pub(crate) fn at(span: Span, value: &str) -> Diagnostic {
    let message = format!("YAML tears `{}` apart here", shown(value));
    Diagnostic::error(CODE, span, message)
        .why("inside `{}` and `[]` a comma, a colon or a bracket ends a value")
        .help("put the value in quotes")
        .fix(quoted(value))
}

/// A text in quotes, the lighter ones where they do.
pub(crate) fn quoted(value: &str) -> String {
    if !value.contains(['"', '\\']) {
        return format!("\"{value}\"");
    }
    format!("'{}'", value.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::check;
    use expect_test::expect;

    fn command(body: &str) -> String {
        format!(
            "contexts:\n  c:\n    resources:\n      R:\n        commands:\n          do_it: {body}\n"
        )
    }

    #[test]
    fn a_comma_of_a_call_is_mended_by_quotes() {
        check(
            &command("{ require: if(a, b > 0, c), by: system }"),
            expect![[r#"
            error[E008]: YAML tears `if(a, b > 0, c)` apart here
             --> mainstay.yaml:6:29
              |
            6 |           do_it: { require: if(a, b > 0, c), by: system }
              |                             ^^^^^^^^^^^^^^^
              = why: inside `{}` and `[]` a comma, a colon or a bracket ends a value
              = help: put the value in quotes
            6 +           do_it: { require: "if(a, b > 0, c)", by: system }
        "#]],
        );
        check(
            &command("{ by: [user when f(a, b), system] }"),
            expect![[r#"
            error[E008]: YAML tears `user when f(a, b)` apart here
             --> mainstay.yaml:6:25
              |
            6 |           do_it: { by: [user when f(a, b), system] }
              |                         ^^^^^^^^^^^^^^^^^
              = why: inside `{}` and `[]` a comma, a colon or a bracket ends a value
              = help: put the value in quotes
            6 +           do_it: { by: ["user when f(a, b)", system] }
        "#]],
        );
    }

    #[test]
    fn a_list_and_a_colon_of_an_expression_are_mended_by_quotes() {
        check(
            &command("{ require: status in [open, closed], by: system }"),
            expect![[r#"
            error[E008]: YAML tears `status in [open, closed]` apart here
             --> mainstay.yaml:6:29
              |
            6 |           do_it: { require: status in [open, closed], by: system }
              |                             ^^^^^^^^^^^^^^^^^^^^^^^^
              = why: inside `{}` and `[]` a comma, a colon or a bracket ends a value
              = help: put the value in quotes
            6 +           do_it: { require: "status in [open, closed]", by: system }
        "#]],
        );
        check(
            &command("{ require: a ? b : c, by: system }"),
            expect![[r#"
            error[E008]: YAML tears `a ? b : c` apart here
             --> mainstay.yaml:6:29
              |
            6 |           do_it: { require: a ? b : c, by: system }
              |                             ^^^^^^^^^
              = why: inside `{}` and `[]` a comma, a colon or a bracket ends a value
              = help: put the value in quotes
            6 +           do_it: { require: "a ? b : c", by: system }

            error[E015]: `?` has no meaning in an expression
             --> mainstay.yaml:6:31
              |
            6 |           do_it: { require: a ? b : c, by: system }
              |                               ^
              = help: a choice is written `if(condition, then, otherwise)`
        "#]],
        );
        check(
            &command("{ require: x == {}, by: sytem }"),
            expect![[r#"
            error[E008]: YAML tears `x == {}` apart here
             --> mainstay.yaml:6:29
              |
            6 |           do_it: { require: x == {}, by: sytem }
              |                             ^^^^^^^
              = why: inside `{}` and `[]` a comma, a colon or a bracket ends a value
              = help: put the value in quotes
            6 +           do_it: { require: "x == {}", by: sytem }

            error[E015]: `{` has no meaning in an expression
             --> mainstay.yaml:6:34
              |
            6 |           do_it: { require: x == {}, by: sytem }
              |                                  ^
              = help: there are no maps in expressions
        "#]],
        );
    }
}
