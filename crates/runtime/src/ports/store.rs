//! The store port: read, evaluate, then commit a [`WriteSet`] as data.
//!
//! Reads give a consistent snapshot per call. A commit is atomic and durable when it returns: the
//! acknowledgement comes after the fsync. No hook and no user code ever runs inside a transaction,
//! so commits can be grouped and pipelined.

use super::audit;
use super::changes::{Hearing, Hears};
use super::events::{Consumed, Eventing, Projected};
use super::operations::{Operated, Operations};
use super::webhooks::Webhooks;
use crate::record::Record;
use futures::future::BoxFuture;
use ir::domain::{Domain, FieldId, ResourceId};
use ir::expr::{Expr, FieldRef};
use ir::value::Value;
use std::borrow::Cow;
use std::sync::{Arc, Weak};

/// Whose rows: every call carries it. `None` where the system has no tenants; shared resources
/// ignore it.
pub type Tenant = Option<Arc<str>>;

/// What a condition may speak of beside the row.
#[derive(Debug, Clone, Default)]
pub struct Bindings {
    /// Subject of the caller; none for callers without token, where it compares as null does.
    pub me: Option<Arc<str>>,
    /// Microseconds since 1970.
    pub now: i64,
    /// Microseconds since 1970 after which the store stops working on the call; 0: never.
    pub deadline: i64,
    /// What its reads may miss.
    pub fresh: Fresh,
}

/// What a read may miss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fresh {
    /// Nothing that was committed before.
    #[default]
    Newest,
    /// What others wrote lately: it has what the caller and its tenant wrote in this process, and
    /// whatever was written before a position.
    Own {
        /// Of [`Store::position`]; 0 where the caller knows none.
        after: u64,
    },
}

/// A page of rows in a total order.
#[derive(Debug, Clone)]
pub struct ListQuery<'a> {
    /// Of which root resource.
    pub resource: ResourceId,
    /// All must hold: the access rule first, then the client's filters. Scope: the row.
    pub filter: Vec<Cow<'a, Expr>>,
    /// Folded words that must all begin some word of a searched field.
    pub search: Vec<String>,
    /// Sort keys, `true` for descending; always ends in the id.
    pub sort: Vec<(FieldRef, bool)>,
    /// Values of the sort keys of the row that was last on the page before.
    pub after: Option<Vec<Value>>,
    /// Rows at most.
    pub rows_max: u32,
    /// Children fields to load.
    pub children: &'a [FieldId],
}

/// One change in a [`WriteSet`].
#[derive(Debug, Clone)]
pub enum Write {
    /// A new row with its children. Its version is 1.
    Insert {
        /// Of which root.
        resource: ResourceId,
        /// The row.
        record: Arc<Record>,
    },
    /// Replaces the row if it still has that version; the new version is one more.
    Update {
        /// Of which root.
        resource: ResourceId,
        /// The row as it is to be (its `version` already the new one); children unused here.
        record: Arc<Record>,
        /// Fields whose values are others than were read, in the order of their ids; a store may
        /// leave the others as they are.
        fields: Vec<FieldId>,
        /// The version that was read.
        expected: i64,
        /// Children fields that change: rows that go, rows that are put (by id: new or replaced),
        /// with their positions in the order of the list.
        children: Vec<(FieldId, ChildChange)>,
    },
    /// Deletes the row and its children if it still has that version.
    Delete {
        /// Of which root.
        resource: ResourceId,
        /// The row.
        id: u128,
        /// The version that was read.
        expected: i64,
    },
    /// Raises a counter without touching the version; a missing row is no fault.
    Count {
        /// Of which root.
        resource: ResourceId,
        /// The row.
        id: u128,
        /// The counter.
        field: FieldId,
        /// By how much.
        by: i64,
    },
    /// Deletes every row of the tenant: of a view, before it is made anew.
    Clear {
        /// Of which root.
        resource: ResourceId,
    },
}

