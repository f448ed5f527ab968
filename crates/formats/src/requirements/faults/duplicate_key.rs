//! # E006 key set twice
//! A mapping has the same key twice.
//!
//! **Why**: one of the two would be forgotten without a word.
//!
//! Wrong:
//! ```yaml
//! fields:
//!   name: string
//!   name: text
//! ```
//! Right:
//! ```yaml
//! fields:
//!   name: string
//!   note: text
//! ```

use super::shown;
use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E006");

/// The second of two equal keys.
pub(crate) fn at(span: Span, key: &str, first: Span) -> Diagnostic {
    Diagnostic::error(CODE, span, format!("`{}` is set twice", shown(key)))
        .also(first, "first set here")
        .help("keep one of them")
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::check;
    use expect_test::expect;

    #[test]
    fn the_second_key_is_refused_wherever_it_stands() {
        check(
            "system: a\ntitle: b\nactors: { u: oidc, u: oidc }\nsystem: c\n",
            expect![[r#"
            error[E006]: `u` is set twice
             --> mainstay.yaml:3:20
              |
            3 | actors: { u: oidc, u: oidc }
              |                    ^
              |           - first set here
              = help: keep one of them

            error[E006]: `system` is set twice
             --> mainstay.yaml:4:1
              |
            1 | system: a
              | ------ first set here
            ...
            4 | system: c
              | ^^^^^^
              = help: keep one of them
        "#]],
        );
    }
}
