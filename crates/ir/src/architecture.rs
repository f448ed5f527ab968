//! What was decided: the one value that document, contracts, schema, deployment and the running
//! backend are made from.

use crate::contract::Contract;
use crate::decision::{Assumption, Decision, Infeasible};
use crate::domain::{Domain, ResourceId};
use crate::model::Model;
use crate::quantity::Computed;
use crate::schema::Schema;
use crate::valid::Valid;
use serde::Serialize;

/// A whole architecture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Architecture {
    /// What was asked.
    #[serde(serialize_with = "plain_model")]
    pub model: Valid<Model>,
    /// The same with every name resolved.
    pub domain: Domain,
    /// The operations.
    pub contract: Contract,
    /// The tables.
    pub schema: Schema,
    /// Deployable units.
    pub services: Vec<Service>,
    /// Requests a second at the peak, by operation.
    pub traffic: Vec<Traffic>,
    /// Every decision, by stage, rule and subject.
    pub decisions: Vec<Decision>,
    /// Goals that cannot hold.
    pub infeasible: Vec<Infeasible>,
    /// What was assumed, most important first.
    pub assumptions: Vec<Assumption>,
    /// What the running backend reads of the decisions.
    pub settings: Settings,
}

fn plain_model<S: serde::Serializer>(model: &Valid<Model>, to: S) -> Result<S::Ok, S::Error> {
    (**model).serialize(to)
}

/// A deployable unit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Service {
    /// Name.
    pub name: String,
    /// Contexts it holds, by name.
    pub contexts: Vec<String>,
    /// Names of services and integrations it calls.
    pub calls: Vec<String>,
}

/// The load of one operation at the peak.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Traffic {
    /// Operation id of the contract.
    pub operation: String,
    /// The resource, where it is one's.
    pub resource: Option<ResourceId>,
    /// Writes.
    pub writes: bool,
    /// Requests a second at the peak.
    pub rate: Computed,
}

/// What the running backend reads of the decisions. Names end in unit and bound; flags of the
/// command line override them where one exists.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settings {
    /// Tenants have a file (SQLite) or database each, rather than a column.
    pub tenant_files: bool,
    /// Items of a page where `limit` is not given.
    pub page_items_default: u32,
    /// Items of a page at most.
    pub page_items_max: u32,
    /// Terms of a filter.
    pub filter_terms_max: u32,
    /// Operations of a batch.
    pub batch_operations_max: u32,
    /// Bytes of a request body.
    pub body_bytes_max: u64,
    /// Seconds a request may take.
    pub request_seconds_max: f64,
    /// Seconds an idempotency record is kept.
    pub idempotency_seconds: f64,
    /// Seconds a token issued by `mainstay token` lives.
    pub token_seconds: f64,
    /// Connections that read, per core.
    pub readers_per_core: u32,
    /// Connections to PostgreSQL that a node keeps at most; 0: as many as its cores suggest.
    pub database_connections: u32,
    /// Writes that wait for the single writer at most.
    pub write_queue_max: u32,
    /// Writes in one group commit at most.
    pub write_group_max: u32,
    /// Every change, and every look into another's tenant, is an entry of the audit trail.
    pub audited: bool,
    /// Seconds that entries of the audit trail are kept.
    pub audit_seconds: f64,
    /// Seconds that events stay in the log, to be listed and heard by who was away; those that
    /// views are made of stay for good.
    pub event_seconds: f64,
    /// Partitions of a topic that is made at a broker.
    pub event_partitions: u32,
    /// Bytes of answers that a process keeps to reuse, of all resources together.
    pub cache_bytes_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tenant_files: false,
            page_items_default: 20,
            page_items_max: 100,
            filter_terms_max: 20,
            batch_operations_max: 100,
            body_bytes_max: 1_048_576,
            request_seconds_max: 15.0,
            idempotency_seconds: 86_400.0,
            token_seconds: 3_600.0,
            readers_per_core: 1,
            database_connections: 0,
            write_queue_max: 1_024,
            write_group_max: 128,
            audited: false,
            audit_seconds: 31_536_000.0,
            event_seconds: 604_800.0,
            event_partitions: 8,
            cache_bytes_max: 67_108_864,
        }
    }
}
