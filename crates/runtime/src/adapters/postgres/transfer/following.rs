//! A database that follows data which is still served elsewhere, and the moment when it is served
//! here: the mark of what is half there first says that it is whole under a name, then the place it
//! came from says that it went by that name, then the mark goes. So never do both serve, and
//! whoever finds a name on both sides knows that it was decided.

use super::{HALF, PostgresTransfer, Spot, failed, system};
use crate::adapters::postgres::Address;
use crate::adapters::postgres::base::{Base, Threads};
use crate::adapters::postgres::error::{OpenError, refused};
use crate::adapters::postgres::link::Server;
use crate::adapters::sql::dialect::quote;
use crate::ports::transfer::{Holds, TransferError, Transferred};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio_postgres::Client;

/// How long the server may take for one thing that it is asked while it follows: who asks has more
/// things to do. It is the commit of all rows that takes longest.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// What the mark says, before a name, when everything is there.
const WHOLE: &str = "whole ";
/// Gives foreign keys of a table that did not look at old rows.
const UNSEEN: &str = "SELECT conname::text FROM pg_catalog.pg_constraint \
                      WHERE conrelid = $1::text::regclass AND contype = 'f' AND NOT convalidated";
/// Removes the mark where it says this.
const UNMARK: &str = "DELETE FROM \"mainstay\".\"meta\" WHERE \"name\" = $1 AND \"value\" = $2";

/// Refuses a database whose data is only half there; `decided` is the name of a move that whoever
/// asks is about to decide.
pub(in crate::adapters::postgres) async fn check_whole(
    home: &Base,
    decided: Option<&str>,
) -> Result<(), OpenError> {
    let server = home.server.address.shown();
    let look = async {
        let link = home.server.connect().await?;
        system::meta(&link, HALF).await
    };
    let found = look.await.map_err(|error| refused(&server, &error))?;
    let whole = found.as_deref().and_then(|found| found.strip_prefix(WHOLE));
    let fault = match (&found, whole) {
        (None, _) => return Ok(()),
        (Some(_), Some(name)) if Some(name) == decided => return Ok(()),
        (Some(_), Some(_)) => {
            "holds data that a move was about to bring: start `mainstay up` with `--database` and \
             with the data directory that it came from as `--data`; that one knows whether it was \
             decided, and serves its data where it was not"
        }
        (Some(_), None) => {
            "holds data that is only half there: what put it in was broken off, or is still at \
             it; run it again, it begins anew"
        }
    };
    Err(OpenError::Server { server, fault: fault.to_owned() })
}

/// Runs something that must have ended by then.
pub(super) async fn in_time<T>(
    until: Instant,
    run: impl Future<Output = Transferred<T>>,
) -> Transferred<T> {
    match tokio::time::timeout_at(until.into(), run).await {
        Ok(done) => done,
        Err(_) => Err(TransferError::failed("postgresql: no answer in time")),
    }
}

impl PostgresTransfer {
    /// From now on whatever is asked of the server must be answered by then.
    pub fn within(&self, until: Option<Instant>) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// When the server must have answered what it is asked now; none where somebody can wait.
    pub(super) fn answered_by(&self) -> Option<Instant> {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.or_else(|| self.follows.then(|| Instant::now() + ANSWER_MAX))
    }

    /// Says that everything is there, under a name: nobody serves it yet, and whoever knows the
    /// name may open it.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub fn decide(&self, name: &str) -> Transferred<()> {
        self.wait(async {
            let link = self.link(&Spot::Home).await?;
            system::set_meta(&link, HALF, &format!("{WHOLE}{name}")).await.map_err(failed)
        })
    }

    /// The same taken back.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub fn undecide(&self) -> Transferred<()> {
        self.wait(async {
            let link = self.link(&Spot::Home).await?;
            system::set_meta(&link, HALF, "yes").await.map_err(failed)
        })
    }

    /// Removes the mark of a move that was decided under that name, where it is still there. Not
    /// to be called within a runtime.
    ///
    /// # Errors
    /// [`OpenError`], where the database can't be asked.
    pub fn settle(address: &Address, name: &str) -> Result<(), OpenError> {
        let threads = Threads::start()?;
        let server = Server { address: address.clone(), role: None, runtime: threads.handle() };
        let settled = threads.wait(async {
            let client = server.client().await?;
            let there = "SELECT to_regclass('mainstay.meta') IS NOT NULL";
            if client.query_one(there, &[]).await?.get(0) {
                client.execute(UNMARK, &[&HALF, &format!("{WHOLE}{name}")]).await?;
            }
            Ok(())
        });
        threads.stop();
        settled.map_err(|error| refused(&address.shown(), &error))
    }

    /// Looks at all rows for foreign keys that did not when they came back; that takes its time,
    /// and is in nobody's way.
    ///
    /// # Errors
    /// What went wrong, in words; then it may be called again.
    pub fn look_at_keys(&self) -> Transferred<()> {
        let Some(threads) = &self.threads else { return Ok(()) };
        threads.wait(async {
            let home = self.client(&Spot::Home).await?;
            self.look_at_keys_of(&home, &Spot::Home).await?;
            if !self.services[0].are_apart() {
                return Ok(());
            }
            for tenant in self.tenants_seen(&home).await? {
                let spot = Spot::Of(Arc::clone(&tenant));
                let client = self.client(&spot).await?;
                self.look_at_keys_of(&client, &spot).await?;
            }
            Ok(())
        })
    }

    async fn look_at_keys_of(&self, client: &Client, spot: &Spot) -> Transferred<()> {
        for place in self.places(spot) {
            let Holds::Rows { table, .. } = self.sheets.all[place.sheet].holds else { continue };
            if self.schema.tables[table].foreign_keys.is_empty() {
                continue;
            }
            for row in client.query(UNSEEN, &[&place.table]).await.map_err(failed)? {
                let name = quote(row.get(0));
                let text = format!("ALTER TABLE {} VALIDATE CONSTRAINT {name}", place.table);
                client.batch_execute(&text).await.map_err(failed)?;
            }
        }
        Ok(())
    }
}
