//! What other processes commit, as it is told to who keeps answers.

/// Who keeps what a store answered.
pub trait Hears: Send + Sync {
    /// A set of changes was committed that had this to tell
    /// ([`super::store::WriteSet::told`]).
    fn committed(&self, told: &str);

    /// What is committed from now on may not be heard of.
    fn lost(&self);

    /// Whatever is committed from now on is heard of.
    fn back(&self);
}

/// Whether other processes write, and are heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hearing {
    /// No other process writes.
    Alone,
    /// They are heard from [`Hears::back`] on.
    Told,
    /// They write and cannot be heard.
    Deaf,
}
