//! What is worked out once for a resource.

use super::needs::{self, Needs, Path, Step};
use crate::json::scalar::Shape;
use crate::json::write;
use ir::contract::Contract;
use ir::domain::{
    Change, Command, Domain, Field, FieldId, Kind, Resource, ResourceId, Route, Source,
};
use ir::expr::Implicit;
use ir::model::At;
use ir::value::Value;

/// A resource made ready to serve.
#[derive(Debug)]
pub(crate) struct ResourcePlan {
    /// `/v1/orders`
    pub(crate) base: String,
    /// Compiled fields, by [`FieldId`].
    pub(crate) fields: Vec<FieldPlan>,
    /// Field names, sorted, for bodies.
    names: Vec<(Box<str>, FieldId)>,
    /// Members of a representation in order.
    pub(crate) members: Vec<Member>,
    /// Children fields with their bounds.
    pub(crate) children: Vec<ChildPlan>,
    /// The same as the store wants them.
    pub(crate) child_fields: Vec<FieldId>,
    /// Computed fields in order, the children's among them.
    pub(crate) steps: Vec<Step>,
    /// What computed fields read of other rows.
    pub(crate) steps_need: Needs,
    /// Fields copied when the row is written.
    pub(crate) copied: Vec<Copied>,
    /// Fields asked for when the row is read.
    pub(crate) asked: Vec<Copied>,
    /// References to other rows.
    pub(crate) references: Vec<Reference>,
    /// What the rules read of other rows.
    pub(crate) rules: Rules,
    /// Events of plain writes.
    pub(crate) emits: Vec<(Change, EventPlan)>,
    /// By [`ir::domain::CommandId`].
    pub(crate) commands: Vec<CommandPlan>,
    /// What conditions of routes read of other rows.
    pub(crate) routes_need: Needs,
    /// Values that a public path could not lead to.
    pub(crate) taken: Vec<Taken>,
}

/// A field that refers to another row.
#[derive(Debug)]
pub(crate) struct Reference {
    /// The field.
    pub(crate) field: FieldId,
    /// Of which resource the row is.
    pub(crate) target: ResourceId,
    /// In another context, where there is no foreign key.
    pub(crate) crosses: bool,
}

/// Values of a field that a public path could not lead to, for the server answers there itself.
#[derive(Debug)]
pub(crate) struct Taken {
    /// The field.
    pub(crate) field: FieldId,
    /// What stands before the value in the path.
    pub(crate) prefix: Box<str>,
    /// The values, sorted.
    pub(crate) values: Vec<Box<str>>,
}

/// What the rules of a resource read of other rows.
#[derive(Debug)]
pub(crate) struct Rules {
    /// `read`
    pub(crate) read: Needs,
    /// Read rules of fields.
    pub(crate) shown: Needs,
    /// `create`
    pub(crate) create: Needs,
    /// `update`
    pub(crate) update: Needs,
    /// `delete`
    pub(crate) delete: Needs,
    /// Write rules of fields.
    pub(crate) fields: Needs,
}

/// A field made ready.
#[derive(Debug)]
pub(crate) struct FieldPlan {
    /// Compiled type.
    pub(crate) shape: Shape,
    /// May be null.
    pub(crate) optional: bool,
}

/// Owned children of a root.
#[derive(Debug)]
pub(crate) struct ChildPlan {
    /// The field.
    pub(crate) field: FieldId,
    /// Their resource.
    pub(crate) target: ResourceId,
    /// At least.
    pub(crate) min: usize,
    /// At most.
    pub(crate) max: usize,
}

/// A field copied through references.
#[derive(Debug)]
pub(crate) struct Copied {
    /// The field.
    pub(crate) field: FieldId,
    /// References of the row that it is copied through: it is kept while they stay the same.
    pub(crate) through: Vec<FieldId>,
    /// What must be followed.
    pub(crate) paths: Vec<Path>,
}

/// A member of a representation.
#[derive(Debug)]
pub(crate) struct Member {
    /// `"name":`
    pub(crate) key: Box<[u8]>,
    /// Its name.
    pub(crate) name: Box<str>,
    /// Where its value comes from.
    pub(crate) part: Part,
    /// Some callers may not read it.
    pub(crate) guarded: bool,
}

/// Where the value of a member comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Every row has it.
    Implicit(Implicit),
    /// A field.
    Field(FieldId),
    /// Owned children.
    Children(FieldId, ResourceId),
}

