//! PostgreSQL: each core shares a few pipelined connections for reads and keeps a small pool for
//! writes; a write is one statement, so one round trip and one commit.

use super::json::{self, Head, Line};
use super::order::{Change, Event, Kept, Order, OrderLine, Outcome, What, code, currency};
use super::sqlite::owned;
use super::store::{Broken, Page, PageQuery, Price, Shown, Wish};
use bytes::BytesMut;
use futures::future::try_join_all;
use std::cell::{Cell, RefCell};
use std::error::Error;
use std::rc::Rc;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, NoTls, Row, Statement};

/// Connections of a core that reads share.
const READERS: usize = 4;
/// Connections of a core for writes.
const WRITERS: usize = 8;
/// 2000-01-01 in microseconds since 1970.
const EPOCH: i64 = 946_684_800_000_000;

const HEAD: &str = "o.id, o.row_version, o.created_at, o.updated_at, o.shopper, o.total, \
                    o.total_currency, o.note, o.status";
const LINE: &str = "l.id, l.product, l.price, l.price_currency, l.quantity, l.amount";
const JOIN: &str = "LEFT JOIN ordering.order_lines l ON l.org = o.org AND l.order_id = o.id";
const HEADS: usize = 9;

/// A UUID on the wire.
#[derive(Debug, Clone, Copy)]
struct Uuid(u128);

/// An instant on the wire.
#[derive(Debug, Clone, Copy)]
struct Instant(i64);

/// Text of a type that is not text: JSON, `char(3)`.
#[derive(Debug)]
struct Raw<'a>(&'a str);

impl ToSql for Uuid {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.0.to_be_bytes());
        Ok(IsNull::No)
    }
    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Uuid {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(u128::from_be_bytes(raw.try_into()?)))
    }
    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }
}

impl ToSql for Instant {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&(self.0 - EPOCH).to_be_bytes());
        Ok(IsNull::No)
    }
    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Instant {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(i64::from_be_bytes(raw.try_into()?) + EPOCH))
    }
    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }
}

impl ToSql for Raw<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        if *ty == Type::JSONB {
            out.extend_from_slice(&[1]);
        }
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }
    fn accepts(ty: &Type) -> bool {
        [Type::JSON, Type::JSONB, Type::BPCHAR, Type::TEXT].contains(ty)
    }
    to_sql_checked!();
}

/// A connection that sees the rows of one tenant at a time, by row-level security.
struct Rights {
    client: Client,
    /// Statements on their way.
    busy: Cell<u32>,
    tenant: RefCell<String>,
    set: Statement,
}

struct ReadLink {
    rights: Rights,
    head: Statement,
    whole: Statement,
    page: Statement,
    own_page: Statement,
    whole_page: Statement,
    prices: Statement,
    kept: Statement,
}

struct WriteLink {
    rights: Rights,
    create: Statement,
    create_kept: Statement,
    note: Statement,
    place: Statement,
}

/// The connections of one core.
pub(crate) struct Postgres {
    readers: Vec<ReadLink>,
    turn: Cell<usize>,
    writers: RefCell<Vec<Rc<WriteLink>>>,
    free: Semaphore,
}

/// A write connection that goes back when it is dropped, also where the caller has gone.
struct Taken<'a> {
    of: &'a Postgres,
    link: Rc<WriteLink>,
    _turn: SemaphorePermit<'a>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.of.writers.borrow_mut().push(Rc::clone(&self.link));
    }
}

async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::task::spawn_local(async move {
        // The requests of the connection are told what happened to it.
        let _ended = connection.await;
    });
    Ok(client)
}

struct Busy<'a>(&'a Cell<u32>);

