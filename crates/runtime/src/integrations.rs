//! Systems outside that are called: where they are, what a call sends, and what an answer means.
//!
//! A call is the same at each attempt: it carries a key that tells the other side so, made of what
//! caused it. Where the other side takes no key, it is asked first whether the call was done
//! before. Whoever calls decides when to try again; nothing here does.

mod answer;
mod outgoing;

use crate::engine::Failure;
use crate::http::client::reason;
use crate::plan::Plan;
use crate::telemetry::metrics::{Histogram, Metrics};
use crate::telemetry::trace::TraceContext;
pub(crate) use answer::{Answer, Missed};
use answer::{Found, found, meaning};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, Method, header};
use ir::domain::{RemoteCall, RemoteId, RemoteOperation, Repeatable};
use kernel::expr::Scope;
pub(crate) use outgoing::Outgoing;
use outgoing::Template;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// A connection has so long to be made, within the time of the call.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that nobody uses is kept so long.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Calls of one system under way: so many places one that hangs can hold.
const CALLS_AT_ONCE_MAX: usize = 64;

/// Where systems outside are and what we prove ourselves by, by name. Not shown by `Debug`.
#[derive(Clone, Default)]
pub struct Remotes(BTreeMap<String, Result<Remote, String>>);

/// Where one is.
#[derive(Clone)]
struct Remote {
    /// Without a slash at its end.
    base: String,
    auth: Option<(HeaderName, HeaderValue)>,
}

impl std::fmt::Debug for Remotes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Remotes(…)")
    }
}

impl Remotes {
    /// Adds one: its URL, and `bearer TOKEN`, `basic USER:PASSWORD` or `header NAME VALUE`.
    ///
    /// # Errors
    /// What a URL or a proof looks like, where one of them does not: never the proof.
    pub fn add(&mut self, of: &str, url: &str, auth: Option<&str>) -> Result<(), String> {
        let remote =
            base(url).and_then(|base| Ok(Remote { base, auth: auth.map(proof).transpose()? }));
        let wrong = remote.as_ref().err().cloned();
        self.0.insert(of.to_owned(), remote);
        wrong.map_or(Ok(()), Err)
    }

    /// Says why one can't be called.
    pub fn lacks(&mut self, of: &str, why: &str) {
        self.0.insert(of.to_owned(), Err(why.to_owned()));
    }
}

fn base(url: &str) -> Result<String, String> {
    let wanted = "it is an `http://` or `https://` URL without query and fragment".to_owned();
    let parsed = reqwest::Url::parse(url).map_err(|_| wanted.clone())?;
    let fits = ["http", "https"].contains(&parsed.scheme())
        && parsed.query().is_none()
        && parsed.fragment().is_none()
        && parsed.username().is_empty()
        && parsed.password().is_none();
    fits.then(|| parsed.as_str().trim_end_matches('/').to_owned()).ok_or(wanted)
}

