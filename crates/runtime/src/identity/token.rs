//! JSON Web Tokens (RFC 7519) as access tokens, checked as RFC 8725 and RFC 9068 ask: algorithm
//! and keys come from the configuration, never from the token.

use super::jwk::{Algorithm, Key};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Bytes of a token at most.
pub const TOKEN_BYTES_MAX: usize = 8 << 10;
/// Seconds that clocks may differ at most.
pub const SKEW_S_MAX: i64 = 60;
/// Characters of a subject at most (OpenID Connect Core, section 2).
pub const SUBJECT_CHARS_MAX: usize = 255;

/// Why a token is not taken: a sentence for who sent it.
pub type Denial = &'static str;

/// A token that was read and not checked. Nothing in it may be trusted.
#[derive(Debug)]
pub struct Unchecked<'a> {
    /// The algorithm it claims.
    pub algorithm: Algorithm,
    /// The key it claims.
    pub kid: Option<String>,
    /// The issuer it claims.
    pub issuer: String,
    message: &'a str,
    signed: Vec<u8>,
    claims: Map<String, Value>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    crit: Option<Value>,
}

/// What a token must be.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Its issuer, exactly.
    pub issuer: String,
    /// One of these is among its audiences.
    pub audiences: Vec<String>,
    /// One of these signed it.
    pub algorithms: Vec<Algorithm>,
    /// Seconds that clocks may differ; at most [`SKEW_S_MAX`].
    pub skew_s: i64,
}

/// The claims of a token that was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// Who it is about.
    pub subject: String,
    /// Seconds since 1970 after which it is worth nothing, skew included.
    pub expires: i64,
    /// All of them.
    pub all: Map<String, Value>,
}

/// Reads a compact token (`header.claims.signature`).
///
/// # Errors
/// It is not a token, is too long, or claims an algorithm or extension that is not known here.
pub fn read(token: &str) -> Result<Unchecked<'_>, Denial> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err("the token is too long");
    }
    let (message, signature) = token.rsplit_once('.').ok_or("the token is malformed")?;
    let (header, claims) = message.split_once('.').ok_or("the token is malformed")?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| "the token is malformed");
    let header: Header =
        serde_json::from_slice(&decode(header)?).map_err(|_| "the token is malformed")?;
    if header.crit.is_some() {
        return Err("the token uses an extension that is not known");
    }
    let kind = header.typ.as_deref().map(|kind| kind.strip_prefix("application/").unwrap_or(kind));
    // Some providers name no type; one that is named must be that of an access token.
    if !kind.is_none_or(|kind| ["at+jwt", "jwt"].iter().any(|own| kind.eq_ignore_ascii_case(own))) {
        return Err("the token is not an access token");
    }
    let algorithm = header.alg.parse().map_err(|_| "the token's algorithm is not taken")?;
    let claims: Map<String, Value> =
        serde_json::from_slice(&decode(claims)?).map_err(|_| "the token is malformed")?;
    let issuer = claims.get("iss").and_then(Value::as_str).ok_or("the token names no issuer")?;
    Ok(Unchecked {
        algorithm,
        kid: header.kid,
        issuer: issuer.to_owned(),
        message,
        signed: decode(signature)?,
        claims,
    })
}

impl Unchecked<'_> {
    /// Checks signature and claims; `now` is in seconds since 1970.
    ///
    /// # Errors
    /// What does not hold. The signature is looked at first: of a forged token nothing is told.
    pub fn check(self, keys: &[&Key], rules: &Rules, now: i64) -> Result<Claims, Denial> {
        if !rules.algorithms.contains(&self.algorithm) {
            return Err("the token's algorithm is not taken");
        }
        let mut fitting = keys.iter().filter(|key| key.fits(self.algorithm));
        if !fitting.any(|key| key.verifies(self.algorithm, self.message.as_bytes(), &self.signed)) {
            return Err("the token's signature is not valid");
        }
        if self.issuer != rules.issuer {
            return Err("the token is of another issuer");
        }
        if !audiences(&self.claims)
            .any(|audience| rules.audiences.iter().any(|own| own == audience))
        {
            return Err("the token is for another audience");
        }
        let skew = rules.skew_s.clamp(0, SKEW_S_MAX);
        let expires = time(&self.claims, "exp")?.ok_or("the token never expires")?;
        if now >= expires.saturating_add(skew) {
            return Err("the token has expired");
        }
        if time(&self.claims, "nbf")?.is_some_and(|begin| now < begin.saturating_sub(skew)) {
            return Err("the token is not valid yet");
        }
        let subject = self.claims.get("sub").and_then(Value::as_str).unwrap_or_default();
        if !sound_subject(subject) {
            return Err("the token's subject is missing or malformed");
        }
        let subject = subject.to_owned();
        Ok(Claims { subject, expires: expires.saturating_add(skew), all: self.claims })
    }
}

/// A subject is text of 1 to 255 characters without control characters.
pub fn sound_subject(subject: &str) -> bool {
    !subject.is_empty()
        && subject.chars().count() <= SUBJECT_CHARS_MAX
        && !subject.chars().any(char::is_control)
}

fn audiences(claims: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let audience = claims.get("aud");
    let one = audience.and_then(Value::as_str);
    let many = audience.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    one.into_iter().chain(many)
}

/// A NumericDate: seconds since 1970, a fraction is cut off.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, Denial> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_i64().or_else(|| {
        let seconds = value.as_f64()?;
        // 2^53: beyond that a float holds no whole seconds.
        (seconds.abs() < 9e15).then_some(seconds as i64)
    });
    seconds.map(Some).ok_or("a time in the token is not a number")
}

/// The value of a claim by name, or by path (`realm_access.roles`) where no claim has that name.
/// One that is null is not there.
pub fn claim<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let by_path = || {
        let mut parts = name.split('.');
        let first = claims.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    };
    claims.get(name).or_else(by_path).filter(|value| !value.is_null())
}

/// The texts of a claim: a list of texts, or words in one text.
pub fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => text.split_ascii_whitespace().collect(),
        Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}
