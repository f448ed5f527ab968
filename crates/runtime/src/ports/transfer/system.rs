//! Mainstay's own tables as they travel: the one list. Tests compare it with what the stores make.

use super::Form;
use ir::schema::Storage;

/// One of Mainstay's own tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemTable {
    /// As on SQLite: `mainstay_outbox`. On PostgreSQL it is `mainstay.outbox`.
    pub name: &'static str,
    /// The column by which rows are ordered and told apart.
    pub key: &'static str,
    /// The store counts the key itself: the order travels, the numbers do not.
    pub counted: bool,
    /// The column that names the tenant of a row.
    pub tenant: Option<&'static str>,
    /// All other columns that travel.
    pub columns: &'static [SystemColumn],
    /// Only rows of these keys travel; all where there is none.
    pub only: &'static [&'static str],
    /// It is one for all services, not in the place of one.
    pub of_system: bool,
    /// Where services have files of their own, a row may be in each of them.
    pub alike: bool,
}

/// A column of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemColumn {
    /// Its name, on both stores.
    pub name: &'static str,
    /// What its cells are. A position travels as the id of the event that is there.
    pub form: Form,
    /// The table gained it later: what rows have that were kept before.
    pub gained: Option<i64>,
}

const fn column(name: &'static str, form: Form) -> SystemColumn {
    SystemColumn { name, form, gained: None }
}

const fn gained(name: &'static str, form: Form, before: i64) -> SystemColumn {
    SystemColumn { name, form, gained: Some(before) }
}

const INT: Form = Form::Stored(Storage::Int);
const TEXT: Form = Form::Stored(Storage::Text);
const JSON: Form = Form::Stored(Storage::Json);
const TIME: Form = Form::Stored(Storage::Timestamp);
const UUID: Form = Form::Stored(Storage::Uuid);
const BOOL: Form = Form::Stored(Storage::Bool);

impl SystemTable {
    /// Columns that the table gained later, with what rows have there that were kept before.
    pub fn gained(&self) -> impl Iterator<Item = (&'static str, Form, i64)> {
        let columns = self.columns.iter();
        columns.filter_map(|column| Some((column.name, column.form, column.gained?)))
    }
}

