//! Compression of answers: zstd, brotli or gzip, as the client accepts.
//!
//! A compressed representation has an entity tag of its own (`"3.9f-zstd"`), as RFC 9110 section
//! 8.8.3.3 demands; the suffix is taken off again from what clients send back, so that the backend
//! compares the tags it made.

use super::config::Compression;
use super::negotiation;
use bytes::Bytes;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    HeaderValue, IF_MATCH, IF_NONE_MATCH, VARY,
};
use http::{HeaderMap, HeaderName};
use std::io::Write;

/// Bodies over this are compressed on a thread of their own, so that no core stalls.
pub const INLINE_BYTES_MAX: usize = 128 << 10;

/// A content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// RFC 8878; the fastest, so first where weights are equal.
    Zstd,
    /// RFC 7932.
    Brotli,
    /// RFC 1952.
    Gzip,
}

/// In order of preference.
const CODINGS: [Coding; 3] = [Coding::Zstd, Coding::Brotli, Coding::Gzip];

impl Coding {
    /// As in `Content-Encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// Compresses a whole body.
    ///
    /// # Errors
    /// None in practice: writing to memory cannot fail; the body is sent as it is then.
    pub fn compress(self, body: &[u8]) -> std::io::Result<Bytes> {
        let compressed = match self {
            Self::Zstd => zstd::bulk::compress(body, 3)?,
            Self::Brotli => {
                let mut out = Vec::with_capacity(body.len() / 3);
                let mut writer = brotli::CompressorWriter::new(&mut out, 4096, 4, 18);
                writer.write_all(body)?;
                drop(writer);
                out
            }
            Self::Gzip => {
                let out = Vec::with_capacity(body.len() / 3);
                let mut encoder = GzEncoder::new(out, flate2::Compression::new(5));
                encoder.write_all(body)?;
                encoder.finish()?
            }
        };
        Ok(compressed.into())
    }
}

/// True where an answer is worth compressing; adds `Vary` then, for the client that refuses too.
pub fn fits(policy: &Compression, answer: &mut HeaderMap, body_bytes: usize) -> bool {
    let fits = policy.on && body_bytes >= policy.bytes_min && compressible(answer);
    if fits {
        answer.append(VARY, HeaderValue::from_static("accept-encoding"));
    }
    fits
}

/// Marks an answer as compressed: `Content-Encoding`, and the entity tag's suffix.
pub fn mark(answer: &mut HeaderMap, coding: Coding) {
    answer.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    suffix_tag(answer, coding);
}

fn suffix_tag(answer: &mut HeaderMap, coding: Coding) {
    let tag = answer.get(ETAG).and_then(|tag| tag.to_str().ok());
    let suffixed = tag
        .and_then(|tag| tag.strip_suffix('"'))
        .and_then(|open| HeaderValue::from_str(&format!("{open}-{}\"", coding.name())).ok());
    if let Some(tag) = suffixed {
        answer.insert(ETAG, tag);
    }
}

/// Takes the suffix off the entity tags that a client sends. Gives the coding of the first tag
/// that had one: a 304 answers with the tag of the representation that the client holds.
pub fn unmark(request: &mut HeaderMap) -> Option<Coding> {
    let mut held = None;
    for name in [IF_NONE_MATCH, IF_MATCH] {
        held = held.or(unmark_header(request, &name));
    }
    held
}

fn unmark_header(request: &mut HeaderMap, name: &HeaderName) -> Option<Coding> {
    if !request.contains_key(name) {
        return None;
    }
    // A tag without a mark, as most are, holds no hyphen.
    if request.get_all(name).iter().all(|line| memchr::memchr(b'-', line.as_bytes()).is_none()) {
        return None;
    }
    let suffixes = CODINGS.map(|coding| (coding, format!("-{}\"", coding.name())));
    let find = |text: &str| {
        let at = |(coding, suffix): &(Coding, String)| Some((text.find(suffix)?, *coding));
        suffixes.iter().filter_map(at).min_by_key(|(at, _)| *at).map(|(_, coding)| coding)
    };
    let lines: Vec<HeaderValue> = request.get_all(name).iter().cloned().collect();
    let held = lines.iter().filter_map(|line| line.to_str().ok()).find_map(find)?;
    request.remove(name);
    for line in lines {
        let mut text = line.to_str().map(str::to_owned).unwrap_or_default();
        for (_, suffix) in &suffixes {
            text = text.replace(suffix, "\"");
        }
        request.append(name, HeaderValue::from_str(&text).unwrap_or(line));
    }
    Some(held)
}

/// Gives a 304 the tag of the representation that the client holds.
pub fn mark_unmodified(answer: &mut HeaderMap, held: Option<Coding>) {
    if let Some(coding) = held {
        suffix_tag(answer, coding);
        answer.append(VARY, HeaderValue::from_static("accept-encoding"));
    }
}

