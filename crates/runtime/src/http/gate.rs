//! The gate in front of the HTTP/1.1 parser.
//!
//! hyper drops a `Content-Length` beside a `Transfer-Encoding` silently, answers what it refuses
//! with an empty body and lets a slow head go without an answer. The gate reads each head first,
//! within time and size, hands on only what [`framing`](super::framing) finds sound, one request
//! at a time, and writes the problem itself where it does not. What hyper still refuses by itself
//! is recognised (a head was handed on, the service was not called) and replaced by a problem.

use super::config::Limits;
use super::edge::Edge;
use super::framing::{self, Chunks, Framing, Refusal};
use super::stream::Stream;
use crate::problem::kinds;
use bytes::{Buf, Bytes, BytesMut};
use hyper::rt::{Read, ReadBufCursor, Write};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::AsyncWrite;
use tokio::time::{Instant, Sleep};
use tokio_util::io::poll_read_buf;

/// Bytes that there is room for when reading.
const READ_BYTES: usize = 8 << 10;
/// Bytes of following requests that are read while one is answered.
const AHEAD_BYTES_MAX: usize = 64 << 10;
/// Bytes that are read and thrown away after a refusal, so that the answer arrives.
const LINGER_BYTES_MAX: usize = 1 << 20;
/// Time for that.
const LINGER: Duration = Duration::from_millis(500);

/// Whose turn it is: kept by the service and the bodies of its answers, read by the gate.
#[derive(Debug, Default)]
pub(super) struct Turn {
    calls: AtomicU32,
    open: AtomicBool,
}

impl Turn {
    /// The service is called.
    pub(super) fn begin(&self) {
        self.calls.fetch_add(1, Relaxed);
        self.open.store(true, Relaxed);
    }

    /// The body of the answer has been handed to hyper whole.
    pub(super) fn end(&self) {
        self.open.store(false, Relaxed);
    }
}

#[derive(Debug)]
enum State {
    /// A head is awaited or being read.
    Head,
    /// So many bytes of a body are left.
    Body(u64),
    /// Inside a chunked body.
    Chunked(Chunks),
    /// A body broke its framing: hyper gets an error, the service answers.
    Broken(&'static str),
    /// Refused: what is left is writing the answer.
    Refused,
}

pub(super) struct Gate {
    stream: Stream,
    edge: Arc<Edge>,
    turn: Arc<Turn>,
    state: State,
    raw: BytesMut,
    /// Bytes at the front of `raw` that hyper may have.
    pass: usize,
    /// Bytes of an incomplete head that were looked at.
    scanned: usize,
    /// Heads handed on.
    heads: u32,
    /// The answer to the last head has not been written out.
    owed: bool,
    /// The first byte of a head has been read.
    begun: bool,
    /// Since when the gate waits for what it waits for.
    since: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    held: Option<Waker>,
    ended: bool,
    out: Bytes,
    lingered: usize,
}

impl Gate {
    pub(super) fn new(stream: Stream, edge: Arc<Edge>, turn: Arc<Turn>) -> Self {
        Self {
            stream,
            edge,
            turn,
            state: State::Head,
            raw: BytesMut::new(),
            pass: 0,
            scanned: 0,
            heads: 0,
            owed: false,
            begun: false,
            since: Instant::now(),
            timer: None,
            held: None,
            ended: false,
            out: Bytes::new(),
            lingered: 0,
        }
    }

    fn limits(&self) -> &Limits {
        &self.edge.limits
    }

