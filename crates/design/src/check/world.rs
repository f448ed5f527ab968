//! All names of a model in maps, so that nothing is looked for by walking lists.

use super::place::Place;
use super::suggest::Budget;
use super::{e033_unknown_context, e034_unknown_resource, e042_ambiguous_resource};
use ir::Diagnostic;
use ir::domain::{ActorId, CommandId, ContextId, FieldId, Kind, ResourceId};
use ir::expr::{FieldRef, Implicit, Type};
use ir::model::{self, Field, FieldType, Model};
use ir::source::{Name, Span};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

/// Nodes of all typed expressions of a model, named rules written out wherever they are used.
pub(crate) const MODEL_NODES_MAX: u32 = 500_000;

/// The names of one model.
#[derive(Debug)]
pub(crate) struct World<'m> {
    pub(crate) model: &'m Model,
    pub(crate) actors: BTreeMap<&'m str, ActorId>,
    pub(crate) contexts: BTreeMap<&'m str, ContextId>,
    /// By resource id.
    pub(crate) resources: Vec<Entry<'m>>,
    pub(crate) events: BTreeMap<&'m str, &'m model::Event>,
    pub(crate) integrations: BTreeMap<&'m str, &'m model::Integration>,
    pub(crate) workflows: BTreeMap<&'m str, &'m model::Workflow>,
    /// Names of all views.
    pub(crate) views: BTreeSet<&'m str>,
    pub(crate) budget: Budget,
    /// Nodes of typed expressions that are left for the whole model.
    pub(crate) nodes_left: Cell<u32>,
    local: Vec<BTreeMap<&'m str, ResourceId>>,
    everywhere: BTreeMap<&'m str, Vec<ResourceId>>,
}

/// One resource and the names within it.
#[derive(Debug)]
pub(crate) struct Entry<'m> {
    pub(crate) context: ContextId,
    pub(crate) model: &'m model::Resource,
    pub(crate) fields: BTreeMap<&'m str, FieldId>,
    pub(crate) commands: BTreeMap<&'m str, CommandId>,
    pub(crate) rules: BTreeMap<&'m str, usize>,
    /// Root that owns it, and the field there.
    pub(crate) owner: Option<(ResourceId, FieldId)>,
    /// Enums that a transition names.
    pub(crate) states: BTreeSet<FieldId>,
    /// Resolved kind of each field; none where the type itself is at fault.
    pub(crate) kinds: Vec<Option<Kind>>,
}

/// What a field is to an expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Meaning {
    /// A value.
    Value(Type),
    /// Owned children.
    Children(ResourceId),
    /// Its type is at fault already; nothing more is said of it.
    Faulty,
}

impl<'m> World<'m> {
    /// Gathers the names; of two equal ones the first is meant.
    pub(crate) fn of(model: &'m Model) -> Self {
        let mut world = Self {
            model,
            actors: first(model.actors.iter().map(|actor| &actor.name), ActorId::of),
            contexts: first(model.contexts.iter().map(|context| &context.name), ContextId::of),
            resources: Vec::new(),
            events: BTreeMap::new(),
            integrations: BTreeMap::new(),
            workflows: BTreeMap::new(),
            views: model.contexts.iter().flat_map(|c| &c.views).map(|v| v.name.as_str()).collect(),
            budget: Budget::default(),
            nodes_left: Cell::new(MODEL_NODES_MAX),
            local: Vec::new(),
            everywhere: BTreeMap::new(),
        };
        for (at, context) in model.contexts.iter().enumerate() {
            let mut local = BTreeMap::new();
            for resource in &context.resources {
                let id = ResourceId::of(world.resources.len());
                world.resources.push(Entry::of(ContextId::of(at), resource));
                local.entry(resource.name.as_str()).or_insert(id);
                world.everywhere.entry(resource.name.as_str()).or_default().push(id);
            }
            world.local.push(local);
        }
        for event in &model.events {
            world.events.entry(event.name.as_str()).or_insert(event);
        }
        for integration in &model.integrations {
            world.integrations.entry(integration.name.as_str()).or_insert(integration);
        }
        for workflow in &model.workflows {
            world.workflows.entry(workflow.name.as_str()).or_insert(workflow);
        }
        world.find_owners();
        world
    }

    /// The first owner of each child; a second one is a fault told elsewhere.
    fn find_owners(&mut self) {
        for at in 0..self.resources.len() {
            let entry = &self.resources[at];
            let mut owned = Vec::new();
            for (field, declared) in entry.model.fields.iter().enumerate() {
                if let FieldType::Many { resource, .. } = &declared.ty.value
                    && let Some(child) = self.in_context(entry.context, resource.as_str())
                {
                    owned.push((child, (ResourceId::of(at), FieldId::of(field))));
                }
            }
            for (child, owner) in owned {
                self.resources[child.index()].owner.get_or_insert(owner);
            }
        }
    }

