//! From method and path to an operation, without allocation.

use http::Method;
use ir::contract::{Contract, OperationKind};
use ir::domain::Job;
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

/// What was asked for that takes longer than a request.
const OPERATIONS: [(&str, Own); 5] = [
    ("/v1/operations", Own::Operations),
    ("/v1/operations/{id}", Own::Operation),
    ("/v1/operations/{id}/rows", Own::OperationRows),
    ("/v1/operations/{id}/result", Own::OperationResult),
    ("/v1/operations/{id}/cancel", Own::CancelOperation),
];

/// Where systems outside deliver.
const RECEIVERS: (&str, Own) = ("/v1/webhooks/in/{integration}", Own::Receive);

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
    /// `/v1/products/import`: index of the operation that creates one.
    Import(usize),
    /// `/v1/products/export`: index of the operation that lists them.
    Export(usize),
    /// `/v1/operations/send-invoice`: index of the job.
    Job(usize),
    /// `/v1/operations`
    Operations,
    /// `/v1/operations/{id}`
    Operation,
    /// `/v1/operations/{id}/rows`
    OperationRows,
    /// `/v1/operations/{id}/result`
    OperationResult,
    /// `/v1/operations/{id}/cancel`
    CancelOperation,
    /// `/v1/webhooks/in/{integration}`
    Receive,
}

impl Own {
    /// True for what is asked of operations.
    pub(crate) fn is_operation(self) -> bool {
        OPERATIONS.iter().any(|(_, own)| *own == self)
    }

    /// The methods that it takes.
    pub(crate) fn allow(self) -> &'static str {
        match self {
            Self::Explain
            | Self::Audit
            | Self::Events
            | Self::DeadLetters
            | Self::Operations
            | Self::OperationRows
            | Self::OperationResult
            | Self::WebhookAttempts => "GET, HEAD",
            Self::DeadLetter | Self::Operation => "GET, HEAD, DELETE",
            Self::Webhooks => "GET, HEAD, POST",
            Self::Webhook => "GET, HEAD, PATCH, DELETE",
            Self::Redrive
            | Self::RedriveAll
            | Self::RotateWebhook
            | Self::TestWebhook
            | Self::Import(_)
            | Self::Export(_)
            | Self::Job(_)
            | Self::CancelOperation
            | Self::ReplayWebhook
            | Self::Receive => "POST",
        }
    }
}

/// What of the backend's own a model has.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Has {
    /// A trail of what was done.
    pub(crate) audit: bool,
    /// Events.
    pub(crate) events: bool,
    /// Events that are delivered to endpoints.
    pub(crate) webhooks: bool,
    /// Webhooks of systems outside.
    pub(crate) receivers: bool,
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
    pub(crate) fn of(contract: &Contract, has: Has, jobs: &[Job]) -> Self {
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
        let own = own.chain(has.audit.then_some((AUDIT, Own::Audit)));
        let own = own.chain(has.events.then_some((EVENTS, Own::Events)));
        let own = own.chain(DEAD_LETTERS.into_iter().filter(|_| has.events));
        let own = own.chain(has.receivers.then_some(RECEIVERS));
        let own = own.chain(WEBHOOKS.into_iter().filter(|_| has.webhooks)).chain(OPERATIONS);
        let own = own.map(|(path, own)| (path.to_owned(), own)).chain(bulk(contract));
        let asked = |(at, job): (usize, &Job)| (job.address(), Own::Job(at));
        let own = own.chain(jobs.iter().enumerate().map(asked));
        for (path, own) in own {
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

/// Rows come and go in bulk where they can be created and listed one by one.
fn bulk(contract: &Contract) -> impl Iterator<Item = (String, Own)> {
    let operations = contract.operations.iter().enumerate();
    operations.filter(|(_, operation)| !operation.internal).filter_map(|(at, operation)| {
        let path = &operation.path;
        match operation.kind {
            OperationKind::Create => Some((format!("{path}/import"), Own::Import(at))),
            OperationKind::List => Some((format!("{path}/export"), Own::Export(at))),
            _ => None,
        }
    })
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
