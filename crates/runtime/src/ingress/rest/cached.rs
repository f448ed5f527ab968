//! Answers about resources that say `cache:`: reused where they may be, and what is said of it:
//! `Cache-Control`, `Age`, `Vary` and `Cache-Status` (RFC 9111, RFC 9211).

use super::Asked;
use super::etag;
use super::query::parameters;
use crate::cache::tags::Tag;
use crate::cache::{Answer, Entry, Found, Key, Lead, Wanted};
use crate::engine::{Failure, not_found};
use crate::http::response::Body;
use crate::http::{Request, Response};
use crate::plan::caching::Caching;
use crate::ports::store::{Bindings, Fresh, Tenant};
use crate::problem::kinds;
use crate::request::Call;
use futures::FutureExt;
use http::{HeaderName, HeaderValue, StatusCode, header};
use ir::contract::OperationKind;
use ir::domain::ResourceId;
use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const MICROS: i64 = 1_000_000;
/// Seconds that an answer may be old, beyond which a request might as well say nothing.
const AGE_SECONDS_MAX: i64 = 1_000_000_000;

/// What a request has to do with what is kept.
enum Use {
    /// Nothing, for that reason.
    Bypass(&'static str),
    /// It may be answered from it.
    Reuse(Wanted),
    /// It wants what is now, which may be kept.
    Anew(Wanted),
}

/// How an answer came about, for `Cache-Status`.
#[derive(Clone, Copy)]
enum How {
    Hit,
    Read,
    Joined,
    Anew,
}

impl Asked<'_> {
    /// `GET` of a resource whose answers are reused.
    pub(super) async fn reused(&self) -> Result<Response, Failure> {
        let (caching, cache) = (self.operation.caching.as_ref(), self.live.cache.as_ref());
        let (Some(caching), Some(cache)) = (caching, cache) else { return Err(not_found()) };
        let wanted = match self.usage(caching)? {
            Use::Reuse(wanted) => wanted,
            Use::Anew(wanted) => match cache.anew(&wanted) {
                Some(lead) => return self.read(lead, How::Anew).await,
                None => return self.bypass("unheard").await,
            },
            Use::Bypass(why) => return self.bypass(why).await,
        };
        loop {
            match cache.find(&wanted) {
                Found::Hit(entry) => return self.show_kept(&entry, How::Hit),
                Found::Read(lead) => return self.read(lead, How::Read).await,
                Found::Off => return self.bypass("unheard").await,
                Found::Wait(waiting) => match waiting.answer().await {
                    Some(Ok(entry)) => return self.show_kept(&entry, How::Joined),
                    Some(Err(problem)) => return Err(problem),
                    // Whoever read it went away.
                    None => {}
                },
            }
        }
    }

    /// Whether what is kept may answer the request.
    fn usage(&self, caching: &Caching) -> Result<Use, Failure> {
        let resource = self.resource()?;
        let plan = &self.live.engine.plan;
        // A look into another's tenant is written down before it is answered.
        if plan.audit.is_some()
            && self.call.principal.as_ref().is_some_and(|one| one.across_tenants)
        {
            return Ok(Use::Bypass("audited"));
        }
        let Ok(mut parameters) = parameters(self.request) else {
            return Ok(Use::Bypass("refused"));
        };
        let expands = parameters.iter().any(|one| one.name == "expand");
        if expands && caching.expands_anew {
            return Ok(Use::Bypass("excepted"));
        }
        let named = |name: &str| parameters.iter().find(|one| one.name == name);
        if !caching.except.is_empty() {
            let shown = named("fields")
                .is_none_or(|fields| fields.value.split(',').any(|field| caching.excepts(field)));
            let sorted = named("sort").is_some_and(|sort| {
                sort.value.split(',').any(|key| caching.excepts(key.trim_start_matches('-')))
            });
            let filtered = parameters
                .iter()
                .any(|one| caching.excepts(one.name.split('.').next().unwrap_or_default()));
            let searched = caching.searches_excepted && named("q").is_some();
            if shown || sorted || filtered || searched {
                return Ok(Use::Bypass("excepted"));
            }
        }
        parameters.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        let mut query = String::new();
        for one in &parameters {
            // Writing to a string can't fail. Lengths keep apart what no character could.
            let _written = write!(query, "{}={}:{}&", one.name, one.value.len(), one.value);
        }
        let key = Key {
            operation: self.index,
            tenant: self.call.tenant.clone(),
            scope: self.reader(caching, expands),
            row: match self.operation.kind {
                OperationKind::Get => self.id()?,
                _ => 0,
            },
            query: query.into(),
        };
        let tags = self.tags(caching, resource, key.row, expands);
        let (age_max, micros) = (age_max(self.request), caching.micros);
        let fresh = self.call.bindings.fresh != Fresh::Own { after: 0 } || age_max == Some(0);
        let wanted = Wanted { key: Arc::new(key), resource, tags, micros, age_max };
        Ok(if fresh { Use::Anew(wanted) } else { Use::Reuse(wanted) })
    }

