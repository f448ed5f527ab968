//! Logs: one line per event, JSON where a program reads it. Access lines name the operation and
//! its route, never the path, the query, a header, a subject or an address.

use super::trace::TraceId;
use jiff::Timestamp;
use std::fmt::Write as _;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
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
    sender: SyncSender<Vec<u8>>,
    dropped: Arc<AtomicU64>,
    format: Format,
}

/// One answered request.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// When it was answered.
    pub at: Timestamp,
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
    /// Version of HTTP: `1.1`, `2`.
    pub version: &'a str,
}

impl Log {
    /// A log to a writer, on a thread that ends when the last clone is dropped.
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub fn to(out: Box<dyn Write + Send>, format: Format) -> std::io::Result<Self> {
        let (sender, lines) = sync_channel(LINES_MAX);
        std::thread::Builder::new().name("log".into()).spawn(move || write_out(out, &lines))?;
        Ok(Self { sender, dropped: Arc::default(), format })
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
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(log.clone());
        let installed = match format {
            Format::Text => builder.with_target(false).compact().try_init(),
            Format::Json => builder.json().flatten_event(true).try_init(),
        };
        installed.map(|()| log).map_err(|_| "a log is installed already".to_owned())
    }

    /// Writes a line for an answered request.
    pub fn access(&self, access: &Access<'_>) {
        let line = match self.format {
            Format::Text => text(access),
            Format::Json => json(access),
        };
        self.line(line.into_bytes());
    }

    /// Lines that were dropped because the writer was too slow.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    fn line(&self, line: Vec<u8>) {
        match self.sender.try_send(line) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) => {
                self.dropped.fetch_add(1, Relaxed);
            }
        }
    }
}

fn write_out(mut out: Box<dyn Write + Send>, lines: &Receiver<Vec<u8>>) {
    while let Ok(line) = lines.recv() {
        let mut batch = line;
        while batch.len() < 64 << 10 {
            match lines.try_recv() {
                Ok(more) => batch.extend_from_slice(&more),
                Err(_) => break,
            }
        }
        // Nobody is left to be told when standard error is gone.
        let _ = out.write_all(&batch).and_then(|()| out.flush());
    }
}

fn text(access: &Access<'_>) -> String {
    let Access { at, trace, method, operation, status, problem, took, .. } = access;
    let ms = took.as_secs_f64() * 1e3;
    let problem = problem.map(|slug| format!(" {slug}")).unwrap_or_default();
    format!("{at:.3}  {method} {operation} {status}{problem} {ms:.1} ms trace={trace}\n")
}

fn json(access: &Access<'_>) -> String {
    let mut line = String::with_capacity(320);
    let quoted = |text: &str| serde_json::to_string(text).expect("text serialises");
    let ms = access.took.as_secs_f64() * 1e3;
    let _ = write!(
        line,
        "{{\"timestamp\":\"{:.6}\",\"level\":\"INFO\",\"message\":\"request\",\"trace_id\":\"{}\",\
         \"method\":{},\"operation\":{},\"route\":{},\"status\":{},\"duration_ms\":{ms:.3},\
         \"request_bytes\":{},\"http\":\"{}\"",
        access.at,
        access.trace,
        quoted(access.method),
        quoted(access.operation),
        quoted(access.route),
        access.status,
        access.request_bytes,
        access.version,
    );
    if let Some(bytes) = access.response_bytes {
        let _ = write!(line, r#","response_bytes":{bytes}"#);
    }
    if let Some(slug) = access.problem {
        let _ = write!(line, r#","problem":{}"#, quoted(slug));
    }
    if let Some(tenant) = access.tenant {
        let _ = write!(line, r#","tenant":{}"#, quoted(tenant));
    }
    line.push_str("}\n");
    line
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
            self.log.line(std::mem::take(&mut self.line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn access() -> Access<'static> {
        Access {
            at: Timestamp::from_microsecond(1_700_000_000_123_456).unwrap(),
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

    #[test]
    fn an_access_line_is_json_or_text() {
        expect![[r#"
            {"timestamp":"2023-11-14T22:13:20.123456Z","level":"INFO","message":"request","trace_id":"abababababababababababababababab","method":"GET","operation":"listProducts","route":"/v1/products","status":429,"duration_ms":1.234,"request_bytes":0,"http":"1.1","response_bytes":512,"problem":"too-many-requests","tenant":"ac\"me"}
        "#]].assert_eq(&json(&access()));
        expect![[r#"
            2023-11-14T22:13:20.123Z  GET listProducts 429 too-many-requests 1.2 ms trace=abababababababababababababababab
        "#]].assert_eq(&text(&access()));
        let value: serde_json::Value = serde_json::from_str(&json(&access())).unwrap();
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
        for _ in 0..LINES_MAX + 2000 {
            log.access(&access());
        }
        assert!(log.dropped() > 0);
        drop(release);
    }
}
