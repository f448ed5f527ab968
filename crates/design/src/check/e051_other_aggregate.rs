//! # E051 reads another aggregate
//! An expression follows a reference where only the row itself may be read.
//!
//! **Why**: conditions become filters of one context's own tables and are never joined across
//! contexts; a stored, computed value cannot follow changes of another row; a guard must not read
//! what another transaction may be changing.
//!
//! - In a field say when it is copied: `price: money = product.price at write` (kept),
//!   `at read` (asked each time) or `at kept` (a replica fed by events).
//! - In a command look it up first: `get: { price: product.price }`, then use `price`.
//! - In a rule keep a copy in a field of the row (`at kept`) and compare that. A field that is
//!   asked `at read` is in no table, so neither rules nor computed fields can read it, and a guard
//!   never reads a replica.
//!
//! Wrong:
//! ```yaml
//! fields: { product: catalog.Product }
//! allow: { read: staff when not product.hidden }
//! ```
//! Right:
//! ```yaml
//! fields: { product: catalog.Product, hidden: bool = product.hidden at kept }
//! allow: { read: staff when not hidden }
//! ```

use super::place::Place;
use super::typing::scope::{Scope, Use};
use super::world::World;
use ir::domain::ResourceId;
use ir::model::{At, Field};
use ir::source::{Name, Span};
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E051");

/// `span` reads a field of `target`, which this place may not.
pub(crate) fn fault(
    scope: &Scope<'_, '_>,
    target: ResourceId,
    crosses: bool,
    span: Span,
) -> Diagnostic {
    let world = scope.world;
    let place = scope.place;
    let target = world.full_name(target);
    let what = if crosses { "another context's" } else { "another row, of" };
    let message = format!("{place} reads {what} `{target}`");
    let fault = Diagnostic::error(CODE, span, message);
    match scope.purpose {
        Use::Field => {
            fault.why("a stored value cannot follow the changes of another aggregate").help(
                "say when it is copied: end the expression with `at write`, `at read` or `at kept`",
            )
        }
        Use::Guard | Use::Effect => fault
            .why("guards and effects run in one transaction of one context")
            .help("look it up before: `get: { name: … }`, then use `name` here"),
        Use::UniqueWhen => fault
            .why("a unique constraint is an index over the row's own columns")
            .help("keep a copy in a field of this resource and use that"),
        Use::Allow | Use::Filter => fault
            .why("the condition becomes a filter of this context's own tables")
            .help("keep a copy in a field of this resource (`… at kept`) and compare that"),
        Use::FieldAt | Use::Get | Use::ViewKey | Use::ViewValue | Use::Reaction | Use::Step => {
            fault
        }
    }
}

/// A copy that is not there, or perhaps behind, where it is read.
pub(crate) fn copy(scope: &Scope<'_, '_>, field: &Field, at: At, span: Span) -> Diagnostic {
    let (place, name) = (scope.place, &field.name);
    let fault = |message: String| Diagnostic::error(CODE, span, message);
    if at == At::Read {
        return fault(format!("{place} reads `{name}`, which is asked of its owner at each read"))
            .why("it is in no table of this context, so no query and no transaction can see it")
            .help(format!(
                "keep a copy: end the expression of `{name}` with `at write` or `at kept`"
            ));
    }
    fault(format!("{place} reads `{name}`, a replica that may be behind"))
        .why("guards and effects decide on what is, never on a copy of what was")
        .help("look it up before: `get: { name: … }`, then use `name` here")
}

/// A path that goes on after it has left the context.
pub(crate) fn beyond(world: &World<'_>, from: ResourceId, name: &Name) -> Diagnostic {
    let resource = world.full_name(from);
    let message = format!("a path goes on through `{name}` of `{resource}`, in another context");
    Diagnostic::error(CODE, name.span, message)
        .why("the other context answers for its own rows only, in one batched call")
        .help(format!("let `{resource}` keep the value in a field of its own and read that"))
}

/// `now` or `age` in a stored, computed field.
pub(crate) fn unstable(word: &str, span: Span, place: Place<'_>) -> Diagnostic {
    let message = format!("{place} is computed from `{word}`, which changes without a write");
    Diagnostic::error(CODE, span, message)
        .why("a computed field is stored and set again only when the row is written")
        .help(format!("compare with `{word}` where it is used: in a rule, a guard or a filter"))
}

#[cfg(test)]
mod tests {
    use crate::check::testing::{check, check_resources};
    use expect_test::expect;

