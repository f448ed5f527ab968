//! What a receiver proves a delivery by: signatures of Standard Webhooks 1.0.

use crate::ports::webhooks::Signing;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

/// Before a secret that both sides know.
const SECRET_PREFIX: &str = "whsec_";
/// Before a key that signatures are verified by.
const PUBLIC_PREFIX: &str = "whpk_";
/// Bytes of either.
pub(crate) const KEY_BYTES: usize = 32;

/// What deliveries are signed with. Neither shown by `Debug` nor stored as it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) [u8; KEY_BYTES]);

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Key(…)")
    }
}

impl Key {
    /// The secret as its owner is told it.
    pub(crate) fn secret(self) -> String {
        format!("{SECRET_PREFIX}{}", STANDARD.encode(self.0))
    }

    /// The key that its Ed25519 signatures are verified by.
    pub(crate) fn public(self) -> Option<String> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&self.0).ok()?;
        Some(format!("{PUBLIC_PREFIX}{}", STANDARD.encode(pair.public_key())))
    }

    /// The signature of a delivery; none where the key is no good, which no key is.
    fn sign(self, signing: Signing, signed: &[u8]) -> Option<String> {
        Some(match signing {
            Signing::Hmac => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
                format!("v1,{}", STANDARD.encode(hmac::sign(&key, signed)))
            }
            Signing::Ed25519 => {
                let pair = Ed25519KeyPair::from_seed_unchecked(&self.0).ok()?;
                format!("v1a,{}", STANDARD.encode(pair.sign(signed)))
            }
        })
    }
}

/// The `webhook-signature` of a delivery: one signature for each key, the newest first.
pub(crate) fn signatures(
    keys: &[Key],
    signing: Signing,
    id: &str,
    timestamp: i64,
    body: &[u8],
) -> String {
    let signed = content(id, &timestamp.to_string(), body);
    let all: Vec<String> = keys.iter().filter_map(|key| key.sign(signing, &signed)).collect();
    all.join(" ")
}

/// What is signed of a delivery, whoever sends it: `id.timestamp.body`.
pub(crate) fn content(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    let mut signed = format!("{id}.{timestamp}.").into_bytes();
    signed.extend_from_slice(body);
    signed
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{ED25519, UnparsedPublicKey};

    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";

    #[test]
    fn a_signature_is_the_one_that_the_specification_gives() {
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("base64");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let signed = [ID.as_bytes(), b".1614265330.", BODY].concat();
        let known = format!("v1,{}", STANDARD.encode(hmac::sign(&key, &signed)));
        assert_eq!(known, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        // A key of this length is the same as one that zeros follow.
        let mut padded = [0; KEY_BYTES];
        padded[..secret.len()].copy_from_slice(&secret);
        assert_eq!(signatures(&[Key(padded)], Signing::Hmac, ID, 1_614_265_330, BODY), known);
    }

    #[test]
    fn two_keys_sign_beside_each_other_and_the_newest_stands_first() {
        let (new, old) = (Key([1; KEY_BYTES]), Key([2; KEY_BYTES]));
        let both = signatures(&[new, old], Signing::Hmac, ID, 7, BODY);
        let one = |key| signatures(&[key], Signing::Hmac, ID, 7, BODY);
        assert_eq!(both, format!("{} {}", one(new), one(old)));
        assert_ne!(one(new), one(old));
        assert_ne!(one(new), signatures(&[new], Signing::Hmac, ID, 8, BODY));
    }

    #[test]
    fn who_knows_the_public_key_alone_can_verify() {
        let key = Key([3; KEY_BYTES]);
        let signature = signatures(&[key], Signing::Ed25519, ID, 7, BODY);
        let bytes = STANDARD.decode(signature.strip_prefix("v1a,").expect("v1a")).expect("base64");
        let public = key.public().expect("a key");
        let public = STANDARD.decode(public.strip_prefix("whpk_").expect("whpk_")).expect("base64");
        let signed = [ID.as_bytes(), b".7.", BODY].concat();
        let by = UnparsedPublicKey::new(&ED25519, public);
        assert!(by.verify(&signed, &bytes).is_ok());
        assert!(by.verify(&[&signed, b"x".as_slice()].concat(), &bytes).is_err());
    }

    #[test]
    fn a_secret_is_told_in_the_form_of_the_specification_and_never_logged() {
        let key = Key([0; KEY_BYTES]);
        assert_eq!(key.secret(), format!("whsec_{}=", "A".repeat(43)));
        assert_eq!(format!("{key:?}"), "Key(…)");
    }
}
