//! # D054 autoscaling
//! Whether nodes come and go with the load.
//!
//! **Why**: nodes that follow the day cost less than nodes for the peak, where the day is uneven
//! and there are enough of them to take away.
//! **Cost**: a node takes a minute to come, so room for that minute must be there anyway.
//! **Instead**: a fixed number.

use crate::capacity::Term;
use crate::draft::inputs::Knob;
use crate::draft::{Draft, sizing};
use crate::rules::Choice;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::quantity::{Computed, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D054", name: "autoscaling", stage: Stage::Capacity, each: false, decide };

/// Seconds until a new node takes load.
const START_SECONDS: f64 = 60.0;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    if sizing::store(draft) == sizing::Store::Embedded {
        return Vec::new();
    }
    let replicas = super::replicas::replicas(draft);
    let least = draft.number("nodes_min", "system").unwrap_or(1.0);
    let cpu = sizing::app_cpu(draft, sizing::Store::Server);
    let mean = (Term::from(&cpu) / draft.input(Knob::PeakToMean))
        .named("app cpu in the mean", Unit::Count("vCPU".to_owned()));
    let night = nodes_at(draft, mean.value).max(least);
    let saved = saved(draft, replicas.value, night);
    let target = draft.catalog.value("utilisation_target");
    let scaling = night + 1.0 <= replicas.value;
    let choice = RULE
        .on("system", "do nodes come and go with the load?")
        .driver("goals.peak")
        .driver("goals.peak_to_mean")
        .number(mean.clone())
        .number(saved.clone())
        .effect(Effect::FilesOnly)
        .set("replicas_min", night.min(replicas.value));
    let growth = draft.value(Knob::Growth);
    let most = (nodes_at(draft, cpu.value * growth) + 1.0).max(replicas.value);
    let choice = choice.set("replicas_max", most);
    let nodes = Nodes { peak: replicas.value, night, most, least, mean: mean.value };
    let choice = if scaling {
        follows(choice, draft, nodes, saved)
    } else {
        stays(choice, draft, nodes, saved)
    };
    let choice = choice
        .because(format!(
            "A node takes {} to come; a burst to {} for {} is over before, so its room is in the \
             utilisation, not in the scaler.",
            facts::time(START_SECONDS),
            facts::rps(draft.value(Knob::Peak) * draft.value(Knob::Burst)),
            draft.inputs.burst_time.print()
        ))
        .alternative(
            "by queue length or latency",
            "both rise after CPU does and fall late; they are alerts here, not triggers.",
            vec![],
        );
    let target = target * draft.catalog.value("replica_vcpu");
    let third = draft.value(Knob::Peak) * target / cpu.value.max(1e-9);
    let choice = if scaling {
        choice.flips(format!("peak below {}: a fixed number", facts::rps(third)))
    } else {
        choice.flips(format!("peak above {}: a node that only the day needs", facts::rps(third)))
    };
    vec![choice.done(draft)]
}

/// Nodes at the peak, in the mean, at most and at least; the mean in vCPU.
#[derive(Clone, Copy)]
struct Nodes {
    peak: f64,
    night: f64,
    most: f64,
    least: f64,
    mean: f64,
}

fn follows(choice: Choice, draft: &Draft<'_>, nodes: Nodes, saved: Computed) -> Choice {
    choice
        .choose(format!(
            "from {} to {}, at {} of CPU",
            facts::number(nodes.night),
            facts::number(nodes.most),
            facts::about(draft.catalog.value("utilisation_target"))
        ))
        .because(format!(
            "The mean needs {} of the {} nodes of the peak: {} saved.",
            facts::number(nodes.night),
            facts::number(nodes.peak),
            facts::money(draft, saved.value)
        ))
        .alternative(
            "a fixed number",
            format!("{} for nodes that idle most of the day.", facts::money(draft, saved.value)),
            vec![saved],
        )
}

fn stays(choice: Choice, draft: &Draft<'_>, nodes: Nodes, saved: Computed) -> Choice {
    choice
        .choose(format!(
            "no: {} all day, {} set as the ceiling",
            facts::number(nodes.peak),
            facts::number(nodes.most)
        ))
        .because(format!(
            "The availability goal keeps {} whatever the load is, and {} carry {}: there is none \
             to take away at night.",
            facts::number(nodes.least),
            facts::number(nodes.peak),
            facts::rps(draft.load.clients())
        ))
        .alternative(
            "scaling down at night",
            format!(
                "would save nothing: {} vCPU in the mean still need {} for the pair.",
                facts::number(nodes.mean),
                facts::number(nodes.night)
            ),
            vec![saved],
        )
}

fn nodes_at(draft: &Draft<'_>, cpu: f64) -> f64 {
    let target = draft.catalog.value("utilisation_target") * draft.catalog.value("replica_vcpu");
    (cpu / target - 1e-9).ceil().max(1.0)
}

/// Half of the day at the mean instead of the peak's nodes.
fn saved(draft: &Draft<'_>, replicas: f64, night: f64) -> Computed {
    let unit = Unit::Count("nodes".to_owned());
    let spare = (replicas - night).max(0.0);
    let nodes = Term::input(
        "nodes_off_half_the_day",
        spare,
        unit,
        ir::quantity::Grade::Derived,
        "peak less mean",
    );
    (nodes * sizing::replica_price(draft) / 2.0).named("saved", sizing::money(draft))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{NOTES, SHOP, check, with};
    use expect_test::expect;

    #[test]
    fn a_pair_for_availability_never_shrinks() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                system: no: 2 all day, 2 set as the ceiling
                  flips at peak above 7,774 rps: a node that only the day needs
            "#]],
        );
    }

    #[test]
    fn many_nodes_follow_the_day() {
        check(
            &RULE,
            &with(SHOP, "peak: 1200 rps", "peak: 48_000 rps"),
            expect![[r#"
                system: from 2 to 20, at 60 % of CPU
                  flips at peak below 7,774 rps: a fixed number
            "#]],
        );
    }

    #[test]
    fn one_process_does_not_scale() {
        check(&RULE, NOTES, expect![[r#""#]]);
    }
}
