//! What cursors are sealed with.

use ring::aead::{CHACHA20_POLY1305, LessSafeKey, UnboundKey};
use ring::hmac;

/// Two keys of one secret: one for digests, one to encrypt.
pub(crate) struct CursorKey {
    /// Makes digests of what a cursor is bound to, and nonces.
    pub(crate) digests: hmac::Key,
    /// Encrypts the place.
    pub(crate) seals: LessSafeKey,
}

impl CursorKey {
    /// Of the secret that all processes over one store share.
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derived = |purpose: &[u8]| hmac::sign(&secret, purpose);
        let seals = UnboundKey::new(&CHACHA20_POLY1305, derived(b"cursor: seal").as_ref());
        Self {
            digests: hmac::Key::new(hmac::HMAC_SHA256, derived(b"cursor: digest").as_ref()),
            seals: LessSafeKey::new(seals.expect("a digest of SHA-256 is as long as a key")),
        }
    }
}
