//! What happened, log by log, for whoever follows it at the store itself.

use super::part::READ_BYTES_MAX;
use crate::plan::Plan;
use crate::ports::events::{Logged, Place};
use crate::ports::store::{Store, Unavailable};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Events of a log that are read at once.
const ROWS_MAX: u32 = 512;

/// How far somebody has read in all logs.
#[derive(Debug, Default)]
pub struct Tail {
    /// By service and place.
    positions: BTreeMap<(usize, Place), i64>,
}

/// An instant as it is written on the wire, in microseconds since 1970.
pub fn instant(text: &str) -> Option<i64> {
    crate::json::time::read_timestamp(text)
}

impl Tail {
    /// Some of the next events of every log, oldest first, each once; none where all are read. What
    /// follows may be older where there are several logs.
    ///
    /// # Errors
    /// Where a store can't be read.
    pub async fn next(
        &mut self,
        plan: &Plan,
        stores: &[Arc<dyn Store>],
    ) -> Result<Option<Vec<Logged>>, Unavailable> {
        let (mut all, mut any) = (Vec::new(), false);
        for (service, store) in stores.iter().enumerate() {
            let Some(log) = store.eventing() else { continue };
            for place in log.places().await? {
                let position = self.positions.entry((service, place.clone())).or_default();
                let read = log.after(&place, *position, ROWS_MAX, READ_BYTES_MAX).await?;
                let Some(last) = read.last() else { continue };
                (*position, any) = (last.position, true);
                // Services in one database have one log; of what no model knows any more nobody
                // can say whose it was.
                let whose = |event: &Logged| plan.service_of_resource(&event.resource);
                let own = |event: &Logged| whose(event).is_none_or(|of| of == service);
                all.extend(read.into_iter().filter(own));
            }
        }
        all.sort_by_key(|event| (event.time, event.id));
        all.dedup_by_key(|event| event.id);
        Ok(any.then_some(all))
    }
}
