//! An order as it is written: owned, because it crosses to the thread or connection that writes.

use super::json::{self, Head, Line};
use std::sync::Arc;

/// An order with its lines.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// UUIDv7
    pub(crate) id: u128,
    /// Counts the writes.
    pub(crate) version: i64,
    /// Microseconds since 1970.
    pub(crate) created_at: i64,
    /// Microseconds since 1970.
    pub(crate) updated_at: i64,
    /// Whose.
    pub(crate) shopper: Arc<str>,
    /// In ten-thousandths.
    pub(crate) total: i64,
    /// ISO 4217
    pub(crate) currency: [u8; 3],
    /// What the shopper wants known.
    pub(crate) note: Option<String>,
    /// Where it stands.
    pub(crate) status: String,
    /// What is ordered.
    pub(crate) lines: Vec<OrderLine>,
}

/// A line of an order.
#[derive(Debug, Clone)]
pub(crate) struct OrderLine {
    /// UUIDv7
    pub(crate) id: u128,
    /// Of the catalog.
    pub(crate) product: u128,
    /// In ten-thousandths.
    pub(crate) price: i64,
    /// ISO 4217
    pub(crate) currency: [u8; 3],
    /// How many.
    pub(crate) quantity: i64,
    /// Price of all.
    pub(crate) amount: i64,
}

/// A currency as text.
pub(crate) fn currency(code: &[u8; 3]) -> &str {
    std::str::from_utf8(code).unwrap_or("XXX")
}

/// A currency from text.
pub(crate) fn code(text: &str) -> [u8; 3] {
    text.as_bytes().try_into().unwrap_or(*b"XXX")
}

impl Order {
    /// The order without its lines.
    pub(crate) fn head(&self) -> Head<'_> {
        Head {
            id: self.id,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            shopper: &self.shopper,
            total: self.total,
            currency: currency(&self.currency),
            note: self.note.as_deref(),
            status: &self.status,
        }
    }

    fn lines(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"lines\":[");
        for (at, line) in self.lines.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            let currency = currency(&line.currency);
            let OrderLine { id, product, price, quantity, amount, .. } = *line;
            json::line(out, &Line { id, product, price, currency, quantity, amount });
        }
        out.push(b']');
    }

    /// What the shopper is shown.
    pub(crate) fn body(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(384 + self.lines.len() * 224);
        let head = self.head();
        json::open(&mut out, &head, json::ALL);
        self.lines(&mut out);
        json::close(&mut out, &head, json::ALL);
        out
    }

    /// The data of `order.placed`.
    pub(crate) fn placed(&self) -> String {
        let mut out = Vec::with_capacity(384 + self.lines.len() * 224);
        let head = self.head();
        json::open(&mut out, &head, json::SHOPPER);
        self.lines(&mut out);
        json::close(&mut out, &head, json::TOTAL);
        String::from_utf8(out).unwrap_or_default()
    }
}

/// An answer kept for an idempotency key.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// Digest of tenant, caller, method, path and key.
    pub(crate) scope: [u8; 32],
    /// Digest of body, query and `If-Match`.
    pub(crate) fingerprint: [u8; 32],
    /// HTTP status.
    pub(crate) status: u16,
    /// `[["location","…"],["etag","…"]]`
    pub(crate) headers: String,
    /// The body.
    pub(crate) body: Vec<u8>,
    /// Microseconds since 1970.
    pub(crate) expires: i64,
}

/// One transaction.
#[derive(Debug)]
pub(crate) struct Change {
    /// Whose rows.
    pub(crate) tenant: Arc<str>,
    /// Now, in microseconds since 1970.
    pub(crate) now: i64,
    /// What.
    pub(crate) what: What,
    /// The answer to keep with it.
    pub(crate) kept: Option<Kept>,
}

/// What a transaction does.
#[derive(Debug)]
pub(crate) enum What {
    /// A new order with its lines.
    Create(Order),
    /// Another note, of the version before this one.
    Note(Order),
    /// Another state and the event of it, of the version before this one.
    Place(Order, Event),
}

/// A row of the outbox.
#[derive(Debug)]
pub(crate) struct Event {
    /// UUIDv7
    pub(crate) id: u128,
    /// JSON
    pub(crate) data: String,
    /// W3C trace parent.
    pub(crate) trace: String,
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Durable.
    Done,
    /// The row has another version by now.
    Conflict,
    /// The key has an answer already.
    Answered,
    /// The store failed.
    Broken,
}
