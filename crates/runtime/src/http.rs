//! HTTP for the backend: listeners, connections, limits and what is done to every request.
//!
//! Read downwards: [`server`] accepts, [`connection`] speaks HTTP/1.1 or HTTP/2 within the limits
//! of [`config::Limits`], [`edge`] does to each request what is the same for all of them and calls
//! the [`service::Service`], which is the backend itself and sees plain values only.

pub mod request;
pub mod response;
pub mod service;

pub use request::Request;
pub use response::{Body, Response};
pub use service::Service;
