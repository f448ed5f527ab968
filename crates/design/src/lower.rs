//! From the valid model to what is run and written: tables and operations.

#[cfg(test)]
pub(crate) mod fixture;

mod contract;
mod schema;

pub use contract::contract;
pub use schema::schema;
