//! Reads a database in one snapshot; a tenant's own database has one of its own, in its turn.

use super::{PostgresTransfer, SET_TENANT, Spot, dialect, failed, plain};
use crate::adapters::sql::transfer::Place;
use crate::ports::transfer::{
    BATCH_ROWS_MAX, Batch, Holds, Line, Plain, Reading, SYSTEM, Scope, TransferError, Transferred,
};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

/// What is read until its end belongs together.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Rows that come out of a server.
pub(super) struct PostgresReading<'a> {
    from: &'a PostgresTransfer,
    home: Client,
    /// The connection to a tenant's own database.
    own: Option<(Arc<str>, Client)>,
    steps: VecDeque<Step>,
    after: Option<Plain>,
}

/// A table that is to be read.
struct Step {
    spot: Spot,
    place: Place,
    /// Only its rows, where tenants share the table; whose it is, where they do not.
    tenant: Option<Arc<str>>,
}

impl<'a> PostgresReading<'a> {
    pub(super) async fn new(from: &'a PostgresTransfer, scope: &Scope) -> Transferred<Self> {
        let home = snapshot(from, &Spot::Home).await?;
        let tenants = match scope {
            Scope::Tenant(tenant) => vec![Arc::clone(tenant)],
            Scope::Whole => from.tenants_seen(&home).await?.into_iter().collect(),
        };
        let mut steps = VecDeque::new();
        let whole = *scope == Scope::Whole;
        let mut add = |spot: &Spot, of: &dyn Fn(Holds) -> bool, tenant: Option<&Arc<str>>| {
            for place in from.places(spot) {
                if of(from.sheets.all[place.sheet].holds) {
                    steps.push_back(Step { spot: spot.clone(), place, tenant: tenant.cloned() });
                }
            }
        };
        if whole {
            add(&Spot::Home, &|holds| matches!(holds, Holds::Rows { shared: true, .. }), None);
        }
        for tenant in &tenants {
            let spot = from.spot(Some(tenant));
            let known = from.services[0].knows(&Some(Arc::clone(tenant))).await;
            if spot != Spot::Home && !known.map_err(super::unavailable)? {
                continue;
            }
            let filled = |holds| match holds {
                Holds::Rows { shared, .. } => !shared,
                Holds::System(_) => spot != Spot::Home,
            };
            add(&spot, &filled, Some(tenant));
        }
        let tenant = tenants.first().filter(|_| !whole);
        let system =
            |holds| matches!(holds, Holds::System(at) if whole || SYSTEM[at].tenant.is_some());
        add(&Spot::Home, &system, tenant);
        Ok(Self { from, home, own: None, steps, after: None })
    }

    async fn page(&mut self, step: &Step) -> Transferred<Vec<(Plain, Line)>> {
        let by_database = self.from.by_database();
        if let Spot::Of(tenant) = &step.spot
            && by_database
            && self.own.as_ref().is_none_or(|(name, _)| name != tenant)
        {
            self.own = None;
            self.own = Some((Arc::clone(tenant), snapshot(self.from, &step.spot).await?));
        }
        let client = match (&step.spot, &self.own) {
            (Spot::Of(_), Some((_, own))) if by_database => own,
            _ => &self.home,
        };
        let of_one =
            step.tenant.is_some() && step.place.tenant.is_some() && step.spot == Spot::Home;
        let named = step.tenant.as_ref().filter(|_| of_one);
        if let (Some(name), None) = (named, &self.after) {
            client.query_one(SET_TENANT, &[&name.as_ref()]).await.map_err(failed)?;
        }
        let text = step.place.page(&dialect(), of_one, self.after.is_some(), BATCH_ROWS_MAX);
        let named = named.map(|tenant| Plain::Text(tenant.to_string()));
        let values = named.iter().chain(&self.after);
        let values: Vec<&(dyn ToSql + Sync)> =
            values.map(|one| one as &(dyn ToSql + Sync)).collect();
        let rows = client.query(&text, &values).await.map_err(failed)?;
        lines(&rows, &step.place, step.tenant.as_ref())
    }

    async fn next_now(&mut self) -> Transferred<Option<Batch>> {
        while let Some(step) = self.steps.pop_front() {
            let page = self.page(&step).await?;
            self.after = page.last().map(|(key, _)| key.clone());
            let sheet = step.place.sheet;
            match page.len() < BATCH_ROWS_MAX {
                true => self.after = None,
                false => self.steps.push_front(step),
            }
            if !page.is_empty() {
                let lines = page.into_iter().map(|(_, line)| line).collect();
                return Ok(Some(Batch { sheet, lines }));
            }
        }
        Ok(None)
    }
}

impl Reading for PostgresReading<'_> {
    fn next(&mut self) -> Transferred<Option<Batch>> {
        self.from.wait(self.next_now())
    }
}

/// The keys of rows, and what travels of them.
pub(super) fn lines(
    rows: &[Row],
    place: &Place,
    tenant: Option<&Arc<str>>,
) -> Transferred<Vec<(Plain, Line)>> {
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        let misshapen = || {
            let table = &place.table;
            TransferError::Failed(format!("a value of {table} is not of its column's type"))
        };
        let cells = (0..place.width()).map(|at| plain(row, at));
        let mut cells = cells.collect::<Option<Vec<_>>>().ok_or_else(misshapen)?;
        let own = cells.split_off(2);
        let named = match cells.pop() {
            Some(Plain::Text(tenant)) => Some(Arc::from(tenant)),
            _ => None,
        };
        let tenant = named.or_else(|| tenant.cloned());
        lines.extend(cells.pop().map(|key| (key, Line { tenant, cells: own })));
    }
    Ok(lines)
}

/// The snapshot begins now, not with the first question.
async fn snapshot(from: &PostgresTransfer, spot: &Spot) -> Transferred<Client> {
    let client = from.client(spot).await?;
    client.batch_execute(&format!("{SNAPSHOT}; SELECT 1")).await.map_err(failed)?;
    Ok(client)
}
