//! # D066 deployment
//! How a release reaches callers, and how it is taken back.
//!
//! **Why**: releases are the commonest cause of outages. A canary shows a bad one to few; its cost
//! is the time that two versions run side by side.
//! **Cost**: schema and code must fit both versions. **Instead**: all at once, or by halves.

use super::slo::WINDOW_SECONDS;
use crate::capacity::Term;
use crate::draft::dependability::{self, Release};
use crate::draft::inputs::Knob;
use crate::draft::{Draft, sizing};
use crate::rules::Choice;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D066", name: "deployment", stage: Stage::Operations, each: false, decide };

/// Share of the error budget that releases may spend.
const BUDGET_SHARE: f64 = 0.3;
/// Seconds that all replicas are down when all are replaced at once.
const GAP_SECONDS: f64 = 30.0;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let budget = (1.0 - draft.value(Knob::Availability)) * WINDOW_SECONDS;
    let allowed = budget * BUDGET_SHARE;
    let (rolling, canary) = (burnt(draft, None), burnt(draft, Some("canary_share")));
    let mean = draft.value(Knob::Peak) / draft.value(Knob::PeakToMean);
    let embedded = sizing::store(draft) == sizing::Store::Embedded;
    let restart = burnt_by_restart(draft);
    let own_seconds = match draft.word("release") {
        "canary" => dependability::release_loss(draft, Release::Canary),
        "blue-green" => dependability::release_loss(draft, Release::BlueGreen),
        _ => dependability::release_loss(draft, Release::Rolling),
    };
    let own_seconds = own_seconds.value * crate::draft::MONTH_SECONDS;
    let (name, why) = named(draft, &rolling, &restart, allowed);
    let per_month = draft.catalog.value("releases_a_month");
    let choice = RULE
        .on("system", "how does a release reach callers?")
        .choose(name)
        .because(format!(
            "With {} releases a month, {why}; each minute of it is about {} requests.",
            facts::number(per_month),
            facts::number((mean * 60.0).round())
        ))
        .flips(format!(
            "more than {} releases a month at {} bad ones: {}",
            facts::number((per_month * allowed / own_seconds.max(1e-9)).floor()),
            facts::about(draft.catalog.value("bad_release_share")),
            if name.starts_with("rolling") {
                "a careful release"
            } else {
                "the budget is spent even so"
            }
        ))
        .number(if embedded { restart } else { rolling.clone() })
        .consequence(if embedded {
            "Callers see 503 with `Retry-After` for the time of a restart; with a key they may \
             send again."
                .to_owned()
        } else {
            "Two versions serve side by side: schema changes expand first and contract a release \
             later."
                .to_owned()
        })
        .driver("goals.availability")
        .driver("goals.peak")
        .effect(Effect::AdviceOnly)
        .set("deployment", name);
    vec![others(choice, draft, name, rolling, canary).done(draft)]
}

/// The way that the availability decision asks for, and why.
fn named(
    draft: &Draft<'_>,
    rolling: &Computed,
    restart: &Computed,
    allowed: f64,
) -> (&'static str, String) {
    let mean = draft.value(Knob::Peak) / draft.value(Knob::PeakToMean);
    let seen = mean * draft.catalog.value("canary_share") * 600.0;
    let embedded = sizing::store(draft) == sizing::Store::Embedded;
    if embedded {
        (
            "restart in place, drained",
            format!(
                "one process owns the file: a release costs {} of refusals in 28 days",
                facts::time(restart.value)
            ),
        )
    } else if draft.word("release") == "rolling" {
        (
            "rolling, one replica at a time",
            format!(
                "bad releases spend {} of the {} that releases may",
                facts::time(rolling.value),
                facts::time(allowed)
            ),
        )
    } else if draft.word("release") == "canary" {
        (
            "canary, then rolling",
            format!(
                "a rolling release would spend {} of the {} that releases may; a canary shows a \
                 bad one to {} of callers first",
                facts::time(rolling.value),
                facts::time(allowed),
                facts::share(draft.catalog.value("canary_share"))
            ),
        )
    } else {
        (
            "blue-green, switched by the balancer",
            format!(
                "a rolling release would spend {} of the {} that releases may, and a canary would \
                 see only {} requests in ten minutes, too few to judge by",
                facts::time(rolling.value),
                facts::time(allowed),
                facts::number(seen.round())
            ),
        )
    }
}

fn others(
    choice: Choice,
    draft: &Draft<'_>,
    name: &'static str,
    rolling: Computed,
    canary: Computed,
) -> Choice {
    let budget = (1.0 - draft.value(Knob::Availability)) * WINDOW_SECONDS;
    let allowed = budget * BUDGET_SHARE;
    let embedded = sizing::store(draft) == sizing::Store::Embedded;
    let per_month = draft.catalog.value("releases_a_month");
    choice
        .alternative(
            if name.starts_with("rolling") {
                "canary, then rolling"
            } else {
                "rolling, one replica at a time"
            },
            if name.starts_with("rolling") {
                format!(
                    "would spend {}; the difference is not worth judging each release.",
                    facts::time(canary.value)
                )
            } else if embedded {
                "there is no second replica to roll to.".to_owned()
            } else {
                format!("spends {} of {}.", facts::time(rolling.value), facts::time(allowed))
            },
            vec![if name.starts_with("rolling") { canary } else { rolling }],
        )
        .alternative(
            "all at once",
            format!(
                "{} releases a month with a gap of {} each take {} of the {} that may be lost.",
                facts::number(per_month),
                facts::time(GAP_SECONDS),
                facts::time(per_month * GAP_SECONDS),
                facts::time(budget)
            ),
            Vec::new(),
        )
}

/// Seconds of full outage that bad releases amount to in a window; a canary shows them to few.
fn burnt(draft: &Draft<'_>, canary: Option<&str>) -> Computed {
    let bad =
        draft.fact("releases_a_month") * draft.fact("bad_release_share") * draft.fact("rollback");
    let all = match canary {
        Some(share) => bad * draft.fact(share),
        None => bad,
    };
    all.named("outage by bad releases", Unit::Seconds)
}

fn burnt_by_restart(draft: &Draft<'_>) -> Computed {
    let gap =
        Term::input("restart", 1.0, Unit::Seconds, Grade::Assumed, "drain, exec, open the file");
    (Term::from(burnt(draft, None)) + draft.fact("releases_a_month") * gap)
        .named("outage by releases", Unit::Seconds)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{CLINIC, SHOP, check};
    use expect_test::expect;

    #[test]
    fn a_loose_budget_rolls() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                system: rolling, one replica at a time
                  flips at more than 24 releases a month at 5 % bad ones: a careful release
            "#]],
        );
    }

    #[test]
    fn a_tight_one_with_little_traffic_switches() {
        check(
            &RULE,
            CLINIC,
            expect![[r#"
                system: blue-green, switched by the balancer
                  flips at more than 48 releases a month at 5 % bad ones: the budget is spent even so
            "#]],
        );
    }
}
