//! The plan: everything about an architecture that a request would otherwise work out anew.
//!
//! [`plan`] is total and pure. Expressions and grants stay where the domain has them; beside them
//! stand the compiled types of fields, the members of a representation with their escaped names,
//! the order of computed fields, what an expression needs of other rows, and the router.

pub(crate) mod audit;
pub(crate) mod caching;
pub(crate) mod consumers;
pub(crate) mod list;
pub(crate) mod needs;
pub(crate) mod resource;
pub(crate) mod router;

#[cfg(test)]
mod tests;

use crate::ports::events::Logged;
use audit::AuditPlan;
use caching::{Caching, Watched};
use consumers::{Consumer, Consumers};
use ir::Valid;
use ir::architecture::{Architecture, Settings};
use ir::contract::{Contract, Operation, OperationKind};
use ir::domain::{ContextId, Domain, ResourceId, Target};
use list::{Expand, Filters};
use regex::Regex;
use resource::{FieldPlan, ResourcePlan};
use router::Router;
use std::collections::BTreeMap;

/// An architecture made ready to serve.
#[derive(Debug)]
pub struct Plan {
    /// The resolved model.
    pub(crate) domain: Domain,
    /// Limits and times.
    pub(crate) settings: Settings,
    /// By [`ResourceId`], the rows of views behind the resources.
    pub(crate) resources: Vec<ResourcePlan>,
    /// In the order of the contract.
    pub(crate) operations: Vec<OperationPlan>,
    /// Method and path to operation.
    pub(crate) router: Router,
    /// Patterns of `matches(…)`, compiled.
    pub(crate) patterns: BTreeMap<String, Regex>,
    /// Index of the service that holds a context, by context.
    pub(crate) service_of: Vec<usize>,
    /// How many services there are.
    pub(crate) services: usize,
    /// Their names.
    pub(crate) service_names: Vec<String>,
    /// See [`Plan::fingerprint`].
    fingerprint: String,
    /// What the audit trail may hold; none where nothing is written down.
    pub(crate) audit: Option<AuditPlan>,
    /// What follows from events.
    pub(crate) consumers: Consumers,
    /// By [`ResourceId`], whose answers a write ends; empty where none is kept.
    pub(crate) watched: Vec<Watched>,
    /// In the order of the domain.
    pub(crate) jobs: Vec<JobPlan>,
}

/// A job.
#[derive(Debug)]
pub(crate) struct JobPlan {
    /// Its inputs.
    pub(crate) input: Vec<FieldPlan>,
    /// Index of the operation that is its command; for a call outside, of one of its resource.
    pub(crate) operation: usize,
}

/// One operation of the contract.
#[derive(Debug)]
pub(crate) struct OperationPlan {
    /// `listProducts`
    pub(crate) id: String,
    /// In capitals.
    pub(crate) method: &'static str,
    /// `/v1/orders/{id}`
    pub(crate) path: String,
    /// What it does.
    pub(crate) kind: OperationKind,
    /// On what; none for the batch.
    pub(crate) resource: Option<ResourceId>,
    /// May be called without token.
    pub(crate) anonymous: bool,
    /// Not there for anybody but `system`.
    pub(crate) internal: bool,
    /// What a list is narrowed and sorted by.
    pub(crate) filters: Filters,
    /// What `expand` takes.
    pub(crate) expands: Vec<Expand>,
    /// Takes `q`.
    pub(crate) searchable: bool,
    /// How its answers are reused; none: never.
    pub(crate) caching: Option<Caching>,
}

/// Makes the plan of an architecture.
pub fn plan(architecture: &Valid<Architecture>) -> Plan {
    let domain = architecture.domain.clone();
    let resources = domain
        .stored()
        .map(|(id, _)| ResourcePlan::of(&domain, &architecture.contract, id))
        .collect();
    let operations: Vec<OperationPlan> = architecture
        .contract
        .operations
        .iter()
        .map(|operation| OperationPlan::of(&domain, operation))
        .collect();
    let kept = operations.iter().filter_map(|of| Some((of.resource?, of.caching.as_ref()?)));
    let watched = Watched::all(&domain, kept);
    let holds = |name: &String| {
        let by_name = |service: &ir::architecture::Service| service.contexts.contains(name);
        architecture.services.iter().position(by_name).unwrap_or(0)
    };
    Plan {
        router: Router::of(
            &architecture.contract,
            router::Has {
                audit: architecture.settings.audited,
                events: !domain.events.is_empty(),
                webhooks: domain.events.iter().any(|event| !event.webhook.is_empty()),
                receivers: !domain.receivers.is_empty(),
            },
            &domain.jobs,
        ),
        audit: architecture.settings.audited.then(|| AuditPlan::of(&domain)),
        patterns: needs::patterns(&domain),
        service_of: domain.contexts.iter().map(|context| holds(&context.name)).collect(),
        consumers: Consumers::of(&domain),
        jobs: jobs(&domain, &architecture.contract),
        services: architecture.services.len().max(1),
        service_names: service_names(architecture),
        fingerprint: fingerprint(architecture),
        settings: architecture.settings.clone(),
        domain,
        resources,
        operations,
        watched,
    }
}

