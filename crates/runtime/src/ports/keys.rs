//! The port of API keys: only hashes are stored.

use crate::ports::store::Unavailable;
use futures::future::BoxFuture;

/// A key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Public part, shown in lists and logs.
    pub prefix: String,
    /// SHA-256 of the whole key.
    pub hash: [u8; 32],
    /// Actor it stands for.
    pub actor: String,
    /// Roles of the actor.
    pub roles: Vec<String>,
    /// Tenant it is bound to.
    pub tenant: Option<String>,
    /// Subject that `me` is for it.
    pub subject: String,
    /// What it is for, in the words of who made it.
    pub label: String,
    /// Microseconds since 1970.
    pub created: i64,
    /// Microseconds since 1970 after which it is refused.
    pub expires: Option<i64>,
    /// Microseconds since 1970 when it was revoked.
    pub revoked: Option<i64>,
    /// Microseconds since 1970, to the minute.
    pub used: Option<i64>,
}

/// Where API keys are kept: one place for the whole system, not per tenant.
pub trait KeyStore: Send + Sync {
    /// The key of a hash, also an expired or revoked one.
    fn find<'a>(
        &'a self,
        hash: &'a [u8; 32],
    ) -> BoxFuture<'a, Result<Option<StoredKey>, Unavailable>>;

    /// Keeps a new key.
    fn create(&self, key: StoredKey) -> BoxFuture<'_, Result<(), Unavailable>>;

    /// All keys, newest first.
    fn list(&self) -> BoxFuture<'_, Result<Vec<StoredKey>, Unavailable>>;

    /// Revokes by prefix; false where there is none.
    fn revoke<'a>(&'a self, prefix: &'a str, now: i64) -> BoxFuture<'a, Result<bool, Unavailable>>;

    /// Notes that a key was used.
    fn used<'a>(&'a self, prefix: &'a str, now: i64) -> BoxFuture<'a, Result<(), Unavailable>>;
}
