//! What the engine needs of the outside: small `dyn` traits, each with one conformance suite that
//! runs on every adapter.

pub mod audit;
pub mod broker;
pub mod changes;
pub mod clock;
pub mod events;
pub mod keys;
pub mod migrations;
pub mod operations;
pub mod store;
pub mod transfer;
pub mod webhooks;

#[cfg(test)]
pub(crate) mod conformance;
