//! The event port: the log of a store, and what consumers remember beside it.
//!
//! The outbox is the log. An event stands in it once the change that it reports is committed, under
//! a number that grows in the order of commits: whoever has read up to a number has missed nothing
//! before it. On SQLite the one writer numbers; on PostgreSQL, where positions are drawn before the
//! commit, whoever reads first numbers what has been committed, under a lock that the database
//! holds until that is committed itself.
//!
//! A consumer works through the log in parts, each of which one process claims at a time. What it
//! remembers is fenced by the claim's epoch, and the effect of an event is committed with its inbox
//! row ([`Consumed`]) or its checkpoint ([`Projected`]) in one set of changes: so a delivery may be
//! repeated, and its effect is not.

use super::store::{Tenant, Unavailable};
use futures::future::BoxFuture;
use std::sync::Arc;
use tokio::sync::watch;

/// Parts that the keys of a log are spread over: a consumer's part number n of m takes the slots
/// whose number is n modulo m.
pub const SLOTS: u32 = 64;

/// Whose log: the store's own, or that of a tenant that has a place for itself.
pub type Place = Tenant;

/// The slot of a row, by FNV-1a over its id: the same in every process and build.
pub fn slot(row: u128) -> u32 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = row.to_be_bytes().iter().fold(0xcbf2_9ce4_8422_2325, step);
    u32::try_from(hash % u64::from(SLOTS)).unwrap_or_default()
}

/// An event in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Its number in the log.
    pub position: i64,
    /// UUIDv7; the CloudEvents id.
    pub id: u128,
    /// Whose.
    pub tenant: Tenant,
    /// `order.placed`
    pub event: Arc<str>,
    /// The version that `data` is of.
    pub version: u32,
    /// Full name of the resource it is about, `ordering.Order`.
    pub resource: Arc<str>,
    /// The row it is about: the ordering key.
    pub row: u128,
    /// Microseconds since 1970.
    pub time: i64,
    /// JSON data.
    pub data: Arc<str>,
    /// W3C trace parent, if there was one.
    pub trace: Option<Arc<str>>,
}

/// Events of one tenant, as they are listed.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// Only those after this position; newest first only those before it. None: from the end
    /// where the order begins.
    pub from: Option<i64>,
    /// Newest first.
    pub newest_first: bool,
    /// Only these; empty: all.
    pub events: Vec<String>,
    /// Only of that row.
    pub row: Option<u128>,
    /// Only not before this, in microseconds since 1970.
    pub since: Option<i64>,
    /// Only before this.
    pub until: Option<i64>,
    /// Rows at most.
    pub rows_max: u32,
}

/// What a log holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    /// Position of the last event, 0 where there never was one.
    pub last: i64,
    /// Position before the first event that is still there: whoever has read up to here, or
    /// further, has missed nothing.
    pub trimmed: i64,
}

/// The log of a store.
pub trait EventLog: Send + Sync {
    /// Where logs are: the store's own first, then tenants that have a place for themselves.
    fn places(&self) -> BoxFuture<'_, Result<Vec<Place>, Unavailable>>;

    /// Changes whenever there may be new events in any of them: of this process at once, of others
    /// as soon as the database tells.
    fn appended(&self) -> watch::Receiver<u64>;

    /// Events after a position, in order; at least one where there is one, else as many as fit.
    fn after<'a>(
        &'a self,
        place: &'a Place,
        position: i64,
        rows_max: u32,
        bytes_max: usize,
    ) -> BoxFuture<'a, Result<Vec<Logged>, Unavailable>>;

    /// A page of a tenant's events; of what tenants share where none is named.
    fn page<'a>(
        &'a self,
        tenant: &'a Tenant,
        query: &'a EventQuery,
    ) -> BoxFuture<'a, Result<Vec<Logged>, Unavailable>>;

    /// What a log holds.
    fn extent<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Extent, Unavailable>>;

    /// Deletes events up to a position whose time is before a time, oldest first, none behind one
    /// that stays; how many. Events named in `keep` stay for good, and hold back nothing.
    fn trim<'a>(
        &'a self,
        place: &'a Place,
        trim: &'a Trim,
    ) -> BoxFuture<'a, Result<u64, Unavailable>>;
}

