//! The whole design: a valid model becomes an architecture.

mod assumptions;
mod feasibility;

use crate::catalog::Catalog;
use crate::draft::inputs::Inputs;
use crate::draft::{Draft, Ground};
use crate::{lower, stages};
use ir::architecture::{Architecture, Service, Settings, Traffic};
use ir::decision::{Assumption, Decision, Setting};
use ir::model::{Effect, Model};
use ir::valid::Valid;

/// Designs with the built-in catalogue. The same model gives the same bytes.
pub fn design(model: &Valid<Model>) -> Valid<Architecture> {
    design_with(model, &Catalog::default())
}

/// Designs with the user's prices and limits.
pub fn design_with(model: &Valid<Model>, catalog: &Catalog) -> Valid<Architecture> {
    architecture(model, catalog, assumptions::assumptions)
}

/// The same architecture without its assumptions: they are for readers, and to weigh them the
/// design runs many times again, which is most of what it takes. For whoever runs it.
pub fn design_to_run(model: &Valid<Model>) -> Valid<Architecture> {
    architecture(model, &Catalog::default(), |_, _| Vec::new())
}

fn architecture(
    model: &Valid<Model>,
    catalog: &Catalog,
    assumptions: impl FnOnce(Ground<'_>, &Draft<'_>) -> Vec<Assumption>,
) -> Valid<Architecture> {
    let domain = lower::domain(model);
    let contract = lower::contract(&domain);
    let schema = lower::schema(model, &domain);
    let ground = Ground { model, domain: &domain, contract: &contract, schema: &schema, catalog };
    let draft = stages::run(Draft::new(ground, Inputs::read(model)), true);
    let infeasible = feasibility::infeasible(ground, &draft);
    let assumptions = assumptions(ground, &draft);
    let services = services(&draft);
    let traffic = traffic(&draft);
    let decisions = draft.decisions;
    let settings = settings(&decisions);
    Valid::vouch(Architecture {
        model: model.clone(),
        services,
        traffic,
        decisions,
        infeasible,
        assumptions,
        settings,
        domain,
        contract,
        schema,
    })
}

/// The same design with other inputs, without the rules that decide on every resource.
fn again<'a>(ground: Ground<'a>, inputs: Inputs) -> Draft<'a> {
    let mut draft = Draft::new(ground, inputs);
    draft.quick = true;
    stages::run(draft, false)
}

/// The decisions alone, without what needs the design to run again.
#[cfg(test)]
pub(crate) fn decisions(model: &Valid<Model>) -> Vec<Decision> {
    let domain = lower::domain(model);
    let contract = lower::contract(&domain);
    let schema = lower::schema(model, &domain);
    let catalog = Catalog::default();
    let ground =
        Ground { model, domain: &domain, contract: &contract, schema: &schema, catalog: &catalog };
    stages::run(Draft::new(ground, Inputs::read(model)), true).decisions
}

/// The deployable units of the boundaries decision, `name: context, context` each.
fn services(draft: &Draft<'_>) -> Vec<Service> {
    let integrations = || draft.model.integrations.iter().map(|one| one.name.value.clone());
    let units = draft.decided("boundaries", "system");
    let units = units.into_iter().flat_map(|decision| &decision.settings);
    let words = units.filter_map(|(key, setting)| match setting {
        Setting::Word(word) if *key == "unit" => word.split_once(": "),
        Setting::Word(_) | Setting::Flag(_) | Setting::Number(_) => None,
    });
    let services: Vec<Service> = words
        .map(|(name, contexts)| Service {
            name: name.to_owned(),
            contexts: contexts.split(", ").map(str::to_owned).collect(),
            calls: Vec::new(),
        })
        .collect();
    with_calls(draft, services, integrations().collect())
}

