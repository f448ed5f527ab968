//! Answers that are reused, over a store that answers when it is told to.

use super::world::Names;
use crate::cache::tests::keeping;
use crate::http::{Request, Service};
use crate::ingress::rest::{Backend, Rest, Serving, Surroundings};
use crate::ports::audit;
use crate::ports::changes::{Hearing, Hears};
use crate::ports::clock::{SystemClock, SystemRandomness};
use crate::ports::store::{
    Bindings, CommitError, Fresh, ListQuery, Store, StoredAnswer, Tenant, Unavailable, WriteSet,
};
use crate::record::Record;
use crate::telemetry::metrics::Metrics;
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use http::{HeaderValue, Method, Uri};
use ir::domain::{FieldId, ResourceId};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// A store without rows, whose lists wait until they may go on.
struct Gate {
    begun: AtomicUsize,
    go_on: Semaphore,
    refuses: AtomicBool,
    hearing: Hearing,
    who: Mutex<Option<Weak<dyn Hears>>>,
}

impl Gate {
    fn new(hearing: Hearing) -> Arc<Self> {
        Arc::new(Self {
            begun: AtomicUsize::new(0),
            go_on: Semaphore::new(0),
            refuses: AtomicBool::new(false),
            hearing,
            who: Mutex::default(),
        })
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    fn let_through(&self, reads: usize) {
        self.go_on.add_permits(reads);
    }

    fn other(&self) -> Arc<dyn Hears> {
        let who = self.who.lock().expect("nobody panicked");
        who.as_ref().and_then(Weak::upgrade).expect("somebody listens")
    }
}

impl Store for Gate {
    fn get<'a>(
        &'a self,
        _: &'a Tenant,
        _: ResourceId,
        _: &'a [u128],
        _: &'a [FieldId],
        _: &'a Bindings,
    ) -> BoxFuture<'a, Result<Vec<Record>, Unavailable>> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        ready(Ok(Vec::new())).boxed()
    }

    fn list<'a>(
        &'a self,
        _: &'a Tenant,
        _: &'a ListQuery<'a>,
        bindings: &'a Bindings,
    ) -> BoxFuture<'a, Result<Vec<Record>, Unavailable>> {
        let newest = bindings.fresh == Fresh::Newest;
        assert!(newest || self.hearing == Hearing::Told, "what is kept is read where all is seen");
        async {
            self.begun.fetch_add(1, Ordering::SeqCst);
            self.go_on.acquire().await.expect("it is open").forget();
            Ok(Vec::new())
        }
        .boxed()
    }

    fn answer<'a>(
        &'a self,
        _: &'a Tenant,
        _: &'a [u8; 32],
        _: i64,
    ) -> BoxFuture<'a, Result<Option<StoredAnswer>, Unavailable>> {
        ready(Ok(None)).boxed()
    }

    fn commit<'a>(
        &'a self,
        set: WriteSet,
        _: &'a Bindings,
    ) -> BoxFuture<'a, Result<(), CommitError>> {
        assert_eq!(set.told.is_some(), self.hearing == Hearing::Told);
        ready(match self.refuses.load(Ordering::SeqCst) {
            true => Err(CommitError::Unavailable(Unavailable::Full)),
            false => Ok(()),
        })
        .boxed()
    }

    fn audit<'a>(
        &'a self,
        _: &'a Tenant,
        _: &'a audit::Query,
        _: &'a Bindings,
    ) -> BoxFuture<'a, Result<Vec<audit::Kept>, Unavailable>> {
        ready(Ok(Vec::new())).boxed()
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), Unavailable>> {
        ready(Ok(())).boxed()
    }

    fn knows<'a>(&'a self, _: &'a Tenant) -> BoxFuture<'a, Result<bool, Unavailable>> {
        ready(Ok(true)).boxed()
    }

    fn tell(&self, who: Weak<dyn Hears>) -> Hearing {
        *self.who.lock().expect("nobody panicked") = Some(who);
        self.hearing
    }
}

/// A backend over such a store.
struct World {
    backend: Arc<Backend>,
    metrics: Arc<Metrics>,
    gate: Arc<Gate>,
}

fn serving(gate: &Arc<Gate>) -> Serving {
    let stores: Vec<Arc<dyn Store>> = vec![gate.clone()];
    Serving {
        plan: Arc::new(keeping(&[])),
        stores,
        identify: Arc::new(Names),
        credentials: Default::default(),
    }
}

fn world(hearing: Hearing) -> World {
    let (gate, metrics) = (Gate::new(hearing), Arc::new(Metrics::default()));
    let around = Surroundings {
        clock: Arc::new(SystemClock),
        randomness: Arc::new(SystemRandomness),
        cursor_key: [7; 32],
        metrics: Arc::clone(&metrics),
        webhooks: Default::default(),
        broker: None,
    };
    World { backend: Arc::new(Backend::new(serving(&gate), around)), metrics, gate }
}

impl World {
    /// The list of products, asked for on a task of its own: status and `Cache-Status`.
    fn list(&self) -> JoinHandle<(u16, String)> {
        self.send(Method::GET, "")
    }

    fn send(&self, method: Method, body: &'static str) -> JoinHandle<(u16, String)> {
        let rest = Rest::new(Arc::clone(&self.backend));
        tokio::spawn(async move {
            let mut request = Request::new(method, Uri::from_static("/v1/products"));
            let who = HeaderValue::from_static("staff.manager max acme");
            request.headers.insert(http::header::AUTHORIZATION, who);
            if !body.is_empty() {
                let json = HeaderValue::from_static("application/json");
                request.headers.insert(http::header::CONTENT_TYPE, json);
                request.body = bytes::Bytes::from_static(body.as_bytes());
            }
            let answer = rest.call(request).await;
            let status = answer.headers.get("cache-status");
            let status = status.and_then(|status| status.to_str().ok()).unwrap_or_default();
            (answer.status.as_u16(), status.to_owned())
        })
    }

