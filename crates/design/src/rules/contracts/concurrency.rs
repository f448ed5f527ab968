//! # D008 concurrency
//! What happens when two callers change one row at once.
//!
//! **Why**: between reading a row and sending its change lies a person's think time. With an ETag
//! the second writer is told (412) instead of overwriting the first.
//! **Cost**: the client reads again and asks its user. **Instead**: locks, or the last one wins.

use crate::capacity::{Term, cache::Zipf};
use crate::draft::Draft;
use crate::draft::inputs::Knob;
use crate::rules::Choice;
use crate::rules::choice::listed;
use crate::rules::facts;
use crate::stages::Rule;
use ir::contract::OperationKind;
use ir::decision::{Decision, Effect, Stage};
use ir::domain::ResourceId;
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D008", name: "concurrency", stage: Stage::Contracts, each: false, decide };

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let changed = |id| draft.load.edits(id);
    let most = facts::most(draft, changed);
    let required: Vec<String> = draft
        .domain
        .resources()
        .filter(|(_, resource)| resource.if_match_required)
        .map(|(id, _)| format!("`{}`", draft.name(id)))
        .collect();
    let versioned = draft.contract.operations.iter().any(|one| {
        matches!(
            one.kind,
            OperationKind::Update | OperationKind::Replace | OperationKind::Command(_)
        )
    });
    if !versioned {
        return Vec::new();
    }
    let mut choice = RULE
        .on("system", "what happens when two callers change one row at once?")
        .choose(match required.as_slice() {
            [] => "optimistic, `ETag` with optional `If-Match`".to_owned(),
            some => format!("optimistic, `If-Match` required for {}", listed(some)),
        })
        .driver("workload")
        .effect(Effect::RunsHere)
        .set("if_match", "supported");
    for id in required.iter() {
        choice = choice.because(format!("{id} asks for it: a change without `If-Match` is 428."));
    }
    if let Some((id, rate)) = most {
        choice = if facts::edited_by_its_owner(draft, id) {
            owned(choice, draft, id, rate)
        } else {
            hottest(choice, draft, id, rate)
        };
    } else {
        choice = choice.because(commands(draft)).alternative(
            "the last one wins",
            "loses nothing in these journeys, and silently whatever is edited outside of them.",
            Vec::new(),
        );
        choice = choice.flips(
            "a journey with an `update`: how often two of them meet is then computed, and \
             `if_match: required` may be worth it",
        );
    }
    let locks = Term::number(1.0) * draft.fact("think_time");
    choice = choice
        .alternative(
            "pessimistic locks",
            format!(
                "a row would be locked for a think time of {}, and a caller that goes away holds \
                 it until it times out.",
                facts::time(draft.catalog.value("think_time"))
            ),
            vec![locks.named("time a row is held", Unit::Seconds)],
        )
        .consequence(
            "Commands check the version again at commit: a lost update needs no discipline to \
             avoid.",
        );
    vec![choice.done(draft)]
}

