//! Statements of the port of operations, in both dialects, and what comes out of them.

use super::{Asked, Cell, Cells, Tables, digest, nullable, text, uuid};
use crate::ports::operations::{
    AGEING_MICROS, Chunk, ChunkQuery, Operated, Operation, OperationQuery, Part, Priority, State,
    Waiting, Wanted,
};
use crate::ports::store::Tenant;
use std::fmt::Write as _;

/// Columns of an operation.
pub(crate) const OPERATION_COLUMNS: usize = 24;
/// Columns of a piece.
pub(crate) const CHUNK_COLUMNS: usize = 7;
/// Columns of what waits.
pub(crate) const WAITING_COLUMNS: usize = 5;

const OPERATION: &str = "\"id\", \"tenant\", \"kind\", \"owner\", \"caller\", \"input\", \
    \"priority\", \"created\", \"trace\", \"state\", \"total\", \"done\", \"failed\", \
    \"attempts\", \"due\", \"epoch\", \"worker\", \"until\", \"place\", \"result\", \
    \"problem\", \"started\", \"ended\", \"expires\"";
/// Columns at the beginning that never change.
const FIXED: usize = 9;
const CHUNK: &str =
    "\"operation\", \"tenant\", \"part\", \"number\", \"rows\", \"failed\", \"data\"";
/// What waits, or waits again because whoever had it is gone.
const OPEN: &str = "\"state\" IN ('queued', 'running')";

/// How a dialect names what the statements speak of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names {
    events: Tables,
    operations: &'static str,
    chunks: &'static str,
    /// Behind a choice of a row to change: who is faster has it.
    locked: &'static str,
}

/// As the files have them.
pub(crate) const SQLITE: Names = Names {
    events: super::SQLITE,
    operations: "\"mainstay_operations\"",
    chunks: "\"mainstay_operation_chunks\"",
    locked: "",
};

/// As databases have them.
#[cfg(feature = "postgres")]
pub(crate) const POSTGRESQL: Names = Names {
    events: super::POSTGRESQL,
    operations: "\"mainstay\".\"operations\"",
    chunks: "\"mainstay\".\"operation_chunks\"",
    locked: " FOR UPDATE OF o SKIP LOCKED",
};

impl Names {
    fn values(self, from: usize, to: usize) -> String {
        let values: Vec<_> = (from..=to).map(|at| format!("{}{at}", self.events.sign)).collect();
        values.join(", ")
    }

