//! Logs: one line per event, JSON where a program reads it. Access lines name the operation and
//! its route, never the path, the query, a header, a subject or an address.

mod gather;

use super::trace::TraceId;
use crate::json::{time, write};
use gather::Gather;
use std::cell::RefCell;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait for the writer at most; further ones are dropped and counted.
pub const LINES_MAX: usize = 16_384;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Takes lines without waiting and writes them on a thread of its own.
#[derive(Debug, Clone)]
pub struct Log {
    near: Arc<Near>,
    dropped: Arc<AtomicU64>,
    format: Format,
}

/// The end that lines are brought to: the thread ends with it.
#[derive(Debug)]
struct Near(Arc<Gather>);

impl Drop for Near {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// One answered request.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// When it was answered, in microseconds since 1970.
    pub at: i64,
    /// Its trace.
    pub trace: TraceId,
    /// HTTP method.
    pub method: &'a str,
    /// Operation of the contract, or `other`.
    pub operation: &'a str,
    /// Path template, empty where there is none.
    pub route: &'a str,
    /// HTTP status.
    pub status: u16,
    /// Slug of the problem.
    pub problem: Option<&'a str>,
    /// The tenant, where known.
    pub tenant: Option<&'a str>,
    /// From the request's head to the answer's.
    pub took: Duration,
    /// Bytes of the request's body.
    pub request_bytes: usize,
    /// Bytes of the answer's body before compression; none for streams.
    pub response_bytes: Option<usize>,
    /// Version of HTTP: `1.1`, `2`; or the broker that it came by: `nats`.
    pub version: &'a str,
}

/// Clients of brokers that tell of each attempt to connect: what there is to know is told once a
/// minute by whoever uses them.
const NOISY: [&str; 2] = ["lapin", "async_nats"];

/// The filter, without those who are noisy, unless it names them.
fn quiet(filter: EnvFilter) -> EnvFilter {
    let asked = filter.to_string();
    let others = NOISY.iter().filter(|noisy| !asked.contains(**noisy));
    let off = others.filter_map(|noisy| format!("{noisy}=off").parse().ok());
    off.fold(filter, EnvFilter::add_directive)
}

impl Log {
    /// A log to a writer, on a thread that ends when the last clone is dropped.
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub fn to(out: Box<dyn Write + Send>, format: Format) -> std::io::Result<Self> {
        let gather = Arc::new(Gather::default());
        let lines = Arc::clone(&gather);
        std::thread::Builder::new().name("log".into()).spawn(move || lines.write_to(out))?;
        Ok(Self { near: Arc::new(Near(gather)), dropped: Arc::default(), format })
    }

    /// A log to standard error that also takes the events of the `tracing` macros, filtered by
    /// `filter` (`info`, `runtime=debug,warn`).
    ///
    /// # Errors
    /// A sentence for people: the filter is not readable, or a log stands already.
    pub fn install(format: Format, filter: &str) -> Result<Self, String> {
        let log = Self::to(Box::new(std::io::stderr()), format)
            .map_err(|error| format!("cannot start the log: {error}"))?;
        let filter = EnvFilter::try_new(filter)
            .map_err(|error| format!("the log filter `{filter}` is not readable: {error}"))?;
        let filter = quiet(filter);
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(log.clone());
        let installed = match format {
            Format::Text => builder.with_target(false).compact().try_init(),
            Format::Json => builder.json().flatten_event(true).try_init(),
        };
        installed.map(|()| log).map_err(|_| "a log is installed already".to_owned())
    }

    /// Writes a line for an answered request.
    pub fn access(&self, access: &Access<'_>) {
        thread_local!(static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) });
        LINE.with_borrow_mut(|line| {
            line.clear();
            match self.format {
                Format::Text => text(line, access),
                Format::Json => json(line, access),
            }
            self.line(line, false);
        });
    }

    /// Lines that were dropped because the writer was too slow.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Waits until all lines are written, or so long: for the end of the process.
    pub fn flush(&self, most: Duration) {
        self.near.0.flush(most);
    }

    fn line(&self, line: &[u8], urgent: bool) {
        if !self.near.0.put(line, urgent) {
            self.dropped.fetch_add(1, Relaxed);
        }
    }
}

fn text(out: &mut Vec<u8>, access: &Access<'_>) {
    let Access { at, trace, method, operation, status, problem, took, .. } = access;
    instant(out, *at, 3);
    for part in ["  ", method, " ", operation, " "] {
        out.extend_from_slice(part.as_bytes());
    }
    write::unsigned(out, u64::from(*status), 1);
    if let Some(slug) = problem {
        out.push(b' ');
        out.extend_from_slice(slug.as_bytes());
    }
    out.push(b' ');
    let tenths = (took.as_micros() + 50) / 100;
    write::fixed(out, u64::try_from(tenths).unwrap_or(u64::MAX), 1);
    out.extend_from_slice(b" ms trace=");
    trace.write(out);
    out.push(b'\n');
}

