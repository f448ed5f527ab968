//! SQLite: each core reads on a connection of its own, one thread writes in groups.

use super::json::{self, Head, Line};
use super::order::{Change, Event, Kept, Order, OrderLine, Outcome, What, code};
use super::store::{Page, PageQuery, Price, Shown, Wish};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Result, Row, Statement, params};
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use tokio::sync::oneshot;

/// Transactions that wait at most.
const QUEUE_MAX: usize = 4_096;
/// Transactions of one group at most.
const GROUP_MAX: usize = 256;

const HEAD: &str = "o.id, o.row_version, o.created_at, o.updated_at, o.shopper, o.total, \
                    o.total_currency, o.note, o.status";
const LINE: &str = "l.id, l.product, l.price, l.price_currency, l.quantity, l.amount";
const JOIN: &str = "LEFT JOIN ordering_order_lines l ON l.org = o.org AND l.order_id = o.id";
/// Columns of `HEAD`.
const HEADS: usize = 9;

/// The reading end of one core.
pub(crate) struct Reader {
    head: RefCell<Statement<'static>>,
    whole: RefCell<Statement<'static>>,
    page: RefCell<Statement<'static>>,
    own_page: RefCell<Statement<'static>>,
    whole_page: RefCell<Statement<'static>>,
    price: RefCell<Statement<'static>>,
    kept: RefCell<Statement<'static>>,
}

fn head<'r>(row: &'r Row<'_>) -> Result<Head<'r>> {
    Ok(Head {
        id: id(row, 0)?,
        version: row.get(1)?,
        created_at: row.get(2)?,
        updated_at: row.get(3)?,
        shopper: row.get_ref(4)?.as_str()?,
        total: row.get(5)?,
        currency: row.get_ref(6)?.as_str()?,
        note: row.get_ref(7)?.as_str_or_null()?,
        status: row.get_ref(8)?.as_str()?,
    })
}

fn line<'r>(row: &'r Row<'_>) -> Result<Option<Line<'r>>> {
    if row.get_ref(HEADS)?.as_blob_or_null()?.is_none() {
        return Ok(None);
    }
    Ok(Some(Line {
        id: id(row, HEADS)?,
        product: id(row, HEADS + 1)?,
        price: row.get(HEADS + 2)?,
        currency: row.get_ref(HEADS + 3)?.as_str()?,
        quantity: row.get(HEADS + 4)?,
        amount: row.get(HEADS + 5)?,
    }))
}

fn id(row: &Row<'_>, at: usize) -> Result<u128> {
    Ok(u128::from_be_bytes(row.get(at)?))
}

