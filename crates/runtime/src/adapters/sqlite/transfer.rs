//! Rows out of the files of a data directory and into them: see [`crate::ports::transfer`].
//!
//! All services of a system at once, and the keys. What is put in goes to the files themselves; a
//! mark in the directory says that it is half there until it is whole, and nothing opens it.

use super::directory::{DataDirectory, HALF, MOVED, moved, sync};
use super::error::OpenError;
use super::layout::{File, Layout};
use super::link::{Link, Role};
use super::{SqliteConfig, SqliteKeys, demand, keys, schema, system};
use crate::adapters::sql::dialect::{Sqlite, quote};
use crate::adapters::sql::plan::Plan;
use crate::adapters::sql::transfer::Place;
use crate::identity::tenant::check_name;
use crate::ports::transfer::{
    Forgotten, Holds, Plain, Reading, SYSTEM, Scope, Sheet, Sheets, Trace, Transfer, TransferError,
    Transferred, Watching, Writing,
};
use crate::private;
use ir::domain::Domain;
use ir::schema::Schema;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod chains;
mod forget;
mod read;
mod watch;
mod write;

pub(super) use watch::forget_notes;

/// Name of the file that holds the key which signs cursors.
pub(super) const CURSOR_KEY: &str = "cursor.key";
/// Milliseconds to wait for another process that writes.
const LOCK_WAIT: std::time::Duration = std::time::Duration::from_secs(10);

/// The data of a directory.
pub struct SqliteTransfer {
    directory: Arc<DataDirectory>,
    services: Vec<Layout>,
    schema: Arc<Schema>,
    sheets: Sheets,
}

/// Where a row lies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Spot {
    /// A file of the service of that index.
    Of(usize, File),
    /// The file of keys.
    Keys,
}

impl SqliteTransfer {
    /// Looks at the data of a directory; nothing is made or changed yet. `services` name their
    /// directory: one that is locked to write, any to read.
    ///
    /// # Errors
    /// [`OpenError`], where the schema does not fit the model.
    pub fn open(
        services: Vec<SqliteConfig>,
        directory: Arc<DataDirectory>,
        domain: &Arc<Domain>,
        schema: &Arc<Schema>,
    ) -> Result<Self, OpenError> {
        let sheets = Sheets::of(domain, schema);
        let layout = |config: SqliteConfig| {
            let plan = Plan::new(Arc::clone(domain), Arc::clone(schema), Arc::new(Sqlite));
            Layout::unprepared(config, Arc::new(plan.map_err(OpenError::Plan)?))
        };
        let services = services.into_iter().map(layout).collect::<Result<_, _>>()?;
        Ok(Self { directory, services, schema: Arc::clone(schema), sheets })
    }

    fn data(&self) -> &Path {
        self.directory.path()
    }

    fn half(&self) -> PathBuf {
        self.data().join(HALF)
    }

    fn path(&self, spot: &Spot) -> PathBuf {
        match spot {
            Spot::Of(service, file) => self.services[*service].path(file),
            Spot::Keys => self.data().join(keys::FILE),
        }
    }

    /// A connection to a file that is there, without those beside it.
    fn link(&self, spot: &Spot, role: Role) -> Transferred<Link> {
        let path = self.path(spot);
        let clock = self.services[0].clock();
        Link::open(&path, role, LOCK_WAIT, clock).map_err(at(&path))
    }

    /// The tables of a file that are of sheets, in their order.
    fn places(&self, spot: &Spot) -> Vec<Place> {
        let holds = |sheet: &Sheet| match (spot, sheet.holds) {
            (Spot::Of(service, file), Holds::Rows { table, .. }) => {
                self.services[*service].holds(file, self.schema.tables[table].resource)
            }
            (Spot::Of(..), Holds::System(at)) => !SYSTEM[at].of_system,
            (Spot::Keys, Holds::Rows { .. }) => false,
            (Spot::Keys, Holds::System(at)) => SYSTEM[at].of_system,
        };
        let sheets = self.sheets.all.iter().enumerate().filter(|(_, sheet)| holds(sheet));
        let place =
            |(at, sheet): (usize, &Sheet)| Place::new(at, sheet, &self.schema, quote(&sheet.name));
        sheets.map(place).collect()
    }

