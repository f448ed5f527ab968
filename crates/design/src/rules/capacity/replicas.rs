//! # D050 replicas
//! How many application nodes serve the peak, with one of them lost.
//!
//! **Why**: the utilisation law: busy cores are requests a second times CPU seconds of each. Kept
//! at or below 60 % the queue stays short and a burst finds room; one node more, and a lost one is
//! not noticed.
//! **Cost**: the spare node. **Instead**: fewer, and shedding on the day one is lost.

use crate::capacity::Term;
use crate::draft::inputs::Knob;
use crate::draft::{Draft, sizing};
use crate::rules::Choice;
use crate::rules::choice::counted;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Setting, Stage};
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D050", name: "replicas", stage: Stage::Capacity, each: false, decide };

/// Nodes in all: what the model pins, else what the load and a lost one need.
pub(in crate::rules) fn replicas(draft: &Draft<'_>) -> Computed {
    match pinned(draft) {
        Some(count) => {
            let unit = Unit::Count("replicas".to_owned());
            Term::input("pinned", count, unit.clone(), Grade::Given, "decisions.replicas")
                .named("replicas", unit)
        }
        None => needed(draft),
    }
}

/// The number that a pin names.
fn pinned(draft: &Draft<'_>) -> Option<f64> {
    if sizing::store(draft) == sizing::Store::Embedded {
        return None;
    }
    let pin = draft.pin("replicas", crate::draft::SYSTEM)?;
    let number = pin.choose.value.split_whitespace().next()?.replace('_', "");
    number.parse().ok().filter(|count: &f64| *count >= 1.0)
}

/// What the load needs, and one more where one may be lost.
fn needed(draft: &Draft<'_>) -> Computed {
    let cpu = sizing::app_cpu(draft, sizing::store(draft));
    let load = sizing::nodes_for(draft, &cpu);
    let unit = Unit::Count("replicas".to_owned());
    if sizing::store(draft) == sizing::Store::Embedded {
        return (Term::from(&load).min(Term::number(1.0))).named("replicas", unit);
    }
    let least = draft.number("nodes_min", "system").unwrap_or(1.0);
    if least < 2.0 {
        return (Term::from(&load) * 1.0).named("replicas", unit);
    }
    (Term::from(&load) + 1.0).named("replicas", unit)
}

/// How busy the busiest station is at the peak with no node to spare, and what it is.
pub(in crate::rules) fn busiest(draft: &Draft<'_>) -> (f64, &'static str) {
    let store = sizing::store(draft);
    let cpu = sizing::app_cpu(draft, store);
    if store == sizing::Store::Embedded {
        let cores = machine(cpu.value, draft.catalog.value("utilisation_target"));
        let writer = draft.load.writes() * draft.catalog.value("writer_embedded");
        let busy = cpu.value / cores;
        return if writer > busy { (writer, "the one writer") } else { (busy, "the machine") };
    }
    let nodes = sizing::nodes_for(draft, &cpu).value * draft.catalog.value("replica_vcpu");
    let demand = sizing::database_cpu(draft).value;
    let database = demand / sizing::database_size(draft, demand, draft.bytes()).1;
    let busy = cpu.value / nodes;
    if database > busy { (database, "the database") } else { (busy, "the nodes, one of them lost") }
}

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let store = sizing::store(draft);
    let cpu = sizing::app_cpu(draft, store);
    let load = sizing::nodes_for(draft, &cpu);
    let replicas = needed(draft);
    let price = sizing::replica_price(draft);
    let cost = (Term::from(&replicas) * price.clone()).named("monthly cost", sizing::money(draft));
    let choice = RULE
        .on("system", format!("how many nodes serve {}?", facts::rps(draft.load.clients())))
        .driver("goals.peak")
        .driver("goals.availability")
        .driver("workload")
        .number(cpu.clone())
        .number(load.clone())
        .number(replicas.clone());
    let choice = match store {
        sizing::Store::Embedded => embedded(choice, draft, &cpu, &load),
        sizing::Store::Server => nodes(choice, draft, &cpu, &load, &replicas, &cost),
    };
    let choice = stack(choice, draft, &cpu);
    vec![flips(choice, draft, &cpu, &load).set("replicas", replicas.value).done(draft)]
}

fn embedded(choice: Choice, draft: &Draft<'_>, cpu: &Computed, load: &Computed) -> Choice {
    let cores = machine(cpu.value, draft.catalog.value("utilisation_target"));
    choice
        .choose(format!("one process on a machine of {} vCPU", facts::number(cores)))
        .because(format!(
            "SQLite lives in the process, so there is one of it: {} vCPU of work at the peak, {} \
             vCPU at a utilisation of {}.",
            facts::number(cpu.value),
            facts::number(cores),
            facts::about(cpu.value / cores)
        ))
        .alternative(
            "two nodes",
            "two processes cannot share the file: PostgreSQL comes first.",
            vec![],
        )
        .because_if(load.value > cores, || "The machine is full at the peak.".to_owned())
        .effect(Effect::RunsHere)
        .set("machine_vcpu", cores)
}

/// The smallest machine of the price list.
fn machine(cpu: f64, target: f64) -> f64 {
    if cpu <= 2.0 * target {
        2.0
    } else if cpu <= 4.0 * target {
        4.0
    } else {
        8.0
    }
}

