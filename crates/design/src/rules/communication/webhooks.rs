//! # D027 webhooks
//! How partners hear of events.
//!
//! **Why**: a partner that asks every few seconds mostly hears nothing; one that is told hears at
//! once, and must be able to tell our call from a stranger's.
//! **Cost**: retries for days, signatures, an address that may point inside. **Instead**: polling.

use crate::capacity::Term;
use crate::draft::Draft;
use crate::draft::inputs::Knob;
use crate::rules::Choice;
use crate::rules::choice::listed;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Stage};
use ir::quantity::{Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D027", name: "webhooks", stage: Stage::Communication, each: false, decide };

/// Registrations of a tenant.
const HOOKS_EACH: f64 = 1.0;
/// Seconds between two questions of a partner that polls.
const POLL_SECONDS: f64 = 5.0;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let hooked: Vec<&ir::model::Event> =
        draft.model.events.iter().filter(|event| !event.webhook.is_empty()).collect();
    if hooked.is_empty() {
        return Vec::new();
    }
    let mut actors: Vec<String> =
        hooked.iter().flat_map(|event| &event.webhook).map(|actor| format!("`{actor}`")).collect();
    actors.sort();
    actors.dedup();
    let names: Vec<String> = hooked.iter().map(|event| format!("`{}`", event.name)).collect();
    let rate: f64 =
        hooked.iter().filter_map(|event| draft.load.events.get(event.name.as_str())).sum();
    let rate_term =
        Term::input("events", rate, Unit::PerSecond, Grade::Derived, "workload at goals.peak");
    let hooks =
        Term::input("registrations", HOOKS_EACH, Unit::One, Grade::Assumed, "one for each tenant");
    let calls = (rate_term.clone() * &hooks).named("calls at the peak", Unit::PerSecond);
    let slow =
        Term::input("receiver", 0.5, Unit::Seconds, Grade::Assumed, "a receiver's usual answer");
    let calls_a_second = calls.value;
    let (flight, places) = crate::draft::sizing::pool(&Term::from(&calls), &slow);
    let pool = Term::function("erlang_b_places", vec![Term::from(&flight)], f64::from(places))
        .named("pool", Unit::Count("calls".to_owned()));
    let day =
        Term::input("outage", 86_400.0, Unit::Seconds, Grade::Derived, "a receiver away for a day");
    let backlog = (rate_term / draft.input(Knob::PeakToMean) * day * draft.input(Knob::Largest))
        .named("backlog of the largest tenant", Unit::Count("events".to_owned()));
    let choice = RULE
        .on("system", format!("how do {} hear of {}?", listed(&actors), listed(&names)))
        .choose("Standard Webhooks: signed, ten attempts over three days, then given up")
        .because(format!(
            "{} at the peak: {} calls in flight at half a second each, in a pool of {} that \
             nobody else uses.",
            facts::rps(calls.value),
            facts::number(flight.value.ceil()),
            facts::number(f64::from(places))
        ))
        .because(format!(
            "A receiver that is away for a day is owed {} events if it is the largest tenant's: \
             they wait in the outbox, in order.",
            facts::number(backlog.value.ceil())
        ))
        .number(calls)
        .number(flight)
        .number(backlog)
        .number(pool)
        .flips(format!(
            "receivers slower than {} in the mean: the pool of {places} is full at the peak",
            facts::time(f64::from(places) / calls_a_second.max(1e-9))
        ))
        .consequence("The address is resolved and refused if it points inside, on each attempt.")
        .consequence(
            "What failed ten times is a dead letter; later events of its row are delivered all the \
             same.",
        )
        .driver("events")
        .set("webhook_pool", places);
    vec![polling(choice, draft, rate).done(draft)]
}

/// Partners that ask instead of being told.
fn polling(choice: Choice, draft: &Draft<'_>, rate: f64) -> Choice {
    let polling = draft.input(Knob::Tenants)
        / Term::input(
            "poll_every",
            POLL_SECONDS,
            Unit::Seconds,
            Grade::Assumed,
            "a partner's patience",
        );
    let polling = polling.named("questions a second", Unit::PerSecond);
    let tenant = rate / draft.value(Knob::PeakToMean) / draft.value(Knob::Tenants).max(1.0);
    let empty = (-tenant * POLL_SECONDS).exp();
    choice.alternative(
        "partners poll for events",
        format!(
            "{} of questions in the mean, of which {} would find nothing.",
            facts::rps(polling.value),
            facts::about(empty)
        ),
        vec![polling],
    )
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{LINKS, SHOP, check};
    use expect_test::expect;

    #[test]
    fn partners_are_told() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                system: Standard Webhooks: signed, ten attempts over three days, then given up
                  flips at receivers slower than 863 ms in the mean: the pool of 37 is full at the peak
            "#]],
        );
    }

    #[test]
    fn nobody_to_tell() {
        check(&RULE, LINKS, expect![[r#""#]]);
    }
}
