//! `mainstay fmt`: model files in their short form.

use crate::failure::{Failure, Outcome};
use crate::model_files;
use formats::requirements::belongs;
use ir::source::SourceFile;
use ir::{Diagnostic, Sources};
use std::io::Read;
use std::path::{Path, PathBuf};

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
        if path.is_file() && !is_of_model(path, &files) {
            return Err(Failure::new(format!("`{}` is no file of a model", path.display()))
                .caused_by("nothing at its top is of the notation")
                .hint("its top has `system:`, or a part as `contexts:` or `goals:`"));
        }
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

/// A file that was named itself: one of the notation, or one that has only begun.
fn is_of_model(path: &Path, files: &[SourceFile]) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("mainstay.")
        || files.iter().all(|file| file.text.trim().is_empty() || belongs(&file.text))
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
