//! `mainstay key`: API keys of the actors that prove themselves by one.

use crate::arguments::keys::{Create, List, Revoke};
use crate::arguments::{DataPath, DatabaseUrl, ModelPath};
use crate::failure::{Failure, Outcome};
use crate::pipeline::{self, Designed};
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
    let (designed, keys) = open(&arguments.model, &arguments.data, &arguments.database)?;
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
    let (_, keys) = open(&arguments.model, &arguments.data, &arguments.database)?;
    super::wait(keys.list())?.map_err(unavailable)
}

/// Revokes a key by its public part.
pub(crate) fn revoke(arguments: &Revoke) -> Outcome<()> {
    let (_, keys) = open(&arguments.model, &arguments.data, &arguments.database)?;
    match super::wait(keys.revoke(&arguments.prefix, super::now()))?.map_err(unavailable)? {
        true => Ok(()),
        false => Err(Failure::new(format!("there is no key `{}`", arguments.prefix))
            .hint("`mainstay key list` shows the public part of each")),
    }
}

fn open(
    model: &ModelPath,
    data: &DataPath,
    database: &DatabaseUrl,
) -> Outcome<(Designed, Arc<dyn KeyStore>)> {
    let designed = pipeline::design(&model.path, model.env.as_deref())?;
    let keys = store(&data.of(&designed.home), database)?;
    Ok((designed, keys))
}

/// The keys of a data directory or database, also while a backend runs on it.
pub(super) fn store(data: &Path, database: &DatabaseUrl) -> Outcome<Arc<dyn KeyStore>> {
    let failed =
        |fault: &dyn std::fmt::Display| Failure::new("can't open the API keys").caused_by(fault);
    if let Some(url) = &database.database {
        let keys = Address::parse(url).and_then(PostgresKeys::open);
        return Ok(Arc::new(keys.map_err(|fault| failed(&fault))?));
    }
    let keys = SqliteKeys::open(data, Arc::new(SystemClock));
    Ok(Arc::new(keys.map_err(|fault| failed(&fault))?))
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
