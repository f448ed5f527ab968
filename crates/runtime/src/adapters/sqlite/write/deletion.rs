//! Deleting a row and looking after what refers to it.

use super::{Apply, broken, is_constraint, run};
use crate::adapters::sql::plan::{self, Action, Referer, Trail};
use crate::adapters::sql::shape::Cell;
use crate::adapters::sqlite::error::unavailable;
use crate::adapters::sqlite::layout::File;
use crate::ports::store::{CommitError, Unavailable};
use ir::domain::ResourceId;
use std::collections::BTreeSet;

/// Rows that one deletion may take with it.
const ROWS_MAX: usize = 100_000;

/// The rows of one deletion so far.
struct Taken {
    write: usize,
    rows: BTreeSet<(ResourceId, u128)>,
}

impl Apply<'_> {
    pub(super) fn delete(
        &self,
        write: usize,
        resource: ResourceId,
        id: u128,
        expected: i64,
    ) -> Result<(), CommitError> {
        let table = self.plan().table(resource);
        let cells = || self.by_id(table, id).chain([Cell::Int(expected)]);
        let there = self.link.exists(&table.is_version, cells());
        if !there.map_err(|error| broken(&error))? {
            return Err(CommitError::Conflict { write });
        }
        let mut taken = Taken { write, rows: BTreeSet::from([(resource, id)]) };
        self.look_after(&mut taken, resource, id)?;
        match self.link.execute(&table.delete, cells()) {
            Ok(1) => Ok(()),
            Ok(_) => Err(CommitError::Conflict { write }),
            Err(error) if is_constraint(&error) => {
                Err(CommitError::StillReferenced { write, by: resource })
            }
            Err(error) => Err(broken(&error)),
        }
    }

    /// Deletes every row of the tenant; what rows of others refer to is held.
    pub(super) fn clear_all(&self, write: usize, resource: ResourceId) -> Result<(), CommitError> {
        let table = self.plan().table(resource);
        for referer in &table.referers {
            if matches!(referer.action, Action::Owned) {
                self.clear_all(write, referer.resource)?;
            }
        }
        let of_one = match &table.tenant {
            Some(tenant) => format!(" WHERE {tenant} = ?1"),
            None => String::new(),
        };
        let text = format!("DELETE FROM {}{of_one}", table.name);
        match self.link.execute(&text, self.tenant_cell(table)) {
            Ok(_) => Ok(()),
            Err(error) if is_constraint(&error) => {
                Err(CommitError::StillReferenced { write, by: resource })
            }
            Err(error) => Err(broken(&error)),
        }
    }

    /// False where the row is not that owner's.
    pub(super) fn delete_child(
        &self,
        write: usize,
        resource: ResourceId,
        id: u128,
        owner: u128,
    ) -> Result<bool, CommitError> {
        let mut taken = Taken { write, rows: BTreeSet::from([(resource, id)]) };
        self.look_after(&mut taken, resource, id)?;
        let table = self.plan().table(resource);
        let cells = self.by_id(table, id).chain([plan::id(owner)]);
        let deleted = self.link.execute(&table.delete, cells);
        deleted.map(|rows| rows == 1).map_err(|error| broken(&error))
    }

    /// What goes or changes with a row goes first; what holds on to it then refuses.
    fn look_after(
        &self,
        taken: &mut Taken,
        resource: ResourceId,
        id: u128,
    ) -> Result<(), CommitError> {
        let referers = &self.plan().table(resource).referers;
        for referer in referers {
            if !self.layout.holds(self.file, referer.resource) {
                self.refuse_elsewhere(taken.write, referer, id)?;
                continue;
            }
            match &referer.action {
                Action::Owned => self.take_all(taken, referer, id, None)?,
                Action::Cascade { touch } => self.take_all(taken, referer, id, touch.as_deref())?,
                Action::Clear { clear, touch } => {
                    self.tell_cleared(taken.write, referer, id)?;
                    self.clear(referer, id, clear, touch.as_deref())?;
                }
                Action::Restrict => {}
            }
        }
        for referer in referers {
            if matches!(referer.action, Action::Restrict)
                && self.layout.holds(self.file, referer.resource)
            {
                self.refuse_held(taken, referer, id)?;
            }
        }
        Ok(())
    }

    fn take_all(
        &self,
        taken: &mut Taken,
        referer: &Referer,
        id: u128,
        touch: Option<&str>,
    ) -> Result<(), CommitError> {
        let of = referer.resource;
        let table = self.plan().table(of);
        let trail = referer.trail.as_ref().filter(|_| self.audited);
        if table.referers.is_empty() && touch.is_none() && trail.is_none() {
            return run(self.link, &referer.delete_all, self.by_id(table, id).collect())
                .map(|_| ());
        }
        let ids = self.link.ids(&referer.ids, self.by_id(table, id));
        for row in ids.map_err(|error| broken(&error))? {
            if !taken.rows.insert((of, row)) {
                continue;
            }
            if taken.rows.len() > ROWS_MAX {
                let what = format!("a deletion would take more than {ROWS_MAX} rows with it");
                return Err(CommitError::Unavailable(Unavailable::Broken(what)));
            }
            if let Some(trail) = trail {
                let along = trail.gone(row, self.owner(trail, of, row)?);
                self.along.borrow_mut().push((taken.write, along));
            }
            if let Some(touch) = touch {
                run(self.link, touch, self.with_now(of, row))?;
            }
            self.look_after(taken, of, row)?;
        }
        run(self.link, &referer.delete_all, self.by_id(table, id).collect()).map(|_| ())
    }

    /// The owner of a row that is a child.
    fn owner(&self, trail: &Trail, of: ResourceId, row: u128) -> Result<Option<u128>, CommitError> {
        let Some(text) = trail.owner() else { return Ok(None) };
        let table = self.plan().table(of);
        let owners = self.link.ids(text, self.by_id(table, row));
        Ok(owners.map_err(|error| broken(&error))?.first().copied())
    }

    /// Notes the rows whose reference is about to be cleared.
    fn tell_cleared(&self, write: usize, referer: &Referer, id: u128) -> Result<(), CommitError> {
        let Some(trail) = referer.trail.as_ref().filter(|_| self.audited) else { return Ok(()) };
        let of = referer.resource;
        let ids = self.link.ids(&referer.ids, self.by_id(self.plan().table(of), id));
        for row in ids.map_err(|error| broken(&error))? {
            let along = trail.cleared(row, self.owner(trail, of, row)?, id);
            let mut all = self.along.borrow_mut();
            all.push((write, along));
            if all.len() > ROWS_MAX {
                let what = format!("a deletion would change more than {ROWS_MAX} rows");
                return Err(CommitError::Unavailable(Unavailable::Broken(what)));
            }
        }
        Ok(())
    }

    /// An owner gets its new version before its child no longer names the row.
    fn clear(
        &self,
        referer: &Referer,
        id: u128,
        clear: &str,
        touch: Option<&str>,
    ) -> Result<(), CommitError> {
        let table = self.plan().table(referer.resource);
        match touch {
            Some(touch) => {
                run(self.link, touch, self.with_now(referer.resource, id))?;
                run(self.link, clear, self.by_id(table, id).collect())?;
            }
            None => {
                run(self.link, clear, self.with_now(referer.resource, id))?;
            }
        }
        Ok(())
    }

    fn with_now(&self, resource: ResourceId, id: u128) -> Vec<Cell<'_>> {
        let table = self.plan().table(resource);
        [Cell::Int(self.now)].into_iter().chain(self.by_id(table, id)).collect()
    }

    fn refuse_held(&self, taken: &Taken, referer: &Referer, id: u128) -> Result<(), CommitError> {
        let by = referer.resource;
        let table = self.plan().table(by);
        let ids = self.link.ids(&referer.ids, self.by_id(table, id));
        let ids = ids.map_err(|error| broken(&error))?;
        if ids.iter().all(|row| taken.rows.contains(&(by, *row))) {
            return Ok(());
        }
        Err(CommitError::StillReferenced { write: taken.write, by })
    }

    /// A shared row that rows in the files of tenants refer to is held, whatever the reference
    /// says: no file changes with another's transaction.
    fn refuse_elsewhere(
        &self,
        write: usize,
        referer: &Referer,
        id: u128,
    ) -> Result<(), CommitError> {
        let broken_open = |error: String| CommitError::Unavailable(Unavailable::Broken(error));
        let tenants = self.layout.tenants().map_err(|error| broken_open(error.to_string()))?;
        for tenant in tenants {
            let file = File::Tenant(tenant);
            let link = self.layout.reader(&file).map_err(CommitError::Unavailable)?;
            let Some(link) = link else { continue };
            let held = link.exists(&referer.ids, [plan::id(id)]);
            if held.map_err(|error| CommitError::Unavailable(unavailable(&error)))? {
                return Err(CommitError::StillReferenced { write, by: referer.resource });
            }
        }
        Ok(())
    }
}
