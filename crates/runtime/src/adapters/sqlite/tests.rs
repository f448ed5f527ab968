//! What the port's conformance suite cannot say: files, locks, groups, limits.

mod audit;
mod backups;
mod files;
mod groups;
mod keys;
mod kill;
mod migrations;

use crate::fixture::store::{Layout, Place, THING, shop_store, sqlite, thing};
use crate::fixture::{LINE, ORDER, PRODUCT, SALES_BY_DAY};
use crate::ports::conformance::{Opens, events_conformance, store_conformance};
use crate::ports::store::{Bindings, CommitError, ListQuery, Store, Tenant, Write, WriteSet};
use crate::record::Record;
use ir::domain::FieldId;
use ir::expr::{FieldRef, Implicit};
use ir::value::{Currency, Value};
use std::sync::Arc;

struct Sqlite(Place, Layout);

impl Opens for Sqlite {
    fn layout(&self) -> Layout {
        self.1
    }

    fn open(&self) -> Arc<dyn Store> {
        Arc::new(sqlite(self.0.path(), self.1))
    }
}

store_conformance!(without_tenants, Sqlite(Place::new(), Layout::NoTenants));
store_conformance!(tenants_in_a_column, Sqlite(Place::new(), Layout::Row));
store_conformance!(a_file_per_tenant, Sqlite(Place::new(), Layout::File));
events_conformance!(events_without_tenants, Sqlite(Place::new(), Layout::NoTenants));
events_conformance!(events_of_tenants_in_a_column, Sqlite(Place::new(), Layout::Row));
events_conformance!(events_of_a_file_per_tenant, Sqlite(Place::new(), Layout::File));

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

fn tenant(name: &str) -> Tenant {
    Some(Arc::from(name))
}

fn euro(units: i64) -> Value {
    Value::Money { units, currency: Currency(*b"EUR") }
}

fn record(id: u128, values: Vec<Value>) -> Record {
    Record {
        id,
        version: 1,
        created_at: 1_000,
        updated_at: 1_000,
        values: values.into_boxed_slice(),
        children: Vec::new(),
    }
}

fn thing_of(id: u128, name: &str) -> Record {
    let mut values = vec![Value::Null; thing::COUNT_OF];
    values[thing::CODE.index()] = Value::text(format!("code {id}"));
    values[thing::NAME.index()] = Value::text(name);
    values[thing::HITS.index()] = Value::Int(0);
    record(id, values)
}

fn insert(store: &dyn Store, of: &Tenant, record: Record) -> Result<(), CommitError> {
    let writes = vec![Write::Insert { resource: THING, record: record.into() }];
    let set = WriteSet { tenant: of.clone(), writes, ..WriteSet::default() };
    wait(store.commit(set, &Bindings::default()))
}

fn all(rows_max: u32) -> ListQuery<'static> {
    ListQuery {
        resource: THING,
        filter: Vec::new(),
        search: Vec::new(),
        sort: vec![(FieldRef::Implicit(Implicit::Id), false)],
        after: None,
        rows_max,
        children: &[],
    }
}

fn names(store: &dyn Store, of: &Tenant) -> Vec<String> {
    let rows = wait(store.list(of, &all(10_000), &Bindings::default())).expect("it lists");
    let name = |row: &Record| row.value(thing::NAME).as_text().unwrap_or_default().to_owned();
    rows.iter().map(name).collect()
}

#[test]
fn rows_of_a_view_are_written_and_listed_as_those_of_a_resource() {
    let place = Place::new();
    let store = shop_store(place.path());
    let day = |id, day, currency: &str, orders, units| {
        let currency = Currency(currency.as_bytes().try_into().expect("three letters"));
        let money = |units| Value::Money { units, currency };
        let spread = [money(units - 1), money(units), money(1)];
        let key = [Value::Date(day), Value::text(currency.as_str())];
        let values = key.into_iter().chain([Value::Int(orders), money(units)]);
        record(id, values.chain(spread).collect())
    };
    let commit = |of: &str, writes: Vec<Write>| {
        let set = WriteSet { tenant: tenant(of), writes, ..WriteSet::default() };
        wait(store.commit(set, &Bindings::default()))
    };
    let write = |record: Record| Write::Insert { resource: SALES_BY_DAY, record: record.into() };
    let (first, second) = (day(1, 20_000, "EUR", 2, 70_000), day(2, 20_001, "CHF", 1, 30_000));
    commit("acme", vec![write(first.clone()), write(second.clone())]).expect("it commits");
    commit("other", vec![write(day(3, 20_000, "EUR", 9, 90_000))]).expect("it commits");
    let twice = commit("acme", vec![write(day(4, 20_000, "EUR", 1, 1))]);
    assert!(twice.is_err(), "one row for a day and a currency");

    let by_day = |down| ListQuery {
        resource: SALES_BY_DAY,
        sort: vec![(FieldRef::Field(FieldId(0)), down), (FieldRef::Implicit(Implicit::Id), down)],
        ..all(10)
    };
    let listed = |down| {
        wait(store.list(&tenant("acme"), &by_day(down), &Bindings::default())).expect("it lists")
    };
    assert_eq!(listed(false), [first.clone(), second.clone()]);
    assert_eq!(listed(true), [second.clone(), first]);
    let found = wait(store.get(&tenant("acme"), SALES_BY_DAY, &[2], &[], &Bindings::default()));
    assert_eq!(found.expect("it reads"), [second]);
}

#[test]
fn an_order_is_written_and_read_with_its_lines() {
    let place = Place::new();
    let store = shop_store(place.path());
    let bindings = Bindings { now: 1_000, ..Bindings::default() };
    let acme = tenant("acme");
    let line = |id, quantity| {
        let amount = euro(quantity * 20_000);
        record(id, vec![Value::Uuid(9), euro(20_000), Value::Int(quantity), amount])
    };
    let text = |text: &str| Value::text(text);
    let mut order =
        record(7, vec![text("alice"), Value::Null, euro(60_000), Value::Null, text("draft")]);
    let lines = [line(2, 1), line(1, 2)].map(|line| Record { version: 0, ..line });
    order.children = vec![(FieldId(1), lines.to_vec())];
    let mut set = WriteSet { tenant: acme.clone(), ..WriteSet::default() };
    set.writes.push(Write::Insert { resource: ORDER, record: order.clone().into() });
    wait(store.commit(set, &bindings)).expect("it commits");
    let found = wait(store.get(&acme, ORDER, &[7, 8], &[FieldId(1)], &bindings)).expect("it reads");
    assert_eq!(found, [order]);
    assert_eq!((PRODUCT.0, LINE.0), (0, 2));
}
