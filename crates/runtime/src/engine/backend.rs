//! What serves: the engine of the present plan, and what outlives it.

use super::seal::CursorKey;
use super::{Engine, Shared};
use crate::http::Request;
use crate::identity::Principal;
use crate::plan::Plan;
use crate::ports::clock::{Clock, Randomness};
use crate::ports::store::{Store, Tenant, Unavailable};
use crate::problem::Problem;
use crate::telemetry::metrics::{Metrics, OperationId};
use arc_swap::ArcSwap;
use futures::future::BoxFuture;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

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

/// What a backend is made of beside plan and stores.
pub struct Surroundings {
    /// Proves callers.
    pub identify: Arc<dyn Identify>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives random bytes.
    pub randomness: Arc<dyn Randomness>,
    /// Seals cursors; kept with the data, so that a cursor outlives a restart.
    pub cursor_key: [u8; 32],
    /// Counts answers.
    pub metrics: Arc<Metrics>,
}

/// The engine of the present plan, and what outlives it.
pub struct Backend {
    live: ArcSwap<Live>,
    shared: Arc<Shared>,
    metrics: Arc<Metrics>,
    /// Proves callers.
    pub(crate) identify: Arc<dyn Identify>,
    /// Seals cursors.
    pub(crate) cursor_key: CursorKey,
    /// Idempotency keys whose calls are running.
    pub(crate) running: Running,
}

/// A plan being served.
pub(crate) struct Live {
    /// Plan and stores.
    pub(crate) engine: Engine,
    /// By index of the plan's operations.
    pub(crate) operations: Vec<OperationId>,
}

impl Backend {
    /// Serves a plan over one store for each of its services.
    pub fn new(plan: Arc<Plan>, stores: Vec<Arc<dyn Store>>, around: Surroundings) -> Self {
        let shared = Arc::new(Shared::new(around.clock, around.randomness));
        let live = Live::new(plan, stores, &shared, &around.metrics);
        Self {
            live: ArcSwap::from_pointee(live),
            shared,
            metrics: around.metrics,
            identify: around.identify,
            cursor_key: CursorKey::new(&around.cursor_key),
            running: Running::default(),
        }
    }

    /// Serves another plan from now on; calls that run keep the one they began with.
    pub fn swap(&self, plan: Arc<Plan>, stores: Vec<Arc<dyn Store>>) {
        self.live.store(Arc::new(Live::new(plan, stores, &self.shared, &self.metrics)));
    }

    /// What is served now.
    pub(crate) fn live(&self) -> Arc<Live> {
        self.live.load_full()
    }

    /// The time in microseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.shared.clock.now()
    }

    /// Asks every store whether it can serve.
    ///
    /// # Errors
    /// The first that cannot.
    pub async fn ready(&self) -> Result<(), Unavailable> {
        let live = self.live();
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
        self.live().engine.stores().iter().try_for_each(|store| store.writes())
    }
}

impl Live {
    fn new(
        plan: Arc<Plan>,
        stores: Vec<Arc<dyn Store>>,
        shared: &Arc<Shared>,
        metrics: &Metrics,
    ) -> Self {
        let operations = plan
            .operations
            .iter()
            .map(|operation| metrics.operation(&operation.id, operation.method, &operation.path))
            .collect();
        Self { engine: Engine::new(plan, stores, Arc::clone(shared)), operations }
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
