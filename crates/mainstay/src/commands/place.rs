//! Where the data of a model is, for the verbs that take it out and put it in.

use super::home;
use super::up::stores::{Home, not_opened, postgres_config, sqlite_config};
use crate::arguments::transfer::Place;
use crate::arguments::{DataPath, DatabaseUrl};
use crate::failure::{Failure, Outcome};
use crate::pipeline::Designed;
use ir::architecture::Architecture;
use runtime::adapters::postgres::{Address, PostgresTransfer};
use runtime::adapters::sqlite::{self, DataDirectory, OpenError, SqliteTransfer};
use runtime::identity::tenant::check_name;
use runtime::ports::transfer::{Scope, Transfer, TransferError};
use std::path::Path;
use std::sync::Arc;

/// Which data, as the arguments name it.
#[derive(Clone, Copy)]
pub(super) struct Which<'a> {
    pub(super) data: &'a DataPath,
    pub(super) database: &'a DatabaseUrl,
}

/// What is to be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// It is read, beside a backend that may run.
    Read,
    /// It is read, and no backend may run.
    Take,
    /// It is written: it may be replaced, whatever its state.
    Write,
    /// What is there is changed.
    Change,
    /// Some of it is changed by short commits, beside a backend that may run.
    Beside,
}

/// Data that was opened.
pub(super) struct Opened {
    /// For people, without a password.
    pub(super) shown: String,
    pub(super) transfer: Box<dyn Transfer>,
    /// Where it is, for a store.
    pub(super) home: Home,
}

/// Opens the data of a model.
pub(super) fn open(designed: &Designed, which: &Which<'_>, wanted: Use) -> Outcome<Opened> {
    match &which.database.database {
        Some(url) => server(designed, url, wanted),
        None => directory(designed, &which.data.of(&designed.home), wanted),
    }
}

/// Opens the data that a backend serves or served: nothing is made where there is none.
pub(super) fn served(designed: &Designed, place: &Place, wanted: Use) -> Outcome<Opened> {
    let data = place.data.of(&designed.home);
    if place.database.database.is_none() && data.is_dir() && home::owner(&data)?.is_none() {
        return Err(Failure::new(format!("there is no data in `{}`", data.display()))
            .hint("give the data directory of the backend with `--data`"));
    }
    open(designed, &Which { data: &place.data, database: &place.database }, wanted)
}

/// Opens the data of a model on a server.
pub(super) fn server(designed: &Designed, url: &str, wanted: Use) -> Outcome<Opened> {
    let unusable =
        |cause: &dyn std::fmt::Display| Failure::new("can't use the database").caused_by(cause);
    let address = Address::parse(url).map_err(|cause| unusable(&cause))?;
    let shown = address.shown().trim_matches('`').to_owned();
    if wanted != Use::Write
        && !PostgresTransfer::is_there(&address).map_err(|cause| unusable(&cause))?
    {
        return Err(Failure::new(format!("there is no data in `{shown}`"))
            .hint("name the database of the backend with `--database`"));
    }
    let transfer = Box::new(on_server(&designed.architecture, &address)?);
    Ok(Opened { shown, transfer, home: Home::Server(Box::new(address)) })
}

/// The data of a model on a server.
pub(super) fn on_server(
    architecture: &Architecture,
    address: &Address,
) -> Outcome<PostgresTransfer> {
    let services = architecture.services.iter();
    let services = services.map(|service| postgres_config(architecture, service, address));
    let (domain, schema) =
        (Arc::new(architecture.domain.clone()), Arc::new(architecture.schema.clone()));
    let opened = PostgresTransfer::open(services.collect(), &domain, &schema);
    opened.map_err(|cause| Failure::new("can't use the database").caused_by(cause))
}

