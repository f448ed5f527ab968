//! # D044 breakers
//! When calls to an integration stop for a while, and when they begin again.
//!
//! **Why**: a dependency that is down costs each caller its whole timeout; after enough failures it
//! is cheaper to know. Thresholds follow from how often it fails on a good day.
//! **Cost**: some calls that would have worked. **Instead**: timeouts alone.

use crate::capacity::Term;
use crate::draft::{Draft, outside};
use crate::rules::Choice;
use crate::rules::choice::counted;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Stage};
use ir::model::Integration;
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D044", name: "breakers", stage: Stage::Resilience, each: false, decide };

/// Share of failures that opens it.
const THRESHOLD: f64 = 0.5;
/// Seconds that it stays open.
const OPEN_SECONDS: f64 = 30.0;
/// Seconds of an outage that settings are compared on.
const OUTAGE_SECONDS: f64 = 300.0;
/// Calls a second from which a full window is gathered quickly.
const BUSY_RPS: f64 = 2.0;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    draft.model.integrations.iter().map(|integration| on(draft, integration)).collect()
}

fn on(draft: &Draft<'_>, integration: &Integration) -> Decision {
    let name = integration.name.as_str();
    let calls = outside::calls(draft, name);
    let rate = calls.value();
    let fails = (Term::number(1.0) - outside::availability(draft, name))
        .named("failures on a good day", Unit::Share);
    let least = if rate >= BUSY_RPS { 20.0 } else { 5.0 };
    let false_open = false_open(fails.value, least);
    let p95 = outside::p95(draft, name);
    let slow = (p95 * 3.0).named("slow from", Unit::Seconds);
    let choice = RULE
        .on(name, format!("when do calls to `{name}` stop?"))
        .choose(format!(
            "at {} failed or slow of the last {}, for {}, then 3 probes",
            facts::about(THRESHOLD),
            facts::number(least),
            facts::time(OPEN_SECONDS)
        ))
        .number(fails.clone())
        .number(slow.clone())
        .driver(format!("integrations.{name}.expects"));
    let choice = noticed(choice, name, &calls, least, &slow);
    let by_half = counted(least * THRESHOLD, "failure", "failures");
    let choice = choice
        .because(format!(
            "{} of its calls fail on a good day: {by_half} of {} by chance come once in {} \
             windows.",
            facts::share(fails.value),
            facts::number(least),
            rarely(false_open)
        ))
        .alternative(
            "consecutive failures, 5",
            format!(
                "opens by chance once in {} runs of five, and never for a service that answers \
                 every second call.",
                rarely(fails.value.powi(5))
            ),
            vec![],
        )
        .alternative(
            "timeouts alone",
            format!(
                "{} workers would wait in an outage, each for its whole timeout.",
                facts::number((rate * slow.value).ceil())
            ),
            vec![],
        )
        .consequence(format!(
            "Open, a step that needs `{name}` waits in its journal and is tried when the breaker \
             closes; nothing is compensated for an outage shorter than the step's own patience."
        ))
        .flips(format!(
            "calls {} {}: a window of {}",
            if rate >= BUSY_RPS { "below" } else { "above" },
            facts::rps(BUSY_RPS),
            if rate >= BUSY_RPS { "5" } else { "20" }
        ))
        .set("breaker_calls_min", least)
        .set("breaker_open_seconds", OPEN_SECONDS);
    choice.done(draft)
}

/// How soon an outage is noticed, and what that spares.
fn noticed(choice: Choice, name: &str, calls: &Term, least: f64, slow: &Computed) -> Choice {
    let rate = calls.value();
    if rate > 0.0 {
        let calls_needed =
            Term::input("calls_needed", least, Unit::One, Grade::Derived, "this decision");
        let detect =
            (calls_needed / calls.clone() + Term::from(slow)).named("noticed after", Unit::Seconds);
        let spared = (calls.clone()
            * Term::input("outage", OUTAGE_SECONDS, Unit::Seconds, Grade::Assumed, "five minutes"))
        .named("calls in five minutes", Unit::One);
        let kept = (spared.value - rate * detect.value).max(0.0);
        choice
            .because(format!(
                "At {} a window of {} is full in {}: the outage is noticed after {}, and {} of {} \
                 calls of a five-minute outage are spared their timeout.",
                facts::rps(rate),
                facts::number(least),
                facts::time(least / rate),
                facts::time(detect.value),
                facts::number(kept.round()),
                facts::number(spared.value.round())
            ))
            .number(detect)
            .number(spared)
    } else {
        choice.because(format!(
            "The workload never calls `{name}`; the rate is unknown, so the window is small: \
             measure it."
        ))
    }
}

/// `a billion`, `12,000`
fn rarely(probability: f64) -> String {
    let once = 1.0 / probability.max(1e-30);
    if once > 1e12 { "more than a million million".to_owned() } else { facts::number(once.round()) }
}

/// Probability that half of a window fails while each call fails with its usual probability.
fn false_open(fails: f64, window: f64) -> f64 {
    let calls = window as u32;
    let needed = (window * THRESHOLD).ceil() as u32;
    crate::capacity::availability::quorum(fails, needed, calls)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{LINKS, SHOP, check};
    use expect_test::expect;

    #[test]
    fn the_window_follows_the_rate() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                payments: at 50 % failed or slow of the last 20, for 30 s, then 3 probes
                  flips at calls below 2 rps: a window of 5
            "#]],
        );
    }

    #[test]
    fn no_integrations_no_breaker() {
        check(&RULE, LINKS, expect![[r#""#]]);
    }
}
