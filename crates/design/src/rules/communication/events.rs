//! # D024 events
//! How an event leaves the transaction that caused it, how long it is kept, and how those who
//! consume it work through it.
//!
//! **Why**: a crash between commit and publish loses the event; the other order invents one. A row
//! in the same transaction can do neither. That row is in the log which consumers read, so nothing
//! goes between: each context that reacts and each view is a consumer with a position of its own.
//! Events of one row come in order; one that fails holds back those of its row and no others, and
//! is a dead letter once it was tried often enough.
//! **Cost**: one more row for each event, kept for days. **Instead**: change data capture, or
//! sending after the commit and hoping.

use crate::capacity::Term;
use crate::draft::inputs::Knob;
use crate::draft::{Draft, YEAR_SECONDS};
use crate::rules::Choice;
use crate::rules::choice::{counted, listed};
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::domain;
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D024", name: "events", stage: Stage::Communication, each: false, decide };

/// Seconds between commit and publish in which a crash loses what is sent without an outbox.
const WINDOW_SECONDS: f64 = 0.005;
/// Seconds that events stay in the log.
const KEPT_SECONDS: f64 = 604_800.0;
/// Bytes of an event's row and its places in indexes, beside its data.
const ENVELOPE_BYTES: f64 = 250.0;
/// Bytes of a member with its name.
const MEMBER_BYTES: f64 = 40.0;
/// Attempts at an effect that fails for a while, the first among them.
const ATTEMPTS_MAX: i32 = 8;
/// Seconds before the second attempt at most; each wait may be twice the one before.
const FIRST_WAIT_SECONDS: f64 = 1.0;
/// Seconds of one effect: a transaction and its commit.
const EFFECT_SECONDS: f64 = 0.004;
/// Effects of a consumer under way at a time in a process.
const AT_ONCE: f64 = 64.0;
/// Partitions at least: so many processes can share the work of a consumer.
const PARTITIONS_MIN: f64 = 8.0;
/// Partitions at most.
const PARTITIONS_MAX: f64 = 256.0;

fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let events = &draft.model.events;
    if events.is_empty() {
        return Vec::new();
    }
    let rate: f64 = draft.load.events.values().sum();
    let rate_term =
        Term::input("events", rate, Unit::PerSecond, Grade::Derived, "workload at goals.peak");
    let year = Term::input("year", YEAR_SECONDS, Unit::Seconds, Grade::Derived, "a year");
    let window =
        Term::input("window", WINDOW_SECONDS, Unit::Seconds, Grade::Assumed, "commit to publish");
    let crashes = year / draft.fact("node_between_failures") * 2.0;
    let lost = (crashes * &rate_term * window).named("events lost a year", Unit::One);
    let lost_a_year = lost.value;
    let cpu = (rate_term.clone() * draft.fact("event_database"))
        .named("database CPU", Unit::Count("vCPU".to_owned()));
    let day = Term::input("day", 86_400.0, Unit::Seconds, Grade::Derived, "a day");
    let daily = (rate_term / draft.input(Knob::PeakToMean) * day)
        .named("events a day", Unit::Count("events".to_owned()));
    let users = users(draft);
    let names: Vec<String> = events.iter().map(|event| format!("`{}`", event.name)).collect();
    let busiest = draft.load.events.iter().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(a.0)));
    let choice = RULE
        .on("system", question(&names))
        .choose("transactional outbox, at least once, in order for each aggregate")
        .because_if(!users.is_empty(), || {
            format!("{} act on them: a lost event is work that never happens.", listed(&users))
        })
        .because(format!(
            "{}; sent after the commit instead, about {} a year would be lost in crashes of two \
             nodes.",
            match busiest {
                Some((_, most)) if events.len() == 1 =>
                    format!("{} at the peak", facts::rps(*most)),
                Some((name, most)) => format!(
                    "{} at the peak, most of them `{name}` ({})",
                    facts::rps(rate),
                    facts::rps(*most)
                ),
                None => format!("No journey causes {}", listed(&names)),
            },
            facts::number(lost.value)
        ))
        .number(cpu.clone())
        .number(daily)
        .number(lost.clone())
        .consequence("A consumer may see an event twice: the inbox drops the second by its id.")
        .consequence(
            "The outbox is the log that consumers read: no relay, and nothing to send twice.",
        )
        .flips(if rate <= 0.0 {
            "a journey that causes one: its rate, and what a crash would lose, are then computed"
                .to_owned()
        } else if lost_a_year > 1.0 {
            format!(
                "peak below {}: less than one event a year would be lost without it",
                facts::rps(draft.value(Knob::Peak) / lost_a_year)
            )
        } else {
            "events that nobody acts on: sent after the commit, one lost in some years".to_owned()
        })
        .driver("events")
        .effect(Effect::RunsHere)
        .set("delivery", "outbox");
    let mut decisions = vec![others(choice, &cpu, lost, events.len()).done(draft), kept(draft)];
    if let Some(consumed) = consumed(draft, rate) {
        decisions.extend([consumed, spread(draft, rate)]);
    }
    decisions
}

