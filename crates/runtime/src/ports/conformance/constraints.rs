//! Unique keys and spans.

use super::*;

fn duplicate(write: usize, unique: usize) -> Result<(), CommitError> {
    Err(CommitError::Duplicate { write, resource: THING, unique })
}

pub(crate) fn a_unique_key_refuses_and_is_named(bench: &Bench) {
    let code = |id, code: &str| thing_with(id, &[(thing::CODE, Value::text(code))]);
    bench.put(THING, &[code(1, "a"), code(2, "b")]);
    assert_eq!(bench.insert(THING, &code(3, "a")), duplicate(0, 0));
    assert_eq!(bench.insert(THING, &code(3, "A")), Ok(()), "exact bytes");
    let taken = changed(&code(2, "b"), &[(thing::CODE, Value::text("a"))]);
    let other = Write::Insert { resource: THING, record: code(4, "d").into() };
    assert_eq!(bench.commit(vec![other, update(THING, taken)]), duplicate(1, 0));
    assert_eq!(bench.get(THING, 4), None, "nothing of the set is there");
    let itself = changed(&code(1, "a"), &[]);
    assert_eq!(bench.commit(vec![update(THING, itself)]), Ok(()));
}

pub(crate) fn null_never_collides(bench: &Bench) {
    bench.put(THING, &[thing_with(1, &[]), thing_with(2, &[])]);
    let priced = |id| thing_with(id, &[(thing::PRICE, euro(1))]);
    bench.put(THING, &[priced(3), priced(4)]);
}

pub(crate) fn a_unique_key_with_a_condition_looks_at_it(bench: &Bench) {
    let labelled = |id, status: &str| {
        let fields = [(thing::LABEL, Value::text("one")), (thing::STATUS, Value::text(status))];
        thing_with(id, &fields)
    };
    bench.put(THING, &[labelled(1, "closed"), labelled(2, "closed"), labelled(3, "open")]);
    assert_eq!(bench.insert(THING, &labelled(4, "open")), duplicate(0, 1));
    let opened = changed(&labelled(1, "closed"), &[(thing::STATUS, Value::text("open"))]);
    assert_eq!(bench.commit(vec![update(THING, opened)]), duplicate(0, 1));
    let closed = changed(&labelled(3, "open"), &[(thing::STATUS, Value::text("closed"))]);
    assert_eq!(bench.commit(vec![update(THING, closed)]), Ok(()));
    assert_eq!(bench.insert(THING, &labelled(4, "open")), Ok(()));
}

pub(crate) fn a_unique_key_of_two_fields_needs_both(bench: &Bench) {
    let on = |id, units, day| {
        thing_with(id, &[(thing::PRICE, euro(units)), (thing::DAY, Value::Date(day))])
    };
    bench.put(THING, &[on(1, 5, 1), on(2, 5, 2), on(3, 6, 1)]);
    assert_eq!(bench.insert(THING, &on(4, 5, 1)), duplicate(0, 2));
    let yen = Value::Money { units: 5, currency: Currency(*b"JPY") };
    let other = thing_with(4, &[(thing::PRICE, yen), (thing::DAY, Value::Date(1))]);
    assert_eq!(bench.insert(THING, &other), Ok(()));
}

pub(crate) fn spans_of_one_area_never_overlap(bench: &Bench) {
    bench.put(AREA, &[area(1), area(2)]);
    bench.put(SLOT, &[slot(1, 1, 10, 20), slot(2, 1, 20, 30), slot(3, 2, 15, 25)]);
    let meets = |write| Err(CommitError::Overlap { write, resource: SLOT, overlap: 0 });
    for (start, end) in [(0, 11), (19, 21), (12, 13), (0, 100), (29, 40)] {
        assert_eq!(bench.insert(SLOT, &slot(9, 1, start, end)), meets(0), "{start}..{end}");
    }
    assert_eq!(bench.insert(SLOT, &slot(4, 1, 30, 40)), Ok(()), "what touches does not overlap");
    let open = row(5, vec![Value::Uuid(1), Value::Null]);
    assert_eq!(bench.insert(SLOT, &open), Ok(()), "null never meets");
    let longer =
        changed(&slot(1, 1, 10, 20), &[(FieldId(1), Value::Timespan { start: 5, end: 19 })]);
    assert_eq!(bench.commit(vec![update(SLOT, longer.clone())]), Ok(()), "nor its own past");
    let moved = changed(&longer, &[(FieldId(0), Value::Uuid(2))]);
    assert_eq!(bench.commit(vec![update(SLOT, moved)]), meets(0));
    let both = [slot(6, 2, 100, 110), slot(7, 2, 105, 106)];
    let both = both.map(|record| Write::Insert { resource: SLOT, record: record.into() });
    assert_eq!(bench.commit(both.to_vec()), meets(1), "within a set as well");
    assert_eq!(bench.ids(SLOT, None), [1, 2, 3, 4, 5]);
}
