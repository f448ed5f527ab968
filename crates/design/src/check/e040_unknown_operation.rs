//! # E040 unknown operation of an integration
//! A step or a reaction calls an integration, or an operation of one, that is not declared.
//!
//! **Why**: what is not declared has no address, no timeout and no undo.
//!
//! Wrong:
//! ```yaml
//! do: payments.chrge
//! ```
//! Right:
//! ```yaml
//! do: payments.charge
//! ```

use super::place::Place;
use super::suggest::unknown;
use super::world::{World, part};
use ir::model::Integration;
use ir::source::Name;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E040");

/// The integration has no such operation.
pub(crate) fn fault(
    world: &World<'_>,
    integration: &Integration,
    name: &Name,
    place: Place<'_>,
) -> Diagnostic {
    let known = integration.operations.iter().map(|operation| operation.name.as_str());
    let what = format!("operation of `{}`", integration.name);
    unknown(CODE, &what, name, place, known, &world.budget)
}

/// There is no such integration.
pub(crate) fn integration(
    world: &World<'_>,
    call: &Name,
    subject: &str,
    place: Place<'_>,
) -> Diagnostic {
    let name = part(call, 0, subject.len());
    let known = world.integrations.keys().copied();
    unknown(CODE, "integration", &name, place, known, &world.budget)
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn an_operation_and_an_integration_that_are_not_there() {
        let model = "
system: test
actors: { staff: oidc }
contexts:
  sales:
    resources:
      Order:
        fields: { status: draft | placed }
        commands: { place: { status: draft -> placed, by: staff } }
        allow: { read: staff, write: staff }
integrations:
  payments:
    http: https://pay.example
    operations: { charge: { post: /charges, idempotent: true } }
workflows:
  checkout:
    after: Order.place
    steps:
      - { name: charge, do: payments.chrge }
      - { name: mail, do: postal.send }
";
        check(
            model,
            expect![[r#"
                error[E040]: unknown operation `chrge` of `payments` in `charge` of `checkout`
                  --> mainstay.yaml:18:38
                   |
                18 |       - { name: charge, do: payments.chrge }
                   |                                      ^^^^^
                   = help: did you mean `charge`?
                18 +       - { name: charge, do: payments.charge }

                error[E040]: unknown integration `postal` in `mail` of `checkout`
                  --> mainstay.yaml:19:27
                   |
                19 |       - { name: mail, do: postal.send }
                   |                           ^^^^^^
                   = help: known here: `payments`
            "#]],
        );
    }
}
