//! # E063 children that cannot be owned so
//! A child has two owners, owns children itself, or resources own each other in a circle.
//!
//! **Why**: an aggregate is a root with its children, one level deep; each child lives and dies
//! with exactly one root. In a circle there is no root at all.
//!
//! Wrong:
//! ```yaml
//! Order: { fields: { lines: many Line 1..50 } }
//! Invoice: { fields: { lines: many Line 1..50 } }
//! ```
//! Right:
//! ```yaml
//! Order: { fields: { lines: many OrderLine 1..50 } }
//! Invoice: { fields: { lines: many InvoiceLine 1..50 } }
//! ```

use super::e056_bounds;
use super::place::Place;
use super::resolve::Resolved;
use ir::domain::{FieldId, Kind, ResourceId};
use ir::{Code, Diagnostic};
use std::collections::BTreeSet;

pub(crate) const CODE: Code = Code("E063");

/// Looks at every list of children.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let world = &resolved.world;
    let circle = in_a_circle(resolved);
    for (id, entry) in world.entries() {
        for (at, kind) in entry.kinds.iter().enumerate() {
            let Some(Kind::Children { target, min, max }) = *kind else { continue };
            let here = (id, FieldId::of(at));
            let declared = entry.declared(here.1);
            let place = Place::new(entry.name(), declared.name.as_str());
            if max == 0 || min > max {
                found.push(e056_bounds::children(declared, min, max, place));
            }
            let child = world.entry(target);
            let fault = |message: String| Diagnostic::error(CODE, declared.ty.span, message);
            let (owner, child_name) = (entry.name(), child.name());
            if child.owner.is_some_and(|first| first != here) {
                let (first, field) = child.owner.expect("it was just there");
                let first = world.entry(first);
                let also = first.declared(field).ty.span;
                let fault = fault(format!("`{child_name}` is owned twice"));
                let fault = fault.also(also, format!("`{}` owns it already", first.name()));
                found.push(
                    fault.why("a child lives and dies with exactly one root").help(format!(
                        "give `{owner}` a child resource of its own, or refer to it"
                    )),
                );
            } else if circle.contains(&id) && circle.contains(&target) {
                found.push(
                    fault(format!("`{owner}` and `{child_name}` own each other in a circle"))
                        .why("none of them would be a root, so none could be reached")
                        .help("let one of them refer to the other instead of owning it"),
                );
            } else if entry.owner.is_some() {
                found.push(
                    fault(format!("the child `{owner}` owns children itself, `{child_name}`"))
                        .why("an aggregate is a root with its children, one level deep")
                        .help(format!("make `{owner}` a root that refers to its former owner")),
                );
            }
        }
    }
}

/// Resources that own themselves through others.
fn in_a_circle(resolved: &Resolved<'_>) -> BTreeSet<ResourceId> {
    let owner = |id: ResourceId| resolved.world.entry(id).owner.map(|(owner, _)| owner);
    let mut circle = BTreeSet::new();
    let mut done: BTreeSet<ResourceId> = BTreeSet::new();
    for (id, _) in resolved.world.entries() {
        let mut path: Vec<ResourceId> = Vec::new();
        let mut seen: BTreeSet<ResourceId> = BTreeSet::new();
        let mut at = Some(id);
        while let Some(here) = at {
            if done.contains(&here) {
                break;
            }
            if !seen.insert(here) {
                let start = path.iter().position(|step| *step == here).unwrap_or(0);
                circle.extend(&path[start..]);
                break;
            }
            path.push(here);
            at = owner(here);
        }
        done.extend(path);
    }
    circle
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn two_owners_a_circle_and_a_second_level() {
        let resource = "
            Order:
              fields: { lines: many Line 1..9 }
              allow: { read: user, write: user }
            Invoice:
              fields: { lines: many Line 1..9 }
              allow: { read: user, write: user }
            Line:
              fields: { parts: many Part 1..9 }
            Part:
              fields: { count: int }
            Egg:
              fields: { hens: many Hen 1..9 }
            Hen:
              fields: { eggs: many Egg 1..9 }";
        check_resources(
            resource,
            expect![[r#"
            error[E063]: `Line` is owned twice
              --> mainstay.yaml:10:26
               |
             7 |         fields: { lines: many Line 1..9 }
               |                          --------- `Order` owns it already
            ...
            10 |         fields: { lines: many Line 1..9 }
               |                          ^^^^^^^^^
               = why: a child lives and dies with exactly one root
               = help: give `Invoice` a child resource of its own, or refer to it

            error[E063]: the child `Line` owns children itself, `Part`
              --> mainstay.yaml:13:26
               |
            13 |         fields: { parts: many Part 1..9 }
               |                          ^^^^^^^^^
               = why: an aggregate is a root with its children, one level deep
               = help: make `Line` a root that refers to its former owner

            error[E063]: `Egg` and `Hen` own each other in a circle
              --> mainstay.yaml:17:25
               |
            17 |         fields: { hens: many Hen 1..9 }
               |                         ^^^^^^^^
               = why: none of them would be a root, so none could be reached
               = help: let one of them refer to the other instead of owning it

            error[E063]: `Hen` and `Egg` own each other in a circle
              --> mainstay.yaml:19:25
               |
            19 |         fields: { eggs: many Egg 1..9 }
               |                         ^^^^^^^^
               = why: none of them would be a root, so none could be reached
               = help: let one of them refer to the other instead of owning it
        "#]],
        );
    }
}
