//! The event port on the files: the outbox is read where it lies, and what consumers remember is
//! written by the one writer, in the groups of everything else.

use super::SqliteStore;
use super::error::{misshapen, unavailable};
use super::layout::File;
use super::link::{Link, bind, stored};
use super::system;
use crate::adapters::sql::events::{self, Asked, Cells, SQLITE, held, trim};
use crate::ports::events::{
    Claim, Consumers, DeadLetters, EventLog, EventQuery, Extent, Held, HeldQuery, Logged, Part,
    Place, Progress, Refused, Remedy, Settled, Span, Trim,
};
use crate::ports::store::{CommitError, Tenant, Unavailable, WriteSet};
use futures::FutureExt;
use futures::future::BoxFuture;
use rusqlite::{OptionalExtension, Result};
use tokio::sync::watch;

/// Of an older file that nobody has written to since: it has none of it.
const THERE: &str = "SELECT 1 FROM sqlite_schema WHERE name = 'mainstay_deliveries'";

/// Writes what a set says of the events that it follows from.
pub(super) fn follow(link: &Link, set: &WriteSet) -> std::result::Result<(), CommitError> {
    let run = |asked: Asked<'_>| {
        let done = link.execute(&asked.text, asked.cells);
        done.map_err(|error| CommitError::Unavailable(unavailable(&error)))
    };
    if let Some(consumed) = &set.consumed {
        if run(SQLITE.consume(consumed, &set.tenant))? == 0 {
            return Err(CommitError::Consumed);
        }
        run(SQLITE.let_go(&consumed.consumer, consumed.event))?;
    }
    if let Some(projected) = &set.projected
        && run(SQLITE.project(projected, &set.tenant))? == 0
    {
        return Err(CommitError::Fenced);
    }
    Ok(())
}

/// Hands out the rows of a question until it is told to stop; false where one is misshapen.
fn each(
    link: &Link,
    asked: Asked<'_>,
    columns: usize,
    mut take: impl FnMut(&mut Cells<'_>) -> Option<bool>,
) -> Result<bool> {
    let mut statement = link.statement(&asked.text)?;
    bind(&mut statement, asked.cells)?;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        let cells = (0..columns).map(|at| stored(row, at)).collect();
        match take(&mut Cells::of(cells)) {
            Some(true) => {}
            Some(false) => break,
            None => return Ok(false),
        }
    }
    Ok(true)
}

