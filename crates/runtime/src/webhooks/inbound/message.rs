//! HTTP Message Signatures (RFC 9421) with `hmac-sha256` and `ed25519`, over a Content-Digest
//! (RFC 9530) that covers the body.
//!
//! A signature counts where it covers `content-digest`, says when it was made, and every part that
//! it covers is known here: derived parts of the request, and headers as they came. The key decides
//! the algorithm; `alg` may repeat it. `keyid` is not looked at, for each key is tried.

use super::{Algorithm, Clock, Proof, Refused, SIGNATURES_MAX, SenderKey};
use crate::http::Request;
use ring::digest;
use sfv::{BareItem, Dictionary, FieldType as _, InnerList, ListEntry, Parser};

/// Parts that a signature covers at most.
const COMPONENTS_MAX: usize = 32;

/// Verifies a delivery.
pub(super) fn verify(
    keys: &[SenderKey],
    request: &Request,
    clock: Clock,
) -> Result<Proof, Refused> {
    let inputs = dictionary(request, "signature-input")?;
    let signatures = dictionary(request, "signature")?;
    let mut why = Refused::Signature;
    for (label, input) in inputs.iter().take(SIGNATURES_MAX) {
        let ListEntry::InnerList(input) = input else { continue };
        let Some(signature) = signatures.get(label.as_str()).and_then(bytes_of) else { continue };
        match one(keys, request, clock, (input, signature)) {
            Ok(proof) => return digest_of_body(request).map(|()| proof),
            // What comes nearest to a good one is told.
            Err(Refused::Signature) => {}
            Err(refused) => why = refused,
        }
    }
    Err(why)
}

fn one(
    keys: &[SenderKey],
    request: &Request,
    clock: Clock,
    (input, signature): (&InnerList, &[u8]),
) -> Result<Proof, Refused> {
    let seconds = |name: &str| input.params.get(name).and_then(BareItem::as_integer).map(i64::from);
    let Some(created) = seconds("created") else {
        return Err(Refused::Malformed("a signature must say when it was `created`".to_owned()));
    };
    let covered = components(input)?;
    if !covered.iter().any(|name| name == "content-digest") {
        let why = "a signature must cover `content-digest`";
        return Err(Refused::Malformed(why.to_owned()));
    }
    let base = base(request, input, &covered)?;
    let named = input.params.get("alg").map(|alg| alg.as_string().map(|alg| alg.as_str()));
    let fits = |key: &&SenderKey| match named {
        None => true,
        Some(named) => named == Some(name_of(key.algorithm())),
    };
    let mut keys = keys.iter().filter(fits);
    if !keys.any(|key| key.verifies(key.algorithm(), base.as_bytes(), signature)) {
        return Err(Refused::Signature);
    }
    clock.check(created)?;
    if seconds("expires").is_some_and(|expires| expires < clock.now) {
        return Err(Refused::Time);
    }
    Ok(Proof { covered })
}

fn name_of(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Hmac => "hmac-sha256",
        Algorithm::Ed25519 => "ed25519",
    }
}

/// A dictionary of RFC 9651, over all lines of a header.
pub(super) fn dictionary(request: &Request, name: &'static str) -> Result<Dictionary, Refused> {
    if !request.headers.contains_key(name) {
        return Err(Refused::Missing(name));
    }
    let wrong = || Refused::Malformed(format!("`{name}` is no dictionary of RFC 9651"));
    let text = lines(request, name).ok_or_else(wrong)?;
    Parser::new(&text).parse::<Dictionary>().map_err(|_| wrong())
}

/// All lines of a header as one, as they are signed.
fn lines(request: &Request, name: &str) -> Option<String> {
    let mut found = Vec::new();
    for value in request.headers.get_all(name) {
        found.push(value.to_str().ok()?.trim().to_owned());
    }
    (!found.is_empty()).then(|| found.join(", "))
}

