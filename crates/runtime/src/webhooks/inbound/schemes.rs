//! Signatures that stand in headers of their own: Standard Webhooks, Stripe, GitHub.

use super::{Algorithm, Clock, Proof, Refused, SIGNATURES_MAX, SenderKey, signed};
use crate::http::Request;
use crate::webhooks::signature::content;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A header that stands there once.
pub(super) fn header<'r>(request: &'r Request, name: &'static str) -> Result<&'r str, Refused> {
    if !request.headers.contains_key(name) {
        return Err(Refused::Missing(name));
    }
    let once = || Refused::Malformed(format!("`{name}` must stand there once, in ASCII"));
    request.header(http::HeaderName::from_static(name)).ok_or_else(once)
}

fn seconds(text: &str, name: &str) -> Result<i64, Refused> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let read = text.parse().ok().filter(|_| digits);
    read.ok_or_else(|| Refused::Malformed(format!("`{name}` must be seconds since 1970")))
}

/// True where one of several signatures is good; those beyond the bound are not looked at.
fn any<'t>(
    mut signatures: impl Iterator<Item = &'t str>,
    is: impl Fn(&str) -> bool,
) -> Result<Proof, Refused> {
    let good = signatures.by_ref().take(SIGNATURES_MAX).any(is);
    if good { Ok(Proof::default()) } else { Err(Refused::Signature) }
}

/// Standard Webhooks 1.0: `webhook-signature` holds signatures of `id.timestamp.body`.
pub(super) fn standard(
    keys: &[SenderKey],
    request: &Request,
    clock: Clock,
) -> Result<Proof, Refused> {
    let id = header(request, "webhook-id")?;
    let told = header(request, "webhook-timestamp")?;
    let time = seconds(told, "webhook-timestamp")?;
    let content = content(id, told, &request.body);
    let proof = any(header(request, "webhook-signature")?.split(' '), |one| {
        let (algorithm, base64) = match one.split_once(',') {
            Some(("v1", base64)) => (Algorithm::Hmac, base64),
            Some(("v1a", base64)) => (Algorithm::Ed25519, base64),
            _ => return false,
        };
        STANDARD.decode(base64).is_ok_and(|bytes| signed(keys, algorithm, &content, &bytes))
    })?;
    clock.check(time).map(|()| proof)
}

/// Stripe: `t=…,v1=…` with signatures of `t.body`; other versions are passed over.
pub(super) fn stripe(
    keys: &[SenderKey],
    request: &Request,
    clock: Clock,
) -> Result<Proof, Refused> {
    let told = header(request, "stripe-signature")?;
    let parts = || told.split(',').filter_map(|part| part.trim().split_once('='));
    let time = parts().find(|(name, _)| *name == "t").map_or("", |(_, time)| time);
    let mut content = format!("{time}.").into_bytes();
    content.extend_from_slice(&request.body);
    let time = seconds(time, "Stripe-Signature: t")?;
    let all = parts().filter(|(name, _)| *name == "v1").map(|(_, hex)| hex);
    let proof = any(all, |hex| {
        bytes(hex).is_some_and(|bytes| signed(keys, Algorithm::Hmac, &content, &bytes))
    })?;
    clock.check(time).map(|()| proof)
}

/// GitHub: `sha256=…`, the signature of the body.
pub(super) fn github(keys: &[SenderKey], request: &Request) -> Result<Proof, Refused> {
    let told = header(request, "x-hub-signature-256")?;
    any(told.strip_prefix("sha256=").into_iter(), |hex| {
        bytes(hex).is_some_and(|bytes| signed(keys, Algorithm::Hmac, &request.body, &bytes))
    })
}

/// Bytes of hexadecimal digits.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    if !hex.len().is_multiple_of(2) || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = (0..hex.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect()
}
