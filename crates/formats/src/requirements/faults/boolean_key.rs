//! # E007 key that reads as another type
//! A key is written as `on`, `off`, `yes`, `no`, `y`, `n`, `true`, `false`, `null` or `~`.
//!
//! **Why**: a YAML 1.1 reader takes it for a boolean or for nothing, so that editors and other
//! tools see another model than Mainstay.
//!
//! Wrong:
//! ```yaml
//! fields:
//!   on: bool
//! ```
//! Right:
//! ```yaml
//! fields:
//!   active: bool
//! ```
//! Another name, or quotes, will do.

use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E007");

/// Words that YAML 1.1 does not read as text.
const WORDS: [&str; 9] = ["on", "off", "yes", "no", "y", "n", "true", "false", "null"];

/// True for a plain key that an older reader takes for another type.
pub(crate) fn is_one(key: &str) -> bool {
    key == "~" || WORDS.iter().any(|word| word.eq_ignore_ascii_case(key))
}

/// The key.
pub(crate) fn at(span: Span, key: &str) -> Diagnostic {
    let message = format!("the key `{key}` reads as another type under YAML 1.1");
    Diagnostic::error(CODE, span, message)
        .help("take another name, or quote it")
        .fix(format!("\"{key}\""))
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::check;
    use expect_test::expect;

    #[test]
    fn a_plain_key_on_is_refused_and_a_quoted_one_read() {
        let model = |key: &str| {
            format!(
                "contexts: {{ c: {{ resources: {{ R: {{ fields: {{ {key}: bool }} }} }} }} }}\n"
            )
        };
        check(
            &model("on"),
            expect![[r#"
            error[E007]: the key `on` reads as another type under YAML 1.1
             --> mainstay.yaml:1:46
              |
            1 | contexts: { c: { resources: { R: { fields: { on: bool } } } } }
              |                                              ^^
              = help: take another name, or quote it
            1 + contexts: { c: { resources: { R: { fields: { "on": bool } } } } }
        "#]],
        );
        check(&model("\"on\""), expect![[""]]);
    }
}
