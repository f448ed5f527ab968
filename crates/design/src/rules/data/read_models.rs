//! # D021 read_models
//! Whether a view is kept or computed when it is asked for.
//!
//! **Why**: a report over many rows is either paid for by each reader or once by each writer.
//! **Cost** of keeping it: it lags, and it must be rebuilt when its meaning changes.
//! **Instead**: the query itself, on a replica if it is heavy.

use crate::capacity::Term;
use crate::check::outside::LATE_SECONDS;
use crate::draft::Draft;
use crate::draft::inputs::Knob;
use crate::rules::choice::{Choice, listed};
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::model::{View, Window, WindowKind};
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D021", name: "read_models", stage: Stage::Data, each: false, decide };

/// Seconds that a report may take when it is computed.
const QUERY_SECONDS: f64 = 0.05;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let contexts = draft.model.contexts.iter();
    let views = contexts.flat_map(|context| context.views.iter().map(move |view| (context, view)));
    views.map(|(context, view)| on(draft, context.name.as_str(), view)).collect()
}

fn on(draft: &Draft<'_>, context: &str, view: &View) -> Decision {
    let name = format!("{context}.{}", view.name);
    let from: Vec<String> = view.from.iter().map(|event| format!("`{event}`")).collect();
    let events: f64 =
        view.from.iter().filter_map(|event| draft.load.events.get(event.as_str())).sum();
    let rows = source_rows(draft, view);
    let query = query(draft, rows);
    let rate = Term::input("events", events, Unit::PerSecond, Grade::Derived, "workload");
    let upkeep =
        (rate * draft.fact("event_database")).named("database CPU", Unit::Count("vCPU".to_owned()));
    let fresh = view.fresh.as_ref().map(|fresh| fresh.value);
    let reads = format!("list{}", view.name);
    let read_rate: f64 = draft
        .load
        .flows
        .iter()
        .filter(|flow| flow.operation == reads)
        .map(|flow| flow.rate.value)
        .sum();
    let mut choice = RULE
        .on(&name, format!("is `{}` kept, or computed when it is asked for?", view.name))
        .choose(format!("kept from {}", listed(&from)))
        .because(format!(
            "Computed on demand it would read {} rows at the end of the horizon, about {} of CPU \
             for each answer.",
            facts::number(rows),
            facts::time(query.value)
        ))
        .because(format!(
            "Kept, each of {} changes one row: {} vCPU.",
            facts::rps(events),
            facts::number(upkeep.value)
        ))
        .number(query.clone())
        .number(upkeep)
        .alternative(
            "the query, when asked",
            if read_rate > 0.0 {
                format!(
                    "{} would take {} vCPU.",
                    facts::rps(read_rate),
                    facts::number(read_rate * query.value)
                )
            } else {
                format!(
                    "right to the second; the workload does not say how often it is read, and \
                     above one read in {} it loses.",
                    facts::time(
                        query.value / (events * draft.catalog.value("event_database")).max(1e-9)
                    )
                )
            },
            vec![query],
        )
        .driver(format!("contexts.{context}.views.{}", view.name))
        .flips(format!(
            "fewer than {} source rows ({} now): the query itself answers within {}",
            facts::number((QUERY_SECONDS / draft.catalog.value("row_skip") / 2.0).round()),
            facts::number(rows),
            facts::time(QUERY_SECONDS)
        ))
        .effect(Effect::RunsHere)
        .consequence("Who must see what came of a write asks for it: `Prefer: wait=5`.");
    if let Some(fresh) = fresh {
        choice = choice
            .because(format!("The model allows it to lag by {}.", facts::time(fresh)))
            .set("fresh_seconds", fresh);
    }
    in_windows(choice, view).done(draft)
}

/// What windows of time make of it.
fn in_windows(choice: Choice, view: &View) -> Choice {
    let Some(window) = &view.window else { return choice };
    choice.because(windows(view, window)).consequence(
        "An event that comes later than that changes no closed row: it is counted, and told by \
         `mainstay_view_late_events_total`.",
    )
}

/// How its windows lie, and how long they wait.
fn windows(view: &View, window: &Window) -> String {
    let size = facts::time(window.size.value);
    let lie = match &window.kind {
        WindowKind::Tumbling => format!("windows of {size}, one after the other"),
        WindowKind::Sliding(every) => {
            format!("windows of {size}, one every {}", facts::time(every.value))
        }
        WindowKind::Session => format!("sessions that {size} without an event end"),
    };
    let late = view.late.as_ref().map_or(LATE_SECONDS, |late| late.value);
    format!(
        "Events are counted in {lie}, by their own time; a window waits for those that come up to \
         {} after younger ones.",
        facts::time(late)
    )
}

/// Rows of the resources that emit the view's events.
fn source_rows(draft: &Draft<'_>, view: &View) -> f64 {
    let mut rows: f64 = 0.0;
    for (id, resource) in draft.domain.resources() {
        let emits = |event: &String| view.from.iter().any(|from| from.as_str() == event);
        let by_command = resource.commands.iter().any(|command| command.emits.iter().any(emits));
        if by_command || resource.emits.iter().any(|(_, event)| emits(event)) {
            rows += draft.volume(id).rows.value;
        }
    }
    if draft.tenants() { rows * draft.value(Knob::Largest) } else { rows }
}

fn query(draft: &Draft<'_>, rows: f64) -> Computed {
    let unit = Unit::Count("rows".to_owned());
    let rows =
        Term::input("rows", rows, unit, Grade::Derived, "rows of one tenant that emit its events");
    (rows * draft.fact("row_skip") * 2.0).named("computed when asked", Unit::Seconds)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{LINKS, SHOP, check};
    use expect_test::expect;

    #[test]
    fn a_view_over_many_rows_is_kept() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                ordering.SalesByDay: kept from `order.paid`
                  flips at fewer than 100,000 source rows (1,800,000 now): the query itself answers within 50 ms
            "#]],
        );
    }

    #[test]
    fn no_views_no_question() {
        check(&RULE, LINKS, expect![[r#""#]]);
    }
}
