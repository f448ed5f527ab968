//! The port of whoever takes data out of a store or puts it into one: rows as plain cells, table by
//! table, the same for every store and every layout of tenants.
//!
//! A [`Sheet`] is a table as it travels: without the tenant's column, which rows of shared tables
//! have and those of a place of their own lack. Each [`Line`] names its tenant instead. Sheets are
//! read from one snapshot (a file or a database of a tenant has one of its own) and written all or
//! not at all: what was broken off is marked, is served by nobody, and is begun again.

use ir::domain::Domain;
use ir::schema::{Schema, Storage, Table};
use std::sync::Arc;

mod following;
mod system;

pub use following::{Changing, Key, Keys, Watching};
pub use system::{SYSTEM, SystemColumn, SystemTable};

/// A cell as it travels: times are microseconds since 1970, dates days, truths 0 and 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Plain {
    /// Nothing.
    Null,
    /// Whole number.
    Int(i64),
    /// Text.
    Text(String),
    /// Bytes; an id has sixteen.
    Bytes(Vec<u8>),
}

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Whole number, as a column of `storage` has it.
    Stored(Storage),
    /// Bytes.
    Bytes,
    /// Whole number below 32,768.
    Small,
}

impl Form {
    /// True for cells that are bytes.
    pub fn is_bytes(self) -> bool {
        matches!(self, Self::Bytes | Self::Stored(Storage::Uuid))
    }

    /// True for cells that are text.
    pub fn is_text(self) -> bool {
        matches!(self, Self::Stored(Storage::Text | Storage::Json | Storage::Currency))
    }
}

/// A table as it travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// `ordering_orders`, or `mainstay_outbox`.
    pub name: String,
    /// What it holds.
    pub holds: Holds,
    /// Names and forms, the tenant's column left out.
    pub columns: Vec<(String, Form)>,
}

/// What a sheet holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Rows of the model; index of the table. `shared` by all tenants, or there are none.
    Rows {
        /// In the schema.
        table: usize,
        /// By all tenants.
        shared: bool,
    },
    /// Mainstay's own; index in [`SYSTEM`].
    System(usize),
}

/// The tables of a system as they travel. What somebody else makes is not among them: it is theirs
/// to take along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheets {
    /// Its name.
    pub system: String,
    /// Shared ones first.
    pub all: Vec<Sheet>,
}

impl Sheet {
    /// The column by which a row is found on every store.
    pub fn key(&self) -> &'static str {
        match self.holds {
            Holds::Rows { .. } => "id",
            Holds::System(at) if SYSTEM[at].counted => "id",
            Holds::System(at) => SYSTEM[at].key,
        }
    }
}

impl Sheets {
    /// Those of a model.
    pub fn of(domain: &Domain, schema: &Schema) -> Self {
        let rows = |(at, table): (usize, &Table)| {
            let shared = domain.tenancy.is_none() || domain.resource(table.resource).shared;
            let own =
                table.columns.iter().filter(|column| Some(&column.name) != table.tenant.as_ref());
            Sheet {
                name: table.sql_name(),
                holds: Holds::Rows { table: at, shared },
                columns: own.map(|one| (one.name.clone(), Form::Stored(one.storage))).collect(),
            }
        };
        let ours = schema.tables.iter().enumerate().filter(|(_, table)| table.is_managed());
        let mut all: Vec<Sheet> = ours.map(rows).collect();
        let order = in_order(schema);
        let place = |sheet: &Sheet| match sheet.holds {
            Holds::Rows { table, shared } => {
                (!shared, order.iter().position(|one| *one == table).unwrap_or(usize::MAX))
            }
            Holds::System(_) => (true, usize::MAX),
        };
        all.sort_by_key(place);
        all.extend(SYSTEM.iter().enumerate().map(|(at, table)| Sheet {
            name: table.name.to_owned(),
            holds: Holds::System(at),
            columns: table.columns.iter().map(|one| (one.name.to_owned(), one.form)).collect(),
        }));
        Self { system: domain.system.clone(), all }
    }