/// What may go.
#[derive(Debug, Clone, Default)]
pub struct Trim {
    /// Nothing behind this position: consumers have not read it.
    pub position: i64,
    /// Nothing that happened at or after this, in microseconds since 1970.
    pub before: i64,
    /// Events that views are made of: they stay, to be replayed.
    pub keep: Vec<String>,
    /// Rows at most.
    pub rows_max: u32,
}

/// A part of a consumer's work on one log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// Who consumes: a context's name, `view reporting.SalesByDay`.
    pub consumer: Arc<str>,
    /// Which log, as a name: of the service, and of the tenant's place behind a `/`.
    pub source: Arc<str>,
    /// Which part of the keys.
    pub number: u32,
}

/// A part that this process works on, until somebody else claims it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// What is claimed.
    pub part: Part,
    /// Grows with each change of owner: what an earlier one still writes is refused.
    pub epoch: i64,
    /// Everything up to here is settled: done, or held.
    pub position: i64,
}

/// Why a claim was refused, or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Another process has it, until then (microseconds since 1970) unless it renews.
    Taken {
        /// Until when.
        until: i64,
    },
    /// The store can't.
    Unavailable(Unavailable),
}

impl From<Unavailable> for Refused {
    fn from(why: Unavailable) -> Self {
        Self::Unavailable(why)
    }
}

/// What became of an event that is not done yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is tried again when it is due.
    Retry,
    /// It waits behind an earlier one of its key.
    Behind,
    /// It was given up: somebody has to look at it.
    Dead,
}

/// An event that a consumer keeps beside the log, with what happened to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Who could not do it yet.
    pub part: Part,
    /// The event as it was published, or as it was edited since.
    pub event: Logged,
    /// What became of it.
    pub state: State,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is tried again, in microseconds since 1970.
    pub due: i64,
    /// Since when it is held.
    pub since: i64,
    /// What went wrong, the latest last: time, problem, detail. Some of the first and the last are
    /// kept.
    pub errors: Vec<Attempt>,
    /// The data was edited by hand.
    pub edited: bool,
}

/// An attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Attempt {
    /// Microseconds since 1970.
    pub at: i64,
    /// Slug of the problem type.
    pub problem: String,
    /// What was wrong.
    pub detail: String,
}

/// Which held events.
#[derive(Debug, Clone, Default)]
pub struct HeldQuery {
    /// Only of this part.
    pub part: Option<Part>,
    /// Only of this consumer.
    pub consumer: Option<String>,
    /// Only of this tenant (of none where it holds none).
    pub tenant: Option<Tenant>,
    /// Only in this state.
    pub state: Option<State>,
    /// Only that event.
    pub event: Option<u128>,
    /// Only of that key: full name of the resource, and row.
    pub key: Option<(Arc<str>, u128)>,
    /// Only the first of each key, by position.
    pub heads: bool,
    /// Only those that are not dead; with `heads` the first of each key that is not.
    pub alive: bool,
    /// Only those behind this position.
    pub past: Option<i64>,
    /// Only due by then.
    pub due: Option<i64>,
    /// Behind this one: since when it is held, and the event; for pages, in that order.
    pub after: Option<(i64, u128)>,
    /// Rows at most.
    pub rows_max: u32,
}

/// What is done about a held event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// It is tried again from the beginning of its ladder, with other data where some is given.
    Redrive {
        /// The data in place of what was published, and the version that it is of.
        data: Option<(Arc<str>, u32)>,
    },
    /// It is given up for good, which the inbox remembers: what waits behind it goes on.
    Discard,
    /// Its effect was committed before, as the inbox says: the row goes, dead or not.
    Done,
}

