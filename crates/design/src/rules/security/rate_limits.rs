//! # D033 rate_limits
//! How much one caller may ask for, so that the others are still served.
//!
//! **Why**: one partner with a loop, or one tenant on a busy day, takes what all share. A limit per
//! caller keeps the peak of the whole inside what was planned.
//! **Cost**: an honest burst is told to wait. **Instead**: capacity for the worst caller.

use crate::capacity::Term;
use crate::draft::Draft;
use crate::draft::inputs::Knob;
use crate::rules::Choice;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::model::Proof;
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D033", name: "rate_limits", stage: Stage::Security, each: false, decide };

/// A caller may take this many times what a person does before it is told to wait.
const PERSON_FACTOR: f64 = 20.0;

/// Requests that one page sends at once.
const PAGE_REQUESTS: f64 = 6.0;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    draft.domain.actors.iter().map(|actor| one(draft, actor)).collect()
}

fn one(draft: &Draft<'_>, actor: &ir::domain::Actor) -> Decision {
    let limit = limit(draft, actor);
    let share = share_of_peak(draft, &limit);
    let greedy_load = worst_case(draft, &limit);
    let machine = actor.proof == Proof::ApiKey;
    let greedy = (1.0 / share.value.max(1e-9)).ceil();
    let choice = RULE
        .on(&actor.name, format!("how much may one `{}` ask for?", actor.name))
        .choose(format!(
            "{} each, bursts of {} s, then 429 with `Retry-After`",
            facts::rps(limit.value),
            if machine { 10 } else { 5 }
        ))
        .because(why(draft, actor, share.value))
        .because(if greedy <= 1.0 {
            format!(
                "One `{}` alone at its limit takes the whole planned peak: the limit guards \
                 against two, not against one.",
                actor.name
            )
        } else {
            format!(
                "{} of them at the limit together reach the planned peak.",
                facts::number(greedy)
            )
        })
        .number(limit)
        .number(share)
        .consequence(
            "Counters live in the process now; shared by all replicas once there is a second one.",
        )
        .driver(format!("actors.{}", actor.name))
        .driver("goals.peak")
        .effect(Effect::AdviceOnly)
        .set("limit_rps", limit_value(draft, actor));
    let choice = others(choice, draft, &actor.name, greedy_load);
    let harmless = limit_value(draft, actor) * 100.0;
    if harmless > draft.value(Knob::Peak) {
        choice
            .flips(format!(
                "peak above {}: one at its limit is below 1 % of it",
                facts::rps(harmless)
            ))
            .done(draft)
    } else {
        choice
            .flips(format!(
                "peak below {}: one at its limit is more than 1 % of it",
                facts::rps(harmless)
            ))
            .done(draft)
    }
}

/// Where the limit comes from.
fn why(draft: &Draft<'_>, actor: &ir::domain::Actor, share: f64) -> String {
    let share = facts::about(share);
    if actor.limit.is_some() {
        return format!(
            "The model says so; at the limit one `{}` is {share} of the peak.",
            actor.name
        );
    }
    let pause = facts::time(draft.catalog.value("think_time"));
    let (people, page) = (facts::number(PERSON_FACTOR), facts::number(PAGE_REQUESTS));
    if actor.proof == Proof::ApiKey {
        return format!(
            "Nothing is given for a program; until it is measured it gets the pace of {people} \
             people who pause {pause} between two journeys, at least {page} requests a second: \
             {share} of the peak."
        );
    }
    format!(
        "Nothing is given; a person pauses {pause} between two journeys, and {people} times that \
         pace, or more than the {page} requests of one page each second, is a program. One of \
         them at the limit is {share} of the peak."
    )
}

fn others(choice: Choice, draft: &Draft<'_>, actor: &str, greedy_load: Computed) -> Choice {
    choice
        .alternative(
            "no limit",
            format!(
                "a hundred greedy `{}` would ask for {} times the peak that the store is sized \
                 for.",
                actor,
                facts::number((greedy_load.value * 100.0).round() / 100.0)
            ),
            vec![greedy_load],
        )
        .alternative(
            if draft.tenants() {
                "a limit for each tenant alone"
            } else {
                "a limit for each address"
            },
            if draft.tenants() {
                format!(
                    "the largest of the tenants would starve its own users first, by {}.",
                    facts::about(draft.value(Knob::Largest))
                )
            } else {
                format!("every `{actor}` behind one office's address would share it.")
            },
            Vec::new(),
        )
}

fn limit_value(draft: &Draft<'_>, actor: &ir::domain::Actor) -> f64 {
    limit(draft, actor).value
}

fn limit(draft: &Draft<'_>, actor: &ir::domain::Actor) -> Computed {
    match actor.limit {
        Some(given) => {
            let path = format!("actors.{}.limit", actor.name);
            Term::input("given", given, Unit::PerSecond, Grade::Given, &path)
                .named("limit", Unit::PerSecond)
        }
        None => {
            let factor = Term::input(
                "factor",
                PERSON_FACTOR,
                Unit::One,
                Grade::Assumed,
                "a person never needs more",
            );
            let journey = Term::input(
                "requests_per_journey",
                draft.load.requests_per_journey.max(1.0),
                Unit::One,
                Grade::Derived,
                "workload",
            );
            (factor * journey / draft.fact("think_time"))
                .ceil()
                .max(PAGE_REQUESTS)
                .named("limit", Unit::PerSecond)
        }
    }
}

fn share_of_peak(draft: &Draft<'_>, limit: &Computed) -> Computed {
    (Term::from(limit) / draft.peak()).named("share of the peak", Unit::Share)
}

/// What a hundred callers, each ten times above the limit, ask for, as a factor of the peak.
fn worst_case(draft: &Draft<'_>, limit: &Computed) -> Computed {
    (Term::from(limit) * 10.0 * 100.0 / draft.peak())
        .named("a hundred callers at ten times the limit, in peaks", Unit::One)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{NOTES, SHOP, check};
    use expect_test::expect;

    #[test]
    fn a_given_limit_stands_and_the_others_get_a_person_s_pace() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                shopper: 6 rps each, bursts of 5 s, then 429 with `Retry-After`
                  flips at peak below 600 rps: one at its limit is more than 1 % of it
                staff: 6 rps each, bursts of 5 s, then 429 with `Retry-After`
                  flips at peak below 600 rps: one at its limit is more than 1 % of it
                partner: 50 rps each, bursts of 10 s, then 429 with `Retry-After`
                  flips at peak above 5,000 rps: one at its limit is below 1 % of it
            "#]],
        );
    }

    #[test]
    fn a_lone_actor_gets_a_limit_too() {
        check(
            &RULE,
            NOTES,
            expect![[r#"
                user: 6 rps each, bursts of 5 s, then 429 with `Retry-After`
                  flips at peak above 600 rps: one at its limit is below 1 % of it
            "#]],
        );
    }
}
