//! A request as the backend sees it: read whole, within the limits, with its client known.

use crate::telemetry::trace::TraceContext;
use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Uri};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// One request. The body has been read: its length is under the limit, and its framing is sound.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method. HEAD comes as HEAD: answer as for GET, the server drops the body.
    pub method: Method,
    /// Path and query, still percent-encoded, at most `target_bytes_max` long.
    pub uri: Uri,
    /// Headers. Entity tags in `If-Match` and `If-None-Match` come without the suffix that
    /// compression adds, so they can be compared with what the backend sent.
    pub headers: HeaderMap,
    /// The body, decoded from chunks; empty where there is none.
    pub body: Bytes,
    /// Address of the client: of the peer, or as a trusted proxy tells it.
    pub client: IpAddr,
    /// True where the client came over TLS, here or at a trusted proxy.
    pub secure: bool,
    /// The host asked for, without port, as sent; see [`Request::host`].
    pub host: Option<HeaderValue>,
    /// The trace it belongs to; `trace.trace_id` is the `trace_id` of a problem.
    pub trace: TraceContext,
    /// When its head had been read.
    pub received: Instant,
    /// When the answer is of no use any more: `X-Request-Timeout` under the server's cap. The
    /// server drops the call and answers 504 then; start no work after it.
    pub deadline: Instant,
    /// What [`Service::turn_away`](super::Service::turn_away) found out.
    pub known: Extensions,
}

impl Request {
    /// A request for tests and for calls inside the process.
    pub fn new(method: Method, uri: Uri) -> Self {
        let received = Instant::now();
        Self {
            method,
            uri,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            client: IpAddr::from([127, 0, 0, 1]),
            secure: false,
            host: None,
            trace: TraceContext::root(),
            received,
            deadline: received + Duration::from_secs(30),
            known: Extensions::new(),
        }
    }

    /// The path, percent-encoded, beginning with `/`.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The query without `?`, percent-encoded.
    pub fn query(&self) -> Option<&str> {
        self.uri.query()
    }

    /// A header as text; `None` where it is absent, repeated or not visible ASCII.
    pub fn header(&self, name: impl Into<HeaderName>) -> Option<&str> {
        let mut values = self.headers.get_all(name.into()).iter();
        let first = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(first)
    }

    /// The host asked for, without port, in the case it was sent in.
    pub fn host(&self) -> Option<&str> {
        self.host.as_ref().and_then(|host| host.to_str().ok())
    }

    /// What is left until the deadline; zero where it has passed.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}