impl Reader {
    /// Opens a connection and prepares what is read; both live as long as the process.
    pub(crate) fn open(data: &Path, map_bytes: u64) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let link = Connection::open_with_flags(data.join("shop.db"), flags)?;
        link.execute_batch(&format!(
            "PRAGMA query_only = ON; PRAGMA mmap_size = {map_bytes}; PRAGMA temp_store = MEMORY;"
        ))?;
        // Else SQLite prepares most statements anew at each binding, to plan for its values.
        link.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        let link: &'static Connection = Box::leak(Box::new(link));
        let prepare = |text: &str| link.prepare(text).map(RefCell::new);
        Ok(Self {
            head: prepare(&format!(
                "SELECT {HEAD} FROM ordering_orders o WHERE o.org = ?1 AND o.id = ?2"
            ))?,
            whole: prepare(&format!(
                "SELECT {HEAD}, {LINE} FROM ordering_orders o {JOIN} \
                 WHERE o.org = ?1 AND o.id = ?2 ORDER BY l.position"
            ))?,
            page: prepare(&format!(
                "SELECT {HEAD} FROM ordering_orders o WHERE o.org = ?1 AND o.id < ?2 \
                 ORDER BY o.id DESC LIMIT ?3"
            ))?,
            own_page: prepare(&format!(
                "SELECT {HEAD} FROM ordering_orders o WHERE o.org = ?1 AND o.shopper = ?4 \
                 AND o.id < ?2 ORDER BY o.id DESC LIMIT ?3"
            ))?,
            whole_page: prepare(&format!(
                "SELECT {HEAD}, {LINE} FROM (SELECT * FROM ordering_orders WHERE org = ?1 \
                 AND id < ?2 AND (?4 IS NULL OR shopper = ?4) ORDER BY id DESC LIMIT ?3) o {JOIN} \
                 ORDER BY o.id DESC, l.position"
            ))?,
            price: prepare(
                "SELECT price, price_currency FROM catalog_products WHERE org = ?1 AND id = ?2",
            )?,
            kept: prepare(
                "SELECT fingerprint, status, headers, body, expires FROM mainstay_idempotency \
                 WHERE scope = ?1 AND expires > ?2",
            )?,
        })
    }

    /// One order as JSON.
    pub(crate) fn show(&self, tenant: &str, order: u128, wish: Wish<'_>) -> Result<Option<Shown>> {
        let lines = wish.members & json::LINES != 0;
        let statement = if lines { &self.whole } else { &self.head };
        let mut statement = statement.borrow_mut();
        let mut rows = statement.query(params![tenant, order.to_be_bytes()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let first = head(row)?;
        if !wish.sees(first.shopper) {
            return Ok(None);
        }
        let version = first.version;
        let mut body = Vec::with_capacity(if lines { 1_536 } else { 320 });
        json::open(&mut body, &first, wish.members);
        if !lines {
            json::close(&mut body, &first, wish.members);
            return Ok(Some(Shown { version, body }));
        }
        let mut tail = Vec::with_capacity(256);
        json::close(&mut tail, &first, wish.members);
        body.extend_from_slice(b",\"lines\":[");
        let mut next = Some(row);
        while let Some(row) = next {
            if let Some(line) = line(row)? {
                json::line(&mut body, &line);
                body.push(b',');
            }
            next = rows.next()?;
        }
        if body.last() == Some(&b',') {
            body.pop();
        }
        body.push(b']');
        body.extend_from_slice(&tail);
        Ok(Some(Shown { version, body }))
    }

    /// A page of orders as JSON, newest first.
    pub(crate) fn page(&self, query: &PageQuery<'_>) -> Result<Page> {
        let lines = query.wish.members & json::LINES != 0;
        let statement = match (lines, query.wish.own) {
            (true, _) => &self.whole_page,
            (false, None) => &self.page,
            (false, Some(_)) => &self.own_page,
        };
        let mut statement = statement.borrow_mut();
        let (tenant, before) = (query.tenant, query.before.to_be_bytes());
        let limit = query.limit + 1;
        let mut rows = match query.wish.own {
            None if !lines => statement.query(params![tenant, before, limit])?,
            own => statement.query(params![tenant, before, limit, own])?,
        };
        let mut page = Page::new(query, lines);
        while let Some(row) = rows.next()? {
            if !page.begins(id(row, 0)?) {
                if let Some(line) = line(row)? {
                    page.line(&line);
                }
                continue;
            }
            let head = head(row)?;
            if !page.order(&head) {
                break;
            }
            if lines && let Some(line) = line(row)? {
                page.line(&line);
            }
        }
        page.end();
        Ok(page)
    }

    /// One order as it is changed.
    pub(crate) fn order(&self, tenant: &str, order: u128) -> Result<Option<Order>> {
        let mut statement = self.whole.borrow_mut();
        let mut rows = statement.query(params![tenant, order.to_be_bytes()])?;
        let mut found: Option<Order> = None;
        while let Some(row) = rows.next()? {
            let order = match &mut found {
                Some(order) => order,
                None => found.insert(owned(&head(row)?)),
            };
            if let Some(Line { id, product, price, currency, quantity, amount }) = line(row)? {
                let currency = code(currency);
                order.lines.push(OrderLine { id, product, price, currency, quantity, amount });
            }
        }
        Ok(found)
    }

    /// What a product costs.
    pub(crate) fn price(&self, tenant: &str, product: u128) -> Result<Option<Price>> {
        let mut statement = self.price.borrow_mut();
        let mut rows = statement.query(params![tenant, product.to_be_bytes()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some((row.get(0)?, code(row.get_ref(1)?.as_str()?))))
    }

    /// The answer of a key.
    pub(crate) fn kept(&self, scope: &[u8; 32], now: i64) -> Result<Option<Kept>> {
        let mut statement = self.kept.borrow_mut();
        let read = |row: &Row<'_>| {
            Ok(Kept {
                scope: *scope,
                fingerprint: row.get(0)?,
                status: row.get(1)?,
                headers: row.get(2)?,
                body: row.get(3)?,
                expires: row.get(4)?,
            })
        };
        statement.query_row(params![scope, now], read).optional()
    }
}

/// A head that outlives its row.
pub(crate) fn owned(head: &Head<'_>) -> Order {
    Order {
        id: head.id,
        version: head.version,
        created_at: head.created_at,
        updated_at: head.updated_at,
        shopper: head.shopper.into(),
        total: head.total,
        currency: code(head.currency),
        note: head.note.map(str::to_owned),
        status: head.status.to_owned(),
        lines: Vec::new(),
    }
}

type Job = (Change, oneshot::Sender<Outcome>);

/// The near end of the thread that writes.
#[derive(Clone)]
pub(crate) struct Writer {
    jobs: SyncSender<Job>,
}

impl Writer {
    /// Starts the thread.
    pub(crate) fn start(data: &Path) -> Result<Self> {
        let link = Connection::open(data.join("shop.db"))?;
        link.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        link.execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; \
             PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864;",
        )?;
        link.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        link.set_prepared_statement_cache_capacity(64);
        let (jobs, waiting) = sync_channel(QUEUE_MAX);
        std::thread::spawn(move || run(&link, &waiting));
        Ok(Self { jobs })
    }

    /// One change, durable when it is answered.
    pub(crate) async fn commit(&self, change: Change) -> Outcome {
        let (reply, answer) = oneshot::channel();
        if self.jobs.try_send((change, reply)).is_err() {
            return Outcome::Broken;
        }
        answer.await.unwrap_or(Outcome::Broken)
    }
}

