//! # E018 unknown word
//! A short form has a word that means nothing there, lacks the value after a word, or says a thing
//! twice.
//!
//! **Why**: a word that is not known would be ignored.
//!
//! Wrong:
//! ```yaml
//! sku: string max 40 uniqe
//! ```
//! Right:
//! ```yaml
//! sku: string max 40 unique
//! ```

use super::{choices, shown};
use crate::requirements::nearest::nearest;
use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E018");

/// The word, the element it stands in, and what could be meant.
pub(crate) fn at<'a>(
    span: Span,
    word: &str,
    place: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> Diagnostic {
    let message = format!("unknown word `{}` in {place}", shown(word));
    let fault = Diagnostic::error(CODE, span, message);
    let fields = known.clone().into_iter().any(|known| known == "optional");
    match word {
        "required" | "not" | "notnull" | "mandatory" if fields => {
            return fault.help("leave it out: a field must be given unless it is `optional`");
        }
        "null" | "nullable" if fields => {
            return fault.help("a field that may be null is `optional`").fix("optional");
        }
        _ => {}
    }
    match nearest(word, known.clone()) {
        Some(meant) => fault.help(format!("did you mean `{meant}`?")).fix(meant),
        None => fault.help(format!("known here: {}", choices(known))),
    }
}

/// A word that needs a value and has none.
pub(crate) fn bare(span: Span, word: &str, example: &str) -> Diagnostic {
    Diagnostic::error(CODE, span, format!("nothing follows `{word}`"))
        .help(format!("for example: `{example}`"))
}

/// A thing said twice.
pub(crate) fn twice(span: Span, word: &str, first: Span) -> Diagnostic {
    Diagnostic::error(CODE, span, format!("`{word}` is said twice"))
        .also(first, "first said here")
        .help("keep one of them")
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::check;
    use expect_test::expect;

    #[test]
    fn unknown_missing_and_repeated_words_of_a_short_form_are_shown() {
        let text = "tenancy: row bye org\nactors: { p: api_key limitt 5 per second }\ncontexts:\n  c:\n    \
                    resources:\n      R:\n        fields:\n          a: string max 40 uniqe\n          \
                    b: int min\n          c: int unique 1..2 unique\n          d: int 1..2 max 3\n        \
                    rows: 5 per tenannt\n";
        check(
            text,
            expect![[r#"
                error[E018]: unknown word `bye` in `tenancy`
                 --> mainstay.yaml:1:14
                  |
                1 | tenancy: row bye org
                  |              ^^^
                  = help: did you mean `by`?
                1 + tenancy: row by org

                error[E018]: unknown word `limitt` in the actor `p`
                 --> mainstay.yaml:2:22
                  |
                2 | actors: { p: api_key limitt 5 per second }
                  |                      ^^^^^^
                  = help: did you mean `limit`?
                2 + actors: { p: api_key limit 5 per second }

                error[E018]: unknown word `uniqe` in the field `a`
                 --> mainstay.yaml:8:28
                  |
                8 |           a: string max 40 uniqe
                  |                            ^^^^^
                  = help: did you mean `unique`?
                8 +           a: string max 40 unique

                error[E018]: nothing follows `min`
                 --> mainstay.yaml:9:18
                  |
                9 |           b: int min
                  |                  ^^^
                  = help: for example: `string max 40 unique`

                error[E018]: `unique` is said twice
                  --> mainstay.yaml:10:30
                   |
                10 |           c: int unique 1..2 unique
                   |                              ^^^^^^
                   |                  ------ first said here
                   = help: keep one of them

                error[E018]: `max` is said twice
                  --> mainstay.yaml:11:23
                   |
                11 |           d: int 1..2 max 3
                   |                       ^^^^^
                   |                  ---- first said here
                   = help: keep one of them

                error[E019]: `per` is `hour`, `day`, `week`, `month` or `year`, not `tenannt`
                  --> mainstay.yaml:12:21
                   |
                12 |         rows: 5 per tenannt
                   |                     ^^^^^^^
            "#]],
        );
    }
}
