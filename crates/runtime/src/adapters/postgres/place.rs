//! Where the rows of a call are: the database itself, a tenant's schema, a tenant's database.

use super::base::{Base, Threads};
use super::error::OpenError;
use super::events::Listening;
use super::hearing::Told;
use super::link::{Parameter, Session};
use super::presence::fingerprint;
use super::read::Texts;
use super::replicas::{self, Ask, Replicas};
use super::system;
use super::write::Chains;
use super::{Address, PostgresConfig, PostgresLimits};
use crate::adapters::sql::dialect::{Postgresql, TENANT, quote};
use crate::adapters::sql::plan::{Plan, PlanError};
use crate::identity::tenant::check_name;
use crate::ports::store::{Bindings, CommitError, Fresh, Tenant, Unavailable, WriteSet};
use ir::demand::Demand;
use ir::domain::{Domain, ResourceId};
use ir::schema::{Schema, Table};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;
use tokio_postgres::Row;

/// Bytes of a name at most.
const NAME_BYTES_MAX: usize = 63;
/// The longest milliseconds of a session's statement; also the rest of a distant deadline.
const MILLIS: (u64, u64) = (64, 1 << 22);

/// Where the rows of tenants are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Apart {
    /// In the same tables, told apart by a column; or there are no tenants.
    ByRow,
    /// A schema each.
    BySchema,
    /// A database each.
    ByDatabase,
}

/// All places of a store.
pub(super) struct Places {
    pub(super) plan: Plan,
    /// What the model is known by.
    pub(super) fingerprint: String,
    /// The texts of reads.
    pub(super) texts: Texts,
    /// Those of sets that are one statement.
    pub(super) chains: Chains,
    pub(super) home: Base,
    pub(super) limits: PostgresLimits,
    /// The tenant up to which databases were swept in this round.
    pub(super) swept: Mutex<String>,
    /// Copies of the home.
    pub(super) replicas: Replicas,
    pub(super) config: PostgresConfig,
    /// Those who wait for events.
    pub(super) listening: Listening,
    /// Those who keep answers.
    pub(super) hearing: Told,
    /// Tenants whose place is made.
    known: RwLock<BTreeMap<Arc<str>, Known>>,
    /// Counts looks at them.
    looks: AtomicU64,
    /// One place is made at a time.
    making: tokio::sync::Mutex<()>,
    /// For what goes on though whoever asked went away.
    me: Weak<Self>,
}

/// A tenant's place.
struct Known {
    base: Option<Arc<Base>>,
    /// The number of the last look at it.
    looked: AtomicU64,
}

/// Where a call's rows are.
pub(super) struct Place<'a> {
    pub(super) base: Held<'a>,
    /// Quoted schema of the tenant, where each has one.
    pub(super) schema: Option<String>,
}

/// A database that stays open as long as it is used.
pub(super) enum Held<'a> {
    Home(&'a Base),
    Tenant(Arc<Base>),
}

impl std::ops::Deref for Held<'_> {
    type Target = Base;

    fn deref(&self) -> &Base {
        match self {
            Self::Home(base) => base,
            Self::Tenant(base) => base,
        }
    }
}

impl Place<'_> {
    /// The text with the tenant's schema in it.
    pub(super) fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match &self.schema {
            Some(schema) => text.replace(TENANT, schema).into(),
            None => text.into(),
        }
    }
}

impl Places {
    pub(super) fn open(
        config: PostgresConfig,
        domain: Arc<Domain>,
        schema: Arc<Schema>,
        threads: &Threads,
    ) -> Result<Arc<Self>, OpenError> {
        let ddl: Vec<_> = config.ddl.iter().chain(&config.tenant_ddl).cloned().collect();
        let places = Self::connect(config, domain, schema, threads, &ddl)?;
        threads.wait(places.home.bring_up(&places.wanted(None)))?;
        // Copies that lack these tables are behind whatever is looked at from now on.
        Ok(places)
    }

