//! Rows go from every store and layout to every other, and are the same there.

use crate::adapters::postgres::PostgresTransfer;
use crate::adapters::sqlite::{SqliteKeys, SqliteTransfer};
use crate::fixture::postgres::Database;
use crate::fixture::store::{
    self, AREA, Layout, Place, THING, UNIT, config, domain, part, schema, sqlite, thing,
};
use crate::ports::audit::Entry;
use crate::ports::clock::SystemClock;
use crate::ports::events::{
    Attempt, Consumed, Held, HeldQuery, Part, Projected, Settled, Span, State,
};
use crate::ports::keys::{KeyStore, StoredKey};
use crate::ports::store::{
    About, Bindings, CommitError, OutboxRow, Store, StoredAnswer, Tenant, Write, WriteSet,
};
use crate::ports::transfer::{SYSTEM, Scope, Transfer, TransferError};
use crate::record::Record;
use crate::transfer::{Counted, copy, prove, sums};
use ir::domain::{FieldId, ResourceId};
use ir::value::{Currency, Value};
use std::sync::Arc;

mod backups;
mod following;
mod half;

const NOW: i64 = 1_790_000_000_000_000;

/// A place of data that is of one kind.
enum Data {
    Directory(Place, Layout),
    Server(Database, Layout),
}

impl Data {
    fn layout(&self) -> Layout {
        match self {
            Self::Directory(_, layout) | Self::Server(_, layout) => *layout,
        }
    }

    fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Directory(place, layout) => Arc::new(sqlite(place.path(), *layout)),
            Self::Server(database, layout) => Arc::new(database.open(*layout)),
        }
    }

    fn transfer(&self) -> Box<dyn Transfer> {
        let layout = self.layout();
        let domain = Arc::new(domain(layout));
        let schema = Arc::new(schema(&domain, layout));
        match self {
            Self::Directory(place, _) => {
                let config = config(place.path(), &domain, &schema, layout);
                let directory = Arc::clone(&config.directory);
                let opened = SqliteTransfer::open(vec![config], directory, &domain, &schema);
                Box::new(opened.expect("it opens"))
            }
            Self::Server(database, _) => {
                let opened =
                    PostgresTransfer::open(vec![database.config(layout)], &domain, &schema);
                Box::new(opened.expect("it opens"))
            }
        }
    }

    fn sums(&self, scope: &Scope) -> Vec<Counted> {
        sums(&*self.transfer(), scope, &|_| {}).expect("it is read")
    }
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

fn directory(layout: Layout) -> Data {
    Data::Directory(Place::new(), layout)
}

fn row(id: u128, values: Vec<Value>) -> Record {
    let values = values.into_boxed_slice();
    Record { id, version: 1, created_at: NOW, updated_at: NOW, values, children: Vec::new() }
}

/// A thing with a value of every kind at the edge of what it may be, or with none.
fn odd(id: u128, full: bool) -> Record {
    let mut values = vec![Value::Null; thing::COUNT_OF];
    let mut set = |field: FieldId, value: Value| values[field.index()] = value;
    set(thing::CODE, Value::text(format!("code {id}")));
    set(thing::HITS, Value::Int(i64::MAX));
    if full {
        let euro = Currency(*b"EUR");
        set(thing::NAME, Value::text("\u{1}\u{10ffff} ß\r\n\"'\\ 日本 e\u{301}"));
        set(thing::PRICE, Value::Money { units: i64::MIN, currency: euro });
        set(thing::COUNT, Value::Int(i64::MIN));
        set(thing::WEIGHT, Value::Decimal { units: -1, scale: 3 });
        set(thing::RATIO, Value::Decimal { units: i64::from(i32::MAX), scale: 1 });
        set(thing::ACTIVE, Value::Bool(false));
        set(thing::DAY, Value::Date(-719_162));
        set(thing::TIME, Value::Time(86_399_999_999));
        set(thing::SEEN, Value::Timestamp(253_402_300_799_999_999));
        set(thing::SPAN, Value::Timespan { start: -1, end: 1 });
        set(thing::WAIT, Value::Duration(i64::MIN));
        set(thing::KEY, Value::Uuid(u128::MAX));
        set(thing::EXTRA, Value::Json("{ \"b\" : 1.50,\"a\":[null]}".into()));
        set(thing::TAGS, Value::List(vec![Value::text(""), Value::text("\u{7f}")]));
        set(thing::NUMBERS, Value::List(vec![Value::Int(i64::MAX), Value::Int(i64::MIN)]));
        set(thing::KEYS, Value::List(vec![Value::Uuid(0)]));
        set(thing::STATUS, Value::text("closed"));
        set(thing::OWNER, Value::text("https://issuer.example|ällice"));
        set(thing::LABEL, Value::text(""));
        set(thing::AREA, Value::Uuid(1));
        set(thing::UNIT, Value::Uuid(900));
    }
    let part = |number: u128| {
        let mut values = vec![Value::Null; 4];
        values[part::KIND.index()] = Value::text(format!("part {number}"));
        Record { version: 0, ..row(id * 1_000 + number, values) }
    };
    let parts = if full { (1..4).map(part).collect() } else { Vec::new() };
    Record { children: vec![(thing::PARTS, parts)], ..row(id, values) }
}

