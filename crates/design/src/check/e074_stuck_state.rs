//! # E074 stuck state
//! A row comes into a state that it should leave and cannot: every transition out of it is closed,
//! or the row goes round in a circle from which no end is reached, or it never leaves the first
//! state at all.
//!
//! **Why**: such rows pile up; someone mends them by hand in the database.
//!
//! Wrong: a locked row can never be closed.
//! ```yaml
//! lock: { status: open -> locked, by: staff }
//! close: { status: open | locked -> closed, require: status == open, by: staff }
//! ```
//! Right:
//! ```yaml
//! close: { status: open | locked -> closed, by: staff }
//! ```

use super::machines::{Machine, machines};
use super::resolve::Resolved;
use ir::model::FieldType;
use ir::source::Span;
use ir::{Code, Diagnostic};
use std::collections::BTreeSet;

pub(crate) const CODE: Code = Code("E074");

/// Looks at every state.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    for (id, entry) in resolved.world.entries() {
        for machine in machines(resolved, id) {
            let declared = entry.declared(machine.field);
            let FieldType::Enum(values) = &declared.ty.value else { continue };
            let name = format!("{}.{}", entry.name(), declared.name);
            let span = |state: &str| {
                let value = values.iter().find(|value| *value == state);
                value.map_or(declared.ty.span, |value| value.span)
            };
            one(&machine, &name, &span, found);
        }
    }
}

fn one(
    machine: &Machine<'_>,
    name: &str,
    span: &dyn Fn(&str) -> Span,
    found: &mut Vec<Diagnostic>,
) {
    let Some(first) = machine.states.first().map(String::as_str) else { return };
    let warn = |state: &str, message: String| Diagnostic::warning(CODE, span(state), message);
    if !machine.exits.contains_key(first) {
        let message = format!("`{name}` begins as `{first}`, and no transition leads out of it");
        found.push(
            warn(first, message)
                .why("every row stays in its first state for ever")
                .help("put the value first that a new row should have"),
        );
        return;
    }
    let reached = machine.reachable(first);
    let mut closed: BTreeSet<&str> = BTreeSet::new();
    for state in &reached {
        let Some(exits) = machine.exits.get(state) else { continue };
        if exits.iter().any(|exit| exit.open) {
            continue;
        }
        closed.insert(state);
        if exits.iter().all(|exit| exit.told) {
            continue;
        }
        let commands: BTreeSet<&str> = exits.iter().map(|exit| exit.command).collect();
        let commands: Vec<String> = commands.iter().map(|name| format!("`{name}`")).collect();
        let message = format!("a row of `{name}` cannot leave `{state}`");
        found.push(
            warn(state, message)
                .why(format!("nobody can call {} in this state", commands.join(" or ")))
                .help("let somebody call one of them, or mend its guard"),
        );
    }
    let ends: BTreeSet<&str> = machine.ends().filter(|state| reached.contains(state)).collect();
    let trapped = reached.iter().find(|state| {
        let from_here = machine.reachable(state);
        !ends.is_empty() && from_here.is_disjoint(&ends) && from_here.is_disjoint(&closed)
    });
    if let Some(state) = trapped {
        let ends: Vec<String> = ends.iter().map(|end| format!("`{end}`")).collect();
        let message = format!("from `{state}` a row of `{name}` goes round for ever");
        let why = format!("no path of transitions leads from there to {}", ends.join(" or "));
        found.push(warn(state, message).why(why).help("add a transition out of the circle"));
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn a_state_whose_exits_are_closed_and_a_circle_without_an_end() {
        let resource = "
            Order:
              fields: { status: draft | locked | closed }
              commands:
                lock: { status: draft -> locked, by: user }
                close: { status: draft | locked -> closed, require: status == draft, by: user }
              allow: { read: anyone, write: staff }
            Door:
              fields: { state: new | gone | open | shut }
              commands:
                scrap: { state: new -> gone, by: staff }
                mount: { state: new -> open, by: staff }
                shut: { state: open -> shut, by: staff }
                open: { state: shut -> open, by: staff }
              allow: { read: anyone, write: staff }
            Lamp:
              fields: { state: off | on }
              commands: { dim: { state: on -> off, by: staff } }
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
                warning[E074]: a row of `Order.status` cannot leave `locked`
                 --> mainstay.yaml:7:35
                  |
                7 |         fields: { status: draft | locked | closed }
                  |                                   ^^^^^^
                  = why: nobody can call `close` in this state
                  = help: let somebody call one of them, or mend its guard

                warning[E074]: from `open` a row of `Door.state` goes round for ever
                  --> mainstay.yaml:13:39
                   |
                13 |         fields: { state: new | gone | open | shut }
                   |                                       ^^^^
                   = why: no path of transitions leads from there to `gone`
                   = help: add a transition out of the circle

                warning[E074]: `Lamp.state` begins as `off`, and no transition leads out of it
                  --> mainstay.yaml:21:26
                   |
                21 |         fields: { state: off | on }
                   |                          ^^^
                   = why: every row stays in its first state for ever
                   = help: put the value first that a new row should have
            "#]],
        );
    }

    #[test]
    fn ends_and_circles_without_ends_are_fine() {
        let resource = "
            Door:
              fields: { state: open | shut }
              commands:
                shut: { state: open -> shut, by: staff }
                reopen: { state: shut -> open, by: staff }
              allow: { read: anyone, write: staff }";
        check_resources(resource, expect![[r#""#]]);
    }
}
