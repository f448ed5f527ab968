//! Traffic: what the workload's journeys make of the peak, operation by operation, and what
//! workflows and reactions add to it inside.
//!
//! The peak is client requests a second and a share is a share of journeys, so an operation's rate
//! is `peak × calls of it in a mean journey / requests of a mean journey`.

mod names;

use self::names::{Names, Target};
use crate::capacity::Term;
use crate::draft::inputs::{Inputs, Knob};
use ir::contract::{Contract, OperationKind};
use ir::domain::{Change, Domain, ResourceId};
use ir::model::{Effect, Journey, Model, Step};
use ir::quantity::{Computed, Grade, Unit};
use std::collections::BTreeMap;

/// Items of a page where a list does not say.
const PAGE_ITEMS: f64 = 20.0;

/// The kind of work that an operation is, for its cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// A page of rows.
    List,
    /// One row.
    Get,
    /// A transaction.
    Write,
    /// A public path that answers with a redirect.
    Redirect,
}

/// The load of one operation at the peak.
#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    /// Operation id of the contract.
    pub operation: String,
    /// Its resource; none for a view.
    pub resource: Option<ResourceId>,
    /// Its kind in the contract; none for a view.
    pub kind: Option<OperationKind>,
    /// What kind of work it is.
    pub work: Work,
    /// Made by workflows and reactions rather than by clients.
    pub internal: bool,
    /// Called without a token.
    pub anonymous: bool,
    /// Items of a page.
    pub page: f64,
    /// Requests a second.
    pub rate: Computed,
}

/// Calls to a system outside at the peak.
#[derive(Debug, Clone, PartialEq)]
pub struct Outside {
    /// Integration.
    pub integration: String,
    /// Operation.
    pub operation: String,
    /// Workflow or reaction that calls.
    pub caller: String,
    /// Calls a second, retries not counted.
    pub rate: Computed,
}

/// All traffic.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Load {
    /// By operation, clients' first.
    pub flows: Vec<Flow>,
    /// Calls to integrations.
    pub outside: Vec<Outside>,
    /// Events a second, by name.
    pub events: BTreeMap<String, f64>,
    /// Starts a second of each workflow.
    pub workflows: BTreeMap<String, f64>,
    /// Requests of a mean journey.
    pub requests_per_journey: f64,
    /// No workload is given: every resource gets the same.
    pub assumed: bool,
    /// Sums of the flows by resource id.
    sums: Vec<Sums>,
    /// Sums of all flows, and of the clients' alone, by kind of work.
    all: [f64; 4],
    clients: [f64; 4],
}

/// Requests a second on one resource.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sums {
    by_work: [f64; 4],
    creates: f64,
    edits: f64,
}

impl Load {
    /// From the workload, or even over all resources where there is none.
    pub fn read(model: &Model, domain: &Domain, contract: &Contract, inputs: &Inputs) -> Self {
        let names = Names::new(model, domain, contract);
        let mut load = Self::default();
        if model.workload.is_empty() {
            load.assume(domain, contract, inputs);
        } else {
            load.journeys(&model.workload, &names, inputs);
        }
        load.workflows(model, &names, inputs);
        load.count_events(domain);
        load.reactions(model, &names, inputs);
        load.sum_up(domain.resources.len());
        load
    }

    fn sum_up(&mut self, resources: usize) {
        let mut sums = vec![Sums::default(); resources];
        for flow in &self.flows {
            self.all[flow.work as usize] += flow.rate.value;
            if !flow.internal {
                self.clients[flow.work as usize] += flow.rate.value;
            }
            let Some(own) = flow.resource.and_then(|id| sums.get_mut(id.index())) else { continue };
            own.by_work[flow.work as usize] += flow.rate.value;
            match flow.kind {
                Some(OperationKind::Create) => own.creates += flow.rate.value,
                Some(OperationKind::Update | OperationKind::Replace) => {
                    own.edits += flow.rate.value;
                }
                Some(
                    OperationKind::List
                    | OperationKind::Get
                    | OperationKind::Delete
                    | OperationKind::Command(_)
                    | OperationKind::Route(_)
                    | OperationKind::Batch,
                )
                | None => {}
            }
        }
        self.sums = sums;
    }

    /// Requests of that work a second, those of workflows and reactions among them.
    pub fn rate_of(&self, work: Work) -> f64 {
        self.all[work as usize]
    }

    /// Requests of that work a second that clients make.
    pub fn client_rate(&self, work: Work) -> f64 {
        self.clients[work as usize]
    }

    /// All requests a second that clients make.
    pub fn clients(&self) -> f64 {
        self.clients.iter().sum()
    }