fn put(store: &dyn Store, tenant: &Tenant, writes: Vec<Write>, mark: u8) {
    let answer = StoredAnswer {
        scope: [mark; 32],
        fingerprint: [7; 32],
        status: 201,
        headers: vec![("location".to_owned(), "/v1/things/1".to_owned())],
        body: vec![0, 255, mark],
        expires: NOW + 1,
    };
    let event = |number: u8| OutboxRow {
        id: u128::from(mark) * 100 + u128::from(number),
        event: "thing.made".to_owned(),
        version: u32::from(number),
        about: About::Row(THING),
        row: 1,
        time: NOW,
        data: "{\"a\": 1.0}".to_owned(),
        trace: (number == 1).then(|| "00-1-2-03".to_owned()),
    };
    let outbox = vec![event(2), event(1)];
    let entry = Entry {
        id: u128::from(mark) * 100 + 99,
        shared: false,
        time: NOW,
        who: "alice".to_owned(),
        operation: "createThing".to_owned(),
        resource: "lab.Thing".to_owned(),
        row: None,
        body: "{\"a\":1}".to_owned(),
        write: None,
    };
    let consumed = Consumed { consumer: "lab".into(), event: u128::from(mark) * 100, now: NOW };
    let (consumed, audit) = (Some(consumed), vec![entry]);
    let (of, answer) = (tenant.clone(), Some(answer));
    let set =
        WriteSet { tenant: of, writes, answer, outbox, audit, consumed, ..WriteSet::default() };
    wait(store.commit(set, &Bindings::default())).expect("it is written");
}

/// A part that has settled the first event of a place and holds it, and a view that is as far.
fn consume(store: &dyn Store, tenant: &Tenant, place: &Tenant, number: u32) {
    let port = store.eventing().expect("it has events");
    let events = wait(port.after(place, 0, 99, usize::MAX)).expect("it reads");
    let first = events.into_iter().find(|event| event.tenant == *tenant).expect("it is there");
    let part = Part { consumer: "lab".into(), source: SOURCE.into(), number };
    let span = Span { now: NOW, until: NOW + 1, from: 0 };
    let claim = wait(port.claim(place, &part, "one", span)).expect("it is free");
    let position = first.position;
    let held = Held {
        part,
        event: first,
        state: State::Dead,
        attempts: 3,
        due: NOW,
        since: NOW,
        errors: vec![Attempt { at: NOW, problem: "odd".to_owned(), detail: String::new() }],
        edited: true,
    };
    let settled = Settled { held: vec![held], position, until: NOW + 2 };
    assert_eq!(wait(port.settle(place, &claim, &settled)), Ok(true));
    let (consumer, source) = (VIEW.into(), SOURCE.into());
    let projected = Some(Projected { consumer, source, expected: 0, position });
    let set = WriteSet { tenant: tenant.clone(), projected, ..WriteSet::default() };
    wait(store.commit(set, &Bindings::default())).expect("it is written");
}

