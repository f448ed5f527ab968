//! How far views are, for whoever looks after them.

use super::jobs::{sources, view_part};
use crate::plan::Plan;
use crate::ports::store::{Bindings, ListQuery, Store, Tenant, Unavailable};
use ir::domain::ResourceId;
use ir::expr::{FieldRef, Implicit};
use ir::value::Value;
use std::sync::Arc;

/// Rows that are counted at once.
const PAGE_ROWS_MAX: u32 = 1_000;

/// A view and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// `ordering.SalesByDay`
    pub view: String,
    /// One for each log that it is made of.
    pub logs: Vec<Log>,
    /// Rows of all tenants.
    pub rows: u64,
}

/// How far a view is in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The service, and the tenant's place there behind a `/`.
    pub source: String,
    /// Everything up to here is in the view.
    pub position: i64,
    /// Where the log ends: it lags by the difference, in numbers of the log.
    pub last: i64,
}

/// Every view of a plan.
///
/// # Errors
/// Where a store can't be read.
pub async fn list(plan: &Plan, stores: &[Arc<dyn Store>]) -> Result<Vec<Standing>, Unavailable> {
    let mut all = Vec::new();
    for (view, consumer) in plan.consumers.views.iter().enumerate() {
        let store = &stores[plan.service_of(consumer.context)];
        let mut logs = Vec::new();
        for service in sources(plan, consumer) {
            let (Some(log), Some(state)) = (stores[service].eventing(), store.eventing()) else {
                continue;
            };
            for place in log.places().await? {
                let part = view_part(plan, view, service, &place);
                let known = state.progress(&place).await?;
                let own = known.iter().find(|progress| progress.part == part);
                let position = own.map_or(0, |own| own.position);
                let last = log.extent(&place).await?.last;
                logs.push(Log { source: part.source.to_string(), position, last });
            }
        }
        let id = plan.domain.view_rows(view);
        let mut rows = 0;
        for tenant in store.tenants(id).await? {
            rows += count(&**store, id, &tenant).await?;
        }
        all.push(Standing { view: plan.domain.full_name(id), logs, rows });
    }
    Ok(all)
}

async fn count(
    store: &dyn Store,
    resource: ResourceId,
    tenant: &Tenant,
) -> Result<u64, Unavailable> {
    let (mut rows, mut after) = (0, None);
    loop {
        let query = ListQuery {
            resource,
            filter: Vec::new(),
            search: Vec::new(),
            sort: vec![(FieldRef::Implicit(Implicit::Id), false)],
            after: after.take(),
            rows_max: PAGE_ROWS_MAX,
            children: &[],
        };
        let page = store.list(tenant, &query, &Bindings::default()).await?;
        rows += page.len() as u64;
        match page.last() {
            Some(last) if page.len() == PAGE_ROWS_MAX as usize => {
                after = Some(vec![Value::Uuid(last.id)]);
            }
            _ => return Ok(rows),
        }
    }
}
