//! How it is run: objectives, signals, releases, machines, order of building.

mod alerts;
mod compute;
mod cost;
mod deployment;
mod logging;
mod metrics;
mod roadmap;
mod schema_change;
mod slo;
mod tracing;

rules![
    "operations": slo, alerts, logging, tracing, metrics, compute, deployment,
    schema_change, roadmap, cost
];
