//! What the engine needs of the outside: small `dyn` traits, each with one conformance suite that
//! runs on every adapter.

pub mod audit;
pub mod clock;
pub mod events;
pub mod keys;
pub mod migrations;
pub mod store;
pub mod transfer;

#[cfg(test)]
pub(crate) mod conformance;
