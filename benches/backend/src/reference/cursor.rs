//! Cursors: the id of a page's last order, sealed for caller, tenant and list, as Mainstay does.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;

/// The kind of a value that is an id.
const ID: u8 = 11;
/// Bytes of a place.
const PLACE: usize = 17;

/// What cursors are sealed with.
pub(crate) struct CursorKey {
    digests: hmac::Key,
    seals: LessSafeKey,
}

impl CursorKey {
    /// Two keys of the secret that Mainstay keeps.
    pub(crate) fn new(secret: &[u8]) -> Self {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derived = |purpose: &[u8]| hmac::sign(&secret, purpose);
        let seals = UnboundKey::new(&CHACHA20_POLY1305, derived(b"cursor: seal").as_ref());
        Self {
            digests: hmac::Key::new(hmac::HMAC_SHA256, derived(b"cursor: digest").as_ref()),
            seals: LessSafeKey::new(seals.expect("a digest of SHA-256 is as long as a key")),
        }
    }

    /// What a cursor is good for.
    pub(crate) fn bound(&self, parts: [&str; 3]) -> hmac::Context {
        let mut bound = hmac::Context::with_key(&self.digests);
        for part in parts {
            bound.update(&(part.len() as u64).to_be_bytes());
            bound.update(part.as_bytes());
        }
        bound
    }

    /// The cursor after an order.
    pub(crate) fn cursor(&self, bound: &hmac::Context, last: u128) -> Option<String> {
        let mut bytes = Vec::with_capacity(NONCE_LEN + PLACE + 16);
        bytes.push(ID);
        bytes.extend_from_slice(&last.to_be_bytes());
        let mut nonces = bound.clone();
        nonces.update(b"nonce");
        nonces.update(&bytes);
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&nonces.sign().as_ref()[..NONCE_LEN]);
        let sealed = Nonce::assume_unique_for_key(nonce);
        let aad = Aad::from(bound.clone().sign());
        self.seals.seal_in_place_append_tag(sealed, aad, &mut bytes).ok()?;
        bytes.splice(..0, nonce);
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The order that a cursor stands after; none where it was not made for this.
    pub(crate) fn place(&self, bound: &hmac::Context, cursor: &str) -> Option<u128> {
        let mut bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk_mut::<NONCE_LEN>()?;
        let aad = Aad::from(bound.clone().sign());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let place = self.seals.open_in_place(nonce, aad, sealed).ok()?;
        let place: &[u8; PLACE] = (&*place).try_into().ok()?;
        let (kind, id) = place.split_first()?;
        (*kind == ID).then(|| id.try_into().map(u128::from_be_bytes).ok())?
    }
}
