//! Tenants never meet.

use super::*;

pub(crate) fn tenants_never_meet(bench: &Bench) {
    if bench.layout() == Layout::NoTenants {
        return;
    }
    let (acme, evil) = (bench.named("acme"), bench.named("evil"));
    let marked = |mark: &str| {
        let fields = [(thing::NAME, Value::text(mark)), (thing::CODE, Value::text("same"))];
        Record { children: thing_of_parts(1, &[(10, mark)]).children, ..thing_with(1, &fields) }
    };
    let insert = |mark| vec![Write::Insert { resource: THING, record: marked(mark).into() }];
    assert_eq!(bench.get_of(&evil, THING, 1), None, "before there is anything");
    assert_eq!(bench.commit_of(&acme, insert("acme")), Ok(()));
    assert_eq!(bench.get_of(&evil, THING, 1), None);
    assert_eq!(bench.list_of(&evil, &all(THING)), Ok(Vec::new()));
    let conflict = Err(CommitError::Conflict { write: 0 });
    let stolen = changed(&marked("acme"), &[(thing::NAME, Value::text("stolen"))]);
    assert_eq!(bench.commit_of(&evil, vec![update(THING, stolen)]), conflict);
    assert_eq!(bench.commit_of(&evil, vec![delete(THING, 1, 1)]), conflict);
    assert_eq!(bench.commit_of(&evil, insert("evil")), Ok(()), "ids and keys are a tenant's own");
    let count = Write::Count { resource: THING, id: 1, field: thing::HITS, by: 5 };
    let raised = vec![update(THING, changed(&marked("evil"), &[])), count];
    assert_eq!(bench.commit_of(&evil, raised), Ok(()));
    assert_eq!(bench.get_of(&acme, THING, 1), Some(marked("acme")));
    let search = crate::search::words("evil");
    let found = bench.list_of(&acme, &ListQuery { search, ..all(THING) });
    assert_eq!(found, Ok(Vec::new()));
    bench.commit_of(&evil, vec![delete(THING, 1, 2)]).expect("its own row");
    assert_eq!(bench.get_of(&acme, THING, 1), Some(marked("acme")));
    let area_of = |tenant: &Tenant| {
        bench.commit_of(tenant, vec![Write::Insert { resource: AREA, record: area(1).into() }])
    };
    assert_eq!(area_of(&acme), Ok(()));
    let there = thing_with(2, &[(thing::AREA, Value::Uuid(1))]);
    let there = vec![Write::Insert { resource: THING, record: there.into() }];
    let refused = bench.commit_of(&evil, there);
    assert!(matches!(refused, Err(CommitError::UnknownReference { .. })), "{refused:?}");
}

pub(crate) fn a_call_without_a_tenant_reads_nothing(bench: &Bench) {
    if bench.layout() == Layout::NoTenants {
        return;
    }
    bench.put(THING, &[thing_with(1, &[])]);
    let store = bench.store();
    let broken = |error: Unavailable| matches!(error, Unavailable::Broken(_));
    let read = bench.wait(store.get(&None, THING, &[1], &[], &bindings()));
    assert!(read.is_err_and(broken));
    assert!(bench.list_of(&None, &all(THING)).is_err_and(broken));
    let written = bench.commit_of(&None, vec![delete(THING, 1, 1)]);
    assert!(matches!(written, Err(CommitError::Unavailable(Unavailable::Broken(_)))));
    if bench.layout() != Layout::Row {
        for name in ["../acme", "a/b", "", ".", "A", "a.db", "ü"] {
            let read = bench.wait(store.get(&bench.named(name), THING, &[1], &[], &bindings()));
            assert!(read.is_err_and(broken), "{name}");
        }
    }
}

pub(crate) fn shared_rows_are_seen_by_every_tenant(bench: &Bench) {
    let (acme, other) = (bench.named("acme"), bench.named("other"));
    let insert = vec![Write::Insert { resource: UNIT, record: unit(1).into() }];
    assert_eq!(bench.commit_of(&acme, insert), Ok(()));
    assert_eq!(bench.get_of(&other, UNIT, 1), Some(unit(1)));
    assert_eq!(bench.get_of(&None, UNIT, 1), Some(unit(1)));
    assert_eq!(bench.list_of(&other, &all(UNIT)), Ok(vec![unit(1)]));
}
