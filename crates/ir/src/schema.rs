//! The physical schema, before any dialect: tables, columns with storage types, keys, indexes.
//!
//! `design` lowers the domain to it, `formats::sql` writes DDL from it, `runtime` writes queries
//! from it. A table belongs to one context; on SQLite its name is `<context>_<table>`, on
//! PostgreSQL it is `<context>.<table>`; [`Table::sql_name`] is the SQLite one.
//!
//! Columns of a field: money `price` is `price` (units of 1/10,000) and `price_currency`; a
//! timespan `during` is `during_start` and `during_end`; a searched field `name` has a shadow
//! column `name_search` (NFKD, case folded). Implicit columns: the tenant (named as the claim,
//! first), `id`, `row_version`, `created_at`, `updated_at`; a child has `<owner>_id` and
//! `position` instead of version and times.

use crate::domain::{FieldId, ResourceId};
use serde::{Deserialize, Serialize};

/// All tables of all contexts.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Schema {
    /// In the order of the resources, those of the rows of views behind them.
    pub tables: Vec<Table>,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// The resource it holds.
    pub resource: ResourceId,
    /// Context.
    pub context: String,
    /// Name in snake_case plural (`order_lines`).
    pub name: String,
    /// Tenant column, where rows of tenants share the table.
    pub tenant: Option<String>,
    /// For a child: the column that names its owner's row.
    pub owner: Option<String>,
    /// All columns in order, implicit ones among them.
    pub columns: Vec<Column>,
    /// Primary key columns.
    pub primary_key: Vec<String>,
    /// Foreign keys, all inside the context.
    pub foreign_keys: Vec<ForeignKey>,
    /// Indexes beside the primary key.
    pub indexes: Vec<Index>,
    /// Spans that never overlap.
    pub overlaps: Vec<Overlap>,
    /// Where the rows were before a rename: former context and name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<(String, String)>,
    /// Somebody else makes and changes the table, no DDL is ever issued for it: its schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unmanaged: Option<String>,
}

/// The schema of a table that somebody else makes and that names none.
pub const PUBLIC: &str = "public";

/// A column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Column {
    /// Name.
    pub name: String,
    /// Storage type.
    pub storage: Storage,
    /// May be null.
    pub nullable: bool,
    /// The field it stores, if any, and which part.
    pub field: Option<(FieldId, Part)>,
    /// Typed constraint.
    pub check: Option<Check>,
    /// Former name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// What rows get that were there before the column: the constant default of the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fill: Option<Literal>,
    /// Who gives rows their value.
    #[serde(skip)]
    pub giver: Giver,
}

/// Who gives a column its value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Giver {
    /// Whoever writes the row.
    #[default]
    Writer,
    /// Each write of the row, from other fields.
    Computed,
    /// The write that sets a reference, from the row that is referred to.
    Copied,
}

/// Which part of a field a column stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The whole.
    Whole,
    /// Money: the units.
    Units,
    /// Money: the currency.
    Currency,
    /// Timespan: its start.
    Start,
    /// Timespan: its end.
    End,
    /// The folded copy that `q` looks in.
    Search,
}

/// What a column stores. In brackets: SQLite, PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Storage {
    /// (`BLOB` of 16 bytes, `uuid`)
    Uuid,
    /// (`INTEGER` 0/1, `boolean`)
    Bool,
    /// (`INTEGER`, `bigint`)
    Int,
    /// Decimal in units of 10^-scale (`INTEGER`, `bigint`).
    Decimal {
        /// Digits after the point.
        scale: u8,
    },
    /// Money in units of 1/10,000 (`INTEGER`, `bigint`).
    Units,
    /// Three letters (`TEXT`, `char(3)`).
    Currency,
    /// (`TEXT`, `text collate "C"`)
    Text,
    /// Days since 1970 (`INTEGER`, `date`).
    Date,
    /// Microseconds of the day (`INTEGER`, `time`).
    Time,
    /// Microseconds since 1970 (`INTEGER`, `timestamptz`).
    Timestamp,
    /// Microseconds (`INTEGER`, `bigint`).
    Duration,
    /// JSON text (`TEXT`, `json`: every byte is kept); lists too.
    Json,
}

/// A typed constraint of a column; expressions never reach the DDL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Between these, inclusive, in storage units.
    Range {
        /// Least.
        min: Option<i64>,
        /// Greatest.
        max: Option<i64>,
    },
    /// Text of so many characters.
    Length {
        /// Least.
        min: Option<i64>,
        /// Greatest.
        max: Option<i64>,
    },
    /// One of these.
    OneOf(Vec<String>),
}

/// A foreign key inside a context.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ForeignKey {
    /// Columns here (tenant first where there is one).
    pub columns: Vec<String>,
    /// The table referred to, as an index of [`Schema::tables`].
    pub table: usize,
    /// Columns there.
    pub to: Vec<String>,
    /// What a deletion does.
    pub on_delete: crate::model::OnDelete,
    /// The field, or none for a child's link to its owner.
    pub field: Option<FieldId>,
}

/// An index.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Index {
    /// Name, unique in the database (`ix_ordering_orders_org_status`).
    pub name: String,
    /// Columns in order; `true` for descending.
    pub columns: Vec<(String, bool)>,
    /// Unique: index in [`crate::domain::Resource::uniques`].
    pub unique: Option<usize>,
    /// Partial: only rows for which this column is not null or has that value.
    pub only: Vec<IndexCondition>,
    /// The queries that need it, as the document prints them.
    pub needed_by: Vec<String>,
}

/// A condition of a partial index, from a `unique … when`: simple comparisons only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndexCondition {
    /// `column is not null`
    NotNull(String),
    /// `column is null`
    Null(String),
    /// `column = value` (text or number as SQL literal content)
    Equal(String, Literal),
    /// `column <> value`
    NotEqual(String, Literal),
}

impl IndexCondition {
    /// The column that it is about.
    pub fn column_mut(&mut self) -> &mut String {
        match self {
            Self::NotNull(column) | Self::Null(column) => column,
            Self::Equal(column, _) | Self::NotEqual(column, _) => column,
        }
    }
}

/// A literal in DDL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Literal {
    /// Text.
    Text(String),
    /// Whole number in storage units; booleans as 0 and 1.
    Int(i64),
}

/// Spans that never overlap among rows with equal columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlap {
    /// Columns that must be equal, tenant first.
    pub equal: Vec<String>,
    /// Start column.
    pub start: String,
    /// End column.
    pub end: String,
}

impl Table {
    /// The name on SQLite, unquoted: `ordering_orders`. SQLite has no schemas: a table that
    /// somebody else made is called as it is called, with its schema before it where it has one.
    pub fn sql_name(&self) -> String {
        match self.sql_schema() {
            PUBLIC if !self.is_managed() => self.name.clone(),
            schema => format!("{schema}_{}", self.name),
        }
    }

    /// The schema on PostgreSQL, unquoted.
    pub fn sql_schema(&self) -> &str {
        self.unmanaged.as_deref().unwrap_or(&self.context)
    }

    /// False where somebody else makes and changes the table.
    pub fn is_managed(&self) -> bool {
        self.unmanaged.is_none()
    }

    /// The column of that part of a field.
    pub fn column(&self, field: FieldId, part: Part) -> Option<&Column> {
        self.columns.iter().find(|column| column.field == Some((field, part)))
    }
}

impl Schema {
    /// The table of a resource.
    pub fn table(&self, resource: ResourceId) -> &Table {
        &self.tables[resource.index()]
    }
}
