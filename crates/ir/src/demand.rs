//! What a store must find of a table that somebody else makes, with the SQL that would bring it
//! there: `formats` writes it, `runtime` compares it with what is there, and nobody but the one
//! whose table it is runs it.

use crate::schema::{Check, Storage};

/// A table that somebody else makes.
#[derive(Debug, Clone, PartialEq)]
pub struct Demand {
    /// Its schema, on PostgreSQL.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Quoted, as statements call it.
    pub quoted: String,
    /// Makes it, where it is missing.
    pub make: Vec<String>,
    /// What is written and read; the table may have more.
    pub columns: Vec<WantedColumn>,
    /// What no two rows may share.
    pub keys: Vec<WantedKey>,
    /// Holds tenants apart beneath every query, where they share the table: PostgreSQL alone.
    pub policy: Vec<String>,
}

/// A column of it.
#[derive(Debug, Clone, PartialEq)]
pub struct WantedColumn {
    /// Name.
    pub name: String,
    /// What it stores.
    pub storage: Storage,
    /// The type that it would be made with.
    pub kind: String,
    /// May be null.
    pub nullable: bool,
    /// Which values come.
    pub check: Option<Check>,
    /// Rows are sorted by it, byte by byte.
    pub sorted: bool,
    /// Adds it.
    pub add: Vec<String>,
    /// Gives it its type; none where the dialect can't.
    pub retype: Option<String>,
    /// Takes or forbids null; none where the dialect can't.
    pub renull: Option<String>,
}

/// A unique key of it.
#[derive(Debug, Clone, PartialEq)]
pub struct WantedKey {
    /// Its columns, in any order.
    pub columns: Vec<String>,
    /// A key over this column alone will do as well: then it is unique anyway.
    pub or_alone: Option<String>,
    /// Makes an index that keeps it.
    pub add: String,
}

impl Demand {
    /// For people: `legacy.orders`.
    pub fn shown(&self) -> String {
        match self.schema.is_empty() {
            true => self.name.clone(),
            false => format!("{}.{}", self.schema, self.name),
        }
    }
}