    /// What a set does to an operation, in order: the first changes no row where it may not.
    pub(crate) fn operate(self, operated: &Operated) -> Vec<Asked<'_>> {
        let mut all = match operated {
            Operated::Begin { operation, waiting_max, .. } => {
                vec![self.begin(operation, *waiting_max)]
            }
            Operated::Step { operation, .. } => {
                let mut all = vec![self.step(operation)];
                all.extend(operation.state.is_over().then(|| self.forget_input(operation.id)));
                all
            }
        };
        all.extend(operated.chunks().iter().map(|chunk| self.keep(chunk)));
        all
    }

    fn begin(self, operation: &Operation, waiting_max: u32) -> Asked<'_> {
        let (Self { operations, .. }, s) = (self, self.events.sign);
        let mut cells = cells(operation);
        let (tenant, most) = (OPERATION_COLUMNS + 1, OPERATION_COLUMNS + 2);
        let values = self.values(1, OPERATION_COLUMNS);
        let text_of = format!(
            "INSERT INTO {operations} ({OPERATION}) SELECT {} WHERE (SELECT count(*) FROM \
             {operations} WHERE \"state\" = 'queued' AND coalesce(\"tenant\", '') = {s}{tenant}) \
             < {s}{most}",
            self.typed(&values)
        );
        cells.push(text(operation.tenant.as_deref().unwrap_or_default()));
        cells.push(Cell::Int(waiting_max.into()));
        Asked::with(text_of, cells)
    }

    /// Parameters of a selection have no column to get their type from.
    fn typed(self, values: &str) -> String {
        if self.locked.is_empty() {
            return values.to_owned();
        }
        let kind = |name: &str| match name.trim_matches('"') {
            "id" => "uuid",
            "priority" | "created" | "total" | "done" | "failed" | "attempts" | "due" | "epoch"
            | "until" | "started" | "ended" | "expires" => "bigint",
            _ => "text",
        };
        let pairs = values.split(", ").zip(OPERATION.split(", "));
        let typed: Vec<_> = pairs.map(|(value, name)| format!("{value}::{}", kind(name))).collect();
        typed.join(", ")
    }

    fn step(self, operation: &Operation) -> Asked<'_> {
        let (Self { operations, .. }, s) = (self, self.events.sign);
        let columns = OPERATION.split(", ").enumerate().skip(FIXED);
        // The claim is not a step's to change.
        let columns = columns.filter(|(_, name)| !matches!(*name, "\"epoch\"" | "\"worker\""));
        let mut all: Vec<Option<Cell<'_>>> = cells(operation).into_iter().map(Some).collect();
        let mut chosen = vec![uuid(operation.id), Cell::Int(operation.epoch)];
        let mut set = Vec::new();
        for (at, name) in columns {
            chosen.extend(all[at].take());
            set.push(format!("{name} = {s}{}", chosen.len()));
        }
        let text_of = format!(
            "UPDATE {operations} SET {} WHERE \"id\" = {s}1 AND \"epoch\" = {s}2 AND \
             \"state\" = 'running'",
            set.join(", ")
        );
        Asked::with(text_of, chosen)
    }

    fn forget_input(self, id: u128) -> Asked<'static> {
        let (Self { chunks, .. }, s) = (self, self.events.sign);
        let text_of =
            format!("DELETE FROM {chunks} WHERE \"operation\" = {s}1 AND \"part\" = 'input'");
        Asked::with(text_of, [uuid(id)])
    }

    fn keep(self, chunk: &Chunk) -> Asked<'_> {
        let text_of = format!(
            "INSERT INTO {} (\"id\", {CHUNK}) VALUES ({})",
            self.chunks,
            self.values(1, CHUNK_COLUMNS + 1)
        );
        let part = chunk.part.name();
        let (id, number) = (chunk.operation.to_be_bytes(), chunk.number.to_be_bytes());
        let key = [&id[..], part.as_bytes(), &number];
        let cells = [
            uuid(digest(&key)),
            uuid(chunk.operation),
            nullable(&chunk.tenant),
            text(part),
            Cell::Int(chunk.number),
            Cell::Int(chunk.rows),
            Cell::Int(chunk.failed),
            text(&chunk.data),
        ];
        Asked::with(text_of, cells)
    }

    /// Gives a row where an operation is as a set was to leave it.
    pub(crate) fn is_operated(self, operated: &Operated) -> Asked<'static> {
        let (Self { operations, .. }, s) = (self, self.events.sign);
        let operation = operated.operation();
        if let Operated::Begin { .. } = operated {
            let text_of = format!("SELECT 1 FROM {operations} WHERE \"id\" = {s}1");
            return Asked::with(text_of, [uuid(operation.id)]);
        }
        let text_of = format!(
            "SELECT 1 FROM {operations} WHERE \"id\" = {s}1 AND \"epoch\" = {s}2 AND \
             \"done\" = {s}3 AND \"state\" = {s}4 AND \"attempts\" = {s}5"
        );
        let cells = [
            uuid(operation.id),
            Cell::Int(operation.epoch),
            Cell::Int(operation.done),
            Cell::Text(operation.state.name().into()),
            Cell::Int(operation.attempts),
        ];
        Asked::with(text_of, cells)
    }

    /// How many run of each kind.
    pub(crate) fn running(self, now: i64) -> Asked<'static> {
        let (Self { operations, .. }, s) = (self, self.events.sign);
        let text_of = format!(
            "SELECT \"kind\", count(*) FROM {operations} WHERE \"state\" = 'running' AND \
             \"until\" > {s}1 GROUP BY \"kind\" ORDER BY 1"
        );
        Asked::with(text_of, [Cell::Int(now)])
    }

    /// Claims what comes next of kinds that have room, and gives it.
    pub(crate) fn claim<'q>(self, wanted: &'q Wanted, kinds: &[&'q str]) -> Asked<'q> {
        let (Self { operations, locked, .. }, s) = (self, self.events.sign);
        let mut listed = String::new();
        for at in 0..kinds.len() {
            let comma = if at == 0 { "" } else { ", " };
            // Writing to a string can't fail.
            let _written = write!(listed, "{comma}{s}{}", at + 4);
        }
        let waited = format!("\"priority\" - ({s}2 - o.\"created\") / {AGEING_MICROS}");
        let text_of = format!(
            "UPDATE {operations} SET \"state\" = 'running', \"epoch\" = \"epoch\" + 1, \
             \"attempts\" = \"attempts\" + 1, \"worker\" = {s}1, \"started\" = {s}2, \
             \"until\" = {s}3 WHERE \"id\" = (SELECT o.\"id\" FROM {operations} o WHERE \
             o.{OPEN} AND ((o.\"state\" = 'queued' AND o.\"due\" <= {s}2) OR \
             (o.\"state\" = 'running' AND o.\"until\" <= {s}2)) AND o.\"kind\" IN ({listed}) \
             ORDER BY CASE WHEN o.{waited} < 0 THEN 0 ELSE o.{waited} END, \
             coalesce((SELECT max(t.\"started\") FROM {operations} t WHERE \
             coalesce(t.\"tenant\", '') = coalesce(o.\"tenant\", '')), 0), \
             o.\"created\", o.\"id\" LIMIT 1{locked}) RETURNING {OPERATION}"
        );
        let mut cells = vec![text(&wanted.worker), Cell::Int(wanted.now), Cell::Int(wanted.until)];
        cells.extend(kinds.iter().map(|kind| text(kind)));
        Asked::with(text_of, cells)
    }

    /// Ends every claim of a process.
    pub(crate) fn recover(self, worker: &str) -> Asked<'static> {
        let (Self { operations, .. }, s) = (self, self.events.sign);
        let text_of = format!(
            "UPDATE {operations} SET \"until\" = 0 WHERE \"state\" = 'running' AND \
             \"worker\" = {s}1 AND \"until\" > 0"
        );
        Asked::with(text_of, [Cell::Text(worker.to_owned().into())])
    }

    /// What waits or runs.
    pub(crate) fn waiting(self) -> Asked<'static> {
        let Self { operations, .. } = self;
        Asked::new(format!(
            "SELECT \"kind\", \"state\", \"priority\", count(*), min(\"created\") FROM \
             {operations} WHERE {OPEN} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        ))
    }

    /// Ids of some that expired.
    pub(crate) fn expired(self, now: i64, rows_max: u32) -> Asked<'static> {
        let (Self { operations, .. }, s) = (self, self.events.sign);
        let text_of = format!(
            "SELECT \"id\" FROM {operations} WHERE \"expires\" <= {s}1 ORDER BY \"expires\" LIMIT \
             {s}2"
        );
        Asked::with(text_of, [Cell::Int(now), Cell::Int(rows_max.into())])
    }

    /// A page of operations, newest first.
    pub(crate) fn find<'q>(self, tenant: &'q Tenant, query: &'q OperationQuery) -> Asked<'q> {
        let mut asked =
            Asked::new(format!("SELECT {OPERATION} FROM {} WHERE 1 = 1", self.operations));
        self.of_tenant(&mut asked, tenant);
        if let Some(id) = query.id {
            asked.term(self.events, " AND \"id\" =", uuid(id));
        }
        if let Some(owner) = &query.owner {
            asked.term(self.events, " AND \"owner\" =", text(owner));
        }
        if let Some(state) = query.state {
            asked.term(self.events, " AND \"state\" =", text(state.name()));
        }
        if let Some(before) = query.before {
            asked.term(self.events, " AND \"id\" <", uuid(before));
        }
        asked.term(self.events, " ORDER BY \"id\" DESC LIMIT", Cell::Int(query.rows_max.into()));
        asked
    }

    fn of_tenant<'q>(self, asked: &mut Asked<'q>, tenant: &'q Tenant) {
        match tenant {
            Some(tenant) => asked.term(self.events, " AND \"tenant\" =", text(tenant)),
            None => asked.text.push_str(" AND \"tenant\" IS NULL"),
        }
    }

    /// Pieces of one.
    pub(crate) fn chunks<'q>(self, tenant: &'q Tenant, query: &ChunkQuery) -> Asked<'q> {
        let mut asked = Asked::new(format!("SELECT {CHUNK} FROM {} WHERE 1 = 1", self.chunks));
        asked.term(self.events, " AND \"operation\" =", uuid(query.operation));
        asked.term(self.events, " AND \"part\" =", text(query.part.name()));
        self.of_tenant(&mut asked, tenant);
        if query.from > 0 {
            asked.term(self.events, " AND \"number\" + \"rows\" >", Cell::Int(query.from));
        }
        if query.failed {
            asked.text.push_str(" AND \"failed\" > 0");
        }
        asked.term(self.events, " ORDER BY \"number\" LIMIT", Cell::Int(query.rows_max.into()));
        asked
    }

    /// Ends one that is not over.
    pub(crate) fn cancel<'q>(
        self,
        tenant: &'q Tenant,
        id: u128,
        (now, expires): (i64, i64),
    ) -> [Asked<'q>; 2] {
        let (Self { operations, .. }, s) = (self, self.events.sign);
        let text_of = format!(
            "UPDATE {operations} SET \"state\" = 'cancelled', \"ended\" = {s}2, \"expires\" = \
             {s}3 WHERE \"id\" = {s}1 AND {OPEN}"
        );
        let cells = [uuid(id), Cell::Int(now), Cell::Int(expires)];
        let mut asked = Asked::with(text_of, cells);
        self.of_tenant(&mut asked, tenant);
        [asked, self.forget_input(id)]
    }

    /// Deletes one that is over; the pieces behind it.
    pub(crate) fn remove<'q>(self, tenant: &'q Tenant, id: u128) -> Asked<'q> {
        let text_of = format!("DELETE FROM {} WHERE NOT {OPEN}", self.operations);
        let mut asked = Asked::new(text_of);
        asked.term(self.events, " AND \"id\" =", uuid(id));
        self.of_tenant(&mut asked, tenant);
        asked
    }

    /// Deletes the pieces of one.
    pub(crate) fn remove_chunks(self, id: u128) -> Asked<'static> {
        let (Self { chunks, .. }, s) = (self, self.events.sign);
        Asked::with(format!("DELETE FROM {chunks} WHERE \"operation\" = {s}1"), [uuid(id)])
    }

    /// Deletes one that expired.
    pub(crate) fn remove_expired(self, id: u128) -> Asked<'static> {
        let (Self { operations, .. }, s) = (self, self.events.sign);
        Asked::with(format!("DELETE FROM {operations} WHERE \"id\" = {s}1"), [uuid(id)])
    }
}

