//! # D068 roadmap
//! In which order it is built, so that each phase can be shown to somebody.
//!
//! **Why**: a context needs those it refers to; a workflow needs its commands and what it calls
//! outside. What nothing needs comes last.
//! **Cost**: the risky part may come late, unless it is pulled forward. **Instead**: all at once.

use crate::draft::Draft;
use crate::draft::inputs::Knob;
use crate::rules::choice::{counted, listed};
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Authority, Decision, Effect, Stage};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const RULE: Rule =
    Rule { id: "D068", name: "roadmap", stage: Stage::Operations, each: false, decide };

/// Resources that one engineer models, reviews and tests in a week; the rest is generated.
const RESOURCES_A_WEEK: f64 = 2.0;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    if draft.quick {
        return Vec::new();
    }
    let phases = phases(draft);
    let team = draft.value(Knob::Team);
    let weeks = |work: f64| (work / RESOURCES_A_WEEK / team.max(1.0)).ceil().max(1.0);
    let total: f64 = phases.iter().map(|(_, _, work)| weeks(*work)).sum();
    let halved: f64 = phases
        .iter()
        .map(|(_, _, work)| (work / RESOURCES_A_WEEK / (team * 2.0).max(1.0)).ceil().max(1.0))
        .sum();
    let mut choice = RULE
        .on("system", "in which order is it built?")
        .choose(phases.iter().map(|(name, _, _)| name.as_str()).collect::<Vec<_>>().join(", then "))
        .number(facts::count("phases", phases.len() as f64, "phases", "references and workflows"))
        .alternative(
            "every context at once",
            format!(
                "{} would build against references that do not stand yet.",
                counted(team, "engineer", "engineers")
            ),
            Vec::new(),
        )
        .consequence(format!(
            "About {} for {} in all, at {} resources an engineer and week; measure it in the \
             first phase.",
            counted(total, "week", "weeks"),
            counted(team, "engineer", "engineers"),
            facts::number(RESOURCES_A_WEEK)
        ))
        .flips(if halved >= total {
            match phases.len() {
                1 => "no larger team: the one phase takes a week at least".to_owned(),
                many => {
                    format!("no larger team: {many} phases follow each other, a week each at least")
                }
            }
        } else {
            format!(
                "{} instead of {}: about {}",
                counted(team * 2.0, "engineer", "engineers"),
                counted(team, "engineer", "engineers"),
                counted(halved, "week", "weeks")
            )
        })
        .driver("constraints.team")
        .driver("contexts")
        .authority(Authority::Advises)
        .effect(Effect::AdviceOnly);
    for (at, (name, why, work)) in phases.iter().enumerate() {
        choice = choice.because(format!(
            "Phase {}, {}: {name}. {why}",
            at + 1,
            counted(weeks(*work), "week", "weeks")
        ));
    }
    vec![choice.done(draft)]
}

/// Name, reason and work of each phase.
fn phases(draft: &Draft<'_>) -> Vec<(String, String, f64)> {
    let mut found = Vec::new();
    for layer in layers(draft) {
        let names: Vec<String> =
            layer.iter().map(|at| format!("`{}`", draft.domain.contexts[*at].name)).collect();
        let needs = needs(draft, &layer);
        let resources = draft
            .domain
            .resources
            .iter()
            .filter(|one| layer.contains(&one.context.index()))
            .count();
        let why = if needs.is_empty() {
            if names.len() > 1 {
                "They refer to nothing else and can be shown alone.".to_owned()
            } else {
                "It refers to nothing else and can be shown alone.".to_owned()
            }
        } else {
            format!("It needs {}.", listed(&needs))
        };
        found.push((names.join(" and "), why, resources as f64));
    }
    for workflow in &draft.model.workflows {
        let outside: BTreeSet<&str> = draft
            .load
            .outside
            .iter()
            .filter(|call| call.caller == workflow.name.value)
            .map(|call| call.integration.as_str())
            .collect();
        let outside: Vec<String> = outside.iter().map(|name| format!("`{name}`")).collect();
        let steps = facts::steps(&workflow.steps).len();
        let why = if outside.is_empty() {
            format!("{} over commands that stand by then.", counted(steps as f64, "step", "steps"))
        } else {
            format!(
                "{}; begin the contract with {} in phase 1, for its access takes longest.",
                counted(steps as f64, "step", "steps"),
                listed(&outside)
            )
        };
        found.push((format!("workflow `{}`", workflow.name.value), why, steps as f64));
    }
    let views: Vec<String> = draft
        .model
        .contexts
        .iter()
        .flat_map(|context| &context.views)
        .map(|view| format!("`{}`", view.name.value))
        .collect();
    if !views.is_empty() {
        let why = "They replay the events from the beginning, so they lose nothing by being last.";
        found.push((format!("read models {}", listed(&views)), why.to_owned(), views.len() as f64));
    }
    found
}

/// Contexts by how deep what they refer to lies; those in a circle share a layer.
fn layers(draft: &Draft<'_>) -> Vec<Vec<usize>> {
    let mut refers: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for relation in facts::relations(draft.domain) {
        let from = draft.domain.resource(relation.from).context.index();
        let to = draft.domain.resource(relation.to).context.index();
        refers.entry(from).or_default().insert(to);
    }
    let count = draft.domain.contexts.len();
    let mut done: BTreeSet<usize> = BTreeSet::new();
    let mut layers = Vec::new();
    while done.len() < count {
        let ready: Vec<usize> = (0..count)
            .filter(|at| !done.contains(at))
            .filter(|at| {
                refers.get(at).is_none_or(|needs| needs.iter().all(|to| done.contains(to)))
            })
            .collect();
        let layer = if ready.is_empty() {
            (0..count).filter(|at| !done.contains(at)).collect()
        } else {
            ready
        };
        done.extend(&layer);
        layers.push(layer);
    }
    layers
}

fn needs(draft: &Draft<'_>, layer: &[usize]) -> Vec<String> {
    let found: BTreeSet<String> = facts::relations(draft.domain)
        .into_iter()
        .filter(|relation| layer.contains(&draft.domain.resource(relation.from).context.index()))
        .map(|relation| format!("`{}`", draft.name(relation.to)))
        .collect();
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{NOTES, SHOP, check};
    use expect_test::expect;

    #[test]
    fn contexts_come_after_what_they_refer_to() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                system: `catalog`, then `ordering`, then `notifications`, then workflow `place_order`, then read models `SalesByDay`
                  flips at no larger team: 5 phases follow each other, a week each at least
            "#]],
        );
    }

    #[test]
    fn one_context_is_one_phase() {
        check(
            &RULE,
            NOTES,
            expect![[r#"
                system: `notes`
                  flips at no larger team: the one phase takes a week at least
            "#]],
        );
    }
}
