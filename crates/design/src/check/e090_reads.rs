//! # E090 share of reads that the workload does not have
//! `goals.reads` differs by 5 points or more from the share that the journeys add up to.
//!
//! **Why**: caching, replicas and the split of connections follow from it; only one of the two can
//! be true.
//!
//! Wrong:
//! ```yaml
//! goals: { reads: 99% }
//! workload: { buy: { share: 100%, steps: [get Product, create Order] } }
//! ```
//! Right: leave `goals.reads` out; it is computed from the journeys.

use super::resolve::Resolved;
use ir::model::Verb;
use ir::quantity::{Unit, print};
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E090");

/// Points of difference that are told, as a share.
const DIFFERENCE: f64 = 0.05;

/// Compares the goal with the journeys.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let model = resolved.world.model;
    let Some(goal) = &model.goals.reads else { return };
    let (mut reads, mut all) = (0.0, 0.0);
    for journey in &model.workload {
        for step in &journey.steps {
            all += journey.share.value;
            if matches!(step.verb, Verb::List | Verb::Get | Verb::Open) {
                reads += journey.share.value;
            }
        }
    }
    if all <= 0.0 || (reads / all - goal.value).abs() < DIFFERENCE {
        return;
    }
    let share = |value: f64| print((value * 1000.0).round() / 1000.0, &Unit::Share);
    let (said, computed) = (share(goal.value), share(reads / all));
    let message = format!("`goals.reads` says {said}, but the journeys read {computed}");
    let fault = Diagnostic::warning(CODE, goal.span, message);
    found.push(
        fault
            .why("caching and replicas follow from the share of reads, and only one can be true")
            .help("leave `goals.reads` out, or mend the shares and steps of the journeys"),
    );
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn a_goal_that_the_journeys_contradict() {
        let model = "
system: test
goals: { reads: 99% }
actors: { user: oidc }
contexts:
  sales:
    resources:
      Order: { fields: { count: int }, allow: { read: anyone, write: user } }
workload:
  look: { share: 75%, as: user, steps: [list Order] }
  work: { share: 25%, as: user, steps: [create Order] }
";
        check(
            model,
            expect![[r#"
            warning[E090]: `goals.reads` says 99 %, but the journeys read 75 %
             --> mainstay.yaml:2:17
              |
            2 | goals: { reads: 99% }
              |                 ^^^
              = why: caching and replicas follow from the share of reads, and only one can be true
              = help: leave `goals.reads` out, or mend the shares and steps of the journeys
        "#]],
        );
    }
}
