//! What a reaction does: one call of the engine, in the tenant of the event, as `system`.

use super::event::{EventScope, object};
use crate::engine::change::{Body, Preconditions, Row, Verb, Write};
use crate::engine::commit::Committed;
use crate::engine::{Engine, Failure};
use crate::integrations::{Integrations, Outgoing};
use crate::json::write;
use crate::plan::Plan;
use crate::ports::events::{Consumed, Logged, Remedy};
use crate::ports::store::{Bindings, CommitError, Fresh, WriteSet};
use crate::problem::{Problem, kinds};
use crate::request::Call;
use crate::telemetry::trace::TraceContext;
use ir::domain::{Effect, EventId, Field, FieldId, Reaction, ResourceId};
use ir::expr::Expr;
use ir::value::Value;
use kernel::expr::{Fault, evaluate, holds};
use std::sync::Arc;

/// Who vouches for what reactions do.
const ISSUER: &str = "mainstay:reaction";

/// A write that is worked out.
struct Planned {
    resource: ResourceId,
    verb: Verb,
    row: Option<Row>,
    body: Vec<u8>,
}

impl Engine {
    /// Does what a consumer does about an event, once. `held`: it has a row of its own in the store
    /// of service `state`, which goes then.
    ///
    /// # Errors
    /// As [`Engine::react`].
    pub(super) async fn consume(
        &self,
        consumer: usize,
        state: usize,
        event: &Logged,
        held: bool,
    ) -> Result<(), Failure> {
        let consumer = &self.plan.consumers.contexts[consumer];
        let known = self.plan.consumers.event(&event.event);
        let reaction = known.and_then(|id| consumer.reaction(id));
        // What the model does not say any more is done.
        let Some(reaction) = reaction.map(|at| &self.plan.domain.reactions[at]) else {
            return self.settled(&consumer.name, state, event, held).await;
        };
        let done = self.react(&consumer.name, reaction, event).await?;
        if done == Some((state, true)) {
            return Ok(());
        }
        self.settled(&consumer.name, state, event, held).await
    }

    /// What a consumer calls outside about an event; none where it calls nothing.
    ///
    /// # Errors
    /// Where the event is not what the model says of it, or gives no values to call with.
    pub(super) fn outgoing(
        &self,
        consumer: usize,
        event: &Logged,
        integrations: &Integrations,
    ) -> Result<Option<Outgoing>, Failure> {
        let consumer = &self.plan.consumers.contexts[consumer];
        let known = self.plan.consumers.event(&event.event);
        let reaction = known.and_then(|id| consumer.reaction(id));
        let reaction = reaction.map(|at| &self.plan.domain.reactions[at]);
        let Some(Reaction { event: of, when, effect: Effect::Operation(call), .. }) = reaction
        else {
            return Ok(None);
        };
        let scope = EventScope::of(&self.plan, *of, event, self.shared.clock.now())?;
        if !when.as_ref().is_none_or(|when| holds(when, &scope).unwrap_or(false)) {
            return Ok(None);
        }
        // The same at each attempt, and another for each context that reacts.
        let key = format!("{}-{}", write::uuid_text(event.id), consumer.name);
        let trace = TraceContext::continued(event.trace.as_deref().map(str::as_bytes));
        integrations.outgoing(call, &scope, key, trace).map(Some)
    }

    /// The row of a held event goes, where no effect took it along.
    pub(super) async fn settled(
        &self,
        consumer: &Arc<str>,
        state: usize,
        event: &Logged,
        held: bool,
    ) -> Result<(), Failure> {
        if !held {
            return Ok(());
        }
        let now = self.shared.clock.now();
        let consumed = Consumed { consumer: Arc::clone(consumer), event: event.id, now };
        let call = self.call_for(event, now, consumed);
        let set = WriteSet {
            tenant: event.tenant.clone(),
            consumed: call.effect_of.clone(),
            ..WriteSet::default()
        };
        match self.stores()[state].commit(set, &call.bindings).await {
            Ok(()) => Ok(()),
            Err(CommitError::Consumed) => {
                let Some(letters) = self.stores()[state].eventing() else { return Ok(()) };
                // Where it is kept with its tenant's rows, or with all.
                for place in [None, event.tenant.clone()] {
                    letters.remedy(&place, consumer, event.id, &Remedy::Done, now).await?;
                }
                Ok(())
            }
            Err(CommitError::Unavailable(why)) => Err(why.into()),
            Err(_) => Err(crate::engine::problem(kinds::INTERNAL)),
        }
    }

