//! Proofs and backfills see the rows of every tenant, though row-level security is forced.
//!
//! A login that stands above it is used as itself. Any other gets a policy for as long as the
//! migration runs, which lets a session see all rows that knows a number drawn at random: no
//! session but ours does, and none that serves ever sets it.

use super::{PostgresMigrations, Result, Spot, carry, like, locked};
use crate::adapters::sql::dialect::quote;

/// Begins the names of our policies.
const NAME: &str = "mainstay_sees_";

impl Spot<'_> {
    /// Runs something as who logs in, where that is somebody above row-level security.
    pub(super) async fn as_login<T>(&self, run: impl AsyncFnOnce() -> Result<T>) -> Result<T> {
        let Some(role) = self.server.role else { return run().await };
        self.link.plain("RESET ROLE").await?;
        let done = run().await?;
        self.link.plain(&format!("SET ROLE {}", quote(role))).await?;
        Ok(done)
    }

    /// Every row is seen from now on: by who logs in, or by a policy.
    pub(super) async fn sees_all(&self) -> Result<()> {
        if self.server.role.is_some() {
            return Ok(());
        }
        let text = "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c \
                    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                    WHERE c.relkind = 'r' AND c.relforcerowsecurity \
                    AND pg_has_role(c.relowner, 'USAGE') AND NOT EXISTS (SELECT 1 FROM \
                    pg_catalog.pg_policy p WHERE p.polrelid = c.oid AND p.polname::text = $1)";
        let (token, name) = (&self.of.token, self.of.policy());
        for row in self.link.query(text, &[&name]).await? {
            let table: String = row.try_get(0)?;
            *locked(&self.of.sees) = true;
            let create = format!(
                "CREATE POLICY {} ON {table} USING (current_setting('mainstay.migration', true) = \
                 '{token}')",
                quote(&name)
            );
            carry::patient(&self.link, async || Ok(self.link.plain(&create).await?)).await?;
        }
        Ok(())
    }
}

impl PostgresMigrations {
    fn policy(&self) -> String {
        format!("{NAME}{}", &self.token[..16])
    }

    /// Takes our policies back.
    pub(super) async fn close_eyes(&self) -> Result<()> {
        match *locked(&self.sees) {
            true => {}
            false => return Ok(()),
        }
        self.drop_policies(&self.policy()).await
    }

    /// Takes back those of migrations that were killed.
    pub(super) async fn sweep_eyes(&self) -> Result<()> {
        self.drop_policies(NAME).await
    }

    async fn drop_policies(&self, start: &str) -> Result<()> {
        let link = self.connected(&self.places.home.server).await?;
        let text = "SELECT format('DROP POLICY IF EXISTS %I ON %I.%I', policyname, schemaname, \
                    tablename) FROM pg_catalog.pg_policies WHERE policyname LIKE $1";
        for row in link.query(text, &[&format!("{}%", like(start))]).await? {
            let text: String = row.try_get(0)?;
            carry::patient(&link, async || Ok(link.plain(&text).await?)).await?;
        }
        Ok(())
    }
}
