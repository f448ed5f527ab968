//! Metrics for Prometheus: counted with atomics, written as text when asked.
//!
//! Names follow the OpenTelemetry HTTP conventions in Prometheus spelling. Labels are bounded:
//! operations and routes of the contract, statuses, names given in code; never a tenant, a path
//! or anything of a caller.

mod series;

use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use series::{BOUNDS_US, STATUSES, Series};
pub use series::{Counter, Gauge, Histogram};

/// Operations that are told apart at most; further ones are counted as [`OperationId::OTHER`].
pub const OPERATIONS_MAX: usize = 4096;

/// An operation as metrics and the log know it: index in the registry of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(pub(crate) u16);

impl OperationId {
    /// What belongs to no operation of the contract: 404, broken requests.
    pub const OTHER: Self = Self(0);
}

/// All metrics of the process.
pub struct Metrics {
    /// Boxed: a place for each that there could be is not to hold the counts of each.
    operations: Box<[OnceLock<Box<Series>>]>,
    registered: Mutex<usize>,
    in_flight: AtomicI64,
    connections: AtomicI64,
    accepted: AtomicU64,
    named: Mutex<Vec<Named>>,
    /// Hash of the model that is served; empty where nobody said.
    model: Mutex<String>,
}

struct Named {
    name: &'static str,
    help: &'static str,
    labels: String,
    instrument: Instrument,
}

enum Instrument {
    Counter(Arc<Counter>),
    Gauge(Arc<Gauge>),
    Histogram(Arc<Histogram>),
}

impl Default for Metrics {
    fn default() -> Self {
        let operations: Box<[OnceLock<Box<Series>>]> =
            (0..OPERATIONS_MAX).map(|_| OnceLock::new()).collect();
        operations[0].get_or_init(|| Box::new(Series::new("other", "", "")));
        Self {
            operations,
            registered: Mutex::new(1),
            in_flight: AtomicI64::new(0),
            connections: AtomicI64::new(0),
            accepted: AtomicU64::new(0),
            named: Mutex::new(Vec::new()),
            model: Mutex::default(),
        }
    }
}

impl Metrics {
    /// The id of an operation: `listProducts`, `GET`, `/v1/products`. The same name gives the
    /// same id, so a new plan goes on with the old counts. Meant for the making of a plan.
    pub fn operation(&self, name: &str, method: &str, route: &str) -> OperationId {
        let mut registered = self.registered.lock().unwrap_or_else(PoisonError::into_inner);
        let known = (0..*registered).find(|at| {
            let series = self.operations[*at].get();
            series.is_some_and(|series| series.is(name, method, route))
        });
        let at = match known {
            Some(at) => at,
            None if *registered < OPERATIONS_MAX => {
                *registered += 1;
                let series = || Box::new(Series::new(name, method, route));
                self.operations[*registered - 1].get_or_init(series);
                *registered - 1
            }
            None => 0,
        };
        OperationId(u16::try_from(at).expect("fewer than 65,536 operations"))
    }

    /// Name and route of an operation, for the log.
    pub fn name(&self, operation: OperationId) -> (&str, &str) {
        let series = self.series(operation);
        (&series.name, &series.route)
    }

