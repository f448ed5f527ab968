//! A server that is full: who comes is told so, and probes are answered all the same, for a
//! process that does not answer them is ended by what watches over it.

use crate::http::edge::Edge;
use crate::problem::kinds;
use bytes::Bytes;
use futures::FutureExt;
use socket2::{Domain, Socket, Type};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The first line of a request has so long to come, for without it the answer is the refusal; and
/// the answer four times that to be taken.
pub(super) const PATIENCE: Duration = Duration::from_millis(250);
/// The same where nobody else is let in meanwhile.
const SPARE_PATIENCE: Duration = Duration::from_millis(100);
/// Bytes of a request that are looked at.
const LINE_BYTES_MAX: usize = 512;

/// Tells a connection over the limit why it is closed, or what it probes for.
pub(super) async fn refuse(mut socket: TcpStream, edge: &Edge, patience: Duration) {
    let mut line = [0; LINE_BYTES_MAX];
    let read = tokio::time::timeout(patience, socket.read(&mut line)).await;
    let read = read.ok().and_then(Result::ok).unwrap_or(0);
    let answer = answer(edge, &line[..read]);
    let told = async {
        socket.write_all(&answer).await?;
        socket.shutdown().await?;
        // What the client still sends would turn the end into a reset, which overtakes the answer.
        while socket.read(&mut line).await? > 0 {}
        Ok::<(), std::io::Error>(())
    };
    // Whoever does not take it is closed all the same.
    let _ = tokio::time::timeout(patience * 4, told).await;
}

fn answer(edge: &Edge, line: &[u8]) -> Bytes {
    let mut words = line.split(|byte| *byte == b' ');
    let probes = matches!(words.next(), Some(b"GET" | b"HEAD"));
    let path = words.next().and_then(|path| std::str::from_utf8(path).ok());
    match path.filter(|_| probes).and_then(|path| edge.health().fine(path)) {
        Some(true) => Bytes::from_static(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\n\
              cache-control: no-store\r\ncontent-length: 3\r\nconnection: close\r\n\r\nok\n",
        ),
        Some(false) => edge.refuse(kinds::UNAVAILABLE, "not ready"),
        None => {
            let why = "more connections are open than the server takes";
            edge.refuse(kinds::UNAVAILABLE, why)
        }
    }
}

/// A file descriptor that is kept for when there are no others.
pub(super) struct Spare(Option<Socket>);

impl Default for Spare {
    fn default() -> Self {
        Self(Socket::new(Domain::IPV4, Type::DGRAM, None).ok())
    }
}

impl Spare {
    /// Gives its descriptor to the next connection for as long as it takes to refuse that.
    pub(super) async fn refuse_one(&mut self, listener: &TcpListener, edge: &Edge, tls: bool) {
        self.0 = None;
        if let Some(Ok((socket, _))) = listener.accept().now_or_never()
            && !tls
        {
            refuse(socket, edge, SPARE_PATIENCE).await;
        }
        *self = Self::default();
    }
}