/// Where no journey overwrites a row: what changes rows instead.
fn commands(draft: &Draft<'_>) -> String {
    let mut names = Vec::new();
    for flow in &draft.load.flows {
        if let (Some(id), Some(OperationKind::Command(command))) = (flow.resource, flow.kind) {
            let resource = draft.domain.resource(id);
            let name = format!("`{}.{}`", resource.name, resource.commands[command.index()].name);
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    if names.is_empty() {
        return "No journey changes a row that exists: a conflict can only come from callers \
                outside of them."
            .to_owned();
    }
    format!(
        "No journey overwrites a row: {} decide on the row as it is at commit, and the one that \
         comes second gets 409 from the state, not a stale value.",
        listed(&names)
    )
}

/// Rows that nobody but their owner edits: two edits meet only from two windows of one caller.
fn owned(choice: Choice, draft: &Draft<'_>, id: ResourceId, rate: f64) -> Choice {
    let name = draft.name(id);
    let rows = draft.volume(id).rows.value.max(1.0);
    let source = "workload at goals.peak";
    let edits = Term::input("edits", rate, Unit::PerSecond, Grade::Derived, source);
    let rows = Term::input("rows", rows, Unit::One, Grade::Derived, "storage");
    let day = Term::input("day", 86_400.0, Unit::Seconds, Grade::Derived, "a day");
    let met = edits.clone() * edits / rows * draft.fact("think_time");
    let daily =
        (met * day / draft.input(Knob::PeakToMean)).named("edits that meet a day", Unit::One);
    choice
        .because(format!(
            "`{name}` is edited most, {} at the peak, and only by the caller it belongs to: two \
             edits of one row within {} of each other come from two of its windows, about {} \
             times a day.",
            facts::rps(rate),
            facts::time(draft.catalog.value("think_time")),
            facts::number(daily.value)
        ))
        .alternative(
            "the last one wins",
            format!("{} edits of `{name}` a day lost without a word.", facts::number(daily.value)),
            vec![daily.clone()],
        )
        .number(daily)
        .flips(format!(
            "a second actor that may update `{name}`: popular rows then meet, and `if_match: \
             required` may be worth it"
        ))
}

fn hottest(choice: Choice, draft: &Draft<'_>, id: ResourceId, rate: f64) -> Choice {
    let name = draft.name(id);
    let lost = conflicts(draft, id, rate);
    let daily = (Term::from(&lost)
        * Term::input("day", 86_400.0, Unit::Seconds, Grade::Derived, "a day")
        / draft.input(Knob::PeakToMean))
    .named("overwritten changes a day", Unit::One);
    choice
        .because(format!(
            "`{name}` is edited most: {} at the peak. On its most popular row a second edit comes \
             within {} of the first {} times a day.",
            facts::rps(rate),
            facts::time(draft.catalog.value("think_time")),
            facts::number(daily.value.round())
        ))
        .number(daily.clone())
        .alternative(
            "the last one wins",
            format!(
                "about {} changes a day of `{name}` lost without a word.",
                facts::number(daily.value.round())
            ),
            vec![daily],
        )
        .flips(format!(
            "more than one change a second of one row of `{name}`: a command that adds (`set: x: \
             x + n`) instead of a PATCH that overwrites"
        ))
}

/// Changes a second that meet another change of the most popular row within the think time.
fn conflicts(draft: &Draft<'_>, id: ResourceId, rate: f64) -> Computed {
    let rows = draft.volume(id).rows.value;
    let top = Zipf::new(rows, draft.value(Knob::Popularity)).top();
    let rate =
        Term::input("changes", rate, Unit::PerSecond, Grade::Derived, "workload at goals.peak");
    let source = format!("Zipf with popularity over {} rows", facts::number(rows));
    let grade = draft.input(Knob::Popularity).grade();
    let top = Term::input("top_share", top, Unit::Share, grade, &source);
    let own = rate * top;
    let squared = own.clone() * own * draft.fact("think_time");
    squared.named("conflicts", Unit::PerSecond)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{CLINIC, LINKS, SHOP, check};
    use expect_test::expect;

    #[test]
    fn a_resource_may_require_the_version() {
        check(
            &RULE,
            CLINIC,
            expect![[r#"
                system: optimistic, `If-Match` required for `people.Patient`
                  flips at a journey with an `update`: how often two of them meet is then computed, and `if_match: required` may be worth it
            "#]],
        );
    }

    #[test]
    fn edits_of_a_popular_row_meet() {
        check(
            &RULE,
            LINKS,
            expect![[r#"
                system: optimistic, `ETag` with optional `If-Match`
                  flips at a second actor that may update `links.Link`: popular rows then meet, and `if_match: required` may be worth it
            "#]],
        );
    }

    #[test]
    fn commands_overwrite_nothing() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                system: optimistic, `ETag` with optional `If-Match`
                  flips at a journey with an `update`: how often two of them meet is then computed, and `if_match: required` may be worth it
            "#]],
        );
    }
}
