//! What was asked: the requirements file, typed, with the place of every element.
//!
//! Names are not resolved here; `design::check` does that and lowers a valid model to
//! [`crate::domain::Domain`]. Lists keep the order of the files. Quantities are in base units:
//! seconds, requests a second, shares of 1.

use crate::quantity::Measure;
use crate::source::{Name, Sources, Span, Spanned};
use serde::Serialize;

mod behaviour;
mod resource;

pub use behaviour::{
    CatchUp, Effect, Event, Integration, IntegrationOperation, Job, Journey, JourneyStep,
    OlderVersion, Pin, Reaction, Schedule, Scheme, Step, Verb, View, WebhookEvent, WebhookMember,
    Webhooks, Window, WindowKind, Workflow,
};
pub use resource::{
    Allow, At, Bound, Cache, Command, Field, FieldType, Grant, OnDelete, Resource, Route, Rows,
    Transition, Unique,
};

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
    /// Work that is asked for and done beside the requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<Job>,
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
