//! The development key: signs tokens on this machine, so that a system can be tried without a
//! provider. Production refuses it.

use super::jwk::{Algorithm, Key, read_set};
use super::token::sound_subject;
use crate::private;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ir::domain::Domain;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::Path;

/// `iss` of the tokens it signs.
pub const ISSUER: &str = "urn:mainstay:development";
/// Name of its file in the data directory.
pub const FILE: &str = "dev-key.pem";
/// Name of Mainstay's own service identity.
pub const SYSTEM: &str = "system";

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// A key pair (ES256) that lives in a file of the data directory.
pub struct DevelopmentKey {
    pair: EcdsaKeyPair,
    kid: String,
    jwks: String,
    key: Key,
}

/// What a token of the development key is to say.
#[derive(Debug, Clone, Default)]
pub struct Wanted<'a> {
    /// Actor of the model, or `system`.
    pub actor: &'a str,
    /// Roles of that actor.
    pub roles: &'a [String],
    /// Tenant.
    pub tenant: Option<&'a str>,
    /// Subject; the name of the actor by default.
    pub subject: Option<&'a str>,
    /// Seconds that it is valid for.
    pub ttl_s: i64,
}

impl DevelopmentKey {
    /// Reads the key of a data directory, made now where there is none (readable by its owner
    /// alone).
    ///
    /// # Errors
    /// A sentence for people: the file cannot be read or made, or holds no key.
    pub fn open(data: &Path) -> Result<Self, String> {
        let path = data.join(FILE);
        let shown = path.display();
        let make = || -> std::io::Result<()> {
            private::data_directory(data)?;
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(
                &ECDSA_P256_SHA256_FIXED_SIGNING,
                &SystemRandom::new(),
            )
            .map_err(|_| std::io::Error::other("the system gives no random bytes"))?;
            private::create_new(&path)?.write_all(pem(pkcs8.as_ref()).as_bytes())
        };
        match make() {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(format!("cannot make the development key `{shown}`: {error}"));
            }
        }
        let text = std::fs::read_to_string(&path)
            .map_err(|error| format!("cannot read the development key `{shown}`: {error}"))?;
        Self::from_pem(&text).ok_or_else(|| {
            format!(
                "`{shown}` does not hold a key that was made here; delete it and a new one is \
                 made (tokens of the old one are worth nothing then)"
            )
        })
    }

    /// True where a data directory has a key.
    pub fn is_in(data: &Path) -> bool {
        data.join(FILE).exists()
    }

    /// A key that no file holds.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn ephemeral() -> Result<Self, String> {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
        let pkcs8 = pkcs8.map_err(|_| "the system gives no random bytes")?;
        Self::from_pkcs8(pkcs8.as_ref()).ok_or_else(|| "a key could not be made".to_owned())
    }

    fn from_pem(text: &str) -> Option<Self> {
        let body = text.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
        let body: String = body.split_ascii_whitespace().collect();
        Self::from_pkcs8(&STANDARD.decode(body).ok()?)
    }

    fn from_pkcs8(pkcs8: &[u8]) -> Option<Self> {
        let random = SystemRandom::new();
        let signing = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = EcdsaKeyPair::from_pkcs8(signing, pkcs8, &random).ok()?;
        let point = pair.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        // RFC 7638: the thumbprint over the required members in order.
        let print = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let digest = ring::digest::digest(&ring::digest::SHA256, print.as_bytes());
        let kid = URL_SAFE_NO_PAD.encode(digest);
        let jwks = json!({"keys": [{
            "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "alg": "ES256", "use": "sig",
        }]})
        .to_string();
        let key = read_set(jwks.as_bytes()).ok()?.pop()?;
        Some(Self { pair, kid, jwks, key })
    }

    /// Its public half, as served at `/.well-known/jwks.json`.
    pub fn jwks(&self) -> &str {
        &self.jwks
    }

    /// Its public half.
    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// Signs a token for a caller of the model; `now` is in seconds since 1970.
    ///
    /// # Errors
    /// A sentence for people: the model has no such actor or role, or the tenant or subject is
    /// not one.
    pub fn issue(&self, domain: &Domain, wanted: &Wanted<'_>, now: i64) -> Result<String, String> {
        check_caller(domain, wanted)?;
        let mut claims = Map::new();
        let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        put("iss", ISSUER.into());
        put("aud", domain.system.as_str().into());
        put("sub", wanted.subject.unwrap_or(wanted.actor).into());
        put("actor", wanted.actor.into());
        if !wanted.roles.is_empty() {
            put("roles", wanted.roles.to_vec().into());
        }
        if let (Some(tenant), Some(tenancy)) = (wanted.tenant, &domain.tenancy) {
            put(&tenancy.claim, tenant.into());
        }
        put("iat", now.into());
        put("exp", now.saturating_add(wanted.ttl_s).into());
        Ok(self.sign(&Value::Object(claims)))
    }

    /// Signs claims as they are.
    pub(super) fn sign(&self, claims: &Value) -> String {
        let header = json!({"alg": Algorithm::ES256.name(), "typ": "at+jwt", "kid": self.kid});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(claims));
        let signed = self.pair.sign(&SystemRandom::new(), message.as_bytes());
        let signed = signed.expect("the system gives random bytes");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signed))
    }
}

fn check_caller(domain: &Domain, wanted: &Wanted<'_>) -> Result<(), String> {
    let names = |names: Vec<&str>| format!("`{}`", names.join("`, `"));
    let roles = match domain.actors.iter().find(|actor| actor.name == wanted.actor) {
        Some(actor) => actor.roles.as_slice(),
        None if wanted.actor == SYSTEM => &[],
        None => {
            let known = domain.actors.iter().map(|actor| actor.name.as_str()).chain([SYSTEM]);
            let known = names(known.collect());
            return Err(format!("unknown actor `{}`; there are {known}", wanted.actor));
        }
    };
    if let Some(role) = wanted.roles.iter().find(|role| !roles.contains(role)) {
        let known = match roles.is_empty() {
            true => "none".to_owned(),
            false => names(roles.iter().map(String::as_str).collect()),
        };
        return Err(format!("actor `{}` has no role `{role}`; there are {known}", wanted.actor));
    }
    if let Some(tenant) = wanted.tenant {
        if domain.tenancy.is_none() {
            return Err("the model has no tenancy, so a token names no tenant".to_owned());
        }
        super::tenant::check_name(tenant)?;
    }
    match wanted.subject.is_none_or(sound_subject) {
        true => Ok(()),
        false => Err("a subject is text of 1 to 255 characters without control characters".into()),
    }
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
    format!("{BEGIN}\n{}\n{END}\n", lines.join("\n"))
}
