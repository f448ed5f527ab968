//! The valid model with every name resolved and every expression typed: what the running backend,
//! the contracts and the rules of the design look at. `design::lower` makes it.
//!
//! Ids are indices into the lists of [`Domain`]; `FieldId` and `CommandId` are indices within
//! their resource. They are stable for one architecture only.

mod doings;
mod integrations;

pub use doings::{
    CatchUp, Effect, Event, EventMember, Fold, Inbound, Job, OlderVersion, Overlap, Priority,
    Reaction, Receiver, Schedule, Target, Times, View, Window, Windows, of_wire_type, wire_type,
};
pub use integrations::{
    Integration, Lookup, Parameter, RemoteCall, RemoteId, RemoteOperation, Repeatable, Returned,
};

use crate::expr::Expr;
use crate::model::{At, FieldType, Isolation, OnDelete, Proof};
use crate::value::Value;
use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),*) => {$(
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u16);

        impl $name {
            /// As an index.
            pub fn index(self) -> usize {
                usize::from(self.0)
            }

            /// From an index; a model holds far fewer than 65,536 of anything.
            pub fn of(index: usize) -> Self {
                Self(u16::try_from(index).expect("a model holds fewer than 65,536 elements"))
            }
        }
    )*};
}
ids!(
    /// Index in [`Domain::contexts`].
    ContextId,
    /// Index in [`Domain::resources`].
    ResourceId,
    /// Index in [`Resource::fields`].
    FieldId,
    /// Index in [`Resource::commands`].
    CommandId,
    /// Index in [`Domain::actors`].
    ActorId,
    /// Index in [`Domain::events`].
    EventId
);

/// The resolved model.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Domain {
    /// Name of the system.
    pub system: String,
    /// Title for people; the name where none is given.
    pub title: String,
    /// What it is for.
    pub summary: String,
    /// Tenancy, where there is any.
    pub tenancy: Option<Tenancy>,
    /// Actors in order.
    pub actors: Vec<Actor>,
    /// Contexts in order.
    pub contexts: Vec<Context>,
    /// Resources of all contexts in order, owned children among them.
    pub resources: Vec<Resource>,
    /// Events by name, those of plain writes and those that come from outside among them.
    pub events: Vec<Event>,
    /// Webhooks of systems outside that are received, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub receivers: Vec<Receiver>,
    /// Systems outside, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub integrations: Vec<Integration>,
    /// Reactions by context, in order.
    pub reactions: Vec<Reaction>,
    /// Views of all contexts in order.
    pub views: Vec<View>,
    /// Schedules in order.
    pub schedules: Vec<Schedule>,
    /// Jobs in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<Job>,
}

/// How tenants are kept apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tenancy {
    /// What the model asks for; the design decides what the substrate answers with.
    pub isolation: Isolation,
    /// Claim, and name of the column.
    pub claim: String,
    /// What stands before and after `{claim}` in the host pattern.
    pub host: Option<(String, String)>,
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Actor {
    /// Name.
    pub name: String,
    /// How it proves who it is.
    pub proof: Proof,
    /// Its roles; a [`Caller`] names one by index.
    pub roles: Vec<String>,
    /// Requests a second one of them may make.
    pub limit: Option<f64>,
    /// May act in every tenant.
    pub across_tenants: bool,
    /// Our claim and the provider's name for it.
    pub claims: Vec<(String, String)>,
    /// Issuer of its own.
    pub issuer: Option<String>,
}

/// A bounded context.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Context {
    /// Name.
    pub name: String,
    /// What it is about.
    pub about: String,
}

/// An aggregate root or an owned child.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Resource {
    /// Name in UpperCamelCase.
    pub name: String,
    /// What it is.
    pub about: String,
    /// Its context.
    pub context: ContextId,
    /// Path segment under `/v1/` (`order-lines`); children have one too but no route.
    pub path: String,
    /// The root that owns it and the field there, for a child.
    pub owner: Option<(ResourceId, FieldId)>,
    /// No tenant's: shared by the whole system (always where there is no tenancy).
    pub shared: bool,
    /// Fields in order.
    pub fields: Vec<Field>,
    /// Uniques, those of single fields first.
    pub uniques: Vec<Unique>,
    /// Spans that never overlap: fields that must be equal and the timespan.
    pub overlaps: Vec<(Vec<FieldId>, FieldId)>,
    /// Commands in order.
    pub commands: Vec<Command>,
    /// Who may do what; a child has its root's.
    pub access: Access,
    /// Public or unversioned paths.
    pub routes: Vec<Route>,
    /// Events published on plain writes.
    pub emits: Vec<(Change, String)>,
    /// Refused without an `Idempotency-Key` (400).
    pub idempotency_required: bool,
    /// Refused without `If-Match` (428).
    pub if_match_required: bool,
    /// Answers about it are reused; none: never.
    pub cache: Option<Cache>,
}

/// How answers about a resource are reused.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cache {
    /// Seconds at most.
    pub seconds: f64,
    /// Fields whose values are read anew each time, in the order of their ids.
    pub except: Vec<FieldId>,
}

