//! # E089 goal that is impossible in itself
//! A number of `goals`, `expects` or a step can never hold: an availability of 100 %, a p99 below
//! the p95, a growth of nothing, a largest tenant above 100 %.
//!
//! **Why**: every decision is measured against the goals. Whether a possible goal is reached is
//! told by the design, with the arithmetic.
//!
//! Wrong:
//! ```yaml
//! goals: { latency: { p95: 500 ms, p99: 200 ms }, availability: 100% }
//! ```
//! Right:
//! ```yaml
//! goals: { latency: { p95: 200 ms, p99: 500 ms }, availability: 99.95% }
//! ```

use super::resolve::Resolved;
use ir::model::{Goals, Model, Step};
use ir::quantity::Measure;
use ir::source::{Span, Spanned};
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E089");

/// Looks at every number that stands for itself.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let model = resolved.world.model;
    let mut numbers = Numbers { found };
    numbers.goals(&model.goals);
    numbers.tenants(model);
    if let Some(team) = model.constraints.team.as_ref().filter(|team| team.value == 0) {
        let help = "say how many engineers build and run it";
        numbers.fault(team.span, "nobody builds it: the team is 0", "", help);
    }
    for actor in &model.actors {
        numbers.above_zero(&actor.limit, "the limit of an actor");
    }
    for integration in &model.integrations {
        let name = format!("`expects` of `{}`", integration.name);
        numbers.latency(&integration.latency, &name);
        numbers.availability(&integration.availability, &name);
        numbers.above_zero(&integration.limit, &format!("the limit of `{}`", integration.name));
    }
    for workflow in &model.workflows {
        numbers.latency(&workflow.latency, &format!("the goal of `{}`", workflow.name));
        numbers.steps(&workflow.steps);
    }
}

struct Numbers<'f> {
    found: &'f mut Vec<Diagnostic>,
}

