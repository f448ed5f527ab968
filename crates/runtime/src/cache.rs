//! Answers that are reused: of resources that say `cache:`, in this process.
//!
//! **Soundness.** An answer is kept with the counts of what it is made of ([`tags`]), taken before
//! it was read, and read where every commit is seen (never from a copy that lags). A commit raises
//! the counts before whoever asked for it is told ([`watched`]); so in this process nobody reads
//! what was before an acknowledged write, and an answer that was being read meanwhile is not kept.
//! Other processes tell within their transaction what it ends ([`told`]); where they can't be heard
//! nothing is kept. Nobody gets an answer of another scope: tenant, and caller with its roles,
//! unless the plan shows that every caller gets the same.
//!
//! **Bounds.** All that is kept has [`Settings::cache_bytes_max`] bytes; what is asked for often
//! stays (W-TinyLFU). Of several calls that miss the same answer one reads it, the others wait.
//!
//! [`Settings::cache_bytes_max`]: ir::architecture::Settings

mod counts;
mod flight;
pub(crate) mod tags;
mod told;
mod watched;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use flight::{Lead, Waiting};

use crate::engine::Shared;
use crate::plan::Plan;
use crate::ports::changes::{Hearing, Hears};
use crate::ports::store::{Store, Tenant};
use crate::problem::Problem;
use crate::telemetry::metrics::Metrics;
use bytes::Bytes;
use counts::Counts;
use flight::Flights;
use http::HeaderValue;
use ir::domain::ResourceId;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;
use tags::{Made, Tag, Tags};
use told::Ended;

/// One answer may take this part of all bytes.
const ANSWER_SHARE: u64 = 64;
/// Bytes that an answer takes beside its body and its key.
const ENTRY_BYTES: usize = 320;
/// Bytes that one tag of it takes.
const TAG_BYTES: usize = 112;
/// That there is no such row is kept so many microseconds at most.
const MISSING_MICROS_MAX: i64 = 5_000_000;
/// An answer lives shorter by up to this share, so that what was read together does not end
/// together.
const JITTER: f64 = 0.1;

/// What is asked for, and by whom as far as the answer depends on it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// Index of the operation in the plan.
    pub(crate) operation: usize,
    /// Whose rows.
    pub(crate) tenant: Tenant,
    /// The caller with its roles; none where every caller gets the same.
    pub(crate) scope: Option<Box<str>>,
    /// Which row; 0 for a list.
    pub(crate) row: u128,
    /// Parameters by name, decoded.
    pub(crate) query: Box<str>,
}

/// What is answered.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A representation.
    Found {
        /// JSON.
        body: Bytes,
        /// Its entity tag.
        tag: HeaderValue,
        /// Where the next page is.
        link: Option<HeaderValue>,
    },
    /// There is none.
    Missing(Box<Problem>),
}

/// An answer with what it is made of.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The answer.
    pub(crate) answer: Answer,
    /// When it was read, in microseconds since 1970.
    pub(crate) read_at: i64,
    /// When it ends.
    pub(crate) expires: i64,
    /// It is kept, rather than answered once.
    pub(crate) kept: bool,
    /// Microseconds that it took to read.
    took: i64,
    made: Made,
    /// How often everything had ended before.
    emptied: u64,
    resource: ResourceId,
    bytes: u32,
}

/// What there is to a key.
pub(crate) enum Found {
    /// An answer that is good.
    Hit(Arc<Entry>),
    /// Somebody is reading it.
    Wait(Waiting),
    /// Nobody is: it is to be read.
    Read(Lead),
    /// Other processes can't be heard: nothing is kept.
    Off,
}

/// How an answer is asked for.
pub(crate) struct Wanted {
    /// What.
    pub(crate) key: Arc<Key>,
    /// Of which resource.
    pub(crate) resource: ResourceId,
    /// What it is made of.
    pub(crate) tags: Vec<Tag>,
    /// How long it is good, in microseconds.
    pub(crate) micros: i64,
    /// How old it may be, in microseconds.
    pub(crate) age_max: Option<i64>,
}

/// All that is kept of one plan and its stores.
pub(crate) struct Cache {
    plan: Arc<Plan>,
    shared: Arc<Shared>,
    entries: moka::sync::Cache<Arc<Key>, Arc<Entry>>,
    tags: Tags,
    flights: Flights,
    /// How often everything ended.
    emptied: AtomicU64,
    /// Stores whose other writers are not heard.
    away: AtomicUsize,
    /// Other processes keep answers too.
    tells: AtomicBool,
    /// Names this cache to them.
    name: String,
    /// By resource.
    counts: Arc<Vec<Option<Counts>>>,
    ears: OnceLock<Vec<Arc<Ear>>>,
}

