//! # D052 latency
//! What the percentiles are at the peak, predicted.
//!
//! **Why**: a goal of percentiles is met by arithmetic before it is met by measuring. The request
//! passes a chain of two queues, the cores of the application and those of the database; waits by
//! Allen and Cunneen for the mixture of work, independent of each other; an approximation, and
//! labelled so. The client's own network is not in it.
//! **Cost**: none. **Instead**: a load test, which calibrates this.

use crate::capacity::Term;
use crate::draft::Draft;
use crate::draft::inputs::Knob;
use crate::draft::load::Work;
use crate::draft::sizing::{self, Prediction};
use crate::rules::Choice;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Authority, Decision, Stage};
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D052", name: "latency", stage: Stage::Capacity, each: false, decide };

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    if draft.load.clients() <= 0.0 {
        return Vec::new();
    }
    let replicas = super::replicas::replicas(draft).value;
    let now = sizing::predict(draft, replicas, 1.0);
    let lost = sizing::predict(draft, (replicas - 1.0).max(1.0), 1.0);
    let names = ["p50", "p95", "p99"];
    let number = |at: usize| percentile(draft, &now, replicas, names[at], at);
    let mut choice = RULE
        .on(
            "system",
            format!("how long does a request take at {}?", facts::rps(draft.load.clients())),
        )
        .choose(format!(
            "p50 {}, p95 {}, p99 {}, by approximation",
            facts::time(now.percentiles[0]),
            facts::time(now.percentiles[1]),
            facts::time(now.percentiles[2])
        ))
        .authority(Authority::Validates)
        .numbers([number(0), number(1), number(2)])
        .driver("goals.latency")
        .driver("goals.peak");
    choice = goals(choice, draft, &now, replicas);
    choice = parts(choice, &now);
    if replicas > 1.0 {
        choice = choice.because(format!(
            "With one node lost the rest are {} busy and p95 is {}.",
            facts::about(lost.app_utilisation),
            facts::time(lost.percentiles[1])
        ));
    }
    choice = burst(choice, draft, replicas);
    if now.percentiles[1].is_finite() && replicas > 0.0 && !held_any(draft, replicas) {
        choice = choice.flips("a slower goal, or more nodes: see the infeasible goals");
    }
    choice = choice.consequence(
        "Prediction, not measurement: bursts inside a second and slow disks are not in it.",
    );
    vec![
        choice
            .set("p50_seconds", now.percentiles[0])
            .set("p95_seconds", now.percentiles[1])
            .set("p99_seconds", now.percentiles[2])
            .done(draft),
    ]
}

/// Whether a goal holds, or none is given.
fn held_any(draft: &Draft<'_>, replicas: f64) -> bool {
    let goals = &draft.inputs.latency;
    let holds = |(at, bound): &(f64, Term)| {
        sizing::percentile(draft, replicas, at / 100.0) <= bound.value()
    };
    goals.is_empty() || goals.iter().any(holds)
}

fn percentile(
    draft: &Draft<'_>,
    now: &Prediction,
    replicas: f64,
    name: &str,
    at: usize,
) -> Computed {
    let share = |name: &str, value: f64, source: &str| {
        Term::input(name, value, Unit::Share, Grade::Catalogue, source)
    };
    let nodes = Term::input(
        "replicas",
        replicas,
        Unit::Count("replicas".to_owned()),
        Grade::Derived,
        "replicas",
    );
    let arguments = vec![
        draft.peak(),
        nodes,
        share("app_busy", now.app_utilisation, "utilisation law"),
        share("database_busy", now.database_utilisation, "utilisation law"),
        draft.fact("network_trip"),
    ];
    Term::function("allen_cunneen_chain", arguments, now.percentiles[at]).named(name, Unit::Seconds)
}

