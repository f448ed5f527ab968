//! # E004 not YAML
//! The text can't be read as YAML at this place. The element around it is left out and reading
//! goes on after it.
//!
//! **Why**: a file that no YAML reader accepts has no meaning to check.
//!
//! Wrong:
//! ```yaml
//! goals: { peak: 10 rps
//! ```
//! Right:
//! ```yaml
//! goals: { peak: 10 rps }
//! ```

use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E004");

/// The place and what the YAML parser says of it.
pub(crate) fn at(span: Span, message: &str) -> Diagnostic {
    Diagnostic::error(CODE, span, format!("this is not YAML: {message}"))
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::check;
    use expect_test::expect;

    #[test]
    fn an_unclosed_brace_does_not_hide_the_faults_after_it() {
        let text = "system: a\ngoals: { peak: 10 rps\nactors: { user: oidk }\ncontexts: {}\n";
        check(
            text,
            expect![[r#"
            error[E004]: this is not YAML: `{` is never closed
             --> mainstay.yaml:2:8
              |
            2 | goals: { peak: 10 rps
              |        ^
              = help: close it at the end of the element

            error[E019]: `proof` is `oidc` or `api_key`, not `oidk`
             --> mainstay.yaml:3:17
              |
            3 | actors: { user: oidk }
              |                 ^^^^
              = help: did you mean `oidc`?
            3 + actors: { user: oidc }
        "#]],
        );
    }

    #[test]
    fn tabs_wrong_indents_and_open_quotes_are_said_plainly() {
        check(
            "system: a\nactors:\n\tuser: oidc\n",
            expect![[r#"
                error[E004]: this is not YAML: a tab indents this line
                 --> mainstay.yaml:3:2
                  |
                3 |     user: oidc
                  |     ^
                  = help: indent with spaces
            "#]],
        );
        check(
            "actors:\n    user: oidc\n  staff: oidc\n",
            expect![[r#"
                error[E004]: this is not YAML: this line does not continue what stands before it
                 --> mainstay.yaml:3:3
                  |
                3 |   staff: oidc
                  |   ^
                  = help: indent it like its neighbours; close every quote and bracket before it
            "#]],
        );
        check(
            "system: a\ntitle: \"open\nactors: { user: oidk }\n",
            expect![[r#"
            error[E004]: this is not YAML: this quote is never closed
             --> mainstay.yaml:2:8
              |
            2 | title: "open
              |        ^
              = help: close it on the same line

            error[E019]: `proof` is `oidc` or `api_key`, not `oidk`
             --> mainstay.yaml:3:17
              |
            3 | actors: { user: oidk }
              |                 ^^^^
              = help: did you mean `oidc`?
            3 + actors: { user: oidc }
        "#]],
        );
        check(
            "system: a\n}\nactors: { user: oidk }\n",
            expect![[r#"
                error[E004]: this is not YAML: this bracket closes nothing
                 --> mainstay.yaml:2:1
                  |
                2 | }
                  | ^
                  = help: delete it

                error[E019]: `proof` is `oidc` or `api_key`, not `oidk`
                 --> mainstay.yaml:3:17
                  |
                3 | actors: { user: oidk }
                  |                 ^^^^
                  = help: did you mean `oidc`?
                3 + actors: { user: oidc }
            "#]],
        );
        check(
            "system: a\ntitle: one: two\nactors: { user: oidk }\n",
            expect![[r#"
            error[E004]: this is not YAML: a second `: ` stands in this value
             --> mainstay.yaml:2:8
              |
            2 | title: one: two
              |        ^^^^^^^^
              = help: put the value in quotes
            2 + title: "one: two"

            error[E019]: `proof` is `oidc` or `api_key`, not `oidk`
             --> mainstay.yaml:3:17
              |
            3 | actors: { user: oidk }
              |                 ^^^^
              = help: did you mean `oidc`?
            3 + actors: { user: oidc }
        "#]],
        );
    }
}
