//! Rows out of a server and into it: see [`crate::ports::transfer`].
//!
//! Read as who logs in, in one snapshot a database: a login above row-level security sees every
//! tenant, another one tenant at a time. Written as the store itself writes. While everything is
//! replaced a value in `mainstay.meta` says so, and no backend starts.

use super::base::{Base, Threads};
use super::cells::{Bound, Column};
use super::error::{OpenError, refused, told};
use super::link::{Link, Server};
use super::place::{Places, database_of, schema_of};
use super::{Address, PostgresConfig, system};
use crate::adapters::sql::dialect::{Postgresql, TENANT, quote};
use crate::adapters::sql::shape::{Cell, Stored};
use crate::adapters::sql::transfer::Place;
use crate::identity::tenant::check_name;
use crate::ports::transfer::{
    Forgotten, Holds, Plain, Reading, SYSTEM, Scope, Sheet, Sheets, Trace, Transfer, TransferError,
    Transferred, Writing,
};
use bytes::BytesMut;
use ir::domain::Domain;
use ir::schema::Schema;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{IsNull, ToSql, Type};
use tokio_postgres::{Client, Error, Row};

mod following;
mod forget;
mod read;
mod write;

pub(super) use following::check_whole;

/// Name of the mark, in `mainstay.meta`: what is here is only half there.
const HALF: &str = "importing";
/// Connections of a backend on this database, or of another process like this one.
const OTHERS: &str = "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datname = \
                      current_database() AND application_name LIKE 'mainstay%' \
                      AND application_name <> $1";
/// How often it is looked whether they have gone, and how long after each other.
const ALONE_LOOKS: u32 = 20;
const ALONE_STEP: Duration = Duration::from_millis(100);
/// Whose rows of shared tables are seen and written, until the transaction ends.
const SET_TENANT: &str = "SELECT set_config('mainstay.tenant', $1, true)";

/// The data of a database.
pub struct PostgresTransfer {
    services: Vec<Arc<Places>>,
    schema: Arc<Schema>,
    domain: Arc<Domain>,
    sheets: Sheets,
    threads: Option<Threads>,
    /// What is written goes on changing where it is read.
    follows: bool,
    /// When whatever is asked of the server must have been answered.
    until: Mutex<Option<Instant>>,
}

/// Where a row lies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Spot {
    /// The database itself.
    Home,
    /// A tenant's schema or database.
    Of(Arc<str>),
}

/// True where a table is not there.
fn is_missing(error: &tokio_postgres::Error) -> bool {
    matches!(error.code(), Some(&SqlState::UNDEFINED_TABLE | &SqlState::INVALID_SCHEMA_NAME))
}

impl PostgresTransfer {
    /// Connects, and makes the tables where there are none. Not to be called within a runtime.
    ///
    /// # Errors
    /// [`OpenError`], which says what is wrong and what to do about it.
    pub fn open(
        services: Vec<PostgresConfig>,
        domain: &Arc<Domain>,
        schema: &Arc<Schema>,
    ) -> Result<Self, OpenError> {
        let threads = Threads::start()?;
        let sheets = Sheets::of(domain, schema);
        let open = |mut config: PostgresConfig| {
            config.address = config.address.called(&own_name());
            Places::open(config, Arc::clone(domain), Arc::clone(schema), &threads)
        };
        let services = services.into_iter().map(open).collect::<Result<_, _>>()?;
        let (domain, schema) = (Arc::clone(domain), Arc::clone(schema));
        let (threads, follows, until) = (Some(threads), false, Mutex::default());
        Ok(Self { services, schema, domain, sheets, threads, follows, until })
    }

    /// For what goes on changing where it is read.
    #[must_use]
    pub fn following(mut self) -> Self {
        self.follows = true;
        self
    }

