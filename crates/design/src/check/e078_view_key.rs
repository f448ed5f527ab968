//! # E078 key of a view that cannot be a key
//! A member of a view's `key` is json, a list or a timespan.
//!
//! **Why**: the key says which row an event is counted in; it must be a value that can be compared.
//!
//! Wrong:
//! ```yaml
//! key: { lines: event.lines }
//! ```
//! Right:
//! ```yaml
//! key: { day: date(event.time) }
//! ```

use super::place::Place;
use super::typing::types;
use super::world::World;
use ir::expr::{Expression, Type};
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E078");

/// The fault of a key of that type, if it is one.
pub(crate) fn fault(
    world: &World<'_>,
    ty: &Type,
    expression: &Expression,
    place: Place<'_>,
) -> Option<Diagnostic> {
    if !matches!(ty, Type::Json | Type::List(_) | Type::Timespan | Type::Null) {
        return None;
    }
    let name = types::name(world, ty);
    let message = format!("the key {place} is {name}, which is no key");
    let fault = Diagnostic::error(CODE, expression.span, message);
    Some(
        fault
            .why("the key says which row an event is counted in")
            .help("use a value that can be compared: a day, an id, a text, a number"),
    )
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn a_list_of_children_is_no_key() {
        let model = "
system: test
actors: { staff: oidc }
contexts:
  sales:
    resources:
      Order:
        fields: { lines: many Line 1..9, state: new | sold }
        commands: { sell: { state: new -> sold, by: staff, emit: order.sold } }
        allow: { read: staff, write: staff }
      Line: { fields: { count: int } }
    views:
      Sold:
        from: order.sold
        key: { lines: event.lines }
        set: { orders: count() }
        allow: { read: staff }
events:
  order.sold: { data: [id, lines] }
";
        check(
            model,
            expect![[r#"
            error[E078]: the key `lines` of `Sold` is json, which is no key
              --> mainstay.yaml:14:23
               |
            14 |         key: { lines: event.lines }
               |                       ^^^^^^^^^^^
               = why: the key says which row an event is counted in
               = help: use a value that can be compared: a day, an id, a text, a number
        "#]],
        );
    }
}
