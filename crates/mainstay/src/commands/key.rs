//! `mainstay key`: API keys of the actors that prove themselves by one.

use crate::arguments::keys::{Create, List, Revoke};
use crate::arguments::{DataPath, DatabaseUrl, ModelPath};
use crate::failure::{Failure, Outcome};
use crate::pipeline;
use runtime::adapters::postgres::{Address, PostgresKeys};
use runtime::adapters::sqlite::SqliteKeys;
use runtime::identity::api_key::{self, NewKey};
use runtime::ports::clock::SystemClock;
use runtime::ports::keys::{KeyStore, StoredKey};
use runtime::ports::store::Unavailable;
use std::path::Path;
use std::sync::Arc;

/// A new key: the only time its text is seen.
#[derive(Debug)]
pub(crate) struct Created {
    /// The whole key.
    pub(crate) key: String,
    /// What is kept of it.
    pub(crate) stored: StoredKey,
}

/// Makes a key for an actor of the model and keeps its hash.
pub(crate) fn create(arguments: &Create) -> Outcome<Created> {
    let (model, database) = (&arguments.model, &arguments.database);
    let designed = pipeline::design_to_run(&model.path, model.env.as_deref())?;
    let data = arguments.data.of(&designed.home);
    super::home::check(&data, &designed.architecture.domain.system)?;
    let keys = store(&data, database)?;
    super::home::claim(&data, &designed.architecture.domain.system)?;
    let new = NewKey {
        actor: &arguments.actor,
        roles: &arguments.roles,
        tenant: arguments.tenant.as_deref(),
        label: &arguments.label,
        ttl_s: arguments.expires.map(|days| i64::from(days) * 86_400),
    };
    let made = api_key::make(&designed.architecture.domain, &new, super::now());
    let (key, stored) = made.map_err(|cause| Failure::new("can't make a key").caused_by(cause))?;
    super::wait(keys.create(stored.clone()))?.map_err(unavailable)?;
    Ok(Created { key, stored })
}

/// All keys, newest first.
pub(crate) fn list(arguments: &List) -> Outcome<Vec<StoredKey>> {
    let keys = there(&arguments.model, &arguments.data, &arguments.database)?;
    let Some(keys) = keys else { return Ok(Vec::new()) };
    super::wait(keys.list())?.map_err(unavailable)
}

/// Revokes a key by its public part.
pub(crate) fn revoke(arguments: &Revoke) -> Outcome<()> {
    let keys = there(&arguments.model, &arguments.data, &arguments.database)?;
    let revoked = match keys {
        Some(keys) => super::wait(keys.revoke(&arguments.prefix, super::now()))?,
        None => Ok(false),
    };
    match revoked.map_err(unavailable)? {
        true => Ok(()),
        false => Err(Failure::new(format!("there is no key `{}`", arguments.prefix))
            .hint("`mainstay key list` shows the public part of each")),
    }
}

/// The keys that are there, for verbs that make none.
fn there(
    model: &ModelPath,
    data: &DataPath,
    database: &DatabaseUrl,
) -> Outcome<Option<Arc<dyn KeyStore>>> {
    let designed = pipeline::design_to_run(&model.path, model.env.as_deref())?;
    let data = data.of(&designed.home);
    if database.database.is_none() {
        if !data.is_dir() {
            return Err(Failure::new("can't open the API keys")
                .caused_by(format!("there is no directory `{}`", data.display()))
                .hint("give the data directory of the backend with `--data`"));
        }
        super::home::check(&data, &designed.architecture.domain.system)?;
        if !SqliteKeys::are_in(&data) {
            return Ok(None);
        }
    }
    store(&data, database).map(Some)
}

/// The keys of a data directory or database, also while a backend runs on it.
pub(super) fn store(data: &Path, database: &DatabaseUrl) -> Outcome<Arc<dyn KeyStore>> {
    let failed =
        |fault: &dyn std::fmt::Display| Failure::new("can't open the API keys").caused_by(fault);
    if let Some(url) = &database.database {
        return on_server(Address::parse(url).map_err(|fault| failed(&fault))?);
    }
    super::home::not_moved(data)?;
    let keys = SqliteKeys::open(data, Arc::new(SystemClock));
    Ok(Arc::new(keys.map_err(|fault| failed(&fault))?))
}

/// The keys of a database.
pub(super) fn on_server(address: Address) -> Outcome<Arc<dyn KeyStore>> {
    let keys = PostgresKeys::open(address);
    Ok(Arc::new(keys.map_err(|fault| Failure::new("can't open the API keys").caused_by(fault))?))
}

fn unavailable(why: Unavailable) -> Failure {
    let cause = match why {
        Unavailable::Busy => "another process is writing".to_owned(),
        Unavailable::Deadline => "it took too long".to_owned(),
        Unavailable::Full => "the disk is full".to_owned(),
        Unavailable::ReadOnly => "the file can't be written".to_owned(),
        Unavailable::Broken(why) => why,
    };
    Failure::new("can't use the API keys").caused_by(cause)
}
