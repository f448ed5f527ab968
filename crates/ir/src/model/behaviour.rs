//! What happens beside plain rows: views, reactions, integrations, workflows, events, schedules,
//! traffic, pins.

use super::{Allow, Field, Grant, Text};
use crate::expr::Expression;
use crate::source::{Name, Span, Spanned};
use serde::Serialize;

/// A read model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct View {
    /// Name.
    pub name: Name,
    /// Path segment, where the regular one is not wanted.
    pub path: Option<Name>,
    /// Events it is made from.
    pub from: Vec<Name>,
    /// Key members.
    pub key: Vec<(Name, Expression)>,
    /// Value members.
    pub set: Vec<(Name, Expression)>,
    /// Seconds it may lag.
    pub fresh: Option<Spanned<f64>>,
    /// Who may read it.
    pub allow: Allow,
    /// Former name.
    pub was: Option<Name>,
}

/// What a context does when an event happens.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reaction {
    /// The event.
    pub event: Name,
    /// What is done.
    pub effect: Effect,
    /// Values given: name and expression.
    pub with: Vec<(Name, Expression)>,
    /// Only when this holds.
    pub when: Option<Expression>,
}

/// What a reaction does.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Makes a row of that resource.
    Create(Name),
    /// Changes a row of that resource; `with` holds `id`.
    Update(Name),
    /// Calls a command (`Order.cancel`) or an integration's operation (`mail.send`).
    Do(Name),
}

/// A system outside.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Integration {
    /// Name.
    pub name: Name,
    /// Base URL, perhaps with variables.
    pub http: Text,
    /// `bearer ${KEY}`, `basic …`, `header X-Key ${KEY}`
    pub auth: Option<Text>,
    /// Percentile and its bound in seconds.
    pub latency: Vec<(Spanned<f64>, Spanned<f64>)>,
    /// Share of 1 that it is there.
    pub availability: Option<Spanned<f64>>,
    /// Calls a second it takes.
    pub limit: Option<Spanned<f64>>,
    /// Its operations.
    pub operations: Vec<IntegrationOperation>,
    /// Former name.
    pub was: Option<Name>,
}

/// One call to a system outside.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IntegrationOperation {
    /// Name.
    pub name: Name,
    /// `get`, `post`, `put`, `patch`, `delete`
    pub method: Name,
    /// Path with `{input}` segments.
    pub path: Text,
    /// Members of the body.
    pub body: Vec<Field>,
    /// Members of the answer.
    pub returns: Vec<Field>,
    /// Name of the idempotency header; `Idempotency-Key` for `true`.
    pub idempotent: Option<Text>,
    /// Status and the name of the business answer.
    pub refuses: Vec<(Spanned<u16>, Name)>,
    /// How the outcome of a lost answer is learned: method and path.
    pub lookup: Option<(Name, Text)>,
}

/// A saga.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Workflow {
    /// Name.
    pub name: Name,
    /// The command that starts it (`Order.place`).
    pub after: Name,
    /// Percentile and its bound in seconds.
    pub latency: Vec<(Spanned<f64>, Spanned<f64>)>,
    /// `lose: nothing`
    pub lose_nothing: Option<Span>,
    /// Steps in order.
    pub steps: Vec<Step>,
    /// What ends it where it fails: refusal (none: any) and command.
    pub otherwise: Vec<(Option<Name>, Name)>,
    /// Former name.
    pub was: Option<Name>,
}

/// One step of a saga.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Step {
    /// Name.
    pub name: Name,
    /// Owned children to do it for, one by one.
    pub each: Option<Name>,
    /// Command (`Order.pay`, `item.product.reserve`) or operation (`payments.charge`).
    pub run: Option<Name>,
    /// What takes it back.
    pub undo: Option<Name>,
    /// Inputs.
    pub with: Vec<(Name, Expression)>,
    /// Inputs of the undo.
    pub undo_with: Vec<(Name, Expression)>,
    /// Only when this holds.
    pub when: Option<Expression>,
    /// Seconds.
    pub timeout: Option<Spanned<f64>>,
    /// Further attempts.
    pub retry: Option<Spanned<u32>>,
    /// Event that is waited for, or seconds as text.
    pub wait: Option<Text>,
    /// Actor that must approve.
    pub approve: Option<Grant>,
    /// Workflow that is run within.
    pub workflow: Option<Name>,
    /// Steps done side by side.
    pub parallel: Vec<Step>,
}

/// A published event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// Name, `order.placed`.
    pub name: Name,
    /// Fields of the aggregate that it carries.
    pub data: Vec<Name>,
    /// Actors that may register a webhook for it.
    pub webhook: Vec<Name>,
    /// Former name.
    pub was: Option<Name>,
}

/// Recurring work.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Schedule {
    /// Name.
    pub name: Name,
    /// Seconds between two runs.
    pub every: Option<Spanned<f64>>,
    /// Cron expression, UTC.
    pub cron: Option<Text>,
    /// The resource whose rows are taken.
    pub resource: Name,
    /// Which rows.
    pub condition: Option<Expression>,
    /// The command.
    pub run: Name,
    /// Inputs of the command.
    pub with: Vec<(Name, Expression)>,
    /// Former name.
    pub was: Option<Name>,
}

/// A user journey and its share of the traffic.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Journey {
    /// Name.
    pub name: Name,
    /// Share of journeys, of 1.
    pub share: Spanned<f64>,
    /// Actor and role.
    pub actor: Option<Grant>,
    /// Requests in order.
    pub steps: Vec<JourneyStep>,
}

/// What a journey step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// `list Product`
    List,
    /// `get Product`
    Get,
    /// `create Order`
    Create,
    /// `update Order`
    Update,
    /// `delete Order`
    Delete,
    /// `Order.place`
    Command(Name),
    /// `open Link`: the public route of the resource.
    Open,
}

/// One request of a journey.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JourneyStep {
    /// Where.
    #[serde(skip)]
    pub span: Span,
    /// What.
    pub verb: Verb,
    /// On which resource or view.
    pub resource: Name,
    /// Filter of a list.
    pub condition: Option<Expression>,
    /// Order of a list (`-created_at`).
    pub sort: Option<Text>,
    /// Page size of a list.
    pub limit: Option<Spanned<u32>>,
}

/// A choice pinned against the architect.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pin {
    /// Decision name, perhaps with a subject: `database`, `cache catalog.Product`.
    pub decision: Name,
    /// The choice.
    pub choose: Text,
    /// Why.
    pub because: Option<Text>,
}
