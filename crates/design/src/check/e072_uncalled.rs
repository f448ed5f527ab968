//! # E072 transition that nothing triggers
//! Only `system` may call a command with a transition, and no workflow, schedule, job or reaction
//! does.
//!
//! **Why**: its transition can never be triggered: people may not and Mainstay does not.
//!
//! Wrong:
//! ```yaml
//! pay: { status: placed -> paid, by: system }
//! ```
//! Right: let a workflow call it, or a person.
//! ```yaml
//! workflows: { checkout: { after: Order.place, steps: [{ name: pay, do: Order.pay }] } }
//! ```

use super::resolve::Resolved;
use ir::domain::CommandId;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E072");

/// Looks at every command of `system` alone.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    for ((id, entry), resource) in resolved.world.entries().zip(&resolved.domain.resources) {
        for (at, command) in resource.commands.iter().enumerate() {
            let moves = !command.transitions.is_empty();
            if !moves || !command.internal || resolved.is_called(id, CommandId::of(at)) {
                continue;
            }
            let span = entry.model.commands[at].name.span;
            let message = format!("nothing calls `{}.{}`", entry.name(), command.name);
            let fault = Diagnostic::warning(CODE, span, message);
            let names = command.transitions.iter().map(|transition| {
                format!("`{} -> {}`", transition.from.join(" | "), transition.to)
            });
            let names: Vec<String> = names.collect();
            let why = format!(
                "only `system` may, and no workflow, schedule, job or reaction does: {} never \
                 happens",
                names.join(", ")
            );
            found.push(fault.why(why).help("call it from a workflow, or add an actor to `by`"));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn a_command_of_system_that_no_workflow_calls() {
        let resource = "
            Order:
              fields: { status: placed | paid }
              commands: { pay: { status: placed -> paid, by: system } }
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
                warning[E072]: nothing calls `Order.pay`
                 --> mainstay.yaml:8:21
                  |
                8 |         commands: { pay: { status: placed -> paid, by: system } }
                  |                     ^^^
                  = why: only `system` may, and no workflow, schedule, job or reaction does: `placed -> paid` never happens
                  = help: call it from a workflow, or add an actor to `by`
            "#]],
        );
    }
}
