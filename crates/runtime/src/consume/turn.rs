//! What is served, for as long as it is the plan that a task began with.

use super::Lease;
use super::outside::Outside;
use super::share::Shares;
use crate::engine::backend::{Backend, Live};
use crate::ports::events::Part;
use crate::telemetry::metrics::Gauge;
use std::sync::Arc;
use tokio::sync::{broadcast, watch};

/// A task's view of the backend.
#[derive(Clone)]
pub(crate) struct Turn {
    backend: Arc<Backend>,
    number: u64,
    /// The name of this process.
    pub(crate) owner: Arc<str>,
    /// How long its claims hold.
    pub(crate) lease: Lease,
    stopped: watch::Receiver<bool>,
    /// The broker that events go to, and come from; none where the log is all there is.
    pub(super) outside: Option<Arc<Outside>>,
    /// What this process works on, where others do too.
    pub(super) shares: Arc<Shares>,
}

impl Turn {
    pub(super) fn new(
        backend: &Arc<Backend>,
        number: u64,
        (owner, lease): (&Arc<str>, Lease),
        stopped: watch::Receiver<bool>,
        outside: Option<Arc<Outside>>,
    ) -> Self {
        let (backend, owner) = (Arc::clone(backend), Arc::clone(owner));
        let shares = Arc::default();
        Self { backend, number, owner, lease, stopped, outside, shares }
    }

    /// The same, for a task that is told by another to end.
    pub(crate) fn stopped_by(&self, stopped: watch::Receiver<bool>) -> Self {
        Self { stopped, ..self.clone() }
    }

    /// What is served and what outlives it.
    pub(crate) fn backend(&self) -> &Backend {
        &self.backend
    }

    /// What is served, waiting through a pause; none where the task is to end. To be dropped before
    /// anything is waited for that may take long.
    pub(crate) async fn live(&self) -> Option<Arc<Live>> {
        let mut stopped = self.stopped.clone();
        if *stopped.borrow_and_update() {
            return None;
        }
        tokio::select! {
            live = self.backend.live() => (live.number == self.number).then_some(live),
            _ = stopped.changed() => None,
        }
    }

    /// What is served, for the next step of what was begun: also where the task is to end.
    pub(crate) async fn at_hand(&self) -> Option<Arc<Live>> {
        let live = self.backend.live().await;
        (live.number == self.number).then_some(live)
    }

    /// 64 even bits.
    pub(crate) fn random(&self) -> u64 {
        self.backend.random()
    }

    /// A gauge of a part of a consumer's work.
    pub(crate) fn gauge(&self, name: &'static str, help: &'static str, part: &Part) -> Arc<Gauge> {
        let (consumer, source) = (&part.consumer, &part.source);
        let labels = format!("consumer=\"{consumer}\",source=\"{source}\"");
        self.backend.metrics().gauge(name, help, &labels)
    }

    /// Tells of dead letters that somebody did something about.
    pub(crate) fn remedied(&self) -> broadcast::Receiver<(Arc<str>, u128)> {
        self.backend.remedied()
    }

    /// Waits until the task is to end.
    pub(crate) async fn ended(&self) {
        let mut stopped = self.stopped.clone();
        let stop = async {
            // Who could stop it is gone: so it is to end.
            let _gone = stopped.wait_for(|stopped| *stopped).await;
        };
        tokio::select! {
            () = stop => {}
            () = self.backend.other_than(self.number) => {}
        }
    }

    /// Microseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.backend.now()
    }
}
