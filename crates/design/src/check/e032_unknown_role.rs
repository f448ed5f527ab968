//! # E032 unknown role
//! A rule asks for a role that the actor does not have.
//!
//! **Why**: no token can carry the role, so the rule would hold for no one.
//!
//! Wrong:
//! ```yaml
//! staff: oidc roles picker | manager
//! allow: { write: staff.admin }
//! ```
//! Right:
//! ```yaml
//! allow: { write: staff.manager }
//! ```

use super::place::Place;
use super::suggest::unknown;
use super::world::World;
use ir::domain::ActorId;
use ir::source::Name;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E032");

const WHY: &str = "no token can carry that role, so the rule would hold for no one";

/// The actor has no such role.
pub(crate) fn fault(
    world: &World<'_>,
    actor: ActorId,
    role: &Name,
    place: Place<'_>,
) -> Diagnostic {
    let actor = &world.model.actors[actor.index()];
    let known = actor.roles.iter().map(Name::as_str);
    let what = format!("role of `{}`", actor.name);
    let fault = unknown(CODE, &what, role, place, known, &world.budget).why(WHY);
    fault.also(actor.name.span, "the actor is declared here")
}

/// `anyone` and `system` have no roles.
pub(crate) fn of_no_actor(caller: &Name, role: &Name, place: Place<'_>) -> Diagnostic {
    let message = format!("`{caller}` has no roles, but {place} asks for `{role}`");
    let fault = Diagnostic::error(CODE, role.span, message).why(WHY);
    fault.help(format!("write `{caller}` alone, or name an actor that has the role"))
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn a_role_that_the_actor_does_not_have() {
        let resource = "
            Note:
              fields: { title: string max 20 }
              allow: { read: anyone, write: staff.clark }";
        check_resources(
            resource,
            expect![[r#"
            error[E032]: unknown role `clark` of `staff` in `allow.write` of `Note`
             --> mainstay.yaml:8:45
              |
            2 | actors: { user: oidc, staff: oidc roles clerk | boss }
              |                       ----- the actor is declared here
            ...
            8 |         allow: { read: anyone, write: staff.clark }
              |                                             ^^^^^
              = why: no token can carry that role, so the rule would hold for no one
              = help: did you mean `clerk`?
            8 +         allow: { read: anyone, write: staff.clerk }
        "#]],
        );
    }

    #[test]
    fn anyone_has_no_roles() {
        let resource = "
            Note:
              fields: { title: string max 20 }
              allow: { read: anyone.clerk, write: staff }";
        check_resources(
            resource,
            expect![[r#"
            error[E032]: `anyone` has no roles, but `allow.read` of `Note` asks for `clerk`
             --> mainstay.yaml:8:31
              |
            8 |         allow: { read: anyone.clerk, write: staff }
              |                               ^^^^^
              = why: no token can carry that role, so the rule would hold for no one
              = help: write `anyone` alone, or name an actor that has the role
        "#]],
        );
    }
}
