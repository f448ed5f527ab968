//! Webhooks that systems outside send: what proves where a delivery comes from, and what of it is
//! kept.
//!
//! A delivery is proved before anything of it is read, over the bytes that came. What is signed
//! differs: Standard Webhooks, Stripe and HTTP Message Signatures sign a time, GitHub does not; and
//! GitHub signs the body alone, so that the name and the id of its event are only as good as the
//! way that they came.

mod message;
mod payload;
mod schemes;

use crate::http::Request;
use crate::plan::Plan;
use crate::telemetry::metrics::{Counter, Metrics};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ir::domain::EventId;
use ir::model::Scheme;
pub(crate) use payload::{Told, members, read};
use ring::hmac;
use ring::signature::{ED25519, UnparsedPublicKey};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of a delivery at most, where the server takes as many.
pub(crate) const DELIVERY_BYTES_MAX: usize = 1_048_576;
/// Signatures of a delivery that are looked at.
pub(crate) const SIGNATURES_MAX: usize = 16;
/// Bytes of an Ed25519 key.
const PUBLIC_BYTES: usize = 32;
/// What stands before them in a key of X.509 (RFC 8410).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// What senders prove themselves by, by the name of their integration: several are accepted while
/// one takes the place of another. Not shown by `Debug`.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, Arc<[SenderKey]>>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secrets(…)")
    }
}

impl Secrets {
    /// Adds those of an integration.
    ///
    /// # Errors
    /// What a secret of that scheme looks like, where one of them does not: never the secret.
    pub fn add(&mut self, of: &str, scheme: Scheme, secrets: &[String]) -> Result<(), String> {
        let keys = secrets.iter().map(|secret| SenderKey::of(scheme, secret));
        self.0.insert(of.to_owned(), keys.collect::<Result<_, _>>()?);
        Ok(())
    }
}

/// What one signature is verified by.
pub(crate) enum SenderKey {
    /// Both sides know it.
    Hmac(hmac::Key),
    /// The sender alone can sign.
    Ed25519([u8; PUBLIC_BYTES]),
}

impl SenderKey {
    /// Of its text. Stripe and GitHub sign with the text itself.
    fn of(scheme: Scheme, text: &str) -> Result<Self, String> {
        let shared = |bytes: &[u8]| Self::Hmac(hmac::Key::new(hmac::HMAC_SHA256, bytes));
        match scheme {
            Scheme::Stripe | Scheme::GitHub => Ok(shared(text.as_bytes())),
            Scheme::Standard => {
                let wanted = "it is `whsec_` or `whpk_` and base64 behind it";
                if let Some(public) = text.strip_prefix("whpk_") {
                    return public_key(public).map(Self::Ed25519).ok_or_else(|| wanted.to_owned());
                }
                let bytes = STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text));
                let bytes = bytes.ok().filter(|bytes| !bytes.is_empty());
                bytes.map(|bytes| shared(&bytes)).ok_or_else(|| wanted.to_owned())
            }
            Scheme::Rfc9421 => {
                if let Some(public) = text.strip_prefix("whpk_") {
                    let wanted = "behind `whpk_` stands an Ed25519 key in base64";
                    return public_key(public).map(Self::Ed25519).ok_or_else(|| wanted.to_owned());
                }
                if text.trim_start().starts_with("-----BEGIN") {
                    let wanted = "the PEM text is no public Ed25519 key";
                    return pem(text).map(Self::Ed25519).ok_or_else(|| wanted.to_owned());
                }
                match text.strip_prefix("whsec_").map(|text| STANDARD.decode(text)) {
                    Some(Ok(bytes)) => Ok(shared(&bytes)),
                    Some(Err(_)) => Err("behind `whsec_` stands base64".to_owned()),
                    None => Ok(shared(text.as_bytes())),
                }
            }
        }
    }

    /// True where `signature` is that of `signed` by this key; in a time that says nothing of it.
    fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        match (self, algorithm) {
            (Self::Hmac(key), Algorithm::Hmac) => hmac::verify(key, signed, signature).is_ok(),
            (Self::Ed25519(key), Algorithm::Ed25519) => {
                UnparsedPublicKey::new(&ED25519, key).verify(signed, signature).is_ok()
            }
            (Self::Hmac(_), Algorithm::Ed25519) | (Self::Ed25519(_), Algorithm::Hmac) => false,
        }
    }

    /// The algorithm that goes with it: the key decides, never the message.
    fn algorithm(&self) -> Algorithm {
        match self {
            Self::Hmac(_) => Algorithm::Hmac,
            Self::Ed25519(_) => Algorithm::Ed25519,
        }
    }
}

