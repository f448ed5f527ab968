//! What was asked: the requirements file, typed, with the place of every element.
//!
//! Names are not resolved here; `design::check` does that and lowers a valid model to
//! [`crate::domain::Domain`]. Lists keep the order of the files. Quantities are in base units:
//! seconds, requests a second, shares of 1.

use crate::expr::Expression;
use crate::quantity::Measure;
use crate::source::{Name, Sources, Span, Spanned};
use serde::Serialize;

/// A text with its place.
pub type Text = Spanned<String>;

/// A whole requirements file, or directory of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Model {
    /// The files it was read from.
    #[serde(skip)]
    pub sources: Sources,
    /// Version of the notation; 1.
    pub notation: u32,
    /// Name of the system.
    pub system: Name,
    /// Title for people.
    pub title: Option<Text>,
    /// What it is for.
    pub summary: Option<Text>,
    /// How tenants are kept apart; none where the system has no tenants.
    pub tenancy: Option<Tenancy>,
    /// What must hold.
    pub goals: Goals,
    /// What may not be chosen freely.
    pub constraints: Constraints,
    /// Who calls.
    pub actors: Vec<Actor>,
    /// Bounded contexts.
    pub contexts: Vec<Context>,
    /// Systems outside.
    pub integrations: Vec<Integration>,
    /// Sagas.
    pub workflows: Vec<Workflow>,
    /// Published events.
    pub events: Vec<Event>,
    /// Recurring work.
    pub schedules: Vec<Schedule>,
    /// Traffic as user journeys.
    pub workload: Vec<Journey>,
    /// Choices pinned against the architect.
    pub decisions: Vec<Pin>,
    /// `${NAME}` and `${file:path}` met anywhere in the files.
    pub variables: Vec<Variable>,
}

/// A value that comes from the environment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Variable {
    /// Name, or path where `file` is set.
    pub name: Name,
    /// `${file:…}`.
    pub file: bool,
    /// Model path of the value that uses it (`integrations.payments.http`).
    pub used_by: String,
}

/// How tenants are kept apart in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Isolation {
    /// A column in each table.
    Row,
    /// A schema each.
    Schema,
    /// A database (on SQLite: a file) each.
    Database,
}

/// `tenancy: row by org host {org}.shop.example`
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tenancy {
    /// Where the whole stands.
    #[serde(skip)]
    pub span: Span,
    /// The mechanism asked for.
    pub isolation: Spanned<Isolation>,
    /// The claim of the token that names the tenant.
    pub claim: Name,
    /// Host pattern with `{claim}` as its first label.
    pub host: Option<Text>,
}

/// What must hold. Everything is optional; what is missing is an assumption of the design.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Goals {
    /// Where `goals` stands.
    #[serde(skip)]
    pub span: Span,
    /// Client requests a second at the peak.
    pub peak: Option<Spanned<Measure>>,
    /// `3x in 18 months`
    pub growth: Option<Spanned<Growth>>,
    /// Percentile (50, 95, 99, 99.9) and its bound in seconds.
    pub latency: Vec<(Spanned<f64>, Spanned<f64>)>,
    /// Share of 1.
    pub availability: Option<Spanned<f64>>,
    /// Seconds of acknowledged work that may be lost.
    pub rpo: Option<Spanned<f64>>,
    /// Seconds until it works again.
    pub rto: Option<Spanned<f64>>,
    /// Amount and currency a month.
    pub budget: Option<Spanned<Budget>>,
    /// `40, largest 25%`
    pub tenants: Option<Spanned<Tenants>>,
    /// Share of requests that read, of 1; else computed from the workload.
    pub reads: Option<Spanned<f64>>,
    /// Peak divided by the mean over a day.
    pub peak_to_mean: Option<Spanned<Measure>>,
    /// `3x for 10 s` above the peak.
    pub burst: Option<Spanned<Burst>>,
    /// Zipf exponent of key popularity.
    pub popularity: Option<Spanned<Measure>>,
    /// Mean response body in bytes.
    pub payload: Option<Spanned<Measure>>,
    /// CPU seconds a request takes.
    pub service_time: Option<Spanned<Measure>>,
}

/// Factor and the seconds in which it is reached.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Growth {
    /// Factor of today's peak.
    pub factor: f64,
    /// Seconds.
    pub over: f64,
}

/// Money a month.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Budget {
    /// Amount a month.
    pub amount: f64,
    /// ISO 4217.
    pub currency: String,
}

/// How many tenants, and how unlike.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Tenants {
    /// How many.
    pub count: Measure,
    /// The largest one's share of the traffic, of 1.
    pub largest: Option<f64>,
}

/// A short load above the peak.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Burst {
    /// Factor of the peak.
    pub factor: f64,
    /// Seconds it lasts.
    pub length: f64,
}

