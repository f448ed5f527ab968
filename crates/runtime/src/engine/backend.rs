//! What serves: the engine of the present plan, and what outlives it.
//!
//! [`Backend::live`] is the one point through which a call finds plan, stores and callers: it holds
//! what it got there from its beginning to its end, whatever is swapped in meanwhile.

use super::seal::CursorKey;
use super::{Engine, Shared};
use crate::cache::Cache;
use crate::http::Request;
use crate::identity::Principal;
use crate::integrations::{Integrations, Remotes};
use crate::plan::Plan;
use crate::ports::broker::Connect;
use crate::ports::clock::{Clock, Randomness};
use crate::ports::store::{Store, Tenant, Unavailable};
use crate::problem::Problem;
use crate::telemetry::metrics::{Metrics, OperationId};
use crate::webhooks::inbound::{Secrets, Sender};
use crate::webhooks::{Hooks, guard::Guard};
use arc_swap::ArcSwapOption;
use futures::future::BoxFuture;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore, broadcast, watch};

/// Between two looks whether the calls of a former plan have ended.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Tells who calls, and for which tenant.
pub trait Identify: Send + Sync {
    /// The caller of a request.
    ///
    /// # Errors
    /// 401 for a token or key that is not good, 403 where token and host name different tenants.
    fn identify<'a>(
        &'a self,
        request: &'a Request,
    ) -> BoxFuture<'a, Result<Identity, Box<Problem>>>;
}

/// A caller, proved or without token.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// Who; none without token.
    pub principal: Option<Arc<Principal>>,
    /// Whose rows: of the token, else of the host; none where neither names one.
    pub tenant: Tenant,
}

/// What a swap changes together.
pub struct Serving {
    /// What to serve.
    pub plan: Arc<Plan>,
    /// One store for each of its services, in their order.
    pub stores: Vec<Arc<dyn Store>>,
    /// Proves callers in terms of the plan.
    pub identify: Arc<dyn Identify>,
    /// What of systems outside stands in no model.
    pub credentials: Credentials,
}

/// What the environment says of systems outside.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// What senders of webhooks prove themselves by.
    pub secrets: Secrets,
    /// Where those are that are called, and what we prove ourselves by.
    pub remotes: Remotes,
}

/// What a backend is made of beside what it serves.
pub struct Surroundings {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives random bytes.
    pub randomness: Arc<dyn Randomness>,
    /// Seals cursors; kept with the data, so that a cursor outlives a restart.
    pub cursor_key: [u8; 32],
    /// Counts answers.
    pub metrics: Arc<Metrics>,
    /// Where webhooks may go.
    pub webhooks: Guard,
    /// The broker that events go to, and come from; without one their log is all there is.
    pub broker: Option<Arc<dyn Connect>>,
}

/// The engine of the present plan, and what outlives it.
pub struct Backend {
    /// None while calls wait for what comes next.
    live: ArcSwapOption<Live>,
    /// Told when there is something to serve again.
    opened: Notify,
    shared: Arc<Shared>,
    metrics: Arc<Metrics>,
    /// Plans that were served.
    served: AtomicU64,
    /// Seals cursors.
    pub(crate) cursor_key: CursorKey,
    /// Idempotency keys whose calls are running.
    pub(crate) running: Running,
    /// Places for streams of events.
    pub(crate) streams: Arc<Semaphore>,
    /// What deliveries of webhooks share.
    pub(crate) hooks: Arc<Hooks>,
    broker: Option<Arc<dyn Connect>>,
}

/// Streams of events that a process serves at a time.
pub(crate) const STREAMS_MAX: usize = 1_024;

/// A plan being served.
pub(crate) struct Live {
    /// Plan and stores.
    pub(crate) engine: Engine,
    /// By index of the plan's operations.
    pub(crate) operations: Vec<OperationId>,
    /// Proves callers.
    pub(crate) identify: Arc<dyn Identify>,
    /// Answers that are reused; none where the plan reuses none.
    pub(crate) cache: Option<Arc<Cache>>,
    /// Which of those that were served by this process: callers are known in its terms.
    pub(crate) number: u64,
    /// Senders of webhooks, by index of the domain's receivers.
    pub(crate) senders: Vec<Sender>,
    /// Systems outside that are called.
    pub(crate) integrations: Arc<Integrations>,
}

/// What was served until a swap or a pause. Its stores may be closed once its calls have ended.
pub struct Former(Option<Arc<Live>>);

impl Former {
    /// Waits until no call holds it any more; false where that takes longer than `most`.
    pub fn ended(&self, most: Duration) -> bool {
        let Some(live) = &self.0 else { return true };
        let until = Instant::now() + most;
        // Whoever loads from now on finds something else, so the count only falls.
        while Arc::strong_count(live) > 1 {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        true
    }
}

impl Backend {
    /// Serves a plan over one store for each of its services.
    pub fn new(serving: Serving, around: Surroundings) -> Self {
        let shared = Arc::new(Shared::new(around.clock, around.randomness));
        let backend = Self {
            live: ArcSwapOption::empty(),
            opened: Notify::new(),
            shared,
            hooks: Arc::new(Hooks::new(around.webhooks, &around.metrics)),
            metrics: around.metrics,
            served: AtomicU64::new(0),
            cursor_key: CursorKey::new(&around.cursor_key),
            running: Running::default(),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            broker: around.broker,
        };
        backend.swap(serving);
        backend
    }

