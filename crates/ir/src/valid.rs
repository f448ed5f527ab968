//! The mark of a checked value.

use std::ops::Deref;

/// A value that its one checker has passed; whoever holds it need not check again.
///
/// Only `design::check` makes a `Valid<Model>` and only `design::design` a `Valid<Architecture>`;
/// a test of the house looks for other callers of [`Valid::vouch`].
#[derive(Debug, Clone, PartialEq)]
pub struct Valid<T>(T);

impl<T> Valid<T> {
    /// Marks a value as checked. To be called by its checker alone.
    pub fn vouch(value: T) -> Self {
        Self(value)
    }

    /// The value without its mark.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Valid<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}
