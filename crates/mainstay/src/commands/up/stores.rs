//! The data directory and a store for each service.

use super::descriptors::{self, Shares};
use crate::arguments::DatabaseUrl;
use crate::commands::home::not_moved;
use crate::failure::{Failure, Outcome};
use ir::architecture::{Architecture, Service};
use ir::model::Isolation;
use ir::schema::Table;
use runtime::adapters::postgres::{
    Address, Apart, OpenError, PostgresConfig, PostgresLimits, PostgresStore, PostgresTransfer,
    Replica,
};
use runtime::adapters::sql::dialect::TENANT;
use runtime::adapters::sqlite::{self, DataDirectory, SqliteConfig, SqliteLimits, SqliteStore};
use runtime::plan::Plan;
use runtime::ports::clock::{Randomness, SystemClock, SystemRandomness};
use runtime::ports::store::{Store, Unavailable};
use runtime::telemetry::metrics::Metrics;
use std::path::Path;
use std::sync::Arc;

/// Name of the file that holds the key which signs cursors.
const CURSOR_KEY: &str = "cursor.key";

/// The opened data: one store a service, in their order.
pub(in crate::commands) struct Stores {
    all: Vec<Opened>,
}

/// A store of a service.
enum Opened {
    Sqlite(Arc<SqliteStore>),
    Postgres(Arc<PostgresStore>),
}

/// Where the data is.
pub(in crate::commands) enum Home {
    /// In a directory, locked by this process.
    Directory(Arc<DataDirectory>),
    /// On a server that other processes use too.
    Server(Box<Address>),
}

impl Home {
    /// The same for whoever reads beside the process that serves: no directory is locked, and
    /// nothing may be written.
    pub(in crate::commands) fn beside(database: &DatabaseUrl, data: &Path) -> Outcome<Self> {
        match &database.database {
            None => {
                not_moved(data)?;
                Ok(Self::Directory(Arc::new(DataDirectory::beside(data))))
            }
            Some(_) => Self::of(database, data),
        }
    }

    /// The server that is named, else the data directory.
    pub(in crate::commands) fn of(database: &DatabaseUrl, data: &Path) -> Outcome<Self> {
        match &database.database {
            None => directory(data).map(Self::Directory),
            Some(url) => {
                let failed =
                    |fault: OpenError| Failure::new("can't use the database").caused_by(fault);
                let address = Address::parse(url).map_err(failed)?;
                if let Some(name) = sqlite::moved_by(data) {
                    // A move that was decided here may have been killed before it said so there.
                    PostgresTransfer::settle(&address, &name).map_err(failed)?;
                }
                Ok(Self::Server(Box::new(address)))
            }
        }
    }
}

impl Home {
    /// What keeps the data there.
    pub(super) fn store(&self) -> &'static str {
        match self {
            Self::Directory(_) => "sqlite",
            Self::Server(_) => "postgresql",
        }
    }
}

/// The replicas that are named, with what is told of each.
pub(super) fn replicas(home: &Home, urls: &[String], metrics: &Metrics) -> Outcome<Vec<Replica>> {
    let Home::Server(primary) = home else { return Ok(Vec::new()) };
    let replica = |url: &String| {
        let failed = |cause: &dyn std::fmt::Display| {
            Failure::new("can't use the replica")
                .caused_by(cause)
                .hint("`--replica` takes addresses of streaming replicas of `--database`")
        };
        let address = Address::parse(url).map_err(|fault| failed(&fault))?;
        if address.name() != primary.name() {
            let shown = address.shown();
            return Err(failed(&format!("{shown} is not the database `{}`", primary.name())));
        }
        let labels = format!("replica=\"{}\"", address.shown().trim_matches('`'));
        let lag = "Milliseconds that a replica lags; -1 where it is left out.";
        let reads = "Reads that a replica answered.";
        Ok(Replica {
            lag: metrics.gauge("mainstay_replica_lag_milliseconds", lag, &labels),
            reads: metrics.counter("mainstay_replica_reads_total", reads, &labels),
            address,
        })
    };
    urls.iter().map(replica).collect()
}

