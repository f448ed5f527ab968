//! The statements of the event port, in both dialects, and what comes out of them.
//!
//! Whatever travels between stores is found by one column, so the tables of consumers have an `id`
//! that is made from what a row is about. That of an event begins as the event's own does: rows
//! that come one after another lie side by side.

use super::shape::{Cell, Stored};
use crate::ports::events::{Consumed, EventQuery, Logged, Part, Progress, Projected, Span};
use crate::ports::store::Tenant;
use std::fmt::Write as _;
use std::sync::Arc;

pub(crate) mod held;
pub(crate) mod hooks;
pub(crate) mod operations;
pub(crate) mod trim;

/// How a dialect names what the statements speak of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tables {
    /// Before the number of a parameter.
    pub(super) sign: char,
    /// The column of the outbox that is a position.
    pub(super) number: &'static str,
    pub(super) outbox: &'static str,
    pub(super) consumers: &'static str,
    pub(super) inbox: &'static str,
    pub(super) projections: &'static str,
    pub(super) deliveries: &'static str,
}

/// As the files have them.
pub(crate) const SQLITE: Tables = Tables {
    sign: '?',
    number: "\"position\"",
    outbox: "\"mainstay_outbox\"",
    consumers: "\"mainstay_consumers\"",
    inbox: "\"mainstay_inbox\"",
    projections: "\"mainstay_projections\"",
    deliveries: "\"mainstay_deliveries\"",
};

/// As a database has them.
#[cfg(feature = "postgres")]
pub(crate) const POSTGRESQL: Tables = Tables {
    sign: '$',
    number: "\"number\"",
    outbox: "\"mainstay\".\"outbox\"",
    consumers: "\"mainstay\".\"consumers\"",
    inbox: "\"mainstay\".\"inbox\"",
    projections: "\"mainstay\".\"projections\"",
    deliveries: "\"mainstay\".\"deliveries\"",
};

/// A statement with its parameters.
#[derive(Debug)]
pub(crate) struct Asked<'q> {
    pub(crate) text: String,
    pub(crate) cells: Vec<Cell<'q>>,
}

impl<'q> Asked<'q> {
    fn new(text: String) -> Self {
        Self { text, cells: Vec::new() }
    }

    fn with(text: String, cells: impl IntoIterator<Item = Cell<'q>>) -> Self {
        Self { text, cells: cells.into_iter().collect() }
    }

    /// Adds a parameter and writes what speaks of it: the text before it, the parameter.
    fn term(&mut self, tables: Tables, before: &str, cell: Cell<'q>) {
        self.cells.push(cell);
        // Writing to a string can't fail.
        let _written = write!(self.text, "{before} {}{}", tables.sign, self.cells.len());
    }
}

const EVENT: &str = "\"id\", \"tenant\", \"event\", \"resource\", \"row_id\", \"time\", \"data\", \
                     \"trace\", \"version\"";
/// Columns of an event in the log.
pub(crate) const LOGGED_COLUMNS: usize = 10;
/// Columns of a part's progress.
pub(crate) const PROGRESS_COLUMNS: usize = 6;

