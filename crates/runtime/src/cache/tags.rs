//! What an answer is made of, as tags; each counts the changes of what it names.
//!
//! An answer remembers the counts from before it was read: it is good as long as they are the same.
//! So a change ends the answers that are kept and those that are being read at once, and what was
//! read before a change can never be kept behind it. Only tags that somebody holds are known.

use crate::ports::store::Tenant;
use ir::domain::ResourceId;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Locks that all tags share.
const SHARDS: usize = 16;
/// Tags of a shard that are looked through first for those that nobody holds any more.
const SWEPT_FIRST: usize = 256;

/// What an answer is made of. Rows that all tenants share have none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Tag {
    /// A row.
    Row(ResourceId, Tenant, u128),
    /// Each row of a tenant, whichever: a deletion elsewhere may have changed it.
    Each(ResourceId, Tenant),
    /// Which rows there are, and their values but for excepted ones.
    List(ResourceId, Tenant),
    /// Any value of any row.
    Any(ResourceId, Tenant),
}

impl Tag {
    /// Of which resource.
    pub(crate) fn resource(&self) -> ResourceId {
        match self {
            Self::Row(id, ..) | Self::Each(id, _) | Self::List(id, _) | Self::Any(id, _) => *id,
        }
    }
}

/// The tags that somebody holds.
pub(super) struct Tags {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

struct Shard {
    known: HashMap<Tag, Weak<AtomicU64>>,
    swept_at: usize,
}

/// What an answer is made of, as it was before it was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Made(Vec<(Arc<AtomicU64>, u64)>);

impl Made {
    /// True where nothing of it has changed since.
    pub(crate) fn is_current(&self) -> bool {
        self.0.iter().all(|(count, seen)| count.load(Ordering::Acquire) == *seen)
    }

    /// How many tags it holds.
    pub(super) fn tags(&self) -> usize {
        self.0.len()
    }
}

impl Default for Tags {
    fn default() -> Self {
        let shard = |_| Mutex::new(Shard { known: HashMap::new(), swept_at: SWEPT_FIRST });
        Self { hasher: RandomState::new(), shards: std::array::from_fn(shard) }
    }
}

impl Tags {
    /// What is made of these, as they are now.
    pub(super) fn made(&self, tags: impl IntoIterator<Item = Tag>) -> Made {
        let now = |tag| {
            let count = self.count(tag);
            let seen = count.load(Ordering::Acquire);
            (count, seen)
        };
        Made(tags.into_iter().map(now).collect())
    }

    /// What a tag names has changed; true where somebody holds it.
    pub(super) fn change(&self, tag: &Tag) -> bool {
        let shard = self.shard(tag).lock().unwrap_or_else(PoisonError::into_inner);
        let Some(count) = shard.known.get(tag).and_then(Weak::upgrade) else { return false };
        count.fetch_add(1, Ordering::AcqRel);
        true
    }

    fn shard(&self, tag: &Tag) -> &Mutex<Shard> {
        let at = self.hasher.hash_one(tag) % SHARDS as u64;
        &self.shards[usize::try_from(at).unwrap_or(0)]
    }

    fn count(&self, tag: Tag) -> Arc<AtomicU64> {
        let mut shard = self.shard(&tag).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = shard.known.get(&tag).and_then(Weak::upgrade) {
            return count;
        }
        if shard.known.len() >= shard.swept_at {
            shard.known.retain(|_, count| count.strong_count() > 0);
            shard.swept_at = (shard.known.len() * 2).max(SWEPT_FIRST);
        }
        let count = Arc::default();
        shard.known.insert(tag, Arc::downgrade(&count));
        count
    }

    #[cfg(test)]
    fn known(&self) -> usize {
        let len = |shard: &Mutex<Shard>| shard.lock().expect("nobody panicked").known.len();
        self.shards.iter().map(len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u128) -> Tag {
        Tag::Row(ResourceId(1), Some(Arc::from("acme")), id)
    }

    #[test]
    fn a_change_ends_what_was_made_before_it_and_nothing_else() {
        let tags = Tags::default();
        let (one, other) = (tags.made([row(1), row(3)]), tags.made([row(2)]));
        let elsewhere = tags.made([Tag::Row(ResourceId(1), None, 1)]);
        assert!(tags.change(&row(1)));
        assert!(!one.is_current());
        assert!(other.is_current() && elsewhere.is_current());
        assert!(tags.made([row(1), row(3)]).is_current(), "what is made behind it is good");
        assert!(!tags.change(&row(9)), "nobody holds it");
    }

    #[test]
    fn tags_that_nobody_holds_are_forgotten() {
        let tags = Tags::default();
        for id in 0..100_000 {
            drop(tags.made([row(id)]));
        }
        assert!(tags.known() <= SHARDS * SWEPT_FIRST, "{}", tags.known());
        let held: Vec<Made> = (0..10_000).map(|id| tags.made([row(id)])).collect();
        assert!(tags.change(&row(9_999)));
        assert!(!held[9_999].is_current() && held[0].is_current());
    }
}
