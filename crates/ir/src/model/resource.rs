//! Resources: fields, constraints, commands and who may do what.

use super::Text;
use crate::expr::Expression;
use crate::quantity::Measure;
use crate::source::{Name, Span, Spanned};
use serde::{Deserialize, Serialize};

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
    /// `managed: no_ddl`: somebody else makes and changes the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unmanaged: Option<Span>,
    /// Former name.
    pub was: Option<Name>,
}

/// The declared type of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDelete {
    /// The deletion is refused: 409.
    #[serde(alias = "Restrict")]
    Restrict,
    /// The reference becomes null.
    #[serde(alias = "Clear")]
    Clear,
    /// The row goes too.
    #[serde(alias = "Cascade")]
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
