//! Names of the model, found without walking it again.

use super::{Flow, PAGE_ITEMS, Work, work_of};
use ir::contract::{Contract, OperationKind};
use ir::domain::{CommandId, Domain, Kind, ResourceId};
use ir::model::{Journey, JourneyStep, Model, Verb};
use ir::quantity::Computed;
use std::collections::BTreeMap;

/// What a journey's step asks for.
pub(super) struct Target {
    pub(super) operation: String,
    pub(super) resource: Option<ResourceId>,
    pub(super) kind: Option<OperationKind>,
    pub(super) work: Work,
    pub(super) anonymous: bool,
    pub(super) page: f64,
}

impl Target {
    pub(super) fn flow(self, rate: Computed, internal: bool) -> Flow {
        Flow {
            operation: self.operation,
            resource: self.resource,
            kind: self.kind,
            work: self.work,
            internal,
            anonymous: self.anonymous,
            page: self.page,
            rate,
        }
    }
}

/// Names of the model, found without walking it again.
pub(super) struct Names<'a> {
    domain: &'a Domain,
    resources: BTreeMap<&'a str, ResourceId>,
    qualified: BTreeMap<String, ResourceId>,
    operations: BTreeMap<(ResourceId, OperationKind), &'a str>,
    pub(super) integrations: Vec<&'a str>,
}

impl<'a> Names<'a> {
    pub(super) fn new(model: &'a Model, domain: &'a Domain, contract: &'a Contract) -> Self {
        let mut names = Self {
            domain,
            resources: BTreeMap::new(),
            qualified: BTreeMap::new(),
            operations: BTreeMap::new(),
            integrations: model.integrations.iter().map(|one| one.name.as_str()).collect(),
        };
        for (id, resource) in domain.resources() {
            names.resources.entry(&resource.name).or_insert(id);
            names.qualified.insert(domain.full_name(id), id);
        }
        for operation in &contract.operations {
            if let Some(resource) = operation.resource {
                names.operations.insert((resource, operation.kind), &operation.id);
            }
        }
        names
    }

    pub(super) fn resource(&self, name: &str, context: Option<&str>) -> Option<ResourceId> {
        let qualified =
            context.and_then(|context| self.qualified.get(&format!("{context}.{name}")));
        let found = qualified.or_else(|| self.qualified.get(name));
        found.or_else(|| self.resources.get(name)).copied()
    }

    /// `Order.place`, `ordering.Order.place`
    pub(super) fn command(&self, text: &str) -> Option<(ResourceId, CommandId)> {
        let (resource, command) = text.rsplit_once('.')?;
        let resource = self.resource(resource, None)?;
        self.command_of(resource, command)
    }

    pub(super) fn command_of(
        &self,
        resource: ResourceId,
        name: &str,
    ) -> Option<(ResourceId, CommandId)> {
        let commands = &self.domain.resource(resource).commands;
        let at = commands.iter().position(|command| command.name == name)?;
        Some((resource, CommandId::of(at)))
    }

    /// `item.product.reserve`: from the child or the root along references to a command.
    pub(super) fn follow(
        &self,
        parts: &[&str],
        root: ResourceId,
        child: Option<ResourceId>,
    ) -> Option<(ResourceId, CommandId)> {
        let (command, path) = parts.split_last()?;
        let mut at = root;
        for part in path {
            if *part == "item" {
                at = child?;
                continue;
            }
            let (_, field) = self.domain.resource(at).field_named(part)?;
            match field.kind {
                Kind::Reference { target, .. } => at = target,
                Kind::Scalar | Kind::Enum(_) | Kind::Actor(_) | Kind::Children { .. } => {
                    return None;
                }
            }
        }
        self.command_of(at, command)
    }

    pub(super) fn child(&self, root: ResourceId, field: &str) -> Option<ResourceId> {
        let resource = self.domain.resource(root);
        let (id, _) = resource.field_named(field)?;
        resource.children().find(|(known, _)| *known == id).map(|(_, child)| child)
    }

    pub(super) fn operation_id(&self, resource: ResourceId, kind: OperationKind) -> String {
        match self.operations.get(&(resource, kind)) {
            Some(id) => (*id).to_owned(),
            None => unnamed(kind, &self.domain.resource(resource).name),
        }
    }

    pub(super) fn target(&self, step: &JourneyStep, journey: &Journey) -> Target {
        let resource = self.resource(step.resource.as_str(), None);
        let kind = resource.and_then(|id| match &step.verb {
            Verb::List => Some(OperationKind::List),
            Verb::Get => Some(OperationKind::Get),
            Verb::Create => Some(OperationKind::Create),
            Verb::Update => Some(OperationKind::Update),
            Verb::Delete => Some(OperationKind::Delete),
            Verb::Open => Some(OperationKind::Route(0)),
            Verb::Command(name) => self
                .command_of(id, name.as_str())
                .map(|(_, command)| OperationKind::Command(command)),
        });
        let operation = match (resource, kind) {
            (Some(id), Some(kind)) => self.operation_id(id, kind),
            _ => format!("list{}", step.resource.value),
        };
        let redirects = resource.is_some_and(|id| {
            let route = self.domain.resource(id).routes.first();
            route.is_some_and(|route| route.redirect.is_some())
        });
        let work = match kind {
            Some(OperationKind::Route(_)) if !redirects => Work::Get,
            Some(kind) => work_of(kind),
            None => Work::List,
        };
        let anyone = journey.actor.as_ref().is_some_and(|actor| actor.actor == "anyone");
        let anonymous = anyone || matches!(kind, Some(OperationKind::Route(_)));
        let page = match work {
            Work::List => step.limit.as_ref().map_or(PAGE_ITEMS, |limit| f64::from(limit.value)),
            Work::Get | Work::Write | Work::Redirect => 1.0,
        };
        Target { operation, resource, kind, work, anonymous, page }
    }
}

/// An operation that no client may call has no id in the contract.
fn unnamed(kind: OperationKind, resource: &str) -> String {
    let verb = match kind {
        OperationKind::List => "list",
        OperationKind::Create => "create",
        OperationKind::Get => "get",
        OperationKind::Replace => "replace",
        OperationKind::Update => "update",
        OperationKind::Delete => "delete",
        OperationKind::Command(_) => "command",
        OperationKind::Route(_) => "open",
        OperationKind::Batch => "batch",
    };
    format!("{verb}{resource}")
}
