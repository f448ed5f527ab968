//! # E096 events that cause themselves
//! A reaction changes something that emits the event it reacts to, directly or through others.
//!
//! **Why**: each event causes the next one for ever, as long as no guard stops it; the outbox fills
//! and the consumers never catch up.
//!
//! Wrong:
//! ```yaml
//! reacts: { order.touched: { do: Order.touch } }
//! commands: { touch: { set: { seen: now }, by: system, emit: order.touched } }
//! ```
//! Right: a command that ends the row of events, or a condition.
//! ```yaml
//! reacts: { order.touched: { do: Order.touch, when: event.seen == null } }
//! ```

use super::outside::{Callee, Outside, callee};
use super::place::Place;
use super::resolve::{Resolved, plain_event};
use ir::domain::ContextId;
use ir::model::{Effect, Reaction};
use ir::{Code, Diagnostic};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const CODE: Code = Code("E096");

/// Follows events through the reactions to them.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let mut causes: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let reactions: Vec<(ContextId, &Reaction)> = resolved
        .world
        .model
        .contexts
        .iter()
        .enumerate()
        .flat_map(|(at, context)| context.reacts.iter().map(move |r| (ContextId::of(at), r)))
        .collect();
    for (context, reaction) in reactions.iter().filter(|(_, reaction)| reaction.when.is_none()) {
        let caused = caused(resolved, *context, reaction);
        causes.entry(reaction.event.as_str()).or_default().extend(caused);
    }
    for (_, reaction) in &reactions {
        let event = reaction.event.as_str();
        let mut reached: BTreeSet<&str> = BTreeSet::new();
        let mut next = vec![event];
        while let Some(cause) = next.pop() {
            for effect in causes.get(cause).into_iter().flatten() {
                if reached.insert(effect) {
                    next.push(effect);
                }
            }
        }
        if reached.contains(event) && reaction.when.is_none() {
            let message = format!("the event `{event}` causes itself through its reactions");
            let fault = Diagnostic::warning(CODE, reaction.event.span, message);
            found.push(
                fault.why("each one causes the next for ever, and the outbox fills").help(
                    "give the reaction a condition: `when: …`, or let the command emit nothing",
                ),
            );
        }
    }
}

/// The events that a reaction causes.
fn caused(resolved: &Resolved<'_>, context: ContextId, reaction: &Reaction) -> Vec<String> {
    let world = &resolved.world;
    let plain = |name: &str, change: &str| {
        let entry = world.in_context(context, name).map(|id| world.entry(id));
        let emits = entry.is_some_and(|entry| entry.model.emit.iter().any(|e| *e == change));
        emits.then(|| plain_event(name, change)).into_iter().collect()
    };
    match &reaction.effect {
        Effect::Create(name) => plain(name.as_str(), "created"),
        Effect::Update(name) => plain(name.as_str(), "updated"),
        Effect::Do(name) => {
            let outside = Outside { world, domain: &resolved.domain, events: &resolved.events };
            let place = Place::new("", "");
            match callee(outside, name, None, None, place, &mut Vec::new()) {
                Some(Callee::Command { resource, command, .. }) => {
                    resolved.domain.resource(resource).commands[command.index()].emits.clone()
                }
                Some(Callee::Operation(..)) | None => Vec::new(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn a_reaction_that_causes_its_own_event() {
        let model = "
system: test
actors: { user: oidc }
contexts:
  sales:
    resources:
      Order:
        fields: { seen: timestamp optional }
        commands: { touch: { set: { seen: now }, by: [user, system], emit: order.touched } }
        allow: { read: user, write: user }
    reacts:
      order.touched: { do: Order.touch }
events:
  order.touched: { data: [id] }
";
        check(
            model,
            expect![[r#"
            warning[E096]: the event `order.touched` causes itself through its reactions
              --> mainstay.yaml:11:7
               |
            11 |       order.touched: { do: Order.touch }
               |       ^^^^^^^^^^^^^
               = why: each one causes the next for ever, and the outbox fills
               = help: give the reaction a condition: `when: …`, or let the command emit nothing
        "#]],
        );
    }
}
