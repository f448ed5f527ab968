//! `POST` of an import, an export or a job: what is to be done is kept before it is answered 202.

use super::accepted;
use super::rows::{bounded, chunks, lines, sheet};
use crate::engine::access::{concerns, denied, unauthenticated};
use crate::engine::{Failure, not_found, problem};
use crate::http::Response;
use crate::http::negotiation::{essence, media_type};
use crate::http::response::Body;
use crate::ingress::rest::keys::{EXPIRES, Key, expiry, running};
use crate::ingress::rest::query::{invalid, parameters, unknown};
use crate::ingress::rest::{Asked, negotiate};
use crate::operate::{
    Caller, ExportInput, ImportInput, TENANT_OPERATIONS_WAITING_MAX, Task, given,
};
use crate::ports::operations::{Chunk, Operated, Operation, State};
use crate::ports::store::{CommitError, StoredAnswer, Tenant, WriteSet};
use crate::problem::{Problem, kinds};
use crate::telemetry::trace::TraceContext;
use http::{HeaderName, header};
use ir::domain::ResourceId;
use std::sync::Arc;

/// Rows as JSON, a line each.
pub(super) const NDJSON: &str = "application/x-ndjson";
/// Rows as values between commas, under a header.
pub(super) const CSV: &str = "text/csv";
/// Seconds after which who has too many waiting may try again.
const FULL_RETRY_SECONDS: u64 = 30;

