//! # E027 bad variable
//! A value from outside is not written as `${NAME}` or `${file:path}`.
//!
//! **Why**: what is not recognised would be sent as it stands, as a part of an address or a key.
//!
//! Wrong:
//! ```yaml
//! auth: bearer ${PAYMENTS KEY}
//! ```
//! Right:
//! ```yaml
//! auth: bearer ${PAYMENTS_KEY}
//! ```

use super::shown;
use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E027");

/// The text and what is wrong with it.
pub(crate) fn at(span: Span, text: &str, message: &str) -> Diagnostic {
    let fault = Diagnostic::error(CODE, span, format!("`{}`: {message}", shown(text)));
    fault.help("for example: `${PAYMENTS_KEY}`, `${file:/run/secrets/payments}`")
}

/// A secret written into the model.
pub(crate) fn secret(span: Span) -> Diagnostic {
    Diagnostic::error(CODE, span, "a secret stands in the model itself")
        .why("the model is committed and shown; a key in it is known to everybody who reads it")
        .help("for example: `bearer ${PAYMENTS_KEY}`, `bearer ${file:/run/secrets/payments}`")
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::check;
    use expect_test::expect;

    #[test]
    fn a_variable_is_a_name_or_a_file_and_is_closed() {
        let text = "integrations:\n  a: { http: \"${A B}\" }\n  b: { http: \"${OPEN\" }\n  c: { http: \"${file:}\" }\n  \
                    d: { http: \"http://x\", auth: bearer abcdef }\n  e: { http: \"http://x\", auth: magic \"${KEY}\" }\n";
        check(
            text,
            expect![[r#"
            error[E027]: `${A B}`: a name has letters, digits and `_`
             --> mainstay.yaml:2:15
              |
            2 |   a: { http: "${A B}" }
              |               ^^^^^^
              = help: for example: `${PAYMENTS_KEY}`, `${file:/run/secrets/payments}`

            error[E027]: `${OPEN`: `}` is missing
             --> mainstay.yaml:3:15
              |
            3 |   b: { http: "${OPEN" }
              |               ^^^^^^
              = help: for example: `${PAYMENTS_KEY}`, `${file:/run/secrets/payments}`

            error[E027]: `${file:}`: the path is missing
             --> mainstay.yaml:4:15
              |
            4 |   c: { http: "${file:}" }
              |               ^^^^^^^^
              = help: for example: `${PAYMENTS_KEY}`, `${file:/run/secrets/payments}`

            error[E027]: a secret stands in the model itself
             --> mainstay.yaml:5:32
              |
            5 |   d: { http: "http://x", auth: bearer abcdef }
              |                                ^^^^^^^^^^^^^
              = why: the model is committed and shown; a key in it is known to everybody who reads it
              = help: for example: `bearer ${PAYMENTS_KEY}`, `bearer ${file:/run/secrets/payments}`

            error[E008]: YAML tears `magic "${KEY}"` apart here
             --> mainstay.yaml:6:32
              |
            6 |   e: { http: "http://x", auth: magic "${KEY}" }
              |                                ^^^^^^^^^^^^^^
              = why: inside `{}` and `[]` a comma, a colon or a bracket ends a value
              = help: put the value in quotes
            6 +   e: { http: "http://x", auth: 'magic "${KEY}"' }

            error[E019]: `auth` is `bearer`, `basic` or `header`, not `magic`
             --> mainstay.yaml:6:32
              |
            6 |   e: { http: "http://x", auth: magic "${KEY}" }
              |                                ^^^^^^^^^^^^^^
        "#]],
        );
    }
}