/// Kinds that have room, as they run.
pub(crate) fn with_room<'q>(wanted: &'q Wanted, running: &[(String, i64)]) -> Vec<&'q str> {
    let room = |(kind, most): &&(std::sync::Arc<str>, Option<u32>)| {
        let of_it = running.iter().find(|(name, _)| **name == **kind);
        let count = of_it.map_or(0, |(_, count)| *count);
        most.is_none_or(|most| count < i64::from(most))
    };
    wanted.kinds.iter().filter(room).map(|(kind, _)| &**kind).collect()
}

fn cells(operation: &Operation) -> Vec<Cell<'_>> {
    let maybe = |number: Option<i64>| number.map_or(Cell::Null, Cell::Int);
    let some = |text_of: Option<&str>| {
        text_of.map_or(Cell::Null, |text_of| Cell::Text(text_of.to_owned().into()))
    };
    vec![
        uuid(operation.id),
        nullable(&operation.tenant),
        text(&operation.kind),
        text(&operation.owner),
        text(&operation.caller),
        text(&operation.input),
        Cell::Int(operation.priority.rank()),
        Cell::Int(operation.created),
        some(operation.trace.as_deref()),
        text(operation.state.name()),
        maybe(operation.total),
        Cell::Int(operation.done),
        Cell::Int(operation.failed),
        Cell::Int(operation.attempts),
        Cell::Int(operation.due),
        Cell::Int(operation.epoch),
        text(&operation.worker),
        Cell::Int(operation.until),
        text(&operation.place),
        some(operation.result.as_deref()),
        some(operation.problem.as_deref()),
        maybe(operation.started),
        maybe(operation.ended),
        maybe(operation.expires),
    ]
}

