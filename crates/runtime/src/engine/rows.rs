//! The rows that one call knows: read from the stores, or changed by itself and not yet committed.

use super::{Engine, Failure};
use crate::plan::needs::{Path, targets};
use crate::record::Record;
use crate::request::Call;
use ir::domain::{FieldId, ResourceId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows by resource and id.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    slots: BTreeMap<(ResourceId, u128), Slot>,
}

#[derive(Debug)]
struct Slot {
    /// None where there is no such row, or it has been deleted.
    record: Option<Arc<Record>>,
    /// Its children are loaded too.
    whole: bool,
}

impl Rows {
    /// A row that is known.
    pub(crate) fn get(&self, resource: ResourceId, id: u128) -> Option<&Record> {
        self.slots.get(&(resource, id))?.record.as_deref()
    }

    /// The same to keep: a row with its children is shared, not copied.
    pub(crate) fn shared(&self, resource: ResourceId, id: u128) -> Option<Arc<Record>> {
        self.slots.get(&(resource, id))?.record.clone()
    }

    /// The row as this call leaves it; none: deleted.
    pub(crate) fn put(&mut self, resource: ResourceId, id: u128, record: Option<Arc<Record>>) {
        self.slots.insert((resource, id), Slot { record, whole: true });
    }

    /// Reads the rows that are not known yet, all in one call of the store; with their children
    /// where `whole`.
    pub(crate) async fn fetch(
        &mut self,
        engine: &Engine,
        call: &Call,
        resource: ResourceId,
        ids: &[u128],
        whole: bool,
    ) -> Result<(), Failure> {
        let known =
            |id: &u128| self.slots.get(&(resource, *id)).is_some_and(|slot| slot.whole || !whole);
        let mut missing: Vec<u128> = ids.iter().copied().filter(|id| !known(id)).collect();
        missing.sort_unstable();
        missing.dedup();
        if missing.is_empty() {
            return Ok(());
        }
        let store = engine.store(resource);
        let children = &engine.plan.resource(resource).child_fields;
        let children = if whole { children.as_slice() } else { &[] };
        let read = store.get(&call.tenant, resource, &missing, children, &call.bindings).await?;
        for id in missing {
            self.slots.insert((resource, id), Slot { record: None, whole });
        }
        for record in read {
            let key = (resource, record.id);
            self.slots.insert(key, Slot { record: Some(Arc::new(record)), whole });
        }
        Ok(())
    }

    /// The row with its children.
    pub(crate) async fn whole(
        &mut self,
        engine: &Engine,
        call: &Call,
        resource: ResourceId,
        id: u128,
    ) -> Result<Option<Arc<Record>>, Failure> {
        self.fetch(engine, call, resource, &[id], true).await?;
        Ok(self.shared(resource, id))
    }

    /// Follows references from rows of a resource, one batched call for each relation, so that
    /// expressions over those rows can be evaluated.
    pub(crate) async fn follow(
        &mut self,
        engine: &Engine,
        call: &Call,
        from: ResourceId,
        seeds: &[&Record],
        paths: &[Path],
    ) -> Result<(), Failure> {
        for path in paths {
            let Some(first) = path.first() else { continue };
            let mut ids: Vec<u128> =
                seeds.iter().filter_map(|record| record.value(*first).as_uuid()).collect();
            let resources = targets(&engine.plan.domain, from, path);
            for (at, resource) in resources.iter().enumerate() {
                self.fetch(engine, call, *resource, &ids, false).await?;
                let Some(next) = path.get(at + 1) else { break };
                let step = |id: &u128| self.get(*resource, *id)?.value(*next).as_uuid();
                ids = ids.iter().filter_map(step).collect();
            }
        }
        Ok(())
    }

    /// The row at the end of a path of references from a row.
    pub(crate) fn end(
        &self,
        domain: &ir::domain::Domain,
        from: ResourceId,
        record: &Record,
        path: &[FieldId],
    ) -> Option<&Record> {
        let mut at = record;
        let mut resource = from;
        let mut end = None;
        for step in path {
            let field = domain.resource(resource).fields.get(step.index())?;
            let ir::domain::Kind::Reference { target, .. } = field.kind else { return None };
            let next = self.get(target, at.value(*step).as_uuid()?)?;
            (resource, at, end) = (target, next, Some(next));
        }
        end
    }
}