    /// True where a database has tables of ours already. Not to be called within a runtime.
    ///
    /// # Errors
    /// [`OpenError`], where it can't be asked.
    pub fn is_there(address: &Address) -> Result<bool, OpenError> {
        let threads = Threads::start()?;
        let server = Server { address: address.clone(), role: None, runtime: threads.handle() };
        let text = "SELECT to_regclass('mainstay.meta') IS NOT NULL";
        let looked = threads.wait(async {
            let client = server.client().await?;
            client.query_one(text, &[]).await.map(|row| row.get(0))
        });
        threads.stop();
        looked.map_err(|error| refused(&address.shown(), &error))
    }

    fn wait<T>(&self, run: impl Future<Output = Transferred<T>>) -> Transferred<T> {
        let Some(threads) = &self.threads else {
            return Err(TransferError::failed("the store is closed"));
        };
        match self.answered_by() {
            None => threads.wait(run),
            Some(until) => threads.wait(following::in_time(until, run)),
        }
    }

    fn home(&self) -> &Base {
        &self.services[0].home
    }

    fn by_database(&self) -> bool {
        self.services[0].by_database()
    }

    /// Where rows of a tenant are that are not shared.
    fn spot(&self, tenant: Option<&Arc<str>>) -> Spot {
        match tenant.filter(|_| self.services[0].are_apart()) {
            Some(tenant) => Spot::Of(Arc::clone(tenant)),
            None => Spot::Home,
        }
    }

    /// The tables of a place that are of sheets, in their order.
    fn places(&self, spot: &Spot) -> Vec<Place> {
        let apart = self.services[0].are_apart();
        let own = matches!(spot, Spot::Of(_));
        let name = |sheet: &Sheet| match sheet.holds {
            Holds::Rows { table, shared } => {
                let table = &self.schema.tables[table];
                let here = !apart || shared != own;
                let service = self.services.iter().find(|service| service.has(table))?;
                let name = &service.plan.table(table.resource).name;
                let schema = match spot {
                    Spot::Home => String::new(),
                    Spot::Of(tenant) => schema_of(tenant),
                };
                here.then(|| name.replace(TENANT, &schema))
            }
            Holds::System(at) => {
                let of_place = SYSTEM[at].tenant.is_some() && !SYSTEM[at].of_system;
                let here = !own || (self.by_database() && of_place);
                let name = SYSTEM[at].name.trim_start_matches("mainstay_");
                here.then(|| format!("\"mainstay\".{}", quote(name)))
            }
        };
        let sheets = self.sheets.all.iter().enumerate();
        let place =
            |(at, sheet): (usize, &Sheet)| Some(Place::new(at, sheet, &self.schema, name(sheet)?));
        sheets.filter_map(place).collect()
    }

    /// A connection as who logs in, to the database of a place.
    async fn client(&self, spot: &Spot) -> Transferred<Client> {
        let mut server = self.home().server.clone();
        if let Spot::Of(tenant) = spot
            && self.by_database()
        {
            server.address = server.address.database(&database_of(server.address.name(), tenant));
        }
        server.client().await.map_err(failed)
    }

    /// A connection as the store writes, to the database of a place.
    async fn link(&self, spot: &Spot) -> Transferred<Link> {
        let mut server = self.home().server.clone();
        if let Spot::Of(tenant) = spot
            && self.by_database()
        {
            server.address = server.address.database(&database_of(server.address.name(), tenant));
        }
        server.connect().await.map_err(failed)
    }

    /// Refuses a login that sees no rows of tenants who share tables.
    fn check_sees_all(&self) -> Transferred<()> {
        let by_row = self.domain.tenancy.is_some() && !self.services[0].are_apart();
        if !by_row || self.home().server.role.is_some() {
            return Ok(());
        }
        Err(TransferError::Failed(format!(
            "row-level security shows this login of {} the rows of one tenant at a time: give a \
             login that is a superuser or has BYPASSRLS, or name a tenant",
            self.home().server.address.shown()
        )))
    }