/// How far a part is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Which.
    pub part: Part,
    /// Everything up to here is settled.
    pub position: i64,
    /// Which process has it, and until when; nobody where that is over.
    pub owner: Option<(String, i64)>,
}

/// What consumers remember, in the store that takes their effects. All writes are durable when they
/// return.
pub trait Consumers: Send + Sync {
    /// Claims a part, or renews the claim of the same owner, until a time. A part that nobody ever
    /// claimed begins at `from`.
    fn claim<'a>(
        &'a self,
        place: &'a Place,
        part: &'a Part,
        owner: &'a str,
        span: Span,
    ) -> BoxFuture<'a, Result<Claim, Refused>>;

    /// Keeps what the owner of a claim has found out, all or nothing: held events that are new or
    /// changed, and that everything up to a position is settled. False where the claim has ended.
    fn settle<'a>(
        &'a self,
        place: &'a Place,
        claim: &'a Claim,
        settled: &'a Settled,
    ) -> BoxFuture<'a, Result<bool, Unavailable>>;

    /// How far every part is, by consumer, source and number.
    fn progress<'a>(
        &'a self,
        place: &'a Place,
    ) -> BoxFuture<'a, Result<Vec<Progress>, Unavailable>>;

    /// The position up to which a tenant's events are folded into a view ([`Projected`]); 0 where
    /// none ever was.
    fn reached<'a>(
        &'a self,
        tenant: &'a Tenant,
        consumer: &'a str,
        source: &'a str,
    ) -> BoxFuture<'a, Result<i64, Unavailable>>;

    /// Deletes inbox rows from before a time; how many.
    fn forget<'a>(
        &'a self,
        place: &'a Place,
        before: i64,
        rows_max: u32,
    ) -> BoxFuture<'a, Result<u64, Unavailable>>;
}

/// Events that consumers keep beside the log: to be tried again, behind such a one, or dead.
pub trait DeadLetters: Send + Sync {
    /// Held events: by position within a key where the first are asked for, else in the order in
    /// which they were held.
    fn held<'a>(
        &'a self,
        place: &'a Place,
        query: &'a HeldQuery,
    ) -> BoxFuture<'a, Result<Vec<Held>, Unavailable>>;

    /// Does something about a held event that is dead (or done); false where there is none such.
    fn remedy<'a>(
        &'a self,
        place: &'a Place,
        consumer: &'a str,
        event: u128,
        remedy: &'a Remedy,
        now: i64,
    ) -> BoxFuture<'a, Result<bool, Unavailable>>;
}

/// All that a store with events can do.
pub trait Eventing: EventLog + Consumers + DeadLetters {}

impl<T: EventLog + Consumers + DeadLetters> Eventing for T {}

/// From when to when something is claimed, in microseconds since 1970, and where a part that is new
/// begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Now.
    pub now: i64,
    /// Until when.
    pub until: i64,
    /// Position that a part begins at which nobody ever claimed.
    pub from: i64,
}

/// What the owner of a claim found out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// Held events that are new or changed: all but `part` of each is stored. One whose effect the
    /// inbox has already is not held.
    pub held: Vec<Held>,
    /// Everything up to here is settled.
    pub position: i64,
    /// The claim holds until then.
    pub until: i64,
}

/// An event whose effect a set of changes is. The set is refused with
/// [`super::store::CommitError::Consumed`] where the inbox has the event already; a held event of
/// that consumer goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumed {
    /// Who.
    pub consumer: Arc<str>,
    /// The event.
    pub event: u128,
    /// Microseconds since 1970.
    pub now: i64,
}

/// Events of a tenant that a set of changes folds into a view: the checkpoint, kept by tenant and
/// committed with the rows. The set is refused with [`super::store::CommitError::Fenced`] where the
/// checkpoint is not where it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projected {
    /// The view.
    pub consumer: Arc<str>,
    /// Which log.
    pub source: Arc<str>,
    /// What [`Consumers::reached`] answered.
    pub expected: i64,
    /// Every event of the tenant up to here is in the rows then.
    pub position: i64,
}