const SOURCE: &str = "everything";
const VIEW: &str = "view lab.Things";

fn insert(resource: ResourceId, record: Record) -> Write {
    Write::Insert { resource, record: record.into() }
}

/// Rows of two tenants and of all, more than a batch of one kind.
fn fill(data: &Data) {
    let store = data.store();
    let area = |id: u128| insert(AREA, row(id, vec![Value::text(format!("a{id}")), Value::Null]));
    let tenants: &[&str] =
        if data.layout() == Layout::NoTenants { &["none"] } else { &["acme", "bluebird"] };
    for (at, name) in tenants.iter().enumerate() {
        let tenant = (data.layout() != Layout::NoTenants).then(|| Arc::from(*name));
        if at == 0 {
            let unit = insert(UNIT, row(900, vec![Value::text("m")]));
            let set =
                WriteSet { tenant: tenant.clone(), writes: vec![unit], ..WriteSet::default() };
            wait(store.commit(set, &Bindings::default())).expect("it is written");
        }
        let mark = u8::try_from(at).expect("few") + 1;
        let mut writes: Vec<Write> = (1..600).map(area).collect();
        writes.push(insert(THING, odd(10, true)));
        writes.push(insert(THING, odd(11, false)));
        put(&*store, &tenant, writes, mark);
        let place = tenant.clone().filter(|_| data.layout() == Layout::File);
        consume(&*store, &tenant, &place, mark.into());
    }
    if let Data::Directory(place, _) = data {
        let keys = SqliteKeys::open(place.path(), Arc::new(SystemClock)).expect("keys");
        let key = StoredKey {
            prefix: "ms_1".to_owned(),
            hash: [9; 32],
            actor: "partner".to_owned(),
            roles: vec!["reader".to_owned()],
            tenant: Some("acme".to_owned()),
            subject: "partner:1".to_owned(),
            label: "nightly".to_owned(),
            created: NOW,
            expires: None,
            revoked: Some(NOW + 1),
            used: None,
        };
        wait(keys.create(key)).expect("a key");
        std::fs::write(place.path().join("cursor.key"), [3; 32]).expect("a cursor key");
    }
}

fn count(sums: &[Counted], table: &str) -> u64 {
    sums.iter().find(|one| one.table == table).map_or(0, |one| one.sum.rows)
}

/// All of a place goes to another and is the same there, to a store that serves it.
fn goes(from: &Data, to: &Data) -> Vec<Counted> {
    let proof = {
        let (from, to) = (from.transfer(), to.transfer());
        copy(&*from, &*to, &Scope::Whole, false, &|_| {}).expect("it goes")
    };
    prove(&proof, &from.sums(&Scope::Whole)).expect("nothing changed meanwhile");
    prove(&proof, &to.sums(&Scope::Whole)).expect("the rows are equal");
    let tenant: Tenant = (to.layout() != Layout::NoTenants).then(|| Arc::from("acme"));
    let store = to.store();
    let children = [thing::PARTS];
    let bindings = Bindings::default();
    let found = wait(store.get(&tenant, THING, &[10], &children, &bindings)).expect("it reads");
    assert_eq!(found, [odd(10, true)]);
    let answer = wait(store.answer(&tenant, &[1; 32], NOW)).expect("it reads");
    assert_eq!(answer.map(|answer| answer.body), Some(vec![0, 255, 1]));
    stands(&*store, &tenant, to.layout());
    proof
}

