//! The port of whoever changes the tables of a store: what a database remembers is read, steps that
//! come as text are carried out one at a time, each with its note in the database's own journal.

use ir::migration::{Query, ScriptStep};
use std::collections::BTreeMap;

/// One database of a store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Base {
    /// For people: path or address.
    pub shown: String,
    /// The tenant whose it is; none for the service's.
    pub tenant: Option<String>,
}

/// What a database says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The tables it remembers, as JSON; none where nothing was made yet.
    pub remembered: Option<String>,
    /// The columns that it has, a line each, by table.
    pub structure: BTreeMap<String, Vec<String>>,
    /// It is known to serve the model already.
    pub serves: bool,
    /// The model is the last that it was told to serve; others that it serves are former ones.
    pub latest: bool,
    /// It serves a former model too.
    pub window: bool,
    /// The step that was broken off.
    pub underway: Option<String>,
    /// The number of the next step in the journal.
    pub next: u64,
    /// Steps of the journal whose text is no longer what was carried out.
    pub tampered: Vec<String>,
}

/// Rows that stand in the way of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// How many.
    pub rows: u64,
    /// Some of their ids.
    pub examples: Vec<String>,
}

/// Told while a step runs: rows that it changed, of how many.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Sync);

/// Changes the tables of a store.
pub trait Migrations: Send + Sync {
    /// Keeps everybody else from changing tables, for as long as this lives; waits a while for
    /// whoever does. What was read before may be outdated then.
    ///
    /// # Errors
    /// Who does not let go, in words.
    fn hold(&self) -> Result<(), String>;

    /// The processes that use the data with another model, a line each.
    ///
    /// # Errors
    /// What went wrong, in words.
    fn others(&self) -> Result<Vec<String>, String>;

    /// All databases, the service's last: it vouches for those of tenants.
    ///
    /// # Errors
    /// What went wrong, in words.
    fn bases(&self) -> Result<Vec<Base>, String>;

    /// Looks whether the tables that somebody else makes are as the model needs them.
    ///
    /// # Errors
    /// What they lack, in words, with what would mend it.
    fn check_demands(&self) -> Result<(), String>;

    /// Reads what a database remembers.
    ///
    /// # Errors
    /// What went wrong, in words.
    fn read(&self, base: &Base) -> Result<Found, String>;

    /// Asks which rows stand in the way.
    ///
    /// # Errors
    /// What went wrong, in words.
    fn ask(&self, base: &Base, query: &Query) -> Result<Broken, String>;

    /// Carries out a step, from where it was broken off, and notes it.
    ///
    /// # Errors
    /// What went wrong, in words; what is not whole is taken up again by the next call.
    fn apply(&self, base: &Base, step: &ScriptStep, tell: Progress<'_>) -> Result<(), String>;

    /// Takes back what was carried out of a step that was broken off; nothing where it was not.
    ///
    /// # Errors
    /// What went wrong, in words: also that nothing takes that step back.
    fn abandon(&self, base: &Base, step: &ScriptStep) -> Result<(), String>;

    /// Notes that the database serves the model; `beside`: those that it served go on.
    ///
    /// # Errors
    /// What went wrong, in words.
    fn serve(&self, base: &Base, beside: bool) -> Result<(), String>;

    /// Takes the last step of the journal back; its name, or none where there is none.
    ///
    /// # Errors
    /// What went wrong, in words: also that nothing takes that step back.
    fn undo(&self, base: &Base) -> Result<Option<String>, String>;
}
