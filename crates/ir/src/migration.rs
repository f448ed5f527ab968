//! How a database gets from the tables it holds to those of a model.
//!
//! `runtime` reads the [`Snapshot`] that a database remembers, `design` plans the [`Step`]s from
//! it, `formats` writes each as a [`ScriptStep`] of a dialect, and `runtime` carries those out
//! without a look at what they mean. After each step the database remembers the tables as they are
//! then: whoever plans again gets what is left.

use crate::model::OnDelete;
use crate::schema::{
    Check, Column, ForeignKey, Index, IndexCondition, Literal, Overlap, Part, Schema, Storage,
    Table,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The tables that a database holds, by [`Table::sql_name`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Snapshot {
    /// The tables.
    pub tables: BTreeMap<String, Held>,
}

/// A table as it is in a database, without what only a program knows: ids, reasons.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// Context.
    #[serde(default)]
    pub context: String,
    /// Name inside the context.
    #[serde(default)]
    pub name: String,
    /// Tenant column, where rows of tenants share the table.
    #[serde(default)]
    pub tenant: Option<String>,
    /// For a child: the column that names its owner's row.
    #[serde(default)]
    pub owner: Option<String>,
    /// Columns in the order in which the table has them.
    pub columns: Vec<HeldColumn>,
    /// Primary key columns.
    pub primary_key: Vec<String>,
    /// Foreign keys.
    pub foreign_keys: Vec<HeldKey>,
    /// Indexes beside the primary key.
    pub indexes: Vec<HeldIndex>,
    /// Spans that never overlap.
    #[serde(default)]
    pub overlaps: Vec<Overlap>,
}

/// A column of a [`Held`] table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldColumn {
    /// Name.
    pub name: String,
    /// Storage type.
    pub storage: Storage,
    /// May be null.
    pub nullable: bool,
    /// Typed constraint.
    pub check: Option<Check>,
    /// Which part of a field it stores; a unit is followed by its currency, a start by its end.
    #[serde(default)]
    pub part: Option<Part>,
    /// What a process that does not know the column yet writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Literal>,
}

/// A foreign key of a [`Held`] table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldKey {
    /// Columns here.
    pub columns: Vec<String>,
    /// The table referred to, by [`Table::sql_name`].
    pub table: String,
    /// Columns there.
    pub to: Vec<String>,
    /// What a deletion does.
    pub on_delete: OnDelete,
}

/// An index of a [`Held`] table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldIndex {
    /// Name.
    pub name: String,
    /// Columns in order; `true` for descending.
    pub columns: Vec<(String, bool)>,
    /// No two rows are equal in the columns.
    pub unique: bool,
    /// Only rows of these conditions.
    pub only: Vec<IndexCondition>,
}

/// The way from a snapshot to a model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Migration {
    /// In the order in which they are carried out.
    pub steps: Vec<Step>,
    /// What no step can do, with what to do instead. Nothing is carried out where there is one.
    pub refused: Vec<Refusal>,
    /// Every table that a step speaks of: its context and name, by [`Table::sql_name`].
    pub names: BTreeMap<String, (String, String)>,
}

/// A difference that can't be bridged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `ordering.orders.price`
    pub place: String,
    /// What differs.
    pub why: String,
    /// What to do.
    pub instead: String,
}

/// When a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Before the new processes start; the old ones go on.
    Expand,
    /// After the old processes have ended and before the new ones start.
    Switch,
    /// After the old processes have ended; the new ones go on.
    Contract,
}

/// What a step does to data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Nothing is lost or made up.
    Safe,
    /// Rows that are there get a value they did not have.
    Backfill,
    /// Data is lost: only with the user's word.
    Destroys,
}

