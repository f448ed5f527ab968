//! Requests: routed, their caller known, answered.

use super::Shared;
use super::json::{self, hash, member, read_uuid};
use super::observed::{Log, Seen};
use super::order::currency;
use super::problem::{self, Problem};
use super::store::{Broken, PageQuery, Store, Wish};
use super::token::{Actor, Caller, Verifier};
use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MATCH,
    IF_NONE_MATCH, LINK, X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use ring::rand::{SecureRandom, SystemRandom};
use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes of a body at most.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Rows of a page where none are asked for, and at most.
const PAGE: (i64, i64) = (50, 200);

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// Everything that one core has.
pub(crate) struct Core {
    pub(super) shared: Arc<Shared>,
    pub(super) store: Store,
    verifier: RefCell<Verifier>,
    random: RefCell<(SystemRandom, [u8; 512], usize)>,
    /// Requests so far, for traces.
    count: Cell<u64>,
    log: Option<Rc<Log>>,
}

/// One request whose caller is known.
pub(crate) struct Asked {
    pub(super) caller: Arc<Caller>,
    pub(super) now: i64,
    pub(super) head: http::request::Parts,
    pub(super) body: Bytes,
}

/// What is said of a request beside its body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl From<Broken> for Problem {
    fn from(_: Broken) -> Self {
        Self::new(problem::UNAVAILABLE)
    }
}

/// Microseconds since 1970.
pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_micros()).unwrap_or(i64::MAX)
}

impl Core {
    /// Nothing answered yet.
    pub(crate) fn new(
        shared: Arc<Shared>,
        store: Store,
        verifier: Verifier,
        log: Option<Rc<Log>>,
    ) -> Self {
        let random = RefCell::new((SystemRandom::new(), [0; 512], 0));
        let verifier = RefCell::new(verifier);
        Self { shared, store, verifier, random, count: Cell::new(0), log }
    }

    /// Eight random bytes.
    pub(super) fn random(&self) -> u64 {
        let (source, pool, left) = &mut *self.random.borrow_mut();
        if *left == 0 {
            *left = match source.fill(pool) {
                Ok(()) => pool.len(),
                Err(_) => std::process::abort(),
            };
        }
        *left -= 8;
        let bytes: [u8; 8] = pool[*left..*left + 8].try_into().unwrap_or_default();
        u64::from_be_bytes(bytes)
    }

    /// The next id.
    pub(super) fn id(&self, now: i64) -> u128 {
        self.shared.next_id(now, self.random())
    }

    /// Answers a request.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let seen = self.log.as_ref().map(|_| Seen::of(&request));
        let mut answer = match self.decide(request).await {
            Ok(answer) => answer,
            Err(problem) => self.refuse(problem),
        };
        if let Some((log, seen)) = self.log.as_ref().zip(seen) {
            let trace = (self.random(), self.random(), self.random());
            let bytes = answer.body.len();
            log.note(&seen, answer.status.as_u16(), bytes, trace, &mut answer.headers);
        }
        let mut response = Response::new(Full::new(Bytes::from(answer.body)));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFF);
        response
    }

    fn refuse(&self, mut problem: Problem) -> Answer {
        self.count.set(self.count.get() + 1);
        let trace = format!("{:016x}{:016x}", self.random(), self.count.get());
        let body = problem.body(&trace);
        let mut headers: HeaderMap = problem.headers.drain(..).collect();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Answer { status: problem.status, headers, body }
    }

    async fn decide(&self, request: Request<Incoming>) -> Result<Answer, Problem> {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        let Some(rest) = path.strip_prefix("/v1/orders") else {
            return Err(Problem::new(problem::NOT_FOUND));
        };
        let now = now();
        let caller = self.caller(&head.headers, now)?;
        let (id, command) = match rest.strip_prefix('/').map(|rest| rest.split_once('/')) {
            None if rest.is_empty() => (None, None),
            None => return Err(Problem::new(problem::NOT_FOUND)),
            Some(None) => (Some(&rest[1..]), None),
            Some(Some((id, command))) => (Some(id), Some(command)),
        };
        let id = match id.map(read_uuid) {
            Some(None) => return Err(Problem::new(problem::PARAMETER)),
            Some(id) => id,
            None => None,
        };
        let what = (head.method.clone(), id, command.map(|name| name == "place"));
        let body = match head.method {
            Method::GET => Bytes::new(),
            _ => match Limited::new(body, BODY_BYTES_MAX).collect().await {
                Ok(body) => body.to_bytes(),
                Err(_) => return Err(Problem::new(problem::MALFORMED)),
            },
        };
        let asked = Asked { caller, now, head, body };
        match what {
            (Method::GET, Some(id), None) => self.get(&asked, id).await,
            (Method::GET, None, None) => self.list(&asked).await,
            (Method::POST, None, None) => self.create(&asked).await,
            (Method::PATCH, Some(id), None) => self.patch(&asked, id).await,
            (Method::POST, Some(id), Some(true)) => self.place(&asked, id).await,
            _ => Err(Problem::new(problem::NOT_FOUND)),
        }
    }

    fn caller(&self, headers: &HeaderMap, now: i64) -> Result<Arc<Caller>, Problem> {
        let sent = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = sent.and_then(|value| value.strip_prefix("Bearer "));
        let token = token.ok_or_else(Problem::unauthenticated)?;
        let caller = self.verifier.borrow_mut().caller(token, now / 1_000_000);
        caller.ok_or_else(Problem::unauthenticated)
    }

    async fn get(&self, asked: &Asked, id: u128) -> Result<Answer, Problem> {
        let mut members = json::ALL;
        for (name, value) in parameters(&asked.head) {
            match name {
                "fields" => members = fields(value)?,
                _ => return Err(Problem::new(problem::PARAMETER)),
            }
        }
        let shown = self.store.show(&asked.caller.tenant, id, asked.wish(members)).await?;
        let shown = shown.ok_or_else(|| Problem::new(problem::NOT_FOUND))?;
        asked.matches(shown.version)?;
        let tag = tag(shown.version, &shown.body);
        Ok(asked.found(tag, shown.body))
    }

    async fn list(&self, asked: &Asked) -> Result<Answer, Problem> {
        let (mut limit, mut members) = (PAGE.0, json::ALL & !json::LINES);
        let (mut cursor, mut raw) = (None, String::new());
        for (name, value) in parameters(&asked.head) {
            if name != "cursor" {
                let between = if raw.is_empty() { "" } else { "&" };
                let _ = write!(raw, "{between}{name}={value}");
            }
            match name {
                "limit" => {
                    let wanted = value.parse::<i64>().ok().filter(|limit| *limit > 0);
                    let wanted = wanted.ok_or_else(|| Problem::new(problem::PARAMETER))?;
                    limit = wanted.min(PAGE.1);
                }
                "cursor" => cursor = Some(value),
                "expand" if value == "lines" => members |= json::LINES,
                "fields" => members = fields(value)?,
                _ => return Err(Problem::new(problem::PARAMETER)),
            }
        }
        let caller = &asked.caller;
        let key = &self.shared.cursor_key;
        let bound = key.bound(["listOrders", &caller.name, &caller.tenant]);
        let before = match cursor {
            None => u128::MAX,
            Some(cursor) => {
                key.place(&bound, cursor).ok_or_else(|| Problem::new(problem::CURSOR))?
            }
        };
        let wish = asked.wish(members);
        let query = PageQuery { tenant: &caller.tenant, wish, limit, before };
        let mut page = self.store.page(&query).await?;
        let last = page.last.filter(|_| page.more);
        let next = last.and_then(|last| key.cursor(&bound, last));
        if let Some(next) = &next {
            let _ = std::io::Write::write_fmt(
                &mut page.body,
                format_args!(",\"next_cursor\":\"{next}\""),
            );
        }
        page.body.push(b'}');
        let tag = quoted(&format!("\"{:016x}\"", hash(&page.body)));
        let mut answer = asked.found(tag, page.body);
        if let Some(next) = next {
            let between = if raw.is_empty() { "" } else { "&" };
            let path = asked.head.uri.path();
            let link = format!("<{path}?{raw}{between}cursor={next}>; rel=\"next\"");
            answer.headers.insert(LINK, quoted(&link));
        }
        Ok(answer)
    }
}

