//! Files that are served go to a server while they change, and are equal there at the end.

use super::*;
use crate::adapters::sqlite::{DataDirectory, SqliteStore};
use crate::ports::store::{ChildChange, Unavailable};
use crate::ports::transfer::Plain;
use crate::transfer::{Follow, Followed};
use std::cell::Cell;

/// Files that a store serves, and the same to be read.
struct Served {
    store: SqliteStore,
    transfer: SqliteTransfer,
    layout: Layout,
}

fn served(place: &Place, layout: Layout) -> Served {
    let domain = Arc::new(domain(layout));
    let schema = Arc::new(schema(&domain, layout));
    // It cleans what a kill left, and goes again.
    drop(DataDirectory::open(place.path()).expect("it is free"));
    let config = config(place.path(), &domain, &schema, layout);
    let directory = Arc::clone(&config.directory);
    let store = SqliteStore::open(config.clone(), Arc::clone(&domain), Arc::clone(&schema));
    let transfer = SqliteTransfer::open(vec![config], directory, &domain, &schema);
    let (store, transfer) = (store.expect("it opens"), transfer.expect("it opens"));
    Served { store, transfer, layout }
}

impl Served {
    fn tenant(&self, name: &str) -> Tenant {
        (self.layout != Layout::NoTenants).then(|| Arc::from(name))
    }

    fn write(&self, tenant: &str, writes: Vec<Write>) {
        let set = WriteSet { tenant: self.tenant(tenant), writes, ..WriteSet::default() };
        wait(self.store.commit(set, &Bindings::default())).expect("it is written");
    }

    fn retitle(&self, id: u128, title: &str, version: i64) {
        let values = vec![Value::text(title), Value::Null];
        let record = Record { version: version + 1, ..row(id, values) };
        let children: Vec<(FieldId, ChildChange)> = Vec::new();
        let (resource, fields) = (AREA, vec![FieldId(0)]);
        let record = record.into();
        let update = Write::Update { resource, record, fields, expected: version, children };
        self.write("acme", vec![update]);
    }

    /// New rows, titles that go from one row to another, rows that go and take others along.
    fn change(&self, mark: u8) {
        let at = i64::from(mark - 10) * 2 + 1;
        self.retitle(5, "between", at);
        self.retitle(6, if mark.is_multiple_of(2) { "a5" } else { "a6" }, i64::from(mark - 10) + 1);
        self.retitle(5, if mark.is_multiple_of(2) { "a6" } else { "a5" }, at + 1);
        let new = u128::from(mark) * 10_000;
        let area = |id: u128| insert(AREA, row(id, vec![Value::text(format!("n{id}"))]));
        let area = |id: u128| match area(id) {
            Write::Insert { resource, record } => {
                let values = vec![Value::text(format!("n{id}")), Value::Null].into();
                let record = Record { values, ..Record::clone(&record) }.into();
                Write::Insert { resource, record }
            }
            other => other,
        };
        put(&self.store, &self.tenant("acme"), (new..new + 300).map(area).collect(), mark);
        let gone = |id: u128| Write::Delete { resource: AREA, id, expected: 1 };
        let first = u128::from(mark) * 20;
        self.write("acme", (first..first + 20).map(gone).collect());
        if mark == 10 {
            // Its parts go with it.
            self.write("acme", vec![Write::Delete { resource: THING, id: 10, expected: 1 }]);
            let count = Write::Count { resource: THING, id: 11, field: thing::HITS, by: -5 };
            self.write("acme", vec![count]);
        }
    }
}

fn follows(database: &Database, layout: Layout) -> PostgresTransfer {
    let domain = Arc::new(domain(layout));
    let schema = Arc::new(schema(&domain, layout));
    let opened = PostgresTransfer::open(vec![database.config(layout)], &domain, &schema);
    opened.expect("it opens").following()
}

fn rows_between_rounds(from: Layout, to: Layout) {
    let (Some(database), data) = (Database::new(), directory(from)) else { return };
    fill(&data);
    let Data::Directory(place, _) = &data else { return };
    let served = served(place, from);
    let target = follows(&database, to);
    let copied = Cell::new(0);
    let while_it_is_copied = |done: Followed| {
        if let Followed::Copied(rows) = done
            && copied.replace(rows) == 0
            && rows > 0
        {
            served.change(10);
        }
        Ok(())
    };
    let mut follow =
        Follow::begin(&served.transfer, &target, false, &while_it_is_copied).expect("it is copied");
    assert!(follow.round(&|_| Ok(())).expect("a round") > 300);
    follow.prove(&|_| Ok(())).expect("it is proven");
    served.change(11);
    if from != Layout::NoTenants {
        let record = row(7_000, vec![Value::text("new"), Value::Null]);
        served.write("newcomer", vec![insert(AREA, record)]);
    }
    assert!(follow.round(&|_| Ok(())).expect("a round") > 300);
    assert_eq!(follow.round(&|_| Ok(())).expect("a round"), 0, "nothing is told twice");
    if from != Layout::NoTenants {
        let record = row(7_001, vec![Value::text("newer"), Value::Null]);
        served.write("newcomer", vec![insert(AREA, record)]);
        assert_eq!(follow.round(&|_| Ok(())).expect("a round"), 1, "a file that was quiet");
    }
    served.change(12);
    served.store.close();
    let keys = SqliteKeys::open(place.path(), Arc::new(SystemClock)).expect("keys");
    assert_eq!(wait(keys.revoke("ms_1", NOW)), Ok(true), "it is written until the end");
    follow.seal().expect("it is sealed");
    let refused = wait(keys.revoke("ms_1", NOW));
    assert!(matches!(refused, Err(Unavailable::Broken(why)) if why.contains("being moved")));
    assert!(follow.round(&|_| Ok(())).expect("the last round") > 300);
    let proof = follow.proof();
    let here = sums(&served.transfer, &Scope::Whole, &|_| {}).expect("it is read");
    prove(&proof, &here).expect("the proof is that of the files");
    assert_eq!(count(&proof, "lab_parts"), 3, "those of one thing went with it");
    follow.finish().expect("it is served from now on");
    target.look_at_keys().expect("they are sound");
    drop(target);
    let unseen =
        "SELECT count(*)::text FROM pg_constraint WHERE contype = 'f' AND NOT convalidated";
    assert_eq!(database.run(&[unseen]), [[Some("0".to_owned())]]);
    let there = Data::Server(database, to);
    prove(&proof, &there.sums(&Scope::Whole)).expect("it is there");
    let mut goes = odd(11, false);
    goes.values[thing::HITS.index()] = Value::Int(i64::MAX - 5);
    let found = wait(there.store().get(
        &served.tenant("acme"),
        THING,
        &[10, 11],
        &[thing::PARTS],
        &Bindings::default(),
    ));
    assert_eq!(found.expect("it reads"), [goes]);
}

