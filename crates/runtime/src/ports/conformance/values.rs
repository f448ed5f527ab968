//! Values come back as they went in.

use super::*;

pub(crate) fn every_kind_of_value_comes_back_as_it_went_in(bench: &Bench) {
    bench.put(AREA, &[area(1)]);
    bench.put(UNIT, &[unit(1)]);
    let text = |text: &str| Value::text(text);
    let longest = "ß日本\u{10ffff}\u{1}\"'\\%_".repeat(500);
    let full = thing_with(
        u128::MAX,
        &[
            (thing::NAME, text("Crème brûlée — “two”\n\tlines")),
            (thing::PRICE, Value::Money { units: i64::MIN, currency: Currency(*b"JPY") }),
            (thing::COUNT, Value::Int(i64::MAX)),
            (thing::WEIGHT, Value::Decimal { units: -999_999_999_999_999_999, scale: 3 }),
            (thing::RATIO, Value::Decimal { units: 0, scale: 1 }),
            (thing::ACTIVE, Value::Bool(false)),
            (thing::DAY, Value::Date(-719_162)),
            (thing::TIME, Value::Time(86_399_999_999)),
            (thing::SEEN, Value::Timestamp(253_402_300_799_999_999)),
            (thing::SPAN, Value::Timespan { start: -1, end: i64::MAX }),
            (thing::WAIT, Value::Duration(i64::MIN)),
            (thing::KEY, Value::Uuid(0)),
            (thing::EXTRA, Value::Json(r#"{"a":[1,2.5e300,"ü",null]}"#.into())),
            (thing::TAGS, Value::List(vec![text(""), text("\"quoted\""), text("日本")])),
            (thing::NUMBERS, Value::List(vec![Value::Int(i64::MIN), Value::Int(i64::MAX)])),
            (thing::KEYS, Value::List(vec![Value::Uuid(1), Value::Uuid(u128::MAX)])),
            (thing::STATUS, text("open")),
            (thing::OWNER, text("https://issuer.example#alice")),
            (thing::AREA, Value::Uuid(1)),
            (thing::UNIT, Value::Uuid(1)),
            (thing::LABEL, text(&longest)),
        ],
    );
    let least = thing_with(
        0,
        &[
            (thing::NAME, text("")),
            (thing::PRICE, euro(1)),
            (thing::ACTIVE, Value::Bool(true)),
            (thing::TAGS, Value::List(Vec::new())),
            (thing::EXTRA, Value::Json("null".into())),
        ],
    );
    bench.put(THING, &[full.clone(), least.clone()]);
    assert_eq!(bench.get(THING, u128::MAX).as_ref(), Some(&full));
    assert_eq!(bench.get(THING, 0).as_ref(), Some(&least));
    let next = changed(&full, &[(thing::PRICE, Value::Null), (thing::SPAN, Value::Null)]);
    bench.commit(vec![update(THING, next.clone())]).expect("it updates");
    assert_eq!(bench.get(THING, u128::MAX), Some(next));
}

pub(crate) fn a_row_without_values_comes_back_empty(bench: &Bench) {
    let empty = thing_with(5, &[]);
    bench.put(THING, std::slice::from_ref(&empty));
    assert_eq!(bench.get(THING, 5), Some(empty));
}

pub(crate) fn rows_are_read_by_id_and_missing_ones_are_left_out(bench: &Bench) {
    assert_eq!(bench.get(THING, 1), None);
    bench.put(THING, &[thing_with(1, &[]), thing_with(3, &[])]);
    let asked = [3, 2, 1];
    let tenant = bench.tenant();
    let found = bench.wait(bench.store().get(&tenant, THING, &asked, &[], &bindings()));
    let mut found = ids(&found.expect("it reads"));
    found.sort_unstable();
    assert_eq!(found, [1, 3]);
}