/// What was consumed stays so, and positions are those of the same events.
fn stands(store: &dyn Store, tenant: &Tenant, layout: Layout) {
    let port = store.eventing().expect("it has events");
    let place = tenant.clone().filter(|_| layout == Layout::File);
    let consumed = Some(Consumed { consumer: "lab".into(), event: 100, now: NOW });
    let again = WriteSet { tenant: tenant.clone(), consumed, ..WriteSet::default() };
    let refused = wait(store.commit(again, &Bindings::default()));
    assert_eq!(refused, Err(CommitError::Consumed));
    let events = wait(port.after(&place, 0, 99, usize::MAX)).expect("it reads");
    let first = events.iter().find(|event| event.tenant == *tenant).expect("it is there");
    let reached = wait(port.reached(tenant, VIEW, SOURCE)).expect("it reads");
    assert_eq!(reached, first.position);
    let query = HeldQuery { tenant: Some(tenant.clone()), rows_max: 9, ..HeldQuery::default() };
    let held = wait(port.held(&place, &query)).expect("it reads");
    let [held] = held.as_slice() else { panic!("one: {held:?}") };
    assert_eq!(held.event, *first);
}

#[test]
fn rows_go_from_every_layout_of_files_to_every_layout_of_a_server_and_back() {
    for files in [Layout::Row, Layout::File] {
        for server in [Layout::Row, Layout::Schema, Layout::File] {
            let (Some(database), from) = (Database::new(), directory(files)) else { return };
            fill(&from);
            let there = Data::Server(database, server);
            let proof = goes(&from, &there);
            assert_eq!(count(&proof, "lab_areas"), 2 * 599);
            assert_eq!(count(&proof, "lab_parts"), 6);
            assert_eq!(count(&proof, "lab_units"), 1);
            assert_eq!(count(&proof, "mainstay_outbox"), 4);
            assert_eq!(count(&proof, "mainstay_idempotency"), 2);
            assert_eq!(count(&proof, "mainstay_api_keys"), 1);
            let back = directory(files);
            goes(&there, &back);
            let Data::Directory(place, _) = &back else { return };
            let key = std::fs::read(place.path().join("cursor.key")).expect("it came back");
            assert_eq!(key, [3; 32]);
        }
    }
}

#[test]
fn rows_go_from_every_layout_of_a_server_to_every_other() {
    let layouts = [Layout::Row, Layout::Schema, Layout::File];
    for from in layouts {
        for to in layouts.into_iter().filter(|to| *to != from) {
            let (Some(one), Some(other)) = (Database::new(), Database::new()) else { return };
            let here = Data::Server(one, from);
            fill(&here);
            goes(&here, &Data::Server(other, to));
        }
    }
}

#[test]
fn rows_go_between_files_of_every_layout() {
    for (from, to) in [(Layout::Row, Layout::File), (Layout::File, Layout::Row)] {
        let here = directory(from);
        fill(&here);
        let there = directory(to);
        goes(&here, &there);
    }
    let here = directory(Layout::NoTenants);
    fill(&here);
    goes(&here, &directory(Layout::NoTenants));
}

#[test]
fn events_keep_their_order() {
    let (from, to) = (directory(Layout::File), directory(Layout::Row));
    fill(&from);
    goes(&from, &to);
    let Data::Directory(place, _) = &to else { return };
    let link = rusqlite::Connection::open(place.path().join("everything.db")).expect("a file");
    let text = "SELECT group_concat(hex(substr(id, 16, 1)), ' ') FROM (SELECT id FROM \
                mainstay_outbox WHERE tenant = 'acme' ORDER BY position)";
    let order: String = link.query_row(text, [], |row| row.get(0)).expect("rows");
    assert_eq!(order, "66 65");
}

/// A tenant's database that whoever made it did not live to fill.
fn begun(name: &str, of: &Database) {
    let there = format!("SELECT 1 FROM pg_database WHERE datname = '{name}'");
    if of.administer(&[&there]).is_empty() {
        of.administer(&[&format!("CREATE DATABASE \"{name}\" TEMPLATE template0")]);
    }
}