impl OperationPlan {
    fn of(domain: &Domain, operation: &Operation) -> Self {
        let expands = list::expands(domain, operation);
        Self {
            id: operation.id.clone(),
            method: operation.method,
            path: operation.path.clone(),
            kind: operation.kind,
            resource: operation.resource,
            anonymous: operation.anonymous,
            internal: operation.internal,
            filters: Filters::of(domain, operation),
            caching: Caching::of(domain, operation.kind, operation.resource, &expands),
            expands,
            searchable: operation.searchable,
        }
    }
}

fn jobs(domain: &Domain, contract: &Contract) -> Vec<JobPlan> {
    let of = |job: &ir::domain::Job| {
        let is_it = |kind: OperationKind| match &job.target {
            Target::Command { command, .. } => kind == OperationKind::Command(*command),
            Target::Operation(_) => true,
        };
        let mut all = contract.operations.iter();
        JobPlan {
            input: job.input.iter().map(FieldPlan::of).collect(),
            operation: all
                .position(|one| one.resource == Some(job.resource) && is_it(one.kind))
                .unwrap_or(0),
        }
    };
    domain.jobs.iter().map(of).collect()
}

/// The names of the services; that of the system where none is named.
fn service_names(architecture: &Architecture) -> Vec<String> {
    match architecture.services.as_slice() {
        [] => vec![architecture.domain.system.clone()],
        services => services.iter().map(|service| service.name.clone()).collect(),
    }
}

/// Characters of a fingerprint: 64 bits tell the few models of a system apart.
const FINGERPRINT_CHARACTERS: usize = 16;

/// What an architecture is known by: the same for each process that was built alike and serves the
/// same model, whatever its comments and layout.
fn fingerprint(architecture: &Architecture) -> String {
    let text = serde_json::to_vec(architecture).unwrap_or_default();
    let digest = ring::digest::digest(&ring::digest::SHA256, &text);
    let digits: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    digits[..FINGERPRINT_CHARACTERS].to_owned()
}

impl Plan {
    /// The hash of the model, as operators see it: sixteen hexadecimal digits.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The plan of a resource.
    pub(crate) fn resource(&self, id: ResourceId) -> &ResourcePlan {
        &self.resources[id.index()]
    }

    /// Index of the service that stores a resource.
    pub(crate) fn service(&self, id: ResourceId) -> usize {
        self.service_of[self.domain.resource(id).context.index()]
    }

    /// Index of the service that stores the resource of a full name.
    pub(crate) fn service_of_resource(&self, name: &str) -> Option<usize> {
        let context = name.split_once('.')?.0;
        let at = self.domain.contexts.iter().position(|one| one.name == context)?;
        Some(self.service_of[at])
    }

    /// True for an event that a consumer hears, about rows of a service.
    pub(crate) fn hears(&self, consumer: &Consumer, service: usize, event: &Logged) -> bool {
        let id = self.consumers.event(&event.event);
        id.is_some_and(|id| consumer.reaction(id).is_some())
            && self.service_of_resource(&event.resource) == Some(service)
    }

    /// Index of the view whose rows have that id.
    pub(crate) fn view_index(&self, rows: ResourceId) -> Option<usize> {
        let at = rows.index().checked_sub(self.domain.resources.len())?;
        (at < self.domain.views.len()).then_some(at)
    }

    /// Index of the service that stores a context.
    pub(crate) fn service_of(&self, context: ContextId) -> usize {
        self.service_of[context.index()]
    }

    /// The ids of all operations in order, for metrics.
    pub fn operation_ids(&self) -> impl Iterator<Item = &str> {
        self.operations.iter().map(|operation| operation.id.as_str())
    }
}
