//! `mainstay fmt`: model files in their short form.

use crate::failure::{Failure, Outcome};
use crate::model_files;
use ir::source::SourceFile;
use ir::{Diagnostic, Sources};
use std::io::Read;
use std::path::PathBuf;

/// Bytes that are read from stdin.
const STDIN_BYTES_MAX: u64 = 1_048_577;

/// What became of one file.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Formatted {
    /// The file.
    pub(crate) path: String,
    /// It was, or would be, rewritten.
    pub(crate) changed: bool,
}

/// Formats files in place; where `check` is set nothing is written.
pub(crate) fn fmt(paths: &[PathBuf], check: bool) -> Outcome<Vec<Formatted>> {
    let mut done = Vec::new();
    for path in paths {
        let files = model_files::read_with_environments(path)?;
        for file in files {
            let text = format(&file)?;
            let changed = text != file.text;
            if changed && !check {
                std::fs::write(&file.path, text).map_err(|cause| {
                    Failure::new(format!("can't write `{}`", file.path)).caused_by(cause)
                })?;
            }
            done.push(Formatted { path: file.path, changed });
        }
    }
    Ok(done)
}

/// Formats what stdin gives.
pub(crate) fn fmt_stdin() -> Outcome<String> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(STDIN_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|cause| Failure::new("can't read stdin").caused_by(cause))?;
    format(&SourceFile { path: "<stdin>".to_owned(), text })
}

fn format(file: &SourceFile) -> Outcome<String> {
    formats::requirements::format(&file.text).map_err(|faults: Vec<Diagnostic>| {
        Failure::refused(Sources { files: vec![file.clone()] }, faults)
    })
}
