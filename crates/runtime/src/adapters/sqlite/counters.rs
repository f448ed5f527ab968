//! Counters that wait to be written: the next group takes them along, at the latest after a
//! second. A crash loses what came since.

use super::layout::File;
use super::link::Link;
use crate::adapters::sql::plan::{self, Plan};
use crate::adapters::sql::shape::Cell;
use crate::ports::store::Tenant;
use ir::domain::{FieldId, ResourceId};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Microseconds that an increment waits at most.
pub(super) const WAIT_MICROS_MAX: i64 = 1_000_000;

/// Which counter of which row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Counter {
    pub(super) tenant: Tenant,
    pub(super) resource: ResourceId,
    pub(super) id: u128,
    pub(super) field: FieldId,
}

/// Increments by file.
#[derive(Default)]
pub(super) struct Counters {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    by_file: BTreeMap<File, BTreeMap<Counter, i64>>,
    entries: usize,
    since: Option<i64>,
}

impl Counters {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an increment. True where it is the first or one too many: the writer must be told.
    pub(super) fn add(&self, file: File, counter: Counter, by: i64, now: i64, max: usize) -> bool {
        let mut waiting = self.lock();
        let first = waiting.since.is_none();
        waiting.since.get_or_insert(now);
        let before = waiting.by_file.get(&file).map_or(0, BTreeMap::len);
        let of_file = waiting.by_file.entry(file).or_default();
        let sum = of_file.entry(counter).or_default();
        *sum = sum.saturating_add(by);
        let grown = of_file.len() - before;
        waiting.entries += grown;
        first || (grown > 0 && waiting.entries >= max)
    }

    /// When the oldest must be written; none where none waits.
    pub(super) fn due(&self, max: usize) -> Option<i64> {
        let waiting = self.lock();
        let since = waiting.since?;
        Some(if waiting.entries >= max { since } else { since.saturating_add(WAIT_MICROS_MAX) })
    }

    /// Files with increments.
    pub(super) fn files(&self) -> Vec<File> {
        self.lock().by_file.keys().cloned().collect()
    }

    /// Takes those of a file.
    pub(super) fn take(&self, file: &File) -> BTreeMap<Counter, i64> {
        let mut waiting = self.lock();
        let taken = waiting.by_file.remove(file).unwrap_or_default();
        waiting.entries -= taken.len();
        if waiting.by_file.is_empty() {
            waiting.since = None;
        }
        taken
    }

    /// Gives back what could not be written.
    pub(super) fn give_back(&self, file: &File, taken: BTreeMap<Counter, i64>, now: i64) {
        for (counter, by) in taken {
            self.add(file.clone(), counter, by, now, usize::MAX);
        }
    }
}

/// Writes increments of a file; a row that is gone is no fault.
pub(super) fn write(
    link: &Link,
    plan: &Plan,
    taken: &BTreeMap<Counter, i64>,
) -> rusqlite::Result<()> {
    for (counter, by) in taken {
        let table = plan.table(counter.resource);
        let statement = table.count.iter().find(|(field, _)| *field == counter.field);
        let Some((_, statement)) = statement else { continue };
        let tenant = table.tenant.as_ref().map(|_| plan::tenant(counter.tenant.as_deref()));
        let cells = [Some(Cell::Int(*by)), tenant, Some(plan::id(counter.id))];
        link.execute(statement, cells.into_iter().flatten())?;
    }
    Ok(())
}
