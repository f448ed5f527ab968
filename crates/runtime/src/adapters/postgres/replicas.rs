//! Copies of the database that may lag: reads that tolerate it go there, once a copy has what their
//! caller wrote.
//!
//! The primary is asked for its position every so often, each copy for how far it has replayed. A
//! copy that is past a position has everything that was acknowledged before that position was asked
//! for; so it is enough to know when a caller wrote, and a write costs no more than without copies.

use super::Address;
use super::link::{Parameter, Server, Session};
use super::readers::Readers;
use crate::ports::store::{Bindings, Fresh, Tenant, Unavailable};
use crate::telemetry::metrics::{Counter, Gauge};
use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio_postgres::Row;

/// Between two looks at primary and copies.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A look that takes longer has failed.
const LOOK_MAX: Duration = Duration::from_secs(1);
/// A copy that lags more is left out until it has caught up: what other processes wrote is seen
/// after so long at most.
const LAG_MAX: Duration = Duration::from_secs(5);
/// A read that a copy has not answered by then is asked of the primary.
const READ_MAX: Duration = Duration::from_secs(2);
/// Positions remembered: they reach back further than the longest lag.
const POSITIONS_MAX: usize = 128;
/// Tenants and callers whose last write is remembered; where there are more, nobody reads from a
/// copy until it has caught up with all.
const WRITERS_MAX: usize = 65_536;

/// Which cluster it is, and how far it has come: as the one that writes.
const WRITTEN: &str = "SELECT pg_is_in_recovery(), system_identifier, \
                       pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint \
                       FROM pg_control_system()";
/// The same of one that follows.
const REPLAYED: &str = "SELECT pg_is_in_recovery(), system_identifier, \
                        coalesce(pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint, 0) \
                        FROM pg_control_system()";

/// A copy, and where is told how it does.
#[derive(Clone)]
pub struct Replica {
    /// The server and the database.
    pub address: Address,
    /// Milliseconds that it lags; -1 where it is left out.
    pub lag: Arc<Gauge>,
    /// Reads that it answered.
    pub reads: Arc<Counter>,
}

/// All copies of a database.
pub(super) struct Replicas {
    all: Vec<Follower>,
    born: Instant,
    written: Mutex<Written>,
    positions: Mutex<VecDeque<Position>>,
}

/// A question to any of the servers.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) session: &'a Session,
    pub(super) text: &'a str,
    pub(super) values: &'a [Parameter<'a>],
}

impl Ask<'_> {
    pub(super) async fn of(self, readers: &Readers) -> Result<Vec<Row>, Unavailable> {
        readers.read(self.session, self.text, self.values).await
    }
}

/// A copy in use.
struct Follower {
    replica: Replica,
    readers: Readers,
    /// It has what was acknowledged before that moment, in microseconds since the beginning; 0
    /// while it is left out.
    caught_up: AtomicU64,
    /// Its position.
    replayed: AtomicU64,
}

/// When tenants and callers wrote last, by their digests.
#[derive(Default)]
struct Written {
    last: HashMap<u64, u64>,
    /// A write of anybody whose own is not remembered.
    others: u64,
}

/// The position of the primary at a moment or later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    at: u64,
    position: u64,
}

impl Replicas {
    /// Copies of a database that is used as `home` is; none of them is used before it has the
    /// tables as they are now.
    pub(super) fn new(replicas: &[Replica], home: &Server, connections: usize) -> Self {
        let follower = |replica: &Replica| {
            let server = Server { address: replica.address.clone(), ..home.clone() };
            replica.lag.set(-1);
            Follower {
                replica: replica.clone(),
                readers: Readers::new(server, connections),
                caught_up: AtomicU64::new(0),
                replayed: AtomicU64::new(0),
            }
        };
        let all = replicas.iter().map(follower).collect();
        let (written, positions) = (Mutex::default(), Mutex::default());
        Self { all, born: Instant::now(), written, positions }
    }

    pub(super) fn any(&self) -> bool {
        !self.all.is_empty()
    }