fn goals(choice: Choice, draft: &Draft<'_>, now: &Prediction, replicas: f64) -> Choice {
    let mut choice = choice;
    for (percentile, bound) in &draft.inputs.latency {
        let found = sizing::percentile(draft, replicas, percentile / 100.0);
        let held = found <= bound.value();
        choice = choice.because(format!(
            "p{percentile}: {} of {} allowed{}.",
            facts::time(found),
            bound.print(),
            if held { String::new() } else { ": it does not hold".to_owned() }
        ));
        let factor = if held && !draft.quick {
            sizing::load_factor_at(draft, replicas, percentile / 100.0, bound.value())
        } else {
            0.0
        };
        let peak = draft.value(Knob::Peak) * factor;
        if factor > 0.0 && factor < 1e4 {
            choice = choice.flips(format!(
                "peak above {} on {}: p{percentile} passes {}",
                facts::rps(peak),
                if replicas > 1.0 { "as many nodes" } else { "the one node" },
                bound.print()
            ));
        }
    }
    if draft.inputs.latency.is_empty() {
        choice = choice.because(format!(
            "No goal is given; a person takes {} for prompt, {} times what is predicted.",
            draft.input(Knob::Latency).print(),
            facts::number(draft.value(Knob::Latency) / now.percentiles[1])
        ));
        if !draft.quick {
            let goal = draft.value(Knob::Latency);
            let factor = sizing::load_factor_at(draft, replicas, 0.95, goal);
            choice = choice.flips(format!(
                "peak above {}: p95 passes {}",
                facts::rps(draft.value(Knob::Peak) * factor),
                facts::time(goal)
            ));
        }
    }
    choice
}

fn parts(choice: Choice, now: &Prediction) -> Choice {
    let mut choice = choice;
    let slow = now.works.iter().max_by(|a, b| a.2.total_cmp(&b.2));
    if let Some((work, share, mean)) = slow
        && now.works.len() > 1
    {
        choice = choice.because(format!(
            "The slowest kind is {} ({} of the requests) with {} in the mean.",
            named(*work),
            facts::about(*share),
            facts::time(*mean)
        ));
    }
    choice.because(format!(
        "Cores of the application are {} busy, those of the database {}.",
        facts::about(now.app_utilisation),
        facts::about(now.database_utilisation)
    ))
}

fn named(work: Work) -> &'static str {
    match work {
        Work::List => "a list",
        Work::Get => "a single read",
        Work::Write => "a write",
        Work::Redirect => "a redirect",
    }
}

fn burst(choice: Choice, draft: &Draft<'_>, replicas: f64) -> Choice {
    let factor = draft.value(Knob::Burst);
    let then = sizing::predict(draft, replicas, factor);
    let p95 = then.percentiles[1];
    let busy = then.app_utilisation.max(then.database_utilisation);
    let text = if p95.is_finite() {
        format!("p95 is {} while it lasts", facts::time(p95))
    } else {
        format!("the queue grows for {}", draft.inputs.burst_time.print())
    };
    choice.alternative(
        format!("the same nodes in a burst of {} times", facts::number(factor)),
        format!("the busiest station is {} busy: {text}.", facts::about(busy)),
        vec![],
    )
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{LINKS, SHOP, check, with};
    use expect_test::expect;

    #[test]
    fn percentiles_are_predicted_and_flip_with_the_load() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
            system: p50 1.5 ms, p95 4.79 ms, p99 7.04 ms, by approximation
              flips at peak above 2,124 rps on as many nodes: p95 passes 200 ms
              flips at peak above 2,132 rps on as many nodes: p99 passes 500 ms
        "#]],
        );
    }

    #[test]
    fn a_hundred_times_the_load_does_not_hold() {
        check(
            &RULE,
            &with(LINKS, "p95: 25 ms", "p95: 1 ms"),
            expect![[r#"
            system: p50 1.06 ms, p95 1.24 ms, p99 2.07 ms, by approximation
              flips at peak above 54,893 rps on as many nodes: p99 passes 80 ms
        "#]],
        );
    }
}
