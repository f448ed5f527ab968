//! HTTP for the backend: listeners, connections, limits and what is done to every request.
//!
//! Read downwards: [`server`] accepts, `connection` speaks HTTP/1.1 or HTTP/2 within the limits
//! of [`config::Limits`], `edge` does to each request what is the same for all of them and calls
//! the [`service::Service`], which is the backend itself and sees plain values only.

mod bodies;
mod body;
pub(crate) mod client;
pub mod compression;
pub mod config;
mod connection;
pub mod cors;
pub(crate) mod door;
mod edge;
pub mod forwarded;
mod framing;
mod gate;
pub mod health;
pub mod negotiation;
mod paced;
pub mod request;
pub mod response;
pub mod server;
pub mod service;
mod signals;
mod stream;
mod streams;
pub mod tls;

pub use config::ServerConfig;
pub use door::Door;
pub use edge::Surroundings;
pub use request::Request;
pub use response::{Body, Response};
pub use server::{Bound, NotServed, Server, Stopper, bind, serve};
pub use service::Service;

#[cfg(test)]
mod tests;
