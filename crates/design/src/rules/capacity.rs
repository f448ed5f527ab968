//! How much of everything.

mod autoscaling;
mod bottlenecks;
mod horizons;
mod latency;
mod pools;
mod replicas;

rules!["capacity": replicas, pools, latency, bottlenecks, autoscaling, horizons];
