//! # D026 sagas
//! Who keeps a workflow over several aggregates whole.
//!
//! **Why**: a transaction ends at an aggregate and at a company's border. What goes beyond is
//! either undone step by step or left half done.
//! **Cost**: others see the steps; each needs an undo that can be repeated. **Instead**:
//! choreography, where nobody holds the whole, or two-phase commit, where everybody waits.

use crate::capacity::Term;
use crate::draft::Draft;
use crate::rules::Choice;
use crate::rules::choice::{counted, listed};
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::model::{Step, Workflow};
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D026", name: "sagas", stage: Stage::Communication, each: false, decide };

/// Seconds of one command inside: a transaction and its commit.
const COMMAND_SECONDS: f64 = 0.005;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    draft.model.workflows.iter().map(|workflow| on(draft, workflow)).collect()
}

fn on(draft: &Draft<'_>, workflow: &Workflow) -> Decision {
    let name = workflow.name.as_str();
    let steps = facts::steps(&workflow.steps);
    let starts = draft.load.workflows.get(name).copied().unwrap_or(0.0);
    let outside: Vec<&str> =
        steps.iter().filter_map(|step| facts::outside(draft, step)).map(|(one, _)| one).collect();
    let undone: Vec<String> = steps
        .iter()
        .filter_map(|step| Some(format!("`{}` by `{}`", step.name, step.undo.as_ref()?)))
        .collect();
    let pivot = pivot(&steps);
    let time = duration(draft, &steps);
    let flight = Term::input("starts", starts, Unit::PerSecond, Grade::Derived, "workload")
        * Term::from(&time);
    let flight = flight.named("running at once", Unit::One);
    let mut choice = RULE
        .on(
            name,
            format!(
                "who keeps `{name}` whole over {}?",
                counted(steps.len() as f64, "step", "steps")
            ),
        )
        .choose("orchestrated saga, journalled before each effect")
        .because_if(!undone.is_empty(), || {
            format!("What fails later is taken back in reverse: {}.", listed(&undone))
        })
        .because_if(!outside.is_empty(), || {
            format!(
                "{} is another company's: it takes part in no transaction of ours, only in calls \
                 with a key and in undoing calls.",
                listed(&outside)
            )
        })
        .number(time.clone())
        .number(flight.clone())
        .driver(format!("workflows.{name}"))
        .flips(if outside.is_empty() {
            "all of its steps on one aggregate: a command, and no saga".to_owned()
        } else {
            format!(
                "{} offering a hold that lapses by itself: the undo is then never needed",
                listed(&outside)
            )
        })
        .effect(Effect::AdviceOnly);
    if let Some(pivot) = pivot {
        choice = choice.because(format!(
            "`{pivot}` is the point of no return: behind it a step is repeated until it is done."
        ));
    }
    choice = goal(choice, workflow, &time);
    choice = alternatives(choice, draft, workflow, &steps, &outside, starts, &time);
    choice
        .because_if(starts > 0.0, || {
            format!(
                "{} at the peak: {} run at once, each a row that survives a crash.",
                facts::rps(starts),
                facts::number(flight.value.ceil())
            )
        })
        .consequence(format!(
            "`up` commits `{}` and does not run the workflow yet.",
            workflow.after
        ))
        .done(draft)
}

fn goal(choice: Choice, workflow: &Workflow, time: &Computed) -> Choice {
    let Some((percentile, bound)) = workflow.latency.first() else { return choice };
    let holds = time.value <= bound.value;
    choice.because(format!(
        "The steps' p95 add up to {}, an upper estimate, against {} asked for p{}{}.",
        facts::time(time.value),
        facts::time(bound.value),
        percentile.value,
        if holds { "" } else { ": it does not fit" }
    ))
}

#[allow(clippy::too_many_arguments)]
fn alternatives(
    choice: Choice,
    draft: &Draft<'_>,
    workflow: &Workflow,
    steps: &[&Step],
    outside: &[&str],
    starts: f64,
    time: &Computed,
) -> Choice {
    let children = draft.value(crate::draft::inputs::Knob::Children);
    let messages: f64 =
        steps.iter().map(|step| if step.each.is_some() { children } else { 1.0 }).sum();
    let events = Term::input("starts", starts, Unit::PerSecond, Grade::Derived, "workload")
        * Term::input(
            "messages",
            messages * 2.0,
            Unit::One,
            Grade::Assumed,
            "one there and one back for each step and line",
        );
    let events = events.named("events a second", Unit::PerSecond);
    let contexts = contexts(draft, steps);
    let locked = (Term::from(time) * 1.0).named("rows locked for", Unit::Seconds);
    choice
        .alternative(
            "choreography by events",
            format!(
                "{} between {}, and the answer to `where is this {}?` would be spread over their \
                 logs.",
                facts::rps(events.value),
                counted(contexts, "participant", "participants"),
                workflow.after.as_str().split('.').next().unwrap_or_default()
            ),
            vec![events],
        )
        .alternative(
            "two-phase commit",
            if outside.is_empty() {
                format!("rows would stay locked for {} each.", facts::time(time.value))
            } else {
                format!(
                    "{} offers no prepare, and rows would stay locked for {}.",
                    listed(outside),
                    facts::time(time.value)
                )
            },
            vec![locked],
        )
}

fn contexts(draft: &Draft<'_>, steps: &[&Step]) -> f64 {
    let calls: std::collections::BTreeSet<&str> = steps
        .iter()
        .filter_map(|step| step.run.as_ref())
        .map(|run| run.as_str().rsplit_once('.').map_or(run.as_str(), |(head, _)| head))
        .collect();
    calls.len().min(draft.domain.contexts.len() + draft.model.integrations.len()) as f64
}

/// The last call outside that has no undo of its own, or the last one that has.
fn pivot<'a>(steps: &[&'a Step]) -> Option<&'a str> {
    let at = steps.iter().rposition(|step| step.undo.is_some())?;
    let next = steps.get(at + 1)?;
    Some(next.name.as_str())
}

/// The steps' 95th percentiles one after the other; those side by side as if they were not.
pub(in crate::rules) fn duration(draft: &Draft<'_>, steps: &[&Step]) -> Computed {
    let mut terms: Vec<Term> = Vec::new();
    for step in steps {
        let Some(run) = &step.run else { continue };
        let term = match facts::outside(draft, step) {
            Some((integration, _)) => integration_p95(draft, integration),
            None => {
                let name = format!("{}_step", step.name);
                let source = format!("`{run}`: a transaction and its commit");
                Term::input(&name, COMMAND_SECONDS, Unit::Seconds, Grade::Assumed, &source)
            }
        };
        let each = step.each.is_some();
        let lines = draft.input(crate::draft::inputs::Knob::Children);
        terms.push(if each { term * lines } else { term });
    }
    Term::sum(terms).named("p95 of the steps together", Unit::Seconds)
}

/// What an integration promises for its 95th percentile, or half a second.
fn integration_p95(draft: &Draft<'_>, name: &str) -> Term {
    crate::draft::outside::p95(draft, name)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{CLINIC, SHOP, check};
    use expect_test::expect;

    #[test]
    fn a_workflow_over_aggregates_is_orchestrated() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                place_order: orchestrated saga, journalled before each effect
                  flips at payments offering a hold that lapses by itself: the undo is then never needed
            "#]],
        );
    }

    #[test]
    fn no_workflows_no_saga() {
        check(&RULE, CLINIC, expect![[r#""#]]);
    }
}
