//! Whether the audit trail can travel: each service keeps one of its own in its files, and two
//! chains of one name can't become one, for each entry is proven by the one before it.

use super::{Spot, SqliteTransfer, at};
use crate::adapters::sqlite::link::Role;
use crate::ports::transfer::{Scope, TransferError, Transferred};
use std::collections::BTreeMap;

const THERE: &str = "SELECT 1 FROM sqlite_schema WHERE name = 'mainstay_audit_chains'";
const CHAINS: &str = "SELECT \"chain\" FROM \"mainstay_audit_chains\"";

impl SqliteTransfer {
    /// Refuses trails that several services keep under one name, before anything is read.
    pub(super) fn check_chains(&self, spots: &[Spot], scope: &Scope) -> Transferred<()> {
        if self.services.len() < 2 {
            return Ok(());
        }
        let mut seen: BTreeMap<String, &Spot> = BTreeMap::new();
        for spot in spots {
            for chain in self.chains(spot)? {
                let ours = match scope {
                    Scope::Whole => true,
                    Scope::Tenant(tenant) => **tenant == *chain,
                };
                let Some(other) = seen.insert(chain.clone(), spot).filter(|_| ours) else {
                    continue;
                };
                let whose = match chain.as_str() {
                    "" => "what no tenant owns".to_owned(),
                    tenant => format!("tenant `{tenant}`"),
                };
                return Err(TransferError::Failed(format!(
                    "the audit trail of {whose} is kept by two services, in `{}` and `{}`: their \
                     chains can't become one, and without them the rows do not go; stay on files, \
                     which `mainstay backup` copies as they are",
                    self.path(other).display(),
                    self.path(spot).display()
                )));
            }
        }
        Ok(())
    }

    fn chains(&self, spot: &Spot) -> Transferred<Vec<String>> {
        let (path, Spot::Of(..)) = (self.path(spot), spot) else { return Ok(Vec::new()) };
        let link = self.link(spot, Role::Reader)?;
        let chains = || {
            if !link.exists(THERE, [])? {
                return Ok(Vec::new());
            }
            let mut statement = link.statement(CHAINS)?;
            statement.query_map([], |row| row.get(0))?.collect()
        };
        chains().map_err(at(&path))
    }
}
