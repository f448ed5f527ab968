//! # D032 authorization
//! Where the rules of access are decided.
//!
//! **Why**: a rule must hold the same for one row, for a list, for a count and for a page's end.
//! Compiled from the model it is checked in process on one row and becomes part of the query of a
//! list, so nothing is fetched that may not be seen.
//! **Cost**: rules change with a release. **Instead**: a policy server asked on each request.

use crate::capacity::Term;
use crate::draft::Draft;
use crate::draft::load::Work;
use crate::rules::Choice;
use crate::rules::choice::{counted, listed};
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::domain::Grant;
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D032", name: "authorization", stage: Stage::Security, each: false, decide };

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let grants: Vec<&Grant> = draft
        .domain
        .roots()
        .flat_map(|(_, one)| {
            let plain =
                [&one.access.read, &one.access.create, &one.access.update, &one.access.delete];
            let commands = one.commands.iter().map(|command| &command.by);
            plain.into_iter().chain(commands).flatten()
        })
        .collect();
    if grants.is_empty() {
        return Vec::new();
    }
    let conditional = grants.iter().filter(|grant| grant.when.is_some()).count();
    let filtered: Vec<String> = draft
        .domain
        .roots()
        .filter(|(_, one)| one.access.read.iter().any(|grant| grant.when.is_some()))
        .map(|(id, _)| format!("`{}`", draft.name(id)))
        .collect();
    let lists = conditional_lists(draft);
    let narrow: Vec<String> = draft
        .domain
        .resources()
        .flat_map(|(id, one)| {
            let own = one.fields.iter().filter(|field| field.read.is_some());
            own.map(move |field| format!("`{}.{}`", draft.name(id), field.name))
        })
        .collect();
    let choice = RULE
        .on("system", "where are the rules of access decided?")
        .choose(
            "in process, compiled from `allow` and `by`: a check on one row, a filter in each list",
        )
        .because(format!(
            "{} rules in {}, {} of them with a condition on the row.",
            grants.len(),
            counted(draft.domain.contexts.len() as f64, "context", "contexts"),
            conditional
        ))
        .because_if(!filtered.is_empty(), || {
            format!(
                "Lists of {} show each caller its own rows, {} a second: filtering after the read \
                 would break pages and counts.",
                listed(&filtered),
                facts::number(lists)
            )
        })
        .because_if(!narrow.is_empty(), || {
            format!("{} has rules of its own, narrower than its row's.", listed(&narrow))
        })
        .number(facts::count("rules", grants.len() as f64, "rules", "allow and by"))
        .consequence(
            "A denial names the rule that denied to those who may read the row, and is a 404 to \
             all others; `mainstay export cedar` gives the same rules to an independent engine.",
        )
        .flips(format!(
            "rules that change without a release, or more than 500 of them ({} now): a policy \
             store that the engine loads",
            grants.len()
        ))
        .driver("contexts.*.resources.*.allow")
        .effect(Effect::RunsHere);
    vec![others(choice, draft, grants.len() as f64).done(draft)]
}

/// Requests a second of lists that show each caller its own rows.
fn conditional_lists(draft: &Draft<'_>) -> f64 {
    let own = draft
        .domain
        .roots()
        .filter(|(_, one)| one.access.read.iter().any(|grant| grant.when.is_some()));
    own.map(|(id, _)| draft.load.on(id, Work::List)).fold(0.0, |sum, rate| sum + rate)
}

fn others(choice: Choice, draft: &Draft<'_>, grants: f64) -> Choice {
    let server = asked(draft);
    choice
        .alternative(
            "a policy server",
            format!(
                "{} on each of {}, and a list cannot be asked row by row: {} rows would be \
                 fetched to show one page.",
                facts::time(draft.catalog.value("network_trip")),
                facts::rps(draft.load.clients()),
                "all"
            ),
            vec![server],
        )
        .alternative(
            "checks in the code of each handler",
            format!(
                "{} would have to be written and kept alike in {}.",
                counted(grants, "rule", "rules"),
                counted(draft.contract.operations.len() as f64, "operation", "operations")
            ),
            Vec::new(),
        )
}

fn asked(draft: &Draft<'_>) -> Computed {
    let peak = Term::input(
        "requests",
        draft.load.clients(),
        Unit::PerSecond,
        Grade::Derived,
        "goals.peak",
    );
    (peak * draft.fact("network_trip"))
        .named("requests that wait for the policy server", Unit::Count("requests".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{NOTES, SHOP, check};
    use expect_test::expect;

    #[test]
    fn rules_are_compiled_into_checks_and_filters() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                system: in process, compiled from `allow` and `by`: a check on one row, a filter in each list
                  flips at rules that change without a release, or more than 500 of them (20 now): a policy store that the engine loads
            "#]],
        );
    }

    #[test]
    fn even_one_rule_is_decided_in_process() {
        check(
            &RULE,
            NOTES,
            expect![[r#"
                system: in process, compiled from `allow` and `by`: a check on one row, a filter in each list
                  flips at rules that change without a release, or more than 500 of them (4 now): a policy store that the engine loads
            "#]],
        );
    }
}
