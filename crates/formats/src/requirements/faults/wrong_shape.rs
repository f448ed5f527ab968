//! # E012 wrong shape
//! A text stands where a mapping is expected, a list where a text is, or nothing at all.
//!
//! **Why**: the value can't be read as what its key means.
//!
//! Wrong:
//! ```yaml
//! contexts: [catalog, ordering]
//! ```
//! Right:
//! ```yaml
//! contexts:
//!   catalog: { resources: {} }
//!   ordering: { resources: {} }
//! ```

use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E012");

/// What was expected, what was found, and how it could look.
pub(crate) fn at(span: Span, key: &str, expected: &str, found: &str, example: &str) -> Diagnostic {
    let message = format!("`{key}` is {expected}, not {found}");
    let fault = Diagnostic::error(CODE, span, message);
    if example.is_empty() { fault } else { fault.help(format!("for example: `{example}`")) }
}

/// A whole file that is not a mapping.
pub(crate) fn file(span: Span, found: &str) -> Diagnostic {
    let message = format!("a model file is a mapping of keys, not {found}");
    Diagnostic::error(CODE, span, message).help("begin with `system: name`")
}

/// A mapping or a list as a key.
pub(crate) fn key(span: Span) -> Diagnostic {
    Diagnostic::error(CODE, span, "a key is a word, not a mapping or a list")
        .help("quote a text that begins with `{` or `[`")
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::check;
    use expect_test::expect;

    #[test]
    fn the_wrong_shape_is_named_with_the_right_one() {
        let text = "system: [a, b]\ntitle: { a: b }\ngoals: high\ncontexts: [catalog]\nactors:\n\
                    workload: { buy: { share: 1%, steps: { a: b } } }\n";
        check(
            text,
            expect![[r#"
                error[E012]: `system` is a text, not a list
                 --> mainstay.yaml:1:9
                  |
                1 | system: [a, b]
                  |         ^^^^^^

                error[E012]: `title` is a text, not a mapping
                 --> mainstay.yaml:2:8
                  |
                2 | title: { a: b }
                  |        ^^^^^^^^

                error[E012]: `goals` is a mapping, not a text
                 --> mainstay.yaml:3:8
                  |
                3 | goals: high
                  |        ^^^^
                  = help: for example: `goals: { peak: … }`

                error[E012]: `contexts` is a mapping of names, not a list
                 --> mainstay.yaml:4:11
                  |
                4 | contexts: [catalog]
                  |           ^^^^^^^^^
                  = help: for example: `contexts: { name: … }`

                error[E012]: `steps` is a list, not a mapping
                 --> mainstay.yaml:6:38
                  |
                6 | workload: { buy: { share: 1%, steps: { a: b } } }
                  |                                      ^^^^^^^^
                  = help: for example: `steps: [a, b]`
            "#]],
        );
    }

    #[test]
    fn a_file_that_is_no_mapping_is_refused() {
        check(
            "- a\n- b\n",
            expect![[r#"
            error[E012]: a model file is a mapping of keys, not a list
             --> mainstay.yaml:1:1
              |
            1 | - a
              | ^^^
              = help: begin with `system: name`
        "#]],
        );
        check(
            "just a text\n",
            expect![[r#"
            error[E012]: a model file is a mapping of keys, not a text
             --> mainstay.yaml:1:1
              |
            1 | just a text
              | ^^^^^^^^^^^
              = help: begin with `system: name`
        "#]],
        );
        check(
            "system: a\n? [x, y]\n: z\n{ a: b }: c\n",
            expect![[r#"
            error[E012]: a key is a word, not a mapping or a list
             --> mainstay.yaml:2:3
              |
            2 | ? [x, y]
              |   ^^^^^^
              = help: quote a text that begins with `{` or `[`

            error[E012]: a key is a word, not a mapping or a list
             --> mainstay.yaml:4:1
              |
            4 | { a: b }: c
              | ^^^^^^^^
              = help: quote a text that begins with `{` or `[`
        "#]],
        );
    }
}