impl Tables {
    /// Events after a position.
    pub(crate) fn after(self, position: i64, rows_max: u32) -> Asked<'static> {
        let Self { number, outbox, .. } = self;
        let mut asked = Asked::new(format!("SELECT {number}, {EVENT} FROM {outbox}"));
        asked.term(self, &format!(" WHERE {number} >"), Cell::Int(position));
        asked.term(self, &format!(" ORDER BY {number} LIMIT"), Cell::Int(rows_max.into()));
        asked
    }

    /// A page of a tenant's events.
    pub(crate) fn page<'q>(self, tenant: &'q Tenant, query: &'q EventQuery) -> Asked<'q> {
        let Self { number, outbox, .. } = self;
        let mut asked = Asked::new(format!("SELECT {number}, {EVENT} FROM {outbox}"));
        match tenant {
            Some(tenant) => asked.term(self, " WHERE \"tenant\" =", text(tenant)),
            None => asked.text.push_str(" WHERE \"tenant\" IS NULL"),
        }
        let _written = match query.from {
            Some(from) => {
                let side = if query.newest_first { '<' } else { '>' };
                asked.term(self, &format!(" AND {number} {side}"), Cell::Int(from));
                Ok(())
            }
            None => write!(asked.text, " AND {number} IS NOT NULL"),
        };
        for (at, event) in query.events.iter().enumerate() {
            let before = if at == 0 { " AND \"event\" IN (" } else { "," };
            asked.term(self, before, text(event));
        }
        if !query.events.is_empty() {
            asked.text.push(')');
        }
        if let Some(row) = query.row {
            asked.term(self, " AND \"row_id\" =", uuid(row));
        }
        if let Some(since) = query.since {
            asked.term(self, " AND \"time\" >=", Cell::Int(since));
        }
        if let Some(until) = query.until {
            asked.term(self, " AND \"time\" <", Cell::Int(until));
        }
        let order = if query.newest_first { " DESC" } else { "" };
        let end = format!(" ORDER BY {number}{order} LIMIT");
        asked.term(self, &end, Cell::Int(query.rows_max.into()));
        asked
    }

    /// Puts an event into the inbox; changes no row where it is there already.
    pub(crate) fn consume<'q>(self, consumed: &'q Consumed, tenant: &'q Tenant) -> Asked<'q> {
        let (Self { inbox, .. }, s) = (self, self.sign);
        let text_of = format!(
            "INSERT INTO {inbox} (\"id\", \"consumer\", \"event\", \"tenant\", \"time\") \
             VALUES ({s}1, {s}2, {s}3, {s}4, {s}5) ON CONFLICT (\"id\") DO NOTHING"
        );
        let cells = [
            uuid(event_key(&consumed.consumer, consumed.event)),
            text(&consumed.consumer),
            uuid(consumed.event),
            nullable(tenant),
            Cell::Int(consumed.now),
        ];
        Asked::with(text_of, cells)
    }

    /// Gives a row where the inbox has an event.
    pub(crate) fn is_consumed(self, consumer: &str, event: u128) -> Asked<'static> {
        let (Self { inbox, .. }, s) = (self, self.sign);
        let cell = uuid(event_key(consumer, event));
        Asked::with(format!("SELECT 1 FROM {inbox} WHERE \"id\" = {s}1"), [cell])
    }

    /// Lets go of an event that was held.
    pub(crate) fn let_go(self, consumer: &str, event: u128) -> Asked<'static> {
        let (Self { deliveries, .. }, s) = (self, self.sign);
        let cell = uuid(event_key(consumer, event));
        Asked::with(format!("DELETE FROM {deliveries} WHERE \"id\" = {s}1"), [cell])
    }

    /// Moves a checkpoint on; changes no row where it is elsewhere.
    pub(crate) fn project<'q>(self, projected: &'q Projected, tenant: &'q Tenant) -> Asked<'q> {
        let (Self { projections, .. }, s) = (self, self.sign);
        let key = projection_key(&projected.consumer, &projected.source, tenant);
        if projected.expected != 0 {
            let cells = [key, projected.position.into(), projected.expected.into()];
            let text = format!(
                "UPDATE {projections} SET \"position\" = {s}2 WHERE \"id\" = {s}1 AND \
                 \"position\" = {s}3"
            );
            return Asked::with(text, cells);
        }
        let text_of = format!(
            "INSERT INTO {projections} AS p (\"id\", \"position\", \"consumer\", \"source\", \
             \"tenant\") VALUES ({s}1, {s}2, {s}3, {s}4, {s}5) ON CONFLICT (\"id\") DO UPDATE SET \
             \"position\" = excluded.\"position\" WHERE p.\"position\" = 0"
        );
        let cells = [
            key,
            projected.position.into(),
            text(&projected.consumer),
            text(&projected.source),
            nullable(tenant),
        ];
        Asked::with(text_of, cells)
    }

    /// Where a checkpoint is.
    pub(crate) fn reached(self, tenant: &Tenant, consumer: &str, source: &str) -> Asked<'static> {
        let (Self { projections, .. }, s) = (self, self.sign);
        let text = format!("SELECT \"position\" FROM {projections} WHERE \"id\" = {s}1");
        Asked::with(text, [projection_key(consumer, source, tenant)])
    }

    /// Gives epoch and position of a claim that is granted.
    pub(crate) fn claim<'q>(
        self,
        place: &'q Tenant,
        part: &'q Part,
        owner: &'q str,
        span: Span,
    ) -> Asked<'q> {
        let (Self { consumers, .. }, s) = (self, self.sign);
        let text_of = format!(
            "INSERT INTO {consumers} AS c (\"id\", \"consumer\", \"source\", \"part\", \
             \"tenant\", \"position\", \"epoch\", \"owner\", \"until\") \
             VALUES ({s}1, {s}2, {s}3, {s}4, {s}5, {s}6, 1, {s}7, {s}8) \
             ON CONFLICT (\"id\") DO UPDATE SET \"epoch\" = c.\"epoch\" + CASE WHEN \
             c.\"owner\" = excluded.\"owner\" THEN 0 ELSE 1 END, \"owner\" = excluded.\"owner\", \
             \"until\" = excluded.\"until\" \
             WHERE c.\"owner\" = excluded.\"owner\" OR c.\"until\" <= {s}9 \
             RETURNING \"epoch\", \"position\""
        );
        let cells = [
            part_key(part),
            text(&part.consumer),
            text(&part.source),
            Cell::Int(part.number.into()),
            nullable(place),
            Cell::Int(span.from),
            text(owner),
            Cell::Int(span.until),
            Cell::Int(span.now),
        ];
        Asked::with(text_of, cells)
    }

    /// Until when a part is claimed.
    pub(crate) fn claimed(self, part: &Part) -> Asked<'static> {
        let (Self { consumers, .. }, s) = (self, self.sign);
        let text = format!("SELECT \"until\" FROM {consumers} WHERE \"id\" = {s}1");
        Asked::with(text, [part_key(part)])
    }

    /// Every part, in order.
    pub(crate) fn progress(self) -> Asked<'static> {
        let Self { consumers, .. } = self;
        Asked::new(format!(
            "SELECT \"consumer\", \"source\", \"part\", \"position\", \"owner\", \"until\" \
             FROM {consumers} ORDER BY 1, 2, 3"
        ))
    }

    /// Deletes some inbox rows from before a time.
    pub(crate) fn forget(self, before: i64, rows_max: u32) -> Asked<'static> {
        let (Self { inbox, .. }, s) = (self, self.sign);
        let text = format!(
            "DELETE FROM {inbox} WHERE \"id\" IN (SELECT \"id\" FROM {inbox} WHERE \"time\" < \
             {s}1 ORDER BY \"time\" LIMIT {s}2)"
        );
        Asked::with(text, [Cell::Int(before), Cell::Int(rows_max.into())])
    }
}

