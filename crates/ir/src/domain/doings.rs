//! What happens beside plain rows, resolved and typed: events, what follows from them, views made
//! of them, recurring work, work that is asked for.

use super::{
    ActorId, CommandId, ContextId, EventId, Field, FieldId, Grant, RemoteCall, Resource, ResourceId,
};
use crate::expr::{Aggregate, Expr, FieldRef, Type};
use crate::model::Scheme;
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
    /// It stands under `events`; else it is that of a plain write (`emit: [created]`), or comes
    /// from outside.
    pub declared: bool,
    /// A system outside tells of it: it has no emitters then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inbound: Option<Inbound>,
    /// Version of its data.
    #[serde(skip_serializing_if = "is_first")]
    pub version: u32,
    /// The versions before it, from 1 on without a gap.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub older: Vec<OlderVersion>,
}

fn is_first(version: &u32) -> bool {
    *version == 1
}

/// A version of an event that is told no more: what logs still hold of it is read as the next.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OlderVersion {
    /// What it carried, in order; a default is a constant, for what lacks the member.
    pub data: Vec<Field>,
    /// By the members of the next version, in their order: what each is. Expressions read the
    /// members of this one, as [`crate::expr::ExprKind::Input`].
    pub next: Vec<Expr>,
}

/// Where an event from outside comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inbound {
    /// Index in [`super::Domain::receivers`].
    pub receiver: usize,
    /// As its sender calls it: `charge.succeeded`.
    pub sent_as: String,
    /// By the event's members: where each stands in the body (RFC 6901); none: by its name in the
    /// payload's data.
    pub from: Vec<Option<String>>,
}

/// Webhooks of a system outside that are received.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Receiver {
    /// The integration's name: the last segment of its path.
    pub name: String,
    /// How a delivery proves where it comes from.
    pub scheme: Scheme,
    /// Seconds that a delivery's time may differ from ours.
    pub tolerance_seconds: f64,
    /// The context that keeps what comes.
    pub context: ContextId,
}

impl Receiver {
    /// Seconds where the model says nothing.
    pub const TOLERANCE_SECONDS: f64 = 300.0;

    /// Where its sender delivers.
    pub fn path(&self) -> String {
        format!("/v1/webhooks/in/{}", self.name)
    }
}

impl Event {
    /// Its type on the wire: the name with the version of its data, `order.placed.v1`.
    pub fn wire_type(&self) -> String {
        wire_type(&self.name, self.version)
    }

    /// The older versions with their numbers, the oldest first.
    pub fn older(&self) -> impl Iterator<Item = (u32, &OlderVersion)> {
        (1..).zip(&self.older)
    }
}

/// The type on the wire of the event of a name, in a version.
pub fn wire_type(name: &str, version: u32) -> String {
    format!("{name}.v{version}")
}

/// The name and the version that a type on the wire says; none where it says no version.
pub fn of_wire_type(wire_type: &str) -> Option<(&str, u32)> {
    let (name, version) = wire_type.rsplit_once(".v")?;
    let version = version.parse().ok().filter(|_| !version.starts_with(['0', '+']))?;
    Some((name, version))
}

/// A member of the data of an event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventMember {
    /// Name, as on the wire.
    pub name: String,
    /// The field of the first emitter; its id means nothing where the event comes from outside.
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
    Operation(RemoteCall),
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
    /// Windows of time that its events are counted in.
    pub window: Option<Window>,
}

/// The windows of a view: a row for each key and window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Window {
    /// Which there are.
    pub windows: Windows,
    /// Microseconds that an event may come after younger ones and still be counted.
    pub late_micros: i64,
    /// The field with the first moment of the window.
    pub start: FieldId,
    /// The field with the first moment behind it.
    pub end: FieldId,
    /// The field that says that nothing changes the row any more.
    pub closed: FieldId,
    /// The fold that keeps the greatest time of the row's events.
    pub seen: FieldId,
    /// The field that is the same for all sessions of a key; none for windows that begin at fixed
    /// times.
    pub group: Option<FieldId>,
}

/// Windows of time; lengths in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Windows {
    /// One begins where the other ends, counted from 1970.
    Tumbling {
        /// Of a window.
        size_micros: i64,
    },
    /// One begins every so often, counted from 1970.
    Sliding {
        /// Of a window.
        size_micros: i64,
        /// Between the beginnings of two.
        every_micros: i64,
    },
    /// Events with less than the gap between them.
    Session {
        /// Without an event.
        gap_micros: i64,
    },
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
    /// What becomes of runs that were missed.
    pub catch_up: CatchUp,
    /// What becomes of a run whose time comes while the one before goes on.
    pub overlap: Overlap,
}

/// What becomes of runs whose time went by while nothing ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// They are left out.
    None,
    /// The latest is made up for.
    One,
    /// All are, the latest so many.
    All {
        /// At least one.
        runs_max: u32,
    },
}

/// What becomes of a run whose time comes while the one before goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It is left out.
    Skip,
    /// The latest of them begins when the one before has ended.
    Wait,
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

/// Work that is asked for, and done as `system` beside the requests: one command of one row, or one
/// call of a system outside.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Job {
    /// Name.
    pub name: String,
    /// Its segment behind `/v1/operations/`.
    pub path: String,
    /// What it does; empty where nothing is said.
    pub about: String,
    /// What who asks gives.
    pub input: Vec<Field>,
    /// The root that the command is of; for a call outside, the one whose store keeps the job.
    pub resource: ResourceId,
    /// What is called; expressions are in the scope of the job's inputs.
    pub target: Target,
    /// Who may ask; none has a condition.
    pub by: Vec<Grant>,
    /// What comes first.
    pub priority: Priority,
    /// Attempts, the first among them.
    pub attempts_max: u32,
    /// How many run at once in one store; none: any number.
    pub concurrency: Option<u32>,
    /// Its former name: what was asked for under it is done under this one.
    pub was: Option<String>,
}

/// What a job calls.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A command of the job's resource.
    Command {
        /// The command.
        command: CommandId,
        /// Which row.
        row: Expr,
        /// Inputs of the command, by their index.
        inputs: Vec<(usize, Expr)>,
    },
    /// A system outside.
    Operation(RemoteCall),
}

impl Job {
    /// Attempts where the model says nothing.
    pub const ATTEMPTS: u32 = 5;

    /// Where it is asked for: `/v1/operations/send-invoice`.
    pub fn address(&self) -> String {
        format!("/v1/operations/{}", self.path)
    }

    /// True where nobody but `system` may ask.
    pub fn internal(&self) -> bool {
        self.by.iter().all(|grant| grant.caller == super::Caller::System)
    }
}

/// What of the work that waits comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Before all others.
    High,
    /// Where nothing else is said.
    #[default]
    Normal,
    /// When nothing else waits, or has waited long enough.
    Low,
}

#[cfg(test)]
mod tests {
    use super::{of_wire_type, wire_type};

    #[test]
    fn a_type_on_the_wire_is_the_name_with_the_version() {
        assert_eq!(wire_type("order.placed", 12), "order.placed.v12");
        assert_eq!(of_wire_type("order.placed.v12"), Some(("order.placed", 12)));
        assert_eq!(of_wire_type("order.v1.v2"), Some(("order.v1", 2)));
        for wrong in ["order.placed", "order.v", "order.v0", "order.v01", "order.v+1", "order.vx"] {
            assert_eq!(of_wire_type(wrong), None, "{wrong}");
        }
    }
}