    /// Serves something else from now on, to calls that waited too; calls that run keep what they
    /// began with, which is answered with.
    pub fn swap(&self, serving: Serving) -> Former {
        let number = self.served.fetch_add(1, Ordering::Relaxed);
        let live = Live::new(serving, number, &self.shared, &self.metrics);
        // Positions of one store mean nothing in another.
        self.shared.projected.send_modify(BTreeMap::clear);
        let former = self.live.swap(Some(Arc::new(live)));
        self.opened.notify_waiters();
        Former(former)
    }

    /// Lets calls wait, until their deadlines, for the next [`Backend::swap`] or
    /// [`Backend::resume`]. Calls that run go on.
    pub fn pause(&self) -> Former {
        Former(self.live.swap(None))
    }

    /// Goes on with what was served before a pause.
    pub fn resume(&self, former: Former) {
        // Whoever paused it may have changed the tables and turned them back.
        if let Some(cache) = former.0.as_ref().and_then(|live| live.cache.as_ref()) {
            cache.empty();
        }
        self.live.store(former.0);
        self.opened.notify_waiters();
    }

    /// What is served now, for the whole of a call.
    pub(crate) async fn live(&self) -> Arc<Live> {
        loop {
            if let Some(live) = self.live.load_full() {
                return live;
            }
            let mut opened = pin!(self.opened.notified());
            // Listens before it looks again: what is opened in between is not missed.
            opened.as_mut().enable();
            if let Some(live) = self.live.load_full() {
                return live;
            }
            opened.await;
        }
    }

    /// What is served now; none in a pause.
    pub(crate) fn now_live(&self) -> Option<Arc<Live>> {
        self.live.load_full()
    }

    /// Waits until another plan is served than the one of that number.
    pub(crate) async fn other_than(&self, number: u64) {
        loop {
            let mut opened = pin!(self.opened.notified());
            // Listens before it looks.
            opened.as_mut().enable();
            if self.live.load().as_ref().is_some_and(|live| live.number != number) {
                return;
            }
            opened.await;
        }
    }

    /// Where events go, and come from.
    pub fn broker(&self) -> Option<&Arc<dyn Connect>> {
        self.broker.as_ref()
    }

    /// Counts what happens.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Tells of dead letters that somebody did something about.
    pub(crate) fn remedied(&self) -> broadcast::Receiver<(Arc<str>, u128)> {
        self.shared.remedied.subscribe()
    }

    /// Tells of operations that begin.
    pub(crate) fn operated(&self) -> watch::Receiver<u64> {
        self.shared.operated.subscribe()
    }

    /// 64 random bits.
    pub(crate) fn random(&self) -> u64 {
        self.shared.ids.random()
    }

    /// A new id, made at a time.
    pub(crate) fn draw_id(&self, now: i64) -> u128 {
        self.shared.ids.next(now)
    }

    /// The time in microseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.shared.clock.now()
    }

    /// Opens what this thread reads by.
    pub async fn warm(&self) {
        // What is swapped in later is opened by the first who needs it.
        let Some(live) = self.live.load_full() else { return };
        let stores = live.engine.stores().iter().map(|store| store.warm());
        futures::future::join_all(stores).await;
    }

    /// Asks every store whether it can serve.
    ///
    /// # Errors
    /// The first that cannot.
    pub async fn ready(&self) -> Result<(), Unavailable> {
        // Who pauses it for a moment looks after the stores.
        let Some(live) = self.live.load_full() else { return Ok(()) };
        for store in live.engine.stores() {
            store.ready().await?;
        }
        Ok(())
    }

    /// True where every store could write when it last had to.
    ///
    /// # Errors
    /// The first that could not.
    pub fn writes(&self) -> Result<(), Unavailable> {
        let Some(live) = self.live.load_full() else { return Ok(()) };
        live.engine.stores().iter().try_for_each(|store| store.writes())
    }
}

impl Live {
    fn new(serving: Serving, number: u64, shared: &Arc<Shared>, metrics: &Arc<Metrics>) -> Self {
        let Serving { plan, stores, identify, credentials } = serving;
        let Credentials { secrets, remotes } = credentials;
        let integrations = Arc::new(Integrations::of(&plan, &remotes, metrics));
        let senders = Sender::all(&plan, &secrets, metrics);
        let operations = plan
            .operations
            .iter()
            .map(|operation| metrics.operation(&operation.id, operation.method, &operation.path))
            .collect();
        // What another plan or other stores answered is never reused.
        let (cache, stores) = Cache::over(&plan, stores, shared, metrics);
        let engine = Engine::new(plan, stores, Arc::clone(shared));
        Self { engine, operations, identify, cache, number, senders, integrations }
    }
}

/// Scopes of idempotency keys whose calls have not ended.
#[derive(Default)]
pub(crate) struct Running {
    scopes: Mutex<BTreeSet<[u8; 32]>>,
}

/// A call that runs under a key; the key is free again when it is dropped.
pub(crate) struct Run<'r> {
    running: &'r Running,
    scope: [u8; 32],
}

impl Running {
    /// Begins a call; none where one with that scope is running.
    pub(crate) fn begin(&self, scope: [u8; 32]) -> Option<Run<'_>> {
        let mut scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        // Only when it is taken: a `Run` that is dropped frees its scope.
        scopes.insert(scope).then(|| Run { running: self, scope })
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        let mut scopes = self.running.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        scopes.remove(&self.scope);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_taken_once_and_free_again_when_its_call_ends() {
        let running = Running::default();
        let first = running.begin([1; 32]);
        assert!(first.is_some());
        assert!(running.begin([1; 32]).is_none(), "it is taken, and asking does not free it");
        assert!(running.begin([1; 32]).is_none());
        assert!(running.begin([2; 32]).is_some(), "another scope is free");
        drop(first);
        assert!(running.begin([1; 32]).is_some());
    }
}
