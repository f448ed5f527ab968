//! Bodies on the wire: reading those of requests within size and time, writing those of answers.

use super::bodies::{Bodies, Held, busy};
use super::config::Limits;
use super::gate::Turn;
use super::streams::{Streams, Ticket};
use crate::http::response::Body as Content;
use crate::problem::{Problem, kinds};
use bytes::{Bytes, BytesMut};
use futures::stream::BoxStream;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// HTTP/2: a body is handed over in frames of this size, so that it is seen when the client does
/// not take them.
const FRAME_BYTES: usize = 16 << 10;
/// An unwanted body of so many bytes is read over, so that the connection can go on.
const SKIPPED_BYTES_MAX: u64 = 64 << 10;
/// And has so long to come.
const SKIPPING: Duration = Duration::from_millis(100);

/// Refuses a body by the length that its head declares.
///
/// # Errors
/// 413 over the limit.
pub(super) fn check_length(body: &Incoming, bytes_max: usize) -> Result<(), Problem> {
    match body.size_hint().lower() > bytes_max as u64 {
        true => Err(too_large(bytes_max)),
        false => Ok(()),
    }
}

/// Reads over the rest of a body that is short and comes at once; false where it is or does not.
pub(super) async fn skip(mut body: Incoming) -> bool {
    if body.size_hint().lower() > SKIPPED_BYTES_MAX {
        return false;
    }
    let over = async {
        let mut skipped = 0;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return false };
            skipped += frame.data_ref().map_or(0, Bytes::len) as u64;
            if skipped > SKIPPED_BYTES_MAX {
                return false;
            }
        }
        true
    };
    tokio::time::timeout(SKIPPING, over).await.unwrap_or(false)
}

/// What the reading of a body is bounded by.
pub(super) struct Reading<'a> {
    pub(super) channel: &'a Channel,
    pub(super) bodies: &'a Arc<Bodies>,
    pub(super) limits: &'a Limits,
    /// Bytes of this body.
    pub(super) bytes_max: usize,
}

impl Reading<'_> {
    /// Reads a body whole.
    ///
    /// # Errors
    /// 413 over the limit, 408 where it comes too slowly, 400 where its framing is broken, 503
    /// where there is no room for it among the others.
    pub(super) async fn read(&self, body: Incoming, held: &mut Held) -> Result<Bytes, Problem> {
        let (max, timeout) = (self.bytes_max, self.limits.body_timeout);
        let end = Instant::now() + timeout;
        // The bodies of one connection wait for each other before they stand in others' way.
        let _share =
            match self.channel {
                Channel::One(_) => None,
                Channel::Two(streams) => {
                    let share = timeout_at(end, streams.bodies_share.acquire()).await;
                    Some(share.map_err(|_| {
                        busy("the connection's other bodies did not come to an end")
                    })?)
                }
            };
        let _place = self.bodies.place()?;
        match timeout_at(end, collect(body, max, held)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Problem::new(kinds::REQUEST_TIMEOUT)
                .detail(format!("the body did not arrive within {} s", timeout.as_secs_f32()))),
        }
    }
}

/// One frame is the common case and is not copied.
async fn collect(mut body: Incoming, max: usize, held: &mut Held) -> Result<Bytes, Problem> {
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // Trailers are read over: nothing in the API travels in them.
        let Ok(bytes) = frame.map_err(|_| broken())?.into_data() else { continue };
        let length = first.len() + whole.len() + bytes.len();
        if length > max {
            return Err(too_large(max));
        }
        if first.is_empty() && whole.is_empty() {
            held.grow_to(length)?;
            first = bytes;
            continue;
        }
        whole.reserve(first.len() + bytes.len());
        held.grow_to(whole.capacity())?;
        whole.extend_from_slice(&std::mem::take(&mut first));
        whole.extend_from_slice(&bytes);
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

fn broken() -> Problem {
    Problem::new(kinds::MALFORMED_REQUEST).detail("the body ends early or breaks its framing")
}

pub(super) fn too_large(max: usize) -> Problem {
    Problem::new(kinds::BODY_TOO_LARGE)
        .detail(format!("the body is longer than {max} bytes"))
        .member("limit_bytes", max)
}

/// The connection that a request came over.
#[derive(Clone)]
pub(super) enum Channel {
    /// HTTP/1.1.
    One(Arc<Turn>),
    /// HTTP/2.
    Two(Arc<Streams>),
}

impl Channel {
    /// As in the log.
    pub(super) fn version(&self) -> &'static str {
        match self {
            Self::One(_) => "1.1",
            Self::Two(_) => "2",
        }
    }
}

/// The body of an answer on its way to hyper.
pub(super) struct WireBody {
    parts: Parts,
    guard: Guard,
}

enum Parts {
    None,
    Full(Bytes),
    Stream(BoxStream<'static, std::io::Result<Bytes>>),
}

/// Tells the connection when the body is done, and for HTTP/2 when it moves.
enum Guard {
    Turn(Arc<Turn>),
    Ticket(Ticket),
}

impl WireBody {
    pub(super) fn new(content: Content, channel: &Channel) -> Self {
        let parts = match content {
            Content::Full(bytes) if !bytes.is_empty() => Parts::Full(bytes),
            Content::Stream(stream) => Parts::Stream(stream),
            // Problems have been written out by now.
            Content::Full(_) | Content::Empty | Content::Problem(_) => Parts::None,
        };
        let guard = match channel {
            Channel::One(turn) => Guard::Turn(turn.clone()),
            Channel::Two(streams) => Guard::Ticket(streams.ticket()),
        };
        Self { parts, guard }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        match self {
            Self::Turn(turn) => turn.end(),
            Self::Ticket(_) => {}
        }
    }
}

impl Body for WireBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let Self { parts, guard } = &mut *self;
        let frame = match parts {
            Parts::None => Poll::Ready(None),
            Parts::Full(bytes) => {
                let split = matches!(guard, Guard::Ticket(_)) && bytes.len() > FRAME_BYTES;
                let frame = if split { bytes.split_to(FRAME_BYTES) } else { std::mem::take(bytes) };
                if bytes.is_empty() {
                    *parts = Parts::None;
                }
                Poll::Ready(Some(Ok(Frame::data(frame))))
            }
            Parts::Stream(stream) => {
                stream.as_mut().poll_next(cx).map(|part| part.map(|part| part.map(Frame::data)))
            }
        };
        if let Guard::Ticket(ticket) = guard {
            ticket.moved(frame.is_pending());
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.parts, Parts::None)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.parts {
            Parts::None => SizeHint::with_exact(0),
            Parts::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Parts::Stream(_) => SizeHint::default(),
        }
    }
}
