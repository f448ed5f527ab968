//! # D065 compute
//! What the processes run on.
//!
//! **Why**: functions are paid by the call and forget their connections; containers by the hour;
//! machines are cheapest and must be looked after.
//! **Cost**: containers idle at night. **Instead**: functions, machines of one's own.

use crate::capacity::Term;
use crate::draft::inputs::Knob;
use crate::draft::{Draft, MONTH_SECONDS, sizing};
use crate::rules::Choice;
use crate::rules::choice::counted;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Authority, Decision, Effect, Stage};
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D065", name: "compute", stage: Stage::Operations, each: false, decide };

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let replicas = replicas(draft);
    let containers =
        (replicas.clone() * sizing::replica_price(draft)).named("containers", sizing::money(draft));
    let functions = functions(draft);
    let embedded = sizing::store(draft) == sizing::Store::Embedded;
    let cheaper = functions.value < containers.value && !embedded;
    let ratio = functions.value / containers.value.max(1e-9);
    let count = replicas.value();
    let choice = RULE
        .on("system", "what do the processes run on?")
        .choose(if embedded {
            "one container with a volume, restarted where it stood".to_owned()
        } else {
            format!("{} behind a balancer", counted(count, "container", "containers"))
        })
        .because(format!(
            "{} for containers against {} for functions at the same load.",
            facts::money(draft, containers.value),
            facts::money(draft, functions.value)
        ))
        .because_if(embedded, || {
            "The database lives in the process: it must keep its volume, which a function does \
             not."
                .to_owned()
        })
        .because_if(cheaper, || {
            format!(
                "Functions would be cheaper, but each of {} busy ones opens connections of its \
                 own to the database.",
                facts::number((draft.value(Knob::Peak) * 0.02).ceil())
            )
        })
        .number(containers.clone())
        .driver("goals.peak")
        .driver("goals.budget")
        .authority(Authority::Advises)
        .consult("whoever runs the platform: is there a cluster already, and who is paged for it?")
        .effect(Effect::AdviceOnly)
        .flips(if embedded {
            "PostgreSQL instead of the file (D010): then functions are possible".to_owned()
        } else if cheaper {
            format!(
                "a pooler for the functions' connections at less than {}: functions",
                facts::money(draft, containers.value - functions.value)
            )
        } else {
            format!(
                "peak below {}: functions cost less than {}",
                facts::rps(draft.value(Knob::Peak) / ratio),
                counted(count, "container", "containers")
            )
        })
        .set("compute", "containers");
    vec![others(choice, draft, ratio, functions).done(draft)]
}

fn others(choice: Choice, draft: &Draft<'_>, ratio: f64, functions: Computed) -> Choice {
    let upkeep = (draft.fact("service_upkeep") * draft.fact("engineer_month"))
        .named("upkeep of machines", sizing::money(draft));
    choice
        .alternative(
            "functions",
            if ratio > 1.0 {
                format!(
                    "{} times the price at this load, and cold starts inside the latency goal.",
                    facts::number(ratio)
                )
            } else {
                format!(
                    "{} of the price without the pooler that their connections need, and cold \
                     starts inside the latency goal.",
                    facts::about(ratio)
                )
            },
            vec![functions],
        )
        .alternative(
            "machines of one's own",
            format!(
                "patches, disks and reboots take about {} of an engineer.",
                facts::about(draft.catalog.value("service_upkeep"))
            ),
            vec![upkeep],
        )
}

fn replicas(draft: &Draft<'_>) -> Term {
    let decided = draft.number("replicas", "system");
    let store = sizing::store(draft);
    let needed = || sizing::nodes_for(draft, &sizing::app_cpu(draft, store)).value;
    let count = decided.unwrap_or_else(needed);
    Term::input(
        "replicas",
        count,
        Unit::Count("replicas".to_owned()),
        Grade::Derived,
        "the replicas decision",
    )
}

fn functions(draft: &Draft<'_>) -> Computed {
    let month = Term::input("month", MONTH_SECONDS, Unit::Seconds, Grade::Derived, "a mean month");
    let calls = draft.peak() / draft.input(Knob::PeakToMean) * month;
    let each = draft.fact("function_call")
        + draft.fact("function_time") * draft.fact("function_gb_second");
    (calls * each).named("functions", sizing::money(draft))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{NOTES, SHOP, check};
    use expect_test::expect;

    #[test]
    fn containers_carry_a_steady_load() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                system: 2 containers behind a balancer
                  flips at peak below 263 rps: functions cost less than 2 containers
            "#]],
        );
    }

    #[test]
    fn an_embedded_store_keeps_its_volume() {
        check(
            &RULE,
            NOTES,
            expect![[r#"
                system: one container with a volume, restarted where it stood
                  flips at PostgreSQL instead of the file (D010): then functions are possible
            "#]],
        );
    }
}
