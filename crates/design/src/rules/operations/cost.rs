//! # D069 cost
//! What a month costs, line by line, against the budget.
//!
//! **Why**: a bill is arithmetic: nodes for hours, gigabytes for months, bytes out. Prices are a
//! list with a date and a source, and a user's own list replaces it.
//! **Cost**: none. **Instead**: finding out.

use crate::capacity::Term;
use crate::draft::inputs::Knob;
use crate::draft::{Draft, YEAR_SECONDS, bill, sizing};
use crate::rules::Choice;
use crate::rules::capacity;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Authority, Decision, Stage};
use ir::quantity::{Computed, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D069", name: "cost", stage: Stage::Operations, each: false, decide };

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let mut lines = bill::lines(draft, 1.0);
    let total = bill::total(draft, 1.0);
    let budget = bill::budget(draft);
    lines.sort_by(|a, b| b.value.total_cmp(&a.value));
    let mut choice = RULE
        .on("system", "what does a month cost?")
        .choose(match &budget {
            Some(budget) => format!(
                "{}, {} of the budget",
                facts::money(draft, total.value.round()),
                facts::about(total.value / budget.value)
            ),
            None => facts::money(draft, total.value.round()),
        })
        .authority(Authority::Validates)
        .numbers(lines.iter().cloned())
        .number(total.clone())
        .driver("goals.budget")
        .driver("goals.peak");
    for line in lines.iter().take(3).filter(|line| line.value > total.value * 0.1) {
        choice = choice.because(format!(
            "{}: {}, {} of the bill.",
            line.name,
            facts::money(draft, line.value),
            facts::about(line.value / total.value)
        ));
    }
    choice = database(choice, draft);
    choice = against(choice, draft, &total, budget.as_ref());
    choice = cheaper(choice, draft, &total);
    choice = later(choice, draft);
    choice = choice.consequence(format!(
        "Prices of {}: {}.",
        draft.catalog.prices_date, draft.catalog.prices_source
    ));
    vec![choice.set("monthly_cost", total.value).done(draft)]
}

/// Why the database is of the size that is billed: cores or memory.
fn database(choice: Choice, draft: &Draft<'_>) -> Choice {
    if sizing::store(draft) == sizing::Store::Embedded {
        return choice;
    }
    let demand = sizing::database_cpu(draft).value;
    let (name, vcpu, memory) = *sizing::database_size(draft, demand, draft.bytes());
    let (for_load, for_memory) = sizing::database_wants(draft);
    let hot = draft.bytes() * sizing::HOT_SHARE;
    let busy = facts::about(demand / vcpu);
    choice.because(if name == for_load {
        format!(
            "The database has {} vCPU for {} of work at the peak, {busy} busy; {} GB of memory \
             hold the {} that are looked at within a day.",
            facts::number(vcpu),
            facts::number(demand),
            facts::number(memory),
            facts::bytes(hot)
        )
    } else {
        format!(
            "The database is bought for its memory ({}): {} GB hold the {} of {} that are looked \
             at within a day; its {} vCPU are {busy} busy, and `{}` would do for them.",
            for_memory,
            facts::number(memory),
            facts::bytes(hot),
            facts::bytes(draft.bytes()),
            facts::number(vcpu),
            for_load
        )
    })
}

fn against(
    choice: Choice,
    draft: &Draft<'_>,
    total: &Computed,
    budget: Option<&Computed>,
) -> Choice {
    let Some(budget) = budget else {
        return match &draft.inputs.budget {
            Some((amount, currency)) => choice
                .flips(format!(
                    "a rate for {currency} in the price list: the budget is held against the bill"
                ))
                .because(format!(
                    "unknown: the budget of {} is in {currency} and the price list has no rate \
                     for it; give `exchange_{}` in a list of your own.",
                    amount.print(),
                    currency.to_lowercase()
                )),
            None => choice
                .because(format!(
                    "No budget is given: {} stand against nothing.",
                    facts::money(draft, total.value.round())
                ))
                .flips(format!(
                    "`goals.budget` below {}: a goal that cannot hold",
                    facts::money(draft, total.value.ceil())
                )),
        };
    };
    let choice = choice.number(budget.clone()).because_if(total.value > budget.value, || {
        format!(
            "{} more than the budget: see the infeasible goals.",
            facts::money(draft, total.value - budget.value)
        )
    });
    let factor = if draft.quick { None } else { bill::factor_at(draft, budget.value) };
    match factor {
        Some(factor) => choice.flips(format!(
            "peak above {}: the budget is spent",
            facts::rps(draft.value(Knob::Peak) * factor)
        )),
        None if draft.quick => choice,
        None if total.value > budget.value => {
            choice.flips("`goals.budget` raised as the infeasible goals say: it is paid")
        }
        None => choice.flips("a hundred times the peak is still within the budget"),
    }
}

