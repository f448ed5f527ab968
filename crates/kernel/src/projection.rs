//! Events folded into the rows of a view, each exactly once.
//!
//! The checkpoint of a tenant is committed with the rows, and only where it is still what it was
//! when it was read. So an event at or below it is in the rows and is skipped, one above it is not,
//! and of two who fold the same events one is refused and reads again.

use crate::expr::{Fault, Scope, fold, merge};
use ir::domain::{FieldId, Fold};
use ir::value::Value;

/// The folds of a row after one more event, each with the field that keeps it. `kept` answers with
/// the value of a field of the row; none where there is no row yet.
///
/// # Errors
/// A [`Fault`] (unlike currencies, a number out of its range): nothing of the event is folded then.
pub fn fold_event(
    folds: &[Fold],
    kept: Option<&dyn Fn(FieldId) -> Value>,
    event: &dyn Scope,
) -> Result<Vec<(FieldId, Value)>, Fault> {
    let one = |folded: &Fold| {
        let before = kept.map(|kept| kept(folded.field));
        Ok((folded.field, fold(folded, before.as_ref(), event)?))
    };
    folds.iter().map(one).collect()
}

/// The folds of two rows as those of one that holds the events of both.
///
/// # Errors
/// A [`Fault`], as of [`fold_event`].
pub fn merge_rows(
    folds: &[Fold],
    one: &dyn Fn(FieldId) -> Value,
    other: &dyn Fn(FieldId) -> Value,
) -> Result<Vec<(FieldId, Value)>, Fault> {
    let merged = |folded: &Fold| {
        let (one, other) = (one(folded.field), other(folded.field));
        Ok((folded.field, merge(folded, &one, &other)?))
    };
    folds.iter().map(merged).collect()
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Input {
    /// Answers [`Action::ReadCheckpoint`].
    Reached {
        /// Every event of the tenant up to here is in the rows.
        position: i64,
    },
    /// Events of the tenant that the view is made of, read behind what was given before. Only when
    /// [`Projection::is_idle`].
    Events {
        /// Their positions in the log, in order.
        positions: Vec<i64>,
    },
    /// Answers [`Action::Fold`] or [`Action::Clear`]: rows and checkpoint are durable.
    Committed,
    /// Answers [`Action::Fold`] or [`Action::Clear`]: the checkpoint was not where it was expected,
    /// and nothing was committed.
    Refused,
    /// The rows are to be made anew, from the first event. Only when [`Projection::is_idle`].
    Rebuild,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Read the checkpoint of the tenant: [`Input::Reached`].
    ReadCheckpoint,
    /// Read the rows, fold these events into them in order, and commit the rows with the
    /// checkpoint: [`Input::Committed`] or [`Input::Refused`]. The rows are read at one moment with
    /// the checkpoint (refused where it is not as expected), or committed only where each is still
    /// as it was read: between two reads somebody may fold, and then clear for a rebuild, which
    /// brings the checkpoint back to where it was.
    Fold {
        /// Which, none of them folded before.
        positions: Vec<i64>,
        /// Where the checkpoint has to be.
        expected: i64,
        /// Where it is then.
        position: i64,
    },
    /// Delete all rows of the tenant and set its checkpoint to 0, in one set:
    /// [`Input::Committed`] or [`Input::Refused`].
    Clear {
        /// Where the checkpoint has to be.
        expected: i64,
    },
    /// All that was given is in the rows.
    Folded {
        /// Where the checkpoint is.
        position: i64,
    },
    /// The rows are empty: give all events again, from the first.
    Replay,
}

/// The view of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Projection {
    /// None while it is not known.
    reached: Option<i64>,
    work: Work,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Work {
    None,
    Events(Vec<i64>),
    Clear,
}

impl Projection {
    /// Begins with the checkpoint.
    pub fn begin() -> (Self, Action) {
        (Self { reached: None, work: Work::None }, Action::ReadCheckpoint)
    }

    /// It waits for events.
    pub fn is_idle(&self) -> bool {
        self.work == Work::None
    }

    /// Takes what happened, and says what is to be done, if anything. An input that does not fit
    /// changes nothing.
    pub fn step(&mut self, input: Input) -> Option<Action> {
        match input {
            Input::Reached { position } => {
                self.reached = Some(position);
                self.go_on()
            }
            Input::Events { positions } if self.is_idle() => {
                self.work = Work::Events(positions);
                self.go_on()
            }
            Input::Rebuild if self.is_idle() => {
                self.work = Work::Clear;
                self.go_on()
            }
            Input::Committed => match std::mem::replace(&mut self.work, Work::None) {
                Work::None => None,
                Work::Clear => {
                    self.reached = Some(0);
                    Some(Action::Replay)
                }
                Work::Events(positions) => {
                    self.reached = self.reached.max(positions.last().copied());
                    self.reached.map(|position| Action::Folded { position })
                }
            },
            Input::Refused if !self.is_idle() => {
                self.reached = None;
                Some(Action::ReadCheckpoint)
            }
            Input::Events { .. } | Input::Rebuild | Input::Refused => None,
        }
    }

    fn go_on(&mut self) -> Option<Action> {
        let expected = self.reached?;
        let positions = match &self.work {
            Work::None => return None,
            Work::Clear => return Some(Action::Clear { expected }),
            Work::Events(positions) => positions,
        };
        let new = positions.iter().copied().filter(|position| *position > expected);
        let positions: Vec<i64> = new.collect();
        match positions.last().copied() {
            Some(position) => Some(Action::Fold { positions, expected, position }),
            None => {
                self.work = Work::None;
                Some(Action::Folded { position: expected })
            }
        }
    }
}

#[cfg(test)]
mod tests;
