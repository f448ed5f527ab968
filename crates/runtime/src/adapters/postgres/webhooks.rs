//! The port of webhooks on databases: beside the rows of the tenant.

use super::PostgresStore;
use super::events::{all, execute, failed, query};
use crate::adapters::sql::events::POSTGRESQL;
use crate::adapters::sql::events::hooks::{self, POSTGRESQL_HOOKS};
use crate::ports::events::{Held, Place};
use crate::ports::store::{Tenant, Unavailable};
use crate::ports::webhooks::{
    Attempt, AttemptQuery, Attempts, Endpoint, EndpointQuery, Endpoints, Stored,
};
use futures::FutureExt;
use futures::future::BoxFuture;

/// Endpoints are registered one at a time: their number has a limit.
const REGISTERING: &str = "SELECT pg_advisory_xact_lock(4728116730258641719)";

fn stored(rows: u64) -> Stored {
    if rows == 1 { Stored::Yes } else { Stored::No }
}

impl PostgresStore {
    async fn register_now(&self, endpoint: &Endpoint, most: u32) -> Result<Stored, Unavailable> {
        let Some(spot) = self.places.answers(&endpoint.tenant).await? else {
            return Ok(Stored::No);
        };
        let lease = self.lease(&spot).await?;
        // A connection that is given up takes its transaction with it.
        lease.plain("BEGIN").await.map_err(failed)?;
        lease.plain(REGISTERING).await.map_err(failed)?;
        let rows = query(&lease, POSTGRESQL_HOOKS.count(&endpoint.tenant)).await?;
        let count = all(&rows, "mainstay.webhooks", |cells| cells.int())?;
        let there = count.first().copied().unwrap_or(i64::MAX);
        let done = match there < i64::from(most) {
            true => execute(&lease, POSTGRESQL_HOOKS.register(endpoint)).await?,
            false => 0,
        };
        lease.plain("COMMIT").await.map_err(failed)?;
        lease.ended();
        Ok(stored(done))
    }

    async fn remove_now(&self, place: &Place, id: u128) -> Result<bool, Unavailable> {
        let Some(spot) = self.places.answers(place).await? else { return Ok(false) };
        let consumer = crate::webhooks::consumer(id);
        let lease = self.lease(&spot).await?;
        lease.plain("BEGIN").await.map_err(failed)?;
        let mut gone = 0;
        for asked in POSTGRESQL_HOOKS.remove(id, &consumer) {
            gone = execute(&lease, asked).await?;
        }
        lease.plain("COMMIT").await.map_err(failed)?;
        lease.ended();
        Ok(gone > 0)
    }

    async fn hold_now(&self, place: &Place, held: &[Held]) -> Result<(), Unavailable> {
        let Some(spot) = self.places.answers(place).await? else { return Ok(()) };
        let lease = self.lease(&spot).await?;
        lease.plain("BEGIN").await.map_err(failed)?;
        for held in held {
            let renewed = POSTGRESQL_HOOKS.renew(&held.part.consumer, held.event.id);
            execute(&lease, renewed).await?;
            execute(&lease, POSTGRESQL.hold(&held.part, held)).await?;
        }
        lease.plain("COMMIT").await.map_err(failed)?;
        lease.ended();
        Ok(())
    }
}

impl Endpoints for PostgresStore {
    fn endpoints<'a>(
        &'a self,
        place: &'a Place,
        query: &'a EndpointQuery,
    ) -> BoxFuture<'a, Result<Vec<Endpoint>, Unavailable>> {
        async move {
            let rows = self.look(place, POSTGRESQL_HOOKS.find(query)).await?;
            all(&rows, "mainstay.webhooks", hooks::endpoint)
        }
        .boxed()
    }

    fn register<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        endpoints_max: u32,
    ) -> BoxFuture<'a, Result<Stored, Unavailable>> {
        self.register_now(endpoint, endpoints_max).boxed()
    }

    fn change<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        updated: i64,
    ) -> BoxFuture<'a, Result<Stored, Unavailable>> {
        async move {
            let asked = POSTGRESQL_HOOKS.change(endpoint, updated);
            Ok(stored(self.change(&endpoint.tenant, asked).await?))
        }
        .boxed()
    }

    fn remove<'a>(
        &'a self,
        place: &'a Place,
        id: u128,
    ) -> BoxFuture<'a, Result<bool, Unavailable>> {
        self.remove_now(place, id).boxed()
    }
}

impl Attempts for PostgresStore {
    fn note<'a>(
        &'a self,
        attempt: &'a Attempt,
        forgotten: i64,
    ) -> BoxFuture<'a, Result<(), Unavailable>> {
        async move {
            self.change(&attempt.tenant, POSTGRESQL_HOOKS.note(attempt)).await?;
            self.change(&attempt.tenant, POSTGRESQL_HOOKS.forget(forgotten)).await.map(|_| ())
        }
        .boxed()
    }

    fn attempts<'a>(
        &'a self,
        tenant: &'a Tenant,
        query: &'a AttemptQuery,
    ) -> BoxFuture<'a, Result<Vec<Attempt>, Unavailable>> {
        async move {
            let rows = self.look(tenant, POSTGRESQL_HOOKS.attempts(tenant, query)).await?;
            all(&rows, "mainstay.webhook_attempts", hooks::attempt)
        }
        .boxed()
    }

    fn hold<'a>(
        &'a self,
        place: &'a Place,
        held: &'a [Held],
    ) -> BoxFuture<'a, Result<(), Unavailable>> {
        self.hold_now(place, held).boxed()
    }

    fn let_go<'a>(
        &'a self,
        place: &'a Place,
        consumer: &'a str,
        event: u128,
    ) -> BoxFuture<'a, Result<(), Unavailable>> {
        async move { self.change(place, POSTGRESQL.let_go(consumer, event)).await.map(|_| ()) }
            .boxed()
    }
}