fn cheaper(choice: Choice, draft: &Draft<'_>, total: &Computed) -> Choice {
    let compute = bill::lines(draft, 1.0)
        .iter()
        .filter(|line| matches!(line.name.as_str(), "application" | "database" | "machine"))
        .map(|line| line.value)
        .sum::<f64>();
    let left = draft.fact("commitment");
    let saved = compute * (1.0 - left.value());
    let committed = Term::from(total)
        - Term::input(
            "compute",
            compute,
            sizing::money(draft),
            ir::quantity::Grade::Catalogue,
            "nodes and database",
        ) * (Term::number(1.0) - left);
    let committed = committed.named("monthly cost", sizing::money(draft));
    let outgrown = capacity::outgrown(draft, YEAR_SECONDS);
    let lost = if outgrown {
        format!(
            "{} less, for sizes that {} of growth would make wrong within the year.",
            facts::money(draft, saved),
            growth_a_year(draft)
        )
    } else {
        format!(
            "{} less, paid whether it is used or not: the sizes carry the year's growth, so it \
             pays once the first month has been measured.",
            facts::money(draft, saved)
        )
    };
    let choice = choice.alternative("a year's commitment", lost, vec![committed]);
    if sizing::store(draft) == sizing::Store::Embedded {
        return choice;
    }
    let machine = bill::one_machine(draft);
    choice.alternative(
        "one machine with SQLite",
        format!(
            "{} less in all, and none of what the availability and recovery goals ask for.",
            facts::money(draft, total.value - machine.value)
        ),
        vec![machine],
    )
}

fn growth_a_year(draft: &Draft<'_>) -> String {
    let growth = draft.value(Knob::Growth);
    let years = draft.inputs.growth_time.value() / YEAR_SECONDS;
    format!("{} times a year", facts::number(growth.powf(1.0 / years.max(0.01))))
}

fn later(choice: Choice, draft: &Draft<'_>) -> Choice {
    let growth = draft.value(Knob::Growth);
    if growth <= 1.0 {
        return choice;
    }
    let then = bill::total(draft, growth);
    let served = draft.peak() / draft.input(Knob::PeakToMean)
        * Term::input(
            "month",
            crate::draft::MONTH_SECONDS,
            Unit::Seconds,
            ir::quantity::Grade::Derived,
            "a mean month",
        );
    let now = bill::total(draft, 1.0);
    let each = (Term::from(&now) / (served / 1e6)).named("a million requests", Unit::One);
    choice
        .because(format!(
            "A million requests cost {} {}.",
            facts::number(each.value),
            draft.catalog.currency
        ))
        .because(format!(
            "After {} at {} times the load it is {}.",
            draft.inputs.growth_time.print(),
            facts::number(growth),
            facts::money(draft, then.value.round())
        ))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{NOTES, SHOP, check};
    use expect_test::expect;

    #[test]
    fn the_bill_stands_against_the_budget_and_says_when_it_is_spent() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                system: 310 USD a month, 34.4 % of the budget
                  flips at peak above 3,789 rps: the budget is spent
            "#]],
        );
    }

    #[test]
    fn without_a_budget_nothing_is_held_against_it() {
        check(
            &RULE,
            NOTES,
            expect![[r#"
                system: 43 USD a month
                  flips at `goals.budget` below 44 USD a month: a goal that cannot hold
            "#]],
        );
    }
}
