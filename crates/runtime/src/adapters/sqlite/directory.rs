//! The data directory: one process at a time.

use super::OpenError;
use crate::private;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// Name of the lock file; it holds the id of the process.
pub(super) const LOCK: &str = "lock";

/// Stands in a directory whose data is only half there: what put it in was broken off.
pub(super) const HALF: &str = "_importing";
/// Stands in a directory whose data is elsewhere by now, and says where.
pub(super) const MOVED: &str = "_moved";
/// Stands in a directory whose files note what changes in them, for a move that goes on or was
/// broken off.
pub(super) const MOVING: &str = "_moving";
/// Name of the socket by which a backend that runs on the directory is told things.
pub const CONTROL: &str = "_control";

/// A data directory that this process alone uses, for as long as this value lives.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    /// By service: held by who deletes rows that tenants share, so that nobody refers to one
    /// meanwhile. Here, since a service has two stores while one takes the place of the other.
    shared: Mutex<BTreeMap<String, Arc<RwLock<()>>>>,
    /// Files that stores wrote to, while somebody follows them.
    written: Mutex<Option<BTreeSet<PathBuf>>>,
    // The lock goes with the handle, also when the process is killed.
    _lock: Option<File>,
}

impl DataDirectory {
    /// Makes the directory where it is missing, and locks it.
    ///
    /// # Errors
    /// [`OpenError::Locked`] where another process has it, [`OpenError::Io`] where it cannot be
    /// made or written, [`OpenError::Half`] and [`OpenError::Moved`] where its data is not whole
    /// or not in it.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let opened = Self::lock(path)?;
        if path.join(HALF).exists() {
            return Err(OpenError::Half { directory: path.to_owned() });
        }
        if let Some(to) = moved(path) {
            return Err(OpenError::Moved { directory: path.to_owned(), to });
        }
        super::transfer::forget_notes(path)?;
        Ok(opened)
    }

    /// The same for whoever reads beside the process that has it: nothing is locked, nothing may
    /// be written.
    pub fn beside(path: &Path) -> Self {
        Self::new(path, None)
    }

    /// Locks the directory, whatever its data is like: for whoever replaces it.
    ///
    /// # Errors
    /// As [`DataDirectory::open`].
    pub fn lock(path: &Path) -> Result<Self, OpenError> {
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
        Ok(Self::new(path, Some(lock)))
    }

    fn new(path: &Path, lock: Option<File>) -> Self {
        let (shared, written) = (Mutex::default(), Mutex::default());
        Self { path: path.to_owned(), shared, written, _lock: lock }
    }

    /// Remembers from now on which files stores write to; or no longer.
    pub(super) fn follow(&self, follows: bool) {
        *self.written() = follows.then(BTreeSet::new);
    }

    /// A store has written to a file: called when that can be read, before anybody hears of it.
    pub(super) fn wrote(&self, file: impl FnOnce() -> PathBuf) {
        if let Some(written) = self.written().as_mut() {
            written.insert(file());
        }
    }

    /// The files that were written to since this was last asked.
    pub(super) fn take_written(&self) -> BTreeSet<PathBuf> {
        self.written().as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn written(&self) -> MutexGuard<'_, Option<BTreeSet<PathBuf>>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock of the rows that tenants of a service share.
    pub(super) fn shared(&self, service: &str) -> Arc<RwLock<()>> {
        let mut all = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(service.to_owned()).or_default())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Where the data of a directory went, if it went.
pub fn moved(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path.join(MOVED)).ok()?;
    Some(text.lines().next().unwrap_or_default().trim().to_owned())
}

/// True where a move follows what changes in a directory, or was broken off.
pub fn is_moving(path: &Path) -> bool {
    path.join(MOVING).exists()
}

/// The name of the move that took the data of a directory elsewhere while it was served.
pub fn moved_by(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path.join(MOVED)).ok()?;
    text.lines().nth(1).map(|name| name.trim().to_owned())
}

/// Writes durably in a directory that its data is elsewhere, without a password.
///
/// # Errors
/// What the system says.
pub fn leave(path: &Path, to: &str) -> std::io::Result<()> {
    leave_by(path, to, None)
}

/// The same for a move that has a name.
///
/// # Errors
/// What the system says.
pub fn leave_by(path: &Path, to: &str, by: Option<&str>) -> std::io::Result<()> {
    let target = path.join(MOVED);
    let making = path.join(format!("{MOVED}.new"));
    match std::fs::remove_file(&making) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = private::create_new(&making)?;
    let by = by.map(|by| format!("{by}\n")).unwrap_or_default();
    file.write_all(format!("{to}\n{by}").as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&making, &target)?;
    sync(path)
}

/// Takes back what [`leave_by`] could not write whole: the data is still there.
pub fn stay(path: &Path) {
    for name in [MOVED.to_owned(), format!("{MOVED}.new")] {
        if let Err(error) = std::fs::remove_file(path.join(name))
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::error!(%error, "the directory says that its data is elsewhere, and it is not");
        }
    }
}

/// Makes what was made or removed in a directory durable.
pub(super) fn sync(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}
