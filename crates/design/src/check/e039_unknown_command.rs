//! # E039 unknown command
//! A step, a schedule, a reaction or a journey calls a command that the resource does not have.
//!
//! **Why**: there would be nothing to call.
//!
//! Wrong:
//! ```yaml
//! otherwise: Order.cancle
//! ```
//! Right:
//! ```yaml
//! otherwise: Order.cancel
//! ```
//! `Order.cancel` is a command of the resource `Order`, `item.product.reserve` one of the row that
//! the child refers to, `payments.charge` an operation of an integration.

use super::place::Place;
use super::suggest::unknown;
use super::world::World;
use ir::domain::ResourceId;
use ir::source::Name;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E039");

/// The resource has no such command.
pub(crate) fn fault(
    world: &World<'_>,
    resource: ResourceId,
    name: &Name,
    place: Place<'_>,
) -> Diagnostic {
    let entry = world.entry(resource);
    let what = format!("command of `{}`", entry.name());
    unknown(CODE, &what, name, place, entry.commands.keys().copied(), &world.budget)
}

/// A bare word that says neither resource nor integration.
pub(crate) fn no_subject(name: &Name, place: Place<'_>) -> Diagnostic {
    let message = format!("`{name}` in {place} does not say whose command it is");
    Diagnostic::error(CODE, name.span, message)
        .help("write `Order.pay` for a command, `payments.charge` for an integration's operation")
}

/// `item` without `each`.
pub(crate) fn no_item(name: &Name, place: Place<'_>) -> Diagnostic {
    let message = format!("`{name}` in {place} calls through `item`, but the step has no `each`");
    Diagnostic::error(CODE, name.span, message)
        .help("say over which children the step goes: `each: lines`")
}

/// A workflow that begins after something that is no command.
pub(crate) fn operation(name: &Name, place: Place<'_>) -> Diagnostic {
    let message = format!("`{name}` in {place} is no command");
    Diagnostic::error(CODE, name.span, message)
        .help("a workflow begins after a command of a resource: `after: Order.place`")
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn a_workflow_that_calls_what_is_not_there() {
        let model = "
system: test
actors: { staff: oidc }
contexts:
  sales:
    resources:
      Order:
        fields: { status: draft | placed | paid }
        commands:
          place: { status: draft -> placed, by: staff }
          pay: { status: placed -> paid, by: system }
        allow: { read: staff, write: staff }
workflows:
  checkout:
    after: Order.place
    steps:
      - { name: reserve, do: item.reserve }
      - { name: pay, do: Order.pai }
      - { name: again, do: pay }
  other:
    after: Order.pai
    steps:
      - { name: pay, do: Order.pay }
";
        check(
            model,
            expect![[r#"
                error[E039]: `item.reserve` in `reserve` of `checkout` calls through `item`, but the step has no `each`
                  --> mainstay.yaml:16:30
                   |
                16 |       - { name: reserve, do: item.reserve }
                   |                              ^^^^^^^^^^^^
                   = help: say over which children the step goes: `each: lines`

                error[E039]: unknown command `pai` of `Order` in `pay` of `checkout`
                  --> mainstay.yaml:17:32
                   |
                17 |       - { name: pay, do: Order.pai }
                   |                                ^^^
                   = help: did you mean `pay`?
                17 +       - { name: pay, do: Order.pay }

                error[E039]: `pay` in `again` of `checkout` does not say whose command it is
                  --> mainstay.yaml:18:28
                   |
                18 |       - { name: again, do: pay }
                   |                            ^^^
                   = help: write `Order.pay` for a command, `payments.charge` for an integration's operation

                error[E039]: unknown command `pai` of `Order` in `after` of `other`
                  --> mainstay.yaml:20:18
                   |
                20 |     after: Order.pai
                   |                  ^^^
                   = help: did you mean `pay`?
                20 +     after: Order.pay
            "#]],
        );
    }
}