/// Hears what is committed in one store.
struct Ear {
    cache: Weak<Cache>,
    hears: Mutex<bool>,
}

struct Lives;

impl moka::Expiry<Arc<Key>, Arc<Entry>> for Lives {
    fn expire_after_create(
        &self,
        _: &Arc<Key>,
        entry: &Arc<Entry>,
        _: std::time::Instant,
    ) -> Option<Duration> {
        let micros = u64::try_from(entry.expires - entry.read_at).unwrap_or(0);
        Some(Duration::from_micros(micros))
    }

    fn expire_after_update(
        &self,
        key: &Arc<Key>,
        entry: &Arc<Entry>,
        now: std::time::Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(key, entry, now)
    }
}

impl Cache {
    /// For a plan and its stores, which are answered with: commits through them end what they
    /// change. None where the plan reuses no answer.
    pub(crate) fn over(
        plan: &Arc<Plan>,
        stores: Vec<Arc<dyn Store>>,
        shared: &Arc<Shared>,
        metrics: &Metrics,
    ) -> (Option<Arc<Self>>, Vec<Arc<dyn Store>>) {
        if plan.watched.is_empty() {
            return (None, stores);
        }
        let cache = Self::new(plan, stores.len(), shared, metrics);
        let ears = stores.iter().map(|store| cache.listen(&**store)).collect();
        cache.ears.get_or_init(|| ears);
        let stores = cache.watching(stores);
        (Some(cache), stores)
    }

    /// The stores of a process that keeps nothing, and tells those that do what it commits.
    pub(crate) fn telling(
        plan: &Arc<Plan>,
        stores: Vec<Arc<dyn Store>>,
        shared: &Arc<Shared>,
    ) -> Vec<Arc<dyn Store>> {
        if plan.watched.is_empty() {
            return stores;
        }
        let cache = Self::new(plan, stores.len(), shared, &Metrics::default());
        cache.tells.store(true, Ordering::Release);
        cache.watching(stores)
    }

    fn new(plan: &Arc<Plan>, stores: usize, shared: &Arc<Shared>, metrics: &Metrics) -> Arc<Self> {
        let counts = Arc::new(Counts::all(plan, metrics));
        let gone = Arc::clone(&counts);
        let entries = moka::sync::Cache::builder()
            .max_capacity(plan.settings.cache_bytes_max)
            .weigher(|_: &Arc<Key>, entry: &Arc<Entry>| entry.bytes)
            .expire_after(Lives)
            .eviction_listener(move |_, entry: Arc<Entry>, why| {
                if let Some(counts) = &gone[entry.resource.index()] {
                    counts.left(entry.bytes, why);
                }
            })
            .build();
        Arc::new(Self {
            plan: Arc::clone(plan),
            shared: Arc::clone(shared),
            entries,
            tags: Tags::default(),
            flights: Flights::default(),
            emptied: AtomicU64::new(0),
            away: AtomicUsize::new(stores),
            tells: AtomicBool::new(false),
            name: format!("{:016x}", shared.ids.random()),
            counts,
            ears: OnceLock::new(),
        })
    }

    fn watching(self: &Arc<Self>, stores: Vec<Arc<dyn Store>>) -> Vec<Arc<dyn Store>> {
        let watched = |store| -> Arc<dyn Store> {
            Arc::new(watched::Watched { store, cache: Arc::clone(self) })
        };
        stores.into_iter().map(watched).collect()
    }

    fn listen(self: &Arc<Self>, store: &dyn Store) -> Arc<Ear> {
        let ear = Arc::new(Ear { cache: Arc::downgrade(self), hears: Mutex::new(false) });
        let weak: Weak<Ear> = Arc::downgrade(&ear);
        match store.tell(weak) {
            Hearing::Alone => ear.back(),
            Hearing::Told => self.tells.store(true, Ordering::Release),
            Hearing::Deaf => {}
        }
        ear
    }

    /// What there is.
    pub(crate) fn find(self: &Arc<Self>, wanted: &Wanted) -> Found {
        if self.away.load(Ordering::Acquire) > 0 {
            return Found::Off;
        }
        let now = self.shared.clock.now();
        if let Some(entry) = self.entries.get(&wanted.key)
            && self.is_good(&entry, wanted, now)
            && !(self.is_early(&entry, now) && self.flights.is_free(&wanted.key))
        {
            self.count(wanted.resource, |counts| counts.hits.increment());
            return Found::Hit(entry);
        }
        match flight::begin(self, wanted, now) {
            Ok(lead) => {
                self.count(wanted.resource, |counts| counts.misses.increment());
                Found::Read(lead)
            }
            Err(waiting) => {
                self.count(wanted.resource, |counts| counts.joined.increment());
                Found::Wait(waiting)
            }
        }
    }

