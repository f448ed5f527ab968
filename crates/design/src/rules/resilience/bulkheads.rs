//! # D045 bulkheads
//! How many calls to one integration may be in flight.
//!
//! **Why**: when it stops answering, each call is held for its timeout; without a limit of its own
//! it takes the workers of everything else with it. Little's law says how many it needs on a good
//! day, Erlang's B how many more make a full pool rare.
//! **Cost**: a call that finds the pool full waits in its journal. **Instead**: one pool for all.

use crate::capacity::Term;
use crate::draft::inputs::Knob;
use crate::draft::{Draft, outside, sizing};
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Stage};
use ir::model::Integration;
use ir::quantity::{Computed, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D045", name: "bulkheads", stage: Stage::Resilience, each: false, decide };

/// Places where the workload never calls.
const PLACES: u32 = 4;
/// A timeout where a step does not say, as a multiple of the p95.
const TIMEOUT: f64 = ir::domain::Integration::TIMEOUT_FACTOR;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    draft.model.integrations.iter().map(|integration| on(draft, integration)).collect()
}

/// Places at which one call in a thousand finds none free.
fn pool(flight: &Computed, places: u32) -> Computed {
    Term::function("erlang_b_places", vec![Term::from(flight)], f64::from(places))
        .named("pool", Unit::Count("calls".to_owned()))
}

/// Why there is a pool where the workload leads to no call.
fn unasked(name: &str, p95: &Term, places: u32) -> String {
    format!(
        "No journey leads to a call of `{name}`: what schedules and jobs ask for at once is not in \
         the workload, and at {} for a call {places} places take {} a second.",
        p95.print(),
        facts::number(f64::from(places) / p95.value())
    )
}

fn on(draft: &Draft<'_>, integration: &Integration) -> Decision {
    let name = integration.name.as_str();
    let calls = outside::calls(draft, name);
    let p95 = outside::p95(draft, name);
    let (flight, places) = sizing::pool(&calls, &p95);
    let places = if calls.value() > 0.0 { places } else { PLACES };
    let hung = calls.value() * p95.value() * TIMEOUT;
    let choice = RULE
        .on(name, format!("how many calls to `{name}` at once?"))
        .choose(format!("{places}, in a pool of their own"))
        .number(flight.clone())
        .number(pool(&flight, places))
        .driver(format!("integrations.{name}"))
        .driver("workload")
        .because_if(calls.value() > 0.0, || {
            format!(
                "{} at {} keep {} in flight; with {places} places one call in a thousand finds \
                 none free.",
                facts::rps(calls.value()),
                p95.print(),
                facts::number(flight.value)
            )
        })
        .because_if(calls.value() <= 0.0, || unasked(name, &p95, places))
        .because_if(hung > f64::from(places), || {
            format!(
                "If `{name}` hangs, {} calls would pile up within a timeout; the pool stops at \
                 {places} and everything that does not need it goes on.",
                facts::number(hung.ceil())
            )
        })
        .alternative(
            "one pool for all",
            format!(
                "{} hung calls take the connections of every other request.",
                facts::number(hung.ceil().max(1.0))
            ),
            vec![],
        )
        .flips(format!(
            "peak above {}: {} places",
            facts::rps(draft.value(Knob::Peak) * 2.0),
            sizing::pool(&(calls.clone() * 2.0), &p95).1
        ))
        .set("pool", places);
    let choice = match &integration.limit {
        Some(limit) if calls.value() > limit.value => choice.consequence(format!(
            "`{name}` takes {}, the peak brings {}: {} a second wait in the journal while the \
             peak lasts.",
            facts::rps(limit.value),
            facts::rps(calls.value()),
            facts::number(calls.value() - limit.value)
        )),
        Some(limit) => choice.consequence(format!(
            "{} of the {} that `{name}` takes are used at the peak.",
            facts::about(calls.value() / limit.value),
            facts::rps(limit.value)
        )),
        None => choice.consequence(format!(
            "unknown: how many calls a second `{name}` takes. Ask, and write it as `limit`."
        )),
    };
    choice.done(draft)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{KIOSK, LINKS, check};
    use expect_test::expect;

    #[test]
    fn places_follow_from_little_and_erlang() {
        check(
            &RULE,
            KIOSK,
            expect![[r#"
                terminal: 17, in a pool of their own
                  flips at peak above 120 rps: 27 places
            "#]],
        );
    }

    #[test]
    fn no_integrations_no_pool() {
        check(&RULE, LINKS, expect![[r#""#]]);
    }
}
