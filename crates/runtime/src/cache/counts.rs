//! What is counted of each resource whose answers are kept.

use crate::plan::Plan;
use crate::telemetry::metrics::{Counter, Gauge, Metrics};
use moka::notification::RemovalCause;
use std::sync::Arc;

/// Of one resource.
pub(super) struct Counts {
    pub(super) hits: Arc<Counter>,
    pub(super) misses: Arc<Counter>,
    pub(super) joined: Arc<Counter>,
    pub(super) bypasses: Arc<Counter>,
    pub(super) invalidations: Arc<Counter>,
    pub(super) refused: Arc<Counter>,
    evictions: Arc<Counter>,
    bytes: Arc<Gauge>,
}

impl Counts {
    /// Of every resource by its id; none of those whose answers matter to nobody.
    pub(super) fn all(plan: &Plan, metrics: &Metrics) -> Vec<Option<Self>> {
        let of = |(id, _)| {
            let watched: &crate::plan::caching::Watched =
                &plan.watched[ir::domain::ResourceId::index(id)];
            watched.matters().then(|| Self::of(&plan.domain.full_name(id), metrics))
        };
        plan.domain.stored().map(of).collect()
    }

    fn of(resource: &str, metrics: &Metrics) -> Self {
        let labels = format!("resource=\"{resource}\"");
        let counter = |name, help| metrics.counter(name, help, &labels);
        let bytes = "Bytes of answers that are kept to be reused.";
        let bytes = metrics.gauge("mainstay_cache_bytes", bytes, &labels);
        // What a former plan kept is gone.
        bytes.set(0);
        Self {
            hits: counter("mainstay_cache_hits_total", "Answers that were reused."),
            misses: counter(
                "mainstay_cache_misses_total",
                "Answers that were read because none was kept.",
            ),
            joined: counter(
                "mainstay_cache_joined_total",
                "Answers that were waited for while another call read them.",
            ),
            bypasses: counter(
                "mainstay_cache_bypasses_total",
                "Answers that were read without a look at what is kept.",
            ),
            invalidations: counter(
                "mainstay_cache_invalidations_total",
                "Changes that ended answers that were kept or being read.",
            ),
            refused: counter(
                "mainstay_cache_fills_refused_total",
                "Answers that were not kept because something changed while they were read.",
            ),
            evictions: counter(
                "mainstay_cache_evictions_total",
                "Answers that made room for others.",
            ),
            bytes,
        }
    }

    /// An answer is kept.
    pub(super) fn came(&self, bytes: u32) {
        self.bytes.add(bytes.into());
    }

    /// An answer is not kept any more.
    pub(super) fn left(&self, bytes: u32, why: RemovalCause) {
        self.bytes.add(-i64::from(bytes));
        if why == RemovalCause::Size {
            self.evictions.increment();
        }
    }
}
