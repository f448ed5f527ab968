//! # E077 event that nobody emits
//! A declared event is emitted by no command.
//!
//! **Why**: views, reactions and webhooks that wait for it wait for ever.
//!
//! Wrong:
//! ```yaml
//! events: { order.returned: { data: [id] } }
//! ```
//! Right:
//! ```yaml
//! commands: { return: { status: shipped -> returned, by: user, emit: order.returned } }
//! ```

use super::resolve::Resolved;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E077");

/// Looks at every declared event.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    for event in resolved.events.values().filter(|event| event.emitters.is_empty()) {
        let Some(declared) = event.declared else { continue };
        let name = &declared.name;
        let message = format!("no command emits the event `{name}`");
        let fault = Diagnostic::warning(CODE, name.span, message);
        let why = if resolved.doings.heard.contains(name.as_str()) {
            "a view, a reaction or a step waits for it in vain"
        } else if !declared.webhook.is_empty() {
            "a webhook waits for it in vain"
        } else {
            "it would be documented and never sent"
        };
        found.push(
            fault.why(why).help(format!("write `emit: {name}` on the command that causes it")),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn an_event_without_a_command() {
        let model = "
system: test
actors: { staff: oidc }
contexts:
  desk:
    resources:
      Note: { fields: { title: string max 9 }, allow: { read: staff, write: staff } }
events:
  note.read: { data: [id] }
";
        check(
            model,
            expect![[r#"
            warning[E077]: no command emits the event `note.read`
             --> mainstay.yaml:8:3
              |
            8 |   note.read: { data: [id] }
              |   ^^^^^^^^^
              = why: it would be documented and never sent
              = help: write `emit: note.read` on the command that causes it
        "#]],
        );
    }
}
