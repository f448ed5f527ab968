//! The port of long-running operations: what was asked for, how far it is, and what came of it.
//!
//! An operation begins, and each of its steps is kept, as a part of a set of changes
//! ([`Operated`]): what a step does and that it was done are committed together, or neither is.
//! Who works on one has claimed it; what is written under an older claim is refused, as is a step
//! of one that was cancelled meanwhile.

use super::events::Place;
use super::store::{Tenant, Unavailable};
use futures::future::BoxFuture;
use std::sync::Arc;

/// One that waited so long is taken as if its priority were one step higher: the lowest is not
/// starved.
pub const AGEING_MICROS: i64 = 300 * 1_000_000;

/// How an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It waits for its turn.
    Queued,
    /// Somebody works on it.
    Running,
    /// All of it was done.
    Done,
    /// It was given up.
    Failed,
    /// Somebody wanted no more of it.
    Cancelled,
}

impl State {
    /// As it is stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The one of a name.
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::Queued, Self::Running, Self::Done, Self::Failed, Self::Cancelled];
        all.into_iter().find(|state| state.name() == name)
    }

    /// Nothing follows any more.
    pub fn is_over(self) -> bool {
        match self {
            Self::Queued | Self::Running => false,
            Self::Done | Self::Failed | Self::Cancelled => true,
        }
    }
}

/// What comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Before all others.
    High,
    /// Where nothing else is said.
    #[default]
    Normal,
    /// When nothing else waits, or has waited long enough.
    Low,
}

impl Priority {
    /// As it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }

    /// As it is stored: 0 comes first.
    pub fn rank(self) -> i64 {
        match self {
            Self::High => 0,
            Self::Normal => 1,
            Self::Low => 2,
        }
    }

    /// The one of a rank.
    pub fn ranked(rank: i64) -> Option<Self> {
        [Self::High, Self::Normal, Self::Low].into_iter().find(|one| one.rank() == rank)
    }
}

/// An operation as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// UUIDv7.
    pub id: u128,
    /// Whose.
    pub tenant: Tenant,
    /// What it does, and of what: `import catalog.Product`, `export catalog.Product`.
    pub kind: Arc<str>,
    /// Names the caller who asked for it.
    pub owner: Arc<str>,
    /// The caller as JSON, so that it is done with its rights.
    pub caller: Arc<str>,
    /// How it stands.
    pub state: State,
    /// What comes first.
    pub priority: Priority,
    /// Rows to do; none where nobody knows yet.
    pub total: Option<i64>,
    /// Rows that were done, or failed.
    pub done: i64,
    /// Rows that failed.
    pub failed: i64,
    /// How often somebody began to work on it.
    pub attempts: i64,
    /// Not before this, in microseconds since 1970.
    pub due: i64,
    /// Grows with each claim: what an earlier one still writes is refused.
    pub epoch: i64,
    /// Which process works on it, or did.
    pub worker: Arc<str>,
    /// Until when its claim holds, in microseconds since 1970.
    pub until: i64,
    /// What was asked for, as JSON.
    pub input: Arc<str>,
    /// Where it goes on: a cursor.
    pub place: String,
    /// What came of it, as JSON.
    pub result: Option<String>,
    /// Why it failed, as JSON.
    pub problem: Option<String>,
    /// Microseconds since 1970.
    pub created: i64,
    /// When somebody last began to work on it.
    pub started: Option<i64>,
    /// When it was over.
    pub ended: Option<i64>,
    /// After this it is forgotten.
    pub expires: Option<i64>,
    /// W3C trace parent of the call that asked, if there was one.
    pub trace: Option<Arc<str>>,
}

/// What is kept of an operation in pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Rows that came with it.
    Input,
    /// What became of each row.
    Report,
    /// What it made.
    Result,
}

impl Part {
    /// As it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Report => "report",
            Self::Result => "result",
        }
    }

    /// The one of a name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Input, Self::Report, Self::Result].into_iter().find(|part| part.name() == name)
    }
}

/// A piece of what is kept of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Of which operation.
    pub operation: u128,
    /// Whose.
    pub tenant: Tenant,
    /// Of what.
    pub part: Part,
    /// Number of its first row, from 0: pieces of one part have different ones.
    pub number: i64,
    /// How many rows.
    pub rows: i64,
    /// How many of them failed.
    pub failed: i64,
    /// The rows, a line each.
    pub data: String,
}