    /// The tenants whose place is remembered, or that rows name.
    async fn tenants_seen(&self, client: &Client) -> Transferred<BTreeSet<Arc<str>>> {
        let mut tenants = BTreeSet::new();
        if self.services[0].are_apart() {
            let starts: Vec<String> = match self.by_database() {
                true => vec!["tenant ".to_owned()],
                false => {
                    let of = |places: &Arc<Places>| format!("schema of {} of ", places.service());
                    self.services.iter().map(of).collect()
                }
            };
            let text = "SELECT \"name\" FROM \"mainstay\".\"meta\"";
            for row in client.query(text, &[]).await.map_err(failed)? {
                let name: &str = row.get(0);
                let tenant = starts.iter().find_map(|start| name.strip_prefix(start.as_str()));
                tenants.extend(tenant.map(Arc::from));
            }
            return Ok(tenants);
        }
        for place in self.places(&Spot::Home) {
            if !matches!(self.sheets.all[place.sheet].holds, Holds::Rows { .. }) {
                continue;
            }
            let mut last: Option<String> = None;
            while let Some(text) = place.next_tenant(&dialect(), last.is_some()) {
                let row = match &last {
                    Some(last) => client.query_one(&text, &[last]).await,
                    None => client.query_one(&text, &[]).await,
                };
                let next: Option<String> = row.map_err(failed)?.get(0);
                let Some(next) = next else { break };
                tenants.insert(Arc::from(next.as_str()));
                last = Some(next);
            }
        }
        Ok(tenants)
    }

    /// True where a scope has rows already.
    async fn has_rows(&self, scope: &Scope) -> Transferred<bool> {
        let tenant = match scope {
            Scope::Whole => {
                for places in &self.services {
                    if !places.is_empty(false).await.map_err(unavailable)? {
                        return Ok(true);
                    }
                }
                None
            }
            Scope::Tenant(tenant) => Some(tenant),
        };
        let client = self.client(&Spot::Home).await?;
        let mut looks = vec![(Spot::Home, &client)];
        let own;
        if let Some(tenant) = tenant {
            // For the whole of this connection, which serves nothing else.
            let text = "SELECT set_config('mainstay.tenant', $1, false)";
            client.query_one(text, &[&tenant.as_ref()]).await.map_err(failed)?;
            if self.services[0].are_apart()
                && self.services[0].knows(&Some(Arc::clone(tenant))).await.map_err(unavailable)?
            {
                own = self.client(&Spot::Of(Arc::clone(tenant))).await?;
                looks.push((Spot::Of(Arc::clone(tenant)), &own));
            }
        }
        for (spot, client) in looks {
            for place in self.places(&spot) {
                let system = matches!(self.sheets.all[place.sheet].holds, Holds::System(_));
                let looked = match (tenant, &spot) {
                    (None, _) => system && !place.is_partial(),
                    (Some(_), Spot::Of(_)) => true,
                    (Some(_), Spot::Home) => place.tenant.is_some(),
                };
                if !looked {
                    continue;
                }
                let of_one = tenant.is_some() && place.tenant.is_some();
                let text = place.any(&dialect(), of_one);
                let named = tenant.map(|tenant| tenant.to_string()).filter(|_| of_one);
                let values: Vec<&(dyn ToSql + Sync)> =
                    named.iter().map(|name| name as &(dyn ToSql + Sync)).collect();
                match client.query_opt(&text, &values).await {
                    Ok(None) => {}
                    // A place that was begun, and broken off before it had its tables.
                    Err(error) if spot != Spot::Home && is_missing(&error) => {}
                    found => return found.map(|row| row.is_some()).map_err(failed),
                }
            }
        }
        Ok(false)
    }

    /// Refuses while others use the database: they would go on with what they remember.
    async fn check_alone(&self) -> Transferred<()> {
        let client = self.client(&Spot::Home).await?;
        // Connections end a moment after they are let go.
        for _ in 0..ALONE_LOOKS {
            let row = client.query_one(OTHERS, &[&own_name()]).await;
            let others: i64 = row.map_err(failed)?.get(0);
            if others == 0 {
                return Ok(());
            }
            tokio::time::sleep(ALONE_STEP).await;
        }
        Err(TransferError::Failed(format!(
            "a backend runs on {}: stop it first, it would go on with what is there now",
            self.home().server.address.shown()
        )))
    }

