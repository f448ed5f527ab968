//! REST: a request is routed, its caller known, its operation allowed to be asked for, then done.

mod audit;
mod batch;
mod cached;
mod cursor;
mod dead_letters;
mod etag;
mod events;
mod explain;
mod fresh;
mod keys;
mod list;
mod negotiate;
pub(crate) mod operations;
mod position;
mod query;
mod read;
mod webhooks;
mod webhooks_in;
mod write;

#[cfg(test)]
mod tests;

pub use crate::engine::backend::{Backend, Former, Identify, Identity, Serving, Surroundings};

use crate::engine::access::unauthenticated;
use crate::engine::backend::Live;
use crate::engine::{Failure, not_found, problem};
use crate::http::{Request, Response, Service};
use crate::identity::{Who, tenant};
use crate::json::literal::read_uuid;
use crate::plan::OperationPlan;
use crate::plan::router::{Endpoint, Found, Own};
use crate::ports::store::Bindings;
use crate::problem::{Problem, kinds};
use crate::request::Call;
use crate::telemetry::metrics::OperationId;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Method, StatusCode, header};
use ir::contract::OperationKind;
use std::sync::Arc;

/// The backend over HTTP.
pub struct Rest {
    backend: Arc<Backend>,
}

impl Rest {
    /// Serves a backend.
    pub fn new(backend: Arc<Backend>) -> Self {
        Self { backend }
    }
}

impl Service for Rest {
    fn call(&self, request: Request) -> BoxFuture<'_, Response> {
        async move {
            let live = self.backend.live().await;
            answer(&self.backend, &live, request).await
        }
        .boxed()
    }

    fn turn_away<'a>(&'a self, request: &'a mut Request) -> BoxFuture<'a, Option<Response>> {
        async move {
            let live = self.backend.live().await;
            turned_away(&self.backend, &live, request).await
        }
        .boxed()
    }

    fn takes_rows(&self, request: &Request) -> bool {
        let live = self.backend.now_live();
        live.is_some_and(|live| {
            let found = live.engine.plan.router.find(request.path());
            found.is_some_and(|found| matches!(found.endpoint.own, Some(Own::Import(_))))
        })
    }

    fn warm(&self) -> BoxFuture<'_, ()> {
        self.backend.warm().boxed()
    }
}

/// One request with all that is known about it once it may be answered.
pub(crate) struct Asked<'a> {
    /// Cursor key, running keys, clock.
    pub(crate) backend: &'a Backend,
    /// Plan and stores.
    pub(crate) live: &'a Live,
    /// What came.
    pub(crate) request: &'a Request,
    /// Who calls.
    pub(crate) call: &'a Call,
    /// What is asked for.
    pub(crate) operation: &'a OperationPlan,
    /// Its index.
    index: usize,
    /// The representation is wanted whatever the client has: it is to be kept.
    whole: bool,
    /// The operation as it is counted.
    counted: OperationId,
    /// The segment of the path that varies.
    pub(crate) segment: Option<&'a str>,
}

/// Who calls, as the plan of that number knows callers: another may be served by the time the body
/// has come.
#[derive(Clone)]
struct Known {
    identity: Identity,
    by: u64,
}

async fn answer(backend: &Arc<Backend>, live: &Live, mut request: Request) -> Response {
    let known = request.known.remove::<Known>().filter(|known| known.by == live.number);
    let Some(found) = live.engine.plan.router.find(request.path()) else {
        return (*not_found()).into();
    };
    let identity = match known {
        Some(known) => Ok(known.identity),
        None => identify(live, &request, found.endpoint.own).await,
    };
    let call = match identity {
        Ok(identity) => call(backend, &request, identity),
        Err(problem) => return (*problem).into(),
    };
    if let Some(own) = found.endpoint.own {
        let segment = found.segment;
        let done = answer_own(backend, live, &request, &call, (own, segment)).boxed().await;
        return done.unwrap_or_else(|problem| (*problem).into());
    }
    let asked = match Asked::of(backend, live, &request, &call, found) {
        Ok(asked) => asked,
        Err(response) => return *response,
    };
    let answer = asked.answer().await;
    asked.named(answer.unwrap_or_else(|problem| (*problem).into()))
}

