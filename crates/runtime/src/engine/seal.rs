//! What cursors and kept secrets are sealed with.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;

/// Keys of one secret: one for digests, one to encrypt places, one to encrypt secrets.
pub(crate) struct CursorKey {
    /// Makes digests of what a cursor is bound to, and nonces.
    pub(crate) digests: hmac::Key,
    /// Encrypts the place.
    pub(crate) seals: LessSafeKey,
    /// Encrypts secrets of others that are kept beside the data.
    secrets: LessSafeKey,
}

impl CursorKey {
    /// Of the secret that all processes over one store share.
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derived = |purpose: &[u8]| hmac::sign(&secret, purpose);
        let cipher = |purpose: &[u8]| {
            let key = UnboundKey::new(&CHACHA20_POLY1305, derived(purpose).as_ref());
            LessSafeKey::new(key.expect("a digest of SHA-256 is as long as a key"))
        };
        Self {
            digests: hmac::Key::new(hmac::HMAC_SHA256, derived(b"cursor: digest").as_ref()),
            seals: cipher(b"cursor: seal"),
            secrets: cipher(b"secret: seal"),
        }
    }

    /// Encrypts a secret of the thing with that id, with a nonce that is drawn for it alone.
    pub(crate) fn seal(&self, nonce: [u8; NONCE_LEN], of: u128, secret: &[u8]) -> Option<String> {
        let (mut sealed, bound) = (secret.to_vec(), Aad::from(of.to_be_bytes()));
        let unique = Nonce::assume_unique_for_key(nonce);
        self.secrets.seal_in_place_append_tag(unique, bound, &mut sealed).ok()?;
        sealed.splice(..0, nonce);
        Some(STANDARD_NO_PAD.encode(sealed))
    }

    /// The secret; none where it was not sealed with this key, or for another thing.
    pub(crate) fn open(&self, of: u128, sealed: &str) -> Option<Vec<u8>> {
        let mut bytes = STANDARD_NO_PAD.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk_mut::<NONCE_LEN>()?;
        let (nonce, bound) = (Nonce::assume_unique_for_key(*nonce), Aad::from(of.to_be_bytes()));
        let secret = self.secrets.open_in_place(nonce, bound, sealed).ok()?;
        Some(secret.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_opened_by_its_key_and_for_its_thing_alone() {
        let key = CursorKey::new(&[1; 32]);
        let sealed = key.seal([7; NONCE_LEN], 5, b"hush").expect("sealed");
        assert!(!sealed.contains("hush"));
        assert_eq!(key.open(5, &sealed).as_deref(), Some(b"hush".as_slice()));
        assert_eq!(key.open(6, &sealed), None, "it is of another thing");
        assert_eq!(CursorKey::new(&[2; 32]).open(5, &sealed), None, "it has another key");
        assert_eq!(key.open(5, "x"), None);
    }
}
