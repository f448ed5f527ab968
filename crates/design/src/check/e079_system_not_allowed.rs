//! # E079 command that Mainstay calls but may not
//! A step, a schedule, a job or a reaction calls a command whose `by` does not list `system`.
//!
//! **Why**: workflows, schedules, jobs and reactions run as `system`, never as the person who began
//! them; each of their calls would be refused.
//!
//! Wrong:
//! ```yaml
//! cancel: { status: draft -> cancelled, by: shopper }
//! schedules: { abandon: { every: 1 h, for: Order, do: Order.cancel } }
//! ```
//! Right:
//! ```yaml
//! cancel: { status: draft -> cancelled, by: [shopper, system] }
//! ```

use super::resolve::Resolved;
use ir::domain::Caller;
use ir::{Code, Diagnostic};
use std::collections::BTreeSet;

pub(crate) const CODE: Code = Code("E079");

/// Looks at every call that Mainstay makes.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let mut told = BTreeSet::new();
    for call in &resolved.doings.calls {
        let resource = resolved.domain.resource(call.resource);
        let command = &resource.commands[call.command.index()];
        let allowed = command.by.iter().any(|grant| grant.caller == Caller::System);
        let asked = &resolved.world.entry(call.resource).model.commands[call.command.index()];
        if allowed || asked.by.is_empty() || !told.insert((call.resource, call.command, &call.by)) {
            continue;
        }
        let name = format!("{}.{}", resource.name, command.name);
        let message = format!("{} calls `{name}`, which `system` may not", call.by);
        let by: Vec<&str> = asked.by.iter().map(|grant| grant.text.as_str()).collect();
        found.push(
            Diagnostic::error(CODE, call.span, message)
                .also(asked.by[0].span, "who may call it")
                .why("workflows, schedules, jobs and reactions run as `system`")
                .help(format!("write `by: [{}, system]`", by.join(", "))),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn a_schedule_that_calls_a_persons_command() {
        let model = "
system: test
actors: { user: oidc }
contexts:
  sales:
    resources:
      Order:
        fields: { state: draft | dropped }
        commands: { drop: { state: draft -> dropped, by: user } }
        allow: { read: user, write: user }
schedules:
  tidy: { every: 1 h, for: Order, where: state == draft, do: Order.drop }
";
        check(
            model,
            expect![[r#"
            error[E079]: the schedule `tidy` calls `Order.drop`, which `system` may not
              --> mainstay.yaml:11:62
               |
             8 |         commands: { drop: { state: draft -> dropped, by: user } }
               |                                                          ---- who may call it
            ...
            11 |   tidy: { every: 1 h, for: Order, where: state == draft, do: Order.drop }
               |                                                              ^^^^^^^^^^
               = why: workflows, schedules, jobs and reactions run as `system`
               = help: write `by: [user, system]`
        "#]],
        );
    }
}
