//! # E017 bad quantity
//! A number, its unit or its range can't be read, or lies outside of what is possible.
//!
//! **Why**: a number without its unit is a guess, and every figure of the design follows from it.
//!
//! Wrong:
//! ```yaml
//! goals: { latency: { p95: 200 }, availability: 120% }
//! ```
//! Right:
//! ```yaml
//! goals: { latency: { p95: 200 ms }, availability: 99.9% }
//! ```

use super::shown;
use crate::requirements::nearest::nearest_currency;
use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E017");

/// The text, what it should be and an example.
pub(crate) fn at(span: Span, text: &str, what: &str, example: &str) -> Diagnostic {
    let message = format!("`{}` is not {what}", shown(text));
    Diagnostic::error(CODE, span, message).help(format!("for example: `{example}`"))
}

/// A number that is impossible.
pub(crate) fn outside(span: Span, text: &str, bounds: &str) -> Diagnostic {
    Diagnostic::error(CODE, span, format!("`{}` is outside of {bounds}", shown(text)))
}

/// An amount in a currency that does not exist.
pub(crate) fn currency(span: Span, text: &str, code: &str) -> Diagnostic {
    let message = format!("`{}`: no currency of ISO 4217 has the code `{code}`", shown(text));
    let fault = Diagnostic::error(CODE, span, message);
    match nearest_currency(code) {
        Some(meant) => fault.help(format!("did you mean `{meant}`?")),
        None => fault.help("for example: `900 USD`"),
    }
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::check;
    use expect_test::expect;

    #[test]
    fn each_kind_of_quantity_says_how_it_is_written() {
        let text = "goals:\n  peak: 1200\n  growth: 3 in 18 months\n  latency: { p95: 200, p101: 1 s }\n  \
                    availability: 99.95\n  reads: 120%\n  recovery: { rpo: 0, rto: -5 min }\n  \
                    budget: 900 per month\n  tenants: many\n  payload: 2 kilos\n  popularity: 2..1\n\
                    constraints: { team: six engineers }\n";
        check(
            text,
            expect![[r#"
            error[E017]: `1200` is not a rate
             --> mainstay.yaml:2:9
              |
            2 |   peak: 1200
              |         ^^^^
              = help: for example: `1200 rps`

            error[E017]: `3` is not a factor
             --> mainstay.yaml:3:11
              |
            3 |   growth: 3 in 18 months
              |           ^
              = help: for example: `3x`

            error[E017]: `200` is not a length of time
             --> mainstay.yaml:4:19
              |
            4 |   latency: { p95: 200, p101: 1 s }
              |                   ^^^
              = help: for example: `200 ms`

            error[E017]: `p101` is not a percentile
             --> mainstay.yaml:4:24
              |
            4 |   latency: { p95: 200, p101: 1 s }
              |                        ^^^^
              = help: for example: `p95`

            error[E017]: `99.95` is not a share in per cent
             --> mainstay.yaml:5:17
              |
            5 |   availability: 99.95
              |                 ^^^^^
              = help: for example: `99.9%`

            error[E017]: `120%` is outside of 0% to 100%
             --> mainstay.yaml:6:10
              |
            6 |   reads: 120%
              |          ^^^^

            error[E017]: `0` is not a length of time
             --> mainstay.yaml:7:20
              |
            7 |   recovery: { rpo: 0, rto: -5 min }
              |                    ^
              = help: for example: `200 ms`

            error[E017]: `-5 min` is not a length of time
             --> mainstay.yaml:7:28
              |
            7 |   recovery: { rpo: 0, rto: -5 min }
              |                            ^^^^^^
              = help: for example: `200 ms`

            error[E017]: `900` is not an amount with its currency
             --> mainstay.yaml:8:11
              |
            8 |   budget: 900 per month
              |           ^^^
              = help: for example: `900 USD`

            error[E017]: `many` is not a number
             --> mainstay.yaml:9:12
              |
            9 |   tenants: many
              |            ^^^^
              = help: for example: `40`

            error[E017]: `2 kilos` is not a size
              --> mainstay.yaml:10:12
               |
            10 |   payload: 2 kilos
               |            ^^^^^^^
               = help: for example: `2 kB`

            error[E017]: `2..1` is not a number
              --> mainstay.yaml:11:15
               |
            11 |   popularity: 2..1
               |               ^^^^
               = help: for example: `40`

            error[E017]: `six engineers` is not a number of people
              --> mainstay.yaml:12:22
               |
            12 | constraints: { team: six engineers }
               |                      ^^^^^^^^^^^^^
               = help: for example: `6 engineers`
        "#]],
        );
    }
}
