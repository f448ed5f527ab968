//! # D001 boundaries
//! How many deployable units the contexts are put into.
//!
//! **Why**: a unit of its own buys a release train, a scale and a blast radius of its own. Team,
//! traffic and isolation say whether somebody needs them; contexts keep their tables apart either
//! way, so that a later split moves code and data but redesigns nothing.
//! **Cost** of a split: two more nodes, a network trip for each call that crosses, and the upkeep
//! of one more pipeline and pager. **Instead**: a modular monolith.

use crate::capacity::Term;
use crate::draft::inputs::Knob;
use crate::draft::{Draft, sizing};
use crate::rules::choice::{Settings, counted, listed};
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Setting, Stage};
use ir::domain::ContextId;
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D001", name: "boundaries", stage: Stage::Boundaries, each: false, decide };

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let contexts = draft.domain.contexts.len();
    let affordable = affordable(draft);
    let units = (affordable.value.max(1.0) as usize).min(contexts.max(1));
    let groups = grouped(draft, units);
    let cpu = sizing::app_cpu(draft, sizing::Store::Server);
    let nodes = sizing::nodes_for(draft, &cpu);
    let names: Vec<&str> = draft.domain.contexts.iter().map(|one| one.name.as_str()).collect();
    let question = match contexts {
        1 => format!("is `{}` one deployable unit?", draft.domain.system),
        _ => format!("one deployable unit, or one for each of {}?", listed(&names)),
    };
    let mut choice = RULE.on("system", question);
    choice = choice
        .choose(named(&groups, contexts))
        .number(affordable.clone())
        .number(cpu.clone())
        .number(nodes.clone())
        .driver("constraints.team")
        .driver("goals.peak")
        .effect(Effect::RunsHere)
        .set("units", groups.len() as f64);
    for setting in unit_settings(draft, &groups) {
        choice = choice.set("unit", setting);
    }
    choice = reasons(choice, draft, &groups, &cpu, &nodes);
    let unit_size = draft.catalog.value("engineers_per_unit");
    if contexts > groups.len() {
        let next = unit_size * (groups.len() as f64 + 1.0);
        choice = choice.flips(format!(
            "team of {} engineers or more: {} units",
            facts::number(next),
            groups.len() + 1
        ));
    }
    if groups.len() > 1 {
        let least = unit_size * groups.len() as f64;
        choice = choice.flips(format!(
            "team below {} engineers: {}",
            facts::number(least),
            counted(groups.len() as f64 - 1.0, "unit", "units")
        ));
    }
    if sizing::database_cpu(draft).value > 0.0 {
        choice = choice.flips(if contexts > 1 {
            "one database server full, at the peak that D055 computes behind the caches: the \
             context that D002 names leaves"
        } else {
            "one database server full, at the peak that D055 computes behind the caches: shards, \
             or a second context"
        });
    }
    vec![alternatives(choice, draft, &groups).done(draft)]
}

/// Units that the team can keep a pager for.
fn affordable(draft: &Draft<'_>) -> Computed {
    let quotient = draft.input(Knob::Team) / draft.fact("engineers_per_unit");
    let floor = quotient.value().floor().max(1.0);
    Term::function("max", vec![Term::number(1.0), quotient.wrapped("floor", floor)], floor)
        .named("units the team can keep", Unit::Count("units".to_owned()))
}

fn named(groups: &[Vec<ContextId>], contexts: usize) -> String {
    match (groups.len(), contexts) {
        (1, 1) => "one deployable unit".to_owned(),
        (1, _) => "modular monolith, one deployable unit".to_owned(),
        (units, all) if units == all => format!("services, one for each of {all} contexts"),
        (units, all) => format!("{units} coarse services for {all} contexts"),
    }
}

