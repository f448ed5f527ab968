//! How many requests came by a broker, what became of them, and how long they took.

use crate::telemetry::metrics::{Counter, Gauge, Histogram, Metrics};
use http::StatusCode;
use std::sync::Arc;
use std::time::Duration;

/// Classes of statuses that an answer has.
const CLASSES: [(&str, u16); 4] = [("2xx", 200), ("3xx", 300), ("4xx", 400), ("5xx", 500)];

/// Counts of one kind of broker.
pub(super) struct Counts {
    answered: [Arc<Counter>; CLASSES.len()],
    took: Arc<Histogram>,
    under_way: Arc<Gauge>,
}

impl Counts {
    pub(super) fn of(metrics: &Metrics, broker: &str) -> Self {
        let of = format!("broker=\"{broker}\"");
        let answered = CLASSES.map(|(class, _)| {
            let help = "Requests by a broker that were answered, by class of status.";
            let labels = format!("{of},status=\"{class}\"");
            metrics.counter("mainstay_broker_requests_total", help, &labels)
        });
        let help = "From when a request by a broker was taken until its answer was sent.";
        let took = metrics.histogram("mainstay_broker_request_duration_seconds", help, &of);
        let help = "Requests by a broker that were taken and not answered.";
        let under_way = metrics.gauge("mainstay_broker_requests_under_way", help, &of);
        Self { answered, took, under_way }
    }

    /// Notes that a request is under way, until the guard is dropped.
    pub(super) fn begin(&self) -> UnderWay {
        self.under_way.add(1);
        UnderWay(Arc::clone(&self.under_way))
    }

    pub(super) fn answered(&self, status: StatusCode, took: Duration) {
        let class = status.as_u16() / 100 * 100;
        let class = CLASSES.iter().position(|(_, least)| *least == class);
        if let Some(class) = class {
            self.answered[class].add(1);
        }
        self.took.observe(took);
    }
}

/// A request that is under way.
pub(super) struct UnderWay(Arc<Gauge>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.add(-1);
    }
}
