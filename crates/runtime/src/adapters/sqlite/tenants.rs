//! Which tenants have rows of a resource.

use super::SqliteStore;
use super::layout::File;
use super::link::Link;
use crate::ports::store::{Tenant, Unavailable};
use ir::domain::ResourceId;
use rusqlite::Result;
use std::sync::Arc;

impl SqliteStore {
    /// Each once, in order; none alone where the resource has no tenants.
    pub(super) fn tenants_now(&self, resource: ResourceId) -> Result<Vec<Tenant>, Unavailable> {
        let table = self.plan.table(resource);
        let domain = &self.plan.domain;
        if domain.tenancy.is_none() || domain.resource(resource).shared {
            return Ok(vec![None]);
        }
        if self.layout.per_tenant() {
            let broken = |error: super::OpenError| Unavailable::Broken(error.to_string());
            return Ok(self.layout.tenants().map_err(broken)?.into_iter().map(Some).collect());
        }
        let Some(column) = &table.tenant else { return Ok(vec![None]) };
        let text = |after: &str| format!("SELECT min({column}) FROM {}{after}", table.name);
        let (first, next) = (text(""), text(&format!(" WHERE {column} > ?1")));
        let read = |link: &Link| step_by_step(link, &first, &next);
        let tenants = self.readers.with(&File::Service, 0, None, read, Vec::new)?;
        Ok(tenants.into_iter().map(|tenant| Some(Arc::from(tenant))).collect())
    }
}

/// From one tenant to the next by the table's key: as many steps as tenants, not as rows.
fn step_by_step(link: &Link, first: &str, next: &str) -> Result<Vec<String>> {
    let mut tenants: Vec<String> = Vec::new();
    loop {
        let found: Option<String> = match tenants.last() {
            None => link.statement(first)?.query_row([], |row| row.get(0))?,
            Some(last) => link.statement(next)?.query_row([last], |row| row.get(0))?,
        };
        match found {
            Some(tenant) => tenants.push(tenant),
            None => return Ok(tenants),
        }
    }
}