/// What a set of changes does to an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operated {
    /// It begins. The set is refused with [`super::store::CommitError::Fenced`] where the tenant
    /// has as many that wait as it may.
    Begin {
        /// The new one.
        operation: Box<Operation>,
        /// What came with it.
        chunks: Vec<Chunk>,
        /// How many of its tenant may wait.
        waiting_max: u32,
    },
    /// A step of who claimed it: all of it that can change is as given. The set is refused with
    /// [`super::store::CommitError::Fenced`] where the claim has ended, or it is over. The rows
    /// that came with it go when it is over.
    Step {
        /// As it is then.
        operation: Box<Operation>,
        /// What the step made.
        chunks: Vec<Chunk>,
    },
}

impl Operated {
    /// The operation.
    pub fn operation(&self) -> &Operation {
        match self {
            Self::Begin { operation, .. } | Self::Step { operation, .. } => operation,
        }
    }

    /// What comes with it.
    pub fn chunks(&self) -> &[Chunk] {
        match self {
            Self::Begin { chunks, .. } | Self::Step { chunks, .. } => chunks,
        }
    }
}

/// Who wants something to do.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Which process.
    pub worker: Arc<str>,
    /// Microseconds since 1970.
    pub now: i64,
    /// Until when the claim is to hold.
    pub until: i64,
    /// What it can do, each with how many of it may run at a time; none: any number.
    pub kinds: Vec<(Arc<str>, Option<u32>)>,
}

/// Operations that wait or run, of one kind and priority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// What they do.
    pub kind: String,
    /// How they stand: queued or running.
    pub state: State,
    /// What comes first.
    pub priority: Priority,
    /// How many.
    pub count: i64,
    /// When the oldest was asked for, in microseconds since 1970.
    pub oldest: i64,
}

/// What waits to be done.
pub trait Queue: Send + Sync {
    /// Claims what comes next, of those that are due, or whose claim has ended: by priority, grown
    /// by age; then of the tenant that was served longest ago; then the oldest.
    fn claim<'a>(
        &'a self,
        place: &'a Place,
        wanted: &'a Wanted,
    ) -> BoxFuture<'a, Result<Option<Operation>, Unavailable>>;

    /// Ends every claim of a process that works on none of them any more: they go on at once, here
    /// or elsewhere.
    fn recover<'a>(
        &'a self,
        place: &'a Place,
        worker: &'a str,
    ) -> BoxFuture<'a, Result<(), Unavailable>>;

    /// What waits or runs, by kind, priority and state.
    fn waiting<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Vec<Waiting>, Unavailable>>;

    /// Deletes some that expired before a time, with all that is kept of them; how many.
    fn sweep<'a>(
        &'a self,
        place: &'a Place,
        now: i64,
        rows_max: u32,
    ) -> BoxFuture<'a, Result<u64, Unavailable>>;
}

/// Which operations: of one tenant, newest first.
#[derive(Debug, Clone, Default)]
pub struct OperationQuery {
    /// Only of this caller.
    pub owner: Option<Arc<str>>,
    /// Only that one.
    pub id: Option<u128>,
    /// Only in this state.
    pub state: Option<State>,
    /// Only those before this one.
    pub before: Option<u128>,
    /// Rows at most.
    pub rows_max: u32,
}

/// Which pieces: of one part of an operation, in their order.
#[derive(Debug, Clone, Copy)]
pub struct ChunkQuery {
    /// Of which operation.
    pub operation: u128,
    /// Of what.
    pub part: Part,
    /// Only those that hold this row, or rows behind it.
    pub from: i64,
    /// Only those with rows that failed.
    pub failed: bool,
    /// Pieces at most.
    pub rows_max: u32,
}

/// What is known of operations.
pub trait Records: Send + Sync {
    /// A page of a tenant's operations.
    fn operations<'a>(
        &'a self,
        tenant: &'a Tenant,
        query: &'a OperationQuery,
    ) -> BoxFuture<'a, Result<Vec<Operation>, Unavailable>>;

    /// Pieces of what is kept of one.
    fn chunks<'a>(
        &'a self,
        tenant: &'a Tenant,
        query: &'a ChunkQuery,
    ) -> BoxFuture<'a, Result<Vec<Chunk>, Unavailable>>;

    /// Ends one that is not over: what is committed stays, and no step follows. False where it is
    /// over, or not there. `times`: now, and after which it is forgotten.
    fn cancel<'a>(
        &'a self,
        tenant: &'a Tenant,
        id: u128,
        times: (i64, i64),
    ) -> BoxFuture<'a, Result<bool, Unavailable>>;

    /// Deletes one that is over with all that is kept of it; false where it is not over, or not
    /// there.
    fn remove<'a>(
        &'a self,
        tenant: &'a Tenant,
        id: u128,
    ) -> BoxFuture<'a, Result<bool, Unavailable>>;
}

/// All that a store with operations can do.
pub trait Operations: Queue + Records {}

impl<T: Queue + Records> Operations for T {}
