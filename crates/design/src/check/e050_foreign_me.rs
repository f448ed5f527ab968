//! # E050 `me` compared with another actor's field
//! A rule for one actor compares `me` with a field that holds callers of another.
//!
//! **Why**: subjects of unlike actors may be equal by chance (two providers, the same id), so the
//! comparison would let a stranger in; hence it is refused instead of being false.
//!
//! Wrong:
//! ```yaml
//! patient: actor patient
//! allow: { read: doctor when patient == me }
//! ```
//! Right:
//! ```yaml
//! allow: { read: [patient when patient == me, doctor when doctor == me] }
//! ```

use super::typing::scope::Scope;
use ir::domain::ActorId;
use ir::source::Span;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E050");

/// Callers of two actors are compared.
pub(crate) fn fault(scope: &Scope<'_, '_>, one: ActorId, other: ActorId, span: Span) -> Diagnostic {
    let name = |actor: ActorId| &scope.world.model.actors[actor.index()].name;
    let (one, other, place) = (name(one), name(other), scope.place);
    let message = format!("{place} compares a `{one}` with a `{other}`");
    Diagnostic::error(CODE, span, message)
        .why("subjects of unlike actors may be equal by chance, and a stranger would pass")
        .help(format!("give `{one}` and `{other}` a rule each, on a field of their own"))
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn a_rule_for_staff_on_a_users_field() {
        let resource = "
            Note:
              rules: { own: owner == me }
              fields: { owner: actor user }
              allow: { read: [user when own, staff when own], write: user when own }";
        check_resources(
            resource,
            expect![[r#"
            error[E050]: `allow.read` of `Note` compares a `user` with a `staff`
             --> mainstay.yaml:7:23
              |
            7 |         rules: { own: owner == me }
              |                       ^^^^^^^^^^^
              = why: subjects of unlike actors may be equal by chance, and a stranger would pass
              = help: give `user` and `staff` a rule each, on a field of their own
        "#]],
        );
    }
}
