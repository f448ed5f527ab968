//! What a message means: a request of HTTP, with its deadline and its key.

use crate::http::door::{Answered, Relayed};
use crate::json::write::hex;
use crate::ports::broker::{Answer, Asked};
use crate::problem::{MEDIA_TYPE, Problem, kinds};
use crate::telemetry::trace::TraceContext;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use std::time::{Duration, Instant};

/// A request that names no deadline may wait and work for so long, from when it was sent.
pub const DEADLINE_DEFAULT: Duration = Duration::from_secs(60);
/// A deadline is not later than so long after a request was sent: idempotency keys are remembered
/// for a day.
pub const DEADLINE_MAX: Duration = Duration::from_secs(24 * 3_600);

/// Fields with a meaning of their own; all others are fields of HTTP's header.
const METHOD: &str = "method";
const PATH: &str = "path";
const DEADLINE: &str = "deadline";
const TIMEOUT: &str = "timeout";
/// The field that tells how a request ended.
const STATUS: &str = "status";
const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// How messages are read.
pub(super) struct Meaning {
    /// The broker delivers again what was not settled.
    pub(super) keeps: bool,
    /// Microseconds since 1970.
    pub(super) now: i64,
    /// The kind of the broker.
    pub(super) by: &'static str,
}

impl Meaning {
    /// The request that a message is. Its fields and body are taken out of it.
    ///
    /// # Errors
    /// 400 where it can't be read as one, or is a write that may come twice and has no key.
    pub(super) fn of(&self, asked: &mut Asked) -> Result<Relayed, Problem> {
        let left = self.left(asked)?;
        let (mut method, mut uri, mut headers) = (None, None, HeaderMap::new());
        for (name, value) in std::mem::take(&mut asked.fields) {
            match name.as_str() {
                METHOD => method = Some(read_method(&value)?),
                PATH => uri = Some(read_path(&value)?),
                DEADLINE | TIMEOUT => {}
                _ => {
                    // What no header can be called is nothing that a request has.
                    let Ok(name) = HeaderName::try_from(name) else { continue };
                    let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| {
                        malformed(format!("the value of `{name}` can be no header's"))
                    })?;
                    headers.append(name, value);
                }
            }
        }
        let missing = |name: &str| malformed(format!("the message has no field `{name}`"));
        let method = method.ok_or_else(|| missing(METHOD))?;
        let uri = uri.ok_or_else(|| missing(PATH))?;
        if self.keeps && !method.is_safe() && !headers.contains_key(&KEY) {
            headers.insert(KEY, key_of(asked)?);
        }
        let body = std::mem::take(&mut asked.body);
        let deadline = Some(Instant::now() + left);
        Ok(Relayed { method, uri, headers, body, deadline, by: self.by })
    }

    /// How long there is until the deadline; zero where it has passed.
    fn left(&self, asked: &Asked) -> Result<Duration, Problem> {
        let sent = asked.sent.unwrap_or(self.now);
        let after = |long: Duration| {
            sent.saturating_add(i64::try_from(long.as_micros()).unwrap_or(i64::MAX))
        };
        let field = |name: &str| asked.fields.iter().find(|(known, _)| known == name);
        let invalid = |name: &str, wanted: &str| {
            Problem::new(kinds::INVALID_PARAMETER).header_fault(name, wanted)
        };
        let mut named = Vec::new();
        if let Some((name, value)) = field(DEADLINE) {
            let at: jiff::Timestamp = value.trim().parse().map_err(|_| {
                invalid(name, "must be an instant of RFC 3339, as `2026-01-02T03:04:05Z`")
            })?;
            named.push(at.as_microsecond());
        }
        if let Some((name, value)) = field(TIMEOUT) {
            let long = value.trim().parse().map(Duration::from_millis);
            named.push(after(long.map_err(|_| invalid(name, "must be milliseconds"))?));
        }
        named.extend(asked.kept.map(after));
        let deadline = named.into_iter().min().unwrap_or_else(|| after(DEADLINE_DEFAULT));
        let left = deadline.min(after(DEADLINE_MAX)).saturating_sub(self.now);
        Ok(Duration::from_micros(u64::try_from(left).unwrap_or(0)))
    }
}

fn malformed(why: impl Into<String>) -> Problem {
    Problem::new(kinds::MALFORMED_REQUEST).detail(why.into())
}

fn read_method(text: &str) -> Result<Method, Problem> {
    let method = Method::from_bytes(text.trim().as_bytes());
    method.map_err(|_| malformed(format!("`{METHOD}` is no method of HTTP")))
}

fn read_path(text: &str) -> Result<Uri, Problem> {
    let path = text.trim();
    let uri = path.starts_with('/').then(|| path.parse::<Uri>().ok()).flatten();
    uri.ok_or_else(|| malformed(format!("`{PATH}` is no path with query, as `/v1/orders?limit=5`")))
}

/// A write may be delivered twice: what its repetitions have in common with it is its key.
fn key_of(asked: &Asked) -> Result<HeaderValue, Problem> {
    let Some(id) = &asked.id else {
        return Err(Problem::new(kinds::KEY_REQUIRED)
            .detail("a write that may be delivered twice needs a key, or an id of the message")
            .header_fault("Idempotency-Key", "is required"));
    };
    let mut key = b"message-".to_vec();
    hex(&mut key, ring::digest::digest(&ring::digest::SHA256, id.as_bytes()).as_ref());
    HeaderValue::try_from(key).map_err(|_| Problem::new(kinds::INTERNAL))
}

