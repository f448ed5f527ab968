//! Forms of bodies and answers: `Accept`, `API-Version`, `Content-Type`, `Prefer`.

use crate::engine::{Failure, problem};
use crate::http::Request;
use crate::problem::{Problem, kinds};
use http::header;

/// The version that is served.
const VERSIONS: [&str; 2] = ["v1", "1"];
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
    let mut given = request.headers.get_all(header::ACCEPT).iter().peekable();
    if given.peek().is_none() {
        return Ok(());
    }
    let mut best: Option<(u8, bool)> = None;
    for range in given.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let specific = match media.to_ascii_lowercase().as_str() {
            "application/json" => 2,
            "application/*" => 1,
            "*/*" => 0,
            _ => continue,
        };
        let refused = parts.any(|parameter| {
            let quality = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="));
            quality.is_some_and(|quality| quality.parse::<f32>().is_ok_and(|q| q <= 0.0))
        });
        if best.is_none_or(|(known, _)| specific >= known) {
            best = Some((specific, !refused));
        }
    }
    match best {
        Some((_, true)) => Ok(()),
        Some((_, false)) | None => {
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
    let given = request.header(header::CONTENT_TYPE).unwrap_or_default();
    let media = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let taken = if patch { MERGE_PATCH } else { "application/json" };
    let charset = given.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.trim().split_once('=')?;
        name.eq_ignore_ascii_case("charset").then(|| value.trim_matches('"'))
    });
    let utf8 = charset.is_none_or(|charset| charset.eq_ignore_ascii_case("utf-8"));
    if utf8 && (media == taken || (patch && media == "application/json")) {
        return Ok(());
    }
    let problem = Problem::new(kinds::UNSUPPORTED_MEDIA_TYPE)
        .detail(format!("`{taken}` in UTF-8 is taken here"))
        .header_fault("Content-Type", format!("must be `{taken}`"));
    let accept = header::HeaderName::from_static("accept-patch");
    Err(Box::new(if patch { problem.header(accept, MERGE_PATCH) } else { problem }))
}

/// The client wants no representation back (RFC 7240).
pub(super) fn minimal(request: &Request) -> bool {
    let preferences = request.headers.get_all("prefer").iter();
    preferences
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|preference| preference.trim().eq_ignore_ascii_case("return=minimal"))
}
