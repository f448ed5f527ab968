//! # E028 unknown notation
//! `mainstay:` names a version of the notation that this program does not read.
//!
//! **Why**: a word may mean another thing there.
//!
//! Wrong:
//! ```yaml
//! mainstay: 2
//! ```
//! Right:
//! ```yaml
//! mainstay: 1
//! ```

use super::shown;
use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E028");

/// The version as written.
pub(crate) fn at(span: Span, version: &str) -> Diagnostic {
    let message =
        format!("notation `{}` is not known; this program reads notation 1", shown(version));
    Diagnostic::error(CODE, span, message).help("write `1`, or use a newer program").fix("1")
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::check;
    use expect_test::expect;

    #[test]
    fn another_version_than_one_is_refused() {
        check(
            "mainstay: 2\nsystem: a\n",
            expect![[r#"
            error[E028]: notation `2` is not known; this program reads notation 1
             --> mainstay.yaml:1:11
              |
            1 | mainstay: 2
              |           ^
              = help: write `1`, or use a newer program
            1 + mainstay: 1
        "#]],
        );
        check(
            "mainstay: one\nsystem: a\n",
            expect![[r#"
            error[E028]: notation `one` is not known; this program reads notation 1
             --> mainstay.yaml:1:11
              |
            1 | mainstay: one
              |           ^^^
              = help: write `1`, or use a newer program
            1 + mainstay: 1
        "#]],
        );
    }
}
