//! One read for all who miss the same answer at once.

use super::tags::Made;
use super::{Answer, Cache, Entry, Key, Wanted};
use crate::engine::Failure;
use crate::problem::{Problem, kinds};
use ir::domain::ResourceId;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// None while it is being read.
type Outcome = Option<Result<Arc<Entry>, Box<Problem>>>;

/// Answers that are being read.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<Arc<Key>, Flight>>);

#[derive(Clone)]
struct Flight {
    made: Made,
    emptied: u64,
    done: watch::Receiver<Outcome>,
}

impl Flights {
    /// True where nobody reads it.
    pub(super) fn is_free(&self, key: &Arc<Key>) -> bool {
        !self.all().contains_key(key)
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Arc<Key>, Flight>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer that is read, as things were before.
pub(super) struct Reading {
    pub(super) key: Arc<Key>,
    pub(super) resource: ResourceId,
    pub(super) made: Made,
    pub(super) emptied: u64,
    /// Microseconds since 1970.
    pub(super) began: i64,
    pub(super) micros: i64,
}

/// The duty to read an answer; whoever drops it without one leaves it to the next.
pub(crate) struct Lead {
    cache: Arc<Cache>,
    reading: Reading,
    done: watch::Sender<Outcome>,
    registered: bool,
}

/// A place among those who wait for an answer.
pub(crate) struct Waiting(watch::Receiver<Outcome>);

fn reading(cache: &Cache, wanted: &Wanted, now: i64) -> Reading {
    Reading {
        key: Arc::clone(&wanted.key),
        resource: wanted.resource,
        made: cache.tags.made(wanted.tags.iter().cloned()),
        emptied: cache.emptied.load(Ordering::Acquire),
        began: now,
        micros: wanted.micros,
    }
}

/// Begins to read an answer, or waits for who does. Nobody waits for what was begun before a
/// change that is known by now.
pub(super) fn begin(cache: &Arc<Cache>, wanted: &Wanted, now: i64) -> Result<Lead, Waiting> {
    let mut flights = cache.flights.all();
    if let Some(flight) = flights.get(&wanted.key)
        && flight.emptied == cache.emptied.load(Ordering::Acquire)
        && flight.made.is_current()
    {
        return Err(Waiting(flight.done.clone()));
    }
    let reading = reading(cache, wanted, now);
    let (done, waiting) = watch::channel(None);
    let (made, emptied) = (reading.made.clone(), reading.emptied);
    flights.insert(Arc::clone(&wanted.key), Flight { made, emptied, done: waiting });
    Ok(Lead { cache: Arc::clone(cache), reading, done, registered: true })
}

/// Begins to read an answer that nobody waits for.
pub(super) fn alone(cache: &Arc<Cache>, wanted: &Wanted, now: i64) -> Lead {
    let (done, _) = watch::channel(None);
    let reading = reading(cache, wanted, now);
    Lead { cache: Arc::clone(cache), reading, done, registered: false }
}

impl Lead {
    /// It is read: kept where it may be, and given to those who wait.
    pub(crate) fn done(self, answer: Answer) -> Arc<Entry> {
        let entry = self.cache.keep(&self.reading, answer);
        self.done.send_replace(Some(Ok(Arc::clone(&entry))));
        entry
    }

    /// It could not be read: those who wait are told the same, unless it was this call's time
    /// that was up.
    pub(crate) fn failed(self, why: &Failure) {
        if why.kind != kinds::DEADLINE_EXCEEDED {
            self.done.send_replace(Some(Err(why.clone())));
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        if !self.registered {
            return;
        }
        let mut flights = self.cache.flights.all();
        let own = |flight: &Flight| flight.done.same_channel(&self.done.subscribe());
        if flights.get(&self.reading.key).is_some_and(own) {
            flights.remove(&self.reading.key);
        }
    }
}

impl Waiting {
    /// What was read; none where whoever read it went away.
    pub(crate) async fn answer(mut self) -> Option<Result<Arc<Entry>, Failure>> {
        let done = self.0.wait_for(Option::is_some).await.ok()?;
        done.clone()
    }
}
