//! A store whose commits end the answers that they change: behind the commit and before whoever
//! asked for it learns of it. What is not committed ends nothing.

use super::Cache;
use super::told::Ended;
use crate::ports::audit;
use crate::ports::changes::{Hearing, Hears};
use crate::ports::events::Eventing;
use crate::ports::operations::Operations;
use crate::ports::store::{
    Bindings, CommitError, ListQuery, Store, StoredAnswer, Tenant, Unavailable, WriteSet,
};
use crate::ports::webhooks::Webhooks;
use crate::record::Record;
use futures::FutureExt;
use futures::future::BoxFuture;
use ir::domain::{FieldId, ResourceId};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use tokio::runtime::Handle;

/// A store, and the cache of what it answered.
pub(super) struct Watched {
    pub(super) store: Arc<dyn Store>,
    pub(super) cache: Arc<Cache>,
}

/// Ends the answers where the commit does not say that it failed, also where it panics.
struct End {
    cache: Arc<Cache>,
    ended: Ended,
    committed: bool,
}

impl Drop for End {
    fn drop(&mut self) {
        if self.committed {
            self.cache.end(&self.ended);
        }
    }
}

/// True where nothing of a set was committed.
fn failed(error: &CommitError) -> bool {
    match error {
        CommitError::Conflict { .. }
        | CommitError::Duplicate { .. }
        | CommitError::Overlap { .. }
        | CommitError::UnknownReference { .. }
        | CommitError::StillReferenced { .. }
        | CommitError::AnswerExists
        | CommitError::Consumed
        | CommitError::Fenced => true,
        CommitError::Unavailable(why) => match why {
            Unavailable::Busy | Unavailable::Full | Unavailable::ReadOnly => true,
            // Whether it was is not always known.
            Unavailable::Deadline | Unavailable::Broken(_) => false,
        },
    }
}

async fn commit(
    store: Arc<dyn Store>,
    mut end: End,
    set: WriteSet,
    bindings: Bindings,
) -> Result<(), CommitError> {
    let done = store.commit(set, &bindings).await;
    end.committed = !done.as_ref().is_err_and(failed);
    drop(end);
    done
}

impl Store for Watched {
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
        mut set: WriteSet,
        bindings: &'a Bindings,
    ) -> BoxFuture<'a, Result<(), CommitError>> {
        let ended = Ended::by(&self.cache.plan, &set);
        if ended.is_nothing() {
            return self.store.commit(set, bindings);
        }
        if self.cache.tells.load(Ordering::Acquire) {
            set.told = Some(ended.told(&self.cache.plan, &self.cache.name));
        }
        let end = End { cache: Arc::clone(&self.cache), ended, committed: true };
        let work = commit(Arc::clone(&self.store), end, set, bindings.clone());
        let Ok(runtime) = Handle::try_current() else { return work.boxed() };
        // In a task of its own: whoever asked may go away, and the store commits nevertheless.
        let work = runtime.spawn(work);
        async move {
            work.await.unwrap_or_else(|_| {
                let what = "the process is going away".to_owned();
                Err(CommitError::Unavailable(Unavailable::Broken(what)))
            })
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

    fn warm(&self) -> BoxFuture<'_, ()> {
        self.store.warm()
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), Unavailable>> {
        self.store.ready()
    }

    fn knows<'a>(&'a self, tenant: &'a Tenant) -> BoxFuture<'a, Result<bool, Unavailable>> {
        self.store.knows(tenant)
    }

    fn position(&self) -> BoxFuture<'_, Option<u64>> {
        self.store.position()
    }

    fn tenants(&self, resource: ResourceId) -> BoxFuture<'_, Result<Vec<Tenant>, Unavailable>> {
        self.store.tenants(resource)
    }

    fn eventing(&self) -> Option<&dyn Eventing> {
        self.store.eventing()
    }

    fn webhooks(&self) -> Option<&dyn Webhooks> {
        self.store.webhooks()
    }

    fn operations(&self) -> Option<&dyn Operations> {
        self.store.operations()
    }

    fn tell(&self, who: Weak<dyn Hears>) -> Hearing {
        self.store.tell(who)
    }

    fn writes(&self) -> Result<(), Unavailable> {
        self.store.writes()
    }
}
