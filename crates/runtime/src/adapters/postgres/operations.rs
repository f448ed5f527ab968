//! The port of operations on databases: beside the rows that they are about.

use super::PostgresStore;
use super::events::{all, execute, failed, query};
use crate::adapters::sql::events::operations::{self as rows, POSTGRESQL};
use crate::ports::events::Place;
use crate::ports::operations::{
    Chunk, ChunkQuery, Operation, OperationQuery, Queue, Records, Waiting, Wanted,
};
use crate::ports::store::{Tenant, Unavailable};
use futures::FutureExt;
use futures::future::BoxFuture;

/// What comes next is chosen one at a time: how many run of a kind has a limit, and tenants take
/// turns.
const CHOOSING: &str = "SELECT pg_advisory_xact_lock(4728116730258641720)";
const TABLE: &str = "mainstay.operations";

impl PostgresStore {
    async fn claim_operation(
        &self,
        place: &Place,
        wanted: &Wanted,
    ) -> Result<Option<Operation>, Unavailable> {
        let Some(spot) = self.places.answers(place).await? else { return Ok(None) };
        let lease = self.lease(&spot).await?;
        // A connection that is given up takes its transaction with it.
        lease.plain("BEGIN").await.map_err(failed)?;
        lease.plain(CHOOSING).await.map_err(failed)?;
        let running = query(&lease, POSTGRESQL.running(wanted.now)).await?;
        let running = all(&running, TABLE, rows::running)?;
        let kinds = rows::with_room(wanted, &running);
        let claimed = match kinds.is_empty() {
            true => Vec::new(),
            false => query(&lease, POSTGRESQL.claim(wanted, &kinds)).await?,
        };
        let claimed = all(&claimed, TABLE, rows::operation)?.pop();
        lease.plain("COMMIT").await.map_err(failed)?;
        lease.ended();
        Ok(claimed)
    }

    async fn sweep_operations(
        &self,
        place: &Place,
        now: i64,
        rows_max: u32,
    ) -> Result<u64, Unavailable> {
        let over = self.look(place, POSTGRESQL.expired(now, rows_max)).await?;
        let over = all(&over, TABLE, rows::id)?;
        let Some(spot) = self.places.answers(place).await? else { return Ok(0) };
        if over.is_empty() {
            return Ok(0);
        }
        let lease = self.lease(&spot).await?;
        lease.plain("BEGIN").await.map_err(failed)?;
        for id in &over {
            execute(&lease, POSTGRESQL.remove_chunks(*id)).await?;
            execute(&lease, POSTGRESQL.remove_expired(*id)).await?;
        }
        lease.plain("COMMIT").await.map_err(failed)?;
        lease.ended();
        Ok(over.len() as u64)
    }

    /// Two statements, the second only where the first changed something.
    async fn both(
        &self,
        tenant: &Tenant,
        first: crate::adapters::sql::events::Asked<'_>,
        second: crate::adapters::sql::events::Asked<'_>,
    ) -> Result<bool, Unavailable> {
        let Some(spot) = self.places.answers(tenant).await? else { return Ok(false) };
        let lease = self.lease(&spot).await?;
        lease.plain("BEGIN").await.map_err(failed)?;
        let changed = execute(&lease, first).await? > 0;
        if changed {
            execute(&lease, second).await?;
        }
        lease.plain("COMMIT").await.map_err(failed)?;
        lease.ended();
        Ok(changed)
    }
}

impl Queue for PostgresStore {
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
        async move { self.change(place, POSTGRESQL.recover(worker)).await.map(|_| ()) }.boxed()
    }

    fn waiting<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Vec<Waiting>, Unavailable>> {
        async move {
            let found = self.look(place, POSTGRESQL.waiting()).await?;
            all(&found, TABLE, rows::waiting)
        }
        .boxed()
    }

    fn sweep<'a>(
        &'a self,
        place: &'a Place,
        now: i64,
        rows_max: u32,
    ) -> BoxFuture<'a, Result<u64, Unavailable>> {
        self.sweep_operations(place, now, rows_max).boxed()
    }
}

impl Records for PostgresStore {
    fn operations<'a>(
        &'a self,
        tenant: &'a Tenant,
        query: &'a OperationQuery,
    ) -> BoxFuture<'a, Result<Vec<Operation>, Unavailable>> {
        async move {
            let found = self.look(tenant, POSTGRESQL.find(tenant, query)).await?;
            all(&found, TABLE, rows::operation)
        }
        .boxed()
    }

    fn chunks<'a>(
        &'a self,
        tenant: &'a Tenant,
        query: &'a ChunkQuery,
    ) -> BoxFuture<'a, Result<Vec<Chunk>, Unavailable>> {
        async move {
            let found = self.look(tenant, POSTGRESQL.chunks(tenant, query)).await?;
            all(&found, "mainstay.operation_chunks", rows::chunk)
        }
        .boxed()
    }

    fn cancel<'a>(
        &'a self,
        tenant: &'a Tenant,
        id: u128,
        times: (i64, i64),
    ) -> BoxFuture<'a, Result<bool, Unavailable>> {
        let [cancel, forget] = POSTGRESQL.cancel(tenant, id, times);
        self.both(tenant, cancel, forget).boxed()
    }

    fn remove<'a>(
        &'a self,
        tenant: &'a Tenant,
        id: u128,
    ) -> BoxFuture<'a, Result<bool, Unavailable>> {
        let (remove, chunks) = (POSTGRESQL.remove(tenant, id), POSTGRESQL.remove_chunks(id));
        self.both(tenant, remove, chunks).boxed()
    }
}
