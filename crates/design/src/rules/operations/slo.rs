//! # D060 slo
//! What is promised to callers, and how much of it may be missed.
//!
//! **Why**: a goal without a budget is broken by the first error. The budget says how many
//! requests may fail, and so how much may be risked with a release.
//! **Cost**: somebody must look at it. **Instead**: uptime of hosts, which no caller feels.

use crate::capacity::Term;
use crate::draft::Draft;
use crate::draft::inputs::Knob;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D060", name: "slo", stage: Stage::Operations, each: false, decide };

/// Seconds of the window, four weeks: as many weekends in each.
pub(super) const WINDOW_SECONDS: f64 = 28.0 * 86_400.0;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let mut found = vec![availability(draft)];
    found.extend(
        draft.inputs.latency.iter().map(|(percentile, goal)| latency(draft, *percentile, goal)),
    );
    found
}

fn availability(draft: &Draft<'_>) -> Decision {
    let goal = draft.input(Knob::Availability);
    let minutes = ((Term::number(1.0) - goal.clone()) * window())
        .named("may be down in 28 days", Unit::Seconds);
    let failed = failures(draft, goal.value());
    let tighter = 1.0 - (1.0 - goal.value()) / 10.0;
    let ten = ((Term::number(1.0)
        - Term::input("stricter", tighter, Unit::Share, Grade::Derived, "a tenth of the budget"))
        * window())
    .named("may be down in 28 days", Unit::Seconds);
    RULE.on("availability", "how many requests may fail?")
        .choose(format!(
            "{} of requests answered without a fault of ours in 28 days",
            facts::share(goal.value())
        ))
        .because(format!(
            "That leaves {} of full outage, or about {} failed requests, in four weeks.",
            facts::time(minutes.value),
            facts::number(failed.value)
        ))
        .number(minutes.clone())
        .number(failed)
        .alternative(
            facts::share(tighter),
            format!(
                "leaves {}: no person wakes, finds and mends in that time.",
                facts::time(ten.value)
            ),
            vec![ten],
        )
        .alternative(
            "uptime of the hosts",
            "a host may be up while every request fails, and down while none does.",
            Vec::new(),
        )
        .flips(format!(
            "an objective of {}: {} in four weeks instead of {}",
            facts::share(tighter),
            facts::time(minutes.value / 10.0),
            facts::time(minutes.value)
        ))
        .consequence("When the budget is spent, releases wait until it has grown again.")
        .consequence(
            "Answers of 5xx count, 4xx do not; probes and the operator's own calls are left out.",
        )
        .driver("goals.availability")
        .effect(Effect::FilesOnly)
        .set("slo_availability", goal.value())
        .done(draft)
}

fn latency(draft: &Draft<'_>, percentile: f64, goal: &Term) -> Decision {
    let name = format!("p{percentile}");
    let share = percentile / 100.0;
    let slow = failures(draft, share);
    RULE.on(
        &format!("latency {name}"),
        format!("how many requests may take longer than {}?", goal.print()),
    )
    .choose(format!("{} of requests within {} in 28 days", facts::share(share), goal.print()))
    .because(format!(
        "About {} requests in four weeks may be slower, measured at the server's edge, uploads \
         and the caller's network left out.",
        facts::number(slow.value)
    ))
    .number(slow.clone())
    .alternative(
        "the mean",
        format!(
            "a mean of {} still holds while {} requests a day take {}.",
            goal.print(),
            facts::number((slow.value / 28.0).round()),
            facts::time(goal.value() / (1.0 - share) / 2.0)
        ),
        Vec::new(),
    )
    .flips(format!(
        "{} of requests instead of {}: ten times fewer may be slower",
        facts::share(1.0 - (1.0 - share) / 10.0),
        facts::share(share)
    ))
    .driver(format!("goals.latency.{name}"))
    .effect(Effect::FilesOnly)
    .set("slo_latency", goal.value())
    .done(draft)
}

fn window() -> Term {
    Term::input("window", WINDOW_SECONDS, Unit::Seconds, Grade::Derived, "28 days")
}

/// Requests of a window that may miss an objective.
fn failures(draft: &Draft<'_>, goal: f64) -> Computed {
    let goal = Term::input("objective", goal, Unit::Share, Grade::Given, "goals");
    ((Term::number(1.0) - goal) * draft.peak() / draft.input(Knob::PeakToMean) * window())
        .named("requests that may miss it", Unit::Count("requests".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{NOTES, SHOP, check};
    use expect_test::expect;

    #[test]
    fn each_goal_is_an_objective_with_a_budget() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                availability: 99.95 % of requests answered without a fault of ours in 28 days
                  flips at an objective of 99.995 %: 2.02 min in four weeks instead of 20.2 min
                latency p95: 95 % of requests within 200 ms in 28 days
                  flips at 99.5 % of requests instead of 95 %: ten times fewer may be slower
                latency p99: 99 % of requests within 500 ms in 28 days
                  flips at 99.9 % of requests instead of 99 %: ten times fewer may be slower
            "#]],
        );
    }

    #[test]
    fn without_goals_the_assumed_availability_is_one() {
        check(
            &RULE,
            NOTES,
            expect![[r#"
                availability: 99.5 % of requests answered without a fault of ours in 28 days
                  flips at an objective of 99.95 %: 20.2 min in four weeks instead of 3.36 h
            "#]],
        );
    }
}
