//! The way in that is not a connection: what came by a broker is answered as what came over HTTP
//! is, under the same limits and by the same service.

use super::intake::Intake;
use super::{Arrival, Edge, TRACEPARENT, guarded, out, request};
use crate::http::forwarded::Origin;
use crate::http::response::Body;
use crate::http::{Request, Response, compression};
use crate::problem::{Problem, kinds};
use crate::telemetry::trace::TraceContext;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::header::{CONTENT_LENGTH, HOST, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode, Uri, Version};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

/// Fields that speak of a connection or of who stands in front of it: there is none.
const OF_CONNECTIONS: [&str; 11] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "forwarded",
    "keep-alive",
    "origin",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A request that came by a broker.
pub(crate) struct Relayed {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// When the answer is of no use any more; none where nobody said.
    pub(crate) deadline: Option<Instant>,
    /// By what it came, for the log.
    pub(crate) by: &'static str,
}

/// Its answer, whole.
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Edge {
    /// Answers a request that came by a broker. A body of the answer that is longer than
    /// `answer_bytes_max` is not sent.
    pub(in crate::http) async fn relay(
        &self,
        relayed: Relayed,
        answer_bytes_max: usize,
    ) -> Answered {
        let Relayed { method, uri, headers, body, deadline, by } = relayed;
        let received = Instant::now();
        let mut arrival = arrival((method, uri, headers), received);
        let _counted = self.metrics().begin();
        let mut cap = received + self.limits.request_timeout;
        if let Some(deadline) = deadline {
            cap = cap.min(deadline);
        }
        let answered = self.admit(&mut arrival, body, cap).await;
        let mut response = answered.unwrap_or_else(Response::from);
        let slug = match &response.body {
            Body::Problem(problem) => Some(problem.kind.slug),
            Body::Empty | Body::Full(_) | Body::Stream(_) => None,
        };
        out::write_problem(&mut response, arrival.trace.trace_id);
        let whole = whole(&mut response, cap, answer_bytes_max).await;
        let (body, slug) = match whole {
            Ok(body) => (body, slug),
            Err(Unsent::TooLong) if response.status.is_success() && writes(&arrival) => {
                // What was done is done: the answer is what `Prefer: return=minimal` gives.
                response.headers.remove(http::header::CONTENT_TYPE);
                let applied = HeaderName::from_static("preference-applied");
                response.headers.insert(applied, HeaderValue::from_static("return=minimal"));
                (Bytes::new(), slug)
            }
            Err(unsent) => {
                let problem = unsent.problem(answer_bytes_max);
                let (slug, operation) = (problem.kind.slug, response.operation);
                response = Response::from(problem).operation(operation);
                out::write_problem(&mut response, arrival.trace.trace_id);
                let body = whole_now(&response);
                (body, Some(slug))
            }
        };
        self.parted(arrival, response, (body, slug), by)
    }

    /// What decides about a request over HTTP, in the same order.
    async fn admit(
        &self,
        arrival: &mut Arrival,
        body: Bytes,
        cap: Instant,
    ) -> Result<Response, Problem> {
        let late = || Problem::new(kinds::DEADLINE_EXCEEDED);
        let begun = Instant::now() < cap;
        if !begun {
            return Err(late().detail("the deadline had passed when the request was taken"));
        }
        self.check_head(&arrival.head)?;
        self.check_host(arrival)?;
        let deadline = cap.min(arrival.received + self.timeout(&arrival.head)?);
        let mut request = request(arrival, deadline);
        let mut held = None;
        if !body.is_empty() {
            match self.take_whole(arrival, &mut request, body).await? {
                Intake::Answered(response) => return Ok(*response),
                Intake::Whole(bytes) => held = Some(bytes),
            }
        }
        let _slot = self.slot()?;
        let response = guarded(arrival.trace.trace_id, deadline, self.service.call(request)).await;
        drop(held);
        response
    }

    /// Takes a body that is here already into its request, where the service does not answer
    /// without.
    async fn take_whole(
        &self,
        arrival: &mut Arrival,
        request: &mut Request,
        body: Bytes,
    ) -> Result<Intake, Problem> {
        let bytes_max = self.bytes_max(request);
        if body.len() > bytes_max {
            return Err(crate::http::body::too_large(bytes_max));
        }
        if let Some(response) = self.turned_away(request).await? {
            return Ok(Intake::Answered(Box::new(response)));
        }
        let mut held = self.bodies.hold();
        held.grow_to(body.len())?;
        arrival.request_bytes = body.len();
        request.body = body;
        Ok(Intake::Whole(held))
    }

    fn parted(
        &self,
        arrival: Arrival,
        mut response: Response,
        (body, slug): (Bytes, Option<&str>),
        by: &'static str,
    ) -> Answered {
        let took = arrival.received.elapsed();
        if let Ok(value) = HeaderValue::try_from(arrival.trace.traceparent()) {
            response.headers.insert(TRACEPARENT, value);
        }
        self.log(&arrival, (by, took), &response, slug, Some(body.len()));
        let bodiless = matches!(response.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let head = arrival.head.method == Method::HEAD;
        if head && !bodiless {
            response.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        let body = if head || bodiless { Bytes::new() } else { body };
        Answered { status: response.status, headers: response.headers, body }
    }
}

fn writes(arrival: &Arrival) -> bool {
    !arrival.head.method.is_safe()
}

fn arrival((method, uri, mut headers): (Method, Uri, HeaderMap), received: Instant) -> Arrival {
    for name in OF_CONNECTIONS {
        headers.remove(name);
    }
    let held = compression::unmark(&mut headers);
    let trace = TraceContext::continued(headers.get(&TRACEPARENT).map(HeaderValue::as_bytes));
    let host = headers.get(HOST).cloned();
    // Nobody is known by an address.
    let client = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let (mut head, ()) = http::Request::new(()).into_parts();
    // Of HTTP/1.1 a request has to name a host.
    (head.method, head.uri, head.version) = (method, uri, Version::HTTP_2);
    head.headers = headers;
    Arrival {
        head,
        trace,
        received,
        origin: Origin { client, secure: false, host },
        page: None,
        coding: None,
        held,
        request_bytes: 0,
        expects: false,
        unread: false,
    }
}

/// Why an answer is not sent as it is.
enum Unsent {
    TooLong,
    TooLate,
    Torn,
}

impl Unsent {
    fn problem(&self, bytes_max: usize) -> Problem {
        match self {
            Self::TooLong => Problem::new(kinds::NOT_ACCEPTABLE).detail(format!(
                "the answer is longer than {bytes_max} bytes, which is what is sent by the \
                 broker: ask for less of it, as by `limit`, or over HTTP"
            )),
            Self::TooLate => Problem::new(kinds::DEADLINE_EXCEEDED),
            Self::Torn => Problem::new(kinds::INTERNAL),
        }
    }
}

/// The body of an answer, all of it.
async fn whole(
    response: &mut Response,
    deadline: Instant,
    bytes_max: usize,
) -> Result<Bytes, Unsent> {
    match std::mem::replace(&mut response.body, Body::Empty) {
        Body::Full(bytes) if bytes.len() > bytes_max => Err(Unsent::TooLong),
        Body::Full(bytes) => Ok(bytes),
        // Problems have been written out by now.
        Body::Empty | Body::Problem(_) => Ok(Bytes::new()),
        Body::Stream(mut parts) => {
            let mut all = BytesMut::new();
            let gathering = async {
                while let Some(part) = parts.next().await {
                    let part = part.map_err(|_| Unsent::Torn)?;
                    if all.len() + part.len() > bytes_max {
                        return Err(Unsent::TooLong);
                    }
                    all.extend_from_slice(&part);
                }
                Ok(all.freeze())
            };
            let gathered = tokio::time::timeout_at(deadline.into(), gathering).await;
            gathered.unwrap_or(Err(Unsent::TooLate))
        }
    }
}

fn whole_now(response: &Response) -> Bytes {
    match &response.body {
        Body::Full(bytes) => bytes.clone(),
        Body::Empty | Body::Stream(_) | Body::Problem(_) => Bytes::new(),
    }
}

/// How long requests that are under way have when the server ends.
impl Edge {
    pub(in crate::http) fn grace(&self) -> Duration {
        self.config.drain.grace
    }
}
