//! Why a verb could not run: what happened, what caused it and what to do.

use ir::{Diagnostic, Severity, Sources};

/// A verb could not run. Printed as `Error / Caused by / Hint`; the process ends with 2, or with 1
/// where the verb was asked whether something may be, and it may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What could not be done, lower case, names in backticks.
    pub(crate) message: String,
    /// What caused it, outermost first.
    pub(crate) causes: Vec<String>,
    /// What to do about it.
    pub(crate) hint: Option<String>,
    /// The faults of the model that caused it, with its texts.
    pub(crate) faults: Option<Box<(Sources, Vec<Diagnostic>)>>,
    /// The answer is no, rather than that there is none.
    pub(crate) no: bool,
}

impl Failure {
    /// A failure without cause or hint.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        let (causes, hint, faults) = (Vec::new(), None, None);
        Self { message: message.into(), causes, hint, faults, no: false }
    }

    /// The model has faults, so that nothing can be made from it.
    pub(crate) fn refused(sources: Sources, faults: Vec<Diagnostic>) -> Self {
        let errors = faults.iter().filter(|fault| fault.severity == Severity::Error).count();
        let count = if errors == 1 { "1 error".to_owned() } else { format!("{errors} errors") };
        let failure = Self::new(format!("the model has {count}"));
        Self { faults: Some(Box::new((sources, faults))), ..failure }
    }

    /// Adds the next cause, further in.
    #[must_use]
    pub(crate) fn caused_by(mut self, cause: impl std::fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// Says what to do.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The result of a verb.
pub(crate) type Outcome<T> = Result<T, Failure>;
