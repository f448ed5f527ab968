//! What is done to every request, whatever it asks for.
//!
//! The order, and why: the trace first, so that whatever fails is named by it; then the limits,
//! which cost nothing; probes before everything that may refuse, for a balancer calls by address;
//! host and client, which the rest looks at; preflight, which carries no token; the deadline before
//! anything waits; where there is a body, what its head decides, for which the service is asked,
//! and then the body; the service. On the way out:
//! the problem is written, the body compressed, headers added, and last it is counted and logged,
//! with what was really sent.

mod door;
mod intake;
mod out;

pub(crate) use door::{Answered, Relayed};

use super::bodies::Bodies;
use super::body::{Channel, WireBody};
use super::compression::{self, Coding};
use super::config::{Limits, Operator, ServerConfig};
use super::forwarded::Origin;
use super::health::Health;
use crate::http::{Request, Response, Service};
use crate::problem::{Problem, kinds};
use crate::telemetry::logs::Log;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::trace::{TraceContext, TraceId};
use bytes::Bytes;
use futures::FutureExt;
use http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, HOST, HeaderName, HeaderValue, ORIGIN, WWW_AUTHENTICATE,
};
use http::{Method, StatusCode, Version, request};
use hyper::body::{Body, Incoming};
use intake::Intake;
use std::io;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const REQUEST_TIMEOUT: HeaderName = HeaderName::from_static("x-request-timeout");
const ENVOY_TIMEOUT: HeaderName = HeaderName::from_static("x-envoy-expected-rq-timeout-ms");

/// A client that keeps a connection asks again at once, or has just opened it: it is answered, and
/// told that the connection ends, where it begins to ask in this time.
const PARTING: Duration = Duration::from_millis(500);
/// Between two lines about connections that could not be accepted.
const ACCEPT_FAULT_EVERY: Duration = Duration::from_secs(10);

/// Where the keys of the development key are.
const JWKS: &str = "/.well-known/jwks.json";
/// The paths that are answered here: each is one of [`ir::contract::OWN_PATHS`].
pub(super) const EDGE_PATHS: [&str; 5] = ["/livez", "/readyz", "/startupz", "/metrics", JWKS];

/// What the server is given beside its configuration.
pub struct Surroundings {
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Probes.
    pub health: Arc<Health>,
    /// Where access lines go; nowhere without.
    pub log: Option<Log>,
    /// The JWKS of the development key, served at `/.well-known/jwks.json`.
    pub jwks: Option<Bytes>,
}

impl Default for Surroundings {
    fn default() -> Self {
        let health = Arc::new(Health::new(Vec::new()));
        Self { metrics: Arc::default(), health, log: None, jwks: None }
    }
}

/// The state that all connections share.
pub(super) struct Edge {
    pub(super) limits: Limits,
    config: ServerConfig,
    around: Surroundings,
    service: Arc<dyn Service>,
    leaving: AtomicBool,
    /// Requests at work: neither waiting for their body nor answered.
    working: AtomicUsize,
    bodies: Arc<Bodies>,
    /// Since when accepts that fail are not told again, and how many have failed since.
    accept_faults: Mutex<(Option<Instant>, u64)>,
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    pub(super) address: IpAddr,
    pub(super) secure: bool,
}

/// A request on its way through, before it is the backend's.
struct Arrival {
    head: request::Parts,
    trace: TraceContext,
    received: Instant,
    origin: Origin,
    /// The page that a browser calls for.
    page: Option<HeaderValue>,
    /// The coding that the client likes best.
    coding: Option<Coding>,
    /// The client holds a compressed representation.
    held: Option<Coding>,
    request_bytes: usize,
    /// The client asks before it sends its body.
    expects: bool,
    /// Some of the body is left, so that the connection cannot go on.
    unread: bool,
}

impl Edge {
    pub(super) fn new(
        config: ServerConfig,
        around: Surroundings,
        service: Arc<dyn Service>,
    ) -> Self {
        let limits = config.limits.clone();
        let bodies = Arc::new(Bodies::new(&limits));
        let (leaving, working) = (AtomicBool::new(false), AtomicUsize::new(0));
        let accept_faults = Mutex::default();
        Self { limits, config, around, service, leaving, working, bodies, accept_faults }
    }

    pub(super) fn metrics(&self) -> &Arc<Metrics> {
        &self.around.metrics
    }

