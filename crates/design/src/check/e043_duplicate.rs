//! # E043 name given twice
//! Two elements of one kind have the same name: two resources of a context (perhaps in two files),
//! two steps of a workflow, two values of an enum.
//!
//! **Why**: a name could mean either of them.
//!
//! Wrong:
//! ```yaml
//! status: open | closed | open
//! ```
//! Right:
//! ```yaml
//! status: open | closed
//! ```

use super::resolve::Resolved;
use ir::model::{FieldType, Step};
use ir::source::{Name, Span};
use ir::{Code, Diagnostic};
use std::collections::BTreeMap;

pub(crate) const CODE: Code = Code("E043");

/// Looks for equal names in every list.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let model = resolved.world.model;
    let mut once = |what: &str, names: &mut dyn Iterator<Item = &Name>| {
        let mut first: BTreeMap<&str, Span> = BTreeMap::new();
        for name in names {
            if let Some(span) = first.insert(name.as_str(), name.span) {
                let message = format!("there are two {what} called `{name}`");
                let fault = Diagnostic::error(CODE, name.span, message);
                found.push(fault.also(span, "the first one").help("rename or remove one of them"));
            }
        }
    };
    once("actors", &mut model.actors.iter().map(|actor| &actor.name));
    once("contexts", &mut model.contexts.iter().map(|context| &context.name));
    once("integrations", &mut model.integrations.iter().map(|integration| &integration.name));
    once("workflows", &mut model.workflows.iter().map(|workflow| &workflow.name));
    once("events", &mut model.events.iter().map(|event| &event.name));
    once("schedules", &mut model.schedules.iter().map(|schedule| &schedule.name));
    once("jobs", &mut model.jobs.iter().map(|job| &job.name));
    for job in &model.jobs {
        once("inputs of a job", &mut job.input.iter().map(|field| &field.name));
    }
    once("journeys", &mut model.workload.iter().map(|journey| &journey.name));
    for actor in &model.actors {
        once("roles", &mut actor.roles.iter());
    }
    for context in &model.contexts {
        let resources = context.resources.iter().map(|resource| &resource.name);
        let views = context.views.iter().map(|view| &view.name);
        once("resources or views of a context", &mut resources.chain(views));
        for resource in &context.resources {
            once("rules of a resource", &mut resource.rules.iter().map(|(name, _)| name));
            once("fields of a resource", &mut resource.fields.iter().map(|field| &field.name));
            once("commands of a resource", &mut resource.commands.iter().map(|c| &c.name));
            let inputs = resource.commands.iter();
            for command in inputs {
                let given = command.input.iter().map(|field| &field.name);
                let got = command.get.iter().map(|(name, _)| name);
                once("inputs of a command", &mut given.chain(got));
            }
            for field in &resource.fields {
                if let FieldType::Enum(values) = &field.ty.value {
                    once("values of an enum", &mut values.iter());
                }
            }
        }
    }
    for integration in &model.integrations {
        once("operations", &mut integration.operations.iter().map(|operation| &operation.name));
        let told = integration.webhooks.iter().flat_map(|webhooks| &webhooks.events);
        once("events of a sender", &mut told.clone().map(|event| &event.name));
        for event in told {
            once("members of an event", &mut event.data.iter().map(|member| &member.name));
        }
    }
    for workflow in &model.workflows {
        let mut names = Vec::new();
        step_names(&workflow.steps, &mut names);
        once("steps of a workflow", &mut names.into_iter());
    }
    for event in &model.events {
        once("members of an event", &mut event.data.iter());
    }
}

fn step_names<'m>(steps: &'m [Step], names: &mut Vec<&'m Name>) {
    for step in steps {
        if !step.name.value.is_empty() {
            names.push(&step.name);
        }
        step_names(&step.parallel, names);
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::expect;

    #[test]
    fn equal_names_are_told_with_the_first_one() {
        let model = "
system: test
actors: { staff: oidc roles clerk | clerk }
contexts:
  sales:
    resources:
      Order:
        fields: { status: draft | placed }
        commands: { place: { status: draft -> placed, by: staff, emit: order.placed } }
        allow: { read: staff, write: staff }
workflows:
  checkout:
    after: Order.place
    steps:
      - { name: hold, wait: 5 s }
      - { name: hold, wait: 5 s }
events:
  order.placed: { data: [id, id] }
";
        check(
            model,
            expect![[r#"
                error[E043]: there are two roles called `clerk`
                 --> mainstay.yaml:2:37
                  |
                2 | actors: { staff: oidc roles clerk | clerk }
                  |                                     ^^^^^
                  |                             ----- the first one
                  = help: rename or remove one of them

                error[E043]: there are two steps of a workflow called `hold`
                  --> mainstay.yaml:15:17
                   |
                14 |       - { name: hold, wait: 5 s }
                   |                 ---- the first one
                15 |       - { name: hold, wait: 5 s }
                   |                 ^^^^
                   = help: rename or remove one of them

                error[E043]: there are two members of an event called `id`
                  --> mainstay.yaml:17:30
                   |
                17 |   order.placed: { data: [id, id] }
                   |                              ^^
                   |                          -- the first one
                   = help: rename or remove one of them
            "#]],
        );
    }
}
