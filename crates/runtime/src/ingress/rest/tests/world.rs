//! A shop that is served in the process, with callers by name, a clock and ids that are known.

use crate::adapters::sqlite::SqliteStore;
use crate::fixture::shop;
use crate::fixture::store::{Place, shop_store};
use crate::http::response::Body;
use crate::http::{Request, Response, Service};
use crate::identity::{Principal, Who};
use crate::ingress::rest::{Backend, Identify, Identity, Rest, Serving, Surroundings};
use crate::plan::{OperationPlan, Plan, plan};
use crate::ports::audit;
use crate::ports::clock::{Clock, Randomness};
use crate::ports::store::{
    Bindings, CommitError, ListQuery, Store, StoredAnswer, Tenant, Unavailable, WriteSet,
};
use crate::problem::{Problem, kinds};
use crate::record::Record;
use crate::telemetry::metrics::Metrics;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderName, HeaderValue};
use ir::domain::{ActorId, Caller, FieldId, Grant, ResourceId};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// 2030-01-01T00:00:00Z
const START: i64 = 1_893_456_000_000_000;

/// A served shop.
pub(super) struct World {
    rest: Rest,
    store: Arc<Recorder>,
    clock: Arc<Hand>,
    place: Arc<Place>,
}

/// A store that remembers the events it was given and committed.
struct Recorder {
    store: SqliteStore,
    outbox: Mutex<Vec<String>>,
    /// Tenants have no places of their own yet.
    new: AtomicBool,
}

impl Store for Recorder {
    fn get<'a>(
        &'a self,
        tenant: &'a Tenant,
        resource: ResourceId,
        ids: &'a [u128],
        children: &'a [FieldId],
        bindings: &'a Bindings,
    ) -> BoxFuture<'a, Result<Vec<Record>, Unavailable>> {
        self.store.get(tenant, resource, ids, children, bindings)
    }

    fn list<'a>(
        &'a self,
        tenant: &'a Tenant,
        query: &'a ListQuery<'a>,
        bindings: &'a Bindings,
    ) -> BoxFuture<'a, Result<Vec<Record>, Unavailable>> {
        self.store.list(tenant, query, bindings)
    }

    fn answer<'a>(
        &'a self,
        tenant: &'a Tenant,
        scope: &'a [u8; 32],
        now: i64,
    ) -> BoxFuture<'a, Result<Option<StoredAnswer>, Unavailable>> {
        self.store.answer(tenant, scope, now)
    }

    fn commit<'a>(
        &'a self,
        set: WriteSet,
        bindings: &'a Bindings,
    ) -> BoxFuture<'a, Result<(), CommitError>> {
        async move {
            let events: Vec<String> =
                set.outbox.iter().map(|row| format!("{} {}", row.event, row.data)).collect();
            self.store.commit(set, bindings).await?;
            self.outbox.lock().expect("nobody panicked").extend(events);
            Ok(())
        }
        .boxed()
    }

    fn audit<'a>(
        &'a self,
        tenant: &'a Tenant,
        query: &'a audit::Query,
        bindings: &'a Bindings,
    ) -> BoxFuture<'a, Result<Vec<audit::Kept>, Unavailable>> {
        self.store.audit(tenant, query, bindings)
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), Unavailable>> {
        self.store.ready()
    }

    fn knows<'a>(&'a self, tenant: &'a Tenant) -> BoxFuture<'a, Result<bool, Unavailable>> {
        match self.new.load(Ordering::Relaxed) {
            true => std::future::ready(Ok(false)).boxed(),
            false => self.store.knows(tenant),
        }
    }
}

/// A clock that is turned by hand.
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts instead of being random.
struct Counted(AtomicU64);

impl Randomness for Counted {
    fn fill(&self, buffer: &mut [u8]) {
        // Ids take their bytes from the end.
        for eight in buffer.rchunks_mut(8) {
            let next = self.0.fetch_add(1, Ordering::Relaxed) << 2;
            eight.copy_from_slice(&next.to_be_bytes()[8 - eight.len()..]);
        }
    }
}

/// Reads `authorization: <actor>[.<role>] <subject> <tenant>`; `host` names the tenant else.
pub(super) struct Names;