impl From<i64> for Cell<'_> {
    fn from(n: i64) -> Self {
        Self::Int(n)
    }
}

/// A cell that lives as long as it is needed.
pub(crate) fn owned(cell: Cell<'_>) -> Cell<'static> {
    match cell {
        Cell::Null => Cell::Null,
        Cell::Int(n) => Cell::Int(n),
        Cell::Text(text) => Cell::Text(text.into_owned().into()),
        Cell::Uuid(id) => Cell::Uuid(id),
    }
}

fn text(text: &str) -> Cell<'_> {
    Cell::Text(text.into())
}

fn uuid(id: u128) -> Cell<'static> {
    Cell::Uuid(id.to_be_bytes())
}

fn nullable(tenant: &Tenant) -> Cell<'_> {
    tenant.as_deref().map_or(Cell::Null, text)
}

/// What names are known by: the beginning of their digest, each name behind its length.
fn digest(names: &[&[u8]]) -> u128 {
    let mut all = ring::digest::Context::new(&ring::digest::SHA256);
    for name in names {
        all.update(&(name.len() as u64).to_be_bytes());
        all.update(name);
    }
    let digest = all.finish();
    let first = digest.as_ref().first_chunk::<16>();
    first.map_or(0, |first| u128::from_be_bytes(*first))
}