/// All rows of a question; none where one is misshapen.
pub(super) fn all<T>(
    link: &Link,
    asked: Asked<'_>,
    columns: usize,
    read: impl Fn(&mut Cells<'_>) -> Option<T>,
) -> Result<Option<Vec<T>>> {
    let mut found = Vec::new();
    let take = |cells: &mut Cells<'_>| read(cells).map(|one| found.push(one)).map(|()| true);
    Ok(each(link, asked, columns, take)?.then_some(found))
}

fn whole<T>(
    found: std::result::Result<Option<T>, Unavailable>,
    table: &str,
) -> std::result::Result<T, Unavailable> {
    found?.ok_or_else(|| misshapen(table))
}

impl SqliteStore {
    pub(super) fn look<T: Default>(
        &self,
        place: &Place,
        run: impl FnOnce(&Link) -> Result<Option<T>>,
    ) -> std::result::Result<T, Unavailable> {
        let file = self.layout.answers(place)?;
        let run = |link: &Link| match link.exists(THERE, [])? {
            true => run(link),
            false => Ok(Some(T::default())),
        };
        let found = self.readers.with(&file, 0, None, run, || Some(T::default()));
        whole(found, "mainstay_deliveries")
    }

    fn log(
        &self,
        place: &Place,
        asked: Asked<'_>,
        bytes_max: usize,
    ) -> std::result::Result<Vec<Logged>, Unavailable> {
        let file = self.layout.answers(place)?;
        let run = |link: &Link| {
            let (mut found, mut bytes) = (Vec::new(), 0);
            let take = |cells: &mut Cells<'_>| {
                let event = events::logged(cells)?;
                bytes += events::bytes(&event);
                let fits = found.is_empty() || bytes <= bytes_max;
                if fits {
                    found.push(event);
                }
                Some(fits)
            };
            Ok(each(link, asked, events::LOGGED_COLUMNS, take)?.then_some(found))
        };
        whole(self.readers.with(&file, 0, None, run, || Some(Vec::new())), "mainstay_outbox")
    }

    async fn claim_now(
        &self,
        place: &Place,
        part: &Part,
        owner: &str,
        span: Span,
    ) -> std::result::Result<Claim, Refused> {
        let (of, wanted, owner) = (place.clone(), part.clone(), owner.to_owned());
        let claim = move |link: &Link| {
            let asked = SQLITE.claim(&of, &wanted, &owner, span);
            let mut granted = None;
            let take = |cells: &mut Cells<'_>| {
                granted = Some((cells.int()?, cells.int()?));
                Some(true)
            };
            each(link, asked, 2, take)?;
            if granted.is_some() {
                return Ok((granted, 0));
            }
            let until = all(link, SQLITE.claimed(&wanted), 1, |cells| cells.int())?;
            Ok((None, until.and_then(|until| until.first().copied()).unwrap_or_default()))
        };
        match self.writers.run(place, claim).await? {
            Some((Some((epoch, position)), _)) => Ok(Claim { part: part.clone(), epoch, position }),
            Some((None, until)) => Err(Refused::Taken { until }),
            None => Err(Refused::Unavailable(Unavailable::Broken(
                "a tenant without a place has no events".to_owned(),
            ))),
        }
    }

    async fn settle_now(
        &self,
        place: &Place,
        claim: &Claim,
        settled: &Settled,
    ) -> std::result::Result<bool, Unavailable> {
        let (claim, settled) = (claim.clone(), settled.clone());
        let settle = move |link: &Link| {
            let Asked { text, cells } = SQLITE.settle(&claim, &settled);
            if link.execute(&text, cells)? == 0 {
                return Ok(false);
            }
            for held in &settled.held {
                let done = SQLITE.is_consumed(&claim.part.consumer, held.event.id);
                if link.exists(&done.text, done.cells)? {
                    continue;
                }
                let Asked { text, cells } = SQLITE.hold(&claim.part, held);
                link.execute(&text, cells)?;
            }
            Ok(true)
        };
        Ok(self.writers.run(place, settle).await?.unwrap_or(false))
    }

    async fn trim_now(&self, place: &Place, trim: &Trim) -> std::result::Result<u64, Unavailable> {
        let trim = trim.clone();
        let cut = move |link: &Link| cut(link, &trim);
        let gone = self.writers.run(place, cut).await?;
        gone.map_or(Ok(0), |gone| whole(Ok(gone), "mainstay_outbox"))
    }

    pub(super) async fn change(
        &self,
        place: &Place,
        asked: Asked<'static>,
    ) -> std::result::Result<u64, Unavailable> {
        let Asked { text, cells } = asked;
        let run = move |link: &Link| link.execute(&text, cells.iter().cloned());
        Ok(self.writers.run(place, run).await?.unwrap_or(0) as u64)
    }
}

/// Cuts off the beginning of the log; none where it is misshapen.
fn cut(link: &Link, trim: &Trim) -> Result<Option<u64>> {
    let before = system::meta(link, trim::TRIMMED)?;
    let mut trimmed = trim::Trimmed::read(before.as_deref()).keeping(trim);
    let mut gone = 0;
    for _ in 0..trim::LOOKS_MAX {
        let left = trim.rows_max.saturating_sub(u32::try_from(gone).unwrap_or(u32::MAX));
        let Some(first) = all(link, SQLITE.first(&trimmed, left), 3, trim::first)? else {
            return Ok(None);
        };
        let cut = trimmed.cut(&first, left, trim);
        let Asked { text, cells } = SQLITE.cut(&cut);
        link.execute(&text, cells)?;
        gone += cut.rows;
        trimmed = cut.then;
        if !cut.more {
            break;
        }
    }
    let after = trimmed.written();
    if before.as_ref() != Some(&after) {
        system::set_meta(link, trim::TRIMMED, &after)?;
    }
    Ok(Some(gone))
}

fn extent(link: &Link) -> Result<Option<Extent>> {
    let text = "SELECT seq FROM sqlite_sequence WHERE name = 'mainstay_outbox'";
    let last = link.statement(text)?.query_row([], |row| row.get(0)).optional()?;
    let trimmed = system::meta(link, trim::TRIMMED)?;
    let trimmed = trim::Trimmed::read(trimmed.as_deref()).position;
    Ok(Some(Extent { last: last.unwrap_or(0), trimmed }))
}