impl<'a> Busy<'a> {
    fn new(count: &'a Cell<u32>) -> Self {
        count.set(count.get() + 1);
        Self(count)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Rights {
    async fn new(client: Client) -> Result<Self, tokio_postgres::Error> {
        client.batch_execute("SET ROLE mainstay_rows").await?;
        let set = client.prepare("SELECT set_config('mainstay.tenant', $1, false)").await?;
        Ok(Self { client, busy: Cell::new(0), tenant: RefCell::default(), set })
    }

    fn sees(&self, tenant: &str) -> bool {
        *self.tenant.borrow() == tenant
    }

    /// Statements before one for a tenant; to become another's takes about as long as two.
    fn load(&self, tenant: &str) -> u32 {
        self.busy.get() + if self.sees(tenant) { 0 } else { 2 }
    }

    /// Sends both before anybody else sends anything, and waits for neither in between.
    async fn with<T>(
        &self,
        tenant: &str,
        run: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, tokio_postgres::Error> {
        let _busy = Busy::new(&self.busy);
        if self.sees(tenant) {
            return run.await;
        }
        tenant.clone_into(&mut self.tenant.borrow_mut());
        let values: [&(dyn ToSql + Sync); 1] = [&tenant];
        let (set, done) = futures::join!(self.client.execute(&self.set, &values), run);
        set.and(done)
    }

    async fn query(
        &self,
        tenant: &str,
        statement: &Statement,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        self.with(tenant, self.client.query(statement, values)).await
    }

    async fn execute(
        &self,
        tenant: &str,
        statement: &Statement,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, tokio_postgres::Error> {
        self.with(tenant, self.client.execute(statement, values)).await
    }
}

/// The key of cursors that Mainstay keeps in the database; none where it was never there.
pub(crate) fn cursor_key(url: &str) -> Option<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let hex: String = tokio::task::LocalSet::new().block_on(&runtime, async {
        let client = connect(url).await.ok()?;
        let text = "SELECT value FROM mainstay.meta WHERE name = 'cursor_key'";
        Some(client.query_opt(text, &[]).await.ok()??.get(0))
    })?;
    (0..hex.len() / 2).map(|at| u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()).collect()
}

const WHOLE_PAGE: &str = "(SELECT * FROM ordering.orders WHERE org = $1 AND id < $2 \
    AND ($4::text IS NULL OR shopper = $4) ORDER BY id DESC LIMIT $3) o";
const CREATE: &str = "o AS (INSERT INTO ordering.orders (org, id, row_version, created_at, \
    updated_at, shopper, total, total_currency, note, status) \
    VALUES ($1, $2, 1, $3, $3, $4, $5, $6, $7, 'draft') RETURNING id) \
    INSERT INTO ordering.order_lines (org, id, order_id, position, product, price, \
    price_currency, quantity, amount, amount_currency) \
    SELECT $1, l.id, $2, l.at - 1, l.product, l.price, $6, l.quantity, l.amount, $6 \
    FROM unnest($8::uuid[], $9::uuid[], $10::bigint[], $11::bigint[], $12::bigint[]) \
    WITH ORDINALITY AS l (id, product, price, quantity, amount, at)";
const KEEP: &str = "k AS (INSERT INTO mainstay.idempotency (scope, fingerprint, status, headers, \
    body, expires) VALUES ($13, $14, $15, $16, $17, $18))";
const NOTE: &str = "UPDATE ordering.orders SET row_version = $1::bigint, updated_at = $2, note = $3 \
    WHERE org = $4 AND id = $5 AND row_version = $1::bigint - 1";
const PLACE: &str = "WITH o AS (UPDATE ordering.orders SET row_version = $1::bigint, updated_at = $2, \
    status = $3 WHERE org = $4 AND id = $5 AND row_version = $1::bigint - 1 RETURNING id) \
    INSERT INTO mainstay.outbox (id, tenant, event, resource, row_id, time, data, trace) \
    SELECT $6, $4, 'order.placed', 'ordering.Order', o.id, $2, $7, $8 FROM o";

async fn reader(url: &str) -> Result<ReadLink, tokio_postgres::Error> {
    let client = connect(url).await?;
    let order = "FROM ordering.orders o";
    let texts = [
        format!("SELECT {HEAD} {order} WHERE o.org = $1 AND o.id = $2"),
        format!(
            "SELECT {HEAD}, {LINE} {order} {JOIN} WHERE o.org = $1 AND o.id = $2 \
             ORDER BY l.position"
        ),
        format!("SELECT {HEAD} {order} WHERE o.org = $1 AND o.id < $2 ORDER BY o.id DESC LIMIT $3"),
        format!(
            "SELECT {HEAD} {order} WHERE o.org = $1 AND o.id < $2 AND o.shopper = $4 \
             ORDER BY o.id DESC LIMIT $3"
        ),
        format!("SELECT {HEAD}, {LINE} FROM {WHOLE_PAGE} {JOIN} ORDER BY o.id DESC, l.position"),
        "SELECT id, price, price_currency FROM catalog.products WHERE org = $1 AND id = ANY($2)"
            .to_owned(),
        "SELECT fingerprint, status, headers::text, body, expires FROM mainstay.idempotency \
         WHERE scope = $1 AND expires > $2"
            .to_owned(),
    ];
    let all = try_join_all(texts.iter().map(|text| client.prepare(text))).await?;
    let mut all = all.into_iter();
    let mut next = || all.next().expect("a statement for each text");
    Ok(ReadLink {
        head: next(),
        whole: next(),
        page: next(),
        own_page: next(),
        whole_page: next(),
        prices: next(),
        kept: next(),
        rights: Rights::new(client).await?,
    })
}

async fn writer(url: &str) -> Result<Rc<WriteLink>, tokio_postgres::Error> {
    let client = connect(url).await?;
    let create = client.prepare(&format!("WITH {CREATE}")).await?;
    let create_kept = client.prepare(&format!("WITH {KEEP}, {CREATE}")).await?;
    let (note, place) = (client.prepare(NOTE).await?, client.prepare(PLACE).await?);
    let rights = Rights::new(client).await?;
    Ok(Rc::new(WriteLink { rights, create, create_kept, note, place }))
}

impl Postgres {
    /// Opens the connections of a core.
    pub(crate) async fn open(url: &str) -> Result<Self, tokio_postgres::Error> {
        let readers = try_join_all((0..READERS).map(|_| reader(url))).await?;
        let writers = try_join_all((0..WRITERS).map(|_| writer(url))).await?;
        let (turn, free) = (Cell::new(0), Semaphore::new(writers.len()));
        Ok(Self { readers, turn, writers: RefCell::new(writers), free })
    }

    /// The one with the least to do before a read of the tenant, in turn.
    fn reader(&self, tenant: &str) -> &ReadLink {
        let turn = self.turn.get() % self.readers.len();
        self.turn.set(turn + 1);
        let in_turn = self.readers[turn..].iter().chain(&self.readers[..turn]);
        in_turn.min_by_key(|link| link.rights.load(tenant)).unwrap_or(&self.readers[turn])
    }

    async fn writer(&self) -> Option<Taken<'_>> {
        let turn = self.free.acquire().await.ok()?;
        let link = self.writers.borrow_mut().pop()?;
        Some(Taken { of: self, link, _turn: turn })
    }

    /// One order as JSON.
    pub(crate) async fn show(
        &self,
        tenant: &str,
        id: u128,
        wish: Wish<'_>,
    ) -> Result<Option<Shown>, Broken> {
        let link = self.reader(tenant);
        let lines = wish.members & json::LINES != 0;
        let statement = if lines { &link.whole } else { &link.head };
        let rows = link.rights.query(tenant, statement, &[&tenant, &Uuid(id)]).await?;
        let Some(first) = rows.first().map(head) else { return Ok(None) };
        if !wish.sees(first.shopper) {
            return Ok(None);
        }
        let mut body = Vec::with_capacity(if lines { 1_536 } else { 320 });
        json::open(&mut body, &first, wish.members);
        if lines {
            body.extend_from_slice(b",\"lines\":[");
            for (at, line) in rows.iter().filter_map(line).enumerate() {
                if at > 0 {
                    body.push(b',');
                }
                json::line(&mut body, &line);
            }
            body.push(b']');
        }
        json::close(&mut body, &first, wish.members);
        Ok(Some(Shown { version: first.version, body }))
    }

    /// A page of orders as JSON, newest first.
    pub(crate) async fn page(&self, query: &PageQuery<'_>) -> Result<Page, Broken> {
        let (tenant, before, limit) = (query.tenant, Uuid(query.before), query.limit + 1);
        let link = self.reader(tenant);
        let lines = query.wish.members & json::LINES != 0;
        let own = query.wish.own;
        let base: [&(dyn ToSql + Sync); 3] = [&tenant, &before, &limit];
        let with_own: [&(dyn ToSql + Sync); 4] = [&tenant, &before, &limit, &own];
        let rows = match (lines, own) {
            (true, _) => link.rights.query(tenant, &link.whole_page, &with_own).await?,
            (false, None) => link.rights.query(tenant, &link.page, &base).await?,
            (false, Some(_)) => link.rights.query(tenant, &link.own_page, &with_own).await?,
        };
        let mut page = Page::new(query, lines);
        for row in &rows {
            let head = head(row);
            if page.begins(head.id) && !page.order(&head) {
                break;
            }
            if lines && let Some(line) = line(row) {
                page.line(&line);
            }
        }
        page.end();
        Ok(page)
    }

    /// One order as it is changed.
    pub(crate) async fn order(&self, tenant: &str, id: u128) -> Result<Option<Order>, Broken> {
        let link = self.reader(tenant);
        let rows = link.rights.query(tenant, &link.whole, &[&tenant, &Uuid(id)]).await?;
        let Some(mut order) = rows.first().map(|row| owned(&head(row))) else { return Ok(None) };
        for Line { id, product, price, currency, quantity, amount } in rows.iter().filter_map(line)
        {
            let currency = code(currency);
            order.lines.push(OrderLine { id, product, price, currency, quantity, amount });
        }
        Ok(Some(order))
    }

    /// What products cost, in their order.
    pub(crate) async fn prices(
        &self,
        tenant: &str,
        products: &[u128],
    ) -> Result<Vec<Option<Price>>, Broken> {
        let link = self.reader(tenant);
        let ids: Vec<Uuid> = products.iter().map(|id| Uuid(*id)).collect();
        let rows = link.rights.query(tenant, &link.prices, &[&tenant, &ids]).await?;
        let found = |id: &u128| {
            let row = rows.iter().find(|row| row.get::<_, Uuid>(0).0 == *id)?;
            Some((row.get(1), code(row.get(2))))
        };
        Ok(products.iter().map(found).collect())
    }

    /// The answer of a key.
    pub(crate) async fn kept(
        &self,
        tenant: &str,
        scope: &[u8; 32],
        now: i64,
    ) -> Result<Option<Kept>, Broken> {
        let link = self.reader(tenant);
        let values: [&(dyn ToSql + Sync); 2] = [&scope.as_slice(), &Instant(now)];
        let rows = link.rights.query(tenant, &link.kept, &values).await?;
        let read = |row: &Row| {
            let fingerprint: &[u8] = row.get(0);
            let (status, expires): (i16, Instant) = (row.get(1), row.get(4));
            Kept {
                scope: *scope,
                fingerprint: fingerprint.try_into().unwrap_or([0; 32]),
                status: status.unsigned_abs(),
                headers: row.get(2),
                body: row.get(3),
                expires: expires.0,
            }
        };
        Ok(rows.first().map(read))
    }

    /// One transaction of one statement.
    pub(crate) async fn commit(&self, change: &Change) -> Outcome {
        let Some(taken) = self.writer().await else { return Outcome::Broken };
        let (link, Change { tenant, now, what, kept }) = (&taken.link, change);
        let tenant = &**tenant;
        let done = match what {
            What::Create(order) => create(link, tenant, order, kept.as_ref()).await,
            What::Note(order) => {
                let Order { id, version, updated_at, note, .. } = order;
                let (id, at) = (Uuid(*id), Instant(*updated_at));
                link.rights.execute(tenant, &link.note, &[version, &at, note, &tenant, &id]).await
            }
            What::Place(order, Event { id: event, data, trace }) => {
                let Order { id, version, status, .. } = order;
                let (id, event, at) = (Uuid(*id), Uuid(*event), Instant(*now));
                let data = Raw(data);
                let values: [&(dyn ToSql + Sync); 8] =
                    [version, &at, status, &tenant, &id, &event, &data, trace];
                link.rights.execute(tenant, &link.place, &values).await
            }
        };
        match done {
            Ok(0) => Outcome::Conflict,
            Ok(_) => Outcome::Done,
            Err(why) if why.code().is_some_and(|code| code.code() == "23505") => Outcome::Answered,
            Err(_) => Outcome::Broken,
        }
    }
}

async fn create(
    link: &WriteLink,
    tenant: &str,
    order: &Order,
    kept: Option<&Kept>,
) -> Result<u64, tokio_postgres::Error> {
    let (id, at, lines) = (Uuid(order.id), Instant(order.created_at), &order.lines);
    let shopper = &*order.shopper;
    let money = Raw(currency(&order.currency));
    let ids: Vec<Uuid> = lines.iter().map(|line| Uuid(line.id)).collect();
    let products: Vec<Uuid> = lines.iter().map(|line| Uuid(line.product)).collect();
    let prices: Vec<i64> = lines.iter().map(|line| line.price).collect();
    let quantities: Vec<i64> = lines.iter().map(|line| line.quantity).collect();
    let amounts: Vec<i64> = lines.iter().map(|line| line.amount).collect();
    let values: [&(dyn ToSql + Sync); 12] = [
        &tenant,
        &id,
        &at,
        &shopper,
        &order.total,
        &money,
        &order.note,
        &ids,
        &products,
        &prices,
        &quantities,
        &amounts,
    ];
    let Some(kept) = kept else { return link.rights.execute(tenant, &link.create, &values).await };
    let (scope, fingerprint) = (kept.scope.as_slice(), kept.fingerprint.as_slice());
    let (status, expires) = (i16::try_from(kept.status).unwrap_or(0), Instant(kept.expires));
    let (headers, body) = (Raw(&kept.headers), &kept.body);
    let more: [&(dyn ToSql + Sync); 6] = [&scope, &fingerprint, &status, &headers, body, &expires];
    let all: Vec<&(dyn ToSql + Sync)> = values.into_iter().chain(more).collect();
    link.rights.execute(tenant, &link.create_kept, &all).await
}

fn head(row: &Row) -> Head<'_> {
    Head {
        id: row.get::<_, Uuid>(0).0,
        version: row.get(1),
        created_at: row.get::<_, Instant>(2).0,
        updated_at: row.get::<_, Instant>(3).0,
        shopper: row.get(4),
        total: row.get(5),
        currency: row.get(6),
        note: row.get(7),
        status: row.get(8),
    }
}

fn line(row: &Row) -> Option<Line<'_>> {
    let id: Option<Uuid> = row.get(HEADS);
    Some(Line {
        id: id?.0,
        product: row.get::<_, Uuid>(HEADS + 1).0,
        price: row.get(HEADS + 2),
        currency: row.get(HEADS + 3),
        quantity: row.get(HEADS + 4),
        amount: row.get(HEADS + 5),
    })
}
