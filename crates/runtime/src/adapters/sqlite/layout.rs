//! Which file a call goes to, and how files come to be.

use super::error::unavailable;
use super::link::{Link, Role};
use super::{OpenError, SqliteConfig, SqliteLimits, demand, schema, system};
use crate::adapters::sql::dialect::quote;
use crate::adapters::sql::plan::{Plan, PlanError};
use crate::identity::tenant::{check_name, is_name};
use crate::ports::store::{Tenant, Unavailable};
use crate::private;
use ir::demand::Demand;
use ir::domain::{Resource, ResourceId};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, RwLock};
use std::time::Duration;
use tokio::sync::watch;

/// One file of the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum File {
    /// The service's: everything where tenants share tables, else what is shared.
    Service,
    /// A tenant's own.
    Tenant(Arc<str>),
}

/// The files of a store.
pub(super) struct Layout {
    config: SqliteConfig,
    pub(super) plan: Arc<Plan>,
    /// Quoted names of the tables that the statements make, and of those that somebody else does.
    made: BTreeSet<String>,
    /// Tenants' rows refer to shared ones: their connections see the service's file too.
    attached: bool,
    /// Held by who deletes shared rows, so that nobody refers to one meanwhile.
    pub(super) shared: Arc<RwLock<()>>,
    /// Another store has taken the place of this one.
    pub(super) handed_over: AtomicBool,
    /// Changes with each group that published events.
    pub(super) appended: watch::Sender<u64>,
}

impl Layout {
    /// Makes the service's file where it is missing; those that are there must serve the model.
    pub(super) fn open(config: SqliteConfig, plan: Arc<Plan>) -> Result<Self, OpenError> {
        let layout = Self::unprepared(config, plan)?;
        layout.check_demands()?;
        layout.prepare()?;
        Ok(layout)
    }

    /// Knows the files, and leaves them as they are.
    pub(super) fn unprepared(config: SqliteConfig, plan: Arc<Plan>) -> Result<Self, OpenError> {
        let theirs = config.demands.iter().map(|demand| demand.name.clone());
        let made = schema::tables(&config.ddl).into_iter().chain(theirs);
        let made = made.map(|table| quote(&table)).collect();
        let shared = config.directory.shared(&config.service);
        let (attached, handed_over) = (false, AtomicBool::new(false));
        let appended = watch::Sender::new(0);
        let mut layout = Self { config, plan, made, attached, shared, handed_over, appended };
        layout.attached = layout.per_tenant() && !layout.tables(&File::Service).is_empty();
        layout.check_parted()?;
        Ok(layout)
    }

    /// Tables of somebody else must be as the model needs them.
    pub(super) fn check_demands(&self) -> Result<(), OpenError> {
        demand::check(self, self.demands())
    }

    /// Tables of the service's file that somebody else makes.
    pub(super) fn demands(&self) -> &[Demand] {
        &self.config.demands
    }

    /// Where tenants have neither a file nor a column they would meet: never.
    fn check_parted(&self) -> Result<(), OpenError> {
        let plan = &self.plan;
        if plan.domain.tenancy.is_none() || self.per_tenant() {
            return Ok(());
        }
        let meets = |(id, resource): &(ResourceId, &Resource)| {
            let table = plan.table(*id);
            self.made.contains(&table.name) && !resource.shared && table.tenant.is_none()
        };
        let together = plan.domain.stored().find(meets);
        together.map_or(Ok(()), |(_, resource)| {
            let name = &resource.name;
            Err(OpenError::Plan(PlanError(format!(
                "tenants would share the rows of `{name}`: they have neither a file nor a column"
            ))))
        })
    }

    /// The service's file is brought up to date last: it vouches for those of the tenants.
    fn prepare(&self) -> Result<(), OpenError> {
        if self.per_tenant() {
            let directory = self.config.directory.path().join(&self.config.service);
            let io = |error| OpenError::Io { path: directory.clone(), error };
            private::directory(&directory).map_err(io)?;
        }
        let service = self.path(&File::Service);
        let current = schema::fingerprint(self);
        if service.exists() {
            let link = self.writer(&File::Service).map_err(|error| damaged(&service, &error))?;
            let known = system::fingerprint(&link).map_err(|error| damaged(&service, &error))?;
            if known.as_deref() == Some(current.as_str()) {
                return Ok(());
            }
        }
        for tenant in self.tenants()? {
            self.bring_up(&File::Tenant(tenant))?;
        }
        self.bring_up(&File::Service)
    }