impl Stores {
    /// Makes the consumers of a plan known, before it is served: they miss nothing from then on.
    pub(super) fn register(&self, plan: &Plan) -> Outcome<()> {
        let ports = self.ports();
        let registered = runtime::consume::register(plan, &ports, crate::commands::now());
        crate::commands::wait(registered)?.map_err(|why| {
            let why = match why {
                Unavailable::Broken(why) => why,
                other => format!("{other:?}"),
            };
            Failure::new("can't make the consumers of events known").caused_by(why)
        })
    }

    /// Opens, and makes where nothing is yet, the data of every service.
    pub(super) fn open(
        architecture: &Architecture,
        home: &Home,
        shares: Shares,
        replicas: &[Replica],
    ) -> Outcome<Self> {
        let open = |service: &Service| match home {
            Home::Directory(directory) => {
                sqlite(architecture, service, directory, shares).map(Opened::Sqlite)
            }
            Home::Server(address) => {
                let mut config = postgres_config(architecture, service, address);
                config.replicas = replicas.to_vec();
                config.limits = pools(architecture, &config, shares);
                postgres(architecture, service, config)
            }
        };
        let all = architecture.services.iter().map(open).collect::<Outcome<_>>()?;
        Ok(Self { all })
    }

    /// Opens what a move brought to a server, and that is about to be decided under a name.
    pub(super) fn decided(
        architecture: &Architecture,
        address: &Address,
        name: &str,
        shares: Shares,
    ) -> Outcome<Self> {
        let open = |service: &Service| {
            let mut config = postgres_config(architecture, service, address);
            config.limits = pools(architecture, &config, shares);
            // Calls wait for it: who asks tries again.
            (config.decided, config.limits.patience_ms_max) = (Some(name.to_owned()), 0);
            postgres(architecture, service, config)
        };
        let all = architecture.services.iter().map(open).collect::<Outcome<_>>()?;
        Ok(Self { all })
    }

    /// Opens the data that is there for a verb that serves nobody.
    pub(in crate::commands) fn alone(architecture: &Architecture, home: &Home) -> Outcome<Self> {
        Self::open(architecture, home, descriptors::share(architecture, None), &[])
    }

    /// As the port that the backend knows.
    pub(in crate::commands) fn ports(&self) -> Vec<Arc<dyn Store>> {
        let port = |store: &Opened| match store {
            Opened::Sqlite(store) => Arc::clone(store) as Arc<dyn Store>,
            Opened::Postgres(store) => Arc::clone(store) as Arc<dyn Store>,
        };
        self.all.iter().map(port).collect()
    }

