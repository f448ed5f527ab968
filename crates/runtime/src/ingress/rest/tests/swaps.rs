//! What is served is swapped at one point: a call has one backend from its beginning to its end.

use super::world::Names;
use crate::fixture::shop;
use crate::http::{Request, Service};
use crate::ingress::rest::{Backend, Rest, Serving, Surroundings};
use crate::plan::plan;
use crate::ports::audit;
use crate::ports::clock::{SystemClock, SystemRandomness};
use crate::ports::store::{
    Bindings, CommitError, ListQuery, Store, StoredAnswer, Tenant, Unavailable, WriteSet,
};
use crate::record::Record;
use crate::telemetry::metrics::Metrics;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderValue, Method, Uri};
use ir::domain::{FieldId, ResourceId};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// A store without rows, whose lists wait until they may go on.
#[derive(Default)]
struct Slow {
    begun: AtomicUsize,
    go_on: Option<Semaphore>,
}

impl Slow {
    fn held() -> Arc<Self> {
        Arc::new(Self { begun: AtomicUsize::new(0), go_on: Some(Semaphore::new(0)) })
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }
}

fn done<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, T> {
    futures::future::ready(value).boxed()
}

impl Store for Slow {
    fn get<'a>(
        &'a self,
        _: &'a Tenant,
        _: ResourceId,
        _: &'a [u128],
        _: &'a [FieldId],
        _: &'a Bindings,
    ) -> BoxFuture<'a, Result<Vec<Record>, Unavailable>> {
        done(Ok(Vec::new()))
    }

    fn list<'a>(
        &'a self,
        _: &'a Tenant,
        _: &'a ListQuery<'a>,
        _: &'a Bindings,
    ) -> BoxFuture<'a, Result<Vec<Record>, Unavailable>> {
        async {
            self.begun.fetch_add(1, Ordering::Relaxed);
            if let Some(go_on) = &self.go_on {
                go_on.acquire().await.expect("it is open").forget();
            }
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
        done(Ok(None))
    }

    fn commit<'a>(
        &'a self,
        _: WriteSet,
        _: &'a Bindings,
    ) -> BoxFuture<'a, Result<(), CommitError>> {
        done(Ok(()))
    }

    fn audit<'a>(
        &'a self,
        _: &'a Tenant,
        _: &'a audit::Query,
        _: &'a Bindings,
    ) -> BoxFuture<'a, Result<Vec<audit::Kept>, Unavailable>> {
        done(Ok(Vec::new()))
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), Unavailable>> {
        done(Err(Unavailable::ReadOnly))
    }

    fn knows<'a>(&'a self, _: &'a Tenant) -> BoxFuture<'a, Result<bool, Unavailable>> {
        done(Ok(true))
    }
}

fn serving(store: &Arc<Slow>) -> Serving {
    let store = Arc::clone(store) as Arc<dyn Store>;
    let (plan, credentials) = (Arc::new(plan(&shop())), Default::default());
    Serving { plan, stores: vec![store], identify: Arc::new(Names), credentials }
}

fn backend(store: &Arc<Slow>) -> Arc<Backend> {
    let around = Surroundings {
        clock: Arc::new(SystemClock),
        randomness: Arc::new(SystemRandomness),
        cursor_key: [7; 32],
        metrics: Arc::new(Metrics::default()),
        webhooks: Default::default(),
        broker: None,
    };
    Arc::new(Backend::new(serving(store), around))
}

/// The status of a list that is asked for on a task of its own.
fn ask(backend: &Arc<Backend>) -> tokio::task::JoinHandle<u16> {
    let rest = Rest::new(Arc::clone(backend));
    tokio::spawn(async move {
        let mut request = Request::new(Method::GET, Uri::from_static("/v1/rooms"));
        let who = HeaderValue::from_static("staff.manager max acme");
        request.headers.insert(http::header::AUTHORIZATION, who);
        rest.call(request).await.status.as_u16()
    })
}

async fn until(holds: impl Fn() -> bool) {
    for _ in 0..15_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("it never held");
}

#[tokio::test]
async fn a_call_that_runs_ends_on_what_it_began_with_and_the_next_has_the_other() {
    let (old, new) = (Slow::held(), Arc::new(Slow::default()));
    let backend = backend(&old);
    let slow = ask(&backend);
    until(|| old.begun() == 1).await;
    let former = backend.swap(serving(&new));
    assert_eq!(ask(&backend).await.expect("it runs"), 200);
    assert_eq!((old.begun(), new.begun()), (1, 1));
    assert!(!former.ended(Duration::from_millis(20)), "a call still has it");
    old.go_on.as_ref().expect("held").add_permits(1);
    assert_eq!(slow.await.expect("it runs"), 200);
    assert!(former.ended(Duration::from_secs(30)));
}

#[tokio::test]
async fn calls_that_come_in_a_pause_wait_for_what_comes_next() {
    let (old, new) = (Slow::held(), Arc::new(Slow::default()));
    let backend = backend(&old);
    let slow = ask(&backend);
    until(|| old.begun() == 1).await;
    let former = backend.pause();
    let waiting: Vec<_> = (0..50).map(|_| ask(&backend)).collect();
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(waiting.iter().all(|one| !one.is_finished()), "nothing is served");
    assert!(!former.ended(Duration::ZERO), "what runs goes on");
    assert_eq!(backend.ready().await, Ok(()), "a pause is no outage");
    old.go_on.as_ref().expect("held").add_permits(1);
    assert_eq!(slow.await.expect("it runs"), 200);
    assert!(former.ended(Duration::from_secs(30)));
    backend.swap(serving(&new));
    for one in waiting {
        assert_eq!(one.await.expect("it runs"), 200);
    }
    assert_eq!((old.begun(), new.begun()), (1, 50));
}

#[tokio::test]
async fn after_a_pause_that_came_to_nothing_the_old_goes_on() {
    let old = Arc::new(Slow::default());
    let backend = backend(&old);
    let former = backend.pause();
    let waiting = ask(&backend);
    tokio::time::sleep(Duration::from_millis(10)).await;
    backend.resume(former);
    assert_eq!(waiting.await.expect("it runs"), 200);
    assert_eq!(old.begun(), 1);
}
