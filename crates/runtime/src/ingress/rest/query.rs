//! The query of a request: names and values, decoded once, each name once.

use crate::engine::Failure;
use crate::http::Request;
use crate::json::read::shorten;
use crate::problem::{Problem, kinds};
use std::borrow::Cow;

/// Parameters of one request at most.
const PARAMETERS_MAX: usize = 100;

/// A parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameter<'a> {
    /// Its name.
    pub(super) name: Cow<'a, str>,
    /// Its value.
    pub(super) value: Cow<'a, str>,
    /// Both as they came.
    pub(super) raw: &'a str,
}

/// The parameters of a request in their order.
///
/// # Errors
/// 400 for a broken escape or a name that stands twice.
pub(super) fn parameters(request: &Request) -> Result<Vec<Parameter<'_>>, Failure> {
    let Some(query) = request.query().filter(|query| !query.is_empty()) else {
        return Ok(Vec::new());
    };
    let mut parameters: Vec<Parameter<'_>> = Vec::new();
    for raw in query.split('&').filter(|raw| !raw.is_empty()) {
        let (name, value) = raw.split_once('=').unwrap_or((raw, ""));
        let (Some(name), Some(value)) = (decode(name), decode(value)) else {
            let detail = "is not UTF-8 in percent-encoding";
            return Err(invalid(&shorten(name), detail));
        };
        if parameters.iter().any(|other| other.name == name) {
            return Err(invalid(&shorten(&name), "stands twice"));
        }
        if parameters.len() == PARAMETERS_MAX {
            let detail = format!("is one of more than {PARAMETERS_MAX} parameters");
            return Err(invalid(&shorten(&name), detail));
        }
        parameters.push(Parameter { name, value, raw });
    }
    Ok(parameters)
}

/// The operation takes no parameters.
///
/// # Errors
/// 400 for the first one.
pub(super) fn none(request: &Request) -> Result<(), Failure> {
    match parameters(request)?.first() {
        Some(parameter) => Err(unknown(&parameter.name, "is no parameter of this operation")),
        None => Ok(()),
    }
}

/// A parameter that is not known.
pub(super) fn unknown(name: &str, detail: impl Into<String>) -> Failure {
    Box::new(Problem::new(kinds::UNKNOWN_PARAMETER).parameter(&shorten(name), detail))
}

/// A parameter that cannot be read.
pub(super) fn invalid(name: &str, detail: impl Into<String>) -> Failure {
    Box::new(Problem::new(kinds::INVALID_PARAMETER).parameter(name, detail))
}

/// A comma-separated list: not empty, each element once.
pub(super) fn elements<'v>(name: &str, value: &'v str) -> Result<Vec<&'v str>, Failure> {
    let elements: Vec<&str> = value.split(',').collect();
    for (at, element) in elements.iter().enumerate() {
        if element.is_empty() {
            return Err(invalid(name, "has an empty element"));
        }
        if elements[..at].contains(element) {
            return Err(invalid(name, format!("names `{}` twice", shorten(element))));
        }
    }
    Ok(elements)
}

/// Decodes `%41` and `+`; none where it is not UTF-8.
pub(super) fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Some(Cow::Borrowed(text));
    }
    let spaced: Vec<u8> = text.bytes().map(|byte| if byte == b'+' { b' ' } else { byte }).collect();
    percent_decode(&spaced).map(Cow::Owned)
}

/// Decodes `%41` alone, as in a path; none where it is not UTF-8.
pub(super) fn decode_segment(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    percent_decode(text.as_bytes()).map(Cow::Owned)
}

fn percent_decode(text: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        if *byte == b'%' {
            let digit = |at: usize| char::from(*text.get(at)?).to_digit(16);
            let code = digit(at + 1)? * 16 + digit(at + 2)?;
            bytes.push(u8::try_from(code).ok()?);
            at += 3;
        } else {
            bytes.push(*byte);
            at += 1;
        }
    }
    String::from_utf8(bytes).ok()
}
