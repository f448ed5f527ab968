//! The statements of a set: what they take, and what it means that they change nothing.

use super::{Fault, Row};
use crate::adapters::postgres::cells::{Bound, Bytes};
use crate::adapters::sql::shape::Cell;
use crate::ports::store::CommitError;
use bytes::BytesMut;
use ir::domain::FieldId;
use std::borrow::Cow;
use tokio_postgres::Error;
use tokio_postgres::types::{IsNull, ToSql, Type};

/// What it means that a statement changes no row, or finds one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Nothing {
    Fine,
    Conflict,
    AnswerExists,
    Consumed,
    Fenced,
    /// Of that overlap: a row that is found is in the way.
    Wanted(usize),
    /// The row that is referred to is not there.
    Unknown {
        field: FieldId,
        id: u128,
    },
}

/// A parameter that lives as long as the set.
#[derive(Debug)]
pub(super) enum Value<'a> {
    Cell(Bound<'a>),
    Bytes(Bytes<'a>),
}

/// A statement of the set.
pub(super) struct Step<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) values: Vec<Value<'a>>,
    pub(super) row: Row<'a>,
    pub(super) nothing: Nothing,
    /// It inserts further rows beside `row`.
    pub(super) several: bool,
}

/// Why a set was not carried out.
pub(super) struct Failed<'a> {
    /// The row that was being written.
    pub(super) row: Option<Row<'a>>,
    pub(super) fault: Fault,
    /// It was one of several, and only one by one tells which.
    pub(super) several: bool,
}

impl From<Error> for Failed<'_> {
    fn from(error: Error) -> Self {
        Self { row: None, fault: Fault::Undone(error), several: false }
    }
}

/// A part of the set.
pub(super) enum Work<'a> {
    /// Travels with others.
    Step(Step<'a>),
    /// A row with whatever refers to it.
    Delete { row: Row<'a>, id: u128, by: Cell<'static> },
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Cell(cell) => cell.to_sql(kind, out),
            Self::Bytes(bytes) => bytes.to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}

impl<'a> Step<'a> {
    pub(super) fn failed(&self, fault: Fault) -> Failed<'a> {
        Failed { row: Some(self.row), fault, several: self.several }
    }

    pub(super) fn check(&self, rows: u64) -> Result<(), Failed<'a>> {
        let refused =
            |refusal: CommitError| Failed { row: None, fault: refusal.into(), several: false };
        self.refusal(rows).map_or(Ok(()), |refusal| Err(refused(refusal)))
    }

    /// What is answered where so many rows were changed or found.
    pub(super) fn refusal(&self, rows: u64) -> Option<CommitError> {
        let Row { write, resource, .. } = self.row;
        match (self.nothing, rows) {
            (Nothing::Conflict, 0) => Some(CommitError::Conflict { write }),
            (Nothing::AnswerExists, 0) => Some(CommitError::AnswerExists),
            (Nothing::Consumed, 0) => Some(CommitError::Consumed),
            (Nothing::Fenced, 0) => Some(CommitError::Fenced),
            (Nothing::Unknown { field, id }, 0) => {
                Some(CommitError::UnknownReference { write, resource, field, id })
            }
            (Nothing::Wanted(overlap), 1..) => {
                Some(CommitError::Overlap { write, resource, overlap })
            }
            (Nothing::Fine | Nothing::Conflict | Nothing::AnswerExists, _)
            | (Nothing::Consumed | Nothing::Fenced, _)
            | (Nothing::Wanted(_), 0)
            | (Nothing::Unknown { .. }, _) => None,
        }
    }
}

impl<'a> Work<'a> {
    /// The statement, where its number of rows says nothing.
    pub(super) fn unconditional(&self) -> Option<&Step<'a>> {
        match self {
            Self::Step(step) if step.nothing == Nothing::Fine => Some(step),
            Self::Step(_) | Self::Delete { .. } => None,
        }
    }

    pub(super) fn step(&self) -> Option<&Step<'a>> {
        match self {
            Self::Step(step) => Some(step),
            Self::Delete { .. } => None,
        }
    }

    pub(super) fn is_step(&self) -> bool {
        matches!(self, Self::Step(_))
    }
}
