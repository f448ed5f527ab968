//! Read connections: one per thread that serves, opened when it is first needed.
//!
//! A thread takes the connection of its own number, or any that is free. A connection is held for
//! the length of one call that never waits for anything but the disk, so no future holds it over
//! an `await`.

use super::error::unavailable;
use super::layout::{File, Layout};
use super::link::Link;
use crate::ports::store::Unavailable;
use crate::worker;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

/// The read connections of all files.
pub(super) struct Readers {
    layout: Arc<Layout>,
    service: Pool,
    tenants: Mutex<Pools>,
    uses: AtomicU64,
    closed: AtomicBool,
}

/// By tenant: when its connections were last used, and the connections.
type Pools = BTreeMap<Arc<str>, (u64, Arc<Pool>)>;

/// The read connections of one file.
struct Pool {
    file: File,
    slots: Vec<Mutex<Option<Link>>>,
}

impl Readers {
    pub(super) fn new(layout: Arc<Layout>) -> Self {
        let service = Pool::new(File::Service, layout.limits().readers_max);
        Self {
            layout,
            service,
            tenants: Mutex::default(),
            uses: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// Runs a read on a file: `empty` where the file is not there yet. A read that has run for
    /// too many steps ends in [`Unavailable::Busy`].
    pub(super) fn with<T>(
        &self,
        file: &File,
        deadline: i64,
        steps: Option<i64>,
        run: impl FnOnce(&Link) -> rusqlite::Result<T>,
        empty: impl FnOnce() -> T,
    ) -> Result<T, Unavailable> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(Unavailable::Broken("the store is closed".to_owned()));
        }
        match file {
            File::Service => self.on(&self.service, deadline, steps, run, empty),
            File::Tenant(tenant) => {
                let pool = self.pool(tenant);
                self.on(&pool, deadline, steps, run, empty)
            }
        }
    }

    fn on<T>(
        &self,
        pool: &Pool,
        deadline: i64,
        steps: Option<i64>,
        run: impl FnOnce(&Link) -> rusqlite::Result<T>,
        empty: impl FnOnce() -> T,
    ) -> Result<T, Unavailable> {
        let mut slot = pool.slot();
        if slot.is_none() {
            *slot = self.layout.reader(&pool.file)?;
        }
        let Some(link) = slot.as_ref() else { return Ok(empty()) };
        let done = link.watched(deadline, steps, run);
        super::link::ends_snapshot(link);
        done.map_err(|error| match unavailable(&error) {
            Unavailable::Deadline if link.ran_long() => Unavailable::Busy,
            other => other,
        })
    }

    fn pool(&self, tenant: &Arc<str>) -> Arc<Pool> {
        let now = self.uses.fetch_add(1, Ordering::Relaxed);
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((used, pool)) = tenants.get_mut(tenant) {
            *used = now;
            return Arc::clone(pool);
        }
        let limits = self.layout.limits();
        if tenants.len() >= limits.tenant_files_max {
            let oldest = tenants.iter().min_by_key(|(_, (used, _))| *used);
            if let Some(oldest) = oldest.map(|(tenant, _)| Arc::clone(tenant)) {
                tenants.remove(&oldest);
            }
        }
        let pool = Arc::new(Pool::new(File::Tenant(Arc::clone(tenant)), limits.readers_max));
        tenants.insert(Arc::clone(tenant), (now, Arc::clone(&pool)));
        pool
    }

    /// Closes the connections; further reads are refused.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner).clear();
        for slot in &self.service.slots {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }
}

impl Pool {
    fn new(file: File, size: usize) -> Self {
        Self { file, slots: (0..size.max(1)).map(|_| Mutex::new(None)).collect() }
    }

    /// This thread's connection, else a free one, else this thread's once it is free.
    fn slot(&self) -> MutexGuard<'_, Option<Link>> {
        let own = worker::index() % self.slots.len();
        let order = (own..self.slots.len()).chain(0..own);
        for slot in order.map(|at| &self.slots[at]) {
            match slot.try_lock() {
                Ok(slot) => return slot,
                Err(TryLockError::Poisoned(poisoned)) => return renewed(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.slots[own].lock().unwrap_or_else(|poisoned| renewed(poisoned.into_inner()))
    }
}

/// What a panic left behind is not used again.
fn renewed(mut slot: MutexGuard<'_, Option<Link>>) -> MutexGuard<'_, Option<Link>> {
    *slot = None;
    slot
}
