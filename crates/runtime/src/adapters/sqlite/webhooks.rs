//! The port of webhooks on the files: in the file of the tenant, or of the service.

use super::SqliteStore;
use super::events::all;
use super::link::Link;
use crate::adapters::sql::events::hooks::{self, SQLITE_HOOKS};
use crate::adapters::sql::events::{Asked, SQLITE};
use crate::ports::events::{Held, Place};
use crate::ports::store::{Tenant, Unavailable};
use crate::ports::webhooks::{
    Attempt, AttemptQuery, Attempts, Endpoint, EndpointQuery, Endpoints, Stored,
};
use futures::FutureExt;
use futures::future::BoxFuture;

/// Of an older file that nobody has written to since: it has none of it.
const THERE: &str = "SELECT 1 FROM sqlite_schema WHERE name = 'mainstay_webhooks'";

fn run(link: &Link, asked: Asked<'_>) -> rusqlite::Result<usize> {
    link.execute(&asked.text, asked.cells)
}

fn stored(rows: Option<usize>) -> Stored {
    if rows == Some(1) { Stored::Yes } else { Stored::No }
}

impl Endpoints for SqliteStore {
    fn endpoints<'a>(
        &'a self,
        place: &'a Place,
        query: &'a EndpointQuery,
    ) -> BoxFuture<'a, Result<Vec<Endpoint>, Unavailable>> {
        async move {
            self.look(place, |link| match link.exists(THERE, [])? {
                true => {
                    let asked = SQLITE_HOOKS.find(query);
                    all(link, asked, hooks::ENDPOINT_COLUMNS, hooks::endpoint)
                }
                false => Ok(Some(Vec::new())),
            })
        }
        .boxed()
    }

    fn register<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        endpoints_max: u32,
    ) -> BoxFuture<'a, Result<Stored, Unavailable>> {
        async move {
            let new = endpoint.clone();
            let insert = move |link: &Link| {
                let count = all(link, SQLITE_HOOKS.count(&new.tenant), 1, |cells| cells.int())?;
                let count = count.and_then(|count| count.first().copied()).unwrap_or(i64::MAX);
                match count < i64::from(endpoints_max) {
                    true => run(link, SQLITE_HOOKS.register(&new)),
                    false => Ok(0),
                }
            };
            Ok(stored(self.writers.run(&endpoint.tenant, insert).await?))
        }
        .boxed()
    }

    fn change<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        updated: i64,
    ) -> BoxFuture<'a, Result<Stored, Unavailable>> {
        async move {
            let new = endpoint.clone();
            let change = move |link: &Link| run(link, SQLITE_HOOKS.change(&new, updated));
            Ok(stored(self.writers.run(&endpoint.tenant, change).await?))
        }
        .boxed()
    }

    fn remove<'a>(
        &'a self,
        place: &'a Place,
        id: u128,
    ) -> BoxFuture<'a, Result<bool, Unavailable>> {
        async move {
            let consumer = crate::webhooks::consumer(id);
            let remove = move |link: &Link| {
                let mut rows = 0;
                for asked in SQLITE_HOOKS.remove(id, &consumer) {
                    rows = run(link, asked)?;
                }
                Ok(rows)
            };
            Ok(self.writers.run(place, remove).await?.is_some_and(|rows| rows > 0))
        }
        .boxed()
    }
}

impl Attempts for SqliteStore {
    fn note<'a>(
        &'a self,
        attempt: &'a Attempt,
        forgotten: i64,
    ) -> BoxFuture<'a, Result<(), Unavailable>> {
        async move {
            let new = attempt.clone();
            let note = move |link: &Link| {
                run(link, SQLITE_HOOKS.note(&new))?;
                run(link, SQLITE_HOOKS.forget(forgotten))
            };
            self.writers.run(&attempt.tenant, note).await.map(|_| ())
        }
        .boxed()
    }

    fn attempts<'a>(
        &'a self,
        tenant: &'a Tenant,
        query: &'a AttemptQuery,
    ) -> BoxFuture<'a, Result<Vec<Attempt>, Unavailable>> {
        async move {
            self.look(tenant, |link| match link.exists(THERE, [])? {
                true => {
                    let asked = SQLITE_HOOKS.attempts(tenant, query);
                    all(link, asked, hooks::ATTEMPT_COLUMNS, hooks::attempt)
                }
                false => Ok(Some(Vec::new())),
            })
        }
        .boxed()
    }

    fn hold<'a>(
        &'a self,
        place: &'a Place,
        held: &'a [Held],
    ) -> BoxFuture<'a, Result<(), Unavailable>> {
        async move {
            let held = held.to_vec();
            let hold = move |link: &Link| {
                for held in &held {
                    run(link, SQLITE_HOOKS.renew(&held.part.consumer, held.event.id))?;
                    run(link, SQLITE.hold(&held.part, held))?;
                }
                Ok(())
            };
            self.writers.run(place, hold).await.map(|_| ())
        }
        .boxed()
    }

    fn let_go<'a>(
        &'a self,
        place: &'a Place,
        consumer: &'a str,
        event: u128,
    ) -> BoxFuture<'a, Result<(), Unavailable>> {
        async move { self.change(place, SQLITE.let_go(consumer, event)).await.map(|_| ()) }.boxed()
    }
}