/// One step on one table.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// When.
    pub phase: Phase,
    /// What it does to data.
    pub class: Class,
    /// What is done.
    pub action: Action,
    /// The table, by [`Table::sql_name`].
    pub table: String,
    /// The table after the step; none where it is gone.
    pub shape: Option<Held>,
    /// The table before the step; none where it is new.
    pub before: Option<Held>,
    /// Why, in the words of the model.
    pub reason: String,
    /// What must hold of the rows first; of a step that destroys: where it holds, nothing is lost.
    pub proofs: Vec<Proof>,
    /// `ordering.orders.note`: the word that `--allow-destroy` must give.
    pub destroys: Option<String>,
    /// Every table that the database remembers otherwise from then on.
    pub held: Remembered,
}

/// What a step does. Names are those after all renames.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Makes the table without its indexes.
    CreateTable,
    /// Gives the table another name or context; the former one, by [`Table::sql_name`].
    MoveTable(String),
    /// Gives a column another name.
    RenameColumn {
        /// Former name.
        from: String,
        /// New name.
        to: String,
    },
    /// Adds columns.
    AddColumns(Vec<String>),
    /// Gives a default to a column, or takes it.
    SetDefault(String),
    /// Takes constraints that the table before has and the table after lacks.
    Loosen,
    /// Sets constraints that the table after has and the table before lacks.
    Tighten,
    /// Sets a column in the rows that lack it.
    Backfill {
        /// Which.
        column: String,
        /// To what.
        fill: Fill,
    },
    /// Makes an index.
    AddIndex(String),
    /// Drops an index.
    DropIndex(String),
    /// Gives an index another name.
    RenameIndex {
        /// Former name.
        from: String,
        /// New name.
        to: String,
    },
    /// Drops a column and gives its name to another.
    SwapColumn {
        /// The one that stays.
        from: String,
        /// Its new name.
        to: String,
    },
    /// Drops columns.
    DropColumns(Vec<String>),
    /// Drops the table.
    DropTable,
    /// Forgets the table: somebody else makes and changes it from then on.
    HandOver,
}

/// A value for rows that lack one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fill {
    /// The same for all.
    Constant(Literal),
    /// The folded copy of another column.
    Search(String),
    /// Another column, times a power of ten, or divided by one.
    Scaled {
        /// The column.
        of: String,
        /// Factor.
        times: i64,
        /// Divisor.
        by: i64,
    },
}

/// What must hold of every row before a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// What must hold.
    pub holds: Holds,
    /// What is wrong with a row of which it does not, in words: `` `note` has no value ``.
    pub fault: String,
    /// What to do about such rows.
    pub instead: String,
}

/// A condition on the rows of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Holds {
    /// There are no rows.
    NoRows,
    /// The column has no value.
    NoValue(String),
    /// The column has a value.
    HasValue(String),
    /// The column is null or fulfils a constraint.
    Within(String, Check),
    /// The column is null or divisible.
    Divisible(String, i64),
    /// No two rows are equal in the columns of the index.
    Unique(HeldIndex),
    /// Rows that are referred to are there.
    Refers(HeldKey),
    /// Spans do not overlap.
    Apart(Overlap),
}

/// A step in a dialect: what is reviewed, carried out and noted in the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct ScriptStep {
    /// `add column orders.note`
    pub name: String,
    /// When.
    pub phase: Phase,
    /// What it does to data.
    pub class: Class,
    /// Why.
    pub reason: String,
    /// What it keeps others from meanwhile.
    pub locks: String,
    /// What must hold first; where it does, a step that destroys needs nobody's word.
    pub proofs: Vec<Query>,
    /// What is done.
    pub run: Vec<Run>,
    /// What takes it back; none where nothing can.
    pub undo: Option<Vec<String>>,
    /// What the database remembers otherwise from then on.
    pub held: Remembered,
    /// What `--allow-destroy` must name.
    pub destroys: Option<String>,
}

/// What changes in what a database remembers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Remembered {
    /// Keys that go.
    pub without: Vec<String>,
    /// Keys that come or change.
    pub with: BTreeMap<String, Held>,
}

