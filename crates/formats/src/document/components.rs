//! Diagrams, and what each context consists of by layer.

use super::page::{Page, coded, count, listed};
use crate::mermaid;
use ir::architecture::Architecture;
use ir::contract::Operation;

pub(super) fn write(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Service architecture");
    page.heading(3, "Context");
    page.diagram(&mermaid::context(architecture));
    page.heading(3, "Containers");
    page.diagram(&mermaid::containers(architecture));
    page.heading(3, "Components by layer");
    let rows = (0..architecture.domain.contexts.len()).map(|at| layers(architecture, at));
    page.table(&["Context", "Interface", "Application", "Domain", "Storage"], rows);
    for workflow in &architecture.model.workflows {
        page.heading(3, &format!("Workflow `{}`", workflow.name));
        page.diagram(&mermaid::sequence(architecture, workflow));
    }
    for (id, field) in mermaid::with_states(&architecture.domain) {
        let resource = architecture.domain.resource(id);
        let name = &resource.field(field).name;
        page.heading(3, &format!("States of `{}.{name}`", resource.name));
        page.diagram(&mermaid::states(architecture, id, field));
    }
}

fn layers(architecture: &Architecture, at: usize) -> Vec<String> {
    let (domain, model) = (&architecture.domain, &architecture.model);
    let context = &domain.contexts[at];
    let own = |operation: &&Operation| {
        let resource = operation.resource.map(|id| domain.resource(id));
        resource.is_some_and(|resource| resource.context.index() == at) && !operation.internal
    };
    let operations = architecture.contract.operations.iter().filter(own).count();
    let roots: Vec<&ir::domain::Resource> = domain
        .roots()
        .map(|(_, resource)| resource)
        .filter(|resource| resource.context.index() == at)
        .collect();
    let commands: Vec<String> = roots
        .iter()
        .flat_map(|root| root.commands.iter().map(|one| format!("{}.{}", root.name, one.name)))
        .collect();
    let starts = |name: &str| {
        roots.iter().any(|root| root.commands.iter().any(|c| c.starts.as_deref() == Some(name)))
    };
    let workflows = model.workflows.iter().map(|one| one.name.as_str()).filter(|one| starts(one));
    let schedules = model.schedules.iter().filter(|schedule| {
        let resource = schedule.resource.as_str();
        roots.iter().any(|root| resource.rsplit('.').next() == Some(&root.name))
    });
    let asked = model.contexts.iter().find(|asked| asked.name == context.name.as_str());
    let mut application = coded(commands);
    application.extend(workflows.map(|name| format!("workflow `{name}`")));
    application.extend(schedules.map(|one| format!("schedule `{}`", one.name)));
    if let Some(asked) = asked {
        let reactions = asked.reacts.iter();
        application.extend(
            reactions.map(|one| format!("on `{}`: {}", one.event, mermaid::effect(&one.effect))),
        );
        application.extend(asked.views.iter().map(|view| format!("view `{}`", view.name)));
    }
    let aggregates: Vec<String> = roots
        .iter()
        .map(|root| {
            let children: Vec<&str> =
                root.children().map(|(_, child)| domain.resource(child).name.as_str()).collect();
            match children.is_empty() {
                true => root.name.clone(),
                false => format!("{} with {}", root.name, listed(&children)),
            }
        })
        .collect();
    let tables = architecture.schema.tables.iter().filter(|table| table.context == context.name);
    let tables: Vec<&str> = tables.map(|table| table.name.as_str()).collect();
    vec![
        context.name.clone(),
        count(operations, "REST operation", "REST operations"),
        application.join(", "),
        listed(&aggregates),
        listed(&coded(tables)),
    ]
}