fn reasons(
    choice: crate::rules::Choice,
    draft: &Draft<'_>,
    groups: &[Vec<ContextId>],
    cpu: &Computed,
    nodes: &Computed,
) -> crate::rules::Choice {
    let team = draft.input(Knob::Team);
    let size = facts::number(draft.catalog.value("engineers_per_unit"));
    let units = groups.len();
    let load = format!(
        "{} at the peak take {} vCPU in all: {} it, so load asks for no split.",
        facts::rps(draft.load.clients()),
        facts::number(cpu.value),
        counted(nodes.value, "node of 1 vCPU carries", "nodes of 1 vCPU carry")
    );
    let people = if units == 1 {
        format!(
            "{} can hold the pager of one release train for {}; a second one wants {size} of \
             their own.",
            team.print(),
            contexts(draft)
        )
    } else {
        format!(
            "{} can keep {units} release trains of {size} engineers; fewer would have {} \
             engineers wait for each other's releases.",
            team.print(),
            facts::number(team.value())
        )
    };
    let transactional = draft.model.workflows.iter().map(|one| one.name.as_str());
    let workflows: Vec<&str> = transactional.collect();
    let relations = facts::relations(draft.domain).len();
    choice
        .because(people)
        .because(load)
        .because_if(relations > 0 && units == 1, || {
            format!(
                "{} contexts; in one process that is a function call, between services a network \
                 trip that can fail.",
                counted(relations as f64, "reference crosses", "references cross")
            )
        })
        .because_if(!workflows.is_empty() && units == 1, || {
            format!(
                "The contexts already meet through {} and events, not through shared tables, so \
                 one of them can leave later without a redesign.",
                listed(&workflows)
            )
        })
}

/// The contexts by name, as a reason names them.
fn contexts(draft: &Draft<'_>) -> String {
    let names: Vec<String> =
        draft.domain.contexts.iter().map(|one| format!("`{}`", one.name)).collect();
    listed(&names)
}

fn alternatives(
    choice: crate::rules::Choice,
    draft: &Draft<'_>,
    groups: &[Vec<ContextId>],
) -> crate::rules::Choice {
    let contexts = draft.domain.contexts.len();
    let mut choice = choice.number(monthly(draft, groups.len()));
    if groups.len() < contexts {
        let each: Vec<Vec<ContextId>> = (0..contexts).map(|at| vec![ContextId::of(at)]).collect();
        let upkeep = upkeep(draft, contexts);
        let lost = format!(
            "{} more to release, watch and page for: {} of {} for nothing that the load asks \
             for{}.",
            counted((contexts - groups.len()) as f64, "unit", "units"),
            facts::number(upkeep.value - upkeep_of(draft, groups.len())),
            draft.input(Knob::Team).print(),
            crossing(draft)
        );
        let numbers = vec![monthly(draft, contexts), upkeep];
        let settings = settings_of(draft, &each);
        choice = choice.option("services, one for each context", lost, numbers, settings);
    }
    if groups.len() > 1 {
        let one = vec![(0..contexts).map(ContextId::of).collect::<Vec<_>>()];
        let per_unit = draft.value(Knob::Team);
        let lost = format!(
            "{} engineers in one release train: each waits for the slowest of them.",
            facts::number(per_unit)
        );
        let numbers = vec![monthly(draft, 1)];
        choice = choice.option("modular monolith", lost, numbers, settings_of(draft, &one));
    }
    functions(choice, draft)
}

/// A function for each operation: priced for the mean traffic.
fn functions(choice: crate::rules::Choice, draft: &Draft<'_>) -> crate::rules::Choice {
    let seconds = Term::input(
        "month",
        crate::draft::MONTH_SECONDS,
        Unit::Seconds,
        Grade::Derived,
        "a mean month",
    );
    let calls = draft.peak() / draft.input(Knob::PeakToMean) * seconds;
    let each = draft.fact("function_call")
        + draft.fact("function_gb_second") * draft.fact("function_time");
    let price = (calls * each).named("monthly cost", sizing::money(draft));
    let operations = draft.contract.operations.len();
    let lost = format!(
        "{operations} functions that each open their own database connection and start cold, for \
         {}.",
        facts::money(draft, price.value)
    );
    choice.alternative("a function for each operation", lost, vec![price])
}

fn crossing(draft: &Draft<'_>) -> String {
    let writes: f64 = facts::relations(draft.domain)
        .iter()
        .map(|relation| facts::questions(draft, relation.from))
        .sum();
    if writes <= 0.0 {
        return String::new();
    }
    let trip = draft.catalog.value("network_trip");
    format!(
        ", and {} that now call a function would each wait {} for a network trip",
        facts::rps(writes),
        facts::time(trip)
    )
}

