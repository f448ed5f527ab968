//! # D037 audit
//! Whose deeds are written down, beyond what logs tell.
//!
//! **Why**: who may act for others, or across tenants, must be able to show afterwards what they
//! did. A log line can be lost and edited; a row that commits with the change can't.
//! **Cost**: a row for each such change. **Instead**: the database's own log, read by hand.

use crate::draft::{Draft, bill};
use crate::rules::choice::listed;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::domain::Caller;

pub(super) const RULE: Rule =
    Rule { id: "D037", name: "audit", stage: Stage::Security, each: false, decide };

/// Changes a second from which the trail slows the transactions that it is part of.
const CHANGES_MAX: f64 = 2_000.0;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let wide: Vec<String> = draft
        .domain
        .actors
        .iter()
        .filter(|actor| actor.across_tenants)
        .map(|actor| format!("`{}`", actor.name))
        .collect();
    let regimes = bill::audit_regimes(draft);
    if !bill::audited(draft) {
        return Vec::new();
    }
    let apart = draft.load.writes() > CHANGES_MAX;
    let powers = powers(draft);
    let growth = bill::audit_volume(draft);
    let mut choice = RULE
        .on("system", "whose deeds are written down?")
        .choose(if apart {
            "an append-only audit trail of every change, hash-chained, in a store of its own that \
             follows the outbox"
        } else {
            "an append-only audit trail of every change, hash-chained, in the transaction of the \
             change"
        })
        .because_if(!wide.is_empty(), || {
            format!("{} may look into every tenant: each look is an entry, too.", listed(&wide))
        })
        .because_if(!regimes.is_empty(), || {
            format!(
                "{}: who changed what, and when.",
                regimes.iter().map(|regime| regime.to_uppercase()).collect::<Vec<_>>().join(", ")
            )
        })
        .because_if(!powers.is_empty(), || {
            format!("Rules without a condition on the row: {}.", listed(&powers))
        })
        .number(growth.clone())
        .alternative(
            "log lines",
            "they are sampled, they expire, and who can deploy can edit them.",
            Vec::new(),
        )
        .alternative(
            "the database's own log",
            "it names the service's login, never the caller.",
            Vec::new(),
        )
        .consequence(format!(
            "{} a month at the workload's rate beside {} of rows in all: kept apart, so that \
             erasing a person does not break the chain, and moved to object storage for {}, as \
             much again for each month that is kept.",
            facts::bytes(growth.value),
            facts::bytes(draft.bytes()),
            facts::money(draft, bill::audit(draft, 1.0).value)
        ))
        .flips(flip(draft, apart))
        .effect(Effect::AdviceOnly);
    for regime in regimes {
        choice = choice.driver(format!("constraints.compliance.{regime}"));
    }
    for actor in draft.domain.actors.iter().filter(|actor| actor.across_tenants) {
        choice = choice.driver(format!("actors.{}", actor.name));
    }
    vec![choice.done(draft)]
}

fn flip(draft: &Draft<'_>, apart: bool) -> String {
    let (most, now) = (facts::rps(CHANGES_MAX), facts::rps(draft.load.writes()));
    if apart {
        format!("fewer than {most} of changes ({now} now): the trail beside the rows")
    } else {
        format!("more than {most} of changes ({now} now): the trail in a store of its own")
    }
}

/// Actors that may change rows without a condition that ties them to the row.
fn powers(draft: &Draft<'_>) -> Vec<String> {
    let mut found: Vec<String> = draft
        .domain
        .roots()
        .flat_map(|(_, one)| {
            let commands = one.commands.iter().flat_map(|command| &command.by);
            one.access.update.iter().chain(&one.access.delete).chain(commands)
        })
        .filter(|grant| grant.when.is_none())
        .filter_map(|grant| match grant.caller {
            Caller::Actor(..) => Some(format!("`{}`", grant.text)),
            Caller::Anyone | Caller::System => None,
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{CLINIC, LINKS, check};
    use expect_test::expect;

    #[test]
    fn regimes_and_wide_actors_are_written_down() {
        check(
            &RULE,
            CLINIC,
            expect![[r#"
                system: an append-only audit trail of every change, hash-chained, in the transaction of the change
                  flips at more than 2,000 rps of changes (1.12 rps now): the trail in a store of its own
            "#]],
        );
    }

    #[test]
    fn without_either_logs_are_enough() {
        check(&RULE, LINKS, expect![[""]]);
    }
}