/// An event as it is published.
#[derive(Debug)]
pub(crate) struct EventPlan {
    /// `order.placed`
    pub(crate) name: String,
    /// The version of its data.
    pub(crate) version: u32,
    /// Members of its data.
    pub(crate) members: Vec<Member>,
}

/// A command made ready.
#[derive(Debug)]
pub(crate) struct CommandPlan {
    /// Compiled inputs.
    pub(crate) input: Vec<FieldPlan>,
    /// What `by` reads of other rows.
    pub(crate) by: Needs,
    /// What `get` reads of other rows.
    pub(crate) get: Needs,
    /// What guards and effects read of other rows.
    pub(crate) rest: Needs,
    /// Events published.
    pub(crate) emits: Vec<EventPlan>,
}

impl ResourcePlan {
    /// Works it out.
    pub(crate) fn of(domain: &Domain, contract: &Contract, id: ResourceId) -> Self {
        let resource = domain.resource(id);
        let mut names: Vec<_> =
            resource.fields().map(|(id, field)| (field.name.as_str().into(), id)).collect();
        names.sort();
        let members = members(resource);
        // The rows of a view are folded from events, never made anew of themselves.
        let made = resource.owner.is_none() && domain.view_of(id).is_none();
        let steps = if made { needs::steps(domain, resource) } else { Vec::new() };
        let event = |name: &String| EventPlan::of(domain, resource, name);
        let references = resource.fields().filter_map(|(field, of)| match of.kind {
            Kind::Reference { target, crosses, .. } => Some(Reference { field, target, crosses }),
            Kind::Scalar | Kind::Enum(_) | Kind::Actor(_) | Kind::Children { .. } => None,
        });
        Self {
            base: format!("/v1/{}", resource.path),
            fields: resource.fields.iter().map(FieldPlan::of).collect(),
            names,
            members,
            children: children(resource),
            child_fields: resource.children().map(|(field, _)| field).collect(),
            steps_need: steps_need(resource),
            steps,
            copied: copied(resource, |at| matches!(at, At::Write | At::Kept)),
            asked: copied(resource, |at| matches!(at, At::Read | At::Kept)),
            references: references.collect(),
            rules: Rules::of(resource),
            emits: resource.emits.iter().map(|(change, name)| (*change, event(name))).collect(),
            commands: resource
                .commands
                .iter()
                .map(|command| CommandPlan::of(domain, resource, command))
                .collect(),
            routes_need: Needs::of(resource.routes.iter().filter_map(|route| route.when.as_ref())),
            taken: resource.routes.iter().map(|route| Taken::of(contract, route)).collect(),
        }
    }

    /// The field of a name.
    pub(crate) fn named(&self, name: &str) -> Option<FieldId> {
        let at = self.names.binary_search_by(|(other, _)| (**other).cmp(name)).ok()?;
        Some(self.names[at].1)
    }

    /// The compiled field.
    pub(crate) fn field(&self, id: FieldId) -> &FieldPlan {
        &self.fields[id.index()]
    }
}

impl Rules {
    fn of(resource: &Resource) -> Self {
        let access = &resource.access;
        let conditions = |grants: &'_ [ir::domain::Grant]| Needs::of_grants(grants);
        let readable = resource.fields.iter().filter_map(|field| field.read.as_ref()).flatten();
        let writable = resource.fields.iter().filter_map(|field| field.write.as_ref()).flatten();
        Self {
            read: conditions(&access.read),
            shown: Needs::of(readable.filter_map(|grant| grant.when.as_ref())),
            create: conditions(&access.create),
            update: conditions(&access.update),
            delete: conditions(&access.delete),
            fields: Needs::of(writable.filter_map(|grant| grant.when.as_ref())),
        }
    }
}

impl Taken {
    fn of(contract: &Contract, route: &Route) -> Self {
        let values = contract.taken_segments(&route.path);
        Self {
            field: route.by,
            prefix: route.path.split('{').next().unwrap_or_default().into(),
            values: values.into_iter().map(Into::into).collect(),
        }
    }

    /// The path that the server answers itself, where a value leads to one.
    pub(crate) fn path(&self, value: &Value) -> Option<String> {
        let text = value.as_text()?;
        let taken = self.values.binary_search_by(|other| (**other).cmp(text)).is_ok();
        taken.then(|| format!("{}{text}", self.prefix))
    }
}