/// What may not be chosen freely.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Constraints {
    /// Where `constraints` stands.
    #[serde(skip)]
    pub span: Span,
    /// Engineers who build and run it.
    pub team: Option<Spanned<u32>>,
    /// `gdpr`, `pci-dss`, `hipaa`, `soc2`
    pub compliance: Vec<Name>,
    /// Subject (`database`, `broker`, `cache`, `cloud`) and the technology wished for.
    pub prefer: Vec<(Name, Name)>,
    /// Subject and the technology that is ruled out.
    pub forbid: Vec<(Name, Name)>,
    /// Regions the data must stay in.
    pub residency: Vec<Name>,
}

/// How an actor proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// A token of an OpenID provider.
    Oidc,
    /// A key that Mainstay issued.
    ApiKey,
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Actor {
    /// Name.
    pub name: Name,
    /// How it proves who it is.
    pub proof: Spanned<Proof>,
    /// Its roles.
    pub roles: Vec<Name>,
    /// Requests a second one of them may make.
    pub limit: Option<Spanned<f64>>,
    /// May act in every tenant; audited.
    pub across_tenants: Option<Span>,
    /// Our claim (`actor`, `roles`, `org`, `sub`) and the provider's name for it.
    pub claims: Vec<(Name, Text)>,
    /// Issuer URL of its own, where it differs from the others.
    pub issuer: Option<Text>,
    /// Former name.
    pub was: Option<Name>,
}

/// A bounded context.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Context {
    /// Name.
    pub name: Name,
    /// What it is about.
    pub about: Option<Text>,
    /// Its resources, owned children among them.
    pub resources: Vec<Resource>,
    /// Read models.
    pub views: Vec<View>,
    /// What it does when events happen.
    pub reacts: Vec<Reaction>,
    /// Former name.
    pub was: Option<Name>,
}

/// An aggregate root, or a child that one owns.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Resource {
    /// Name in UpperCamelCase.
    pub name: Name,
    /// What it is.
    pub about: Option<Text>,
    /// Path segment, where the regular plural is not wanted.
    pub path: Option<Name>,
    /// Named conditions.
    pub rules: Vec<(Name, Expression)>,
    /// Fields in order.
    pub fields: Vec<Field>,
    /// Uniques over several fields.
    pub unique: Vec<Unique>,
    /// Sets of fields, one of them a timespan, that never overlap.
    pub never_overlap: Vec<Spanned<Vec<Name>>>,
    /// How many, how long kept.
    pub rows: Option<Rows>,
    /// How long an answer may be reused.
    pub cache: Option<Cache>,
    /// Named changes.
    pub commands: Vec<Command>,
    /// Who may do what.
    pub allow: Allow,
    /// Plain writes that are published: `created`, `updated`, `deleted`.
    pub emit: Vec<Name>,
    /// Public or unversioned paths.
    pub routes: Vec<Route>,
    /// Not a tenant's: the whole system shares it.
    pub shared: Option<Span>,
    /// `idempotency: required`
    pub idempotency_required: Option<Span>,
    /// `if_match: required`
    pub if_match_required: Option<Span>,
    /// Name of an existing table.
    pub table: Option<Name>,
    /// Former name.
    pub was: Option<Name>,
}

/// The declared type of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// Text of one line.
    String,
    /// Text of several lines.
    Text,
    /// 64-bit signed.
    Int,
    /// Exact decimal.
    Decimal {
        /// Digits in all, at most 18.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// True or false.
    Bool,
    /// Amount with currency.
    Money {
        /// The only currency allowed.
        currency: Option<String>,
    },
    /// Calendar day.
    Date,
    /// Time of day.
    Time,
    /// Instant.
    Timestamp,
    /// Length of time.
    Duration,
    /// Half-open span of instants.
    Timespan,
    /// Id.
    Uuid,
    /// Absolute http(s) URL.
    Url,
    /// E-mail address.
    Email,
    /// Any JSON.
    Json,
    /// Buffered count.
    Counter,
    /// One of these.
    Enum(Vec<Name>),
    /// Several scalars.
    List(Box<FieldType>),
    /// A row of a resource, in this context or the one named.
    Reference {
        /// Other context.
        context: Option<Name>,
        /// Resource.
        resource: Name,
    },
    /// A caller of that actor.
    Actor(Name),
    /// Owned children, this many of them.
    Many {
        /// The child resource.
        resource: Name,
        /// At least.
        min: u32,
        /// At most.
        max: u32,
    },
}

/// When an expression of a field is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// Once, when the row is written; then kept.
    Write,
    /// Whenever it is read, asked of the owner.
    Read,
    /// A replica fed by events.
    Kept,
}

/// What a deletion of the target does to a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDelete {
    /// The deletion is refused: 409.
    Restrict,
    /// The reference becomes null.
    Clear,
    /// The row goes too.
    Cascade,
}

/// A bound of a field as written: number, date or length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bound {
    /// As written (`0`, `12.50`, `2026-01-01`).
    pub text: String,
    /// Where.
    #[serde(skip)]
    pub span: Span,
}

