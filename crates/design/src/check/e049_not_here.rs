//! # E049 name that cannot stand here
//! `me`, `item`, `event` or a list of children is used where there is none, or a plain value is
//! followed like a reference.
//!
//! **Why**: `me` exists only under a rule for one actor, `item` only in a step with `each`, `event`
//! only in views and reactions; children are read through `sum count min max avg`.
//!
//! Wrong:
//! ```yaml
//! allow: { read: anyone when owner == me }
//! total: money = lines.amount
//! ```
//! Right:
//! ```yaml
//! allow: { read: user when owner == me }
//! total: money = sum(lines.amount)
//! ```

use super::place::Place;
use super::world::World;
use ir::domain::ResourceId;
use ir::source::Span;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E049");

/// `me` where no caller is known.
pub(crate) fn me(span: Span, reason: &str, place: Place<'_>) -> Diagnostic {
    let message = format!("there is no `me` in {place}");
    let fault = Diagnostic::error(CODE, span, message).why(reason);
    fault.help("`me` is known under a rule for one actor: `shopper when own`")
}

/// `item` outside a step with `each`.
pub(crate) fn item(span: Span, place: Place<'_>) -> Diagnostic {
    let message = format!("there is no `item` in {place}");
    Diagnostic::error(CODE, span, message).help("`item` is one child in a step with `each: lines`")
}

/// `event` outside views and reactions.
pub(crate) fn event(span: Span, place: Place<'_>) -> Diagnostic {
    let message = format!("there is no `event` in {place}");
    Diagnostic::error(CODE, span, message).help("`event` is known in views and reactions")
}

/// A list of children as if it were one value.
pub(crate) fn children(
    world: &World<'_>,
    name: &str,
    child: ResourceId,
    span: Span,
    place: Place<'_>,
) -> Diagnostic {
    let message = format!("`{name}` in {place} is a list of `{}`, not one value", {
        world.entry(child).name()
    });
    let fault = Diagnostic::error(CODE, span, message);
    fault.help(format!("fold over it: `sum({name}.…)`, `count({name})`, `max({name}.…)`"))
}

/// `.` after something that refers to nothing.
pub(crate) fn no_members(name: &str, span: Span, place: Place<'_>) -> Diagnostic {
    let message = format!("`{name}` in {place} has no members");
    Diagnostic::error(CODE, span, message).help("only a reference to a resource is followed by `.`")
}

/// `[a, b]` outside `in`.
pub(crate) fn list(span: Span, place: Place<'_>) -> Diagnostic {
    let message = format!("a list stands alone in {place}");
    Diagnostic::error(CODE, span, message).help("a list goes on the right of `in`: `x in [a, b]`")
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn words_that_are_not_known_everywhere() {
        let resource = "
            Order:
              fields:
                owner: actor user
                name: string max 20
                lines: many Line 1..9
                total: int = lines.amount
                first: string max 20 = name.first
                by: string max 20 = event.type
                what: string max 20 = item.name
              commands:
                close: { require: owner == me, by: [user, staff] }
              allow: { read: anyone when owner == me, write: staff }
            Line:
              fields: { amount: int }";
        check_resources(
            resource,
            expect![[r#"
            error[E049]: `lines` in `total` of `Order` is a list of `Line`, not one value
              --> mainstay.yaml:11:24
               |
            11 |           total: int = lines.amount
               |                        ^^^^^
               = help: fold over it: `sum(lines.…)`, `count(lines)`, `max(lines.…)`

            error[E049]: `name` in `first` of `Order` has no members
              --> mainstay.yaml:12:34
               |
            12 |           first: string max 20 = name.first
               |                                  ^^^^
               = help: only a reference to a resource is followed by `.`

            error[E049]: there is no `event` in `by` of `Order`
              --> mainstay.yaml:13:31
               |
            13 |           by: string max 20 = event.type
               |                               ^^^^^
               = help: `event` is known in views and reactions

            error[E049]: there is no `item` in `what` of `Order`
              --> mainstay.yaml:14:33
               |
            14 |           what: string max 20 = item.name
               |                                 ^^^^
               = help: `item` is one child in a step with `each: lines`

            error[E049]: there is no `me` in `Order.close`
              --> mainstay.yaml:16:38
               |
            16 |           close: { require: owner == me, by: [user, staff] }
               |                                      ^^
               = why: callers of several kinds may call this command
               = help: `me` is known under a rule for one actor: `shopper when own`

            error[E049]: there is no `me` in `allow.read` of `Order`
              --> mainstay.yaml:17:45
               |
            17 |         allow: { read: anyone when owner == me, write: staff }
               |                                             ^^
               = why: `anyone` may come without a token
               = help: `me` is known under a rule for one actor: `shopper when own`
        "#]],
        );
    }
}
