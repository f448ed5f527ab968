//! Answers that are not what was asked for, as Mainstay words them (RFC 9457).

use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

/// A refusal.
#[derive(Debug)]
pub(crate) struct Problem {
    /// HTTP status.
    pub(crate) status: StatusCode,
    /// Headers beside the usual ones.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    slug: &'static str,
    title: &'static str,
    members: Map<String, Value>,
    errors: Vec<(String, String)>,
}

/// A kind: slug, status, title.
pub(crate) type Kind = (&'static str, u16, &'static str);

/// No token, or none that is good.
pub(crate) const UNAUTHENTICATED: Kind = ("unauthenticated", 401, "The caller is not known");
/// Not allowed.
pub(crate) const FORBIDDEN: Kind = ("forbidden", 403, "The caller may not do this");
/// No such row, or not to be seen.
pub(crate) const NOT_FOUND: Kind = ("not-found", 404, "There is no such thing");
/// A command from another state.
pub(crate) const ILLEGAL: Kind = ("illegal-transition", 409, "The state does not allow this");
/// `If-Match` names another version.
pub(crate) const CHANGED: Kind = ("version-mismatch", 412, "The row has changed");
/// A value of the body.
pub(crate) const INVALID: Kind =
    ("invalid-value", 422, "A value is outside its type or constraint");
/// A product that is not there.
pub(crate) const UNKNOWN: Kind = ("unknown-reference", 422, "A reference leads nowhere");
/// The key came with another body.
pub(crate) const REUSED: Kind = ("key-reused", 422, "The key was used for another request");
/// The key is running.
pub(crate) const RUNNING: Kind =
    ("key-running", 409, "The first call with this key is still running");
/// Not JSON, or not of this form.
pub(crate) const MALFORMED: Kind = ("malformed-body", 400, "The body cannot be read");
/// A parameter.
pub(crate) const PARAMETER: Kind =
    ("invalid-parameter", 400, "A parameter is outside its type or constraint");
/// A cursor of another list.
pub(crate) const CURSOR: Kind = ("invalid-cursor", 400, "The cursor does not belong to this list");
/// The store failed.
pub(crate) const UNAVAILABLE: Kind = ("unavailable", 503, "The service cannot answer now");

impl Problem {
    /// Of a kind.
    pub(crate) fn new((slug, status, title): Kind) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        Self { status, headers: Vec::new(), slug, title, members: Map::new(), errors: Vec::new() }
    }

    /// Who calls must say so.
    pub(crate) fn unauthenticated() -> Self {
        let mut problem = Self::new(UNAUTHENTICATED);
        problem.headers.push((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        problem
    }

    /// With a member of its own.
    pub(crate) fn member(mut self, name: &str, value: Value) -> Self {
        self.members.insert(name.to_owned(), value);
        self
    }

    /// At places of the body.
    pub(crate) fn at(mut self, places: Vec<(String, String)>) -> Self {
        self.errors = places;
        self
    }

    /// The body, in Mainstay's order.
    pub(crate) fn body(&self, trace: &str) -> Vec<u8> {
        let quote = |value: &Value| value.to_string();
        let mut out = format!(
            "{{\"type\":\"urn:problem:{}\",\"title\":{},\"status\":{}",
            self.slug,
            quote(&self.title.into()),
            self.status.as_u16()
        );
        let put = |out: &mut String, name: &str, value: &Value| {
            out.push_str(&format!(",\"{name}\":{}", quote(value)));
        };
        if let Some(detail) = self.members.get("detail") {
            put(&mut out, "detail", detail);
        }
        put(&mut out, "instance", &format!("urn:trace:{trace}").into());
        put(&mut out, "trace_id", &trace.into());
        if !self.errors.is_empty() {
            let one = |(pointer, detail): &(String, String)| {
                let (pointer, detail) = (Value::from(&**pointer), Value::from(&**detail));
                format!("{{\"pointer\":{pointer},\"detail\":{detail}}}")
            };
            let errors: Vec<String> = self.errors.iter().map(one).collect();
            out.push_str(&format!(",\"errors\":[{}]", errors.join(",")));
        }
        for (name, value) in self.members.iter().filter(|(name, _)| *name != "detail") {
            put(&mut out, name, value);
        }
        out.push_str("}\n");
        out.into_bytes()
    }
}
