//! # D040 availability
//! How many of everything the availability goal asks for.
//!
//! **Why**: what is needed together multiplies, what stands in for each other adds up; a goal is
//! met by arithmetic or not at all. Bad releases count as much as broken machines.
//! **Cost**: every nine about doubles the nodes. **Instead**: a lower goal, which is a real choice.

use crate::capacity::{Term, availability as algebra};
use crate::draft::dependability::Release;
use crate::draft::inputs::Knob;
use crate::draft::{Draft, dependability, outside};
use crate::rules::Choice;
use crate::rules::choice::listed;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Authority, Decision, Effect, Stage};
use ir::quantity::{Computed, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D040", name: "availability", stage: Stage::Resilience, each: false, decide };

/// A composition: one or two application nodes, a database with standby or not, and how releases
/// reach callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    pair: bool,
    standby: bool,
    release: Release,
}

/// The compositions from the cheapest on.
fn shapes(draft: &Draft<'_>) -> [Shape; 5] {
    let careful = dependability::careful(draft);
    let shape = |pair, standby, release| Shape { pair, standby, release };
    [
        shape(false, false, Release::Rolling),
        shape(true, false, Release::Rolling),
        shape(true, false, careful),
        shape(true, true, Release::Rolling),
        shape(true, true, careful),
    ]
}

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let goal = draft.input(Knob::Availability);
    let month = Term::input(
        "month",
        crate::draft::MONTH_SECONDS,
        Unit::Seconds,
        ir::quantity::Grade::Derived,
        "a mean month",
    );
    let budget = ((Term::number(1.0) - &goal) * month).named("error budget a month", Unit::Seconds);
    let choice = RULE
        .on("system", format!("what reaches {}?", goal.print()))
        .authority(Authority::Validates)
        .driver("goals.availability")
        .number(budget.clone())
        .effect(Effect::FilesOnly);
    let choice = if draft.word("database") == "sqlite" {
        on_one_machine(choice, draft)
    } else {
        composed(choice, draft, &budget)
    };
    vec![regions(beside(choice, draft), draft).done(draft)]
}

fn on_one_machine(choice: Choice, draft: &Draft<'_>) -> Choice {
    let goal = draft.value(Knob::Availability);
    let one = dependability::one_node(draft);
    let holds = one.value >= goal;
    choice
        .choose("one machine, repaired by hand")
        .because(format!(
            "One machine with its file reaches {}, {} a month: {} {} asked.",
            facts::share_beside(one.value, goal),
            facts::time(algebra::budget_seconds_a_month(one.value)),
            if holds { "enough for the" } else { "not enough for the" },
            facts::share(goal)
        ))
        .number(one.clone())
        .alternative(
            "two nodes and a database with a standby",
            format!(
                "{} that the goal does not ask for.",
                facts::share(dependability::composed(draft, true, true, Release::Rolling).value)
            ),
            vec![dependability::composed(draft, true, true, Release::Rolling)],
        )
        .flips(if holds {
            format!(
                "availability above {}: PostgreSQL and two nodes",
                facts::share((one.value * 1e4).floor() / 1e4)
            )
        } else {
            "PostgreSQL and two nodes: see the infeasible goals".to_owned()
        })
        .effect(Effect::RunsHere)
        .set("nodes_min", 1.0)
        .set("release", "restart")
        .set("availability", one.value)
}

fn composed(choice: Choice, draft: &Draft<'_>, budget: &Computed) -> Choice {
    let goal = draft.value(Knob::Availability);
    let standby = draft.flag("standby");
    let shapes = shapes(draft);
    let own: Vec<Shape> = shapes.into_iter().filter(|one| one.standby == standby).collect();
    let chosen = own.iter().find(|shape| reached(draft, **shape).value >= goal);
    let shape = *chosen.or(own.last()).unwrap_or(&shapes[4]);
    let number = reached(draft, shape);
    let release = dependability::release_loss(draft, shape.release);
    let alone = shapes.iter().any(|one| !one.standby && reached(draft, *one).value >= goal);
    let choice = choice
        .choose(name(shape))
        .because(format!(
            "Balancer {} × application {} × database {} less {} for bad releases is {}: {} a \
             month of {} allowed, or about {} requests.",
            facts::share(draft.catalog.value("balancer_availability")),
            facts::share(nodes(draft, shape).value),
            facts::share(database(draft, shape).value),
            facts::share(release.value),
            facts::share_beside(number.value, goal),
            facts::time(algebra::budget_seconds_a_month(number.value)),
            facts::time(budget.value),
            facts::number(unanswered(draft, number.value))
        ))
        .because_if(shape.release != Release::Rolling, || careful(draft, shape, budget))
        .because_if(standby && alone, || {
            "The standby is there for the recovery goal: the availability alone would not need it."
                .to_owned()
        })
        .because_if(chosen.is_none(), || {
            format!("It does not reach {}: see the infeasible goals.", facts::share(goal))
        })
        .number(nodes(draft, shape))
        .number(database(draft, shape))
        .number(release)
        .number(number.clone());
    let choice = others(choice, draft, &shapes, shape, budget);
    let below = own.iter().map(|one| reached(draft, *one).value);
    let below = below.filter(|value| *value < number.value).reduce(f64::max);
    let choice = match below {
        Some(below) => {
            choice.flips(format!("availability of {} or less: one step less", facts::share(below)))
        }
        None => choice,
    };
    let flip = if number.value >= goal {
        format!("availability above {}: {}", facts::share_beside(number.value, goal), after(shape))
    } else {
        format!("{} instead: see the infeasible goals", after(shape))
    };
    choice
        .flips(flip)
        .set("nodes_min", if shape.pair { 2.0 } else { 1.0 })
        .set("release", word(shape.release))
        .set("availability", number.value)
}

