//! # D062 logging
//! What is logged of a request, and how many of them.
//!
//! **Why**: every line is stored, paid and searched. Errors and slow answers are always worth it;
//! of the good ones a sample tells the same.
//! **Cost**: a single good request may be missing. **Instead**: all lines, for a price.

use crate::draft::inputs::Knob;
use crate::draft::{Draft, bill};
use crate::rules::choice::listed;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};

pub(super) const RULE: Rule =
    Rule { id: "D062", name: "logging", stage: Stage::Operations, each: false, decide };

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let allowed = bill::log_allowance(draft);
    let sample = bill::log_sample(draft);
    let (own, all) = (bill::logs_of(draft, sample), bill::logs_of(draft, 1.0));
    let redacted: Vec<String> = draft
        .domain
        .resources()
        .flat_map(|(id, one)| {
            let hidden = one.fields.iter().filter(|field| field.personal || field.secret);
            hidden.map(move |field| format!("`{}.{}`", draft.name(id), field.name))
        })
        .collect();
    let peak_flip = draft.value(Knob::Peak) * allowed / own.value.max(1e-9);
    let choice = RULE
        .on("system", "which requests are logged?")
        .choose(if sample >= 1.0 {
            "every request, one JSON line".to_owned()
        } else {
            format!(
                "all errors and slow answers, and {} of the rest, one JSON line each",
                facts::share(sample)
            )
        })
        .because(format!(
            "All lines would be {} a month, {}; {} is what logs may cost here.",
            facts::bytes(bill::log_volume(draft, 1.0).value),
            facts::money(draft, all.value),
            facts::money(draft, allowed)
        ))
        .because_if(!redacted.is_empty(), || {
            format!(
                "{} never appear: paths are logged by route, queries by parameter name.",
                listed(&redacted)
            )
        })
        .number(bill::log_volume(draft, sample))
        .number(own.clone())
        .alternative(
            if sample >= 1.0 { "a tenth of them" } else { "every request" },
            if sample >= 1.0 {
                format!(
                    "saves {} and loses the one line that support is asked for.",
                    facts::money(draft, all.value * 0.9)
                )
            } else {
                format!("{} for lines that say nothing went wrong.", facts::money(draft, all.value))
            },
            vec![bill::logs_of(draft, if sample >= 1.0 { 0.1 } else { 1.0 })],
        )
        .consequence(
            "Each line carries the trace id, which every problem also shows to the caller.",
        )
        .driver("goals.peak")
        .driver("goals.budget")
        .flips(if sample >= 1.0 {
            format!("peak above {}: good requests are sampled", facts::rps(peak_flip))
        } else if own.value > allowed {
            format!(
                "more than {} for logs: a sample that misses less",
                facts::money(draft, own.value)
            )
        } else {
            format!("peak above {}: a sample ten times thinner", facts::rps(peak_flip))
        })
        .effect(Effect::AdviceOnly)
        .set("log_sample", sample);
    vec![choice.done(draft)]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{CLINIC, SHOP, check};
    use expect_test::expect;

    #[test]
    fn a_budget_thins_the_good_lines() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
            system: all errors and slow answers, and 10 % of the rest, one JSON line each
              flips at peak above 3,422 rps: a sample ten times thinner
        "#]],
        );
    }

    #[test]
    fn little_traffic_is_logged_whole() {
        check(
            &RULE,
            CLINIC,
            expect![[r#"
            system: every request, one JSON line
              flips at peak above 532 rps: good requests are sampled
        "#]],
        );
    }
}
