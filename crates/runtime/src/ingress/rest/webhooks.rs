//! `/v1/webhooks`: where events are delivered to, for callers of an actor that the model lets have
//! some delivered.
//!
//! A caller sees the endpoints that it registered itself; who may read and change every row of a
//! resource sees all of the tenant's. A key is shown when it is made, and never again.

use super::audit::resources;
use super::caller_name;
use super::negotiate::body_form;
use super::query::none;
use crate::engine::access::unauthenticated;
use crate::engine::backend::{Backend, Live};
use crate::engine::{Failure, not_found, problem};
use crate::http::{Request, Response};
use crate::identity::{Who, tenant};
use crate::json::literal::read_uuid;
use crate::json::write;
use crate::plan::router::Own;
use crate::ports::store::{StoredAnswer, WriteSet};
use crate::ports::webhooks::{Endpoint, Signing, Stored};
use crate::problem::{Problem, kinds};
use crate::request::Call;
use crate::upcast::told_as;
use crate::webhooks::signature::Key;
use crate::webhooks::{OVERLAP_MICROS, TENANT_ENDPOINTS_MAX, draw, keys, registry, sealed};
use body::{Change, New};
use http::{Method, StatusCode, header};
use ir::value::Value;
use ring::hmac;
use std::sync::Arc;

mod body;
mod deliveries;

/// What was asked, by whom.
struct Asked<'a> {
    backend: &'a Backend,
    live: &'a Live,
    request: &'a Request,
    call: &'a Call,
    /// Actor and subject of the caller.
    actor: Option<&'a str>,
    /// It sees all endpoints of the tenant.
    sees_all: bool,
}

/// Answers whatever is asked of endpoints.
pub(super) async fn answer(
    backend: &Backend,
    live: &Live,
    request: &Request,
    call: &Call,
    (own, segment): (Own, Option<&str>),
) -> Result<Response, Failure> {
    let asked = Asked::of(backend, live, request, call)?;
    if own == Own::Webhooks {
        return match request.method {
            Method::POST => asked.create().await,
            _ => asked.list().await,
        };
    }
    let endpoint = asked.find(segment).await?;
    match own {
        Own::RotateWebhook => asked.rotate(&endpoint).await,
        Own::WebhookAttempts => deliveries::attempts(&asked, &endpoint).await,
        Own::TestWebhook => deliveries::test(&asked, &endpoint).await,
        Own::ReplayWebhook => deliveries::replay(&asked, &endpoint).await,
        _ => match request.method {
            Method::PATCH => asked.change(&endpoint).await,
            Method::DELETE => asked.remove(&endpoint).await,
            _ => {
                none(request)?;
                Ok(asked.shown(StatusCode::OK, &endpoint, None))
            }
        },
    }
}

impl<'a> Asked<'a> {
    fn of(
        backend: &'a Backend,
        live: &'a Live,
        request: &'a Request,
        call: &'a Call,
    ) -> Result<Self, Failure> {
        let Some(principal) = &call.principal else { return Err(unauthenticated()) };
        let plan = &live.engine.plan;
        if plan.domain.tenancy.is_some() && call.tenant.is_none() {
            return Err(Box::new(tenant::unknown(&plan.domain)));
        }
        let actor = match principal.who {
            Who::Actor(id) => Some(plan.domain.actor(id).name.as_str()),
            Who::System => None,
        };
        let actor = actor.filter(|actor| !registry::offered(plan, actor).is_empty());
        let sees_all = !resources(plan, call).is_empty();
        if actor.is_none() && !sees_all {
            let detail = "webhooks are for actors that an event names under `webhook`, and for who \
                          may read and change every row of a resource";
            return Err(Box::new(Problem::new(kinds::FORBIDDEN).detail(detail)));
        }
        Ok(Self { backend, live, request, call, actor, sees_all })
    }

    fn sees(&self, endpoint: &Endpoint) -> bool {
        let me = self.call.principal.as_ref().map(|principal| &principal.me);
        self.sees_all || (me == Some(&endpoint.owner) && self.actor == Some(&*endpoint.actor))
    }