    /// Knows the places, and leaves them as they are; `ddl` is looked through for extensions.
    pub(super) fn connect(
        config: PostgresConfig,
        domain: Arc<Domain>,
        schema: Arc<Schema>,
        threads: &Threads,
        ddl: &[String],
    ) -> Result<Arc<Self>, OpenError> {
        let of_tenants = match config.apart {
            Apart::BySchema => {
                let own = domain.stored().filter(|(_, resource)| !resource.shared);
                own.map(|(id, _)| id).collect()
            }
            Apart::ByRow | Apart::ByDatabase => BTreeSet::new(),
        };
        let elsewhere = match config.apart {
            Apart::ByDatabase => {
                let shared = domain.stored().filter(|(_, resource)| resource.shared);
                shared.map(|(id, _)| id).collect()
            }
            Apart::ByRow | Apart::BySchema => BTreeSet::new(),
        };
        let dialect = Arc::new(Postgresql { of_tenants, elsewhere });
        let plan = Plan::new(domain, schema, dialect).map_err(OpenError::Plan)?;
        check_parted(&plan, &config)?;
        let (address, limits) = (config.address.clone(), config.limits);
        let fingerprint = fingerprint(&plan.schema, &config.contexts);
        let home = Base::open(address, threads.handle(), ddl, &limits);
        let home = threads.wait(home)?;
        let (known, making) = (RwLock::default(), tokio::sync::Mutex::default());
        let replicas = Replicas::new(&config.replicas, &home.server, limits.read_connections_max);
        let places = Arc::new_cyclic(|me| {
            let (me, looks, texts) = (Weak::clone(me), AtomicU64::new(0), Texts::new(&plan));
            Self {
                plan,
                fingerprint,
                texts,
                chains: Chains::default(),
                home,
                limits,
                swept: Mutex::default(),
                replicas,
                config,
                listening: Listening::default(),
                hearing: Told::default(),
                known,
                looks,
                making,
                me,
            }
        });
        Ok(places)
    }

    pub(super) fn are_apart(&self) -> bool {
        self.config.apart != Apart::ByRow
    }

    pub(super) fn by_database(&self) -> bool {
        self.config.apart == Apart::ByDatabase
    }

    /// Spans are kept apart by looking under a lock.
    pub(super) fn looks_for_overlaps(&self) -> bool {
        self.config.looks_for_overlaps || !self.home.excludes_spans
    }

    /// Name of the service.
    pub(super) fn service(&self) -> &str {
        &self.config.service
    }

    /// True for a table that the service has.
    pub(super) fn has(&self, table: &Table) -> bool {
        self.config.contexts.contains(&table.context)
    }

