//! Operations: begun within limits, claimed one after the other, fenced, cancelled and forgotten.

use super::events::{event, place, publish};
use super::*;
use crate::ports::operations::{
    AGEING_MICROS, Chunk, ChunkQuery, Operated, Operation, OperationQuery, Operations, Part,
    Priority, State, Wanted,
};

const MOST: u32 = 4;
const KIND: &str = "import lab.Thing";

fn port(store: &Arc<dyn Store>) -> &dyn Operations {
    store.operations().expect("it keeps operations")
}

fn operation(bench: &Bench, tenant: &str, id: u128) -> Operation {
    let tenant = bench.named(tenant);
    // Whatever is kept of a tenant has a place.
    publish(bench, &tenant, vec![event(1_000 + id, id)]);
    Operation {
        id,
        tenant,
        kind: KIND.into(),
        owner: "ann".into(),
        caller: "{}".into(),
        state: State::Queued,
        priority: Priority::Normal,
        total: Some(10),
        done: 0,
        failed: 0,
        attempts: 0,
        due: NOW,
        epoch: 0,
        worker: "".into(),
        until: 0,
        input: "{\"ä\":1}".into(),
        place: String::new(),
        result: None,
        problem: None,
        created: NOW + i64::try_from(id).unwrap_or(0),
        started: None,
        ended: None,
        expires: None,
        trace: Some("00-trace".into()),
    }
}

fn chunk(operation: &Operation, part: Part, number: i64) -> Chunk {
    Chunk {
        operation: operation.id,
        tenant: operation.tenant.clone(),
        part,
        number,
        rows: 2,
        failed: number % 4,
        data: format!("{number}\tß\n"),
    }
}

fn commit(bench: &Bench, operated: Operated) -> Result<(), CommitError> {
    let tenant = operated.operation().tenant.clone();
    let set = WriteSet { tenant, operated: Some(operated), ..WriteSet::default() };
    bench.wait(bench.store().commit(set, &Bindings::default()))
}

fn begin(bench: &Bench, operation: &Operation) -> Result<(), CommitError> {
    let chunks = vec![chunk(operation, Part::Input, 0), chunk(operation, Part::Input, 2)];
    let operation = Box::new(operation.clone());
    commit(bench, Operated::Begin { operation, chunks, waiting_max: MOST })
}

fn step(bench: &Bench, operation: &Operation, chunks: Vec<Chunk>) -> Result<(), CommitError> {
    commit(bench, Operated::Step { operation: Box::new(operation.clone()), chunks })
}

fn claim(bench: &Bench, worker: &str, now: i64, most: Option<u32>) -> Option<Operation> {
    let kinds = vec![(KIND.into(), most)];
    let wanted = Wanted { worker: worker.into(), now, until: now + 1_000, kinds };
    let store = bench.store();
    bench.wait(port(&store).claim(&place(bench), &wanted)).expect("it is written")
}

fn found(bench: &Bench, tenant: &Tenant, id: u128) -> Option<Operation> {
    let query = OperationQuery { id: Some(id), rows_max: 9, ..OperationQuery::default() };
    let store = bench.store();
    bench.wait(port(&store).operations(tenant, &query)).expect("it reads").pop()
}

fn chunks(bench: &Bench, of: &Operation, part: Part, from: i64, failed: bool) -> Vec<Chunk> {
    let store = bench.store();
    let query = ChunkQuery { operation: of.id, part, from, failed, rows_max: 9 };
    bench.wait(port(&store).chunks(&of.tenant, &query)).expect("it reads")
}

