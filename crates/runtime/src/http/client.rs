//! What those who call others by HTTP share.

use http::{HeaderMap, header};
use std::error::Error;

const SECOND_MICROS: i64 = 1_000_000;

/// `Retry-After` in microseconds from now: seconds, or a date (RFC 9110, 10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap, now: i64) -> Option<i64> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(i64::from(seconds) * SECOND_MICROS);
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_microsecond();
    Some(at.saturating_sub(now).max(0))
}

/// The causes of an error, from the outermost to the innermost.
pub(crate) fn causes<'e>(
    error: &'e (dyn Error + 'static),
) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn Error + 'static)| (*error).source())
}

/// Why nothing was answered within so long, without the address that was called.
pub(crate) fn reason(error: &reqwest::Error, seconds: f64) -> String {
    let innermost = causes(error).last().map_or_else(String::new, ToString::to_string);
    match error {
        error if error.is_timeout() => format!("did not answer within {seconds} s"),
        error if error.is_connect() => format!("can't be connected to: {innermost}"),
        _ => format!("did not answer: {innermost}"),
    }
}