/// The answer that is a problem.
pub(super) fn refusal(problem: &Problem) -> Answered {
    let trace = TraceContext::root();
    let mut headers: HeaderMap = problem.headers.iter().cloned().collect();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let body = problem.to_json(trace.trace_id);
    Answered { status: problem.status(), headers, body }
}

/// An answer as it is sent.
pub(super) fn written(answered: &Answered) -> Answer {
    let mut fields = vec![(STATUS.to_owned(), answered.status.as_str().to_owned())];
    for (name, value) in &answered.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        fields.push((name.as_str().to_owned(), value));
    }
    Answer { fields, body: answered.body.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::broker::{NotPublished, Settle};
    use bytes::Bytes;
    use futures::future::BoxFuture;

    /// Seconds since 1970 at which everything here happens.
    const NOW: i64 = 1_767_323_045;

    struct Nowhere;

    impl Settle for Nowhere {
        fn settle<'a>(
            &'a mut self,
            _answer: Option<&'a Answer>,
        ) -> BoxFuture<'a, Result<(), NotPublished>> {
            Box::pin(async { Ok(()) })
        }
    }

    fn asked(fields: &[(&str, &str)]) -> Asked {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Asked {
            fields: fields.iter().map(own).collect(),
            body: Bytes::new(),
            id: None,
            sent: None,
            kept: None,
            deliveries: 1,
            reply_to: None,
            settle: Box::new(Nowhere),
        }
    }

    fn meaning(keeps: bool) -> Meaning {
        Meaning { keeps, now: NOW * 1_000_000, by: "tests" }
    }

    fn left(change: impl FnOnce(&mut Asked), fields: &[(&str, &str)]) -> u64 {
        let mut asked = asked(fields);
        change(&mut asked);
        meaning(true).left(&asked).expect("it can be read").as_secs()
    }

    fn refused(keeps: bool, mut asked: Asked) -> &'static str {
        let refused = meaning(keeps).of(&mut asked).err();
        refused.map_or("", |problem| problem.kind.slug)
    }

    const ORDER: [(&str, &str); 2] = [("method", "POST"), ("path", "/v1/orders?a=b")];

    #[test]
    fn the_least_of_what_is_said_of_a_deadline_holds() {
        let sent = |asked: &mut Asked| asked.sent = Some((NOW - 10) * 1_000_000);
        assert_eq!(left(|_| {}, &[]), DEADLINE_DEFAULT.as_secs());
        assert_eq!(left(sent, &[]), DEADLINE_DEFAULT.as_secs() - 10);
        assert_eq!(left(sent, &[("timeout", "15000")]), 5);
        assert_eq!(left(sent, &[("timeout", "9000")]), 0, "it has passed");
        let at = [("deadline", "2026-01-02T04:04:10+01:00")];
        assert_eq!(left(|_| {}, &at), 5);
        assert_eq!(left(|asked| asked.kept = Some(Duration::from_secs(3)), &at), 3);
        assert_eq!(left(sent, &[("deadline", "2027-01-01T00:00:00Z")]), 24 * 3_600 - 10);
        for fields in [[("deadline", "1767323050")], [("timeout", "-1")]] {
            assert_eq!(refused(true, asked(&fields)), "invalid-parameter");
        }
    }

    #[test]
    fn a_write_that_may_come_twice_is_done_under_the_id_of_its_message() {
        assert_eq!(refused(true, asked(&ORDER)), "key-required");
        assert_eq!(refused(false, asked(&ORDER)), "", "it comes once");
        assert_eq!(refused(true, asked(&[("method", "GET"), ORDER[1]])), "");
        let key = |id: &str, fields: &[(&str, &str)]| {
            let mut asked = Asked { id: Some(id.into()), ..asked(fields) };
            let relayed = meaning(true).of(&mut asked).expect("it can be read");
            relayed.headers[&KEY].to_str().expect("text").to_owned()
        };
        assert_eq!(key("a \u{e9}", &ORDER), key("a \u{e9}", &ORDER));
        assert_ne!(key("a", &ORDER), key("b", &ORDER));
        assert_eq!(key("a", &ORDER).len(), "message-".len() + 64);
        let named = [ORDER[0], ORDER[1], ("idempotency-key", "own")];
        assert_eq!(key("a", &named), "own");
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for fields in [
            &[("path", "/v1/orders")][..],
            &[("method", "GET")],
            &[("method", "G T"), ("path", "/")],
            &[("method", "GET"), ("path", "v1/orders")],
            &[("method", "GET"), ("path", "https://elsewhere/v1")],
            &[("method", "GET"), ("path", "/a b")],
            &[("method", "GET"), ("path", "/"), ("accept", "a\r\nb: c")],
        ] {
            assert_eq!(refused(false, asked(fields)), "malformed-request", "{fields:?}");
        }
        let mut odd = asked(&[ORDER[0], ORDER[1], ("accept", "a"), ("no header", "b")]);
        let relayed = meaning(false).of(&mut odd).expect("it can be read");
        assert_eq!(relayed.uri.query(), Some("a=b"));
        assert_eq!(relayed.headers.len(), 1);
    }
}
