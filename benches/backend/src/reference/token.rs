//! Who calls: ES256 access tokens, verified once and remembered by the core that verified them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    UnparsedPublicKey,
};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// Tokens that one core remembers at most.
const TOKENS_MAX: usize = 8_192;
/// Seconds that clocks may differ.
const SKEW_S: i64 = 30;

/// What a caller may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Actor {
    /// Sees its own orders.
    Shopper,
    /// Sees all of its tenant.
    Staff,
}

/// A caller.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// As what.
    pub(crate) actor: Actor,
    /// Whose rows.
    pub(crate) tenant: Arc<str>,
    /// Who.
    pub(crate) subject: Arc<str>,
    /// Keeps what is the caller's own apart: cursors, idempotency keys.
    pub(crate) name: Box<str>,
    expires: i64,
}

/// The development key that Mainstay made.
pub(crate) struct Key {
    pair: EcdsaKeyPair,
    kid: String,
}

impl Key {
    /// Reads `dev-key.pem` of a data directory.
    pub(crate) fn open(data: &Path) -> Result<Self, String> {
        let path = data.join("dev-key.pem");
        let text = std::fs::read_to_string(&path).map_err(|why| format!("{path:?}: {why}"))?;
        let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        let pkcs8 = STANDARD.decode(body).map_err(|why| why.to_string())?;
        let signing = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = EcdsaKeyPair::from_pkcs8(signing, &pkcs8, &SystemRandom::new())
            .map_err(|why| why.to_string())?;
        let point = pair.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        let print = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let digest = ring::digest::digest(&ring::digest::SHA256, print.as_bytes());
        let kid = URL_SAFE_NO_PAD.encode(digest);
        Ok(Self { pair, kid })
    }

    /// A token as `mainstay token` signs it.
    pub(crate) fn token(
        &self,
        actor: &str,
        roles: &[&str],
        org: &str,
        sub: &str,
        now: i64,
    ) -> String {
        let header = json!({"alg": "ES256", "typ": "at+jwt", "kid": self.kid});
        let mut claims = json!({
            "iss": "urn:mainstay:development", "aud": "shop", "sub": sub, "actor": actor,
            "org": org, "iat": now, "exp": now + 12 * 3_600,
        });
        if !roles.is_empty() {
            claims["roles"] = json!(roles);
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(&claims));
        let signed = self.pair.sign(&SystemRandom::new(), message.as_bytes());
        let signed = signed.map(|signed| URL_SAFE_NO_PAD.encode(signed)).unwrap_or_default();
        format!("{message}.{signed}")
    }
}

/// Verifies tokens of the development key.
pub(crate) struct Verifier {
    public: UnparsedPublicKey<Vec<u8>>,
    known: HashMap<u64, (Box<str>, Arc<Caller>)>,
}

impl Verifier {
    /// Nothing verified yet.
    pub(crate) fn new(key: &Key) -> Self {
        let public = key.pair.public_key().as_ref().to_vec();
        Self {
            public: UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public),
            known: HashMap::new(),
        }
    }

    /// The caller of a token, if it is good at this second.
    pub(crate) fn caller(&mut self, token: &str, now: i64) -> Option<Arc<Caller>> {
        // The end of a signature is as good as random, and the whole text is compared after.
        let end = token.as_bytes().last_chunk::<8>().copied().map(u64::from_le_bytes)?;
        if let Some((text, caller)) = self.known.get(&end)
            && **text == *token
        {
            return (now < caller.expires).then(|| Arc::clone(caller));
        }
        let caller = Arc::new(self.verify(token, now)?);
        if self.known.len() >= TOKENS_MAX {
            self.known.clear();
        }
        self.known.insert(end, (token.into(), Arc::clone(&caller)));
        Some(caller)
    }

    fn verify(&self, token: &str, now: i64) -> Option<Caller> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let read = |part: &str| -> Option<Value> {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
        };
        let (header, claims) = (read(header)?, read(claims)?);
        let signed = URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.public.verify(message.as_bytes(), &signed).ok()?;
        let own = header["alg"] == "ES256"
            && header["typ"] == "at+jwt"
            && claims["iss"] == "urn:mainstay:development"
            && claims["aud"] == "shop";
        let expires = claims["exp"].as_i64()? + SKEW_S;
        let named = claims["actor"].as_str()?;
        let actor = match named {
            "shopper" => Actor::Shopper,
            "staff" => Actor::Staff,
            _ => return None,
        };
        let (org, sub) = (claims["org"].as_str()?, claims["sub"].as_str()?);
        let name = format!("urn:mainstay:development\n{named}\n{org}\n{sub}").into();
        let caller = Caller { actor, tenant: org.into(), subject: sub.into(), name, expires };
        (own && now < expires).then_some(caller)
    }
}
