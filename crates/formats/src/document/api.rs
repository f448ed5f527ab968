//! Endpoints with their callers, load and examples, and the decisions of the contract.

use super::decision::{Section, write_all};
use super::page::{Page, count};
use crate::example::{Examples, Form};
use crate::tree::Node;
use ir::architecture::Architecture;
use ir::contract::{Operation, OperationKind};
use ir::domain::{Caller, Grant, ResourceId, Target};

pub(super) fn write(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "API design");
    page.text("The whole contract is [contracts/openapi.yaml](contracts/openapi.yaml).");
    let domain = &architecture.domain;
    for (at, context) in domain.contexts.iter().enumerate() {
        let public: Vec<&Operation> = architecture
            .contract
            .operations
            .iter()
            .filter(|operation| !operation.internal)
            .filter(|operation| {
                let resource = operation.resource.map(|id| domain.resource(id));
                resource.is_some_and(|resource| resource.context.index() == at)
            })
            .collect();
        if public.is_empty() {
            continue;
        }
        page.heading(3, &format!("Endpoints of `{}`", context.name));
        let rows = public.iter().map(|operation| endpoint(architecture, operation));
        page.table(&["Endpoint", "Does", "Allowed", "At the peak"], rows);
        for (id, resource) in domain.roots() {
            if resource.context.index() == at {
                examples(page, architecture, id);
            }
        }
    }
    let across: Vec<&Operation> = architecture
        .contract
        .operations
        .iter()
        .filter(|operation| !operation.internal && operation.resource.is_none())
        .collect();
    let audited = architecture.settings.audited.then(|| trail(architecture));
    if !across.is_empty() || audited.is_some() {
        page.heading(3, "Endpoints of no single aggregate");
        let rows = across.iter().map(|operation| endpoint(architecture, operation));
        let rows = rows.chain(audited);
        page.table(&["Endpoint", "Does", "Allowed", "At the peak"], rows);
    }
    jobs(page, architecture);
    page_example(page, architecture);
    internal(page, architecture);
    write_all(page, architecture, Section::Api);
}

/// Work that is asked for and done beside the requests.
fn jobs(page: &mut Page, architecture: &Architecture) {
    let domain = &architecture.domain;
    if domain.jobs.is_empty() {
        return;
    }
    page.heading(3, "Jobs");
    let mut text =
        "Each is kept before it is answered `202` with the `Location` of its operation, \
        then calls its command as `system`, once in effect: what the command changes and that it \
        is done are committed together. What is refused for good fails at once, whatever else is \
        tried again after growing pauses."
            .to_owned();
    if domain.jobs.iter().any(|job| matches!(job.target, Target::Operation(_))) {
        text.push_str(
            " A system outside is called with the id of the operation as idempotency key, the same \
             at each attempt; one that takes none is asked first what came of the call before.",
        );
    }
    page.text(text);
    let rows = domain.jobs.iter().map(|job| {
        let by: Vec<String> = job.by.iter().map(|grant| format!("`{}`", grant.text)).collect();
        vec![
            format!("`POST {}`", job.address()),
            format!("`{}`", domain.target_name(job)),
            by.join(", "),
            format!("{:?}", job.priority).to_lowercase(),
            job.attempts_max.to_string(),
            job.concurrency.map_or_else(|| "any number".to_owned(), |most| most.to_string()),
        ]
    });
    let head = ["Endpoint", "Calls", "Asked for by", "Priority", "Attempts", "At once"];
    page.table(&head, rows);
}

/// The audit trail, which no operation of the contract shows.
fn trail(architecture: &Architecture) -> Vec<String> {
    vec![
        format!("`GET /{}/audit`", architecture.contract.version),
        "List what was done; by `resource`, `row`, `who`, `operation`, `since`, `until`".to_owned(),
        "as the audit decision says".to_owned(),
        String::new(),
    ]
}

fn endpoint(architecture: &Architecture, operation: &Operation) -> Vec<String> {
    let load = architecture.traffic.iter().find(|load| load.operation == operation.id);
    let load = load.map(|load| ir::quantity::print(load.rate.value, &load.rate.unit));
    let mut does = operation.summary.clone();
    if operation.kind == OperationKind::List {
        let keys = operation.filters.iter().filter(|filter| filter.sortable).count();
        does.push_str(&format!("; {} to filter and sort by", count(keys, "field", "fields")));
        if operation.searchable {
            does.push_str(", words by `q`");
        }
    }
    vec![
        format!("`{} {}`", operation.method, operation.path),
        does,
        grants(architecture, operation),
        load.unwrap_or_default(),
    ]
}