/// All of them.
pub const SYSTEM: &[SystemTable] = &[
    SystemTable {
        name: "mainstay_meta",
        key: "name",
        counted: false,
        tenant: None,
        columns: &[column("name", TEXT), column("value", TEXT)],
        only: &["created", "cursor_key", "home_issuer"],
        of_system: false,
        alike: true,
    },
    SystemTable {
        name: "mainstay_idempotency",
        key: "scope",
        counted: false,
        tenant: Some("tenant"),
        columns: &[
            column("scope", Form::Bytes),
            column("fingerprint", Form::Bytes),
            column("status", Form::Small),
            column("headers", JSON),
            column("body", Form::Bytes),
            column("expires", TIME),
        ],
        only: &[],
        of_system: false,
        alike: true,
    },
    SystemTable {
        name: "mainstay_outbox",
        key: "position",
        counted: true,
        tenant: Some("tenant"),
        columns: &[
            column("id", UUID),
            column("event", TEXT),
            column("resource", TEXT),
            column("row_id", UUID),
            column("time", TIME),
            column("data", JSON),
            column("trace", TEXT),
            gained("version", INT, 1),
        ],
        only: &[],
        of_system: false,
        alike: false,
    },
    // Behind the events that they speak of: positions are counted anew.
    SystemTable {
        name: "mainstay_consumers",
        key: "id",
        counted: false,
        tenant: Some("tenant"),
        columns: &[
            column("id", UUID),
            column("consumer", TEXT),
            column("source", TEXT),
            column("part", INT),
            column("position", UUID),
            column("epoch", INT),
            column("owner", TEXT),
            column("until", TIME),
        ],
        only: &[],
        of_system: false,
        alike: false,
    },
    SystemTable {
        name: "mainstay_inbox",
        key: "id",
        counted: false,
        tenant: Some("tenant"),
        columns: &[
            column("id", UUID),
            column("consumer", TEXT),
            column("event", UUID),
            column("time", TIME),
        ],
        only: &[],
        of_system: false,
        alike: false,
    },
    SystemTable {
        name: "mainstay_projections",
        key: "id",
        counted: false,
        tenant: Some("tenant"),
        columns: &[
            column("id", UUID),
            column("consumer", TEXT),
            column("source", TEXT),
            column("position", UUID),
        ],
        only: &[],
        of_system: false,
        alike: false,
    },
    SystemTable {
        name: "mainstay_deliveries",
        key: "id",
        counted: false,
        tenant: Some("tenant"),
        columns: &[
            column("id", UUID),
            column("consumer", TEXT),
            column("source", TEXT),
            column("part", INT),
            column("position", UUID),
            column("event_id", UUID),
            column("event", TEXT),
            column("resource", TEXT),
            column("row_id", UUID),
            column("time", TIME),
            column("data", JSON),
            column("trace", TEXT),
            column("state", TEXT),
            column("attempts", INT),
            column("due", TIME),
            column("since", TIME),
            column("errors", JSON),
            column("edited", BOOL),
            gained("version", INT, 1),
        ],
        only: &[],
        of_system: false,
        alike: false,
    },
    // Before its entries: they may go when their chain has.
    SystemTable {
        name: "mainstay_audit_chains",
        key: "chain",
        counted: false,
        tenant: Some("tenant"),
        columns: &[
            column("chain", TEXT),
            column("number", INT),
            column("hash", Form::Bytes),
            column("removed", INT),
            column("removed_hash", Form::Bytes),
        ],
        only: &[],
        of_system: false,
        alike: false,
    },
    SystemTable {
        name: "mainstay_audit",
        key: "id",
        counted: false,
        tenant: Some("tenant"),
        columns: &[
            column("chain", TEXT),
            column("number", INT),
            column("id", UUID),
            column("time", TIME),
            column("who", TEXT),
            column("operation", TEXT),
            column("resource", TEXT),
            column("row_id", UUID),
            column("body", TEXT),
            column("previous", Form::Bytes),
            column("hash", Form::Bytes),
        ],
        only: &[],
        of_system: false,
        alike: false,
    },
    SystemTable {
        name: "mainstay_api_keys",
        key: "prefix",
        counted: false,
        tenant: Some("tenant"),
        columns: &[
            column("prefix", TEXT),
            column("hash", Form::Bytes),
            column("actor", TEXT),
            column("roles", JSON),
            column("subject", TEXT),
            column("label", TEXT),
            column("created", TIME),
            column("expires", TIME),
            column("revoked", TIME),
            column("used", TIME),
        ],
        only: &[],
        of_system: true,
        alike: false,
    },
    SystemTable {
        name: "mainstay_webhooks",
        key: "id",
        counted: false,
        tenant: Some("tenant"),
        columns: &[
            column("id", UUID),
            column("owner", TEXT),
            column("actor", TEXT),
            column("url", TEXT),
            column("events", TEXT),
            column("description", TEXT),
            column("signing", TEXT),
            column("secret", TEXT),
            column("previous", TEXT),
            column("previous_until", TIME),
            column("state", TEXT),
            column("reason", TEXT),
            column("failing", TIME),
            column("created", TIME),
            column("updated", TIME),
        ],
        only: &[],
        of_system: false,
        alike: false,
    },
    SystemTable {
        name: "mainstay_webhook_attempts",
        key: "id",
        counted: false,
        tenant: Some("tenant"),
        columns: &[
            column("id", UUID),
            column("endpoint", UUID),
            column("event_id", UUID),
            column("event", TEXT),
            column("at", TIME),
            column("status", INT),
            column("error", TEXT),
            column("took", INT),
            column("answer", TEXT),
        ],
        only: &[],
        of_system: false,
        alike: false,
    },
    SystemTable {
        name: "mainstay_operations",
        key: "id",
        counted: false,
        tenant: Some("tenant"),
        columns: &[
            column("id", UUID),
            column("kind", TEXT),
            column("owner", TEXT),
            column("caller", TEXT),
            column("input", TEXT),
            column("priority", INT),
            column("created", INT),
            column("trace", TEXT),
            column("state", TEXT),
            column("total", INT),
            column("done", INT),
            column("failed", INT),
            column("attempts", INT),
            column("due", INT),
            column("epoch", INT),
            column("worker", TEXT),
            column("until", INT),
            column("place", TEXT),
            column("result", TEXT),
            column("problem", TEXT),
            column("started", INT),
            column("ended", INT),
            column("expires", INT),
        ],
        only: &[],
        of_system: false,
        alike: false,
    },
    SystemTable {
        name: "mainstay_operation_chunks",
        key: "id",
        counted: false,
        tenant: Some("tenant"),
        columns: &[
            column("id", UUID),
            column("operation", UUID),
            column("part", TEXT),
            column("number", INT),
            column("rows", INT),
            column("failed", INT),
            column("data", TEXT),
        ],
        only: &[],
        of_system: false,
        alike: false,
    },
];
