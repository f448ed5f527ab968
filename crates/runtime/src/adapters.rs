//! What stands behind the ports: stores and their SQL.

#[cfg(feature = "postgres")]
pub mod postgres;
pub mod sql;
pub mod sqlite;

#[cfg(test)]
mod agreement;