    /// True where nothing was ever stored.
    pub(super) fn is_empty(&self) -> Outcome<bool> {
        for store in &self.all {
            let empty = match store {
                Opened::Sqlite(store) => store.is_empty(),
                Opened::Postgres(store) => store.is_empty(),
            };
            if !empty.map_err(unreadable)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The key that signs cursors, made where there is none: beside the data, so that it outlives
    /// a restart, and is that of every process on one server.
    pub(super) fn cursor_key(&self, home: &Home) -> Outcome<[u8; 32]> {
        match (home, self.all.first()) {
            (Home::Server(_), Some(Opened::Postgres(store))) => {
                let kept = store.kept("cursor_key", &hex(&random_key())).map_err(unreadable)?;
                let wrong = || Failure::new("the database's `cursor_key` is not a key of 32 bytes");
                from_hex(&kept).ok_or_else(wrong)
            }
            (Home::Server(_), _) => Ok(random_key()),
            (Home::Directory(directory), _) => cursor_key(directory),
        }
    }

    /// Others have taken the place of these.
    pub(super) fn hand_over(&self) {
        for store in &self.all {
            match store {
                Opened::Sqlite(store) => store.hand_over(),
                Opened::Postgres(store) => store.hand_over(),
            }
        }
    }

    /// Writes what is buffered and lets go of the data.
    pub(in crate::commands) fn close(&self) {
        for store in &self.all {
            match store {
                Opened::Sqlite(store) => store.close(),
                Opened::Postgres(store) => store.close(),
            }
        }
    }
}

fn unreadable(why: Unavailable) -> Failure {
    Failure::new("can't read the data").caused_by(format!("{why:?}"))
}

pub(in crate::commands) fn not_opened(service: &str, fault: impl std::fmt::Display) -> Failure {
    Failure::new(format!("can't open the data of service `{service}`")).caused_by(fault)
}

fn sqlite(
    architecture: &Architecture,
    service: &Service,
    directory: &Arc<DataDirectory>,
    shares: Shares,
) -> Outcome<Arc<SqliteStore>> {
    let mut config = sqlite_config(architecture, service, directory);
    config.limits.tenant_files_max = shares.tenant_files_max;
    let (domain, schema) = (architecture.domain.clone(), architecture.schema.clone());
    let store = SqliteStore::open(config, Arc::new(domain), Arc::new(schema));
    store.map(Arc::new).map_err(|fault| not_opened(&service.name, fault))
}

/// Where a service keeps its rows in a data directory, and the tables it has there.
pub(in crate::commands) fn sqlite_config(
    architecture: &Architecture,
    service: &Service,
    directory: &Arc<DataDirectory>,
) -> SqliteConfig {
    let settings = &architecture.settings;
    let ours = |table: &Table| service.contexts.contains(&table.context);
    let shared = |table: &Table| architecture.domain.resource(table.resource).shared;
    let statements = |holds: &dyn Fn(&Table) -> bool| {
        formats::sql::sqlite_statements(&architecture.schema, holds)
    };
    // What tenants share is in a file of its own, and no foreign key leaves a file.
    let ddl = match settings.tenant_files {
        true => {
            let mut ddl = statements(&|table| ours(table) && shared(table));
            ddl.extend(statements(&|table| ours(table) && !shared(table)));
            ddl
        }
        false => statements(&ours),
    };
    SqliteConfig {
        directory: Arc::clone(directory),
        service: service.name.clone(),
        file_per_tenant: settings.tenant_files,
        ddl,
        demands: formats::sql::sqlite_demands(&architecture.schema, &ours),
        clock: Arc::new(SystemClock),
        limits: SqliteLimits {
            queue_sets_max: settings.write_queue_max as usize,
            group_sets_max: settings.write_group_max as usize,
            audit_seconds_max: settings.audit_seconds as u64,
            ..SqliteLimits::default()
        },
    }
}

fn postgres(
    architecture: &Architecture,
    service: &Service,
    config: PostgresConfig,
) -> Outcome<Opened> {
    let (domain, schema) = (architecture.domain.clone(), architecture.schema.clone());
    let store = PostgresStore::open(config, Arc::new(domain), Arc::new(schema));
    let store = store.map_err(|fault| not_opened(&service.name, fault))?;
    Ok(Opened::Postgres(Arc::new(store)))
}

/// How many connections a service keeps: as was said, as was decided, or as the cores suggest. The
/// services of one process share them.
fn pools(architecture: &Architecture, config: &PostgresConfig, shares: Shares) -> PostgresLimits {
    let services = architecture.services.len().max(1);
    let decided = architecture.settings.database_connections;
    // Where tenants have databases, few connections go to the one that they share.
    let decided = if config.apart == Apart::ByDatabase { 0 } else { decided };
    let (limits, why) = match (shares.database_connections, decided) {
        (Some(all), _) => {
            (config.limits.with_connections(usize::from(all) / services), "--database-connections")
        }
        (None, 0) => (config.limits, "the cores of this machine"),
        (None, all) => (config.limits.with_connections(all as usize / services), "decision D051"),
    };
    tracing::info!(
        service = config.service,
        connections = limits.connections(),
        reads = limits.read_connections_max + 1,
        writes = limits.write_connections_max,
        why,
        "connections to PostgreSQL at most"
    );
    limits
}

/// Where a service keeps its rows in a database, and the tables it has there.
pub(in crate::commands) fn postgres_config(
    architecture: &Architecture,
    service: &Service,
    address: &Address,
) -> PostgresConfig {
    let isolation = architecture.domain.tenancy.as_ref().map(|tenancy| tenancy.isolation);
    let apart = match isolation {
        Some(_) if !architecture.settings.tenant_files => Apart::ByRow,
        Some(Isolation::Schema) => Apart::BySchema,
        Some(Isolation::Row | Isolation::Database) => Apart::ByDatabase,
        None => Apart::ByRow,
    };
    let ours = |table: &Table| service.contexts.contains(&table.context);
    let shared = |table: &Table| architecture.domain.resource(table.resource).shared;
    let name = |table: &Table| match apart == Apart::BySchema && !shared(table) {
        true => format!("{TENANT}.\"{}\"", table.sql_name()),
        false => formats::sql::postgresql_name(table),
    };
    let statements = |holds: &dyn Fn(&Table) -> bool| {
        let reaches_out = apart == Apart::BySchema;
        let place = formats::sql::Place { holds, name: &name, reaches_out };
        formats::sql::postgresql_statements(&architecture.schema, place)
    };
    let (ddl, tenant_ddl) = match apart {
        Apart::ByRow => (statements(&ours), Vec::new()),
        Apart::BySchema | Apart::ByDatabase => (
            statements(&|table| ours(table) && shared(table)),
            statements(&|table| ours(table) && !shared(table)),
        ),
    };
    let (limits, services) = (PostgresLimits::default(), architecture.services.len().max(1));
    PostgresConfig {
        address: address.clone(),
        service: service.name.clone(),
        contexts: service.contexts.clone(),
        apart,
        ddl,
        tenant_ddl,
        demands: formats::sql::postgresql_demands(&architecture.schema, &ours),
        replicas: Vec::new(),
        decided: None,
        looks_for_overlaps: false,
        clock: Arc::new(SystemClock),
        limits: PostgresLimits {
            // The services of one process share the server's connections.
            read_connections_max: limits.read_connections_max.div_ceil(services),
            write_connections_max: limits.write_connections_max.div_ceil(services),
            write_waiting_max: architecture.settings.write_queue_max as usize,
            audit_seconds_max: architecture.settings.audit_seconds as u64,
            ..limits
        },
    }
}

fn random_key() -> [u8; 32] {
    let mut key = [0; 32];
    SystemRandomness.fill(&mut key);
    key
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes().chunks(2).map(|two| {
        let two = std::str::from_utf8(two).ok()?;
        u8::from_str_radix(two, 16).ok()
    });
    digits.collect::<Option<Vec<u8>>>()?.try_into().ok()
}

/// The directory, made where it is missing, and locked by this process.
fn directory(data: &Path) -> Outcome<Arc<DataDirectory>> {
    DataDirectory::open(data).map(Arc::new).map_err(|fault| {
        Failure::new(format!("can't use the data directory `{}`", data.display())).caused_by(fault)
    })
}

/// The key that signs cursors, made where there is none; only its owner may read the file.
fn cursor_key(directory: &DataDirectory) -> Outcome<[u8; 32]> {
    let path = directory.path().join(CURSOR_KEY);
    let failed = |cause: std::io::Error| {
        Failure::new(format!("can't read or make `{}`", path.display())).caused_by(cause)
    };
    match std::fs::read(&path) {
        Ok(bytes) => bytes.try_into().map_err(|_| {
            Failure::new(format!("`{}` is not a key of 32 bytes", path.display()))
                .hint("delete it: a new one is made, and cursors of the old one are refused")
        }),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            let key = random_key();
            let mut file = runtime::private::create_new(&path).map_err(failed)?;
            std::io::Write::write_all(&mut file, &key).map_err(failed)?;
            Ok(key)
        }
        Err(cause) => Err(failed(cause)),
    }
}
