//! What happens beside plain rows: views, reactions, integrations, workflows, events, schedules,
//! jobs, traffic, pins.

use super::{Allow, Field, FieldType, Grant, Text};
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
    /// Windows of time that its events are counted in.
    pub window: Option<Window>,
    /// Seconds that an event may come after younger ones and still be counted.
    pub late: Option<Spanned<f64>>,
    /// Seconds it may lag.
    pub fresh: Option<Spanned<f64>>,
    /// Who may read it.
    pub allow: Allow,
    /// Former name.
    pub was: Option<Name>,
}

/// Windows of time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Window {
    /// Seconds of a window; of a session, those without an event that end it.
    pub size: Spanned<f64>,
    /// Where windows begin.
    pub kind: WindowKind,
}

/// Where windows begin.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowKind {
    /// One where the other ends.
    Tumbling,
    /// Every so many seconds.
    Sliding(Spanned<f64>),
    /// At an event that none was near before.
    Session,
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
    /// What it tells us by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhooks: Option<Webhooks>,
    /// Former name.
    pub was: Option<Name>,
}

impl Integration {
    /// Seconds of the 95th percentile that is promised, or of the first that is.
    pub fn p95_seconds(&self) -> Option<f64> {
        let p95 = self.latency.iter().find(|(at, _)| (at.value - 95.0).abs() < 1e-9);
        p95.or_else(|| self.latency.first()).map(|(_, bound)| bound.value)
    }
}

/// Webhooks that a system outside sends.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Webhooks {
    /// How a delivery proves where it comes from.
    pub verify: Spanned<Scheme>,
    /// Secrets or public keys, as variables; each is accepted while one takes the place of another.
    pub secrets: Vec<Text>,
    /// Seconds that a delivery's time may differ from ours.
    pub tolerance: Option<Spanned<f64>>,
    /// The context that keeps what comes.
    pub into: Option<Name>,
    /// Events that are kept.
    pub events: Vec<WebhookEvent>,
}

/// How a webhook proves where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Standard Webhooks 1.0.
    Standard,
    /// `Stripe-Signature`
    Stripe,
    /// `X-Hub-Signature-256`
    GitHub,
    /// HTTP Message Signatures.
    Rfc9421,
}

impl Scheme {
    /// All of them, as they are written.
    pub const ALL: [(&'static str, Self); 4] = [
        ("standard", Self::Standard),
        ("stripe", Self::Stripe),
        ("github", Self::GitHub),
        ("rfc9421", Self::Rfc9421),
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Stripe => "stripe",
            Self::GitHub => "github",
            Self::Rfc9421 => "rfc9421",
        }
    }
}

/// An event that a system outside tells of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WebhookEvent {
    /// As its sender calls it: `charge.succeeded`.
    pub name: Name,
    /// Members that are kept.
    pub data: Vec<WebhookMember>,
}

/// A member of what a system outside tells.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WebhookMember {
    /// Its name here.
    pub name: Name,
    /// Type.
    pub ty: Spanned<FieldType>,
    /// May be missing, or null.
    pub optional: Option<Span>,
    /// Where it stands in the body (RFC 6901); else by its name in the payload's data.
    pub from: Option<Text>,
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
    /// Version of its data; 1 unless it is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Spanned<u32>>,
    /// Older versions, and how data of each becomes that of the next.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<OlderVersion>,
    /// Former name.
    pub was: Option<Name>,
}

impl Event {
    /// The version of its data.
    pub fn number(&self) -> u32 {
        self.version.as_ref().map_or(1, |version| version.value)
    }
}

/// A version of an event that is told no more.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OlderVersion {
    /// Which.
    pub version: Spanned<u32>,
    /// What it carried.
    pub data: Vec<Field>,
    /// Members of the next version, in the scope of its own.
    pub with: Vec<(Name, Expression)>,
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
    /// What becomes of runs that were missed.
    pub catch_up: Option<CatchUp>,
    /// `skip` or `wait`: what becomes of a run whose time comes while the one before goes on.
    pub overlap: Option<Name>,
    /// Former name.
    pub was: Option<Name>,
}

/// Work that is asked for and done beside the requests.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Job {
    /// Name.
    pub name: Name,
    /// What it does.
    pub about: Option<Text>,
    /// What who asks gives.
    pub input: Vec<Field>,
    /// The command.
    pub run: Name,
    /// Which row it is of, in the scope of the inputs.
    pub row: Option<Expression>,
    /// Inputs of the command.
    pub with: Vec<(Name, Expression)>,
    /// Who may ask.
    pub by: Vec<Grant>,
    /// `high`, `normal` or `low`.
    pub priority: Option<Name>,
    /// Attempts, the first among them.
    pub retry: Option<Spanned<u32>>,
    /// How many run at once.
    pub concurrency: Option<Spanned<u32>>,
    /// Former name.
    pub was: Option<Name>,
}

/// What becomes of runs whose time went by while nothing ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CatchUp {
    /// `none`, `one` or `all`.
    pub runs: Name,
    /// The most of `all`.
    pub up_to: Option<Spanned<u32>>,
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