    /// The files that are there: of services first, then of tenants, then keys.
    fn spots(&self) -> Transferred<Vec<Spot>> {
        let mut spots: Vec<Spot> =
            (0..self.services.len()).map(|at| Spot::Of(at, File::Service)).collect();
        for (at, service) in self.services.iter().enumerate() {
            let tenants = service.tenants().map_err(TransferError::failed)?;
            spots.extend(tenants.into_iter().map(|tenant| Spot::Of(at, File::Tenant(tenant))));
        }
        spots.push(Spot::Keys);
        spots.retain(|spot| self.path(spot).exists());
        Ok(spots)
    }

    /// Refuses files that were made for another model.
    fn check(&self) -> Transferred<()> {
        for (at, service) in self.services.iter().enumerate() {
            let spot = Spot::Of(at, File::Service);
            let path = self.path(&spot);
            if !path.exists() {
                continue;
            }
            // What older files lack is added, as a start of the backend would.
            let link = self.link(&spot, Role::Writer)?;
            system::extend(&link).map_err(self::at(&path))?;
            let known = system::fingerprint(&link).map_err(self::at(&path))?;
            if known.is_some_and(|known| known != schema::fingerprint(service)) {
                return Err(TransferError::failed(OpenError::Schema { path }));
            }
        }
        Ok(())
    }

