//! Steps of migrations in the databases of a store, while others use them.
//!
//! Whoever changes tables holds a lock of the session for the whole of it. A statement that needs
//! a table for itself waits a moment for it and tries again later, so that nobody queues behind it;
//! what looks at every row does so beside readers and writers. How far a step has come is noted in
//! the transaction that brings it there.

mod carry;
mod journal;
mod lock;
mod orphans;
mod sight;

use super::address::Address;
use super::base::Threads;
use super::error::{OpenError, told};
use super::link::{Link, Server};
use super::place::{Apart, Places, database_of, schema_of};
use super::{PostgresConfig, schema, system};
use crate::adapters::sql::dialect::TENANT;
use crate::adapters::sql::journal as common;
use crate::ports::clock::{Randomness, SystemRandomness};
use crate::ports::migrations::{Base, Broken, Found, Migrations, Progress};
use ir::domain::Domain;
use ir::migration::{Query, ScriptStep};
use ir::schema::Schema;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a statement waits for a table, and whoever comes after it behind it.
const LOCK_WAIT_MS: u64 = 300;
/// Pauses between attempts, from and to.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// How long a step tries to get what it needs.
const PATIENCE: Duration = Duration::from_secs(60);
/// Connections to the database itself that are kept for the next step.
const IDLE_MAX: usize = 4;

/// Changes the tables of databases that processes use meanwhile.
pub struct PostgresMigrations {
    places: Arc<Places>,
    /// What opens the eyes of our sessions alone.
    token: String,
    /// The connection that holds the lock.
    lock: Mutex<Option<Arc<Link>>>,
    idle: Mutex<Vec<Link>>,
    /// Tenants that were told by `bases`.
    listed: Mutex<BTreeSet<String>>,
    /// Our eyes were opened.
    sees: Mutex<bool>,
    threads: Option<Threads>,
}

/// What goes wrong with a step.
enum Fault {
    Server(tokio_postgres::Error),
    Said(String),
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Server(error)
    }
}

impl Fault {
    /// In words; never with the values of a row, which a broken rule is told with.
    fn said(&self) -> String {
        match self {
            Self::Server(error) => match error.as_db_error() {
                Some(db) if db.code().code().starts_with("23") => {
                    format!("{} {}", db.code().code(), db.message())
                }
                Some(_) | None => told(error),
            },
            Self::Said(text) => text.clone(),
        }
    }
}

type Result<T, E = Fault> = std::result::Result<T, E>;

/// A place of rows, with a connection to its database.
struct Spot<'a> {
    link: Link,
    server: Server,
    /// Quoted schema of a tenant, where each has one.
    schema: Option<String>,
    /// Under which name it is remembered.
    name: String,
    of: &'a PostgresMigrations,
}

impl Spot<'_> {
    /// The text with the tenant's schema in it.
    fn text(&self, text: &str) -> String {
        match &self.schema {
            Some(schema) => text.replace(TENANT, schema),
            None => text.to_owned(),
        }
    }

    /// Name of how far a step has come, among the things that the database keeps.
    fn progress(&self) -> String {
        format!("migrating {}", self.name)
    }
}

