//! Traces and access lines as Mainstay gives them, so that their price can be told apart from the
//! price of the model: lines are gathered by the core that answers and written together.

use super::requests::now;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use hyper::body::Incoming;
use std::cell::RefCell;
use std::io::Write as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Bytes that are gathered before they are written.
const GATHERED_BYTES_MAX: usize = 64 << 10;
/// How old a line gets before it is written.
const GATHERED_MAX: Duration = Duration::from_millis(100);

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// The lines of one core.
pub(crate) struct Log {
    lines: RefCell<Vec<u8>>,
}

/// What is known of a request before it is answered.
pub(crate) struct Seen {
    begin: Instant,
    method: &'static str,
    route: &'static str,
}

impl Seen {
    /// Of a request.
    pub(crate) fn of(request: &Request<Incoming>) -> Self {
        let route = match request.uri().path().bytes().filter(|byte| *byte == b'/').count() {
            2 => "/v1/orders",
            3 => "/v1/orders/{id}",
            _ => "/v1/orders/{id}/place",
        };
        let method = match request.method().as_str() {
            "GET" => "GET",
            "POST" => "POST",
            _ => "PATCH",
        };
        Self { begin: Instant::now(), method, route }
    }
}

impl Log {
    /// Begins to write what is gathered.
    pub(crate) fn start() -> Rc<Self> {
        let log = Rc::new(Self { lines: RefCell::default() });
        let writes = Rc::clone(&log);
        tokio::task::spawn_local(async move {
            loop {
                tokio::time::sleep(GATHERED_MAX).await;
                writes.write();
            }
        });
        log
    }

    fn write(&self) {
        let mut lines = self.lines.borrow_mut();
        // Nobody is left to be told when standard error is gone.
        let _gone = std::io::stderr().write_all(&lines);
        lines.clear();
    }

    /// Names an answer's trace and time in its headers and in a line.
    pub(crate) fn note(
        &self,
        seen: &Seen,
        status: u16,
        bytes: usize,
        (one, other, span): (u64, u64, u64),
        headers: &mut HeaderMap,
    ) {
        let ms = seen.begin.elapsed().as_secs_f64() * 1e3;
        let text =
            |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
        headers.insert(TRACEPARENT, text(format!("00-{one:016x}{other:016x}-{span:016x}-00")));
        headers.insert(SERVER_TIMING, text(format!("total;dur={ms:.3}")));
        let mut lines = self.lines.borrow_mut();
        lines.extend_from_slice(b"{\"timestamp\":\"");
        super::json::timestamp(&mut lines, now());
        let _ = writeln!(
            lines,
            "\",\"level\":\"INFO\",\"message\":\"request\",\"trace_id\":\"{one:016x}{other:016x}\",\
             \"method\":\"{}\",\"route\":\"{}\",\"status\":{status},\"duration_ms\":{ms:.3},\
             \"response_bytes\":{bytes}}}",
            seen.method, seen.route
        );
        let full = lines.len() > GATHERED_BYTES_MAX;
        drop(lines);
        if full {
            self.write();
        }
    }
}