    /// A read that waits for nobody, for who wants what is now; none where nothing is kept.
    pub(crate) fn anew(self: &Arc<Self>, wanted: &Wanted) -> Option<Lead> {
        let hears = self.away.load(Ordering::Acquire) == 0;
        hears.then(|| flight::alone(self, wanted, self.shared.clock.now()))
    }

    /// Notes an answer that was read without a look here.
    pub(crate) fn bypassed(&self, resource: ResourceId) {
        self.count(resource, |counts| counts.bypasses.increment());
    }

    /// The time.
    pub(crate) fn now(&self) -> i64 {
        self.shared.clock.now()
    }

    fn is_good(&self, entry: &Entry, wanted: &Wanted, now: i64) -> bool {
        let age = now - entry.read_at;
        age >= 0
            && now < entry.expires
            && wanted.age_max.is_none_or(|most| age <= most)
            && entry.emptied == self.emptied.load(Ordering::Acquire)
            && entry.made.is_current()
    }

    /// True for one of many who reads an answer again before it ends: sooner the longer it takes
    /// (XFetch), so that it does not end for all at once.
    fn is_early(&self, entry: &Entry, now: i64) -> bool {
        // Most are far from their end; no random number is drawn for them.
        let left = entry.expires - now;
        if left > entry.took.saturating_mul(64) {
            return false;
        }
        let early = -self.chance().ln() * entry.took as f64;
        early >= left as f64
    }

    /// Above 0, up to 1.
    fn chance(&self) -> f64 {
        (self.shared.ids.random() as f64 + 1.0) / (u64::MAX as f64 + 1.0)
    }

    /// Ends what a set of changes ends.
    fn end(&self, ended: &Ended) {
        if ended.all {
            self.empty();
            return;
        }
        for tag in &ended.tags {
            if self.tags.change(tag) {
                self.count(tag.resource(), |counts| counts.invalidations.increment());
            }
        }
    }

    /// Ends everything.
    pub(crate) fn empty(&self) {
        self.emptied.fetch_add(1, Ordering::AcqRel);
        self.entries.invalidate_all();
    }

    /// An answer that was read; kept unless something of it changed meanwhile, or it is too large.
    fn keep(&self, wanted: &flight::Reading, answer: Answer) -> Arc<Entry> {
        let now = self.shared.clock.now();
        let (key, made) = (&wanted.key, wanted.made.clone());
        let body = match &answer {
            Answer::Found { body, .. } => body.len(),
            Answer::Missing(_) => 0,
        };
        let named = key.query.len() + key.scope.as_deref().map_or(0, str::len);
        let bytes = ENTRY_BYTES + body + named + made.tags() * TAG_BYTES;
        let fits = bytes as u64 <= self.plan.settings.cache_bytes_max / ANSWER_SHARE;
        let current = made.is_current()
            && wanted.emptied == self.emptied.load(Ordering::Acquire)
            && self.away.load(Ordering::Acquire) == 0;
        if !current {
            self.count(wanted.resource, |counts| counts.refused.increment());
        }
        let most = match &answer {
            Answer::Found { .. } => wanted.micros,
            Answer::Missing(_) => wanted.micros.min(MISSING_MICROS_MAX),
        };
        let lives = (most as f64 * (1.0 - JITTER * self.chance())) as i64;
        let entry = Arc::new(Entry {
            answer,
            read_at: wanted.began,
            expires: wanted.began + lives,
            kept: current && fits && lives > 0,
            took: (now - wanted.began).max(1),
            made,
            emptied: wanted.emptied,
            resource: wanted.resource,
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
        });
        if entry.kept {
            self.count(wanted.resource, |counts| counts.came(entry.bytes));
            self.entries.insert(Arc::clone(key), Arc::clone(&entry));
        }
        entry
    }

    fn count(&self, resource: ResourceId, count: impl Fn(&Counts)) {
        if let Some(counts) = &self.counts[resource.index()] {
            count(counts);
        }
    }
}

impl Hears for Ear {
    fn committed(&self, told: &str) {
        let Some(cache) = self.cache.upgrade() else { return };
        if let Some(ended) = Ended::heard(&cache.plan, told, &cache.name) {
            cache.end(&ended);
        }
    }

    fn lost(&self) {
        let Some(cache) = self.cache.upgrade() else { return };
        let mut hears = self.hears.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *hears, false) {
            cache.away.fetch_add(1, Ordering::AcqRel);
            cache.empty();
        }
    }

    fn back(&self) {
        let Some(cache) = self.cache.upgrade() else { return };
        let mut hears = self.hears.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut *hears, true) {
            cache.empty();
            cache.away.fetch_sub(1, Ordering::AcqRel);
        }
    }
}
