//! The server over real sockets.

mod bodies;
mod framing;
mod limits;
mod policy;
mod tls;
mod two;
mod warm;

use super::config::{Drain, Limits};
use super::*;
use crate::telemetry::logs::{Format, Log};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Small sizes, and times that no test waits for: a busy machine holds a client up for long.
fn limits() -> Limits {
    const LONG: Duration = Duration::from_secs(30);
    Limits {
        body_bytes_max: 4096,
        target_bytes_max: 256,
        header_bytes_max: 2048,
        headers_max: 20,
        header_timeout: LONG,
        body_timeout: LONG,
        write_stall: LONG,
        idle_timeout: LONG,
        request_timeout: LONG,
        ..Limits::default()
    }
}

/// Times so short that tests can wait for them.
fn short() -> ServerConfig {
    let limits = Limits {
        header_timeout: Duration::from_millis(700),
        body_timeout: Duration::from_millis(700),
        write_stall: Duration::from_millis(700),
        idle_timeout: Duration::from_millis(1000),
        request_timeout: Duration::from_millis(1500),
        ..limits()
    };
    ServerConfig { limits, ..config() }
}

fn config() -> ServerConfig {
    ServerConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        workers: 1,
        limits: limits(),
        drain: Drain { wait: Duration::ZERO, grace: Duration::from_secs(20) },
        signals: false,
        ..ServerConfig::default()
    }
}

/// What the tests serve: says what it saw.
fn echo(request: Request) -> BoxFuture<'static, Response> {
    async move {
        let text = format!(
            "{} {} {:?} host={:?} client={} secure={} body={:?}",
            request.method,
            request.path(),
            request.query(),
            request.host(),
            request.client,
            request.secure,
            String::from_utf8_lossy(&request.body)
        );
        match request.path() {
            "/slow" => tokio::time::sleep(Duration::from_millis(1_500)).await,
            "/hangs" => std::future::pending().await,
            "/panics" => panic!("as asked"),
            "/big" => {
                let body = "0123456789abcdef".repeat(1 << 20);
                return Response::of(http::StatusCode::OK, "application/octet-stream", body);
            }
            "/json" => {
                let body = r#"{"name":"a name like many others"},"#.repeat(100);
                let response = Response::json(http::StatusCode::OK, body);
                let response = response.timing("db", Duration::from_micros(310));
                return response.header(http::header::ETAG, "\"7.ab\"");
            }
            "/large" => {
                let body = r#"{"name":"a name like many others"},"#.repeat(10_000);
                return Response::json(http::StatusCode::OK, body);
            }
            "/tag" => {
                let tag = request.header(http::header::IF_NONE_MATCH).unwrap_or("none");
                let response = Response::new(http::StatusCode::NOT_MODIFIED);
                return response.header(http::header::ETAG, tag);
            }
            "/stream" => {
                let parts =
                    futures::stream::iter(["one ", "two ", "three"]).then(|part| async move {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        Ok(bytes::Bytes::from_static(part.as_bytes()))
                    });
                let mut response = Response::new(http::StatusCode::OK);
                response.body = Body::Stream(parts.boxed());
                return response;
            }
            "/missing" => {
                return crate::problem::Problem::new(crate::problem::kinds::NOT_FOUND).into();
            }
            _ => {}
        }
        Response::of(http::StatusCode::OK, "text/plain", text)
    }
    .boxed()
}

fn start(config: ServerConfig) -> Server {
    start_with(config, Surroundings::default())
}

fn start_with(config: ServerConfig, around: Surroundings) -> Server {
    serve(bind(config).unwrap(), Arc::new(echo), around).unwrap()
}

/// A raw connection whose reads end within a minute.
fn connect(server: &Server) -> TcpStream {
    let socket = TcpStream::connect(server.address()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    socket
}

/// Waits until the server works on so many requests, one of which asks.
fn until_active(server: &Server, requests: usize) {
    let end = Instant::now() + Duration::from_secs(30);
    let wanted = format!("\nhttp_server_active_requests {}\n", requests + 1);
    let ask = "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    while !talk(server, ask).contains(&wanted) {
        assert!(Instant::now() < end, "never {requests} requests");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Sends bytes and reads to the end of the connection.
fn talk(server: &Server, text: &str) -> String {
    let mut socket = connect(server);
    socket.write_all(text.as_bytes()).unwrap();
    read_all(&mut socket)
}

fn read_all(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    match socket.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&bytes)),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Status, type of the problem and its detail; the answer must be a whole problem.
fn problem(answer: &str) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head.split(' ').nth(1).unwrap_or("none");
    let lower = head.to_ascii_lowercase();
    assert!(lower.contains("content-type: application/problem+json"), "{answer}");
    assert!(lower.contains("x-content-type-options: nosniff"), "{answer}");
    let value: serde_json::Value =
        serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"));
    assert_eq!(value["status"].to_string(), status);
    assert_eq!(value["instance"], format!("urn:trace:{}", value["trace_id"].as_str().unwrap()));
    let kind = value["type"].as_str().unwrap().strip_prefix("urn:problem:").unwrap();
    format!("{status} {kind}: {}", value["detail"].as_str().unwrap_or("-"))
}

/// Takes log lines and keeps them.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Kept {
    /// The lines once there are so many.
    fn lines(&self, count: usize) -> Vec<serde_json::Value> {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            let lines: Vec<_> =
                text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            if lines.len() >= count {
                return lines;
            }
            assert!(Instant::now() < end, "only {} lines: {text}", lines.len());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn around(&self) -> Surroundings {
        let log = Log::to(Box::new(self.clone()), Format::Json).unwrap();
        Surroundings { log: Some(log), ..Surroundings::default() }
    }
}