fn run(link: &Connection, waiting: &Receiver<Job>) {
    while let Ok(first) = waiting.recv() {
        let mut jobs = vec![first];
        while jobs.len() < GROUP_MAX {
            match waiting.try_recv() {
                Ok(job) => jobs.push(job),
                Err(_) => break,
            }
        }
        let outcomes = group(link, &jobs).unwrap_or_else(|_| alone(link, &jobs));
        for ((_, reply), outcome) in jobs.into_iter().zip(outcomes) {
            // Whoever asked may have gone by now.
            let _gone = reply.send(outcome);
        }
    }
}

/// All in one commit, without savepoints: a failure undoes the group, which is then done singly.
fn group(link: &Connection, jobs: &[Job]) -> Result<Vec<Outcome>> {
    let step = |text: &str| link.prepare_cached(text).and_then(|mut one| one.execute([]));
    step("BEGIN IMMEDIATE")?;
    let outcomes: Result<Vec<Outcome>> =
        jobs.iter().map(|(change, _)| apply(link, change)).collect();
    if outcomes.is_err() {
        step("ROLLBACK")?;
        return outcomes;
    }
    step("COMMIT")?;
    outcomes
}

fn alone(link: &Connection, jobs: &[Job]) -> Vec<Outcome> {
    let one = |job: &Job| group(link, std::slice::from_ref(job));
    jobs.iter()
        .map(|job| one(job).ok().and_then(|all| all.first().copied()))
        .map(|outcome| outcome.unwrap_or(Outcome::Broken))
        .collect()
}

const KEEP: &str = "INSERT INTO mainstay_idempotency \
    (scope, fingerprint, status, headers, body, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
    ON CONFLICT (scope) DO UPDATE SET fingerprint = excluded.fingerprint, \
    status = excluded.status, headers = excluded.headers, body = excluded.body, \
    expires = excluded.expires WHERE mainstay_idempotency.expires <= ?7";
const ORDER: &str = "INSERT INTO ordering_orders (org, id, row_version, created_at, updated_at, \
    shopper, total, total_currency, note, status) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const ORDER_LINE: &str = "INSERT INTO ordering_order_lines (org, id, order_id, position, product, \
    price, price_currency, quantity, amount, amount_currency) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?7)";
const RENOTE: &str = "UPDATE ordering_orders SET row_version = ?1, updated_at = ?2, note = ?3 \
    WHERE org = ?4 AND id = ?5 AND row_version = ?6";
const RESTATE: &str = "UPDATE ordering_orders SET row_version = ?1, updated_at = ?2, status = ?3 \
    WHERE org = ?4 AND id = ?5 AND row_version = ?6";
const PUBLISH: &str = "INSERT INTO mainstay_outbox (id, tenant, event, resource, row_id, time, \
    data, trace) VALUES (?1, ?2, 'order.placed', 'ordering.Order', ?3, ?4, ?5, ?6)";

fn apply(link: &Connection, change: &Change) -> Result<Outcome> {
    let Change { tenant, now, what, kept } = change;
    if let Some(Kept { scope, fingerprint, status, headers, body, expires }) = kept {
        let mut keep = link.prepare_cached(KEEP)?;
        let values = params![scope, fingerprint, status, headers, body, expires, now];
        if keep.execute(values)? == 0 {
            return Ok(Outcome::Answered);
        }
    }
    match what {
        What::Create(order) => create(link, tenant, order)?,
        What::Note(order) => {
            let mut note = link.prepare_cached(RENOTE)?;
            let Order { id, version, updated_at, note: text, .. } = order;
            let id = id.to_be_bytes();
            let values = params![version, updated_at, text, tenant, id, version - 1];
            if note.execute(values)? == 0 {
                return Ok(Outcome::Conflict);
            }
        }
        What::Place(order, Event { id: event, data, trace }) => {
            let mut place = link.prepare_cached(RESTATE)?;
            let Order { id, version, updated_at, status, .. } = order;
            let id = id.to_be_bytes();
            let values = params![version, updated_at, status, tenant, id, version - 1];
            if place.execute(values)? == 0 {
                return Ok(Outcome::Conflict);
            }
            let mut publish = link.prepare_cached(PUBLISH)?;
            publish.execute(params![event.to_be_bytes(), tenant, id, now, data, trace])?;
        }
    }
    Ok(Outcome::Done)
}

fn create(link: &Connection, tenant: &Arc<str>, order: &Order) -> Result<()> {
    let Order { version, created_at, updated_at, shopper, total, note, status, .. } = order;
    let id = order.id.to_be_bytes();
    let currency = super::order::currency(&order.currency);
    let mut insert = link.prepare_cached(ORDER)?;
    insert.execute(params![
        tenant, id, version, created_at, updated_at, shopper, total, currency, note, status
    ])?;
    let mut insert = link.prepare_cached(ORDER_LINE)?;
    for (position, line) in order.lines.iter().enumerate() {
        let currency = super::order::currency(&line.currency);
        insert.execute(params![
            tenant,
            line.id.to_be_bytes(),
            id,
            position as i64,
            line.product.to_be_bytes(),
            line.price,
            currency,
            line.quantity,
            line.amount
        ])?;
    }
    Ok(())
}