    fn bring_up(&self, file: &File) -> Result<(), OpenError> {
        let path = self.path(file);
        let mut link = Link::open(&path, Role::Maker, self.lock_wait(), self.clock())
            .map_err(|error| damaged(&path, &error))?;
        self.check_writable(&path)?;
        schema::bring_up(&mut link, self, file)
    }

    /// SQLite opens what it may not write as read-only, without a word.
    fn check_writable(&self, path: &Path) -> Result<(), OpenError> {
        let opened = std::fs::OpenOptions::new().append(true).open(path);
        opened.map(|_| ()).map_err(|error| OpenError::Io { path: path.to_owned(), error })
    }

    pub(super) fn limits(&self) -> SqliteLimits {
        self.config.limits
    }

    pub(super) fn clock(&self) -> Arc<dyn crate::ports::clock::Clock> {
        Arc::clone(&self.config.clock)
    }

    /// Connections to a file see the service's beside it.
    pub(super) fn sees_service(&self, file: &File) -> bool {
        self.attached && matches!(file, File::Tenant(_))
    }

    /// A file was written to.
    pub(super) fn wrote(&self, file: &File) {
        self.config.directory.wrote(|| self.path(file));
    }

    pub(super) fn ddl(&self) -> &[String] {
        &self.config.ddl
    }

    pub(super) fn per_tenant(&self) -> bool {
        self.config.file_per_tenant
    }

    pub(super) fn lock_wait(&self) -> Duration {
        Duration::from_millis(u64::from(self.config.limits.lock_wait_ms_max))
    }

    /// The path of a file.
    pub(super) fn path(&self, file: &File) -> PathBuf {
        let (data, service) = (self.config.directory.path(), &self.config.service);
        match file {
            File::Service => data.join(format!("{service}.db")),
            File::Tenant(tenant) => data.join(service).join(format!("{tenant}.db")),
        }
    }

    /// True where a file holds the table of a resource.
    pub(super) fn holds(&self, file: &File, resource: ResourceId) -> bool {
        let shared = self.plan.domain.resource(resource).shared;
        let here = match file {
            File::Service => shared || !self.per_tenant(),
            File::Tenant(_) => !shared,
        };
        here && self.made.contains(&self.plan.table(resource).name)
    }

    /// The file of a call. A resource of tenants without a tenant is refused, whatever is asked.
    pub(super) fn file(&self, tenant: &Tenant, resource: ResourceId) -> Result<File, Unavailable> {
        let shared = self.plan.domain.resource(resource).shared;
        let bound = self.plan.table(resource).tenant.is_some();
        match tenant {
            None if bound || (self.per_tenant() && !shared) => {
                Err(Unavailable::Broken("a call for rows of a tenant names no tenant".to_owned()))
            }
            Some(tenant) if self.per_tenant() && !shared => {
                check_tenant(tenant)?;
                Ok(File::Tenant(Arc::clone(tenant)))
            }
            Some(_) | None => Ok(File::Service),
        }
    }

    /// The file that holds the answers for a tenant's keys.
    pub(super) fn answers(&self, tenant: &Tenant) -> Result<File, Unavailable> {
        match tenant {
            Some(tenant) if self.per_tenant() => {
                check_tenant(tenant)?;
                Ok(File::Tenant(Arc::clone(tenant)))
            }
            Some(_) | None => Ok(File::Service),
        }
    }