fn nodes(
    choice: Choice,
    draft: &Draft<'_>,
    cpu: &Computed,
    load: &Computed,
    replicas: &Computed,
    cost: &Computed,
) -> Choice {
    let spare = replicas.value - load.value;
    let all = cpu.value / replicas.value;
    let left = cpu.value / (replicas.value - spare).max(1.0);
    let choice = choice
        .choose(counted(replicas.value, "node of 1 vCPU and 2 GB", "nodes of 1 vCPU and 2 GB each"))
        .because(format!(
            "{} take {} vCPU; {} {} at {} each{}.",
            facts::rps(draft.load.clients()),
            facts::number(cpu.value),
            counted(replicas.value, "node", "nodes"),
            if replicas.value == 1.0 { "is" } else { "are" },
            facts::about(all),
            if spare > 0.0 {
                format!(", and {} when one is lost", facts::about(left))
            } else {
                String::new()
            }
        ))
        .number(cost.clone())
        .effect(Effect::FilesOnly);
    let choice = if spare > 0.0 {
        let fewer = (Term::from(load) * sizing::replica_price(draft))
            .named("monthly cost", sizing::money(draft));
        choice
            .because_if(load.value <= 1.0, || {
                format!(
                    "Load alone asks for one, {} busy; the second is there because one may be \
                     lost.",
                    facts::about(cpu.value)
                )
            })
            .option(
                counted(load.value, "node", "nodes"),
                format!(
                    "the loss of one leaves {} for {} vCPU of work, for {} until it is replaced.",
                    counted(load.value - 1.0, "node", "nodes"),
                    facts::number(cpu.value),
                    facts::time(draft.catalog.value("node_repair"))
                ),
                vec![fewer],
                vec![("replicas", Setting::Number(load.value))],
            )
    } else {
        choice
    };
    let choice = other_count(choice, draft, cpu, replicas);
    let more = (Term::from(cost) * 2.0).named("monthly cost", sizing::money(draft));
    choice.alternative(
        counted(replicas.value * 2.0, "node", "nodes"),
        format!("{} of each would be used.", facts::about(all / 2.0)),
        vec![more],
    )
}

/// The number that the model pins, where it is another.
fn other_count(choice: Choice, draft: &Draft<'_>, cpu: &Computed, replicas: &Computed) -> Choice {
    match pinned(draft).filter(|count| (count - replicas.value).abs() > 0.5) {
        Some(count) => {
            let nodes = Term::input("pinned", count, Unit::One, Grade::Given, "decisions.replicas");
            let cost =
                (nodes * sizing::replica_price(draft)).named("monthly cost", sizing::money(draft));
            let lost = format!("{} of each would be used.", facts::about(cpu.value / count));
            let settings = vec![("replicas", Setting::Number(count))];
            choice.option(counted(count, "node", "nodes"), lost, vec![cost], settings)
        }
        None => choice,
    }
}

/// The same work on another stack: the factor of its measured CPU.
fn stack(choice: Choice, draft: &Draft<'_>, cpu: &Computed) -> Choice {
    let target = draft.fact("utilisation_target");
    let slow = Term::from(cpu) * draft.fact("stack_python") / target;
    let slow = slow.ceil().named("nodes for load", Unit::Count("nodes".to_owned()));
    let fast = Term::from(cpu) * draft.fact("stack_node") / draft.fact("utilisation_target");
    let fast = fast.ceil().named("nodes for load", Unit::Count("nodes".to_owned()));
    let lost = format!(
        "{} with FastAPI, {} with Fastify, by the CPU of one request in the same measurement.",
        counted(slow.value, "node", "nodes"),
        facts::number(fast.value)
    );
    choice.alternative("the same work on an interpreted stack", lost, vec![slow, fast])
}

fn flips(choice: Choice, draft: &Draft<'_>, cpu: &Computed, load: &Computed) -> Choice {
    if cpu.value <= 0.0 {
        return choice;
    }
    let target = draft.catalog.value("utilisation_target");
    let per_node = draft.value(Knob::Peak) * target / cpu.value;
    let server = sizing::store(draft) == sizing::Store::Server;
    let next = per_node * load.value;
    choice.flips(format!(
        "peak above {}: {}",
        facts::rps(next),
        if server { "one more node" } else { "a larger machine" }
    ))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{NOTES, SHOP, check, with};
    use expect_test::expect;

    #[test]
    fn the_second_node_is_there_to_be_lost() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
            system: 2 nodes of 1 vCPU and 2 GB each
              flips at peak above 7,774 rps: one more node
        "#]],
        );
    }

    #[test]
    fn forty_times_the_load_needs_more() {
        check(
            &RULE,
            &with(SHOP, "peak: 1200 rps", "peak: 48_000 rps"),
            expect![[r#"
            system: 8 nodes of 1 vCPU and 2 GB each
              flips at peak above 54,419 rps: one more node
        "#]],
        );
    }

    #[test]
    fn a_file_has_one_process() {
        check(
            &RULE,
            NOTES,
            expect![[r#"
            system: one process on a machine of 2 vCPU
              flips at peak above 4,563 rps: a larger machine
        "#]],
        );
    }
}