impl Identify for Names {
    fn identify<'a>(
        &'a self,
        request: &'a Request,
    ) -> BoxFuture<'a, Result<Identity, Box<Problem>>> {
        async move {
            let tenant = |name: &str| (name != "-").then(|| Arc::from(name));
            let host = request.header(http::header::HOST).and_then(tenant);
            let Some(text) = request.header(http::header::AUTHORIZATION) else {
                return Ok(Identity { principal: None, tenant: host });
            };
            let parts: Vec<&str> = text.split(' ').collect();
            let [actor, subject, org] = parts[..] else {
                return Err(Box::new(Problem::new(kinds::UNAUTHENTICATED)));
            };
            let (actor, role) = actor.split_once('.').unwrap_or((actor, ""));
            let who = match actor {
                "shopper" => Who::Actor(ActorId(0)),
                "staff" => Who::Actor(ActorId(1)),
                "partner" => Who::Actor(ActorId(2)),
                _ => Who::System,
            };
            let roles = match role {
                "picker" => vec![0],
                "manager" => vec![1],
                _ => Vec::new(),
            };
            let principal = Principal {
                who,
                roles,
                tenant: tenant(org),
                across_tenants: false,
                me: Arc::from(subject),
                issuer: Arc::from("test"),
                id: Arc::from(format!("{actor} {subject} {org}")),
                key: None,
                expires: None,
            };
            Ok(Identity { principal: Some(Arc::new(principal)), tenant: tenant(org) })
        }
        .boxed()
    }
}

/// Callers by name.
fn authorization(who: &str) -> Option<&'static str> {
    Some(match who {
        "nobody" => return None,
        "alice" => "shopper alice acme",
        "bob" => "shopper bob acme",
        "eve" => "shopper alice evil",
        "picker" => "staff.picker pia acme",
        "manager" => "staff.manager max acme",
        "demoted" => "staff.picker max acme",
        "dismissed" => "staff max acme",
        "rival" => "staff.manager max evil",
        "partner" => "partner corp acme",
        "system" => "system mainstay acme",
        other => panic!("nobody is called {other}"),
    })
}

/// An answer, read whole.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// The status.
    pub(super) status: u16,
    headers: http::HeaderMap,
    /// The body; of a problem a line a fault.
    pub(super) body: String,
}

impl Answer {
    /// A header, or nothing.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    /// The id in the body.
    pub(super) fn id(&self) -> String {
        self.json()["id"].as_str().unwrap_or_else(|| panic!("no id: {}", self.body)).to_owned()
    }

    /// Status, headers that matter, body.
    pub(super) fn show(&self) -> String {
        const SHOWN: [&str; 11] = [
            "location",
            "etag",
            "link",
            "allow",
            "retry-after",
            "accept-patch",
            "www-authenticate",
            "idempotent-replayed",
            "idempotency-expires",
            "preference-applied",
            "content-type",
        ];
        let mut text = format!("{}\n", self.status);
        for name in SHOWN {
            let value = self.header(name);
            if !value.is_empty() && value != "application/json" {
                text += &format!("{name}: {value}\n");
            }
        }
        text + &self.body
    }
}

impl World {
    /// An empty shop.
    pub(super) fn new() -> Self {
        let place = Arc::new(Place::new());
        let store = Recorder {
            store: shop_store(place.path()),
            outbox: Mutex::default(),
            new: AtomicBool::new(false),
        };
        let clock = Arc::new(Hand(AtomicI64::new(START)));
        Self::over(Arc::new(store), clock, place, 0, plan(&shop()))
    }

    /// An empty shop in which anyone may make a coupon.
    pub(super) fn open() -> Self {
        let World { store, clock, place, .. } = Self::new();
        let mut plan = plan(&shop());
        let coupons = plan.domain.resources.iter_mut().filter(|one| one.name == "Coupon");
        let anyone = || Grant { text: "anyone".to_owned(), caller: Caller::Anyone, when: None };
        coupons.for_each(|coupon| coupon.access.create.push(anyone()));
        let made = |one: &&mut OperationPlan| one.path == "/v1/coupons" && one.method == "POST";
        plan.operations.iter_mut().filter(made).for_each(|one| one.anonymous = true);
        Self::over(store, clock, place, 0, plan)
    }

    /// From now on no tenant has a place of its own, or each has.
    pub(super) fn tenants_are_new(&self, new: bool) {
        self.store.new.store(new, Ordering::Relaxed);
    }

    /// Another process over the same store.
    pub(super) fn twin(&self) -> Self {
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        Self::over(store, clock, Arc::clone(&self.place), 1 << 40, plan(&shop()))
    }

