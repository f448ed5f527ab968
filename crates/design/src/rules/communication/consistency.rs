//! # D023 consistency
//! What a reader may rely on, inside an aggregate and beyond it.
//!
//! **Why**: each promise has a price; saying where it ends is what keeps a client from relying on
//! more. **Cost** of the strongest everywhere: a transaction over everything.
//! **Instead**: eventual everywhere, which moves the work into every client.

use crate::draft::Draft;
use crate::rules::Choice;
use crate::rules::choice::{counted, listed};
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::model::At;

pub(super) const RULE: Rule =
    Rule { id: "D023", name: "consistency", stage: Stage::Communication, each: false, decide };

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let domain = draft.domain;
    let aggregates = aggregates(draft);
    let copies = copies(draft);
    let workflows: Vec<String> =
        draft.model.workflows.iter().map(|one| format!("`{}`", one.name)).collect();
    let views = views(draft);
    let cached: Vec<String> = draft
        .numbers("cache_seconds")
        .map(|(name, seconds)| format!("`{name}` within {}", facts::time(seconds)))
        .collect();
    let roots = domain.roots().count() as f64;
    let names: Vec<String> =
        domain.roots().map(|(id, _)| format!("`{}`", draft.name(id))).collect();
    let beyond = !workflows.is_empty() || !views.is_empty() || !cached.is_empty();
    let mut choice = RULE
        .on("system", "what may a reader rely on?")
        .choose(if beyond {
            "serializable inside an aggregate, eventual with a named bound beyond it"
        } else {
            "serializable inside an aggregate; nothing here is eventual"
        })
        .number(facts::count("aggregates", roots, "aggregates", "contexts"))
        .flips(if beyond {
            "a reader who may not see a step of a workflow or an old view: that part moves into \
             one aggregate"
                .to_owned()
        } else {
            format!(
                "a workflow or a view over {}: it is eventual, with a bound of its own",
                counted(roots, "aggregate", "aggregates")
            )
        })
        .driver("contexts")
        .effect(Effect::RunsHere);
    if !aggregates.is_empty() {
        choice = choice.because(format!(
            "{} change in one transaction under one version: a reader never sees half of it.",
            listed(&aggregates)
        ));
    } else {
        choice = choice.because(format!(
            "{} {} one row each: a write is a row, and whoever reads the {} next sees it.",
            listed(&names),
            if names.len() == 1 { "is" } else { "are" },
            if cached.is_empty() { "row" } else { "database rather than a cache" }
        ));
    }
    if !copies.is_empty() {
        choice = choice
            .because(format!("{} keep what was true at the write on purpose.", listed(&copies)));
    }
    if !workflows.is_empty() {
        choice = choice.because(format!(
            "{} span aggregates: while one runs, others see its steps one by one, and \
             `not_during` is the only lock.",
            listed(&workflows)
        ));
    }
    let lagging: Vec<String> = views.into_iter().chain(cached).collect();
    if !lagging.is_empty() {
        choice = choice.because(format!("May be old: {}.", listed(&lagging)));
    }
    choice = others(choice, draft);
    vec![choice.done(draft)]
}

/// Roots with children, which change together.
fn aggregates(draft: &Draft<'_>) -> Vec<String> {
    let domain = draft.domain;
    let owners = domain.roots().filter(|(_, resource)| resource.children().next().is_some());
    owners
        .map(|(id, resource)| {
            let children = resource.children().map(|(_, child)| &domain.resource(child).name);
            let children: Vec<&String> = children.collect();
            format!("`{}` with its {}", draft.name(id), listed(&children))
        })
        .collect()
}

/// Fields that keep what was true when they were written.
fn copies(draft: &Draft<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for relation in facts::relations(draft.domain) {
        let from = draft.name(relation.from);
        let written = relation.copies.iter().filter(|(_, at)| *at == At::Write);
        names.extend(written.map(|(field, _)| format!("`{from}.{field}`")));
    }
    names
}

fn views(draft: &Draft<'_>) -> Vec<String> {
    let views = draft.model.contexts.iter().flat_map(|context| &context.views);
    views
        .map(|view| match &view.fresh {
            Some(fresh) => format!("`{}` within {}", view.name, facts::time(fresh.value)),
            None => format!("`{}` without a bound", view.name),
        })
        .collect()
}

fn others(choice: Choice, draft: &Draft<'_>) -> Choice {
    let integrations: Vec<&str> =
        draft.model.integrations.iter().map(|one| one.name.as_str()).collect();
    choice
        .alternative(
            "one transaction over everything",
            if integrations.is_empty() {
                format!(
                    "{} would queue behind each other's locks across {}.",
                    facts::rps(draft.load.writes()),
                    counted(draft.domain.contexts.len() as f64, "context", "contexts")
                )
            } else {
                format!("{} cannot be rolled back by a database.", listed(&integrations))
            },
            Vec::new(),
        )
        .alternative(
            "eventual everywhere",
            "a guard of a command (`require`) would decide on a value that another caller has \
             already changed.",
            Vec::new(),
        )
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{NOTES, SHOP, check};
    use expect_test::expect;

    #[test]
    fn views_and_workflows_have_named_bounds() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                system: serializable inside an aggregate, eventual with a named bound beyond it
                  flips at a reader who may not see a step of a workflow or an old view: that part moves into one aggregate
            "#]],
        );
    }

    #[test]
    fn plain_aggregates_promise_the_most() {
        check(
            &RULE,
            NOTES,
            expect![[r#"
                system: serializable inside an aggregate; nothing here is eventual
                  flips at a workflow or a view over 1 aggregate: it is eventual, with a bound of its own
            "#]],
        );
    }
}
