//! # E029 empty model
//! There is nothing in the file, or no file.
//!
//! **Why**: an empty model has no answer to any question; most often the path is wrong.
//!
//! Wrong:
//! ```yaml
//! # only a comment
//! ```
//! Right:
//! ```yaml
//! system: notes
//! actors: { user: oidc }
//! contexts:
//!   notes:
//!     resources:
//!       Note: { fields: { text: string max 200 }, allow: { read: anyone, write: user } }
//! ```

use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E029");

/// The place where something should stand.
pub(crate) fn at(span: Span) -> Diagnostic {
    Diagnostic::error(CODE, span, "there is nothing in the model").help("begin with `system: name`")
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::{check, check_all};
    use crate::requirements::read;
    use expect_test::expect;
    use ir::Sources;

    #[test]
    fn nothing_is_no_model() {
        check(
            "",
            expect![[r#"
            error[E029]: there is nothing in the model
             --> mainstay.yaml:1:1
              |
            1 |
              | ^
              = help: begin with `system: name`
        "#]],
        );
        check(
            "# only a comment\n\n",
            expect![[r#"
            error[E029]: there is nothing in the model
             --> mainstay.yaml:1:1
              |
            1 | # only a comment
              | ^
              = help: begin with `system: name`
        "#]],
        );
        let none = Sources::default();
        check_all(
            &none,
            &read(&none).1,
            expect![[r#"
            error[E029]: there is nothing in the model
              = help: begin with `system: name`
        "#]],
        );
    }
}
