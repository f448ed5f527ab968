//! Events as they come: server-sent events over the log, for as long as the caller may.

use super::{EVENT_STREAM, Wanted, page, place, wanted};
use crate::cloudevents;
use crate::engine::Failure;
use crate::engine::backend::{Backend, Live, STREAMS_MAX};
use crate::http::response::Body;
use crate::http::{Request, Response};
use crate::request::Call;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http::{Method, StatusCode, header};
use ir::domain::wire_type;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A comment is sent after so long without an event, so that nobody between takes the connection
/// for dead.
const ALIVE_EVERY: Duration = Duration::from_secs(15);
/// Between two looks at a store that was closed.
const CLOSED_PAUSE: Duration = Duration::from_millis(100);
/// How long a client waits before it connects again.
const RETRY_MS: u32 = 1_000;

/// What goes on for ever needs of the call that began it.
struct Follow {
    backend: Arc<Backend>,
    request: Request,
    /// The call, whose time is set anew for each look.
    call: Call,
    /// Which plan it began with; another one is another list.
    number: u64,
    from: Vec<Option<i64>>,
    appended: Vec<watch::Receiver<u64>>,
    begun: bool,
    _place: tokio::sync::OwnedSemaphorePermit,
}

/// Begins a stream.
pub(super) fn begin(
    backend: &Arc<Backend>,
    live: &Live,
    request: &Request,
    call: &Call,
    wanted: Wanted<'_>,
) -> Result<Response, Failure> {
    let place = Arc::clone(&backend.streams).try_acquire_owned().map_err(|_| {
        let detail = format!("{STREAMS_MAX} streams of events are served already");
        let problem = crate::problem::Problem::new(crate::problem::kinds::UNAVAILABLE);
        Box::new(problem.detail(detail).retry_after(1))
    })?;
    if wanted.query.newest_first {
        let detail = "must be `oldest` for a stream";
        return Err(super::invalid("order", detail));
    }
    let stores = live.engine.stores().iter();
    let logs = stores.filter_map(|store| store.eventing());
    let mut appended: Vec<watch::Receiver<u64>> = logs.map(|log| log.appended()).collect();
    // The first look sees all that is there.
    appended.iter_mut().for_each(|log| log.mark_unchanged());
    let mut again = Request::new(Method::GET, request.uri.clone());
    again.trace = request.trace.clone();
    let follow = Follow {
        backend: Arc::clone(backend),
        request: again,
        call: call.clone(),
        number: live.number,
        from: wanted.from,
        appended,
        begun: false,
        _place: place,
    };
    let mut response = Response::new(StatusCode::OK)
        .header(header::CONTENT_TYPE, EVENT_STREAM)
        .header(header::CACHE_CONTROL, "no-store");
    response.tenant = call.tenant.clone();
    if request.method != Method::HEAD {
        response.body = Body::Stream(parts(follow));
    }
    Ok(response)
}

fn parts(follow: Follow) -> BoxStream<'static, io::Result<Bytes>> {
    stream::unfold(follow, |mut follow| async move {
        let part = follow.next().await?;
        Some((Ok(part), follow))
    })
    .boxed()
}

impl Follow {
    /// The next bytes; none where the stream ends: the token is no longer good, or another model
    /// is served. A client that connects again goes on where it was.
    async fn next(&mut self) -> Option<Bytes> {
        if !self.begun {
            self.begun = true;
            return Some(Bytes::from(format!("retry: {RETRY_MS}\n\n")));
        }
        loop {
            let part = self.look().await?;
            if !part.is_empty() {
                return Some(part.into());
            }
            if !self.wait().await {
                return Some(Bytes::from_static(b": alive\n\n"));
            }
        }
    }

    /// Waits for something new; false where it took so long that a sign of life is due.
    async fn wait(&mut self) -> bool {
        let changes = self.appended.iter_mut().map(|log| Box::pin(log.changed()));
        let any = futures::future::select_all(changes);
        let expires = self.call.principal.as_ref().and_then(|principal| principal.expires);
        let left = expires.map_or(ALIVE_EVERY, |at| {
            let left = at.saturating_mul(1_000_000).saturating_sub(self.backend.now());
            Duration::from_micros(u64::try_from(left).unwrap_or(0)).min(ALIVE_EVERY)
        });
        match tokio::time::timeout(left, any).await {
            Ok((Ok(()), ..)) => true,
            // The store was closed: another is served in a moment, or nothing any more.
            Ok((Err(_), ..)) => {
                tokio::time::sleep(CLOSED_PAUSE).await;
                true
            }
            Err(_) => false,
        }
    }

    /// What is new.
    async fn look(&mut self) -> Option<Vec<u8>> {
        let now = self.backend.now();
        let expires = self.call.principal.as_ref().and_then(|principal| principal.expires);
        if expires.is_some_and(|at| at.saturating_mul(1_000_000) <= now) {
            return None;
        }
        let live = self.backend.live().await;
        if live.number != self.number {
            return None;
        }
        let micros = (live.engine.plan.settings.request_seconds_max * 1e6) as i64;
        (self.call.bindings.now, self.call.bindings.deadline) = (now, now.saturating_add(micros));
        let mut asked = wanted(&self.backend.cursor_key, &live, &self.request, &self.call).ok()?;
        asked.from.clone_from(&self.from);
        // What the store can't answer now, a client asks again.
        let page = page(&live, &self.call, &asked).await.ok()?;
        self.from.clone_from(&page.end);
        let mut out = Vec::new();
        let mut at = asked.from.clone();
        for told in &page.told {
            // Each event has the place behind it, so that a client goes on from any.
            passed(&mut at, &page.end, told.event.position);
            let cursor = asked.binding.cursor(&place(&at))?;
            out.extend_from_slice(format!("id: {cursor}\nevent: ").as_bytes());
            out.extend_from_slice(wire_type(&told.event.event, told.event.version).as_bytes());
            out.extend_from_slice(b"\ndata: ");
            cloudevents::write(&mut out, &live.engine.plan, &told.event, told.data());
            out.extend_from_slice(b"\n\n");
        }
        if page.more {
            self.appended.iter_mut().for_each(|log| log.mark_changed());
        }
        Some(out)
    }
}

/// The place behind an event. Where there are several logs it is that of the page's end only with
/// the last event of the page: until then nothing is left out, and something may come twice.
fn passed(at: &mut [Option<i64>], end: &[Option<i64>], position: i64) {
    if let [one] = at {
        *one = Some(position);
    } else if end.iter().flatten().any(|end| *end == position) {
        for (at, end) in at.iter_mut().zip(end) {
            if end.is_some_and(|end| end == position) {
                *at = *end;
            }
        }
    }
}
