//! Pure machines: no clock, no randomness, no IO. What runs in production is what is explored and
//! simulated.

pub mod consumer;
#[cfg(test)]
mod explore;
pub mod expr;
pub mod projection;
pub mod retry;
pub mod schedule;
pub mod window;