    /// The tenants that have a file.
    pub(super) fn tenants(&self) -> Result<Vec<Arc<str>>, OpenError> {
        if !self.per_tenant() {
            return Ok(Vec::new());
        }
        let directory = self.config.directory.path().join(&self.config.service);
        let io = |error| OpenError::Io { path: directory.clone(), error };
        let mut tenants = Vec::new();
        let entries = match std::fs::read_dir(&directory) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(tenants),
            entries => entries.map_err(io)?,
        };
        for entry in entries {
            let name = entry.map_err(io)?.file_name();
            let tenant = name.to_str().and_then(|name| name.strip_suffix(".db"));
            if let Some(tenant) = tenant.filter(|tenant| is_name(tenant)) {
                tenants.push(Arc::from(tenant));
            }
        }
        tenants.sort();
        Ok(tenants)
    }

    /// A connection that reads; none where a tenant has written nothing yet.
    pub(super) fn reader(&self, file: &File) -> Result<Option<Link>, Unavailable> {
        let path = self.path(file);
        if matches!(file, File::Tenant(_)) && !path.exists() {
            return Ok(None);
        }
        self.open_link(file, &path, Role::Reader).map(Some).map_err(|error| unavailable(&error))
    }

    /// A connection that writes; the file must be there.
    pub(super) fn writer(&self, file: &File) -> rusqlite::Result<Link> {
        self.open_link(file, &self.path(file), Role::Writer)
    }

    /// A connection that writes, to a file that is made where it is missing: whole before it gets
    /// its name, so that nobody reads it half made.
    pub(super) fn writer_or_new(&self, file: &File) -> Result<Link, Unavailable> {
        let path = self.path(file);
        if !path.exists() {
            let making = path.with_extension("new");
            let broken = |error: std::io::Error| match error.kind() {
                std::io::ErrorKind::StorageFull => Unavailable::Full,
                std::io::ErrorKind::PermissionDenied => Unavailable::ReadOnly,
                _ => Unavailable::Broken(error.to_string()),
            };
            match std::fs::remove_file(&making) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(broken(error));
                }
                _ => {}
            }
            let mut link = Link::open(&making, Role::Maker, self.lock_wait(), self.clock())
                .map_err(|error| unavailable(&error))?;
            schema::bring_up(&mut link, self, file).map_err(|error| match error {
                OpenError::Io { error, .. } => broken(error),
                error => Unavailable::Broken(error.to_string()),
            })?;
            let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
            link.connection
                .query_row(checkpoint, [], |_| Ok(()))
                .map_err(|error| unavailable(&error))?;
            drop(link);
            std::fs::rename(&making, &path).map_err(broken)?;
        }
        self.writer(file).map_err(|error| unavailable(&error))
    }

    fn open_link(&self, file: &File, path: &Path, role: Role) -> rusqlite::Result<Link> {
        let link = Link::open(path, role, self.lock_wait(), self.clock())?;
        if role == Role::Writer {
            let pages = self.config.limits.file_pages_max;
            let cap = format!("PRAGMA max_page_count = {pages}");
            link.connection.query_row(&cap, [], |_| Ok(()))?;
            system::extend(&link)?;
        }
        if self.sees_service(file) {
            let service = self.path(&File::Service);
            let service = service.to_string_lossy();
            link.connection.execute("ATTACH ?1 AS \"service\"", [service.as_ref()])?;
        }
        Ok(link)
    }

    /// The value of a name in the service's `mainstay_meta`, set to one given where it has none.
    pub(super) fn meta_or(&self, name: &str, value: &str) -> Result<String, Unavailable> {
        let link = self.writer(&File::Service).map_err(|error| unavailable(&error))?;
        system::meta_or(&link, name, value).map_err(|error| unavailable(&error))
    }

    /// True for a quoted table that this service's statements make.
    pub(super) fn makes(&self, table: &str) -> bool {
        self.made.contains(table)
    }

    /// Quoted tables of a file.
    pub(super) fn tables(&self, file: &File) -> Vec<String> {
        let all = self.plan.domain.stored();
        all.filter(|(id, _)| self.holds(file, *id))
            .map(|(id, _)| self.plan.table(id).name.clone())
            .collect()
    }
}

/// A tenant's name, checked again where it becomes the name of a file.
fn check_tenant(tenant: &str) -> Result<(), Unavailable> {
    check_name(tenant).map_err(Unavailable::Broken)
}

pub(super) fn damaged(path: &Path, error: &rusqlite::Error) -> OpenError {
    use rusqlite::ErrorCode;
    let kind = match error.sqlite_error_code() {
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            std::io::ErrorKind::PermissionDenied
        }
        Some(ErrorCode::DiskFull) => std::io::ErrorKind::StorageFull,
        _ => return OpenError::File { path: path.to_owned(), error: error.to_string() },
    };
    OpenError::Io { path: path.to_owned(), error: std::io::Error::new(kind, error.to_string()) }
}