    /// The caller as far as the answer depends on it.
    fn reader(&self, caching: &Caching, expands: bool) -> Option<Box<str>> {
        if caching.everyone && !expands {
            return None;
        }
        let mut scope = match &self.call.principal {
            // An id says issuer, subject, actor and tenant.
            Some(one) => format!("{:?} {}:{}", one.who, one.id.len(), one.id),
            None => String::new(),
        };
        for role in self.roles() {
            scope.push(' ');
            scope.push_str(&String::from_utf8_lossy(role));
        }
        Some(scope.into())
    }

    /// What the answer is made of.
    fn tags(&self, caching: &Caching, resource: ResourceId, row: u128, expands: bool) -> Vec<Tag> {
        let watched = &self.live.engine.plan.watched;
        let of = |id: ResourceId| -> Tenant {
            if watched[id.index()].shared { None } else { self.call.tenant.clone() }
        };
        let more = caching.expanded.iter().filter(|_| expands);
        let others = caching.depends.iter().chain(more);
        let mut tags: Vec<Tag> = others.map(|other| Tag::Any(*other, of(*other))).collect();
        match self.operation.kind {
            OperationKind::Get => {
                tags.push(Tag::Row(resource, of(resource), row));
                tags.push(Tag::Each(resource, of(resource)));
            }
            _ => tags.push(Tag::List(resource, of(resource))),
        }
        tags
    }

    /// Reads the answer where every commit is seen.
    async fn read(&self, lead: Lead, how: How) -> Result<Response, Failure> {
        let newest = Bindings { fresh: Fresh::Newest, ..self.call.bindings.clone() };
        let call = Call { bindings: newest, ..self.call.clone() };
        let asked = Asked { call: &call, whole: true, ..*self };
        match asked.plain().await {
            Ok(response) => match answer(response) {
                Ok(answer) => self.show_kept(&lead.done(answer), how),
                Err(response) => Ok(*response),
            },
            Err(problem) if problem.kind == kinds::NOT_FOUND => {
                lead.done(Answer::Missing(problem.clone()));
                Err(problem)
            }
            Err(problem) => {
                lead.failed(&problem);
                Err(problem)
            }
        }
    }

    async fn plain(&self) -> Result<Response, Failure> {
        match self.operation.kind {
            OperationKind::Get => self.get().boxed().await,
            _ => self.list().boxed().await,
        }
    }

    /// Reads the answer without a look at what is kept.
    async fn bypass(&self, why: &str) -> Result<Response, Failure> {
        if let (Some(cache), Some(resource)) = (&self.live.cache, self.operation.resource) {
            cache.bypassed(resource);
        }
        let response = self.plain().await?;
        let public = self.operation.caching.as_ref().is_some_and(|caching| caching.public);
        let status = format!("mainstay; fwd=bypass; detail={why}");
        let response = response.header(CACHE_STATUS, &status);
        let control = if public { "public, no-cache" } else { "private, no-cache" };
        Ok(self.varied(response.header(header::CACHE_CONTROL, control), public))
    }

