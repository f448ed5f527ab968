//! # D055 horizons
//! What has to be added, and when, if the load grows as the goal says.
//!
//! **Why**: growth by a factor over a time is an exponential; each limit has a month in which it is
//! reached, and what takes weeks to do must begin before.
//! **Cost**: none until then. **Instead**: buying for the end today.

use crate::capacity::Term;
use crate::draft::inputs::Knob;
use crate::draft::{Draft, MONTH_SECONDS, sizing};
use crate::rules::Choice;
use crate::rules::choice::counted;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Stage};
use ir::quantity::{Computed, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D055", name: "horizons", stage: Stage::Capacity, each: false, decide };

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let growth = draft.input(Knob::Growth);
    let time = &draft.inputs.growth_time;
    let end = draft.inputs.horizon().max(18.0 * MONTH_SECONDS);
    let stages =
        [(6.0, "in 6 months"), (12.0, "in 12 months"), (end / MONTH_SECONDS, "at the end")];
    let now = needs(draft, 1.0);
    let mut choice = RULE
        .on(
            "system",
            format!(
                "what does growth of {} times in {} ask for, and when?",
                growth.print(),
                time.print()
            ),
        )
        .driver("goals.growth")
        .grade(growth.grade());
    let mut last = now.clone();
    let mut last_words = Vec::new();
    for (months, when) in stages {
        let months = (months * 10.0_f64).round() / 10.0;
        let seconds = months * MONTH_SECONDS;
        let peak = draft
            .inputs
            .peak_after(seconds)
            .named(&format!("peak after {} months", facts::number(months)), Unit::PerSecond);
        let factor = peak.value / draft.value(Knob::Peak).max(1e-9);
        let then = needs(draft, factor);
        let change = changes(&last, &then);
        choice = choice.because(format!(
            "{} months: {}, {}.",
            span(months),
            facts::rps(peak.value),
            change
        ));
        last_words.push(format!("{when} {}", facts::rps(peak.value)));
        choice = choice.number(peak);
        last = then;
    }
    let doubling = doubling(draft);
    choice = choice
        .choose(format!("now {}, {}", facts::rps(draft.value(Knob::Peak)), last_words.join(", ")))
        .alternative(
            if last == now { "smaller sizes today" } else { "everything for the end today" },
            if last == now {
                format!(
                    "{} are the least that the goals allow, and carry the end as well.",
                    described(&now)
                )
            } else {
                format!("{} now instead of {}.", described(&last), described(&now))
            },
            vec![doubling.clone()],
        );
    choice = due(choice, draft);
    vec![choice.done(draft)]
}

fn span(months: f64) -> String {
    if months <= 6.0 {
        "0-6".to_owned()
    } else if months <= 12.0 {
        "6-12".to_owned()
    } else {
        format!("12-{}", facts::number(months))
    }
}

