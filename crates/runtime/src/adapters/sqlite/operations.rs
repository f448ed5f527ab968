//! The port of operations on the files: beside the rows that they are about.

use super::SqliteStore;
use super::error::unavailable;
use super::events::all;
use super::link::Link;
use crate::adapters::sql::events::Asked;
use crate::adapters::sql::events::operations::{self as rows, SQLITE};
use crate::ports::events::Place;
use crate::ports::operations::{
    Chunk, ChunkQuery, Operation, OperationQuery, Queue, Records, State, Waiting, Wanted,
};
use crate::ports::store::{CommitError, Tenant, Unavailable, WriteSet};
use futures::FutureExt;
use futures::future::BoxFuture;

/// Of an older file that nobody has written to since: it has none of it.
const THERE: &str = "SELECT 1 FROM sqlite_schema WHERE name = 'mainstay_operations'";

fn run(link: &Link, asked: Asked<'_>) -> rusqlite::Result<usize> {
    link.execute(&asked.text, asked.cells)
}

/// Writes what a set does to an operation.
pub(super) fn operate(link: &Link, set: &WriteSet) -> Result<(), CommitError> {
    let Some(operated) = &set.operated else { return Ok(()) };
    for (at, asked) in SQLITE.operate(operated).into_iter().enumerate() {
        let done = run(link, asked);
        let rows = done.map_err(|error| CommitError::Unavailable(unavailable(&error)))?;
        if at == 0 && rows == 0 {
            return Err(CommitError::Fenced);
        }
    }
    Ok(())
}

impl SqliteStore {
    fn found<T>(
        &self,
        place: &Place,
        asked: Asked<'_>,
        columns: usize,
        read: impl Fn(&mut crate::adapters::sql::events::Cells<'_>) -> Option<T>,
    ) -> Result<Vec<T>, Unavailable> {
        self.look(place, |link| match link.exists(THERE, [])? {
            true => all(link, asked, columns, read),
            false => Ok(Some(Vec::new())),
        })
    }

    async fn claim_operation(
        &self,
        place: &Place,
        wanted: &Wanted,
    ) -> Result<Option<Operation>, Unavailable> {
        let wanted = wanted.clone();
        let claim = move |link: &Link| {
            let running = all(link, SQLITE.running(wanted.now), 2, rows::running)?;
            let kinds = rows::with_room(&wanted, &running.unwrap_or_default());
            if kinds.is_empty() {
                return Ok(None);
            }
            let asked = SQLITE.claim(&wanted, &kinds);
            let claimed = all(link, asked, rows::OPERATION_COLUMNS, rows::operation)?;
            Ok(claimed.and_then(|mut claimed| claimed.pop()))
        };
        Ok(self.writers.run(place, claim).await?.flatten())
    }
}

impl Queue for SqliteStore {
    fn claim<'a>(
        &'a self,
        place: &'a Place,
        wanted: &'a Wanted,
    ) -> BoxFuture<'a, Result<Option<Operation>, Unavailable>> {
        self.claim_operation(place, wanted).boxed()
    }

    fn recover<'a>(
        &'a self,
        place: &'a Place,
        worker: &'a str,
    ) -> BoxFuture<'a, Result<(), Unavailable>> {
        async move {
            // Where nothing runs, nothing is written.
            match Queue::waiting(self, place).await?.iter().any(|one| one.state == State::Running) {
                true => self.change(place, SQLITE.recover(worker)).await.map(|_| ()),
                false => Ok(()),
            }
        }
        .boxed()
    }

    fn waiting<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Vec<Waiting>, Unavailable>> {
        async move { self.found(place, SQLITE.waiting(), rows::WAITING_COLUMNS, rows::waiting) }
            .boxed()
    }

    fn sweep<'a>(
        &'a self,
        place: &'a Place,
        now: i64,
        rows_max: u32,
    ) -> BoxFuture<'a, Result<u64, Unavailable>> {
        async move {
            let over = self.found(place, SQLITE.expired(now, rows_max), 1, rows::id)?;
            let count = over.len() as u64;
            if over.is_empty() {
                return Ok(0);
            }
            let sweep = move |link: &Link| {
                for id in &over {
                    run(link, SQLITE.remove_chunks(*id))?;
                    run(link, SQLITE.remove_expired(*id))?;
                }
                Ok(())
            };
            self.writers.run(place, sweep).await?;
            Ok(count)
        }
        .boxed()
    }
}

impl Records for SqliteStore {
    fn operations<'a>(
        &'a self,
        tenant: &'a Tenant,
        query: &'a OperationQuery,
    ) -> BoxFuture<'a, Result<Vec<Operation>, Unavailable>> {
        async move {
            let asked = SQLITE.find(tenant, query);
            self.found(tenant, asked, rows::OPERATION_COLUMNS, rows::operation)
        }
        .boxed()
    }

    fn chunks<'a>(
        &'a self,
        tenant: &'a Tenant,
        query: &'a ChunkQuery,
    ) -> BoxFuture<'a, Result<Vec<Chunk>, Unavailable>> {
        async move {
            let asked = SQLITE.chunks(tenant, query);
            self.found(tenant, asked, rows::CHUNK_COLUMNS, rows::chunk)
        }
        .boxed()
    }

    fn cancel<'a>(
        &'a self,
        tenant: &'a Tenant,
        id: u128,
        times: (i64, i64),
    ) -> BoxFuture<'a, Result<bool, Unavailable>> {
        async move {
            let of = tenant.clone();
            let cancel = move |link: &Link| {
                let [cancel, forget] = SQLITE.cancel(&of, id, times);
                if run(link, cancel)? == 0 {
                    return Ok(false);
                }
                run(link, forget).map(|_| true)
            };
            Ok(self.writers.run(tenant, cancel).await?.unwrap_or(false))
        }
        .boxed()
    }

    fn remove<'a>(
        &'a self,
        tenant: &'a Tenant,
        id: u128,
    ) -> BoxFuture<'a, Result<bool, Unavailable>> {
        async move {
            let of = tenant.clone();
            let remove = move |link: &Link| {
                if run(link, SQLITE.remove(&of, id))? == 0 {
                    return Ok(false);
                }
                run(link, SQLITE.remove_chunks(id)).map(|_| true)
            };
            Ok(self.writers.run(tenant, remove).await?.unwrap_or(false))
        }
        .boxed()
    }
}
