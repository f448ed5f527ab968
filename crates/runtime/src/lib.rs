//! The running backend: the one place of time, randomness and IO.

pub mod ports;
pub mod record;
