//! What the port's conformance suite cannot say: servers, roles, connections.

mod audit;
mod events;
mod failures;
mod migrations;
mod opening;
mod tenants;
mod threads;

use crate::adapters::postgres::{PostgresConfig, PostgresStore};
use crate::fixture::postgres::Database;
use crate::fixture::store::{Layout, THING, thing};
use crate::ports::conformance::{Opens, events_conformance, store_conformance};
use crate::ports::store::{Bindings, CommitError, ListQuery, Store, Tenant, Write, WriteSet};
use crate::record::Record;
use ir::expr::{FieldRef, Implicit};
use ir::value::Value;
use std::sync::Arc;

struct Postgres(Database, Layout);

impl Opens for Postgres {
    fn layout(&self) -> Layout {
        self.1
    }

    fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.0.open(self.1))
    }
}

/// A server without what exclusion constraints need.
struct Looking(Database);

impl Opens for Looking {
    fn layout(&self) -> Layout {
        Layout::Row
    }

    fn open(&self) -> Arc<dyn Store> {
        let (domain, schema) = Database::model(Layout::Row);
        let mut config = PostgresConfig { looks_for_overlaps: true, ..self.0.config(Layout::Row) };
        // Many may wait for one another, on whatever machine.
        config.limits.write_wait_ms_max = 60_000;
        Arc::new(PostgresStore::open(config, domain, schema).expect("it opens"))
    }
}

/// A new database, or the end of the test where there is no server.
macro_rules! database {
    () => {
        match Database::new() {
            Some(database) => database,
            None => return,
        }
    };
}
use database;

events_conformance!(events_without_tenants, Postgres(database!(), Layout::NoTenants));
events_conformance!(events_of_tenants_in_a_column, Postgres(database!(), Layout::Row));
events_conformance!(events_of_a_schema_per_tenant, Postgres(database!(), Layout::Schema));
events_conformance!(events_of_a_database_per_tenant, Postgres(database!(), Layout::File));
store_conformance!(without_tenants, Postgres(database!(), Layout::NoTenants));
store_conformance!(tenants_in_a_column, Postgres(database!(), Layout::Row));
store_conformance!(a_schema_per_tenant, Postgres(database!(), Layout::Schema));
store_conformance!(a_database_per_tenant, Postgres(database!(), Layout::File));

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

/// Ends the sleep of whoever sleeps in a database.
fn wake(database: &Database) {
    let text = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep' \
                AND datname = current_database()";
    until(|| !database.run(&[text]).is_empty());
}

/// Waits until something holds, half a minute at most.
#[track_caller]
fn until(holds: impl Fn() -> bool) {
    for _ in 0..1_500 {
        if holds() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("it never held");
}

fn tenant(name: &str) -> Tenant {
    Some(Arc::from(name))
}

fn thing_of(id: u128, name: &str) -> Record {
    let mut values = vec![Value::Null; thing::COUNT_OF];
    values[thing::CODE.index()] = Value::text(format!("code {id}"));
    values[thing::NAME.index()] = Value::text(name);
    values[thing::HITS.index()] = Value::Int(0);
    let values = values.into_boxed_slice();
    let children = vec![(thing::PARTS, Vec::new())];
    Record { id, version: 1, created_at: 1_000, updated_at: 1_000, values, children }
}

fn set(of: &Tenant, writes: Vec<Write>) -> WriteSet {
    WriteSet { tenant: of.clone(), writes, ..WriteSet::default() }
}

async fn insert(store: &dyn Store, of: &Tenant, record: Record) -> Result<(), CommitError> {
    let writes = vec![Write::Insert { resource: THING, record: record.into() }];
    store.commit(set(of, writes), &Bindings::default()).await
}

fn all() -> ListQuery<'static> {
    ListQuery {
        resource: THING,
        filter: Vec::new(),
        search: Vec::new(),
        sort: vec![(FieldRef::Implicit(Implicit::Id), false)],
        after: None,
        rows_max: 10_000,
        children: &[],
    }
}

async fn names(store: &dyn Store, of: &Tenant) -> Vec<String> {
    let rows = store.list(of, &all(), &Bindings::default()).await.expect("it lists");
    let name = |row: &Record| row.value(thing::NAME).as_text().unwrap_or_default().to_owned();
    rows.iter().map(name).collect()
}