pub(super) fn bytes_of(entry: &ListEntry) -> Option<&[u8]> {
    match entry {
        ListEntry::Item(item) => item.bare_item.as_byte_sequence(),
        ListEntry::InnerList(_) => None,
    }
}

/// The names of what is covered, each once and without parameters.
pub(super) fn components(input: &InnerList) -> Result<Vec<String>, Refused> {
    let wrong = |why: String| Refused::Malformed(format!("`signature-input`: {why}"));
    if input.items.len() > COMPONENTS_MAX {
        return Err(wrong(format!("covers more than {COMPONENTS_MAX} parts")));
    }
    let mut covered: Vec<String> = Vec::new();
    for item in &input.items {
        let name = item.bare_item.as_string().map(|name| name.as_str());
        let name = name.ok_or_else(|| wrong("parts are named by strings".to_owned()))?;
        if !item.params.is_empty() {
            return Err(wrong(format!("parameters of `{name}` are not taken here")));
        }
        if covered.iter().any(|other| other == name) {
            return Err(wrong(format!("`{name}` stands there twice")));
        }
        covered.push(name.to_owned());
    }
    Ok(covered)
}

/// The text that is signed.
pub(super) fn base(
    request: &Request,
    input: &InnerList,
    covered: &[String],
) -> Result<String, Refused> {
    let mut base = String::new();
    for name in covered {
        let value = component(request, name).ok_or_else(|| {
            Refused::Malformed(format!("`{name}` is signed, and not in what came"))
        })?;
        base.push_str(&format!("\"{name}\": {value}\n"));
    }
    let parameters = vec![ListEntry::InnerList(input.clone())].serialize().unwrap_or_default();
    base.push_str(&format!("\"@signature-params\": {parameters}"));
    Ok(base)
}

fn component(request: &Request, name: &str) -> Option<String> {
    let scheme = if request.secure { "https" } else { "http" };
    let target = || request.uri.path_and_query().map_or("/", |target| target.as_str());
    Some(match name {
        "@method" => request.method.as_str().to_owned(),
        "@scheme" => scheme.to_owned(),
        "@authority" => authority(request, scheme)?,
        "@target-uri" => format!("{scheme}://{}{}", authority(request, scheme)?, target()),
        "@request-target" => target().to_owned(),
        "@path" => request.path().to_owned(),
        "@query" => format!("?{}", request.query().unwrap_or_default()),
        name if name.starts_with('@') || name.bytes().any(|byte| byte.is_ascii_uppercase()) => {
            return None;
        }
        name => lines(request, name)?,
    })
}

/// The host and its port, where that is not the one of the scheme. Behind a proxy it is the host
/// that the proxy tells.
fn authority(request: &Request, scheme: &str) -> Option<String> {
    let host = request.host()?.to_ascii_lowercase();
    let named = request.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
    let named = named.or_else(|| request.uri.authority().map(|authority| authority.as_str()));
    let port = named.and_then(|named| {
        let (name, port) = named.rsplit_once(':')?;
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        (digits && name.eq_ignore_ascii_case(&host)).then_some(port)
    });
    let usual = if scheme == "https" { "443" } else { "80" };
    Some(match port.filter(|port| *port != usual) {
        Some(port) => format!("{host}:{port}"),
        None => host,
    })
}

/// Every digest that is known is that of the body, and one is.
fn digest_of_body(request: &Request) -> Result<(), Refused> {
    let told = dictionary(request, "content-digest")?;
    let mut known = 0;
    for (name, algorithm) in [("sha-256", &digest::SHA256), ("sha-512", &digest::SHA512)] {
        let Some(entry) = told.get(name) else { continue };
        let body = digest::digest(algorithm, &request.body);
        if bytes_of(entry) != Some(body.as_ref()) {
            return Err(Refused::Signature);
        }
        known += 1;
    }
    match known {
        0 => Err(Refused::Malformed("`content-digest` has no `sha-256` or `sha-512`".to_owned())),
        _ => Ok(()),
    }
}