pub(crate) fn an_operation_begins_with_what_came_and_ends_with_what_was_made(bench: &Bench) {
    let one = operation(bench, "acme", 7);
    begin(bench, &one).expect("there is room");
    assert_eq!(found(bench, &one.tenant, 7), Some(one.clone()));
    assert_eq!(chunks(bench, &one, Part::Input, 0, false).len(), 2);
    assert_eq!(chunks(bench, &one, Part::Input, 2, false), [chunk(&one, Part::Input, 2)]);
    let claimed = claim(bench, "one", NOW, None).expect("it waits");
    let (started, worker) = (Some(NOW), "one".into());
    let wanted = Operation {
        state: State::Running,
        epoch: 1,
        attempts: 1,
        until: NOW + 1_000,
        started,
        worker,
        ..one.clone()
    };
    assert_eq!(claimed, wanted);
    assert_eq!(claim(bench, "two", NOW, None), None, "somebody has it");
    let moved = Operation { done: 4, failed: 1, place: "on".to_owned(), ..claimed.clone() };
    let report = (0..2).map(|at| chunk(&one, Part::Report, 2 * at)).collect();
    step(bench, &moved, report).expect("it has it");
    assert_eq!(found(bench, &one.tenant, 7), Some(moved.clone()));
    assert_eq!(chunks(bench, &one, Part::Report, 0, true), [chunk(&one, Part::Report, 2)]);
    let over = Operation {
        state: State::Done,
        done: 10,
        result: Some("{}".to_owned()),
        ended: Some(NOW + 5),
        expires: Some(NOW + 100),
        ..moved
    };
    step(bench, &over, Vec::new()).expect("it has it");
    assert_eq!(found(bench, &one.tenant, 7), Some(over.clone()));
    assert_eq!(chunks(bench, &one, Part::Input, 0, false), [], "nobody needs it any more");
    assert_eq!(step(bench, &over, Vec::new()), Err(CommitError::Fenced), "it is over");
    let sweep = |now| {
        let store = bench.store();
        bench.wait(port(&store).sweep(&place_of(bench, &one.tenant), now, 10)).expect("it writes")
    };
    assert_eq!((sweep(NOW + 99), sweep(NOW + 100)), (0, 1));
    assert_eq!(found(bench, &one.tenant, 7), None);
    assert_eq!(chunks(bench, &one, Part::Report, 0, false), []);
}

/// Where the operations of a tenant are kept.
fn place_of(bench: &Bench, tenant: &Tenant) -> Tenant {
    let store = bench.store();
    let log = store.eventing().expect("it has events");
    let places = bench.wait(log.places()).expect("it reads");
    if places.contains(tenant) { tenant.clone() } else { None }
}

pub(crate) fn what_an_earlier_claim_still_writes_is_refused(bench: &Bench) {
    let one = operation(bench, "acme", 7);
    begin(bench, &one).expect("there is room");
    let first = claim(bench, "one", NOW, None).expect("it waits");
    let second = claim(bench, "two", NOW + 1_000, None).expect("the claim has ended");
    assert_eq!((second.epoch, second.attempts), (2, 2));
    let report = |of: &Operation| vec![chunk(of, Part::Report, 0)];
    assert_eq!(step(bench, &first, report(&first)), Err(CommitError::Fenced));
    assert_eq!(chunks(bench, &one, Part::Report, 0, false), [], "nothing of it was written");
    step(bench, &second, report(&second)).expect("it has it");
    let store = bench.store();
    bench.wait(port(&store).recover(&place(bench), "two")).expect("it is written");
    let third = claim(bench, "two", NOW + 1_001, None).expect("nobody works on it");
    assert_eq!(third.epoch, 3);
    bench.wait(port(&store).recover(&place(bench), "one")).expect("it is written");
    assert_eq!(claim(bench, "one", NOW + 1_002, None), None, "it is not the other's to end");
}

pub(crate) fn what_waits_comes_by_priority_then_age_and_the_old_grow(bench: &Bench) {
    let of = |id, priority| Operation { priority, ..operation(bench, "acme", id) };
    let low = of(1, Priority::Low);
    for one in [low.clone(), of(2, Priority::Normal), of(3, Priority::High), of(4, Priority::High)]
    {
        begin(bench, &one).expect("there is room");
    }
    let later = Operation { due: NOW + 500, ..of(5, Priority::High) };
    assert_eq!(begin(bench, &later), Err(CommitError::Fenced), "as many wait as may");
    let next = |now| claim(bench, "one", now, None).map(|one| one.id);
    assert_eq!(next(NOW + 10), Some(3));
    begin(bench, &later).expect("there is room again");
    assert_eq!((next(NOW + 10), next(NOW + 10)), (Some(4), Some(2)), "5 is not due");
    assert_eq!((next(NOW + 500), next(NOW + 500), next(NOW + 500)), (Some(5), Some(1), None));
    // What waited long enough is as high as what came since.
    let old = Operation { priority: Priority::Low, created: NOW, ..operation(bench, "acme", 6) };
    let now = NOW + 2 * AGEING_MICROS;
    let new = Operation { created: now, due: now, ..of(8, Priority::High) };
    begin(bench, &new).expect("there is room");
    begin(bench, &old).expect("there is room");
    let claimed = claim(bench, "one", now, Some(9)).map(|one| one.id);
    let first_of_those = [1, 2, 3, 4, 5, 6];
    assert!(claimed.is_some_and(|id| first_of_those.contains(&id)), "{claimed:?}");
}

