//! # D038 threats
//! What can go wrong at each border of trust, and what stands against it.
//!
//! **Why**: threats live where trust changes hands: callers, tenants, systems outside, operators.
//! **Cost**: each control is checked by a test, or it is a wish. **Instead**: one wall at the edge.

use crate::draft::Draft;
use crate::rules::choice::{Choice, listed};
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Authority, Decision, Effect, Stage};

pub(super) const RULE: Rule =
    Rule { id: "D038", name: "threats", stage: Stage::Security, each: false, decide };

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let mut found = vec![callers(draft).done(draft)];
    if draft.tenants() {
        found.push(tenants(draft).done(draft));
    }
    found.extend(draft.model.integrations.iter().map(|one| outside(draft, one).done(draft)));
    let hooks: Vec<String> = draft
        .model
        .events
        .iter()
        .filter(|event| !event.webhook.is_empty())
        .map(|event| format!("`{}`", event.name.value))
        .collect();
    if !hooks.is_empty() {
        found.push(webhooks(&hooks).done(draft));
    }
    found
}

fn callers(draft: &Draft<'_>) -> Choice {
    let open: Vec<String> = draft
        .contract
        .operations
        .iter()
        .filter(|one| one.anonymous && !one.internal)
        .map(|one| format!("`{}`", one.id))
        .collect();
    let writes = draft.contract.operations.iter().filter(|one| one.method != "GET").count();
    let redirects: Vec<String> = draft
        .domain
        .resources()
        .filter(|(_, one)| one.routes.iter().any(|route| route.redirect.is_some()))
        .map(|(id, _)| format!("`{}`", draft.name(id)))
        .collect();
    RULE.on("callers", "what can a caller do that it should not?")
        .choose("deny by default, strict bodies, limits on everything")
        .because(if open.is_empty() {
            format!(
                "None of the {} operations of `{}` is answered without a proof of who asks.",
                draft.contract.operations.len(),
                draft.domain.system
            )
        } else {
            format!("Open to anyone: {}.", listed(&open))
        })
        .because(format!(
            "Broken object level authorization (OWASP API1:2023) is met by the row rule of each \
             of {} writing operations of `{}`; mass assignment (API3) by refusing members that \
             are not writable.",
            facts::number(writes as f64),
            draft.domain.system
        ))
        .because_if(!redirects.is_empty(), || {
            format!(
                "{} sends strangers to addresses that others typed in: a name for phishing. Only \
                 http(s) is taken; a takedown is a command, not a deployment.",
                listed(&redirects)
            )
        })
        .number(facts::count("open operations", open.len() as f64, "operations", "contract"))
        .number(facts::count("writing operations", writes as f64, "operations", "contract"))
        .alternative(
            "a firewall with signatures in front",
            "it sees neither rows nor rules; it helps against floods, which the balancer meets \
             too.",
            Vec::new(),
        )
        .flips(format!(
            "a first operation more for `anyone` ({} now): its limits are looked at again",
            open.len()
        ))
        .consequence("A parameter or member that is not known is refused, never ignored.")
        .driver("contexts.*.resources.*.allow")
        .effect(Effect::RunsHere)
}

