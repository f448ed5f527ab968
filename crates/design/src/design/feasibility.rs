//! Goals that cannot hold, with the arithmetic and the changes that mend them, cheapest first.

use super::again;
use crate::capacity::Term;
use crate::draft::inputs::{Inputs, Knob, percentile_name};
use crate::draft::{Draft, Ground, bill, dependability, outside, sizing};
use crate::rules::{self, facts};
use ir::decision::Infeasible;
use ir::quantity::{Computed, Grade, Unit};

/// Seconds of loss and of waiting that a relaxed recovery goal allows.
const RELAXED_RPO_SECONDS: f64 = 300.0;
const RELAXED_RTO_SECONDS: f64 = 14_400.0;
/// Steps of five that a budget is raised by at most.
const BUDGETS_TRIED: u32 = 40;
/// Factors of nodes that are tried where a latency goal does not hold.
const NODES_TRIED: [f64; 4] = [2.0, 4.0, 8.0, 16.0];

/// All goals that the finished draft does not meet.
pub(super) fn infeasible(ground: Ground<'_>, draft: &Draft<'_>) -> Vec<Infeasible> {
    let mut found = Vec::new();
    found.extend(availability(ground, draft));
    found.extend(recovery(draft));
    found.extend(budget(ground, draft).or_else(|| budget_after_growth(ground, draft)));
    found.extend(capacity(draft));
    found.extend(latency(draft));
    found.extend(integrations(draft));
    found.extend(workflows(draft));
    found
}

fn cost_of(draft: &Draft<'_>) -> String {
    facts::money(draft, bill::total(draft, 1.0).value.round())
}

fn availability(ground: Ground<'_>, draft: &Draft<'_>) -> Option<Infeasible> {
    let goal = draft.input(Knob::Availability);
    let reached = draft.number("availability", "system")?;
    if goal.value() <= reached {
        return None;
    }
    let decided = draft.decided("availability", "system");
    let numbers = decided.map(|one| one.numbers.clone()).unwrap_or_default();
    let floor = (reached * 1e4).floor() / 1e4;
    let mut cures = vec![format!(
        "`goals.availability: {}`: what stands here now, {}",
        facts::share(floor),
        cost_of(draft)
    )];
    let best = dependability::composed(draft, true, true, dependability::careful(draft)).value;
    if sizing::store(draft) == sizing::Store::Embedded && best >= goal.value() {
        cures.push(format!(
            "PostgreSQL with a standby instead of SQLite: {}, {} for the database",
            facts::share(best),
            database_price(ground, draft)
        ));
    } else {
        let both = dependability::regions(draft).value;
        let total = bill::total(draft, 1.0).value * 2.0;
        let enough = both >= goal.value();
        cures.push(format!(
            "a second region{}: {}, about {}",
            if enough { "" } else { " and fewer bad releases" },
            facts::share_beside(both, goal.value()),
            facts::money(draft, total.round())
        ));
    }
    Some(Infeasible {
        goal: "goals.availability".to_owned(),
        claim: format!(
            "{} cannot hold: {} reaches {}.",
            goal.print(),
            decided.map_or("the design", |one| one.choice.as_str()),
            facts::share_beside(reached, goal.value())
        ),
        numbers,
        cures,
    })
}

fn database_price(ground: Ground<'_>, draft: &Draft<'_>) -> String {
    let size = sizing::database_size(draft, sizing::database_cpu(draft).value, draft.bytes());
    let price = ground.catalog.value(size.0) * crate::draft::MONTH_HOURS * 2.0;
    facts::money(draft, price.round())
}

