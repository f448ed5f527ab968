//! # D030 authentication
//! How each actor proves who it is, and what checking the proof costs.
//!
//! **Why**: every request is checked; a check that asks somebody else adds a round trip and a
//! dependency to each of them. A signature is checked in process against a cached key set, and a
//! verified token is remembered until it expires.
//! **Cost**: a stolen token works until it expires. **Instead**: introspection, sessions.

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
    Rule { id: "D030", name: "authentication", stage: Stage::Security, each: false, decide };

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let of = |proof: Proof| -> Vec<String> {
        let actors = draft.domain.actors.iter().filter(|actor| actor.proof == proof);
        actors.map(|actor| format!("`{}`", actor.name)).collect()
    };
    let (people, machines) = (of(Proof::Oidc), of(Proof::ApiKey));
    if people.is_empty() && machines.is_empty() {
        return Vec::new();
    }
    let proven = proven(draft);
    let checks = (Term::from(&proven) * draft.fact("token_check"))
        .named("CPU for unremembered signatures", Unit::Count("cores".to_owned()));
    let parts = parts(&people, &machines);
    let anonymous = draft.load.clients() - proven.value;
    let choice = RULE
        .on("system", "how does a caller prove who it is?")
        .choose(parts.join("; "))
        .because(format!(
            "{} of {} at the peak carry a proof; asking the provider about each would make it \
             part of every one of them.",
            facts::rps(proven.value),
            facts::rps(draft.load.clients())
        ))
        .because_if(anonymous > 0.5, || {
            format!(
                "{} come without any: only what `anyone` may is open to them.",
                facts::rps(anonymous)
            )
        })
        .because_if(!machines.is_empty(), || {
            format!(
                "{} is software without a browser: a key with a prefix that scanners know, an \
                 expiry and a revocation fits it better than a login.",
                listed(&machines)
            )
        })
        .number(proven.clone())
        .number(checks)
        .consequence(
            "An outage of the provider stops logins, not requests: its keys are kept and used \
             stale.",
        )
        .flips(format!(
            "revocation within seconds demanded: introspection, {} a second more for the provider",
            facts::number(proven.value)
        ))
        .driver("actors")
        .authority(Authority::Advises)
        .consult(
            "security: which provider issues the tokens, which claims it can carry, and who may \
             rotate its keys?",
        )
        .effect(Effect::RunsHere)
        .set("token_check", "local");
    let people = [people, machines].concat();
    vec![others(choice, draft, &proven, &people).done(draft)]
}

fn others(choice: Choice, draft: &Draft<'_>, proven: &Computed, actors: &[String]) -> Choice {
    let trip = draft.fact("network_trip").named("introspection on each request", Unit::Seconds);
    choice
        .alternative(
            "introspection of each token (RFC 7662)",
            format!(
                "{} calls a second to the provider, {} more on each request, and its outages \
                 become ours; what it buys is revocation at once.",
                facts::number(proven.value),
                facts::time(trip.value)
            ),
            vec![trip],
        )
        .alternative(
            "sessions in a cookie",
            format!("{} would need a store of sessions that each request reads.", listed(actors)),
            vec![sessions(draft, proven)],
        )
}

fn parts(people: &[String], machines: &[String]) -> Vec<String> {
    let mut parts = Vec::new();
    if !people.is_empty() {
        parts.push(format!(
            "{} by tokens of an OpenID provider, checked in process",
            listed(people)
        ));
    }
    if !machines.is_empty() {
        parts.push(format!(
            "{} by keys of our own, of which only hashes are stored",
            listed(machines)
        ));
    }
    parts
}

/// Requests a second that carry a proof.
fn proven(draft: &Draft<'_>) -> Computed {
    let flows = draft.load.flows.iter().filter(|flow| !flow.internal && !flow.anonymous);
    let rate = flows.map(|flow| flow.rate.value).sum();
    let grade = if draft.load.assumed { Grade::Assumed } else { Grade::Derived };
    Term::input("proven", rate, Unit::PerSecond, grade, "workload at goals.peak")
        .named("requests with a proof", Unit::PerSecond)
}

fn sessions(draft: &Draft<'_>, proven: &Computed) -> Computed {
    let think = draft.fact("think_time");
    (Term::from(proven) * think)
        .named("sessions at once, at least", Unit::Count("sessions".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{CLINIC, SHOP, check};
    use expect_test::expect;

    #[test]
    fn people_sign_in_with_a_provider_and_machines_with_keys() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                system: `shopper` and `staff` by tokens of an OpenID provider, checked in process; `partner` by keys of our own, of which only hashes are stored
                  flips at revocation within seconds demanded: introspection, 1,200 a second more for the provider
            "#]],
        );
    }

    #[test]
    fn without_partners_there_are_no_keys() {
        check(
            &RULE,
            CLINIC,
            expect![[r#"
                system: `patient`, `staff`, `doctor` and `support` by tokens of an OpenID provider, checked in process
                  flips at revocation within seconds demanded: introspection, 20 a second more for the provider
            "#]],
        );
    }
}
