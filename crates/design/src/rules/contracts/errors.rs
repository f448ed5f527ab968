//! # D006 errors
//! The form of an error.
//!
//! **Why**: a client decides by `type` what to do and shows `detail` to people; one form for all
//! errors, those of limits and routing among them, is one handler in each client.
//! **Cost**: a page for each type. **Instead**: status and text, or an envelope of one's own.

use crate::draft::Draft;
use crate::rules::choice::{counted, listed};
use crate::rules::facts;
use crate::stages::Rule;
use ir::contract::{OperationKind, problems};
use ir::decision::{Decision, Effect, Stage};
use std::collections::BTreeSet;

pub(super) const RULE: Rule =
    Rule { id: "D006", name: "errors", stage: Stage::Contracts, each: false, decide };

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    if draft.quick {
        return Vec::new();
    }
    let mut slugs: Vec<&str> =
        draft.contract.operations.iter().flat_map(|one| one.problems.iter().copied()).collect();
    slugs.sort_unstable();
    slugs.dedup();
    let guarded = guarded(draft);
    let conflicts = conflicts(&guarded);
    let commands = draft.contract.operations.iter();
    let commands = commands.filter(|one| matches!(one.kind, OperationKind::Command(_))).count();
    let statuses: BTreeSet<u16> = draft
        .contract
        .problems
        .iter()
        .filter(|problem| slugs.contains(&problem.slug))
        .map(|problem| problem.status)
        .collect();
    let choice = RULE
        .on("system", "in which form does an error arrive?")
        .choose("RFC 9457, `application/problem+json`")
        .because_if(!guarded.is_empty(), || {
            format!(
                "{} can be refused for more than one reason with the same 409: {} tell them \
                 apart, the status does not.",
                listed(&guarded.iter().map(|one| one.command.as_str()).collect::<Vec<_>>()),
                listed(&conflicts)
            )
        })
        .because(format!(
            "{} over {} in {} of `{}`: a client that handles the type handles every operation.",
            counted(slugs.len() as f64, "problem type", "problem types"),
            counted(statuses.len() as f64, "status", "statuses"),
            counted(draft.contract.operations.len() as f64, "operation", "operations"),
            draft.domain.system
        ))
        .number(facts::count("problem types", slugs.len() as f64, "types", "contract"))
        .number(facts::count("commands", commands as f64, "operations", "contract"))
        .alternative(
            "status and text",
            format!(
                "{} statuses for {} causes: {} more would be told apart by their English.",
                statuses.len(),
                slugs.len(),
                counted((slugs.len() - statuses.len().min(slugs.len())) as f64, "cause", "causes")
            ),
            vec![facts::count(
                "distinguishable causes",
                statuses.len() as f64,
                "statuses",
                "contract",
            )],
        )
        .alternative(
            "an envelope of our own",
            "gateways and limits in front answer 404, 413, 429 and 503 themselves, and not in it.",
            Vec::new(),
        )
        .flips(format!(
            "one cause for each status ({} causes over {} statuses now): the status alone would do",
            slugs.len(),
            statuses.len()
        ))
        .driver("contexts")
        .effect(Effect::RunsHere)
        .set("errors", "problem+json");
    vec![choice.done(draft)]
}

fn conflicts(guarded: &[Refused]) -> Vec<String> {
    let all: BTreeSet<&str> =
        guarded.iter().flat_map(|one| one.conflicts.iter().copied()).collect();
    all.iter().map(|slug| format!("`{slug}`")).collect()
}

/// A command of clients with the types of 409 that the row itself can refuse it with.
struct Refused {
    command: String,
    conflicts: Vec<&'static str>,
}

/// Commands of clients with more than one reason for a 409 beside a key that is still running.
fn guarded(draft: &Draft<'_>) -> Vec<Refused> {
    let is_conflict = |slug: &&'static str| {
        let status = problems::named(slug).map(|problem| problem.status);
        status == Some(409) && *slug != problems::KEY_RUNNING.slug
    };
    let refused = |operation: &ir::contract::Operation| {
        let OperationKind::Command(id) = operation.kind else { return None };
        let resource = draft.domain.resource(operation.resource?);
        let command = format!("`{}.{}`", resource.name, resource.commands[id.index()].name);
        let conflicts = operation.problems.iter().copied().filter(is_conflict).collect();
        Some(Refused { command, conflicts })
    };
    let public = draft.contract.operations.iter().filter(|one| !one.internal);
    public.filter_map(refused).filter(|refused| refused.conflicts.len() > 1).collect()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{NOTES, SHOP, check};
    use expect_test::expect;

    #[test]
    fn guards_and_transitions_need_more_than_a_status() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                system: RFC 9457, `application/problem+json`
                  flips at one cause for each status (34 causes over 19 statuses now): the status alone would do
            "#]],
        );
    }

    #[test]
    fn plain_writes_have_types_too() {
        check(
            &RULE,
            NOTES,
            expect![[r#"
                system: RFC 9457, `application/problem+json`
                  flips at one cause for each status (26 causes over 19 statuses now): the status alone would do
            "#]],
        );
    }
}
