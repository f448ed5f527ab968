//! Copies of a data directory: taken while the server runs, checked before they are put back.
//!
//! Each database is copied in one snapshot, so each file is whole in itself; files of tenants are
//! copied one after another. The list of files with their checksums is written last: a directory
//! without it is not a backup.

use super::directory::{CONTROL, DataDirectory, LOCK};
use super::error::OpenError;
use crate::private::{self, IGNORE};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value as Json, json};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Name of the list of files.
const LIST: &str = "backup.json";
/// Where a restoration is put together before it replaces anything.
const STAGE: &str = "restoring";
/// Directories inside the data directory that are followed.
const DEPTH_MAX: usize = 4;

/// Why there is no backup or no restoration.
#[derive(Debug)]
pub enum BackupError {
    /// The target holds something.
    NotEmpty(PathBuf),
    /// There is nothing to copy.
    NoData(PathBuf),
    /// No list of files: not a backup, or one that was broken off.
    NotABackup(PathBuf),
    /// A file is not the one that was copied.
    Damaged(PathBuf),
    /// A file cannot be read or written.
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A database cannot be copied.
    Database {
        /// Which.
        path: PathBuf,
        /// What SQLite says.
        error: String,
    },
    /// The data directory cannot be had.
    Directory(OpenError),
}

impl std::fmt::Display for BackupError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotEmpty(path) => {
                write!(f, "`{}` is not empty: choose a directory that is", path.display())
            }
            Self::NoData(path) => write!(f, "there is no data in `{}`", path.display()),
            Self::NotABackup(path) => write!(
                f,
                "`{}` is not a whole backup: it has no `{LIST}`, which is written last",
                path.display()
            ),
            Self::Damaged(path) => write!(
                f,
                "`{}` is not the file that was copied: its checksum differs; use another backup",
                path.display()
            ),
            Self::Io { path, error } => write!(f, "`{}`: {error}", path.display()),
            Self::Database { path, error } => {
                write!(f, "`{}` cannot be copied ({error})", path.display())
            }
            Self::Directory(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BackupError {}

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Path inside the data directory.
    pub path: String,
    /// Its size.
    pub bytes: u64,
}

/// Copies a data directory, also one that a server is using.
///
/// # Errors
/// [`BackupError`], which says what stands in the way.
pub fn backup(data: &Path, to: &Path) -> Result<Vec<Copied>, BackupError> {
    let mut files = Vec::new();
    walk(data, Path::new(""), 0, &mut files)?;
    if files.is_empty() {
        return Err(BackupError::NoData(data.to_owned()));
    }
    private::directory(to).map_err(at(to))?;
    if !entries(to)?.is_empty() {
        return Err(BackupError::NotEmpty(to.to_owned()));
    }
    let (mut copied, mut list) = (Vec::new(), Vec::new());
    for file in files {
        let (source, target) = (data.join(&file), to.join(&file));
        if let Some(parent) = target.parent() {
            private::directory(parent).map_err(at(parent))?;
        }
        if file.extension().is_some_and(|extension| extension == "db") {
            copy_database(&source, &target)?;
        } else {
            private::copy(&source, &target).map_err(at(&source))?;
        }
        let (bytes, sum) = checksum(&target)?;
        let path = file.to_string_lossy().into_owned();
        list.push(json!({ "path": path, "bytes": bytes, "sha256": sum }));
        copied.push(Copied { path, bytes });
    }
    let list = json!({ "mainstay": "backup", "format": 1, "files": list });
    let path = to.join(LIST);
    write_whole(&path, format!("{list:#}\n").as_bytes())?;
    Ok(copied)
}

/// Puts a backup in the place of a data directory. With `replace` data that is there goes.
///
/// # Errors
/// [`BackupError`]; data that was there is as it was, unless a disk fails in the last step.
pub fn restore(from: &Path, data: &Path, replace: bool) -> Result<Vec<Copied>, BackupError> {
    let listed = read_list(from)?;
    let directory = DataDirectory::lock(data).map_err(BackupError::Directory)?;
    let there = |name: &String| ![LOCK, STAGE, IGNORE, CONTROL].contains(&name.as_str());
    let old: Vec<String> = entries(data)?.into_iter().filter(there).collect();
    if !old.is_empty() && !replace {
        return Err(BackupError::NotEmpty(data.to_owned()));
    }
    let stage = data.join(STAGE);
    remove(&stage)?;
    let mut copied = Vec::new();
    for (path, sum) in listed {
        let (source, target) = (from.join(&path), stage.join(&path));
        if let Some(parent) = target.parent() {
            private::directory(parent).map_err(at(parent))?;
        }
        private::copy(&source, &target).map_err(at(&source))?;
        let file = std::fs::File::open(&target).map_err(at(&target))?;
        file.sync_all().map_err(at(&target))?;
        let (bytes, found) = checksum(&target)?;
        if found != sum {
            remove(&stage)?;
            return Err(BackupError::Damaged(source));
        }
        copied.push(Copied { path, bytes });
    }
    for name in old {
        remove(&data.join(name))?;
    }
    for name in entries(&stage)? {
        let target = data.join(&name);
        std::fs::rename(stage.join(&name), &target).map_err(at(&target))?;
    }
    remove(&stage)?;
    drop(directory);
    Ok(copied)
}