impl Numbers<'_> {
    fn fault(&mut self, span: Span, message: &str, why: &str, help: &str) {
        self.found.push(Diagnostic::error(CODE, span, message).why(why).help(help));
    }

    fn above_zero(&mut self, value: &Option<Spanned<f64>>, what: &str) {
        if let Some(value) = value.as_ref().filter(|value| value.value <= 0.0) {
            self.fault(
                value.span,
                &format!("{what} is not above 0"),
                "",
                "leave it out, or give more",
            );
        }
    }

    fn measure(&mut self, value: &Option<Spanned<Measure>>, what: &str, least: f64, help: &str) {
        let Some(value) = value else { return };
        let Measure { low, high } = value.value;
        if low < least {
            self.fault(value.span, &format!("{what} is impossible"), "", help);
        } else if high.is_some_and(|high| high < low) {
            let message = format!("the range of {what} runs backwards");
            self.fault(value.span, &message, "", "write the lower end first");
        }
    }

    fn goals(&mut self, goals: &Goals) {
        const TINY: f64 = f64::MIN_POSITIVE;
        self.latency(&goals.latency, "`goals`");
        self.availability(&goals.availability, "`goals`");
        self.measure(&goals.peak, "`goals.peak`", TINY, "a peak is above 0 requests a second");
        let help = "the peak is at least the mean: 1 or more";
        self.measure(&goals.peak_to_mean, "`goals.peak_to_mean`", 1.0, help);
        self.measure(&goals.popularity, "`goals.popularity`", 0.0, "an exponent of 0 is even use");
        self.measure(&goals.payload, "`goals.payload`", TINY, "a body has at least 1 B");
        let help = "a request takes some time: `2 ms`";
        self.measure(&goals.service_time, "`goals.service_time`", TINY, help);
        if let Some(rpo) = goals.rpo.as_ref().filter(|rpo| rpo.value < 0.0) {
            let help = "`rpo: 0 s` loses nothing that was acknowledged";
            self.fault(
                rpo.span,
                "`rpo` is below 0: nothing is recovered from the future",
                "",
                help,
            );
        }
        if let Some(rto) = goals.rto.as_ref().filter(|rto| rto.value <= 0.0) {
            let why = "noticing a failure and moving away from it takes time";
            let help = "seconds need a hot standby, minutes a restart: `rto: 5 min`";
            self.fault(rto.span, "`rto` is not above 0", why, help);
        }
        if let Some(growth) = &goals.growth
            && (growth.value.factor <= 0.0 || growth.value.over <= 0.0)
        {
            let help = "for example: `3x in 18 months`";
            self.fault(growth.span, "`goals.growth` leaves nothing, or takes no time", "", help);
        }
        if let Some(burst) = &goals.burst
            && (burst.value.factor < 1.0 || burst.value.length <= 0.0)
        {
            let help = "a burst is above the peak for some time: `3x for 10 s`";
            self.fault(burst.span, "`goals.burst` is no burst", "", help);
        }
        if let Some(budget) = goals.budget.as_ref().filter(|budget| budget.value.amount <= 0.0) {
            let help = "leave it out where cost does not matter";
            self.fault(budget.span, "`goals.budget` is not above 0", "", help);
        }
        if let Some(reads) = goals.reads.as_ref().filter(|r| !(0.0..=1.0).contains(&r.value)) {
            self.fault(reads.span, "`goals.reads` is no share", "", "between 0 % and 100 %");
        }
    }

    fn tenants(&mut self, model: &Model) {
        let Some(tenants) = &model.goals.tenants else { return };
        let count = tenants.value.count.worst();
        if count < 1.0 {
            self.fault(tenants.span, "`goals.tenants` is below 1", "", "at least one tenant");
        }
        let Some(largest) = tenants.value.largest else { return };
        if largest > 1.0 || (count >= 1.0 && largest < 1.0 / count - 1e-9) {
            let even = 100.0 / count.max(1.0);
            let message = "the share of the largest tenant is impossible";
            let help = format!("between {even:.1} % (all alike) and 100 %");
            self.fault(tenants.span, message, "", &help);
        }
    }

    fn availability(&mut self, value: &Option<Spanned<f64>>, of: &str) {
        let Some(value) = value else { return };
        let message = format!("the availability in {of} is impossible");
        if value.value >= 1.0 {
            let why = "every component fails at some time, and 100 % leaves not a second for it";
            let help = "each nine costs: 99.9 % is 43 min a month, 99.99 % is 4 min";
            self.fault(value.span, &message, why, help);
        } else if value.value <= 0.0 {
            self.fault(value.span, &message, "", "above 0 %");
        }
    }

    /// A higher percentile is never below a lower one.
    fn latency(&mut self, latency: &[(Spanned<f64>, Spanned<f64>)], of: &str) {
        for (percentile, bound) in latency {
            let p = percentile.value;
            if !(p > 0.0 && p < 100.0) {
                let message = format!("`p{p}` in {of} is no percentile");
                self.fault(percentile.span, &message, "", "between 0 and 100: `p95`, `p99.9`");
            }
            if bound.value <= 0.0 {
                let message = format!("`p{p}` in {of} is not above 0");
                self.fault(bound.span, &message, "", "even a cache takes a millisecond");
            }
        }
        let mut sorted: Vec<_> = latency.iter().collect();
        sorted.sort_by(|a, b| a.0.value.total_cmp(&b.0.value));
        for pair in sorted.windows(2) {
            let ((low, low_bound), (high, high_bound)) = (pair[0], pair[1]);
            if low_bound.value > high_bound.value {
                let (low, high) = (low.value, high.value);
                let message = format!("`p{high}` in {of} is below `p{low}`");
                let why = "of all requests more are within the higher percentile, so it is slower";
                let fault = Diagnostic::error(CODE, high_bound.span, message).why(why);
                let fault = fault.also(low_bound.span, format!("`p{low}`"));
                self.found.push(fault.help("swap the two bounds"));
            }
        }
    }

    fn steps(&mut self, steps: &[Step]) {
        for step in steps {
            self.above_zero(&step.timeout, &format!("the timeout of the step `{}`", step.name));
            self.steps(&step.parallel);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn goals_that_nothing_can_reach() {
        let model = "
system: test
goals:
  latency: { p95: 500 ms, p99: 200 ms }
  availability: 100%
  recovery: { rpo: 0 s, rto: 0 s }
  tenants: 10, largest 5%
constraints: { team: 0 engineers }
actors: { user: oidc }
contexts:
  sales:
    resources:
      Order: { fields: { count: int }, allow: { read: anyone, write: user } }
";
        check(
            model,
            expect![[r#"
            error[E089]: `p99` in `goals` is below `p95`
             --> mainstay.yaml:3:32
              |
            3 |   latency: { p95: 500 ms, p99: 200 ms }
              |                                ^^^^^^
              |                   ------ `p95`
              = why: of all requests more are within the higher percentile, so it is slower
              = help: swap the two bounds

            error[E089]: the availability in `goals` is impossible
             --> mainstay.yaml:4:17
              |
            4 |   availability: 100%
              |                 ^^^^
              = why: every component fails at some time, and 100 % leaves not a second for it
              = help: each nine costs: 99.9 % is 43 min a month, 99.99 % is 4 min

            error[E089]: `rto` is not above 0
             --> mainstay.yaml:5:30
              |
            5 |   recovery: { rpo: 0 s, rto: 0 s }
              |                              ^^^
              = why: noticing a failure and moving away from it takes time
              = help: seconds need a hot standby, minutes a restart: `rto: 5 min`

            error[E089]: the share of the largest tenant is impossible
             --> mainstay.yaml:6:12
              |
            6 |   tenants: 10, largest 5%
              |            ^^^^^^^^^^^^^^
              = help: between 10.0 % (all alike) and 100 %

            error[E089]: nobody builds it: the team is 0
             --> mainstay.yaml:7:22
              |
            7 | constraints: { team: 0 engineers }
              |                      ^^^^^^^^^^^
              = help: say how many engineers build and run it
        "#]],
        );
    }
}