    /// True where no table of the model has a row of the scope, nor any of Mainstay's own that
    /// hold rows.
    fn has_rows(&self, scope: &Scope) -> Transferred<bool> {
        for spot in self.spots()? {
            let own = match (&spot, scope) {
                (Spot::Of(_, File::Tenant(name)), Scope::Tenant(tenant)) => name == tenant,
                _ => true,
            };
            if !own {
                continue;
            }
            let by_file = matches!(spot, Spot::Of(_, File::Tenant(_)));
            let (link, path) = (self.link(&spot, Role::Reader)?, self.path(&spot));
            for place in self.places(&spot).iter().filter(|place| !place.is_partial()) {
                let found = match scope {
                    Scope::Tenant(_) if place.tenant.is_none() && !by_file => continue,
                    Scope::Tenant(tenant) if !by_file => {
                        let text = place.any(&Sqlite, true);
                        let mut statement = link.statement(&text).map_err(at(&path))?;
                        statement.exists([tenant.as_ref()]).map_err(at(&path))?
                    }
                    Scope::Whole | Scope::Tenant(_) => {
                        link.exists(&place.any(&Sqlite, false), []).map_err(at(&path))?
                    }
                };
                if found {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Files are made anew, and with them would go what somebody else keeps there.
    fn check_theirs(&self) -> Transferred<()> {
        for (at, service) in self.services.iter().enumerate() {
            let path = service.path(&File::Service);
            if service.demands().is_empty() || !path.exists() {
                continue;
            }
            let link = self.link(&Spot::Of(at, File::Service), Role::Reader)?;
            for demand in service.demands() {
                if demand::is_there(&link, &demand.name).map_err(self::at(&path))? {
                    return Err(TransferError::Failed(format!(
                        "`{}` holds the table `{}` of somebody else, and would be made anew: put \
                         the data into another directory, or move that table away first",
                        path.display(),
                        demand.name
                    )));
                }
            }
        }
        Ok(())
    }

    /// Removes the files of services, tenants and keys.
    fn clear(&self) -> Transferred<()> {
        for spot in self.spots()? {
            remove_database(&self.path(&spot))?;
        }
        for service in &self.services {
            let service = service.path(&File::Service);
            remove(&service.with_extension(""))?;
        }
        remove(&self.data().join(MOVED))?;
        remove(&self.data().join(CURSOR_KEY))
    }
}

impl Transfer for SqliteTransfer {
    fn sheets(&self) -> &Sheets {
        &self.sheets
    }

    fn tenants(&self) -> Transferred<Vec<Arc<str>>> {
        let mut tenants = BTreeSet::new();
        for spot in self.spots()? {
            match &spot {
                Spot::Of(_, File::Tenant(tenant)) => drop(tenants.insert(Arc::clone(tenant))),
                Spot::Of(_, File::Service) => {
                    let link = self.link(&spot, Role::Reader)?;
                    tenants.extend(self.tenants_in(&spot, &link)?);
                }
                Spot::Keys => {}
            }
        }
        Ok(tenants.into_iter().collect())
    }

    fn read(&self, scope: &Scope) -> Transferred<Box<dyn Reading + '_>> {
        if self.half().exists() {
            let directory = self.data().to_owned();
            return Err(TransferError::failed(OpenError::Half { directory }));
        }
        self.check()?;
        Ok(Box::new(read::SqliteReading::new(self, scope)?))
    }

    fn write(&self, scope: &Scope, replace: bool) -> Transferred<Box<dyn Writing + '_>> {
        let whole = *scope == Scope::Whole;
        let half = self.half().exists();
        if half && !whole {
            let directory = self.data().to_owned();
            return Err(TransferError::failed(OpenError::Half { directory }));
        }
        if !half {
            if !(whole && replace) {
                self.check()?;
            }
            if let Some(to) = moved(self.data()).filter(|_| !(whole && replace)) {
                let directory = self.data().display();
                let what = format!("the data of `{directory}` was moved to {to}");
                return Err(TransferError::NotEmpty(what));
            }
            if !replace && self.has_rows(scope)? {
                return Err(TransferError::NotEmpty(match scope {
                    Scope::Whole => {
                        format!("there are rows in `{}` already", self.data().display())
                    }
                    Scope::Tenant(name) => {
                        format!(
                            "the tenant `{name}` has rows in `{}` already",
                            self.data().display()
                        )
                    }
                }));
            }
        }
        match scope {
            Scope::Whole => {
                self.check_theirs()?;
                private::touch(&self.half()).map_err(io(&self.half()))?;
                sync(self.data()).map_err(io(self.data()))?;
                self.clear()?;
            }
            Scope::Tenant(tenant) => {
                check_name(tenant).map_err(TransferError::Failed)?;
                if replace {
                    self.erase(tenant)?;
                }
            }
        }
        Ok(Box::new(write::SqliteWriting::new(self, scope)?))
    }

    fn watch(&self) -> Transferred<Box<dyn Watching + '_>> {
        self.check()?;
        Ok(Box::new(watch::SqliteWatching::new(self)?))
    }

    fn provision(&self, tenant: &str) -> Transferred<()> {
        check_name(tenant).map_err(TransferError::Failed)?;
        for service in self.services.iter().filter(|service| service.per_tenant()) {
            let file = File::Tenant(Arc::from(tenant));
            let directory = service.path(&file);
            let directory = directory.parent().unwrap_or(self.data());
            private::directory(directory).map_err(io(directory))?;
            let made = service.writer_or_new(&file);
            made.map_err(|why| TransferError::Failed(format!("{why:?}")))?;
        }
        Ok(())
    }

    fn forget(&self, _tenants: &[Arc<str>], traces: &[Trace]) -> Transferred<Forgotten> {
        self.forget_all(traces)
    }

    fn erase(&self, tenant: &str) -> Transferred<()> {
        check_name(tenant).map_err(TransferError::Failed)?;
        for spot in self.spots()? {
            match &spot {
                Spot::Of(_, File::Tenant(name)) if **name == *tenant => {
                    remove_database(&self.path(&spot))?;
                }
                Spot::Of(_, File::Tenant(_)) => {}
                Spot::Of(_, File::Service) | Spot::Keys => self.erase_in(&spot, tenant)?,
            }
        }
        Ok(())
    }
}

impl SqliteTransfer {
    /// Deletes the rows of a tenant so that no page of the file holds them any more.
    fn erase_in(&self, spot: &Spot, tenant: &str) -> Transferred<()> {
        let path = self.path(spot);
        let link = self.link(spot, Role::Writer)?;
        let gone = || -> rusqlite::Result<()> {
            if matches!(spot, Spot::Of(..)) {
                system::extend(&link)?;
            }
            // Rows of other tenants never refer to these, so that nothing is left hanging.
            let careful = "PRAGMA foreign_keys = OFF; PRAGMA secure_delete = ON; BEGIN IMMEDIATE";
            link.connection.execute_batch(careful)?;
            for text in self.places(spot).iter().filter_map(|place| place.erase(&Sqlite)) {
                link.statement(&text)?.execute([tenant])?;
            }
            link.connection.execute_batch("COMMIT; VACUUM")?;
            let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
            link.connection.query_row(checkpoint, [], |_| Ok(()))
        };
        gone().map_err(at(&path))
    }