    pub(super) fn health(&self) -> &Arc<Health> {
        &self.around.health
    }

    /// Makes ready what this thread has for itself.
    pub(super) async fn warm(&self) {
        self.service.warm().await;
    }

    /// What a connection that waits for its next request has to begin it, once the server stops.
    pub(super) fn parting(&self) -> Duration {
        PARTING.min(self.config.drain.grace / 2)
    }

    /// Says that a connection could not be accepted, not more than once in a while.
    pub(super) fn accept_fault(&self, error: &io::Error) {
        let mut faults = self.accept_faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.1 += 1;
        if faults.0.is_none_or(|told| told.elapsed() >= ACCEPT_FAULT_EVERY) {
            let count = faults.1;
            tracing::warn!("connections could not be accepted, {count} since last told: {error}");
            *faults = (Some(Instant::now()), 0);
        }
    }

    /// From now on connections are asked to end after their answer, and `/readyz` fails.
    pub(super) fn leave(&self) {
        self.leaving.store(true, Relaxed);
        self.around.health.leave();
    }

    /// Answers one request.
    pub(super) async fn answer(
        &self,
        peer: Peer,
        channel: &Channel,
        request: hyper::Request<Incoming>,
    ) -> hyper::Response<WireBody> {
        let received = Instant::now();
        let (mut head, body) = request.into_parts();
        let parent = head.headers.get(&TRACEPARENT).map(HeaderValue::as_bytes);
        let trace = TraceContext::continued(parent);
        let _counted = self.around.metrics.begin();
        let held = compression::unmark(&mut head.headers);
        let host = authority(&head);
        let origin = self.config.proxies.origin(peer.address, peer.secure, host, &head.headers);
        let page = head.headers.get(ORIGIN).cloned();
        let coding = compression::accepted(&head.headers);
        let (expects, unread) = (intake::expects(&head), false);
        let mut arrival = Arrival {
            head,
            trace,
            received,
            origin,
            page,
            coding,
            held,
            request_bytes: 0,
            expects,
            unread,
        };
        let mut body = Some(body);
        let response = match self.decide(&mut arrival, channel, &mut body).await {
            Ok(response) => response,
            Err(problem) => problem.into(),
        };
        self.pass_over(&mut arrival, channel, body).await;
        self.finish(&arrival, channel, response).await
    }

    async fn decide(
        &self,
        arrival: &mut Arrival,
        channel: &Channel,
        body: &mut Option<Incoming>,
    ) -> Result<Response, Problem> {
        self.check_head(&arrival.head)?;
        if let Some(response) = self.own(arrival)? {
            return Ok(response);
        }
        self.check_host(arrival)?;
        if let Some(answer) =
            self.config.cors.preflight(&arrival.head.method, &arrival.head.headers)
        {
            return Ok(answer);
        }
        if arrival.head.uri.path() == "*" {
            if arrival.head.method != Method::OPTIONS {
                let problem = Problem::new(kinds::MALFORMED_REQUEST);
                return Err(problem.detail("`*` is asked for by OPTIONS alone"));
            }
            let allow = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
            return Ok(Response::new(StatusCode::NO_CONTENT).header(ALLOW, allow));
        }
        let deadline = arrival.received + self.timeout(&arrival.head)?;
        let mut request = request(arrival, deadline);
        let mut held = None;
        if body.as_ref().is_some_and(|body| !body.is_end_stream()) {
            match self.take_in(arrival, channel, &mut request, body).boxed().await? {
                Intake::Answered(response) => return Ok(*response),
                Intake::Whole(bytes) => held = Some(bytes),
            }
        }
        let _slot = self.slot()?;
        let response = guarded(arrival.trace.trace_id, deadline, self.service.call(request)).await;
        drop(held);
        response
    }

