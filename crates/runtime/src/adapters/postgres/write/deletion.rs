//! Deleting a row and looking after what refers to it.
//!
//! The row is locked first: nobody can refer to it from then on until the set is committed.

use super::{Apply, Fault, Row, borrowed, bound};
use crate::adapters::postgres::cells::{Bound, Column};
use crate::adapters::postgres::error::misshapen;
use crate::adapters::postgres::link::Session;
use crate::adapters::sql::plan::{self, Action, Referer, TablePlan, Trail};
use crate::adapters::sql::shape::{Cell, Stored};
use crate::ports::audit::Along;
use crate::ports::store::{CommitError, Unavailable};
use futures::FutureExt;
use futures::future::BoxFuture;
use ir::domain::ResourceId;
use std::collections::BTreeSet;

/// Rows that one deletion may take with it.
const ROWS_MAX: usize = 100_000;

/// The rows of one deletion so far.
struct Taken {
    write: usize,
    rows: BTreeSet<(ResourceId, u128)>,
    /// What the trail is to say of them, where it is kept.
    along: Vec<Along>,
}

impl Apply<'_> {
    /// Deletes a root of a version, or a child of an owner; what else went or changed, for the
    /// trail.
    pub(super) async fn delete(
        &self,
        row: Row<'_>,
        id: u128,
        by: &Cell<'static>,
    ) -> Result<Vec<Along>, Fault> {
        let Row { write, resource, .. } = row;
        let table = self.plan.table(resource);
        let cells = || self.by_id(table, id).chain([by.clone()]).collect();
        let lock = format!("{} FOR UPDATE", table.is_version);
        if self.rows(&lock, cells()).await?.is_empty() {
            return Err(CommitError::Conflict { write }.into());
        }
        let (rows, along) = (BTreeSet::from([(resource, id)]), Vec::new());
        let mut taken = Taken { write, rows, along };
        self.look_after(&mut taken, resource, id).await?;
        match self.effect(&table.delete, cells()).await? {
            0 => Err(CommitError::Conflict { write }.into()),
            _ => Ok(taken.along),
        }
    }

    async fn rows(
        &self,
        text: &str,
        cells: Vec<Cell<'_>>,
    ) -> Result<Vec<tokio_postgres::Row>, Fault> {
        let values = bound(cells);
        let rows = self.link.query(&self.text(text), &borrowed(&values)).await;
        rows.map_err(Fault::Undone)
    }

    async fn effect(&self, text: &str, cells: Vec<Cell<'_>>) -> Result<u64, Fault> {
        let values = bound(cells);
        let changed = self.link.execute(&self.text(text), &borrowed(&values)).await;
        changed.map_err(Fault::Undone)
    }

    /// The rows that refer to one, locked.
    async fn referring(&self, referer: &Referer, id: u128) -> Result<Vec<u128>, Fault> {
        let table = self.plan.table(referer.resource);
        let text = format!("{} FOR UPDATE", referer.ids);
        self.ids(&text, table, id).await
    }

    async fn ids(&self, text: &str, table: &TablePlan, id: u128) -> Result<Vec<u128>, Fault> {
        let rows = self.rows(text, self.by_id(table, id).collect()).await?;
        let id = |row: &tokio_postgres::Row| match row.try_get::<_, Column<'_>>(0) {
            Ok(Column(Stored::Bytes(id))) => id.try_into().map(u128::from_be_bytes).ok(),
            Ok(_) | Err(_) => None,
        };
        let ids: Option<Vec<u128>> = rows.iter().map(id).collect();
        ids.ok_or_else(|| CommitError::Unavailable(misshapen(&table.plain_name)).into())
    }

    /// Rows of tenants that refer to a shared one hold it, whatever the reference says: a foreign
    /// key sees to that, or a look at every tenant's database.
    pub(super) fn is_elsewhere(&self, resource: ResourceId, referer: &Referer) -> bool {
        let shared = |resource| self.plan.domain.resource(resource).shared;
        self.apart && shared(resource) && !shared(referer.resource)
    }

    async fn refuse_elsewhere(
        &self,
        write: usize,
        resource: ResourceId,
        id: u128,
    ) -> Result<(), Fault> {
        let session = Session { tenant: None, ..self.session.clone() };
        for referer in &self.plan.table(resource).referers {
            if !self.is_elsewhere(resource, referer) {
                continue;
            }
            for base in &self.elsewhere {
                let value = Bound(plan::id(id));
                let held = base.readers.read(&session, &referer.ids, &[&value]).await;
                let held = held.map_err(CommitError::Unavailable)?;
                if !held.is_empty() {
                    return Err(CommitError::StillReferenced { write, by: referer.resource }.into());
                }
            }
        }
        Ok(())
    }

    /// What goes or changes with a row goes first; what holds on to it then refuses.
    fn look_after<'s>(
        &'s self,
        taken: &'s mut Taken,
        resource: ResourceId,
        id: u128,
    ) -> BoxFuture<'s, Result<(), Fault>> {
        async move {
            let referers = &self.plan.table(resource).referers;
            self.refuse_elsewhere(taken.write, resource, id).await?;
            let here = || referers.iter().filter(|one| !self.is_elsewhere(resource, one));
            for referer in here() {
                match &referer.action {
                    Action::Owned => self.take_all(taken, referer, id, None).await?,
                    Action::Cascade { touch } => {
                        self.take_all(taken, referer, id, touch.as_deref()).await?;
                    }
                    Action::Clear { clear, touch } => {
                        self.tell_cleared(taken, referer, id).await?;
                        self.clear(referer, id, clear, touch.as_deref()).await?;
                    }
                    Action::Restrict => {}
                }
            }
            for referer in here().filter(|one| matches!(one.action, Action::Restrict)) {
                let rows = self.referring(referer, id).await?;
                if rows.iter().any(|row| !taken.rows.contains(&(referer.resource, *row))) {
                    let (write, by) = (taken.write, referer.resource);
                    return Err(CommitError::StillReferenced { write, by }.into());
                }
            }
            Ok(())
        }
        .boxed()
    }

    async fn take_all(
        &self,
        taken: &mut Taken,
        referer: &Referer,
        id: u128,
        touch: Option<&str>,
    ) -> Result<(), Fault> {
        let of = referer.resource;
        let table = self.plan.table(of);
        let delete = || self.effect(&referer.delete_all, self.by_id(table, id).collect());
        let trail = referer.trail.as_ref().filter(|_| self.audited);
        if table.referers.is_empty() && touch.is_none() && trail.is_none() {
            return delete().await.map(|_| ());
        }
        for row in self.referring(referer, id).await? {
            if !taken.rows.insert((of, row)) {
                continue;
            }
            if taken.rows.len() > ROWS_MAX {
                let what = format!("a deletion would take more than {ROWS_MAX} rows with it");
                return Err(CommitError::Unavailable(Unavailable::Broken(what)).into());
            }
            if let Some(trail) = trail {
                let owner = self.owner(trail, of, row).await?;
                taken.along.push(trail.gone(row, owner));
            }
            if let Some(touch) = touch {
                self.effect(touch, self.with_now(of, row)).await?;
            }
            self.look_after(taken, of, row).await?;
        }
        delete().await.map(|_| ())
    }

    /// The owner of a row that is a child.
    async fn owner(&self, trail: &Trail, of: ResourceId, row: u128) -> Result<Option<u128>, Fault> {
        let Some(text) = trail.owner() else { return Ok(None) };
        Ok(self.ids(text, self.plan.table(of), row).await?.first().copied())
    }

    /// Notes the rows whose reference is about to be cleared.
    async fn tell_cleared(
        &self,
        taken: &mut Taken,
        referer: &Referer,
        id: u128,
    ) -> Result<(), Fault> {
        let Some(trail) = referer.trail.as_ref().filter(|_| self.audited) else { return Ok(()) };
        for row in self.referring(referer, id).await? {
            let owner = self.owner(trail, referer.resource, row).await?;
            taken.along.push(trail.cleared(row, owner, id));
            if taken.along.len() > ROWS_MAX {
                let what = format!("a deletion would change more than {ROWS_MAX} rows");
                return Err(CommitError::Unavailable(Unavailable::Broken(what)).into());
            }
        }
        Ok(())
    }

    /// An owner gets its new version before its child no longer names the row.
    async fn clear(
        &self,
        referer: &Referer,
        id: u128,
        clear: &str,
        touch: Option<&str>,
    ) -> Result<(), Fault> {
        let table = self.plan.table(referer.resource);
        match touch {
            Some(touch) => {
                self.effect(touch, self.with_now(referer.resource, id)).await?;
                self.effect(clear, self.by_id(table, id).collect()).await?;
            }
            None => {
                self.effect(clear, self.with_now(referer.resource, id)).await?;
            }
        }
        Ok(())
    }

    fn with_now(&self, resource: ResourceId, id: u128) -> Vec<Cell<'_>> {
        let table = self.plan.table(resource);
        let now = Cell::Int(self.now);
        let tenant = table.tenant.as_ref().map(|_| plan::tenant(self.tenant));
        [Some(now), tenant, Some(plan::id(id))].into_iter().flatten().collect()
    }
}
