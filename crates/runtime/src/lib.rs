//! The running backend: the one place of time, randomness and IO.

pub mod http;
pub mod identity;
pub mod ports;
pub mod problem;
pub mod record;
pub mod telemetry;