/// The coding that the client likes best.
pub fn accepted(request: &HeaderMap) -> Option<Coding> {
    let mut weights = [None; 3];
    let mut any = None;
    for (name, weight) in negotiation::weighted(request, &ACCEPT_ENCODING) {
        let is = |coding: &Coding| {
            let legacy = *coding == Coding::Gzip && name.eq_ignore_ascii_case("x-gzip");
            legacy || name.eq_ignore_ascii_case(coding.name())
        };
        match CODINGS.iter().position(is) {
            Some(at) => weights[at] = Some(weight),
            None if name == "*" => any = Some(weight),
            None => {}
        }
    }
    let weighted = CODINGS.iter().zip(weights).map(|(coding, weight)| (*coding, weight.or(any)));
    let mut best: Option<(Coding, u16)> = None;
    for (coding, weight) in weighted {
        let weight = weight.unwrap_or(0);
        if weight > 0 && best.is_none_or(|(_, most)| weight > most) {
            best = Some((coding, weight));
        }
    }
    best.map(|(coding, _)| coding)
}

fn compressible(answer: &HeaderMap) -> bool {
    let text = |name| answer.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if answer.contains_key(CONTENT_ENCODING) || answer.contains_key(CONTENT_RANGE) {
        return false;
    }
    if text(CACHE_CONTROL).is_some_and(|control| control.contains("no-transform")) {
        return false;
    }
    let Some(media) = text(CONTENT_TYPE).and_then(|value| value.split(';').next()) else {
        return false;
    };
    let media = media.trim();
    let known = ["application/json", "application/javascript", "application/yaml", "image/svg+xml"];
    known.contains(&media)
        || media.ends_with("+json")
        || media.ends_with("+xml")
        || (media.starts_with("text/") && media != "text/event-stream")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn accept(codings: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, codings.parse().unwrap());
        headers
    }

    fn json() -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ETAG, HeaderValue::from_static("\"3.9f\""));
        headers
    }

    #[test]
    fn each_coding_gives_back_the_body() {
        let body = r#"{"items":["a","b","c"]}"#.repeat(200);
        for coding in CODINGS {
            let packed = coding.compress(body.as_bytes()).unwrap();
            assert!(packed.len() < body.len() / 4, "{coding:?}");
            let mut text = String::new();
            match coding {
                Coding::Zstd => {
                    let bytes = zstd::bulk::decompress(&packed, body.len()).unwrap();
                    text = String::from_utf8(bytes).unwrap();
                }
                Coding::Brotli => {
                    brotli::Decompressor::new(&packed[..], 4096).read_to_string(&mut text).unwrap();
                }
                Coding::Gzip => {
                    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
                }
            }
            assert_eq!(text, body);
        }
    }

    #[test]
    fn the_best_accepted_coding_is_taken() {
        for (codings, wanted) in [
            ("gzip, deflate, br, zstd", Some(Coding::Zstd)),
            ("gzip, deflate, br", Some(Coding::Brotli)),
            ("gzip;q=1, br;q=0.5", Some(Coding::Gzip)),
            ("x-gzip", Some(Coding::Gzip)),
            ("*", Some(Coding::Zstd)),
            ("*, zstd;q=0", Some(Coding::Brotli)),
            ("identity", None),
            ("gzip;q=0", None),
            ("", None),
        ] {
            assert_eq!(accepted(&accept(codings)), wanted, "{codings}");
        }
    }

    #[test]
    fn vary_is_set_wherever_the_size_and_type_would_allow_it() {
        let policy = Compression::default();
        let mut headers = json();
        assert!(fits(&policy, &mut headers, 1024));
        assert_eq!(headers[VARY], "accept-encoding");
        let mut headers = json();
        assert!(!fits(&policy, &mut headers, 1023));
        assert!(!headers.contains_key(VARY));
        for (name, value) in [
            (CONTENT_ENCODING, "gzip"),
            (CACHE_CONTROL, "private, no-transform"),
            (CONTENT_TYPE, "image/png"),
            (CONTENT_TYPE, "text/event-stream"),
        ] {
            let mut headers = json();
            headers.insert(name, HeaderValue::from_static(value));
            assert!(!fits(&policy, &mut headers, 5000), "{value}");
        }
    }

    #[test]
    fn an_entity_tag_gets_a_suffix_and_loses_it_again() {
        let mut answer = json();
        mark(&mut answer, Coding::Gzip);
        assert_eq!(answer[ETAG], "\"3.9f-gzip\"");
        let mut request = HeaderMap::new();
        request.insert(IF_NONE_MATCH, HeaderValue::from_static("W/\"3.9f-gzip\", \"4.aa\""));
        assert_eq!(unmark(&mut request), Some(Coding::Gzip));
        assert_eq!(request[IF_NONE_MATCH], "W/\"3.9f\", \"4.aa\"");
        let mut plain = HeaderMap::new();
        plain.insert(IF_MATCH, HeaderValue::from_static("\"3.9f\""));
        assert_eq!(unmark(&mut plain), None);
        let mut unmodified = json();
        mark_unmodified(&mut unmodified, Some(Coding::Brotli));
        assert_eq!(unmodified[ETAG], "\"3.9f-br\"");
    }
}