    async fn write(&self) -> u16 {
        let body = r#"{"sku":"a","name":"b","price":{"amount":"1.00","currency":"EUR"},"stock":1}"#;
        self.send(Method::POST, body).await.expect("it runs").0
    }

    /// What the list is answered while nothing is let through, where it is answered then.
    async fn at_once(&self) -> Option<String> {
        let asked = tokio::time::timeout(Duration::from_millis(200), self.list()).await;
        asked.ok().map(|done| done.expect("it runs").1)
    }

    async fn begun(&self, reads: usize) {
        for _ in 0..15_000 {
            if self.gate.begun() == reads {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("{} of {reads} reads", self.gate.begun());
    }

    fn counted(&self, name: &str) -> String {
        let text = self.metrics.text();
        let begin = format!("mainstay_cache_{name}{{resource=\"catalog.Product\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&begin));
        line.unwrap_or_default().to_owned()
    }
}

#[tokio::test]
async fn two_thousand_calls_that_miss_at_once_are_one_read() {
    let world = world(Hearing::Alone);
    let asked: Vec<_> = (0..2_000).map(|_| world.list()).collect();
    world.begun(1).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    // One more would find its way free too.
    world.gate.let_through(10);
    for one in asked {
        assert_eq!(one.await.expect("it runs").0, 200);
    }
    assert_eq!(world.gate.begun(), 1);
    assert!(world.at_once().await.is_some_and(|status| status.contains("hit")));
    assert_eq!((world.counted("misses_total"), world.counted("joined_total")).0, "1");
}

#[tokio::test]
async fn whoever_goes_away_while_reading_leaves_it_to_the_next() {
    let world = world(Hearing::Alone);
    let first = world.list();
    world.begun(1).await;
    let waiting: Vec<_> = (0..100).map(|_| world.list()).collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    first.abort();
    world.begun(2).await;
    world.gate.let_through(10);
    for one in waiting {
        assert_eq!(one.await.expect("it runs").0, 200);
    }
    assert_eq!(world.gate.begun(), 2);
}

#[tokio::test]
async fn what_was_read_before_a_write_is_not_kept_behind_it() {
    let world = world(Hearing::Alone);
    let slow = world.list();
    world.begun(1).await;
    assert_eq!(world.write().await, 201);
    // Nor does anybody wait for it who asks after the write.
    let next = world.list();
    world.begun(2).await;
    world.gate.let_through(1);
    let (_, status) = slow.await.expect("it runs");
    assert_eq!(status, "mainstay; fwd=miss", "it is not stored");
    assert_eq!(world.counted("fills_refused_total"), "1");
    world.gate.let_through(1);
    assert_eq!(next.await.expect("it runs").1, "mainstay; fwd=miss; stored");
    assert!(world.at_once().await.is_some_and(|status| status.contains("hit")));
}

#[tokio::test]
async fn a_write_that_fails_ends_nothing() {
    let world = world(Hearing::Alone);
    world.gate.let_through(1);
    world.list().await.expect("it runs");
    world.gate.refuses.store(true, Ordering::SeqCst);
    assert_ne!(world.write().await, 201);
    assert!(world.at_once().await.is_some_and(|status| status.contains("hit")));
    world.gate.refuses.store(false, Ordering::SeqCst);
    assert_eq!(world.write().await, 201);
    assert_eq!(world.at_once().await, None, "it is read anew");
}

#[tokio::test]
async fn where_others_cannot_be_heard_nothing_is_kept() {
    let world = world(Hearing::Told);
    world.gate.let_through(2);
    for _ in 0..2 {
        let (_, status) = world.list().await.expect("it runs");
        assert_eq!(status, "mainstay; fwd=bypass; detail=unheard");
    }
    let other = world.gate.other();
    other.back();
    world.gate.let_through(1);
    world.list().await.expect("it runs");
    assert!(world.at_once().await.is_some_and(|status| status.contains("hit")));
    other.committed(r#"{"by":"other","of":[["list","catalog.Product","evil",null]]}"#);
    assert!(world.at_once().await.is_some_and(|status| status.contains("hit")), "not its tenant");
    other.committed(r#"{"by":"other","of":[["list","catalog.Product","acme",null]]}"#);
    world.gate.let_through(1);
    assert!(world.list().await.expect("it runs").1.contains("miss"));
    other.lost();
    world.gate.let_through(1);
    assert!(world.list().await.expect("it runs").1.contains("bypass"));
    other.back();
    world.gate.let_through(1);
    assert!(world.list().await.expect("it runs").1.contains("miss"), "it was emptied");
    assert_eq!(world.write().await, 201);
}

#[tokio::test]
async fn another_plan_begins_with_nothing_kept() {
    let world = world(Hearing::Alone);
    world.gate.let_through(1);
    world.list().await.expect("it runs");
    assert!(world.at_once().await.is_some_and(|status| status.contains("hit")));
    let _former = world.backend.swap(serving(&world.gate));
    world.gate.let_through(1);
    assert!(world.list().await.expect("it runs").1.contains("miss"));
    let former = world.backend.pause();
    world.backend.resume(former);
    world.gate.let_through(1);
    assert!(world.list().await.expect("it runs").1.contains("miss"), "nor after a pause");
}
