//! The one way, as far as a verb needs it: files, model, checked model, architecture.

use crate::failure::{Failure, Outcome};
use crate::model_files;
use design::Catalog;
use formats::requirements;
use ir::architecture::Architecture;
use ir::diagnostic::has_errors;
use ir::model::Isolation;
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
    /// `*.yaml` files of its directory that are not part of it.
    pub(crate) passed_over: Vec<String>,
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
    check_as(path, environment, None)
}

/// The same, with tenants kept apart otherwise than the model says.
fn check_as(
    path: &Path,
    environment: Option<&str>,
    isolation: Option<Isolation>,
) -> Outcome<Checked> {
    let files = model_files::read(path, environment)?;
    let (mut model, found) = requirements::read_with_environment(&files.sources, &files.overlay);
    if let (Some(tenancy), Some(isolation)) = (&mut model.tenancy, isolation) {
        tenancy.isolation.value = isolation;
    }
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
    Ok(Checked { sources, home: files.home, model, passed_over: files.passed_over, diagnostics })
}

/// Reads, checks and designs; a model with faults is a failure that shows them.
pub(crate) fn design(path: &Path, environment: Option<&str>) -> Outcome<Designed> {
    design_checked(check(path, environment)?, &Catalog::default())
}

/// Reads, checks and designs for a verb that runs the architecture, and needs no assumptions.
pub(crate) fn design_to_run(path: &Path, environment: Option<&str>) -> Outcome<Designed> {
    designed(check(path, environment)?, &design::design_to_run)
}

/// The same with tenants kept apart otherwise than the model says.
pub(crate) fn design_as(
    path: &Path,
    environment: Option<&str>,
    isolation: Isolation,
) -> Outcome<Designed> {
    designed(check_as(path, environment, Some(isolation))?, &design::design_to_run)
}

/// Bytes of a price list at most.
const PRICES_BYTES_MAX: usize = 1_048_576;

/// The built-in catalogue with the user's list on top.
pub(crate) fn catalog(prices: Option<&Path>) -> Outcome<Catalog> {
    let mut catalog = Catalog::default();
    let Some(path) = prices else { return Ok(catalog) };
    let unreadable = || Failure::new(format!("can't read the price list `{}`", path.display()));
    let bytes = std::fs::read(path).map_err(|fault| unreadable().caused_by(fault))?;
    if bytes.len() > PRICES_BYTES_MAX {
        return Err(unreadable().caused_by(format!("it has more than {PRICES_BYTES_MAX} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|fault| unreadable().caused_by(fault))?;
    catalog.overlay(&text).map_err(|faults| {
        let hint = "the form is that of crates/design/catalog/prices.yaml: `date:`, `source:`, \
                    then `items:` with one `name: { value: 0.5, unit: USD/hour }` a line";
        faults
            .iter()
            .fold(unreadable(), |failure, fault| {
                failure.caused_by(format!("line {}: {}", fault.line, fault.message))
            })
            .hint(hint)
    })?;
    Ok(catalog)
}

/// Designs a model that was checked, with the user's prices and limits.
pub(crate) fn design_checked(checked: Checked, catalog: &Catalog) -> Outcome<Designed> {
    designed(checked, &|model| design::design_with(model, catalog))
}

fn designed(
    checked: Checked,
    design: &dyn Fn(&Valid<Model>) -> Valid<Architecture>,
) -> Outcome<Designed> {
    let warnings = checked.count(Severity::Warning);
    let Some(model) = checked.model else {
        return Err(Failure::refused(checked.sources, checked.diagnostics));
    };
    Ok(Designed { architecture: design(&model), home: checked.home, warnings })
}