fn recovery(draft: &Draft<'_>) -> Option<Infeasible> {
    let (rpo, rto) = (draft.input(Knob::Rpo), draft.input(Knob::Rto));
    let failover = draft.fact("failover");
    let standby = draft.flag("standby");
    if standby && rto.value() < failover.value() {
        let takes = (Term::number(1.0) * &failover).named("failover", Unit::Seconds);
        return Some(Infeasible {
            goal: "goals.recovery.rto".to_owned(),
            claim: format!(
                "{} cannot hold: a standby is promoted in {}.",
                rto.print(),
                failover.print()
            ),
            numbers: vec![takes],
            cures: vec![format!("`rto: {}`", failover.print())],
        });
    }
    if standby || rpo.value() > 0.0 {
        return None;
    }
    let lag =
        Term::input("copy_every", 60.0, Unit::Seconds, Grade::Derived, "the recovery decision");
    Some(Infeasible {
        goal: "goals.recovery.rpo".to_owned(),
        claim: format!(
            "`rpo: 0 s` cannot hold without a second machine that has each commit before it is \
             answered; {} has none.",
            draft.word("database")
        ),
        numbers: vec![(lag * 1.0).named("lost with the machine", Unit::Seconds)],
        cures: vec![
            "`rpo: 60 s`: the log is shipped each minute".to_owned(),
            "PostgreSQL with a synchronous standby".to_owned(),
        ],
    })
}

fn budget(ground: Ground<'_>, draft: &Draft<'_>) -> Option<Infeasible> {
    let budget = bill::budget(draft)?;
    let total = bill::total(draft, 1.0);
    if total.value <= budget.value {
        return None;
    }
    let mut cures: Vec<(f64, String)> = Vec::new();
    for (words, inputs) in relaxed(draft) {
        let other = again(ground, inputs);
        let cost = bill::total(&other, 1.0).value;
        if to_pay(&other) <= budget.value
            && !cures.iter().any(|(known, _)| (known - cost).abs() < 0.5)
        {
            cures.push((cost, format!("{words}: {}", facts::money(draft, cost.round()))));
        }
    }
    let (amount, currency) = draft.inputs.budget.as_ref()?;
    let rate = budget.value / amount.value().max(1e-9);
    let needed = needed(ground, draft, total.value / rate);
    cures.push((
        needed * rate,
        format!(
            "`budget: {} {currency} per month`: all goals as they stand",
            facts::number(needed)
        ),
    ));
    cures.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut numbers = bill::lines(draft, 1.0);
    numbers.sort_by(|a, b| b.value.total_cmp(&a.value));
    numbers.push(total.clone());
    Some(Infeasible {
        goal: "goals.budget".to_owned(),
        claim: format!(
            "{} cannot pay for {}: the cheapest that meets the other goals is {}.",
            facts::money(draft, budget.value),
            facts::share(draft.value(Knob::Availability)),
            facts::money(draft, total.value.round())
        ),
        numbers,
        cures: cures.into_iter().map(|(_, words)| words).collect(),
    })
}

/// A month's bill that a budget has to pay: at the end of the growth where the goals ask for it.
fn to_pay(draft: &Draft<'_>) -> f64 {
    let growth = draft.input(Knob::Growth);
    let factor = if growth.grade() == Grade::Given { growth.value().max(1.0) } else { 1.0 };
    bill::total(draft, factor).value
}

/// A budget that pays for today, but not for the growth that the goals ask for.
fn budget_after_growth(ground: Ground<'_>, draft: &Draft<'_>) -> Option<Infeasible> {
    let budget = bill::budget(draft)?;
    let growth = draft.input(Knob::Growth);
    let then = bill::total(draft, growth.value());
    if to_pay(draft) <= budget.value {
        return None;
    }
    let factor = bill::factor_at(draft, budget.value).unwrap_or(1.0);
    let spent = draft.inputs.growth_time.value() * factor.ln() / growth.value().ln();
    let (amount, currency) = draft.inputs.budget.as_ref()?;
    let rate = budget.value / amount.value().max(1e-9);
    let needed = needed(ground, draft, then.value / rate);
    let numbers = vec![
        then.clone(),
        Term::told(spent, "the growth goal's time at which the bill is the budget", Vec::new())
            .named("budget spent after", Unit::Seconds),
    ];
    Some(Infeasible {
        goal: "goals.budget".to_owned(),
        claim: format!(
            "{} pays for today ({}), not for `goals.growth`: {} times the load in {} cost {}; the \
             budget is spent after {}, at {}.",
            facts::money(draft, budget.value),
            cost_of(draft),
            growth.print(),
            draft.inputs.growth_time.print(),
            facts::money(draft, then.value.round()),
            facts::time(spent),
            facts::rps(draft.value(Knob::Peak) * factor)
        ),
        numbers,
        cures: vec![
            format!(
                "`budget: {} {currency} per month`: today's goals until the end of the growth",
                facts::number(needed)
            ),
            format!(
                "`growth: {}x in {}`: what the budget carries",
                facts::number((factor * 100.0).floor() / 100.0),
                draft.inputs.growth_time.print()
            ),
        ],
    })
}