    /// The index of a sheet.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.all.iter().position(|sheet| sheet.name == name)
    }

    /// What other sheets have otherwise, a line each; they are the same where there is none.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut all = Vec::new();
        for sheet in &self.all {
            match other.all.iter().find(|one| one.name == sheet.name) {
                None => all.push(format!("table `{}` is in one alone", sheet.name)),
                Some(there) => {
                    let lacks = |these: &Sheet, those: &Sheet| -> Vec<String> {
                        let lost = these.columns.iter().filter(|one| !those.columns.contains(one));
                        lost.map(|(name, _)| {
                            format!("`{}.{name}` is in one alone, or of another type", sheet.name)
                        })
                        .collect()
                    };
                    all.extend(lacks(sheet, there));
                    all.extend(lacks(there, sheet));
                }
            }
        }
        let known = |sheet: &&Sheet| self.all.iter().any(|one| one.name == sheet.name);
        // A table of our own that came later holds nothing yet.
        let ours = |sheet: &&Sheet| matches!(sheet.holds, Holds::System(_));
        let lost = other.all.iter().filter(|sheet| !known(sheet) && !ours(sheet));
        all.extend(lost.map(|sheet| format!("table `{}` is in one alone", sheet.name)));
        all.dedup();
        all
    }
}

/// Tables, those first that others refer to. Those that refer to each other in a circle stay in the
/// order of the schema.
fn in_order(schema: &Schema) -> Vec<usize> {
    let mut left: Vec<usize> = (0..schema.tables.len()).collect();
    let mut ordered = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let waits = |at: &usize| {
            let keys = &schema.tables[*at].foreign_keys;
            keys.iter().any(|key| key.table != *at && left.contains(&key.table))
        };
        let next = left.iter().position(|at| !waits(at)).unwrap_or(0);
        ordered.push(left.remove(next));
    }
    ordered
}

/// Which rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All.
    Whole,
    /// Those of a tenant, Mainstay's own among them; what tenants share is left out.
    Tenant(Arc<str>),
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Whose; none for what is shared, and where there are no tenants.
    pub tenant: Option<Arc<str>>,
    /// One a column of the sheet.
    pub cells: Vec<Plain>,
}

/// Rows of one sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Index of the sheet.
    pub sheet: usize,
    /// At most [`BATCH_ROWS_MAX`].
    pub lines: Vec<Line>,
}

/// Rows in a batch at most.
pub const BATCH_ROWS_MAX: usize = 256;

/// Why data can't be taken out or put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransferError {
    /// The target holds rows: of what, in words.
    NotEmpty(String),
    /// Both sides are not of the same tables.
    Differs(Vec<String>),
    /// Anything else, in words.
    Failed(String),
}

impl TransferError {
    /// Of any cause.
    pub fn failed(cause: impl std::fmt::Display) -> Self {
        Self::Failed(cause.to_string())
    }
}

impl std::fmt::Display for TransferError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotEmpty(what) => write!(f, "{what}"),
            Self::Differs(lines) => {
                write!(f, "the tables are not those of this model")?;
                lines.iter().try_for_each(|line| write!(f, "\n  {line}"))
            }
            Self::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for TransferError {}

/// What reading or writing gives.
pub type Transferred<T> = Result<T, TransferError>;

/// What is left of rows that were erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// `care.Patient`
    pub resource: String,
    /// Members of events that go.
    pub members: Vec<String>,
    /// The rows.
    pub rows: Vec<u128>,
}

/// What of it went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Kept answers.
    pub answers: u64,
    /// Events that lost members.
    pub events: u64,
}

/// A place that data is taken out of or put into. Not to be called within a runtime.
pub trait Transfer {
    /// Its tables.
    fn sheets(&self) -> &Sheets;

    /// The tenants that have a row or a place, in the order of their names.
    ///
    /// # Errors
    /// What went wrong, in words.
    fn tenants(&self) -> Transferred<Vec<Arc<str>>>;

