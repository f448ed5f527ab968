//! Everything about the server that can be set, with its default and the reason for it.

use super::cors::Cors;
use super::forwarded::Proxies;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How to serve.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Address to listen on; port 0 takes a free one. Default `127.0.0.1:8080`.
    pub listen: SocketAddr,
    /// Threads that accept and serve, one runtime each; 0 for one per core. Default 0.
    pub workers: usize,
    /// Limits of connections and requests.
    pub limits: Limits,
    /// How to end.
    pub drain: Drain,
    /// Certificate and key; plain HTTP without. Default none.
    pub tls: Option<TlsFiles>,
    /// Which origins of browsers may call. Default none.
    pub cors: Cors,
    /// Which peers may say on whose behalf they call. Default none.
    pub proxies: Proxies,
    /// Hosts that are answered, in lower case, `*.` for one further label; others get 421. Empty
    /// for any. Default empty.
    pub hosts: Vec<String>,
    /// Whether and from which size on bodies are compressed.
    pub compression: Compression,
    /// Who may see `/metrics` and the verbose probes.
    pub operator: Operator,
    /// Tells stages and duration in `Server-Timing`. Default true.
    pub server_timing: bool,
    /// Ends gracefully on SIGTERM and SIGINT, at once on the second; SIGHUP reads the certificate
    /// again. Default true; false in tests.
    pub signals: bool,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            workers: 0,
            limits: Limits::default(),
            drain: Drain::default(),
            tls: None,
            cors: Cors::default(),
            proxies: Proxies::default(),
            hosts: Vec::new(),
            compression: Compression::default(),
            operator: Operator::Open,
            server_timing: true,
            signals: true,
        }
    }
}

/// Limits of connections and requests. Slow heads, bodies and readers are gone within 15 s.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a body, decoded from chunks; more is 413. Default 1 MiB.
    pub body_bytes_max: usize,
    /// Bytes of the body of an import, where that is more; more is 413. Default 16 MiB.
    pub import_bytes_max: usize,
    /// Bytes of path and query; more is 414. Default 8 KiB.
    pub target_bytes_max: usize,
    /// Bytes of all header lines together; more is 431. Default 32 KiB.
    pub header_bytes_max: usize,
    /// Header lines; more is 431. Default 100.
    pub headers_max: usize,
    /// From the first byte of a head to its last; also from connect to the first byte, and for
    /// the TLS handshake. 408 or a cut. Default 10 s.
    pub header_timeout: Duration,
    /// For the whole body; 408. Default 12 s.
    pub body_timeout: Duration,
    /// A reader must take [`Limits::write_bytes_min`] in this time or is cut. Default 10 s.
    pub write_stall: Duration,
    /// See [`Limits::write_stall`]. Default 4 KiB.
    pub write_bytes_min: usize,
    /// How long a connection may wait for its next request. Default 60 s.
    pub idle_timeout: Duration,
    /// Cap of a request's deadline, and the deadline where none is sent. Default 30 s.
    pub request_timeout: Duration,
    /// A connection is asked to end after this age, so that load balances. Default 1 h.
    pub connection_age_max: Duration,
    /// Open connections of all workers; further ones are answered 503 and closed. Default 10,000.
    pub connections_max: usize,
    /// Requests at work at one time; further ones are answered 503. Default 4,096.
    pub requests_max: usize,
    /// Bodies being read at one time, apart from the requests at work; further ones are answered
    /// 503. Default 4,096.
    pub bodies_max: usize,
    /// HTTP/2: bodies of one connection being read at one time; further ones wait for those, and
    /// are answered 503 where that takes too long. Default 32.
    pub bodies_per_connection_max: usize,
    /// Bytes that all bodies hold together, from their first byte until their request is answered;
    /// what goes beyond is answered 503. At least [`Limits::body_bytes_max`]. Default 64 MiB.
    pub bodies_bytes_max: usize,
    /// HTTP/2: streams of one connection at one time. Default 100.
    pub streams_max: u32,
    /// HTTP/2: streams that the client opened and reset before they were looked at; more ends
    /// the connection with GOAWAY. Default 20.
    pub pending_resets_max: usize,
    /// HTTP/2: calls of one connection that the client abandoned within 10 s; more ends the
    /// connection with GOAWAY. Default 200.
    pub abandoned_max: u32,
    /// HTTP/2: streams that the server itself had to reset for the client's faults; more ends
    /// the connection with GOAWAY. Default 32.
    pub faulty_streams_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 1 << 20,
            import_bytes_max: 16 << 20,
            target_bytes_max: 8 << 10,
            header_bytes_max: 32 << 10,
            headers_max: 100,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(12),
            write_stall: Duration::from_secs(10),
            write_bytes_min: 4 << 10,
            idle_timeout: Duration::from_secs(60),
            request_timeout: Duration::from_secs(30),
            connection_age_max: Duration::from_secs(3600),
            connections_max: 10_000,
            requests_max: 4_096,
            bodies_max: 4_096,
            bodies_per_connection_max: 32,
            bodies_bytes_max: 64 << 20,
            streams_max: 100,
            pending_resets_max: 20,
            abandoned_max: 200,
            faulty_streams_max: 32,
        }
    }
}

/// How to end: readiness goes off, the server serves on for `wait` so that balancers notice, then
/// closes listeners and idle connections and lets what runs finish within `grace`.
#[derive(Debug, Clone)]
pub struct Drain {
    /// Between readiness off and listeners closed. Default 0 (development); 5 s behind a balancer.
    pub wait: Duration,
    /// For what runs. Default 20 s.
    pub grace: Duration,
}

impl Default for Drain {
    fn default() -> Self {
        Self { wait: Duration::ZERO, grace: Duration::from_secs(20) }
    }
}

/// PEM files, read again when they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate chain, own certificate first.
    pub cert: PathBuf,
    /// Private key: PKCS #8, SEC1 or PKCS #1.
    pub key: PathBuf,
    /// How often the files are looked at. 10 s is a good value.
    pub check_every: Duration,
}

/// Compression of answers.
#[derive(Debug, Clone)]
pub struct Compression {
    /// Compresses where the client accepts it. Default true.
    pub on: bool,
    /// Bodies under this stay as they are. Default 1 KiB.
    pub bytes_min: usize,
}

impl Default for Compression {
    fn default() -> Self {
        Self { on: true, bytes_min: 1 << 10 }
    }
}

/// Who may see `/metrics` and the verbose probes.
#[derive(Clone, PartialEq, Eq)]
pub enum Operator {
    /// Everybody: development.
    Open,
    /// Who sends it as `Authorization: Bearer …`.
    Token(String),
    /// Nobody: `/metrics` is 404 and probes are never verbose.
    Closed,
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Open => "Open",
            Self::Token(_) => "Token(…)",
            Self::Closed => "Closed",
        })
    }
}
