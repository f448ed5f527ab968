//! # D037 audit
//! Whose deeds are written down, beyond what logs tell.
//!
//! **Why**: who may act for others, or across tenants, must be able to show afterwards what they
//! did. A log line can be lost and edited; a row that commits with the change can't.
//! **Cost**: a row for each such change. **Instead**: the database's own log, read by hand.

use crate::capacity::Term;
use crate::draft::{Draft, bill};
use crate::rules::choice::{Choice, listed};
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::domain::{ActorId, Caller, Grant};
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D037", name: "audit", stage: Stage::Security, each: false, decide };

/// Changes a second from which the trail slows the transactions that it is part of.
const CHANGES_MAX: f64 = 2_000.0;

/// Seconds of a year.
const YEAR: f64 = 365.0 * 86_400.0;

/// Years that a regime has entries kept, the longest first, and where it says so.
const TIMES: [(&str, f64, &str); 3] = [
    ("hipaa", 6.0, "45 CFR 164.316(b)(2)(i)"),
    ("pci-dss", 1.0, "PCI DSS 4.0, 10.5.1"),
    ("soc2", 1.0, "the period of a report"),
];

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
    let kept = kept(&regimes);
    let powers = powers(draft);
    let growth = bill::audit_volume(draft);
    let choice = RULE
        .on("system", "whose deeds are written down?")
        .choose(
            "an append-only audit trail of every change, hash-chained, in the transaction of the \
             change",
        )
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
        .number(kept.clone())
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
        .alternative(
            "entries that are chained later, behind the changes",
            "until then whoever can write to the database can change them unseen, and a crash \
             leaves the end of the chain open.",
            Vec::new(),
        )
        .flips(flip(draft))
        .set("audited", true)
        .set("audit_seconds", kept.value)
        .effect(Effect::RunsHere);
    let mut choice = followed(draft, choice, &growth);
    for regime in regimes {
        choice = choice.driver(format!("constraints.compliance.{regime}"));
    }
    for actor in draft.domain.actors.iter().filter(|actor| actor.across_tenants) {
        choice = choice.driver(format!("actors.{}", actor.name));
    }
    vec![choice.done(draft)]
}

/// What follows from it.
fn followed(draft: &Draft<'_>, choice: Choice, growth: &Computed) -> Choice {
    choice
        .consequence(format!(
            "{} a month at the workload's rate in the database of the rows, beside {} of them in \
             all; the bill has a month of it, {}, and as much again goes onto it for each month \
             that is kept.",
            facts::bytes(growth.value),
            facts::bytes(draft.bytes()),
            facts::money(draft, bill::audit(draft, 1.0).value)
        ))
        .consequence(
            "Values of fields that are personal, secret or for some readers alone are never in \
             it, so that erasing a person does not break the chain.",
        )
        .consequence(format!(
            "`GET /{}/audit` shows a tenant's entries to {}; `mainstay audit verify` walks the \
             chains.",
            draft.contract.version,
            listed(&readers(draft))
        ))
        .consequence(match draft.domain.tenancy {
            Some(_) => format!(
                "On PostgreSQL commits of one tenant go one after the other while they append: {} \
                 of changes is what all tenants make together.",
                facts::rps(draft.load.writes())
            ),
            None => format!(
                "On PostgreSQL commits go one after the other while they append: there are {} of \
                 changes.",
                facts::rps(draft.load.writes())
            ),
        })
}

fn flip(draft: &Draft<'_>) -> String {
    let (most, now) = (facts::rps(CHANGES_MAX), facts::rps(draft.load.writes()));
    if draft.load.writes() > CHANGES_MAX {
        format!("fewer than {most} of changes ({now} now): commits do not wait for the trail")
    } else {
        format!("more than {most} of changes ({now} now): commits wait for the trail")
    }
}

/// How long entries are kept: what the regime that asks for the longest time asks, a year where
/// none says. How long rows are kept changes nothing: the trail has no values of theirs that would
/// have to go with them.
fn kept(regimes: &[&str]) -> Computed {
    let longest = TIMES.iter().find(|(regime, ..)| regimes.contains(regime));
    let (_, years, source) = longest.unwrap_or(&("", 1.0, "a year, where no regime says"));
    let year = Term::input("year", YEAR, Unit::Seconds, Grade::Catalogue, "365 days");
    let years = Term::input("years", *years, Unit::One, Grade::Catalogue, source);
    (years * year).named("entries kept", Unit::Seconds)
}

/// Who sees entries: who may read and change all rows of a resource, and who may look into every
/// tenant.
fn readers(draft: &Draft<'_>) -> Vec<String> {
    let domain = &draft.domain;
    let mut found: Vec<String> = Vec::new();
    for (_, one) in domain.roots() {
        let always = |grants: &[Grant]| -> Vec<Caller> {
            let free = grants.iter().filter(|grant| grant.when.is_none());
            free.map(|grant| grant.caller.clone()).collect()
        };
        let reads = always(&one.access.read);
        let commands = one.commands.iter().flat_map(|command| always(&command.by));
        let changes = always(&one.access.update).into_iter().chain(always(&one.access.delete));
        let wide = domain.actors.iter().enumerate().filter(|(_, actor)| actor.across_tenants);
        let wide = wide.map(|(at, _)| Caller::Actor(ActorId::of(at), None));
        for caller in changes.chain(commands).chain(wide) {
            let Caller::Actor(id, role) = &caller else { continue };
            let reading = reads.iter().any(|read| match read {
                Caller::Anyone => true,
                Caller::Actor(other, any) => other == id && (any.is_none() || any == role),
                Caller::System => false,
            });
            let actor = domain.actor(*id);
            let role = role.and_then(|role| actor.roles.get(usize::from(role)));
            if reading {
                found.push(match role {
                    Some(role) => format!("`{}.{role}`", actor.name),
                    None => format!("`{}`", actor.name),
                });
            }
        }
    }
    found.sort();
    found.dedup();
    if found.is_empty() { vec!["nobody but `system`".to_owned()] } else { found }
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
                  flips at more than 2,000 rps of changes (1.12 rps now): commits wait for the trail
            "#]],
        );
    }

    #[test]
    fn without_either_logs_are_enough() {
        check(&RULE, LINKS, expect![[""]]);
    }
}
