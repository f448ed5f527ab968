//! Orders, pages, search.

use super::*;
use std::cmp::Ordering;

/// Rows with many ties and nulls.
fn crowd(bench: &Bench) -> Vec<Record> {
    let pick = |n: u128, of: u128| i64::try_from(n * 7 % of).expect("a small number");
    let rows: Vec<_> = (1..=40_u128)
        .map(|n| {
            let or_null = |value: Value, at: u128| {
                if (n + at).is_multiple_of(5) { Value::Null } else { value }
            };
            thing_with(
                n,
                &[
                    (thing::COUNT, or_null(Value::Int(pick(n, 4)), 0)),
                    (
                        thing::NAME,
                        or_null(Value::text(["b", "B", "é", "a"][pick(n, 3) as usize]), 1),
                    ),
                    (thing::PRICE, or_null(euro(pick(n, 3)), 2)),
                    (thing::ACTIVE, or_null(Value::Bool(pick(n, 2) == 0), 3)),
                    (thing::SPAN, Value::Timespan { start: pick(n, 2), end: 10 + pick(n, 3) }),
                    // Keeps the key over price and day apart.
                    (thing::DAY, Value::Date(i32::try_from(n).expect("small"))),
                ],
            )
        })
        .map(|record| Record {
            created_at: NOW - i64::try_from(record.id % 6).expect("small"),
            ..record
        })
        .collect();
    bench.put(THING, &rows);
    rows
}

fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) | (Value::Timestamp(a), Value::Timestamp(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::Money { units: a, .. }, Value::Money { units: b, .. }) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Date(a), Value::Date(b)) => a.cmp(b),
        (Value::Uuid(a), Value::Uuid(b)) => a.cmp(b),
        (Value::Timespan { start: a, end: of_a }, Value::Timespan { start: b, end: of_b }) => {
            (a, of_a).cmp(&(b, of_b))
        }
        _ => panic!("unlike values"),
    }
}

