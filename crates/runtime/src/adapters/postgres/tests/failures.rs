//! Connections that are lost, transactions that collide, callers that go away.

use super::*;
use crate::adapters::postgres::PostgresStore;
use crate::fixture::postgres::run;
use crate::fixture::store::{AREA, SLOT};
use crate::ports::conformance::{Bench, constraints};
use crate::ports::events::Consumed;
use crate::ports::store::Unavailable;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_time().build().expect("a runtime")
}

/// Ends every other connection to a database, again and again, so often and until so many calls are
/// done; each worker has done some in between, for no call is tried for ever.
fn terminate(url: &str, done: &[AtomicUsize]) -> (usize, usize) {
    let text = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let all = || done.iter().map(|one| one.load(Ordering::Relaxed)).collect::<Vec<_>>();
    let (mut ended, end) = (0, Instant::now() + Duration::from_secs(60));
    while (ended <= 30 || all().iter().sum::<usize>() <= 100) && Instant::now() < end {
        let before = all();
        ended += run(url, &[text]).map_or(0, |rows| rows.len());
        std::thread::sleep(Duration::from_millis(100));
        let went_on = |(now, before): (&usize, &usize)| *now > before + 1;
        while !all().iter().zip(&before).all(went_on) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    (ended, all().iter().sum())
}

#[test]
fn connections_that_are_ended_under_load_fail_no_call() {
    let database = database!();
    let store = Arc::new(database.open(Layout::Row));
    let (runtime, stop) = (runtime(), Arc::new(AtomicBool::new(false)));
    let acme = tenant("acme");
    let calls: Arc<[AtomicUsize; 6]> = Arc::default();
    let workers: Vec<_> = (0..6_u128)
        .map(|worker| {
            let (store, stop, acme) = (Arc::clone(&store), Arc::clone(&stop), acme.clone());
            let calls = Arc::clone(&calls);
            runtime.spawn(async move {
                let mut done = 0;
                while !stop.load(Ordering::Relaxed) {
                    let id = worker * 1_000_000 + done;
                    let writes = [id, id + 500_000].map(|id| Write::Insert {
                        resource: THING,
                        record: thing_of(id, "row").into(),
                    });
                    let writes = if done % 2 == 0 { writes[..1].to_vec() } else { writes.to_vec() };
                    let written = store.commit(set(&acme, writes), &Bindings::default()).await;
                    written.expect("a retry saves it");
                    let ids = [id];
                    let read = store.get(&acme, THING, &ids, &[], &Bindings::default()).await;
                    assert_eq!(read.expect("a retry saves it").len(), 1);
                    done += 1;
                    calls[worker as usize].fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let (ended, done) = terminate(&database.url(), &calls[..]);
    stop.store(true, Ordering::Relaxed);
    workers.into_iter().for_each(|one| runtime.block_on(one).expect("no panic"));
    assert!(ended > 10 && done > 100, "{ended} connections ended, {done} calls done");
}

#[test]
fn an_effect_happens_once_though_connections_are_ended_under_it() {
    let database = database!();
    let store = Arc::new(database.open(Layout::Row));
    let (runtime, stop) = (runtime(), Arc::new(AtomicBool::new(false)));
    let acme = tenant("acme");
    let calls: Arc<[AtomicUsize; 4]> = Arc::default();
    for id in 0..4 {
        wait(insert(&*store, &acme, thing_of(id, "row"))).expect("it commits");
    }
    let workers: Vec<_> = (0..4_u128)
        .map(|worker| {
            let (store, stop, acme) = (Arc::clone(&store), Arc::clone(&stop), acme.clone());
            let calls = Arc::clone(&calls);
            runtime.spawn(async move {
                let mut event = worker * 1_000_000;
                while !stop.load(Ordering::Relaxed) {
                    event += 1;
                    let consumed = Consumed { consumer: "lab".into(), event, now: 0 };
                    let (field, by) = (thing::HITS, 1);
                    let writes = vec![Write::Count { resource: THING, id: worker, field, by }];
                    let set = WriteSet { consumed: Some(consumed), ..set(&acme, writes) };
                    let done = store.commit(set, &Bindings::default()).await;
                    done.expect("the inbox tells what became of it");
                    calls[worker as usize].fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let (ended, done) = terminate(&database.url(), &calls[..]);
    stop.store(true, Ordering::Relaxed);
    workers.into_iter().for_each(|one| runtime.block_on(one).expect("no panic"));
    assert!(ended > 10 && done > 100, "{ended} connections ended, {done} calls done");
    let rows = wait(store.get(&acme, THING, &[0, 1, 2, 3], &[], &Bindings::default()));
    for row in rows.expect("it reads") {
        let done = calls[row.id as usize].load(Ordering::Relaxed) as i64;
        assert_eq!(row.value(thing::HITS), &Value::Int(done), "each counted once");
    }
}

/// Sets that want the same rows at once.
const SETS: i64 = 24;

#[test]
fn sets_that_collide_are_tried_again_until_one_has_won() {
    let database = database!();
    let (domain, schema) = Database::model(Layout::Row);
    let mut config = database.config(Layout::Row);
    // The server takes a second to see that two wait for each other.
    config.limits.write_wait_ms_max = 60_000;
    let store = PostgresStore::open(config, domain, schema);
    let store = Arc::new(store.expect("it opens"));
    let (runtime, acme) = (runtime(), tenant("acme"));
    for id in 0..2 {
        wait(insert(&*store, &acme, thing_of(id, "row"))).expect("it commits");
    }
    // Each set locks both rows, half of them in the other order.
    let count = |id| Write::Count { resource: THING, id, field: thing::HITS, by: 1 };
    let sets = (0..SETS).map(|at| {
        let (store, acme) = (Arc::clone(&store), acme.clone());
        let writes = if at % 2 == 0 { vec![count(0), count(1)] } else { vec![count(1), count(0)] };
        runtime.spawn(async move { store.commit(set(&acme, writes), &Bindings::default()).await })
    });
    for one in sets.collect::<Vec<_>>() {
        assert_eq!(runtime.block_on(one).expect("no panic"), Ok(()));
    }
    let rows = wait(store.get(&acme, THING, &[0, 1], &[], &Bindings::default()));
    for row in rows.expect("it reads") {
        assert_eq!(row.value(thing::HITS), &Value::Int(SETS), "each counted once");
    }
}

#[test]
fn spans_are_kept_apart_where_the_server_has_no_constraint_for_them() {
    let database = database!();
    let opens = Looking(database);
    let made = opens.open();
    let none = "SELECT count(*) FROM pg_constraint WHERE contype = 'x'";
    assert_eq!(opens.0.run(&[none]), [[Some("0".to_owned())]]);
    let (runtime, acme) = (runtime(), tenant("acme"));
    let record = |id, values: Vec<Value>| Record {
        values: values.into_boxed_slice(),
        children: Vec::new(),
        ..thing_of(id, "")
    };
    let area = record(1, vec![Value::text("area"), Value::Null]);
    let writes = vec![Write::Insert { resource: AREA, record: area.into() }];
    wait(made.commit(set(&acme, writes), &Bindings::default())).expect("it commits");
    let slots = (0..20_u32).map(|at| {
        let span = Value::Timespan { start: i64::from(at), end: 100 };
        let record = record(u128::from(at), vec![Value::Uuid(1), span]);
        let writes = vec![Write::Insert { resource: SLOT, record: record.into() }];
        let (store, set) = (Arc::clone(&made), set(&acme, writes));
        runtime.spawn(async move { store.commit(set, &Bindings::default()).await })
    });
    let slots: Vec<_> = slots.collect();
    let done = slots.into_iter().map(|slot| runtime.block_on(slot).expect("no panic"));
    let meets = CommitError::Overlap { write: 0, resource: SLOT, overlap: 0 };
    let (one, others): (Vec<_>, Vec<_>) = done.partition(|done| done.is_ok());
    assert_eq!((one.len(), others.len()), (1, 19));
    assert!(others.iter().all(|other| *other == Err(meets.clone())), "{others:?}");
    drop(made);
    constraints::spans_of_one_area_never_overlap(&Bench::new(Box::new(Looking(database!()))));
}

#[test]
fn callers_that_go_away_leave_no_connection_behind() {
    let database = database!();
    let store = Arc::new(database.open(Layout::Row));
    let (runtime, acme) = (runtime(), tenant("acme"));
    for id in 0..60_u128 {
        let (store, acme) = (Arc::clone(&store), acme.clone());
        runtime.block_on(async move {
            let writing = insert(&*store, &acme, thing_of(id, "row"));
            // Whether it was done by then is the store's affair.
            let _gone = tokio::time::timeout(Duration::from_micros(id as u64 * 20), writing).await;
        });
    }
    assert_eq!(wait(insert(&*store, &acme, thing_of(99, "last"))), Ok(()));
    assert!(wait(names(&*store, &acme)).contains(&"last".to_owned()));
}

#[test]
fn a_statement_ends_with_the_time_of_its_call() {
    let database = database!();
    let store = database.open(Layout::Row);
    let acme = tenant("acme");
    wait(insert(&store, &acme, thing_of(1, "row"))).expect("it commits");
    std::thread::scope(|scope| {
        let url = database.url();
        let locked = scope.spawn(move || {
            run(&url, &["BEGIN", "LOCK TABLE lab.things", "SELECT pg_sleep(60)", "COMMIT"])
        });
        let held = "SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted \
                    AND relation = 'lab.things'::regclass";
        while database.run(&[held]).is_empty() {
            std::thread::sleep(Duration::from_millis(10));
        }
        let begun = Instant::now();
        let now = i64::try_from(
            std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .expect("a clock")
                .as_micros(),
        );
        let deadline = now.expect("a time") + 200_000;
        let bindings = Bindings { deadline, ..Bindings::default() };
        let read = wait(store.list(&acme, &all(), &bindings));
        assert_eq!(read, Err(Unavailable::Deadline));
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        wake(&database);
        assert!(locked.join().expect("it ends").is_err(), "it would have held for longer");
    });
    assert_eq!(wait(names(&store, &acme)), ["row"], "the connection goes on");
}

#[test]
fn what_the_server_says_of_a_refused_value_does_not_tell_the_value() {
    let database = database!();
    let told = |statement: &str| {
        let url = database.url();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let (client, connection) =
                tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("it connects");
            tokio::spawn(connection);
            let refused = client.batch_execute(statement).await.expect_err("it is refused");
            crate::adapters::postgres::error::told(&refused)
        })
    };
    for statement in [
        "SELECT 'ann@example.com'::uuid",
        "CREATE TABLE t (a text UNIQUE); INSERT INTO t VALUES ('ann@example.com'); \
         INSERT INTO t VALUES ('ann@example.com')",
        "CREATE TABLE c (a text CHECK (a <> 'ann@example.com')); \
         INSERT INTO c VALUES ('ann@example.com')",
    ] {
        let told = told(statement);
        assert!(told.starts_with('2') && !told.contains("ann@"), "{statement}: {told}");
    }
    assert!(told("SELECT nothing_like_it").contains("nothing_like_it"), "names are told");
}