/// What needs no body to be refused. Who calls is kept for the answer.
async fn turned_away(backend: &Backend, live: &Live, request: &mut Request) -> Option<Response> {
    let Some(found) = live.engine.plan.router.find(request.path()) else {
        return Some((*not_found()).into());
    };
    let identity = match identify(live, request, found.endpoint.own).await {
        Ok(identity) => identity,
        Err(problem) => return Some((*problem).into()),
    };
    if matches!(found.endpoint.own, Some(Own::Import(_))) && identity.principal.is_none() {
        return Some((*unauthenticated()).into());
    }
    if found.endpoint.own.is_none() {
        let call = call(backend, request, identity.clone());
        match Asked::of(backend, live, request, &call, found) {
            Ok(asked) => {
                if let Err(problem) = asked.admit() {
                    return Some(asked.named((*problem).into()));
                }
            }
            Err(response) => return Some(*response),
        }
    }
    request.known.insert(Known { identity, by: live.number });
    None
}

/// Who calls. A sender of webhooks proves itself by its signature: whatever else it sends to prove
/// itself is not for us, and its tenant is that of the host.
async fn identify(live: &Live, request: &Request, own: Option<Own>) -> Result<Identity, Failure> {
    if own != Some(Own::Receive) {
        return live.identify.identify(request).await;
    }
    let mut nobody = Request::new(Method::POST, request.uri.clone());
    nobody.host.clone_from(&request.host);
    live.identify.identify(&nobody).await
}

fn call(backend: &Backend, request: &Request, identity: Identity) -> Call {
    let now = backend.now();
    let left = i64::try_from(request.remaining().as_micros()).unwrap_or(i64::MAX);
    Call {
        bindings: Bindings {
            me: identity.principal.as_ref().map(|principal| Arc::clone(&principal.me)),
            now,
            deadline: now.saturating_add(left),
            fresh: position::fresh(&backend.cursor_key, request),
        },
        principal: identity.principal,
        tenant: identity.tenant,
        trace: Some(request.trace.clone()),
        effect_of: None,
    }
}

/// The operation of a method; none for OPTIONS, which is answered by `Allow` alone.
fn operation(endpoint: &Endpoint, method: &Method, call: &Call) -> Result<Option<usize>, Failure> {
    // What only `system` may do is not there for others.
    if endpoint.internal && !call.is_system() {
        return Err(not_found());
    }
    match endpoint.operation(method) {
        Some(index) => Ok(Some(index)),
        None if *method == Method::OPTIONS => Ok(None),
        None => {
            let problem = problem(kinds::METHOD_NOT_ALLOWED);
            Err(Box::new(problem.header(header::ALLOW, &endpoint.allow)))
        }
    }
}

async fn answer_own(
    backend: &Arc<Backend>,
    live: &Live,
    request: &Request,
    call: &Call,
    (own, segment): (Own, Option<&str>),
) -> Result<Response, Failure> {
    if let Own::Job(at) = own
        && live.engine.plan.domain.jobs[at].internal()
        && !call.is_system()
    {
        return Err(not_found());
    }
    let allow = own.allow();
    if !allow.split(", ").any(|method| method == request.method.as_str()) {
        let problem = problem(kinds::METHOD_NOT_ALLOWED);
        return Err(Box::new(problem.header(header::ALLOW, allow)));
    }
    if let Own::Import(_) | Own::Export(_) | Own::Job(_) = own {
        let plan = &live.engine.plan;
        let index = match own {
            Own::Job(at) => plan.jobs[at].operation,
            Own::Import(index) | Own::Export(index) => index,
            _ => return Err(not_found()),
        };
        let (operation, counted) = (&plan.operations[index], live.operations[index]);
        let (whole, segment) = (false, None);
        let asked =
            Asked { backend, live, request, call, operation, index, whole, counted, segment };
        return match own {
            Own::Job(at) => asked.job(at).boxed().await,
            Own::Import(_) => asked.import().boxed().await,
            _ => asked.export().boxed().await,
        };
    }
    if own.is_operation() {
        return operations::answer(backend, live, request, call, (own, segment)).boxed().await;
    }
    if own == Own::Events {
        return events::list(backend, live, request, call).await;
    }
    if own != Own::Receive {
        negotiate::acceptable(request)?;
    }
    match own {
        Own::Events | Own::Import(_) | Own::Export(_) | Own::Job(_) => Err(not_found()),
        Own::Operations
        | Own::Operation
        | Own::OperationRows
        | Own::OperationResult
        | Own::CancelOperation => Err(not_found()),
        Own::DeadLetters => dead_letters::list(backend, live, request, call).await,
        Own::DeadLetter => dead_letters::one(live, request, call, segment).await,
        Own::Redrive => dead_letters::redrive(live, request, call, segment).await,
        Own::RedriveAll => dead_letters::redrive_all(live, request, call).await,
        Own::Explain => explain::explain(backend, live, request, call).await,
        Own::Audit => audit::list(backend, live, request, call).await,
        Own::Receive => webhooks_in::receive(live, request, call, segment).boxed().await,
        Own::Webhooks
        | Own::Webhook
        | Own::RotateWebhook
        | Own::WebhookAttempts
        | Own::TestWebhook
        | Own::ReplayWebhook => {
            webhooks::answer(backend, live, request, call, (own, segment)).boxed().await
        }
    }
}