fn proof(auth: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (scheme, rest) = auth.trim().split_once(char::is_whitespace).unwrap_or((auth, ""));
    let rest = rest.trim();
    let (name, value) = match scheme {
        "bearer" => (header::AUTHORIZATION, format!("Bearer {rest}")),
        "basic" if rest.contains(':') => {
            (header::AUTHORIZATION, format!("Basic {}", STANDARD.encode(rest)))
        }
        "basic" => {
            return Err("behind `basic` stand a user and a password: `user:password`".to_owned());
        }
        "header" => {
            let (name, value) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            let name = HeaderName::try_from(name)
                .map_err(|_| "behind `header` stand a header's name and a value".to_owned())?;
            (name, value.trim().to_owned())
        }
        _ => return Err("it begins with `bearer`, `basic` or `header`".to_owned()),
    };
    let value =
        HeaderValue::try_from(value).ok().filter(|value| !rest.is_empty() && !value.is_empty());
    let mut value = value.ok_or_else(|| "it holds nothing that fits into a header".to_owned())?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// The systems outside that a plan calls.
pub(crate) struct Integrations {
    /// In the order of the domain.
    systems: Vec<System>,
    metrics: Arc<Metrics>,
    /// Made by the first call; its connections belong to the runtime that makes it.
    client: OnceLock<Result<reqwest::Client, String>>,
}

struct System {
    name: String,
    remote: Result<Remote, String>,
    timeout: Duration,
    calls: Semaphore,
    operations: Vec<Operation>,
}

/// An operation, ready to be called.
struct Operation {
    of: RemoteOperation,
    method: Method,
    path: Template,
    lookup: Option<(Method, Template)>,
}

impl Integrations {
    /// Those of a plan.
    pub(crate) fn of(plan: &Plan, remotes: &Remotes, metrics: &Arc<Metrics>) -> Self {
        let system = |of: &ir::domain::Integration| System {
            name: of.name.clone(),
            remote: match remotes.0.get(&of.name) {
                Some(remote) => remote.clone(),
                None => Err("its address is not known".to_owned()),
            },
            timeout: Duration::from_secs_f64(of.timeout_seconds),
            calls: Semaphore::new(CALLS_AT_ONCE_MAX),
            operations: of.operations.iter().map(operation).collect(),
        };
        let systems = plan.domain.integrations.iter().map(system).collect();
        Self { systems, metrics: Arc::clone(metrics), client: OnceLock::new() }
    }

    fn operation(&self, id: RemoteId) -> (&System, &Operation) {
        let system = &self.systems[id.integration];
        (system, &system.operations[id.operation])
    }

    /// What a call sends, worked out in a scope. `key` is the same at each attempt of the same.
    ///
    /// # Errors
    /// Where a value can't be worked out, or is null and may not be.
    pub(crate) fn outgoing(
        &self,
        call: &RemoteCall,
        scope: &dyn Scope,
        key: String,
        trace: TraceContext,
    ) -> Result<Outgoing, Failure> {
        let (_, operation) = self.operation(call.of);
        Outgoing::of(operation, call, scope, key, trace)
    }

    /// What is called, as messages name it.
    pub(crate) fn name(&self, outgoing: &Outgoing) -> String {
        let (system, operation) = self.operation(outgoing.of);
        format!("`{}.{}`", system.name, operation.of.name)
    }

    /// True where nothing tells whether a call was done: it is never made again.
    pub(crate) fn is_once_only(&self, outgoing: &Outgoing) -> bool {
        let (_, operation) = self.operation(outgoing.of);
        operation.of.repeatable == Repeatable::No && operation.lookup.is_none()
    }

    /// The longest that a call may take: with the question before it.
    pub(crate) fn longest(&self, id: RemoteId) -> Duration {
        let (system, operation) = self.operation(id);
        system.timeout * if asks_before(operation) { 2 } else { 1 }
    }

    /// Calls once, at a time in microseconds since 1970.
    pub(crate) async fn call(&self, outgoing: &Outgoing, now: i64) -> Answer {
        let (system, operation) = self.operation(outgoing.of);
        let begun = Instant::now();
        let answer = self.exchange(system, operation, outgoing, now).await;
        self.observe(system, operation, answer.outcome(), begun.elapsed());
        if let Answer::Missed(missed) = &answer {
            let (system, operation) = (&system.name, &operation.of.name);
            tracing::warn!(system, operation, detail = missed.detail, "a call outside failed");
        }
        answer
    }

    fn observe(&self, system: &System, operation: &Operation, outcome: &str, took: Duration) {
        let (system, operation) = (&system.name, &operation.of.name);
        let labels =
            format!("integration=\"{system}\",operation=\"{operation}\",outcome=\"{outcome}\"");
        let help = "Calls of systems outside, by what came of them.";
        let histogram: Arc<Histogram> =
            self.metrics.histogram("mainstay_integration_call_duration_seconds", help, &labels);
        histogram.observe(took);
    }

    async fn exchange(
        &self,
        system: &System,
        operation: &Operation,
        outgoing: &Outgoing,
        now: i64,
    ) -> Answer {
        let name = self.name(outgoing);
        let remote = match &system.remote {
            Ok(remote) => remote,
            Err(why) => return Missed::later(format!("{name} can't be called: {why}")),
        };
        let Ok(_place) = system.calls.acquire().await else {
            return Missed::later(format!("{name} is not called any more"));
        };
        if asks_before(operation) {
            match self.ask(system, operation, remote, outgoing, now).await {
                Found::Done(body) => return Answer::Done(body),
                Found::Nothing => {}
                Found::Unknown(missed) => {
                    let detail = format!("whether {name} was done is not known: {}", missed.detail);
                    return Answer::Missed(Missed { detail, ..missed });
                }
            }
        }
        let path = format!("{}{}", remote.base, outgoing.path);
        let sent = Sent {
            method: &operation.method,
            url: &path,
            body: outgoing.body.as_deref(),
            key: outgoing.key_header.as_ref().map(|name| (name, outgoing.key.as_str())),
            trace: &outgoing.trace,
        };
        match self.send(system, remote, sent).await {
            Ok(response) => meaning(&operation.of, &name, response, now).await,
            Err(why) if operation.of.repeatable == Repeatable::No => {
                Missed::later(format!("{name} {why}; whether it was done is not known"))
            }
            Err(why) => Missed::later(format!("{name} {why}")),
        }
    }

    /// Asks what came of an attempt before, which may have been made by a process that died.
    async fn ask(
        &self,
        system: &System,
        operation: &Operation,
        remote: &Remote,
        outgoing: &Outgoing,
        now: i64,
    ) -> Found {
        let (Some((method, _)), Some(path)) = (&operation.lookup, &outgoing.lookup) else {
            return Found::Nothing;
        };
        let path = format!("{}{path}", remote.base);
        let sent = Sent { method, url: &path, body: None, key: None, trace: &outgoing.trace };
        match self.send(system, remote, sent).await {
            Ok(response) => found(&operation.of, response, now).await,
            Err(why) => Found::Unknown(Missed::of(format!("the lookup {why}"))),
        }
    }

    async fn send(
        &self,
        system: &System,
        remote: &Remote,
        sent: Sent<'_>,
    ) -> Result<reqwest::Response, String> {
        let client = self.client.get_or_init(client).as_ref().map_err(Clone::clone)?;
        let mut request = client
            .request(sent.method.clone(), sent.url)
            .timeout(system.timeout)
            .header(header::ACCEPT, "application/json")
            .header("traceparent", sent.trace.traceparent());
        if let Some((name, value)) = &remote.auth {
            request = request.header(name, value);
        }
        if let Some((name, value)) = sent.key {
            request = request.header(name, value);
        }
        if let Some(body) = sent.body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body.to_vec());
        }
        request.send().await.map_err(|error| reason(&error, system.timeout.as_secs_f64()))
    }
}

/// A request.
struct Sent<'a> {
    method: &'a Method,
    url: &'a str,
    body: Option<&'a [u8]>,
    key: Option<(&'a HeaderName, &'a str)>,
    trace: &'a TraceContext,
}

/// Nothing tells the other side that a call is the same as before, but it can be asked.
fn asks_before(operation: &Operation) -> bool {
    operation.of.repeatable == Repeatable::No && operation.lookup.is_some()
}

fn operation(of: &RemoteOperation) -> Operation {
    let method = |text: &str| Method::from_bytes(text.as_bytes()).unwrap_or(Method::POST);
    let template = |path: &str| Template::of(path, &of.parameters);
    Operation {
        method: method(&of.method),
        path: template(&of.path),
        lookup: of.lookup.as_ref().map(|lookup| (method(&lookup.method), template(&lookup.path))),
        of: of.clone(),
    }
}

fn client() -> Result<reqwest::Client, String> {
    // The process may have one already; it is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .user_agent("Mainstay/1")
        .build()
        .map_err(|error| format!("can't be called: {error}"))
}

#[cfg(test)]
mod tests;