/// Files of a data directory that are worth copying: no locks, no journals, nothing half made.
fn walk(
    data: &Path,
    below: &Path,
    depth: usize,
    files: &mut Vec<PathBuf>,
) -> Result<(), BackupError> {
    let directory = data.join(below);
    for name in entries(&directory)? {
        let path = below.join(&name);
        let kind = std::fs::symlink_metadata(data.join(&path)).map_err(at(&path))?;
        let passing = ["-wal", "-shm", "-journal", ".new"].iter().any(|end| name.ends_with(end))
            || (depth == 0 && [LOCK, STAGE, IGNORE].contains(&name.as_str()));
        if kind.is_dir() && depth < DEPTH_MAX && !passing {
            walk(data, &path, depth + 1, files)?;
        } else if kind.is_file() && !passing {
            files.push(path);
        }
    }
    Ok(())
}

fn entries(directory: &Path) -> Result<Vec<String>, BackupError> {
    let all = match std::fs::read_dir(directory) {
        Ok(all) => all,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(at(directory)(error)),
    };
    let mut names = Vec::new();
    for entry in all {
        let name = entry.map_err(at(directory))?.file_name();
        names.extend(name.into_string());
    }
    names.sort();
    Ok(names)
}

fn copy_database(source: &Path, target: &Path) -> Result<(), BackupError> {
    let failed = |error: rusqlite::Error| BackupError::Database {
        path: source.to_owned(),
        error: error.to_string(),
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let from = Connection::open_with_flags(source, flags).map_err(failed)?;
    from.busy_timeout(Duration::from_secs(10)).map_err(failed)?;
    private::touch(target).map_err(at(target))?;
    let mut to = Connection::open(target).map_err(failed)?;
    {
        let copying = Backup::new(&from, &mut to).map_err(failed)?;
        // All pages in one step are one snapshot; the writer goes on meanwhile.
        loop {
            match copying.step(-1).map_err(failed)? {
                StepResult::Done => break,
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
    // One file, without a journal beside it.
    to.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).map_err(failed)?;
    let sound: String =
        to.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if sound != "ok" {
        return Err(BackupError::Database { path: source.to_owned(), error: sound });
    }
    to.close().map_err(|(_, error)| failed(error))
}

/// Size and SHA-256 in hex digits.
fn checksum(path: &Path) -> Result<(u64, String), BackupError> {
    let mut file = std::fs::File::open(path).map_err(at(path))?;
    let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer).map_err(at(path))?;
        if read == 0 {
            break;
        }
        bytes += read as u64;
        digest.update(&buffer[..read]);
    }
    let sum = digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((bytes, sum))
}

/// Paths with checksums. A path that would leave the directory is no path of ours.
fn read_list(from: &Path) -> Result<Vec<(String, String)>, BackupError> {
    let not_one = || BackupError::NotABackup(from.to_owned());
    let text = match std::fs::read_to_string(from.join(LIST)) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(not_one()),
        Err(error) => return Err(at(from)(error)),
    };
    let list: Json = serde_json::from_str(&text).map_err(|_| not_one())?;
    let mut files = Vec::new();
    for file in list["files"].as_array().ok_or_else(not_one)? {
        let (Some(path), Some(sum)) = (file["path"].as_str(), file["sha256"].as_str()) else {
            return Err(not_one());
        };
        let inside = Path::new(path)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        if !inside {
            return Err(not_one());
        }
        files.push((path.to_owned(), sum.to_owned()));
    }
    Ok(files)
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    let mut file = private::create_new(path).map_err(at(path))?;
    std::io::Write::write_all(&mut file, bytes).map_err(at(path))?;
    file.sync_all().map_err(at(path))
}

fn remove(path: &Path) -> Result<(), BackupError> {
    let gone = match std::fs::symlink_metadata(path) {
        Ok(kind) if kind.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match gone {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> BackupError {
    let path = path.to_owned();
    move |error| BackupError::Io { path: path.clone(), error }
}
