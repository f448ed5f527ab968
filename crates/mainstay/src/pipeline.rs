//! The one way, as far as a verb needs it: files, model, checked model, architecture.

use crate::failure::{Failure, Outcome};
use crate::model_files;
use formats::requirements;
use ir::architecture::Architecture;
use ir::diagnostic::has_errors;
use ir::{Diagnostic, Model, Severity, Sources, Valid};
use std::path::{Path, PathBuf};

/// A model that was read and checked.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The texts, for messages.
    pub(crate) sources: Sources,
    /// Directory of the model.
    pub(crate) home: PathBuf,
    /// The model, where nothing is wrong with it.
    pub(crate) model: Option<Valid<Model>>,
    /// Everything found, errors and milder things.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Checked {
    /// How many there are of a severity.
    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|found| found.severity == severity).count()
    }
}

/// An architecture and where its model stands.
#[derive(Debug)]
pub(crate) struct Designed {
    /// The architecture.
    pub(crate) architecture: Valid<Architecture>,
    /// Directory of the model.
    pub(crate) home: PathBuf,
    /// Warnings about the model.
    pub(crate) warnings: usize,
}

/// Reads and checks the model at `path` with the file of an environment over it.
pub(crate) fn check(path: &Path, environment: Option<&str>) -> Outcome<Checked> {
    let files = model_files::read(path, environment)?;
    let (model, found) = requirements::read_with_environment(&files.sources, &files.overlay);
    let mut diagnostics = files.faults;
    diagnostics.extend(found);
    // The file of the environment is among these.
    let sources = model.sources.clone();
    // Where text was left out, names may be missing for that reason alone.
    let mut valid = None;
    if !requirements::is_partial(&diagnostics) {
        let (checked, found) = design::check::check(model);
        diagnostics.extend(found);
        valid = checked.filter(|_| !has_errors(&diagnostics));
    }
    let model = valid;
    Ok(Checked { sources, home: files.home, model, diagnostics })
}

/// Reads, checks and designs; a model with faults is a failure that shows them.
pub(crate) fn design(path: &Path, environment: Option<&str>) -> Outcome<Designed> {
    let checked = check(path, environment)?;
    let warnings = checked.count(Severity::Warning);
    let Some(model) = checked.model else {
        return Err(Failure::refused(checked.sources, checked.diagnostics));
    };
    Ok(Designed { architecture: design::design(&model), home: checked.home, warnings })
}