    /// The tenants that rows of a file name.
    fn tenants_in(&self, spot: &Spot, link: &Link) -> Transferred<BTreeSet<Arc<str>>> {
        let mut tenants = BTreeSet::new();
        let path = self.path(spot);
        for place in self.places(spot) {
            if !matches!(self.sheets.all[place.sheet].holds, Holds::Rows { .. }) {
                continue;
            }
            let mut last: Option<String> = None;
            while let Some(text) = place.next_tenant(&Sqlite, last.is_some()) {
                let mut statement = link.statement(&text).map_err(at(&path))?;
                let row = |row: &rusqlite::Row<'_>| row.get(0);
                let next: Option<String> = match &last {
                    Some(last) => statement.query_row([last], row),
                    None => statement.query_row([], row),
                }
                .map_err(at(&path))?;
                let Some(next) = next else { break };
                tenants.insert(Arc::from(next.as_str()));
                last = Some(next);
            }
        }
        Ok(tenants)
    }

    /// Makes the file of keys where it is missing.
    fn make_keys(&self) -> Transferred<()> {
        SqliteKeys::open(self.data(), self.services[0].clock())
            .map(|_| ())
            .map_err(TransferError::failed)
    }
}

fn plain(row: &rusqlite::Row<'_>, at: usize) -> Option<Plain> {
    use super::link::stored;
    use crate::adapters::sql::shape::Stored;
    Some(match stored(row, at) {
        Stored::Null => Plain::Null,
        Stored::Int(n) => Plain::Int(n),
        Stored::Text(text) => Plain::Text(text.to_owned()),
        Stored::Bytes(bytes) => Plain::Bytes(bytes.to_vec()),
        Stored::Foreign => return None,
    })
}

impl rusqlite::types::ToSql for Plain {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        use rusqlite::types::{ToSqlOutput, Value, ValueRef};
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Value::Null),
            Self::Int(n) => ToSqlOutput::Owned(Value::Integer(*n)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}

/// A database with its journals.
fn remove_database(path: &Path) -> Transferred<()> {
    for end in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        remove(Path::new(&name))?;
    }
    Ok(())
}

fn remove(path: &Path) -> Transferred<()> {
    let gone = match std::fs::symlink_metadata(path) {
        Ok(kind) if kind.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match gone {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io(path)(error)),
        _ => Ok(()),
    }
}

fn at(path: &Path) -> impl Fn(rusqlite::Error) -> TransferError {
    let path = path.to_owned();
    move |error| TransferError::Failed(format!("`{}`: {error}", path.display()))
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> TransferError {
    let path = path.to_owned();
    move |error| TransferError::Failed(format!("`{}`: {error}", path.display()))
}