    /// Size and form of what came in front of the body. HTTP/1.1 heads went through the gate too.
    fn check_head(&self, head: &request::Parts) -> Result<(), Problem> {
        let target = head.uri.path().len() + head.uri.query().map_or(0, |query| query.len() + 1);
        if target > self.limits.target_bytes_max {
            return Err(Problem::new(kinds::URI_TOO_LONG)
                .detail(format!("the target is {target} bytes long"))
                .member("limit_bytes", self.limits.target_bytes_max));
        }
        let bytes: usize = head.headers.iter().map(|(name, value)| line_bytes(name, value)).sum();
        let max = self.limits.header_bytes_max;
        if bytes > max || head.headers.len() > self.limits.headers_max {
            return Err(Problem::new(kinds::HEADERS_TOO_LARGE)
                .detail(format!("{} headers of {bytes} bytes together", head.headers.len()))
                .member("limit_bytes", max)
                .member("limit_headers", self.limits.headers_max));
        }
        let hosts = head.headers.get_all(HOST).iter().count();
        let missing = hosts == 0 && head.version == Version::HTTP_11;
        if missing || hosts > 1 {
            let problem = Problem::new(kinds::MALFORMED_REQUEST);
            return Err(problem.detail("a request of HTTP/1.1 has exactly one `Host`"));
        }
        let authority = head.uri.authority().map(|authority| authority.as_str().as_bytes());
        let other = |host: &HeaderValue| {
            head.version == Version::HTTP_2
                && authority.is_some_and(|own| !host.as_bytes().eq_ignore_ascii_case(own))
        };
        if head.headers.get(HOST).is_some_and(other) {
            let problem = Problem::new(kinds::MALFORMED_REQUEST);
            return Err(problem.detail("`Host` is not the `:authority`"));
        }
        match head.method {
            // What TRACE may do, each path says itself: nothing.
            Method::CONNECT => {
                Err(Problem::new(kinds::NOT_IMPLEMENTED).detail("the server is no proxy"))
            }
            _ => Ok(()),
        }
    }

    fn check_host(&self, arrival: &Arrival) -> Result<(), Problem> {
        let malformed = |why: &str| Problem::new(kinds::MALFORMED_REQUEST).detail(why);
        let Some(host) = &arrival.origin.host else {
            return if self.config.hosts.is_empty() {
                Ok(())
            } else {
                Err(malformed("the request names no host"))
            };
        };
        let bare = bare_host(host).ok_or_else(|| malformed("`Host` is not a host"))?;
        let own = |pattern: &String| match pattern.strip_prefix("*.") {
            Some(rest) => bare.split_once('.').is_some_and(|(_, of)| of.eq_ignore_ascii_case(rest)),
            None => bare.eq_ignore_ascii_case(pattern),
        };
        match self.config.hosts.is_empty() || self.config.hosts.iter().any(own) {
            true => Ok(()),
            false => Err(Problem::new(kinds::MISDIRECTED)),
        }
    }

    /// The paths that are the server's own.
    fn own(&self, arrival: &Arrival) -> Result<Option<Response>, Problem> {
        let head = &arrival.head;
        let path = head.uri.path();
        let has_keys = self.around.jwks.is_some();
        if !EDGE_PATHS.contains(&path) || (path == JWKS && !has_keys) {
            return Ok(None);
        }
        if head.method != Method::GET && head.method != Method::HEAD {
            let problem = Problem::new(kinds::METHOD_NOT_ALLOWED).header(ALLOW, "GET, HEAD");
            return Err(problem);
        }
        let verbose = head.uri.query().is_some_and(|query| query.starts_with("verbose"));
        if path == "/metrics" || verbose {
            self.operator(head)?;
        }
        Ok(match path {
            "/metrics" => {
                let media = "text/plain; version=0.0.4; charset=utf-8";
                let response = Response::of(StatusCode::OK, media, self.metrics_text());
                Some(response.header(CACHE_CONTROL, "no-store"))
            }
            JWKS => {
                let jwks = self.around.jwks.clone().unwrap_or_default();
                let response = Response::of(StatusCode::OK, "application/jwk-set+json", jwks);
                Some(response.header(CACHE_CONTROL, "public, max-age=300"))
            }
            path => self.around.health.probe(path, verbose),
        })
    }

    fn metrics_text(&self) -> String {
        let mut text = self.around.metrics.text();
        for (name, help, value) in [
            ("http_server_bodies_reading", "Bodies being read.", self.bodies.reading()),
            ("http_server_bodies_bytes", "Bytes of bodies being held.", self.bodies.bytes()),
        ] {
            text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n"));
        }
        if let Some(log) = &self.around.log {
            let name = "log_lines_dropped_total";
            text.push_str(&format!(
                "# HELP {name} Lines that were dropped because the log was too slow.\n\
                 # TYPE {name} counter\n{name} {}\n",
                log.dropped()
            ));
        }
        text
    }

