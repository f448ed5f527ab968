//! What changes in a place while rows are taken out of it, told in rounds: each round of a file is
//! one moment of it, so that whoever has followed it holds what the file held then.

use super::{Line, Plain, Reading, Transferred};
use std::sync::Arc;

/// What a row is found by: its tenant, where its table or file is of tenants, and its key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Whose.
    pub tenant: Option<Arc<str>>,
    /// The cell of [`super::Sheet::key`].
    pub cell: Plain,
}

/// Keys of one sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// Index of the sheet.
    pub sheet: usize,
    /// Each once; in the order of their first change where the store counts the rows.
    pub all: Vec<Key>,
}

/// Changes that are noted, until it is dropped.
pub trait Watching {
    /// The rows of the places that were there when this began, read from snapshots that are later.
    ///
    /// # Errors
    /// What went wrong, in words.
    fn read(&self) -> Transferred<Box<dyn Reading + '_>>;

    /// Begins a round, with the places that are there now.
    ///
    /// # Errors
    /// What went wrong, in words.
    fn begin(&mut self) -> Transferred<()>;

    /// The next place of this round with changes that were not taken yet; none at its end.
    ///
    /// # Errors
    /// What went wrong, in words.
    fn next(&mut self) -> Transferred<Option<Box<dyn Changing + '_>>>;

    /// Refuses from now on what others than the stores may still write: they are closed already.
    ///
    /// # Errors
    /// What went wrong, in words.
    fn seal(&mut self) -> Transferred<()>;

    /// The data is elsewhere: what notes and refuses may stay.
    fn leave(self: Box<Self>);
}

/// A place as it is at one moment, with what changed in it.
pub trait Changing {
    /// The rows that were written or removed, sheet by sheet.
    fn keys(&self) -> &[Keys];

    /// Those of some keys that are there.
    ///
    /// # Errors
    /// What went wrong, in words.
    fn lines(&self, sheet: usize, keys: &[Key]) -> Transferred<Vec<Line>>;

    /// They were taken, and are not told again.
    fn taken(self: Box<Self>);
}
