//! # E062 owned child used as a root
//! A resource that another one owns (`many OrderLine`) is referred to, listed, scheduled, or has
//! rules, commands or paths of its own.
//!
//! **Why**: a child is written, read and deleted with its root, in one transaction and under its
//! root's rules; it has no address of its own.
//!
//! Wrong:
//! ```yaml
//! steps: [list OrderLine]
//! ```
//! Right:
//! ```yaml
//! steps: [get Order]
//! ```
//! What needs an address of its own is a root with a reference: `order: Order`.

use super::place::Place;
use super::resolve::Resolved;
use super::world::{Entry, World};
use ir::domain::{Kind, ResourceId};
use ir::source::Span;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E062");

const WHY: &str = "a child is written, read and deleted with its root, under its root's rules";

/// A place outside uses a child as if it were a root.
pub(crate) fn fault(
    world: &World<'_>,
    child: ResourceId,
    span: Span,
    place: Place<'_>,
) -> Diagnostic {
    let entry = world.entry(child);
    let message = format!("{place} uses `{}` as a root, but it is an owned child", entry.name());
    let fault = Diagnostic::error(CODE, span, message).why(WHY);
    owner_of(world, entry, fault)
}

fn owner_of(world: &World<'_>, entry: &Entry<'_>, fault: Diagnostic) -> Diagnostic {
    let Some((owner, field)) = entry.owner else { return fault };
    let owner = world.entry(owner);
    let declared = owner.declared(field);
    let fault = fault.also(declared.name.span, format!("`{}` owns it", owner.name()));
    fault.help(format!("speak of `{}`, or refer instead of owning", owner.name()))
}

/// Looks at references to children and at what children declare of their own.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let world = &resolved.world;
    for (id, entry) in world.entries() {
        for (declared, kind) in entry.model.fields.iter().zip(&entry.kinds) {
            if let Some(Kind::Reference { target, .. }) = kind
                && world.entry(*target).owner.is_some()
            {
                let place = Place::new(entry.name(), declared.name.as_str());
                found.push(fault(world, *target, declared.ty.span, place));
            }
        }
        if world.entry(id).owner.is_some() {
            own_words(world, entry, found);
        }
    }
}

fn own_words(world: &World<'_>, entry: &Entry<'_>, found: &mut Vec<Diagnostic>) {
    let model = entry.model;
    let allow = &model.allow;
    let grants = [&allow.read, &allow.write, &allow.create, &allow.update, &allow.delete];
    let first = grants.into_iter().flatten().next();
    let words: [(&str, Option<Span>); 8] = [
        ("rules of access", first.map(|grant| grant.span)),
        ("commands", model.commands.first().map(|command| command.name.span)),
        ("routes", model.routes.first().map(|route| route.span)),
        ("published writes", model.emit.first().map(|change| change.span)),
        ("a cache", model.cache.as_ref().map(|cache| cache.span)),
        ("`shared`", model.shared),
        ("`idempotency`", model.idempotency_required),
        ("`if_match`", model.if_match_required),
    ];
    for (word, span) in words {
        if let Some(span) = span {
            let message = format!("`{}` is an owned child and cannot have {word}", entry.name());
            let fault = Diagnostic::error(CODE, span, message).why(WHY);
            found.push(owner_of(world, entry, fault));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn a_child_with_rules_commands_and_a_reference_to_it() {
        let resource = "
            Order:
              fields: { lines: many Line 1..9, first: Line optional }
              allow: { read: user, write: user }
            Line:
              fields: { count: int }
              commands: { clear: { set: { count: 0 }, by: user } }
              allow: { read: anyone }";
        check_resources(
            resource,
            expect![[r#"
            error[E062]: `first` of `Order` uses `Line` as a root, but it is an owned child
             --> mainstay.yaml:7:49
              |
            7 |         fields: { lines: many Line 1..9, first: Line optional }
              |                                                 ^^^^
              |                   ----- `Order` owns it
              = why: a child is written, read and deleted with its root, under its root's rules
              = help: speak of `Order`, or refer instead of owning

            error[E062]: `Line` is an owned child and cannot have commands
              --> mainstay.yaml:11:21
               |
             7 |         fields: { lines: many Line 1..9, first: Line optional }
               |                   ----- `Order` owns it
            ...
            11 |         commands: { clear: { set: { count: 0 }, by: user } }
               |                     ^^^^^
               = why: a child is written, read and deleted with its root, under its root's rules
               = help: speak of `Order`, or refer instead of owning

            error[E062]: `Line` is an owned child and cannot have rules of access
              --> mainstay.yaml:12:24
               |
             7 |         fields: { lines: many Line 1..9, first: Line optional }
               |                   ----- `Order` owns it
            ...
            12 |         allow: { read: anyone }
               |                        ^^^^^^
               = why: a child is written, read and deleted with its root, under its root's rules
               = help: speak of `Order`, or refer instead of owning
        "#]],
        );
    }
}