pub(crate) fn of_a_kind_so_many_run_as_may(bench: &Bench) {
    for id in 1..=3 {
        begin(bench, &operation(bench, "acme", id)).expect("there is room");
    }
    let next = |now| claim(bench, "one", now, Some(2)).map(|one| one.id);
    assert_eq!((next(NOW), next(NOW), next(NOW)), (Some(1), Some(2), None));
    assert_eq!(next(NOW + 1_000), Some(1), "whose claim has ended does not run");
    let store = bench.store();
    let waiting = bench.wait(port(&store).waiting(&place(bench))).expect("it reads");
    let counts: Vec<_> = waiting.iter().map(|one| (one.state, one.count, one.oldest)).collect();
    assert_eq!(counts, [(State::Queued, 1, NOW + 3), (State::Running, 2, NOW + 1)]);
}

pub(crate) fn tenants_take_turns(bench: &Bench) {
    if place_of(bench, &bench.named("globex")) != place(bench) {
        // They have places of their own: who looks at them one by one lets them take turns.
        return;
    }
    for id in 1..=3 {
        begin(bench, &operation(bench, "acme", id)).expect("there is room");
    }
    begin(bench, &operation(bench, "globex", 9)).expect("each has room of its own");
    let next = |now| claim(bench, "one", now, None).map(|one| one.id);
    let order: Vec<u128> = (0..4).filter_map(|at| next(NOW + at)).collect();
    let alone = bench.layout() == Layout::NoTenants;
    let fair: &[u128] = if alone { &[1, 2, 3, 9] } else { &[1, 9, 2, 3] };
    assert_eq!(order, fair);
}

pub(crate) fn one_that_is_cancelled_goes_no_further(bench: &Bench) {
    let (one, two) = (operation(bench, "acme", 7), operation(bench, "acme", 8));
    begin(bench, &one).expect("there is room");
    begin(bench, &two).expect("there is room");
    let running = claim(bench, "one", NOW, None).expect("it waits");
    let (store, times) = (bench.store(), (NOW + 5, NOW + 100));
    let cancel = |tenant: &Tenant, id| {
        bench.wait(port(&store).cancel(tenant, id, times)).expect("it is written")
    };
    let remove =
        |tenant: &Tenant, id| bench.wait(port(&store).remove(tenant, id)).expect("it is written");
    if bench.layout() != Layout::NoTenants {
        assert!(!cancel(&bench.named("globex"), 7), "it is another's");
    }
    assert!(!remove(&one.tenant, 7), "it is not over");
    assert!(cancel(&one.tenant, 7) && cancel(&one.tenant, 8));
    assert!(!cancel(&one.tenant, 7), "it is over");
    assert_eq!(step(bench, &running, Vec::new()), Err(CommitError::Fenced));
    assert_eq!(claim(bench, "one", NOW + 5_000, None), None);
    let after = found(bench, &one.tenant, 7).expect("it is kept");
    let how = (after.state, after.ended, after.expires);
    assert_eq!(how, (State::Cancelled, Some(NOW + 5), Some(NOW + 100)));
    assert_eq!(chunks(bench, &one, Part::Input, 0, false), []);
    let query = OperationQuery { rows_max: 9, owner: Some("ann".into()), ..Default::default() };
    let listed = bench.wait(port(&store).operations(&one.tenant, &query)).expect("it reads");
    assert_eq!(listed.iter().map(|one| one.id).collect::<Vec<_>>(), [8, 7], "newest first");
    assert!(remove(&one.tenant, 7));
    assert_eq!(found(bench, &one.tenant, 7), None);
}
