//! Endpoints of webhooks and what came of deliveries: kept by tenant, within limits, and gone with
//! everything when they go.

use super::events::{event, place, publish};
use super::*;
use crate::ports::events::{Held, HeldQuery, Part, Span, State};
use crate::ports::webhooks::{
    Attempt, AttemptQuery, Endpoint, EndpointQuery, Signing, Stored, Webhooks,
};

const MOST: u32 = 3;

fn port(store: &Arc<dyn Store>) -> &dyn Webhooks {
    store.webhooks().expect("it keeps endpoints")
}

fn endpoint(bench: &Bench, tenant: &str, id: u128) -> Endpoint {
    let tenant = bench.named(tenant);
    // Whatever is kept of a tenant has a place.
    publish(bench, &tenant, vec![event(1_000 + id, id)]);
    Endpoint {
        id,
        tenant,
        owner: "https://issuer#ann".into(),
        actor: "partner".into(),
        url: format!("https://example.com/{id}?a=ß"),
        events: vec!["thing.changed".to_owned(), "thing.gone".to_owned()],
        description: "what \"it\" is for".to_owned(),
        signing: Signing::Ed25519,
        secret: "sealed".to_owned(),
        previous: None,
        disabled: false,
        reason: None,
        failing: None,
        created: NOW,
        updated: NOW,
    }
}

fn register(bench: &Bench, endpoint: &Endpoint) -> Stored {
    let store = bench.store();
    bench.wait(port(&store).register(endpoint, MOST)).expect("it is written")
}

fn found(bench: &Bench, tenant: &Tenant, id: Option<u128>) -> Vec<Endpoint> {
    let (store, query) = (bench.store(), EndpointQuery { tenant: Some(tenant.clone()), id });
    bench.wait(port(&store).endpoints(tenant, &query)).expect("it reads")
}

pub(crate) fn an_endpoint_is_found_as_it_was_kept_by_its_tenant(bench: &Bench) {
    let one = endpoint(bench, "acme", 7);
    assert_eq!(register(bench, &one), Stored::Yes);
    assert_eq!(register(bench, &one), Stored::No, "there is one of that id");
    assert_eq!(found(bench, &one.tenant, None), vec![one.clone()]);
    assert_eq!(found(bench, &one.tenant, Some(8)), []);
    if bench.layout() != Layout::NoTenants {
        let other = endpoint(bench, "globex", 8);
        register(bench, &other);
        assert_eq!(found(bench, &other.tenant, None), vec![other.clone()]);
        assert_eq!(found(bench, &other.tenant, Some(7)), []);
    }
    bench.restart();
    let store = bench.store();
    let all = EndpointQuery::default();
    let all = bench.wait(port(&store).endpoints(&place(bench), &all)).expect("it reads");
    assert!(all.contains(&one));
}

pub(crate) fn an_endpoint_is_changed_by_who_saw_it_last(bench: &Bench) {
    let one = endpoint(bench, "acme", 7);
    register(bench, &one);
    let change = |endpoint: &Endpoint, updated| {
        let store = bench.store();
        bench.wait(port(&store).change(endpoint, updated)).expect("it is written")
    };
    let changed = Endpoint {
        url: "https://example.org/".to_owned(),
        events: vec!["thing.gone".to_owned()],
        secret: "other".to_owned(),
        previous: Some(("sealed".to_owned(), NOW + 5)),
        disabled: true,
        reason: Some("why".to_owned()),
        failing: Some(NOW - 5),
        updated: NOW + 1,
        ..one.clone()
    };
    assert_eq!(change(&changed, NOW), Stored::Yes);
    assert_eq!(found(bench, &one.tenant, Some(7)), vec![changed.clone()]);
    assert_eq!(change(&one, NOW), Stored::No, "it changed meanwhile");
    assert_eq!(found(bench, &one.tenant, Some(7)), [changed]);
    assert_eq!(change(&endpoint(bench, "acme", 9), NOW), Stored::No, "there is none");
}

pub(crate) fn a_tenant_has_so_many_endpoints_at_most(bench: &Bench) {
    for id in 1..=u128::from(MOST) {
        assert_eq!(register(bench, &endpoint(bench, "acme", id)), Stored::Yes);
    }
    assert_eq!(register(bench, &endpoint(bench, "acme", 9)), Stored::No);
    if bench.layout() != Layout::NoTenants {
        assert_eq!(register(bench, &endpoint(bench, "globex", 10)), Stored::Yes);
    }
}

