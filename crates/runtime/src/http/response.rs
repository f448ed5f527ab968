//! A response as the backend makes it: plain values, no wire format.

use crate::problem::Problem;
use crate::telemetry::metrics::OperationId;
use bytes::Bytes;
use futures::stream::BoxStream;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use std::sync::Arc;
use std::time::Duration;

/// One response. The server adds what is the same for all: `Date`, `Content-Length`,
/// `traceparent`, `Server-Timing`, `X-Content-Type-Options`, CORS, compression, `Vary`.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// Headers that are this answer's own.
    pub headers: HeaderMap,
    /// The body; the server leaves it out for HEAD, 204 and 304.
    pub body: Body,
    /// The operation for metrics and the log, from
    /// [`Metrics::operation`](crate::telemetry::metrics::Metrics::operation).
    pub operation: OperationId,
    /// The tenant for the log.
    pub tenant: Option<Arc<str>>,
    /// Stages for `Server-Timing`, each name a token: `("db", 310 µs)`.
    pub timings: Vec<(&'static str, Duration)>,
}

/// The body of a response.
pub enum Body {
    /// None.
    Empty,
    /// Whole.
    Full(Bytes),
    /// In parts as they come; sent without length, never compressed.
    Stream(BoxStream<'static, std::io::Result<Bytes>>),
    /// A problem; the server writes it with the trace id of the request.
    Problem(Box<Problem>),
}

impl Response {
    /// A response without body.
    pub fn new(status: StatusCode) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: Body::Empty,
            operation: OperationId::OTHER,
            tenant: None,
            timings: Vec::new(),
        }
    }

    /// A response with a whole body of a media type.
    pub fn of(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut response = Self::new(status);
        response.headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        response.body = Body::Full(body.into());
        response
    }

    /// A response with a JSON body that is written already.
    pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self::of(status, "application/json", body)
    }

    /// Sets a header. A value that no header can hold is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Says which operation it answers.
    #[must_use]
    pub fn operation(mut self, operation: OperationId) -> Self {
        self.operation = operation;
        self
    }

    /// Adds a stage to `Server-Timing`.
    #[must_use]
    pub fn timing(mut self, stage: &'static str, took: Duration) -> Self {
        self.timings.push((stage, took));
        self
    }
}

impl From<Problem> for Response {
    fn from(problem: Problem) -> Self {
        let mut response = Self::new(problem.status());
        for (name, value) in &problem.headers {
            response.headers.append(name.clone(), value.clone());
        }
        response.body = Body::Problem(Box::new(problem));
        response
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => formatter.write_str("Empty"),
            Self::Full(bytes) => write!(formatter, "Full({} bytes)", bytes.len()),
            Self::Stream(_) => formatter.write_str("Stream"),
            Self::Problem(problem) => write!(formatter, "Problem({})", problem.kind.slug),
        }
    }
}