fn grants(architecture: &Architecture, operation: &Operation) -> String {
    let texts = |grants: &[Grant]| {
        let shown = grants.iter().filter(|grant| grant.caller != Caller::System);
        shown.map(|grant| format!("`{}`", grant.text)).collect::<Vec<_>>().join(", ")
    };
    let Some(resource) = operation.resource.map(|id| architecture.domain.resource(id)) else {
        return "as each operation".to_owned();
    };
    match operation.kind {
        OperationKind::List | OperationKind::Get => texts(&resource.access.read),
        OperationKind::Create => texts(&resource.access.create),
        OperationKind::Replace | OperationKind::Update => texts(&resource.access.update),
        OperationKind::Delete => texts(&resource.access.delete),
        OperationKind::Command(id) => texts(&resource.commands[id.index()].by),
        OperationKind::Route(_) => "`anyone`".to_owned(),
        OperationKind::Batch => "as each operation".to_owned(),
    }
}

/// A request and its answer: the creation where there is one, else what is read.
fn examples(page: &mut Page, architecture: &Architecture, id: ResourceId) {
    let examples = Examples { domain: &architecture.domain };
    let find = |kind| {
        let of = |one: &&Operation| one.resource == Some(id) && one.kind == kind && !one.internal;
        architecture.contract.operations.iter().find(of)
    };
    let row = examples.body(id, Form::Read);
    if let (Some(create), Some(body), Some(row)) =
        (find(OperationKind::Create), examples.body(id, Form::Create), &row)
    {
        page.text(format!("`{} {}` with", create.method, create.path));
        page.json(&body);
        let name = architecture.domain.full_name(id);
        let path = format!("{}/{}", create.path, crate::example::id(&name));
        page.text(format!("answers `201`, `Location: {path}`, `ETag: \"1.…\"`:"));
        page.json(row);
    } else if let (Some(get), Some(row)) = (find(OperationKind::Get), &row) {
        page.text(format!("`{} {}` answers `200`, `ETag: \"1.…\"`:", get.method, get.path));
        page.json(row);
    }
    let resource = architecture.domain.resource(id);
    for (number, route) in resource.routes.iter().enumerate() {
        if let (Some(operation), Some(target)) =
            (find(OperationKind::Route(number)), route.redirect)
        {
            let target = resource.field(target);
            let value = examples.value(id, target, 0).map(|value| crate::example::wire(&value));
            if let Some(Node::Text(location)) = value {
                page.text(format!(
                    "`GET {}` answers `302`, `Location: {location}`.",
                    operation.path
                ));
            }
        }
    }
}

/// A page of the busiest list.
fn page_example(page: &mut Page, architecture: &Architecture) {
    let lists = || {
        let all = architecture.contract.operations.iter();
        all.filter(|one| one.kind == OperationKind::List && !one.internal)
    };
    let rate = |one: &&Operation| {
        let load = architecture.traffic.iter().filter(|load| load.operation == one.id);
        load.map(|load| load.rate.value).sum::<f64>()
    };
    let busiest = lists().max_by(|a, b| rate(a).total_cmp(&rate(b)));
    let Some((list, id)) = busiest.and_then(|list| Some((list, list.resource?))) else { return };
    let examples = Examples { domain: &architecture.domain };
    let resource = architecture.domain.resource(id);
    let Some(Node::Map(mut members)) = examples.body(id, Form::Read) else { return };
    let children: Vec<&str> =
        resource.children().map(|(field, _)| resource.field(field).name.as_str()).collect();
    members.retain(|(name, _)| !children.contains(&name.as_str()));
    let cursor = crate::example::id(&list.id).replace('-', "");
    let answer = crate::tree::map([
        ("items", crate::tree::list([Node::Map(members)])),
        ("next_cursor", cursor.into()),
    ]);
    page.text(format!("A page, `GET {}?limit=1`:", list.path));
    page.json(&answer);
}

/// Commands that only the system itself calls.
fn internal(page: &mut Page, architecture: &Architecture) {
    let domain = &architecture.domain;
    let names: Vec<String> = architecture
        .contract
        .operations
        .iter()
        .filter(|operation| operation.internal)
        .filter_map(|operation| match (operation.kind, operation.resource) {
            (OperationKind::Command(command), Some(id)) => {
                let resource = domain.resource(id);
                Some(format!("`{}.{}`", resource.name, resource.commands[command.index()].name))
            }
            _ => None,
        })
        .collect();
    if !names.is_empty() {
        let jobs = if domain.jobs.is_empty() { " and schedules" } else { ", schedules and jobs" };
        page.text(format!(
            "Called by workflows, reactions{jobs} alone, not in the public contract, 404 to \
             everybody else: {}.",
            names.join(", ")
        ));
    }
}