/// A row of [`Names::find`] or [`Names::claim`].
pub(crate) fn operation(cells: &mut Cells<'_>) -> Option<Operation> {
    Some(Operation {
        id: cells.uuid()?,
        tenant: cells.nullable()?.map(Into::into),
        kind: cells.text()?.into(),
        owner: cells.text()?.into(),
        caller: cells.text()?.into(),
        input: cells.text()?.into(),
        priority: Priority::ranked(cells.int()?)?,
        created: cells.int()?,
        trace: cells.nullable()?.map(Into::into),
        state: State::named(cells.text()?)?,
        total: cells.maybe()?,
        done: cells.int()?,
        failed: cells.int()?,
        attempts: cells.int()?,
        due: cells.int()?,
        epoch: cells.int()?,
        worker: cells.text()?.into(),
        until: cells.int()?,
        place: cells.text()?.to_owned(),
        result: cells.nullable()?.map(str::to_owned),
        problem: cells.nullable()?.map(str::to_owned),
        started: cells.maybe()?,
        ended: cells.maybe()?,
        expires: cells.maybe()?,
    })
}

/// A row of [`Names::chunks`].
pub(crate) fn chunk(cells: &mut Cells<'_>) -> Option<Chunk> {
    Some(Chunk {
        operation: cells.uuid()?,
        tenant: cells.nullable()?.map(Into::into),
        part: Part::named(cells.text()?)?,
        number: cells.int()?,
        rows: cells.int()?,
        failed: cells.int()?,
        data: cells.text()?.to_owned(),
    })
}

/// A row of [`Names::waiting`].
pub(crate) fn waiting(cells: &mut Cells<'_>) -> Option<Waiting> {
    Some(Waiting {
        kind: cells.text()?.to_owned(),
        state: State::named(cells.text()?)?,
        priority: Priority::ranked(cells.int()?)?,
        count: cells.int()?,
        oldest: cells.int()?,
    })
}

/// A row of [`Names::running`].
pub(crate) fn running(cells: &mut Cells<'_>) -> Option<(String, i64)> {
    Some((cells.text()?.to_owned(), cells.int()?))
}

/// The id of a row.
pub(crate) fn id(cells: &mut Cells<'_>) -> Option<u128> {
    cells.uuid()
}
