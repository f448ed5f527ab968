//! # E030 too many elements
//! One list of the model is longer than Mainstay takes.
//!
//! **Why**: every list has a limit, so that checking ends in a bounded time and a file that went
//! wrong (a loop in a generator, say) is told at once. Nothing else is looked at until then.
//!
//! The limits are far above what a system of 100 contexts needs: 10,000 resources, 500 fields of a
//! resource, 200 commands, values, rules and grants, 5,000 events, 2,000 views, workflows,
//! schedules and journeys, 200 steps.
//!
//! At most 500 faults are told at once.
//!
//! Wrong:
//! ```yaml
//! fields: { f1: int, f2: int, f501: int }
//! ```
//! Right: several resources, or one field of `json` for what nobody filters by.
//! ```yaml
//! fields: { measures: json }
//! ```

use ir::model::{Command, Event, Job, Model, Resource, Step};
use ir::source::Span;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E030");

const RESOURCES_MAX: usize = 10_000;
const EVENTS_MAX: usize = 5_000;
const ELEMENTS_MAX: usize = 2_000;
const FIELDS_MAX: usize = 500;
const PARTS_MAX: usize = 200;
/// Secrets of a sender: each is tried for each delivery.
const SECRETS_MAX: usize = 8;

/// Counts every list of the model.
pub(crate) fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    let mut count = |things: &str, len: usize, max: usize, span: Span| {
        if len > max {
            let message = format!("{len} {things}, but at most {max} are taken");
            let fault = Diagnostic::error(CODE, span, message);
            found.push(fault.why("every list has a limit, so that checking ends in bounded time"));
        }
    };
    let whole = model.system.span;
    let resources = model.contexts.iter().map(|context| context.resources.len()).sum();
    let steps: usize = model.workload.iter().map(|journey| journey.steps.len()).sum();
    count("resources", resources, RESOURCES_MAX, whole);
    count("events", model.events.len(), EVENTS_MAX, whole);
    count("steps of journeys", steps, EVENTS_MAX, whole);
    let lists = [
        ("actors", model.actors.len()),
        ("contexts", model.contexts.len()),
        ("views", model.contexts.iter().map(|context| context.views.len()).sum()),
        ("reactions", model.contexts.iter().map(|context| context.reacts.len()).sum()),
        ("integrations", model.integrations.len()),
        ("workflows", model.workflows.len()),
        ("schedules", model.schedules.len()),
        ("jobs", model.jobs.len()),
        ("journeys", model.workload.len()),
        ("decisions", model.decisions.len()),
        ("kinds of compliance", model.constraints.compliance.len()),
    ];
    for (things, len) in lists {
        count(things, len, ELEMENTS_MAX, whole);
    }
    for actor in &model.actors {
        count("roles", actor.roles.len(), PARTS_MAX, actor.name.span);
    }
    for context in &model.contexts {
        for resource in &context.resources {
            of_resource(resource, &mut count);
        }
        for view in &context.views {
            let members = view.key.len() + view.set.len() + view.from.len();
            count("members of a view", members, PARTS_MAX, view.name.span);
        }
        for reaction in &context.reacts {
            count("values", reaction.with.len(), FIELDS_MAX, reaction.event.span);
        }
    }
    model.jobs.iter().for_each(|job| of_job(job, &mut count));
    for integration in &model.integrations {
        let span = integration.name.span;
        count("operations", integration.operations.len(), PARTS_MAX, span);
        if let Some(webhooks) = &integration.webhooks {
            count("secrets", webhooks.secrets.len(), SECRETS_MAX, span);
            count("events of a sender", webhooks.events.len(), PARTS_MAX, span);
            for event in &webhooks.events {
                count("members of an event", event.data.len(), PARTS_MAX, event.name.span);
            }
        }
        for operation in &integration.operations {
            let members = operation.body.len() + operation.returns.len() + operation.refuses.len();
            count("members of an operation", members, PARTS_MAX, operation.name.span);
        }
    }
    for workflow in &model.workflows {
        let steps = count_steps(&workflow.steps) + workflow.otherwise.len();
        count("steps", steps, PARTS_MAX, workflow.name.span);
    }
    model.events.iter().for_each(|event| of_event(event, &mut count));
}

fn of_event(event: &Event, count: &mut dyn FnMut(&str, usize, usize, Span)) {
    count("members of an event", event.data.len(), FIELDS_MAX, event.name.span);
    count("older versions", event.from.len(), PARTS_MAX, event.name.span);
    for older in &event.from {
        let members = older.data.len().max(older.with.len());
        count("members of an event", members, FIELDS_MAX, older.version.span);
    }
}

