//! # D025 broker
//! What carries the events from the outbox to their consumers.
//!
//! **Why**: a broker is one more thing that must be there, patched and paid; the table of the
//! outbox already holds every event in order.
//! **Cost** of none: consumers read from the database. **Instead**: NATS, RabbitMQ or Kafka.

use crate::capacity::Term;
use crate::draft::Draft;
use crate::draft::inputs::Knob;
use crate::rules::Choice;
use crate::rules::choice::{counted, listed};
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Authority, Decision, Effect, Setting, Stage};
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D025", name: "broker", stage: Stage::Communication, each: false, decide };

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    if draft.model.events.is_empty() {
        return Vec::new();
    }
    let rate: f64 = draft.load.events.values().sum();
    let consumers = consumers(draft);
    let limit = draft.catalog.value("broker_rate");
    let horizon = rate * draft.value(Knob::Growth);
    let units = draft.number("units", "system").unwrap_or(1.0);
    let wish = draft.preferred("broker");
    let needed = horizon * consumers > limit || units > 2.0;
    let reads = reads(draft, rate, consumers);
    let with_broker = needed || wish.is_some();
    let choice = RULE
        .on("system", "what carries events to their consumers?")
        .authority(Authority::Advises)
        .driver("events")
        .driver("workload")
        .number(reads.clone())
        .effect(if with_broker { Effect::AdviceOnly } else { Effect::RunsHere });
    let choice = if with_broker {
        with(choice, draft, needed, rate, consumers, &reads)
    } else {
        without(choice, draft, rate, consumers, &reads)
    };
    let choice = choice.alternative(
        "Kafka, three brokers",
        format!(
            "{} events a day do not fill one partition; it pays from replay of weeks by many \
             teams.",
            facts::number((rate / draft.value(Knob::PeakToMean) * 86_400.0).round())
        ),
        Vec::new(),
    );
    let full = draft.value(Knob::Peak) * limit / (horizon * consumers).max(1e-9);
    let busy = horizon * consumers > 0.0;
    vec![
        choice
            .flips(match (wish, busy, full > draft.value(Knob::Peak)) {
                (Some(wish), _, true) if units <= 2.0 => {
                    format!("no wish for {wish}: none")
                }
                (_, true, true) if units <= 2.0 => {
                    format!("peak above {}, or a third unit: a broker", facts::rps(full))
                }
                (_, true, false) => format!("peak below {}: none", facts::rps(full)),
                (_, false, _) if units <= 2.0 => {
                    "a journey that causes events and somebody who reads them, or a third unit: \
                     a broker"
                        .to_owned()
                }
                (_, _, _) => "two units or fewer: none".to_owned(),
            })
            .done(draft),
    ]
}

const NONE: &str = "none: consumers follow the outbox";

fn price(draft: &Draft<'_>) -> Computed {
    let nodes = draft.fact("broker_node") * crate::draft::sizing::hours() * 3.0;
    nodes.named("monthly cost", crate::draft::sizing::money(draft))
}

/// What a broker would be called: the wish, or NATS.
fn named(draft: &Draft<'_>) -> String {
    match draft.preferred("broker") {
        Some(wish) => format!("{wish}, three nodes"),
        None => "NATS JetStream, three nodes".to_owned(),
    }
}

fn with(
    choice: Choice,
    draft: &Draft<'_>,
    needed: bool,
    rate: f64,
    consumers: f64,
    reads: &Computed,
) -> Choice {
    let limit = draft.catalog.value("broker_rate");
    let horizon = rate * draft.value(Knob::Growth);
    let units = draft.number("units", "system").unwrap_or(1.0);
    let wish = draft.preferred("broker");
    let price = price(draft);
    let reason = match wish {
        Some(wish) if !needed => format!(
            "The team prefers {wish} (`constraints.prefer`); {} to {} would not need one.",
            facts::rps(rate),
            counted(consumers, "consumer", "consumers")
        ),
        _ => format!(
            "{} for {} by the end of the horizon, over {} units: more than a table serves \
             unnoticed ({}).",
            facts::rps(horizon),
            counted(consumers, "consumer", "consumers"),
            facts::number(units),
            facts::rps(limit)
        ),
    };
    choice
        .choose(named(draft))
        .because(reason)
        .number(price)
        .set("broker", wish.unwrap_or("nats"))
        .consequence(
            "`up --broker URL` sends each event there and lets reactions hear it from there; views \
             and webhooks follow the outbox.",
        )
        .option(
            NONE,
            format!(
                "{} of reads on the database that also takes the orders.",
                facts::rps(reads.value)
            ),
            Vec::new(),
            vec![("broker", Setting::Word("none".to_owned()))],
        )
}

fn without(
    choice: Choice,
    draft: &Draft<'_>,
    rate: f64,
    consumers: f64,
    reads: &Computed,
) -> Choice {
    let limit = draft.catalog.value("broker_rate");
    let units = draft.number("units", "system").unwrap_or(1.0);
    let price = price(draft);
    choice
        .choose(NONE)
        .because(if consumers > 0.0 {
            format!(
                "{} at the peak for {} are {} of reads by the end of the horizon, of {} that a \
                 table serves unnoticed; {}.",
                facts::rps(rate),
                counted(consumers, "consumer", "consumers"),
                facts::rps(reads.value),
                facts::rps(limit),
                if units > 1.0 { "two units share it" } else { "all of them are in this process" }
            )
        } else {
            format!(
                "Nothing in the model reads {}: no context reacts, no view, no webhook; they stay \
                 in the log for who lists them.",
                listed(&names(draft))
            )
        })
        .set("broker", "none")
        .option(
            named(draft),
            format!(
                "{} and three nodes to keep, for {}.",
                facts::money(draft, price.value),
                facts::rps(rate)
            ),
            vec![price],
            vec![("broker", Setting::Word("nats".to_owned()))],
        )
}

fn names(draft: &Draft<'_>) -> Vec<String> {
    draft.model.events.iter().map(|event| format!("`{}`", event.name)).collect()
}

/// Groups that each read every event: contexts that react, views, webhook registrations.
fn consumers(draft: &Draft<'_>) -> f64 {
    let contexts = draft.model.contexts.iter();
    let reacting = contexts.clone().filter(|context| !context.reacts.is_empty()).count();
    let views: usize = contexts.map(|context| context.views.len()).sum();
    let hooks = draft.model.events.iter().any(|event| !event.webhook.is_empty());
    (reacting + views + usize::from(hooks)) as f64
}

fn reads(draft: &Draft<'_>, rate: f64, consumers: f64) -> Computed {
    let rate =
        Term::input("events", rate, Unit::PerSecond, Grade::Derived, "workload at goals.peak");
    let unit = Unit::Count("consumers".to_owned());
    let consumers =
        Term::input("consumers", consumers, unit, Grade::Derived, "contexts, views, webhooks");
    (rate * consumers * draft.input(Knob::Growth))
        .named("events read at the horizon", Unit::PerSecond)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{LINKS, SHOP, check, with};
    use expect_test::expect;

    #[test]
    fn few_events_need_no_broker() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
            system: none: consumers follow the outbox
              flips at peak above 3,457 rps, or a third unit: a broker
        "#]],
        );
    }

    #[test]
    fn ten_times_the_peak_does() {
        check(
            &RULE,
            &with(SHOP, "peak: 1200 rps", "peak: 12000 rps"),
            expect![[r#"
                system: NATS JetStream, three nodes
                  flips at peak below 3,457 rps: none
            "#]],
        );
    }

    #[test]
    fn no_events_no_broker() {
        check(&RULE, LINKS, expect![[r#""#]]);
    }
}
