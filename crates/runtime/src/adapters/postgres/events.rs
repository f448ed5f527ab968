//! The event port on databases: what was committed is numbered by whoever reads next, and what
//! consumers remember is written beside it.

use super::PostgresStore;
use super::cells::{Bound, Column};
use super::error::{misshapen, unavailable};
use super::link::{Link, Parameter, Session};
use super::place::{Held as Base, Place as Spot};
use super::pool::Lease;
use super::system;
use crate::adapters::sql::events::{self, Asked, Cells, POSTGRESQL, held, trim};
use crate::adapters::sql::shape::{Cell, Stored};
use crate::ports::events::{
    Claim, Consumers, DeadLetters, EventLog, EventQuery, Extent, Held, HeldQuery, Logged, Part,
    Place, Progress, Refused, Remedy, Settled, Span, Trim,
};
use crate::ports::store::{Tenant, Unavailable};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_postgres::{Error, Row};

mod listening;

pub(super) use listening::Listening;

/// Events that are numbered at a time.
const NUMBERED_MAX: i64 = 2_000;
/// Numbers what has none, if there is anything.
const NUMBER: &str = "SELECT \"mainstay\".\"outbox_count\"($1) WHERE EXISTS \
                      (SELECT 1 FROM \"mainstay\".\"outbox\" WHERE \"number\" IS NULL)";
/// Tells all who listen to the home of a service: events of a tenant's database.
const TELL: &str = "SELECT pg_notify('mainstay_events', '')";
/// The last number, and what was cut off.
const EXTENT: &str = "SELECT (SELECT max(\"number\") FROM \"mainstay\".\"outbox\"), \
                      (SELECT \"value\" FROM \"mainstay\".\"meta\" WHERE \"name\" = $1)";
/// One at a time cuts off a log.
const TRIMMING: &str = "SELECT pg_advisory_xact_lock(4728116730258641718)";
/// Tenants with a database each.
const TENANTS: &str = "SELECT \"value\" FROM \"mainstay\".\"meta\" WHERE \"name\" LIKE 'tenant %' \
                       ORDER BY 1";

pub(super) fn failed(error: Error) -> Unavailable {
    unavailable(&error)
}

