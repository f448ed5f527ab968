//! # D043 retries
//! Which calls to an integration are tried again, how often and when.
//!
//! **Why**: a short failure is worth another try; the same try from everybody at once keeps a
//! struggling service down. Full jitter spreads the tries, a budget bounds them, a key makes the
//! second one harmless.
//! **Cost**: time, which the workflow's goal pays. **Instead**: no retry, or retries everywhere.

use crate::capacity::Term;
use crate::draft::{Draft, outside};
use crate::rules::Choice;
use crate::rules::choice::listed;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Stage};
use ir::model::{Integration, IntegrationOperation, Step};
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D043", name: "retries", stage: Stage::Resilience, each: false, decide };

/// Seconds that the first retry waits at most; each further one twice as long.
const BACKOFF_SECONDS: f64 = 0.2;
/// A timeout where a step does not say, as a multiple of the p95: that of the calls that run.
const TIMEOUT: f64 = ir::domain::Integration::TIMEOUT_FACTOR;
/// Further tries where a step does not say.
const RETRIES: f64 = 2.0;
/// Share of the calls that may be retries.
const BUDGET: f64 = 0.2;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    draft.model.integrations.iter().map(|integration| on(draft, integration)).collect()
}

fn on(draft: &Draft<'_>, integration: &Integration) -> Decision {
    let name = integration.name.as_str();
    let steps = callers(draft, name);
    let retries = tries(integration, &steps);
    let count = retries.value();
    let (safe, unsafe_): (Vec<_>, Vec<_>) =
        integration.operations.iter().partition(|operation| repeatable(operation));
    let available = outside::availability(draft, name);
    let amplified = (Term::number(1.0) + retries.clone().min(Term::number(BUDGET)))
        .named("load factor in an outage", Unit::One);
    let unbounded =
        (Term::number(1.0) + retries.clone()).named("load factor in an outage", Unit::One);
    let reached = reached(&available, &retries);
    let worst = worst(draft, name, &steps, count);
    let names = |operations: &[&IntegrationOperation]| -> Vec<String> {
        operations.iter().map(|operation| format!("`{}`", operation.name)).collect()
    };
    let mut choice = RULE
        .on(name, format!("which calls to `{name}` are tried again?"))
        .choose(match (safe.is_empty(), count) {
            (true, _) => "none: a repeated call would repeat its effect".to_owned(),
            (false, count) => format!(
                "{} up to {} times, full jitter from {}, within a budget of {}",
                listed(&names(&safe)),
                facts::number(count),
                facts::time(BACKOFF_SECONDS),
                facts::about(BUDGET)
            ),
        })
        .number(amplified.clone())
        .driver(format!("integrations.{name}"));
    if !safe.is_empty() {
        choice = choice
            .because(format!(
                "`{name}` answers {} of the time; {} tries that fail independently would all fail \
                 once in {}. A real outage fails them together: that is what the breaker is for.",
                facts::share(available.value()),
                facts::number(count + 1.0),
                facts::number(
                    (1.0 / (1.0 - available.value()).max(1e-9).powf(count + 1.0)).round()
                )
            ))
            .number(reached);
    }
    choice = refusals(choice, integration);
    if !unsafe_.is_empty() {
        choice = choice.because(format!(
            "{} takes no idempotency key: a lost answer is looked up or left to a person, never \
             sent again.",
            listed(&names(&unsafe_))
        ));
    }
    choice = match worst {
        Some(worst) => goal(choice, draft, &steps, worst),
        None => {
            choice.flips(format!("a step that calls `{name}`: its timeout and goal then decide"))
        }
    };
    others(choice, count, available.value(), unbounded)
        .consequence(format!(
            "In a full outage `{name}` sees at most {} times its usual calls.",
            facts::number(amplified.value)
        ))
        .set("retries", count)
        .done(draft)
}

fn others(choice: Choice, count: f64, available: f64, unbounded: Computed) -> Choice {
    choice
        .alternative(
            "retries in every layer",
            format!(
                "the client's, ours and the transport's multiply: {} calls for one at {} each.",
                facts::number((count + 1.0).powi(3)),
                facts::number(count + 1.0)
            ),
            vec![unbounded],
        )
        .alternative(
            "no retry",
            format!("{} of the calls fail for a moment's trouble.", facts::share(1.0 - available)),
            vec![],
        )
}

/// Further tries: the most that a step asks for, none where no call may be repeated.
fn tries(integration: &Integration, steps: &[&Step]) -> Term {
    let retries =
        steps.iter().filter_map(|step| step.retry.as_ref()).map(|retry| f64::from(retry.value));
    let stated = retries.reduce(f64::max);
    let none = !integration.operations.iter().any(repeatable);
    let count = if none { 0.0 } else { stated.unwrap_or(RETRIES) };
    let grade = if stated.is_some() { Grade::Given } else { Grade::Assumed };
    Term::input("retries", count, Unit::One, grade, "workflows.*.steps.retry")
}