/// A question to the rows: how many break a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The table, for people.
    pub table: String,
    /// Gives the number of rows that break it.
    pub count: String,
    /// Gives some of their ids as text.
    pub examples: String,
    /// What is wrong with them.
    pub fault: String,
    /// What to do.
    pub instead: String,
    /// It can be asked before the first step of the migration.
    pub early: bool,
}

/// How a part of a step runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Run {
    /// Statements in one transaction with the note in the journal.
    Together(Vec<String>),
    /// Statements of which each is a transaction; they may be repeated.
    Alone(Vec<String>),
    /// A statement that is repeated over ranges, each in its own transaction.
    Chunks {
        /// Gives the end of the last range.
        end: String,
        /// Gives the number of rows that it will change, for whoever watches.
        rows: String,
        /// The statement; `:from` is below the range, `:to` its last.
        statement: String,
        /// Size of a range.
        step: u64,
    },
}

impl Run {
    /// All statements, for people and checksums.
    pub fn statements(&self) -> Vec<&str> {
        match self {
            Self::Together(all) | Self::Alone(all) => all.iter().map(String::as_str).collect(),
            Self::Chunks { statement, .. } => vec![statement],
        }
    }
}

impl Snapshot {
    /// What a database holds that has just been made for a schema; `holds` says which tables.
    pub fn of(schema: &Schema, holds: &dyn Fn(&Table) -> bool) -> Self {
        Self::made(schema, holds, false)
    }

    /// The same where keys lead to tables that it does not hold: their rows stay as long as they
    /// are referred to.
    pub fn reaching(schema: &Schema, holds: &dyn Fn(&Table) -> bool) -> Self {
        Self::made(schema, holds, true)
    }

    fn made(schema: &Schema, holds: &dyn Fn(&Table) -> bool, reaches_out: bool) -> Self {
        let here = schema.tables.iter().filter(|table| table.is_managed() && holds(table));
        let held = |table: &Table| (table.sql_name(), Held::of(schema, table, holds, reaches_out));
        Self { tables: here.map(held).collect() }
    }

    /// The snapshot after a step.
    pub fn remember(&mut self, changed: &Remembered) {
        self.tables.retain(|key, _| !changed.without.contains(key));
        self.tables.extend(changed.with.iter().map(|(key, held)| (key.clone(), held.clone())));
    }
}

impl Held {
    fn of(
        schema: &Schema,
        table: &Table,
        holds: &dyn Fn(&Table) -> bool,
        reaches_out: bool,
    ) -> Self {
        let key = |key: &ForeignKey| HeldKey {
            columns: key.columns.clone(),
            table: schema.tables[key.table].sql_name(),
            to: key.to.clone(),
            on_delete: match holds(&schema.tables[key.table]) {
                true => key.on_delete,
                false => OnDelete::Restrict,
            },
        };
        let index = |index: &Index| HeldIndex {
            name: index.name.clone(),
            columns: index.columns.clone(),
            unique: index.unique.is_some(),
            only: index.only.clone(),
        };
        let here = |key: &&ForeignKey| reaches_out || holds(&schema.tables[key.table]);
        let here = table.foreign_keys.iter().filter(here);
        Self {
            context: table.context.clone(),
            name: table.name.clone(),
            tenant: table.tenant.clone(),
            owner: table.owner.clone(),
            columns: table.columns.iter().map(HeldColumn::of).collect(),
            primary_key: table.primary_key.clone(),
            foreign_keys: here.map(key).collect(),
            indexes: table.indexes.iter().map(index).collect(),
            overlaps: table.overlaps.clone(),
        }
    }

    /// The column of a name.
    pub fn column(&self, name: &str) -> Option<&HeldColumn> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl HeldColumn {
    fn of(column: &Column) -> Self {
        Self {
            name: column.name.clone(),
            storage: column.storage,
            nullable: column.nullable,
            check: column.check.clone(),
            part: column.field.map(|(_, part)| part),
            default: None,
        }
    }
}