    /// Reads more; false at the end of the stream.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.raw.capacity() - self.raw.len() < READ_BYTES / 4 {
            self.raw.reserve(READ_BYTES);
        }
        let bytes = ready!(poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.raw))?;
        self.ended = bytes == 0;
        Poll::Ready(Ok(bytes > 0))
    }

    /// Judges what has been read; true where something changed.
    fn judge(&mut self) -> bool {
        match &mut self.state {
            State::Head => self.judge_head(),
            State::Body(left) => {
                let bytes = self.raw.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= bytes as u64;
                self.pass = bytes;
                if *left == 0 {
                    self.state = State::Head;
                }
                bytes > 0
            }
            State::Chunked(chunks) => {
                if self.raw.is_empty() {
                    return false;
                }
                match chunks.read(&self.raw) {
                    Ok((bytes, done)) => {
                        self.pass = bytes;
                        if done {
                            self.state = State::Head;
                        }
                    }
                    Err(why) => self.state = State::Broken(why),
                }
                true
            }
            State::Broken(_) | State::Refused => false,
        }
    }

    fn judge_head(&mut self) -> bool {
        // RFC 9112 2.2: an empty line in front of a request is skipped.
        while !self.begun && self.raw.starts_with(b"\r\n") {
            self.raw.advance(2);
        }
        // A CR alone may be the first half of such a line.
        if self.raw.is_empty() || (!self.begun && *self.raw == *b"\r") {
            return false;
        }
        if !self.begun {
            (self.begun, self.since, self.scanned) = (true, Instant::now(), 0);
        }
        match framing::head(&self.raw, self.scanned, &self.edge.limits) {
            Ok(None) => {
                self.scanned = self.raw.len();
                false
            }
            Ok(Some((bytes, framing))) => {
                self.pass = bytes;
                (self.heads, self.owed, self.begun) = (self.heads.wrapping_add(1), true, false);
                self.state = match framing {
                    Framing::None => State::Head,
                    Framing::Length(bytes) => State::Body(bytes),
                    Framing::Chunked => State::Chunked(Chunks::default()),
                };
                true
            }
            Err(refusal) => {
                self.refuse(refusal);
                true
            }
        }
    }

    fn refuse(&mut self, Refusal(kind, why): Refusal) {
        self.out = self.edge.refuse(kind, why);
        self.state = State::Refused;
    }

    /// Nothing can be read now: has the wait for a head been too long? Ready at the end.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let first = self.heads == 0 || self.begun;
        let limits = self.limits();
        let wait = if first { limits.header_timeout } else { limits.idle_timeout };
        let end = self.since + wait;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
        if timer.deadline() > end {
            timer.as_mut().reset(end);
        }
        // A timer that was set for an earlier wait is moved only when it fires.
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= end {
                self.timer = None;
                return Poll::Ready(());
            }
            timer.as_mut().reset(end);
        }
        Poll::Pending
    }

    /// hyper refuses a head that was handed on: the problem takes the place of its empty answer.
    fn replaces(&mut self, bytes: &[u8]) -> bool {
        if matches!(self.state, State::Refused) {
            return true;
        }
        if self.heads == self.turn.calls.load(Relaxed) || bytes.is_empty() {
            return false;
        }
        let kind = match bytes.get(9..12) {
            Some(b"414") => kinds::URI_TOO_LONG,
            Some(b"431") => kinds::HEADERS_TOO_LARGE,
            Some(_) | None => kinds::MALFORMED_REQUEST,
        };
        self.refuse(Refusal(kind, "the request line or a header cannot be read"));
        true
    }

    fn write_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let bytes = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.out))?;
            if bytes == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.out.advance(bytes);
        }
        Poll::Ready(Ok(()))
    }

    /// The client still sends what nobody will read: were the socket closed now, a reset could
    /// overtake the answer.
    fn linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.ended || (matches!(self.state, State::Head) && self.raw.is_empty()) {
            return Poll::Ready(());
        }
        if self.lingered == 0 {
            self.timer = Some(Box::pin(tokio::time::sleep(LINGER)));
        }
        loop {
            self.raw.clear();
            match self.fill(cx) {
                Poll::Ready(Ok(true)) => self.lingered += self.raw.len(),
                Poll::Ready(Ok(false) | Err(_)) => return Poll::Ready(()),
                Poll::Pending => {
                    self.lingered = self.lingered.max(1);
                    let timer = self.timer.as_mut().expect("the timer was set above");
                    return timer.as_mut().poll(cx);
                }
            }
            if self.lingered > LINGER_BYTES_MAX {
                return Poll::Ready(());
            }
        }
    }
}

impl Read for Gate {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let gate = self.get_mut();
        loop {
            if gate.pass > 0 {
                let bytes = gate.pass.min(buf.remaining());
                buf.put_slice(&gate.raw[..bytes]);
                gate.raw.advance(bytes);
                gate.pass -= bytes;
                return Poll::Ready(Ok(()));
            }
            let between = matches!(gate.state, State::Head);
            match gate.state {
                State::Refused => return Poll::Ready(Ok(())),
                State::Broken(why) => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, why)));
                }
                State::Head if gate.owed => {
                    if gate.ended && gate.raw.is_empty() {
                        return Poll::Ready(Ok(()));
                    }
                    gate.held = Some(cx.waker().clone());
                    if gate.ended || gate.raw.len() >= AHEAD_BYTES_MAX {
                        return Poll::Pending;
                    }
                    ready!(gate.fill(cx))?;
                    continue;
                }
                State::Head | State::Body(_) | State::Chunked(_) => {}
            }
            if gate.judge() {
                continue;
            }
            if gate.ended {
                return Poll::Ready(Ok(()));
            }
            match gate.fill(cx) {
                Poll::Ready(outcome) => {
                    outcome?;
                }
                Poll::Pending if between => {
                    ready!(gate.wait(cx));
                    match gate.begun {
                        true => gate.refuse(Refusal(
                            kinds::REQUEST_TIMEOUT,
                            "the head of the request did not arrive in time",
                        )),
                        false => gate.ended = true,
                    }
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl Write for Gate {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let gate = self.get_mut();
        if gate.replaces(buf) {
            return Poll::Ready(Ok(buf.len()));
        }
        Pin::new(&mut gate.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let gate = self.get_mut();
        let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| &buf[..]);
        if gate.replaces(first) {
            return Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()));
        }
        Pin::new(&mut gate.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let gate = self.get_mut();
        ready!(gate.write_out(cx))?;
        ready!(Pin::new(&mut gate.stream).poll_flush(cx))?;
        let answered = gate.heads == gate.turn.calls.load(Relaxed);
        if gate.owed && answered && !gate.turn.open.load(Relaxed) {
            (gate.owed, gate.since) = (false, Instant::now());
            if let Some(held) = gate.held.take() {
                held.wake();
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let gate = self.get_mut();
        ready!(gate.write_out(cx))?;
        if gate.lingered == 0 {
            ready!(Pin::new(&mut gate.stream).poll_shutdown(cx))?;
        }
        ready!(gate.linger(cx));
        Poll::Ready(Ok(()))
    }
}