/// The key of an event that a consumer has in its inbox, or holds: what is ordered by time in the
/// event's id stays so.
fn event_key(consumer: &str, event: u128) -> u128 {
    let own = digest(&[consumer.as_bytes(), &event.to_be_bytes()]);
    (event & !u128::from(u64::MAX)) | (own & u128::from(u64::MAX))
}

fn part_key(part: &Part) -> Cell<'static> {
    let number = part.number.to_be_bytes();
    uuid(digest(&[part.consumer.as_bytes(), part.source.as_bytes(), &number]))
}

fn projection_key(consumer: &str, source: &str, tenant: &Tenant) -> Cell<'static> {
    let tenant = tenant.as_deref().unwrap_or_default();
    uuid(digest(&[consumer.as_bytes(), source.as_bytes(), tenant.as_bytes()]))
}

/// Cells of a row, one after another. None of a cell that is of another shape.
pub(crate) struct Cells<'r>(pub(crate) std::vec::IntoIter<Stored<'r>>);

impl<'r> Cells<'r> {
    pub(crate) fn of(cells: Vec<Stored<'r>>) -> Self {
        Self(cells.into_iter())
    }

    pub(crate) fn int(&mut self) -> Option<i64> {
        match self.0.next()? {
            Stored::Int(n) => Some(n),
            Stored::Null | Stored::Text(_) | Stored::Bytes(_) | Stored::Foreign => None,
        }
    }

    fn text(&mut self) -> Option<&'r str> {
        match self.0.next()? {
            Stored::Text(text) => Some(text),
            Stored::Null | Stored::Int(_) | Stored::Bytes(_) | Stored::Foreign => None,
        }
    }

    fn nullable(&mut self) -> Option<Option<&'r str>> {
        match self.0.next()? {
            Stored::Text(text) => Some(Some(text)),
            Stored::Null => Some(None),
            Stored::Int(_) | Stored::Bytes(_) | Stored::Foreign => None,
        }
    }

    fn uuid(&mut self) -> Option<u128> {
        match self.0.next()? {
            Stored::Bytes(bytes) => bytes.try_into().ok().map(u128::from_be_bytes),
            Stored::Null | Stored::Text(_) | Stored::Int(_) | Stored::Foreign => None,
        }
    }
}

/// An event of the log: its position, and what [`EVENT`] names.
pub(crate) fn logged(cells: &mut Cells<'_>) -> Option<Logged> {
    Some(Logged {
        position: cells.int()?,
        id: cells.uuid()?,
        tenant: cells.nullable()?.map(Arc::from),
        event: cells.text()?.into(),
        resource: cells.text()?.into(),
        row: cells.uuid()?,
        time: cells.int()?,
        data: cells.text()?.into(),
        trace: cells.nullable()?.map(Arc::from),
        version: u32::try_from(cells.int()?).ok()?,
    })
}

/// How far a part is.
pub(crate) fn progress(cells: &mut Cells<'_>, now: i64) -> Option<Progress> {
    let part = part(cells)?;
    let position = cells.int()?;
    let (owner, until) = (cells.text()?.to_owned(), cells.int()?);
    Some(Progress { part, position, owner: (until > now).then_some((owner, until)) })
}

fn part(cells: &mut Cells<'_>) -> Option<Part> {
    Some(Part {
        consumer: cells.text()?.into(),
        source: cells.text()?.into(),
        number: u32::try_from(cells.int()?).ok()?,
    })
}

/// Bytes that an event takes in memory, about.
pub(crate) fn bytes(event: &Logged) -> usize {
    const OTHERS: usize = 160;
    OTHERS + event.data.len() + event.event.len() + event.resource.len()
}