impl<'a> Asked<'a> {
    /// What is asked for; an answer where nothing is.
    fn of(
        backend: &'a Backend,
        live: &'a Live,
        request: &'a Request,
        call: &'a Call,
        found: Found<'a, 'a>,
    ) -> Result<Self, Box<Response>> {
        let Found { endpoint, segment } = found;
        let index = match operation(endpoint, &request.method, call) {
            Ok(Some(index)) => index,
            Ok(None) => {
                let response = Response::new(StatusCode::NO_CONTENT);
                return Err(Box::new(response.header(header::ALLOW, &endpoint.allow)));
            }
            Err(problem) => return Err(Box::new((*problem).into())),
        };
        let operation = &live.engine.plan.operations[index];
        let counted = live.operations[index];
        let whole = false;
        Ok(Self { backend, live, request, operation, index, whole, counted, call, segment })
    }

    /// An answer with what it is counted and logged by.
    fn named(&self, mut response: Response) -> Response {
        response.operation = self.counted;
        response.tenant = self.call.tenant.clone();
        response
    }

    async fn answer(&self) -> Result<Response, Failure> {
        self.admit()?;
        if !self.redirects() {
            negotiate::acceptable(self.request)?;
        }
        // The state of a write is several times that of a read, which would be copied with it.
        let written = match self.operation.kind {
            OperationKind::List | OperationKind::Get if self.operation.caching.is_some() => {
                return self.reused().boxed().await;
            }
            OperationKind::List => return self.list().await,
            OperationKind::Get => return self.get().await,
            OperationKind::Route(route) => return self.route(route).boxed().await,
            OperationKind::Create
            | OperationKind::Replace
            | OperationKind::Update
            | OperationKind::Delete
            | OperationKind::Command(_) => self.write().boxed().await,
            OperationKind::Batch => self.batch().boxed().await,
        };
        Ok(self.positioned(written?).boxed().await)
    }

    /// A redirect has no form to choose: it is followed for pages and images alike.
    fn redirects(&self) -> bool {
        let OperationKind::Route(route) = self.operation.kind else { return false };
        let resource = self.operation.resource.map(|id| self.live.engine.plan.domain.resource(id));
        resource.is_some_and(|resource| resource.routes[route].redirect.is_some())
    }

    /// Who may ask at all: a token where one is needed, a tenant where rows have one.
    fn admit(&self) -> Result<(), Failure> {
        let call = self.call;
        if self.operation.internal && !call.is_system() {
            return Err(not_found());
        }
        if call.principal.is_none() && !self.operation.anonymous {
            return Err(unauthenticated());
        }
        self.has_tenant()
    }

    /// A tenant where rows have one.
    fn has_tenant(&self) -> Result<(), Failure> {
        let (plan, call) = (&self.live.engine.plan, self.call);
        let shared = self.operation.resource.is_some_and(|id| plan.domain.resource(id).shared);
        if plan.domain.tenancy.is_some() && !shared && call.tenant.is_none() {
            return Err(Box::new(tenant::unknown(&plan.domain)));
        }
        Ok(())
    }

    /// The id in the path.
    fn id(&self) -> Result<u128, Failure> {
        let id = self.segment.and_then(read_uuid);
        id.ok_or_else(|| {
            Box::new(Problem::new(kinds::INVALID_PARAMETER).parameter("id", "must be a UUID"))
        })
    }
}

/// Names the caller where its answers must be kept apart from others'.
pub(crate) fn caller_name(call: &Call) -> &str {
    match &call.principal {
        Some(principal) if principal.who == Who::System => "system",
        Some(principal) => &principal.id,
        None => "",
    }
}
