//! What happens beside plain rows, resolved and typed: events, what follows from them, views made
//! of them, recurring work.

use super::{ActorId, CommandId, ContextId, EventId, FieldId, Resource, ResourceId};
use crate::expr::{Aggregate, Expr, FieldRef, Type};
use crate::value::Value;
use serde::Serialize;

/// A published event, declared or of a plain write.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// `order.placed`
    pub name: String,
    /// The resources whose commands or plain writes emit it, each once and in order; the data is
    /// that of a row of the first, and members are the same on the others.
    pub emitters: Vec<ResourceId>,
    /// What it carries, in order; never a secret.
    pub data: Vec<EventMember>,
    /// Actors that may register a webhook for it.
    pub webhook: Vec<ActorId>,
    /// It stands under `events`; else it is that of a plain write (`emit: [created]`).
    pub declared: bool,
}

impl Event {
    /// Its type on the wire: the name with the version of its schema, `order.placed.v1`.
    pub fn wire_type(&self) -> String {
        wire_type(&self.name)
    }
}

/// The type on the wire of the event of a name.
pub fn wire_type(name: &str) -> String {
    format!("{name}.v1")
}

/// A member of the data of an event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventMember {
    /// Name, as on the wire.
    pub name: String,
    /// The field of the first emitter.
    pub field: FieldRef,
    /// Its type; `Json` for owned children, which are whole rows in an array.
    pub ty: Type,
    /// May be null.
    pub optional: bool,
    /// What an event is read with that is older than the member; none: null.
    pub default: Option<Value>,
}

/// What a context does when an event happens.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reaction {
    /// The context that reacts; its name is that of the consumer.
    pub context: ContextId,
    /// The event.
    pub event: EventId,
    /// Only when this holds.
    pub when: Option<Expr>,
    /// What is done. Expressions are in the scope of the event.
    pub effect: Effect,
}

/// What a reaction does, as `system`, in the tenant of the event.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Makes a row; fields that are not named have their defaults.
    Create {
        /// Of which root.
        resource: ResourceId,
        /// Values given.
        values: Vec<(FieldId, Expr)>,
    },
    /// Changes a row.
    Update {
        /// Of which root.
        resource: ResourceId,
        /// Which row.
        id: Expr,
        /// Values given.
        values: Vec<(FieldId, Expr)>,
    },
    /// Calls a command.
    Command {
        /// Of which root.
        resource: ResourceId,
        /// Which.
        command: CommandId,
        /// Which row; that of the event where none is named.
        id: Option<Expr>,
        /// Inputs given, by their index.
        inputs: Vec<(usize, Expr)>,
    },
    /// Calls a system outside.
    Operation {
        /// Name of the integration.
        integration: String,
        /// Name of the operation.
        operation: String,
        /// Members given.
        with: Vec<(String, Expr)>,
    },
}

/// A read model: rows made of events.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct View {
    /// Its rows as a resource that nobody writes: fields of the key first, then of the values, then
    /// those that only folding needs (never shown). Its id is that of [`super::Domain::view_rows`].
    pub rows: Resource,
    /// Events it is made from.
    pub from: Vec<EventId>,
    /// Fields of the key, in the scope of the event.
    pub key: Vec<(FieldId, Expr)>,
    /// Folds, each with the field that keeps it.
    pub folds: Vec<Fold>,
    /// Values that are worked out from folds: expressions whose [`crate::expr::ExprKind::Field`]
    /// are fields of this view. A value that is one fold is kept by it and not named here.
    pub values: Vec<(FieldId, Expr)>,
    /// Seconds it may lag; infinite where the model bounds it not.
    pub fresh_seconds: f64,
}

/// A running fold of a view.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fold {
    /// The field that keeps it.
    pub field: FieldId,
    /// How; never [`Aggregate::Avg`], which is a sum and a count.
    pub aggregate: Aggregate,
    /// Of what, in the scope of the event; none for a count of events. Null counts for nothing.
    pub of: Option<Expr>,
}

/// Recurring work on rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Schedule {
    /// Name.
    pub name: String,
    /// When.
    pub times: Times,
    /// The root whose rows are taken.
    pub resource: ResourceId,
    /// Which rows; none: all of them.
    pub condition: Option<Expr>,
    /// References to follow from the row to the one that the command is of; empty for its own.
    pub path: Vec<FieldId>,
    /// The resource that the command is of.
    pub of: ResourceId,
    /// Which row of it, in the scope of the row that is taken; none where `path` leads there.
    pub id: Option<Expr>,
    /// The command.
    pub command: CommandId,
    /// Inputs given, by their index, in the scope of the row.
    pub inputs: Vec<(usize, Expr)>,
}

/// When a schedule is due.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Times {
    /// Every so many seconds, counted from 1970.
    Every(f64),
    /// A cron expression of five fields, UTC.
    Cron(String),
}