impl Asked<'_> {
    /// `POST /v1/products/import`; the operation is that of creating one.
    pub(in crate::ingress::rest) async fn import(&self) -> Result<Response, Failure> {
        let resource = self.allowed()?;
        let plan = &self.live.engine.plan;
        let of = plan.domain.resource(resource);
        let grants = &of.access.create;
        if !concerns(self.call, grants) {
            return Err(denied(self.call, grants, &format!("create this `{}`", of.name)));
        }
        negotiate::acceptable(self.request)?;
        let mut atomic = false;
        for parameter in parameters(self.request)? {
            match (&*parameter.name, &*parameter.value) {
                ("atomic", value @ ("true" | "false")) => atomic = value == "true",
                ("atomic", _) => return Err(invalid("atomic", "must be `true` or `false`")),
                (name, _) => return Err(unknown(name, "is no parameter of this operation")),
            }
        }
        let rows = match self.import_form()? {
            CSV => sheet(plan, resource, &self.request.body)?,
            _ => lines(&self.request.body)?,
        };
        bounded(rows.len(), atomic)?;
        let input = serde_json::to_string(&ImportInput { atomic }).unwrap_or_default();
        let total = Some(rows.len() as i64);
        let operation = self.new_operation(Task::Import(resource), input, total)?;
        let chunks = chunks(&operation, &rows);
        self.begin(resource, operation, chunks).await
    }

    /// `POST /v1/products/export`; the operation is that of listing them.
    pub(in crate::ingress::rest) async fn export(&self) -> Result<Response, Failure> {
        let resource = self.allowed()?;
        let of = self.live.engine.plan.domain.resource(resource);
        let grants = &of.access.read;
        if !self.call.is_system() && !concerns(self.call, grants) {
            return Err(denied(self.call, grants, &format!("list `{}`", of.name)));
        }
        let offered = [NDJSON, CSV, "application/json"];
        let Some(form) = media_type(&self.request.headers, &offered) else {
            let problem = Problem::new(kinds::NOT_ACCEPTABLE);
            let detail = format!("must take `{NDJSON}` or `{CSV}`, the form of the result");
            return Err(Box::new(problem.header_fault("Accept", detail)));
        };
        if !self.request.body.is_empty() {
            let detail = "must be empty: what is exported stands in the query, as for the list";
            return Err(Box::new(Problem::new(kinds::MALFORMED_BODY).at("", detail)));
        }
        let csv = form == CSV;
        self.export_parameters(resource, csv)?;
        let query = self.request.query().unwrap_or_default().to_owned();
        let input = serde_json::to_string(&ExportInput { query, csv }).unwrap_or_default();
        let operation = self.new_operation(Task::Export(resource), input, None)?;
        self.begin(resource, operation, Vec::new()).await
    }

    /// `POST /v1/operations/send-invoice`; the operation is that of the command. What the inputs
    /// say is worked out now, so that a default is that of now.
    pub(in crate::ingress::rest) async fn job(&self, at: usize) -> Result<Response, Failure> {
        let engine = &self.live.engine;
        let job = &engine.plan.domain.jobs[at];
        if self.call.principal.is_none() {
            return Err(unauthenticated());
        }
        if !concerns(self.call, &job.by) {
            return Err(denied(self.call, &job.by, &format!("ask for the job `{}`", job.name)));
        }
        self.has_tenant()?;
        negotiate::acceptable(self.request)?;
        if let Some(parameter) = parameters(self.request)?.first() {
            return Err(unknown(&parameter.name, "is no parameter of this operation"));
        }
        let body = &self.request.body;
        if !body.is_empty() {
            negotiate::body_form(self.request, false)?;
        }
        let input = given(engine, self.call, at, body)?;
        let operation = self.new_operation(Task::Job(at), input, Some(1))?;
        self.begin(job.resource, operation, Vec::new()).await
    }

    /// Who may ask at all: what is done later is done for somebody.
    fn allowed(&self) -> Result<ResourceId, Failure> {
        self.admit()?;
        if self.call.principal.is_none() {
            return Err(unauthenticated());
        }
        self.operation.resource.ok_or_else(not_found)
    }

    /// What form the rows have.
    fn import_form(&self) -> Result<&'static str, Failure> {
        negotiate::plain(self.request)?;
        let media = self.request.header(header::CONTENT_TYPE).and_then(essence);
        match media.as_deref() {
            Some(NDJSON | "application/ndjson" | "application/jsonl") => Ok(NDJSON),
            Some(CSV) => Ok(CSV),
            _ => {
                let problem = Problem::new(kinds::UNSUPPORTED_MEDIA_TYPE)
                    .detail(format!("`{NDJSON}` and `{CSV}` in UTF-8 are taken here"))
                    .header_fault("Content-Type", format!("must be `{NDJSON}` or `{CSV}`"));
                Err(Box::new(problem))
            }
        }
    }

    /// A new operation of the caller.
    fn new_operation(
        &self,
        task: Task,
        input: String,
        total: Option<i64>,
    ) -> Result<Operation, Failure> {
        let plan = &self.live.engine.plan;
        let principal = self.call.principal.as_ref().ok_or_else(unauthenticated)?;
        let shared = plan.domain.resource(task.resource(plan)).shared;
        let now = self.call.bindings.now;
        let trace = self.call.trace.as_ref().map(TraceContext::traceparent);
        Ok(Operation {
            id: self.backend.draw_id(now),
            tenant: if shared { None } else { self.call.tenant.clone() },
            kind: task.kind(plan),
            owner: Arc::clone(&principal.id),
            caller: Caller::of(plan, principal).text().into(),
            state: State::Queued,
            priority: task.priority(plan),
            total,
            done: 0,
            failed: 0,
            attempts: 0,
            due: now,
            epoch: 0,
            worker: "".into(),
            until: 0,
            input: input.into(),
            place: String::new(),
            result: None,
            problem: None,
            created: now,
            started: None,
            ended: None,
            expires: None,
            trace: trace.map(Into::into),
        })
    }

    /// Keeps an operation, with the answer under the key if there is one.
    async fn begin(
        &self,
        resource: ResourceId,
        operation: Operation,
        chunks: Vec<Chunk>,
    ) -> Result<Response, Failure> {
        let required = self.live.engine.plan.domain.resource(resource).idempotency_required;
        let key = self.key(required)?;
        self.known_tenant(resource).await?;
        let _turn = match &key {
            None => None,
            Some(key) => {
                let turn = self.backend.running.begin(key.scope).ok_or_else(running)?;
                if let Some(stored) = self.began(resource, key, &operation.tenant).await? {
                    return self.replay(key, stored);
                }
                Some(turn)
            }
        };
        let tenant = operation.tenant.clone();
        let (mut response, body) = accepted(&operation);
        let answer = key.as_ref().map(|key| self.keep(key, &response, &body));
        if let Some(answer) = &answer {
            response = response.header(EXPIRES, &expiry(answer.expires));
        }
        if negotiate::respond_async(self.request) {
            let applied = HeaderName::from_static("preference-applied");
            response = response.header(applied, "respond-async");
        }
        response.body = Body::Full(body.into());
        match (self.commit_begin(resource, operation, chunks, answer).await, key) {
            (Ok(()), _) => {
                self.live.engine.shared.operated.send_modify(|count| {
                    *count = count.wrapping_add(1);
                });
                Ok(response)
            }
            (Err(CommitError::AnswerExists), Some(key)) => {
                match self.began(resource, &key, &tenant).await? {
                    Some(stored) => self.replay(&key, stored),
                    None => Err(running()),
                }
            }
            (Err(CommitError::Fenced), _) => {
                let most = TENANT_OPERATIONS_WAITING_MAX;
                let detail = format!("{most} operations wait already: as many as may");
                let problem = Problem::new(kinds::TOO_MANY_REQUESTS).detail(detail);
                Err(Box::new(problem.retry_after(FULL_RETRY_SECONDS)))
            }
            (Err(CommitError::Unavailable(why)), _) => Err(why.into()),
            (Err(_), _) => Err(problem(kinds::INTERNAL)),
        }
    }

    /// The answer of a call with the same key.
    async fn began(
        &self,
        resource: ResourceId,
        key: &Key,
        tenant: &Tenant,
    ) -> Result<Option<StoredAnswer>, Failure> {
        let store = self.live.engine.store(resource);
        Ok(store.answer(tenant, &key.scope, self.call.bindings.now).await?)
    }

    async fn commit_begin(
        &self,
        resource: ResourceId,
        operation: Operation,
        chunks: Vec<Chunk>,
        answer: Option<StoredAnswer>,
    ) -> Result<(), CommitError> {
        let tenant = operation.tenant.clone();
        let operation = Box::new(operation);
        let waiting_max = TENANT_OPERATIONS_WAITING_MAX;
        let operated = Some(Operated::Begin { operation, chunks, waiting_max });
        let set = WriteSet { tenant, answer, operated, ..WriteSet::default() };
        self.live.engine.store(resource).commit(set, &self.call.bindings).await
    }
}