impl PostgresMigrations {
    /// Connects; nothing is made or changed yet. Not to be called within a runtime.
    ///
    /// # Errors
    /// [`OpenError`], which says what is wrong and what to do about it.
    pub fn open(
        mut config: PostgresConfig,
        domain: Arc<Domain>,
        schema: Arc<Schema>,
    ) -> Result<Self, OpenError> {
        let threads = Threads::start()?;
        let known_as = format!("mainstay migrate, process {}", std::process::id());
        config.address = config.address.called(&known_as);
        let places = Places::connect(config, domain, schema, &threads, &[])?;
        let mut token = [0; 16];
        SystemRandomness.fill(&mut token);
        let token = token.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            places,
            token,
            lock: Mutex::default(),
            idle: Mutex::default(),
            listed: Mutex::default(),
            sees: Mutex::default(),
            threads: Some(threads),
        })
    }

    fn wait<T>(&self, run: impl Future<Output = Result<T>>) -> Result<T> {
        match &self.threads {
            Some(threads) => threads.wait(run),
            None => Err(Fault::Said("the store is closed".to_owned())),
        }
    }

    fn address(&self) -> &Address {
        &self.places.config.address
    }

    /// For people: without the password.
    fn shown(&self) -> String {
        self.address().shown().trim_matches('`').to_owned()
    }

    async fn connected(&self, server: &Server) -> Result<Link> {
        let link = server.connect().await?;
        let (wait, token) = (LOCK_WAIT_MS, &self.token);
        let settings = format!(
            "SET statement_timeout = 0; SET lock_timeout = '{wait}ms'; \
             SET client_connection_check_interval = '2s'; SET mainstay.migration = '{token}'"
        );
        link.plain(&settings).await?;
        Ok(link)
    }

    async fn spot(&self, base: &Base) -> Result<Spot<'_>> {
        let apart = self.places.config.apart;
        let home = &self.places.home.server;
        let name = self.places.name(base.tenant.as_deref());
        if let (Some(tenant), Apart::ByDatabase) = (&base.tenant, apart) {
            let address = self.address().database(&database_of(self.address().name(), tenant));
            let server = Server { address, ..home.clone() };
            let link = self.connected(&server).await?;
            self.mark(&link).await?;
            return Ok(Spot { link, server, schema: None, name, of: self });
        }
        let idle = locked(&self.idle).pop().filter(|link| !link.is_closed());
        let link = match idle {
            Some(link) => link,
            None => {
                let link = self.connected(home).await?;
                self.mark(&link).await?;
                link
            }
        };
        let schema = base.tenant.as_deref().map(schema_of);
        Ok(Spot { link, server: home.clone(), schema, name, of: self })
    }

    /// Runs something on the place of a base.
    fn on<T>(
        &self,
        base: &Base,
        run: impl AsyncFnOnce(&Spot<'_>) -> Result<T>,
    ) -> std::result::Result<T, String> {
        let done = self.wait(async {
            let spot = self.spot(base).await?;
            let done = run(&spot).await?;
            if spot.server.address.name() == self.address().name() {
                let mut idle = locked(&self.idle);
                if idle.len() < IDLE_MAX {
                    idle.push(spot.link);
                }
            }
            Ok(done)
        });
        done.map_err(|fault| format!("`{}`: {}", base.shown, fault.said()))
    }

    /// The tenants that have a place.
    async fn tenants(&self) -> Result<Vec<String>> {
        let (pattern, cut) = match self.places.config.apart {
            Apart::ByRow => return Ok(Vec::new()),
            Apart::BySchema => {
                let start = schema::remembers(&self.places.name(Some("")));
                (format!("{}%", like(&start)), start.len())
            }
            Apart::ByDatabase => ("tenant %".to_owned(), "tenant ".len()),
        };
        let link = self.connected(&self.places.home.server).await?;
        if !known(&link).await? {
            return Ok(Vec::new());
        }
        let text = "SELECT \"name\" FROM \"mainstay\".\"meta\" WHERE \"name\" LIKE $1 ORDER BY 1";
        let mut all = Vec::new();
        for row in link.query(text, &[&pattern]).await? {
            all.push(row.try_get::<_, String>(0)?.split_off(cut));
        }
        if self.places.config.apart == Apart::ByDatabase {
            let there = "SELECT datname::text FROM pg_catalog.pg_database";
            let rows = link.query(there, &[]).await?;
            let there: BTreeSet<String> =
                rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
            all.retain(|tenant| there.contains(&database_of(self.address().name(), tenant)));
        }
        Ok(all)
    }

    fn tenant(&self, tenant: &str) -> Base {
        let shown = match self.places.config.apart {
            Apart::ByDatabase => {
                let name = database_of(self.address().name(), tenant);
                self.address().database(&name).shown().trim_matches('`').to_owned()
            }
            Apart::BySchema | Apart::ByRow => {
                format!("{}, schema {}", self.shown(), schema_of(tenant).trim_matches('"'))
            }
        };
        Base { shown, tenant: Some(tenant.to_owned()) }
    }

    /// A place that came after the others were listed was not changed with them.
    async fn check_listed(&self) -> Result<()> {
        let now = self.tenants().await?;
        let listed = locked(&self.listed).clone();
        match now.iter().find(|tenant| !listed.contains(*tenant)) {
            None => Ok(()),
            Some(tenant) => Err(Fault::Said(format!(
                "the place of tenant `{tenant}` was made meanwhile: run `mainstay migrate apply` \
                 again"
            ))),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A text as the start of a pattern.
fn like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// True where the database has things of ours.
async fn known(link: &Link) -> Result<bool> {
    let rows = link.query("SELECT to_regclass('mainstay.meta') IS NOT NULL", &[]).await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

impl Migrations for PostgresMigrations {
    fn hold(&self) -> Result<(), String> {
        self.wait(self.take_lock()).map_err(|fault| format!("`{}`: {}", self.shown(), fault.said()))
    }

    fn others(&self) -> Result<Vec<String>, String> {
        let others = self.wait(self.other_processes());
        others.map_err(|fault| format!("`{}`: {}", self.shown(), fault.said()))
    }

    fn bases(&self) -> Result<Vec<Base>, String> {
        let tenants = self.wait(self.tenants());
        let tenants = tenants.map_err(|fault| format!("`{}`: {}", self.shown(), fault.said()))?;
        locked(&self.listed).extend(tenants.iter().cloned());
        let home = Base { shown: self.shown(), tenant: None };
        Ok(tenants.iter().map(|tenant| self.tenant(tenant)).chain([home]).collect())
    }

    fn check_demands(&self) -> Result<(), String> {
        let checked = async { Ok(self.places.check_demands(false).await) };
        let said = |fault: Fault| format!("`{}`: {}", self.shown(), fault.said());
        self.wait(checked).map_err(said)?.map_err(|error| error.to_string())
    }

    fn read(&self, base: &Base) -> Result<Found, String> {
        self.on(base, async |spot| {
            if !known(&spot.link).await? {
                return Ok(Found::default());
            }
            let key = schema::remembers(&spot.name);
            let Some(text) = system::meta(&spot.link, &key).await? else {
                return Ok(Found::default());
            };
            let models = schema::served(&spot.link, &spot.name).await?;
            let ours = &self.places.fingerprint;
            let noted = system::meta(&spot.link, &spot.progress()).await?;
            let (next, tampered) = journal::lines(spot).await?;
            Ok(Found {
                structure: journal::structure(spot, &text, &self.places.plan.schema).await?,
                remembered: Some(text),
                serves: models.contains(ours),
                latest: models.last() == Some(ours),
                window: models.len() > 1,
                underway: common::underway(noted.as_deref()),
                next,
                tampered,
            })
        })
    }

    fn ask(&self, base: &Base, query: &Query) -> Result<Broken, String> {
        self.on(base, async |spot| {
            spot.sees_all().await?;
            spot.as_login(async || {
                let rows = spot.link.query(&spot.text(&query.count), &[]).await?;
                let rows: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
                let mut broken = Broken { rows: rows.unsigned_abs(), examples: Vec::new() };
                if rows > 0 {
                    for row in spot.link.query(&spot.text(&query.examples), &[]).await? {
                        broken.examples.push(row.try_get(0)?);
                    }
                }
                Ok(broken)
            })
            .await
        })
    }

    fn apply(&self, base: &Base, step: &ScriptStep, tell: Progress<'_>) -> Result<(), String> {
        let now = self.places.config.clock.now();
        self.on(base, async |spot| carry::step(spot, step, now, tell).await)
    }

    fn abandon(&self, base: &Base, step: &ScriptStep) -> Result<(), String> {
        self.on(base, async |spot| carry::abandon(spot, step).await)
    }

    fn serve(&self, base: &Base, beside: bool) -> Result<(), String> {
        let ours = &self.places.fingerprint;
        self.on(base, async |spot| {
            self.holds_lock()?;
            if base.tenant.is_none() {
                self.check_listed().await?;
            }
            let mut models =
                if beside { schema::served(&spot.link, &spot.name).await? } else { Vec::new() };
            models.retain(|model| model != ours);
            models.push(ours.clone());
            Ok(schema::serve(&spot.link, &spot.name, &models).await?)
        })
    }

    fn undo(&self, base: &Base) -> Result<Option<String>, String> {
        self.on(base, async |spot| carry::undo(spot).await)
    }
}

impl Drop for PostgresMigrations {
    fn drop(&mut self) {
        // What stays behind tells nobody anything, and goes with the next migration.
        let _closed = self.wait(self.close_eyes());
        locked(&self.lock).take();
        if let Some(threads) = self.threads.take() {
            threads.stop();
        }
    }
}
