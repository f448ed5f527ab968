//! The running backend: the one place of time, randomness and IO.

pub mod adapters;
pub(crate) mod cache;
pub mod cloudevents;
pub mod consume;
pub mod engine;
#[cfg(test)]
pub(crate) mod fixture;
pub mod http;
pub mod identity;
pub mod ingress;
pub mod integrations;
mod json;
pub(crate) mod operate;
pub mod plan;
pub mod ports;
pub mod private;
pub mod problem;
pub mod record;
pub mod request;
pub mod search;
pub mod telemetry;
pub mod transfer;
pub mod upcast;
pub mod webhooks;
mod worker;
