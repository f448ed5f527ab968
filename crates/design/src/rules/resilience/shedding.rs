//! # D047 shedding
//! What is turned away when more comes than can be served.
//!
//! **Why**: above capacity a queue only adds waiting to every answer until all of them are too
//! late. Turning away early and in order of worth keeps the rest inside the goal.
//! **Cost**: 503 for some. **Instead**: a longer queue.

use crate::capacity::Term;
use crate::draft::Draft;
use crate::draft::inputs::Knob;
use crate::draft::load::{Flow, Work};
use crate::rules::{Choice, capacity, facts};
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
    let order = order(draft);
    let (busy, station) = capacity::busiest(draft);
    let room = 1.0 / busy.max(1e-9);
    let burst = draft.input(Knob::Burst);
    let over = (draft.peak() * (burst.clone() - 1.0) * &draft.inputs.burst_time)
        .named("requests above the peak in a burst", Unit::One);
    let choice = RULE
        .on("system", "what is turned away first?")
        .choose(choice_of(&order))
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
        .alternative("a queue for all of a burst", burst_queued(draft, room), vec![])
        .flips(flip(draft, busy, station))
        .driver("goals.latency")
        .driver("goals.peak")
        .effect(Effect::RunsHere)
        .set("inflight_max", (flight.value * 2.0).ceil().max(64.0))
        .set("write_queue_max", queue.value);
    let choice = worth(choice, draft, order);
    vec![
        choice
            .consequence(
                "Probes and what drains are never turned away. By priority is advice: `up` bounds \
                 the write queue and the time of a request.",
            )
            .done(draft),
    ]
}

fn choice_of(order: &Order) -> String {
    match (&order.first, &order.product) {
        (Some((name, _)), Some((product, _))) => {
            format!("`{name}` first, `{product}` and writes last; waiting at most half the goal")
        }
        (Some((name, _)), None) => {
            format!("`{name}` first, writes last; waiting at most half the goal")
        }
        (None, _) => "new requests, once waiting costs half the goal".to_owned(),
    }
}

/// The burst at which the busiest station is full.
fn flip(draft: &Draft<'_>, busy: f64, station: &str) -> String {
    let burst = draft.value(Knob::Burst);
    let room = 1.0 / busy.max(1e-9);
    let (now, room_text) = (facts::number(burst), facts::number(room));
    if room > burst {
        format!(
            "a burst above {room_text} times ({now} now): it fills {station}, {} busy at the peak",
            facts::about(busy)
        )
    } else {
        format!("a burst below {room_text} times ({now} now): nothing has to be turned away")
    }
}

fn worth(choice: Choice, draft: &Draft<'_>, order: Order) -> Choice {
    let share = |rate: f64| facts::about(rate / draft.load.clients().max(1e-9));
    let choice = match order.first {
        Some((name, rate)) => choice.because(format!(
            "`{name}` makes {} of the requests and loses nobody's work when it is answered 503 \
             with `Retry-After`.",
            share(rate)
        )),
        None => choice,
    };
    match order.product {
        Some((name, rate)) => choice.because(format!(
            "`{name}` is {} of the requests, what callers come for: it is turned away only when \
             the rest is not enough.",
            share(rate)
        )),
        None => choice,
    }
}

/// Reads by what they are worth.
struct Order {
    /// The read that goes first.
    first: Option<(String, f64)>,
    /// The read that most requests are: turning it away turns the system off.
    product: Option<(String, f64)>,
}

/// The dearest read goes first, unless most requests are of it.
fn order(draft: &Draft<'_>) -> Order {
    let all = draft.load.clients();
    let read = |flow: &&Flow| !flow.internal && flow.work != Work::Write;
    let most = |flow: &&Flow| flow.rate.value > all / 2.0;
    let named = |flow: &Flow| (flow.operation.clone(), flow.rate.value);
    let product = draft.load.flows.iter().filter(read).find(most);
    let reads = draft.load.flows.iter().filter(read).filter(|flow| !most(flow));
    let weight = |work: Work| match work {
        Work::List => 2.0,
        Work::Get | Work::Redirect | Work::Write => 1.0,
    };
    let best = reads.max_by(|a, b| {
        let cost = |flow: &Flow| flow.rate.value * weight(flow.work);
        cost(a).total_cmp(&cost(b)).then(b.operation.cmp(&a.operation))
    });
    match best {
        Some(best) => Order { first: Some(named(best)), product: product.map(named) },
        None => Order { first: product.map(named), product: None },
    }
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
fn burst_queued(draft: &Draft<'_>, capacity: f64) -> String {
    let factor = draft.value(Knob::Burst);
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
                system: `listLinks` first, `openLink` and writes last; waiting at most half the goal
                  flips at a burst above 2.75 times (1.5 now): it fills the nodes, one of them lost, 36.4 % busy at the peak
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
                  flips at a burst above 304 times (1.5 now): it fills the machine, 0.33 % busy at the peak
            "#]],
        );
    }
}
