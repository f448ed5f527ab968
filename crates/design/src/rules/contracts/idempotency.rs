//! # D007 idempotency
//! What happens when a client sends the same write twice because the answer was lost.
//!
//! **Why**: networks lose answers; a client that hears nothing sends again. With a key the second
//! call replays the stored answer. Claim, effect and answer commit in one transaction, so that no
//! crash comes between them.
//! **Cost**: a row for each write, kept a day. **Instead**: natural keys, or duplicates cleared up.

use crate::capacity::Term;
use crate::draft::Draft;
use crate::draft::inputs::Knob;
use crate::rules::Choice;
use crate::rules::choice::listed;
use crate::rules::facts;
use crate::stages::Rule;
use ir::contract::OperationKind;
use ir::decision::{Decision, Effect, Stage};
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D007", name: "idempotency", stage: Stage::Contracts, each: false, decide };

/// Bytes of stored answers from which a day is too long.
const STORED_BYTES_MAX: f64 = 100e9;
const KEPT_SECONDS: f64 = 86_400.0;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let writes: f64 = client_writes(draft);
    let writable = draft.contract.operations.iter().any(|one| one.method != "GET");
    if !writable {
        return Vec::new();
    }
    let mean = mean_writes(draft, writes);
    let kept = seconds("kept", KEPT_SECONDS, "a client gives up within a day");
    let stored = (Term::from(&mean) * &kept * draft.fact("idempotency_record"))
        .named("stored answers", Unit::Bytes);
    let day = seconds("day", 86_400.0, "a day");
    let duplicates = (Term::from(&mean) * day * draft.fact("lost_answers"))
        .named("writes sent twice a day", Unit::One);
    let demanded: Vec<String> = draft
        .domain
        .resources()
        .filter(|(_, resource)| resource.idempotency_required)
        .map(|(id, _)| format!("`{}`", draft.name(id)))
        .collect();
    let effects = effects(draft);
    let natural = uncaught(draft);
    let silent = silent_duplicates(draft);
    let choice = RULE
        .on("system", "what does a write do when it arrives twice?")
        .choose(match demanded.as_slice() {
            [] => "`Idempotency-Key` accepted on every write, answers kept 24 h".to_owned(),
            some => format!(
                "`Idempotency-Key` required for {}, accepted on every other write, kept 24 h",
                listed(some)
            ),
        })
        .because(format!(
            "{} at the peak are {} in the mean; one answer lost in a thousand makes about {} \
             writes a day that arrive twice.",
            facts::rps(writes),
            facts::rps(mean.value),
            facts::number(duplicates.value.round())
        ))
        .because_if(!effects.is_empty(), || {
            format!("{}: done twice, money or stock moves twice.", listed(&effects))
        })
        .because_if(!natural.is_empty(), || {
            format!(
                "Nothing else would catch the second {}: neither a unique field, nor spans that \
                 may not overlap, nor a state that was left.",
                listed(&natural)
            )
        })
        .number(stored.clone())
        .number(duplicates.clone())
        .consequence(format!(
            "The idempotency table holds {} of the last day; only successes are stored, so a \
             failed call may be tried again with its key.",
            facts::bytes(stored.value)
        ))
        .flips(facts::peak_flip(
            draft,
            draft.value(Knob::Peak) * STORED_BYTES_MAX / stored.value.max(1.0),
            &format!(
                "a day of stored answers passes {}, keep them for less",
                facts::bytes(STORED_BYTES_MAX)
            ),
            &format!("a day of stored answers is below {}", facts::bytes(STORED_BYTES_MAX)),
        ))
        .driver("workload")
        .driver("goals.peak")
        .effect(Effect::RunsHere)
        .set("idempotency_seconds", KEPT_SECONDS);
    vec![others(choice, &stored, silent).done(draft)]
}

fn others(choice: Choice, stored: &Computed, duplicates: Computed) -> Choice {
    choice
        .alternative(
            "no keys",
            if duplicates.value > 0.0 {
                format!(
                    "about {} duplicates a day, found by people.",
                    facts::number(duplicates.value)
                )
            } else {
                "the second of two creates or commands meets a unique, a span or a state, and its \
                 caller reads 409 for what was done."
                    .to_owned()
            },
            vec![duplicates],
        )
        .alternative(
            "keys for an hour",
            format!(
                "saves {} of the stored answers and loses every client that retries after its \
                 network was away overnight.",
                facts::bytes(stored.value * 23.0 / 24.0)
            ),
            vec![(Term::from(stored) / 24.0).named("stored answers", Unit::Bytes)],
        )
}

