//! Problem details (RFC 9457): the one shape of every error, whoever makes it.
//!
//! A [`Problem`] is a value without a trace id; the edge of the server writes it out and adds
//! `trace_id` and `instance` then ([`Problem::to_json`]). Nothing internal may get in here: the
//! text of a problem goes to strangers.

use crate::telemetry::trace::TraceId;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

pub use ir::contract::Problem as Kind;
pub use ir::contract::problems as kinds;

/// Media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// A problem holds at most so many `errors[]`; later ones are counted in `errors_left_off`.
pub const ERRORS_MAX: usize = 100;

/// One fault inside a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// JSON Pointer into the body (RFC 6901; empty for the whole body), or `?name` for a query
    /// parameter, or `@name` for a header.
    pub at: String,
    /// What is wrong there and what would be right.
    pub detail: String,
    /// Slug of a narrower problem type, where the faults of one answer differ.
    pub code: Option<&'static str>,
}

/// An error on its way to a client.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// Its type: slug, status, title.
    pub kind: Kind,
    /// What happened this time.
    pub detail: Option<String>,
    /// Faults with their places.
    pub errors: Vec<Fault>,
    /// Extension members.
    pub members: Map<String, Value>,
    /// Headers that belong to it (`Retry-After`, `WWW-Authenticate`, `Allow`).
    pub headers: Vec<(http::HeaderName, http::HeaderValue)>,
}

impl Problem {
    /// A problem of a type.
    pub fn new(kind: Kind) -> Self {
        Self { kind, detail: None, errors: Vec::new(), members: Map::new(), headers: Vec::new() }
    }

    /// Says what happened this time.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds a fault at a JSON Pointer into the body.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        self.errors.push(Fault { at: pointer.into(), detail: detail.into(), code: None });
        self
    }

    /// Adds a fault of a query parameter.
    #[must_use]
    pub fn parameter(self, name: &str, detail: impl Into<String>) -> Self {
        self.at(format!("?{name}"), detail)
    }

    /// Adds a fault of a header.
    #[must_use]
    pub fn header_fault(self, name: &str, detail: impl Into<String>) -> Self {
        self.at(format!("@{name}"), detail)
    }

    /// Adds an extension member.
    #[must_use]
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a header of the answer. A value that no header can hold is left out.
    #[must_use]
    pub fn header(mut self, name: http::HeaderName, value: &str) -> Self {
        if let Ok(value) = http::HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// Adds `Retry-After` in whole seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(http::header::RETRY_AFTER, &seconds.to_string())
    }

    /// The HTTP status.
    pub fn status(&self) -> http::StatusCode {
        http::StatusCode::from_u16(self.kind.status)
            .unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// As it is sent, with the trace it happened in. Members in order: `type`, `title`, `status`,
    /// `detail`, `instance`, `trace_id`, `errors`, `errors_left_off`, then the extensions.
    pub fn in_trace(&self, trace: TraceId) -> Traced<'_> {
        Traced { problem: self, trace }
    }

    /// The body.
    pub fn to_json(&self, trace: TraceId) -> bytes::Bytes {
        let mut text = serde_json::to_vec(&self.in_trace(trace)).expect("JSON values serialise");
        text.push(b'\n');
        text.into()
    }
}

/// A problem and the trace it happened in: what a client reads.
#[derive(Debug, Clone, Copy)]
pub struct Traced<'a> {
    problem: &'a Problem,
    trace: TraceId,
}

impl Serialize for Traced<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { problem, trace } = self;
        let mut members = serializer.serialize_map(None)?;
        members.serialize_entry("type", &problem.kind.type_uri())?;
        members.serialize_entry("title", problem.kind.title)?;
        members.serialize_entry("status", &problem.kind.status)?;
        if let Some(detail) = &problem.detail {
            members.serialize_entry("detail", detail)?;
        }
        members.serialize_entry("instance", &format_args!("urn:trace:{trace}"))?;
        members.serialize_entry("trace_id", &format_args!("{trace}"))?;
        if !problem.errors.is_empty() {
            let shown = &problem.errors[..problem.errors.len().min(ERRORS_MAX)];
            members.serialize_entry("errors", shown)?;
        }
        if problem.errors.len() > ERRORS_MAX {
            members.serialize_entry("errors_left_off", &(problem.errors.len() - ERRORS_MAX))?;
        }
        for (name, value) in &problem.members {
            if !RESERVED.contains(&name.as_str()) {
                members.serialize_entry(name, value)?;
            }
        }
        members.end()
    }
}

/// Members that no extension may replace.
const RESERVED: [&str; 8] =
    ["type", "title", "status", "detail", "instance", "trace_id", "errors", "errors_left_off"];

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (place, at) = match self.at.as_bytes().first() {
            Some(b'?') => ("parameter", &self.at[1..]),
            Some(b'@') => ("header", &self.at[1..]),
            Some(_) | None => ("pointer", self.at.as_str()),
        };
        let mut members = serializer.serialize_map(None)?;
        members.serialize_entry(place, at)?;
        members.serialize_entry("detail", &self.detail)?;
        if let Some(code) = self.code {
            members.serialize_entry("code", code)?;
        }
        members.end()
    }
}

/// Escapes a member name for a JSON Pointer (RFC 6901, section 3).
pub fn pointer_token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests;
