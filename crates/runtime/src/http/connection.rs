//! One connection from accept to end: TLS, HTTP/1.1 or HTTP/2, its limits, its drain.

use super::body::Channel;
use super::edge::{Edge, Peer};
use super::gate::{Gate, Turn};
use super::paced::Paced;
use super::stream::Stream;
use super::streams::{Streams, Verdict};
use super::tls::Tls;
use bytes::BytesMut;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// What every connection of HTTP/2 begins with (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// After GOAWAY for misbehaviour the connection may live on for so long.
const GOODBYE: Duration = Duration::from_secs(1);
/// HTTP/2: a peer is asked whether it lives after so much silence.
const PING_EVERY: Duration = Duration::from_secs(20);
/// HTTP/2: and is gone when it does not answer in so much.
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// HTTP/2: what a client may send unread, per stream and per connection. It is not counted among
/// the bytes of bodies, for it lies in front of them, so it is no more than a few streams' worth.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 4 * STREAM_WINDOW;

/// How far the server is on its way to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// It serves.
    Serving,
    /// It serves, and says that it will end.
    Leaving,
    /// No new connections; those that are open end after what they are doing.
    Stopping,
    /// Everything ends now.
    Stopped,
}

/// Serves a connection to its end.
pub(super) async fn serve(
    socket: TcpStream,
    peer: SocketAddr,
    edge: Arc<Edge>,
    tls: Option<Arc<Tls>>,
    phase: watch::Receiver<Phase>,
) {
    // A small answer is to leave at once.
    let _ = socket.set_nodelay(true);
    let socket = Paced::new(socket, &edge.limits);
    let opening = async {
        match tls {
            Some(tls) => open_tls(socket, &edge, &tls).await,
            None => open_plain(socket, &edge).await,
        }
    };
    // Who does not even begin to speak HTTP gets no answer.
    let opened = tokio::select! {
        opened = opening => opened,
        () = parted(phase.clone(), &edge) => None,
    };
    let Some((stream, two, secure)) = opened else { return };
    let peer = Peer { address: peer.ip(), secure };
    match two {
        true => serve_two(stream, peer, edge, phase).await,
        false => serve_one(stream, peer, edge, phase).await,
    }
}

/// The handshake; the protocol is what ALPN agreed on.
async fn open_tls(socket: Paced, edge: &Edge, tls: &Tls) -> Option<(Stream, bool, bool)> {
    let acceptor = TlsAcceptor::from(tls.present());
    let session = timeout(edge.limits.header_timeout, acceptor.accept(socket)).await.ok()?;
    let session = match session {
        Ok(session) => session,
        Err(error) => {
            tracing::debug!("a TLS handshake failed: {error}");
            return None;
        }
    };
    let two = session.get_ref().1.alpn_protocol() == Some(b"h2");
    Some((Stream::tls(session), two, true))
}

/// Reads until it is clear whether the client speaks HTTP/2 without having asked.
async fn open_plain(socket: Paced, edge: &Edge) -> Option<(Stream, bool, bool)> {
    let mut stream = Stream::plain(socket);
    let mut ahead = BytesMut::with_capacity(1024);
    let decide = async {
        loop {
            let known = ahead.len().min(PREFACE.len());
            if ahead[..known] != PREFACE[..known] {
                return Some(false);
            }
            if known == PREFACE.len() {
                return Some(true);
            }
            if stream.read_buf(&mut ahead).await.ok()? == 0 {
                return None;
            }
        }
    };
    let two = timeout(edge.limits.header_timeout, decide).await.ok()??;
    Some((stream.unread(ahead), two, false))
}

