//! Where in the model something stands, in the words of the model; for messages.

use std::fmt;

/// `` `allow.read` of `Order` ``, or `` `Order` `` alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The element: resource, workflow, event, …
    pub(crate) of: &'a str,
    /// The part of it; empty for the whole.
    pub(crate) part: &'a str,
}

impl<'a> Place<'a> {
    /// A part of an element.
    pub(crate) fn new(of: &'a str, part: &'a str) -> Self {
        Self { of, part }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.part.is_empty() {
            return write!(f, "`{}`", self.of);
        }
        write!(f, "`{}` of `{}`", self.part, self.of)
    }
}
