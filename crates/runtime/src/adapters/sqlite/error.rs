//! What goes wrong on SQLite, in words that say what to do.

use crate::adapters::sql::demand::Unmet;
use crate::adapters::sql::plan::PlanError;
use crate::ports::store::Unavailable;
use rusqlite::ErrorCode;
use std::path::PathBuf;

/// Why the store does not open.
#[derive(Debug)]
pub enum OpenError {
    /// Another process runs on the data directory.
    Locked {
        /// The directory.
        directory: PathBuf,
        /// The other process, where it said.
        process: Option<u32>,
    },
    /// Data was being put in, and that was broken off.
    Half {
        /// The directory.
        directory: PathBuf,
    },
    /// The data is elsewhere by now.
    Moved {
        /// The directory.
        directory: PathBuf,
        /// Where, without a password.
        to: String,
    },
    /// The directory or a file cannot be read or written.
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A file is not a database of ours or is damaged.
    File {
        /// Which.
        path: PathBuf,
        /// What SQLite says.
        error: String,
    },
    /// The data was written for another model.
    Schema {
        /// Which file.
        path: PathBuf,
    },
    /// The file is of another kind: written by a later version.
    Format {
        /// Which.
        path: PathBuf,
        /// Its format.
        found: String,
    },
    /// Tables that somebody else makes are not as they must be.
    Unmet(Unmet),
    /// The schema does not fit the model.
    Plan(PlanError),
    /// A thread could not be started.
    Thread(std::io::Error),
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Locked { directory, process } => {
                let who = process.map_or(String::new(), |id| format!(" (process {id})"));
                write!(
                    f,
                    "the data directory `{}` is in use by another `mainstay`{who}: stop it, or \
                     give this one a directory of its own with `--data`",
                    directory.display()
                )
            }
            Self::Half { directory } => write!(
                f,
                "the data in `{}` is only half there: what put it in was broken off; run it \
                 again, it begins anew",
                directory.display()
            ),
            Self::Moved { directory, to } => write!(
                f,
                "the data of `{}` was moved to {to}: name that with `--database` \
                 (MAINSTAY_DATABASE_URL), a directory with `--data`",
                directory.display()
            ),
            Self::Io { path, error } => {
                let what = match error.kind() {
                    std::io::ErrorKind::PermissionDenied => {
                        "is not writable: give this user the right to it, or choose another \
                         place with `--data`"
                    }
                    std::io::ErrorKind::StorageFull => "has no room: free some",
                    _ => "cannot be used",
                };
                write!(f, "`{}` {what} ({error})", path.display())
            }
            Self::File { path, error } => write!(
                f,
                "`{}` cannot be opened as a database ({error}): restore it from a backup, or \
                 move it away to begin with an empty one",
                path.display()
            ),
            Self::Schema { path } => write!(
                f,
                "the data in `{}` was written for another model: `mainstay migrate plan` says \
                 what differs, `mainstay migrate apply` goes the way",
                path.display()
            ),
            Self::Format { path, found } => write!(
                f,
                "`{}` is of format `{found}`, which this version does not know: use the version \
                 that wrote it",
                path.display()
            ),
            Self::Unmet(unmet) => unmet.fmt(f),
            Self::Plan(error) => error.fmt(f),
            Self::Thread(error) => write!(f, "a thread of the store could not start ({error})"),
        }
    }
}

impl std::error::Error for OpenError {}

/// What an error of SQLite means to the port.
pub(super) fn unavailable(error: &rusqlite::Error) -> Unavailable {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Unavailable::Full,
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Unavailable::ReadOnly,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Unavailable::Busy,
        Some(ErrorCode::OperationInterrupted) => Unavailable::Deadline,
        _ => Unavailable::Broken(format!("sqlite: {error}")),
    }
}

/// A value in the file, or of the program, that does not have its column's shape.
pub(super) fn misshapen(table: &str) -> Unavailable {
    Unavailable::Broken(format!("a value of `{table}` is not of its column's type"))
}
