//! Tokens that were verified, until they expire or their issuer drops a key: a signature costs tens
//! of microseconds, a look-up less than one.
//!
//! A token is found by a keyed hash of its end, which is its signature, and compared whole: to hash
//! all of it costs more than the rest of the look-up.

use super::Principal;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, PoisonError};

/// Parts that are locked apart.
const SHARDS: usize = 16;
/// Tokens of one part at most; when it is full it forgets what has expired, then everything.
const SHARD_TOKENS_MAX: usize = 2048;
/// Bytes of the tokens of one part at most; the same then.
const SHARD_BYTES_MAX: usize = 1 << 20;
/// Bytes of a token's end that are hashed.
const END_BYTES: usize = 32;

/// Tokens that were verified.
#[derive(Debug, Default)]
pub(super) struct Cache {
    shards: [Mutex<Shard>; SHARDS],
    hash: RandomState,
}

#[derive(Default)]
struct Shard {
    /// By the hash of their end: of two with the same hash the later one is kept.
    tokens: HashMap<u64, (Box<str>, Entry)>,
    /// Bytes of the tokens' texts.
    bytes: usize,
}

/// Tokens are secrets.
impl std::fmt::Debug for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} tokens of {} bytes", self.tokens.len(), self.bytes)
    }
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

impl Cache {
    /// The entry of a token that has not expired.
    pub(super) fn get(&self, token: &str, now: i64) -> Option<Entry> {
        let hash = self.hash(token);
        let shard = self.shard(hash).lock().unwrap_or_else(PoisonError::into_inner);
        let (text, entry) = shard.tokens.get(&hash)?;
        (**text == *token && now < entry.expires).then(|| entry.clone())
    }

    /// Keeps a verified token.
    pub(super) fn put(&self, token: &str, entry: Entry, now: i64) {
        let hash = self.hash(token);
        let mut shard = self.shard(hash).lock().unwrap_or_else(PoisonError::into_inner);
        if shard.is_full(token) {
            shard.tokens.retain(|_, (_, entry)| now < entry.expires);
            shard.bytes = shard.tokens.values().map(|(text, _)| text.len()).sum();
        }
        if shard.is_full(token) {
            *shard = Shard::default();
        }
        shard.bytes += token.len();
        if let Some((former, _)) = shard.tokens.insert(hash, (token.into(), entry)) {
            shard.bytes -= former.len();
        }
    }

    fn hash(&self, token: &str) -> u64 {
        let bytes = token.as_bytes();
        self.hash.hash_one(&bytes[bytes.len().saturating_sub(END_BYTES)..])
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard> {
        // The map takes the other end of the hash.
        &self.shards[(hash >> 32) as usize % SHARDS]
    }

    #[cfg(test)]
    fn size(&self) -> (usize, usize) {
        let of = |shard: &Mutex<Shard>| {
            let shard = shard.lock().unwrap();
            (shard.tokens.len(), shard.bytes)
        };
        self.shards.iter().map(of).fold((0, 0), |(a, b), (c, d)| (a + c, b + d))
    }
}

impl Shard {
    fn is_full(&self, token: &str) -> bool {
        self.tokens.len() >= SHARD_TOKENS_MAX || self.bytes + token.len() > SHARD_BYTES_MAX
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
        cache.put("token", entry(100), 0);
        assert!(cache.get("token", 99).is_some());
        assert!(cache.get("token", 100).is_none());
        assert!(cache.get("tokem", 99).is_none());
    }

    #[test]
    fn a_token_that_only_ends_like_another_is_not_taken_for_it() {
        let cache = Cache::default();
        let end = "s".repeat(END_BYTES);
        let (known, other) = (format!("mine.{end}"), format!("made.{end}"));
        cache.put(&known, entry(100), 0);
        assert!(cache.get(&known, 1).is_some());
        assert!(cache.get(&other, 1).is_none());
    }

    #[test]
    fn the_cache_is_bounded_in_tokens_and_in_bytes() {
        let cache = Cache::default();
        for at in 0..SHARDS * SHARD_TOKENS_MAX * 2 {
            cache.put(&at.to_string(), entry(100), 0);
        }
        let (tokens, _) = cache.size();
        assert!(tokens <= SHARDS * SHARD_TOKENS_MAX, "{tokens}");
        let cache = Cache::default();
        for at in 0..SHARDS * 400 {
            cache.put(&format!("{}{at}", "x".repeat(8_000)), entry(100), 0);
        }
        let (_, bytes) = cache.size();
        assert!(bytes <= SHARDS * SHARD_BYTES_MAX, "{bytes}");
        // What is larger than a part is kept alone, not counted below zero.
        cache.put(&"y".repeat(2 * SHARD_BYTES_MAX), entry(100), 0);
        cache.put("short", entry(100), 0);
        assert!(cache.get("short", 1).is_some());
    }

    #[test]
    fn what_the_cache_holds_is_not_shown() {
        let cache = Cache::default();
        cache.put("secret", entry(100), 0);
        assert!(!format!("{cache:?}").contains("secret"));
    }
}