    #[test]
    fn a_field_and_a_guard_that_read_another_row() {
        let resource = "
            Part:
              fields: { price: int, created: int }
              allow: { read: anyone, write: staff }
            Sale:
              fields:
                part: Part
                price: int = part.price
                old: bool = age > duration('1d')
              allow: { read: anyone, write: staff }";
        check_resources(
            resource,
            expect![[r#"
            error[E051]: `price` of `Sale` reads another row, of `desk.Part`
              --> mainstay.yaml:12:24
               |
            12 |           price: int = part.price
               |                        ^^^^^^^^^^
               = why: a stored value cannot follow the changes of another aggregate
               = help: say when it is copied: end the expression with `at write`, `at read` or `at kept`

            error[E051]: `old` of `Sale` is computed from `age`, which changes without a write
              --> mainstay.yaml:13:23
               |
            13 |           old: bool = age > duration('1d')
               |                       ^^^^^^^^^^^^^^^^^^^^
               = why: a computed field is stored and set again only when the row is written
               = help: compare with `age` where it is used: in a rule, a guard or a filter
        "#]],
        );
    }

    #[test]
    fn a_rule_and_a_guard_that_read_another_context() {
        let model = "
system: test
actors: { staff: oidc }
contexts:
  stock:
    resources:
      Part: { fields: { price: int, maker: Maker }, allow: { read: anyone, write: staff } }
      Maker: { fields: { name: string max 9 }, allow: { read: anyone, write: staff } }
  sales:
    resources:
      Sale:
        fields: { part: stock.Part, maker: string max 9 = part.maker.name at write }
        commands: { close: { require: part.price > 0, by: staff } }
        allow: { read: staff when part.price > 0, write: staff }
";
        check(
            model,
            expect![[r#"
            error[E051]: a path goes on through `maker` of `stock.Part`, in another context
              --> mainstay.yaml:11:64
               |
            11 |         fields: { part: stock.Part, maker: string max 9 = part.maker.name at write }
               |                                                                ^^^^^
               = why: the other context answers for its own rows only, in one batched call
               = help: let `stock.Part` keep the value in a field of its own and read that

            error[E051]: `Sale.close` reads another context's `stock.Part`
              --> mainstay.yaml:12:39
               |
            12 |         commands: { close: { require: part.price > 0, by: staff } }
               |                                       ^^^^^^^^^^
               = why: guards and effects run in one transaction of one context
               = help: look it up before: `get: { name: … }`, then use `name` here

            error[E051]: `allow.read` of `Sale` reads another context's `stock.Part`
              --> mainstay.yaml:13:35
               |
            13 |         allow: { read: staff when part.price > 0, write: staff }
               |                                   ^^^^^^^^^^
               = why: the condition becomes a filter of this context's own tables
               = help: keep a copy in a field of this resource (`… at kept`) and compare that
        "#]],
        );
    }

    #[test]
    fn copies_that_are_not_there_or_behind() {
        let resource = "
            Part:
              fields: { price: int }
              allow: { read: anyone, write: staff }
            Sale:
              fields: { part: Part, live: int = part.price at read, seen: int = part.price at kept, twice: int = live * 2 }
              commands:
                close: { require: seen > 0, by: staff }
                note: { get: { now_at: part.price }, require: now_at > 0, by: staff }
              allow: { read: staff when live > 0, write: staff when seen > 0 }";
        check_resources(
            resource,
            expect![[r#"
            error[E051]: `twice` of `Sale` reads `live`, which is asked of its owner at each read
              --> mainstay.yaml:10:108
               |
            10 | … int = part.price at kept, twice: int = live * 2 }
               |                                          ^^^^
               = why: it is in no table of this context, so no query and no transaction can see it
               = help: keep a copy: end the expression of `live` with `at write` or `at kept`

            error[E051]: `Sale.close` reads `seen`, a replica that may be behind
              --> mainstay.yaml:12:29
               |
            12 |           close: { require: seen > 0, by: staff }
               |                             ^^^^
               = why: guards and effects decide on what is, never on a copy of what was
               = help: look it up before: `get: { name: … }`, then use `name` here

            error[E051]: `allow.read` of `Sale` reads `live`, which is asked of its owner at each read
              --> mainstay.yaml:14:35
               |
            14 |         allow: { read: staff when live > 0, write: staff when seen > 0 }
               |                                   ^^^^
               = why: it is in no table of this context, so no query and no transaction can see it
               = help: keep a copy: end the expression of `live` with `at write` or `at kept`
        "#]],
        );
    }
}
