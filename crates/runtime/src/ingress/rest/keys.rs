//! Idempotency keys: one effect for all calls with one key.

use super::{Asked, caller_name};
use crate::engine::Failure;
use crate::http::Response;
use crate::identity::Who;
use crate::json::read::parse;
use crate::ports::store::StoredAnswer;
use crate::problem::{Problem, kinds};
use http::{HeaderName, HeaderValue, StatusCode, header};
use ring::digest::{Context, SHA256};

/// Characters of a key at most.
const KEY_CHARACTERS_MAX: usize = 255;
/// Seconds after which a call whose key is running may be tried again.
const RETRY_SECONDS: u64 = 1;

/// Bytes of a fingerprint that tell the request; the others tell the caller's roles.
const REQUEST_BYTES: usize = 16;

/// The key of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    /// Digest of tenant, principal, method, path and key.
    pub(super) scope: [u8; 32],
    /// Digest of body, query and `If-Match`, then of the caller's roles.
    pub(super) fingerprint: [u8; 32],
}

impl Asked<'_> {
    /// The key that came with the call.
    ///
    /// # Errors
    /// 400 where it cannot be read, or is missing where one is required.
    pub(super) fn key(&self, required: bool) -> Result<Option<Key>, Failure> {
        let mut given = self.request.headers.get_all("idempotency-key").iter();
        let (first, second) = (given.next(), given.next());
        let Some(first) = first else {
            if required {
                let problem = Problem::new(kinds::KEY_REQUIRED);
                return Err(Box::new(problem.header_fault("Idempotency-Key", "is required")));
            }
            return Ok(None);
        };
        let key = first.to_str().ok().and_then(read_key).filter(|_| second.is_none());
        let key = key.ok_or_else(|| {
            let detail = format!(
                "must be one text of 1 to {KEY_CHARACTERS_MAX} visible ASCII characters, bare or \
                 in quotes"
            );
            let problem = Problem::new(kinds::INVALID_PARAMETER);
            Box::new(problem.header_fault("Idempotency-Key", detail))
        })?;
        Ok(Some(Key { scope: self.scope(&key), fingerprint: self.fingerprint() }))
    }

    fn scope(&self, key: &str) -> [u8; 32] {
        let client = match self.call.principal {
            Some(_) => String::new(),
            // Callers without token have no name: their addresses keep them apart.
            None => self.request.client.to_string(),
        };
        digest(&[
            self.call.tenant.as_deref().unwrap_or_default().as_bytes(),
            caller_name(self.call).as_bytes(),
            client.as_bytes(),
            self.request.method.as_str().as_bytes(),
            self.request.path().to_ascii_lowercase().as_bytes(),
            key.as_bytes(),
        ])
    }

    fn fingerprint(&self) -> [u8; 32] {
        let body = &self.request.body;
        let canonical = parse(body).map(|mut json| {
            let mut text = Vec::with_capacity(body.len());
            json.sort();
            json.write(&mut text);
            text
        });
        let if_match = self.request.headers.get(header::IF_MATCH);
        let mut fingerprint = digest(&[
            canonical.as_deref().unwrap_or(body),
            self.request.query().unwrap_or_default().as_bytes(),
            if_match.map(HeaderValue::as_bytes).unwrap_or_default(),
        ]);
        let roles = digest(&self.roles());
        fingerprint[REQUEST_BYTES..].copy_from_slice(&roles[REQUEST_BYTES..]);
        fingerprint
    }

    /// Names of the caller's roles: they decide what an answer shows.
    pub(super) fn roles(&self) -> Vec<&[u8]> {
        let Some(principal) = &self.call.principal else { return Vec::new() };
        let Who::Actor(actor) = principal.who else { return Vec::new() };
        let names = &self.live.engine.plan.domain.actors[actor.index()].roles;
        let mut roles: Vec<&[u8]> = principal
            .roles
            .iter()
            .filter_map(|role| Some(names.get(usize::from(*role))?.as_bytes()))
            .collect();
        roles.sort_unstable();
        roles
    }

    /// The stored answer again, if it answered the same request.
    ///
    /// # Errors
    /// 422 where the key came with another one, or the caller's roles are others by now: the
    /// answer may show what they may not see.
    pub(super) fn replay(&self, key: &Key, stored: StoredAnswer) -> Result<Response, Failure> {
        if stored.fingerprint[..REQUEST_BYTES] != key.fingerprint[..REQUEST_BYTES] {
            return Err(crate::engine::problem(kinds::KEY_REUSED));
        }
        if stored.fingerprint != key.fingerprint {
            let detail = "the call with this key was answered when the caller had other roles: it \
                          is done, and its answer is not shown again";
            return Err(Box::new(Problem::new(kinds::KEY_REUSED).detail(detail)));
        }
        let status = StatusCode::from_u16(stored.status).unwrap_or(StatusCode::OK);
        let mut response = Response::new(status);
        if !stored.body.is_empty() {
            response = Response::json(status, stored.body);
        }
        for (name, value) in stored.headers {
            if let Ok(name) = HeaderName::try_from(name) {
                response = response.header(name, &value);
            }
        }
        let replayed = HeaderName::from_static("idempotent-replayed");
        Ok(response.header(replayed, "true").header(EXPIRES, &expiry(stored.expires)))
    }

    /// The answer as it is kept.
    pub(super) fn keep(&self, key: &Key, answer: &Response, body: &[u8]) -> StoredAnswer {
        let seconds = self.live.engine.plan.settings.idempotency_seconds;
        let headers = answer.headers.iter().filter(|(name, _)| *name != header::CONTENT_TYPE);
        StoredAnswer {
            scope: key.scope,
            fingerprint: key.fingerprint,
            status: answer.status.as_u16(),
            headers: headers
                .filter_map(|(name, value)| {
                    Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
                })
                .collect(),
            body: body.to_vec(),
            expires: self.call.bindings.now.saturating_add((seconds * 1e6) as i64),
        }
    }
}

