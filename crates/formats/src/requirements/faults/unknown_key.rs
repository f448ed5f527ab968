//! # E010 unknown key
//! A mapping has a key that means nothing there.
//!
//! **Why**: what is not known would be ignored, and a misspelt wish is a wish not granted.
//!
//! Wrong:
//! ```yaml
//! goals: { latancy: { p95: 200 ms } }
//! ```
//! Right:
//! ```yaml
//! goals: { latency: { p95: 200 ms } }
//! ```

use super::{choices, shown};
use crate::requirements::nearest::nearest;
use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E010");

/// The key, where it stands and what could be meant.
pub(crate) fn at<'a>(
    span: Span,
    key: &str,
    place: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> Diagnostic {
    let message = format!("unknown key `{}` in {place}", shown(key));
    let fault = Diagnostic::error(CODE, span, message);
    match nearest(key, known.clone()) {
        Some(meant) => fault.help(format!("did you mean `{meant}`?")).fix(meant),
        None => fault.help(format!("known here: {}", choices(known))),
    }
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::check;
    use expect_test::expect;

    #[test]
    fn a_misspelt_key_is_shown_with_what_was_meant() {
        check(
            "system: a\ngoals: { latancy: { p95: 200 ms }, zzz: 1 }\nrecovery: 1\n",
            expect![[r#"
                error[E010]: unknown key `latancy` in `goals`
                 --> mainstay.yaml:2:10
                  |
                2 | goals: { latancy: { p95: 200 ms }, zzz: 1 }
                  |          ^^^^^^^
                  = help: did you mean `latency`?
                2 + goals: { latency: { p95: 200 ms }, zzz: 1 }

                error[E010]: unknown key `zzz` in `goals`
                 --> mainstay.yaml:2:36
                  |
                2 | goals: { latancy: { p95: 200 ms }, zzz: 1 }
                  |                                    ^^^
                  = help: known here: `peak`, `growth`, `latency`, `availability`, `recovery`, `budget`, `tenants`, `reads`, `peak_to_mean`, `burst`, `popularity`, `payload` or `service_time`

                error[E010]: unknown key `recovery` in a model
                 --> mainstay.yaml:3:1
                  |
                3 | recovery: 1
                  | ^^^^^^^^
                  = help: known here: `mainstay`, `system`, `title`, `summary`, `tenancy`, `goals`, `constraints`, `actors`, `contexts`, `integrations`, `workflows`, `events`, `schedules`, `jobs`, `workload` or `decisions`
            "#]],
        );
    }
}