/// Opens the data of a model in a directory.
pub(super) fn directory(designed: &Designed, data: &Path, wanted: Use) -> Outcome<Opened> {
    let architecture = &designed.architecture;
    let system = &architecture.domain.system;
    home::check(data, system)?;
    let shown = data.display().to_string();
    if wanted != Use::Write {
        if !data.is_dir() {
            return Err(Failure::new(format!("there is no data in `{shown}`"))
                .hint("give the data directory with `--data`"));
        }
        home::not_moved(data)?;
    }
    let locked = match wanted {
        Use::Read => Ok(DataDirectory::beside(data)),
        Use::Take | Use::Change => DataDirectory::open(data),
        Use::Write => DataDirectory::lock(data),
        Use::Beside => beside(data),
    };
    let directory = locked.map(Arc::new).map_err(|cause| {
        let failure = Failure::new(format!("can't use the data directory `{shown}`"));
        failure.caused_by(cause)
    })?;
    if wanted == Use::Write {
        home::claim(data, system)?;
    }
    let transfer = Box::new(in_directory(architecture, &directory)?);
    Ok(Opened { shown, transfer, home: Home::Directory(directory) })
}

/// The directory, locked; or as it is where a backend serves from it, whose locks on the files
/// let others write between its own commits. Who moves, restores or migrates it is not disturbed.
fn beside(data: &Path) -> Result<DataDirectory, OpenError> {
    match DataDirectory::open(data) {
        Err(OpenError::Locked { .. }) if serves(data) && !sqlite::is_moving(data) => {
            Ok(DataDirectory::beside(data))
        }
        opened => opened,
    }
}

/// True where a backend serves from a directory.
#[cfg(unix)]
pub(super) fn serves(data: &Path) -> bool {
    super::control::connect(data).is_some()
}

/// True where a backend serves from a directory: nobody can tell.
#[cfg(not(unix))]
pub(super) fn serves(_: &Path) -> bool {
    false
}

/// The data of a model in a directory.
pub(super) fn in_directory(
    architecture: &Architecture,
    directory: &Arc<DataDirectory>,
) -> Outcome<SqliteTransfer> {
    let services = architecture.services.iter();
    let services: Vec<_> =
        services.map(|service| sqlite_config(architecture, service, directory)).collect();
    let (domain, schema) =
        (Arc::new(architecture.domain.clone()), Arc::new(architecture.schema.clone()));
    let opened = SqliteTransfer::open(services, Arc::clone(directory), &domain, &schema);
    opened.map_err(|cause| not_opened(&architecture.services[0].name, cause))
}

/// The rows of a tenant, in a model that has tenants.
pub(super) fn tenant(designed: &Designed, name: &str) -> Outcome<Scope> {
    let domain = &designed.architecture.domain;
    if domain.tenancy.is_none() {
        return Err(Failure::new(format!("there is no tenant `{name}`"))
            .caused_by(format!("the system `{}` has no `tenancy`", domain.system)));
    }
    check_name(name).map_err(|cause| Failure::new("there is no such tenant").caused_by(cause))?;
    Ok(Scope::Tenant(Arc::from(name)))
}

/// True where what was written can be read again by the same login.
pub(super) fn sees(place: &dyn Transfer, scope: &Scope) -> bool {
    *scope != Scope::Whole || place.tenants().is_ok()
}

/// What went wrong, with what to do about it.
pub(super) fn hinted(failure: Failure, cause: TransferError) -> Failure {
    let failure = failure.caused_by(&cause);
    match cause {
        TransferError::NotEmpty(_) => failure.hint("`--force` replaces data; there is no way back"),
        TransferError::Differs(_) => {
            failure.hint("use the model that the data was written with, then migrate")
        }
        TransferError::Failed(_) => failure,
    }
}

/// Leaves word in a directory where its data went.
pub(super) fn leave(data: &Path, to: &str) -> Outcome<()> {
    sqlite::leave(data, to).map_err(|cause| {
        Failure::new(format!("can't write to `{}`", data.display())).caused_by(cause)
    })
}

/// Tables of a model whose rows stay where they are: somebody else's.
pub(super) fn left_out(designed: &Designed) -> Vec<String> {
    let tables = designed.architecture.schema.tables.iter().filter(|table| !table.is_managed());
    tables.map(|table| format!("{}.{}", table.sql_schema(), table.name)).collect()
}
