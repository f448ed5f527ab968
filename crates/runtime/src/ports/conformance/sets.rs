//! Sets of changes: versions, atomicity, answers, groups, counters, restarts.

use super::*;
use crate::ports::store::{About, OutboxRow, StoredAnswer};
use std::time::Duration;

fn count_of(bench: &Bench, id: u128) -> Value {
    bench.get(THING, id).map_or(Value::Null, |row| row.value(thing::COUNT).clone())
}

fn hits_of(bench: &Bench, id: u128) -> Value {
    bench.get(THING, id).map_or(Value::Null, |row| row.value(thing::HITS).clone())
}

pub(crate) fn a_stale_version_is_a_conflict(bench: &Bench) {
    let first = thing_with(1, &[]);
    bench.put(THING, std::slice::from_ref(&first));
    let next = changed(&first, &[(thing::COUNT, Value::Int(1))]);
    assert_eq!(bench.commit(vec![update(THING, next.clone())]), Ok(()));
    assert_eq!(bench.get(THING, 1), Some(next.clone()));
    let conflict = Err(CommitError::Conflict { write: 0 });
    assert_eq!(bench.commit(vec![update(THING, next)]), conflict);
    assert_eq!(bench.commit(vec![delete(THING, 1, 1)]), conflict);
    assert_eq!(bench.commit(vec![delete(THING, 9, 1)]), conflict);
    let missing = changed(&thing_with(9, &[]), &[]);
    assert_eq!(bench.commit(vec![update(THING, missing)]), conflict);
    assert_eq!(bench.commit(vec![delete(THING, 1, 2)]), Ok(()));
    assert_eq!(bench.get(THING, 1), None);
}

pub(crate) fn a_set_is_written_whole_or_not_at_all(bench: &Bench) {
    let first = thing_of_parts(1, &[(10, "a")]);
    bench.put(THING, std::slice::from_ref(&first));
    let next = changed(&first, &[(thing::COUNT, Value::Int(5))]);
    let set = vec![
        Write::Insert { resource: THING, record: thing_of_parts(2, &[(20, "b")]).into() },
        update_parts(next, &[10], vec![part_of(11, "c")]),
        Write::Count { resource: THING, id: 1, field: thing::HITS, by: 1 },
        delete(THING, 99, 1),
    ];
    assert_eq!(bench.commit(set), Err(CommitError::Conflict { write: 3 }));
    assert_eq!(bench.ids(THING, None), [1]);
    assert_eq!(bench.get(THING, 1), Some(first));
}

fn answer(scope: u8, body: &str, expires: i64) -> StoredAnswer {
    StoredAnswer {
        scope: [scope; 32],
        fingerprint: [7; 32],
        status: 201,
        headers: vec![("location".to_owned(), "/v1/things/1".to_owned())],
        body: body.as_bytes().to_vec(),
        expires,
    }
}

fn with_answer(bench: &Bench, id: u128, answer: StoredAnswer, now: i64) -> Result<(), CommitError> {
    let writes = vec![Write::Insert { resource: THING, record: thing_with(id, &[]).into() }];
    let tenant = bench.tenant();
    let set = WriteSet { tenant, writes, answer: Some(answer), ..WriteSet::default() };
    bench.wait(bench.store().commit(set, &Bindings { now, ..bindings() }))
}

fn kept(bench: &Bench, scope: u8, now: i64) -> Option<StoredAnswer> {
    let tenant = bench.tenant();
    bench.wait(bench.store().answer(&tenant, &[scope; 32], now)).expect("it reads")
}

pub(crate) fn an_answer_is_kept_once_with_its_effect(bench: &Bench) {
    assert_eq!(kept(bench, 1, NOW), None);
    let first = answer(1, "first", NOW + 100);
    assert_eq!(with_answer(bench, 1, first.clone(), NOW), Ok(()));
    assert_eq!(kept(bench, 1, NOW), Some(first.clone()));
    let second = answer(1, "second", NOW + 100);
    assert_eq!(with_answer(bench, 2, second, NOW), Err(CommitError::AnswerExists));
    assert_eq!(bench.ids(THING, None), [1], "the second has no effect");
    assert_eq!(kept(bench, 1, NOW), Some(first));
    let refused = with_answer(bench, 1, answer(2, "of a failure", NOW + 100), NOW);
    assert!(refused.is_err(), "the id is taken");
    assert_eq!(kept(bench, 2, NOW), None, "no effect, no answer");
}