    /// The resource of an id.
    pub(crate) fn entry(&self, id: ResourceId) -> &Entry<'m> {
        &self.resources[id.index()]
    }

    /// All resources with their ids.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (ResourceId, &Entry<'m>)> {
        self.resources.iter().enumerate().map(|(at, entry)| (ResourceId::of(at), entry))
    }

    /// Name of a context.
    pub(crate) fn context_name(&self, id: ContextId) -> &'m str {
        self.model.contexts[id.index()].name.as_str()
    }

    /// `ordering.Order`
    pub(crate) fn full_name(&self, id: ResourceId) -> String {
        let entry = self.entry(id);
        format!("{}.{}", self.context_name(entry.context), entry.name())
    }

    /// A resource of one context by its bare name.
    pub(crate) fn in_context(&self, context: ContextId, name: &str) -> Option<ResourceId> {
        self.local[context.index()].get(name).copied()
    }

    /// Names of the resources of a context.
    pub(crate) fn names_in(&self, context: ContextId) -> impl Iterator<Item = &'m str> + '_ {
        self.local[context.index()].keys().copied()
    }

    /// A resource named from inside a context: `OrderLine`, or `catalog.Product` of another one.
    pub(crate) fn resource_from(
        &self,
        context: ContextId,
        name: &Name,
        place: Place<'_>,
        found: &mut Vec<Diagnostic>,
    ) -> Option<ResourceId> {
        if let Some(at) = name.as_str().rfind('.') {
            let (other, bare) = (part(name, 0, at), part(name, at + 1, name.value.len()));
            return self.resource_of(&other, &bare, place, found);
        }
        let resource = self.in_context(context, name.as_str());
        if resource.is_none() {
            found.push(e034_unknown_resource::fault(self, Some(context), name, place));
        }
        resource
    }

    /// `context.Resource` with both parts given.
    pub(crate) fn resource_of(
        &self,
        context: &Name,
        name: &Name,
        place: Place<'_>,
        found: &mut Vec<Diagnostic>,
    ) -> Option<ResourceId> {
        let Some(&id) = self.contexts.get(context.as_str()) else {
            found.push(e033_unknown_context::fault(self, context, place));
            return None;
        };
        let resource = self.in_context(id, name.as_str());
        if resource.is_none() {
            found.push(e034_unknown_resource::fault(self, Some(id), name, place));
        }
        resource
    }

    /// A resource named outside every context: `Order` where only one is called so, else
    /// `ordering.Order`.
    pub(crate) fn resource_anywhere(
        &self,
        name: &Name,
        place: Place<'_>,
        found: &mut Vec<Diagnostic>,
    ) -> Option<ResourceId> {
        if let Some(at) = name.as_str().rfind('.') {
            let (context, bare) = (part(name, 0, at), part(name, at + 1, name.value.len()));
            return self.resource_of(&context, &bare, place, found);
        }
        match self.everywhere.get(name.as_str()).map(Vec::as_slice) {
            Some([one]) => Some(*one),
            Some([]) | None => {
                found.push(e034_unknown_resource::fault(self, None, name, place));
                None
            }
            Some(several) => {
                found.push(e042_ambiguous_resource::fault(self, name, several, place));
                None
            }
        }
    }

    /// All resources of a bare name.
    pub(crate) fn homes(&self, name: &str) -> Vec<ResourceId> {
        self.everywhere.get(name).cloned().unwrap_or_default()
    }

    /// The command that `Order.place` or `ordering.Order.place` names, where there is one.
    pub(crate) fn command_quietly(&self, name: &str) -> Option<(ResourceId, CommandId)> {
        let (resource, command) = name.rsplit_once('.')?;
        let id = self.resource_quietly(resource)?;
        self.entry(id).commands.get(command).map(|command| (id, *command))
    }

    /// The resource that `Order` or `ordering.Order` names, where there is one.
    pub(crate) fn resource_quietly(&self, name: &str) -> Option<ResourceId> {
        match name.rsplit_once('.') {
            Some((context, bare)) => self.in_context(*self.contexts.get(context)?, bare),
            None => match self.everywhere.get(name).map(Vec::as_slice) {
                Some([one]) => Some(*one),
                _ => None,
            },
        }
    }

    /// Names of all resources.
    pub(crate) fn resource_names(&self) -> impl Iterator<Item = &'m str> + '_ {
        self.everywhere.keys().copied()
    }

    /// What a field is to an expression.
    pub(crate) fn meaning(&self, resource: ResourceId, field: FieldId) -> Meaning {
        let entry = self.entry(resource);
        let declared = &entry.model.fields[field.index()];
        match &entry.kinds[field.index()] {
            None => Meaning::Faulty,
            Some(Kind::Children { target, .. }) => Meaning::Children(*target),
            Some(kind) => Meaning::Value(value_type(&declared.ty.value, kind)),
        }
    }

    /// The type of a field or implicit field; none for children and for faulty ones.
    pub(crate) fn type_of(&self, resource: ResourceId, field: FieldRef) -> Option<Type> {
        match field {
            FieldRef::Field(field) => match self.meaning(resource, field) {
                Meaning::Value(ty) => Some(ty),
                Meaning::Children(_) | Meaning::Faulty => None,
            },
            FieldRef::Implicit(Implicit::Id) => Some(Type::Reference(resource)),
            FieldRef::Implicit(Implicit::CreatedAt | Implicit::UpdatedAt) => Some(Type::Timestamp),
        }
    }
}

