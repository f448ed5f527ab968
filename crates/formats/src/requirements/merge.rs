//! The files of a directory become one tree, in whatever order they come: containers are joined,
//! anything else may be set once.

use super::construct::{Construct, MODEL, Shape};
use super::faults::{set_twice, wrong_shape};
use super::tree::{Entry, Kind, Map, Node};
use ir::Diagnostic;
use std::collections::BTreeMap;

/// One root of all roots; none where there are none.
pub(crate) fn merge(roots: Vec<Node>, faults: &mut Vec<Diagnostic>) -> Option<Node> {
    let mut span = None;
    let mut all = Vec::new();
    let mut flow = false;
    for root in roots {
        span = span.or(Some(root.span));
        match root.kind {
            Kind::Map(map) => {
                flow = map.flow;
                all.push(map.entries);
            }
            Kind::Scalar(scalar) if scalar.is_absent() => {}
            Kind::Scalar(_) => faults.push(wrong_shape::file(root.span, "a text")),
            Kind::List(_) => faults.push(wrong_shape::file(root.span, "a list")),
            Kind::Refused => {}
        }
    }
    let entries = match all.len() {
        0 | 1 => all.pop().unwrap_or_default(),
        _ => join(all.into_iter().flatten().collect(), How::Keys(&MODEL), faults),
    };
    span.map(|span| Node { span, kind: Kind::Map(Map { entries, flow }) })
}

/// How the keys of a mapping are to be joined.
#[derive(Clone, Copy)]
enum How {
    /// They are the keys of a construct.
    Keys(&'static Construct),
    /// They are names, and this is what each name has.
    Names(&'static Shape),
}

impl How {
    /// How the value of a key is joined; `None` where it may be set only once.
    fn below(self, key: &str) -> Option<Self> {
        let shape = match self {
            Self::Keys(construct) => &construct.key(key)?.shape,
            Self::Names(shape) => shape,
        };
        match shape {
            Shape::Named(_, inner) => Some(Self::Names(inner)),
            Shape::One(construct) if construct.merges => Some(Self::Keys(construct)),
            Shape::One(_)
            | Shape::Leaf(_)
            | Shape::List(_)
            | Shape::Some(_)
            | Shape::LeafOrNamed(..)
            | Shape::Sets(_) => None,
        }
    }
}

fn join(entries: Vec<Entry>, how: How, faults: &mut Vec<Diagnostic>) -> Vec<Entry> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut groups: Vec<Vec<Entry>> = Vec::new();
    for entry in entries {
        match places.get(&entry.key.value) {
            Some(at) => groups[*at].push(entry),
            None => {
                places.insert(entry.key.value.clone(), groups.len());
                groups.push(vec![entry]);
            }
        }
    }
    groups.into_iter().filter_map(|group| one(group, how, faults)).collect()
}

/// One entry of all entries with the same key.
fn one(group: Vec<Entry>, how: How, faults: &mut Vec<Diagnostic>) -> Option<Entry> {
    let mut rest = group.into_iter();
    let mut first = rest.next()?;
    let below = how.below(&first.key.value);
    let mut more = Vec::new();
    for entry in rest {
        match (below, &first.value.kind, entry.value.kind) {
            (Some(_), Kind::Map(_), Kind::Map(map)) => more.extend(map.entries),
            (None, Kind::Scalar(one), Kind::Scalar(other))
                if first.key.value == "mainstay" && one.value == other.value => {}
            _ => faults.push(set_twice::at(entry.key.span, &entry.key.value, first.key.span)),
        }
    }
    if let (Some(below), Kind::Map(map)) = (below, &mut first.value.kind)
        && !more.is_empty()
    {
        let mut entries = std::mem::take(&mut map.entries);
        entries.append(&mut more);
        map.entries = join(entries, below, faults);
    }
    Some(first)
}
