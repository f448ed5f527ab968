//! # E080 undo missing
//! A step changes something that stays when a later step fails, and nothing takes it back.
//!
//! **Why**: a workflow ends done or compensated, never half-done. Without an `undo` a failure
//! after this step leaves its effect behind: money taken for an order that is not.
//!
//! No undo is needed by the last step, by a `get`, and by commands on the workflow's own row where
//! `otherwise` names the command that ends it.
//!
//! Wrong:
//! ```yaml
//! - { name: charge, do: payments.charge, with: { amount: total } }
//! - { name: pay, do: Order.pay }
//! ```
//! Right:
//! ```yaml
//! - { name: charge, do: payments.charge, with: { amount: total }, undo: payments.refund }
//! - { name: pay, do: Order.pay }
//! ```

use super::outside::{Callee, Outside, callee};
use super::place::Place;
use super::resolve::Resolved;
use ir::domain::{Command, ResourceId};
use ir::model::{Step, Workflow};
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E080");

/// Looks at every workflow.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    for workflow in &resolved.world.model.workflows {
        let Some((row, _)) = resolved.world.command_quietly(workflow.after.as_str()) else {
            continue;
        };
        let walk = Walk { resolved, workflow, row };
        let mut fails_later = None;
        for step in workflow.steps.iter().rev() {
            walk.step(step, fails_later, found);
            fails_later = walk.fails(step).or(fails_later);
        }
    }
}

struct Walk<'a, 'm> {
    resolved: &'a Resolved<'m>,
    workflow: &'m Workflow,
    row: ResourceId,
}

impl<'m> Walk<'_, 'm> {
    /// Tells of a step without undo before one that can fail.
    fn step(&self, step: &'m Step, fails_later: Option<&'m Step>, found: &mut Vec<Diagnostic>) {
        for inner in &step.parallel {
            let mut beside = step.parallel.iter().filter(|other| !std::ptr::eq(*other, inner));
            let fails = beside.find_map(|other| self.fails(other)).or(fails_later);
            self.step(inner, fails, found);
        }
        let repeated = if step.each.is_some() { self.fails(step) } else { None };
        let Some(failing) = fails_later.or(repeated) else { return };
        if step.undo.is_some() || !self.leaves_something(step) {
            return;
        }
        let (workflow, name) = (&self.workflow.name, &step.name);
        let itself = std::ptr::eq(failing, step);
        let message = if itself {
            format!("the step `{name}` of `{workflow}` may fail halfway and has no undo")
        } else {
            format!("the step `{name}` of `{workflow}` has no undo, and `{}` may fail after it", {
                &failing.name
            })
        };
        let span = step.run.as_ref().map_or(step.name.span, |run| run.span);
        let fault = Diagnostic::error(CODE, span, message);
        let fault = match failing.run.as_ref().filter(|_| !itself) {
            Some(run) => fault.also(run.span, "this may fail"),
            None => fault,
        };
        found.push(
            fault
                .why("its effect would stay, and the workflow would end half-done")
                .help("name what takes it back: `undo: payments.refund`, or make it the last step"),
        );
    }

    fn called(&self, step: &'m Step) -> Option<Callee<'m>> {
        let run = step.run.as_ref()?;
        let outside = Outside {
            world: &self.resolved.world,
            domain: &self.resolved.domain,
            events: &self.resolved.events,
        };
        let item = step.each.as_ref().and_then(|each| {
            let row = self.resolved.domain.resource(self.row);
            let (field, _) = row.field_named(each.as_str())?;
            let mut children = row.children();
            children.find(|(children, _)| *children == field).map(|(_, child)| child)
        });
        let place = Place::new(self.workflow.name.as_str(), step.name.as_str());
        callee(outside, run, Some(self.row), item, place, &mut Vec::new())
    }

    /// Does the step change something that `otherwise` does not take back?
    fn leaves_something(&self, step: &'m Step) -> bool {
        match self.called(step) {
            None => false,
            Some(Callee::Operation(operation)) => {
                !matches!(operation.method.as_str(), "get" | "head" | "GET" | "HEAD")
            }
            Some(Callee::Command { resource, .. }) => {
                resource != self.row || self.workflow.otherwise.is_empty()
            }
        }
    }

    /// The step, or one beside it, that may fail or be refused.
    fn fails(&self, step: &'m Step) -> Option<&'m Step> {
        let inner = step.parallel.iter().find_map(|inner| self.fails(inner));
        if inner.is_some() {
            return inner;
        }
        let waits = step.approve.is_some() || step.workflow.is_some();
        let fails = waits
            || match self.called(step) {
                None => false,
                Some(Callee::Operation(..)) => true,
                Some(Callee::Command { resource, command, .. }) => {
                    let resource = self.resolved.domain.resource(resource);
                    refusable(&resource.commands[command.index()])
                }
            };
        fails.then_some(step)
    }
}

/// Can a guard, a transition or a bound refuse the command?
fn refusable(command: &Command) -> bool {
    !command.require.is_empty()
        || !command.transitions.is_empty()
        || !command.not_during.is_empty()
        || !command.set.is_empty()
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    const MODEL: &str = "
system: test
actors: { user: oidc }
contexts:
  sales:
    resources:
      Order:
        fields: { total: money, state: draft | placed | paid | void }
        commands:
          place: { state: draft -> placed, by: user }
          pay: { state: placed -> paid, by: system }
          drop: { state: placed -> void, by: system }
        allow: { read: user, write: user }
integrations:
  bank:
    http: https://bank.example
    operations:
      charge: { post: /charges, body: { amount: money }, returns: { id: string }, idempotent: true }
      refund: { post: \"/charges/{id}/refund\", idempotent: true }
workflows:
  checkout:
    after: Order.place
    otherwise: Order.drop
    steps:
      - { name: charge, do: bank.charge, with: { amount: total } }
      - { name: pay, do: Order.pay }
";

    #[test]
    fn money_is_taken_before_a_step_that_may_fail() {
        check(
            MODEL,
            expect![[r#"
            error[E080]: the step `charge` of `checkout` has no undo, and `pay` may fail after it
              --> mainstay.yaml:24:29
               |
            24 |       - { name: charge, do: bank.charge, with: { amount: total } }
               |                             ^^^^^^^^^^^
            25 |       - { name: pay, do: Order.pay }
               |                          --------- this may fail
               = why: its effect would stay, and the workflow would end half-done
               = help: name what takes it back: `undo: payments.refund`, or make it the last step
        "#]],
        );
    }

    #[test]
    fn with_an_undo_nothing_is_left_behind() {
        let undo = "with: { amount: total }, undo: bank.refund, undo_with: { id: charge.id } }";
        check(&MODEL.replace("with: { amount: total } }", undo), expect![[r#""#]]);
    }
}