impl Write {
    /// The root that it is of.
    pub fn resource(&self) -> ResourceId {
        match self {
            Self::Insert { resource, .. }
            | Self::Update { resource, .. }
            | Self::Delete { resource, .. }
            | Self::Count { resource, .. }
            | Self::Clear { resource } => *resource,
        }
    }
}

/// What happens to the children of one field.
#[derive(Debug, Clone, Default)]
pub struct ChildChange {
    /// Ids of rows that go.
    pub removed: Vec<u128>,
    /// All rows that stay or come, in order: the position of a row is its index here.
    pub put: Vec<Record>,
}

/// An event to be published, written in the transaction that caused it.
#[derive(Debug, Clone)]
pub struct OutboxRow {
    /// UUIDv7; the CloudEvents id.
    pub id: u128,
    /// `order.placed`
    pub event: String,
    /// The version that `data` is of.
    pub version: u32,
    /// What it is about.
    pub about: About,
    /// The row's id: the ordering key.
    pub row: u128,
    /// Microseconds since 1970.
    pub time: i64,
    /// JSON data.
    pub data: String,
    /// W3C trace parent, if there was one.
    pub trace: Option<String>,
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A row of ours, of that resource.
    Row(ResourceId),
    /// What a system outside tells, by the name of its receiver ([`Domain::sender_name`]).
    Sender(Arc<str>),
}

impl About {
    /// As it is stored: `ordering.Order`, `ordering.payments`.
    pub fn name(&self, domain: &Domain) -> String {
        match self {
            Self::Row(resource) => domain.full_name(*resource),
            Self::Sender(name) => name.to_string(),
        }
    }
}

/// The stored answer of an idempotent request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// SHA-256 of tenant, principal, method, path and key.
    pub scope: [u8; 32],
    /// Digests of canonical body, query and `If-Match`, and of the caller's roles.
    pub fingerprint: [u8; 32],
    /// Status code.
    pub status: u16,
    /// Headers to replay.
    pub headers: Vec<(String, String)>,
    /// Body to replay.
    pub body: Vec<u8>,
    /// Microseconds since 1970 when it is forgotten.
    pub expires: i64,
}

/// Changes that commit together or not at all.
#[derive(Debug, Clone, Default)]
pub struct WriteSet {
    /// Whose.
    pub tenant: Tenant,
    /// In order.
    pub writes: Vec<Write>,
    /// The answer to keep for the idempotency key, if one was given.
    pub answer: Option<StoredAnswer>,
    /// Events caused.
    pub outbox: Vec<OutboxRow>,
    /// What the audit trail says of it.
    pub audit: Vec<audit::Entry>,
    /// The event whose effect it is.
    pub consumed: Option<Consumed>,
    /// The events that it folds into a view.
    pub projected: Option<Projected>,
    /// The operation that begins with it, or that it is a step of.
    pub operated: Option<Operated>,
    /// What processes that keep answers are told once it is committed, and only then.
    pub told: Option<String>,
}

/// Why a commit did not happen; nothing of the set was written. `write` is the index of the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitError {
    /// The row has another version by now, or is gone.
    Conflict {
        /// Index of the change.
        write: usize,
    },
    /// A unique constraint: index in the resource's `uniques`.
    Duplicate {
        /// Index of the change.
        write: usize,
        /// Of that resource (a child's, perhaps).
        resource: ResourceId,
        /// Which.
        unique: usize,
    },
    /// Spans that may not overlap: index in the resource's `overlaps`.
    Overlap {
        /// Index of the change.
        write: usize,
        /// Of that resource.
        resource: ResourceId,
        /// Which.
        overlap: usize,
    },
    /// A reference inside the context to a row that is not there.
    UnknownReference {
        /// Index of the change.
        write: usize,
        /// Of that resource (a child's, perhaps).
        resource: ResourceId,
        /// The reference.
        field: FieldId,
        /// The id that is not there.
        id: u128,
    },
    /// The row to delete is still referred to.
    StillReferenced {
        /// Index of the change.
        write: usize,
        /// By rows of that resource.
        by: ResourceId,
    },
    /// Another process stored an answer for the same key first: read it and replay.
    AnswerExists,
    /// The inbox has the event already: its effect is committed.
    Consumed,
    /// Somebody else folded events into the view meanwhile, or works on the operation, or it is
    /// over; or too many wait for another to begin.
    Fenced,
    /// The store can't: the text is for the log, never for a client.
    Unavailable(Unavailable),
}