    /// Empties what the system has in the database, places of tenants among it.
    async fn clear(&self) -> Transferred<()> {
        if self.services[0].are_apart() {
            let client = self.client(&Spot::Home).await?;
            for tenant in self.tenants_seen(&client).await? {
                self.drop_place(&tenant).await?;
            }
        }
        let link = self.link(&Spot::Home).await?;
        let places = self.places(&Spot::Home);
        let tables = places.iter().filter(|place| !place.is_partial());
        let tables: Vec<_> = tables.map(|place| place.table.as_str()).collect();
        // Entries of the audit trail go when the chains that hold them have.
        link.plain("DELETE FROM \"mainstay\".\"audit_chains\"").await.map_err(failed)?;
        let text = format!("TRUNCATE {}", tables.join(", "));
        link.plain(&text).await.map_err(failed)
    }

    /// Removes the schema or database of a tenant.
    async fn drop_place(&self, tenant: &str) -> Transferred<()> {
        let link = self.link(&Spot::Home).await?;
        for places in &self.services {
            places.forget(tenant);
        }
        let forget = "DELETE FROM \"mainstay\".\"meta\" WHERE \"name\" = $1";
        if self.by_database() {
            let name = database_of(self.home().server.address.name(), tenant);
            // Only who made it may remove it: whoever logs in.
            let client = self.client(&Spot::Home).await?;
            let text = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote(&name));
            client.batch_execute(&text).await.map_err(failed)?;
            link.execute(forget, &[&format!("tenant {tenant}")]).await.map_err(failed)?;
        } else {
            let text = format!("DROP SCHEMA IF EXISTS {} CASCADE", schema_of(tenant));
            link.plain(&text).await.map_err(failed)?;
            for places in &self.services {
                let name = places.name(Some(tenant));
                super::schema::forget(&link, &name).await.map_err(failed)?;
            }
        }
        Ok(())
    }

    async fn erase_now(&self, tenant: &str) -> Transferred<()> {
        check_name(tenant).map_err(TransferError::Failed)?;
        if self.services[0].are_apart() {
            self.check_alone().await?;
            self.drop_place(tenant).await?;
        }
        let link = self.link(&Spot::Home).await?;
        link.plain("BEGIN").await.map_err(failed)?;
        link.execute(SET_TENANT, &[&tenant]).await.map_err(failed)?;
        // Entries of the audit trail go when the chain that holds them has.
        let chain = "DELETE FROM \"mainstay\".\"audit_chains\" WHERE \"tenant\" = $1";
        link.execute(chain, &[&tenant]).await.map_err(failed)?;
        let places = self.places(&Spot::Home);
        let deletes = places.iter().enumerate().filter_map(|(at, place)| {
            let text = place.erase(&dialect())?;
            Some(format!("d{at} AS ({text})"))
        });
        // In one statement no order matters: what refers to a row goes with it.
        let deletes: Vec<String> = deletes.collect();
        let text = format!("WITH {} SELECT 1", deletes.join(", "));
        link.query(&text, &[&tenant]).await.map_err(failed)?;
        link.plain("COMMIT").await.map_err(failed)?;
        // What is deleted stays in the files until it is cleaned away.
        for place in places.iter().filter(|place| place.tenant.is_some()) {
            link.plain(&format!("VACUUM {}", place.table)).await.map_err(failed)?;
        }
        Ok(())
    }
}

impl Transfer for PostgresTransfer {
    fn sheets(&self) -> &Sheets {
        &self.sheets
    }

