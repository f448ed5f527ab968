//! Conditional headers: reads compare entity tags whole (RFC 9110, 13.1), writes by their version.

use crate::engine::Failure;
use crate::engine::change::Match;
use crate::engine::tag::Tag;
use crate::http::Request;
use crate::problem::{Problem, kinds};
use http::{HeaderName, HeaderValue, header};

/// Tags of one header at most.
const TAGS_MAX: usize = 50;

/// The tag of a representation as a header.
pub(super) fn value(tag: Tag) -> HeaderValue {
    HeaderValue::try_from(tag.quoted()).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// What a conditional header names.
enum Tags<'a> {
    /// `*`
    Any,
    /// These, perhaps none.
    These(Vec<Given<'a>>),
}

/// The tags of a header; elements of the list may be empty (RFC 9110, 5.6.1).
fn tags<'a>(request: &'a Request, name: &HeaderName) -> Result<Option<Tags<'a>>, Failure> {
    let mut values = request.headers.get_all(name).iter().peekable();
    if values.peek().is_none() {
        return Ok(None);
    }
    let mut tags = Vec::new();
    let mut any = false;
    for value in values {
        let text = value.to_str().map_err(|_| broken(name))?;
        if text.trim() == "*" {
            any = true;
            continue;
        }
        let mut rest = text.trim_start_matches(BETWEEN);
        while !rest.is_empty() {
            let (weak, quoted) = match rest.strip_prefix("W/") {
                Some(quoted) => (true, quoted),
                None => (false, rest),
            };
            let quoted = quoted.strip_prefix('"').ok_or_else(|| broken(name))?;
            let (opaque, after) = quoted.split_once('"').ok_or_else(|| broken(name))?;
            let apart = after.trim_start_matches([' ', '\t']);
            if tags.len() == TAGS_MAX
                || !sound(opaque)
                || !(apart.is_empty() || apart.starts_with(','))
            {
                return Err(broken(name));
            }
            tags.push(Given { weak, opaque });
            rest = after.trim_start_matches(BETWEEN);
        }
    }
    match (any, tags.is_empty()) {
        (true, true) => Ok(Some(Tags::Any)),
        (true, false) => Err(broken(name)),
        (false, _) => Ok(Some(Tags::These(tags))),
    }
}

/// What may stand between the elements of a list.
const BETWEEN: [char; 3] = [' ', '\t', ','];

/// Visible characters of ASCII.
fn sound(opaque: &str) -> bool {
    opaque.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A tag as a client gives it.
struct Given<'a> {
    weak: bool,
    opaque: &'a str,
}

fn broken(name: &HeaderName) -> Failure {
    let name = if *name == header::IF_MATCH { "If-Match" } else { "If-None-Match" };
    let detail = "must be `*` or entity tags in quotes, parted by commas";
    Box::new(Problem::new(kinds::INVALID_PARAMETER).header_fault(name, detail))
}

/// The versions that a header of a write names; strong comparison for `If-Match`. What is no tag of
/// ours is equal to none.
///
/// # Errors
/// 400 where it cannot be read.
pub(super) fn named(request: &Request, name: HeaderName) -> Result<Match, Failure> {
    let strong = name == header::IF_MATCH;
    Ok(match tags(request, &name)? {
        None => Match::Absent,
        Some(Tags::Any) => Match::Any,
        Some(Tags::These(tags)) => {
            let compared = tags.iter().filter(|tag| !(strong && tag.weak));
            Match::Versions(compared.filter_map(|tag| version(tag.opaque)).collect())
        }
    })
}

/// The version of an `if_match` member of a batch.
pub(super) fn member(text: &str) -> Option<Match> {
    if text == "*" {
        return Some(Match::Any);
    }
    let opaque = text.strip_prefix('"')?.strip_suffix('"')?;
    if opaque.contains('"') || !sound(opaque) {
        return None;
    }
    Some(Match::Versions(version(opaque).into_iter().collect()))
}

/// The version of a tag of ours.
fn version(opaque: &str) -> Option<i64> {
    Tag::read(opaque).map(|tag| tag.version)
}

/// True where `If-None-Match` of a read holds this tag (weak comparison).
///
/// # Errors
/// 400 where it cannot be read.
pub(super) fn unchanged(request: &Request, tag: &HeaderValue) -> Result<bool, Failure> {
    let opaque = tag.to_str().unwrap_or_default().trim_matches('"');
    Ok(match tags(request, &header::IF_NONE_MATCH)? {
        None => false,
        Some(Tags::Any) => true,
        Some(Tags::These(tags)) => tags.iter().any(|tag| tag.opaque == opaque),
    })
}

/// `If-Match` of a read must name the version.
///
/// # Errors
/// 400 where it cannot be read, 412 where it names another.
pub(super) fn still(request: &Request, tag: Tag) -> Result<(), Failure> {
    match named(request, header::IF_MATCH)? {
        Match::Absent | Match::Any => Ok(()),
        Match::Versions(versions) if versions.contains(&tag.version) => Ok(()),
        Match::Versions(_) => Err(crate::engine::problem(kinds::VERSION_MISMATCH)),
    }
}
