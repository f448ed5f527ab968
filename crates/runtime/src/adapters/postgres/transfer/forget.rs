//! Takes out of Mainstay's own tables what they still say of rows that were erased, beside backends
//! that run.

use super::{PostgresTransfer, Spot, failed};
use crate::adapters::sql::transfer::hex;
use crate::ports::transfer::{BATCH_ROWS_MAX, Forgotten, Trace, Transferred};
use std::sync::Arc;

const ANSWERS: &str = "DELETE FROM \"mainstay\".\"idempotency\" WHERE EXISTS (SELECT 1 FROM \
                       unnest($1::text[]) AS id WHERE position(convert_to(id, 'UTF8') IN \
                       \"body\") > 0 OR position(id IN \"headers\"::text) > 0)";
/// What an export made is whole or gone: one that holds one of these rows goes as an operation.
const EXPORTS: &str = "DELETE FROM \"mainstay\".\"operations\" WHERE \"id\" IN (SELECT \
                       c.\"operation\" FROM \"mainstay\".\"operation_chunks\" c WHERE c.\"part\" \
                       = 'result' AND EXISTS (SELECT 1 FROM unnest($1::text[]) AS id WHERE \
                       position(id IN c.\"data\") > 0))";
/// And then all that was kept of it.
const PIECES: &str = "DELETE FROM \"mainstay\".\"operation_chunks\" c WHERE NOT EXISTS (SELECT 1 \
                      FROM \"mainstay\".\"operations\" o WHERE o.\"id\" = c.\"operation\")";
const EVENTS: &str = "UPDATE \"mainstay\".\"outbox\" SET \"data\" = (\"data\"::jsonb - \
                      $1::text[])::json WHERE \"resource\" = $2 AND \"row_id\"::text = \
                      ANY($3::text[]) AND \"data\"::jsonb ?| $1::text[]";

impl PostgresTransfer {
    pub(super) async fn forget_all(
        &self,
        tenants: &[Arc<str>],
        traces: &[Trace],
    ) -> Transferred<Forgotten> {
        let mut forgotten = Forgotten::default();
        let mut spots = vec![Spot::Home];
        if self.services[0].are_apart() {
            spots.extend(tenants.iter().map(|tenant| Spot::Of(Arc::clone(tenant))));
        }
        for spot in spots {
            // Schemas of tenants are in the database itself.
            let link = self.link(&spot).await?;
            if spot == Spot::Home || self.by_database() {
                for trace in traces {
                    for rows in trace.rows.chunks(BATCH_ROWS_MAX) {
                        let ids = hex(rows);
                        let answers = link.execute(ANSWERS, &[&ids]).await;
                        forgotten.answers += answers.map_err(failed)?;
                        if link.execute(EXPORTS, &[&ids]).await.map_err(failed)? > 0 {
                            link.execute(PIECES, &[]).await.map_err(failed)?;
                        }
                        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
                            [&trace.members, &trace.resource, &ids];
                        let events = link.execute(EVENTS, &values).await;
                        forgotten.events += events.map_err(failed)?;
                        // Events that consumers hold are copies.
                        let held = EVENTS.replace("\"outbox\"", "\"deliveries\"");
                        link.execute(&held, &values).await.map_err(failed)?;
                    }
                }
            }
            // What is written over stays in the files until it is cleaned away.
            for place in self.places(&spot) {
                link.plain(&format!("VACUUM {}", place.table)).await.map_err(failed)?;
            }
        }
        Ok(forgotten)
    }
}
