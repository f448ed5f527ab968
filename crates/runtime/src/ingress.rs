//! Protocols on top of the engine.

pub mod broker;
pub mod rest;
