//! The valid model with every name resolved and every expression typed.

#[cfg(test)]
mod tests;

use crate::check::outside;
use crate::check::resolve::resolve;
use ir::domain::Domain;
use ir::{Model, Valid};

/// Resolves a valid model. Total: what could go wrong was told by `check`.
pub fn domain(model: &Valid<Model>) -> Domain {
    let mut found = Vec::new();
    let mut resolved = resolve(model, &mut found);
    outside::look(&mut resolved, &mut found);
    let domain = resolved.domain;
    debug_assert!(!ir::diagnostic::has_errors(&found), "a valid model resolves: {found:?}");
    domain
}