/// The least budget, in steps of five, that pays for all goals; logs cost a share of it.
fn needed(ground: Ground<'_>, draft: &Draft<'_>, least: f64) -> f64 {
    let mut needed = (least / 5.0).ceil() * 5.0;
    for _ in 0..BUDGETS_TRIED {
        let other = again(ground, draft.inputs.with_budget(needed));
        let paid = bill::budget(&other).map_or(f64::INFINITY, |budget| budget.value);
        if to_pay(&other) <= paid {
            break;
        }
        needed += 5.0;
    }
    needed
}

/// The other goals, each a step weaker, with the words that say so.
fn relaxed(draft: &Draft<'_>) -> Vec<(String, Inputs)> {
    let one = (dependability::one_node(draft).value * 1e4).floor() / 1e4;
    let release = dependability::careful(draft);
    let pair = dependability::composed(draft, true, false, release).value;
    let pair = (pair * 1e4).floor() / 1e4;
    let calm = |inputs: Inputs| {
        inputs.with(Knob::Rpo, RELAXED_RPO_SECONDS).with(Knob::Rto, RELAXED_RTO_SECONDS)
    };
    let recovery = format!(
        "`recovery: {{ rpo: {}, rto: {} }}`",
        facts::time(RELAXED_RPO_SECONDS),
        facts::time(RELAXED_RTO_SECONDS)
    );
    vec![
        (recovery.clone(), calm(draft.inputs.clone())),
        (
            format!("`availability: {}` and {recovery}", facts::share(pair)),
            calm(draft.inputs.with(Knob::Availability, pair)),
        ),
        (
            format!("`availability: {}` and {recovery}, one machine", facts::share(one)),
            calm(draft.inputs.with(Knob::Availability, one)),
        ),
    ]
}

/// A peak that the largest database server does not carry.
fn capacity(draft: &Draft<'_>) -> Option<Infeasible> {
    if sizing::store(draft) == sizing::Store::Embedded {
        return None;
    }
    let demand = sizing::database_cpu(draft);
    let (name, vcpu, _) = sizing::DATABASE_SIZES[sizing::DATABASE_SIZES.len() - 1];
    if demand.value < vcpu {
        return None;
    }
    let there = Term::input(name, vcpu, demand.unit.clone(), Grade::Catalogue, "the largest sold");
    let peak =
        draft.value(Knob::Peak) * vcpu / demand.value * draft.catalog.value("utilisation_target");
    Some(Infeasible {
        goal: "goals.peak".to_owned(),
        claim: format!(
            "{} cannot be served by one database server: they take {} vCPU, the largest has {}.",
            facts::rps(draft.value(Knob::Peak)),
            facts::number(demand.value),
            facts::number(vcpu)
        ),
        numbers: vec![demand.clone(), (Term::from(&demand) / there).named("servers", Unit::One)],
        cures: vec![
            "`cache` on what is read most: hits do not reach the database".to_owned(),
            "the busiest context in a unit of its own, or shards".to_owned(),
            format!("`peak: {}`", facts::rps(peak.floor())),
        ],
    })
}

