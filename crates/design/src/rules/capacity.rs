//! How much of everything.

mod autoscaling;
mod bottlenecks;
mod horizons;
mod latency;
mod pools;
mod replicas;

pub(super) use horizons::outgrown;
pub(super) use replicas::busiest;

rules!["capacity": replicas, pools, latency, bottlenecks, autoscaling, horizons];