pub(crate) fn an_answer_that_is_there_keeps_a_row_with_parts_away(bench: &Bench) {
    let set = |id: u128, parts: &[(u128, &str)]| WriteSet {
        tenant: bench.tenant(),
        writes: vec![Write::Insert { resource: THING, record: thing_of_parts(id, parts).into() }],
        answer: Some(answer(1, "first", NOW + 100)),
        outbox: vec![event(id)],
        ..WriteSet::default()
    };
    let commit = |set: WriteSet| bench.wait(bench.store().commit(set, &bindings()));
    assert_eq!(commit(set(1, &[(10, "a"), (11, "b"), (12, "c")])), Ok(()));
    for parts in [&[(20, "a")][..], &[(20, "a"), (21, "b"), (22, "c")]] {
        assert_eq!(commit(set(2, parts)), Err(CommitError::AnswerExists));
    }
    assert_eq!(bench.ids(THING, None), [1]);
    let later = WriteSet { answer: None, ..set(2, &[(20, "a"), (21, "b")]) };
    assert_eq!(commit(later), Ok(()), "neither parts nor event were left");
}

fn event(id: u128) -> OutboxRow {
    OutboxRow {
        id,
        event: "thing.changed".to_owned(),
        version: 1,
        about: About::Row(THING),
        row: id,
        time: NOW,
        data: "{}".to_owned(),
        trace: None,
    }
}

pub(crate) fn a_change_that_is_refused_is_not_reported(bench: &Bench) {
    let first = thing_with(1, &[]);
    bench.put(THING, std::slice::from_ref(&first));
    let next = changed(&first, &[(thing::COUNT, Value::Int(1))]);
    let set = |write: Write| WriteSet {
        tenant: bench.tenant(),
        writes: vec![write],
        outbox: vec![event(5), event(6)],
        ..WriteSet::default()
    };
    let commit = |set: WriteSet| bench.wait(bench.store().commit(set, &bindings()));
    let conflict = Err(CommitError::Conflict { write: 0 });
    assert_eq!(commit(set(delete(THING, 1, 9))), conflict);
    let stale = changed(&next, &[]);
    assert_eq!(commit(set(update(THING, stale))), conflict);
    // The id of an event is unique: none of those before was left.
    assert_eq!(commit(set(update(THING, next.clone()))), Ok(()));
    assert_eq!(bench.get(THING, 1), Some(next));
}

pub(crate) fn an_expired_answer_makes_room(bench: &Bench) {
    let old = answer(1, "old", NOW + 100);
    assert_eq!(with_answer(bench, 1, old, NOW), Ok(()));
    assert_eq!(kept(bench, 1, NOW + 100), None);
    let new = answer(1, "new", NOW + 300);
    assert_eq!(with_answer(bench, 2, new.clone(), NOW + 100), Ok(()));
    assert_eq!(kept(bench, 1, NOW + 100), Some(new));
}

pub(crate) fn a_set_sees_its_own_changes(bench: &Bench) {
    let new = thing_with(1, &[(thing::AREA, Value::Uuid(1))]);
    let next = changed(&new, &[(thing::COUNT, Value::Int(2))]);
    let set = vec![
        Write::Insert { resource: AREA, record: area(1).into() },
        Write::Insert { resource: THING, record: new.into() },
        update(THING, next),
    ];
    assert_eq!(bench.commit(set), Ok(()));
    assert_eq!(count_of(bench, 1), Value::Int(2));
}

pub(crate) fn one_failing_set_spoils_no_other(bench: &Bench) {
    bench.put(THING, &[thing_with(0, &[(thing::CODE, Value::text("taken"))])]);
    let store = bench.store();
    let sets = (1..=60_u128).map(|id| {
        let record = match id % 3 {
            0 => thing_with(id, &[(thing::CODE, Value::text("taken"))]),
            1 => thing_with(id, &[(thing::AREA, Value::Uuid(id))]),
            _ => thing_with(id, &[]),
        };
        let set = WriteSet {
            tenant: bench.tenant(),
            writes: vec![Write::Insert { resource: THING, record: record.into() }],
            ..WriteSet::default()
        };
        let store = Arc::clone(&store);
        bench.runtime.spawn(async move { (id, store.commit(set, &bindings()).await) })
    });
    for task in sets.collect::<Vec<_>>() {
        let (id, done) = bench.wait(task).expect("no panic");
        match (id % 3, done) {
            (0, Err(CommitError::Duplicate { write: 0, resource: THING, unique: 0 })) => {}
            (1, Err(CommitError::UnknownReference { id: area, .. })) => assert_eq!(area, id),
            (2, Ok(())) => {}
            (_, done) => panic!("set {id}: {done:?}"),
        }
    }
    let expected: Vec<u128> = std::iter::once(0).chain((1..=60).filter(|id| id % 3 == 2)).collect();
    assert_eq!(bench.ids(THING, None), expected);
}

