//! The rows of a resource that the caller may read: page by page, as the list gives them.
//!
//! Each page is read and kept as a piece of the result, with the cursor behind it. Rows that others
//! change meanwhile are in it as they are when their page is read.

use super::{Bench, Step, Stop, is_outage};
use crate::engine::problem;
use crate::ingress::rest::operations::pages;
use crate::ports::operations::{Chunk, Operated, Operation, Part, State};
use crate::ports::store::{CommitError, Unavailable, WriteSet};
use crate::problem::kinds;
use crate::request::Call;
use ir::domain::ResourceId;
use serde::{Deserialize, Serialize};

/// Rows of a page, and so of a piece of the result.
pub(crate) const EXPORT_PAGE_ROWS_MAX: u32 = 500;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Input {
    /// The query of the list: filters, order, members.
    pub(crate) query: String,
    /// Values between commas instead of JSON.
    pub(crate) csv: bool,
}

impl Bench<'_> {
    /// Exports the next page.
    pub(super) async fn export(
        &self,
        operation: &mut Operation,
        call: &Call,
        resource: ResourceId,
    ) -> Result<Step, Stop> {
        let input: Option<Input> = serde_json::from_str(&operation.input).ok();
        let input = input.ok_or_else(|| Stop::Never(problem(kinds::INTERNAL)))?;
        let cursor = (!operation.place.is_empty()).then_some(operation.place.as_str());
        let page = pages::page(self.turn.backend(), self.live, call, resource, (&input, cursor));
        let page = page.await.map_err(|failure| match is_outage(&failure) {
            true => Stop::Later(Unavailable::Broken(failure.detail.clone().unwrap_or_default())),
            false => Stop::Never(failure),
        })?;
        let mut next = self.next(operation);
        let chunk = Chunk {
            operation: operation.id,
            tenant: operation.tenant.clone(),
            part: Part::Result,
            number: operation.done,
            rows: page.rows,
            failed: 0,
            data: page.text,
        };
        next.done += page.rows;
        match page.next {
            Some(cursor) => next.place = cursor,
            None => {
                self.end(&mut next, State::Done);
                next.total = Some(next.done);
                next.result = Some(format!("{{\"rows\":{}}}", next.done));
            }
        }
        let step = Operated::Step { operation: Box::new(next.clone()), chunks: vec![chunk] };
        let (tenant, operated) = (next.tenant.clone(), Some(step));
        let set = WriteSet { tenant, operated, ..WriteSet::default() };
        let done = self.live.engine.store(resource).commit(set, &call.bindings).await;
        match done {
            Ok(()) => {
                *operation = next;
                Ok(if operation.state.is_over() { Step::Over } else { Step::More })
            }
            Err(CommitError::Fenced) => Ok(Step::Lost),
            Err(CommitError::Unavailable(why)) => Err(Stop::Later(why)),
            Err(_) => Err(Stop::Never(problem(kinds::INTERNAL))),
        }
    }
}
