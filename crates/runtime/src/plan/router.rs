//! From method and path to an operation, without allocation.

use http::Method;
use ir::contract::Contract;
use matchit::Params;

/// Methods an endpoint can take, in the order of `Allow`.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// Where `GET` tells a caller why something is allowed or denied to it.
pub(crate) const EXPLAIN: &str = "/v1/explain";

/// Where `GET` tells what was done, to whom the model allows it.
pub(crate) const AUDIT: &str = "/v1/audit";

/// Where `GET` tells what happened, as it is published.
pub(crate) const EVENTS: &str = "/v1/events";

/// Where `GET` lists events that consumers gave up, and what can be done about them.
const DEAD_LETTERS: [(&str, Own); 4] = [
    ("/v1/dead-letters", Own::DeadLetters),
    ("/v1/dead-letters/redrive", Own::RedriveAll),
    ("/v1/dead-letters/{id}", Own::DeadLetter),
    ("/v1/dead-letters/{id}/redrive", Own::Redrive),
];

/// Where events are delivered to, and what came of it.
const WEBHOOKS: [(&str, Own); 6] = [
    ("/v1/webhooks", Own::Webhooks),
    ("/v1/webhooks/{id}", Own::Webhook),
    ("/v1/webhooks/{id}/rotate", Own::RotateWebhook),
    ("/v1/webhooks/{id}/attempts", Own::WebhookAttempts),
    ("/v1/webhooks/{id}/test", Own::TestWebhook),
    ("/v1/webhooks/{id}/replay", Own::ReplayWebhook),
];

/// What the backend answers by itself, beside the operations of a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Own {
    /// [`EXPLAIN`]
    Explain,
    /// [`AUDIT`]
    Audit,
    /// [`EVENTS`]
    Events,
    /// `/v1/dead-letters`
    DeadLetters,
    /// `/v1/dead-letters/{id}`
    DeadLetter,
    /// `/v1/dead-letters/{id}/redrive`
    Redrive,
    /// `/v1/dead-letters/redrive`
    RedriveAll,
    /// `/v1/webhooks`
    Webhooks,
    /// `/v1/webhooks/{id}`
    Webhook,
    /// `/v1/webhooks/{id}/rotate`
    RotateWebhook,
    /// `/v1/webhooks/{id}/attempts`
    WebhookAttempts,
    /// `/v1/webhooks/{id}/test`
    TestWebhook,
    /// `/v1/webhooks/{id}/replay`
    ReplayWebhook,
}

impl Own {
    /// The methods that it takes.
    pub(crate) fn allow(self) -> &'static str {
        match self {
            Self::Explain
            | Self::Audit
            | Self::Events
            | Self::DeadLetters
            | Self::WebhookAttempts => "GET, HEAD",
            Self::DeadLetter => "GET, HEAD, DELETE",
            Self::Webhooks => "GET, HEAD, POST",
            Self::Webhook => "GET, HEAD, PATCH, DELETE",
            Self::Redrive
            | Self::RedriveAll
            | Self::RotateWebhook
            | Self::TestWebhook
            | Self::ReplayWebhook => "POST",
        }
    }
}

/// The paths of a contract.
#[derive(Debug, Clone)]
pub(crate) struct Router {
    paths: matchit::Router<usize>,
    endpoints: Vec<Endpoint>,
}

/// What one path takes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Endpoint {
    /// Index of the operation by method.
    operations: [Option<usize>; METHODS.len()],
    /// `GET, HEAD, POST`
    pub(crate) allow: String,
    /// Every operation is the system's own: the path is not there for others.
    pub(crate) internal: bool,
    /// It is the backend's own.
    pub(crate) own: Option<Own>,
}

/// A path that was found.
pub(crate) struct Found<'r, 'p> {
    /// What it takes.
    pub(crate) endpoint: &'r Endpoint,
    /// The one segment that varies, if any, still percent-encoded.
    pub(crate) segment: Option<&'p str>,
}

impl Router {
    /// Of all operations. Two paths that cannot stand side by side are a fault that the check of
    /// the model finds; here the first one stays.
    pub(crate) fn of(contract: &Contract, audited: bool, events: bool, webhooks: bool) -> Self {
        let mut router = Self { paths: matchit::Router::new(), endpoints: Vec::new() };
        let mut known: Vec<&str> = Vec::new();
        for (at, operation) in contract.operations.iter().enumerate() {
            let index = match known.iter().position(|path| *path == operation.path) {
                Some(index) => index,
                None => {
                    if router.paths.insert(operation.path.as_str(), known.len()).is_err() {
                        continue;
                    }
                    known.push(&operation.path);
                    router.endpoints.push(Endpoint { internal: true, ..Endpoint::default() });
                    known.len() - 1
                }
            };
            let endpoint = &mut router.endpoints[index];
            endpoint.internal &= operation.internal;
            if let Some(method) = METHODS.iter().position(|method| *method == operation.method) {
                endpoint.operations[method].get_or_insert(at);
            }
        }
        for endpoint in &mut router.endpoints {
            endpoint.allow = endpoint.allowed();
        }
        let own = [(EXPLAIN, Own::Explain)].into_iter();
        let own = own.chain(audited.then_some((AUDIT, Own::Audit)));
        let own = own.chain(events.then_some((EVENTS, Own::Events)));
        let own = own.chain(DEAD_LETTERS.into_iter().filter(|_| events));
        for (path, own) in own.chain(WEBHOOKS.into_iter().filter(|_| webhooks)) {
            let allow = own.allow().to_owned();
            let own = Endpoint { allow, own: Some(own), ..Endpoint::default() };
            if router.paths.insert(path, router.endpoints.len()).is_ok() {
                router.endpoints.push(own);
            }
        }
        router
    }

    /// The endpoint of a path.
    pub(crate) fn find<'r, 'p>(&'r self, path: &'p str) -> Option<Found<'r, 'p>> {
        let found = self.paths.at(path).ok()?;
        let segment = first(&found.params);
        Some(Found { endpoint: &self.endpoints[*found.value], segment })
    }
}

fn first<'p>(params: &Params<'_, 'p>) -> Option<&'p str> {
    params.iter().next().map(|(_, value)| value)
}

impl Endpoint {
    /// Index of the operation of a method; HEAD is GET's.
    pub(crate) fn operation(&self, method: &Method) -> Option<usize> {
        let at = match *method {
            Method::GET | Method::HEAD => 0,
            Method::POST => 1,
            Method::PUT => 2,
            Method::PATCH => 3,
            Method::DELETE => 4,
            _ => return None,
        };
        self.operations[at]
    }

    fn allowed(&self) -> String {
        let mut allow = String::new();
        for (method, _) in METHODS.iter().zip(&self.operations).filter(|(_, is)| is.is_some()) {
            let names: &[&str] = if *method == "GET" { &["GET", "HEAD"] } else { &[*method] };
            for name in names {
                if !allow.is_empty() {
                    allow.push_str(", ");
                }
                allow.push_str(name);
            }
        }
        allow
    }
}