/// Nodes and database vCPU at a factor of today's load.
#[derive(Debug, Clone, PartialEq)]
struct Needs {
    nodes: f64,
    database: Option<(&'static str, f64)>,
}

fn needs(draft: &Draft<'_>, factor: f64) -> Needs {
    let store = sizing::store(draft);
    let cpu = sizing::app_cpu(draft, store).value * factor;
    let target = draft.catalog.value("utilisation_target") * draft.catalog.value("replica_vcpu");
    let load = (cpu / target - 1e-9).ceil().max(1.0);
    let spare = if draft.number("nodes_min", "system").unwrap_or(1.0) > 1.0 { 1.0 } else { 0.0 };
    match store {
        sizing::Store::Embedded => Needs { nodes: load, database: None },
        sizing::Store::Server => {
            let demand = sizing::database_cpu(draft).value * factor;
            let size = sizing::database_size(draft, demand, draft.bytes());
            Needs { nodes: load + spare, database: Some((size.0, size.1)) }
        }
    }
}

/// Whether the growth goal asks for more within that time than is bought today.
pub(in crate::rules) fn outgrown(draft: &Draft<'_>, seconds: f64) -> bool {
    let factor = draft.inputs.peak_after(seconds).value() / draft.value(Knob::Peak).max(1e-9);
    needs(draft, factor) != needs(draft, 1.0)
}

fn changes(before: &Needs, after: &Needs) -> String {
    let mut parts = Vec::new();
    if after.nodes > before.nodes {
        parts.push(format!(
            "{} more ({} in all)",
            if after.database.is_some() {
                counted(after.nodes - before.nodes, "node", "nodes")
            } else {
                counted(after.nodes - before.nodes, "vCPU", "vCPU")
            },
            facts::number(after.nodes)
        ));
    }
    if let (Some(old), Some(new)) = (before.database, after.database)
        && old.0 != new.0
    {
        parts.push(format!("a database of {} vCPU", facts::number(new.1)));
    }
    if parts.is_empty() { "nothing to add".to_owned() } else { parts.join(" and ") }
}

fn described(needs: &Needs) -> String {
    match needs.database {
        Some((_, vcpu)) => {
            format!(
                "{} and {} vCPU of database",
                counted(needs.nodes, "node", "nodes"),
                facts::number(vcpu)
            )
        }
        None => format!("{} vCPU", facts::number(needs.nodes)),
    }
}

fn doubling(draft: &Draft<'_>) -> Computed {
    let growth = draft.input(Knob::Growth);
    let months = if growth.value() > 1.0 {
        draft.inputs.growth_time.value() * 2.0_f64.ln() / growth.value().ln()
    } else {
        f64::INFINITY
    };
    Term::function("doubling", vec![growth, draft.inputs.growth_time.clone()], months)
        .named("load doubles every", Unit::Seconds)
}

/// When the first limit that a node does not lift is reached.
fn due(choice: Choice, draft: &Draft<'_>) -> Choice {
    let growth = draft.value(Knob::Growth);
    if growth <= 1.0 {
        return choice;
    }
    let when = |factor: f64| draft.inputs.growth_time.value() * factor.ln() / growth.ln();
    let target = draft.catalog.value("utilisation_target");
    match sizing::store(draft) {
        sizing::Store::Server => {
            let Some(full) = sizing::database_full(draft) else { return choice };
            let factor = full / draft.value(Knob::Peak);
            let cure = if draft.domain.contexts.len() > 1 {
                "a context has to have left"
            } else {
                "its rows have to be in shards"
            };
            if factor <= 1.0 {
                return choice.flips(format!(
                    "peak below {}: one database server carries it",
                    facts::rps(full)
                ));
            }
            choice.flips(format!(
                "{} from now at this growth ({}): the largest database server is full, and {cure}",
                facts::time(when(factor)),
                facts::rps(full)
            ))
        }
        sizing::Store::Embedded => {
            let busy = draft.load.writes() * draft.catalog.value("writer_embedded");
            if busy <= 0.0 {
                return choice;
            }
            let factor = target / busy;
            choice.flips(format!(
                "{} from now at this growth ({}): SQLite's writer is full, PostgreSQL before then",
                facts::time(when(factor.max(1.0))),
                facts::rps(draft.value(Knob::Peak) * factor.max(1.0))
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{NOTES, SHOP, check};
    use expect_test::expect;

    #[test]
    fn growth_says_what_to_add_and_when() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
            system: now 1,200 rps, in 6 months 1,731 rps, in 12 months 2,496 rps, at the end 3,600 rps
              flips at 7.02 years from now at this growth (205,859 rps): the largest database server is full, and a context has to have left
        "#]],
        );
    }

    #[test]
    fn an_assumed_growth_is_said_to_be_one() {
        check(
            &RULE,
            NOTES,
            expect![[r#"
            system: now 50 rps, in 6 months 59.5 rps, in 12 months 70.7 rps, at the end 100 rps
              flips at 20.5 years from now at this growth (60,000 rps): SQLite's writer is full, PostgreSQL before then
        "#]],
        );
    }
}
