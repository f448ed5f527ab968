//! The audit trail in a database: what SQL may do to it, retention, databases of older builds.

use super::*;
use crate::adapters::postgres::{Address, verify_audit};
use crate::ports::audit::{Entry, Head};

fn entries(of: &Tenant, from: u128, to: u128) -> WriteSet {
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
    WriteSet { tenant: of.clone(), audit: (from..=to).map(entry).collect(), ..WriteSet::default() }
}

fn found(database: &Database) -> Vec<(String, u64, i64, Option<i64>)> {
    let address = Address::parse(&database.url()).expect("an address");
    let verdicts = verify_audit(address, &[]).expect("it reads");
    let short = verdicts.into_iter().map(|verdict| {
        let Head { chain, .. } = verdict.head;
        (chain, verdict.entries, verdict.removed, verdict.broken.map(|(number, _)| number))
    });
    short.collect()
}

fn one(entries: u64, removed: i64, broken: Option<i64>) -> Vec<(String, u64, i64, Option<i64>)> {
    vec![("acme".to_owned(), entries, removed, broken)]
}

#[test]
fn retention_removes_in_batches_and_the_rest_is_whole() {
    let database = database!();
    let store = database.open(Layout::Row);
    let acme = tenant("acme");
    wait(store.commit(entries(&acme, 1, 12), &Bindings::default())).expect("it commits");
    let moment = "to_timestamp(0) + interval '9 microseconds'";
    let sweep = format!("SELECT mainstay.audit_sweep({moment}, 5, 16)");
    let gone = || database.run(&[&sweep])[0][0].clone().expect("a number");
    assert_eq!(gone(), "5", "one batch");
    assert_eq!(found(&database), one(7, 5, None));
    assert_eq!(gone(), "3");
    assert_eq!(gone(), "0", "what is not over stays");
    wait(store.commit(entries(&acme, 20, 20), &Bindings::default())).expect("it commits");
    assert_eq!(found(&database), one(5, 8, None), "and the chain goes on");
}

#[test]
fn no_statement_changes_an_entry_and_who_gets_around_that_is_found() {
    let database = database!();
    let store = database.open(Layout::Row);
    wait(store.commit(entries(&tenant("acme"), 1, 5), &Bindings::default())).expect("it commits");
    for text in [
        "UPDATE mainstay.audit SET who = 'bob' WHERE number = 3",
        "DELETE FROM mainstay.audit WHERE number = 3",
        "TRUNCATE mainstay.audit",
    ] {
        let refused = crate::fixture::postgres::run(&database.url(), &[text]);
        let refused = refused.expect_err("it is refused");
        assert!(refused.contains("append-only"), "{text}: {refused}");
    }
    assert_eq!(found(&database), one(5, 0, None));
    database.run(&["ALTER TABLE mainstay.audit DISABLE TRIGGER ALL"]);
    database.run(&["UPDATE mainstay.audit SET who = 'bob' WHERE number = 3"]);
    assert_eq!(found(&database), one(5, 0, Some(3)));
    database.run(&["DELETE FROM mainstay.audit WHERE number = 3"]);
    assert_eq!(found(&database), one(4, 0, Some(3)));
}

#[test]
fn a_database_of_an_older_build_gets_the_tables_by_itself() {
    let database = database!();
    drop(database.open(Layout::Row));
    database.run(&[
        "DROP TABLE mainstay.audit, mainstay.audit_chains",
        "UPDATE mainstay.meta SET value = '1:older' WHERE name = 'format'",
    ]);
    let store = database.open(Layout::Row);
    wait(store.commit(entries(&tenant("acme"), 1, 2), &Bindings::default())).expect("it commits");
    assert_eq!(found(&database), one(2, 0, None));
}

#[test]
fn trails_of_all_places_of_tenants_are_walked() {
    for layout in [Layout::Schema, Layout::File] {
        let database = database!();
        let store = database.open(layout);
        for (name, from) in [("acme", 1), ("other", 3)] {
            let set = entries(&tenant(name), from, from + 1);
            wait(store.commit(set, &Bindings::default())).expect("it commits");
        }
        wait(store.commit(entries(&None, 5, 5), &Bindings::default())).expect("it commits");
        let mut all = found(&database);
        all.sort();
        let short: Vec<_> = all.iter().map(|(name, entries, ..)| (&**name, *entries)).collect();
        assert_eq!(short, [("", 1), ("acme", 2), ("other", 2)], "{layout:?}");
        assert!(all.iter().all(|(.., broken)| broken.is_none()));
    }
}

#[test]
fn databases_of_tenants_that_nobody_uses_are_swept_some_at_a_time_until_all_were() {
    let database = database!();
    let store = database.open(Layout::File);
    let names: Vec<String> = (0..3).map(|number| format!("t{number}")).collect();
    for name in &names {
        wait(store.commit(entries(&tenant(name), 1, 3), &Bindings::default())).expect("it commits");
    }
    store.close();
    drop(store);
    let (domain, schema) = Database::model(Layout::File);
    let mut config = database.config(Layout::File);
    config.limits.audit_seconds_max = 1;
    config.limits.swept_databases_max = 2;
    let store = PostgresStore::open(config, domain, schema).expect("it opens");
    let removed = || {
        let all = found(&database);
        assert!(all.iter().all(|(.., broken)| broken.is_none()), "{all:?}");
        all.iter().filter(|(_, entries, removed, _)| (*entries, *removed) == (0, 3)).count()
    };
    for expected in [2, 3, 3] {
        let places = Arc::clone(&store.places);
        let runtime = places.home.server.runtime.clone();
        wait(runtime.spawn(async move { places.sweep_closed().await })).expect("it swept");
        assert_eq!(removed(), expected, "a sweep is bounded");
    }
}
