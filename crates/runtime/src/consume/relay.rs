//! What is done about an event that a broker is to have: it is published.
//!
//! The same machine that reactions run on decides order and what is tried again: events of a row
//! are published one after the other, and the position goes only past those that the broker
//! answered for. So a crash repeats some, under the same ids, and leaves none out. What the broker
//! never takes is a dead letter, and holds up its key.

use super::doing::{Doing, Fault, Outcome, fault};
use super::jobs::Job;
use super::outside::Outside;
use super::part::STORE_PAUSE;
use super::turn::Turn;
use crate::cloudevents;
use crate::engine::backend::Live;
use crate::engine::outage;
use crate::json::write::uuid_text;
use crate::plan::Plan;
use crate::ports::broker::{Message, NotPublished};
use crate::ports::events::{Logged, slot};
use crate::problem::kinds;
use crate::upcast::{self, Unread};
use bytes::Bytes;
use futures::future::BoxFuture;
use kernel::consumer::{self as machine, Settings};
use std::borrow::Cow;
use std::sync::Arc;

/// Messages that are published and not answered for.
const PUBLISHED_MAX: usize = 256;

/// The relay of a log to a topic.
pub(super) struct Relay {
    outside: Arc<Outside>,
    topic: Arc<str>,
    partitions: u32,
}

impl Relay {
    pub(super) fn new(outside: &Arc<Outside>, topic: &Arc<str>, partitions: u32) -> Self {
        let partitions = partitions.max(1);
        Self { outside: Arc::clone(outside), topic: Arc::clone(topic), partitions }
    }

    fn message(&self, plan: &Plan, event: &Logged) -> Message {
        Message {
            id: uuid_text(event.id).into(),
            key: uuid_text(event.row).into(),
            partition: slot(event.row) % self.partitions,
            subject: Arc::clone(&event.event),
            attributes: cloudevents::attributes(plan, event),
            body: Bytes::copy_from_slice(event.data.as_bytes()),
        }
    }
}

impl Doing for Relay {
    fn is_measured(&self) -> bool {
        true
    }

    fn settings(&self) -> Settings {
        Settings { in_flight_max: PUBLISHED_MAX, ..Settings::default() }
    }

    fn hears(&self, live: &Live, job: &Job, event: &Logged) -> bool {
        live.engine.plan.service_of_resource(&event.resource) == Some(job.source)
    }

    fn effect(
        self: Arc<Self>,
        turn: Turn,
        job: Arc<Job>,
        event: Logged,
        held: bool,
    ) -> BoxFuture<'static, Outcome> {
        Box::pin(async move {
            let Some(live) = turn.at_hand().await else { return Outcome::Gone };
            let plan = &live.engine.plan;
            // What is newer than the model is passed on as it is: who hears it may know it.
            let told = match upcast::current(plan, &event) {
                Ok(told) => told,
                Err(Unread::Newer { .. }) => Cow::Borrowed(&event),
                Err(why @ Unread::Unfit { .. }) => {
                    return Outcome::Failed(fault(&Box::new(why.problem())));
                }
            };
            let message = self.message(plan, &told);
            drop((told, live));
            loop {
                match self.outside.publish(&self.topic, &message).await {
                    Ok(()) => break,
                    Err(NotPublished::Refused(detail)) => {
                        let (problem, failure) = ("broker".to_owned(), machine::Failure::Poison);
                        return Outcome::Failed(Fault { problem, detail, failure });
                    }
                    // While it can't, it is no attempt.
                    Err(NotPublished::Unavailable(why)) => outage::log_broker(&why),
                }
                tokio::select! {
                    () = tokio::time::sleep(STORE_PAUSE) => {}
                    () = turn.ended() => return Outcome::Gone,
                }
            }
            loop {
                let Some(live) = turn.at_hand().await else { return Outcome::Gone };
                let consumer = &job.part.consumer;
                match live.engine.settled(consumer, job.state, &event, held).await {
                    Ok(()) => return Outcome::Done,
                    Err(failure) if failure.kind == kinds::UNAVAILABLE => {}
                    Err(failure) => return Outcome::Failed(fault(&failure)),
                }
                drop(live);
                tokio::time::sleep(STORE_PAUSE).await;
            }
        })
    }
}
