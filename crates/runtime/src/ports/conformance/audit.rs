//! The audit trail: in the transaction of the change, chained, apart by tenant.

use super::*;
use crate::ports::audit::{Entry, Kept, Query, hash};

fn entry(id: u128, who: &str, resource: &str) -> Entry {
    Entry {
        id,
        shared: false,
        time: NOW + i64::try_from(id).unwrap_or(0),
        who: who.to_owned(),
        operation: "updateThing".to_owned(),
        resource: resource.to_owned(),
        row: Some(id % 3),
        body: format!("{{\"é\":\"{id}\"}}"),
        write: None,
    }
}

fn set(tenant: &Tenant, writes: Vec<Write>, audit: Vec<Entry>) -> WriteSet {
    WriteSet { tenant: tenant.clone(), writes, audit, ..WriteSet::default() }
}

fn append(bench: &Bench, tenant: &Tenant, audit: Vec<Entry>) {
    let done = bench.wait(bench.store().commit(set(tenant, Vec::new(), audit), &bindings()));
    assert_eq!(done, Ok(()));
}

fn query() -> Query {
    let resources = vec!["lab.Thing".to_owned(), "lab.Unit".to_owned()];
    Query { resources, rows_max: 100, ..Query::default() }
}

fn read(bench: &Bench, tenant: &Tenant, query: &Query) -> Vec<Kept> {
    bench.wait(bench.store().audit(tenant, query, &bindings())).expect("it reads")
}

fn ids(page: &[Kept]) -> Vec<u128> {
    page.iter().map(|kept| kept.entry.id).collect()
}

/// Every entry follows the one before, from the first.
fn assert_whole(tenant: &Tenant, mut page: Vec<Kept>, entries: usize) {
    page.sort_by_key(|kept| kept.number);
    assert_eq!(page.len(), entries);
    let mut previous = crate::ports::audit::GENESIS;
    for (at, kept) in page.iter().enumerate() {
        assert_eq!(kept.number, i64::try_from(at).unwrap() + 1);
        assert_eq!(kept.previous, previous, "number {}", kept.number);
        let name = tenant.as_deref().unwrap_or_default();
        assert_eq!(kept.hash, hash(&previous, name, kept.number, &kept.entry), "{kept:?}");
        previous = kept.hash;
    }
}

pub(crate) fn an_entry_is_there_with_its_change_and_without_it_is_not(bench: &Bench) {
    let tenant = bench.tenant();
    let insert = |id| Write::Insert { resource: THING, record: thing_with(id, &[]).into() };
    let good = set(&tenant, vec![insert(1)], vec![entry(1, "alice", "lab.Thing")]);
    assert_eq!(bench.wait(bench.store().commit(good, &bindings())), Ok(()));
    let both = vec![insert(2), delete(THING, 99, 1)];
    let bad = set(&tenant, both, vec![entry(2, "alice", "lab.Thing")]);
    let refused = bench.wait(bench.store().commit(bad, &bindings()));
    assert_eq!(refused, Err(CommitError::Conflict { write: 1 }));
    let page = read(bench, &tenant, &query());
    assert_eq!(ids(&page), [1]);
    assert_eq!(page[0].entry, entry(1, "alice", "lab.Thing"));
    bench.restart();
    append(bench, &tenant, vec![entry(3, "bob", "lab.Thing")]);
    assert_whole(&tenant, read(bench, &tenant, &query()), 2);
}

pub(crate) fn many_writers_make_one_chain(bench: &Bench) {
    let tenant = bench.tenant();
    let store = bench.store();
    bench.wait(async {
        let writers = (0..8_u128).map(|writer| {
            let (store, tenant) = (Arc::clone(&store), tenant.clone());
            tokio::spawn(async move {
                for n in 0..10 {
                    let id = 1 + writer * 100 + n * 2;
                    let insert =
                        |id| Write::Insert { resource: THING, record: thing_with(id, &[]).into() };
                    let entries =
                        vec![entry(id, "alice", "lab.Thing"), entry(id + 1, "bob", "lab.Thing")];
                    let set = set(&tenant, vec![insert(id)], entries);
                    assert_eq!(store.commit(set, &bindings()).await, Ok(()));
                }
            })
        });
        for done in futures::future::join_all(writers.collect::<Vec<_>>()).await {
            done.expect("it writes");
        }
    });
    let all = Query { rows_max: 1_000, ..query() };
    assert_whole(&tenant, read(bench, &tenant, &all), 160);
}

pub(crate) fn a_trail_is_read_in_pages_and_by_what_is_asked(bench: &Bench) {
    let tenant = bench.tenant();
    let all: Vec<Entry> = (1..=9)
        .map(|id| match id {
            4 => entry(id, "bob", "lab.Area"),
            _ if id % 2 == 0 => entry(id, "bob", "lab.Thing"),
            _ => entry(id, "alice", "lab.Thing"),
        })
        .collect();
    append(bench, &tenant, all);
    let of = |query: Query| ids(&read(bench, &tenant, &query));
    assert_eq!(of(Query { rows_max: 3, ..query() }), [9, 8, 7]);
    assert_eq!(of(Query { before: Some(7), rows_max: 3, ..query() }), [6, 5, 3]);
    assert_eq!(of(Query { who: Some("bob".to_owned()), ..query() }), [8, 6, 2]);
    assert_eq!(of(Query { row: Some(1), ..query() }), [7, 1]);
    assert_eq!(of(Query { operation: Some("none".to_owned()), ..query() }), [0; 0]);
    assert_eq!(of(Query { since: Some(NOW + 3), until: Some(NOW + 7), ..query() }), [6, 5, 3]);
    assert_eq!(of(Query { resources: vec!["lab.Area".to_owned()], ..query() }), [4]);
    assert_eq!(of(Query { resources: Vec::new(), ..query() }), [0; 0]);
}

pub(crate) fn trails_of_tenants_never_meet(bench: &Bench) {
    if bench.layout() == Layout::NoTenants {
        return;
    }
    let (acme, other) = (bench.named("acme"), bench.named("other"));
    append(bench, &acme, vec![entry(1, "alice", "lab.Thing")]);
    append(bench, &other, vec![entry(2, "bob", "lab.Thing"), entry(3, "bob", "lab.Thing")]);
    let unit = Write::Insert { resource: UNIT, record: unit(7).into() };
    let shared = Entry { shared: true, ..entry(4, "carol", "lab.Unit") };
    let done = bench.wait(bench.store().commit(set(&acme, vec![unit], vec![shared]), &bindings()));
    assert_eq!(done, Ok(()));
    assert_eq!(ids(&read(bench, &acme, &query())), [1]);
    assert_eq!(ids(&read(bench, &other, &query())), [3, 2]);
    assert_eq!(ids(&read(bench, &None, &query())), [4]);
    for (tenant, entries) in [(acme, 1), (other, 2), (None, 1)] {
        assert_whole(&tenant, read(bench, &tenant, &query()), entries);
    }
}
