//! `mainstay backup` and `mainstay restore`: the data as a whole, out and back.

use super::home;
use super::place::{self, Use};
use crate::arguments::DataPath;
use crate::arguments::transfer::{Backup, Restore};
use crate::failure::{Failure, Outcome};
use crate::pipeline;
use runtime::adapters::archive::{Archive, MANIFEST};
use runtime::adapters::sqlite::{self, BackupError, Copied};
use runtime::ports::transfer::Scope;
use runtime::transfer::{Counted, Tell, copy, prove, sums};
use std::path::{Path, PathBuf};

/// What was copied.
#[derive(Debug)]
pub(crate) struct Done {
    /// From where.
    pub(crate) from: String,
    /// To where.
    pub(crate) to: String,
    /// What.
    pub(crate) what: Taken,
    /// Tables that were left out.
    pub(crate) left_out: Vec<String>,
}

/// What a backup is of.
#[derive(Debug)]
pub(crate) enum Taken {
    /// Files, as they are.
    Files(Vec<Copied>),
    /// Rows, by table, proven to be the same on both sides.
    Rows(Vec<Counted>),
}

/// Copies the data of a model to an empty directory; the backend may run meanwhile.
pub(crate) fn backup(arguments: &Backup, tell: Tell<'_>) -> Outcome<Done> {
    let model = &arguments.model;
    if arguments.rows || arguments.tenant.is_some() || arguments.database.database.is_some() {
        let designed = pipeline::design_to_run(&model.path, model.env.as_deref())?;
        let scope = match &arguments.tenant {
            Some(tenant) => place::tenant(&designed, tenant)?,
            None => Scope::Whole,
        };
        let place = place::Which { data: &arguments.data, database: &arguments.database };
        return rows(&designed, &place, &scope, &arguments.to, tell);
    }
    let data = data(&arguments.data, &model.path);
    home::not_moved(&data)?;
    let files = sqlite::backup(&data, &arguments.to).map_err(|fault| {
        let failure = Failure::new(format!("can't back up `{}`", data.display()));
        hinted(failure.caused_by(&fault), &fault)
    })?;
    let (from, to) = (data.display().to_string(), arguments.to.display().to_string());
    Ok(Done { from, to, what: Taken::Files(files), left_out: Vec::new() })
}

/// Rows to a directory.
pub(super) fn rows(
    designed: &pipeline::Designed,
    place: &place::Which<'_>,
    scope: &Scope,
    to: &Path,
    tell: Tell<'_>,
) -> Outcome<Done> {
    let opened = place::open(designed, place, Use::Read)?;
    let failed = |cause| {
        let failure = Failure::new(format!("can't back up `{}`", opened.shown));
        place::hinted(failure, cause)
    };
    let from = &*opened.transfer;
    let archive = Archive::create(to, from.sheets(), super::now());
    let proof = copy(from, &archive, scope, false, tell).map_err(failed)?;
    let written = Archive::open(to).and_then(|archive| sums(&archive, scope, tell));
    written.and_then(|written| prove(&proof, &written)).map_err(failed)?;
    let (from, to, what) = (opened.shown, to.display().to_string(), Taken::Rows(proof));
    Ok(Done { from, to, what, left_out: place::left_out(designed) })
}

/// Puts a backup in the place of the data of a model.
pub(crate) fn restore(arguments: &Restore, tell: Tell<'_>) -> Outcome<Done> {
    if Archive::is_in(&arguments.from) {
        return restore_rows(arguments, tell);
    }
    if arguments.database.database.is_some() {
        let from = arguments.from.display();
        return Err(Failure::new("can't restore to a database on PostgreSQL")
            .caused_by(format!("`{from}` has no `{MANIFEST}`: it is no backup of rows"))
            .hint("take one with `mainstay backup --rows`, also of SQLite"));
    }
    let data = data(&arguments.data, &arguments.model.path);
    same_system(arguments, &data)?;
    let files = sqlite::restore(&arguments.from, &data, arguments.force).map_err(|fault| {
        let failure = Failure::new(format!("can't restore to `{}`", data.display()));
        hinted(failure.caused_by(&fault), &fault)
    })?;
    let (from, to) = (arguments.from.display().to_string(), data.display().to_string());
    Ok(Done { from, to, what: Taken::Files(files), left_out: Vec::new() })
}

fn restore_rows(arguments: &Restore, tell: Tell<'_>) -> Outcome<Done> {
    let model = &arguments.model;
    let designed = pipeline::design_to_run(&model.path, model.env.as_deref())?;
    let shown = arguments.from.display().to_string();
    let unread = |cause| Failure::new(format!("can't restore `{shown}`")).caused_by(cause);
    let archive = Archive::open(&arguments.from).map_err(unread)?;
    let (system, owner) = (&designed.architecture.domain.system, &archive.system());
    if owner != system {
        return Err(Failure::new(format!("can't restore `{shown}`"))
            .caused_by(format!("it is a backup of the system `{owner}`, and this is `{system}`"))
            .hint(format!("choose a backup of `{system}`, or restore it beside `{owner}`")));
    }
    let which = place::Which { data: &arguments.data, database: &arguments.database };
    let opened = place::open(&designed, &which, Use::Write)?;
    let failed = |cause| {
        let failure = Failure::new(format!("can't restore to `{}`", opened.shown));
        place::hinted(failure, cause)
    };
    let (to, scope) = (&*opened.transfer, archive.scope());
    let proof = copy(&archive, to, scope, arguments.force, tell).map_err(failed)?;
    let (to, what) = (opened.shown, Taken::Rows(proof));
    Ok(Done { from: shown, to, what, left_out: place::left_out(&designed) })
}

/// A backup goes where data of its own system is, or nothing yet. The system is the model's; where
/// the model is not there or has faults, that of the data.
fn same_system(arguments: &Restore, data: &Path) -> Outcome<()> {
    let checked = pipeline::check(&arguments.model.path, arguments.model.env.as_deref()).ok();
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