#[test]
fn one_tenant_goes_alone_and_nobody_else_is_touched() {
    for (from, to) in [(Layout::Row, Layout::Schema), (Layout::File, Layout::File)] {
        let (Some(database), here) = (Database::new(), directory(from)) else { return };
        fill(&here);
        if to == Layout::File {
            begun(&format!("{}_bluebird", database.name()), &database);
        }
        let there = Data::Server(database, to);
        {
            let unit = insert(UNIT, row(900, vec![Value::text("m")]));
            let set = WriteSet {
                tenant: Some(Arc::from("acme")),
                writes: vec![unit],
                ..WriteSet::default()
            };
            wait(there.store().commit(set, &Bindings::default())).expect("it is written");
        }
        let scope = Scope::Tenant(Arc::from("bluebird"));
        let proof = {
            let (from, to) = (here.transfer(), there.transfer());
            copy(&*from, &*to, &scope, false, &|_| {}).expect("it goes")
        };
        assert_eq!(count(&proof, "lab_things"), 2);
        assert_eq!(count(&proof, "mainstay_outbox"), 2);
        assert_eq!(count(&proof, "mainstay_idempotency"), 1);
        assert_eq!(count(&proof, "mainstay_audit"), 1);
        assert_eq!(count(&proof, "mainstay_audit_chains"), 1);
        assert_eq!(count(&proof, "lab_units"), 0);
        prove(&proof, &there.sums(&scope)).expect("the rows are equal");
        let again = {
            let (from, to) = (here.transfer(), there.transfer());
            copy(&*from, &*to, &scope, false, &|_| {})
        };
        assert!(matches!(again, Err(TransferError::NotEmpty(_))), "{again:?}");
        let (from, to) = (here.transfer(), there.transfer());
        copy(&*from, &*to, &scope, true, &|_| {}).expect("it is replaced");
        assert_eq!(to.tenants().expect("tenants"), [Arc::from("bluebird")]);
        to.erase("bluebird").expect("it goes");
        assert_eq!(to.tenants().expect("tenants"), Vec::<Arc<str>>::new());
        drop(to);
        assert_eq!(there.sums(&scope), []);
        assert_eq!(count(&there.sums(&Scope::Whole), "lab_units"), 1, "what is shared stays");
    }
}

#[test]
fn an_erased_tenant_leaves_no_byte_in_any_file() {
    for layout in [Layout::Row, Layout::File] {
        let data = directory(layout);
        {
            let store = data.store();
            let tenant = Some(Arc::from("acme"));
            let mut record = odd(10, false);
            record.values[thing::NAME.index()] = Value::text("canary-of-acme ".repeat(500));
            put(&*store, &tenant, vec![insert(THING, record)], 1);
            put(&*store, &Some(Arc::from("bluebird")), vec![insert(THING, odd(10, false))], 2);
        }
        let Data::Directory(place, _) = &data else { return };
        assert!(store::bytes_below(place.path(), b"canary-of-acme"), "it is there before");
        data.transfer().erase("acme").expect("it goes");
        assert!(!store::bytes_below(place.path(), b"canary-of-acme"));
        let left = data.sums(&Scope::Whole);
        assert_eq!(count(&left, "lab_things"), 1, "another tenant's stays");
        assert_eq!(count(&left, "mainstay_idempotency"), 1);
        assert_eq!(count(&left, "mainstay_outbox"), 2);
        assert_eq!(count(&left, "mainstay_audit"), 1);
    }
}

/// The list of Mainstay's own tables has every table and column that the stores make, but for
/// those of one place alone.
#[test]
fn every_system_table_travels() {
    let Some(database) = Database::new() else { return };
    database.open(Layout::NoTenants);
    let text = "SELECT table_name::text, column_name::text FROM information_schema.columns \
                WHERE table_schema = 'mainstay' ORDER BY 1, 2";
    for found in database.run(&[text]) {
        let [Some(table), Some(column)] = found.as_slice() else { panic!("two names") };
        let name = format!("mainstay_{table}");
        let known = SYSTEM.iter().find(|one| one.name == name);
        let travels = known.is_some_and(|one| {
            one.columns.iter().any(|known| known.name == column)
                || one.tenant == Some(column.as_str())
                || (one.counted && (one.key == column || column == "number"))
                || (table == "consumers" && column == "moved")
        });
        assert!(travels, "`{table}.{column}` does not travel: add it to `SYSTEM`");
    }
}
