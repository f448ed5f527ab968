//! Group commit, queues, the lane for long reads, events, the sweep.

use super::*;
use crate::adapters::sqlite::SqliteStore;
use crate::fixture::store::{config, domain, schema};
use crate::ports::clock::Clock;
use crate::ports::store::{About, OutboxRow, StoredAnswer, Unavailable};
use ir::expr::{Expr, ExprKind, Operator, Type};
use std::borrow::Cow;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

fn open(
    place: &Place,
    change: impl FnOnce(&mut crate::adapters::sqlite::SqliteConfig),
) -> Arc<SqliteStore> {
    let domain = domain(Layout::NoTenants);
    let schema = schema(&domain, Layout::NoTenants);
    let mut config = config(place.path(), &domain, &schema, Layout::NoTenants);
    change(&mut config);
    let store = SqliteStore::open(config, Arc::new(domain), Arc::new(schema));
    Arc::new(store.expect("it opens"))
}

/// Another process that writes for a while.
fn holding(place: &Place) -> rusqlite::Connection {
    let other = rusqlite::Connection::open(place.path().join("everything.db")).expect("it opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("it is free");
    other
}

/// Waits until something holds, half a minute at most.
fn until(holds: impl Fn() -> bool) {
    for _ in 0..3_000 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it never held");
}

/// So many that write, each on a thread that has begun by then.
fn many(
    store: &Arc<SqliteStore>,
    number: u128,
) -> Vec<std::thread::JoinHandle<Result<(), CommitError>>> {
    let begun = Arc::new(AtomicUsize::new(0));
    let one = |id| {
        let (store, begun) = (Arc::clone(store), Arc::clone(&begun));
        std::thread::spawn(move || {
            begun.fetch_add(1, Ordering::Relaxed);
            insert(store.as_ref(), &None, thing_of(id, "one"))
        })
    };
    let all: Vec<_> = (0..number).map(one).collect();
    until(|| begun.load(Ordering::Relaxed) == all.len());
    all
}

/// The writer waits longer for the lock than any test holds it.
const PATIENT_MS: u32 = 60_000;

#[test]
fn sets_that_wait_are_one_commit() {
    let place = Place::new();
    let store = open(&place, |config| config.limits.lock_wait_ms_max = PATIENT_MS);
    let before = store.figures();
    let other = holding(&place);
    let waiting = many(&store, 40);
    std::thread::sleep(std::time::Duration::from_millis(300));
    other.execute_batch("COMMIT").expect("it ends");
    for set in waiting {
        assert_eq!(set.join().expect("no panic"), Ok(()));
    }
    let after = store.figures();
    assert_eq!(after.sets - before.sets, 40);
    assert!(after.commits - before.commits <= 6, "{after:?}");
}

#[test]
fn a_full_queue_refuses_at_once() {
    let place = Place::new();
    let store = open(&place, |config| {
        config.limits.queue_sets_max = 3;
        config.limits.lock_wait_ms_max = PATIENT_MS;
    });
    let other = holding(&place);
    let waiting = many(&store, 12);
    // Whoever does not wait is refused.
    until(|| waiting.iter().any(|one| one.is_finished()));
    other.execute_batch("COMMIT").expect("it ends");
    let done: Vec<_> = waiting.into_iter().map(|set| set.join().expect("no panic")).collect();
    let busy = Err(CommitError::Unavailable(Unavailable::Busy));
    let refused = done.iter().filter(|one| **one == busy).count();
    assert!((1..12).contains(&refused), "{done:?}");
    assert_eq!(done.iter().filter(|one| one.is_ok()).count(), 12 - refused);
    assert_eq!(names(store.as_ref(), &None).len(), 12 - refused);
}

#[test]
fn a_long_read_moves_out_of_the_way_and_is_answered() {
    let place = Place::new();
    let store = open(&place, |config| config.limits.inline_steps_max = 1);
    let rows =
        (0..2_000).map(|id| Write::Insert { resource: THING, record: thing_of(id, "a").into() });
    let set = WriteSet { writes: rows.collect(), ..WriteSet::default() };
    wait(store.commit(set, &Bindings::default())).expect("it commits");
    let field = ExprKind::Field(FieldRef::Field(thing::NAME));
    let [name, value] = [field, ExprKind::Literal(Value::text("b"))]
        .map(|kind| Box::new(Expr { kind, ty: Type::Text }));
    let none = Expr { kind: ExprKind::Compare(Operator::Equal, name, value), ty: Type::Bool };
    let filter = vec![Cow::Borrowed(&none)];
    let query = ListQuery { filter, ..all(10) };
    assert_eq!(wait(store.list(&None, &query, &Bindings::default())), Ok(Vec::new()));
    assert_eq!(names(store.as_ref(), &None).len(), 2_000);
}

#[test]
fn events_are_written_with_the_change_or_not_at_all() {
    let place = Place::new();
    let store = open(&place, |_| {});
    let event = |id| OutboxRow {
        id,
        event: "thing.made".to_owned(),
        version: 1,
        about: About::Row(THING),
        row: 1,
        time: 5,
        data: "{}".to_owned(),
        trace: None,
    };
    let set = |id| WriteSet {
        writes: vec![Write::Insert { resource: THING, record: thing_of(1, "one").into() }],
        outbox: vec![event(id), event(id + 1)],
        ..WriteSet::default()
    };
    assert_eq!(wait(store.commit(set(10), &Bindings::default())), Ok(()));
    assert!(wait(store.commit(set(20), &Bindings::default())).is_err(), "the row is there");
    let file = rusqlite::Connection::open(place.path().join("everything.db")).expect("it opens");
    let text =
        "SELECT group_concat(hex(id) || event || resource || data, ' ') FROM mainstay_outbox";
    let found: String = file.query_row(text, [], |row| row.get(0)).expect("it reads");
    let zeros = "0".repeat(30);
    assert_eq!(found, format!("{zeros}0Athing.madelab.Thing{{}} {zeros}0Bthing.madelab.Thing{{}}"));
}

pub(super) struct Hand(pub(super) AtomicI64);

impl Clock for Hand {
    fn now(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[test]
fn expired_answers_are_swept() {
    let place = Place::new();
    let clock = Arc::new(Hand(AtomicI64::new(1_000_000)));
    let shared = Arc::clone(&clock);
    let store = open(&place, |config| config.clock = shared);
    for (scope, expires) in [(1, 2_000_000), (2, i64::MAX)] {
        let answer = StoredAnswer {
            scope: [scope; 32],
            fingerprint: [0; 32],
            status: 200,
            headers: Vec::new(),
            body: Vec::new(),
            expires,
        };
        let set = WriteSet { answer: Some(answer), ..WriteSet::default() };
        wait(store.commit(set, &Bindings { now: 1_000_000, ..Bindings::default() }))
            .expect("it commits");
    }
    clock.0.store(100_000_000, Ordering::Relaxed);
    insert(store.as_ref(), &None, thing_of(1, "wakes the writer")).expect("it commits");
    insert(store.as_ref(), &None, thing_of(2, "after the sweep")).expect("it commits");
    let file = rusqlite::Connection::open(place.path().join("everything.db")).expect("it opens");
    let text = "SELECT group_concat(hex(substr(scope, 1, 1))) FROM mainstay_idempotency";
    let left: String = file.query_row(text, [], |row| row.get(0)).expect("it reads");
    assert_eq!(left, "02");
}

/// Commits of tenants that are brought one after the other while the writer cannot write; the
/// names of those that were done, in order.
fn done_in_order(brought: &[(&'static str, u128)], rows_max: usize) -> Vec<&'static str> {
    let place = Place::new();
    let domain = domain(Layout::Row);
    let schema = schema(&domain, Layout::Row);
    let mut config = config(place.path(), &domain, &schema, Layout::Row);
    config.limits.group_rows_max = rows_max;
    config.limits.lock_wait_ms_max = PATIENT_MS;
    let store = SqliteStore::open(config, Arc::new(domain), Arc::new(schema)).expect("it opens");
    let store = Arc::new(store);
    let other = holding(&place);
    let begun = Arc::new(AtomicUsize::new(0));
    let mut waiting = Vec::new();
    for (at, (name, rows)) in brought.iter().copied().enumerate() {
        let (store, comes) = (Arc::clone(&store), Arc::clone(&begun));
        waiting.push(std::thread::spawn(move || {
            let ids = (at as u128 * 10_000)..;
            let writes = ids
                .take(rows as usize)
                .map(|id| Write::Insert { resource: THING, record: thing_of(id, "one").into() });
            let set =
                WriteSet { tenant: tenant(name), writes: writes.collect(), ..WriteSet::default() };
            comes.fetch_add(1, Ordering::Relaxed);
            wait(store.commit(set, &Bindings::default())).expect("it commits");
        }));
        // In this order.
        until(|| begun.load(Ordering::Relaxed) > at);
        std::thread::sleep(Duration::from_millis(50));
    }
    other.execute_batch("COMMIT").expect("it ends");
    for set in waiting {
        set.join().expect("no panic");
    }
    // As they were written, for threads are told in any order.
    let text = "SELECT hex(id) FROM lab_things ORDER BY rowid";
    let mut rows = other.prepare(text).expect("it is SQL");
    let ids = rows.query_map([], |row| row.get::<_, String>(0)).expect("it runs");
    let sets =
        ids.map(|id| u128::from_str_radix(&id.expect("a text"), 16).expect("an id") / 10_000);
    let mut sets: Vec<_> = sets.collect();
    sets.dedup();
    sets.into_iter().map(|at| brought[at as usize].0).collect()
}

#[test]
fn a_tenant_with_much_to_write_does_not_stand_before_another() {
    // The first set is taken alone, before the others have come.
    let brought = [("acme", 300), ("acme", 300), ("acme", 300), ("acme", 300), ("tiny", 1)];
    let order = done_in_order(&brought, 301);
    let at = order.iter().position(|name| *name == "tiny").expect("it is done");
    assert!(at <= 3, "{order:?}");
}
