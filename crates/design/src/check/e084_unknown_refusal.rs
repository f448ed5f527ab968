//! # E084 refusal that no step gets
//! `otherwise` names a business answer that no operation of the workflow refuses with.
//!
//! **Why**: the branch would never be taken.
//!
//! Wrong:
//! ```yaml
//! otherwise: { decliend: Order.cancel }
//! ```
//! Right: the name given in the operation's `refuses: { 402: declined }`.
//! ```yaml
//! otherwise: { declined: Order.cancel }
//! ```

use super::place::Place;
use super::suggest::{Budget, unknown};
use ir::source::Name;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E084");

/// No step is refused so.
pub(crate) fn fault<'n>(
    name: &Name,
    place: Place<'_>,
    known: impl Iterator<Item = &'n str>,
    budget: &Budget,
) -> Diagnostic {
    unknown(CODE, "refusal", name, place, known, budget).why("the branch would never be taken")
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn a_refusal_that_no_operation_gives() {
        let model = "
system: test
actors: { user: oidc }
contexts:
  sales:
    resources:
      Order:
        fields: { state: draft | placed | void }
        commands:
          place: { state: draft -> placed, by: user }
          drop: { state: placed -> void, by: system }
        allow: { read: user, write: user }
integrations:
  bank:
    http: https://bank.example
    operations: { charge: { post: /charges, idempotent: true, refuses: { 402: declined } } }
workflows:
  checkout:
    after: Order.place
    steps: [{ name: charge, do: bank.charge }]
    otherwise: { decliend: Order.drop }
";
        check(
            model,
            expect![[r#"
            error[E084]: unknown refusal `decliend` in `otherwise` of `checkout`
              --> mainstay.yaml:20:18
               |
            20 |     otherwise: { decliend: Order.drop }
               |                  ^^^^^^^^
               = why: the branch would never be taken
               = help: did you mean `declined`?
            20 +     otherwise: { declined: Order.drop }
        "#]],
        );
    }
}
