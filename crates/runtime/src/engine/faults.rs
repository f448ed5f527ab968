//! The faults of one body, gathered so that a client hears of all of them at once.

use super::Failure;
use crate::problem::{Fault, Kind, Problem, kinds, pointer_token};

/// A place in a body.
#[derive(Debug, Clone, Copy)]
pub(crate) enum At<'a> {
    /// The whole.
    Root,
    /// A member.
    Member(&'a At<'a>, &'a str),
    /// An element.
    Index(&'a At<'a>, usize),
}

impl At<'_> {
    /// As a JSON Pointer.
    pub(crate) fn pointer(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Member(of, name) => format!("{}/{}", of.pointer(), pointer_token(name)),
            Self::Index(of, at) => format!("{}/{at}", of.pointer()),
        }
    }
}

/// Faults that were found so far.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    found: Vec<(Kind, Fault)>,
}

impl Faults {
    /// Notes a fault.
    pub(crate) fn add(&mut self, kind: Kind, at: String, detail: impl Into<String>) {
        let fault = Fault { at, detail: detail.into(), code: Some(kind.slug) };
        self.found.push((kind, fault));
    }

    /// A value outside its type or constraint.
    pub(crate) fn invalid(&mut self, at: &At<'_>, detail: impl Into<String>) {
        self.add(kinds::INVALID_VALUE, at.pointer(), detail);
    }

    /// True where there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The problem that holds all faults, if there are any. Its kind is that of the first fault of
    /// the lowest status: malformed before forbidden before outside a constraint.
    ///
    /// # Errors
    /// The problem.
    pub(crate) fn settle(self) -> Result<(), Failure> {
        let Some(kind) = self.found.iter().map(|(kind, _)| *kind).min_by_key(|kind| kind.status)
        else {
            return Ok(());
        };
        let mut problem = Problem::new(kind);
        problem.errors = self
            .found
            .into_iter()
            .map(|(of, fault)| {
                let code = fault.code.filter(|_| of.slug != kind.slug);
                Fault { code, ..fault }
            })
            .collect();
        Err(Box::new(problem))
    }
}
