//! # D046 fallbacks
//! What still works while an integration is away, and how long it takes to catch up.
//!
//! **Why**: an outage of somebody else's should cost what needs them and nothing more; what was
//! accepted meanwhile is done later, and somebody must know how much later.
//! **Cost**: callers see `placed` for longer. **Instead**: refusing, or pretending.

use crate::capacity::Term;
use crate::draft::inputs::Knob;
use crate::draft::{Draft, outside};
use crate::rules::Choice;
use crate::rules::choice::listed;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Authority, Decision, Stage};
use ir::model::Integration;
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D046", name: "fallbacks", stage: Stage::Resilience, each: false, decide };

/// Seconds of an outage that is planned for.
const OUTAGE_SECONDS: f64 = 3_600.0;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    draft.model.integrations.iter().map(|integration| on(draft, integration)).collect()
}

fn on(draft: &Draft<'_>, integration: &Integration) -> Decision {
    let name = integration.name.as_str();
    let who = waiting(draft, name);
    let calls = outside::calls(draft, name);
    let outage = Term::input("outage", OUTAGE_SECONDS, Unit::Seconds, Grade::Assumed, "an hour");
    let backlog = (calls.clone() / draft.input(Knob::PeakToMean) * outage)
        .named("waiting after an hour", Unit::One);
    let choice = RULE
        .on(name, format!("what still works while `{name}` is away?"))
        .choose(if who.is_empty() {
            "everything: nothing calls it at the peak".to_owned()
        } else {
            format!("everything but the end of {}, which waits", listed(&who))
        })
        .because(format!(
            "No request waits for `{name}`: it is called after the commit, so reads and writes go \
             on; an hour without it leaves {} waiting.",
            facts::number(backlog.value.ceil())
        ))
        .number(backlog.clone())
        .authority(Authority::Advises)
        .consult(format!(
            "the owner of {}: how long may it wait before people are told?",
            if who.is_empty() { format!("`{name}`") } else { listed(&who) }
        ))
        .flips(format!(
            "a caller who must have the answer at once: the command is refused instead, {} of the \
             time",
            facts::share(1.0 - outside::availability(draft, name).value())
        ))
        .driver(format!("integrations.{name}"));
    let choice = catching_up(choice, draft, integration, &calls, &backlog);
    choice
        .alternative(
            "refuse the command while it is away",
            format!(
                "{} of the time callers are told to come back, for work that could have waited.",
                facts::share(1.0 - outside::availability(draft, name).value())
            ),
            vec![],
        )
        .done(draft)
}

/// The workflows that end with it; else whatever calls it.
fn waiting(draft: &Draft<'_>, name: &str) -> Vec<String> {
    let calls = |one: &&ir::model::Workflow| {
        let steps = facts::steps(&one.steps);
        steps
            .iter()
            .any(|step| facts::outside(draft, step).is_some_and(|(called, _)| called == name))
    };
    let workflows = draft.model.workflows.iter().filter(calls);
    let waiting: Vec<String> = workflows.map(|one| format!("`{}`", one.name)).collect();
    if !waiting.is_empty() {
        return waiting;
    }
    let callers = draft.load.outside.iter().filter(|call| call.integration == name);
    callers.map(|call| format!("`{}`", call.caller)).collect()
}

/// How long the backlog takes to go, where a limit is known.
fn catching_up(
    choice: Choice,
    draft: &Draft<'_>,
    integration: &Integration,
    calls: &Term,
    backlog: &Computed,
) -> Choice {
    let mean = calls.value() / draft.value(Knob::PeakToMean);
    match &integration.limit {
        Some(limit) if limit.value > mean && mean > 0.0 => {
            let room = limit.value - mean;
            let catch = (Term::from(backlog)
                / Term::input(
                    "room",
                    room,
                    Unit::PerSecond,
                    Grade::Given,
                    "its limit less the mean",
                ))
            .named("caught up after", Unit::Seconds);
            choice
                .because(format!(
                    "It takes {}: {} above the mean, so the backlog is gone {} after it is back.",
                    facts::rps(limit.value),
                    facts::rps(room),
                    facts::time(catch.value)
                ))
                .number(catch)
        }
        Some(limit) => choice.because(format!(
            "It takes {} and the mean is {}: a backlog never shrinks, and each outage is paid in \
             full.",
            facts::rps(limit.value),
            facts::rps(mean)
        )),
        None => choice,
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{KIOSK, LINKS, check};
    use expect_test::expect;

    #[test]
    fn what_waits_is_named() {
        check(
            &RULE,
            KIOSK,
            expect![[r#"
                terminal: everything but the end of `sell`, which waits
                  flips at a caller who must have the answer at once: the command is refused instead, 0.5 % of the time
            "#]],
        );
    }

    #[test]
    fn no_integrations_nothing_waits() {
        check(&RULE, LINKS, expect![[r#""#]]);
    }
}