#[test]
fn files_are_followed_by_a_server_while_they_change() {
    rows_between_rounds(Layout::Row, Layout::Row);
    rows_between_rounds(Layout::File, Layout::Schema);
    rows_between_rounds(Layout::File, Layout::File);
}

#[test]
fn a_row_that_became_another_at_the_target_is_found() {
    let (Some(database), data) = (Database::new(), directory(Layout::Row)) else { return };
    fill(&data);
    let Data::Directory(place, _) = &data else { return };
    let served = served(place, Layout::Row);
    let target = follows(&database, Layout::Row);
    let begun = Follow::begin(&served.transfer, &target, false, &|_| Ok(()));
    let mut follow = begun.expect("it is copied");
    database.run(&[
        "SET mainstay.tenant = 'acme'",
        "UPDATE lab.areas SET title = 'wrong' WHERE title = 'a5'",
    ]);
    served.retitle(7, "other", 1);
    assert_eq!(follow.round(&|_| Ok(())), Ok(1));
    let refused = follow.prove(&|_| Ok(())).expect_err("the rows differ");
    assert!(refused.to_string().contains("lab_areas"), "{refused}");
}

#[test]
fn what_is_given_up_leaves_no_trace_and_can_be_begun_again() {
    let (Some(database), data) = (Database::new(), directory(Layout::File)) else { return };
    fill(&data);
    let Data::Directory(place, _) = &data else { return };
    let traces = || {
        let file = place.path().join("everything/acme.db");
        let link = rusqlite::Connection::open(file).expect("a file");
        let text = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'mainstay_moving%'";
        let count: i64 = link.query_row(text, [], |row| row.get(0)).expect("a row");
        (count > 0, place.path().join("_moving").exists())
    };
    {
        let served = served(place, Layout::File);
        let target = follows(&database, Layout::File);
        let stop = |_| Err(TransferError::failed("enough"));
        let refused = Follow::begin(&served.transfer, &target, false, &stop).err();
        assert_eq!(refused, Some(TransferError::failed("enough")));
        assert_eq!(traces(), (false, false), "given up");
        let begun = Follow::begin(&served.transfer, &target, false, &|_| Ok(()));
        let follow = begun.expect("what was broken off is begun again");
        assert_eq!(traces(), (true, true), "it goes on");
        // As a kill leaves it.
        std::mem::forget(follow);
    }
    assert_eq!(traces(), (true, true));
    let served = served(place, Layout::File);
    assert_eq!(traces(), (false, false), "whoever has the directory next cleans it");
    served.change(10);
    let target = follows(&database, Layout::File);
    let begun = Follow::begin(&served.transfer, &target, false, &|_| Ok(()));
    begun.expect("it is copied").finish().expect("it is there");
}

/// A round is broken off in the middle; another one makes up for it.
#[test]
fn a_round_that_is_broken_off_is_made_up_for_by_the_next() {
    let (Some(database), data) = (Database::new(), directory(Layout::Row)) else { return };
    fill(&data);
    let Data::Directory(place, _) = &data else { return };
    let served = served(place, Layout::Row);
    let target = follows(&database, Layout::Row);
    let begun = Follow::begin(&served.transfer, &target, false, &|_| Ok(()));
    let mut follow = begun.expect("it is copied");
    served.change(10);
    for most in 1..6 {
        let left = Cell::new(most);
        let stop = |_| match left.replace(left.get() - 1) {
            1 => Err(TransferError::failed("late")),
            _ => Ok(()),
        };
        assert_eq!(follow.round(&stop), Err(TransferError::failed("late")));
    }
    assert!(follow.round(&|_| Ok(())).expect("a round") > 300);
    follow.prove(&|_| Ok(())).expect("it is proven");
    served.store.close();
    let here = sums(&served.transfer, &Scope::Whole, &|_| {}).expect("it is read");
    prove(&follow.proof(), &here).expect("they are equal");
}

#[test]
fn a_sum_forgets_what_is_taken_from_it() {
    use crate::transfer::Sum;
    let line = |n: i64| crate::ports::transfer::Line { tenant: None, cells: vec![Plain::Int(n)] };
    let (mut sum, mut other) = (Sum::default(), Sum::default());
    (0..500).for_each(|n| sum.add(&line(n)));
    (0..499).for_each(|n| sum.take(&line(n)));
    other.add(&line(499));
    assert_eq!(sum, other);
    sum.take(&line(499));
    assert_eq!(sum, Sum::default());
}