    fn tenants(&self) -> Transferred<Vec<Arc<str>>> {
        self.check_sees_all()?;
        self.wait(async {
            let client = self.client(&Spot::Home).await?;
            Ok(self.tenants_seen(&client).await?.into_iter().collect())
        })
    }

    fn read(&self, scope: &Scope) -> Transferred<Box<dyn Reading + '_>> {
        if *scope == Scope::Whole {
            self.check_sees_all()?;
        }
        self.wait(async { check_whole(self.home(), None).await.map_err(TransferError::failed) })?;
        let reading = self.wait(read::PostgresReading::new(self, scope))?;
        Ok(Box::new(reading))
    }

    fn write(&self, scope: &Scope, replace: bool) -> Transferred<Box<dyn Writing + '_>> {
        self.wait(async {
            let link = self.link(&Spot::Home).await?;
            let half = system::meta(&link, HALF).await.map_err(failed)?.is_some();
            if !(replace || (half && *scope == Scope::Whole)) && self.has_rows(scope).await? {
                let place = self.home().server.address.shown();
                return Err(TransferError::NotEmpty(match scope {
                    Scope::Whole => format!("there are rows in {place} already"),
                    Scope::Tenant(name) => {
                        format!("the tenant `{name}` has rows in {place} already")
                    }
                }));
            }
            match scope {
                Scope::Whole => {
                    self.check_alone().await?;
                    system::set_meta(&link, HALF, "yes").await.map_err(failed)?;
                    self.clear().await
                }
                Scope::Tenant(_) if half => {
                    check_whole(self.home(), None).await.map_err(TransferError::failed)
                }
                Scope::Tenant(tenant) if replace => self.erase_now(tenant).await,
                Scope::Tenant(tenant) => check_name(tenant).map_err(TransferError::Failed),
            }
        })?;
        Ok(Box::new(write::PostgresWriting::new(self, scope)))
    }

    fn provision(&self, tenant: &str) -> Transferred<()> {
        check_name(tenant).map_err(TransferError::Failed)?;
        self.wait(self.make(tenant))
    }

    fn forget(&self, tenants: &[Arc<str>], traces: &[Trace]) -> Transferred<Forgotten> {
        self.wait(self.forget_all(tenants, traces))
    }

    fn erase(&self, tenant: &str) -> Transferred<()> {
        self.wait(self.erase_now(tenant))
    }
}

impl PostgresTransfer {
    /// Makes a tenant's place, where each has one.
    async fn make(&self, tenant: &str) -> Transferred<()> {
        if !self.services[0].are_apart() {
            return Ok(());
        }
        for places in &self.services {
            places.of_tenant(&Arc::from(tenant), true).await.map_err(unavailable)?;
        }
        Ok(())
    }
}

impl Drop for PostgresTransfer {
    fn drop(&mut self) {
        self.services.iter().for_each(|places| places.close());
        if let Some(threads) = self.threads.take() {
            threads.stop();
        }
    }
}

fn own_name() -> String {
    format!("mainstay transfer {}", std::process::id())
}

fn dialect() -> Postgresql {
    Postgresql::default()
}

fn failed(error: Error) -> TransferError {
    TransferError::Failed(format!("postgresql: {}", told(&error)))
}

fn unavailable(why: crate::ports::store::Unavailable) -> TransferError {
    TransferError::Failed(format!("{why:?}"))
}

fn plain(row: &Row, at: usize) -> Option<Plain> {
    Some(match row.try_get::<_, Column<'_>>(at).ok()?.0 {
        Stored::Null => Plain::Null,
        Stored::Int(n) => Plain::Int(n),
        Stored::Text(text) => Plain::Text(text.to_owned()),
        Stored::Bytes(bytes) => Plain::Bytes(bytes.to_vec()),
        Stored::Foreign => return None,
    })
}

impl ToSql for Plain {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => return Ok(IsNull::Yes),
            Self::Int(n) => return Bound(Cell::Int(*n)).to_sql(kind, out),
            Self::Text(text) => out.extend_from_slice(text.as_bytes()),
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}