fn bound(cells: Vec<Cell<'_>>) -> Vec<Bound<'_>> {
    cells.into_iter().map(Bound).collect()
}

fn borrowed<'b>(values: &'b [Bound<'_>]) -> Vec<Parameter<'b>> {
    values.iter().map(|value| value as Parameter<'b>).collect()
}

/// What rows hold, one by one.
pub(super) fn all<T>(
    rows: &[Row],
    table: &str,
    read: impl Fn(&mut Cells<'_>) -> Option<T>,
) -> Result<Vec<T>, Unavailable> {
    let of = |row: &Row| {
        let cell = |at| row.try_get::<_, Column<'_>>(at).map_or(Stored::Foreign, |one| one.0);
        read(&mut Cells::of((0..row.len()).map(cell).collect()))
    };
    rows.iter().map(of).collect::<Option<Vec<T>>>().ok_or_else(|| misshapen(table))
}

pub(super) async fn query(link: &Link, asked: Asked<'_>) -> Result<Vec<Row>, Unavailable> {
    let values = bound(asked.cells);
    link.query(&asked.text, &borrowed(&values)).await.map_err(failed)
}

pub(super) async fn execute(link: &Link, asked: Asked<'_>) -> Result<u64, Unavailable> {
    let values = bound(asked.cells);
    link.execute(&asked.text, &borrowed(&values)).await.map_err(failed)
}

impl PostgresStore {
    fn plain(&self) -> Session {
        self.places.session_of(&None, self.places.limits.statement_ms_max)
    }

    pub(super) async fn look(
        &self,
        place: &Place,
        asked: Asked<'_>,
    ) -> Result<Vec<Row>, Unavailable> {
        let Some(spot) = self.places.answers(place).await? else { return Ok(Vec::new()) };
        self.rows(&spot, asked).await
    }

    async fn rows(&self, spot: &Spot<'_>, asked: Asked<'_>) -> Result<Vec<Row>, Unavailable> {
        let values = bound(asked.cells);
        spot.base.readers.read(&self.plain(), &asked.text, &borrowed(&values)).await
    }

    /// A connection that writes, whose commits wait for the disk.
    pub(super) async fn lease(&self, spot: &Spot<'_>) -> Result<Lease, Unavailable> {
        let session = self.plain();
        let lease = spot.base.writers.lease_for(&session, None).await?;
        if let Some(entered) = lease.enter(&session).await {
            entered.answer().await.map_err(failed)?;
        }
        Ok(lease)
    }

    /// Numbers what was committed in a place.
    async fn number(&self, spot: &Spot<'_>) -> Result<(), Unavailable> {
        let lease = self.lease(spot).await?;
        let numbered = lease.query(NUMBER, &[&NUMBERED_MAX]).await.map_err(failed)?;
        lease.ended();
        let any = numbered.first().is_some_and(|row| row.get::<_, i64>(0) > 0);
        if any && matches!(spot.base, Base::Tenant(_)) {
            let home = &self.places.home.readers;
            home.read(&self.plain(), TELL, &[]).await?;
        }
        Ok(())
    }

    /// Events of a log, after what is new has got its number.
    async fn log(
        &self,
        place: &Place,
        asked: Asked<'_>,
        bytes_max: usize,
    ) -> Result<Vec<Logged>, Unavailable> {
        let Some(spot) = self.places.answers(place).await? else { return Ok(Vec::new()) };
        self.number(&spot).await?;
        let rows = self.rows(&spot, asked).await?;
        let mut found = all(&rows, "mainstay.outbox", events::logged)?;
        let mut bytes = 0;
        let fits = |event: &&Logged| {
            bytes += events::bytes(event);
            bytes <= bytes_max
        };
        let fitting = found.iter().take_while(fits).count();
        found.truncate(fitting.max(1));
        Ok(found)
    }

    async fn claim_now(
        &self,
        place: &Place,
        part: &Part,
        owner: &str,
        span: Span,
    ) -> Result<Claim, Refused> {
        let Some(spot) = self.places.answers(place).await? else {
            let what = "a tenant without a place has no events".to_owned();
            return Err(Refused::Unavailable(Unavailable::Broken(what)));
        };
        let lease = self.lease(&spot).await?;
        let rows = query(&lease, POSTGRESQL.claim(place, part, owner, span)).await?;
        let granted = all(&rows, "mainstay.consumers", |cells| Some((cells.int()?, cells.int()?)))?;
        if let Some((epoch, position)) = granted.first().copied() {
            lease.ended();
            return Ok(Claim { part: part.clone(), epoch, position });
        }
        let rows = query(&lease, POSTGRESQL.claimed(part)).await?;
        lease.ended();
        let until = all(&rows, "mainstay.consumers", |cells| cells.int())?;
        Err(Refused::Taken { until: until.first().copied().unwrap_or_default() })
    }

    async fn settle_now(
        &self,
        place: &Place,
        claim: &Claim,
        settled: &Settled,
    ) -> Result<bool, Unavailable> {
        let Some(spot) = self.places.answers(place).await? else { return Ok(false) };
        let lease = self.lease(&spot).await?;
        let moved = POSTGRESQL.settle(claim, settled);
        if settled.held.is_empty() {
            let done = execute(&lease, moved).await?;
            lease.ended();
            return Ok(done == 1);
        }
        // A connection that is given up takes its transaction with it.
        lease.plain("BEGIN").await.map_err(failed)?;
        let own = execute(&lease, moved).await? == 1;
        for held in settled.held.iter().filter(|_| own) {
            let done = POSTGRESQL.is_consumed(&claim.part.consumer, held.event.id);
            if !query(&lease, done).await?.is_empty() {
                continue;
            }
            execute(&lease, POSTGRESQL.hold(&claim.part, held)).await?;
        }
        lease.plain("COMMIT").await.map_err(failed)?;
        lease.ended();
        Ok(own)
    }

    async fn trim_now(&self, place: &Place, trim: &Trim) -> Result<u64, Unavailable> {
        let Some(spot) = self.places.answers(place).await? else { return Ok(0) };
        let lease = self.lease(&spot).await?;
        lease.plain("BEGIN").await.map_err(failed)?;
        lease.plain(TRIMMING).await.map_err(failed)?;
        let gone = cut(&lease, trim).await?;
        lease.plain("COMMIT").await.map_err(failed)?;
        lease.ended();
        Ok(gone)
    }

    pub(super) async fn change(&self, place: &Place, asked: Asked<'_>) -> Result<u64, Unavailable> {
        let Some(spot) = self.places.answers(place).await? else { return Ok(0) };
        let lease = self.lease(&spot).await?;
        let changed = execute(&lease, asked).await?;
        lease.ended();
        Ok(changed)
    }

    async fn extent_now(&self, place: &Place) -> Result<Extent, Unavailable> {
        let Some(spot) = self.places.answers(place).await? else { return Ok(Extent::default()) };
        self.number(&spot).await?;
        let rows = spot.base.readers.read(&self.plain(), EXTENT, &[&trim::TRIMMED]).await?;
        let Some(row) = rows.first() else { return Ok(Extent::default()) };
        let (last, trimmed): (Option<i64>, Option<String>) = (row.get(0), row.get(1));
        let trimmed = trim::Trimmed::read(trimmed.as_deref()).position;
        // Whatever went was there, so the last that went may be the last that was.
        Ok(Extent { last: last.unwrap_or(0).max(trimmed), trimmed })
    }

    async fn places_now(&self) -> Result<Vec<Place>, Unavailable> {
        let mut places = vec![None];
        if self.places.by_database() {
            let rows = self.places.home.readers.read(&self.plain(), TENANTS, &[]).await?;
            places.extend(rows.iter().map(|row| Some(Arc::from(row.get::<_, &str>(0)))));
        }
        Ok(places)
    }
}

/// Cuts off the beginning of the log.
async fn cut(link: &Link, trim: &Trim) -> Result<u64, Unavailable> {
    let before = system::meta(link, trim::TRIMMED).await.map_err(failed)?;
    let mut trimmed = trim::Trimmed::read(before.as_deref()).keeping(trim);
    let mut gone = 0;
    for _ in 0..trim::LOOKS_MAX {
        let left = trim.rows_max.saturating_sub(u32::try_from(gone).unwrap_or(u32::MAX));
        let rows = query(link, POSTGRESQL.first(&trimmed, left)).await?;
        let first = all(&rows, "mainstay.outbox", trim::first)?;
        let cut = trimmed.cut(&first, left, trim);
        execute(link, POSTGRESQL.cut(&cut)).await?;
        gone += cut.rows;
        trimmed = cut.then;
        if !cut.more {
            break;
        }
    }
    let after = trimmed.written();
    if before.as_ref() != Some(&after) {
        system::set_meta(link, trim::TRIMMED, &after).await.map_err(failed)?;
    }
    Ok(gone)
}

impl EventLog for PostgresStore {
    fn places(&self) -> BoxFuture<'_, Result<Vec<Place>, Unavailable>> {
        self.places_now().boxed()
    }

    fn appended(&self) -> watch::Receiver<u64> {
        self.places.listen()
    }

    fn after<'a>(
        &'a self,
        place: &'a Place,
        position: i64,
        rows_max: u32,
        bytes_max: usize,
    ) -> BoxFuture<'a, Result<Vec<Logged>, Unavailable>> {
        self.log(place, POSTGRESQL.after(position, rows_max), bytes_max).boxed()
    }

    fn page<'a>(
        &'a self,
        tenant: &'a Tenant,
        query: &'a EventQuery,
    ) -> BoxFuture<'a, Result<Vec<Logged>, Unavailable>> {
        self.log(tenant, POSTGRESQL.page(tenant, query), usize::MAX).boxed()
    }

    fn extent<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Extent, Unavailable>> {
        self.extent_now(place).boxed()
    }

    fn trim<'a>(
        &'a self,
        place: &'a Place,
        trim: &'a Trim,
    ) -> BoxFuture<'a, Result<u64, Unavailable>> {
        self.trim_now(place, trim).boxed()
    }
}

