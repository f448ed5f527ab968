//! Arguments of `up`.

use super::{BrokerUrl, DataPath, DatabaseUrl, ModelPath};
use clap::{Args, ValueEnum};
use runtime::http::forwarded::Network;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

/// Arguments of `up`.
#[derive(Debug, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) model: ModelPath,
    /// Address to listen on, or a port alone for this machine; port 0 takes a free one
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080",
        env = "MAINSTAY_LISTEN",
        hide_env_values = true,
        value_parser = address
    )]
    pub(crate) listen: SocketAddr,
    #[command(flatten)]
    pub(crate) data: DataPath,
    #[command(flatten)]
    pub(crate) database: DatabaseUrl,
    /// Streaming replica of the database, as `--database` is given; several with commas. It answers
    /// reads of callers whose own writes it has, and is left out while it lags by more than 5 s
    #[arg(
        long = "replica",
        value_name = "URL",
        value_delimiter = ',',
        requires = "database",
        env = "MAINSTAY_REPLICA_URLS",
        hide_env_values = true
    )]
    pub(crate) replicas: Vec<String>,
    #[command(flatten)]
    pub(crate) broker: BrokerUrl,
    /// Answer requests that come by the broker, as those over HTTP, at `SYSTEM.requests`: whoever
    /// may write there can ask what it has tokens for. By NATS, RabbitMQ and Redis
    #[arg(long, requires = "broker", env = "MAINSTAY_BROKER_REQUESTS", hide_env_values = true)]
    pub(crate) broker_requests: bool,
    /// Fill an empty store: from `seed/` beside the model, else with plausible rows by type
    #[arg(long, env = "MAINSTAY_SEED", hide_env_values = true)]
    pub(crate) seed: bool,
    /// Refuse to start where something is missing or fit for development only; also on with
    /// MAINSTAY_ENV=production
    #[arg(long, env = "MAINSTAY_PRODUCTION", hide_env_values = true)]
    pub(crate) production: bool,
    /// Serve the model anew when its files change; SIGHUP does so in any case [default: on, with
    /// `--production` off]
    #[arg(long, overrides_with = "no_watch", env = "MAINSTAY_WATCH", hide_env_values = true)]
    pub(crate) watch: bool,
    /// Look at the model's files on SIGHUP alone
    #[arg(long, overrides_with = "watch", env = "MAINSTAY_NO_WATCH", hide_env_values = true)]
    pub(crate) no_watch: bool,
    /// File descriptor that the URL is written to when the server serves
    #[arg(long, value_name = "FD", env = "MAINSTAY_READY_FD", hide_env_values = true)]
    pub(crate) ready_fd: Option<u32>,
    #[command(flatten)]
    pub(crate) identity: Identity,
    #[command(flatten)]
    pub(crate) tls: Tls,
    #[command(flatten)]
    pub(crate) edge: Edge,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) logs: Logs,
}

/// `127.0.0.1:8080`, the name of a host with a port, or a port alone.
fn address(text: &str) -> Result<SocketAddr, String> {
    const FORMS: &str = "write `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080` or `8080`";
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if let Ok(port) = text.parse() {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port): (&str, u16) = parts
        .filter(|(host, _)| !host.is_empty() && !host.contains(':'))
        .ok_or_else(|| format!("is not an address with a port; {FORMS}"))?;
    let unknown = |why: &dyn std::fmt::Display| {
        format!("the host `{host}` has no address here ({why}); {FORMS}")
    };
    let found: Vec<SocketAddr> =
        (host, port).to_socket_addrs().map_err(|error| unknown(&error))?.collect();
    let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
    first.copied().ok_or_else(|| unknown(&"none was found"))
}

/// Whose tokens are accepted.
#[derive(Debug, Args)]
#[command(next_help_heading = "Callers")]
pub(crate) struct Identity {
    /// Issuer whose tokens are accepted, by URL; several with commas. Its keys are found by OpenID
    /// discovery [default: the development key alone]
    #[arg(
        long = "issuer",
        value_name = "URL",
        value_delimiter = ',',
        env = "MAINSTAY_ISSUER",
        hide_env_values = true
    )]
    pub(crate) issuers: Vec<String>,
    /// Audience that a token must be for; several with commas [default: the system's name]
    #[arg(
        long = "audience",
        value_name = "NAME",
        value_delimiter = ',',
        env = "MAINSTAY_AUDIENCE",
        hide_env_values = true
    )]
    pub(crate) audiences: Vec<String>,
    /// Seconds that the clocks of issuers may differ
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 30,
        env = "MAINSTAY_CLOCK_SKEW",
        hide_env_values = true,
        value_parser = clap::value_parser!(u8).range(0..=60)
    )]
    pub(crate) clock_skew: u8,
}

/// TLS of the listener.
#[derive(Debug, Args)]
#[command(next_help_heading = "TLS")]
pub(crate) struct Tls {
    /// Certificate chain, PEM; read again when the file changes
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_key",
        env = "MAINSTAY_TLS_CERT",
        hide_env_values = true
    )]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Private key of the certificate, PEM
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_cert",
        env = "MAINSTAY_TLS_KEY",
        hide_env_values = true
    )]
    pub(crate) tls_key: Option<PathBuf>,
}