    /// Microseconds since the beginning; never 0.
    fn now(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_micros()).unwrap_or(u64::MAX).max(1)
    }

    /// Notes that a tenant and a caller may have written until now.
    pub(super) fn note(&self, tenant: &Tenant, me: Option<&str>) {
        if !self.any() {
            return;
        }
        let now = self.now();
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        for writer in writers(tenant, me) {
            if written.last.len() >= WRITERS_MAX {
                written.last.clear();
                written.others = now;
            }
            written.last.insert(writer, now);
        }
    }

    /// When a tenant or a caller wrote last.
    fn wrote(&self, tenant: &Tenant, me: Option<&str>) -> u64 {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let own = writers(tenant, me).filter_map(|writer| written.last.get(&writer).copied());
        own.max().unwrap_or(0).max(written.others)
    }

    /// Reads from a copy that has what the caller wrote; none where none has, or it fails.
    pub(super) async fn read(
        &self,
        tenant: &Tenant,
        bindings: &Bindings,
        ask: Ask<'_>,
    ) -> Option<Vec<Row>> {
        let Fresh::Own { after } = bindings.fresh else { return None };
        let follower = self.follower(tenant, bindings.me.as_deref(), after)?;
        match tokio::time::timeout(READ_MAX, ask.of(&follower.readers)).await {
            Ok(Ok(rows)) => {
                follower.replica.reads.increment();
                Some(rows)
            }
            Ok(Err(Unavailable::Deadline)) => None,
            Ok(Err(_)) | Err(_) => {
                // The next look finds out whether it may be asked again.
                follower.leave_out();
                None
            }
        }
    }

    /// The copy for a caller: the same each time as long as it will do, so that what was seen once
    /// is seen again.
    fn follower(&self, tenant: &Tenant, me: Option<&str>, after: u64) -> Option<&Follower> {
        if !self.any() {
            return None;
        }
        let (wrote, now) = (self.wrote(tenant, me), self.now());
        let lag = u64::try_from(LAG_MAX.as_micros()).unwrap_or(u64::MAX);
        let oldest = now.saturating_sub(lag).max(wrote.saturating_add(1));
        let first = writers(tenant, me).last().unwrap_or(now) % self.all.len() as u64;
        let first = usize::try_from(first).unwrap_or(0);
        let turn = self.all[first..].iter().chain(&self.all[..first]);
        turn.into_iter().find(|follower| {
            follower.caught_up.load(Ordering::Acquire) >= oldest
                && follower.replayed.load(Ordering::Relaxed) >= after
        })
    }

    /// Looks how far everybody has come.
    pub(super) async fn look(&self, home: &Readers) {
        let at = self.now();
        let primary = asked(home, WRITTEN).await;
        let cluster = match primary {
            // One that does not write any more is nothing to compare with.
            Some(Told { follows: false, cluster, position }) => {
                let mut positions = self.positions();
                if positions.len() == POSITIONS_MAX {
                    positions.pop_front();
                }
                positions.push_back(Position { at, position });
                Some(cluster)
            }
            Some(_) | None => None,
        };
        let looks = self.all.iter().map(|follower| async move {
            match asked(&follower.readers, REPLAYED).await {
                Some(told) if told.follows && Some(told.cluster) == cluster => {
                    self.caught_up(follower, told.position);
                }
                // A copy that was promoted has a life of its own.
                Some(_) | None => follower.leave_out(),
            }
        });
        futures::future::join_all(looks).await;
    }

    fn caught_up(&self, follower: &Follower, replayed: u64) {
        let at = last_before(&self.positions(), replayed);
        follower.replayed.store(replayed, Ordering::Relaxed);
        follower.caught_up.store(at, Ordering::Release);
        let lag = if at == 0 { None } else { Some(self.now().saturating_sub(at) / 1_000) };
        follower.replica.lag.set(lag.and_then(|lag| i64::try_from(lag).ok()).unwrap_or(-1));
    }

    fn positions(&self) -> std::sync::MutexGuard<'_, VecDeque<Position>> {
        self.positions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Follower {
    fn leave_out(&self) {
        self.caught_up.store(0, Ordering::Release);
        self.replica.lag.set(-1);
    }
}

/// The moment before which everything is there; 0 where none is known.
fn last_before(positions: &VecDeque<Position>, replayed: u64) -> u64 {
    let there = positions.iter().rev().find(|known| known.position <= replayed);
    there.map_or(0, |known| known.at)
}

