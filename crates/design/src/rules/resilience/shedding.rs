//! # D047 shedding
//! What is turned away when more comes than can be served.
//!
//! **Why**: above capacity a queue only adds waiting to every answer until all of them are too
//! late. Turning away early and in order of worth keeps the rest inside the goal.
//! **Cost**: 503 for some. **Instead**: a longer queue.

use crate::capacity::Term;
use crate::draft::Draft;
use crate::draft::inputs::Knob;
use crate::draft::load::Work;
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D047", name: "shedding", stage: Stage::Resilience, each: false, decide };

/// Share of the latency goal that may be spent waiting.
const WAIT_SHARE: f64 = 0.5;
/// The least and most writes that wait for the single writer.
const QUEUE: (f64, f64) = (64.0, 4_096.0);

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let flight =
        (draft.peak() * draft.input(Knob::Latency)).named("in flight at the goal", Unit::One);
    let queue = write_queue(draft);
    let first = first_to_go(draft);
    let burst = draft.input(Knob::Burst);
    let over = (draft.peak() * (burst.clone() - 1.0) * &draft.inputs.burst_time)
        .named("requests above the peak in a burst", Unit::One);
    let choice = RULE
        .on("system", "what is turned away first?")
        .choose(match &first {
            Some((name, _)) => {
                format!("`{name}` first, writes last; waiting at most half the goal")
            }
            None => "new requests, once waiting costs half the goal".to_owned(),
        })
        .because(format!(
            "The goal of {} at {} means {} requests in flight; twice as many mean that each waits \
             its whole goal before it is begun.",
            draft.input(Knob::Latency).print(),
            facts::rps(draft.load.clients()),
            facts::number(flight.value.ceil())
        ))
        .because_if(draft.load.writes() > 0.0, || {
            format!(
                "In `up`, of {} of writes {} may wait for the one writer of SQLite: the last of \
                 them waits {}.",
                facts::rps(draft.load.writes()),
                facts::number(queue.value),
                facts::time(queue.value * draft.catalog.value("writer_embedded"))
            )
        })
        .because(format!(
            "A burst of {} times for {} brings {} requests more than the peak.",
            burst.print(),
            draft.inputs.burst_time.print(),
            facts::number(over.value)
        ))
        .number(flight.clone())
        .number(queue.clone())
        .number(over)
        .alternative("a queue for all of a burst", burst_queued(draft), vec![])
        .flips(format!(
            "a burst above {} times ({} now): the room that is kept free is not enough",
            facts::number(1.0 / draft.catalog.value("utilisation_target")),
            facts::number(burst.value())
        ))
        .driver("goals.latency")
        .driver("goals.peak")
        .effect(Effect::RunsHere)
        .set("inflight_max", (flight.value * 2.0).ceil().max(64.0))
        .set("write_queue_max", queue.value);
    let choice = match first {
        Some((name, rate)) => choice.because(format!(
            "`{name}` makes {} of the requests and loses nobody's work when it is answered 503 \
             with `Retry-After`.",
            facts::about(rate / draft.load.clients().max(1e-9))
        )),
        None => choice,
    };
    vec![
        choice
            .consequence(
                "Probes and what drains are never turned away. By priority is advice: `up` bounds \
                 the write queue and the time of a request.",
            )
            .done(draft),
    ]
}

/// The busiest read that anybody may make, else the busiest list.
fn first_to_go(draft: &Draft<'_>) -> Option<(String, f64)> {
    let reads = draft.load.flows.iter().filter(|flow| !flow.internal && flow.work != Work::Write);
    let weight = |work: Work| match work {
        Work::List => 2.0,
        Work::Get | Work::Redirect | Work::Write => 1.0,
    };
    let best = reads.max_by(|a, b| {
        let cost = |flow: &crate::draft::load::Flow| flow.rate.value * weight(flow.work);
        cost(a).total_cmp(&cost(b)).then(b.operation.cmp(&a.operation))
    });
    best.map(|flow| (flow.operation.clone(), flow.rate.value))
}

/// Writes whose wait for the single writer stays below half of the goal.
fn write_queue(draft: &Draft<'_>) -> Computed {
    let wait = draft.input(Knob::Latency)
        * Term::input("waiting_share", WAIT_SHARE, Unit::Share, Grade::Derived, "this decision");
    let places = wait / draft.fact("writer_embedded");
    let bounded = Term::number(QUEUE.0).max(places).min(Term::number(QUEUE.1));
    let floor = bounded.value().floor();
    bounded.wrapped("floor", floor).named("write queue", Unit::Count("writes".to_owned()))
}

/// What a queue for a whole burst would mean.
fn burst_queued(draft: &Draft<'_>) -> String {
    let factor = draft.value(Knob::Burst);
    let capacity = 1.0 / draft.catalog.value("utilisation_target");
    let over = (factor - capacity).max(0.0);
    if over <= 1e-9 {
        return format!(
            "a burst of {} fits into the {} that is kept free; a longer queue would only hide the \
             day on which it no longer does.",
            facts::number(factor),
            facts::about(1.0 - 1.0 / capacity)
        );
    }
    let wait = over / capacity * draft.inputs.burst_time.value();
    format!("its last request would wait {}, and its caller has gone.", facts::time(wait))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{LINKS, NOTES, check};
    use expect_test::expect;

    #[test]
    fn the_busiest_read_goes_first() {
        check(
            &RULE,
            LINKS,
            expect![[r#"
                system: `openLink` first, writes last; waiting at most half the goal
                  flips at a burst above 1.67 times (1.5 now): the room that is kept free is not enough
            "#]],
        );
    }

    #[test]
    fn a_quiet_system_has_an_order_too() {
        check(
            &RULE,
            NOTES,
            expect![[r#"
                system: `listNotes` first, writes last; waiting at most half the goal
                  flips at a burst above 1.67 times (1.5 now): the room that is kept free is not enough
            "#]],
        );
    }
}