async fn serve_one(stream: Stream, peer: Peer, edge: Arc<Edge>, phase: watch::Receiver<Phase>) {
    let turn = Arc::new(Turn::default());
    let gate = Gate::new(stream, edge.clone(), turn.clone());
    let (age, ends) = (edge.limits.connection_age_max, edge.clone());
    let headers_max = edge.limits.headers_max;
    let service = service_fn(move |request| {
        turn.begin();
        let (edge, channel) = (edge.clone(), Channel::One(turn.clone()));
        async move { Ok::<_, Infallible>(edge.answer(peer, &channel, request).await) }
    });
    let mut builder = http1::Builder::new();
    // The gate keeps time; it lets through no more headers than this.
    builder.header_read_timeout(None).max_headers(headers_max + 1).half_close(false);
    let connection = builder.serve_connection(gate, service);
    // Its answers say that it ends. To end it where none is due would cut off a request that is on
    // its way.
    drive(connection, async move { parted(phase, &ends).await }, age, None).await;
}

async fn serve_two(stream: Stream, peer: Peer, edge: Arc<Edge>, phase: watch::Receiver<Phase>) {
    let streams = Arc::new(Streams::new(&edge.limits));
    let watched = (edge.clone(), streams.clone());
    let limits = &edge.limits;
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_max)
        // Twice what is allowed gets an answer of ours; more is refused by the frame reader.
        .max_header_list_size(u32::try_from(limits.header_bytes_max * 2).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(limits.pending_resets_max)
        .max_local_error_reset_streams(limits.faulty_streams_max)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(STREAM_WINDOW as usize)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT);
    let age = limits.connection_age_max;
    let service = service_fn(move |request| {
        let call = streams.begin();
        let (edge, channel) = (edge.clone(), Channel::Two(streams.clone()));
        async move {
            let answer = edge.answer(peer, &channel, request).await;
            call.done();
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    // GOAWAY cuts off nothing.
    let mut phase = phase;
    let stopping = async move { reached(&mut phase, Phase::Stopping).await };
    drive(connection, stopping, age, Some(watched)).await;
}

/// Runs a connection until it ends, asks it to when the server stops or its time has come, and
/// cuts it when it misbehaves.
async fn drive<C: GracefulConnection>(
    connection: C,
    stopping: impl Future<Output = ()>,
    age_max: Duration,
    watched: Option<(Arc<Edge>, Arc<Streams>)>,
) {
    let mut connection = pin!(connection);
    let mut stopping = pin!(stopping);
    let mut aged = pin!(sleep(age_max));
    let mut ending = false;
    loop {
        let look = look(watched.as_ref());
        tokio::select! {
            ended = connection.as_mut() => {
                if ended.is_err() {
                    tracing::debug!("a connection broke off");
                }
                return;
            }
            () = stopping.as_mut(), if !ending => ending = true,
            () = aged.as_mut(), if !ending => ending = true,
            verdict = look => match verdict {
                Verdict::Go => continue,
                Verdict::Cut => return,
                Verdict::End => {
                    connection.as_mut().graceful_shutdown();
                    let _ = timeout(GOODBYE, connection.as_mut()).await;
                    return;
                }
            },
        }
        if ending {
            connection.as_mut().graceful_shutdown();
        }
    }
}

/// The next verdict on a connection of HTTP/2; none ever on one of HTTP/1.1.
async fn look(watched: Option<&(Arc<Edge>, Arc<Streams>)>) -> Verdict {
    let Some((edge, streams)) = watched else { return std::future::pending().await };
    let limits = &edge.limits;
    let shortest = limits.write_stall.min(limits.header_timeout).min(limits.idle_timeout);
    let pause = (shortest / 4).clamp(Duration::from_millis(10), Duration::from_secs(2));
    tokio::select! {
        () = streams.alarm.notified() => Verdict::End,
        () = sleep(pause) => streams.verdict(limits),
    }
}

/// Waits until the server is so far; at once where it is gone.
pub(super) async fn reached(phase: &mut watch::Receiver<Phase>, wanted: Phase) {
    // The guard that comes back must not live on.
    let _ = phase.wait_for(|phase| *phase >= wanted).await.is_ok();
}

/// Waits until the server stops and who is still connected had time to ask once more.
async fn parted(mut phase: watch::Receiver<Phase>, edge: &Edge) {
    reached(&mut phase, Phase::Stopping).await;
    tokio::select! {
        () = sleep(edge.parting()) => {}
        () = reached(&mut phase, Phase::Stopped) => {}
    }
}
