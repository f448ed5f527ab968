//! # E082 step whose words do not go together
//! A step has an undo or inputs but no call, inputs of an undo but no undo, or goes over something
//! that is no list of children.
//!
//! **Why**: an undo takes back what `do` did; without it there is nothing to take back.
//!
//! Wrong:
//! ```yaml
//! - { name: pause, wait: 5 s, undo: payments.refund }
//! ```
//! Right:
//! ```yaml
//! - { name: pause, wait: 5 s }
//! - { name: charge, do: payments.charge, undo: payments.refund }
//! ```

use super::place::Place;
use ir::model::Step;
use ir::source::Name;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E082");

/// The shape of a step.
pub(crate) fn shape(step: &Step, place: Place<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let fault = |message: String| Diagnostic::error(CODE, step.name.span, message);
    if step.run.is_none() && (step.undo.is_some() || !step.with.is_empty()) {
        let word = if step.undo.is_some() { "undo" } else { "with" };
        found.push(
            fault(format!("the step {place} has `{word}` but no `do`"))
                .help("say what is called: `do: payments.charge`"),
        );
    }
    if step.undo.is_none() && !step.undo_with.is_empty() {
        found.push(
            fault(format!("the step {place} has `undo_with` but no `undo`"))
                .help("say what takes it back: `undo: payments.refund`"),
        );
    }
    found
}

/// `each` over something else.
pub(crate) fn no_children(each: &Name, place: Place<'_>) -> Diagnostic {
    let message = format!("`{each}` in {place} is no list of owned children");
    Diagnostic::error(CODE, each.span, message)
        .help("`each` goes over owned children: `lines: many OrderLine`")
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn an_undo_without_a_call_and_each_over_no_children() {
        let model = "
system: test
actors: { user: oidc }
contexts:
  sales:
    resources:
      Order:
        fields: { count: int, state: draft | placed | paid }
        commands:
          place: { state: draft -> placed, by: user }
          pay: { state: placed -> paid, by: system }
        allow: { read: user, write: user }
workflows:
  checkout:
    after: Order.place
    steps:
      - { name: pause, wait: 5 s, undo: Order.pay }
      - { name: twice, do: Order.pay, undo_with: { id: id } }
      - { name: over, each: count, do: Order.pay }
";
        check(
            model,
            expect![[r#"
                error[E082]: the step `pause` of `checkout` has `undo` but no `do`
                  --> mainstay.yaml:16:17
                   |
                16 |       - { name: pause, wait: 5 s, undo: Order.pay }
                   |                 ^^^^^
                   = help: say what is called: `do: payments.charge`

                error[E082]: the step `twice` of `checkout` has `undo_with` but no `undo`
                  --> mainstay.yaml:17:17
                   |
                17 |       - { name: twice, do: Order.pay, undo_with: { id: id } }
                   |                 ^^^^^
                   = help: say what takes it back: `undo: payments.refund`

                error[E080]: the step `twice` of `checkout` has no undo, and `over` may fail after it
                  --> mainstay.yaml:17:28
                   |
                17 |       - { name: twice, do: Order.pay, undo_with: { id: id } }
                   |                            ^^^^^^^^^
                18 |       - { name: over, each: count, do: Order.pay }
                   |                                        --------- this may fail
                   = why: its effect would stay, and the workflow would end half-done
                   = help: name what takes it back: `undo: payments.refund`, or make it the last step

                error[E082]: `count` in `over` of `checkout` is no list of owned children
                  --> mainstay.yaml:18:29
                   |
                18 |       - { name: over, each: count, do: Order.pay }
                   |                             ^^^^^
                   = help: `each` goes over owned children: `lines: many OrderLine`

                error[E080]: the step `over` of `checkout` may fail halfway and has no undo
                  --> mainstay.yaml:18:40
                   |
                18 |       - { name: over, each: count, do: Order.pay }
                   |                                        ^^^^^^^^^
                   = why: its effect would stay, and the workflow would end half-done
                   = help: name what takes it back: `undo: payments.refund`, or make it the last step
            "#]],
        );
    }
}
