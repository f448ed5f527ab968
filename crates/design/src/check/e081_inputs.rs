//! # E081 inputs of a call that do not match
//! A step, a schedule or a reaction leaves out what a call needs, or gives what it does not take.
//!
//! **Why**: each such call would be refused.
//!
//! A command of another row than the workflow's own needs its `id`. An operation takes the members
//! of its `body` and the segments of its path. An undo without `undo_with` gets the values of
//! `with`.
//!
//! Wrong:
//! ```yaml
//! - { name: reserve, each: lines, do: item.product.reserve }
//! ```
//! Right:
//! ```yaml
//! - { name: reserve, each: lines, do: item.product.reserve, with: { quantity: item.quantity } }
//! ```

use super::place::Place;
use super::suggest::{Budget, listed, unknown};
use ir::source::Name;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E081");

/// Something is missing.
pub(crate) fn missing(call: &Name, missing: &[&str], place: Place<'_>) -> Diagnostic {
    let names = listed(missing).unwrap_or_default();
    let message = format!("`{call}` in {place} is called without {names}");
    let values: Vec<String> = missing.iter().take(8).map(|name| format!("{name}: …")).collect();
    Diagnostic::error(CODE, call.span, message)
        .why("each call would be refused")
        .help(format!("write `with: {{ {} }}`", values.join(", ")))
}

/// Something is given that the call does not take.
pub(crate) fn surplus<'n>(
    call: &Name,
    name: &Name,
    place: Place<'_>,
    known: impl Iterator<Item = &'n str>,
    budget: &Budget,
) -> Diagnostic {
    unknown(CODE, &format!("input of `{call}`"), name, place, known, budget)
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn a_call_without_its_input_and_one_with_too_much() {
        let model = "
system: test
actors: { user: oidc }
contexts:
  sales:
    resources:
      Part:
        fields: { stock: int min 0 }
        commands:
          take: { input: { count: int 1..9 }, require: stock >= count, set: { stock: stock - count }, by: system }
        allow: { read: user, write: user }
      Order:
        fields: { part: Part, count: int 1..9, state: draft | placed }
        commands: { place: { state: draft -> placed, by: user }, redo: { state: placed -> draft, by: user } }
        allow: { read: user, write: user }
workflows:
  checkout:
    after: Order.place
    steps:
      - { name: take, do: part.take, with: { cuont: count } }
  other:
    after: Order.redo
    steps:
      - { name: take, do: Part.take, with: { count: ('all') } }
";
        check(
            model,
            expect![[r#"
                error[E081]: `part.take` in `take` of `checkout` is called without `count`
                  --> mainstay.yaml:19:27
                   |
                19 |       - { name: take, do: part.take, with: { cuont: count } }
                   |                           ^^^^^^^^^
                   = why: each call would be refused
                   = help: write `with: { count: … }`

                error[E081]: unknown input `cuont` of `part.take` in `take` of `checkout`
                  --> mainstay.yaml:19:46
                   |
                19 |       - { name: take, do: part.take, with: { cuont: count } }
                   |                                              ^^^^^
                   = help: did you mean `count`?
                19 +       - { name: take, do: part.take, with: { count: count } }

                error[E081]: `Part.take` in `take` of `other` is called without `id`
                  --> mainstay.yaml:23:27
                   |
                23 |       - { name: take, do: Part.take, with: { count: ('all') } }
                   |                           ^^^^^^^^^
                   = why: each call would be refused
                   = help: write `with: { id: … }`

                error[E047]: `('all')` in `take` of `other` is text, but `count` is an int
                  --> mainstay.yaml:23:53
                   |
                23 |       - { name: take, do: Part.take, with: { count: ('all') } }
                   |                                                     ^^^^^^^
            "#]],
        );
    }
}
