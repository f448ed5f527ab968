//! # D042 timeouts
//! How long a request may take, and how its time is divided over the hops.
//!
//! **Why**: work for a caller who has gone is pure load. One deadline goes in at the front and each
//! hop gets what is left, so that nothing is started that cannot end in time.
//! **Cost**: some answers that would have come late do not come. **Instead**: a timeout in each
//! layer, which add up to more than anybody waits.

use crate::capacity::Term;
use crate::draft::Draft;
use crate::draft::inputs::Knob;
use crate::rules::Choice;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::quantity::{Computed, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D042", name: "timeouts", stage: Stage::Resilience, each: false, decide };

/// Multiple of the slowest goal after which a caller has given up.
const PATIENCE: f64 = 10.0;
/// Least and greatest seconds of a request.
const REQUEST_SECONDS: (f64, f64) = (5.0, 15.0);

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let slowest = slowest(draft);
    let deadline = deadline(&slowest);
    let statement = (Term::from(&deadline) / 2.0).named("statement timeout", Unit::Seconds);
    let peak = draft.peak();
    let held =
        (peak.clone() * Term::from(&deadline)).named("requests held in an outage", Unit::One);
    let before = (peak
        * Term::input(
            "usual",
            60.0,
            Unit::Seconds,
            ir::quantity::Grade::Assumed,
            "a proxy's usual timeout",
        ))
    .named("requests held in an outage", Unit::One);
    let server = draft.word("database") == "postgresql";
    let choice = RULE
        .on("system", "how long may a request take, and each hop of it?")
        .choose(format!(
            "{} in all; {} for a statement",
            facts::time(deadline.value),
            facts::time(statement.value)
        ))
        .because(format!(
            "The slowest goal is {}; a caller who hears nothing for {} has gone, so what still \
             runs then is stopped, in the database too.",
            slowest.print(),
            facts::time(deadline.value)
        ))
        .because(format!(
            "If {} stops answering, {} requests are held at the peak instead of {} at a proxy's \
             usual 60 s.",
            if server { "PostgreSQL" } else { "the writer" },
            facts::number(held.value),
            facts::number(before.value)
        ))
        .number(deadline.clone())
        .number(statement.clone())
        .number(held)
        .alternative(
            "60 s everywhere",
            format!(
                "{} requests held at once: memory, not load, ends it.",
                facts::number(before.value)
            ),
            vec![before],
        )
        .alternative(
            format!("{}, the goal itself", slowest.print()),
            "cuts off the slowest one in a hundred even on a good day.",
            vec![],
        )
        .flips(flip(&deadline, &slowest))
        .driver("goals.latency")
        .effect(Effect::RunsHere)
        .set("request_seconds_max", deadline.value)
        .set("statement_seconds_max", statement.value);
    vec![workflows(choice, draft).done(draft)]
}

fn flip(deadline: &Computed, slowest: &Term) -> String {
    if deadline.value <= REQUEST_SECONDS.0 {
        format!(
            "a goal slower than {} ({} now): a longer deadline",
            facts::time(REQUEST_SECONDS.0 / PATIENCE),
            slowest.print()
        )
    } else {
        format!(
            "a goal of {} or less ({} now): the floor of {}",
            facts::time(REQUEST_SECONDS.0 / PATIENCE),
            slowest.print(),
            facts::time(REQUEST_SECONDS.0)
        )
    }
}

/// Workflows keep the time of their own steps.
fn workflows(choice: Choice, draft: &Draft<'_>) -> Choice {
    draft.model.workflows.iter().fold(choice, |choice, workflow| {
        let timed = facts::steps(&workflow.steps);
        let timed: Vec<String> = timed
            .iter()
            .filter_map(|step| {
                let timeout = step.timeout.as_ref()?;
                Some(format!("`{}` {}", step.name, facts::time(timeout.value)))
            })
            .collect();
        if timed.is_empty() {
            return choice;
        }
        choice.consequence(format!(
            "`{}` is not inside a request: its steps keep their own time ({}).",
            workflow.name,
            timed.join(", ")
        ))
    })
}

/// The slowest percentile that the goals name.
fn slowest(draft: &Draft<'_>) -> Term {
    let goals = draft.inputs.latency.iter().map(|(_, bound)| bound);
    let slowest = goals.max_by(|a, b| a.value().total_cmp(&b.value()));
    slowest.cloned().unwrap_or_else(|| draft.input(Knob::Latency))
}

fn deadline(slowest: &Term) -> Computed {
    let (least, most) = REQUEST_SECONDS;
    let wanted = slowest.clone() * PATIENCE;
    let bounded = Term::number(least).max(wanted).min(Term::number(most));
    bounded.named("deadline", Unit::Seconds)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{CLINIC, LINKS, check};
    use expect_test::expect;

    #[test]
    fn the_deadline_follows_the_slowest_goal() {
        check(
            &RULE,
            CLINIC,
            expect![[r#"
                system: 8 s in all; 4 s for a statement
                  flips at a goal of 500 ms or less (800 ms now): the floor of 5 s
            "#]],
        );
    }

    #[test]
    fn and_has_a_floor() {
        check(
            &RULE,
            LINKS,
            expect![[r#"
                system: 5 s in all; 2.5 s for a statement
                  flips at a goal slower than 500 ms (80 ms now): a longer deadline
            "#]],
        );
    }
}