fn repeatable(operation: &IntegrationOperation) -> bool {
    let safe = matches!(operation.method.as_str(), "get" | "put" | "delete");
    safe || operation.idempotent.is_some()
}

fn callers<'a>(draft: &Draft<'a>, name: &str) -> Vec<&'a Step> {
    let steps = draft.model.workflows.iter().flat_map(|one| facts::steps(&one.steps));
    steps
        .filter(|step| facts::outside(draft, step).is_some_and(|(called, _)| called == name))
        .collect()
}

fn refusals(choice: Choice, integration: &Integration) -> Choice {
    let refused: Vec<String> = integration
        .operations
        .iter()
        .flat_map(|operation| &operation.refuses)
        .map(|(status, name)| format!("{} `{name}`", status.value))
        .collect();
    choice.because_if(!refused.is_empty(), || {
        format!(
            "{} of `{}` is an answer, not a failure: never tried again, counted by no breaker.",
            listed(&refused),
            integration.name
        )
    })
}

fn goal(choice: Choice, draft: &Draft<'_>, steps: &[&Step], worst: Computed) -> Choice {
    let within = draft.model.workflows.iter().find(|workflow| {
        facts::steps(&workflow.steps)
            .iter()
            .any(|step| steps.iter().any(|own| own.name == step.name))
    });
    let bound = within.and_then(|workflow| workflow.latency.first().map(|goal| (workflow, goal)));
    let choice = choice.number(worst.clone());
    let Some((workflow, (percentile, bound))) = bound else {
        return choice.flips("a goal for the workflow: whether all tries fit is then computed");
    };
    let tries =
        worst.inputs.iter().find(|input| input.name == "tries").map_or(1.0, |one| one.value);
    let waits =
        worst.inputs.iter().find(|input| input.name == "waits").map_or(0.0, |one| one.value);
    let fits = (bound.value - waits) / tries;
    let choice = if fits > 0.0 {
        choice.flips(format!(
            "a timeout of {} or less: all tries fit into the {} of `{}`",
            facts::time(fits),
            facts::time(bound.value),
            workflow.name
        ))
    } else {
        choice.flips(format!(
            "fewer than {} tries: the waits between them alone take {}",
            facts::number(tries),
            facts::time(waits)
        ))
    };
    if worst.value > bound.value {
        choice.consequence(format!(
            "Every try at its timeout takes {}: longer than the {} that `{}` promises for p{}. \
             The goal is for good days; a slow `{}` breaks it before the last try.",
            facts::time(worst.value),
            facts::time(bound.value),
            workflow.name,
            percentile.value,
            steps.first().map_or("call", |step| step.name.as_str())
        ))
    } else {
        choice.because(format!(
            "Even with every try at its timeout, {} is inside the {} of `{}`.",
            facts::time(worst.value),
            facts::time(bound.value),
            workflow.name
        ))
    }
}

fn reached(available: &Term, retries: &Term) -> Computed {
    let failed = Term::number(1.0) - available.clone();
    let tries = retries.clone() + 1.0;
    (Term::number(1.0) - failed.power(tries)).named("answered after retries", Unit::Share)
}

/// All tries at their timeout, and the waits between them at their longest.
fn worst(draft: &Draft<'_>, name: &str, steps: &[&Step], retries: f64) -> Option<Computed> {
    let timeout = steps.iter().filter_map(|step| step.timeout.as_ref()).map(|time| time.value);
    let stated = timeout.reduce(f64::max);
    if steps.is_empty() {
        return None;
    }
    let timeout = match stated {
        Some(seconds) => Term::input(
            "timeout",
            seconds,
            Unit::Seconds,
            Grade::Given,
            "workflows.*.steps.timeout",
        ),
        None => (outside::p95(draft, name) * TIMEOUT).named("timeout", Unit::Seconds).into(),
    };
    let tries =
        Term::input("tries", retries + 1.0, Unit::One, Grade::Derived, "the first and its retries");
    let waits = BACKOFF_SECONDS * (2.0_f64.powf(retries) - 1.0);
    let waits =
        Term::input("waits", waits, Unit::Seconds, Grade::Derived, "full jitter at its longest");
    Some((timeout * tries + waits).named("all tries at their slowest", Unit::Seconds))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{KIOSK, LINKS, SHOP, check, with};
    use expect_test::expect;

    #[test]
    fn calls_with_a_key_are_tried_again() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                payments: `charge` and `refund` up to 3 times, full jitter from 200 ms, within a budget of 20 %
                  flips at a timeout of 150 ms or less: all tries fit into the 2 s of `place_order`
            "#]],
        );
    }

    #[test]
    fn calls_without_one_are_not() {
        check(
            &RULE,
            &with(&with(KIOSK, "        retry: 2\n", ""), "        idempotent: true\n", ""),
            expect![[r#"
                terminal: none: a repeated call would repeat its effect
                  flips at a timeout of 3 s or less: all tries fit into the 3 s of `sell`
            "#]],
        );
    }

    #[test]
    fn no_integrations_no_retries() {
        check(&RULE, LINKS, expect![[r#""#]]);
    }
}
