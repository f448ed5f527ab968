//! # E031 unknown actor
//! A rule, a field, a webhook or a journey names an actor that `actors` does not declare.
//!
//! **Why**: nobody could ever prove to be that caller, so the rule would hold for no one.
//!
//! Wrong:
//! ```yaml
//! allow: { read: shoper }
//! ```
//! Right:
//! ```yaml
//! allow: { read: shopper }
//! ```
//! `anyone` and `system` need no declaration.

use super::place::Place;
use super::suggest::unknown;
use super::world::World;
use ir::source::Name;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E031");

/// `name` is no actor.
pub(crate) fn fault(world: &World<'_>, name: &Name, place: Place<'_>) -> Diagnostic {
    let known = world.actors.keys().copied().chain(["anyone", "system"]);
    let fault = unknown(CODE, "actor", name, place, known, &world.budget);
    fault.why("nobody could prove to be that caller, so the rule would hold for no one")
}

/// `name` is no actor that could register a webhook.
pub(crate) fn listener(world: &World<'_>, name: &Name, place: Place<'_>) -> Diagnostic {
    let known = world.actors.keys().copied();
    unknown(CODE, "actor", name, place, known, &world.budget)
        .why("a webhook is registered by somebody who can prove who it is")
}

#[cfg(test)]
mod tests {
    use crate::check::testing::{check, check_resources};
    use expect_test::expect;

    #[test]
    fn a_misspelt_actor_is_told_with_the_right_one() {
        let resource = "
            Note:
              fields: { title: string max 20 }
              allow: { read: anyone, write: usr }";
        check_resources(
            resource,
            expect![[r#"
            error[E031]: unknown actor `usr` in `allow.write` of `Note`
             --> mainstay.yaml:8:39
              |
            8 |         allow: { read: anyone, write: usr }
              |                                       ^^^
              = why: nobody could prove to be that caller, so the rule would hold for no one
              = help: did you mean `user`?
            8 +         allow: { read: anyone, write: user }
        "#]],
        );
    }

    #[test]
    fn a_webhook_for_nobody() {
        let model = "
system: test
actors: { staff: oidc, partner: api_key }
contexts:
  desk:
    resources:
      Note:
        fields: { state: new | read }
        commands: { open: { state: new -> read, by: staff, emit: note.read } }
        allow: { read: staff, write: staff }
events:
  note.read: { data: [id], webhook: anyone }
";
        check(
            model,
            expect![[r#"
            error[E031]: unknown actor `anyone` in `webhook` of `note.read`
              --> mainstay.yaml:11:37
               |
            11 |   note.read: { data: [id], webhook: anyone }
               |                                     ^^^^^^
               = why: a webhook is registered by somebody who can prove who it is
               = help: known here: `partner`, `staff`
        "#]],
        );
    }
}