fn of_job(job: &Job, count: &mut dyn FnMut(&str, usize, usize, Span)) {
    count("inputs", job.input.len(), PARTS_MAX, job.name.span);
    count("values", job.with.len(), FIELDS_MAX, job.name.span);
}

/// The first faults, and how many more there are.
pub(crate) fn first_faults(
    mut found: Vec<Diagnostic>,
    max: usize,
    broken: bool,
) -> Vec<Diagnostic> {
    let more = found.len() - max;
    found.truncate(max);
    let span = found.last().map_or_else(Span::default, |last| last.primary.span);
    let message = format!("{more} more faults are not shown");
    let rest = match broken {
        true => Diagnostic::error(CODE, span, message),
        false => Diagnostic::note(CODE, span, message),
    };
    found.push(rest.label("the last one shown").help("mend these first"));
    found
}

fn of_resource(resource: &Resource, count: &mut dyn FnMut(&str, usize, usize, Span)) {
    let span = resource.name.span;
    count("fields", resource.fields.len(), FIELDS_MAX, span);
    let allow = &resource.allow;
    let grants = [&allow.read, &allow.write, &allow.create, &allow.update, &allow.delete];
    let parts = [
        ("rules", resource.rules.len()),
        ("commands", resource.commands.len()),
        ("routes", resource.routes.len()),
        ("uniques", resource.unique.len() + resource.never_overlap.len()),
        ("grants", grants.into_iter().map(Vec::len).sum()),
    ];
    for (things, len) in parts {
        count(things, len, PARTS_MAX, span);
    }
    for field in &resource.fields {
        if let ir::model::FieldType::Enum(values) = &field.ty.value {
            count("values of an enum", values.len(), PARTS_MAX, field.name.span);
        }
    }
    for command in &resource.commands {
        of_command(command, count);
    }
}

fn of_command(command: &Command, count: &mut dyn FnMut(&str, usize, usize, Span)) {
    let parts = [
        ("inputs", command.input.len()),
        ("values to get", command.get.len()),
        ("guards", command.require.len()),
        ("effects", command.set.len()),
        ("grants", command.by.len()),
        ("transitions", command.transitions.len()),
        ("events", command.emit.len()),
        ("workflows", command.not_during.len()),
    ];
    for (things, len) in parts {
        count(things, len, PARTS_MAX, command.name.span);
    }
}

fn count_steps(steps: &[Step]) -> usize {
    steps.iter().map(|step| 1 + count_steps(&step.parallel) + step.with.len() / PARTS_MAX).sum()
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn a_resource_with_more_fields_than_taken() {
        let fields: Vec<String> = (0..501).map(|at| format!("f{at}: int")).collect();
        let resource = format!("Wide: {{ fields: {{ {} }} }}", fields.join(", "));
        let told = crate::check::testing::told(&crate::check::testing::with_resources(&resource));
        let first: String = told.lines().take(2).collect::<Vec<_>>().join("\n");
        expect![[r#"
            error[E030]: 501 fields, but at most 500 are taken
             --> mainstay.yaml:6:7"#]]
        .assert_eq(&first);
    }

    #[test]
    fn more_faults_than_anybody_reads() {
        let fields: Vec<String> = (0..500).map(|at| format!("f{at}: int = x{at}")).collect();
        let resource = format!("Wide: {{ fields: {{ {} }} }}", fields.join(", "));
        let told = crate::check::testing::told(&crate::check::testing::with_resources(&resource));
        let last: String = told.lines().rev().take(7).collect::<Vec<_>>().join("\n");
        expect![[r#"
              |                                          ^^^^
            6 | …t = x495, f496: int = x496, f497: int = x497, f498: int = x498, f499: int = x499 } }
              |
             --> mainstay.yaml:6:8763
            error[E036]: unknown name `x497` in `f497` of `Wide`

              = help: mend these first"#]].assert_eq(&last);
    }

    #[test]
    fn five_hundred_fields_are_taken() {
        let fields: Vec<String> = (0..500).map(|at| format!("f{at}: int")).collect();
        let resource =
            format!("Wide: {{ fields: {{ {} }}, allow: {{ read: user, write: user }} }}", {
                fields.join(", ")
            });
        check_resources(&resource, expect![[r#""#]]);
    }
}