fn attempt(bench: &Bench, id: u128, at: i64) -> Attempt {
    Attempt {
        id,
        endpoint: 7,
        tenant: bench.tenant(),
        event: 100 + id,
        name: "thing.changed".to_owned(),
        at,
        status: id.is_multiple_of(2).then_some(503),
        error: id.is_multiple_of(2).then(|| "answered 503".to_owned()),
        took: 1_234_567,
        answer: "nö".to_owned(),
    }
}

fn note(bench: &Bench, attempt: &Attempt, forgotten: i64) {
    let store = bench.store();
    bench.wait(port(&store).note(attempt, forgotten)).expect("it is written");
}

fn attempts(bench: &Bench, before: Option<u128>, rows_max: u32) -> Vec<Attempt> {
    let (store, query) = (bench.store(), AttemptQuery { endpoint: 7, before, rows_max });
    bench.wait(port(&store).attempts(&bench.tenant(), &query)).expect("it reads")
}

pub(crate) fn attempts_are_read_newest_first_until_they_are_forgotten(bench: &Bench) {
    register(bench, &endpoint(bench, "acme", 7));
    let made: Vec<Attempt> = (1..=4).map(|id| attempt(bench, id, NOW + id as i64)).collect();
    for one in &made {
        note(bench, one, 0);
    }
    note(bench, &Attempt { endpoint: 8, ..attempt(bench, 5, NOW) }, 0);
    let newest: Vec<Attempt> = made.iter().rev().cloned().collect();
    assert_eq!(attempts(bench, None, 10), newest);
    assert_eq!(attempts(bench, None, 2), newest[..2]);
    assert_eq!(attempts(bench, Some(3), 10), newest[2..]);
    note(bench, &attempt(bench, 6, NOW + 6), NOW + 4);
    let left: Vec<u128> = attempts(bench, None, 10).iter().map(|one| one.id).collect();
    assert_eq!(left, [6, 4]);
}

pub(crate) fn what_an_endpoint_holds_is_let_go_and_goes_with_it(bench: &Bench) {
    let one = endpoint(bench, "acme", 7);
    register(bench, &one);
    let (place, store) = (place(bench), bench.store());
    let events = store.eventing().expect("it has events");
    let logged = bench.wait(events.after(&place, 0, 10, usize::MAX)).expect("it reads");
    let part = Part { consumer: crate::webhooks::consumer(7), source: "lab".into(), number: 0 };
    let span = Span { now: NOW, until: NOW + 1_000, from: 0 };
    bench.wait(events.claim(&place, &part, "one", span)).expect("it is free");
    let held = Held {
        part: part.clone(),
        event: logged[0].clone(),
        state: State::Retry,
        attempts: 0,
        due: NOW,
        since: NOW,
        errors: Vec::new(),
        edited: false,
    };
    let hold = || {
        let held = [held.clone()];
        bench.wait(port(&store).hold(&place, &held)).expect("it is written");
    };
    let query = HeldQuery { part: Some(part.clone()), rows_max: 10, ..HeldQuery::default() };
    let kept = || bench.wait(events.held(&place, &query)).expect("it reads");
    hold();
    hold();
    assert_eq!(kept(), vec![held.clone()]);
    let event = held.event.id;
    bench.wait(port(&store).let_go(&place, &part.consumer, event)).expect("it is written");
    assert_eq!(kept(), []);
    // It was no effect: the same event can be held, and let go, as often as one likes.
    hold();
    note(bench, &attempt(bench, 1, NOW), 0);
    let gone = bench.wait(port(&store).remove(&one.tenant, 7)).expect("it is written");
    bench.wait(port(&store).remove(&place, 7)).expect("it is written");
    assert!(gone);
    assert_eq!(kept(), []);
    assert_eq!(found(bench, &one.tenant, None), []);
    assert_eq!(attempts(bench, None, 10), []);
    let progress = bench.wait(events.progress(&place)).expect("it reads");
    assert!(progress.iter().all(|progress| progress.part != part));
    assert!(!bench.wait(port(&store).remove(&one.tenant, 7)).expect("it is written"));
}
