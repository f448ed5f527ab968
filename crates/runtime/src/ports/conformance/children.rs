//! Owned children.

use super::*;

fn parts(bench: &Bench, id: u128) -> Vec<(u128, String)> {
    let owner = bench.get(THING, id).expect("it is there");
    let kind = |part: &Record| part.value(part::KIND).as_text().unwrap_or_default().to_owned();
    owner.children_of(thing::PARTS).iter().map(|part| (part.id, kind(part))).collect()
}

fn named(all: &[(u128, &str)]) -> Vec<(u128, String)> {
    all.iter().map(|(id, kind)| (*id, (*kind).to_owned())).collect()
}

pub(crate) fn children_keep_their_order(bench: &Bench) {
    let order = [(9, "c"), (1, "a"), (5, "b")];
    bench.put(THING, &[thing_of_parts(1, &order)]);
    assert_eq!(parts(bench, 1), named(&order));
}

pub(crate) fn children_are_changed_moved_added_and_removed(bench: &Bench) {
    let owner = thing_of_parts(1, &[(1, "a"), (2, "b"), (3, "c")]);
    bench.put(THING, std::slice::from_ref(&owner));
    let put = vec![part_of(3, "c"), part_of(4, "new"), part_of(1, "changed")];
    let next = changed(&owner, &[]);
    assert_eq!(bench.commit(vec![update_parts(next.clone(), &[2], put)]), Ok(()));
    assert_eq!(parts(bench, 1), named(&[(3, "c"), (4, "new"), (1, "changed")]));
    let last = changed(&next, &[]);
    assert_eq!(bench.commit(vec![update_parts(last, &[3, 4, 1], Vec::new())]), Ok(()));
    assert_eq!(parts(bench, 1), []);
}

pub(crate) fn a_child_of_another_owner_is_a_conflict(bench: &Bench) {
    let (first, second) = (thing_of_parts(1, &[(10, "a")]), thing_of_parts(2, &[(20, "b")]));
    bench.put(THING, &[first.clone(), second]);
    let conflict = Err(CommitError::Conflict { write: 0 });
    let next = changed(&first, &[(thing::COUNT, Value::Int(1))]);
    let steals = update_parts(next.clone(), &[], vec![part_of(20, "stolen")]);
    assert_eq!(bench.commit(vec![steals]), conflict);
    assert_eq!(bench.commit(vec![update_parts(next.clone(), &[20], Vec::new())]), conflict);
    assert_eq!(bench.commit(vec![update_parts(next, &[77], Vec::new())]), conflict);
    assert_eq!(bench.get(THING, 1), Some(first), "nothing was written");
    assert_eq!(parts(bench, 2), named(&[(20, "b")]));
}

pub(crate) fn children_go_with_their_owner(bench: &Bench) {
    bench.put(THING, &[thing_of_parts(1, &[(10, "a"), (11, "b")])]);
    assert_eq!(bench.commit(vec![delete(THING, 1, 1)]), Ok(()));
    assert_eq!(bench.insert(THING, &thing_of_parts(2, &[(10, "a")])), Ok(()));
    assert_eq!(parts(bench, 2), named(&[(10, "a")]));
}