/// Why a store can't serve right now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unavailable {
    /// Too many writes wait: shed.
    Busy,
    /// The deadline passed.
    Deadline,
    /// Disk full.
    Full,
    /// Read-only file or server.
    ReadOnly,
    /// Anything else, for the log.
    Broken(String),
}

/// A store of one service's contexts.
pub trait Store: Send + Sync {
    /// Rows by id, in no order, those that are there; `children` are loaded.
    fn get<'a>(
        &'a self,
        tenant: &'a Tenant,
        resource: ResourceId,
        ids: &'a [u128],
        children: &'a [FieldId],
        bindings: &'a Bindings,
    ) -> BoxFuture<'a, Result<Vec<Record>, Unavailable>>;

    /// A page of rows.
    fn list<'a>(
        &'a self,
        tenant: &'a Tenant,
        query: &'a ListQuery<'a>,
        bindings: &'a Bindings,
    ) -> BoxFuture<'a, Result<Vec<Record>, Unavailable>>;

    /// The answer stored for an idempotency scope, unless it has expired.
    fn answer<'a>(
        &'a self,
        tenant: &'a Tenant,
        scope: &'a [u8; 32],
        now: i64,
    ) -> BoxFuture<'a, Result<Option<StoredAnswer>, Unavailable>>;

    /// Commits all or nothing; durable when it returns.
    fn commit<'a>(
        &'a self,
        set: WriteSet,
        bindings: &'a Bindings,
    ) -> BoxFuture<'a, Result<(), CommitError>>;

    /// A page of a tenant's audit trail, newest first; of what tenants share where none is named.
    fn audit<'a>(
        &'a self,
        tenant: &'a Tenant,
        query: &'a audit::Query,
        bindings: &'a Bindings,
    ) -> BoxFuture<'a, Result<Vec<audit::Kept>, Unavailable>>;

    /// Opens what the thread that asks reads by, so that its first call need not. Whatever fails
    /// is told to who needs it.
    fn warm(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// True where it can serve; for `/readyz`.
    fn ready(&self) -> BoxFuture<'_, Result<(), Unavailable>>;

    /// True where a tenant has a place for its rows already, or needs none of its own: the first
    /// commit makes it.
    fn knows<'a>(&'a self, tenant: &'a Tenant) -> BoxFuture<'a, Result<bool, Unavailable>>;

    /// A position that everything committed so far is before, where reads may be answered by copies
    /// that lag: a caller who takes it to another process finds there what it wrote here.
    fn position(&self) -> BoxFuture<'_, Option<u64>> {
        Box::pin(std::future::ready(None))
    }

    /// Tenants that have rows of a resource, each once; none alone where it has no tenants.
    fn tenants(&self, _resource: ResourceId) -> BoxFuture<'_, Result<Vec<Tenant>, Unavailable>> {
        Box::pin(std::future::ready(Ok(vec![None])))
    }

    /// Its log and what consumers remember; none where it has no events.
    fn eventing(&self) -> Option<&dyn Eventing> {
        None
    }

    /// Endpoints of webhooks; none where it keeps none.
    fn webhooks(&self) -> Option<&dyn Webhooks> {
        None
    }

    /// Long-running operations; none where it keeps none.
    fn operations(&self) -> Option<&dyn Operations> {
        None
    }

    /// Tells somebody what other processes commit from now on, as long as he is there.
    fn tell(&self, _who: Weak<dyn Hears>) -> Hearing {
        Hearing::Alone
    }

    /// Whether the last commit could be written, as far as the store had to do with it. Reads are
    /// answered either way.
    fn writes(&self) -> Result<(), Unavailable> {
        Ok(())
    }
}
