//! # D061 alerts
//! When a person is woken.
//!
//! **Why**: an alert on a cause wakes people for nothing; an alert on the budget's burn wakes them
//! when callers suffer, sooner the worse it is. Two windows each: the long one is sure, the short
//! one lets the alert end with the trouble (Google SRE Workbook, chapter 5).
//! **Cost**: slow leaks page late. **Instead**: thresholds on CPU and error counts.

use super::slo::WINDOW_SECONDS;
use crate::capacity::Term;
use crate::draft::Draft;
use crate::draft::inputs::Knob;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D061", name: "alerts", stage: Stage::Operations, each: false, decide };

/// Long window, short window, share of the budget that it may burn before it fires, and whether a
/// person is woken.
const WINDOWS: [(f64, f64, f64, bool); 3] = [
    (3_600.0, 300.0, 0.02, true),
    (21_600.0, 1_800.0, 0.05, true),
    (259_200.0, 21_600.0, 0.10, false),
];
/// Failures that a short window must be able to show, or one unlucky request would page.
const FAILURES_MIN: f64 = 10.0;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let budget = 1.0 - draft.value(Knob::Availability);
    let mut parts = Vec::new();
    let mut numbers = Vec::new();
    for (long, short, share, page) in WINDOWS {
        let burn = burn(long, share);
        parts.push(format!(
            "{} above {} over {} and {}",
            if page { "page" } else { "ticket" },
            facts::about((burn.value * budget).min(1.0)),
            facts::time(long),
            facts::time(short)
        ));
        numbers.push(burn);
    }
    let mean = draft.value(Knob::Peak) / draft.value(Knob::PeakToMean);
    let in_short = mean * WINDOWS[0].1 * numbers[0].value * budget;
    let quiet = in_short < FAILURES_MIN;
    let detect = detection(draft, &numbers[0]);
    let choice = RULE
        .on("system", "when is a person woken?")
        .choose(format!("error rate: {}", parts.join("; ")))
        .because(format!(
            "A full outage pages after {}, with about {} requests failed, when {} of the budget \
             is gone.",
            facts::time(detect.value),
            facts::number((detect.value * mean).round()),
            facts::about(detect.value / (budget * WINDOW_SECONDS))
        ))
        .because(if quiet {
            format!(
                "In the mean the short window of the first alert holds {} failures at its \
                 threshold, too few to tell from chance: it asks for {} failures as well.",
                facts::number(in_short),
                facts::number(FAILURES_MIN)
            )
        } else {
            format!(
                "In the mean the short window of the first alert holds {} failures at its \
                 threshold: enough to be no chance.",
                facts::number(in_short.round())
            )
        })
        .numbers(numbers)
        .number(detect)
        .alternative(
            "an alert on CPU above 80 %",
            format!(
                "a burst of {} times the peak would page although every answer is in time.",
                facts::number(draft.value(Knob::Burst))
            ),
            Vec::new(),
        )
        .alternative(
            "an alert on any 5xx",
            format!(
                "the budget itself allows {} an hour.",
                facts::number((budget * mean * 3_600.0).round())
            ),
            Vec::new(),
        )
        .consequence("Who is paged needs a runbook for each alert and the right to stop a release.")
        .flips(flip(quiet, mean * FAILURES_MIN / in_short.max(1e-9)))
        .driver("goals.availability")
        .driver("goals.peak")
        .effect(Effect::FilesOnly);
    vec![choice.done(draft)]
}

fn flip(quiet: bool, mean: f64) -> String {
    if quiet {
        format!(
            "a mean above {}: the failures in the short window are enough by themselves",
            facts::rps(mean)
        )
    } else {
        format!(
            "a mean below {}: too few failures in the short window to tell from chance",
            facts::rps(mean)
        )
    }
}

/// How many times faster than allowed the budget burns when this share is gone in the window.
fn burn(long: f64, share: f64) -> Computed {
    let seconds =
        |name: &str, value| Term::input(name, value, Unit::Seconds, Grade::Derived, "28 days");
    let share = Term::input(
        "share_of_budget",
        share,
        Unit::Share,
        Grade::Catalogue,
        "Google SRE Workbook, chapter 5",
    );
    (share * seconds("window", WINDOW_SECONDS) / seconds("long", long))
        .named(&format!("burn rate over {}", facts::time(long)), Unit::One)
}

/// How long a full outage lasts until the first alert fires.
fn detection(draft: &Draft<'_>, burn: &Computed) -> Computed {
    let budget = Term::number(1.0) - draft.input(Knob::Availability);
    let long = Term::input("long", WINDOWS[0].0, Unit::Seconds, Grade::Derived, "first alert");
    (Term::from(burn) * budget * long).named("full outage until the page", Unit::Seconds)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{NOTES, SHOP, check};
    use expect_test::expect;

    #[test]
    fn the_budget_s_burn_wakes_people() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                system: error rate: page above 0.67 % over 60 min and 5 min; page above 0.28 % over 6 h and 30 min; ticket above 0.05 % over 3 days and 6 h
                  flips at a mean below 4.96 rps: too few failures in the short window to tell from chance
            "#]],
        );
    }

    #[test]
    fn a_looser_goal_pages_later() {
        check(
            &RULE,
            NOTES,
            expect![[r#"
                system: error rate: page above 6.72 % over 60 min and 5 min; page above 2.8 % over 6 h and 30 min; ticket above 0.47 % over 3 days and 6 h
                  flips at a mean below 0.496 rps: too few failures in the short window to tell from chance
            "#]],
        );
    }
}