/// By what events are ordered, and over how many partitions of a broker they go.
fn spread(draft: &Draft<'_>, rate: f64) -> Decision {
    let rate =
        Term::input("events", rate, Unit::PerSecond, Grade::Derived, "workload at goals.peak");
    let effect = Term::input("effect", EFFECT_SECONDS, Unit::Seconds, Grade::Assumed, "a commit");
    let at_once = Unit::Count("effects".to_owned());
    let at_once = Term::input("at_once", AT_ONCE, at_once, Grade::Given, "settings");
    let horizon = rate * draft.input(Knob::Growth);
    let capacity =
        (at_once / effect.clone()).named("events a second of a process", Unit::PerSecond);
    let busy = (horizon.clone() * effect).named("effects under way at the horizon", Unit::One);
    // Twice as many as are busy, so that processes share them evenly.
    let processes = (horizon.value() / capacity.value).ceil().max(1.0);
    let needed = (2.0 * processes).clamp(PARTITIONS_MIN, PARTITIONS_MAX);
    let partitions = f64::from((needed as u32).next_power_of_two());
    let rows = rows(draft);
    RULE.on("partitions", "by what are events ordered, and how many may be worked on side by side?")
        .choose(format!(
            "by the id of the row; {} partitions at a broker, none in the log",
            facts::number(partitions)
        ))
        .because(format!(
            "Order is promised for each {} alone, so that its id is the key: a wider one, the \
             tenant or the context, would let one that is slow hold up all others.",
            if rows.is_empty() { "row".to_owned() } else { rows.join(" and each ") }
        ))
        .because(format!(
            "{} effects are under way at the horizon; a process has {} for each partition of a \
             consumer, {} a second. Partitions are there to be shared: up to {} processes have a \
             part of each consumer's work.",
            facts::number(busy.value),
            facts::number(AT_ONCE),
            facts::number(capacity.value),
            facts::number(partitions)
        ))
        .number(busy)
        .number(capacity.clone())
        .alternative(
            "one partition",
            "one process would do the work of a consumer, and the others stand by.",
            Vec::new(),
        )
        .alternative(
            "a partition for each key",
            "a broker keeps files, leaders and memory for each.",
            Vec::new(),
        )
        .flips(format!(
            "more than {} events a second at the horizon: the next power of two",
            facts::number(partitions / 2.0 * capacity.value)
        ))
        .consequence(
            "A topic keeps the partitions that it was made with: another number is for one that is \
             made anew, under another `?prefix=`.",
        )
        .driver("events")
        .effect(Effect::RunsHere)
        .set("event_partitions", partitions)
        .done(draft)
}

