//! # E038 unknown event
//! A command, view, reaction or step names an event that `events` does not declare.
//!
//! **Why**: an event is a contract with those who listen; its data is fixed before it is sent.
//!
//! Wrong:
//! ```yaml
//! commands: { pay: { status: placed -> paid, by: system, emit: order.payed } }
//! events: { order.paid: { data: [id] } }
//! ```
//! Right:
//! ```yaml
//! commands: { pay: { status: placed -> paid, by: system, emit: order.paid } }
//! ```
//! `emit: [created, updated, deleted]` on a resource needs no declaration.

use super::place::Place;
use super::suggest::unknown;
use super::world::World;
use ir::source::Name;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E038");

/// Somebody listens to an event that is not there.
pub(crate) fn fault<'n>(
    world: &World<'_>,
    name: &Name,
    place: Place<'_>,
    known: impl Iterator<Item = &'n str>,
) -> Diagnostic {
    unknown(CODE, "event", name, place, known, &world.budget)
}

/// A command emits an event that is not declared.
pub(crate) fn emitted(world: &World<'_>, name: &Name, place: Place<'_>) -> Diagnostic {
    let fault = unknown(CODE, "event", name, place, world.events.keys().copied(), &world.budget);
    if fault.fix.is_some() {
        return fault;
    }
    fault.help(format!("declare what it carries: `events: {{ {name}: {{ data: [id] }} }}`"))
}

#[cfg(test)]
mod tests {
    use crate::check::testing::{check, check_resources};
    use expect_test::expect;

    #[test]
    fn a_command_emits_what_is_not_declared() {
        let resource = "
            Order:
              fields: { status: draft | paid }
              commands: { pay: { status: draft -> paid, by: user, emit: order.paid } }
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
            error[E038]: unknown event `order.paid` in `Order.pay`
             --> mainstay.yaml:8:67
              |
            8 |         commands: { pay: { status: draft -> paid, by: user, emit: order.paid } }
              |                                                                   ^^^^^^^^^^
              = help: declare what it carries: `events: { order.paid: { data: [id] } }`
        "#]],
        );
    }

    #[test]
    fn a_view_is_made_from_a_misspelt_event() {
        let model = "
system: test
actors: { staff: oidc }
contexts:
  sales:
    resources:
      Order:
        fields: { status: draft | paid }
        commands: { pay: { status: draft -> paid, by: staff, emit: order.paid } }
        allow: { read: staff, write: staff }
    views:
      Daily:
        from: order.payed
        key: { day: date(event.time) }
        set: { orders: count() }
        allow: { read: staff }
events:
  order.paid: { data: [id] }
";
        check(
            model,
            expect![[r#"
            error[E038]: unknown event `order.payed` in `from` of `Daily`
              --> mainstay.yaml:12:15
               |
            12 |         from: order.payed
               |               ^^^^^^^^^^^
               = help: did you mean `order.paid`?
            12 +         from: order.paid
        "#]],
        );
    }
}
