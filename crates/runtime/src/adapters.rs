//! What stands behind the ports: stores and their SQL.

pub mod archive;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod sql;
pub mod sqlite;

#[cfg(test)]
mod agreement;
#[cfg(all(test, feature = "postgres"))]
mod transfers;
