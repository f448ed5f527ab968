//! # E073 unreachable state
//! No path of transitions leads from the first value of a state to another of its values.
//!
//! **Why**: no row is ever in it; rules, lists and exits that name it do nothing.
//!
//! Wrong:
//! ```yaml
//! status: draft | placed | returned
//! commands: { place: { status: draft -> placed, by: user } }
//! ```
//! Right: a transition to it, or leave the value out.
//! ```yaml
//! commands:
//!   place: { status: draft -> placed, by: user }
//!   return: { status: placed -> returned, by: user }
//! ```

use super::machines::machines;
use super::resolve::Resolved;
use ir::model::FieldType;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E073");

/// Looks at every state.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    for (id, entry) in resolved.world.entries() {
        for machine in machines(resolved, id) {
            let Some(first) = machine.states.first() else { continue };
            if !machine.exits.contains_key(first.as_str()) {
                continue;
            }
            let reached = machine.reachable(first);
            let declared = entry.declared(machine.field);
            let FieldType::Enum(values) = &declared.ty.value else { continue };
            for value in values.iter().filter(|value| !reached.contains(value.as_str())) {
                let (resource, field) = (entry.name(), &declared.name);
                let message =
                    format!("no transition leads to `{value}`, a state of `{resource}.{field}`");
                let fault = Diagnostic::warning(CODE, value.span, message);
                found.push(
                    fault
                        .why(format!("a row begins as `{first}` and can never become `{value}`"))
                        .help(format!("add a command with `{field}: … -> {value}`, or remove it")),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn a_value_that_nothing_leads_to() {
        let resource = "
            Order:
              fields: { status: draft | placed | paid | returned }
              commands:
                place: { status: draft -> placed, by: user }
                refund: { status: returned -> paid, by: staff }
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
            warning[E073]: no transition leads to `paid`, a state of `Order.status`
             --> mainstay.yaml:7:44
              |
            7 |         fields: { status: draft | placed | paid | returned }
              |                                            ^^^^
              = why: a row begins as `draft` and can never become `paid`
              = help: add a command with `status: … -> paid`, or remove it

            warning[E073]: no transition leads to `returned`, a state of `Order.status`
             --> mainstay.yaml:7:51
              |
            7 |         fields: { status: draft | placed | paid | returned }
              |                                                   ^^^^^^^^
              = why: a row begins as `draft` and can never become `returned`
              = help: add a command with `status: … -> returned`, or remove it
        "#]],
        );
    }
}
