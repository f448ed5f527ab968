//! # E085 workflow that starts wrongly
//! Two workflows begin after the same command, or a workflow starts itself again through a step.
//!
//! **Why**: one command begins one saga, so that it is clear what its failure takes back; a
//! workflow that starts itself never ends.
//!
//! Wrong:
//! ```yaml
//! place_order: { after: Order.place }
//! notify: { after: Order.place }
//! ```
//! Right: one of them runs the other, or reacts to the event.
//! ```yaml
//! place_order: { after: Order.place, steps: [{ name: notify, run: notify }] }
//! ```

use super::resolve::Resolved;
use ir::domain::{CommandId, ResourceId};
use ir::model::Step;
use ir::{Code, Diagnostic};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const CODE: Code = Code("E085");

/// Looks at how workflows begin.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let world = &resolved.world;
    let mut started: BTreeMap<(ResourceId, CommandId), &str> = BTreeMap::new();
    for workflow in &world.model.workflows {
        let Some(command) = world.command_quietly(workflow.after.as_str()) else { continue };
        let Some(first) = started.get(&command) else {
            started.insert(command, workflow.name.as_str());
            continue;
        };
        let message =
            format!("`{first}` and `{}` both begin after `{}`", workflow.name, { &workflow.after });
        let also = world.workflows.get(first).map(|first| first.after.span);
        let fault = Diagnostic::error(CODE, workflow.after.span, message);
        let fault = also.map_or(fault.clone(), |span| fault.also(span, "the other one"));
        found.push(
            fault
                .why("one command begins one saga, so that its failure takes back one thing")
                .help("run one from the other (`run: …`), or react to the command's event"),
        );
    }
    circles(resolved, &started, found);
}

/// Which workflows a workflow starts, by running them or by calling the command they begin after.
fn circles(
    resolved: &Resolved<'_>,
    started: &BTreeMap<(ResourceId, CommandId), &str>,
    found: &mut Vec<Diagnostic>,
) {
    let world = &resolved.world;
    let mut starts: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for workflow in &world.model.workflows {
        let mut called = BTreeSet::new();
        walk(&workflow.steps, &mut |step| {
            let run = step.run.as_ref().and_then(|run| world.command_quietly(run.as_str()));
            called.extend(run.and_then(|command| started.get(&command).copied()));
            called.extend(step.workflow.as_ref().map(|inner| inner.as_str()));
        });
        starts.insert(workflow.name.as_str(), called);
    }
    for workflow in &world.model.workflows {
        let mut reached: BTreeSet<&str> = BTreeSet::new();
        let mut next: Vec<&str> = vec![workflow.name.as_str()];
        while let Some(name) = next.pop() {
            for &inner in starts.get(name).into_iter().flatten() {
                if reached.insert(inner) {
                    next.push(inner);
                }
            }
        }
        if reached.contains(workflow.name.as_str()) {
            let message = format!("the workflow `{}` starts itself again", workflow.name);
            let fault = Diagnostic::error(CODE, workflow.name.span, message);
            found.push(
                fault
                    .why("it would never end")
                    .help("call a command in the step that no workflow begins after"),
            );
        }
    }
}

fn walk<'m>(steps: &'m [Step], visit: &mut dyn FnMut(&'m Step)) {
    for step in steps {
        visit(step);
        walk(&step.parallel, visit);
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn two_after_one_command_and_one_that_starts_itself() {
        let model = "
system: test
actors: { user: oidc }
contexts:
  sales:
    resources:
      Order:
        fields: { state: draft | placed }
        commands:
          place: { state: draft -> placed, by: [user, system] }
          touch: { set: { note: ('') }, by: [user, system] }
        allow: { read: user, write: user }
workflows:
  checkout: { after: Order.place, steps: [{ name: pause, wait: 5 s }] }
  notify: { after: Order.place, steps: [{ name: pause, wait: 5 s }] }
  again: { after: Order.touch, steps: [{ name: touch, do: Order.touch }] }
";
        let model = model.replace("draft | placed }", "draft | placed, note: string max 9 }");
        check(
            &model,
            expect![[r#"
                error[E085]: `checkout` and `notify` both begin after `Order.place`
                  --> mainstay.yaml:14:20
                   |
                13 |   checkout: { after: Order.place, steps: [{ name: pause, wait: 5 s }] }
                   |                      ----------- the other one
                14 |   notify: { after: Order.place, steps: [{ name: pause, wait: 5 s }] }
                   |                    ^^^^^^^^^^^
                   = why: one command begins one saga, so that its failure takes back one thing
                   = help: run one from the other (`run: …`), or react to the command's event

                error[E085]: the workflow `again` starts itself again
                  --> mainstay.yaml:15:3
                   |
                15 |   again: { after: Order.touch, steps: [{ name: touch, do: Order.touch }] }
                   |   ^^^^^
                   = why: it would never end
                   = help: call a command in the step that no workflow begins after
            "#]],
        );
    }
}
