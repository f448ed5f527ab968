//! Writes of one row: create, replace, update, delete, commands.

use super::keys::{EXPIRES, Key, expiry, running};
use super::{Asked, etag, negotiate, query};
use crate::engine::access::concerns;
use crate::engine::change::{Body, Done, Preconditions, Row, Verb, Write};
use crate::engine::commit::Committed;
use crate::engine::unit::Unit;
use crate::engine::{Failure, problem};
use crate::http::Response;
use crate::http::response::Body as Content;
use crate::json::write::uuid;
use crate::ports::store::StoredAnswer;
use crate::problem::{Problem, kinds};
use http::{HeaderName, StatusCode, header};
use ir::contract::OperationKind;
use ir::domain::ResourceId;

impl Asked<'_> {
    /// A write of one row.
    pub(super) async fn write(&self) -> Result<Response, Failure> {
        let resource = self.resource()?;
        query::none(self.request)?;
        let of = self.live.engine.plan.domain.resource(resource);
        let key = self.key(of.idempotency_required)?;
        let write = self.asked_write(resource)?;
        self.run(&[write], key, None).await
    }

    fn asked_write(&self, resource: ResourceId) -> Result<Write<'_>, Failure> {
        let verb = match self.operation.kind {
            OperationKind::Create => Verb::Create,
            OperationKind::Replace => Verb::Replace,
            OperationKind::Update => Verb::Update,
            OperationKind::Delete => Verb::Delete,
            OperationKind::Command(command) => Verb::Command(command),
            OperationKind::List | OperationKind::Get | OperationKind::Route(_) => {
                return Err(problem(kinds::INTERNAL));
            }
            OperationKind::Batch => return Err(problem(kinds::INTERNAL)),
        };
        let row = match verb {
            Verb::Create => None,
            _ => Some(Row::Id(self.id()?)),
        };
        let bytes = &self.request.body[..];
        let body = match verb {
            Verb::Delete => Body::Nothing,
            Verb::Command(_) if bytes.is_empty() => Body::Nothing,
            Verb::Create | Verb::Replace | Verb::Update | Verb::Command(_) => {
                negotiate::body_form(self.request, verb == Verb::Update)?;
                Body::Bytes(bytes)
            }
        };
        let preconditions = match verb {
            // A collection has no tag that a write could mean.
            Verb::Create => Preconditions::default(),
            _ => Preconditions {
                matches: etag::named(self.request, header::IF_MATCH)?,
                differs: etag::named(self.request, header::IF_NONE_MATCH)?,
            },
        };
        Ok(Write { verb, resource, row, body, preconditions })
    }

    /// Does writes under a key, if there is one, and makes the answer before they are committed,
    /// so that it can be kept with them. `service` is whose store keeps it; else the first write's.
    pub(super) async fn run(
        &self,
        writes: &[Write<'_>],
        key: Option<Key>,
        batch: Option<&[OperationKind]>,
    ) -> Result<Response, Failure> {
        let engine = &self.live.engine;
        let minimal = negotiate::minimal(self.request);
        let Some(first) = writes.first() else { return Err(problem(kinds::INTERNAL)) };
        self.known_tenant(first.resource).await?;
        let _turn = match &key {
            None => None,
            Some(key) => {
                let turn = self.backend.running.begin(key.scope).ok_or_else(running)?;
                // Whom no rule speaks of any more is refused below, as by a first call.
                match self.stored(first.resource, key).await? {
                    Some(stored) if self.concerned(writes) => return self.replay(key, stored),
                    Some(_) | None => {}
                }
                Some(turn)
            }
        };
        let mut answer = None;
        let committed = {
            let mut seal = |unit: &Unit<'_>, done: &[Done]| -> Option<StoredAnswer> {
                let (mut response, body) = match batch {
                    Some(_) => self.batch_answer(unit, done),
                    None => self.single_answer(unit, done, minimal),
                };
                let stored = key.as_ref().map(|key| self.keep(key, &response, &body));
                if let Some(stored) = &stored {
                    response = response.header(EXPIRES, &expiry(stored.expires));
                }
                if !body.is_empty() {
                    response.body = Content::Full(body.into());
                }
                answer = Some(response);
                stored
            };
            engine.write(self.call, writes, batch.is_some(), &mut seal).await?
        };
        match (committed, key) {
            (Committed::Done, _) => answer.ok_or_else(|| problem(kinds::INTERNAL)),
            (Committed::Elsewhere, Some(key)) => match self.stored(first.resource, &key).await? {
                Some(stored) => self.replay(&key, stored),
                None => Err(running()),
            },
            (Committed::Elsewhere, None) => Err(problem(kinds::INTERNAL)),
        }
    }

    /// True where a rule of each operation speaks of the caller: what can be said of its right to
    /// them without looking at a row. Where it is false, performing them is refused.
    fn concerned(&self, writes: &[Write<'_>]) -> bool {
        let domain = &self.live.engine.plan.domain;
        writes.iter().all(|write| {
            let resource = domain.resource(write.resource);
            let grants = match write.verb {
                Verb::Create => &resource.access.create,
                Verb::Replace | Verb::Update => &resource.access.update,
                Verb::Delete => &resource.access.delete,
                Verb::Command(command) => &resource.commands[command.index()].by,
            };
            concerns(self.call, grants)
        })
    }

    /// A tenant that has no place of its own yet is made by a caller who proved who it is: else
    /// anybody could have one made for each name that a host can have.
    pub(super) async fn known_tenant(&self, resource: ResourceId) -> Result<(), Failure> {
        let (call, engine) = (self.call, &self.live.engine);
        let own = call.tenant.is_some() && !engine.plan.domain.resource(resource).shared;
        if call.principal.is_some() || !own || engine.store(resource).knows(&call.tenant).await? {
            return Ok(());
        }
        let problem = Problem::new(kinds::TENANT_UNKNOWN)
            .detail("there is no such tenant yet: its first row comes from a caller with a token");
        Err(Box::new(problem.header(header::WWW_AUTHENTICATE, "Bearer")))
    }

    async fn stored(
        &self,
        resource: ResourceId,
        key: &Key,
    ) -> Result<Option<StoredAnswer>, Failure> {
        let store = self.live.engine.store(resource);
        let (tenant, now) = (&self.call.tenant, self.call.bindings.now);
        Ok(store.answer(tenant, &key.scope, now).await?)
    }

    /// The answer to one write: status and headers, and the body beside it.
    fn single_answer(&self, unit: &Unit<'_>, done: &[Done], minimal: bool) -> (Response, Vec<u8>) {
        let Some(done) = done.first() else {
            return (Response::new(StatusCode::NO_CONTENT), Vec::new());
        };
        let created = done.verb == Verb::Create;
        let location = created.then(|| location(unit, done));
        let shown = represent(unit, done);
        let status = match (created, &shown) {
            (true, _) => StatusCode::CREATED,
            (false, Some(_)) if !minimal => StatusCode::OK,
            (false, _) => StatusCode::NO_CONTENT,
        };
        let mut response = Response::new(status);
        if let Some(location) = location {
            response = response.header(header::LOCATION, &location);
        }
        let Some((tag, body)) = shown else { return (response, Vec::new()) };
        response.headers.insert(header::ETAG, tag);
        if minimal {
            let applied = HeaderName::from_static("preference-applied");
            return (response.header(applied, "return=minimal"), Vec::new());
        }
        (response.header(header::CONTENT_TYPE, "application/json"), body)
    }
}

/// `/v1/orders/0190a5c4-…`
pub(super) fn location(unit: &Unit<'_>, done: &Done) -> String {
    let mut path = unit.engine.plan.resource(done.resource).base.clone().into_bytes();
    path.push(b'/');
    uuid(&mut path, done.id);
    String::from_utf8(path).unwrap_or_default()
}

/// The row that a write leaves, as the caller may see it, with its tag.
pub(super) fn represent(unit: &Unit<'_>, done: &Done) -> Option<(header::HeaderValue, Vec<u8>)> {
    let record = done.record.as_ref()?;
    let (tag, body) = unit.represent(done.resource, record);
    Some((etag::value(tag), body))
}
