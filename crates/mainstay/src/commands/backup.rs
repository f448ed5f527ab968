//! `mainstay backup` and `mainstay restore`: the data as a whole, out and back.

use super::home;
use crate::arguments::{Backup, DataPath, DatabaseUrl, Restore};
use crate::failure::{Failure, Outcome};
use crate::pipeline;
use runtime::adapters::sqlite::{self, BackupError, Copied};
use std::path::{Path, PathBuf};

/// What was copied.
#[derive(Debug)]
pub(crate) struct Done {
    /// From where.
    pub(crate) from: PathBuf,
    /// To where.
    pub(crate) to: PathBuf,
    /// The files.
    pub(crate) files: Vec<Copied>,
}

/// Copies the data directory of a model to an empty one; the backend may run meanwhile.
pub(crate) fn backup(arguments: &Backup) -> Outcome<Done> {
    refuse_server("back up", &arguments.database, "`pg_dump --format=custom`")?;
    let data = data(&arguments.data, &arguments.model);
    let files = sqlite::backup(&data, &arguments.to).map_err(|fault| {
        let failure = Failure::new(format!("can't back up `{}`", data.display()));
        hinted(failure.caused_by(&fault), &fault)
    })?;
    Ok(Done { from: data, to: arguments.to.clone(), files })
}

/// Puts a backup in the place of the data directory of a model; no backend may run on it.
pub(crate) fn restore(arguments: &Restore) -> Outcome<Done> {
    refuse_server("restore", &arguments.database, "`pg_restore`")?;
    let data = data(&arguments.data, &arguments.model);
    same_system(arguments, &data)?;
    let files = sqlite::restore(&arguments.from, &data, arguments.force).map_err(|fault| {
        let failure = Failure::new(format!("can't restore to `{}`", data.display()));
        hinted(failure.caused_by(&fault), &fault)
    })?;
    Ok(Done { from: arguments.from.clone(), to: data, files })
}

/// A backup goes where data of its own system is, or nothing yet. The system is the model's; where
/// the model is not there or has faults, that of the data.
fn same_system(arguments: &Restore, data: &Path) -> Outcome<()> {
    let checked = pipeline::check(&arguments.model, None).ok();
    let model = checked.and_then(|checked| checked.model);
    let system = match model {
        Some(model) => Some(model.system.as_str().to_owned()),
        None => home::owner(data)?,
    };
    let Some(system) = system else { return Ok(()) };
    home::check(data, &system)?;
    match home::owner(&arguments.from)? {
        Some(owner) if owner != system => {
            Err(Failure::new(format!("can't restore to `{}`", data.display()))
                .caused_by(format!(
                    "`{}` is a backup of the system `{owner}`, and this is `{system}`",
                    arguments.from.display()
                ))
                .hint(format!(
                    "choose a backup of `{system}`, or restore this one beside the model of \
                     `{owner}`"
                )))
        }
        Some(_) | None => Ok(()),
    }
}

/// These verbs copy files of SQLite; a server has its own.
fn refuse_server(what: &str, database: &DatabaseUrl, instead: &str) -> Outcome<()> {
    if database.database.is_none() {
        return Ok(());
    }
    Err(Failure::new(format!("can't {what} a database on PostgreSQL"))
        .caused_by("this verb is for data on SQLite, in a directory")
        .hint(format!(
            "use {instead} of PostgreSQL, or leave `--database` and MAINSTAY_DATABASE_URL out"
        )))
}

/// The data directory: neither verb needs to read the model.
fn data(given: &DataPath, model: &Path) -> PathBuf {
    let home = if model.is_file() { model.parent().unwrap_or(model) } else { model };
    given.of(home)
}

fn hinted(failure: Failure, fault: &BackupError) -> Failure {
    match fault {
        BackupError::NoData(_) => failure.hint("give the data directory with `--data`"),
        BackupError::NotEmpty(_) => {
            failure.hint("give an empty directory; `restore --force` replaces data")
        }
        BackupError::NotABackup(_)
        | BackupError::Damaged(_)
        | BackupError::Io { .. }
        | BackupError::Database { .. }
        | BackupError::Directory(_) => failure,
    }
}
