//! Flags and decisions become the server's configuration.

use super::descriptors::Shares;
use crate::arguments::up::{Forwarded, LogFormat, Up};
use crate::failure::{Failure, Outcome};
use crate::render;
use ir::architecture::Settings;
use runtime::adapters::broker::Address;
use runtime::http::ServerConfig;
use runtime::http::config::{Drain, Limits, Operator, TlsFiles};
use runtime::http::cors::Cors;
use runtime::http::forwarded::{ForwardedHeader, Proxies};
use runtime::ports::broker::Connect;
use runtime::telemetry::logs::Format;
use runtime::webhooks::guard::Guard;
use std::sync::Arc;
use std::time::Duration;

/// How often certificate files are looked at.
const TLS_CHECK: Duration = Duration::from_secs(10);

/// The configuration of the server: flags win over what the design decided.
pub(super) fn server(
    arguments: &Up,
    settings: &Settings,
    production: bool,
    shares: Shares,
) -> ServerConfig {
    let (edge, limits) = (&arguments.edge, &arguments.limits);
    let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
    let body = limits.body_bytes_max.unwrap_or(settings.body_bytes_max);
    let body = usize::try_from(body).unwrap_or(usize::MAX);
    let import = usize::try_from(limits.import_bytes_max).unwrap_or(usize::MAX);
    let bodies = limits.bodies_bytes_max.map_or_else(
        || body.max(import).saturating_mul(4).max(Limits::default().bodies_bytes_max),
        |bodies| usize::try_from(bodies).unwrap_or(usize::MAX),
    );
    let request = limits.request_timeout.map_or_else(
        || Duration::try_from_secs_f64(settings.request_seconds_max).unwrap_or(seconds(15)),
        seconds,
    );
    let tls = arguments.tls.tls_cert.clone().zip(arguments.tls.tls_key.clone());
    let closed = if production { Operator::Closed } else { Operator::Open };
    ServerConfig {
        listen: arguments.listen,
        workers: limits.threads.map_or(0, usize::from),
        limits: Limits {
            body_bytes_max: body,
            import_bytes_max: import,
            bodies_bytes_max: bodies,
            connections_max: shares.connections_max,
            request_timeout: request,
            ..Limits::default()
        },
        drain: Drain { wait: seconds(limits.drain_delay), grace: seconds(limits.drain_timeout) },
        tls: tls.map(|(cert, key)| TlsFiles { cert, key, check_every: TLS_CHECK }),
        cors: Cors { origins: edge.cors_origins.clone(), ..Cors::default() },
        proxies: Proxies {
            trusted: edge.trusted_proxies.clone(),
            header: match edge.forwarded_header {
                Forwarded::XForwarded => ForwardedHeader::XForwarded,
                Forwarded::Standard => ForwardedHeader::Standard,
            },
        },
        hosts: edge.hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
        operator: edge.operator_token.clone().map_or(closed, Operator::Token),
        ..ServerConfig::default()
    }
}

/// Where webhooks may go.
pub(super) fn webhooks(arguments: &Up, production: bool) -> Guard {
    Guard { allowed: arguments.edge.webhooks_allowed.clone(), https_only: production }
}

/// Where events go, and come from.
pub(super) fn broker(arguments: &Up) -> Outcome<Option<Arc<dyn Connect>>> {
    let Some(url) = &arguments.broker.broker else { return Ok(None) };
    let address = Address::parse(url).map_err(|why| {
        Failure::new("can't start")
            .caused_by(why)
            .hint("`--broker` takes an address such as `nats://127.0.0.1:4222`")
    })?;
    if arguments.broker_requests && !address.takes_requests() {
        let shown = address.shown();
        return Err(Failure::new("can't start")
            .caused_by(format!("requests can't come by the broker at {shown}"))
            .hint("leave `--broker-requests` out, or take NATS, RabbitMQ or Redis"));
    }
    Ok(Some(Arc::new(address)))
}

/// The form of log lines: as asked for, else what suits who reads them.
pub(super) fn log_format(asked: Option<LogFormat>) -> Format {
    match asked {
        Some(LogFormat::Text) => Format::Text,
        Some(LogFormat::Json) => Format::Json,
        None if render::for_people() => Format::Text,
        None => Format::Json,
    }
}