impl EventLog for SqliteStore {
    fn places(&self) -> BoxFuture<'_, std::result::Result<Vec<Place>, Unavailable>> {
        async move {
            let tenants = self.layout.tenants();
            let tenants = tenants.map_err(|error| Unavailable::Broken(error.to_string()))?;
            Ok(std::iter::once(None).chain(tenants.into_iter().map(Some)).collect())
        }
        .boxed()
    }

    fn appended(&self) -> watch::Receiver<u64> {
        self.layout.appended.subscribe()
    }

    fn after<'a>(
        &'a self,
        place: &'a Place,
        position: i64,
        rows_max: u32,
        bytes_max: usize,
    ) -> BoxFuture<'a, std::result::Result<Vec<Logged>, Unavailable>> {
        async move { self.log(place, SQLITE.after(position, rows_max), bytes_max) }.boxed()
    }

    fn page<'a>(
        &'a self,
        tenant: &'a Tenant,
        query: &'a EventQuery,
    ) -> BoxFuture<'a, std::result::Result<Vec<Logged>, Unavailable>> {
        async move { self.log(tenant, SQLITE.page(tenant, query), usize::MAX) }.boxed()
    }

    fn extent<'a>(
        &'a self,
        place: &'a Place,
    ) -> BoxFuture<'a, std::result::Result<Extent, Unavailable>> {
        async move {
            let file: File = self.layout.answers(place)?;
            let found = self.readers.with(&file, 0, None, extent, || Some(Extent::default()));
            whole(found, "mainstay_meta")
        }
        .boxed()
    }

    fn trim<'a>(
        &'a self,
        place: &'a Place,
        trim: &'a Trim,
    ) -> BoxFuture<'a, std::result::Result<u64, Unavailable>> {
        self.trim_now(place, trim).boxed()
    }
}

impl Consumers for SqliteStore {
    fn claim<'a>(
        &'a self,
        place: &'a Place,
        part: &'a Part,
        owner: &'a str,
        span: Span,
    ) -> BoxFuture<'a, std::result::Result<Claim, Refused>> {
        self.claim_now(place, part, owner, span).boxed()
    }

    fn settle<'a>(
        &'a self,
        place: &'a Place,
        claim: &'a Claim,
        settled: &'a Settled,
    ) -> BoxFuture<'a, std::result::Result<bool, Unavailable>> {
        self.settle_now(place, claim, settled).boxed()
    }

    fn progress<'a>(
        &'a self,
        place: &'a Place,
    ) -> BoxFuture<'a, std::result::Result<Vec<Progress>, Unavailable>> {
        async move {
            let (asked, columns) = (SQLITE.progress(), events::PROGRESS_COLUMNS);
            let now = self.layout.clock().now();
            let read = |cells: &mut Cells<'_>| events::progress(cells, now);
            self.look(place, |link| all(link, asked, columns, read))
        }
        .boxed()
    }

    fn reached<'a>(
        &'a self,
        tenant: &'a Tenant,
        consumer: &'a str,
        source: &'a str,
    ) -> BoxFuture<'a, std::result::Result<i64, Unavailable>> {
        async move {
            let asked = SQLITE.reached(tenant, consumer, source);
            let found = self.look(tenant, |link| all(link, asked, 1, |cells| cells.int()))?;
            Ok(found.first().copied().unwrap_or(0))
        }
        .boxed()
    }

    fn forget<'a>(
        &'a self,
        place: &'a Place,
        before: i64,
        rows_max: u32,
    ) -> BoxFuture<'a, std::result::Result<u64, Unavailable>> {
        self.change(place, SQLITE.forget(before, rows_max)).boxed()
    }
}

impl DeadLetters for SqliteStore {
    fn held<'a>(
        &'a self,
        place: &'a Place,
        query: &'a HeldQuery,
    ) -> BoxFuture<'a, std::result::Result<Vec<Held>, Unavailable>> {
        async move {
            let asked = SQLITE.held(query);
            self.look(place, |link| all(link, asked, held::HELD_COLUMNS, held::held))
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
    ) -> BoxFuture<'a, std::result::Result<bool, Unavailable>> {
        async move {
            let before = SQLITE.before_remedy(consumer, event, remedy, now);
            let Asked { text, cells } = SQLITE.remedy(consumer, event, remedy, now);
            let cells: Vec<_> = cells.into_iter().map(events::owned).collect();
            let run = move |link: &Link| {
                if let Some(Asked { text, cells }) = &before {
                    link.execute(text, cells.iter().cloned())?;
                }
                link.execute(&text, cells.iter().cloned())
            };
            Ok(self.writers.run(place, run).await?.unwrap_or(0) == 1)
        }
        .boxed()
    }
}
