//! # D028 schedules
//! Who runs recurring work, and what a missed run means.
//!
//! **Why**: two nodes must not both do it, and a node that dies in the middle must not leave half.
//! A lease in the database names one runner; the command it calls is idempotent by its transition.
//! `catch_up` says what becomes of runs that were missed, `overlap` of one that is due while the
//! one before goes on.
//! **Cost**: a lease row. **Instead**: cron on one machine, or a job service.

use crate::capacity::Term;
use crate::draft::Draft;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D028", name: "schedules", stage: Stage::Communication, each: false, decide };

/// Seconds of one row: a transaction and its commit.
const ROW_SECONDS: f64 = 0.004;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    draft.model.schedules.iter().map(|schedule| on(draft, schedule)).collect()
}

fn on(draft: &Draft<'_>, schedule: &ir::model::Schedule) -> Decision {
    let name = schedule.name.as_str();
    let resource = schedule.resource.as_str();
    let found = draft
        .domain
        .resources()
        .find(|(id, one)| one.name == resource || draft.name(*id) == resource);
    let every = schedule.every.as_ref().map(|every| every.value);
    let when = match (&schedule.every, &schedule.cron) {
        (Some(every), _) => format!("every {}", facts::time(every.value)),
        (None, Some(cron)) => format!("at `{cron}`"),
        (None, None) => "when asked".to_owned(),
    };
    let mut choice = RULE
        .on(name, format!("who runs `{name}`, and only once?"))
        .choose(format!("the node that holds the lease, {when}"))
        .because(format!(
            "Two nodes serve; `{}` is done once because the lease names one of them, and a second \
             call of it finds the row already changed.",
            schedule.run
        ))
        .driver(format!("schedules.{name}"));
    if let (Some((id, _)), Some(every)) = (found, every) {
        let creates = draft.load.creates(id);
        let due = due(draft, creates, every);
        let writes = due.value / every;
        choice = choice
            .because(format!(
                "Each run finds at most the `{resource}` made since the last: {} in the mean, {} \
                 spread over the interval.",
                facts::number(due.value.ceil()),
                facts::rps(writes)
            ))
            .flips(flip(due.value, every))
            .because_if(due.value * ROW_SECONDS > every, || {
                format!(
                    "One runner is not done before the next begins: the rows are cut into {} \
                     parts by id, with a lease for each.",
                    facts::number((due.value * ROW_SECONDS / every).ceil())
                )
            })
            .number(due.clone())
            .consequence(missed(schedule, every))
            .alternative(
                "a timer for each row",
                format!("{} timers to keep for one query.", facts::number(due.value.ceil())),
                vec![due],
            );
    }
    if every.is_none() || found.is_none() {
        // How many rows a run finds is not known: a run may take an hour.
        choice = choice.flips(format!(
            "more than {} `{resource}` a run: one runner takes over an hour",
            facts::number(3_600.0 / ROW_SECONDS)
        ));
    }
    choice
        .alternative(
            "cron on a machine",
            "a machine that is away or doubled runs it never or twice, and nobody sees which.",
            Vec::new(),
        )
        .effect(Effect::RunsHere)
        .done(draft)
}

/// What a missed run means.
fn missed(schedule: &ir::model::Schedule, every: f64) -> String {
    let waits = schedule.overlap.as_ref().is_some_and(|overlap| *overlap == "wait");
    let overlap = match waits {
        true => " A run that is due while the one before goes on begins when that has ended.",
        false => "",
    };
    let runs = schedule.catch_up.as_ref().map(|said| (said.runs.as_str(), &said.up_to));
    match runs {
        Some(("none", _)) => format!(
            "A missed run is left out: what it would have found is found by the next, {} later at \
             most.{overlap}",
            facts::time(every)
        ),
        Some(("all", Some(most))) => format!(
            "Missed runs are made up for one after the other, the latest {}.{overlap}",
            facts::number(f64::from(most.value))
        ),
        Some(_) | None => format!(
            "A missed run is made up by the next: nothing is late by more than {}.{overlap}",
            facts::time(2.0 * every)
        ),
    }
}

fn flip(due: f64, every: f64) -> String {
    let most = facts::number((every / ROW_SECONDS).round());
    let now = facts::number(due.round());
    if due * ROW_SECONDS <= every {
        format!(
            "more than {most} rows a run ({now} now): one runner is not done before the next begins"
        )
    } else {
        format!(
            "fewer than {most} rows a run ({now} now): one runner is done before the next begins"
        )
    }
}

fn due(draft: &Draft<'_>, creates: f64, every: f64) -> Computed {
    let rate =
        Term::input("creates", creates, Unit::PerSecond, Grade::Derived, "workload at goals.peak");
    let every = Term::input("every", every, Unit::Seconds, Grade::Given, "schedules");
    (rate / draft.input(crate::draft::inputs::Knob::PeakToMean) * every)
        .named("rows of a run at most", Unit::Count("rows".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{LINKS, SHOP, check};
    use expect_test::expect;

    #[test]
    fn a_lease_names_one_runner() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                abandon_drafts: the node that holds the lease, every 60 min
                  flips at more than 900,000 rows a run (30,857 now): one runner is not done before the next begins
            "#]],
        );
    }

    #[test]
    fn nothing_recurs() {
        check(&RULE, LINKS, expect![[r#""#]]);
    }
}
