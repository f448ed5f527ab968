//! Whose data a directory holds: that of one system, by its name.

use crate::failure::{Failure, Outcome};
use runtime::adapters::sqlite;
use std::path::Path;

/// Refuses a directory that holds the data of another system.
pub(super) fn check(data: &Path, system: &str) -> Outcome<()> {
    match owner(data)? {
        Some(owner) if owner != system => {
            let message = format!("can't use the data directory `{}`", data.display());
            let hint = format!(
                "give this model a directory of its own with `--data`, or name it \
                 `system: {owner}` again"
            );
            let cause = format!("it holds data of the system `{owner}`, and this is `{system}`");
            Err(Failure::new(message).caused_by(cause).hint(hint))
        }
        Some(_) | None => Ok(()),
    }
}

/// Says whose data a directory holds, where it is there and nobody has.
pub(super) fn claim(data: &Path, system: &str) -> Outcome<()> {
    if !data.is_dir() {
        return Ok(());
    }
    sqlite::claim(data, system).map_err(|cause| {
        Failure::new(format!("can't write to `{}`", data.display())).caused_by(cause)
    })
}

/// The system whose data a directory or a backup holds.
pub(super) fn owner(data: &Path) -> Outcome<Option<String>> {
    sqlite::owner(data).map_err(|cause| {
        Failure::new(format!("can't tell whose data is in `{}`", data.display())).caused_by(cause)
    })
}

/// Refuses a directory whose data is elsewhere by now.
pub(super) fn not_moved(data: &Path) -> Outcome<()> {
    let Some(to) = sqlite::moved(data) else { return Ok(()) };
    Err(Failure::new(format!("the data of `{}` is elsewhere", data.display()))
        .caused_by(format!("it was moved to {to}"))
        .hint("name that with `--database` (MAINSTAY_DATABASE_URL), a directory with `--data`"))
}
