//! The running backend: the one place of time, randomness and IO.

#[cfg(test)]
#[allow(dead_code)]
pub(crate) mod fixture;
pub mod http;
pub mod identity;
pub mod ports;
pub mod problem;
pub mod record;
pub mod telemetry;