impl Asked {
    fn wish(&self, members: u8) -> Wish<'_> {
        let own = (self.caller.actor == Actor::Shopper).then_some(&*self.caller.subject);
        Wish { members, own }
    }

    /// True where `If-Match` was sent; a refusal where it names another version.
    pub(super) fn matches(&self, version: i64) -> Result<bool, Problem> {
        let Some(sent) = self.head.headers.get(IF_MATCH) else { return Ok(false) };
        let sent = sent.to_str().unwrap_or_default().trim();
        if sent == "*" {
            return Ok(false);
        }
        let named = |tag: &str| {
            let tag = tag.trim().strip_prefix('"')?.split('.').next()?;
            tag.trim_end_matches('"').parse::<i64>().ok()
        };
        match sent.split(',').filter_map(named).any(|named| named == version) {
            true => Ok(true),
            false => Err(Problem::new(problem::CHANGED)),
        }
    }

    fn found(&self, tag: HeaderValue, body: Vec<u8>) -> Answer {
        let known = self.head.headers.get(IF_NONE_MATCH).is_some_and(|sent| *sent == tag);
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(ETAG, tag);
        if known {
            return Answer { status: StatusCode::NOT_MODIFIED, headers, body: Vec::new() };
        }
        headers.insert(CONTENT_TYPE, JSON);
        Answer { status: StatusCode::OK, headers, body }
    }

    /// The answer to a write.
    pub(super) fn written(
        status: StatusCode,
        version: i64,
        body: Vec<u8>,
        more: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
    ) -> Answer {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(ETAG, tag(version, &body));
        headers.insert(CONTENT_TYPE, JSON);
        headers.extend(more);
        Answer { status, headers, body }
    }
}

/// The tag of an order.
pub(super) fn tag(version: i64, body: &[u8]) -> HeaderValue {
    quoted(&format!("\"{version}.{:016x}\"", hash(body)))
}

/// Text that is a header by how it was made.
pub(super) fn quoted(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

fn parameters(head: &http::request::Parts) -> impl Iterator<Item = (&str, &str)> {
    let query = head.uri.query().unwrap_or_default();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn fields(value: &str) -> Result<u8, Problem> {
    let mut bits = value.split(',').map(member);
    let bits: Option<u8> = bits.try_fold(0, |all, bit| Some(all | bit?));
    bits.ok_or_else(|| Problem::new(problem::PARAMETER))
}

/// Currencies are equal, or there is none of the sum.
pub(super) fn one_currency(all: impl Iterator<Item = [u8; 3]>) -> Option<[u8; 3]> {
    let mut found: Option<[u8; 3]> = None;
    for code in all {
        if found.is_some_and(|found| found != code) || currency(&code) == "XXX" {
            return None;
        }
        found = Some(code);
    }
    found
}