impl Consumers for PostgresStore {
    fn claim<'a>(
        &'a self,
        place: &'a Place,
        part: &'a Part,
        owner: &'a str,
        span: Span,
    ) -> BoxFuture<'a, Result<Claim, Refused>> {
        self.claim_now(place, part, owner, span).boxed()
    }

    fn settle<'a>(
        &'a self,
        place: &'a Place,
        claim: &'a Claim,
        settled: &'a Settled,
    ) -> BoxFuture<'a, Result<bool, Unavailable>> {
        self.settle_now(place, claim, settled).boxed()
    }

    fn progress<'a>(
        &'a self,
        place: &'a Place,
    ) -> BoxFuture<'a, Result<Vec<Progress>, Unavailable>> {
        async move {
            let rows = self.look(place, POSTGRESQL.progress()).await?;
            let now = self.places.config.clock.now();
            all(&rows, "mainstay.consumers", |cells| events::progress(cells, now))
        }
        .boxed()
    }

    fn reached<'a>(
        &'a self,
        tenant: &'a Tenant,
        consumer: &'a str,
        source: &'a str,
    ) -> BoxFuture<'a, Result<i64, Unavailable>> {
        async move {
            let rows = self.look(tenant, POSTGRESQL.reached(tenant, consumer, source)).await?;
            let found = all(&rows, "mainstay.projections", |cells| cells.int())?;
            Ok(found.first().copied().unwrap_or(0))
        }
        .boxed()
    }

    fn forget<'a>(
        &'a self,
        place: &'a Place,
        before: i64,
        rows_max: u32,
    ) -> BoxFuture<'a, Result<u64, Unavailable>> {
        self.change(place, POSTGRESQL.forget(before, rows_max)).boxed()
    }
}

