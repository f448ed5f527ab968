//! Where a request of HTTP/1.1 begins and ends (RFC 9112), read strictly: what two readers could
//! understand in two ways is refused.

use super::config::Limits;
use crate::problem::{Kind, kinds};

/// How the body of a message is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// No body.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
}

/// A head that is refused: the type of the problem and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) Kind, pub(super) &'static str);

const fn malformed(why: &'static str) -> Refusal {
    Refusal(kinds::MALFORMED_REQUEST, why)
}

/// Length of the head at the front of `bytes`, final empty line included, and the framing of what
/// follows; `Ok(None)` while it is not complete. The first `scanned` bytes were looked at before
/// and held no end.
pub(super) fn head(
    bytes: &[u8],
    scanned: usize,
    limits: &Limits,
) -> Result<Option<(usize, Framing)>, Refusal> {
    let from = scanned.saturating_sub(3);
    let Some(end) = find(&bytes[from..], b"\r\n\r\n").map(|at| from + at) else {
        line_ends(bytes, scanned)?;
        return incomplete(bytes, limits).map(|()| None);
    };
    let mut lines = lines(&bytes[..end]);
    let first = lines.next().unwrap_or(Ok(&[]))?;
    let target = first.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    if target.len() > limits.target_bytes_max {
        return Err(too_long());
    }
    if memchr::memchr(b'#', target).is_some() {
        return Err(malformed("the request target holds a fragment"));
    }
    if end - first.len() > limits.header_bytes_max {
        return Err(too_large());
    }
    let framing = fields(lines, limits, first.ends_with(b" HTTP/1.0"))?;
    Ok(Some((end + 4, framing)))
}

/// The lines of a head without their ends; the last one was cut in front of its CR LF. What no line
/// may hold is found on the way, so that a head is gone through once.
fn lines(head: &[u8]) -> impl Iterator<Item = Result<&[u8], Refusal>> {
    let mut rest = Some(head);
    std::iter::from_fn(move || {
        let bytes = rest?;
        let end = memchr::memchr3(b'\r', b'\n', 0, bytes);
        let Some(at) = end else {
            rest = None;
            return Some(Ok(bytes));
        };
        Some(match (bytes[at], bytes.get(at + 1)) {
            (b'\r', Some(b'\n')) => {
                rest = Some(&bytes[at + 2..]);
                Ok(&bytes[..at])
            }
            (b'\n', _) => Err(malformed("a line ends in LF without CR")),
            _ => Err(malformed("a line holds CR or NUL")),
        })
    })
}

fn fields<'a>(
    lines: impl Iterator<Item = Result<&'a [u8], Refusal>>,
    limits: &Limits,
    old: bool,
) -> Result<Framing, Refusal> {
    let (mut length, mut chunked, mut count) = (None, false, 0);
    for line in lines {
        let line = line?;
        count += 1;
        let Some(colon) = memchr::memchr(b':', line) else {
            return Err(malformed("a header line has no colon"));
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.is_empty() || name.iter().any(u8::is_ascii_whitespace) {
            return Err(malformed("a header name is empty, folded or followed by a space"));
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            if length.is_some() {
                return Err(malformed("there is more than one `Content-Length`"));
            }
            length = Some(decimal(value).ok_or(malformed("`Content-Length` is not a number"))?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if chunked {
                return Err(malformed("there is more than one `Transfer-Encoding`"));
            }
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err(malformed("`Transfer-Encoding` is not `chunked`"));
            }
            chunked = true;
        }
    }
    match (length, chunked) {
        _ if count > limits.headers_max => Err(too_large()),
        (Some(_), true) => Err(malformed("`Content-Length` and `Transfer-Encoding` together")),
        (None, true) if old => Err(malformed("`Transfer-Encoding` in HTTP/1.0")),
        (None, true) => Ok(Framing::Chunked),
        (Some(0) | None, false) => Ok(Framing::None),
        (Some(bytes), false) => Ok(Framing::Length(bytes)),
    }
}

/// A line ends in CR LF (RFC 9112, 2.2). Said as soon as it is seen: a head whose lines end in LF
/// alone would never end. The first `scanned` bytes were looked at before.
fn line_ends(bytes: &[u8], scanned: usize) -> Result<(), Refusal> {
    let from = scanned.saturating_sub(1);
    let mut ends = memchr::memchr_iter(b'\n', &bytes[from..]).map(|at| from + at);
    // What was looked at before is not looked at again.
    match ends.any(|at| at == 0 || (at >= scanned && bytes[at - 1] != b'\r')) {
        true => Err(malformed("a line ends in LF without CR")),
        false => Ok(()),
    }
}

/// A head that does not end yet must still be able to.
fn incomplete(bytes: &[u8], limits: &Limits) -> Result<(), Refusal> {
    let line = find(bytes, b"\r\n");
    // Method, two spaces and version beside the target.
    if line.unwrap_or(bytes.len()) > limits.target_bytes_max + 64 {
        return Err(too_long());
    }
    match bytes.len() - line.unwrap_or(bytes.len()) > limits.header_bytes_max {
        true => Err(too_large()),
        false => Ok(()),
    }
}

fn too_long() -> Refusal {
    Refusal(kinds::URI_TOO_LONG, "the request target is longer than the server takes")
}

fn too_large() -> Refusal {
    Refusal(kinds::HEADERS_TOO_LARGE, "the headers are longer or more than the server takes")
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, pattern)
}