pub(crate) fn no_update_is_lost_among_many_writers(bench: &Bench) {
    const WRITERS: u32 = 100;
    let first = thing_with(1, &[(thing::COUNT, Value::Int(0))]);
    bench.put(THING, &[first]);
    let (store, tenant) = (bench.store(), bench.tenant());
    let raise = |_| {
        let (store, tenant) = (Arc::clone(&store), tenant.clone());
        bench.runtime.spawn(async move {
            loop {
                let read = store.get(&tenant, THING, &[1], &[], &bindings()).await;
                let old = read.expect("it reads").remove(0);
                let Value::Int(count) = *old.value(thing::COUNT) else { panic!("no count") };
                let next = changed(&old, &[(thing::COUNT, Value::Int(count + 1))]);
                let writes = vec![update(THING, next)];
                let set = WriteSet { tenant: tenant.clone(), writes, ..WriteSet::default() };
                match store.commit(set, &bindings()).await {
                    Ok(()) => return,
                    Err(CommitError::Conflict { write: 0 }) => {}
                    Err(other) => panic!("{other:?}"),
                }
            }
        })
    };
    for task in (0..WRITERS).map(raise).collect::<Vec<_>>() {
        bench.wait(task).expect("no panic");
    }
    let last = bench.get(THING, 1).expect("it is there");
    assert_eq!(last.value(thing::COUNT), &Value::Int(i64::from(WRITERS)));
    assert_eq!(last.version, i64::from(WRITERS) + 1);
}

pub(crate) fn counters_are_raised_without_a_new_version(bench: &Bench) {
    let first = thing_with(1, &[]);
    bench.put(THING, std::slice::from_ref(&first));
    let count = |id, by| Write::Count { resource: THING, id, field: thing::HITS, by };
    for _ in 0..3 {
        assert_eq!(bench.commit(vec![count(1, 2), count(404, 1)]), Ok(()));
    }
    let mut waited = 0;
    while hits_of(bench, 1) != Value::Int(6) && waited < 60 {
        std::thread::sleep(Duration::from_millis(50));
        waited += 1;
    }
    let found = bench.get(THING, 1).expect("it is there");
    assert_eq!((found.value(thing::HITS), found.version), (&Value::Int(6), 1));
    // Who read before the count writes the row back: the count stays.
    let next = changed(&first, &[(thing::COUNT, Value::Int(1))]);
    assert_eq!(bench.commit(vec![update(THING, next), count(1, 1)]), Ok(()));
    assert_eq!(hits_of(bench, 1), Value::Int(7));
    assert_eq!(bench.commit(vec![count(1, i64::MAX)]), Ok(()));
    bench.restart();
    assert_eq!(hits_of(bench, 1), Value::Int(i64::MAX), "closing writes; the greatest is the end");
}

pub(crate) fn what_was_acknowledged_is_there_after_a_restart(bench: &Bench) {
    let rows: Vec<_> = (0..20).map(|id| thing_of_parts(id, &[(id + 100, "a")])).collect();
    for row in &rows {
        bench.put(THING, std::slice::from_ref(row));
    }
    let kept_before = answer(3, "kept", NOW + 100);
    assert_eq!(with_answer(bench, 50, kept_before.clone(), NOW), Ok(()));
    bench.restart();
    for row in &rows {
        assert_eq!(bench.get(THING, row.id).as_ref(), Some(row));
    }
    assert_eq!(kept(bench, 3, NOW), Some(kept_before));
}

pub(crate) fn a_set_after_its_deadline_is_not_written(bench: &Bench) {
    let writes = vec![Write::Insert { resource: THING, record: thing_with(1, &[]).into() }];
    let set = WriteSet { tenant: bench.tenant(), writes, ..WriteSet::default() };
    let late = Bindings { deadline: 1, ..bindings() };
    let done = bench.wait(bench.store().commit(set, &late));
    assert_eq!(done, Err(CommitError::Unavailable(Unavailable::Deadline)));
    assert_eq!(bench.ids(THING, None), Vec::<u128>::new());
}
