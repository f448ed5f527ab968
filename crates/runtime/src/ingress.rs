//! Protocols on top of the engine.

pub mod rest;
