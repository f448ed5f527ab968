//! What goes, what stays, and who holds back what: on every kind of store.

use super::*;
use crate::engine::backend::{Backend, Identify, Identity, Serving, Surroundings};
#[cfg(feature = "postgres")]
use crate::fixture::postgres::Database;
use crate::fixture::shop;
use crate::fixture::store::{self, Layout, THING};
use crate::http::Request;
use crate::plan::consumers::Consumer;
use crate::plan::plan;
use crate::ports::clock::{SystemClock, SystemRandomness};
use crate::ports::events::{Consumed, Eventing, Part, Settled, Span};
use crate::ports::store::{About, Bindings, CommitError, OutboxRow, Store, WriteSet};
use crate::ports::webhooks::Stored;
use crate::problem::Problem;
use crate::webhooks::registry::tests::endpoint;
use futures::FutureExt;
use futures::future::BoxFuture;
use ir::domain::ContextId;

const DAY: i64 = 86_400_000_000;
/// When the first event happens.
const START: i64 = 1_790_000_000_000_000;
/// What the fixture's plan keeps events for.
const KEPT: i64 = 7 * DAY;
/// A context that reacts to what happens in another.
const DESK: &str = "desk";
/// The view of the fixture, which is made of `order.paid`.
const VIEW: &str = "view ordering.SalesByDay";

/// Nobody calls.
struct Nobody;

impl Identify for Nobody {
    fn identify<'a>(&'a self, _: &'a Request) -> BoxFuture<'a, Result<Identity, Box<Problem>>> {
        std::future::ready(Ok(Identity::default())).boxed()
    }
}

/// What is looked after: the log of a place.
struct Kept {
    live: Arc<Live>,
    store: Arc<dyn Store>,
    place: Place,
}

impl Kept {
    fn new(store: Arc<dyn Store>, place: Place) -> Self {
        let mut plan = plan(&shop());
        let (hears, sources) = (Vec::new(), vec![ContextId(1)]);
        let desk = Consumer { name: DESK.into(), context: ContextId(2), hears, sources };
        plan.consumers.contexts.push(desk);
        let (plan, stores) = (Arc::new(plan), vec![Arc::clone(&store)]);
        let identify = Arc::new(Nobody);
        let serving = Serving { plan, stores, identify, credentials: Default::default() };
        let around = Surroundings {
            clock: Arc::new(SystemClock),
            randomness: Arc::new(SystemRandomness),
            cursor_key: [7; 32],
            metrics: Default::default(),
            webhooks: Default::default(),
            broker: None,
        };
        let live = Backend::new(serving, around).now_live().expect("it serves");
        Self { live, store, place }
    }

    fn log(&self) -> &dyn Eventing {
        self.store.eventing().expect("it has events")
    }

    /// Publishes events of acme, one a day, the first at [`START`].
    async fn publish(&self, names: &[&str]) {
        for (at, name) in (0_u32..).zip(names) {
            let row = OutboxRow {
                id: u128::from(at) + 1,
                event: (*name).to_owned(),
                version: 1,
                about: About::Row(THING),
                row: 1,
                time: START + i64::from(at) * DAY,
                data: "{}".to_owned(),
                trace: None,
            };
            let set =
                WriteSet { tenant: Some("acme".into()), outbox: vec![row], ..WriteSet::default() };
            self.store.commit(set, &Bindings::default()).await.expect("it is written");
        }
    }

    /// The ids of the events that are there.
    async fn ids(&self) -> Vec<u128> {
        let events = self.log().after(&self.place, 0, 99, usize::MAX).await.expect("it reads");
        events.iter().map(|event| event.id).collect()
    }

    /// The position of the event of an id; 0 for none.
    async fn position(&self, id: u128) -> i64 {
        let events = self.log().after(&self.place, 0, 99, usize::MAX).await.expect("it reads");
        events.iter().find(|event| event.id == id).map_or(0, |event| event.position)
    }

    /// A consumer settles everything up to an event; nothing for 0.
    async fn settles(&self, consumer: &str, id: u128) {
        let source = super::super::source_name(&self.live.engine.plan, 0, &self.place).into();
        let part = Part { consumer: consumer.into(), source, number: 0 };
        let span = Span { now: START, until: START + DAY, from: 0 };
        let claim = self.log().claim(&self.place, &part, "one", span).await.expect("it is free");
        let position = self.position(id).await;
        let settled = Settled { held: Vec::new(), position, until: START + DAY };
        assert_eq!(self.log().settle(&self.place, &claim, &settled).await, Ok(true));
    }

    /// What is left after a look at a time.
    async fn left(&self, outside: Option<&Outside>, now: i64) -> Vec<u128> {
        while look(&self.live, outside, now).await.expect("it is done") {}
        self.ids().await
    }
}