    /// The answer that is kept, as this request wants it.
    fn show_kept(&self, entry: &Entry, how: How) -> Result<Response, Failure> {
        let (body, tag, link) = match &entry.answer {
            Answer::Found { body, tag, link } => (body, tag, link),
            Answer::Missing(problem) => return Err(problem.clone()),
        };
        let mut response = if etag::unchanged(self.request, tag)? {
            Response::new(StatusCode::NOT_MODIFIED)
        } else {
            Response::json(StatusCode::OK, body.clone())
        };
        response.headers.insert(header::ETAG, tag.clone());
        if let Some(link) = link {
            response.headers.insert(header::LINK, link.clone());
        }
        let now = self.live.cache.as_ref().map_or(entry.read_at, |cache| cache.now());
        let (lives, left) = (entry.expires - entry.read_at, entry.expires - now);
        response.headers.insert(header::AGE, ((now - entry.read_at).max(0) / MICROS).into());
        let stored = if entry.kept { "; stored" } else { "" };
        let status: Cow<'_, str> = match how {
            How::Hit => format!("mainstay; hit; ttl={}", left / MICROS).into(),
            How::Read => format!("mainstay; fwd=miss{stored}").into(),
            How::Joined => "mainstay; fwd=miss; collapsed".into(),
            How::Anew => format!("mainstay; fwd=request{stored}").into(),
        };
        response = response.header(CACHE_STATUS, &status);
        let public = self.operation.caching.as_ref().is_some_and(|caching| caching.public);
        let seconds = lives / MICROS;
        let shown_to_all = self.shown_to_all();
        let control: Cow<'_, str> = match (public && shown_to_all, shown_to_all) {
            (true, _) => format!("public, max-age={seconds}").into(),
            (false, true) => format!("private, max-age={seconds}").into(),
            // A right that was taken away shows at once.
            (false, false) => "private, no-cache".into(),
        };
        response = response.header(header::CACHE_CONTROL, &control);
        Ok(self.varied(response, public && shown_to_all))
    }

    /// True where every caller of the tenant gets this answer.
    fn shown_to_all(&self) -> bool {
        let everyone = self.operation.caching.as_ref().is_some_and(|caching| caching.everyone);
        everyone
            && !parameters(self.request).is_ok_and(|all| all.iter().any(|one| one.name == "expand"))
    }

    /// Other callers get other answers by the same address.
    fn varied(&self, mut response: Response, public: bool) -> Response {
        if !public {
            response.headers.append(header::VARY, HeaderValue::from_static("authorization"));
        }
        response
    }
}

/// What of an answer is kept; the answer itself where it is of another kind.
fn answer(mut response: Response) -> Result<Answer, Box<Response>> {
    let tag = response.headers.get(header::ETAG).cloned();
    match (tag, std::mem::replace(&mut response.body, Body::Empty)) {
        (Some(tag), Body::Full(body)) if response.status == StatusCode::OK => {
            let link = response.headers.remove(header::LINK);
            Ok(Answer::Found { body, tag, link })
        }
        (_, body) => Err(Box::new(Response { body, ..response })),
    }
}

/// How old an answer may be, in microseconds, as `Cache-Control` (or `Pragma`) of a request says.
fn age_max(request: &Request) -> Option<i64> {
    let mut most: Option<i64> = None;
    let mut at_most = |micros: i64| most = Some(most.map_or(micros, |most| most.min(micros)));
    for name in [header::CACHE_CONTROL, header::PRAGMA] {
        for value in request.headers.get_all(&name) {
            for directive in value.to_str().unwrap_or_default().split(',').map(str::trim) {
                if ["no-cache", "no-store"].iter().any(|one| directive.eq_ignore_ascii_case(one)) {
                    at_most(0);
                } else if let Some((word, seconds)) = directive.split_once('=')
                    && word.trim().eq_ignore_ascii_case("max-age")
                    && let Ok(seconds) = seconds.trim().trim_matches('"').parse::<i64>()
                {
                    at_most(seconds.clamp(0, AGE_SECONDS_MAX) * MICROS);
                }
            }
        }
    }
    most
}