fn decimal(text: &[u8]) -> Option<u64> {
    let digits = !text.is_empty() && text.len() <= 18 && text.iter().all(u8::is_ascii_digit);
    digits.then(|| text.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

/// Bytes of a chunk's extensions or of the trailers that are read at most.
const LINE_BYTES_MAX: usize = 4 << 10;

/// Follows the chunks of a body to their end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Chunks {
    at: At,
    left: u64,
    digits: u8,
    line: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum At {
    #[default]
    Size,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerBegin,
    Trailer,
    TrailerLf,
    EndLf,
    Done,
}

impl Chunks {
    /// Reads on; gives how many of `bytes` belong to the body, and whether it ends there.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(usize, bool), &'static str> {
        let mut at = 0;
        while at < bytes.len() && self.at != At::Done {
            if self.at == At::Data {
                let step = self.left.min((bytes.len() - at) as u64);
                self.left -= step;
                at += usize::try_from(step).expect("a step is no longer than the slice");
                if self.left == 0 {
                    self.at = At::DataCr;
                }
                continue;
            }
            self.step(bytes[at])?;
            at += 1;
        }
        Ok((at, self.at == At::Done))
    }

    fn step(&mut self, byte: u8) -> Result<(), &'static str> {
        self.at = match (self.at, byte) {
            (At::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') if self.digits < 15 => {
                let digit = (byte as char).to_digit(16).expect("the byte is a hex digit");
                self.left = self.left * 16 + u64::from(digit);
                self.digits += 1;
                At::Size
            }
            (At::Size, b'\r') if self.digits > 0 => At::SizeLf,
            (At::Size, b';') if self.digits > 0 => At::Extension,
            (At::Size, _) => return Err("a chunk size is not a hexadecimal number"),
            (At::Extension, b'\r') => At::SizeLf,
            (At::Extension | At::Trailer | At::TrailerBegin, b'\n' | 0) => {
                return Err("a line of the chunked body holds LF or NUL");
            }
            (At::Extension, _) => self.count(At::Extension)?,
            (At::SizeLf, b'\n') => {
                (self.digits, self.line) = (0, 0);
                if self.left == 0 { At::TrailerBegin } else { At::Data }
            }
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataLf, b'\n') => At::Size,
            (At::TrailerBegin, b'\r') => At::EndLf,
            (At::Trailer, b'\r') => At::TrailerLf,
            (At::TrailerBegin | At::Trailer, _) => self.count(At::Trailer)?,
            (At::TrailerLf, b'\n') => At::TrailerBegin,
            (At::EndLf, b'\n') => At::Done,
            (
                At::SizeLf
                | At::DataCr
                | At::DataLf
                | At::TrailerLf
                | At::EndLf
                | At::Data
                | At::Done,
                _,
            ) => return Err("a chunk does not end in CR LF"),
        };
        Ok(())
    }

    fn count(&mut self, next: At) -> Result<At, &'static str> {
        self.line += 1;
        match self.line > LINE_BYTES_MAX {
            true => Err("chunk extensions or trailers are too long"),
            false => Ok(next),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> String {
        let limits = Limits {
            target_bytes_max: 20,
            header_bytes_max: 120,
            headers_max: 3,
            ..Limits::default()
        };
        match head(text.as_bytes(), 0, &limits) {
            Ok(None) => "incomplete".to_owned(),
            Ok(Some((bytes, framing))) => format!("{bytes} {framing:?}"),
            Err(Refusal(kind, why)) => format!("{} {why}", kind.status),
        }
    }

    #[test]
    fn heads_and_their_framing() {
        let long = "x".repeat(200);
        for (text, wanted) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n", "incomplete"),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\nrest", "27 None"),
            ("GET / HTTP/1.0\r\n\r\n", "18 None"),
            ("POST / HTTP/1.1\r\nContent-Length: 12\r\n\r\n", "39 Length(12)"),
            ("POST / HTTP/1.1\r\ntransfer-encoding: Chunked \r\n\r\n", "48 Chunked"),
            (
                &format!("GET /{long} HTTP/1.1\r\n\r\n"),
                "414 the request target is longer than the server takes",
            ),
            (&format!("GET /{long}"), "414 the request target is longer than the server takes"),
            (
                &format!("GET / HTTP/1.1\r\na: {long}"),
                "431 the headers are longer or more than the server takes",
            ),
            (
                &format!("GET / HTTP/1.1\r\na: {long}\r\n\r\n"),
                "431 the headers are longer or more than the server takes",
            ),
            (
                "GET / HTTP/1.1\r\na: 1\r\nb: 1\r\nc: 1\r\nd: 1\r\n\r\n",
                "431 the headers are longer or more than the server takes",
            ),
            ("GET /a#b HTTP/1.1\r\n\r\n", "400 the request target holds a fragment"),
        ] {
            assert_eq!(seen(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn what_two_readers_could_read_in_two_ways_is_refused() {
        for fields in [
            "Content-Length: 4\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nContent-Length: 4",
            "Content-Length: 4\r\nContent-Length: 4",
            "Content-Length: 4\r\nContent-Length: 5",
            "Content-Length: 4, 4",
            "Content-Length: +4",
            "Content-Length: -4",
            "Content-Length: 0x4",
            "Content-Length: ",
            "Content-Length: 99999999999999999999",
            "Content-Length : 4",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: identity",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding:\u{b}chunked",
            "a: b\r\n folded: c",
            "a: b\r\n\tfolded: c",
            "no colon",
            ": no name",
            "a: b\rc: d",
            "a: b\nc: d",
            "a: b\0c",
        ] {
            let seen = seen(&format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n"));
            assert!(seen.starts_with("400 "), "{fields:?}: {seen}");
        }
        assert!(seen("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").starts_with("400"));
    }

    #[test]
    fn a_line_that_ends_in_lf_alone_is_refused_before_the_head_is_whole() {
        let wanted = "400 a line ends in LF without CR";
        for text in ["\n", "GET / HTTP/1.1\n", "GET / HTTP/1.1\r\nHost: a\n", "\r\n\n"] {
            assert_eq!(seen(text), wanted, "{text:?}");
            // Byte by byte it is the LF that tells.
            let (limits, last) = (Limits::default(), text.len() - 1);
            for end in 1..last {
                assert_eq!(head(&text.as_bytes()[..end], end - 1, &limits), Ok(None), "{text:?}");
            }
            assert!(head(text.as_bytes(), last, &limits).is_err(), "{text:?}");
        }
    }

    /// Reads in pieces of each size, so that every place of a cut is met.
    fn chunks(text: &str) -> Result<(usize, bool), &'static str> {
        let whole = Chunks::default().read(text.as_bytes());
        for size in 1..text.len() {
            let (mut state, mut total, mut done) = (Chunks::default(), 0, false);
            let mut outcome = Ok(());
            for piece in text.as_bytes().chunks(size) {
                match state.read(piece) {
                    Ok((bytes, end)) => (total, done) = (total + bytes, end),
                    Err(why) => outcome = Err(why),
                }
                if done || outcome.is_err() {
                    break;
                }
            }
            assert_eq!(outcome.map(|()| (total, done)), whole, "{text:?} in pieces of {size}");
        }
        whole
    }

    #[test]
    fn chunks_are_followed_to_their_end() {
        assert_eq!(chunks("4\r\nabcd\r\n0\r\n\r\nGET /"), Ok((14, true)));
        assert_eq!(chunks("4;a=b\r\nabcd\r\n0\r\nx: y\r\n\r\n"), Ok((24, true)));
        assert_eq!(chunks("A\r\n0123456789\r\n"), Ok((15, false)));
        assert_eq!(chunks("4\r\nab"), Ok((5, false)));
    }

    #[test]
    fn broken_chunks_are_refused() {
        for text in [
            "x\r\n",
            "\r\n",
            "4\nabcd",
            "4\r\nabcde\r\n",
            "4 \r\nabcd\r\n",
            "0x4\r\nabcd\r\n",
            "ffffffffffffffff\r\n",
            "4;a\nb\r\nabcd\r\n",
            "0\r\nx: y\n\r\n",
            "-1\r\n",
        ] {
            assert!(chunks(text).is_err(), "{text:?}");
        }
        let long = format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(LINE_BYTES_MAX + 1));
        assert!(Chunks::default().read(long.as_bytes()).is_err());
    }
}