fn reached(draft: &Draft<'_>, shape: Shape) -> Computed {
    dependability::composed(draft, shape.pair, shape.standby, shape.release)
}

fn careful(draft: &Draft<'_>, shape: Shape, budget: &Computed) -> String {
    let all = dependability::release_loss(draft, Release::Rolling);
    let own = dependability::release_loss(draft, shape.release);
    let how = match shape.release {
        Release::Canary => {
            format!("shown to {} first", facts::share(draft.catalog.value("canary_share")))
        }
        Release::BlueGreen | Release::Rolling => {
            "checked on the idle side before the switch (a canary would see too few requests)"
                .to_owned()
        }
    };
    format!(
        "Released to everybody at once, a bad release a month alone would take {} of the {} \
         budget; {how} it takes {}.",
        facts::time(all.value * crate::draft::MONTH_SECONDS),
        facts::time(budget.value),
        facts::time(own.value * crate::draft::MONTH_SECONDS)
    )
}

fn others(
    choice: Choice,
    draft: &Draft<'_>,
    shapes: &[Shape],
    shape: Shape,
    budget: &Computed,
) -> Choice {
    let goal = draft.value(Knob::Availability);
    let mut choice = choice;
    for other in shapes.iter().filter(|other| **other != shape) {
        let value = reached(draft, *other);
        let lost = if value.value < goal {
            format!(
                "{}, {} a month: {} more than the budget.",
                facts::share_beside(value.value, goal),
                facts::time(algebra::budget_seconds_a_month(value.value)),
                facts::time(algebra::budget_seconds_a_month(value.value) - budget.value)
            )
        } else if shape.standby && !other.standby {
            "meets the availability, not the recovery goal.".to_owned()
        } else {
            format!("{} is more than is asked.", facts::share_beside(value.value, goal))
        };
        choice = choice.alternative(name(*other), lost, vec![value]);
    }
    choice
}

/// Requests a month that meet the system while it is down.
fn unanswered(draft: &Draft<'_>, available: f64) -> f64 {
    let mean = draft.value(Knob::Peak) / draft.value(Knob::PeakToMean);
    (mean * algebra::budget_seconds_a_month(available)).round()
}

fn word(release: Release) -> &'static str {
    match release {
        Release::Rolling => "rolling",
        Release::Canary => "canary",
        Release::BlueGreen => "blue-green",
    }
}

fn after(shape: Shape) -> &'static str {
    match (shape.standby, shape.release) {
        (false, _) => "a standby",
        (true, Release::Rolling) => "careful releases",
        (true, Release::Canary | Release::BlueGreen) => "a second region",
    }
}

fn name(shape: Shape) -> String {
    let nodes = if shape.pair { "two application nodes" } else { "one application node" };
    let database = if shape.standby { "database with standby" } else { "one database" };
    format!("{nodes}, {database}, {} releases", word(shape.release))
}

fn nodes(draft: &Draft<'_>, shape: Shape) -> Computed {
    if shape.pair { dependability::app_pair(draft) } else { dependability::app_single(draft) }
}

fn database(draft: &Draft<'_>, shape: Shape) -> Computed {
    if shape.standby {
        dependability::database_pair(draft)
    } else {
        dependability::database_single(draft)
    }
}

/// What is left out of the product, and why.
fn beside(choice: Choice, draft: &Draft<'_>) -> Choice {
    let mut choice = choice;
    let reached = draft.model.integrations.iter().map(|one| one.name.as_str());
    let names: Vec<&str> = reached.collect();
    if !names.is_empty() {
        let product = names
            .iter()
            .fold(Term::number(1.0), |product, name| product * outside::availability(draft, name));
        let product = product.named("integrations together", Unit::Share);
        choice = choice
            .because(format!(
                "{} ({}) is not in the product: it is called after the commit, by workflows that \
                 wait for it.",
                listed(&names),
                facts::share(product.value)
            ))
            .alternative(
                format!("{} called inside the request", listed(&names)),
                format!(
                    "nothing built on {} can be there {} of the time.",
                    facts::share(product.value),
                    facts::share(draft.value(Knob::Availability))
                ),
                vec![product],
            );
    }
    let oidc = draft.domain.actors.iter().any(|actor| actor.proof == ir::model::Proof::Oidc);
    if oidc {
        choice = choice.consequence(
            "The identity provider is not in the product: tokens are verified with its cached \
             keys, so its outage stops new sign-ins, not signed-in callers.",
        );
    }
    choice
}

fn regions(choice: Choice, draft: &Draft<'_>) -> Choice {
    let both = dependability::regions(draft);
    choice.alternative(
        "two regions",
        format!(
            "{} for twice the price, and either a write that waits for the other region or an rpo \
             above zero.",
            facts::share(both.value)
        ),
        vec![both],
    )
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{CLINIC, NOTES, SHOP, check};
    use expect_test::expect;

    #[test]
    fn three_nines_and_a_half_need_a_standby() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
            system: two application nodes, database with standby, rolling releases
              flips at availability above 99.982 %: careful releases
        "#]],
        );
    }

    #[test]
    fn four_nines_need_careful_releases() {
        check(
            &RULE,
            CLINIC,
            expect![[r#"
            system: two application nodes, database with standby, blue-green releases
              flips at availability of 99.982 % or less: one step less
              flips at availability above 99.9919 %: a second region
        "#]],
        );
    }

    #[test]
    fn one_machine_is_enough_for_little() {
        check(
            &RULE,
            NOTES,
            expect![[r#"
                system: one machine, repaired by hand
                  flips at availability above 99.88 %: PostgreSQL and two nodes
            "#]],
        );
    }
}