    /// Who may see what is for operators.
    fn operator(&self, head: &request::Parts) -> Result<(), Problem> {
        match &self.config.operator {
            Operator::Open => Ok(()),
            Operator::Closed => Err(Problem::new(kinds::NOT_FOUND)),
            Operator::Token(token) => {
                let sent = head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
                let sent = sent.and_then(|value| value.strip_prefix("Bearer "));
                // Digests are compared, so that the time tells nothing about the token.
                let digest =
                    |text: &str| ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
                let same = sent.is_some_and(|sent| digest(sent).as_ref() == digest(token).as_ref());
                match same {
                    true => Ok(()),
                    false => Err(Problem::new(kinds::UNAUTHENTICATED)
                        .detail("this is for operators")
                        .header(WWW_AUTHENTICATE, "Bearer realm=\"operator\"")),
                }
            }
        }
    }

    /// `X-Request-Timeout` (seconds, or with unit `ms` or `s`), or what Envoy sends, under the
    /// server's cap; the shorter one where there are both.
    fn timeout(&self, head: &request::Parts) -> Result<Duration, Problem> {
        let mut timeout = self.limits.request_timeout;
        for (name, unit, wanted) in [
            (&REQUEST_TIMEOUT, "", "must be seconds like `2.5`, or `250ms`"),
            (&ENVOY_TIMEOUT, "ms", "must be milliseconds"),
        ] {
            let Some(value) = head.headers.get(name) else { continue };
            let text = value.to_str().ok().map(|text| format!("{}{unit}", text.trim()));
            match text.as_deref().and_then(duration) {
                Some(asked) => timeout = timeout.min(asked),
                None => {
                    let problem = Problem::new(kinds::INVALID_PARAMETER);
                    return Err(problem.header_fault(name.as_str(), wanted));
                }
            }
        }
        Ok(timeout)
    }
}

/// What the service answers within the deadline and without a panic.
async fn guarded<T>(
    trace: TraceId,
    deadline: Instant,
    call: impl Future<Output = T>,
) -> Result<T, Problem> {
    let call = AssertUnwindSafe(call).catch_unwind();
    match tokio::time::timeout_at(deadline.into(), call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => {
            // The panic's own message went to the panic hook; the trace id joins the two.
            tracing::error!(trace_id = %trace, "the service panicked");
            Err(Problem::new(kinds::INTERNAL))
        }
        Err(_) => Err(Problem::new(kinds::DEADLINE_EXCEEDED)),
    }
}

/// The request without its body.
fn request(arrival: &mut Arrival, deadline: Instant) -> Request {
    let head = &mut arrival.head;
    let host = arrival.origin.host.as_ref();
    Request {
        method: head.method.clone(),
        uri: std::mem::take(&mut head.uri),
        headers: std::mem::take(&mut head.headers),
        body: Bytes::new(),
        client: arrival.origin.client,
        secure: arrival.origin.secure,
        host: host.and_then(|host| match bare_host(host)? {
            bare if bare.len() == host.len() => Some(host.clone()),
            bare => HeaderValue::from_str(bare).ok(),
        }),
        trace: arrival.trace.clone(),
        received: arrival.received,
        deadline,
        known: http::Extensions::new(),
    }
}

/// The authority of the target where it has one (HTTP/2, absolute form), else `Host`.
fn authority(head: &request::Parts) -> Option<HeaderValue> {
    match head.uri.authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
        None => head.headers.get(HOST).cloned(),
    }
}

/// Host without port; none where it is no host at all.
fn bare_host(host: &HeaderValue) -> Option<&str> {
    let text = host.to_str().ok()?;
    let (bare, port) = match text.strip_prefix('[') {
        Some(_) => text.split_at(text.find(']')? + 1),
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port = port.strip_prefix(':').unwrap_or(port);
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%[]:".contains(&byte);
    let fine = !bare.is_empty()
        && bare.bytes().all(sound)
        && port.len() <= 5
        && port.bytes().all(|byte| byte.is_ascii_digit());
    fine.then_some(bare)
}

/// Name, value, `: ` and CR LF.
fn line_bytes(name: &HeaderName, value: &HeaderValue) -> usize {
    name.as_str().len() + value.len() + 4
}

fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (number, scale) = match text.strip_suffix("ms") {
        Some(number) => (number, 1e-3),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let plain =
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let seconds = number.parse::<f64>().ok().filter(|_| plain)? * scale;
    Duration::try_from_secs_f64(seconds).ok().filter(|wanted| !wanted.is_zero())
}
