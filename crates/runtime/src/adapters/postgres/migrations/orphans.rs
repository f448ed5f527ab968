//! Statements of a migration that has ended, which the server still runs.
//!
//! A process that is killed lets go of the lock of migrations at once, for nothing runs on the
//! connection that holds it. What carried out its step goes on until the server looks for its
//! client, and holds the table meanwhile. So each connection that changes something carries a mark
//! of its own, and whoever gets the lock ends those that carry one: nobody else may change tables.

use super::super::place::{Apart, database_of};
use super::lock::{LOOK, WHO};
use super::{Fault, Link, PostgresMigrations, Result, locked};
use std::time::{Duration, Instant};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

/// Our marks of a session, with the service as the second number.
const MARK: &str = "1835101802, hashtext($1)";

/// What still runs: its number at the server, and who it is.
type Orphan = (i32, String);

impl PostgresMigrations {
    /// Marks a connection as one that changes tables, where this holds the lock.
    pub(super) async fn mark(&self, link: &Link) -> Result<()> {
        let lock = locked(&self.lock).clone();
        let Some(lock) = lock.filter(|lock| !lock.is_closed()) else { return Ok(()) };
        let mark = format!("SELECT pg_advisory_lock_shared({MARK})");
        link.query(&mark, &[&self.places.config.service]).await?;
        // Only then: who got the lock after this answer sees the mark.
        lock.query("SELECT 1", &[]).await?;
        Ok(())
    }

    /// Ends what a migration before this left running. Whoever calls holds the lock, and has no
    /// connection that is marked.
    pub(super) async fn end_orphans(&self) -> Result<()> {
        let names = self.databases().await?;
        let limit = self.places.limits.migration_orphan_wait_ms_max;
        let end = Instant::now() + Duration::from_millis(limit);
        // As who logs in: the role that it takes on may not end its own connections.
        let client = self.places.home.server.client().await?;
        loop {
            let orphans = self.orphans(&client, &names).await?;
            let Some((pid, who)) = orphans.first() else { return Ok(()) };
            let mut may = true;
            for (pid, who) in &orphans {
                tracing::debug!(who, "ends what a migration left running");
                may &= ended(&client, *pid).await?;
            }
            if Instant::now() >= end {
                let why = if may { "it was told to end" } else { "this user may not end it" };
                return Err(Fault::Said(format!(
                    "a migration that is over still changes tables: {who}; {why}, and it has not \
                     ended for {limit} ms: wait for it, or end it with `SELECT \
                     pg_terminate_backend({pid})` as its user or as a superuser, then run this \
                     again, it goes on where it was"
                )));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn orphans(&self, client: &Client, names: &[String]) -> Result<Vec<Orphan>> {
        let text = format!(
            "SELECT a.pid, {WHO} FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid \
             JOIN pg_database d ON d.oid = l.database WHERE l.locktype = 'advisory' AND l.granted \
             AND d.datname::text = ANY($2) AND l.classid = 1835101802 AND l.objsubid = 2 AND \
             l.objid::bigint = hashtext($1)::bigint & 4294967295 ORDER BY a.pid"
        );
        let rows = client.query(&text, &[&self.places.config.service, &names]).await?;
        let orphan =
            |row: &tokio_postgres::Row| -> Result<_> { Ok((row.try_get(0)?, row.try_get(1)?)) };
        rows.iter().map(orphan).collect()
    }

    /// The names of the databases that a migration changes.
    async fn databases(&self) -> Result<Vec<String>> {
        let home = self.address().name();
        let mut all = vec![home.to_owned()];
        if self.places.config.apart == Apart::ByDatabase {
            all.extend(self.tenants().await?.iter().map(|tenant| database_of(home, tenant)));
        }
        Ok(all)
    }
}

/// Ends a connection; false where that is not allowed.
async fn ended(client: &Client, pid: i32) -> Result<bool> {
    match client.query("SELECT pg_terminate_backend($1)", &[&pid]).await {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
