//! New rows of a resource: as many as came in one piece are one set of changes, with their report.
//!
//! A row that the rules or the store refuse stops no other: the set is made again without it, of
//! half as many rows, until one is committed; then of twice as many. With `atomic` all rows are one
//! set, which one refused row refuses.

use super::{Bench, Step, Stop, is_outage, kept, problem_text, trace_of};
use crate::engine::change::{Body, Preconditions, Verb, Write};
use crate::engine::commit::refused;
use crate::engine::unit::{Mark, Unit};
use crate::engine::{Failure, problem};
use crate::json::write;
use crate::ports::operations::{Chunk, ChunkQuery, Operated, Operation, Part, State};
use crate::ports::store::{CommitError, WriteSet};
use crate::problem::{Problem, kinds};
use crate::request::Call;
use ir::domain::ResourceId;
use serde::{Deserialize, Serialize};

/// Rows of one piece, and so of one set of changes.
pub(crate) const IMPORT_BATCH_ROWS_MAX: usize = 100;
/// Rows of an import that is all or nothing.
pub(crate) const ATOMIC_ROWS_MAX: usize = 1_000;
/// Rows of an import.
pub(crate) const IMPORT_ROWS_MAX: usize = 1_000_000;
/// How often a set is made again after conflicts.
const ATTEMPTS_MAX: u32 = 100;
/// Pieces of a set that is all or nothing.
const ATOMIC_CHUNKS_MAX: u32 = 1_000;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Input {
    /// All rows or none.
    pub(crate) atomic: bool,
}

/// A row that came.
#[derive(Debug, Clone, Copy)]
struct Row<'d> {
    line: &'d str,
    body: &'d str,
}

/// What became of a row.
#[derive(Debug, Clone)]
enum Fate {
    /// Not known yet.
    Open,
    /// It is there, if the set is committed.
    Made(u128),
    /// It is refused.
    Refused(Failure),
}

/// The rows of a piece: each a line, `12<tab>{…}`.
fn rows(data: &str) -> Vec<Row<'_>> {
    let rows = data.split('\n').filter_map(|row| row.split_once('\t'));
    rows.map(|(line, body)| Row { line, body }).collect()
}

/// A row as it is kept in a piece.
pub(crate) fn keep_row(out: &mut String, line: u64, body: &str) {
    out.push_str(&line.to_string());
    out.push('\t');
    out.push_str(body);
    out.push('\n');
}

impl Bench<'_> {
    /// Imports the next piece, or all of them.
    pub(super) async fn import(
        &self,
        operation: &mut Operation,
        call: &Call,
        resource: ResourceId,
    ) -> Result<Step, Stop> {
        let input: Option<Input> = serde_json::from_str(&operation.input).ok();
        let atomic = input.ok_or_else(|| Stop::Never(problem(kinds::INTERNAL)))?.atomic;
        let query = ChunkQuery {
            operation: operation.id,
            part: Part::Input,
            from: operation.done,
            failed: false,
            rows_max: if atomic { ATOMIC_CHUNKS_MAX } else { 1 },
        };
        let chunks = kept(self.live, resource)?.chunks(&operation.tenant, &query).await?;
        let Some(first) = chunks.first() else {
            // It was cancelled, which took the rows along.
            return Ok(Step::Lost);
        };
        let skipped = usize::try_from(operation.done - first.number).unwrap_or(0);
        let data: String = chunks.iter().map(|chunk| chunk.data.as_str()).collect();
        let mut batch = rows(&data);
        batch.drain(..skipped.min(batch.len()));
        let mut import = Import { bench: self, call, resource, rows: batch, fates: Vec::new() };
        import.fates = vec![Fate::Open; import.rows.len()];
        match atomic {
            true => import.at_once(operation).await,
            false => import.all(operation).await,
        }
    }
}

/// The rows that are being imported.
struct Import<'a, 'd> {
    bench: &'a Bench<'a>,
    call: &'a Call,
    resource: ResourceId,
    rows: Vec<Row<'d>>,
    fates: Vec<Fate>,
}

impl Import<'_, '_> {
    /// Imports what can be, in sets that end where a row is refused by the store.
    async fn all(&mut self, operation: &mut Operation) -> Result<Step, Stop> {
        let (mut from, mut size, mut tries) = (0, self.rows.len(), 0);
        while from < self.rows.len() {
            let to = self.end(from, size);
            let next = match self.attempt(operation, from..to, false).await? {
                Attempt::Done(next) => next,
                Attempt::Again if tries < ATTEMPTS_MAX => {
                    tries += 1;
                    continue;
                }
                Attempt::Again => {
                    let detail = "others changed what it needs each time it was tried";
                    return Err(Stop::Never(Box::new(
                        Problem::new(kinds::UNAVAILABLE).detail(detail),
                    )));
                }
                Attempt::Refused => {
                    size = (size / 2).max(1);
                    continue;
                }
                Attempt::Lost => return Ok(Step::Lost),
            };
            *operation = *next;
            (from, size, tries) = (to, size.saturating_mul(2), 0);
        }
        Ok(if operation.state.is_over() { Step::Over } else { Step::More })
    }

    /// Where a set ends that holds so many rows that are not refused.
    fn end(&self, from: usize, size: usize) -> usize {
        let open = |at: &usize| !matches!(self.fates[*at], Fate::Refused(_));
        let last = (from..self.rows.len()).filter(open).nth(size);
        last.unwrap_or(self.rows.len())
    }

