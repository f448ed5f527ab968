//! The broker: which topics there are, who reads them, and from where.
//!
//! Each service that has events has a topic, which a relay fills from its log; each context that
//! reacts is a group, with a part of its own for each partition. Parts are kept in the store that
//! takes the effects, as those of the log are: the broker is where events come from, and decides
//! nothing. Before a relay publishes the first event, every group is known there.

use super::jobs::{Feed, Job, Kind, part, source_name, sources};
use crate::engine::backend::Live;
use crate::engine::outage;
use crate::plan::Plan;
use crate::plan::consumers::Consumer;
use crate::ports::broker::{
    Broker, Connect, Declared, Message, NotPublished, Reading, Subscription, Topic,
};
use crate::ports::events::{Part, Place, Progress, Refused, Span};
use crate::ports::store::Unavailable;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A topic keeps events for so long at least, where the design says less: readers that are down
/// come back within it.
const RETENTION_MIN: Duration = Duration::from_secs(7 * 86_400);

/// The broker that events go to, and come from.
pub(crate) struct Outside {
    broker: Arc<dyn Broker>,
    prefix: Option<String>,
    /// Topics that are ready, as they were wanted: declared, with every group known.
    ready: Mutex<BTreeMap<Arc<str>, (Topic, Declared)>>,
}

impl Outside {
    pub(super) fn new(address: &Arc<dyn Connect>) -> Self {
        let prefix = address.prefix().map(str::to_owned);
        Self { broker: address.open(), prefix, ready: Mutex::default() }
    }

    /// Makes topics, and groups known, that are not yet; what fails is tried again at the next
    /// look.
    pub(super) async fn prepare(&self, live: &Live, now: i64) {
        for service in emitting(&live.engine.plan) {
            if let Err(why) = self.prepare_topic(live, service, now).await {
                outage::log(&why);
            }
        }
    }

    async fn prepare_topic(
        &self,
        live: &Live,
        service: usize,
        now: i64,
    ) -> Result<(), Unavailable> {
        let plan = &live.engine.plan;
        let topic = self.topic(plan, service);
        let declared = told(self.broker.declare(&topic).await)?;
        let ready = (topic, declared);
        if self.ready(&ready.0.name).as_ref() == Some(&ready) {
            return Ok(());
        }
        let (topic, declared) = &ready;
        for consumer in readers(plan, service) {
            let state = plan.service_of(consumer.context);
            let Some(state) = live.engine.stores()[state].eventing() else { continue };
            let known = state.progress(&None).await?;
            for partition in 0..declared.partitions {
                let part = self.part_of(consumer, &topic.name, declared, partition);
                if known.iter().any(|progress| progress.part == part) {
                    continue;
                }
                // Where the topic was there before in another form, all that is in it is new.
                let before = format!("{} {} ", self.broker.kind(), topic.name);
                let of_it = |progress: &Progress| {
                    progress.part.consumer == consumer.name
                        && progress.part.source.starts_with(&before)
                };
                let from = match known.iter().any(of_it) {
                    true => 0,
                    false => {
                        let reading = reading(consumer, &topic.name, partition);
                        told(self.broker.end(&reading).await)?
                    }
                };
                begin(state, &None, &part, Span { now, until: now, from }).await?;
            }
        }
        self.prepare_relays(live, service, &topic.name, now).await?;
        let mut all = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(Arc::clone(&topic.name), ready);
        Ok(())
    }

    /// A relay that is new begins where the first of those who react is: what they have not heard
    /// comes by the broker. Where nobody reacts it sends all that the log still has.
    async fn prepare_relays(
        &self,
        live: &Live,
        service: usize,
        topic: &str,
        now: i64,
    ) -> Result<(), Unavailable> {
        let plan = &live.engine.plan;
        let Some(log) = live.engine.stores()[service].eventing() else { return Ok(()) };
        for place in log.places().await? {
            let relay = self.relay_part(plan, service, topic, &place);
            if log.progress(&place).await?.iter().any(|progress| progress.part == relay) {
                continue;
            }
            let mut first: Option<i64> = None;
            for consumer in readers(plan, service) {
                let state = plan.service_of(consumer.context);
                let Some(state) = live.engine.stores()[state].eventing() else { continue };
                let own = part(plan, consumer, service, &place);
                let known = state.progress(&place).await?;
                let heard = known.iter().find(|progress| progress.part == own);
                let heard = heard.map(|heard| heard.position);
                first = first.into_iter().chain(heard).min();
            }
            // Where none of them is known, as in a place that was just made, nothing was heard.
            let from = first.unwrap_or(0);
            begin(log, &place, &relay, Span { now, until: now, from }).await?;
        }
        Ok(())
    }

    /// The work on topics that are ready.
    pub(super) async fn jobs(&self, live: &Live) -> Vec<Job> {
        let plan = &live.engine.plan;
        let mut jobs = Vec::new();
        for source in emitting(plan) {
            let topic = self.topic_name(plan, source);
            let Some(declared) = self.declared(&topic) else { continue };
            let Some(log) = live.engine.stores()[source].eventing() else { continue };
            for place in log.places().await.unwrap_or_default() {
                let part = self.relay_part(plan, source, &topic, &place);
                let (topic, partitions) = (Arc::clone(&topic), declared.partitions);
                let (kind, feed) = (Kind::Relay { topic, partitions }, Feed::Log);
                jobs.push(Job { part, kind, consumer: 0, source, place, state: source, feed });
            }
            for (at, consumer) in plan.consumers.contexts.iter().enumerate() {
                if !sources(plan, consumer).contains(&source) {
                    continue;
                }
                let state = plan.service_of(consumer.context);
                jobs.extend((0..declared.partitions).map(|partition| Job {
                    part: self.part_of(consumer, &topic, &declared, partition),
                    kind: Kind::Reactions,
                    consumer: at,
                    source,
                    place: None,
                    state,
                    feed: Feed::Topic { topic: Arc::clone(&topic), partition },
                }));
            }
        }
        jobs
    }

