//! How much it carries, what happens when something fails, how it is watched.

use super::decision::{Section, filled, write_all};
use super::page::{Page, coded, listed};
use crate::openapi::refused_transition;
use ir::architecture::Architecture;
use ir::contract::Problem;
use ir::model::Step;
use ir::quantity::{Unit, print};

pub(super) fn performance(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Performance and scalability");
    if architecture.traffic.is_empty() {
        page.text(
            "Unknown: the model has no `workload`, so that no rate of any operation can be \
             computed. Name the journeys and their shares.",
        );
    }
    page.table(
        &["Operation", "Kind", "At the peak", "From"],
        architecture.traffic.iter().map(|load| {
            let kind = if load.writes { "writes" } else { "reads" };
            let rate = ir::quantity::print(load.rate.value, &load.rate.unit);
            vec![format!("`{}`", load.operation), kind.to_owned(), rate, filled(&load.rate)]
        }),
    );
    write_all(page, architecture, Section::Performance);
}

pub(super) fn resilience(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Resilience patterns");
    calls(page, architecture);
    let written = write_all(page, architecture, Section::Resilience);
    if !written && architecture.model.integrations.is_empty() {
        page.text(format!(
            "`{}` waits for nothing but its own store; there is no remote dependency to be \
             guarded.",
            architecture.domain.system
        ));
    }
}

/// What each call outside is bounded by, and what happens when it is not answered.
fn calls(page: &mut Page, architecture: &Architecture) {
    let model = &architecture.model;
    let mut rows = Vec::new();
    for workflow in &model.workflows {
        for step in every(&workflow.steps) {
            let Some(run) = &step.run else { continue };
            let (system, name) = run.as_str().split_once('.').unwrap_or_default();
            let integration = model.integrations.iter().find(|one| one.name == system);
            let Some(integration) = integration else { continue };
            let operation = integration.operations.iter().find(|one| one.name == name);
            let bounds = [
                step.timeout.as_ref().map(|one| print(one.value, &Unit::Seconds)),
                step.retry.as_ref().map(|one| one.value.to_string()),
            ];
            let [timeout, retries] = bounds.map(Option::unwrap_or_default);
            let lookup = operation.and_then(|one| one.lookup.as_ref());
            let lookup = lookup
                .map(|(method, path)| format!("`{} {}`", method.value.to_uppercase(), path.value));
            let undo = step.undo.as_ref().map(|undo| format!("`{undo}`"));
            let otherwise = workflow.otherwise.iter().map(|(why, command)| match why {
                Some(why) => format!("{why}: `{command}`"),
                None => format!("`{command}`"),
            });
            rows.push(vec![
                format!("`{run}` in {}", workflow.name),
                timeout,
                retries,
                lookup.unwrap_or_else(|| "the call is undone in any case".to_owned()),
                undo.unwrap_or_default(),
                otherwise.collect::<Vec<_>>().join(", "),
            ]);
        }
    }
    let head = ["Call", "Timeout", "Retries", "Answer lost", "Taken back by", "Then"];
    page.table(&head, rows);
}

fn every(steps: &[Step]) -> Vec<&Step> {
    steps.iter().flat_map(|step| [vec![step], every(&step.parallel)].concat()).collect()
}

pub(super) fn errors(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Error handling");
    write_all(page, architecture, Section::Errors);
    transition_example(page, architecture);
    page.heading(3, "Catalogue of problem types");
    let public: Vec<_> =
        architecture.contract.operations.iter().filter(|one| !one.internal).collect();
    let row = |problem: &Problem| {
        let with: Vec<&str> = public
            .iter()
            .filter(|operation| operation.problems.contains(&problem.slug))
            .map(|operation| operation.id.as_str())
            .collect();
        let of = match with.len() {
            0 => return None,
            n if n == public.len() => "all".to_owned(),
            n if n > 4 => format!("{n} of {}", public.len()),
            _ => listed(&coded(with)),
        };
        Some(vec![
            problem.status.to_string(),
            format!("`{}`", problem.type_uri()),
            problem.meaning.to_owned(),
            of,
        ])
    };
    let head = ["Status", "Type", "Means, and what to do", "Operations"];
    page.table(&head, architecture.contract.problems.iter().filter_map(row));
}

/// What a client reads that calls a command in the wrong state.
fn transition_example(page: &mut Page, architecture: &Architecture) {
    let Some(refused) = refused_transition(&architecture.contract, &architecture.domain) else {
        return;
    };
    page.text(format!(
        "`{} {}` on a row whose `{}` is `{}` answers `409`:",
        refused.operation.method, refused.operation.path, refused.field, refused.from
    ));
    page.json(&refused.answer);
}

pub(super) fn observability(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Observability");
    write_all(page, architecture, Section::Observability);
    let domain = &architecture.domain;
    let mut personal = Vec::new();
    for (id, resource) in domain.resources() {
        for field in resource.fields.iter().filter(|field| field.personal || field.secret) {
            personal.push(format!("{}.{}", domain.full_name(id), field.name));
        }
    }
    if personal.is_empty() {
        let system = &domain.system;
        page.text(format!("No field of `{system}` is personal: logs need no redaction."));
    } else {
        page.text(format!("Redacted in logs and traces: {}.", listed(&coded(personal))));
    }
}
