//! # E088 shares that do not add up
//! The shares of the journeys are not 100 % together, or one of them is nothing or more than all.
//!
//! **Why**: the peak is parted by them; with 90 % a tenth of the traffic would hit nothing, and
//! every number of the design would be too small.
//!
//! Wrong:
//! ```yaml
//! browse: { share: 80%, steps: [list Product] }
//! buy: { share: 10%, steps: [create Order] }
//! ```
//! Right:
//! ```yaml
//! browse: { share: 90%, steps: [list Product] }
//! buy: { share: 10%, steps: [create Order] }
//! ```

use super::resolve::Resolved;
use ir::quantity::{Unit, print};
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E088");

/// How far from 100 % the sum may be, for shares that are rounded.
const TOLERANCE: f64 = 0.001;

/// Adds the shares up.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let journeys = &resolved.world.model.workload;
    let share = |value: f64| print(value, &Unit::Share);
    for journey in journeys {
        let value = journey.share.value;
        if !(value > 0.0 && value <= 1.0) {
            let message =
                format!("the share of the journey `{}` is {}", journey.name, share(value));
            let fault = Diagnostic::error(CODE, journey.share.span, message);
            found.push(fault.help("a share is above 0 % and at most 100 %"));
        }
    }
    let sum: f64 = journeys.iter().map(|journey| journey.share.value).sum();
    if let Some(last) = journeys.last()
        && (sum - 1.0).abs() > TOLERANCE
    {
        let message = format!("the shares of the journeys are {} together", share(sum));
        let fault = Diagnostic::error(CODE, last.share.span, message)
            .why("the peak is parted by them, so together they are all of it");
        let rest = last.share.value + 1.0 - sum;
        found.push(match rest > 0.0 {
            true => {
                fault.help(format!("for example: `share: {}` here", share(rest).replace(' ', "")))
            }
            false => fault.help("lower them until they are 100 %"),
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn shares_of_ninety_per_cent() {
        let model = "
system: test
actors: { user: oidc }
contexts:
  sales:
    resources:
      Order: { fields: { count: int }, allow: { read: anyone, write: user } }
workload:
  look: { share: 80%, as: user, steps: [list Order] }
  work: { share: 10%, as: user, steps: [create Order] }
";
        check(
            model,
            expect![[r#"
            error[E088]: the shares of the journeys are 90 % together
             --> mainstay.yaml:9:18
              |
            9 |   work: { share: 10%, as: user, steps: [create Order] }
              |                  ^^^
              = why: the peak is parted by them, so together they are all of it
              = help: for example: `share: 20%` here
        "#]],
        );
    }
}