    /// Does what a reaction says about an event, once: the inbox row of the consumer is committed
    /// with it. The service whose store took it, and whether that was now; none where its condition
    /// does not hold.
    ///
    /// # Errors
    /// Whatever the engine answers a client; nothing was done then.
    pub(super) async fn react(
        &self,
        consumer: &Arc<str>,
        reaction: &Reaction,
        event: &Logged,
    ) -> Result<Option<(usize, bool)>, Failure> {
        let now = self.shared.clock.now();
        let scope = EventScope::of(&self.plan, reaction.event, event, now)?;
        let consumed = Consumed { consumer: Arc::clone(consumer), event: event.id, now };
        let wanted = reaction.when.as_ref().is_none_or(|when| holds(when, &scope).unwrap_or(false));
        let planned = if wanted { self.planned(&reaction.effect, event, &scope)? } else { None };
        let Some(planned) = planned else { return Ok(None) };
        let call = self.call_for(event, now, consumed);
        let write = Write {
            resource: planned.resource,
            verb: planned.verb,
            row: planned.row,
            body: Body::Bytes(&planned.body),
            preconditions: Preconditions::own(),
        };
        match self.write(&call, &[write], false, &mut |_, _| None).await? {
            Committed::Done => Ok(Some((self.plan.service(planned.resource), true))),
            Committed::Elsewhere => Ok(Some((self.plan.service(planned.resource), false))),
        }
    }

    fn call_for(&self, event: &Logged, now: i64, consumed: Consumed) -> Call {
        let micros = (self.plan.settings.request_seconds_max * 1e6) as i64;
        let bindings =
            Bindings { me: None, now, deadline: now.saturating_add(micros), fresh: Fresh::Newest };
        let call = Call::of_system(ISSUER, &event.tenant, bindings);
        let trace = TraceContext::continued(event.trace.as_deref().map(str::as_bytes));
        Call { trace: Some(trace), effect_of: Some(consumed), ..call }
    }

    fn planned(
        &self,
        effect: &Effect,
        event: &Logged,
        scope: &EventScope<'_>,
    ) -> Result<Option<Planned>, Failure> {
        let domain = &self.plan.domain;
        let fields = |resource: ResourceId, values: &[(FieldId, Expr)]| {
            let of = domain.resource(resource);
            let named = values.iter().map(|(field, expr)| (of.field(*field), expr));
            body(named, scope)
        };
        Ok(Some(match effect {
            Effect::Create { resource, values } => Planned {
                resource: *resource,
                verb: Verb::Create,
                row: None,
                body: fields(*resource, values)?,
            },
            Effect::Update { resource, id, values } => Planned {
                resource: *resource,
                verb: Verb::Update,
                row: Some(Row::Id(row(id, scope)?)),
                body: fields(*resource, values)?,
            },
            Effect::Command { resource, command, id, inputs } => {
                let of = &domain.resource(*resource).commands[command.index()];
                let named = inputs.iter().map(|(input, expr)| (&of.input[*input], expr));
                let id = id.as_ref().map(|id| row(id, scope)).transpose()?;
                Planned {
                    resource: *resource,
                    verb: Verb::Command(*command),
                    row: Some(Row::Id(id.unwrap_or(event.row))),
                    body: body(named, scope)?,
                }
            }
            // It was called before: what is left is that the event is done with.
            Effect::Operation(_) => return Ok(None),
        }))
    }
}

/// The row that an expression names.
fn row(id: &Expr, scope: &EventScope<'_>) -> Result<u128, Failure> {
    let value = evaluate(id, scope).map_err(|fault| no_value("id", fault))?;
    value.as_uuid().ok_or_else(|| {
        Box::new(Problem::new(kinds::INVALID_VALUE).at("/id", "the event names no row"))
    })
}

/// The row that the first reaction to an event names, where it names one: what comes from outside
/// about one row is done in order.
///
/// # Errors
/// Where the data is not what the model says of it.
pub(crate) fn row_named(
    plan: &Plan,
    event: EventId,
    logged: &Logged,
    now: i64,
) -> Result<Option<u128>, Failure> {
    let scope = EventScope::of(plan, event, logged, now)?;
    let ids = plan.domain.reactions.iter().filter(|one| one.event == event);
    let mut ids = ids.filter_map(|reaction| match &reaction.effect {
        Effect::Update { id, .. } | Effect::Command { id: Some(id), .. } => Some(id),
        Effect::Create { .. } | Effect::Command { id: None, .. } | Effect::Operation(_) => None,
    });
    Ok(ids.next().and_then(|id| row(id, &scope).ok()))
}

fn body<'f>(
    values: impl Iterator<Item = (&'f Field, &'f Expr)>,
    scope: &EventScope<'_>,
) -> Result<Vec<u8>, Failure> {
    let mut members: Vec<(&str, Value)> = Vec::new();
    for (field, expr) in values {
        let value = evaluate(expr, scope).map_err(|fault| no_value(&field.name, fault))?;
        members.push((&field.name, value.into_owned()));
    }
    Ok(object(members.into_iter()))
}

fn no_value(name: &str, fault: Fault) -> Failure {
    let pointer = format!("/{}", crate::problem::pointer_token(name));
    crate::engine::settle::no_value(fault, pointer)
}
