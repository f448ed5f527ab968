//! What was read of the log and is not settled yet.

use std::collections::BTreeMap;

/// Positions that were read, above the one below which all is settled.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Window {
    /// Everything up to here was read.
    read: i64,
    /// Messages, with whether they are settled; the first never is.
    messages: BTreeMap<i64, bool>,
}

impl Window {
    pub(crate) fn new(position: i64) -> Self {
        Self { read: position, messages: BTreeMap::new() }
    }

    pub(crate) fn read(&self) -> i64 {
        self.read
    }

    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    /// A message that has to be done.
    pub(crate) fn add(&mut self, position: i64) {
        self.messages.insert(position, false);
        self.read = self.read.max(position);
    }

    /// Everything up to here was read.
    pub(crate) fn read_to(&mut self, end: i64) {
        self.read = self.read.max(end);
    }

    /// A message is done or held; one that is not in the window changes nothing.
    pub(crate) fn settle(&mut self, position: i64) {
        if let Some(settled) = self.messages.get_mut(&position) {
            *settled = true;
        }
        while let Some(first) = self.messages.first_entry().filter(|first| *first.get()) {
            first.remove();
        }
    }

    /// Everything up to here is settled.
    pub(crate) fn settled(&self) -> i64 {
        self.messages.first_key_value().map_or(self.read, |(first, _)| first.saturating_sub(1))
    }
}
