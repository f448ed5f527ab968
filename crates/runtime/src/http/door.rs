//! The way to the service for what is no connection.

use super::connection::{Phase, reached};
use super::edge::Edge;
pub(crate) use super::edge::{Answered, Relayed};
use crate::telemetry::metrics::Metrics;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// What came by a broker is answered through it as what came over HTTP is: by the same service,
/// under the same limits, for as long as the server serves.
#[derive(Clone)]
pub struct Door {
    edge: Arc<Edge>,
    phase: watch::Receiver<Phase>,
}

impl Door {
    pub(super) fn new(edge: &Arc<Edge>, phase: watch::Receiver<Phase>) -> Self {
        Self { edge: Arc::clone(edge), phase }
    }

    /// Answers a request; a body of the answer is at most so long.
    pub(crate) async fn answer(&self, relayed: Relayed, answer_bytes_max: usize) -> Answered {
        self.edge.relay(relayed, answer_bytes_max).await
    }

    /// Counts.
    pub(crate) fn metrics(&self) -> &Metrics {
        self.edge.metrics()
    }

    /// How long requests that are under way have when the server ends.
    pub(crate) fn grace(&self) -> Duration {
        self.edge.grace()
    }

    /// Waits until the server begins to end.
    pub(crate) async fn leaving(&self) {
        reached(&mut self.phase.clone(), Phase::Leaving).await;
    }

    /// Waits until the server is to end at once.
    pub(crate) async fn stopped(&self) {
        reached(&mut self.phase.clone(), Phase::Stopped).await;
    }
}
