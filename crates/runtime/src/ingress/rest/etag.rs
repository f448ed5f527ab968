//! Entity tags: `"<version>.<hash>"`, strong, of the representation as the caller may see it.

use crate::engine::Failure;
use crate::engine::change::Match;
use crate::http::Request;
use crate::problem::{Problem, kinds};
use http::{HeaderName, HeaderValue, header};

/// Tags of one header at most.
const TAGS_MAX: usize = 50;

/// The tag of a representation.
pub(super) fn tag(version: i64, representation: &[u8]) -> HeaderValue {
    let text = format!("\"{version}.{:016x}\"", hash(representation));
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// The tag of a page, which has no version.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = FACTOR ^ (bytes.len() as u64);
    let mut mix = |chunk: u64| {
        let wide = u128::from(hash ^ chunk) * u128::from(FACTOR);
        hash = (wide as u64) ^ ((wide >> 64) as u64) ^ chunk.rotate_left(32);
    };
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let mut eight = [0; 8];
        eight.copy_from_slice(chunk);
        mix(u64::from_le_bytes(eight));
    }
    let mut rest = [0; 8];
    rest[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    mix(u64::from_le_bytes(rest));
    mix(0x2545_f491_4f6c_dd1d);
    hash
}

/// What a conditional header names.
enum Tags {
    /// `*`
    Any,
    /// These, perhaps none.
    These(Vec<Tag>),
}

/// The tags of a header; elements of the list may be empty (RFC 9110, 5.6.1).
fn tags(request: &Request, name: &HeaderName) -> Result<Option<Tags>, Failure> {
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
            tags.push(Tag { weak, opaque: opaque.to_owned() });
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

struct Tag {
    weak: bool,
    opaque: String,
}

impl Tag {
    /// The version that the tag names.
    fn version(&self) -> Option<i64> {
        let version = self.opaque.split('.').next()?;
        let plain = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| version.parse().ok()).flatten()
    }
}

fn broken(name: &HeaderName) -> Failure {
    let name = if *name == header::IF_MATCH { "If-Match" } else { "If-None-Match" };
    let detail = "must be `*` or entity tags in quotes, parted by commas";
    Box::new(Problem::new(kinds::INVALID_PARAMETER).header_fault(name, detail))
}

/// The versions that a header of a write names; strong comparison for `If-Match`.
///
/// # Errors
/// 400 where it cannot be read.
pub(super) fn versions(request: &Request, name: HeaderName) -> Result<Match, Failure> {
    let strong = name == header::IF_MATCH;
    Ok(match tags(request, &name)? {
        None => Match::Absent,
        Some(Tags::Any) => Match::Any,
        Some(Tags::These(tags)) => Match::Versions(
            tags.iter().filter(|tag| !(strong && tag.weak)).filter_map(Tag::version).collect(),
        ),
    })
}

/// The versions of an `if_match` member of a batch.
pub(super) fn version_of(text: &str) -> Option<Match> {
    if text == "*" {
        return Some(Match::Any);
    }
    let opaque = text.strip_prefix('"')?.strip_suffix('"')?;
    if opaque.contains('"') || !sound(opaque) {
        return None;
    }
    let tag = Tag { weak: false, opaque: opaque.to_owned() };
    Some(Match::Versions(tag.version().into_iter().collect()))
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
pub(super) fn still(request: &Request, version: i64) -> Result<(), Failure> {
    match versions(request, header::IF_MATCH)? {
        Match::Absent | Match::Any => Ok(()),
        Match::Versions(versions) if versions.contains(&version) => Ok(()),
        Match::Versions(_) => Err(crate::engine::problem(kinds::VERSION_MISMATCH)),
    }
}
