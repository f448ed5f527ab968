//! Tokens that were verified, by the hash of their text, until they expire or their issuer drops
//! a key: a signature costs tens of microseconds, a look-up one.

use super::Principal;
use ring::digest::{SHA256, digest};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Parts that are locked apart.
const SHARDS: usize = 16;
/// Tokens of one part at most; when it is full it forgets what has expired, then everything.
const SHARD_TOKENS_MAX: usize = 2048;

/// Hash of a token.
pub(super) type Hash = [u8; 32];

/// Tokens that were verified.
#[derive(Debug, Default)]
pub(super) struct Cache {
    shards: [Mutex<HashMap<Hash, Entry>>; SHARDS],
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) principal: Arc<Principal>,
    /// Index of the issuer; none for the development key.
    pub(super) issuer: Option<usize>,
    /// Generation of the issuer's keys when it was verified.
    pub(super) generation: u64,
    /// Seconds since 1970.
    pub(super) expires: i64,
}

/// The key of a token in the cache.
pub(super) fn hash(token: &str) -> Hash {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    bytes
}

impl Cache {
    /// The entry of a token that has not expired.
    pub(super) fn get(&self, hash: &Hash, now: i64) -> Option<Entry> {
        let shard = self.shard(hash).lock().unwrap_or_else(PoisonError::into_inner);
        shard.get(hash).filter(|entry| now < entry.expires).cloned()
    }

    /// Keeps a verified token.
    pub(super) fn put(&self, hash: Hash, entry: Entry, now: i64) {
        let mut shard = self.shard(&hash).lock().unwrap_or_else(PoisonError::into_inner);
        if shard.len() >= SHARD_TOKENS_MAX {
            shard.retain(|_, entry| now < entry.expires);
        }
        if shard.len() >= SHARD_TOKENS_MAX {
            shard.clear();
        }
        shard.insert(hash, entry);
    }

    fn shard(&self, hash: &Hash) -> &Mutex<HashMap<Hash, Entry>> {
        &self.shards[usize::from(hash[0]) % SHARDS]
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap().len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::principal::Who;

    fn entry(expires: i64) -> Entry {
        let principal = Principal {
            who: Who::System,
            roles: Vec::new(),
            tenant: None,
            across_tenants: true,
            me: "x".into(),
            issuer: "x".into(),
            id: "x".into(),
            key: None,
            expires: Some(expires),
        };
        Entry { principal: Arc::new(principal), issuer: None, generation: 0, expires }
    }

    #[test]
    fn an_entry_is_given_until_it_expires() {
        let cache = Cache::default();
        let key = hash("token");
        cache.put(key, entry(100), 0);
        assert!(cache.get(&key, 99).is_some());
        assert!(cache.get(&key, 100).is_none());
        assert!(cache.get(&hash("tokem"), 99).is_none());
    }

    #[test]
    fn the_cache_is_bounded() {
        let cache = Cache::default();
        let most = SHARDS * SHARD_TOKENS_MAX;
        for at in 0..most + 5000 {
            let mut key = hash(&at.to_string());
            key[0] = 7;
            cache.put(key, entry(100), 0);
        }
        assert!(cache.len() <= SHARD_TOKENS_MAX, "{}", cache.len());
    }
}
