//! Systems outside that are called: their operations, what each takes and what its answers mean.

use crate::expr::{Expr, Type};
use serde::Serialize;

/// A system outside.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Integration {
    /// Name.
    pub name: String,
    /// Seconds that a call may take, from the first look for its address to the end of its answer.
    pub timeout_seconds: f64,
    /// Its operations, in order.
    pub operations: Vec<RemoteOperation>,
}

impl Integration {
    /// A call may take so many times the 95th percentile that is promised.
    pub const TIMEOUT_FACTOR: f64 = 4.0;
    /// Seconds of the 95th percentile where nothing is promised.
    pub const P95_SECONDS: f64 = 0.5;
    /// Seconds that a call may take at most, whatever is promised.
    pub const TIMEOUT_SECONDS_MAX: f64 = 60.0;

    /// Seconds that a call may take, by the 95th percentile that is promised.
    pub fn timeout_of(p95_seconds: Option<f64>) -> f64 {
        let timeout = p95_seconds.unwrap_or(Self::P95_SECONDS) * Self::TIMEOUT_FACTOR;
        timeout.min(Self::TIMEOUT_SECONDS_MAX)
    }
}

/// One call that a system outside takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RemoteOperation {
    /// Name.
    pub name: String,
    /// `POST`
    pub method: String,
    /// Behind the address of the system, with `{name}` segments: `/charges/{id}/refund`.
    pub path: String,
    /// What it takes, in order.
    pub parameters: Vec<Parameter>,
    /// Members of its answer that are of use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub returns: Vec<Returned>,
    /// Whether the same call done again does nothing more.
    pub repeatable: Repeatable,
    /// Answers that are refusals of the business: status and name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refuses: Vec<(u16, String)>,
    /// How the outcome of a call is learned whose answer was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lookup: Option<Lookup>,
}

impl RemoteOperation {
    /// The name of a refusal, where the status is one.
    pub fn refusal(&self, status: u16) -> Option<&str> {
        let found = self.refuses.iter().find(|(known, _)| *known == status);
        found.map(|(_, name)| name.as_str())
    }
}

/// Something that an operation takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Parameter {
    /// Name.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// What is sent where nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Expr>,
    /// May be left out.
    pub optional: bool,
    /// It stands in the path, so it is sent nowhere else.
    pub in_path: bool,
}

/// Something that an operation answers with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Returned {
    /// Name.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// May be missing, or null.
    pub optional: bool,
}

/// Whether the same call done again does nothing more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeatable {
    /// Its method says so (RFC 9110, 9.2.2).
    Method,
    /// The other side knows a call again by the key in a header of that name.
    Key(String),
    /// It does not.
    No,
}

/// How the outcome of a call is learned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lookup {
    /// `GET`
    pub method: String,
    /// Behind the address of the system, with `{name}` of what the call was given.
    pub path: String,
}

/// Which operation of which system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RemoteId {
    /// Index in [`super::Domain::integrations`].
    pub integration: usize,
    /// Index in [`Integration::operations`].
    pub operation: usize,
}

/// A call of a system outside.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RemoteCall {
    /// Which.
    pub of: RemoteId,
    /// What is given, by the index of the parameter.
    pub with: Vec<(usize, Expr)>,
}
