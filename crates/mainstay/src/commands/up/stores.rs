//! The data directory and a store for each service.

use crate::failure::{Failure, Outcome};
use ir::architecture::Architecture;
use ir::schema::Table;
use runtime::adapters::sqlite::{DataDirectory, SqliteConfig, SqliteLimits, SqliteStore};
use runtime::ports::clock::SystemClock;
use runtime::ports::store::Store;
use std::path::Path;
use std::sync::Arc;

/// Name of the file that holds the key which signs cursors.
const CURSOR_KEY: &str = "cursor.key";

/// The opened data.
pub(super) struct Stores {
    /// One a service, in their order.
    pub(super) stores: Vec<Arc<SqliteStore>>,
}

impl Stores {
    /// Opens, and makes where nothing is yet, the files of every service in `data`.
    pub(super) fn open(
        architecture: &Architecture,
        directory: &Arc<DataDirectory>,
    ) -> Outcome<Self> {
        let (domain, schema) =
            (Arc::new(architecture.domain.clone()), Arc::new(architecture.schema.clone()));
        let settings = &architecture.settings;
        let mut stores = Vec::new();
        for service in &architecture.services {
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
            let config = SqliteConfig {
                directory: Arc::clone(directory),
                service: service.name.clone(),
                file_per_tenant: settings.tenant_files,
                ddl,
                clock: Arc::new(SystemClock),
                limits: SqliteLimits {
                    queue_sets_max: settings.write_queue_max as usize,
                    group_sets_max: settings.write_group_max as usize,
                    ..SqliteLimits::default()
                },
            };
            let store = SqliteStore::open(config, Arc::clone(&domain), Arc::clone(&schema));
            stores.push(Arc::new(store.map_err(|fault| {
                Failure::new(format!("can't open the data of service `{}`", service.name))
                    .caused_by(fault)
            })?));
        }
        Ok(Self { stores })
    }

    /// As the port that the backend knows.
    pub(super) fn ports(&self) -> Vec<Arc<dyn Store>> {
        self.stores.iter().map(|store| Arc::clone(store) as Arc<dyn Store>).collect()
    }

    /// True where nothing was ever stored.
    pub(super) fn is_empty(&self) -> Outcome<bool> {
        for store in &self.stores {
            let empty = store.is_empty();
            if !empty
                .map_err(|why| Failure::new("can't read the data").caused_by(format!("{why:?}")))?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes what is buffered and lets go of the files.
    pub(super) fn close(&self) {
        for store in &self.stores {
            store.close();
        }
    }
}

/// The directory, made where it is missing, and locked by this process.
pub(super) fn directory(data: &Path) -> Outcome<Arc<DataDirectory>> {
    DataDirectory::open(data).map(Arc::new).map_err(|fault| {
        Failure::new(format!("can't use the data directory `{}`", data.display())).caused_by(fault)
    })
}

/// The key that signs cursors, made where there is none; only its owner may read the file.
pub(super) fn cursor_key(directory: &DataDirectory) -> Outcome<[u8; 32]> {
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
            use runtime::ports::clock::{Randomness, SystemRandomness};
            let mut key = [0; 32];
            SystemRandomness.fill(&mut key);
            write_private(&path, &key).map_err(failed)?;
            Ok(key)
        }
        Err(cause) => Err(failed(cause)),
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    std::io::Write::write_all(&mut options.open(path)?, bytes)
}
