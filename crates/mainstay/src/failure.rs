//! Why a verb could not run: what happened, what caused it and what to do.

/// A verb could not run. Printed as `Error / Caused by / Hint`; the process ends with 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What could not be done, lower case, names in backticks.
    pub(crate) message: String,
    /// What caused it, outermost first.
    pub(crate) causes: Vec<String>,
    /// What to do about it.
    pub(crate) hint: Option<String>,
}

impl Failure {
    /// A failure without cause or hint.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), causes: Vec::new(), hint: None }
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
