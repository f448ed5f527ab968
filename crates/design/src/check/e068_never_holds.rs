//! # E068 condition that can never hold
//! A rule, a guard or a filter contradicts itself, or what is declared of the fields it reads.
//!
//! **Why**: the rule allows nothing and nobody notices: it looks like a permission and is none.
//!
//! Wrong:
//! ```yaml
//! create: shopper when status == placed
//! ```
//! Right: a row begins in the first state, so it is created as a draft and then placed.
//! ```yaml
//! create: shopper
//! ```

use super::logic::Facts;
use super::resolve::Resolved;
use ir::domain::{Command, Grant, Kind, Resource};
use ir::expr::FieldRef;
use ir::model;
use ir::source::Span;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E068");

/// Looks at every rule of access, guard and condition of a caller.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    for (entry, resource) in resolved.world.resources.iter().zip(&resolved.domain.resources) {
        if resource.owner.is_some() {
            continue;
        }
        let facts = Facts::of(resource);
        let new = at_creation(resource, facts.clone());
        let allow = &entry.model.allow;
        let access = &resource.access;
        let lists = [
            ("read", &allow.read, &access.read, &facts),
            ("create", &allow.create, &access.create, &new),
            ("update", &allow.update, &access.update, &facts),
            ("delete", &allow.delete, &access.delete, &facts),
            ("write", &allow.write, &access.update, &facts),
        ];
        for (part, asked, grants, facts) in lists {
            let part = format!("allow.{part}");
            grants_never(entry.name(), &part, (asked, grants), facts, found);
        }
        for (asked, command) in entry.model.commands.iter().zip(&resource.commands) {
            of_command(resource, asked, command, &facts, found);
        }
    }
}

/// A new row is in the first state of each of its enums that are states.
fn at_creation<'d>(resource: &Resource, mut facts: Facts<'d>) -> Facts<'d> {
    for (id, field) in resource.fields() {
        if let (true, Kind::Enum(values)) = (field.state, &field.kind) {
            facts = facts.with(FieldRef::Field(id), &values[..1.min(values.len())]);
        }
    }
    facts
}

fn grants_never(
    owner: &str,
    part: &str,
    (asked, grants): (&[model::Grant], &[Grant]),
    facts: &Facts<'_>,
    found: &mut Vec<Diagnostic>,
) {
    for asked in asked {
        let Some(grant) = grants.iter().find(|grant| grant.text == asked.text) else { continue };
        let Some(when) = &grant.when else { continue };
        if facts.never(when) {
            let span = asked.when.as_ref().map_or(asked.span, |when| when.span);
            found.push(fault(span, &format!("the rule `{}` in `{part}` of `{owner}`", asked.text)));
        }
    }
}

fn of_command(
    resource: &Resource,
    asked: &model::Command,
    command: &Command,
    facts: &Facts<'_>,
    found: &mut Vec<Diagnostic>,
) {
    let mut facts = facts.clone();
    for transition in &command.transitions {
        facts = facts.with(FieldRef::Field(transition.field), &transition.from);
    }
    let name = format!("{}.{}", resource.name, command.name);
    for (text, guard) in &command.require {
        let asked = asked.require.iter().find(|expression| expression.text == *text);
        if !facts.assume(guard, true)
            && let Some(asked) = asked
        {
            return found.push(fault(asked.span, &format!("the guard `{text}` of `{name}`")));
        }
    }
    grants_never(&name, "by", (&asked.by, &command.by), &facts, found);
}

fn fault(span: Span, what: &str) -> Diagnostic {
    let message = format!("{what} can never hold");
    Diagnostic::error(CODE, span, message)
        .why("it contradicts itself or what is declared of the fields that it reads")
        .help("mend the condition, or leave the rule out")
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn contradictions_within_a_rule_and_with_what_is_declared() {
        let resource = "
            Order:
              fields: { count: int 1..9, note: string max 9 optional, status: draft | placed | paid }
              commands:
                place: { status: draft -> placed, by: user when status == placed }
                pay: { status: placed -> paid, require: [count > 5, count < 4], by: staff }
              allow:
                read: [user when status == draft && status == paid, staff]
                create: user when status == placed
                update: user when count > 9
                delete: user when note == null && note == 'x'";
        check_resources(
            resource,
            expect![[r#"
                error[E068]: the rule `user when status == placed` in `by` of `Order.place` can never hold
                 --> mainstay.yaml:9:59
                  |
                9 |           place: { status: draft -> placed, by: user when status == placed }
                  |                                                           ^^^^^^^^^^^^^^^^
                  = why: it contradicts itself or what is declared of the fields that it reads
                  = help: mend the condition, or leave the rule out

                error[E068]: the guard `count < 4` of `Order.pay` can never hold
                  --> mainstay.yaml:10:63
                   |
                10 |           pay: { status: placed -> paid, require: [count > 5, count < 4], by: staff }
                   |                                                               ^^^^^^^^^
                   = why: it contradicts itself or what is declared of the fields that it reads
                   = help: mend the condition, or leave the rule out

                error[E068]: the rule `user when status == draft && status == paid` in `allow.read` of `Order` can never hold
                  --> mainstay.yaml:12:28
                   |
                12 |           read: [user when status == draft && status == paid, staff]
                   |                            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
                   = why: it contradicts itself or what is declared of the fields that it reads
                   = help: mend the condition, or leave the rule out

                error[E068]: the rule `user when status == placed` in `allow.create` of `Order` can never hold
                  --> mainstay.yaml:13:29
                   |
                13 |           create: user when status == placed
                   |                             ^^^^^^^^^^^^^^^^
                   = why: it contradicts itself or what is declared of the fields that it reads
                   = help: mend the condition, or leave the rule out

                error[E068]: the rule `user when count > 9` in `allow.update` of `Order` can never hold
                  --> mainstay.yaml:14:29
                   |
                14 |           update: user when count > 9
                   |                             ^^^^^^^^^
                   = why: it contradicts itself or what is declared of the fields that it reads
                   = help: mend the condition, or leave the rule out

                error[E068]: the rule `user when note == null && note == 'x'` in `allow.delete` of `Order` can never hold
                  --> mainstay.yaml:15:29
                   |
                15 |           delete: user when note == null && note == 'x'
                   |                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^
                   = why: it contradicts itself or what is declared of the fields that it reads
                   = help: mend the condition, or leave the rule out
            "#]],
        );
    }

    #[test]
    fn what_may_hold_is_left_alone() {
        let resource = "
            Order:
              fields: { count: int 1..9, open: bool, status: draft | placed | paid }
              commands:
                place: { status: draft -> placed, require: [count > 3, count < 5], by: user }
                pay: { status: placed -> paid, by: \"staff when status in [placed, draft]\" }
              allow:
                read: [user when status == draft || status == paid, staff]
                create: user when status == draft && not open
                update: user when count >= 9 && count != 8 && open";
        check_resources(resource, expect![""]);
    }
}