fn latency(draft: &Draft<'_>) -> Vec<Infeasible> {
    let replicas = draft.number("replicas", "system").unwrap_or(1.0);
    if draft.load.clients() <= 0.0 {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (percentile, bound) in &draft.inputs.latency {
        let at = |nodes: f64| sizing::percentile(draft, nodes, percentile / 100.0);
        let predicted = at(replicas);
        if predicted <= bound.value() {
            continue;
        }
        let name = percentile_name(*percentile);
        let mut cures = Vec::new();
        let more = NODES_TRIED.iter().find(|factor| at(replicas * **factor) <= bound.value());
        if let Some(factor) = more {
            cures.push(format!("{} nodes instead of {}", replicas * factor, replicas));
        }
        if predicted.is_finite() {
            cures.push(format!("`{name}: {}`", facts::time((predicted * 1.2e3).ceil() / 1e3)));
        }
        let shown =
            Term::input(&name, predicted, Unit::Seconds, Grade::Catalogue, "the latency decision");
        found.push(Infeasible {
            goal: format!("goals.latency.{name}"),
            claim: format!(
                "{name} of {} cannot hold at {}: {} is predicted.",
                bound.print(),
                facts::rps(draft.load.clients()),
                facts::time(predicted)
            ),
            numbers: vec![(shown / bound).named("of what is allowed", Unit::Share)],
            cures,
        });
    }
    found
}

/// Integrations that take fewer calls than the peak brings.
fn integrations(draft: &Draft<'_>) -> Vec<Infeasible> {
    let mut found = Vec::new();
    for integration in &draft.model.integrations {
        let name = integration.name.as_str();
        let Some(limit) = &integration.limit else { continue };
        let calls = outside::calls(draft, name);
        if calls.value() <= limit.value {
            continue;
        }
        let path = format!("integrations.{name}.limit");
        let takes = Term::input("limit", limit.value, Unit::PerSecond, Grade::Given, &path);
        let used = (calls.clone() / &takes).named(&format!("{name} used"), Unit::Share);
        let over = (calls.clone() - &takes).named("waiting more each second", Unit::PerSecond);
        let factor = limit.value / calls.value();
        let peak = draft.value(Knob::Peak) * factor;
        let mean = calls.value() / draft.value(Knob::PeakToMean);
        let mut cures = vec![format!(
            "`limit: {} per second`, agreed with `{name}`",
            facts::number(calls.value().ceil())
        )];
        if mean < limit.value {
            cures.push(format!(
                "no goal for the workflow at the peak: the mean is {}, so what waits is done \
                 after it",
                facts::rps(mean)
            ));
        }
        cures.push(format!("`peak: {}`", facts::rps(peak.floor())));
        found.push(Infeasible {
            goal: path,
            claim: format!(
                "`{name}` takes {}; the peak brings {}, so its queue grows by {} a second.",
                takes.print(),
                facts::rps(calls.value()),
                facts::number(over.value)
            ),
            numbers: vec![used, over],
            cures,
        });
    }
    found
}

/// Workflows whose steps already take longer than their goal.
fn workflows(draft: &Draft<'_>) -> Vec<Infeasible> {
    let mut found = Vec::new();
    for workflow in &draft.model.workflows {
        let Some((percentile, bound)) = workflow.latency.first() else { continue };
        let steps = facts::steps(&workflow.steps);
        let takes: Computed = rules::saga_duration(draft, &steps);
        if takes.value <= bound.value {
            continue;
        }
        let name = percentile_name(percentile.value);
        let times = takes.inputs.iter().filter(|input| input.unit == Unit::Seconds);
        let slowest = times.max_by(|a, b| a.value.total_cmp(&b.value));
        let mut cures = Vec::new();
        if let Some(slowest) = slowest {
            let spare = bound.value - (takes.value - slowest.value);
            if spare > 0.0 {
                cures.push(format!("`{}` of {} at most", slowest.name, facts::time(spare)));
            }
        }
        cures.push(format!("`goal: {{ {name}: {} }}`", facts::time(takes.value)));
        found.push(Infeasible {
            goal: format!("workflows.{}.goal.{name}", workflow.name),
            claim: format!(
                "`{}` cannot end within {}: its steps' {name} add up to {}.",
                workflow.name,
                facts::time(bound.value),
                facts::time(takes.value)
            ),
            numbers: vec![takes],
            cures,
        });
    }
    found
}
