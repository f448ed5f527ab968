//! Which tenants have rows of a resource.

use super::PostgresStore;
use super::error::unavailable;
use super::place::Apart;
use crate::ports::store::{Tenant, Unavailable};
use ir::domain::ResourceId;
use std::sync::Arc;
use tokio_postgres::Error;

/// Tenants with a schema or a database each, by what the name of their entry begins with.
const PLACED: &str = "SELECT \"name\" FROM \"mainstay\".\"meta\" WHERE starts_with(\"name\", $1) \
                      ORDER BY 1";

fn failed(error: Error) -> Unavailable {
    unavailable(&error)
}

impl PostgresStore {
    /// Each once, in order; none alone where the resource has no tenants.
    pub(super) async fn tenants_now(
        &self,
        resource: ResourceId,
    ) -> Result<Vec<Tenant>, Unavailable> {
        let places = &self.places;
        let domain = &places.plan.domain;
        if domain.tenancy.is_none() || domain.resource(resource).shared {
            return Ok(vec![None]);
        }
        let start = match places.config.apart {
            Apart::ByRow => return self.tenants_by_row(resource).await,
            Apart::BySchema => format!("schema of {} of ", places.service()),
            Apart::ByDatabase => "tenant ".to_owned(),
        };
        let session = places.session_of(&None, places.limits.statement_ms_max);
        let rows = places.home.readers.read(&session, PLACED, &[&start]).await?;
        let names = rows.iter().map(|row| row.get::<_, &str>(0));
        let tenants = names.filter_map(|name| name.strip_prefix(start.as_str()));
        Ok(tenants.map(|tenant| Some(Arc::from(tenant))).collect())
    }

    /// From one tenant to the next by the table's key, as a login above row-level security.
    async fn tenants_by_row(&self, resource: ResourceId) -> Result<Vec<Tenant>, Unavailable> {
        let table = self.places.plan.table(resource);
        let Some(column) = &table.tenant else { return Ok(vec![None]) };
        let server = &self.places.home.server;
        if server.role.is_none() {
            let what = "row-level security shows this login the rows of one tenant at a time: \
                        schedules need one that is a superuser or has BYPASSRLS";
            return Err(Unavailable::Broken(what.to_owned()));
        }
        let client = server.client().await.map_err(failed)?;
        let text = |after: &str| format!("SELECT min({column}) FROM {}{after}", table.name);
        let (first, next) = (text(""), text(&format!(" WHERE {column} > $1")));
        let mut tenants: Vec<String> = Vec::new();
        loop {
            let row = match tenants.last() {
                None => client.query_one(&first, &[]).await,
                Some(last) => client.query_one(&next, &[last]).await,
            };
            match row.map_err(failed)?.get::<_, Option<String>>(0) {
                Some(tenant) => tenants.push(tenant),
                None => break,
            }
        }
        Ok(tenants.into_iter().map(|tenant| Some(Arc::from(tenant))).collect())
    }
}
