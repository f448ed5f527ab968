//! The instruments: counters, gauges and histograms of atomics.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds of the buckets in microseconds: 0.1 ms to 10 s.
pub(super) const BOUNDS_US: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// Statuses that are told apart; 0 for the rest.
pub(super) const STATUSES: [u16; 36] = [
    200, 201, 202, 204, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 408, 409, 410,
    412, 413, 414, 415, 421, 422, 426, 428, 429, 431, 499, 500, 501, 502, 503, 504, 0,
];

/// What is counted of one operation.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) route: String,
    method: String,
    pub(super) labels: String,
    pub(super) statuses: [AtomicU64; STATUSES.len()],
    pub(super) duration: Histogram,
}

impl Series {
    pub(super) fn new(name: &str, method: &str, route: &str) -> Self {
        let labels = format!(
            "operation=\"{}\",http_request_method=\"{}\",http_route=\"{}\"",
            escape(name),
            escape(method),
            escape(route)
        );
        Self {
            name: name.to_owned(),
            route: route.to_owned(),
            method: method.to_owned(),
            labels,
            statuses: [const { AtomicU64::new(0) }; STATUSES.len()],
            duration: Histogram::default(),
        }
    }

    pub(super) fn is(&self, name: &str, method: &str, route: &str) -> bool {
        self.name == name && self.method == method && self.route == route
    }

    pub(super) fn answered(&self, status: u16, took: Duration) {
        let known = STATUSES.binary_search_by_key(&rank(status), |known| rank(*known));
        self.statuses[known.unwrap_or(STATUSES.len() - 1)].fetch_add(1, Relaxed);
        self.duration.observe(took);
    }
}

/// The 0 of [`STATUSES`] stands last.
fn rank(status: u16) -> u16 {
    if status == 0 { u16::MAX } else { status }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts one more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Counts so many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    /// The count.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Sets it.
    pub fn set(&self, value: i64) {
        self.0.store(value, Relaxed);
    }

    /// Changes it.
    pub fn add(&self, change: i64) {
        self.0.fetch_add(change, Relaxed);
    }

    /// The value.
    pub fn get(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

/// Durations in buckets from 0.1 ms to 10 s.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Histogram {
    /// Counts a duration.
    pub fn observe(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.partition_point(|bound| *bound < us);
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.sum_us.fetch_add(us, Relaxed);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Relaxed)).sum()
    }

    pub(super) fn read(&self) -> ([u64; BOUNDS_US.len() + 1], u64) {
        let mut counts = [0; BOUNDS_US.len() + 1];
        for (count, bucket) in counts.iter_mut().zip(&self.buckets) {
            *count = bucket.load(Relaxed);
        }
        (counts, self.sum_us.load(Relaxed))
    }
}
