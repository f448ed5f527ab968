//! # E019 not one of the choices
//! A value must be one of a few words and is another.
//!
//! **Why**: each word stands for a mechanism that is built; an unknown one stands for nothing.
//!
//! Wrong:
//! ```yaml
//! tenancy: rows by org
//! ```
//! Right:
//! ```yaml
//! tenancy: row by org
//! ```

use super::{choices, shown};
use crate::requirements::nearest::nearest;
use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E019");

/// The value and the words it could be.
pub(crate) fn at(span: Span, value: &str, key: &str, words: &[&str]) -> Diagnostic {
    let all = choices(words.iter().copied());
    let message = format!("`{key}` is {all}, not `{}`", shown(value));
    let fault = Diagnostic::error(CODE, span, message);
    match nearest(value, words.iter().copied()) {
        Some(meant) => fault.help(format!("did you mean `{meant}`?")).fix(meant),
        None => fault,
    }
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::check;
    use expect_test::expect;

    #[test]
    fn a_value_outside_of_its_choices_is_shown_with_them() {
        let text = "tenancy: rows by org\nactors: { u: oauth }\ncontexts:\n  c:\n    resources:\n      \
                    R:\n        if_match: maybe\n        emit: [created, renamed]\n        fields:\n          \
                    a: int = 1 at night\n          b: { type: int, unique: perhaps }\n";
        check(
            text,
            expect![[r#"
            error[E019]: `isolation` is `row`, `schema` or `database`, not `rows`
             --> mainstay.yaml:1:10
              |
            1 | tenancy: rows by org
              |          ^^^^
              = help: did you mean `row`?
            1 + tenancy: row by org

            error[E019]: `proof` is `oidc` or `api_key`, not `oauth`
             --> mainstay.yaml:2:14
              |
            2 | actors: { u: oauth }
              |              ^^^^^

            error[E019]: `if_match` is `required` or `optional`, not `maybe`
             --> mainstay.yaml:7:19
              |
            7 |         if_match: maybe
              |                   ^^^^^

            error[E019]: `emit` is `created`, `updated` or `deleted`, not `renamed`
             --> mainstay.yaml:8:25
              |
            8 |         emit: [created, renamed]
              |                         ^^^^^^^

            error[E019]: `at` is `write`, `read` or `kept`, not `night`
              --> mainstay.yaml:10:25
               |
            10 |           a: int = 1 at night
               |                         ^^^^^

            error[E019]: `unique` is `true` or `false`, not `perhaps`
              --> mainstay.yaml:11:35
               |
            11 |           b: { type: int, unique: perhaps }
               |                                   ^^^^^^^
        "#]],
        );
    }
}