    /// Share of the clients' requests that read.
    pub fn reads(&self) -> f64 {
        let clients = self.clients();
        if clients > 0.0 { 1.0 - self.client_rate(Work::Write) / clients } else { 1.0 }
    }

    /// Transactions a second, those of workflows and reactions among them.
    pub fn writes(&self) -> f64 {
        self.rate_of(Work::Write)
    }

    /// Requests a second on a resource, by kind of work.
    pub fn on(&self, resource: ResourceId, work: Work) -> f64 {
        self.sums[resource.index()].by_work[work as usize]
    }

    /// Rows a second that clients or reactions make of a resource.
    pub fn creates(&self, resource: ResourceId) -> f64 {
        self.sums[resource.index()].creates
    }

    /// Plain changes a second: a command decides on the row as it is and overwrites nothing.
    pub fn edits(&self, resource: ResourceId) -> f64 {
        self.sums[resource.index()].edits
    }

    /// Calls a second to an integration.
    pub fn to_integration(&self, name: &str) -> f64 {
        let calls = self.outside.iter().filter(|call| call.integration == name);
        calls.map(|call| call.rate.value).sum()
    }

    fn journeys(&mut self, journeys: &[Journey], names: &Names<'_>, inputs: &Inputs) {
        let total: f64 = journeys.iter().map(|journey| journey.share.value).sum();
        let mut met: Vec<(Target, f64, Vec<String>)> = Vec::new();
        let mut places: BTreeMap<(String, bool), usize> = BTreeMap::new();
        let mut requests = 0.0;
        for journey in journeys {
            let share = if total > 0.0 { journey.share.value / total } else { 0.0 };
            for step in &journey.steps {
                requests += share;
                let target = names.target(step, journey);
                let key = (target.operation.clone(), target.anonymous);
                let at = *places.entry(key).or_insert(met.len());
                if at == met.len() {
                    met.push((target, 0.0, Vec::new()));
                }
                met[at].1 += share;
                met[at].2.push(journey.name.value.clone());
            }
        }
        self.requests_per_journey = requests;
        let per =
            Term::input("requests_per_journey", requests, Unit::One, Grade::Given, "workload");
        for (target, calls, mut by) in met {
            by.dedup();
            let source = format!("workload: {}", by.join(", "));
            let calls = Term::input("calls_per_journey", calls, Unit::One, Grade::Given, &source);
            let rate = inputs.get(Knob::Peak).clone() * calls / &per;
            self.flows.push(target.flow(rate.named("rate", Unit::PerSecond), false));
        }
    }

    /// Three lists, five gets, one create and one update of ten, even over what there is.
    fn assume(&mut self, domain: &Domain, contract: &Contract, inputs: &Inputs) {
        self.assumed = true;
        self.requests_per_journey = 1.0;
        let weight = |kind: OperationKind| match kind {
            OperationKind::List => 3.0,
            OperationKind::Get | OperationKind::Route(_) => 5.0,
            OperationKind::Create | OperationKind::Update => 1.0,
            OperationKind::Replace
            | OperationKind::Delete
            | OperationKind::Command(_)
            | OperationKind::Batch => 0.0,
        };
        let public = contract.operations.iter().filter(|operation| !operation.internal);
        // Who reads views is not known without a workload.
        let of_view = |id| domain.view_of(id).is_some();
        let public = public.filter(|operation| !operation.resource.is_some_and(of_view));
        let public: Vec<_> = public.filter(|operation| weight(operation.kind) > 0.0).collect();
        let all: f64 = public.iter().map(|operation| weight(operation.kind)).sum();
        for operation in public {
            let source = "no workload: lists 3, gets 5, creates 1, updates 1 of each resource";
            let share = weight(operation.kind) / all;
            let share = Term::input("share", share, Unit::Share, Grade::Assumed, source);
            let rate = inputs.get(Knob::Peak).clone() * share;
            self.flows.push(Flow {
                operation: operation.id.clone(),
                resource: operation.resource,
                kind: Some(operation.kind),
                work: work_of(operation.kind),
                internal: false,
                anonymous: operation.anonymous,
                page: PAGE_ITEMS,
                rate: rate.named("rate", Unit::PerSecond),
            });
        }
    }

    fn workflows(&mut self, model: &Model, names: &Names<'_>, inputs: &Inputs) {
        for workflow in &model.workflows {
            let Some((resource, command)) = names.command(workflow.after.as_str()) else {
                continue;
            };
            let kind = OperationKind::Command(command);
            let starts: f64 = self
                .flows
                .iter()
                .filter(|flow| flow.resource == Some(resource) && flow.kind == Some(kind))
                .map(|flow| flow.rate.value)
                .sum();
            self.workflows.insert(workflow.name.value.clone(), starts);
            self.steps(&workflow.steps, resource, starts, workflow.name.as_str(), names, inputs);
        }
    }

