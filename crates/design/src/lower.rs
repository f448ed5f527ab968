//! From the valid model to what is run and written: domain, tables and operations.

#[cfg(test)]
pub(crate) mod fixture;

mod contract;
mod domain;
mod schema;

pub use contract::contract;
pub use domain::domain;
pub use schema::schema;
pub(crate) use schema::{index_holds, unmanaged};