/// Commands that start a workflow.
fn effects(draft: &Draft<'_>) -> Vec<String> {
    let resources = draft.domain.resources.iter();
    let commands = resources.flat_map(|one| one.commands.iter().map(move |command| (one, command)));
    commands
        .filter_map(|(one, command)| {
            let starts = command.starts.as_ref()?;
            Some(format!("`{}.{}` (starts `{starts}`)", one.name, command.name))
        })
        .collect()
}

/// Writes of clients of which nothing would tell that they are a second one: rows without a unique
/// or a span that may not overlap, commands that leave no state. A PATCH, PUT or DELETE that comes
/// twice says the same twice.
fn repeatable<'a>(draft: &'a Draft<'_>) -> impl Iterator<Item = (String, f64)> + 'a {
    let flows = draft.load.flows.iter().filter(|flow| !flow.internal && flow.rate.value > 0.0);
    flows.filter_map(|flow| {
        let resource = draft.domain.resource(flow.resource?);
        match flow.kind? {
            OperationKind::Create => {
                let bare = resource.uniques.is_empty() && resource.overlaps.is_empty();
                bare.then(|| (format!("`create {}`", resource.name), flow.rate.value))
            }
            OperationKind::Command(id) => {
                let command = &resource.commands[id.index()];
                let name = format!("`{}.{}`", resource.name, command.name);
                command.transitions.is_empty().then_some((name, flow.rate.value))
            }
            OperationKind::List
            | OperationKind::Get
            | OperationKind::Replace
            | OperationKind::Update
            | OperationKind::Delete
            | OperationKind::Route(_)
            | OperationKind::Batch => None,
        }
    })
}

fn uncaught(draft: &Draft<'_>) -> Vec<String> {
    repeatable(draft).map(|(name, _)| name).collect()
}

/// Of the writes that arrive twice a day, those that nothing would catch.
fn silent_duplicates(draft: &Draft<'_>) -> Computed {
    let rate = repeatable(draft).map(|(_, rate)| rate).sum::<f64>() + 0.0;
    let source = "workload: creates and commands that nothing else would catch";
    let rate = Term::input("uncaught", rate, Unit::PerSecond, Grade::Derived, source);
    let day = seconds("day", 86_400.0, "a day");
    (rate / draft.input(Knob::PeakToMean) * day * draft.fact("lost_answers"))
        .named("duplicates a day", Unit::One)
}

fn client_writes(draft: &Draft<'_>) -> f64 {
    let flows = draft.load.flows.iter().filter(|flow| !flow.internal);
    let writes = flows.filter(|flow| flow.work == crate::draft::load::Work::Write);
    writes.map(|flow| flow.rate.value).sum()
}

fn mean_writes(draft: &Draft<'_>, writes: f64) -> Computed {
    let source = "workload at goals.peak";
    let writes = Term::input("writes_at_peak", writes, Unit::PerSecond, Grade::Derived, source);
    (writes / draft.input(Knob::PeakToMean)).named("mean writes", Unit::PerSecond)
}

fn seconds(name: &str, value: f64, source: &str) -> Term {
    Term::input(name, value, Unit::Seconds, Grade::Derived, source)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{CLINIC, NOTES, check};
    use expect_test::expect;

    #[test]
    fn a_resource_may_require_the_key() {
        check(
            &RULE,
            CLINIC,
            expect![[r#"
                system: `Idempotency-Key` required for `scheduling.Appointment`, accepted on every other write, kept 24 h
                  flips at peak above 183,715 rps: a day of stored answers passes 100 GB, keep them for less
            "#]],
        );
    }

    #[test]
    fn else_it_is_accepted() {
        check(
            &RULE,
            NOTES,
            expect![[r#"
                system: `Idempotency-Key` accepted on every write, answers kept 24 h
                  flips at peak above 25,720 rps: a day of stored answers passes 100 GB, keep them for less
            "#]],
        );
    }
}
