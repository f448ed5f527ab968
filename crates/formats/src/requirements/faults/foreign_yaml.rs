//! # E005 YAML that a model does not use
//! Anchors, aliases, tags, merge keys, directives and several documents in a file.
//!
//! **Why**: the same text must mean the same to every reader, to `fmt` and in a review; an alias
//! hides what is written, and a thousand of them hide a bomb.
//!
//! Wrong:
//! ```yaml
//! require: !closed
//! ```
//! Right:
//! ```yaml
//! require: not closed
//! ```

use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E005");

/// A YAML feature that is refused, with its cure.
pub(crate) fn at(span: Span, what: &str, help: &str) -> Diagnostic {
    Diagnostic::error(CODE, span, format!("{what} can't be used in a model")).help(help)
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::check;
    use expect_test::expect;

    #[test]
    fn anchors_aliases_tags_and_merge_keys_are_refused_and_reading_goes_on() {
        let text =
            "system: &name a\ntitle: *name\nsummary: !!str b\nactors: { <<: *x, user: oidk }\n";
        check(
            text,
            expect![[r#"
                error[E005]: an anchor can't be used in a model
                 --> mainstay.yaml:1:9
                  |
                1 | system: &name a
                  |         ^^^^^
                  = help: delete it; quote a text that begins with `&`

                error[E005]: an alias can't be used in a model
                 --> mainstay.yaml:2:8
                  |
                2 | title: *name
                  |        ^^^^^
                  = help: write the value itself; quote a text that begins with `*`

                error[E005]: a tag can't be used in a model
                 --> mainstay.yaml:3:10
                  |
                3 | summary: !!str b
                  |          ^^^^^
                  = help: delete it; quote a text that begins with `!`

                error[E005]: a merge key can't be used in a model
                 --> mainstay.yaml:4:11
                  |
                4 | actors: { <<: *x, user: oidk }
                  |           ^^
                  = help: write the keys themselves

                error[E005]: an alias can't be used in a model
                 --> mainstay.yaml:4:15
                  |
                4 | actors: { <<: *x, user: oidk }
                  |               ^^
                  = help: write the value itself; quote a text that begins with `*`

                error[E019]: `proof` is `oidc` or `api_key`, not `oidk`
                 --> mainstay.yaml:4:25
                  |
                4 | actors: { <<: *x, user: oidk }
                  |                         ^^^^
                  = help: did you mean `oidc`?
                4 + actors: { <<: *x, user: oidc }
            "#]],
        );
    }

    #[test]
    fn a_condition_that_yaml_takes_for_a_tag_is_shown_with_its_cure() {
        let text = "contexts: { c: { resources: { R: { rules: { own: !closed } } } } }\n";
        check(
            text,
            expect![[r#"
            error[E005]: a tag can't be used in a model
             --> mainstay.yaml:1:50
              |
            1 | contexts: { c: { resources: { R: { rules: { own: !closed } } } } }
              |                                                  ^^^^^^^
              = help: a negation is written `not closed`
            1 + contexts: { c: { resources: { R: { rules: { own: not closed } } } } }
        "#]],
        );
    }

    #[test]
    fn directives_and_further_documents_are_refused() {
        check(
            "%YAML 1.2\n---\nsystem: a\n",
            expect![[r#"
            error[E005]: a directive can't be used in a model
             --> mainstay.yaml:1:1
              |
            1 | %YAML 1.2
              | ^^^^^^^^^
              = help: delete the line
        "#]],
        );
        check(
            "system: a\n---\nsystem: b\n",
            expect![[r#"
            error[E005]: a second document can't be used in a model
             --> mainstay.yaml:2:1
              |
            2 | ---
              | ^^^
              = help: put the second model in another file; only the first is read
        "#]],
        );
    }
}
