//! The deployable units: what each holds, calls and owns.

use super::decision::{Section, write_all};
use super::page::{Page, coded, listed};
use crate::mermaid::channels;
use ir::architecture::{Architecture, Service};

pub(super) fn write(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Service overview");
    let rows = architecture.services.iter().map(|service| overview(architecture, service));
    page.table(&["Service", "Boundary", "Calls", "Owns the data of"], rows);
    for service in &architecture.services {
        contexts(page, architecture, service);
    }
    write_all(page, architecture, Section::Services);
}

fn overview(architecture: &Architecture, service: &Service) -> Vec<String> {
    let tables: Vec<&str> = tables(architecture, service).collect();
    let calls = if service.calls.is_empty() {
        "nothing outside itself".to_owned()
    } else {
        listed(&coded(&service.calls))
    };
    vec![
        format!("**{}**", service.name),
        listed(&coded(&service.contexts)),
        calls,
        listed(&coded(tables)),
    ]
}

fn tables<'a>(
    architecture: &'a Architecture,
    service: &'a Service,
) -> impl Iterator<Item = &'a str> {
    let own =
        architecture.schema.tables.iter().filter(|table| service.contexts.contains(&table.context));
    own.map(|table| table.name.as_str())
}

fn contexts(page: &mut Page, architecture: &Architecture, service: &Service) {
    let domain = &architecture.domain;
    let channels = channels(architecture);
    let mut rows = Vec::new();
    for (at, context) in domain.contexts.iter().enumerate() {
        if !service.contexts.contains(&context.name) {
            continue;
        }
        let mut needs: Vec<String> = Vec::new();
        for resource in domain.resources.iter().filter(|one| one.context.index() == at) {
            for field in &resource.fields {
                if let ir::domain::Kind::Reference { target, crosses: true, .. } = field.kind {
                    let name = domain.full_name(target);
                    let need = format!("`{name}` (from {}.{})", resource.name, field.name);
                    needs.push(need);
                }
            }
        }
        let hears: Vec<&str> = channels
            .iter()
            .filter(|(_, to, _)| *to == at)
            .map(|(_, _, event)| event.as_str())
            .collect();
        let resources = domain.roots().filter(|(_, one)| one.context.index() == at);
        let resources: Vec<&str> = resources.map(|(_, one)| one.name.as_str()).collect();
        rows.push(vec![
            context.name.clone(),
            context.about.clone(),
            listed(&resources),
            needs.join(", "),
            listed(&coded(hears)),
        ]);
    }
    page.table(&["Context", "About", "Aggregates", "Asks others for", "Hears"], rows);
}
