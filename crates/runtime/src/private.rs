//! Files that only their owner may read: what is stored is nobody else's on the machine.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// Keeps a directory of data out of the repository that it may lie in.
pub const IGNORE: &str = ".gitignore";

/// Makes a directory, and those above it, where they are missing.
///
/// # Errors
/// What the system says.
pub fn directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes a directory for data where it is missing. One that holds nothing else yet tells git to
/// leave it alone.
///
/// # Errors
/// What the system says.
pub fn data_directory(path: &Path) -> io::Result<()> {
    directory(path)?;
    if std::fs::read_dir(path)?.next().is_some() {
        return Ok(());
    }
    match create_new(&path.join(IGNORE)) {
        Ok(mut file) => file.write_all(b"*\n"),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// A file that was not there before.
///
/// # Errors
/// What the system says, also where there is one.
pub fn create_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes an empty file where there is none, for a library that would make it readable by all.
///
/// # Errors
/// What the system says.
pub fn touch(path: &Path) -> io::Result<()> {
    match create_new(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Copies a file to one that was not there before.
///
/// # Errors
/// What the system says.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    io::copy(&mut File::open(from)?, &mut create_new(to)?).map(|_| ())
}
