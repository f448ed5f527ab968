//! Pure machines: no clock, no randomness, no IO. What runs in production is what is explored and
//! simulated.

pub mod consumer;
pub mod expr;
pub mod retry;