fn tenants(draft: &Draft<'_>) -> Choice {
    let wide: Vec<String> = draft
        .domain
        .actors
        .iter()
        .filter(|actor| actor.across_tenants)
        .map(|actor| format!("`{}`", actor.name))
        .collect();
    let shared: Vec<String> = draft
        .domain
        .resources()
        .filter(|(_, one)| one.shared)
        .map(|(id, _)| format!("`{}`", draft.name(id)))
        .collect();
    RULE.on("tenants", "what can one tenant learn of another?")
        .choose("the tenant is part of every query, cursor, cache key and idempotency key")
        .because(format!(
            "The tenant comes from the claim `{}` of the token{}; never from a body.",
            draft.domain.tenancy.as_ref().map_or("", |one| one.claim.as_str()),
            if draft.domain.tenancy.as_ref().is_some_and(|one| one.host.is_some()) {
                ", or the host where there is none"
            } else {
                ""
            }
        ))
        .because_if(!wide.is_empty(), || {
            format!("{} may enter every tenant, one at a time, by its host.", listed(&wide))
        })
        .because_if(!shared.is_empty(), || {
            format!(
                "{} belong to no tenant: what is written there is read by all.",
                listed(&shared)
            )
        })
        .number(facts::count(
            "resources that carry the tenant",
            draft.domain.resources.iter().filter(|one| !one.shared).count() as f64,
            "resources",
            "tenancy",
        ))
        .alternative(
            "a check in each handler",
            "the one that is forgotten is found by a customer.",
            Vec::new(),
        )
        .flips(if draft.flag("tenant_files") {
            "`tenancy: row`: the column in each query is then the only wall on SQLite"
        } else {
            "`tenancy: database`: a query could not reach another tenant even by mistake"
        })
        .consequence("A row of another tenant is a 404, so that not even its existence is told.")
        .driver("tenancy")
        .effect(Effect::RunsHere)
}

fn outside(draft: &Draft<'_>, one: &ir::model::Integration) -> Choice {
    let name = &one.name.value;
    let calls = draft.load.to_integration(name);
    let unguarded: Vec<String> = one
        .operations
        .iter()
        .filter(|operation| operation.method != "get" && operation.idempotent.is_none())
        .map(|operation| format!("`{name}.{}`", operation.name.value))
        .collect();
    RULE.on(name, format!("what can `{name}` do to us, and we to it?"))
        .choose("its answers are checked against the model; its silence is a state, not an error")
        .because(format!("{} calls a second at the peak leave with our key.", facts::number(calls)))
        .because_if(!unguarded.is_empty(), || {
            format!(
                "{} has no idempotency key: an answer that is lost may mean a deed done twice.",
                listed(&unguarded)
            )
        })
        .number(facts::count("calls a second", calls, "calls", "workload"))
        .alternative(
            "trusting what it answers",
            format!(
                "unsafe consumption of APIs (OWASP API10:2023): a changed answer of `{name}` \
                 would be stored."
            ),
            Vec::new(),
        )
        .flips(format!("`{name}` calling us: its signature is checked and its address allowed"))
        .consequence(format!(
            "The key to `{name}` is read from the environment and appears in no log."
        ))
        .driver(format!("integrations.{name}"))
        .authority(Authority::Advises)
        .effect(Effect::FilesOnly)
}

fn webhooks(hooks: &[String]) -> Choice {
    RULE.on("webhooks", "what can a receiver's address be abused for?")
        .choose("addresses are resolved, then private ones refused; each delivery is signed")
        .because(format!("{} go to addresses that partners type in.", listed(hooks)))
        .number(facts::count("events sent out", hooks.len() as f64, "events", "events.*.webhook"))
        .alternative(
            "an allow-list kept by hand",
            "a partner would wait for us with each new address.",
            Vec::new(),
        )
        .flips("receivers that we run ourselves: no address is typed in by others")
        .consequence("A redirect counts as a failure: it could lead inside (OWASP API7:2023).")
        .driver("events")
        .effect(Effect::AdviceOnly)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{LINKS, SHOP, check};
    use expect_test::expect;

    #[test]
    fn each_border_of_trust_has_its_answer() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                callers: deny by default, strict bodies, limits on everything
                  flips at a first operation more for `anyone` (2 now): its limits are looked at again
                tenants: the tenant is part of every query, cursor, cache key and idempotency key
                  flips at `tenancy: database`: a query could not reach another tenant even by mistake
                payments: its answers are checked against the model; its silence is a state, not an error
                  flips at `payments` calling us: its signature is checked and its address allowed
                webhooks: addresses are resolved, then private ones refused; each delivery is signed
                  flips at receivers that we run ourselves: no address is typed in by others
            "#]],
        );
    }

    #[test]
    fn without_tenants_and_outside_one_border_is_left() {
        check(
            &RULE,
            LINKS,
            expect![[r#"
                callers: deny by default, strict bodies, limits on everything
                  flips at a first operation more for `anyone` (1 now): its limits are looked at again
            "#]],
        );
    }
}