fn json(out: &mut Vec<u8>, access: &Access<'_>) {
    out.extend_from_slice(b"{\"timestamp\":\"");
    instant(out, access.at, 6);
    out.extend_from_slice(b"\",\"level\":\"INFO\",\"message\":\"request\",\"trace_id\":\"");
    access.trace.write(out);
    out.push(b'"');
    for (name, value) in [
        (&b",\"method\":"[..], access.method),
        (b",\"operation\":", access.operation),
        (b",\"route\":", access.route),
    ] {
        out.extend_from_slice(name);
        write::text(out, value);
    }
    out.extend_from_slice(b",\"status\":");
    write::unsigned(out, u64::from(access.status), 1);
    out.extend_from_slice(b",\"duration_ms\":");
    milliseconds(out, access.took);
    out.extend_from_slice(b",\"request_bytes\":");
    write::unsigned(out, access.request_bytes as u64, 1);
    out.extend_from_slice(b",\"http\":");
    write::text(out, access.version);
    if let Some(bytes) = access.response_bytes {
        out.extend_from_slice(b",\"response_bytes\":");
        write::unsigned(out, bytes as u64, 1);
    }
    for (name, value) in [(&b",\"problem\":"[..], access.problem), (b",\"tenant\":", access.tenant)]
    {
        if let Some(value) = value {
            out.extend_from_slice(name);
            write::text(out, value);
        }
    }
    out.extend_from_slice(b"}\n");
}

/// `1.234`
pub(crate) fn milliseconds(out: &mut Vec<u8>, took: Duration) {
    write::fixed(out, u64::try_from(took.as_micros()).unwrap_or(u64::MAX), 3);
}

/// RFC 3339 with so many digits of the second.
fn instant(out: &mut Vec<u8>, micros: i64, digits: u32) {
    let (seconds, rest) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    time::write_timestamp(out, seconds * 1_000_000);
    out.pop();
    out.push(b'.');
    write::unsigned(out, rest.unsigned_abs() / 10_u64.pow(6 - digits), digits as usize);
    out.push(b'Z');
}

/// Hands the lines of `tracing` to the log.
impl<'a> MakeWriter<'a> for Log {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        LineWriter { log: self, line: Vec::new() }
    }
}

/// Collects one event.
#[derive(Debug)]
pub struct LineWriter<'a> {
    log: &'a Log,
    line: Vec<u8>,
}

impl Write for LineWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for LineWriter<'_> {
    fn drop(&mut self) {
        if !self.line.is_empty() {
            self.log.line(&self.line, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use std::sync::mpsc::{Receiver, sync_channel};

    fn access() -> Access<'static> {
        Access {
            at: 1_700_000_000_123_456,
            trace: TraceId([0xab; 16]),
            method: "GET",
            operation: "listProducts",
            route: "/v1/products",
            status: 429,
            problem: Some("too-many-requests"),
            tenant: Some("ac\"me"),
            took: Duration::from_micros(1_234),
            request_bytes: 0,
            response_bytes: Some(512),
            version: "1.1",
        }
    }

    fn written(write: fn(&mut Vec<u8>, &Access<'_>)) -> String {
        let mut out = Vec::new();
        write(&mut out, &access());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_access_line_is_json_or_text() {
        expect![[r#"
            {"timestamp":"2023-11-14T22:13:20.123456Z","level":"INFO","message":"request","trace_id":"abababababababababababababababab","method":"GET","operation":"listProducts","route":"/v1/products","status":429,"duration_ms":1.234,"request_bytes":0,"http":"1.1","response_bytes":512,"problem":"too-many-requests","tenant":"ac\"me"}
        "#]].assert_eq(&written(json));
        expect![[r#"
            2023-11-14T22:13:20.123Z  GET listProducts 429 too-many-requests 1.2 ms trace=abababababababababababababababab
        "#]].assert_eq(&written(text));
        let value: serde_json::Value = serde_json::from_str(&written(json)).unwrap();
        assert_eq!(value["tenant"], "ac\"me");
    }

    #[test]
    fn a_writer_that_hangs_drops_lines_instead_of_requests() {
        struct Hangs(Receiver<()>);
        impl Write for Hangs {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                let _ = self.0.recv();
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let (release, hang) = sync_channel(0);
        let log = Log::to(Box::new(Hangs(hang)), Format::Json).unwrap();
        // The writer has taken as many as may wait, at most, when it hangs; as many wait behind it.
        for _ in 0..2 * LINES_MAX + 1 {
            log.access(&access());
        }
        assert!(log.dropped() > 0);
        drop(release);
    }

    #[test]
    fn what_was_brought_is_written_when_the_log_is_flushed() {
        #[derive(Clone, Default)]
        struct Kept(Arc<std::sync::Mutex<Vec<u8>>>);
        impl Write for Kept {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.lock().unwrap().extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let kept = Kept::default();
        let log = Log::to(Box::new(kept.clone()), Format::Text).unwrap();
        for round in 1..=50 {
            for _ in 0..20 {
                log.access(&access());
            }
            log.flush(Duration::from_secs(10));
            let lines = kept.0.lock().unwrap().iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(lines, round * 20);
        }
    }
}
