//! Who may change tables, and who uses them.

use super::super::presence::{PRESENCE, process};
use super::{Fault, PostgresMigrations, Result, locked};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Our locks of a session, with the service as the second number.
const LOCK: &str = "1835101801, hashtext($1)";
/// Bytes of the name of a connection at most.
const NAME_BYTES: usize = 63;
/// Between two looks.
pub(super) const LOOK: Duration = Duration::from_millis(200);
/// Who has a connection `a`; a user that may not see more of it is told less.
pub(super) const WHO: &str = "format('process %s of the server (%s, user %s%s)', a.pid, \
                              a.application_name, a.usename, ', from ' || \
                              coalesce(host(a.client_addr), 'this machine') || ', since ' || \
                              date_trunc('second', a.backend_start))";

impl PostgresMigrations {
    /// Takes the lock of the service, for as long as this lives.
    pub(super) async fn take_lock(&self) -> Result<()> {
        if self.holds_lock().is_ok() {
            return Ok(());
        }
        let link = self.connected(&self.places.home.server).await?;
        let service = &self.places.config.service;
        let wait = Duration::from_millis(self.places.limits.migration_wait_ms_max);
        let end = Instant::now() + wait;
        let take = format!("SELECT pg_try_advisory_lock({LOCK})");
        loop {
            let rows = link.query(&take, &[service]).await?;
            if rows.first().is_some_and(|row| row.get(0)) {
                break;
            }
            if Instant::now() >= end {
                let text = format!(
                    "SELECT {WHO} FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE \
                     l.locktype = 'advisory' AND l.granted AND l.database = (SELECT oid FROM \
                     pg_database WHERE datname = current_database()) AND l.classid = 1835101801 \
                     AND l.objid::bigint = hashtext($1)::bigint & 4294967295"
                );
                let rows = link.query(&text, &[service]).await?;
                let who = rows.first().and_then(|row| row.try_get::<_, String>(0).ok());
                return Err(Fault::Said(format!(
                    "another changes the tables: {}; wait for it, or end it with \
                     `pg_terminate_backend`",
                    who.unwrap_or_else(|| "it has just ended".to_owned())
                )));
            }
            tokio::time::sleep(LOOK).await;
        }
        // Those that were opened before carry no mark, or that of a lock that was lost.
        locked(&self.idle).clear();
        self.end_orphans().await?;
        *locked(&self.lock) = Some(Arc::new(link));
        self.sweep_eyes().await
    }

    /// Nobody else changes tables as long as the connection that holds the lock lives.
    pub(super) fn holds_lock(&self) -> Result<()> {
        match locked(&self.lock).as_ref().is_some_and(|link| !link.is_closed()) {
            true => Ok(()),
            false => Err(Fault::Said(
                "the connection that holds the lock of migrations is gone: run it again, it goes \
                 on where it was"
                    .to_owned(),
            )),
        }
    }

    /// Processes of another model, known by the names of their connections.
    pub(super) async fn other_processes(&self) -> Result<Vec<String>> {
        let link = self.connected(&self.places.home.server).await?;
        let text = "SELECT application_name, coalesce(host(client_addr), 'this machine'), \
                    count(*) FROM pg_stat_activity WHERE datname = current_database() AND \
                    application_name LIKE 'mainstay %' GROUP BY 1, 2 ORDER BY 1, 2";
        let service = &self.places.config.service;
        let mut all = Vec::new();
        for row in link.query(text, &[]).await? {
            let (name, from, many): (String, String, i64) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let mut words = name.splitn(4, ' ').skip(1);
            let (model, by) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let whole = format!("mainstay {model} {by} {service}");
            // The server cuts names off.
            let ours = name == whole || (name.len() >= NAME_BYTES && whole.starts_with(&name));
            let known = model.len() == PRESENCE.0 && by.len() == PRESENCE.1;
            let same = self.places.fingerprint.starts_with(model) || by == process();
            if ours && known && !same {
                all.push(format!("{many} of process {by} with model {model}, from {from}"));
            }
        }
        Ok(all)
    }
}