/// When the key is forgotten.
pub(super) const EXPIRES: HeaderName = HeaderName::from_static("idempotency-expires");

/// An instant as HTTP writes it (RFC 9110, 5.6.7).
pub(super) fn expiry(micros: i64) -> String {
    let instant = jiff::Timestamp::from_microsecond(micros).unwrap_or_default();
    let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
    printer.timestamp_to_rfc9110_string(&instant).unwrap_or_default()
}

/// The call whose key is running.
pub(super) fn running() -> Failure {
    Box::new(Problem::new(kinds::KEY_RUNNING).retry_after(RETRY_SECONDS))
}

/// A key: bare visible ASCII, or a structured-field string (RFC 8941).
fn read_key(text: &str) -> Option<String> {
    let text = text.trim();
    let key = match text.strip_prefix('"') {
        Some(rest) => {
            let inner = rest.strip_suffix('"')?;
            let mut key = String::with_capacity(inner.len());
            let mut letters = inner.chars();
            while let Some(letter) = letters.next() {
                match letter {
                    '"' => return None,
                    '\\' => key.push(letters.next().filter(|next| matches!(next, '"' | '\\'))?),
                    ' '..='~' => key.push(letter),
                    _ => return None,
                }
            }
            key
        }
        None => {
            let visible = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
            text.bytes().all(visible).then(|| text.to_owned())?
        }
    };
    (1..=KEY_CHARACTERS_MAX).contains(&key.len()).then_some(key)
}

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_bare_or_quoted() {
        let read = |text: &str| read_key(text).unwrap_or_else(|| "refused".to_owned());
        assert_eq!(read("abc-1"), "abc-1");
        assert_eq!(read("\"abc 1\\\"\""), "abc 1\"");
        for broken in ["", "\"\"", "a b", "\"a", "a\"", "\"a\"b\"", "é", "\\", "\"\\x\""] {
            assert_eq!(read(broken), "refused", "{broken}");
        }
        assert_eq!(read(&"k".repeat(255)).len(), 255);
        assert_eq!(read(&"k".repeat(256)), "refused");
    }

    #[test]
    fn instants_are_written_as_http_writes_them() {
        assert_eq!(expiry(784_111_777_000_000), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
