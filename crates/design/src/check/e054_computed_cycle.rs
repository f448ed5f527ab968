//! # E054 computed fields in a circle
//! A computed field reads itself, directly or through other computed fields of the aggregate.
//!
//! **Why**: on a write each computed field is set after those it reads; in a circle there is no
//! first one.
//!
//! Wrong:
//! ```yaml
//! net: money = gross - tax
//! tax: money = gross - net
//! ```
//! Right:
//! ```yaml
//! tax: money = gross * 0.2
//! net: money = gross - tax
//! ```

use super::resolve::Resolved;
use ir::domain::{FieldId, ResourceId, Source};
use ir::{Code, Diagnostic};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const CODE: Code = Code("E054");

type Node = (ResourceId, FieldId);

/// Looks for circles among computed and copied fields.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let mut reads: BTreeMap<Node, BTreeSet<Node>> = BTreeMap::new();
    for (id, resource) in resolved.domain.resources() {
        for (field, declared) in resource.fields() {
            if let Source::Computed(expr) | Source::Copied(_, expr) = &declared.source {
                let read = super::reads::reads(&resolved.domain, id, expr);
                let own = read.into_iter().filter(|read| read.own);
                let own = own.map(|read| (read.resource, read.field)).collect();
                reads.insert((id, field), own);
            }
        }
    }
    let computed: BTreeSet<Node> = reads.keys().copied().collect();
    let mut readers: Readers = BTreeMap::new();
    for (node, targets) in &mut reads {
        targets.retain(|target| computed.contains(target));
        targets.iter().for_each(|target| readers.entry(*target).or_default().push(*node));
    }
    let ended = reads.iter().filter(|(_, targets)| targets.is_empty());
    let ended = ended.map(|(node, _)| *node).collect();
    take_away(&mut reads, &readers, ended);
    while let Some(&start) = reads.keys().next() {
        let circle = circle(&reads, start);
        found.push(fault(resolved, &circle));
        take_away(&mut reads, &readers, circle);
    }
}

/// Who reads each node.
type Readers = BTreeMap<Node, Vec<Node>>;

/// Takes nodes away, and with them, again and again, what then reads nothing that is left.
fn take_away(reads: &mut BTreeMap<Node, BTreeSet<Node>>, readers: &Readers, mut nodes: Vec<Node>) {
    while let Some(node) = nodes.pop() {
        if reads.remove(&node).is_none() {
            continue;
        }
        for reader in readers.get(&node).into_iter().flatten() {
            let left = reads.get_mut(reader);
            if left.is_some_and(|targets| targets.remove(&node) && targets.is_empty()) {
                nodes.push(*reader);
            }
        }
    }
}

/// A circle that is reached from `start`; every node that is left reads another.
fn circle(reads: &BTreeMap<Node, BTreeSet<Node>>, start: Node) -> Vec<Node> {
    let mut path = vec![start];
    let mut seen = BTreeMap::from([(start, 0)]);
    loop {
        let last = path[path.len() - 1];
        let Some(next) = reads.get(&last).and_then(|targets| targets.first()) else {
            return path;
        };
        if let Some(&at) = seen.get(next) {
            return path.split_off(at);
        }
        seen.insert(*next, path.len());
        path.push(*next);
    }
}

fn fault(resolved: &Resolved<'_>, circle: &[Node]) -> Diagnostic {
    let world = &resolved.world;
    let name = |(resource, field): &Node| {
        let entry = world.entry(*resource);
        format!("`{}.{}`", entry.name(), entry.declared(*field).name)
    };
    let mut path: Vec<String> = circle.iter().map(name).collect();
    path.extend(path.first().cloned());
    let first = circle[0];
    let declared = world.entry(first.0).declared(first.1);
    let message = format!("{} is computed from itself", path[0]);
    let fault = Diagnostic::error(CODE, declared.name.span, message);
    fault
        .why("each computed field is set after those it reads, and here none is the first")
        .help(format!("break the circle {}", path.join(" reads ")))
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn a_circle_within_a_row_and_one_through_its_children() {
        let resource = "
            Bill:
              fields:
                gross: int
                net: int = gross - tax
                tax: int = gross - net
                lines: many Line 1..9
                total: int = sum(lines.amount)
              allow: { read: anyone, write: staff }
            Line:
              fields: { count: int, amount: int = count * bill.total }";
        check_resources(
            resource,
            expect![[r#"
            error[E054]: `Bill.net` is computed from itself
             --> mainstay.yaml:9:11
              |
            9 |           net: int = gross - tax
              |           ^^^
              = why: each computed field is set after those it reads, and here none is the first
              = help: break the circle `Bill.net` reads `Bill.tax` reads `Bill.net`

            error[E054]: `Bill.total` is computed from itself
              --> mainstay.yaml:12:11
               |
            12 |           total: int = sum(lines.amount)
               |           ^^^^^
               = why: each computed field is set after those it reads, and here none is the first
               = help: break the circle `Bill.total` reads `Line.amount` reads `Bill.total`
        "#]],
        );
    }

    #[test]
    fn a_chain_is_no_circle() {
        let resource = "
            Bill:
              fields:
                gross: int
                tax: int = gross / 5
                net: int = gross - tax
                lines: many Line 1..9
                total: int = sum(lines.amount) + net
              allow: { read: anyone, write: staff }
            Line:
              fields: { count: int, amount: int = count * bill.net }";
        check_resources(resource, expect![[r#""#]]);
    }
}
