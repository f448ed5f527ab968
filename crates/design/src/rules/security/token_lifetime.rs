//! # D031 token_lifetime
//! How long an access token lives.
//!
//! **Why**: a token that is checked in process can't be called back; its lifetime is the time a
//! thief has. A short life costs refreshes at the provider.
//! **Cost**: a refresh for each caller and lifetime. **Instead**: long tokens with a revocation
//! list that every node must have.

use crate::capacity::Term;
use crate::draft::Draft;
use crate::rules::Choice;
use crate::rules::choice::listed;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Authority, Decision, Effect, Stage};
use ir::model::Proof;
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D031", name: "token_lifetime", stage: Stage::Security, each: false, decide };

const QUARTER_SECONDS: f64 = 900.0;
const HOUR_SECONDS: f64 = 3_600.0;
const DAY_SECONDS: f64 = 86_400.0;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let people: Vec<&str> = draft
        .domain
        .actors
        .iter()
        .filter(|actor| actor.proof == Proof::Oidc)
        .map(|actor| actor.name.as_str())
        .collect();
    if people.is_empty() {
        return Vec::new();
    }
    let strict: Vec<String> = ["hipaa", "pci-dss", "soc2"]
        .into_iter()
        .filter(|regime| draft.complies(regime))
        .map(str::to_owned)
        .collect();
    let wide: Vec<String> = draft
        .domain
        .actors
        .iter()
        .filter(|actor| actor.across_tenants)
        .map(|actor| format!("`{}`", actor.name))
        .collect();
    let short = !strict.is_empty() || !wide.is_empty();
    let life = if short { QUARTER_SECONDS } else { HOUR_SECONDS };
    let own = refreshes(draft, life);
    let mut choice = RULE
        .on("system", "how long does an access token live?")
        .choose(format!("{}, refreshed by rotation", facts::time(life)))
        .because_if(!strict.is_empty(), || {
            format!(
                "{} asks that a lost credential stops working soon.",
                listed(&strict).to_uppercase()
            )
        })
        .because_if(!wide.is_empty(), || {
            format!("A token of {} opens every tenant, so it must not live long.", listed(&wide))
        })
        .because(format!(
            "Refreshing all of {} callers costs the provider {} at that life.",
            facts::number(callers(draft)),
            facts::rps(own.value)
        ))
        .number(own)
        .consequence(format!(
            "A stolen token works for {} at most; revoking sooner needs the provider's keys to \
             change.",
            facts::time(life)
        ))
        .flips(format!(
            "a stolen token that may work for {} at most: {} of refreshes instead of {}",
            facts::time(life / 4.0),
            facts::rps(refreshes(draft, life / 4.0).value),
            facts::rps(refreshes(draft, life).value)
        ))
        .driver("actors")
        .authority(Authority::Advises)
        .effect(Effect::RunsHere)
        .set("token_seconds", life);
    for regime in &strict {
        choice = choice.driver(format!("constraints.compliance.{regime}"));
    }
    vec![others(choice, draft, short).done(draft)]
}

fn others(choice: Choice, draft: &Draft<'_>, short: bool) -> Choice {
    let (hour, day) = (refreshes(draft, HOUR_SECONDS), refreshes(draft, DAY_SECONDS));
    let other = if short { HOUR_SECONDS } else { QUARTER_SECONDS };
    choice
        .alternative(
            facts::time(other),
            if short {
                format!(
                    "saves refreshes down to {}, and gives a thief four times as long.",
                    facts::rps(hour.value)
                )
            } else {
                format!(
                    "{} refreshes a second for a gain that no regime in the model asks for.",
                    facts::number(refreshes(draft, QUARTER_SECONDS).value)
                )
            },
            vec![refreshes(draft, other)],
        )
        .alternative(
            "a day, with a revocation list",
            "every node would have to hold the list within seconds, which is a second session \
             store.",
            vec![day],
        )
}

/// Requests a second that carry a token.
fn proven(draft: &Draft<'_>) -> f64 {
    let flows = draft.load.flows.iter().filter(|flow| !flow.internal && !flow.anonymous);
    flows.map(|flow| flow.rate.value).sum::<f64>() + 0.0
}

/// Callers that are active at the peak, by Little's law over their pauses.
fn callers(draft: &Draft<'_>) -> f64 {
    // Less what a sum of shares loses in its last digit.
    (proven(draft) * draft.catalog.value("think_time") - 1e-6).ceil()
}

fn refreshes(draft: &Draft<'_>, life: f64) -> Computed {
    let rate = Term::input(
        "requests",
        proven(draft),
        Unit::PerSecond,
        if draft.load.assumed { Grade::Assumed } else { Grade::Derived },
        "workload at goals.peak",
    );
    let life = Term::input("lifetime", life, Unit::Seconds, Grade::Derived, "this decision");
    (rate * draft.fact("think_time") / life).named("refreshes", Unit::PerSecond)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{LINKS, SHOP, check};
    use expect_test::expect;

    #[test]
    fn a_regime_shortens_the_life_of_a_token() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                system: 15 min, refreshed by rotation
                  flips at a stolen token that may work for 3.75 min at most: 160 rps of refreshes instead of 40 rps
            "#]],
        );
    }

    #[test]
    fn without_one_an_hour_is_enough() {
        check(
            &RULE,
            LINKS,
            expect![[r#"
                system: 60 min, refreshed by rotation
                  flips at a stolen token that may work for 15 min at most: 11.2 rps of refreshes instead of 2.8 rps
            "#]],
        );
    }
}
