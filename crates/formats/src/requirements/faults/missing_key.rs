//! # E011 missing key
//! An element lacks something without which it means nothing.
//!
//! **Why**: an integration without a URL can't be called, a field without a type can't be stored;
//! no default would be right.
//!
//! Wrong:
//! ```yaml
//! integrations: { payments: { operations: {} } }
//! ```
//! Right:
//! ```yaml
//! integrations: { payments: { http: "${PAYMENTS_URL}" } }
//! ```

use super::choices;
use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E011");

/// The element and the keys of which it needs one.
pub(crate) fn at(span: Span, place: &str, keys: &[&str], example: &str) -> Diagnostic {
    let keys = choices(keys.iter().copied());
    let fault = Diagnostic::error(CODE, span, format!("{keys} is missing in {place}"));
    if example.is_empty() { fault } else { fault.help(format!("for example: `{example}`")) }
}

/// Two keys of which only one may be set.
pub(crate) fn both(span: Span, place: &str, keys: &[&str], first: Span) -> Diagnostic {
    let message = format!("{place} has more than one of {}", choices(keys.iter().copied()));
    Diagnostic::error(CODE, span, message).also(first, "set here").help("keep one of them")
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::check;
    use expect_test::expect;

    #[test]
    fn what_an_element_needs_is_asked_for() {
        let text = "integrations:\n  pay:\n    operations:\n      charge: { body: {} }\n      \
                    refund: { get: /a, post: /b }\nschedules:\n  nightly: { do: Order.close }\n";
        check(
            text,
            expect![[r#"
            error[E011]: `http` is missing in the integration `pay`
             --> mainstay.yaml:3:5
              |
            3 |     operations:
              |     ^

            error[E011]: `get`, `post`, `put`, `patch` or `delete` is missing in the operation `charge`
             --> mainstay.yaml:4:15
              |
            4 |       charge: { body: {} }
              |               ^

            error[E011]: the operation `refund` has more than one of `get`, `post`, `put`, `patch` or `delete`
             --> mainstay.yaml:5:32
              |
            5 |       refund: { get: /a, post: /b }
              |                                ^^
              |                      -- set here
              = help: keep one of them

            error[E011]: `for` is missing in the schedule `nightly`
             --> mainstay.yaml:7:12
              |
            7 |   nightly: { do: Order.close }
              |            ^

            error[E011]: `every` or `cron` is missing in the schedule `nightly`
             --> mainstay.yaml:7:12
              |
            7 |   nightly: { do: Order.close }
              |            ^
        "#]],
        );
    }
}
