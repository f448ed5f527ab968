//! What is done about an event that an endpoint hears: it is delivered, and what came of it noted.

use super::doing::{Doing, Fault, Outcome, fault, newer};
use super::jobs::Job;
use super::part::STORE_PAUSE;
use super::turn::Turn;
use crate::cloudevents;
use crate::engine::backend::Live;
use crate::engine::outage;
use crate::engine::told::delivered;
use crate::engine::{Engine, Failure};
use crate::json::write::uuid_text;
use crate::ports::events::Logged;
use crate::ports::webhooks::{Attempt, Endpoint};
use crate::problem::kinds;
use crate::telemetry::trace::TraceContext;
use crate::upcast;
use crate::webhooks::send::{Answered, Client, Message, Receiver};
use crate::webhooks::signature::Key;
use crate::webhooks::{ATTEMPTS_KEPT_MICROS, keys, registry};
use futures::future::BoxFuture;
use kernel::consumer::{self as machine, Policy, Settings};
use kernel::retry::Ladder;
use std::sync::Arc;
use tokio::sync::watch;

/// Deliveries to one endpoint at a time: so many places a receiver that hangs can hold.
const ENDPOINT_DELIVERIES_MAX: usize = 4;
/// How often it is looked for events that were held by somebody else, to be sent again.
const HEADS_EVERY_MICROS: i64 = 2_000_000;

/// An endpoint that is delivered to.
pub(super) struct Hook {
    /// As it is now.
    pub(super) endpoint: watch::Receiver<Arc<Endpoint>>,
    pub(super) client: Client,
}

/// What goes out.
struct Outgoing {
    message: Message,
    keys: Vec<Key>,
}

impl Doing for Hook {
    fn is_measured(&self) -> bool {
        false
    }

    fn settings(&self) -> Settings {
        Settings {
            // What a receiver never takes is given up; what comes later may be of use to it.
            policy: Policy::Skip,
            ladder: Ladder::webhook(),
            in_flight_max: ENDPOINT_DELIVERIES_MAX,
            heads_interval_micros: HEADS_EVERY_MICROS,
            ..Settings::default()
        }
    }

    fn hears(&self, live: &Live, job: &Job, event: &Logged) -> bool {
        let endpoint = self.endpoint.borrow();
        live.engine.plan.service_of_resource(&event.resource) == Some(job.source)
            && event.tenant == endpoint.tenant
            && endpoint.events.iter().any(|name| **name == *event.event)
            // What the model does not offer any more is not told.
            && registry::offers(&live.engine.plan, &endpoint.actor, &event.event)
    }

    fn effect(
        self: Arc<Self>,
        turn: Turn,
        job: Arc<Job>,
        event: Logged,
        held: bool,
    ) -> BoxFuture<'static, Outcome> {
        Box::pin(async move {
            let outgoing = loop {
                let Some(live) = turn.at_hand().await else { return Outcome::Gone };
                if upcast::is_newer(&live.engine.plan, &event) {
                    return newer(&turn, live, &event).await;
                }
                let outgoing = self.outgoing(&turn, &live.engine, &event).await;
                drop(live);
                match outgoing {
                    Ok(outgoing) => break outgoing,
                    Err(failure) if failure.kind == kinds::UNAVAILABLE => {
                        tokio::time::sleep(STORE_PAUSE).await;
                    }
                    Err(failure) => return Outcome::Failed(fault(&failure)),
                }
            };
            // What its owner may not be told is done.
            if let Some(outgoing) = outgoing {
                match self.deliver(&turn, &event, &outgoing).await {
                    None => return Outcome::Gone,
                    Some(answered) if answered.error.is_some() => {
                        return Outcome::Failed(failed(answered));
                    }
                    Some(_) => {}
                }
            }
            match held {
                true => let_go(&turn, &job, &event).await,
                false => Outcome::Done,
            }
        })
    }
}