    /// Forgets a tenant's place.
    pub(super) fn forget(&self, tenant: &str) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).remove(tenant);
    }

    /// The session of a call: whose rows the database itself lets it see, and for how long.
    pub(super) fn session(&self, tenant: &Tenant, deadline: i64) -> Result<Session, Unavailable> {
        let millis = match self.time_left(deadline)? {
            Some(left) => u64::try_from(left.as_millis()).unwrap_or(MILLIS.1),
            None => self.limits.statement_ms_max,
        };
        Ok(self.session_of(tenant, millis))
    }

    /// Calls have much the same time left: rounded up, a session is changed seldom.
    pub(super) fn session_of(&self, tenant: &Tenant, millis: u64) -> Session {
        let millis = millis.clamp(MILLIS.0, MILLIS.1).next_power_of_two();
        let known = self.config.apart == Apart::ByRow && self.plan.domain.tenancy.is_some();
        Session { tenant: tenant.clone().filter(|_| known), ..Session::plain(millis) }
    }

    /// The time until a deadline (0: none).
    pub(super) fn time_left(&self, deadline: i64) -> Result<Option<Duration>, Unavailable> {
        if deadline == 0 {
            return Ok(None);
        }
        match u64::try_from(deadline - self.config.clock.now()) {
            Ok(left) if left > 0 => Ok(Some(Duration::from_micros(left))),
            Ok(_) | Err(_) => Err(Unavailable::Deadline),
        }
    }

    /// The tenant in whose own place a resource's rows are; none for the database itself. A
    /// resource of tenants without a tenant is refused, whatever is asked.
    fn owner<'t>(
        &self,
        tenant: &'t Tenant,
        resource: ResourceId,
    ) -> Result<Option<&'t Arc<str>>, Unavailable> {
        let shared = self.plan.domain.resource(resource).shared;
        let bound = self.plan.table(resource).tenant.is_some();
        match tenant {
            None if bound || (self.are_apart() && !shared) => {
                Err(Unavailable::Broken("a call for rows of a tenant names no tenant".to_owned()))
            }
            Some(tenant) if self.are_apart() && !shared => {
                check_name(tenant).map_err(Unavailable::Broken)?;
                Ok(Some(tenant))
            }
            Some(_) | None => Ok(None),
        }
    }

    fn home(&self) -> Place<'_> {
        Place { base: Held::Home(&self.home), schema: None }
    }

    /// Where to read rows; none where the tenant has no place yet.
    pub(super) async fn reading(
        &self,
        tenant: &Tenant,
        resource: ResourceId,
    ) -> Result<Option<Place<'_>>, Unavailable> {
        match self.owner(tenant, resource)? {
            Some(tenant) => self.of_tenant(tenant, false).await,
            None => Ok(Some(self.home())),
        }
    }

    /// Where answers for a tenant's keys are.
    pub(super) async fn answers(&self, tenant: &Tenant) -> Result<Option<Place<'_>>, Unavailable> {
        match tenant {
            Some(tenant) if self.config.apart == Apart::ByDatabase => {
                check_name(tenant).map_err(Unavailable::Broken)?;
                self.of_tenant(tenant, false).await
            }
            Some(_) | None => Ok(Some(self.home())),
        }
    }

    /// True where a tenant has a place already, or shares the home.
    pub(super) async fn knows(&self, tenant: &Tenant) -> Result<bool, Unavailable> {
        match tenant {
            Some(tenant) if self.config.apart != Apart::ByRow => {
                check_name(tenant).map_err(Unavailable::Broken)?;
                Ok(self.known(tenant).is_some() || self.exists(tenant).await?)
            }
            Some(_) | None => Ok(true),
        }
    }

    /// Where to write a set: one place for all of it.
    pub(super) async fn writing(&self, set: &WriteSet) -> Result<Place<'_>, CommitError> {
        let unavailable = CommitError::Unavailable;
        let mut places = BTreeSet::new();
        for write in &set.writes {
            let owner = self.owner(&set.tenant, write.resource()).map_err(unavailable)?;
            places.insert(owner.cloned());
        }
        let tenants_own = places.iter().any(Option::is_some);
        if places.len() > 1 && self.config.apart == Apart::ByDatabase {
            let what = "a set of changes reaches into the databases of two tenants";
            return Err(unavailable(Unavailable::Broken(what.to_owned())));
        }
        let answers = places.is_empty() && self.config.apart == Apart::ByDatabase;
        match &set.tenant {
            Some(tenant) if tenants_own || answers => {
                check_name(tenant).map_err(|why| unavailable(Unavailable::Broken(why)))?;
                let place = self.of_tenant(tenant, true).await.map_err(unavailable)?;
                place.ok_or_else(|| {
                    unavailable(Unavailable::Broken("a tenant has no place".to_owned()))
                })
            }
            Some(_) | None => Ok(self.home()),
        }
    }

    fn known(&self, tenant: &str) -> Option<Option<Arc<Base>>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(tenant)?;
        let look = self.looks.fetch_add(1, Ordering::Relaxed);
        found.looked.store(look, Ordering::Relaxed);
        Some(found.base.clone())
    }

    fn remember(&self, tenant: &Arc<str>, base: Option<Arc<Base>>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if base.is_some() && known.len() >= self.limits.tenant_databases_max.max(1) {
            // Whoever still uses it holds on to it.
            let looked = |(_, known): &(&Arc<str>, &Known)| known.looked.load(Ordering::Relaxed);
            let longest_ago = known.iter().min_by_key(looked).map(|(name, _)| Arc::clone(name));
            longest_ago.and_then(|name| known.remove(&name));
        }
        let looked = AtomicU64::new(self.looks.fetch_add(1, Ordering::Relaxed));
        known.insert(Arc::clone(tenant), Known { base, looked });
    }

    /// The place of a tenant, made where that is asked for.
    pub(super) async fn of_tenant(
        &self,
        tenant: &Arc<str>,
        make: bool,
    ) -> Result<Option<Place<'_>>, Unavailable> {
        let by_schema = self.config.apart == Apart::BySchema;
        let place = |base: Option<Arc<Base>>| Place {
            base: base.map_or(Held::Home(&self.home), Held::Tenant),
            schema: by_schema.then(|| schema_of(tenant)),
        };
        if let Some(base) = self.known(tenant) {
            return Ok(Some(place(base)));
        }
        if !make && !self.exists(tenant).await? {
            return Ok(None);
        }
        let closed = || Unavailable::Broken("the store is closed".to_owned());
        let (me, of) = (self.me.upgrade().ok_or_else(closed)?, Arc::clone(tenant));
        let made = self.home.server.runtime.spawn(async move { me.made(&of).await }).await;
        made.map_err(|_| closed())?.map(|base| Some(place(base)))
    }

    /// Makes a tenant's place, or finds it as it is to be.
    async fn made(&self, tenant: &Arc<str>) -> Result<Option<Arc<Base>>, Unavailable> {
        let _one = self.making.lock().await;
        if let Some(base) = self.known(tenant) {
            return Ok(base);
        }
        let broken = |error: OpenError| Unavailable::Broken(error.to_string());
        self.check_newest(tenant).await?;
        let wanted = self.wanted(Some(tenant));
        let base = if self.config.apart == Apart::BySchema {
            self.home.bring_up(&wanted).await.map_err(broken)?;
            None
        } else {
            // Known before it is made, so that none is ever overlooked.
            self.kept(format!("tenant {tenant}"), tenant.to_string()).await?;
            let base = self.database(tenant).await.map_err(broken)?;
            base.bring_up(&wanted).await.map_err(broken)?;
            Some(Arc::new(base))
        };
        self.remember(tenant, base.clone());
        Ok(base)
    }

    pub(super) async fn exists(&self, tenant: &str) -> Result<bool, Unavailable> {
        let (text, name) = match self.config.apart {
            Apart::ByDatabase => (
                "SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1",
                database_of(self.config.address.name(), tenant),
            ),
            Apart::BySchema | Apart::ByRow => (
                "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1",
                schema_of(tenant).trim_matches('"').to_owned(),
            ),
        };
        let session = self.session_of(&None, self.limits.statement_ms_max);
        Ok(!self.home.readers.read(&session, text, &[&name]).await?.is_empty())
    }

    /// A tenant's database, made where it is missing, opened with fewer connections.
    async fn database(&self, tenant: &str) -> Result<Base, OpenError> {
        let address: &Address = &self.config.address;
        let name = database_of(address.name(), tenant);
        super::schema::make_database(&self.home.server, &name).await?;
        let limits = PostgresLimits {
            read_connections_max: self.limits.read_connections_max.min(2),
            write_connections_max: self.limits.write_connections_max.min(2),
            ..self.limits
        };
        let runtime = self.home.server.runtime.clone();
        Base::open(address.database(&name), runtime, &self.config.tenant_ddl, &limits).await
    }

    /// The databases of all tenants that have one.
    pub(super) async fn all_tenants(&self) -> Result<Vec<Arc<Base>>, Unavailable> {
        if self.config.apart != Apart::ByDatabase {
            return Ok(Vec::new());
        }
        let text = "SELECT \"value\" FROM \"mainstay\".\"meta\" WHERE \"name\" LIKE $1";
        let session = self.session_of(&None, self.limits.statement_ms_max);
        let rows = self.home.readers.read(&session, text, &[&"tenant %"]).await?;
        let mut all = Vec::new();
        for row in rows {
            let tenant: Arc<str> = Arc::from(row.get::<_, &str>(0));
            if let Some(Place { base: Held::Tenant(base), .. }) =
                self.of_tenant(&tenant, false).await?
            {
                all.push(base);
            }
        }
        Ok(all)
    }

    /// A value that the database keeps for good: the one given first.
    pub(super) async fn kept(&self, name: String, value: String) -> Result<String, Unavailable> {
        let link = self.home.writers.lease(None).await?;
        let kept = system::meta_or(&link, &name, &value).await;
        if kept.is_ok() {
            link.ended();
        }
        kept.map_err(|error| super::error::unavailable(&error))
    }

    /// True where no table ever had a row, and none of somebody else where those count. Row-level
    /// security hides rows, not the size of files.
    pub(super) async fn is_empty(&self, with_theirs: bool) -> Result<bool, Unavailable> {
        let text = "SELECT coalesce(sum(pg_relation_size(c.oid)), 0)::bigint FROM \
                    pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n \
                    ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND \
                    CASE WHEN n.nspname || '.' || c.relname = ANY($2) THEN $3 \
                    ELSE n.nspname = ANY($1) OR n.nspname LIKE 't\\_%' END";
        let session = self.session_of(&None, self.limits.statement_ms_max);
        let contexts = &self.config.contexts;
        let theirs: Vec<String> = self.config.demands.iter().map(Demand::shown).collect();
        let mut bytes: i64 = 0;
        let values: [Parameter<'_>; 3] = [contexts, &theirs, &with_theirs];
        let rows = self.home.readers.read(&session, text, &values).await?;
        bytes += rows.first().map_or(0, |row| row.get::<_, i64>(0));
        for base in self.all_tenants().await? {
            let rows = base.readers.read(&session, text, &values).await?;
            bytes += rows.first().map_or(0, |row| row.get::<_, i64>(0));
        }
        Ok(bytes == 0)
    }

    /// Looks at copies now and then.
    pub(super) fn start_looking(self: &Arc<Self>) {
        if !self.replicas.any() {
            return;
        }
        let places = Arc::downgrade(self);
        self.home.server.runtime.spawn(async move {
            loop {
                let Some(places) = places.upgrade() else { return };
                places.replicas.look(&places.home.readers).await;
                drop(places);
                tokio::time::sleep(replicas::LOOK_EVERY).await;
            }
        });
    }

    /// Reads rows of a place for a caller: from a copy where that will do, else from the primary.
    pub(super) async fn read(
        &self,
        place: &Place<'_>,
        (tenant, bindings): (&Tenant, &Bindings),
        ask: Ask<'_>,
    ) -> Result<Vec<Row>, Unavailable> {
        if matches!(place.base, Held::Home(_))
            && let Some(rows) = self.replicas.read(tenant, bindings, ask).await
        {
            return Ok(rows);
        }
        let rows = ask.of(&place.base.readers).await;
        if bindings.fresh == Fresh::Newest && bindings.me.is_some() {
            // Part of a write: whoever is told that a version is another finds that one then.
            self.replicas.note(&None, bindings.me.as_deref());
        }
        rows
    }

    /// A position that everything committed so far is before; none where there are no copies.
    pub(super) async fn position(&self) -> Option<u64> {
        if !self.replicas.any() {
            return None;
        }
        replicas::position(&self.home.readers).await
    }

    pub(super) fn is_open(&self, tenant: &str) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(tenant).is_some_and(|known| known.base.is_some())
    }

    pub(super) fn open_databases(&self) -> Vec<Arc<Base>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.values().filter_map(|known| known.base.clone()).collect()
    }

    pub(super) fn hand_over(&self) {
        self.home.writers.hand_over();
        self.open_databases().iter().for_each(|base| base.writers.hand_over());
    }

    pub(super) fn close(&self) {
        self.home.writers.close();
        self.open_databases().iter().for_each(|base| base.writers.close());
    }
}