impl FieldPlan {
    /// Of a field, or of an input.
    pub(crate) fn of(field: &Field) -> Self {
        Self { shape: Shape::of(field), optional: field.optional }
    }
}

impl Member {
    fn new(name: &str, part: Part, guarded: bool) -> Self {
        Self { key: write::key(name), name: name.into(), part, guarded }
    }
}

impl EventPlan {
    fn of(domain: &Domain, resource: &Resource, name: &str) -> Self {
        let event = domain.event_named(name).map(|(_, event)| event);
        let data = event.map(|event| event.data.as_slice()).unwrap_or_default();
        // The data is named after the first emitter; a secret of another one stays in the store
        // too.
        let secret = |name: &str| resource.field_named(name).is_some_and(|(_, field)| field.secret);
        let shown = data.iter().map(|member| member.name.as_str()).filter(|name| !secret(name));
        let mut members: Vec<Member> = shown.filter_map(|name| member(resource, name)).collect();
        if members.is_empty() {
            members.extend(member(resource, "id"));
        }
        let version = event.map_or(1, |event| event.version);
        Self { name: name.to_owned(), version, members }
    }
}

impl CommandPlan {
    fn of(domain: &Domain, resource: &Resource, command: &Command) -> Self {
        let guards = command.require.iter().map(|(_, expr)| expr);
        let effects = command.set.iter().map(|(_, expr)| expr);
        Self {
            input: command.input.iter().map(FieldPlan::of).collect(),
            by: Needs::of_grants(&command.by),
            get: Needs::of(command.get.iter().map(|(_, expr)| expr)),
            rest: Needs::of(guards.chain(effects)),
            emits: command.emits.iter().map(|name| EventPlan::of(domain, resource, name)).collect(),
        }
    }
}

/// `id`, the fields in their order without secrets, the times of a root.
fn members(resource: &Resource) -> Vec<Member> {
    let mut members: Vec<Member> = member(resource, "id").into_iter().collect();
    let shown = resource.fields.iter().filter(|field| !field.secret);
    members.extend(shown.filter_map(|field| member(resource, &field.name)));
    if resource.owner.is_none() {
        members.extend(member(resource, "created_at"));
        members.extend(member(resource, "updated_at"));
    }
    members
}

fn member(resource: &Resource, name: &str) -> Option<Member> {
    let implicit = |implicit| Some(Member::new(name, Part::Implicit(implicit), false));
    match name {
        "id" => return implicit(Implicit::Id),
        "created_at" => return implicit(Implicit::CreatedAt),
        "updated_at" => return implicit(Implicit::UpdatedAt),
        _ => {}
    }
    let (id, field) = resource.field_named(name)?;
    let part = match field.kind {
        Kind::Children { target, .. } => Part::Children(id, target),
        Kind::Scalar | Kind::Enum(_) | Kind::Reference { .. } | Kind::Actor(_) => Part::Field(id),
    };
    Some(Member::new(name, part, field.read.is_some()))
}

fn children(resource: &Resource) -> Vec<ChildPlan> {
    let child = |(field, of): (FieldId, &Field)| match of.kind {
        Kind::Children { target, min, max } => {
            let bound = |bound: u32| usize::try_from(bound).unwrap_or(usize::MAX);
            Some(ChildPlan { field, target, min: bound(min), max: bound(max) })
        }
        Kind::Scalar | Kind::Enum(_) | Kind::Reference { .. } | Kind::Actor(_) => None,
    };
    resource.fields().filter_map(child).collect()
}

fn steps_need(resource: &Resource) -> Needs {
    Needs::of(resource.fields.iter().filter_map(|field| match &field.source {
        Source::Computed(expr) => Some(expr),
        Source::Client | Source::Default(_) | Source::Copied(..) => None,
        Source::State | Source::Caller | Source::Counted => None,
    }))
}

fn copied(resource: &Resource, when: impl Fn(At) -> bool) -> Vec<Copied> {
    let copied = |(field, of): (FieldId, &Field)| match &of.source {
        Source::Copied(at, expr) if when(*at) => {
            let paths = Needs::of([expr]).own;
            let mut through: Vec<FieldId> =
                paths.iter().filter_map(|path| path.first().copied()).collect();
            through.sort();
            through.dedup();
            Some(Copied { field, through, paths })
        }
        Source::Copied(..) | Source::Client | Source::Default(_) | Source::Computed(_) => None,
        Source::State | Source::Caller | Source::Counted => None,
    };
    resource.fields().filter_map(copied).collect()
}