/// Digests of a tenant and of a caller.
fn writers(tenant: &Tenant, me: Option<&str>) -> impl Iterator<Item = u64> {
    let digest = |kind: u8, name: &str| {
        let mut hasher = DefaultHasher::new();
        (kind, name).hash(&mut hasher);
        hasher.finish()
    };
    let tenant = tenant.as_deref().map(|name| digest(0, name));
    // Callers without token have no name: they are one.
    let nobody = (tenant.is_none() && me.is_none()).then_some(1);
    tenant.into_iter().chain(me.map(|name| digest(1, name))).chain(nobody)
}

/// What a server says of itself.
struct Told {
    follows: bool,
    cluster: i64,
    position: u64,
}

async fn asked(readers: &Readers, text: &str) -> Option<Told> {
    let millis = u64::try_from(LOOK_MAX.as_millis()).unwrap_or(u64::MAX);
    let session = Session::plain(millis);
    let rows = tokio::time::timeout(LOOK_MAX, readers.read(&session, text, &[])).await;
    let rows = rows.ok()?.ok()?;
    let row = rows.first()?;
    let position: i64 = row.try_get(2).ok()?;
    let (follows, cluster) = (row.try_get(0).ok()?, row.try_get(1).ok()?);
    Some(Told { follows, cluster, position: u64::try_from(position).unwrap_or(0) })
}

/// The position of the primary: everything that was acknowledged is before it.
pub(super) async fn position(home: &Readers) -> Option<u64> {
    asked(home, WRITTEN).await.map(|told| told.position)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replicas(caught_up: u64) -> Replicas {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let address = Address::parse("postgres://nobody@127.0.0.1:1/none").expect("an address");
        let home =
            Server { address: address.clone(), role: None, runtime: runtime.handle().clone() };
        let replica = Replica { address, lag: Arc::default(), reads: Arc::default() };
        let replicas = Replicas::new(&[replica], &home, 1);
        replicas.all[0].caught_up.store(caught_up, Ordering::Relaxed);
        replicas.all[0].replayed.store(500, Ordering::Relaxed);
        replicas
    }

    #[test]
    fn a_copy_has_what_was_acknowledged_before_the_last_position_that_it_is_past() {
        let known = |at, position| Position { at, position };
        let positions = VecDeque::from([known(10, 100), known(20, 100), known(30, 250)]);
        assert_eq!(last_before(&positions, 99), 0);
        assert_eq!(last_before(&positions, 100), 20);
        assert_eq!(last_before(&positions, 249), 20);
        assert_eq!(last_before(&positions, 900), 30);
    }

    #[test]
    fn who_wrote_since_reads_from_the_primary_and_others_do_not() {
        let replicas = replicas(0);
        let acme: Tenant = Some(Arc::from("acme"));
        let other: Tenant = Some(Arc::from("other"));
        let may = |tenant: &Tenant, me: Option<&str>| replicas.follower(tenant, me, 0).is_some();
        assert!(!may(&acme, Some("alice")), "it is left out until it was looked at");
        std::thread::sleep(Duration::from_millis(2));
        replicas.all[0].caught_up.store(replicas.now(), Ordering::Relaxed);
        assert!(may(&acme, Some("alice")) && may(&None, None));
        std::thread::sleep(Duration::from_millis(1));
        replicas.note(&acme, Some("alice"));
        assert!(!may(&acme, Some("alice")));
        assert!(!may(&acme, Some("bob")), "colleagues see it too");
        assert!(!may(&None, Some("alice")), "and the caller, wherever");
        assert!(may(&other, Some("carol")) && may(&None, None));
        std::thread::sleep(Duration::from_millis(1));
        replicas.all[0].caught_up.store(replicas.now(), Ordering::Relaxed);
        assert!(may(&acme, Some("alice")), "the copy has it by now");
        assert!(replicas.follower(&acme, None, 500).is_some());
        assert!(replicas.follower(&acme, None, 501).is_none(), "a position that it is not past");
    }

    #[test]
    fn with_more_writers_than_are_remembered_all_count_as_one() {
        let replicas = replicas(0);
        std::thread::sleep(Duration::from_millis(1));
        for number in 0..=WRITERS_MAX {
            replicas.note(&Some(Arc::from(number.to_string())), None);
        }
        assert!(replicas.written.lock().expect("nobody panicked").last.len() <= WRITERS_MAX);
        let quiet: Tenant = Some(Arc::from("quiet"));
        assert!(replicas.wrote(&quiet, None) > 0);
    }
}
