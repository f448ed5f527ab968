//! Parameters of statements, and what is bound to them.

use crate::adapters::sql::shape::{Cell, Shape};
use crate::ports::store::{Bindings, ListQuery, Tenant};
use ir::schema::Part;
use std::sync::Arc;

/// A parameter of a statement, bound when it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Param {
    /// Tenant of the call.
    Tenant,
    /// Subject of the caller.
    Me,
    /// Now less so many microseconds.
    Now {
        /// Microseconds.
        less: i64,
    },
    /// A constant.
    Cell(Cell<'static>),
    /// A part of a sort key of the row where the page before ended.
    After {
        /// Index of the key.
        key: usize,
        /// Which part of it.
        part: Part,
        /// Its form.
        shape: Shape,
    },
    /// Rows of the page at most.
    Limit,
}

impl Param {
    /// What is bound to it for a page.
    pub fn cell<'a>(
        &'a self,
        query: &'a ListQuery<'_>,
        tenant: &'a Tenant,
        bindings: &'a Bindings,
    ) -> Cell<'a> {
        let text = |text: &'a Option<Arc<str>>| match text {
            Some(text) => Cell::Text(text.as_ref().into()),
            None => Cell::Null,
        };
        match self {
            Self::Tenant => text(tenant),
            Self::Me => text(&bindings.me),
            Self::Now { less } => Cell::Int(bindings.now.saturating_sub(*less)),
            Self::Cell(Cell::Text(text)) => Cell::Text(text.as_ref().into()),
            Self::Cell(cell) => cell.clone(),
            Self::After { key, part, shape } => {
                let value = query.after.as_ref().and_then(|after| after.get(*key));
                // What has no such form was refused when the statement was made.
                let cell = value.and_then(|value| shape.encode(value, *part).ok());
                cell.unwrap_or(Cell::Null)
            }
            Self::Limit => Cell::Int(i64::from(query.rows_max)),
        }
    }
}
