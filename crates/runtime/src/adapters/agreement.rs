//! A filter and an evaluation never differ, on any store: random well-typed conditions over random
//! rows.

use crate::fixture::store::{AREA, Layout, Place, THING, part, sqlite, thing};
use crate::ports::store::{Bindings, ListQuery, Store, Write, WriteSet};
use crate::record::Record;
use ir::domain::FieldId;
use ir::expr::{Expr, FieldRef, Implicit};
use ir::value::{Currency, Value};
use kernel::expr::{Fault, Scope, holds};
use proptest::prelude::*;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

mod conditions;

const NOW: i64 = 1_790_000_000_000_000;
const DAY: i64 = 86_400_000_000;

/// Choices made from bytes, so that what fails can shrink.
struct Choices<'b> {
    bytes: &'b [u8],
}

impl Choices<'_> {
    fn below(&mut self, n: usize) -> usize {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        usize::from(*first) % n
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    fn whole(&mut self) -> i64 {
        self.one(&[0, 1, -1, 2, 3, -7, 10, 99, 1_000, 12_345, i64::MAX, i64::MIN, i64::MAX / 3])
    }

    fn text(&mut self) -> Value {
        Value::text(self.one(&[
            "",
            "a",
            "A",
            "ab",
            "Ab",
            "é",
            "ß",
            "alice",
            "日本",
            "\u{10ffff}",
            "a%b",
        ]))
    }

    fn date(&mut self) -> Value {
        Value::Date(self.one(&[0, -1, 1, 20_000, 20_717, -719_162, 2_932_896]))
    }

    fn timestamp(&mut self) -> Value {
        Value::Timestamp(self.one(&[0, -1, NOW, NOW - 1, NOW - 7 * DAY, 253_402_300_799_999_999]))
    }

    fn duration(&mut self) -> Value {
        Value::Duration(self.one(&[0, 1, -DAY, DAY, 7 * DAY, i64::MAX, i64::MIN]))
    }

    fn currency(&mut self) -> Currency {
        Currency(*self.one(&[b"EUR", b"JPY"]))
    }

    fn money(&mut self) -> Value {
        Value::Money { units: self.whole(), currency: self.currency() }
    }

    fn decimal(&mut self, scale: u8) -> Value {
        let units = self.one(&[0, 1, -1, 25, 1_250, -33, 999_999, -999_999]);
        Value::Decimal { units, scale }
    }

    fn or_null(&mut self, value: Value) -> Value {
        if self.below(4) == 0 { Value::Null } else { value }
    }

    fn list(&mut self, mut one: impl FnMut(&mut Self) -> Value) -> Value {
        let size = self.below(3);
        Value::List((0..size).map(|_| one(self)).collect())
    }
}

fn key(choices: &mut Choices<'_>) -> Value {
    Value::Uuid(choices.one(&[0, 1, u128::MAX, 0xabcd << 64]))
}

fn thing_of(choices: &mut Choices<'_>, id: u128, areas: usize) -> Record {
    let mut values = vec![Value::Null; thing::COUNT_OF];
    let mut set = |field: FieldId, value: Value| values[field.index()] = value;
    set(thing::CODE, Value::text(format!("c{id}")));
    set(thing::HITS, Value::Int(0));
    let fields: [(FieldId, Value); 17] = [
        (thing::NAME, choices.text()),
        (thing::PRICE, choices.money()),
        (thing::COUNT, Value::Int(choices.whole())),
        (thing::WEIGHT, choices.decimal(3)),
        (thing::RATIO, choices.decimal(1)),
        (thing::ACTIVE, Value::Bool(choices.below(2) == 0)),
        (thing::DAY, choices.date()),
        (thing::TIME, Value::Time(choices.one(&[0, 1, DAY - 1]))),
        (thing::SEEN, choices.timestamp()),
        (thing::SPAN, Value::Timespan { start: choices.one(&[0, 5]), end: choices.one(&[9, 10]) }),
        (thing::WAIT, choices.duration()),
        (thing::KEY, key(choices)),
        (thing::TAGS, choices.list(Choices::text)),
        (thing::NUMBERS, choices.list(|choices| Value::Int(choices.whole()))),
        (thing::KEYS, choices.list(key)),
        (thing::STATUS, Value::text(choices.one(&["open", "closed"]))),
        (thing::OWNER, Value::text(choices.one(&["alice", "bob"]))),
    ];
    for (field, value) in fields {
        set(field, choices.or_null(value));
    }
    for field in [thing::AREA, thing::ZONE] {
        let area = Value::Uuid(choices.below(areas) as u128 + 1);
        set(field, choices.or_null(area));
    }
    let created_at = choices.one(&[NOW, NOW - 7 * DAY, NOW - 7 * DAY - 1, 5]);
    let parts = (0..choices.below(4)).map(|at| {
        let values = [
            (part::KIND, choices.text()),
            (part::AMOUNT, choices.money()),
            (part::QUANTITY, Value::Int(choices.whole())),
            (part::AREA, Value::Uuid(choices.below(areas) as u128 + 1)),
        ];
        let mut all = vec![Value::Null; 4];
        for (field, value) in values {
            all[field.index()] = if field == part::KIND { value } else { choices.or_null(value) };
        }
        let id = id * 10 + at as u128;
        row(id, 0, created_at, all)
    });
    let parts = parts.collect();
    Record { children: vec![(thing::PARTS, parts)], ..row(id, 1, created_at, values) }
}