/// A field, or an input of a command.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Field {
    /// Name.
    pub name: Name,
    /// Type.
    pub ty: Spanned<FieldType>,
    /// What it is.
    pub about: Option<Text>,
    /// Least value, or least length of text; `a..b` sets both.
    pub min: Option<Bound>,
    /// Greatest value, or greatest length of text in characters.
    pub max: Option<Bound>,
    /// RE2 pattern that the whole text must match.
    pub pattern: Option<Text>,
    /// Unique within the tenant.
    pub unique: Option<Span>,
    /// Found by `q`.
    pub search: Option<Span>,
    /// May be null.
    pub optional: Option<Span>,
    /// About a person: redacted, erased.
    pub personal: Option<Span>,
    /// Never read back.
    pub secret: Option<Span>,
    /// Default, computed or copied value.
    pub expression: Option<Expression>,
    /// When it is evaluated, where said.
    pub at: Option<Spanned<At>>,
    /// What a deletion of the target does.
    pub on_delete: Option<Spanned<OnDelete>>,
    /// Who may read and write this field beyond the resource's own rules (`read`, `write`).
    pub allow: Option<Allow>,
    /// Column of an existing table.
    pub column: Option<Name>,
    /// Former name.
    pub was: Option<Name>,
}

/// A unique constraint over several fields, perhaps only for some rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unique {
    /// Where.
    #[serde(skip)]
    pub span: Span,
    /// The fields.
    pub fields: Vec<Name>,
    /// Only rows for which this holds.
    pub when: Option<Expression>,
}

/// `50_000 per tenant`, `5_000 per tenant per month, keep 7 years then erase personal`
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rows {
    /// Where.
    #[serde(skip)]
    pub span: Span,
    /// How many.
    pub count: Measure,
    /// Of one tenant rather than in all.
    pub per_tenant: bool,
    /// Seconds in which so many come; none: a level.
    pub per: Option<f64>,
    /// Seconds a row is kept.
    pub keep: Option<f64>,
    /// At the end only the personal fields go.
    pub then_erase_personal: bool,
}

/// `5 min`, `{ for: 5 min, except: [stock] }`
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cache {
    /// Where.
    #[serde(skip)]
    pub span: Span,
    /// Seconds.
    pub time: f64,
    /// Fields that are never cached.
    pub except: Vec<Name>,
}

/// A named, atomic change of one aggregate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Command {
    /// Name.
    pub name: Name,
    /// What it does.
    pub about: Option<Text>,
    /// What the caller gives.
    pub input: Vec<Field>,
    /// Values looked up before the guard, from rows referred to: name and expression.
    pub get: Vec<(Name, Expression)>,
    /// Guards: all must hold.
    pub require: Vec<Expression>,
    /// Changes of state fields.
    pub transitions: Vec<Transition>,
    /// Effects.
    pub set: Vec<(Name, Expression)>,
    /// Who may call it.
    pub by: Vec<Grant>,
    /// Events published.
    pub emit: Vec<Name>,
    /// Workflows that must not be running on the row.
    pub not_during: Vec<Name>,
    /// Former name.
    pub was: Option<Name>,
}

/// `status: draft | placed -> cancelled`
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Transition {
    /// The state field.
    pub field: Name,
    /// From one of these.
    pub from: Vec<Name>,
    /// To this.
    pub to: Name,
}

/// `staff.manager`, `shopper when own`
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Grant {
    /// As written; denials name it.
    pub text: String,
    /// Where.
    #[serde(skip)]
    pub span: Span,
    /// `anyone`, `system` or an actor.
    pub actor: Name,
    /// The role it needs.
    pub role: Option<Name>,
    /// The condition.
    pub when: Option<Expression>,
}

/// Who may do what; an absent list allows nobody.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Allow {
    /// Where `allow` stands.
    #[serde(skip)]
    pub span: Span,
    /// Read.
    pub read: Vec<Grant>,
    /// Create, update and delete (`write` as written).
    pub write: Vec<Grant>,
    /// Create.
    pub create: Vec<Grant>,
    /// Update.
    pub update: Vec<Grant>,
    /// Delete.
    pub delete: Vec<Grant>,
}

/// `"GET /{code}": { find: Link by code, redirect: target, count: hits }`
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Route {
    /// Where the key stands.
    #[serde(skip)]
    pub span: Span,
    /// Method; `GET` alone for now.
    pub method: Name,
    /// Path with one `{name}` segment at least.
    pub path: Text,
    /// The resource that is looked for.
    pub find: Name,
    /// The unique field that is looked up by.
    pub by: Name,
    /// Field of type `url` to redirect to (302); else the resource is shown.
    pub redirect: Option<Name>,
    /// Counter that is raised.
    pub count: Option<Name>,
    /// Further condition for the row to be found.
    pub when: Option<Expression>,
}

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
