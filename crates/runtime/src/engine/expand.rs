//! Relations shown with the rows: each reference asked for once, with the caller's own rights.

use super::Failure;
use super::rows::Rows;
use super::unit::Unit;
use crate::plan::list::Expand;
use crate::record::Record;
use std::sync::Arc;

impl Unit<'_> {
    /// The rows that references lead to and the caller may see, one batched call a relation.
    pub(crate) async fn expand(
        &mut self,
        records: &[Record],
        expands: &[&Expand],
    ) -> Result<Rows, Failure> {
        let mut visible = Rows::default();
        for expand in expands {
            let Some((field, target)) = expand.reference else { continue };
            let mut ids: Vec<u128> = match expand.children {
                None => records.iter().filter_map(|row| row.value(field).as_uuid()).collect(),
                Some((children, _)) => records
                    .iter()
                    .flat_map(|row| row.children_of(children))
                    .filter_map(|row| row.value(field).as_uuid())
                    .collect(),
            };
            ids.sort_unstable();
            ids.dedup();
            self.look(target, &ids, true).await?;
            let mut rows: Vec<Arc<Record>> = ids
                .into_iter()
                .filter(|id| self.sees(target, *id))
                .filter_map(|id| self.rows.shared(target, id))
                .collect();
            if self.needs_asking(target) {
                let mut own: Vec<Record> = rows.iter().map(|row| Record::clone(row)).collect();
                self.ask(target, &mut own).await?;
                rows = own.into_iter().map(Arc::new).collect();
            }
            let shown = &self.engine.plan.resource(target).rules.shown;
            if !shown.is_empty() {
                let seeds: Vec<&Record> = rows.iter().map(|row| &**row).collect();
                self.follow(target, &seeds, shown).await?;
            }
            for row in rows {
                visible.put(target, row.id, Some(row));
            }
        }
        Ok(visible)
    }
}
