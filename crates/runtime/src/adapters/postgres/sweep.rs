//! What has had its time goes: kept answers, entries of the audit trail; in the databases of all
//! tenants, those that nobody uses a few at a time.

use super::base::Base;
use super::link::{Link, Server};
use super::place::{Apart, Places, database_of};
use super::{audit, system};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// How often answers whose time is over are deleted.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Tenants with a database each, from one on.
const SOME_TENANTS: &str = "SELECT \"value\" FROM \"mainstay\".\"meta\" WHERE \"name\" LIKE \
                            'tenant %' AND \"value\" > $1 ORDER BY 1 LIMIT $2";

impl Places {
    /// Deletes answers whose time is over, from time to time, as long as the store lives.
    pub(super) fn start_sweeping(self: &Arc<Self>) {
        let places = Arc::downgrade(self);
        self.home.server.runtime.spawn(async move {
            loop {
                tokio::time::sleep(SWEEP_EVERY).await;
                let Some(places) = places.upgrade() else { return };
                let tenants = places.open_databases();
                places.sweep(&places.home).await;
                places.sweep_closed().await;
                for base in tenants {
                    places.sweep(&base).await;
                }
            }
        });
    }

    /// Sweeps some databases of tenants that nobody uses here; all of them in time.
    pub(super) async fn sweep_closed(&self) {
        if self.config.apart != Apart::ByDatabase {
            return;
        }
        let after = self.swept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let session = self.session_of(&None, self.limits.statement_ms_max);
        let most = self.limits.swept_databases_max;
        // What fails is made up for by the next round.
        let rows =
            self.home.readers.read(&session, SOME_TENANTS, &[&after, &i64::from(most)]).await;
        let Ok(rows) = rows else { return };
        let tenants: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let end = if tenants.len() < most as usize { None } else { tenants.last() };
        end.cloned()
            .unwrap_or_default()
            .clone_into(&mut self.swept.lock().unwrap_or_else(PoisonError::into_inner));
        for tenant in tenants {
            if self.is_open(&tenant) {
                continue;
            }
            let name = database_of(self.config.address.name(), &tenant);
            let address = self.config.address.database(&name);
            let server = Server { address, ..self.home.server.clone() };
            if let Ok(link) = server.connect().await {
                self.sweep_at(&link).await;
            }
        }
    }

    async fn sweep(&self, base: &Base) {
        let Ok(link) = base.writers.lease(None).await else { return };
        if self.sweep_at(&link).await {
            link.ended();
        }
    }

    /// False where it failed: what fails is made up for by the next time.
    async fn sweep_at(&self, link: &Link) -> bool {
        let (now, keep) = (self.config.clock.now(), self.limits.audit_seconds_max);
        while let Ok(true) = system::sweep(link, now).await {}
        loop {
            match audit::sweep(link, now, keep).await {
                Ok(true) => {}
                Ok(false) => return true,
                Err(_) => return false,
            }
        }
    }
}