/// A plain write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// POST on the collection.
    Created,
    /// PATCH or PUT.
    Updated,
    /// DELETE.
    Deleted,
}

/// A field of a resource, or an input of a command.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Field {
    /// Name, as on the wire.
    pub name: String,
    /// What it is.
    pub about: String,
    /// Declared type; enum values and references are in [`Field::kind`].
    pub declared: FieldType,
    /// Resolved type.
    pub kind: Kind,
    /// Where its value comes from.
    pub source: Source,
    /// May be null.
    pub optional: bool,
    /// Least value, or least length in characters.
    pub min: Option<Value>,
    /// Greatest value, or greatest length in characters.
    pub max: Option<Value>,
    /// Pattern for the whole text.
    pub pattern: Option<String>,
    /// Found by `q`.
    pub search: bool,
    /// About a person.
    pub personal: bool,
    /// Never read back.
    pub secret: bool,
    /// Changed by transitions alone.
    pub state: bool,
    /// May be used in filters and `sort` (not for json, lists, children, secrets).
    pub filterable: bool,
    /// Who may read it, beyond the resource's rule; none: whoever may read the row.
    pub read: Option<Vec<Grant>>,
    /// Who may write it, beyond the resource's rule.
    pub write: Option<Vec<Grant>>,
}

/// The resolved type of a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A scalar as declared (also lists, counters, json, timespan, money).
    Scalar,
    /// One of these, in order; the first is where a state begins.
    Enum(Vec<String>),
    /// A row of a resource; `crosses` to another context, where there is no foreign key.
    Reference {
        /// The resource.
        target: ResourceId,
        /// In another context.
        crosses: bool,
        /// What a deletion of the target does; `Restrict` inside a context by default.
        on_delete: OnDelete,
    },
    /// The subject of a caller of that actor.
    Actor(ActorId),
    /// Owned children.
    Children {
        /// Their resource.
        target: ResourceId,
        /// At least.
        min: u32,
        /// At most.
        max: u32,
    },
}

/// Where the value of a field comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The client gives it.
    Client,
    /// The client may give it, else this (reads no field).
    Default(Expr),
    /// Set again from this in the transaction of each write; read-only.
    Computed(Expr),
    /// Evaluated at that moment through a reference; read-only. `At::Write`: once, kept while the
    /// reference stays the same.
    Copied(At, Expr),
    /// A state: begins at its first value, changed by transitions.
    State,
    /// Filled from the caller where the caller is that actor, else given by the client.
    Caller,
    /// Counted by a route; read-only, begins at 0.
    Counted,
}

impl Source {
    /// True where a body may hold the field at all.
    pub fn writable(&self) -> bool {
        matches!(self, Self::Client | Self::Default(_) | Self::Caller)
    }
}

/// A unique constraint.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unique {
    /// The fields.
    pub fields: Vec<FieldId>,
    /// Only rows for which this holds.
    pub when: Option<Expr>,
}

/// A named, atomic change of one aggregate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Command {
    /// Name; its path segment is the kebab-case of it.
    pub name: String,
    /// What it does.
    pub about: String,
    /// What the caller gives.
    pub input: Vec<Field>,
    /// Values looked up before the guard.
    pub get: Vec<(String, Expr)>,
    /// Guards with their text.
    pub require: Vec<(String, Expr)>,
    /// Transitions.
    pub transitions: Vec<Transition>,
    /// Effects.
    pub set: Vec<(FieldId, Expr)>,
    /// Who may call it.
    pub by: Vec<Grant>,
    /// Events published.
    pub emits: Vec<String>,
    /// Workflows that must not be running on the row.
    pub not_during: Vec<String>,
    /// Workflow that it starts.
    pub starts: Option<String>,
    /// Only `system` may call it: left out of public contracts, 404 to others.
    pub internal: bool,
}

/// A change of a state field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Transition {
    /// The state.
    pub field: FieldId,
    /// From one of these.
    pub from: Vec<String>,
    /// To this.
    pub to: String,
}

/// Who a rule speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Caller {
    /// With or without token.
    Anyone,
    /// Mainstay's own service identity.
    System,
    /// Any of that actor, or only with the role of that index.
    Actor(ActorId, Option<u16>),
}

/// The rule that no model writes: `system` does the work of workflows and reactions and reads what
/// it needs for it, every row of the tenant it works for. It changes only what lists it.
pub const SYSTEM_READS: &str = "system reads every row";

/// A permission: that caller, when the condition holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Grant {
    /// As written; a denial and an explanation name it.
    pub text: String,
    /// Who.
    pub caller: Caller,
    /// When; none: always.
    pub when: Option<Expr>,
}

/// Who may do what; an empty list allows nobody.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Access {
    /// Read.
    pub read: Vec<Grant>,
    /// Create.
    pub create: Vec<Grant>,
    /// Update; must hold before and after.
    pub update: Vec<Grant>,
    /// Delete.
    pub delete: Vec<Grant>,
}