    /// Reads, in the order of the sheets of a place: what is shared, each tenant, Mainstay's own.
    ///
    /// # Errors
    /// What went wrong, in words.
    fn read(&self, scope: &Scope) -> Transferred<Box<dyn Reading + '_>>;

    /// Writes to where nothing of the scope is; with `replace`, what is there goes first. What an
    /// attempt before left half done goes in any case.
    ///
    /// # Errors
    /// [`TransferError::NotEmpty`], or what went wrong, in words.
    fn write(&self, scope: &Scope, replace: bool) -> Transferred<Box<dyn Writing + '_>>;

    /// Notes from now on which rows change, whoever changes them. What is read and written again
    /// and again until both sides are equal is followed so.
    ///
    /// # Errors
    /// What went wrong, in words; where no change is noted, that.
    fn watch(&self) -> Transferred<Box<dyn Watching + '_>> {
        Err(TransferError::failed("what changes here while rows are taken out is not noted"))
    }

    /// Makes a tenant's place, where each has one of its own.
    ///
    /// # Errors
    /// What went wrong, in words.
    fn provision(&self, tenant: &str) -> Transferred<()>;

    /// Removes everything of a tenant.
    ///
    /// # Errors
    /// What went wrong, in words; then it may be called again.
    fn erase(&self, tenant: &str) -> Transferred<()>;

    /// Forgets what Mainstay's own tables still say of rows that were erased: kept answers that
    /// name one go, and events about one lose the members. Then no page that was written over
    /// holds it any more, as far as that is in the store's hands. `tenants` are whose places are
    /// looked at, where each has one.
    ///
    /// # Errors
    /// What went wrong, in words; then it may be called again.
    fn forget(&self, tenants: &[Arc<str>], traces: &[Trace]) -> Transferred<Forgotten>;
}

/// Rows that come, batch by batch.
pub trait Reading {
    /// The next; none at the end.
    ///
    /// # Errors
    /// What went wrong, in words.
    fn next(&mut self) -> Transferred<Option<Batch>>;
}

/// Rows that go, batch by batch. What is dropped before it was finished is not there, or is marked
/// and served by nobody.
pub trait Writing {
    /// Takes rows that are of the scope.
    ///
    /// # Errors
    /// What went wrong, in words.
    fn put(&mut self, batch: &Batch) -> Transferred<()>;

    /// Makes them durable and reads them again while nobody serves them yet, so that they can be
    /// proven before [`Writing::finish`]. None where what is written can't be read so: files of a
    /// backup, and tables of which the login sees one tenant at a time. Afterwards rows are put
    /// only where those of their keys were removed.
    ///
    /// # Errors
    /// What went wrong, in words.
    fn written(&mut self) -> Transferred<Option<Box<dyn Reading + '_>>>;

    /// The rows of some keys, as they can be read here now.
    ///
    /// # Errors
    /// What went wrong, in words; where rows are only put, that.
    fn found(&mut self, _keys: &Keys) -> Transferred<Vec<Line>> {
        Err(follows_not())
    }

    /// Removes the rows of some keys, and no other, whatever refers to them.
    ///
    /// # Errors
    /// As [`Writing::found`].
    fn remove(&mut self, _keys: &Keys) -> Transferred<()> {
        Err(follows_not())
    }

    /// Forgets what was put and removed since rows were last kept.
    fn undo(&mut self) {}

    /// Makes durable what was put and removed since the last time, all or nothing in each place.
    /// Others may follow.
    ///
    /// # Errors
    /// As [`Writing::found`].
    fn keep(&mut self) -> Transferred<()> {
        Err(follows_not())
    }

    /// Makes them durable and seen.
    ///
    /// # Errors
    /// What went wrong, in words.
    fn finish(self: Box<Self>) -> Transferred<()>;
}

fn follows_not() -> TransferError {
    TransferError::failed("what is written here can't follow changes: move it while nobody serves")
}
