//! How one context learns what happens in another: by the event, with what is in it.

use super::relations::RULE;
use crate::capacity::Term;
use crate::check::reads::walk;
use crate::draft::{Draft, outside};
use crate::rules::Choice;
use crate::rules::choice::{counted, listed};
use crate::rules::facts;
use ir::decision::{Decision, Effect};
use ir::domain::{Effect as Does, Event, Reaction};
use ir::expr::{Expr, ExprKind};
use ir::quantity::{Computed, Grade, Unit};

/// Seconds that a call of another context adds to a request: a look and a commit of its own.
const CALL_SECONDS: f64 = 0.004;

/// One decision for each reaction to what happens elsewhere.
pub(super) fn decide(draft: &Draft<'_>) -> Vec<Decision> {
    let elsewhere = |reaction: &&Reaction| {
        let event = draft.domain.event(reaction.event);
        let own = |id| draft.domain.resource(id).context == reaction.context;
        !event.emitters.iter().any(|id| own(*id))
    };
    draft.domain.reactions.iter().filter(elsewhere).map(|reaction| on(draft, reaction)).collect()
}

fn on(draft: &Draft<'_>, reaction: &Reaction) -> Decision {
    let domain = draft.domain;
    let event = domain.event(reaction.event);
    let name = &event.name;
    let context = &domain.contexts[reaction.context.index()].name;
    let rate = draft.load.events.get(name).copied().unwrap_or(0.0);
    let from = teller(draft, event);
    let used = used(reaction);
    let seconds = seconds(draft, reaction);
    let choice = RULE
        .on(&format!("{context}.{name}"), format!("how does `{context}` learn of `{name}`?"))
        .choose(match used.is_empty() {
            true => "by the event, whose envelope is enough".to_owned(),
            false => "by the event, which carries what is needed of it".to_owned(),
        })
        .driver(format!("contexts.{context}.reacts.{name}"))
        .driver(format!("events.{name}"))
        .number(asked("events", rate, "events a second"))
        .effect(Effect::RunsHere);
    let choice = match event.inbound {
        Some(_) => choice.because(format!(
            "{from} is told that it was received as soon as the event is on disk; what `{context}` \
             makes of it has its own time and its own faults."
        )),
        None => choice.because(format!(
            "{from} has done its part when it answers: what `{context}` does follows, and a fault \
             there fails no request ({} of them at the peak).",
            facts::rps(rate)
        )),
    };
    carried(choice, event, &used, &from, rate)
        .alternative(
            "a call within the request",
            format!(
                "{} more for each caller at the p95, and a refusal of `{context}` would be one of \
                 {from}.",
                facts::time(seconds.value)
            ),
            vec![seconds],
        )
        .flips(format!(
            "an answer that must hold what `{context}` makes: a call, {} of them within requests",
            facts::rps(rate)
        ))
        .consequence(format!(
            "`{context}` is behind for a moment; what it can't do becomes a dead letter."
        ))
        .done(draft)
}

/// What it carries, and what a question back would cost instead.
fn carried(choice: Choice, event: &Event, used: &[String], from: &str, rate: f64) -> Choice {
    let members = counted(event.data.len() as f64, "member", "members");
    if used.is_empty() {
        return choice
            .because(format!("Of its {members} none is read: that it happened is enough."));
    }
    choice
        .because(format!(
            "Of its {members} {} {} read, as they were when it happened: nothing is asked back, \
             and a replay finds the same.",
            listed(used),
            if used.len() == 1 { "is" } else { "are" }
        ))
        .alternative(
            "an event with the id alone, and a question",
            format!(
                "{} of questions to {from}, which must be there when they come, and answers what \
                 is true by then.",
                facts::rps(rate)
            ),
            vec![asked("questions", rate, "questions a second")],
        )
}

/// Who tells: the contexts of the rows, or the system outside.
fn teller(draft: &Draft<'_>, event: &Event) -> String {
    if let Some(inbound) = &event.inbound {
        return format!("`{}`", draft.domain.receivers[inbound.receiver].name);
    }
    let mut names: Vec<String> = Vec::new();
    for id in &event.emitters {
        let context = draft.domain.resource(*id).context;
        let name = format!("`{}`", draft.domain.contexts[context.index()].name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    listed(&names)
}

/// Members of the event that a reaction reads, each once.
fn used(reaction: &Reaction) -> Vec<String> {
    let mut all: Vec<&Expr> = reaction.when.iter().collect();
    match &reaction.effect {
        Does::Create { values, .. } => all.extend(values.iter().map(|(_, value)| value)),
        Does::Update { id, values, .. } => {
            all.push(id);
            all.extend(values.iter().map(|(_, value)| value));
        }
        Does::Command { id, inputs, .. } => {
            all.extend(id);
            all.extend(inputs.iter().map(|(_, value)| value));
        }
        Does::Operation(call) => all.extend(call.with.iter().map(|(_, value)| value)),
    }
    let mut names: Vec<String> = Vec::new();
    for expr in all {
        walk(expr, &mut |part| {
            if let ExprKind::EventData(name) = &part.kind {
                let name = format!("`{name}`");
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        });
    }
    names
}

/// What a call in its place would add to the request.
fn seconds(draft: &Draft<'_>, reaction: &Reaction) -> Computed {
    let term = match &reaction.effect {
        Does::Operation(call) => {
            outside::p95(draft, &draft.domain.integrations[call.of.integration].name)
        }
        Does::Create { .. } | Does::Update { .. } | Does::Command { .. } => Term::input(
            "call",
            CALL_SECONDS,
            Unit::Seconds,
            Grade::Assumed,
            "a transaction and its commit",
        ),
    };
    term.named("more for each caller", Unit::Seconds)
}

fn asked(input: &str, rate: f64, name: &str) -> Computed {
    Term::input(input, rate, Unit::PerSecond, Grade::Derived, "workload at goals.peak")
        .named(name, Unit::PerSecond)
}
