//! What stands behind the ports: stores and their SQL.

pub mod archive;
pub mod broker;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod sql;
pub mod sqlite;

#[cfg(test)]
mod agreement;
#[cfg(all(test, feature = "postgres"))]
mod transfers;