/// A public or unversioned path.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Route {
    /// Path as written, with one `{name}` segment.
    pub path: String,
    /// The unique field that is looked up by.
    pub by: FieldId,
    /// Field of type `url` to redirect to; else the row is shown.
    pub redirect: Option<FieldId>,
    /// Counter that is raised.
    pub count: Option<FieldId>,
    /// Further condition.
    pub when: Option<Expr>,
}

impl Domain {
    /// The resource of an id, also of the rows of a view.
    pub fn resource(&self, id: ResourceId) -> &Resource {
        let at = id.index();
        self.resources.get(at).unwrap_or_else(|| &self.views[at - self.resources.len()].rows)
    }

    /// The id of the rows of a view, by its index: behind all resources. What goes through
    /// [`Domain::resources`] does not meet it.
    pub fn view_rows(&self, view: usize) -> ResourceId {
        ResourceId::of(self.resources.len() + view)
    }

    /// The view whose rows have that id.
    pub fn view_of(&self, rows: ResourceId) -> Option<&View> {
        self.views.get(rows.index().checked_sub(self.resources.len())?)
    }

    /// An operation of a system outside.
    pub fn remote(&self, id: RemoteId) -> &RemoteOperation {
        &self.integrations[id.integration].operations[id.operation]
    }

    /// As the model calls it: `payments.charge`.
    pub fn remote_name(&self, id: RemoteId) -> String {
        format!("{}.{}", self.integrations[id.integration].name, self.remote(id).name)
    }

    /// What a job calls, as the model names it: `Order.bill`, `payments.charge`.
    pub fn target_name(&self, job: &Job) -> String {
        match &job.target {
            Target::Command { command, .. } => {
                let resource = self.resource(job.resource);
                format!("{}.{}", resource.name, resource.commands[command.index()].name)
            }
            Target::Operation(call) => self.remote_name(call.of),
        }
    }

    /// The event of an id.
    pub fn event(&self, id: EventId) -> &Event {
        &self.events[id.index()]
    }

    /// The event of a name.
    pub fn event_named(&self, name: &str) -> Option<(EventId, &Event)> {
        let at = self.events.iter().position(|event| event.name == name)?;
        Some((EventId::of(at), &self.events[at]))
    }

    /// The context that keeps an event that comes from outside.
    pub fn kept_in(&self, inbound: &Inbound) -> ContextId {
        self.receivers[inbound.receiver].context
    }

    /// What events of a receiver are said to be about, as others are about a resource:
    /// `ordering.payments`. No resource is called so, for theirs begin with a capital.
    pub fn sender_name(&self, receiver: &Receiver) -> String {
        format!("{}.{}", self.contexts[receiver.context.index()].name, receiver.name)
    }

    /// The actor of an id.
    pub fn actor(&self, id: ActorId) -> &Actor {
        &self.actors[id.index()]
    }

    /// All resources with their ids.
    pub fn resources(&self) -> impl Iterator<Item = (ResourceId, &Resource)> {
        self.resources.iter().enumerate().map(|(at, resource)| (ResourceId::of(at), resource))
    }

    /// What has a table: all resources and, behind them, the rows of views.
    pub fn stored(&self) -> impl Iterator<Item = (ResourceId, &Resource)> {
        let rows = self.views.iter().enumerate();
        self.resources().chain(rows.map(|(at, view)| (self.view_rows(at), &view.rows)))
    }

    /// The roots: what has routes of its own.
    pub fn roots(&self) -> impl Iterator<Item = (ResourceId, &Resource)> {
        self.resources().filter(|(_, resource)| resource.owner.is_none())
    }

    /// `catalog.Product`
    pub fn full_name(&self, id: ResourceId) -> String {
        let resource = self.resource(id);
        format!("{}.{}", self.contexts[resource.context.index()].name, resource.name)
    }
}

impl Resource {
    /// The field of an id.
    pub fn field(&self, id: FieldId) -> &Field {
        &self.fields[id.index()]
    }

    /// The field of a name.
    pub fn field_named(&self, name: &str) -> Option<(FieldId, &Field)> {
        self.fields().find(|(_, field)| field.name == name)
    }

    /// All fields with their ids.
    pub fn fields(&self) -> impl Iterator<Item = (FieldId, &Field)> {
        self.fields.iter().enumerate().map(|(at, field)| (FieldId::of(at), field))
    }

    /// The fields that hold owned children, with the resource of the children.
    pub fn children(&self) -> impl Iterator<Item = (FieldId, ResourceId)> {
        self.fields().filter_map(|(id, field)| match field.kind {
            Kind::Children { target, .. } => Some((id, target)),
            Kind::Scalar | Kind::Enum(_) | Kind::Reference { .. } | Kind::Actor(_) => None,
        })
    }

    /// The states of a field that its commands lead to from one of them, each once.
    pub fn reachable(&self, field: FieldId, from: &str) -> Vec<&str> {
        let mut states: Vec<&str> = Vec::new();
        for move_ in self.commands.iter().flat_map(|command| &command.transitions) {
            let leads = move_.field == field && move_.from.iter().any(|state| state == from);
            if leads && !states.contains(&move_.to.as_str()) {
                states.push(&move_.to);
            }
        }
        states
    }
}
