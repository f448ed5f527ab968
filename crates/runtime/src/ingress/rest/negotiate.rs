//! Forms of bodies and answers: `Accept`, `API-Version`, `Content-Type`, `Prefer`.

use crate::engine::{Failure, problem};
use crate::http::Request;
use crate::http::negotiation::{essence, media_type};
use crate::problem::{Problem, kinds};
use http::{HeaderValue, header};

/// The version that is served.
const VERSIONS: [&str; 2] = ["v1", "1"];
/// The form of bodies and answers.
const JSON: &str = "application/json";
/// What PATCH takes.
const MERGE_PATCH: &str = "application/merge-patch+json";

/// The client takes JSON of this version.
///
/// # Errors
/// 406.
pub(super) fn acceptable(request: &Request) -> Result<(), Failure> {
    if let Some(version) = request.headers.get("api-version") {
        let known = version.to_str().is_ok_and(|version| VERSIONS.contains(&version.trim()));
        if !known {
            let detail = "`v1` is the only version served here";
            let problem = Problem::new(kinds::NOT_ACCEPTABLE).header_fault("API-Version", detail);
            return Err(Box::new(problem));
        }
    }
    match media_type(&request.headers, &[JSON]) {
        Some(_) => Ok(()),
        None => {
            let detail = "`application/json` is the form served here";
            let problem = problem(kinds::NOT_ACCEPTABLE);
            Err(Box::new(problem.header_fault("Accept", detail)))
        }
    }
}

/// The body has a form that is taken: JSON, for PATCH a merge patch (plain JSON is taken as one).
///
/// # Errors
/// 415, with `Accept-Patch` for PATCH.
pub(super) fn body_form(request: &Request, patch: bool) -> Result<(), Failure> {
    plain(request)?;
    if request.headers.get_all(header::CONTENT_TYPE).iter().count() > 1 {
        let problem = Problem::new(kinds::UNSUPPORTED_MEDIA_TYPE)
            .detail("the header `Content-Type` stands more than once")
            .header_fault("Content-Type", "stands more than once: send it once");
        return Err(Box::new(problem));
    }
    let media = request.header(header::CONTENT_TYPE).and_then(essence).unwrap_or_default();
    let taken = if patch { MERGE_PATCH } else { JSON };
    if media == taken || (patch && media == JSON) {
        return Ok(());
    }
    let problem = Problem::new(kinds::UNSUPPORTED_MEDIA_TYPE)
        .detail(format!("`{taken}` in UTF-8 is taken here"))
        .header_fault("Content-Type", format!("must be `{taken}`"));
    let accept = header::HeaderName::from_static("accept-patch");
    Err(Box::new(if patch { problem.header(accept, MERGE_PATCH) } else { problem }))
}

/// The body is not coded, for a decoder could be made to unpack what no limit has seen.
pub(super) fn plain(request: &Request) -> Result<(), Failure> {
    let mut codings = request.headers.get_all(header::CONTENT_ENCODING).iter();
    let is_plain = |coding: &HeaderValue| {
        coding.to_str().is_ok_and(|coding| coding.trim().eq_ignore_ascii_case("identity"))
    };
    if codings.all(is_plain) {
        return Ok(());
    }
    let problem = Problem::new(kinds::UNSUPPORTED_MEDIA_TYPE)
        .header_fault("Content-Encoding", "must be absent: bodies are taken as they are");
    Err(Box::new(problem.header(header::ACCEPT_ENCODING, "identity")))
}

/// The client wants no representation back (RFC 7240).
pub(super) fn minimal(request: &Request) -> bool {
    prefers(request, "return=minimal")
}

/// The client would rather not wait (RFC 7240).
pub(super) fn respond_async(request: &Request) -> bool {
    prefers(request, "respond-async")
}

fn prefers(request: &Request, wanted: &str) -> bool {
    let preferences = request.headers.get_all("prefer").iter();
    preferences
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|preference| preference.trim().eq_ignore_ascii_case(wanted))
}