/// How long the log remembers.
fn kept(draft: &Draft<'_>) -> Decision {
    let views: Vec<&domain::Event> = draft
        .domain
        .events
        .iter()
        .enumerate()
        .filter(|(at, _)| {
            let id = domain::EventId::of(*at);
            draft.domain.views.iter().any(|view| view.from.contains(&id))
        })
        .map(|(_, event)| event)
        .collect();
    let days = facts::time(KEPT_SECONDS);
    let all: Vec<&domain::Event> = draft.domain.events.iter().collect();
    let kept = Term::input("kept", KEPT_SECONDS, Unit::Seconds, Grade::Assumed, "settings");
    let log = (a_second(draft, &all) * kept).named("bytes of the log", Unit::Bytes);
    let month = Term::input("month", 2_629_800.0, Unit::Seconds, Grade::Derived, "a month");
    let longer = (a_second(draft, &all) * month).named("bytes of a month", Unit::Bytes);
    let names: Vec<String> = views.iter().map(|event| format!("`{}`", event.name)).collect();
    let choice = RULE
        .on("retention", "how long do events stay in the log?")
        .choose(if views.is_empty() {
            days.clone()
        } else {
            format!("{days}; those that views are made of, for good")
        })
        .because(format!(
            "An event that a consumer has not heard stays, however old. {days} are for who reads \
             late, a listener of `/v1/events` that was away over a holiday or a receiver that is \
             mended and asks again, and are {} at the mean load.",
            facts::bytes(log.value)
        ))
        .number(log.clone())
        .flips(format!(
            "a reader who may be away for longer: {} more for each day",
            facts::bytes(log.value / KEPT_SECONDS * 86_400.0)
        ))
        .alternative(
            "a month",
            format!("{} for readers that nobody has named.", facts::bytes(longer.value)),
            vec![longer],
        )
        .alternative(
            "until everybody has heard it",
            "who connects again after a fault would find nothing of what was missed.",
            Vec::new(),
        )
        .driver("events")
        .effect(Effect::RunsHere)
        .set("event_seconds", KEPT_SECONDS);
    if views.is_empty() {
        return choice.done(draft);
    }
    let year = Term::input("year", YEAR_SECONDS, Unit::Seconds, Grade::Derived, "a year");
    let yearly = (a_second(draft, &views) * year).named("bytes more each year", Unit::Bytes);
    choice
        .because(format!(
            "A view whose meaning changes is made anew from the first event on, so {} {}: {} \
             more each year.",
            listed(&names),
            if names.len() == 1 { "stays" } else { "stay" },
            facts::bytes(yearly.value)
        ))
        .number(yearly)
        .done(draft)
}

/// Bytes a second that these events add to the log, in the mean.
fn a_second(draft: &Draft<'_>, events: &[&domain::Event]) -> Term {
    let rate = |event: &domain::Event| draft.load.events.get(&event.name).copied().unwrap_or(0.0);
    let bytes = |event: &domain::Event| {
        rate(event) * (ENVELOPE_BYTES + MEMBER_BYTES * event.data.len() as f64)
    };
    let sum: f64 = events.iter().map(|event| bytes(event)).sum();
    let source = "250 bytes an event and 40 a member, at goals.peak";
    Term::input("event_bytes", sum, Unit::Bytes, Grade::Assumed, source)
        / draft.input(Knob::PeakToMean)
}

