//! References inside a context.

use super::*;

pub(crate) fn a_reference_must_lead_somewhere(bench: &Bench) {
    bench.put(AREA, &[area(1)]);
    let unknown =
        |resource, field, id| Err(CommitError::UnknownReference { write: 0, resource, field, id });
    let at = |id, area| thing_with(id, &[(thing::AREA, Value::Uuid(area))]);
    assert_eq!(bench.insert(THING, &at(1, 1)), Ok(()));
    assert_eq!(bench.insert(THING, &at(2, 7)), unknown(THING, thing::AREA, 7));
    let moved = changed(&at(1, 1), &[(thing::ZONE, Value::Uuid(8))]);
    assert_eq!(bench.commit(vec![update(THING, moved)]), unknown(THING, thing::ZONE, 8));
    let mut owner = thing_of_parts(3, &[(30, "a")]);
    owner.children[0].1[0].values[part::AREA.index()] = Value::Uuid(9);
    assert_eq!(bench.insert(THING, &owner), unknown(PART, part::AREA, 9));
    assert_eq!(bench.ids(THING, None), [1]);
}

pub(crate) fn a_row_that_is_referred_to_is_held(bench: &Bench) {
    bench.put(AREA, &[area(1), area(2)]);
    bench.put(THING, &[thing_with(1, &[(thing::AREA, Value::Uuid(1))])]);
    let held = Err(CommitError::StillReferenced { write: 0, by: THING });
    assert_eq!(bench.commit(vec![delete(AREA, 1, 1)]), held);
    assert_eq!(bench.commit(vec![delete(AREA, 2, 1)]), Ok(()));
    let both = vec![delete(THING, 1, 1), delete(AREA, 1, 1)];
    assert_eq!(bench.commit(both), Ok(()), "in order");
    assert_eq!(bench.ids(AREA, None), Vec::<u128>::new());
}

pub(crate) fn a_deletion_clears_references_and_raises_the_version(bench: &Bench) {
    bench.put(AREA, &[area(1), area(2)]);
    let mut owner = thing_of_parts(2, &[(20, "a"), (21, "b")]);
    owner.children[0].1[1].values[part::AREA.index()] = Value::Uuid(1);
    let rows = [
        thing_with(1, &[(thing::ZONE, Value::Uuid(1))]),
        owner,
        thing_with(3, &[(thing::ZONE, Value::Uuid(2))]),
    ];
    bench.put(THING, &rows);
    assert_eq!(bench.commit(vec![delete(AREA, 1, 1)]), Ok(()));
    let cleared = bench.get(THING, 1).expect("it stays");
    assert_eq!((cleared.value(thing::ZONE), cleared.version), (&Value::Null, 2));
    let owner = bench.get(THING, 2).expect("it stays");
    let part = &owner.children_of(thing::PARTS)[1];
    assert_eq!((part.value(part::AREA), owner.version), (&Value::Null, 2));
    assert_eq!(bench.get(THING, 3).as_ref(), Some(&rows[2]));
}

pub(crate) fn a_deletion_takes_along_what_cascades(bench: &Bench) {
    bench.put(AREA, &[area(1), area(2)]);
    let mut taken = thing_of_parts(1, &[(10, "a")]);
    taken.values[thing::SITE.index()] = Value::Uuid(1);
    bench.put(THING, &[taken, thing_with(2, &[(thing::SITE, Value::Uuid(2))])]);
    assert_eq!(bench.commit(vec![delete(AREA, 1, 1)]), Ok(()));
    assert_eq!(bench.ids(THING, None), [2]);
    // The id of the part is free again.
    assert_eq!(bench.insert(THING, &thing_of_parts(3, &[(10, "b")])), Ok(()));
}

pub(crate) fn a_shared_row_is_referred_to_by_rows_of_tenants(bench: &Bench) {
    bench.put(UNIT, &[unit(1), unit(2)]);
    let measured = |id, unit| thing_with(id, &[(thing::UNIT, Value::Uuid(unit))]);
    assert_eq!(bench.insert(THING, &measured(1, 1)), Ok(()));
    let field = thing::UNIT;
    let unknown = CommitError::UnknownReference { write: 0, resource: THING, field, id: 9 };
    assert_eq!(bench.insert(THING, &measured(2, 9)), Err(unknown));
    let held = Err(CommitError::StillReferenced { write: 0, by: THING });
    assert_eq!(bench.commit(vec![delete(UNIT, 1, 1)]), held);
    assert_eq!(bench.commit(vec![delete(UNIT, 2, 1)]), Ok(()));
    let kind = ExprKind::Related {
        path: vec![thing::UNIT],
        target: UNIT,
        field: FieldRef::Field(FieldId(0)),
        crosses: false,
    };
    let metres = compare(Operator::Equal, Expr { kind, ty: Type::Text }, Value::text("m"));
    assert_eq!(bench.ids(THING, Some(&metres)), [1], "filters follow it");
}
