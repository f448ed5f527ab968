//! # D063 tracing
//! Which requests leave a trace.
//!
//! **Why**: a trace answers where the time went. Chosen at the end (tail sampling) it keeps what is
//! worth looking at: errors, the slow, and a thin sample of the rest.
//! **Cost**: spans are held until the request ends. **Instead**: a coin thrown at the start.

use crate::draft::inputs::Knob;
use crate::draft::{Draft, bill};
use crate::rules::choice::listed;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Authority, Decision, Effect, Stage};

pub(super) const RULE: Rule =
    Rule { id: "D063", name: "tracing", stage: Stage::Operations, each: false, decide };

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let mean = draft.value(Knob::Peak) / draft.value(Knob::PeakToMean);
    let sample = bill::trace_sample(draft);
    let whole = bill::traced_whole(draft);
    let flows: Vec<String> =
        draft.model.workflows.iter().map(|one| format!("`{}`", one.name.value)).collect();
    let failing = 1.0 - draft.value(Knob::Availability);
    let head_lost = (failing * mean * 3_600.0 * (1.0 - sample)).round();
    let choice = RULE
        .on("system", "which requests leave a trace?")
        .choose(if sample >= 1.0 {
            "every request".to_owned()
        } else {
            format!(
                "every error and every answer slower than the p95 goal, and {} of the rest",
                facts::share(sample)
            )
        })
        .because(format!(
            "{} in the mean; {} traces a second show every path and its times, for no more than \
             {}.",
            facts::rps(mean),
            facts::number(mean * sample),
            facts::money(draft, bill::trace_allowance(draft))
        ))
        .because_if(!flows.is_empty(), || {
            format!(
                "{} goes on after its request was answered: its trace runs through events and \
                 calls, and is kept whole.",
                listed(&flows)
            )
        })
        .number(bill::trace_volume(draft, sample))
        .alternative(
            if sample >= 1.0 { "a sample of a tenth" } else { "every request" },
            if sample >= 1.0 {
                "the rare path that support asks for would be missing.".to_owned()
            } else {
                format!(
                    "{} of spans a month, of which nearly all say the same.",
                    facts::bytes(bill::trace_volume(draft, 1.0).value)
                )
            },
            vec![bill::trace_volume(draft, if sample >= 1.0 { 0.1 } else { 1.0 })],
        )
        .alternative(
            "a coin at the start",
            if sample >= 1.0 {
                "there is nothing to choose at this rate.".to_owned()
            } else {
                format!(
                    "of the errors that the objective allows, {} an hour would leave no trace.",
                    facts::number(head_lost)
                )
            },
            Vec::new(),
        )
        .flips(if sample >= 1.0 {
            format!("a mean above {}: a sample of the good ones", facts::rps(whole))
        } else {
            format!("a mean below {}: every request", facts::rps(whole))
        })
        .driver("goals.peak")
        .driver("goals.availability")
        .authority(Authority::Advises)
        .effect(Effect::AdviceOnly)
        .set("trace_sample", sample);
    vec![choice.done(draft)]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{CLINIC, SHOP, check};
    use expect_test::expect;

    #[test]
    fn much_traffic_is_sampled_at_the_end() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                system: every error and every answer slower than the p95 goal, and 1 % of the rest
                  flips at a mean below 12.2 rps: every request
            "#]],
        );
    }

    #[test]
    fn little_traffic_is_traced_whole() {
        check(
            &RULE,
            CLINIC,
            expect![[r#"
                system: every request
                  flips at a mean above 9.51 rps: a sample of the good ones
            "#]],
        );
    }
}