    /// Imports all rows or none.
    async fn at_once(&mut self, operation: &mut Operation) -> Result<Step, Stop> {
        for _ in 0..ATTEMPTS_MAX {
            match self.attempt(operation, 0..self.rows.len(), true).await? {
                Attempt::Done(next) => {
                    *operation = *next;
                    return Ok(Step::Over);
                }
                Attempt::Lost => return Ok(Step::Lost),
                Attempt::Again | Attempt::Refused => {}
            }
        }
        Err(Stop::Never(problem(kinds::INTERNAL)))
    }

    /// Makes one set of rows and commits it with its report.
    async fn attempt(
        &mut self,
        operation: &Operation,
        range: std::ops::Range<usize>,
        atomic: bool,
    ) -> Result<Attempt, Stop> {
        let engine = &self.bench.live.engine;
        let call = self.call.clone();
        let mut unit = Unit::new(engine, &call);
        let mut made = Vec::with_capacity(range.len());
        for at in range.clone() {
            if matches!(self.fates[at], Fate::Refused(_)) {
                continue;
            }
            let write = Write {
                verb: Verb::Create,
                resource: self.resource,
                row: None,
                body: Body::Bytes(self.rows[at].body.as_bytes()),
                preconditions: Preconditions::default(),
            };
            self.fates[at] = match unit.perform(&write).await {
                Ok(done) => {
                    made.push(at);
                    Fate::Made(done.id)
                }
                Err(failure) if is_outage(&failure) => {
                    let why = failure.detail.clone().unwrap_or_default();
                    return Err(Stop::Later(crate::ports::store::Unavailable::Broken(why)));
                }
                Err(failure) => Fate::Refused(failure),
            };
        }
        let refused_any = || self.fates.iter().any(|fate| matches!(fate, Fate::Refused(_)));
        let given_up = atomic && refused_any();
        let (mut set, marks) = unit.into_set(None);
        if given_up {
            set = WriteSet { tenant: set.tenant, ..WriteSet::default() };
        }
        let (next, chunk) = self.after(operation, range, given_up);
        let step = Operated::Step { operation: Box::new(next.clone()), chunks: vec![chunk] };
        set.operated = Some(step);
        let store = engine.store(self.resource);
        match store.commit(set, &self.call.bindings).await {
            Ok(()) => Ok(Attempt::Done(Box::new(next))),
            Err(CommitError::Fenced) => Ok(Attempt::Lost),
            Err(CommitError::Conflict { .. }) => Ok(Attempt::Again),
            Err(CommitError::Unavailable(why)) => Err(Stop::Later(why)),
            Err(error) => self.refuse(&marks, &made, error),
        }
    }

    /// Notes which row the store refused.
    fn refuse(
        &mut self,
        marks: &[Mark],
        made: &[usize],
        error: CommitError,
    ) -> Result<Attempt, Stop> {
        let (at, failure) = refused(&self.bench.live.engine.plan, marks, error);
        let row = made.get(at).ok_or_else(|| Stop::Never(problem(kinds::INTERNAL)))?;
        self.fates[*row] = Fate::Refused(failure);
        Ok(Attempt::Refused)
    }

    /// The operation after a set of rows, and the report of them.
    fn after(
        &self,
        operation: &Operation,
        range: std::ops::Range<usize>,
        given_up: bool,
    ) -> (Operation, Chunk) {
        let mut next = self.bench.next(operation);
        let (mut data, mut failed, mut rows) = (Vec::new(), 0, 0);
        let trace = trace_of(self.call);
        for at in range.clone() {
            let line = self.rows[at].line;
            match &self.fates[at] {
                Fate::Made(id) if !given_up => {
                    data.extend_from_slice(format!("{{\"line\":{line},\"status\":201,").as_bytes());
                    data.extend_from_slice(b"\"id\":");
                    write::id(&mut data, *id);
                    data.extend_from_slice(b"}\n");
                }
                Fate::Made(_) | Fate::Open => continue,
                Fate::Refused(failure) => {
                    failed += 1;
                    let (status, problem) = (failure.kind.status, problem_text(failure, trace));
                    let row =
                        format!("{{\"line\":{line},\"status\":{status},\"problem\":{problem}}}\n");
                    data.extend_from_slice(row.as_bytes());
                }
            }
            rows += 1;
        }
        let number = operation.done;
        next.failed += failed;
        next.done += if given_up { failed } else { range.len() as i64 };
        if given_up {
            self.bench.end(&mut next, State::Failed);
            let detail = format!(
                "{failed} of {} rows are refused, so that none was made: the report says why",
                range.len()
            );
            let problem = Problem::new(kinds::INVALID_VALUE).detail(detail);
            next.problem = Some(problem_text(&problem, trace));
        } else if next.total.is_some_and(|total| next.done >= total) {
            self.bench.end(&mut next, State::Done);
            let (made, failed) = (next.done - next.failed, next.failed);
            next.result = Some(format!("{{\"rows_created\":{made},\"rows_failed\":{failed}}}"));
        }
        let chunk = Chunk {
            operation: operation.id,
            tenant: operation.tenant.clone(),
            part: Part::Report,
            number,
            rows,
            failed,
            data: String::from_utf8(data).unwrap_or_default(),
        };
        (next, chunk)
    }
}

/// What came of a set.
enum Attempt {
    /// It is committed; the operation as it is now.
    Done(Box<Operation>),
    /// Others were faster: the same once more.
    Again,
    /// The store refused a row.
    Refused,
    /// Somebody else has the operation, or cancelled it.
    Lost,
}