/// What stands in front.
#[derive(Debug, Args)]
#[command(next_help_heading = "In front")]
pub(crate) struct Edge {
    /// Origin whose pages may call the API, or `*`; several with commas [default: none]
    #[arg(
        long = "cors-origin",
        value_name = "ORIGIN",
        value_delimiter = ',',
        env = "MAINSTAY_CORS_ORIGIN",
        hide_env_values = true
    )]
    pub(crate) cors_origins: Vec<String>,
    /// Network of a proxy whose word on client, scheme and host is believed, as `10.0.0.0/8`;
    /// several with commas [default: none]
    #[arg(
        long = "trusted-proxy",
        value_name = "NETWORK",
        value_delimiter = ',',
        env = "MAINSTAY_TRUSTED_PROXY",
        hide_env_values = true
    )]
    pub(crate) trusted_proxies: Vec<Network>,
    /// Which header the proxies set; the other is never read
    #[arg(
        long,
        value_enum,
        value_name = "HEADER",
        default_value = "x-forwarded",
        env = "MAINSTAY_FORWARDED_HEADER",
        hide_env_values = true
    )]
    pub(crate) forwarded_header: Forwarded,
    /// Host that is answered, `*.` for one further label; several with commas; others get 421
    /// [default: any]
    #[arg(
        long = "host",
        value_name = "HOST",
        value_delimiter = ',',
        env = "MAINSTAY_HOST",
        hide_env_values = true
    )]
    pub(crate) hosts: Vec<String>,
    /// Network that webhooks may go to although it is not of the public Internet, as `10.1.0.0/16`;
    /// several with commas [default: none]
    #[arg(
        long = "webhook-allow",
        value_name = "NETWORK",
        value_delimiter = ',',
        env = "MAINSTAY_WEBHOOK_ALLOW",
        hide_env_values = true
    )]
    pub(crate) webhooks_allowed: Vec<Network>,
    /// Bearer token that opens `/metrics` and the verbose probes [default: open in development,
    /// closed in production]
    #[arg(long, value_name = "TOKEN", env = "MAINSTAY_OPERATOR_TOKEN", hide_env_values = true)]
    pub(crate) operator_token: Option<String>,
}

/// Which header tells on whose behalf a proxy calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Forwarded {
    /// `X-Forwarded-For`, `-Proto`, `-Host`
    XForwarded,
    /// `Forwarded` (RFC 7239)
    Standard,
}

/// Limits; where none is given, the design's decisions hold.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct Limits {
    /// Bytes of a request body at most [default: what the design decided, usually 1048576]
    #[arg(
        long,
        value_name = "BYTES",
        env = "MAINSTAY_BODY_BYTES_MAX",
        hide_env_values = true,
        value_parser = clap::value_parser!(u64).range(1_024..=1_073_741_824)
    )]
    pub(crate) body_bytes_max: Option<u64>,
    /// Bytes of the body of an import at most, where that is more than of others
    #[arg(
        long,
        value_name = "BYTES",
        env = "MAINSTAY_IMPORT_BYTES_MAX",
        hide_env_values = true,
        default_value_t = 16_777_216,
        value_parser = clap::value_parser!(u64).range(1_024..=1_073_741_824)
    )]
    pub(crate) import_bytes_max: u64,
    /// Bytes that the bodies of all requests hold together, while they come and until they are
    /// answered; what goes beyond gets 503 [default: 67108864, or four bodies where that is more]
    #[arg(
        long,
        value_name = "BYTES",
        env = "MAINSTAY_BODIES_BYTES_MAX",
        hide_env_values = true,
        value_parser = clap::value_parser!(u64).range(1_024..)
    )]
    pub(crate) bodies_bytes_max: Option<u64>,
    /// Seconds that a request may take [default: what the design decided, usually 15]
    #[arg(
        long,
        value_name = "SECONDS",
        env = "MAINSTAY_REQUEST_TIMEOUT",
        hide_env_values = true,
        value_parser = clap::value_parser!(u32).range(1..=3_600)
    )]
    pub(crate) request_timeout: Option<u32>,
    /// Seconds between the end of readiness and the end of listening, for balancers to notice
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 0,
        env = "MAINSTAY_DRAIN_DELAY",
        hide_env_values = true,
        value_parser = clap::value_parser!(u32).range(0..=300)
    )]
    pub(crate) drain_delay: u32,
    /// Seconds that running requests have to finish once the server stops
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 10,
        env = "MAINSTAY_DRAIN_TIMEOUT",
        hide_env_values = true,
        value_parser = clap::value_parser!(u32).range(0..=3_600)
    )]
    pub(crate) drain_timeout: u32,
    /// Connections to PostgreSQL that this process keeps at most, for reads and writes; replicas
    /// and databases of tenants have their own [default: what the design decided, D051]
    #[arg(
        long,
        value_name = "CONNECTIONS",
        env = "MAINSTAY_DATABASE_CONNECTIONS",
        hide_env_values = true,
        value_parser = clap::value_parser!(u16).range(3..=1_000)
    )]
    pub(crate) database_connections: Option<u16>,
    /// Threads that serve [default: one a core]
    #[arg(
        long,
        value_name = "THREADS",
        env = "MAINSTAY_THREADS",
        hide_env_values = true,
        value_parser = clap::value_parser!(u16).range(1..=512)
    )]
    pub(crate) threads: Option<u16>,
}

/// What is logged.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logs")]
pub(crate) struct Logs {
    /// Form of the log lines on stderr [default: text on a terminal, else json]
    #[arg(long, value_enum, env = "MAINSTAY_LOG_FORMAT", hide_env_values = true)]
    pub(crate) log_format: Option<LogFormat>,
    /// Least level that is logged: error, warn, info, debug, trace; or a filter by target
    #[arg(
        long,
        value_name = "LEVEL",
        default_value = "info",
        env = "MAINSTAY_LOG",
        hide_env_values = true
    )]
    pub(crate) log: String,
}

/// Form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One line a request, for people
    Text,
    /// One JSON object a line
    Json,
}
