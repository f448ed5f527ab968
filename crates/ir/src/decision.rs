//! What the architect decided, with the numbers that made it so.

use crate::quantity::{Computed, Grade};
use serde::Serialize;

/// The fixed order in which rules run; rules of a stage see the same snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// What is one deployable unit.
    Boundaries,
    /// What the API promises.
    Contracts,
    /// How it is stored.
    Data,
    /// How the parts talk.
    Communication,
    /// Who may do what, and how that is proved.
    Security,
    /// What happens when something fails.
    Resilience,
    /// How much of everything.
    Capacity,
    /// How it is run.
    Operations,
}

/// How far the architect's word goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Authority {
    /// The architect's own: API design, boundaries, backend patterns.
    Owns,
    /// Advice: stack, communication patterns.
    Advises,
    /// A check of something against the goals.
    Validates,
}

/// Where a decision takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// `mainstay up` does it.
    RunsHere,
    /// Only files that are written say it.
    FilesOnly,
    /// Only the document says it.
    AdviceOnly,
}

/// One decision. `rule` and `subject` together are unique.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decision {
    /// The rule's id, `D012`.
    pub rule: &'static str,
    /// The rule's name in snake_case, `cache`; pins name it.
    pub name: &'static str,
    /// Stage of the rule.
    pub stage: Stage,
    /// What it is about: `system`, `ordering.Order`, `payments`, `order.paid`, …
    pub subject: String,
    /// The question that was answered.
    pub question: String,
    /// The answer in a few words (`modular monolith, one deployable unit`).
    pub choice: String,
    /// Why, in sentences that hold for this system alone.
    pub because: Vec<String>,
    /// What else there was, and why each lost.
    pub alternatives: Vec<Alternative>,
    /// Numbers of the choice.
    pub numbers: Vec<Computed>,
    /// Model paths of the requirements that drove it (`goals.peak`).
    pub drivers: Vec<String>,
    /// What follows from it, good and bad.
    pub consequences: Vec<String>,
    /// How far the architect's word goes.
    pub authority: Authority,
    /// Whom to ask, and what, where the decision goes beyond that.
    pub consult: Option<String>,
    /// At which input the answer would change (`peak above 4,800 rps: a second replica`).
    pub flips_at: Vec<String>,
    /// Worst grade of the inputs.
    pub grade: Grade,
    /// Where it takes effect.
    pub effect: Effect,
    /// Pinned by the model: the reason given there, and what it costs.
    pub pinned: Option<Pinned>,
    /// Machine-readable outcome, as key and value (`replicas` = `3`); the parts of the
    /// architecture that software reads are folded from these.
    pub settings: Vec<(&'static str, Setting)>,
}

/// A machine-readable outcome of a decision.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Setting {
    /// A switch.
    Flag(bool),
    /// A number in base units (seconds, bytes, counts).
    Number(f64),
    /// A word.
    Word(String),
}

/// An alternative that lost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alternative {
    /// What it is.
    pub name: String,
    /// Why it lost here.
    pub lost: String,
    /// Its numbers.
    pub numbers: Vec<Computed>,
}

/// A choice the model pinned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pinned {
    /// The reason the model gives.
    pub because: String,
    /// What the architect would have chosen.
    pub instead_of: String,
    /// What the pin costs.
    pub cost: String,
}

/// A goal that cannot hold, with the arithmetic and the cheapest change that mends it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Infeasible {
    /// Model path of the goal.
    pub goal: String,
    /// What cannot hold, in one sentence.
    pub claim: String,
    /// The arithmetic.
    pub numbers: Vec<Computed>,
    /// Changes that make it feasible, cheapest first.
    pub cures: Vec<String>,
}

/// An input that the model does not give.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Assumption {
    /// Model path that would give it (`goals.peak_to_mean`).
    pub path: String,
    /// What is assumed, printed.
    pub value: String,
    /// Why that value.
    pub because: String,
    /// Decisions (rule and subject) that would flip, and at which value.
    pub flips: Vec<String>,
    /// How much halving and doubling moves the monthly cost and the p95, as shares of 1.
    pub moves: (f64, f64),
}