fn upkeep_of(draft: &Draft<'_>, units: usize) -> f64 {
    units as f64 * draft.catalog.value("service_upkeep")
}

fn upkeep(draft: &Draft<'_>, units: usize) -> Computed {
    let unit = Unit::Count("units".to_owned());
    let units = Term::input("units", units as f64, unit, Grade::Derived, "the alternative");
    let upkeep = units * draft.fact("service_upkeep");
    upkeep.named("upkeep", Unit::Count("engineers".to_owned()))
}

/// Application nodes alone: two of the smallest for each unit.
fn monthly(draft: &Draft<'_>, units: usize) -> Computed {
    let count = Unit::Count("units".to_owned());
    let units = Term::input("units", units as f64, count, Grade::Derived, "the alternative");
    let nodes = units * 2.0 * sizing::replica_price(draft);
    nodes.named("monthly cost of nodes", sizing::money(draft))
}

fn settings_of(draft: &Draft<'_>, groups: &[Vec<ContextId>]) -> Settings {
    let mut settings = vec![("units", Setting::Number(groups.len() as f64))];
    let units = unit_settings(draft, groups).into_iter();
    settings.extend(units.map(|unit| ("unit", Setting::Word(unit))));
    settings
}

/// `name: context, context`, one for each unit.
fn unit_settings(draft: &Draft<'_>, groups: &[Vec<ContextId>]) -> Vec<String> {
    let name = |id: &ContextId| draft.domain.contexts[id.index()].name.as_str();
    let mut units = Vec::new();
    for group in groups {
        let names: Vec<&str> = group.iter().map(name).collect();
        let unit = match (groups.len(), names.as_slice()) {
            (1, _) => draft.domain.system.clone(),
            (_, [one]) => (*one).to_owned(),
            (_, several) => several.join("-"),
        };
        units.push(format!("{unit}: {}", names.join(", ")));
    }
    units
}

/// Puts contexts together, the most strongly coupled first, until so many units are left.
fn grouped(draft: &Draft<'_>, units: usize) -> Vec<Vec<ContextId>> {
    let mut groups: Vec<Vec<ContextId>> =
        (0..draft.domain.contexts.len()).map(|at| vec![ContextId::of(at)]).collect();
    if units <= 1 {
        return vec![groups.into_iter().flatten().collect()];
    }
    let coupling = facts::coupling(draft);
    let between = |left: &[ContextId], right: &[ContextId]| -> u32 {
        let pairs = left.iter().flat_map(|a| right.iter().map(move |b| (*a.min(b), *a.max(b))));
        pairs.filter_map(|pair| coupling.get(&pair)).sum()
    };
    while groups.len() > units {
        let mut best = (0, 1, 0, usize::MAX);
        for left in 0..groups.len() {
            for right in left + 1..groups.len() {
                let strength = between(&groups[left], &groups[right]);
                let size = groups[left].len() + groups[right].len();
                if strength > best.2 || strength == best.2 && size < best.3 {
                    best = (left, right, strength, size);
                }
            }
        }
        let moved = groups.remove(best.1);
        groups[best.0].extend(moved);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{LINKS, SHOP, check, with};
    use expect_test::expect;

    #[test]
    fn six_engineers_keep_one_release_train() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                system: modular monolith, one deployable unit
                  flips at team of 10 engineers or more: 2 units
                  flips at one database server full, at the peak that D055 computes behind the caches: the context that D002 names leaves
            "#]],
        );
    }

    #[test]
    fn sixteen_engineers_would_wait_for_each_other() {
        check(
            &RULE,
            &with(SHOP, "team: 6 engineers", "team: 16 engineers"),
            expect![[r#"
                system: services, one for each of 3 contexts
                  flips at team below 15 engineers: 2 units
                  flips at one database server full, at the peak that D055 computes behind the caches: the context that D002 names leaves
            "#]],
        );
    }

    #[test]
    fn one_context_is_one_unit() {
        check(
            &RULE,
            LINKS,
            expect![[r#"
                system: one deployable unit
                  flips at one database server full, at the peak that D055 computes behind the caches: shards, or a second context
            "#]],
        );
    }
}
