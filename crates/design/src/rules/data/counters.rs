//! # D018 counters
//! How a counter that is raised on every read is stored.
//!
//! **Why**: one transaction for each raise turns a read into a write, and the most popular row into
//! a queue: its lock is held for a commit. Raised in memory and written once a second, a popular
//! row costs one write a second however often it is read.
//! **Cost**: a crash loses up to the last second. **Instead**: a transaction each, or an event log.

use crate::capacity::{Term, cache::Zipf};
use crate::draft::Draft;
use crate::draft::inputs::Knob;
use crate::draft::load::Work;
use crate::rules::Choice;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Setting, Stage};
use ir::domain::{FieldId, ResourceId};
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D018", name: "counters", stage: Stage::Data, each: false, decide };

/// Seconds for which raises are gathered.
const FLUSH_SECONDS: f64 = 1.0;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let mut decisions = Vec::new();
    for (id, resource) in draft.domain.roots() {
        let route = resource.routes.iter().find(|route| route.count.is_some());
        let Some(counter) = route.and_then(|route| route.count) else { continue };
        decisions.push(on(draft, id, counter));
    }
    decisions
}

fn on(draft: &Draft<'_>, id: ResourceId, counter: FieldId) -> Decision {
    let resource = draft.domain.resource(id);
    let name = draft.name(id);
    let field = &resource.field(counter).name;
    let reads = draft.load.on(id, Work::Redirect) + route_gets(draft, id);
    let rate = Term::input("raises", reads, Unit::PerSecond, Grade::Derived, "workload");
    let rows = draft.volume(id).rows.value;
    let zipf = Zipf::new(rows, draft.value(Knob::Popularity));
    let hot = hot_row(draft, &rate, zipf.top());
    let distinct = distinct(draft, &rate, &zipf, rows);
    let buffered = (Term::from(&distinct) * draft.fact("child_database"))
        .named("database CPU", Unit::Count("vCPU".to_owned()));
    let fsync = draft.catalog.value("sync_write");
    let choice = RULE
        .on(
            &name,
            format!("how is `{field}` of `{name}` raised {} times a second?", facts::number(reads)),
        )
        .choose("gathered in memory, written once a second")
        .because(format!(
            "{} raise `{field}`; within a second they meet {} different rows, so {} row changes \
             replace {} transactions.",
            facts::rps(reads),
            facts::number(distinct.value.round()),
            facts::number(distinct.value.round()),
            facts::number(reads)
        ))
        .because(format!(
            "The most popular row alone is raised {} times a second; one transaction each would \
             hold its lock {} of the time at {} a commit{}.",
            facts::number(reads * zipf.top()),
            facts::about(hot.value),
            facts::time(fsync),
            if hot.value >= 1.0 { ", which no database can do" } else { "" }
        ))
        .number(hot.clone())
        .number(distinct.clone())
        .number(buffered.clone())
        .consequence(format!(
            "A node that crashes loses what it gathered: at most {} raises of `{field}`.",
            facts::number((reads * FLUSH_SECONDS / 2.0).ceil())
        ))
        .driver(format!("contexts.{}.routes", name.replacen('.', ".resources.", 1)))
        .flips(flip(draft, reads, zipf.top()))
        .effect(Effect::RunsHere)
        .set("counted_rows", distinct.value);
    others(choice, draft, &rate, hot, buffered.value).done(draft)
}

fn others(choice: Choice, draft: &Draft<'_>, rate: &Term, hot: Computed, buffered: f64) -> Choice {
    let reads = rate.value();
    let direct = (rate.clone() * draft.fact("write_database"))
        .named("database CPU", Unit::Count("vCPU".to_owned()));
    choice
        .option(
            "a transaction for each",
            format!(
                "{} vCPU of database instead of {}, and the most popular row {} locked.",
                facts::number(direct.value),
                facts::number(buffered),
                facts::about(hot.value.min(1.0))
            ),
            vec![direct, hot],
            vec![("counted_rows", Setting::Number(counted_cost(draft, reads)))],
        )
        .alternative(
            "an event for each, summed later",
            format!(
                "{} events a second to store and to clean up, for a sum that may be a second old \
                 anyway.",
                facts::number(reads)
            ),
            vec![event_bytes(draft, rate)],
        )
}

/// Routes that show the row rather than redirect count as gets.
fn route_gets(draft: &Draft<'_>, id: ResourceId) -> f64 {
    let flows = draft.load.flows.iter().filter(|flow| flow.resource == Some(id));
    let routes = flows.filter(|flow| {
        flow.work == Work::Get && matches!(flow.kind, Some(ir::contract::OperationKind::Route(_)))
    });
    routes.map(|flow| flow.rate.value).sum()
}

fn hot_row(draft: &Draft<'_>, rate: &Term, top: f64) -> Computed {
    let grade = draft.input(Knob::Popularity).grade();
    let top = Term::input("top_share", top, Unit::Share, grade, "Zipf, the most popular row");
    (rate.clone() * top * draft.fact("sync_write")).named("hot row locked", Unit::Share)
}

fn distinct(draft: &Draft<'_>, rate: &Term, zipf: &Zipf, rows: f64) -> Computed {
    let value = zipf.distinct(rate.value() * FLUSH_SECONDS);
    let rows = Term::input("rows", rows, Unit::Count("rows".to_owned()), Grade::Derived, "storage");
    let arguments = vec![rate.clone(), rows, draft.input(Knob::Popularity)];
    Term::function("distinct", arguments, value)
        .named("rows changed a second", Unit::Count("rows".to_owned()))
}

fn event_bytes(draft: &Draft<'_>, rate: &Term) -> Computed {
    let day = Term::input("day", 86_400.0, Unit::Seconds, Grade::Derived, "a day");
    let each = Term::input("event_bytes", 100.0, Unit::Bytes, Grade::Assumed, "id, time, row");
    (rate.clone() / draft.input(Knob::PeakToMean) * day * each).named("bytes a day", Unit::Bytes)
}

/// What one transaction each costs, in changed rows of a flush.
fn counted_cost(draft: &Draft<'_>, reads: f64) -> f64 {
    reads * draft.catalog.value("write_database") / draft.catalog.value("child_database")
}

fn flip(draft: &Draft<'_>, reads: f64, top: f64) -> String {
    let calm = 0.05 / (top * draft.catalog.value("sync_write"));
    let peak = draft.value(Knob::Peak) * calm / reads.max(1e-9);
    if peak >= draft.value(Knob::Peak) {
        return "a count that may lose nothing in a crash: a transaction each".to_owned();
    }
    format!(
        "peak below {}: the most popular row would be locked under 5 % of the time, and a \
         transaction each loses nothing",
        facts::rps(peak)
    )
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{LINKS, SHOP, check};
    use expect_test::expect;

    #[test]
    fn a_counter_of_many_reads_is_gathered() {
        check(
            &RULE,
            LINKS,
            expect![[r#"
            links.Link: gathered in memory, written once a second
              flips at peak below 2,148 rps: the most popular row would be locked under 5 % of the time, and a transaction each loses nothing
        "#]],
        );
    }

    #[test]
    fn no_route_no_counter() {
        check(&RULE, SHOP, expect![[r#""#]]);
    }
}
