//! Whose data a directory or a backup holds: its system's name in a file.

use crate::private;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// Name of the file; no service can be called so.
const FILE: &str = "_system";

/// The system whose data is there; none where nobody has said so.
///
/// # Errors
/// Where the file can't be read.
pub fn owner(data: &Path) -> io::Result<Option<String>> {
    match std::fs::read_to_string(data.join(FILE)) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Says whose data is there, where nobody has.
///
/// # Errors
/// Where the file can't be written.
pub fn claim(data: &Path, system: &str) -> io::Result<()> {
    match private::create_new(&data.join(FILE)) {
        Ok(mut file) => file.write_all(format!("{system}\n").as_bytes()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}
