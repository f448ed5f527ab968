//! W3C Trace Context: which trace a request belongs to, taken over from the caller or begun here.

use crate::json::write::hex;
use ring::rand::{SecureRandom, SystemRandom};
use std::cell::Cell;
use std::fmt;

/// Bytes of a `traceparent` of ours.
const TRACEPARENT_BYTES: usize = 55;

/// Id of a trace; never zero. Prints as 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(pub [u8; 16]);

/// Id of a span; never zero. Prints as 16 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(pub [u8; 8]);

/// The place of a request in a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace_id: TraceId,
    /// The span of this server for this request: parent of what it calls.
    pub span_id: SpanId,
    /// The caller's span, where it sent one.
    pub parent: Option<SpanId>,
    /// The caller recorded it.
    pub sampled: bool,
}

impl TraceContext {
    /// The beginning of a trace.
    pub fn root() -> Self {
        let (high, low) = (random(), random());
        let mut id = [0; 16];
        id[..8].copy_from_slice(&high.to_be_bytes());
        id[8..].copy_from_slice(&low.to_be_bytes());
        Self { trace_id: TraceId(id), span_id: new_span(), parent: None, sampled: false }
    }

    /// Continues the trace of a `traceparent` value, or begins one where the value is not valid.
    pub fn continued(traceparent: Option<&[u8]>) -> Self {
        let Some((trace_id, parent, sampled)) = traceparent.and_then(parse) else {
            return Self::root();
        };
        Self { trace_id, span_id: new_span(), parent: Some(parent), sampled }
    }

    /// The `traceparent` to hand on.
    pub fn traceparent(&self) -> String {
        let mut out = Vec::with_capacity(TRACEPARENT_BYTES);
        out.extend_from_slice(b"00-");
        self.trace_id.write(&mut out);
        out.push(b'-');
        hex(&mut out, &self.span_id.0);
        out.extend_from_slice(if self.sampled { b"-01" } else { b"-00" });
        String::from_utf8(out).unwrap_or_default()
    }
}

/// `00-<32 hex>-<16 hex>-<2 hex>`; a later version may have more after a further `-`.
fn parse(value: &[u8]) -> Option<(TraceId, SpanId, bool)> {
    let sized =
        value.len() == 55 || (value.len() > 55 && value[55] == b'-' && value[..2] != *b"00");
    if !sized || value[2] != b'-' || value[35] != b'-' || value[52] != b'-' {
        return None;
    }
    let version = read_hex::<1>(&value[..2])?;
    let trace = read_hex::<16>(&value[3..35])?;
    let span = read_hex::<8>(&value[36..52])?;
    let flags = read_hex::<1>(&value[53..55])?;
    let known = version[0] != 0xff && trace != [0; 16] && span != [0; 8];
    known.then_some((TraceId(trace), SpanId(span), flags[0] & 1 == 1))
}

/// Lower-case hex, as the specification demands.
fn read_hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn new_span() -> SpanId {
    SpanId(random().to_be_bytes())
}

/// Never zero, unlikely to repeat; not secret. Seeded per thread from the system (splitmix64).
fn random() -> u64 {
    thread_local!(static STATE: Cell<u64> = const { Cell::new(0) });
    STATE.with(|state| {
        if state.get() == 0 {
            let mut seed = [0; 8];
            SystemRandom::new().fill(&mut seed).expect("the system gives random bytes");
            state.set(u64::from_be_bytes(seed) | 1);
        }
        let next = state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        state.set(next);
        let mixed = (next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).max(1)
    })
}

impl TraceId {
    /// Writes its 32 digits.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        hex(out, &self.0);
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_valid_traceparent_is_continued_with_a_span_of_our_own() {
        let context = TraceContext::continued(Some(GIVEN.as_bytes()));
        assert_eq!(context.trace_id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(context.parent.unwrap().to_string(), "00f067aa0ba902b7");
        assert!(context.sampled);
        assert_ne!(Some(context.span_id), context.parent);
        let out = context.traceparent();
        assert!(out.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"), "{out}");
        assert!(out.ends_with("-01"), "{out}");
    }

    #[test]
    fn what_is_not_valid_begins_a_new_trace() {
        let cases = [
            "",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        ];
        for case in cases {
            let context = TraceContext::continued(Some(case.as_bytes()));
            assert_eq!(context.parent, None, "{case}");
            assert_ne!(context.trace_id, TraceContext::continued(None).trace_id);
        }
        let later = format!("cc{}-more", &GIVEN[2..]);
        assert!(TraceContext::continued(Some(later.as_bytes())).parent.is_some());
    }
}