    fn over(
        store: Arc<Recorder>,
        clock: Arc<Hand>,
        place: Arc<Place>,
        random: u64,
        plan: Plan,
    ) -> Self {
        let around = Surroundings {
            clock: clock.clone(),
            randomness: Arc::new(Counted(AtomicU64::new(random))),
            cursor_key: [7; 32],
            metrics: Arc::new(Metrics::default()),
            webhooks: Default::default(),
            broker: None,
        };
        let (plan, identify) = (Arc::new(plan), Arc::new(Names));
        let serving = Serving {
            plan,
            stores: vec![store.clone()],
            identify,
            credentials: Default::default(),
        };
        let backend = Backend::new(serving, around);
        Self { rest: Rest::new(Arc::new(backend)), store, clock, place }
    }

    /// What was published, each as name and data.
    pub(super) fn published(&self) -> Vec<String> {
        self.store.outbox.lock().expect("nobody panicked").clone()
    }

    /// Turns the clock.
    pub(super) fn pass(&self, micros: i64) {
        self.clock.0.fetch_add(micros, Ordering::Relaxed);
    }

    /// `alice POST /v1/orders`, headers as `name: value`, and the body.
    pub(super) async fn send(&self, line: &str, headers: &[&str], body: &str) -> Answer {
        let mut request = request(line, headers, body);
        // As the server does: the head is looked at before there is a body.
        let early = match body.is_empty() {
            true => None,
            false => self.rest.turn_away(&mut request).await,
        };
        request.body = bytes::Bytes::copy_from_slice(body.as_bytes());
        match early {
            Some(response) => read(response),
            None => read(self.rest.call(request).await),
        }
    }

    /// What the head of a request is answered; none where its body is wanted.
    pub(super) async fn turned_away(&self, line: &str) -> Option<Answer> {
        self.rest.turn_away(&mut request(line, &[], "{}")).await.map(read)
    }

    /// The same without headers.
    pub(super) async fn ask(&self, line: &str, body: &str) -> Answer {
        self.send(line, &[], body).await
    }

    /// Makes a product and gives its id.
    pub(super) async fn product(&self, sku: &str, price: &str, stock: u32) -> String {
        let body = format!(
            r#"{{"sku":"{sku}","name":"Thing {sku}","price":{{"amount":"{price}","currency":"EUR"}},"stock":{stock}}}"#
        );
        let made = self.ask("manager POST /v1/products", &body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.id()
    }

    /// Makes an order of alice with one line and gives its id.
    pub(super) async fn order(&self, product: &str) -> String {
        let body = format!(r#"{{"lines":[{{"product":"{product}","quantity":2}}]}}"#);
        let made = self.ask("alice POST /v1/orders", &body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.id()
    }
}

/// A request without its body, with the headers that one has.
fn request(line: &str, headers: &[&str], body: &str) -> Request {
    let parts: Vec<&str> = line.splitn(3, ' ').collect();
    let [who, method, target] = parts[..] else { panic!("no request: {line}") };
    let method: http::Method = method.parse().expect("a method");
    let mut request = Request::new(method.clone(), target.parse().expect("a target"));
    let put = |request: &mut Request, name: &str, value: &str| {
        let name: HeaderName = name.parse().expect("a header name");
        request.headers.append(name, HeaderValue::from_str(value).expect("a header value"));
    };
    if let Some(token) = authorization(who) {
        put(&mut request, "authorization", token);
    }
    let given = |wanted: &str| headers.iter().any(|line| line.starts_with(wanted));
    if !body.is_empty() && !given("content-type") {
        let patch = method == http::Method::PATCH;
        let form = if patch { "application/merge-patch+json" } else { "application/json" };
        put(&mut request, "content-type", form);
    }
    for line in headers {
        let (name, value) = line.split_once(": ").expect("`name: value`");
        put(&mut request, name, value);
    }
    request
}

fn read(response: Response) -> Answer {
    let body = match response.body {
        Body::Empty => String::new(),
        Body::Full(bytes) => String::from_utf8(bytes.to_vec()).expect("UTF-8"),
        Body::Stream(_) => panic!("nothing streams here"),
        Body::Problem(problem) => problem_text(&problem),
    };
    Answer { status: response.status.as_u16(), headers: response.headers, body }
}

fn problem_text(problem: &Problem) -> String {
    let mut text = problem.kind.slug.to_owned();
    if let Some(detail) = &problem.detail {
        text += &format!(": {detail}");
    }
    for (name, value) in &problem.members {
        text += &format!("\n  {name} = {value}");
    }
    for fault in &problem.errors {
        let code = fault.code.map(|code| format!(" ({code})")).unwrap_or_default();
        text += &format!("\n  {}: {}{code}", fault.at, fault.detail);
    }
    text
}
