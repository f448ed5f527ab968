//! The use cases, free of any protocol: parsed input and a proved caller in, rows or a problem out.
//!
//! A write is a [`unit::Unit`]: it reads, evaluates, gathers changes as data and commits them in
//! one step of the store. Where the rows it read have changed meanwhile, it is done again from the
//! beginning, unless the client said which version it meant.

pub(crate) mod access;
pub(crate) mod audit;
pub mod backend;
pub(crate) mod body;
pub(crate) mod change;
pub(crate) mod command;
pub(crate) mod commit;
pub mod erase;
pub(crate) mod expand;
pub(crate) mod explain;
pub(crate) mod faults;
pub(crate) mod ids;
pub(crate) mod outage;
pub(crate) mod read;
pub(crate) mod reference;
pub(crate) mod represent;
pub(crate) mod rows;
pub(crate) mod scope;
pub(crate) mod seal;
pub(crate) mod settle;
pub(crate) mod tag;
pub(crate) mod told;
pub(crate) mod unit;

use crate::plan::Plan;
use crate::ports::clock::{Clock, Randomness};
use crate::ports::events::Part;
use crate::ports::store::{Store, Unavailable};
use crate::problem::{Problem, kinds};
use ids::Ids;
use ir::domain::ResourceId;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{broadcast, watch};

/// Why a use case was not done.
pub(crate) type Failure = Box<Problem>;

/// A plan with the stores that hold its rows.
pub struct Engine {
    /// What to serve.
    pub plan: Arc<Plan>,
    /// One store a service, in their order.
    stores: Vec<Arc<dyn Store>>,
    /// What outlives a swap of the plan.
    pub(crate) shared: Arc<Shared>,
}

/// What engines of one process share, also those of plans that came and went.
pub(crate) struct Shared {
    /// Tells the time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Makes ids.
    pub(crate) ids: Ids,
    /// Calls that met a conflict wait here for their turn on the row.
    pub(crate) turns: unit::Turns,
    /// How far this process has folded events into views; told when that changes.
    pub(crate) projected: watch::Sender<BTreeMap<Part, i64>>,
    /// Grows with each operation that begins in this process.
    pub(crate) operated: watch::Sender<u64>,
    /// Tells whose dead letter was redriven or discarded by this process: consumer and key.
    pub(crate) remedied: broadcast::Sender<(Arc<str>, u128)>,
}

/// Remedies that are told to consumers who are slow to listen; they find the others by themselves.
const REMEDIES_MAX: usize = 256;

impl Shared {
    /// Of a clock and randomness.
    pub(crate) fn new(clock: Arc<dyn Clock>, randomness: Arc<dyn Randomness>) -> Self {
        Self {
            ids: Ids::new(randomness),
            clock,
            turns: unit::Turns::default(),
            projected: watch::Sender::new(BTreeMap::new()),
            operated: watch::Sender::new(0),
            remedied: broadcast::Sender::new(REMEDIES_MAX),
        }
    }
}

impl Shared {
    /// Events up to a position have been folded into a view.
    pub(crate) fn folded(&self, part: &Part, position: i64) {
        self.projected.send_modify(|all| {
            all.insert(part.clone(), position);
        });
    }
}

impl Engine {
    /// An engine over one store for each service of the plan.
    pub(crate) fn new(plan: Arc<Plan>, stores: Vec<Arc<dyn Store>>, shared: Arc<Shared>) -> Self {
        assert_eq!(plan.services, stores.len(), "each service has its store");
        Self { plan, stores, shared }
    }

    /// The store that holds a resource.
    pub(crate) fn store(&self, resource: ResourceId) -> &dyn Store {
        &*self.stores[self.plan.service(resource)]
    }

    /// The stores, one for each service.
    pub(crate) fn stores(&self) -> &[Arc<dyn Store>] {
        &self.stores
    }
}

/// A problem of that kind.
pub(crate) fn problem(kind: crate::problem::Kind) -> Failure {
    Box::new(Problem::new(kind))
}

/// Nothing there, or nothing that the caller may know of.
pub(crate) fn not_found() -> Failure {
    problem(kinds::NOT_FOUND)
}

impl From<Unavailable> for Failure {
    fn from(unavailable: Unavailable) -> Self {
        const RETRY_SECONDS: u64 = 1;
        let detail = match &unavailable {
            Unavailable::Deadline => return problem(kinds::DEADLINE_EXCEEDED),
            Unavailable::Busy => "too many calls wait for the store",
            Unavailable::Full => {
                "the store has no room left: it takes no writes until some is free"
            }
            Unavailable::ReadOnly => "the store takes no writes",
            Unavailable::Broken(_) => "the store cannot read or write its data",
        };
        outage::log(&unavailable);
        Box::new(Problem::new(kinds::UNAVAILABLE).detail(detail).retry_after(RETRY_SECONDS))
    }
}