fn public_key(base64: &str) -> Option<[u8; PUBLIC_BYTES]> {
    STANDARD.decode(base64).ok()?.try_into().ok()
}

fn pem(text: &str) -> Option<[u8; PUBLIC_BYTES]> {
    let (_, rest) = text.split_once("-----BEGIN PUBLIC KEY-----")?;
    let (base64, _) = rest.split_once("-----END PUBLIC KEY-----")?;
    let base64: String = base64.split_ascii_whitespace().collect();
    STANDARD.decode(base64).ok()?.strip_prefix(&SPKI)?.try_into().ok()
}

/// How something was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// HMAC with SHA-256.
    Hmac,
    /// Ed25519.
    Ed25519,
}

/// Why a delivery is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It says nothing that could be verified, or what it says can't be read.
    Malformed(String),
    /// A header that proves it is not there.
    Missing(&'static str),
    /// No key signed that.
    Signature,
    /// It is signed, but too old or from the future.
    Time,
}

/// What a delivery proved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Proof {
    /// Names of headers that the signature covers, where the scheme says which.
    pub(crate) covered: Vec<String>,
}

/// Seconds that a delivery is looked at by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    /// Now, since 1970.
    pub(crate) now: i64,
    /// That its time may differ from now, either way.
    pub(crate) tolerance: i64,
}

impl Clock {
    fn check(self, time: i64) -> Result<(), Refused> {
        match self.now.abs_diff(time) <= self.tolerance.unsigned_abs() {
            true => Ok(()),
            false => Err(Refused::Time),
        }
    }
}

/// Somebody who sends.
pub(crate) struct Sender {
    /// Keys that are accepted; none where the environment has none.
    keys: Arc<[SenderKey]>,
    scheme: Scheme,
    tolerance: i64,
    /// Events that are kept, by the sender's name for them.
    events: BTreeMap<String, EventId>,
    pub(crate) accepted: Arc<Counter>,
    pub(crate) repeated: Arc<Counter>,
    pub(crate) ignored: Arc<Counter>,
    pub(crate) unfit: Arc<Counter>,
    pub(crate) refused: Arc<Counter>,
}

impl Sender {
    /// Those of a plan, in the order of its receivers.
    pub(crate) fn all(plan: &Plan, secrets: &Secrets, metrics: &Metrics) -> Vec<Self> {
        let domain = &plan.domain;
        let one = |(at, receiver): (usize, &ir::domain::Receiver)| {
            let told = domain.events.iter().enumerate().filter_map(|(id, event)| {
                let inbound = event.inbound.as_ref().filter(|inbound| inbound.receiver == at)?;
                Some((inbound.sent_as.clone(), EventId::of(id)))
            });
            let count = |outcome: &str| {
                let help = "Deliveries of webhooks that systems outside sent.";
                let labels = format!("integration=\"{}\",outcome=\"{outcome}\"", receiver.name);
                metrics.counter("mainstay_webhooks_received_total", help, &labels)
            };
            Self {
                keys: secrets.0.get(&receiver.name).cloned().unwrap_or_default(),
                scheme: receiver.scheme,
                tolerance: receiver.tolerance_seconds as i64,
                events: told.collect(),
                accepted: count("accepted"),
                repeated: count("repeated"),
                ignored: count("ignored"),
                unfit: count("unfit"),
                refused: count("refused"),
            }
        };
        domain.receivers.iter().enumerate().map(one).collect()
    }

    /// False where nothing can be verified.
    pub(crate) fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// How it proves what it sends.
    pub(crate) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The first of these names that is kept, the narrowest first.
    pub(crate) fn event(&self, names: &[String]) -> Option<EventId> {
        names.iter().find_map(|name| self.events.get(name)).copied()
    }

    /// What a delivery proves, at a time in seconds since 1970.
    ///
    /// # Errors
    /// Why it proves nothing.
    pub(crate) fn prove(&self, request: &Request, now: i64) -> Result<Proof, Refused> {
        let clock = Clock { now, tolerance: self.tolerance };
        match self.scheme {
            Scheme::Standard => schemes::standard(&self.keys, request, clock),
            Scheme::Stripe => schemes::stripe(&self.keys, request, clock),
            Scheme::GitHub => schemes::github(&self.keys, request),
            Scheme::Rfc9421 => message::verify(&self.keys, request, clock),
        }
    }
}

/// True where some key signed it so.
fn signed(keys: &[SenderKey], algorithm: Algorithm, content: &[u8], signature: &[u8]) -> bool {
    keys.iter().any(|key| key.verifies(algorithm, content, signature))
}

#[cfg(test)]
mod tests;
