//! # D002 extraction
//! Which context would become a service of its own first, and when.
//!
//! **Why**: the answer decides where the seams must stay clean. The first to leave is the context
//! with the most load for the fewest calls that would then cross the network.
//! **Cost** of a wrong seam: a distributed transaction. **Instead**: no order, decided under load.

use crate::capacity::Term;
use crate::draft::Draft;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Authority, Decision, Stage};
use ir::quantity::{Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D002", name: "extraction", stage: Stage::Boundaries, each: false, decide };

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let rates = facts::rate_by_context(draft);
    let total: f64 = rates.iter().sum();
    if rates.len() < 2 || total <= 0.0 {
        return Vec::new();
    }
    let calls = calls_by_context(draft);
    let mut order: Vec<usize> = (0..rates.len()).collect();
    let worth = |at: usize| rates[at] / (1.0 + calls[at]);
    order.sort_by(|a, b| worth(*b).total_cmp(&worth(*a)).then(a.cmp(b)));
    let name = |at: usize| draft.domain.contexts[at].name.as_str();
    let (first, second) = (order[0], order[1]);
    let number = |at: usize| {
        let own = Term::input("own", rates[at], Unit::PerSecond, Grade::Derived, "workload");
        let all = Term::input("all", total, Unit::PerSecond, Grade::Derived, "workload");
        (own / all).named("share of the load", Unit::Share)
    };
    let choice = RULE
        .on("system", "which context would leave first?")
        .choose(format!("`{}` first, then `{}`", name(first), name(second)))
        .because(format!(
            "`{}` carries {} of the load and {} of questions across its border; `{}` carries {} \
             and {}.",
            name(first),
            facts::about(rates[first] / total),
            facts::rps(calls[first]),
            name(second),
            facts::about(rates[second] / total),
            facts::rps(calls[second])
        ))
        .number(number(first))
        .alternative(
            format!("`{}` first", name(*order.last().unwrap_or(&second))),
            format!(
                "it carries {} of the load: moving it frees the least.",
                facts::about(rates[*order.last().unwrap_or(&second)] / total)
            ),
            vec![number(*order.last().unwrap_or(&second))],
        )
        .consequence(format!(
            "No query may join `{}` with another context's tables, today or later.",
            name(first)
        ))
        .driver("workload")
        .authority(Authority::Advises);
    let choice = choice.flips(format!(
        "`{}` carrying less for each question across its border than `{}`: that one first",
        name(first),
        name(second)
    ));
    vec![choice.done(draft)]
}

/// Calls a second that would cross the network if a context left.
fn calls_by_context(draft: &Draft<'_>) -> Vec<f64> {
    let mut calls = vec![0.0; draft.domain.contexts.len()];
    for relation in facts::relations(draft.domain) {
        let from = draft.domain.resource(relation.from);
        let rate = facts::questions(draft, relation.from);
        calls[from.context.index()] += rate;
        calls[draft.domain.resource(relation.to).context.index()] += rate;
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{LINKS, SHOP, check};
    use expect_test::expect;

    #[test]
    fn the_busiest_context_with_the_fewest_crossings_leaves_first() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                system: `catalog` first, then `ordering`
                  flips at `catalog` carrying less for each question across its border than `ordering`: that one first
            "#]],
        );
    }

    #[test]
    fn a_single_context_has_nothing_to_take_out() {
        check(&RULE, LINKS, expect![[r#""#]]);
    }
}