fn failed(answered: Answered) -> Fault {
    Fault {
        problem: "webhook".to_owned(),
        detail: answered.error.unwrap_or_default(),
        failure: machine::Failure::Transient { retry_after_micros: answered.retry_after },
    }
}

/// The row of an event that was held goes: no inbox row stays, so that it can be sent again.
async fn let_go(turn: &Turn, job: &Job, event: &Logged) -> Outcome {
    loop {
        let Some(live) = turn.at_hand().await else { return Outcome::Gone };
        let Some(kept) = live.engine.stores()[job.state].webhooks() else { return Outcome::Done };
        match kept.let_go(&job.place, &job.part.consumer, event.id).await {
            Ok(()) => return Outcome::Done,
            Err(why) => outage::log(&why),
        }
        drop(live);
        tokio::time::sleep(STORE_PAUSE).await;
    }
}

impl Hook {
    /// What goes out; none where the owner may not be told of it.
    async fn outgoing(
        &self,
        turn: &Turn,
        engine: &Engine,
        event: &Logged,
    ) -> Result<Option<Outgoing>, Failure> {
        let endpoint = Arc::clone(&self.endpoint.borrow());
        let Some(call) = registry::call_of(engine, &endpoint, turn.now()) else { return Ok(None) };
        let Some(told) = delivered(engine, &call, event).await? else { return Ok(None) };
        let Some(keys) = keys(&turn.backend().cursor_key, &endpoint, turn.now()) else {
            tracing::error!(webhook = uuid_text(endpoint.id), "the secret can't be read");
            return Err(crate::engine::problem(kinds::INTERNAL));
        };
        let mut body = Vec::with_capacity(512 + event.data.len());
        cloudevents::write(&mut body, &engine.plan, &told.event, told.data());
        let trace = TraceContext::continued(event.trace.as_deref().map(str::as_bytes));
        Ok(Some(Outgoing { message: Message { id: uuid_text(event.id), body, trace }, keys }))
    }

    /// Makes one attempt and notes it; none where the process has no place for it any more.
    async fn deliver(&self, turn: &Turn, event: &Logged, out: &Outgoing) -> Option<Answered> {
        let hooks = &turn.backend().hooks;
        // The endpoint may have changed since: it is called as it is now.
        let place = hooks.places.acquire().await.ok()?;
        let endpoint = Arc::clone(&self.endpoint.borrow());
        let to = Receiver { url: &endpoint.url, keys: &out.keys, signing: endpoint.signing };
        let at = turn.now();
        let answered = self.client.send(&to, &out.message, at).await;
        drop(place);
        hooks.count(&answered);
        let live = turn.at_hand().await?;
        let attempt = attempt(turn.backend().draw_id(at), &endpoint, event, at, &answered);
        // What is not noted has happened all the same.
        let noted = note(&live.engine, &attempt, at).await;
        let (bad, gone) = (answered.error.is_some(), answered.gone());
        let learnt = registry::learn(&live.engine, hooks, &endpoint, (bad, gone), at).await;
        for why in [noted, learnt].into_iter().filter_map(Result::err) {
            outage::log(&why);
        }
        Some(answered)
    }
}

/// Keeps an attempt.
pub(crate) async fn note(
    engine: &Engine,
    attempt: &Attempt,
    now: i64,
) -> Result<(), crate::ports::store::Unavailable> {
    match registry::home(engine) {
        Some(kept) => kept.note(attempt, now.saturating_sub(ATTEMPTS_KEPT_MICROS)).await,
        None => Ok(()),
    }
}

/// An attempt as it is kept.
pub(crate) fn attempt(
    id: u128,
    endpoint: &Endpoint,
    event: &Logged,
    at: i64,
    answered: &Answered,
) -> Attempt {
    Attempt {
        id,
        endpoint: endpoint.id,
        tenant: endpoint.tenant.clone(),
        event: event.id,
        name: event.event.to_string(),
        at,
        status: answered.status,
        error: answered.error.clone(),
        took: answered.took,
        answer: answered.answer.clone(),
    }
}
