//! The log and what consumers remember: order, fences, effects that happen once, views, what goes.

use super::*;
use crate::ports::events::{
    Attempt, Claim, Consumed, EventQuery, Eventing, Extent, Held, HeldQuery, Logged, Part, Place,
    Projected, Refused, Remedy, Settled, Span, State, Trim,
};
use crate::ports::store::{About, OutboxRow};
use std::collections::BTreeSet;
use std::time::Duration;

const CONSUMER: &str = "billing";
const SOURCE: &str = "lab";
const LATER: i64 = i64::MAX / 4;

/// The eventing of a store that is kept.
struct Open(Arc<dyn Store>);

impl Open {
    fn port(&self) -> &dyn Eventing {
        self.0.eventing().expect("it has events")
    }
}

fn open(bench: &Bench) -> Open {
    Open(bench.store())
}

/// Where the log of a tenant is.
pub(super) fn place(bench: &Bench) -> Place {
    bench.tenant().filter(|_| bench.layout() == Layout::File)
}

pub(super) fn event(id: u128, row: u128) -> OutboxRow {
    OutboxRow {
        id,
        event: "thing.changed".to_owned(),
        version: 1 + u32::try_from(id % 3).expect("it is small"),
        about: About::Row(THING),
        row,
        time: NOW,
        data: format!("{{\"id\":{id}}}"),
        trace: id.is_multiple_of(2).then(|| "00-1-2-03".to_owned()),
    }
}

pub(super) fn publish(bench: &Bench, tenant: &Tenant, outbox: Vec<OutboxRow>) {
    let set = WriteSet { tenant: tenant.clone(), outbox, ..WriteSet::default() };
    bench.wait(bench.store().commit(set, &bindings())).expect("it is written");
}

/// Events of the tenant from 1 on, each with a row of its own.
fn fill(bench: &Bench, count: u128) -> Vec<Logged> {
    for id in 1..=count {
        publish(bench, &bench.tenant(), vec![event(id, id)]);
    }
    after(bench, 0)
}

fn after(bench: &Bench, position: i64) -> Vec<Logged> {
    let place = place(bench);
    bench.wait(open(bench).port().after(&place, position, 1_000, usize::MAX)).expect("it reads")
}

fn numbers(events: &[Logged]) -> Vec<u128> {
    events.iter().map(|event| event.id).collect()
}

fn part_number(number: u32) -> Part {
    Part { consumer: CONSUMER.into(), source: SOURCE.into(), number }
}

fn span(now: i64, until: i64, from: i64) -> Span {
    Span { now, until, from }
}

fn claim(bench: &Bench, owner: &str, span: Span) -> Result<Claim, Refused> {
    let place = place(bench);
    bench.wait(open(bench).port().claim(&place, &part_number(0), owner, span))
}

fn claimed(bench: &Bench) -> Claim {
    claim(bench, "one", span(NOW, LATER, 0)).expect("it is free")
}

fn settle(bench: &Bench, claim: &Claim, held: Vec<Held>, position: i64) -> bool {
    let (place, settled) = (place(bench), Settled { held, position, until: LATER });
    bench.wait(open(bench).port().settle(&place, claim, &settled)).expect("it is written")
}

fn held(event: &Logged, state: State, due: i64, since: i64) -> Held {
    Held {
        part: part_number(0),
        event: event.clone(),
        state,
        attempts: 1,
        due,
        since,
        errors: vec![Attempt { at: NOW, problem: "conflict".to_owned(), detail: "ß".to_owned() }],
        edited: false,
    }
}

fn look(bench: &Bench, query: &HeldQuery) -> Vec<Held> {
    let (place, query) = (place(bench), HeldQuery { rows_max: 100, ..query.clone() });
    bench.wait(open(bench).port().held(&place, &query)).expect("it reads")
}

fn ids_of(held: &[Held]) -> Vec<u128> {
    held.iter().map(|held| held.event.id).collect()
}

