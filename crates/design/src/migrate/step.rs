//! A step before it is placed.

use ir::migration::{Action, Class, Phase, Proof};

/// What a step is, without its tables.
pub(super) struct Draft {
    pub(super) phase: Phase,
    pub(super) class: Class,
    pub(super) action: Action,
    pub(super) reason: String,
    pub(super) proofs: Vec<Proof>,
    pub(super) destroys: Option<String>,
}

impl Draft {
    /// A safe step.
    pub(super) fn new(phase: Phase, action: Action, reason: impl Into<String>) -> Self {
        let (proofs, destroys) = (Vec::new(), None);
        Self { phase, class: Class::Safe, action, reason: reason.into(), proofs, destroys }
    }

    /// With something that must hold first.
    pub(super) fn proven(mut self, proof: Proof) -> Self {
        self.proofs.push(proof);
        self
    }

    /// One that gives rows values they did not have.
    pub(super) fn filling(self) -> Self {
        Self { class: Class::Backfill, ..self }
    }
}
