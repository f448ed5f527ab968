//! `mainstay check`: every fault of a model at once.

use crate::environment::{self, Missing};
use crate::failure::Outcome;
use crate::pipeline::{self, Checked};
use crate::published;
use std::path::Path;

/// What `check` found.
#[derive(Debug)]
pub(crate) struct Report {
    /// The model's faults.
    pub(crate) checked: Checked,
    /// What the environment lacks; looked for only where an environment was named.
    pub(crate) missing: Vec<Missing>,
}

impl Report {
    /// True where the model can be used as it is.
    pub(crate) fn fine(&self) -> bool {
        self.checked.model.is_some() && self.missing.is_empty()
    }
}

/// Checks the model at `path`, with the environment's file over it and its variables looked up
/// where `env` names one. Its events may not break who reads those that were published, but for
/// those that are named in `allowed`.
pub(crate) fn check(path: &Path, env: Option<&str>, allowed: &[String]) -> Outcome<Report> {
    let mut checked = pipeline::check(path, env)?;
    published::compare(&mut checked, allowed);
    let missing = match (&checked.model, env) {
        (Some(model), Some(_)) => environment::missing(model, &checked.home),
        (Some(_) | None, _) => Vec::new(),
    };
    Ok(Report { checked, missing })
}