/// Runs a scenario with every kind of store.
fn everywhere(scenario: impl AsyncFn(Kept)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    for (layout, place) in [(Layout::Row, None), (Layout::File, Some("acme".into()))] {
        let folder = store::Place::new();
        let store = Arc::new(store::sqlite(folder.path(), layout));
        runtime.block_on(scenario(Kept::new(store, place)));
    }
    #[cfg(feature = "postgres")]
    if let Some(database) = Database::new() {
        let store = Arc::new(database.open(Layout::Row));
        runtime.block_on(scenario(Kept::new(store, None)));
    }
}

#[test]
fn events_go_once_their_time_is_past_and_every_consumer_has_settled_them() {
    everywhere(async |kept| {
        kept.publish(&["room.changed"; 3]).await;
        kept.settles(DESK, 0).await;
        kept.settles(VIEW, 3).await;
        // One that the model does not have any more.
        kept.settles("cellar", 0).await;
        let late = START + 100 * DAY;
        assert_eq!(kept.left(None, late).await, [1, 2, 3], "one has heard nothing yet");
        kept.settles(DESK, 1).await;
        assert_eq!(kept.left(None, late).await, [2, 3]);
        kept.settles(DESK, 3).await;
        assert_eq!(kept.left(None, START + DAY + KEPT).await, [2, 3], "none is that old");
        assert_eq!(kept.left(None, START + DAY + KEPT + 1).await, [3]);
        assert_eq!(kept.left(None, late).await, [0_u128; 0]);
    });
}

#[test]
fn events_that_views_are_made_of_stay_and_hold_back_nothing() {
    everywhere(async |kept| {
        kept.publish(&["order.paid", "room.changed", "order.paid", "room.changed"]).await;
        kept.settles(DESK, 4).await;
        kept.settles(VIEW, 3).await;
        let late = START + 100 * DAY;
        assert_eq!(kept.left(None, late).await, [1, 3, 4], "the view is not further");
        kept.settles(VIEW, 4).await;
        assert_eq!(kept.left(None, late).await, [1, 3]);
    });
}

#[test]
fn an_endpoint_holds_back_what_it_was_not_told_until_it_is_disabled() {
    everywhere(async |kept| {
        kept.publish(&["room.changed"; 3]).await;
        let hooks = kept.store.webhooks().expect("it keeps endpoints");
        let mut one = endpoint(7);
        one.events = vec!["room.changed".to_owned()];
        assert_eq!(hooks.register(&one, 10).await, Ok(Stored::Yes));
        for (consumer, id) in [(DESK, 3), (VIEW, 3), (&*consumer(7), 1)] {
            kept.settles(consumer, id).await;
        }
        let late = START + 100 * DAY;
        assert_eq!(kept.left(None, late).await, [2, 3]);
        let since = one.updated;
        (one.disabled, one.updated) = (true, since + 1);
        assert_eq!(hooks.change(&one, since).await, Ok(Stored::Yes));
        assert_eq!(kept.left(None, late).await, [0_u128; 0]);
    });
}

#[test]
fn an_inbox_row_goes_after_its_grace_and_not_before() {
    everywhere(async |kept| {
        let consumed = || Consumed { consumer: DESK.into(), event: 1, now: START };
        let again = async || {
            let (tenant, consumed) = (Some("acme".into()), Some(consumed()));
            let set = WriteSet { tenant, consumed, ..WriteSet::default() };
            kept.store.commit(set, &Bindings::default()).await
        };
        assert_eq!(again().await, Ok(()));
        let over = START + KEPT + INBOX_GRACE_MICROS;
        kept.left(None, over).await;
        assert_eq!(again().await, Err(CommitError::Consumed), "who redrives in time is known");
        kept.left(None, over + 1).await;
        assert_eq!(again().await, Ok(()));
    });
}

/// A broker that nobody reaches.
#[cfg(feature = "nats")]
fn outside() -> Outside {
    let address = crate::adapters::broker::Address::parse("nats://127.0.0.1:1");
    let address: Arc<dyn crate::ports::broker::Connect> = Arc::new(address.expect("an address"));
    Outside::new(&address)
}

#[cfg(feature = "nats")]
#[test]
fn with_a_broker_the_relay_counts_in_the_place_of_contexts() {
    everywhere(async |kept| {
        kept.publish(&["room.changed"; 3]).await;
        let outside = outside();
        let relay = outside.relay_name(&kept.live.engine.plan, 0);
        kept.settles(DESK, 0).await;
        kept.settles(VIEW, 3).await;
        kept.settles(&relay, 2).await;
        let late = START + 100 * DAY;
        assert_eq!(kept.left(Some(&outside), late).await, [3], "contexts hear from the broker");
        kept.settles(&relay, 3).await;
        assert_eq!(kept.left(Some(&outside), late).await, [0_u128; 0]);
    });
}

#[cfg(feature = "nats")]
#[test]
fn what_contexts_have_not_heard_stays_until_there_is_a_relay_that_begins_with_it() {
    everywhere(async |kept| {
        kept.publish(&["room.changed"; 3]).await;
        let outside = outside();
        kept.settles(DESK, 1).await;
        kept.settles(VIEW, 3).await;
        let late = START + 100 * DAY;
        assert_eq!(kept.left(Some(&outside), late).await, [2, 3], "the broker was never there");
    });
}
