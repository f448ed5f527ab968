//! # E071 command that nobody may call
//! A command has no `by`.
//!
//! **Why**: commands are ruled by `by` alone, never by `allow`; without it the transition or effect
//! can never happen.
//!
//! Wrong:
//! ```yaml
//! ship: { status: paid -> shipped }
//! ```
//! Right:
//! ```yaml
//! ship: { status: paid -> shipped, by: staff.picker }
//! ```

use super::resolve::Resolved;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E071");

/// Looks at every command.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    for entry in &resolved.world.resources {
        for command in entry.model.commands.iter().filter(|command| command.by.is_empty()) {
            let message = format!("nobody may call `{}.{}`", entry.name(), command.name);
            let fault = Diagnostic::error(CODE, command.name.span, message);
            found.push(
                fault
                    .why(
                        "commands are ruled by `by` alone, and nothing is allowed that is not said",
                    )
                    .help("say who: `by: staff`; what a workflow or schedule calls lists `system`"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn a_command_without_by() {
        let resource = "
            Order:
              fields: { status: paid | shipped }
              commands: { ship: { status: paid -> shipped } }
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
                error[E071]: nobody may call `Order.ship`
                 --> mainstay.yaml:8:21
                  |
                8 |         commands: { ship: { status: paid -> shipped } }
                  |                     ^^^^
                  = why: commands are ruled by `by` alone, and nothing is allowed that is not said
                  = help: say who: `by: staff`; what a workflow or schedule calls lists `system`
            "#]],
        );
    }
}