/// What each unit calls: the owners of what it refers to, and what workflows call outside.
fn with_calls(
    draft: &Draft<'_>,
    mut services: Vec<Service>,
    integrations: Vec<String>,
) -> Vec<Service> {
    let context = |id| {
        let resource: &ir::domain::Resource = draft.domain.resource(id);
        draft.domain.contexts[resource.context.index()].name.clone()
    };
    let holder = |services: &[Service], name: &str| {
        services.iter().position(|one| one.contexts.iter().any(|context| context == name))
    };
    for relation in crate::rules::relations(draft.domain) {
        let from = holder(&services, &context(relation.from));
        let to = holder(&services, &context(relation.to));
        if let (Some(from), Some(to)) = (from, to)
            && from != to
        {
            let name = services[to].name.clone();
            if !services[from].calls.contains(&name) {
                services[from].calls.push(name);
            }
        }
    }
    for workflow in &draft.model.workflows {
        let root = workflow.after.as_str().rsplit_once('.').map_or("", |(resource, _)| resource);
        let root = draft
            .domain
            .resources()
            .find(|(id, one)| one.name == root || draft.domain.full_name(*id) == root);
        let at = root.and_then(|(id, _)| holder(&services, &context(id))).unwrap_or(0);
        for call in draft.load.outside.iter().filter(|call| call.caller == workflow.name.value) {
            if let Some(service) = services.get_mut(at)
                && !service.calls.contains(&call.integration)
            {
                service.calls.push(call.integration.clone());
            }
        }
    }
    for (context, integration) in reactions(draft) {
        if let Some(service) = holder(&services, context).and_then(|at| services.get_mut(at))
            && !service.calls.contains(&integration)
        {
            service.calls.push(integration);
        }
    }
    // What nothing is known to call is still the single unit's to call.
    if let [only] = services.as_mut_slice() {
        for integration in integrations {
            if !only.calls.contains(&integration) {
                only.calls.push(integration);
            }
        }
    }
    services
}

/// Integrations that reactions of a context call: context and integration.
fn reactions<'a>(draft: &Draft<'a>) -> Vec<(&'a str, String)> {
    let mut found = Vec::new();
    for context in &draft.model.contexts {
        for reaction in &context.reacts {
            let Effect::Do(run) = &reaction.effect else { continue };
            let Some((integration, _)) = run.as_str().split_once('.') else { continue };
            if draft.integration(integration).is_some() {
                found.push((context.name.as_str(), integration.to_owned()));
            }
        }
    }
    found
}

fn traffic(draft: &Draft<'_>) -> Vec<Traffic> {
    let flows = draft.load.flows.iter();
    flows
        .map(|flow| Traffic {
            operation: flow.operation.clone(),
            resource: flow.resource,
            writes: flow.work == crate::draft::load::Work::Write,
            rate: flow.rate.clone(),
        })
        .collect()
}

/// What the running backend reads of the decisions.
fn settings(decisions: &[Decision]) -> Settings {
    let mut settings = Settings::default();
    for (key, setting) in decisions.iter().flat_map(|decision| &decision.settings) {
        match (*key, setting) {
            ("tenant_files", Setting::Flag(flag)) => settings.tenant_files = *flag,
            ("page_items_default", Setting::Number(n)) => settings.page_items_default = whole(*n),
            ("page_items_max", Setting::Number(n)) => settings.page_items_max = whole(*n),
            ("filter_terms_max", Setting::Number(n)) => settings.filter_terms_max = whole(*n),
            ("batch_operations_max", Setting::Number(n)) => {
                settings.batch_operations_max = whole(*n);
            }
            ("body_bytes_max", Setting::Number(n)) => settings.body_bytes_max = *n as u64,
            ("request_seconds_max", Setting::Number(n)) => settings.request_seconds_max = *n,
            ("idempotency_seconds", Setting::Number(n)) => settings.idempotency_seconds = *n,
            ("token_seconds", Setting::Number(n)) => settings.token_seconds = *n,
            ("database_connections", Setting::Number(n)) => {
                settings.database_connections = whole(*n);
            }
            ("readers_per_core", Setting::Number(n)) => settings.readers_per_core = whole(*n),
            ("write_queue_max", Setting::Number(n)) => settings.write_queue_max = whole(*n),
            ("write_group_max", Setting::Number(n)) => settings.write_group_max = whole(*n),
            ("audited", Setting::Flag(flag)) => settings.audited = *flag,
            ("audit_seconds", Setting::Number(n)) => settings.audit_seconds = *n,
            ("event_seconds", Setting::Number(n)) => settings.event_seconds = *n,
            ("event_partitions", Setting::Number(n)) => settings.event_partitions = whole(*n),
            _ => {}
        }
    }
    settings
}

fn whole(number: f64) -> u32 {
    number.round().clamp(0.0, f64::from(u32::MAX)) as u32
}
