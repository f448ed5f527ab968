//! What stands behind the ports: stores and their SQL.

pub mod sql;
pub mod sqlite;
