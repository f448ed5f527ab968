//! The audit trail in files: what SQL may do to it, retention, files of older builds.

use super::groups::Hand;
use super::*;
use crate::adapters::sqlite::link::{Link, Role};
use crate::adapters::sqlite::{SqliteStore, audit, verify_audit};
use crate::fixture::store::{config, domain, schema};
use crate::ports::audit::{BATCH_ENTRIES_MAX, Entry, Query};
use crate::ports::clock::SystemClock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

fn entries(from: u128, to: u128) -> WriteSet {
    let entry = |id: u128| Entry {
        id,
        shared: false,
        time: i64::try_from(id).unwrap(),
        who: "alice".to_owned(),
        operation: "updateThing".to_owned(),
        resource: "lab.Thing".to_owned(),
        row: None,
        body: "{}".to_owned(),
        write: None,
    };
    let tenant = tenant("acme");
    WriteSet { tenant, audit: (from..=to).map(entry).collect(), ..WriteSet::default() }
}

fn link(place: &Place) -> Link {
    let path = place.path().join("everything.db");
    Link::open(&path, Role::Writer, Duration::from_secs(2), Arc::new(SystemClock)).unwrap()
}

fn found(place: &Place) -> (u64, i64, Option<i64>) {
    let verdicts = verify_audit(place.path(), &[]).expect("it reads");
    assert_eq!(verdicts.len(), 1);
    let broken = verdicts[0].broken.as_ref().map(|(number, _)| *number);
    (verdicts[0].entries, verdicts[0].removed, broken)
}

#[test]
fn retention_removes_in_batches_and_the_rest_is_whole() {
    let place = Place::new();
    let store = sqlite(place.path(), Layout::Row);
    let most = BATCH_ENTRIES_MAX as u128;
    wait(store.commit(entries(1, most + 10), &Bindings::default())).expect("it commits");
    let link = link(&place);
    let before = i64::try_from(most).unwrap() + 6;
    assert_eq!(audit::sweep(&link, before), Ok(true), "one batch, and there is more");
    assert_eq!(found(&place), (10, most as i64, None));
    assert_eq!(audit::sweep(&link, before), Ok(false));
    assert_eq!(found(&place), (5, most as i64 + 5, None), "what is not over stays");
    assert_eq!(audit::sweep(&link, before), Ok(false));
    wait(store.commit(entries(9_000, 9_000), &Bindings::default())).expect("it commits");
    assert_eq!(found(&place), (6, most as i64 + 5, None), "and the chain goes on");
    assert_eq!(audit::sweep_at(&link, i64::MAX, u64::MAX), Ok(false), "kept for good");
    let all = Query { resources: vec!["lab.Thing".to_owned()], rows_max: 99, ..Query::default() };
    let page = wait(store.audit(&tenant("acme"), &all, &Bindings::default())).expect("it reads");
    assert_eq!(page.len(), 6);
}

#[test]
fn no_statement_changes_an_entry_and_who_gets_around_that_is_found() {
    let place = Place::new();
    let store = sqlite(place.path(), Layout::Row);
    wait(store.commit(entries(1, 5), &Bindings::default())).expect("it commits");
    let link = link(&place);
    let sql = |text: &str| link.connection.execute_batch(text);
    for text in [
        "UPDATE mainstay_audit SET who = 'bob' WHERE number = 3",
        "DELETE FROM mainstay_audit WHERE number = 3",
        "DELETE FROM mainstay_audit",
    ] {
        let refused = sql(text).expect_err("it is refused").to_string();
        assert!(refused.contains("append-only"), "{text}: {refused}");
    }
    assert_eq!(found(&place), (5, 0, None));
    sql("DROP TRIGGER mainstay_audit_unchanged").unwrap();
    sql("UPDATE mainstay_audit SET who = 'bob' WHERE number = 3").unwrap();
    assert_eq!(found(&place).2, Some(3));
    sql("UPDATE mainstay_audit SET who = 'alice' WHERE number = 3").unwrap();
    assert_eq!(found(&place).2, None, "it is as it was");
    sql("UPDATE mainstay_audit_chains SET removed = 2").unwrap();
    assert_eq!(found(&place).2, Some(3), "the anchor fits no entry");
    sql("DELETE FROM mainstay_audit_chains").unwrap();
    assert!(found(&place).2.is_some(), "nor is a chain without head whole");
}

#[test]
fn a_file_of_an_older_build_gets_the_tables_by_itself() {
    for layout in [Layout::Row, Layout::File] {
        let place = Place::new();
        let acme = tenant("acme");
        let insert = |id| Write::Insert { resource: THING, record: thing_of(id, "x").into() };
        let set =
            |id| WriteSet { tenant: acme.clone(), writes: vec![insert(id)], ..WriteSet::default() };
        let store = sqlite(place.path(), layout);
        wait(store.commit(set(1), &Bindings::default())).expect("it commits");
        drop(store);
        let mut files = vec![place.path().join("everything.db")];
        files.extend((layout == Layout::File).then(|| place.path().join("everything/acme.db")));
        for path in files {
            let clock = Arc::new(SystemClock);
            let link = Link::open(&path, Role::Writer, Duration::from_secs(2), clock).unwrap();
            let older = "DROP TABLE mainstay_audit; DROP TABLE mainstay_audit_chains; \
                         DELETE FROM mainstay_meta WHERE name = 'system'";
            link.connection.execute_batch(older).unwrap();
        }
        let store = sqlite(place.path(), layout);
        let with_entry = WriteSet { audit: entries(1, 1).audit, ..set(2) };
        wait(store.commit(with_entry, &Bindings::default())).expect("it commits");
        let verdicts = verify_audit(place.path(), &[]).expect("it reads");
        assert_eq!(verdicts.iter().map(|verdict| verdict.entries).sum::<u64>(), 1, "{layout:?}");
    }
}

#[test]
fn files_of_tenants_that_nobody_uses_are_swept_some_at_a_time_until_all_were() {
    const TENANTS: usize = 40;
    let place = Place::new();
    let filled = sqlite(place.path(), Layout::File);
    for number in 0..TENANTS {
        let set = WriteSet { tenant: tenant(&format!("t{number:02}")), ..entries(1, 3) };
        wait(filled.commit(set, &Bindings::default())).expect("it commits");
    }
    filled.close();
    drop(filled);
    let (domain, clock) = (domain(Layout::File), Arc::new(Hand(AtomicI64::new(1_000_000))));
    let schema = schema(&domain, Layout::File);
    let mut config = config(place.path(), &domain, &schema, Layout::File);
    config.clock = Arc::clone(&clock) as _;
    config.limits.audit_seconds_max = 1;
    let store = SqliteStore::open(config, Arc::new(domain), Arc::new(schema)).expect("it opens");
    let swept = |id: u128| {
        clock.0.fetch_add(100_000_000, Ordering::Relaxed);
        for id in [id, id + 1] {
            insert(&store, &tenant("awake"), thing_of(id, "wakes the writer")).expect("it commits");
        }
        let verdicts = verify_audit(place.path(), &[]).expect("it reads");
        assert!(verdicts.iter().all(|verdict| verdict.broken.is_none()));
        verdicts.iter().filter(|verdict| verdict.removed == 3).count()
    };
    let first = swept(1);
    assert!(first > 0 && first < TENANTS, "a sweep is bounded: {first}");
    assert_eq!(swept(3), TENANTS);
}