/// The resources whose rows events are about, each once.
fn rows(draft: &Draft<'_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for id in draft.domain.events.iter().flat_map(|event| &event.emitters) {
        let name = format!("`{}`", draft.name(*id));
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// How consumers work through the log; none where nobody does.
fn consumed(draft: &Draft<'_>, rate: f64) -> Option<Decision> {
    let mut groups: Vec<String> = Vec::new();
    for reaction in &draft.domain.reactions {
        let name = format!("`{}`", draft.domain.contexts[reaction.context.index()].name);
        if !groups.contains(&name) {
            groups.push(name);
        }
    }
    groups.extend(draft.domain.views.iter().map(|view| format!("the view `{}`", view.rows.name)));
    if groups.is_empty() {
        return None;
    }
    let attempts = Term::input(
        "attempts",
        f64::from(ATTEMPTS_MAX),
        Unit::Count("attempts".to_owned()),
        Grade::Assumed,
        "1 s, then twice as long each time",
    );
    let span = FIRST_WAIT_SECONDS * (f64::from(2_i32.pow((ATTEMPTS_MAX - 1) as u32)) - 1.0);
    let span = Term::function("sum_of_waits", vec![attempts], span)
        .named("until a dead letter at most", Unit::Seconds);
    let hour = Term::input("hour", 3_600.0, Unit::Seconds, Grade::Derived, "an hour");
    let source = "workload at goals.peak";
    let rate = Term::input("events", rate, Unit::PerSecond, Grade::Derived, source);
    let blocked = (rate / draft.input(Knob::PeakToMean) * hour)
        .named("events behind one that fails for an hour", Unit::Count("events".to_owned()));
    let choice = RULE
        .on("consumers", "how are events worked through, and what becomes of one that fails?")
        .choose("in order for each row; one that fails parks its row, and is a dead letter at last")
        .because(format!(
            "{}, with a position of {} own: {}. None of them waits for another.",
            counted(groups.len() as f64, "consumer", "consumers"),
            if groups.len() == 1 { "its" } else { "their" },
            listed(&groups)
        ))
        .because(format!(
            "Each {} is a key: what follows from two events of one is done in the order of their \
             commits, what follows from those of others beside it.",
            rows(draft).join(", and each ")
        ))
        .because(format!(
            "What a retry may cure is tried {ATTEMPTS_MAX} times within {}, while {} events come \
             in the mean; what it can't, a guard that says no, is a dead letter at once. Later \
             events of its row wait for it, no others.",
            facts::time(span.value),
            facts::number((blocked.value / 3_600.0 * span.value).round())
        ))
        .number(span)
        .flips(format!(
            "a row with more than {} events a second: what follows from one row is done one by one",
            facts::number(1.0 / EFFECT_SECONDS)
        ))
        .alternative(
            "everything waits for the one that fails",
            format!("{} would wait after an hour.", facts::number(blocked.value.round())),
            vec![blocked],
        )
        .alternative(
            "the one that fails is passed over",
            "its row would go on from a state that it never had.",
            Vec::new(),
        )
        .consequence("Dead letters are looked at, redriven and discarded at `/v1/dead-letters`.")
        .driver("events")
        .effect(Effect::RunsHere);
    Some(choice.done(draft))
}

fn others(choice: Choice, cpu: &Computed, lost: Computed, events: usize) -> Choice {
    choice
        .alternative(
            "publish after the commit",
            "the loss is silent: nobody knows which event to send again.",
            vec![lost],
        )
        .alternative(
            "change data capture",
            format!(
                "saves {} vCPU, needs a replication slot that must never be forgotten, and \
                 publishes rows where {} name facts.",
                facts::number(cpu.value),
                counted(events as f64, "event", "events")
            ),
            Vec::new(),
        )
}

fn question(names: &[String]) -> String {
    match names {
        [one] => format!("how does {one} leave the transaction that causes it?"),
        some => format!("how do {} leave the transactions that cause them?", listed(some)),
    }
}

/// Who acts on events: reactions, views, webhooks.
fn users(draft: &Draft<'_>) -> Vec<String> {
    let contexts = draft.model.contexts.iter();
    let mut users: Vec<String> = contexts
        .clone()
        .filter(|context| !context.reacts.is_empty())
        .map(|context| format!("`{}`", context.name))
        .collect();
    let views = contexts.flat_map(|context| &context.views);
    users.extend(views.map(|view| format!("the view `{}`", view.name)));
    let hooks = draft.model.events.iter().flat_map(|event| &event.webhook);
    for actor in hooks {
        let hook = format!("webhooks of `{actor}`");
        if !users.contains(&hook) {
            users.push(hook);
        }
    }
    users
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::tests::{LINKS, SHOP, check};
    use expect_test::expect;

    #[test]
    fn events_leave_by_the_outbox() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                system: transactional outbox, at least once, in order for each aggregate
                  flips at peak below 177 rps: less than one event a year would be lost without it
                retention: 7 days; those that views are made of, for good
                  flips at a reader who may be away for longer: 639 MB more for each day
                consumers: in order for each row; one that fails parks its row, and is a dead letter at last
                  flips at a row with more than 250 events a second: what follows from one row is done one by one
                partitions: by the id of the row; 8 partitions at a broker, none in the log
                  flips at more than 64,000 events a second at the horizon: the next power of two
            "#]],
        );
    }

    #[test]
    fn no_events_no_outbox() {
        check(&RULE, LINKS, expect![[r#""#]]);
    }
}
