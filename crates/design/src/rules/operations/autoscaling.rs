//! # D077 autoscaling
//! Whether the number of replicas follows the day.
//!
//! **Why**: capacity for the peak idles at night. Following the load saves the difference, but
//! never goes below what one lost replica must leave standing.
//! **Cost**: a signal, a delay, one more thing that can be wrong. **Instead**: a fixed number.

use crate::capacity::Term;
use crate::draft::inputs::Knob;
use crate::draft::{Draft, sizing};
use crate::rules::choice::counted;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D077", name: "autoscaling", stage: Stage::Operations, each: false, decide };

/// Replicas that stay at the least, so that one may be lost.
const LEAST: f64 = 2.0;
/// Money a month below which a signal is not worth keeping right.
const WORTH: f64 = 50.0;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    if sizing::store(draft) == sizing::Store::Embedded {
        return Vec::new();
    }
    let Some(replicas) = draft.number("replicas", "system") else { return Vec::new() };
    let saving = saving(draft, replicas);
    let follow = saving.value >= WORTH;
    let mean = (replicas / draft.value(Knob::PeakToMean)).ceil().max(LEAST);
    let burst = draft.inputs.burst_time.print();
    let price = sizing::replica_price(draft).value();
    let at = (WORTH / price + LEAST) / replicas.max(1.0) * draft.value(Knob::Peak);
    let choice = RULE
        .on("system", "does the number of replicas follow the load?")
        .choose(if follow {
            format!("from {} to {} by requests a second for each replica", facts::number(mean), facts::number(replicas))
        } else {
            format!("no: {} always", counted(replicas, "replica", "replicas"))
        })
        .because(if follow {
            format!("The mean is {} times below the peak: following it saves {}.", facts::number(draft.value(Knob::PeakToMean)), facts::money(draft, saving.value))
        } else {
            format!("Following the load would save {}; one may never be fewer than {}, so that one can be lost.", facts::money(draft, saving.value), facts::number(LEAST))
        })
        .because(format!("A burst lasts {burst}; a new replica serves after half a minute: bursts are met by headroom either way."))
        .number(saving.clone())
        .alternative(
            if follow { "a fixed number" } else { "following the load" },
            if follow {
                format!("{} more, for replicas that idle at night.", facts::money(draft, saving.value))
            } else {
                format!("{} saved for a signal that must be kept right.", facts::money(draft, saving.value))
            },
            vec![saving],
        )
        .alternative(
            "following CPU",
            "CPU stays low while requests wait for the database, and rises with a bad release.",
            Vec::new(),
        )
        .driver("goals.peak_to_mean")
        .driver("goals.peak")
        .effect(Effect::AdviceOnly)
        .flips(if follow {
            format!("peak below {}: a fixed number", facts::rps(at))
        } else {
            format!("peak above {}: it pays to follow the load", facts::rps(at.max(draft.value(Knob::Peak))))
        });
    vec![choice.done(draft)]
}

fn saving(draft: &Draft<'_>, replicas: f64) -> Computed {
    let unit = || Unit::Count("replicas".to_owned());
    let all = Term::input("replicas", replicas, unit(), Grade::Derived, "the replicas decision");
    let least = Term::input("least", LEAST, unit(), Grade::Derived, "one may be lost");
    let mean = (all.clone() / draft.input(Knob::PeakToMean)).max(least);
    ((all - mean).max(0.0) * sizing::replica_price(draft)).named("saved", sizing::money(draft))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{NOTES, SHOP, check};
    use expect_test::expect;

    #[test]
    fn following_the_day_must_pay() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
            system: no: 2 replicas always
              flips at peak above 2,240 rps: it pays to follow the load
        "#]],
        );
    }

    #[test]
    fn an_embedded_store_has_nothing_to_scale() {
        check(&RULE, NOTES, expect![[""]]);
    }
}