fn by(sort: &[(FieldRef, bool)], a: &Record, b: &Record) -> Ordering {
    for (field, descending) in sort {
        let (a, b) = (a.read(*field), b.read(*field));
        let order = match (a.is_null(), b.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) if *descending => order(&b, &a),
            (false, false) => order(&a, &b),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

/// The rows of all pages.
fn pages(
    bench: &Bench,
    sort: &[(FieldRef, bool)],
    rows_max: u32,
    mut between: impl FnMut(usize),
) -> Vec<u128> {
    let (mut found, mut after) = (Vec::new(), None);
    for page in 0.. {
        let query = ListQuery { sort: sort.to_vec(), after, rows_max, ..all(THING) };
        let rows = bench.list(&query).expect("it lists");
        let Some(last) = rows.last() else { break };
        after = Some(sort.iter().map(|(field, _)| last.read(*field)).collect());
        found.extend(ids(&rows));
        between(page);
    }
    found
}

pub(crate) fn pages_follow_every_order_with_nulls_last(bench: &Bench) {
    let rows = crowd(bench);
    let of = |field: FieldId| FieldRef::Field(field);
    let id = FieldRef::Implicit(Implicit::Id);
    let created = FieldRef::Implicit(Implicit::CreatedAt);
    let mut orders = vec![vec![(id, true)], vec![(id, false)]];
    for descending in [false, true] {
        for last in [false, true] {
            for first in [
                of(thing::COUNT),
                of(thing::NAME),
                of(thing::PRICE),
                of(thing::ACTIVE),
                of(thing::SPAN),
                of(thing::DAY),
                created,
            ] {
                orders.push(vec![(first, descending), (id, last)]);
            }
            orders.push(vec![(of(thing::COUNT), descending), (of(thing::NAME), last), (id, true)]);
            orders.push(vec![(created, descending), (of(thing::PRICE), !descending), (id, last)]);
        }
    }
    for sort in orders {
        let mut expected = rows.clone();
        expected.sort_by(|a, b| by(&sort, a, b));
        assert_eq!(pages(bench, &sort, 7, |_| {}), ids(&expected), "{sort:?}");
    }
}

pub(crate) fn an_untouched_row_is_on_one_page_whatever_comes_and_goes(bench: &Bench) {
    let rows = crowd(bench);
    let id = FieldRef::Implicit(Implicit::Id);
    let sort = [(FieldRef::Field(thing::COUNT), true), (id, false)];
    // Rows of even ids are deleted, doubled and moved while the pages are read.
    let found = pages(bench, &sort, 4, |page| {
        let id = 2 * (page as u128 + 1);
        let Some(old) = bench.get(THING, id) else { return };
        let moved = changed(&old, &[(thing::COUNT, Value::Int(99 - id as i64))]);
        let new = thing_with(1_000 + id, &[(thing::COUNT, Value::Int(id as i64 % 4))]);
        let gone = 40 - id;
        let mut writes =
            vec![update(THING, moved), Write::Insert { resource: THING, record: new.into() }];
        if gone != id
            && let Some(gone) = bench.get(THING, gone)
        {
            writes.push(delete(THING, gone.id, gone.version));
        }
        bench.commit(writes).expect("others write");
    });
    for untouched in rows.iter().filter(|row| row.id % 2 == 1) {
        let times = found.iter().filter(|id| **id == untouched.id).count();
        assert_eq!(times, 1, "row {}", untouched.id);
    }
}

pub(crate) fn words_are_found_by_their_beginning(bench: &Bench) {
    let named = |id, name: &str| thing_with(id, &[(thing::NAME, Value::text(name))]);
    bench.put(
        THING,
        &[
            named(1, "Red running shoes"),
            named(2, "Crème brûlée"),
            named(3, "STRASSE 12"),
            named(4, "shoe-horn, 100% wood"),
            thing_with(5, &[]),
        ],
    );
    let find = |question: &str| {
        let search = crate::search::words(question);
        ids(&bench.list(&ListQuery { search, ..all(THING) }).expect("it searches"))
    };
    assert_eq!(find("sho"), [1, 4]);
    assert_eq!(find("SHOE red"), [1]);
    assert_eq!(find("hoes"), Vec::<u128>::new());
    assert_eq!(find("creme"), [2]);
    assert_eq!(find("Straße"), [3]);
    assert_eq!(find("100 wood"), [4]);
    assert_eq!(find("red wood"), Vec::<u128>::new());
    assert_eq!(find("%"), [1, 2, 3, 4, 5], "no words, no question");
    let renamed = changed(&named(1, ""), &[(thing::NAME, Value::text("Blue"))]);
    bench.commit(vec![update(THING, renamed)]).expect("it updates");
    assert_eq!(find("red"), Vec::<u128>::new());
    assert_eq!(find("blue"), [1]);
}

pub(crate) fn a_page_shows_children_in_their_order(bench: &Bench) {
    let rows = [thing_of_parts(1, &[(30, "c"), (10, "a")]), thing_of_parts(2, &[(20, "b")])];
    bench.put(THING, &rows);
    let query = ListQuery { children: &[thing::PARTS], ..all(THING) };
    assert_eq!(bench.list(&query), Ok(rows.to_vec()));
}

pub(crate) fn a_filter_knows_the_caller_and_the_time(bench: &Bench) {
    let owned = |id, owner: Value, seen| {
        thing_with(id, &[(thing::OWNER, owner), (thing::SEEN, Value::Timestamp(seen))])
    };
    let rows = [
        owned(1, Value::text("alice"), NOW - 1),
        owned(2, Value::text("bob"), NOW),
        owned(3, Value::Null, NOW + 1),
    ];
    bench.put(THING, &rows);
    let me = Expr { kind: ExprKind::Me, ty: Type::Text };
    let owner = field(thing::OWNER, Type::Text);
    let own = ExprKind::Compare(Operator::Equal, Box::new(owner), Box::new(me));
    let own = Expr { kind: own, ty: Type::Bool };
    assert_eq!(bench.ids(THING, Some(&own)), [1]);
    let now = Expr { kind: ExprKind::Now, ty: Type::Timestamp };
    let seen = field(thing::SEEN, Type::Timestamp);
    let past = ExprKind::Compare(Operator::Less, Box::new(seen), Box::new(now));
    let past = Expr { kind: past, ty: Type::Bool };
    assert_eq!(bench.ids(THING, Some(&past)), [1]);
    let query = ListQuery { filter: vec![Cow::Borrowed(&own)], ..all(THING) };
    let nobody = Bindings { me: None, ..bindings() };
    let tenant = bench.tenant();
    assert_eq!(bench.wait(bench.store().list(&tenant, &query, &nobody)), Ok(Vec::new()));
    let not = Expr { kind: ExprKind::Not(Box::new(own)), ty: Type::Bool };
    assert_eq!(bench.ids(THING, Some(&not)), [2, 3]);
}

pub(crate) fn a_deadline_that_has_passed_stops_a_long_list(bench: &Bench) {
    let rows: Vec<_> = (0..3_000).map(|id| thing_with(id, &[])).collect();
    bench.put(THING, &rows);
    let nothing = compare(Operator::Equal, field(thing::NAME, Type::Text), Value::text("none"));
    let filter = std::iter::repeat_n(Cow::Borrowed(&nothing), 20).collect();
    let query = ListQuery { filter, ..all(THING) };
    let late = Bindings { deadline: 1, ..bindings() };
    let tenant = bench.tenant();
    let answer = bench.wait(bench.store().list(&tenant, &query, &late));
    assert_eq!(answer, Err(Unavailable::Deadline));
    assert_eq!(bench.list(&query), Ok(Vec::new()), "the store goes on");
}
