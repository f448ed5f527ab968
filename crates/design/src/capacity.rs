//! The arithmetic of capacity: queues, caches, availability, and numbers that record their formula.
//!
//! Closed forms are exact for their assumptions; what approximates says so in its documentation.

pub mod availability;
pub mod cache;
pub mod phases;
pub mod queue;
pub mod term;

pub use phases::Response;
pub use queue::Station;
pub use term::Term;