    fn steps(
        &mut self,
        steps: &[Step],
        root: ResourceId,
        starts: f64,
        workflow: &str,
        names: &Names<'_>,
        inputs: &Inputs,
    ) {
        let source = format!("workload: starts of {workflow}");
        let starts_term = Term::input("starts", starts, Unit::PerSecond, Grade::Derived, &source);
        for step in steps {
            let mut rate = starts_term.clone();
            let child = step.each.as_ref().and_then(|each| names.child(root, each.as_str()));
            if step.each.is_some() {
                rate = rate * inputs.get(Knob::Children);
            }
            if let Some(run) = &step.run {
                let rate = rate.named("rate", Unit::PerSecond);
                self.inside(run.as_str(), root, child, workflow, rate, names);
            }
            self.steps(&step.parallel, root, starts, workflow, names, inputs);
        }
    }

    /// A call that a workflow or reaction makes: of an integration, or of a command.
    fn inside(
        &mut self,
        run: &str,
        root: ResourceId,
        child: Option<ResourceId>,
        caller: &str,
        rate: Computed,
        names: &Names<'_>,
    ) {
        let parts: Vec<&str> = run.split('.').collect();
        if let [integration, operation] = parts.as_slice()
            && names.integrations.contains(integration)
        {
            self.outside.push(Outside {
                integration: (*integration).to_owned(),
                operation: (*operation).to_owned(),
                caller: caller.to_owned(),
                rate,
            });
            return;
        }
        let found = names.command(run).or_else(|| names.follow(&parts, root, child));
        if let Some((resource, command)) = found {
            self.add_internal(resource, OperationKind::Command(command), rate, names);
        }
    }

    fn add_internal(
        &mut self,
        resource: ResourceId,
        kind: OperationKind,
        rate: Computed,
        names: &Names<'_>,
    ) {
        self.flows.push(Flow {
            operation: names.operation_id(resource, kind),
            resource: Some(resource),
            kind: Some(kind),
            work: Work::Write,
            internal: true,
            anonymous: false,
            page: 1.0,
            rate,
        });
    }

    fn count_events(&mut self, domain: &Domain) {
        for flow in &self.flows {
            let Some(id) = flow.resource else { continue };
            let resource = domain.resource(id);
            let emitted: Vec<&String> = match flow.kind {
                Some(OperationKind::Command(command)) => {
                    resource.commands[command.index()].emits.iter().collect()
                }
                Some(OperationKind::Create) => plain(resource, Change::Created),
                Some(OperationKind::Update | OperationKind::Replace) => {
                    plain(resource, Change::Updated)
                }
                Some(OperationKind::Delete) => plain(resource, Change::Deleted),
                Some(
                    OperationKind::List
                    | OperationKind::Get
                    | OperationKind::Route(_)
                    | OperationKind::Batch,
                )
                | None => Vec::new(),
            };
            for event in emitted {
                *self.events.entry(event.clone()).or_default() += flow.rate.value;
            }
        }
    }

    fn reactions(&mut self, model: &Model, names: &Names<'_>, _inputs: &Inputs) {
        for context in &model.contexts {
            for reaction in &context.reacts {
                let event = reaction.event.as_str();
                let Some(events) = self.events.get(event).copied() else { continue };
                let source = format!("workload: `{event}`");
                let rate = Term::input("events", events, Unit::PerSecond, Grade::Derived, &source);
                let rate = (rate * 1.0).named("rate", Unit::PerSecond);
                match &reaction.effect {
                    Effect::Create(resource) => {
                        if let Some(id) =
                            names.resource(resource.as_str(), Some(context.name.as_str()))
                        {
                            self.add_internal(id, OperationKind::Create, rate, names);
                        }
                    }
                    Effect::Update(resource) => {
                        if let Some(id) =
                            names.resource(resource.as_str(), Some(context.name.as_str()))
                        {
                            self.add_internal(id, OperationKind::Update, rate, names);
                        }
                    }
                    Effect::Do(run) => {
                        self.inside(run.as_str(), ResourceId(0), None, event, rate, names);
                    }
                }
            }
        }
    }
}

fn plain(resource: &ir::domain::Resource, change: Change) -> Vec<&String> {
    resource.emits.iter().filter(|(known, _)| *known == change).map(|(_, name)| name).collect()
}

fn work_of(kind: OperationKind) -> Work {
    match kind {
        OperationKind::List => Work::List,
        OperationKind::Get => Work::Get,
        OperationKind::Route(_) => Work::Redirect,
        OperationKind::Create
        | OperationKind::Replace
        | OperationKind::Update
        | OperationKind::Delete
        | OperationKind::Command(_)
        | OperationKind::Batch => Work::Write,
    }
}
