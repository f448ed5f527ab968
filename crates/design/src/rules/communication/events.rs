//! # D024 events
//! How an event leaves the transaction that caused it.
//!
//! **Why**: a crash between commit and publish loses the event; the other order invents one. A row
//! in the same transaction can do neither.
//! **Cost**: one more row for each event, and a relay. **Instead**: change data capture, or sending
//! after the commit and hoping.

use crate::capacity::Term;
use crate::draft::inputs::Knob;
use crate::draft::{Draft, YEAR_SECONDS};
use crate::rules::Choice;
use crate::rules::choice::{counted, listed};
use crate::rules::facts;
use crate::stages::Rule;
use ir::decision::{Decision, Effect, Stage};
use ir::quantity::{Computed, Grade, Unit};

pub(super) const RULE: Rule =
    Rule { id: "D024", name: "events", stage: Stage::Communication, each: false, decide };

/// Seconds between commit and publish in which a crash loses what is sent without an outbox.
const WINDOW_SECONDS: f64 = 0.005;

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
            "`up` commits the rows of the outbox; relay, reactions and webhooks do not run yet.",
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
        .effect(Effect::FilesOnly)
        .set("delivery", "outbox");
    vec![others(choice, &cpu, lost, events.len()).done(draft)]
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
    use crate::tests::{CLINIC, SHOP, check};
    use expect_test::expect;

    #[test]
    fn events_leave_by_the_outbox() {
        check(
            &RULE,
            SHOP,
            expect![[r#"
                system: transactional outbox, at least once, in order for each aggregate
                  flips at peak below 177 rps: less than one event a year would be lost without it
            "#]],
        );
    }

    #[test]
    fn no_events_no_outbox() {
        check(&RULE, CLINIC, expect![[r#""#]]);
    }
}
