//! # D020 exclusion
//! What keeps two spans of time from overlapping.
//!
//! **Why**: two callers who both look first and write then both find the span free. The check must
//! be part of the write.
//! **Cost**: an index over spans. **Instead**: a lock on the whole day, or a fixed grid of slots.

use crate::capacity::Term;
use crate::draft::Draft;
use crate::draft::inputs::Knob;
use crate::draft::load::Work;
use crate::rules::choice::listed;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::quantity::{Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D020", name: "exclusion", stage: Stage::Data, each: false, decide };

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let mut decisions = Vec::new();
    for (id, resource) in draft.domain.roots() {
        for (equal, span) in &resource.overlaps {
            let name = draft.name(id);
            let equal: Vec<&str> =
                equal.iter().map(|field| resource.field(*field).name.as_str()).collect();
            let span = &resource.field(*span).name;
            let new = facts::new_rows(draft, id);
            let creates = new.rate;
            let subject = format!("{name}.{span}");
            let race = race(draft, new);
            let list = draft.load.on(id, Work::List);
            let monthly = race.value;
            let what = if equal.is_empty() { "any".to_owned() } else { equal.join(", ") };
            let server = draft.word("database") == "postgresql";
            let choice = RULE
                .on(&subject, format!("what keeps two `{name}` of the same {what} apart in time?"))
                .choose(
                    "checked inside the write: `EXCLUDE` on PostgreSQL, the single writer on \
                     SQLite",
                )
                .because(format!(
                    "Callers look ({} of lists) and then book: {} at the peak{} would pass a \
                     check that is made before the write, about {} of them in each other's way a \
                     month.",
                    facts::rps(list),
                    facts::rps(creates),
                    new.by,
                    facts::number(race.value)
                ))
                .number(race.clone())
                .alternative(
                    "look first, then write",
                    format!("about {} double bookings a month.", facts::number(race.value)),
                    vec![race],
                )
                .alternative(
                    format!("a lock on {what} for the day"),
                    format!(
                        "correct, but every writer must remember it; `{name}` is written by {} \
                         grants.",
                        facts::number(
                            (resource.access.create.len() + resource.access.update.len()) as f64
                        )
                    ),
                    Vec::new(),
                )
                .flips(flip(draft, monthly))
                .consequence(if server {
                    format!(
                        "The schema for PostgreSQL holds `EXCLUDE USING gist` over {}: it needs \
                         the extension `btree_gist`.",
                        listed(&[equal.as_slice(), &[span.as_str()]].concat())
                    )
                } else {
                    "On SQLite the one writer looks and writes in the same transaction.".to_owned()
                })
                .consequence(
                    "The loser of a race gets 409 with the pointer of the span, and can offer the \
                     next free one.",
                )
                .driver(format!("contexts.{}.never_overlap", name.replacen('.', ".resources.", 1)))
                .effect(Effect::RunsHere);
            decisions.push(choice.done(draft));
        }
    }
    decisions
}

fn flip(draft: &Draft<'_>, monthly: f64) -> String {
    if monthly * 12.0 <= 1.0 {
        return "bookings that may meet: nothing has to be checked".to_owned();
    }
    format!(
        "peak below {}: less than one double booking a year, and people would notice",
        facts::rps(draft.value(Knob::Peak) / (monthly * 12.0).sqrt())
    )
}

/// Bookings a month that another one overtakes between look and write, if one booking in a hundred
/// wants the same span.
fn race(draft: &Draft<'_>, new: facts::NewRows) -> ir::quantity::Computed {
    let source = if new.by.is_empty() { "workload" } else { "rows, at the peak" };
    let rate = Term::input("creates", new.rate, Unit::PerSecond, Grade::Derived, source);
    let mean = rate / draft.input(Knob::PeakToMean);
    let month = Term::input(
        "month",
        crate::draft::MONTH_SECONDS,
        Unit::Seconds,
        Grade::Derived,
        "a mean month",
    );
    let same = Term::input(
        "same_span",
        0.01,
        Unit::Share,
        Grade::Assumed,
        "bookings within the think time that want the same span",
    );
    let met = mean.clone() * draft.fact("think_time");
    (mean * month * met * same).named("double bookings a month", Unit::One)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{CLINIC, SHOP, check};
    use expect_test::expect;

    #[test]
    fn spans_are_checked_inside_the_write() {
        check(
            &RULE,
            CLINIC,
            expect![[r#"
                scheduling.Appointment.during: checked inside the write: `EXCLUDE` on PostgreSQL, the single writer on SQLite
                  flips at peak below 0.217 rps: less than one double booking a year, and people would notice
            "#]],
        );
    }

    #[test]
    fn no_spans_no_question() {
        check(&RULE, SHOP, expect![[r#""#]]);
    }
}
