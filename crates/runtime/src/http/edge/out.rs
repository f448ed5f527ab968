//! The way out: an answer gets what is the same for all of them, is counted and logged.

use super::{Arrival, Edge};
use crate::http::Response;
use crate::http::body::{Channel, WireBody};
use crate::http::compression::{self, INLINE_BYTES_MAX};
use crate::http::response::Body;
use crate::problem::{self, Kind, Problem, kinds};
use crate::telemetry::logs::{Access, milliseconds};
use crate::telemetry::metrics::OperationId;
use crate::telemetry::trace::{TraceContext, TraceId};
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, StatusCode};
use jiff::Timestamp;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");

impl Edge {
    pub(super) async fn finish(
        &self,
        arrival: &Arrival,
        channel: &Channel,
        mut response: Response,
    ) -> hyper::Response<WireBody> {
        let slug = match &response.body {
            Body::Problem(problem) => Some(problem.kind.slug),
            Body::Empty | Body::Full(_) | Body::Stream(_) => None,
        };
        write_problem(&mut response, arrival.trace.trace_id);
        let bytes = match &response.body {
            Body::Full(bytes) => Some(bytes.len()),
            Body::Empty | Body::Problem(_) => Some(0),
            Body::Stream(_) => None,
        };
        self.compress(arrival, &mut response).await;
        self.config.cors.finish(arrival.page.as_ref(), &mut response.headers);
        let took = arrival.received.elapsed();
        self.add_headers(arrival, channel, &mut response, took);
        self.tell(arrival, channel, &response, slug, bytes, took);
        let bodiless = matches!(response.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if arrival.head.method == Method::HEAD || bodiless {
            if let (Body::Full(bytes), false) = (&response.body, bodiless) {
                response.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
            }
            response.body = Body::Empty;
        }
        let mut answer = hyper::Response::new(WireBody::new(response.body, channel));
        *answer.status_mut() = response.status;
        *answer.headers_mut() = response.headers;
        answer
    }

    async fn compress(&self, arrival: &Arrival, response: &mut Response) {
        if response.status == StatusCode::NOT_MODIFIED {
            compression::mark_unmodified(&mut response.headers, arrival.held);
        }
        let Body::Full(body) = &response.body else { return };
        let answer = &mut response.headers;
        if !compression::fits(&self.config.compression, answer, body.len()) {
            return;
        }
        let Some(coding) = arrival.coding else { return };
        let compressed = if body.len() <= INLINE_BYTES_MAX {
            coding.compress(body)
        } else {
            let body = body.clone();
            let task = tokio::task::spawn_blocking(move || coding.compress(&body)).await;
            task.unwrap_or_else(|error| Err(std::io::Error::other(error)))
        };
        if let Ok(compressed) = compressed {
            compression::mark(answer, coding);
            response.body = Body::Full(compressed);
        }
    }

    fn add_headers(
        &self,
        arrival: &Arrival,
        channel: &Channel,
        response: &mut Response,
        took: Duration,
    ) {
        let headers = &mut response.headers;
        headers.insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFF);
        if let Ok(value) = HeaderValue::try_from(arrival.trace.traceparent()) {
            headers.insert(super::TRACEPARENT, value);
        }
        if self.config.server_timing {
            let mut text = Vec::with_capacity(32);
            text.extend_from_slice(b"total;dur=");
            milliseconds(&mut text, took);
            for (stage, took) in &response.timings {
                text.extend_from_slice(b", ");
                text.extend_from_slice(stage.as_bytes());
                text.extend_from_slice(b";dur=");
                milliseconds(&mut text, *took);
            }
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(SERVER_TIMING, value);
            }
        }
        let ends = arrival.unread || self.leaving.load(Relaxed);
        if ends && matches!(channel, Channel::One(_)) {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }

    fn tell(
        &self,
        arrival: &Arrival,
        channel: &Channel,
        response: &Response,
        problem: Option<&str>,
        response_bytes: Option<usize>,
        took: Duration,
    ) {
        let status = response.status.as_u16();
        self.around.metrics.answered(response.operation, status, took);
        self.log(arrival, (channel.version(), took), response, problem, response_bytes);
    }

    /// Writes the line of a request; `by` is the version of HTTP, or the broker that it came by.
    pub(super) fn log(
        &self,
        arrival: &Arrival,
        (by, took): (&str, Duration),
        response: &Response,
        problem: Option<&str>,
        response_bytes: Option<usize>,
    ) {
        let Some(log) = &self.around.log else { return };
        let now = Timestamp::now();
        let (operation, route) = self.around.metrics.name(response.operation);
        log.access(&Access {
            at: now.as_microsecond(),
            trace: arrival.trace.trace_id,
            method: method_name(&arrival.head.method),
            operation,
            route,
            status: response.status.as_u16(),
            problem,
            tenant: response.tenant.as_deref(),
            took,
            request_bytes: arrival.request_bytes,
            response_bytes,
            version: by,
        });
    }

    /// The whole answer to a head of HTTP/1.1 that the gate refuses.
    pub(in crate::http) fn refuse(&self, kind: Kind, why: &str) -> Bytes {
        let trace = TraceContext::root();
        let problem = Problem::new(kind).detail(why);
        let body = problem.to_json(trace.trace_id);
        let now = Timestamp::now();
        let mut out = format!(
            "HTTP/1.1 {}\r\ncontent-type: {}\r\ncontent-length: {}\r\nconnection: close\r\n\
             x-content-type-options: nosniff\r\ntraceparent: {}\r\n",
            problem.status(),
            problem::MEDIA_TYPE,
            body.len(),
            trace.traceparent(),
        );
        if let Ok(date) =
            jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now)
        {
            out.push_str(&format!("date: {date}\r\n"));
        }
        if kind == kinds::UNAVAILABLE {
            out.push_str("retry-after: 1\r\n");
        }
        out.push_str("\r\n");
        self.around.metrics.answered(OperationId::OTHER, kind.status, Duration::ZERO);
        if let Some(log) = &self.around.log {
            log.access(&Access {
                at: now.as_microsecond(),
                trace: trace.trace_id,
                method: "",
                operation: "other",
                route: "",
                status: kind.status,
                problem: Some(kind.slug),
                tenant: None,
                took: Duration::ZERO,
                request_bytes: 0,
                response_bytes: Some(body.len()),
                version: "1.1",
            });
        }
        let mut out = out.into_bytes();
        out.extend_from_slice(&body);
        out.into()
    }
}

/// Methods of the registry by name; a made-up one could carry anything into the log.
fn method_name(method: &Method) -> &str {
    match *method {
        Method::GET
        | Method::HEAD
        | Method::POST
        | Method::PUT
        | Method::PATCH
        | Method::DELETE
        | Method::OPTIONS
        | Method::TRACE
        | Method::CONNECT => method.as_str(),
        _ => "other",
    }
}

pub(super) fn write_problem(response: &mut Response, trace: TraceId) {
    let Body::Problem(problem) = &response.body else { return };
    let body = problem.to_json(trace);
    response.headers.insert(CONTENT_TYPE, HeaderValue::from_static(problem::MEDIA_TYPE));
    if !response.headers.contains_key(CACHE_CONTROL) {
        response.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response.body = Body::Full(body);
}