impl DeadLetters for PostgresStore {
    fn held<'a>(
        &'a self,
        place: &'a Place,
        query: &'a HeldQuery,
    ) -> BoxFuture<'a, Result<Vec<Held>, Unavailable>> {
        async move {
            let rows = self.look(place, POSTGRESQL.held(query)).await?;
            all(&rows, "mainstay.deliveries", held::held)
        }
        .boxed()
    }

    fn remedy<'a>(
        &'a self,
        place: &'a Place,
        consumer: &'a str,
        event: u128,
        remedy: &'a Remedy,
        now: i64,
    ) -> BoxFuture<'a, Result<bool, Unavailable>> {
        async move {
            let asked = POSTGRESQL.remedy(consumer, event, remedy, now);
            let Some(before) = POSTGRESQL.before_remedy(consumer, event, remedy, now) else {
                return Ok(self.change(place, asked).await? == 1);
            };
            let Some(spot) = self.places.answers(place).await? else { return Ok(false) };
            let lease = self.lease(&spot).await?;
            // A connection that is given up takes its transaction with it.
            lease.plain("BEGIN").await.map_err(failed)?;
            execute(&lease, before).await?;
            let changed = execute(&lease, asked).await?;
            lease.plain("COMMIT").await.map_err(failed)?;
            lease.ended();
            Ok(changed == 1)
        }
        .boxed()
    }
}