fn effect(bench: &Bench, event: u128, row: u128) -> Result<(), CommitError> {
    let consumed = Consumed { consumer: CONSUMER.into(), event, now: NOW };
    let writes = vec![Write::Insert { resource: THING, record: thing_with(row, &[]).into() }];
    let tenant = bench.tenant();
    let set = WriteSet { tenant, writes, consumed: Some(consumed), ..WriteSet::default() };
    bench.wait(bench.store().commit(set, &bindings()))
}

pub(crate) fn events_are_read_in_order_whole_and_in_parts(bench: &Bench) {
    assert_eq!(after(bench, 0), []);
    publish(bench, &bench.tenant(), vec![event(3, 7), event(1, 7)]);
    publish(bench, &bench.tenant(), vec![event(2, 7)]);
    let all = after(bench, 0);
    assert_eq!(numbers(&all), [3, 1, 2], "as they were written, whatever their ids");
    assert!(all.is_sorted_by(|one, next| one.position < next.position), "{all:?}");
    let first = Logged {
        position: all[0].position,
        id: 3,
        tenant: bench.tenant(),
        event: "thing.changed".into(),
        version: 1,
        resource: "lab.Thing".into(),
        row: 7,
        time: NOW,
        data: "{\"id\":3}".into(),
        trace: None,
    };
    assert_eq!(all[0], first);
    assert_eq!(all.iter().map(|event| event.version).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(all[2].trace.as_deref(), Some("00-1-2-03"));
    assert_eq!(numbers(&after(bench, all[0].position)), [1, 2]);
    let (open, place) = (open(bench), place(bench));
    let few = |rows, bytes| {
        numbers(&bench.wait(open.port().after(&place, 0, rows, bytes)).expect("read"))
    };
    assert_eq!(few(2, usize::MAX), [3, 1]);
    assert_eq!(few(9, 0), [3], "one at least");
    let extent = bench.wait(open.port().extent(&place)).expect("it reads");
    assert_eq!(extent, Extent { last: all[2].position, trimmed: 0 });
    drop(open);
    bench.restart();
    assert_eq!(after(bench, 0), all, "numbers stay");
}

pub(crate) fn places_are_where_logs_are(bench: &Bench) {
    publish(bench, &bench.tenant(), vec![event(1, 1)]);
    let places = bench.wait(open(bench).port().places()).expect("it reads");
    let own = (bench.layout() == Layout::File).then(|| bench.tenant());
    let expected: Vec<Place> = std::iter::once(None).chain(own).collect();
    assert_eq!(places, expected);
}

pub(crate) fn a_reader_misses_nothing_of_many_writers(bench: &Bench) {
    const WRITERS: u128 = 8;
    const SETS: u128 = 50;
    publish(bench, &bench.tenant(), vec![event(1, 1)]);
    let (store, tenant, place) = (bench.store(), bench.tenant(), place(bench));
    let write = |writer: u128| {
        let (store, tenant) = (Arc::clone(&store), tenant.clone());
        bench.runtime.spawn(async move {
            for set in 0..SETS {
                let outbox = vec![event(1_000 * (writer + 1) + set, writer)];
                let set = WriteSet { tenant: tenant.clone(), outbox, ..WriteSet::default() };
                store.commit(set, &bindings()).await.expect("it is written");
            }
        })
    };
    let reading = Arc::clone(&store);
    let reader = bench.runtime.spawn(async move {
        let log = reading.eventing().expect("it has events");
        let (mut appended, mut found, mut position) = (log.appended(), Vec::new(), 0);
        while found.len() < usize::try_from(1 + WRITERS * SETS).expect("few") {
            appended.mark_unchanged();
            let events = log.after(&place, position, 7, usize::MAX).await.expect("it reads");
            let Some(last) = events.last() else {
                let waited = tokio::time::timeout(Duration::from_secs(30), appended.changed());
                waited.await.expect("it is told in time").expect("the store is there");
                continue;
            };
            position = last.position;
            found.extend(events);
        }
        found
    });
    for writer in (0..WRITERS).map(write).collect::<Vec<_>>() {
        bench.wait(writer).expect("no panic");
    }
    let found = bench.wait(reader).expect("no panic");
    let once: BTreeSet<u128> = found.iter().map(|event| event.id).collect();
    assert_eq!(once.len(), found.len(), "none is read twice");
    for writer in 0..WRITERS {
        let of = found.iter().filter(|event| event.id > 1 && event.row == writer);
        let ids: Vec<u128> = of.map(|event| event.id - 1_000 * (writer + 1)).collect();
        assert_eq!(ids, (0..SETS).collect::<Vec<_>>(), "in the order of writer {writer}");
    }
}

pub(crate) fn events_of_a_tenant_are_listed_both_ways_and_by_what_is_asked(bench: &Bench) {
    let (acme, other) = (bench.named("acme"), bench.named("other"));
    let odd = OutboxRow { event: "thing.gone".to_owned(), time: NOW + 10, ..event(4, 40) };
    publish(bench, &acme, vec![event(1, 10), event(2, 20)]);
    if acme.is_some() {
        publish(bench, &other, vec![event(3, 10)]);
    }
    publish(bench, &acme, vec![odd]);
    let store = open(bench);
    let page = |tenant: &Tenant, query: EventQuery| {
        let query = EventQuery { rows_max: query.rows_max.max(1), ..query };
        bench.wait(store.port().page(tenant, &query)).expect("it reads")
    };
    let of = |query: EventQuery| numbers(&page(&acme, query));
    let all = EventQuery { rows_max: 9, ..EventQuery::default() };
    assert_eq!(of(all.clone()), [1, 2, 4]);
    assert_eq!(of(EventQuery { newest_first: true, rows_max: 2, ..all.clone() }), [4, 2]);
    let found = page(&acme, all.clone());
    let from = Some(found[1].position);
    assert_eq!(of(EventQuery { from, ..all.clone() }), [4]);
    assert_eq!(of(EventQuery { from, newest_first: true, ..all.clone() }), [1]);
    let events = vec!["thing.gone".to_owned(), "nothing".to_owned()];
    assert_eq!(of(EventQuery { events, ..all.clone() }), [4]);
    assert_eq!(of(EventQuery { row: Some(20), ..all.clone() }), [2]);
    assert_eq!(of(EventQuery { since: Some(NOW + 10), ..all.clone() }), [4]);
    assert_eq!(of(EventQuery { until: Some(NOW + 10), ..all.clone() }), [1, 2]);
    if acme.is_some() {
        assert_eq!(numbers(&page(&other, all.clone())), [3], "tenants never meet");
        assert_eq!(page(&None, all), []);
    }
}

pub(crate) fn a_second_owner_fences_the_first(bench: &Bench) {
    let events = fill(bench, 2);
    let first = claim(bench, "one", span(100, 200, 0)).expect("it is free");
    assert_eq!((first.epoch, first.position, &first.part), (1, 0, &part_number(0)));
    assert_eq!(claim(bench, "two", span(150, 300, 0)), Err(Refused::Taken { until: 200 }));
    let again = claim(bench, "one", span(150, 250, 9)).expect("it is its own");
    assert_eq!(again, first, "to renew changes neither epoch nor position");
    assert_eq!(claim(bench, "two", span(249, 300, 0)), Err(Refused::Taken { until: 250 }));
    let settled = Settled { held: Vec::new(), position: events[0].position, until: 250 };
    let place = place(bench);
    assert_eq!(bench.wait(open(bench).port().settle(&place, &first, &settled)), Ok(true));
    let second = claim(bench, "two", span(250, LATER, 0)).expect("its time is over");
    assert_eq!((second.epoch, second.position), (2, events[0].position));
    let late = vec![held(&events[1], State::Retry, 0, 0)];
    assert!(!settle(bench, &first, late, events[1].position), "the first has lost it");
    assert_eq!(look(bench, &HeldQuery::default()), []);
    assert!(settle(bench, &second, Vec::new(), events[1].position));
    bench.restart();
    let other = Part { number: 1, ..part_number(0) };
    let parts = open(bench);
    let from_there = bench.wait(parts.port().claim(&place, &other, "one", span(1, 2, 7)));
    assert_eq!(from_there.map(|claim| claim.position), Ok(7), "a new part begins where it is said");
    let progress = bench.wait(parts.port().progress(&place)).expect("it reads");
    let told: Vec<_> = progress.iter().map(|one| (one.part.number, one.position)).collect();
    assert_eq!(told, [(0, events[1].position), (1, 7)]);
    assert_eq!(progress[0].owner, Some(("two".to_owned(), LATER)));
    assert_eq!(progress[1].owner, None, "that is over");
}

pub(crate) fn what_is_settled_is_there_whole(bench: &Bench) {
    let events = fill(bench, 3);
    let claim = claimed(bench);
    let first = held(&events[0], State::Retry, 10, 5);
    let second = held(&events[1], State::Behind, 10, 6);
    assert!(settle(bench, &claim, vec![first.clone(), second.clone()], events[1].position));
    assert_eq!(look(bench, &HeldQuery::default()), [first.clone(), second.clone()]);
    let changed = Held { state: State::Dead, attempts: 9, due: 11, edited: true, ..first };
    assert!(settle(bench, &claim, vec![changed.clone()], events[2].position));
    assert_eq!(look(bench, &HeldQuery::default()), [changed, second]);
    let of = |consumer: &str| {
        let query = HeldQuery { consumer: Some(consumer.to_owned()), ..HeldQuery::default() };
        look(bench, &query).len()
    };
    assert_eq!((of(CONSUMER), of("other")), (2, 0));
}

pub(crate) fn an_event_has_its_effect_once(bench: &Bench) {
    let events = fill(bench, 2);
    let claim = claimed(bench);
    let waits = events.iter().map(|event| held(event, State::Retry, 0, 0)).collect();
    assert!(settle(bench, &claim, waits, events[1].position));
    assert_eq!(effect(bench, 1, 1), Ok(()));
    assert_eq!(ids_of(&look(bench, &HeldQuery::default())), [2], "it goes with its effect");
    assert_eq!(effect(bench, 1, 2), Err(CommitError::Consumed));
    assert_eq!(bench.ids(THING, None), [1], "nothing of it was written");
    assert!(effect(bench, 2, 1).is_err_and(|why| why != CommitError::Consumed), "a taken id");
    assert_eq!(ids_of(&look(bench, &HeldQuery::default())), [2], "no effect, and it stays");
    let alone = |consumer: &str, event| {
        let consumed = Some(Consumed { consumer: consumer.into(), event, now: NOW + 5 });
        let set = WriteSet { tenant: bench.tenant(), consumed, ..WriteSet::default() };
        bench.wait(bench.store().commit(set, &bindings()))
    };
    assert_eq!(alone("other", 1), Ok(()), "each consumer has an inbox of its own");
    assert_eq!(alone("other", 1), Err(CommitError::Consumed));
    bench.restart();
    assert_eq!(effect(bench, 1, 3), Err(CommitError::Consumed));
    let place = place(bench);
    let forget = |before| bench.wait(open(bench).port().forget(&place, before, 9));
    assert_eq!((forget(NOW), forget(NOW + 1)), (Ok(0), Ok(1)));
    assert_eq!(effect(bench, 1, 3), Ok(()), "what was forgotten is not known any more");
    assert_eq!(alone("other", 1), Err(CommitError::Consumed));
}

pub(crate) fn only_one_of_many_has_the_effect(bench: &Bench) {
    const TASKS: u128 = 8;
    publish(bench, &bench.tenant(), vec![event(1, 1)]);
    let store = bench.store();
    let all = (1..=TASKS).map(|row| {
        let (store, tenant) = (Arc::clone(&store), bench.tenant());
        let consumed = Some(Consumed { consumer: CONSUMER.into(), event: 1, now: NOW });
        let record = thing_with(row, &[]).into();
        let writes = vec![Write::Insert { resource: THING, record }];
        let set = WriteSet { tenant, writes, consumed, ..WriteSet::default() };
        bench.runtime.spawn(async move { store.commit(set, &bindings()).await })
    });
    let all: Vec<_> = all.collect();
    let done: Vec<_> = all.into_iter().map(|task| bench.wait(task).expect("no panic")).collect();
    let refused = done.iter().filter(|one| **one == Err(CommitError::Consumed)).count();
    assert_eq!((refused, bench.ids(THING, None).len()), (done.len() - 1, 1), "{done:?}");
}

pub(crate) fn only_the_first_of_a_key_is_due(bench: &Bench) {
    for (id, row) in [(1, 7), (2, 7), (3, 8), (4, 8), (5, 9)] {
        publish(bench, &bench.tenant(), vec![event(id, row)]);
    }
    let events = after(bench, 0);
    let claim = claimed(bench);
    let all = vec![
        held(&events[4], State::Retry, 99, 1),
        held(&events[3], State::Behind, 10, 2),
        held(&events[2], State::Dead, 10, 3),
        held(&events[1], State::Behind, 10, 4),
        held(&events[0], State::Retry, 10, 5),
    ];
    assert!(settle(bench, &claim, all, events[4].position));
    let of = HeldQuery { part: Some(part_number(0)), heads: true, ..HeldQuery::default() };
    let query = |query: HeldQuery| ids_of(&look(bench, &query));
    assert_eq!(query(of.clone()), [1, 3, 5]);
    let due = |due| HeldQuery { due: Some(due), ..of.clone() };
    assert_eq!(query(due(9)), [0_u128; 0]);
    assert_eq!(query(due(10)), [1], "behind a dead one nothing is due");
    assert_eq!(query(due(99)), [1, 5]);
    assert_eq!(query(HeldQuery { heads: false, ..of.clone() }), [5, 4, 3, 2, 1], "as held");
    let after = HeldQuery { heads: false, after: Some((3, 3)), ..of.clone() };
    assert_eq!(query(after), [2, 1]);
    let key = Some(("lab.Thing".into(), 8));
    assert_eq!(query(HeldQuery { heads: false, key, ..of.clone() }), [4, 3]);
    assert_eq!(query(HeldQuery { state: Some(State::Dead), ..of.clone() }), [3]);
    assert_eq!(query(HeldQuery { state: Some(State::Behind), ..of.clone() }), [0_u128; 0]);
    let elsewhere = HeldQuery { part: Some(part_number(1)), ..of.clone() };
    assert_eq!(query(elsewhere), [0_u128; 0]);
    assert_eq!(effect(bench, 1, 1), Ok(()));
    assert_eq!(query(due(10)), [2], "what waits behind it is the first then");
}

pub(crate) fn a_dead_event_is_driven_again_or_given_up(bench: &Bench) {
    for id in 1..=3 {
        publish(bench, &bench.tenant(), vec![event(id, 7)]);
    }
    let events = after(bench, 0);
    let claim = claimed(bench);
    let all = vec![
        held(&events[0], State::Dead, 0, 1),
        held(&events[1], State::Dead, 0, 2),
        held(&events[2], State::Behind, 0, 3),
    ];
    assert!(settle(bench, &claim, all.clone(), events[2].position));
    let (place, open) = (place(bench), open(bench));
    let remedy = |event, remedy: Remedy| {
        bench.wait(open.port().remedy(&place, CONSUMER, event, &remedy, 77)).expect("it is written")
    };
    assert!(!remedy(3, Remedy::Discard), "it is not dead");
    assert!(!remedy(9, Remedy::Redrive { data: None }), "it is not there");
    assert!(remedy(1, Remedy::Redrive { data: None }));
    assert!(!remedy(1, Remedy::Redrive { data: None }), "it is not dead any more");
    let again = Held { state: State::Retry, attempts: 0, due: 77, ..all[0].clone() };
    let one = |event| {
        look(bench, &HeldQuery { event: Some(event), ..HeldQuery::default() }).into_iter().next()
    };
    assert_eq!(one(1), Some(again), "what went wrong is still known");
    assert!(remedy(2, Remedy::Redrive { data: Some(("{\"mended\":1}".into(), 9)) }));
    let mended = one(2).expect("it is there");
    let event = &mended.event;
    assert_eq!((&*event.data, event.version, mended.edited), ("{\"mended\":1}", 9, true));
    assert!(settle(bench, &claim, vec![all[0].clone()], events[2].position));
    assert!(remedy(1, Remedy::Discard));
    assert_eq!(one(1), None);
    assert_eq!(effect(bench, 1, 1), Err(CommitError::Consumed), "nobody does it later");
    assert!(settle(bench, &claim, vec![all[0].clone()], events[2].position));
    assert_eq!(one(1), None, "what is done is not held");
    assert!(!remedy(2, Remedy::Done), "its effect is not committed");
    assert_eq!(ids_of(&look(bench, &HeldQuery::default())), [2, 3], "the others go on");
}

pub(crate) fn held_events_of_tenants_are_told_apart(bench: &Bench) {
    let (acme, other) = (bench.named("acme"), bench.named("other"));
    publish(bench, &acme, vec![event(1, 7)]);
    let claim = claimed(bench);
    let mut all = vec![held(&after(bench, 0)[0], State::Dead, 0, 1)];
    if acme.is_some() && place(bench).is_none() {
        publish(bench, &other, vec![event(2, 7)]);
        all.push(held(&after(bench, 0)[1], State::Dead, 0, 2));
    }
    let both = all.len() == 2;
    assert!(settle(bench, &claim, all, 9));
    let of = |tenant: &Tenant, heads| {
        let (tenant, state) = (Some(tenant.clone()), Some(State::Dead));
        ids_of(&look(bench, &HeldQuery { tenant, state, heads, ..HeldQuery::default() }))
    };
    assert_eq!(of(&acme, false), [1]);
    if both {
        assert_eq!(of(&other, true), [2], "rows of one id are not of one key");
    }
    assert_eq!(of(&None, false), if acme.is_none() { vec![1] } else { Vec::new() });
}

pub(crate) fn a_log_is_cut_off_where_all_have_read(bench: &Bench) {
    let mut all: Vec<OutboxRow> = (1..=6).map(|id| event(id, id)).collect();
    "thing.kept".clone_into(&mut all[1].event);
    all[4].time = NOW + 10;
    for one in all {
        publish(bench, &bench.tenant(), vec![one]);
    }
    let events = after(bench, 0);
    let (place, open) = (place(bench), open(bench));
    let trim = |at: usize, before, rows_max| {
        let position = events[at].position;
        let trim = Trim { position, before, keep: vec!["thing.kept".to_owned()], rows_max };
        bench.wait(open.port().trim(&place, &trim)).expect("it is written")
    };
    let trimmed = || bench.wait(open.port().extent(&place)).expect("it reads").trimmed;
    assert_eq!((trim(5, NOW, 9), trimmed()), (0, 0), "nothing is old enough");
    assert_eq!((trim(5, NOW + 1, 1), trimmed()), (1, events[0].position), "some at a time");
    assert_eq!(numbers(&after(bench, 0)), [2, 3, 4, 5, 6]);
    assert_eq!(trim(2, NOW + 1, 9), 1, "up to where all have read, and over what stays");
    assert_eq!(numbers(&after(bench, 0)), [2, 4, 5, 6]);
    assert_eq!(trim(5, NOW + 1, 9), 1, "none behind one that is not old enough");
    assert_eq!(numbers(&after(bench, 0)), [2, 5, 6]);
    assert_eq!(trim(5, NOW + 11, 9), 2);
    let extent = bench.wait(open.port().extent(&place)).expect("it reads");
    assert_eq!(extent.last, events[5].position, "it was there");
    assert_eq!(extent.trimmed, events[5].position);
    publish(bench, &bench.tenant(), vec![event(7, 7)]);
    let left = after(bench, 0);
    assert_eq!(numbers(&left), [2, 7]);
    assert!(left[1].position > extent.last, "no number is given twice");
    let none = Trim { position: LATER, before: LATER, keep: Vec::new(), rows_max: 9 };
    assert_eq!(
        bench.wait(open.port().trim(&place, &none)),
        Ok(2),
        "what is not kept any more goes"
    );
}

pub(crate) fn a_view_moves_on_from_where_it_was_read(bench: &Bench) {
    let tenant = bench.tenant();
    let fold = |expected, position, row: u128| {
        let projected = Projected {
            consumer: "view lab.Things".into(),
            source: SOURCE.into(),
            expected,
            position,
        };
        let writes = vec![Write::Insert { resource: THING, record: thing_with(row, &[]).into() }];
        let (tenant, projected) = (tenant.clone(), Some(projected));
        let set = WriteSet { tenant, writes, projected, ..WriteSet::default() };
        bench.wait(bench.store().commit(set, &bindings()))
    };
    let reached = |tenant: &Tenant, source| {
        bench.wait(open(bench).port().reached(tenant, "view lab.Things", source)).expect("it reads")
    };
    assert_eq!(reached(&tenant, SOURCE), 0);
    assert_eq!(fold(1, 5, 1), Err(CommitError::Fenced));
    assert_eq!(fold(0, 5, 1), Ok(()));
    assert_eq!(fold(0, 6, 2), Err(CommitError::Fenced), "somebody was there first");
    assert_eq!(bench.ids(THING, None), [1], "nothing of it was written");
    assert_eq!(fold(5, 9, 2), Ok(()));
    assert_eq!((reached(&tenant, SOURCE), reached(&tenant, "other")), (9, 0));
    if tenant.is_some() {
        assert_eq!(reached(&bench.named("other"), SOURCE), 0, "by tenant");
    }
    assert_eq!(fold(9, 0, 3), Ok(()), "back to the beginning");
    assert_eq!(fold(0, 4, 4), Ok(()));
    assert_eq!(reached(&tenant, SOURCE), 4);
}

pub(crate) fn a_view_is_made_anew_for_one_tenant(bench: &Bench) {
    let (acme, other) = (bench.named("acme"), bench.named("other"));
    let insert = |id| Write::Insert {
        resource: THING,
        record: thing_of_parts(id, &[(id + 90, "a")]).into(),
    };
    assert_eq!(bench.commit_of(&acme, vec![insert(1), insert(2)]), Ok(()));
    if acme.is_some() {
        assert_eq!(bench.commit_of(&other, vec![insert(1)]), Ok(()));
    }
    let clear = Write::Clear { resource: THING };
    assert_eq!(bench.commit_of(&acme, vec![clear.clone(), insert(3)]), Ok(()));
    assert_eq!(bench.ids(THING, None), [3]);
    assert_eq!(bench.commit_of(&acme, vec![insert(1)]), Ok(()), "its parts went too");
    if acme.is_some() {
        let left = bench.list_of(&other, &all(THING)).expect("it lists");
        assert_eq!(ids(&left), [1], "another tenant's rows stay");
    }
    assert_eq!(bench.commit_of(&acme, vec![clear]), Ok(()));
    assert_eq!(bench.ids(THING, None), [0_u128; 0]);
}

pub(crate) fn a_dead_event_is_passed_over_by_who_asks_for_those_alive(bench: &Bench) {
    for id in 1..=4 {
        publish(bench, &bench.tenant(), vec![event(id, 1 + id % 2)]);
    }
    let events = after(bench, 0);
    let claim = claimed(bench);
    let states = [State::Dead, State::Dead, State::Behind, State::Retry];
    let rows = events.iter().zip(states).map(|(event, state)| held(event, state, NOW, NOW));
    assert!(settle(bench, &claim, rows.collect(), 4));
    let heads = HeldQuery { heads: true, ..HeldQuery::default() };
    assert_eq!(ids_of(&look(bench, &heads)), [1, 2]);
    assert_eq!(ids_of(&look(bench, &HeldQuery { alive: true, ..heads })), [3, 4]);
    let past = Some(events[0].position);
    let dead = HeldQuery { state: Some(State::Dead), past, ..HeldQuery::default() };
    assert_eq!(ids_of(&look(bench, &dead)), [2]);
}
