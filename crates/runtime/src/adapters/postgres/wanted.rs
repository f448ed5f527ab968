//! What a place of rows is to hold, and for which model it may be made.

use super::error::OpenError;
use super::place::{Apart, Places, schema_of};
use super::schema::{Wanted, served, without_exclusions};
use crate::adapters::sql::dialect::TENANT;
use crate::ports::store::Unavailable;
use ir::migration::Snapshot;
use ir::schema::Table;

impl Places {
    /// What the database itself is to hold, or the place of a tenant.
    pub(super) fn wanted(&self, tenant: Option<&str>) -> Wanted {
        let (config, domain) = (&self.config, &self.plan.domain);
        let own = tenant.is_some();
        let here = |table: &Table| {
            let shared = domain.resource(table.resource).shared;
            config.contexts.contains(&table.context) && (!self.are_apart() || shared != own)
        };
        let tables = match own && config.apart == Apart::BySchema {
            true => Snapshot::reaching(&self.plan.schema, &here),
            false => Snapshot::of(&self.plan.schema, &here),
        };
        let ddl = match (tenant, config.apart) {
            (Some(tenant), Apart::BySchema) => {
                let schema = schema_of(tenant);
                let tables = config.tenant_ddl.iter().map(|text| text.replace(TENANT, &schema));
                std::iter::once(format!("CREATE SCHEMA {schema}")).chain(tables).collect()
            }
            (Some(_), _) => config.tenant_ddl.clone(),
            (None, _) => config.ddl.clone(),
        };
        let mut ddl: Vec<String> = ddl;
        if !self.home.indexes_words {
            ddl.retain(|text| !text.contains(" gin_trgm_ops"));
        }
        if self.looks_for_overlaps() {
            ddl.retain(|text| !text.ends_with(" btree_gist"));
            ddl.iter_mut().for_each(|text| *text = without_exclusions(text));
        }
        let tables = serde_json::to_string(&tables).unwrap_or_default();
        let (name, fingerprint) = (self.name(tenant), self.fingerprint.clone());
        let theirs = config.demands.iter();
        let theirs = theirs.map(|demand| (demand.schema.clone(), demand.name.clone())).collect();
        Wanted { name, ddl, theirs, tables, fingerprint, now: config.clock.now() }
    }

    /// Under which name a place is remembered in its database.
    pub(super) fn name(&self, tenant: Option<&str>) -> String {
        match tenant {
            Some(tenant) if self.config.apart == Apart::BySchema => {
                format!("{} of {tenant}", self.config.service)
            }
            Some(_) | None => self.config.service.clone(),
        }
    }

    /// A place that is new is made for the newest model: a process of a former one makes none.
    pub(super) async fn check_newest(&self, tenant: &str) -> Result<(), Unavailable> {
        if self.exists(tenant).await? {
            return Ok(());
        }
        let link = self.home.writers.lease(None).await?;
        let models = served(&link, &self.config.service).await;
        link.ended();
        let models = models.map_err(|error| super::error::unavailable(&error))?;
        match models.last() == Some(&self.fingerprint) {
            true => Ok(()),
            false => Err(Unavailable::Broken(format!(
                "the place of tenant `{tenant}` is made by processes of the newest model alone"
            ))),
        }
    }

    /// A connection stays from now on: by its name others know that this model is in use.
    pub(super) async fn show(&self) -> Result<(), OpenError> {
        let session = self.session_of(&None, self.limits.statement_ms_max);
        let shown = self.home.readers.read(&session, "SELECT 1", &[]).await;
        let server = || self.config.address.shown();
        shown
            .map(drop)
            .map_err(|why| OpenError::Unreachable { server: server(), cause: format!("{why:?}") })
    }
}