    /// Says which model is served from now on, by its hash.
    pub fn serves(&self, model: &str) {
        model.clone_into(&mut self.model.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Counts an answer.
    pub fn answered(&self, operation: OperationId, status: u16, took: Duration) {
        self.series(operation).answered(status, took);
    }

    /// A counter with a name in snake case that ends in `_total`, and labels like
    /// `result="ok"`; the same name and labels give the same counter.
    pub fn counter(&self, name: &'static str, help: &'static str, labels: &str) -> Arc<Counter> {
        let make = || Instrument::Counter(Arc::default());
        self.named(name, help, labels, make, |instrument| match instrument {
            Instrument::Counter(counter) => Some(counter.clone()),
            Instrument::Gauge(_) | Instrument::Histogram(_) => None,
        })
    }

    /// A gauge.
    pub fn gauge(&self, name: &'static str, help: &'static str, labels: &str) -> Arc<Gauge> {
        let make = || Instrument::Gauge(Arc::default());
        self.named(name, help, labels, make, |instrument| match instrument {
            Instrument::Gauge(gauge) => Some(gauge.clone()),
            Instrument::Counter(_) | Instrument::Histogram(_) => None,
        })
    }

    /// A histogram of durations with a name that ends in `_seconds`.
    pub fn histogram(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &str,
    ) -> Arc<Histogram> {
        let make = || Instrument::Histogram(Arc::default());
        self.named(name, help, labels, make, |instrument| match instrument {
            Instrument::Histogram(histogram) => Some(histogram.clone()),
            Instrument::Counter(_) | Instrument::Gauge(_) => None,
        })
    }

    fn named<T>(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &str,
        make: impl Fn() -> Instrument,
        take: impl Fn(&Instrument) -> Option<Arc<T>>,
    ) -> Arc<T> {
        let mut all = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |named: &&Named| named.name == name && named.labels == labels;
        if let Some(known) = all.iter().find(same).and_then(|named| take(&named.instrument)) {
            return known;
        }
        let instrument = make();
        let taken = take(&instrument).expect("what is made is what is taken");
        all.push(Named { name, help, labels: labels.to_owned(), instrument });
        all.sort_by(|one, other| (one.name, &one.labels).cmp(&(other.name, &other.labels)));
        taken
    }

    /// Notes that a request is being worked on until the guard is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Relaxed);
        InFlight(self.clone())
    }

    /// Requests being worked on.
    pub fn in_flight(&self) -> usize {
        usize::try_from(self.in_flight.load(Relaxed)).unwrap_or(0)
    }

    /// Notes an open connection until the guard is dropped; the number open, with it.
    pub(crate) fn connect(self: &Arc<Self>) -> (Connected, usize) {
        self.accepted.fetch_add(1, Relaxed);
        let open = self.connections.fetch_add(1, Relaxed) + 1;
        (Connected(self.clone()), usize::try_from(open).unwrap_or(0))
    }

    /// Open connections.
    pub fn connections(&self) -> usize {
        usize::try_from(self.connections.load(Relaxed)).unwrap_or(0)
    }

    fn series(&self, operation: OperationId) -> &Series {
        let known = self.operations.get(usize::from(operation.0)).and_then(OnceLock::get);
        known.or_else(|| self.operations[0].get()).expect("the first series always stands")
    }

    /// The text of `/metrics` (exposition format 0.0.4).
    pub fn text(&self) -> String {
        let mut out = String::with_capacity(16 << 10);
        let all: Vec<&Series> =
            self.operations.iter().map_while(OnceLock::get).map(|series| &**series).collect();
        write_requests(&mut out, &all);
        write_durations(&mut out, &all);
        let numbers = [
            ("http_server_active_requests", "gauge", "Requests being worked on.", self.in_flight()),
            ("http_server_open_connections", "gauge", "Open connections.", self.connections()),
            (
                "http_server_connections_total",
                "counter",
                "Connections accepted.",
                usize::try_from(self.accepted.load(Relaxed)).unwrap_or(usize::MAX),
            ),
        ];
        for (name, kind, help, value) in numbers {
            header(&mut out, name, kind, help);
            let _ = writeln!(out, "{name} {value}");
        }
        let model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        if !model.is_empty() {
            let name = "mainstay_model_info";
            header(&mut out, name, "gauge", "The model that is served, by its hash.");
            let _ = writeln!(out, "{name}{{hash=\"{model}\"}} 1");
        }
        self.write_named(&mut out);
        out
    }

    fn write_named(&self, out: &mut String) {
        let all = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let mut last = "";
        for Named { name, help, labels, instrument } in all.iter() {
            let kind = match instrument {
                Instrument::Counter(_) => "counter",
                Instrument::Gauge(_) => "gauge",
                Instrument::Histogram(_) => "histogram",
            };
            if *name != last {
                header(out, name, kind, help);
                last = name;
            }
            let braced = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
            let _ = match instrument {
                Instrument::Counter(counter) => writeln!(out, "{name}{braced} {}", counter.get()),
                Instrument::Gauge(gauge) => writeln!(out, "{name}{braced} {}", gauge.get()),
                Instrument::Histogram(histogram) => {
                    write_histogram(out, name, labels, histogram);
                    Ok(())
                }
            };
        }
    }
}

fn header(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn write_requests(out: &mut String, all: &[&Series]) {
    let name = "http_server_requests_total";
    header(out, name, "counter", "Requests answered, by operation and status.");
    for series in all {
        for (at, status) in STATUSES.iter().enumerate() {
            let count = series.statuses[at].load(Relaxed);
            if count > 0 {
                let labels = &series.labels;
                let code = if *status == 0 { "other".to_owned() } else { status.to_string() };
                let _ = writeln!(
                    out,
                    "{name}{{{labels},http_response_status_code=\"{code}\"}} {count}"
                );
            }
        }
    }
}

fn write_durations(out: &mut String, all: &[&Series]) {
    let name = "http_server_request_duration_seconds";
    header(out, name, "histogram", "From the request's head to the answer's.");
    for series in all.iter().filter(|series| series.duration.count() > 0) {
        write_histogram(out, name, &series.labels, &series.duration);
    }
}

fn write_histogram(out: &mut String, name: &str, labels: &str, histogram: &Histogram) {
    let comma = if labels.is_empty() { "" } else { "," };
    let (counts, sum) = histogram.read();
    let mut total = 0;
    for (count, bound) in counts.iter().zip(BOUNDS_US) {
        total += count;
        let bound = bound as f64 / 1e6;
        let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {total}");
    }
    total += counts[BOUNDS_US.len()];
    let braced = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {total}");
    let _ = writeln!(out, "{name}_sum{braced} {}", sum as f64 / 1e6);
    let _ = writeln!(out, "{name}_count{braced} {total}");
}

/// A request being worked on.
pub(crate) struct InFlight(Arc<Metrics>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

/// An open connection.
pub(crate) struct Connected(Arc<Metrics>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests;