/// Quoted name of a tenant's schema.
pub(super) fn schema_of(tenant: &str) -> String {
    quote(&named("t_", tenant))
}

/// Name of a tenant's database.
pub(super) fn database_of(home: &str, tenant: &str) -> String {
    named(&format!("{home}_"), tenant)
}

/// A name that is too long for the server is told apart by its digest.
fn named(prefix: &str, tenant: &str) -> String {
    let whole = format!("{prefix}{tenant}");
    if whole.len() <= NAME_BYTES_MAX {
        return whole;
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, whole.as_bytes());
    let digest: String = digest.as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let kept = whole.floor_char_boundary(NAME_BYTES_MAX - digest.len() - 1);
    format!("{}_{digest}", &whole[..kept])
}

/// Where tenants have neither a place nor a column they would meet: never.
fn check_parted(plan: &Plan, config: &PostgresConfig) -> Result<(), OpenError> {
    if plan.domain.tenancy.is_none() || config.apart != Apart::ByRow {
        return Ok(());
    }
    let meets = plan.schema.tables.iter().find(|table| {
        let shared = plan.domain.resource(table.resource).shared;
        config.contexts.contains(&table.context) && !shared && table.tenant.is_none()
    });
    meets.map_or(Ok(()), |table| {
        let name = &plan.domain.resource(table.resource).name;
        Err(OpenError::Plan(PlanError(format!(
            "tenants would share the rows of `{name}`: they have neither a place nor a column"
        ))))
    })
}