    /// Publishes to a topic, and answers once it is durable there.
    pub(super) async fn publish(&self, topic: &str, message: &Message) -> Result<(), NotPublished> {
        self.broker.publish(topic, message).await
    }

    /// Begins to read what a part hears; nothing comes of a topic that was made anew since.
    pub(super) async fn subscribe(
        &self,
        part: &Part,
        topic: &Arc<str>,
        position: i64,
    ) -> Result<Box<dyn Subscription>, Unavailable> {
        let declared = self.declared(topic).ok_or(Unavailable::Busy)?;
        if *part.source != self.source(topic, &declared) {
            return Err(Unavailable::Broken(format!("the topic {topic} was made anew")));
        }
        told(self.broker.subscribe(&self.reading(part, topic), position).await)
    }

    /// Messages that a part has not settled, which is at a position.
    pub(super) async fn waiting(
        &self,
        part: &Part,
        topic: &Arc<str>,
        position: i64,
    ) -> Result<u64, Unavailable> {
        told(self.broker.waiting(&self.reading(part, topic), position).await)
    }

    /// The relays of a service, by the names of consumers.
    pub(super) fn relay_name(&self, plan: &Plan, service: usize) -> Arc<str> {
        self.relay_of(&self.topic_name(plan, service))
    }

    fn reading(&self, part: &Part, topic: &Arc<str>) -> Reading {
        let (group, partition) = (Arc::clone(&part.consumer), part.number);
        Reading { topic: Arc::clone(topic), group, partition }
    }

    fn topic(&self, plan: &Plan, service: usize) -> Topic {
        let kept = Duration::try_from_secs_f64(plan.settings.event_seconds).unwrap_or_default();
        Topic {
            name: self.topic_name(plan, service),
            partitions: plan.settings.event_partitions.max(1),
            groups: readers(plan, service).map(|consumer| Arc::clone(&consumer.name)).collect(),
            retention: kept.max(RETENTION_MIN),
        }
    }

    fn topic_name(&self, plan: &Plan, service: usize) -> Arc<str> {
        let (system, service) = (&plan.domain.system, &plan.service_names[service]);
        match &self.prefix {
            None => format!("{system}.{service}").into(),
            Some(prefix) => format!("{prefix}.{system}.{service}").into(),
        }
    }

    fn declared(&self, topic: &str) -> Option<Declared> {
        self.ready(topic).map(|(_, declared)| declared)
    }

    fn ready(&self, topic: &str) -> Option<(Topic, Declared)> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).get(topic).cloned()
    }

    fn source(&self, topic: &str, declared: &Declared) -> String {
        format!("{} {topic} {}", self.broker.kind(), declared.incarnation)
    }

    fn part_of(
        &self,
        consumer: &Consumer,
        topic: &str,
        declared: &Declared,
        partition: u32,
    ) -> Part {
        let source = self.source(topic, declared).into();
        Part { consumer: Arc::clone(&consumer.name), source, number: partition }
    }

    fn relay_of(&self, topic: &str) -> Arc<str> {
        format!("{} {topic}", self.broker.kind()).into()
    }

    fn relay_part(&self, plan: &Plan, service: usize, topic: &str, place: &Place) -> Part {
        let source = source_name(plan, service, place).into();
        Part { consumer: self.relay_of(topic), source, number: 0 }
    }
}

/// What a broker answered. Why it could not is told here, and not again as of a store.
fn told<T>(answered: Result<T, Unavailable>) -> Result<T, Unavailable> {
    answered.map_err(|why| {
        outage::log_broker(&why);
        Unavailable::Busy
    })
}

fn reading(consumer: &Consumer, topic: &Arc<str>, partition: u32) -> Reading {
    Reading { topic: Arc::clone(topic), group: Arc::clone(&consumer.name), partition }
}

/// Services whose logs hold events.
fn emitting(plan: &Plan) -> BTreeSet<usize> {
    let domain = &plan.domain;
    let emitters = domain.events.iter().flat_map(|event| &event.emitters);
    let inbound = domain.events.iter().flat_map(|event| &event.inbound);
    let kept = inbound.map(|inbound| plan.service_of(domain.kept_in(inbound)));
    emitters.map(|resource| plan.service(*resource)).chain(kept).collect()
}

/// Contexts that react to what happens in a service.
fn readers(plan: &Plan, service: usize) -> impl Iterator<Item = &Consumer> {
    let contexts = plan.consumers.contexts.iter();
    contexts.filter(move |consumer| sources(plan, consumer).contains(&service))
}

/// Makes a part known.
async fn begin(
    state: &dyn crate::ports::events::Eventing,
    place: &Place,
    part: &Part,
    span: Span,
) -> Result<(), Unavailable> {
    // Taken for no time at all: whoever works claims it.
    match state.claim(place, part, "", span).await {
        Ok(_) | Err(Refused::Taken { .. }) => Ok(()),
        Err(Refused::Unavailable(why)) => Err(why),
    }
}
