//! What the engine needs of the outside: small `dyn` traits, each with one conformance suite that
//! runs on every adapter.

pub mod audit;
pub mod clock;
pub mod events;
pub mod keys;
pub mod migrations;
pub mod store;
pub mod transfer;
pub mod webhooks;

#[cfg(test)]
pub(crate) mod conformance;
