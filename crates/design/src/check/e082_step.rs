//! # E082 step that does nothing, or two things
//! A step has none or several of `do wait approve run parallel`, an undo without a call, or goes
//! over something that is no list of children.
//!
//! **Why**: a step is one thing that is done, tried again and taken back; two of them would need
//! two undos.
//!
//! Wrong:
//! ```yaml
//! - { name: pay, do: Order.pay, wait: 5 s }
//! ```
//! Right:
//! ```yaml
//! - { name: pause, wait: 5 s }
//! - { name: pay, do: Order.pay }
//! ```

use super::place::Place;
use ir::model::Step;
use ir::source::Name;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E082");

/// The shape of a step.
pub(crate) fn shape(step: &Step, place: Place<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let things = [
        ("do", step.run.is_some()),
        ("wait", step.wait.is_some()),
        ("approve", step.approve.is_some()),
        ("run", step.workflow.is_some()),
        ("parallel", !step.parallel.is_empty()),
    ];
    let done: Vec<String> =
        things.iter().filter(|(_, is)| *is).map(|(word, _)| format!("`{word}`")).collect();
    let fault = |message: String| Diagnostic::error(CODE, step.name.span, message);
    match done.len() {
        0 => found.push(fault(format!("the step {place} does nothing")).help(
            "say what it does: `do: Order.pay`, `wait: 5 s`, `approve: staff`, `run: other`",
        )),
        1 => {}
        _ => found.push(
            fault(format!("the step {place} does several things: {}", done.join(", ")))
                .why("a step is one thing that is done, tried again and taken back")
                .help("make a step of each"),
        ),
    }
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
    fn steps_that_do_nothing_or_too_much() {
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
      - { name: idle }
      - { name: both, wait: 5 s, approve: user }
      - { name: over, each: count, do: Order.pay }
";
        check(
            model,
            expect![[r#"
            error[E011]: `do`, `wait`, `approve`, `run` or `parallel` is missing in the step `steps`
              --> mainstay.yaml:16:9
               |
            16 |       - { name: idle }
               |         ^

            error[E011]: the step `steps` has more than one of `do`, `wait`, `approve`, `run` or `parallel`
              --> mainstay.yaml:17:43
               |
            17 |       - { name: both, wait: 5 s, approve: user }
               |                                           ^^^^
               |                             --- set here
               = help: keep one of them
        "#]],
        );
    }
}