impl<'m> Entry<'m> {
    fn of(context: ContextId, model: &'m model::Resource) -> Self {
        let fields = first(model.fields.iter().map(|field| &field.name), FieldId::of);
        let transitions = model.commands.iter().flat_map(|command| &command.transitions);
        let states = transitions
            .filter_map(|transition| fields.get(transition.field.as_str()).copied())
            .filter(|id| matches!(model.fields[id.index()].ty.value, FieldType::Enum(_)))
            .collect();
        Self {
            context,
            model,
            commands: first(model.commands.iter().map(|command| &command.name), CommandId::of),
            rules: first(model.rules.iter().map(|(name, _)| name), |at| at),
            owner: None,
            kinds: vec![None; model.fields.len()],
            fields,
            states,
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &'m str {
        self.model.name.as_str()
    }

    /// A declared or implicit field.
    pub(crate) fn field(&self, name: &str) -> Option<FieldRef> {
        let declared = self.fields.get(name).copied().map(FieldRef::Field);
        declared.or_else(|| implicit(name).map(FieldRef::Implicit))
    }

    /// The declaration of a field.
    pub(crate) fn declared(&self, id: FieldId) -> &'m Field {
        &self.model.fields[id.index()]
    }
}

/// The first of each name, by its index made an id.
fn first<'m, I>(
    names: impl Iterator<Item = &'m Name>,
    id: impl Fn(usize) -> I,
) -> BTreeMap<&'m str, I> {
    let mut map = BTreeMap::new();
    for (at, name) in names.enumerate() {
        map.entry(name.as_str()).or_insert_with(|| id(at));
    }
    map
}

/// A part of a dotted name with its own place, where the text stands in the file as it is.
pub(crate) fn part(name: &Name, start: usize, end: usize) -> Name {
    let mut span = name.span;
    if (span.end - span.start) as usize == name.value.len() {
        let whole = span;
        span = Span::new(whole.file, whole.start as usize + start, whole.start as usize + end);
    }
    Name::new(name.value[start..end].to_owned(), span)
}

/// The implicit field of a name.
pub(crate) fn implicit(name: &str) -> Option<Implicit> {
    match name {
        "id" => Some(Implicit::Id),
        "created_at" => Some(Implicit::CreatedAt),
        "updated_at" => Some(Implicit::UpdatedAt),
        _ => None,
    }
}

/// The type of a value that is declared so.
pub(crate) fn value_type(declared: &FieldType, kind: &Kind) -> Type {
    match (declared, kind) {
        (_, Kind::Enum(values)) => Type::Enum { values: values.clone() },
        (_, Kind::Reference { target, .. }) => Type::Reference(*target),
        (_, Kind::Actor(actor)) => Type::Actor(*actor),
        (FieldType::Int | FieldType::Counter, _) => Type::Int,
        (FieldType::Decimal { precision, scale }, _) => {
            Type::Decimal { precision: *precision, scale: *scale }
        }
        (FieldType::Bool, _) => Type::Bool,
        (FieldType::Money { currency }, _) => Type::Money { currency: currency.clone() },
        (FieldType::Date, _) => Type::Date,
        (FieldType::Time, _) => Type::Time,
        (FieldType::Timestamp, _) => Type::Timestamp,
        (FieldType::Duration, _) => Type::Duration,
        (FieldType::Timespan, _) => Type::Timespan,
        (FieldType::Uuid, _) => Type::Uuid,
        (FieldType::Json, _) => Type::Json,
        (FieldType::List(item), _) => Type::List(Box::new(value_type(item, &scalar_kind(item)))),
        (FieldType::String | FieldType::Text | FieldType::Url | FieldType::Email, _) => Type::Text,
        (
            FieldType::Enum(_)
            | FieldType::Reference { .. }
            | FieldType::Actor(_)
            | FieldType::Many { .. },
            _,
        ) => Type::Text,
    }
}

/// The kind of a list's item: a scalar or an enum, which need no names.
fn scalar_kind(declared: &FieldType) -> Kind {
    if let FieldType::Enum(values) = declared {
        return Kind::Enum(values.iter().map(|value| value.value.clone()).collect());
    }
    Kind::Scalar
}