fn row(id: u128, version: i64, created_at: i64, values: Vec<Value>) -> Record {
    let values = values.into_boxed_slice();
    Record { id, version, created_at, updated_at: created_at, values, children: Vec::new() }
}

/// What the rows are evaluated in.
struct InMemory<'a> {
    record: &'a Record,
    owner: Option<&'a Record>,
    areas: &'a [Record],
    me: Option<&'a str>,
}

impl Scope for InMemory<'_> {
    fn field(&self, field: FieldRef) -> Cow<'_, Value> {
        Cow::Owned(self.record.read(field))
    }

    fn parent(&self, field: FieldRef) -> Cow<'_, Value> {
        Cow::Owned(self.owner.map_or(Value::Null, |owner| owner.read(field)))
    }

    fn related(&self, path: &[FieldId], field: FieldRef) -> Cow<'_, Value> {
        let [reference] = path else { panic!("paths of one step are made here") };
        let Value::Uuid(id) = self.record.value(*reference) else {
            return Cow::Owned(Value::Null);
        };
        let area = self.areas.iter().find(|area| area.id == *id);
        Cow::Owned(area.map_or(Value::Null, |area| area.read(field)))
    }

    fn children(
        &self,
        field: FieldId,
        visit: &mut dyn FnMut(&dyn Scope) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.record.children_of(field).iter().try_for_each(|child| {
            visit(&InMemory { record: child, owner: Some(self.record), ..*self })
        })
    }

    fn me(&self) -> Option<&str> {
        self.me
    }

    fn now(&self) -> i64 {
        NOW
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

fn areas() -> Vec<Record> {
    let area = |id, level| {
        let values = vec![Value::text(format!("area {id}")), level];
        row(id, 1, NOW - id as i64, values)
    };
    vec![area(1, Value::Int(1)), area(2, Value::Null), area(3, Value::Int(i64::MAX))]
}

/// Rows that every condition is asked about.
fn things(bytes: &[u8]) -> Vec<Record> {
    bytes
        .chunks(64)
        .zip(1..)
        .map(|(bytes, id)| {
            let mut thing = thing_of(&mut Choices { bytes }, id, 3);
            // One key over price and day: keep them apart.
            thing.values[thing::DAY.index()] = match thing.values[thing::DAY.index()].clone() {
                Value::Date(day) => Value::Date(day - i32::try_from(id).expect("few rows")),
                other => other,
            };
            thing
        })
        .collect()
}

#[test]
fn a_filter_and_an_evaluation_agree() {
    let place = Place::new();
    agree(&sqlite(place.path(), Layout::NoTenants));
}

#[cfg(feature = "postgres")]
#[test]
fn a_filter_on_postgresql_and_an_evaluation_agree() {
    let Some(database) = crate::fixture::postgres::Database::new() else { return };
    agree(&database.open(Layout::NoTenants));
}

fn agree(store: &impl Store) {
    let seed: Vec<u8> =
        (0..64 * 48_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let (areas, things) = (areas(), things(&seed));
    let mut set = WriteSet::default();
    for (resource, rows) in [(AREA, &areas), (THING, &things)] {
        set.writes.extend(
            rows.iter().map(|record| Write::Insert { resource, record: record.clone().into() }),
        );
    }
    wait(store.commit(set, &Bindings { now: NOW, ..Bindings::default() })).expect("it commits");
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 1_500,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let telling = std::cell::Cell::new(0_usize);
    let bytes = proptest::collection::vec(any::<u8>(), 8..200);
    runner
        .run(&bytes, |bytes| {
            let mut choices = Choices { bytes: &bytes };
            let me = choices.one(&[Some("alice"), None]);
            let condition = conditions::condition(&mut choices, 5);
            let found = listed(store, &condition, me);
            let holding: BTreeSet<u128> = things
                .iter()
                .filter(|record| {
                    let scope = InMemory { record, owner: None, areas: &areas, me };
                    holds(&condition, &scope) == Ok(true)
                })
                .map(|record| record.id)
                .collect();
            let tells = !holding.is_empty() && holding.len() < things.len();
            telling.set(telling.get() + usize::from(tells));
            prop_assert_eq!(found, Ok(holding), "{:#?}", condition);
            Ok(())
        })
        .expect("they agree");
    // Conditions that hold for all rows or for none prove little.
    assert!(telling.get() > 300, "{} conditions told rows apart", telling.get());
}

fn listed(
    store: &impl Store,
    condition: &Expr,
    me: Option<&str>,
) -> Result<BTreeSet<u128>, crate::ports::store::Unavailable> {
    let query = ListQuery {
        resource: THING,
        filter: vec![Cow::Borrowed(condition)],
        search: Vec::new(),
        sort: vec![(FieldRef::Implicit(Implicit::Id), false)],
        after: None,
        rows_max: 1_000,
        children: &[],
    };
    let bindings = Bindings { me: me.map(Arc::from), now: NOW, ..Bindings::default() };
    let rows = wait(store.list(&None, &query, &bindings))?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}
