//! The way in of a body: what its head decides is decided first, and waiting for it is not work.

use super::{Arrival, Edge, guarded};
use crate::http::bodies::{Held, busy};
use crate::http::body::{self, Channel};
use crate::http::{Request, Response};
use crate::problem::Problem;
use http::header::EXPECT;
use hyper::body::{Body, Incoming};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

/// What became of a body.
pub(super) enum Intake {
    /// It is in the request, and its bytes are counted for as long as this lives.
    Whole(Held),
    /// The head sufficed for an answer.
    Answered(Box<Response>),
}

/// A request at work.
pub(super) struct Slot<'a>(&'a AtomicUsize);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Edge {
    /// A place among the requests at work.
    pub(super) fn slot(&self) -> Result<Slot<'_>, Problem> {
        let before = self.working.fetch_add(1, Relaxed);
        let slot = Slot(&self.working);
        match before < self.limits.requests_max {
            true => Ok(slot),
            false => Err(busy("more requests are being worked on than the server takes")),
        }
    }

    /// How long the body of a request may be.
    pub(super) fn bytes_max(&self, request: &Request) -> usize {
        match self.service.takes_rows(request) {
            true => self.limits.import_bytes_max.max(self.limits.body_bytes_max),
            false => self.limits.body_bytes_max,
        }
    }

    /// What the head of a request decides alone.
    pub(super) async fn turned_away(
        &self,
        request: &mut Request,
    ) -> Result<Option<Response>, Problem> {
        let _slot = self.slot()?;
        let (trace, deadline) = (request.trace.trace_id, request.deadline);
        guarded(trace, deadline, self.service.turn_away(request)).await
    }

    /// Reads a body into its request, where the service does not answer without. The body is
    /// taken out of `body` only where it is read.
    pub(super) async fn take_in(
        &self,
        arrival: &mut Arrival,
        channel: &Channel,
        request: &mut Request,
        body: &mut Option<Incoming>,
    ) -> Result<Intake, Problem> {
        let bytes_max = self.bytes_max(request);
        if let Some(unread) = body.as_ref() {
            body::check_length(unread, bytes_max)?;
        }
        let deadline = request.deadline;
        if let Some(response) = self.turned_away(request).await? {
            return Ok(Intake::Answered(Box::new(response)));
        }
        let mut held = self.bodies.hold();
        if let Some(body) = body.take() {
            // Until it is known to be whole; what is left of it would be taken for a request.
            arrival.unread = true;
            let (bodies, limits) = (&self.bodies, &self.limits);
            let reading = body::Reading { channel, bodies, limits, bytes_max };
            request.body = reading.read(body, &mut held).await?;
            arrival.unread = false;
        }
        arrival.request_bytes = request.body.len();
        match Instant::now() < deadline {
            true => Ok(Intake::Whole(held)),
            false => Err(Problem::new(crate::problem::kinds::DEADLINE_EXCEEDED)),
        }
    }

    /// Gets a body that nobody wanted out of the way: over HTTP/1.1 the next request is behind it.
    pub(super) async fn pass_over(
        &self,
        arrival: &mut Arrival,
        channel: &Channel,
        body: Option<Incoming>,
    ) {
        let Some(body) = body.filter(|body| !body.is_end_stream()) else { return };
        if matches!(channel, Channel::One(_)) {
            // Who asks whether to send it is not told to.
            let asks = arrival.expects;
            arrival.unread = asks || !body::skip(body).await;
        }
    }
}

/// True where the client sends its body only when it is told to.
pub(super) fn expects(head: &http::request::Parts) -> bool {
    head.headers.contains_key(EXPECT)
}