    /// The endpoint that a path names, if the caller may know of it.
    async fn find(&self, segment: Option<&str>) -> Result<Endpoint, Failure> {
        let id = segment.and_then(read_uuid).ok_or_else(|| {
            Box::new(Problem::new(kinds::INVALID_PARAMETER).parameter("id", "must be a UUID"))
        })?;
        let found = registry::of_tenant(&self.live.engine, &self.call.tenant, Some(id)).await?;
        found.into_iter().find(|endpoint| self.sees(endpoint)).ok_or_else(not_found)
    }

    /// Endpoints are few: all of them, oldest first.
    async fn list(&self) -> Result<Response, Failure> {
        none(self.request)?;
        let mut found = registry::of_tenant(&self.live.engine, &self.call.tenant, None).await?;
        found.retain(|endpoint| self.sees(endpoint));
        found.sort_by_key(|endpoint| (endpoint.created, endpoint.id));
        let mut out = b"{\"items\":[".to_vec();
        for (at, endpoint) in found.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            self.item(&mut out, endpoint, None);
        }
        out.extend_from_slice(b"]}");
        Ok(self.private(Response::json(StatusCode::OK, out)))
    }

    async fn create(&self) -> Result<Response, Failure> {
        none(self.request)?;
        body_form(self.request, false)?;
        let (Some(actor), Some(principal)) = (self.actor, &self.call.principal) else {
            let detail = "no event names your actor under `webhook`";
            return Err(Box::new(Problem::new(kinds::FORBIDDEN).detail(detail)));
        };
        let engine = &self.live.engine;
        let new = New::read(&self.request.body, &engine.plan, actor)?;
        let url = self.reached(&new.url).await?;
        let now = self.call.bindings.now;
        let (id, key) = (self.id()?, draw(|| self.backend.random()));
        let endpoint = Endpoint {
            id,
            tenant: self.call.tenant.clone(),
            owner: Arc::clone(&principal.me),
            actor: actor.into(),
            url,
            events: new.events,
            description: new.description,
            signing: new.signing,
            secret: self.sealed(id, key)?,
            previous: None,
            disabled: false,
            reason: None,
            failing: None,
            created: now,
            updated: now,
        };
        let there = registry::of_tenant(engine, &self.call.tenant, Some(id)).await?.pop();
        if let Some(there) = there {
            return self.repeated(&endpoint, &there);
        }
        self.make_room().await?;
        // What happens once the caller is answered is heard.
        registry::begin(engine, &endpoint, now).await?;
        let home = registry::home(engine).ok_or_else(|| problem(kinds::INTERNAL))?;
        if home.register(&endpoint, TENANT_ENDPOINTS_MAX).await? == Stored::No {
            let there = registry::of_tenant(engine, &self.call.tenant, Some(id)).await?.pop();
            if let Some(there) = there {
                return self.repeated(&endpoint, &there);
            }
            registry::remove(engine, &self.backend.hooks, &self.call.tenant, id).await?;
            let detail = format!("a tenant has {TENANT_ENDPOINTS_MAX} endpoints at most");
            return Err(Box::new(Problem::new(kinds::GUARD_FAILED).detail(detail)));
        }
        self.backend.hooks.change();
        self.log(&endpoint, "registered");
        Ok(self.shown(StatusCode::CREATED, &endpoint, Some(key)))
    }

    /// The answer to a call that is repeated with its key: that of the first.
    fn repeated(&self, wanted: &Endpoint, there: &Endpoint) -> Result<Response, Failure> {
        let same = (&wanted.url, &wanted.events, &wanted.description, wanted.signing)
            == (&there.url, &there.events, &there.description, there.signing);
        let known = keys(&self.backend.cursor_key, there, self.call.bindings.now);
        match known.and_then(|keys| keys.first().copied()) {
            Some(key) if same && self.sees(there) && there.created == there.updated => {
                Ok(self.shown(StatusCode::CREATED, there, Some(key)))
            }
            _ => Err(problem(kinds::KEY_REUSED)),
        }
    }

    /// A new id; with an `Idempotency-Key` the same for the same caller and key.
    fn id(&self) -> Result<u128, Failure> {
        const KEY_CHARACTERS_MAX: usize = 255;
        let Some(key) = self.request.headers.get("idempotency-key") else {
            return Ok(self.backend.draw_id(self.call.bindings.now));
        };
        if key.is_empty() || key.len() > KEY_CHARACTERS_MAX {
            let detail = format!("must have 1 to {KEY_CHARACTERS_MAX} characters");
            let problem = Problem::new(kinds::INVALID_PARAMETER);
            return Err(Box::new(problem.header_fault("Idempotency-Key", detail)));
        }
        let mut context = hmac::Context::with_key(&self.backend.cursor_key.digests);
        let tenant = self.call.tenant.as_deref().unwrap_or_default();
        let parts = [b"createWebhook", tenant.as_bytes(), caller_name(self.call).as_bytes()];
        for part in parts.into_iter().chain([key.as_bytes()]) {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let tag = context.sign();
        let bytes = tag.as_ref().first_chunk::<16>().copied().unwrap_or_default();
        // A UUID of version 8: what its bits are is its maker's business.
        let free = u128::from_be_bytes(bytes) & !(0xf << 76) & !(0x3 << 62);
        Ok(free | (0x8 << 76) | (0x2 << 62))
    }

    /// A tenant that nothing was ever written for gets a place for its rows.
    async fn make_room(&self) -> Result<(), Failure> {
        let tenant = &self.call.tenant;
        for store in self.live.engine.stores() {
            if !store.knows(tenant).await? {
                // A set of nothing makes nothing: an answer that nobody asks for, and that is over
                // at once, makes the place.
                let answer = StoredAnswer {
                    scope: draw(|| self.backend.random()).0,
                    fingerprint: [0; 32],
                    status: StatusCode::NO_CONTENT.as_u16(),
                    headers: Vec::new(),
                    body: Vec::new(),
                    expires: self.call.bindings.now,
                };
                let (tenant, answer) = (tenant.clone(), Some(answer));
                let set = WriteSet { tenant, answer, ..WriteSet::default() };
                let made = store.commit(set, &self.call.bindings).await;
                made.map_err(|_| problem(kinds::UNAVAILABLE))?;
            }
        }
        Ok(())
    }

    /// A URL that may be called.
    async fn reached(&self, url: &str) -> Result<String, Failure> {
        match self.backend.hooks.guard.reach(url).await {
            Ok(url) => Ok(url.into()),
            Err(refused) => {
                let problem = Problem::new(kinds::INVALID_VALUE);
                Err(Box::new(problem.at("/url", refused.to_string())))
            }
        }
    }

    fn sealed(&self, id: u128, key: Key) -> Result<String, Failure> {
        let sealed = sealed(&self.backend.cursor_key, id, key, || self.backend.random());
        sealed.ok_or_else(|| problem(kinds::INTERNAL))
    }

    async fn change(&self, endpoint: &Endpoint) -> Result<Response, Failure> {
        none(self.request)?;
        body_form(self.request, true)?;
        let plan = &self.live.engine.plan;
        let mut wanted = Change::read(&self.request.body, plan, &endpoint.actor)?;
        if let Some(url) = wanted.url.take() {
            wanted.url = Some(self.reached(&url).await?);
        }
        if let Some(events) = &wanted.events {
            // It hears new ones from now on.
            let heard = Endpoint { events: events.clone(), ..endpoint.clone() };
            registry::begin(&self.live.engine, &heard, self.call.bindings.now).await?;
        }
        let changed = self.alter(endpoint, &mut |endpoint| wanted.apply(endpoint)).await?;
        self.log(&changed, "changed");
        Ok(self.shown(StatusCode::OK, &changed, None))
    }

    async fn alter(
        &self,
        endpoint: &Endpoint,
        change: &mut (dyn FnMut(&mut Endpoint) -> bool + Send),
    ) -> Result<Endpoint, Failure> {
        let (engine, hooks) = (&self.live.engine, &self.backend.hooks);
        let (of, now) = ((&endpoint.tenant, endpoint.id), self.call.bindings.now);
        registry::alter(engine, hooks, of, now, change).await?.ok_or_else(not_found)
    }

    async fn remove(&self, endpoint: &Endpoint) -> Result<Response, Failure> {
        none(self.request)?;
        let (engine, hooks) = (&self.live.engine, &self.backend.hooks);
        registry::remove(engine, hooks, &endpoint.tenant, endpoint.id).await?;
        self.log(endpoint, "deleted");
        Ok(Response::new(StatusCode::NO_CONTENT))
    }

    async fn rotate(&self, endpoint: &Endpoint) -> Result<Response, Failure> {
        none(self.request)?;
        let key = draw(|| self.backend.random());
        let new = self.sealed(endpoint.id, key)?;
        let until = self.call.bindings.now.saturating_add(OVERLAP_MICROS);
        let mut rotate = |endpoint: &mut Endpoint| {
            let old = std::mem::replace(&mut endpoint.secret, new.clone());
            endpoint.previous = Some((old, until));
            true
        };
        let changed = self.alter(endpoint, &mut rotate).await?;
        self.log(&changed, "rotated");
        Ok(self.shown(StatusCode::OK, &changed, Some(key)))
    }

    fn log(&self, endpoint: &Endpoint, done: &'static str) {
        tracing::info!(
            webhook = write::uuid_text(endpoint.id),
            by = caller_name(self.call),
            done,
            "webhook"
        );
    }

    /// An endpoint, with its key where that was made just now.
    fn shown(&self, status: StatusCode, endpoint: &Endpoint, key: Option<Key>) -> Response {
        let mut out = Vec::with_capacity(512);
        self.item(&mut out, endpoint, key);
        let mut response = Response::json(status, out);
        if status == StatusCode::CREATED {
            let path = format!("/v1/webhooks/{}", write::uuid_text(endpoint.id));
            response = response.header(header::LOCATION, &path);
        }
        self.private(response)
    }

    fn private(&self, response: Response) -> Response {
        let mut response = response.header(header::CACHE_CONTROL, "no-store");
        response.tenant = self.call.tenant.clone();
        response
    }

    fn item(&self, out: &mut Vec<u8>, endpoint: &Endpoint, key: Option<Key>) {
        let now = self.call.bindings.now;
        let text = |out: &mut Vec<u8>, name: &str, value: &str| {
            out.push(b',');
            out.extend_from_slice(&write::key(name));
            write::text(out, value);
        };
        let time = |out: &mut Vec<u8>, name: &str, micros: i64| {
            out.push(b',');
            out.extend_from_slice(&write::key(name));
            write::value(out, &Value::Timestamp(micros));
        };
        out.extend_from_slice(b"{\"id\":");
        write::id(out, endpoint.id);
        text(out, "url", &endpoint.url);
        out.extend_from_slice(b",\"events\":[");
        for (at, event) in endpoint.events.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write::text(out, &told_as(&self.live.engine.plan.domain, event));
        }
        out.push(b']');
        text(out, "description", &endpoint.description);
        text(out, "signing", endpoint.signing.name());
        match endpoint.signing {
            Signing::Hmac => {
                if let Some(key) = key {
                    text(out, "secret", &key.secret());
                }
            }
            Signing::Ed25519 => {
                let keys = keys(&self.backend.cursor_key, endpoint, now).unwrap_or_default();
                for (name, key) in ["public_key", "previous_public_key"].iter().zip(keys) {
                    text(out, name, &key.public().unwrap_or_default());
                }
            }
        }
        if let Some((_, until)) = endpoint.previous.as_ref().filter(|(_, until)| *until > now) {
            time(out, "previous_key_until", *until);
        }
        text(out, "state", if endpoint.disabled { "disabled" } else { "active" });
        if let Some(reason) = &endpoint.reason {
            text(out, "reason", reason);
        }
        if let Some(since) = endpoint.failing {
            time(out, "failing_since", since);
        }
        text(out, "actor", &endpoint.actor);
        text(out, "owner", &endpoint.owner);
        time(out, "created_at", endpoint.created);
        time(out, "updated_at", endpoint.updated);
        out.push(b'}');
    }
}
