//! The data directory: one process at a time.

use super::OpenError;
use crate::private;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Name of the lock file; it holds the id of the process.
pub(super) const LOCK: &str = "lock";

/// A data directory that this process alone uses, for as long as this value lives.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    // The lock goes with the handle, also when the process is killed.
    _lock: File,
}

impl DataDirectory {
    /// Makes the directory where it is missing, and locks it.
    ///
    /// # Errors
    /// [`OpenError::Locked`] where another process has it, [`OpenError::Io`] where it cannot be
    /// made or written.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let io = |error| OpenError::Io { path: path.to_owned(), error };
        private::data_directory(path).map_err(io)?;
        let file = path.join(LOCK);
        let io = |error| OpenError::Io { path: file.clone(), error };
        let mut options = OpenOptions::new();
        private::touch(&file).map_err(io)?;
        let mut lock = options.read(true).write(true).open(&file).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let read = lock.read_to_string(&mut text);
                let process = read.ok().and_then(|_| text.trim().parse().ok());
                return Err(OpenError::Locked { directory: path.to_owned(), process });
            }
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        lock.set_len(0).map_err(io)?;
        lock.rewind().map_err(io)?;
        writeln!(lock, "{}", std::process::id()).map_err(io)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
