//! Takes out of Mainstay's own tables what they still say of rows that were erased, and the pages
//! that held it out of the files.

use super::{Spot, SqliteTransfer, at};
use crate::adapters::sql::transfer::hex;
use crate::adapters::sqlite::link::Role;
use crate::adapters::sqlite::system;
use crate::ports::transfer::{BATCH_ROWS_MAX, Forgotten, Trace, Transferred};
use rusqlite::Result;

/// Answers that name one of these rows; ids are texts in an array of JSON.
const ANSWERS: &str = "DELETE FROM \"mainstay_idempotency\" WHERE EXISTS (SELECT 1 FROM \
                       json_each(?1) WHERE instr(\"body\", CAST(value AS BLOB)) > 0 OR \
                       instr(\"headers\", value) > 0)";

/// What an export made is whole or gone: one that holds one of these rows goes as an operation.
const EXPORTS: &str = "DELETE FROM \"mainstay_operations\" WHERE \"id\" IN (SELECT c.\"operation\" \
                       FROM \"mainstay_operation_chunks\" c WHERE c.\"part\" = 'result' AND \
                       EXISTS (SELECT 1 FROM json_each(?1) WHERE instr(c.\"data\", value) > 0))";
/// And then all that was kept of it.
const PIECES: &str = "DELETE FROM \"mainstay_operation_chunks\" WHERE \"operation\" NOT IN \
                      (SELECT \"id\" FROM \"mainstay_operations\")";

impl SqliteTransfer {
    /// Of all files: which of them a row was in is not asked.
    pub(super) fn forget_all(&self, traces: &[Trace]) -> Transferred<Forgotten> {
        let mut forgotten = Forgotten::default();
        for spot in self.spots()?.iter().filter(|spot| matches!(spot, Spot::Of(..))) {
            let path = self.path(spot);
            let link = self.link(spot, Role::Writer)?;
            let mut gone = || -> Result<()> {
                system::extend(&link)?;
                link.connection.execute_batch("PRAGMA secure_delete = ON; BEGIN IMMEDIATE")?;
                for trace in traces {
                    let paths: Vec<_> =
                        trace.members.iter().map(|name| format!("'$.\"{name}\"'")).collect();
                    let removed = format!("json_remove(\"data\", {})", paths.join(", "));
                    // Events that consumers hold are copies.
                    let events = ["outbox", "deliveries"].map(|table| {
                        format!(
                            "UPDATE \"mainstay_{table}\" SET \"data\" = {removed} WHERE \
                             \"resource\" = ?2 AND lower(hex(\"row_id\")) IN (SELECT \
                             replace(value, '-', '') FROM json_each(?1)) AND \"data\" <> {removed}"
                        )
                    });
                    for rows in trace.rows.chunks(BATCH_ROWS_MAX) {
                        let ids = hex(rows).join("\",\"");
                        let ids = format!("[\"{ids}\"]");
                        forgotten.answers += link.statement(ANSWERS)?.execute([&ids])? as u64;
                        if link.statement(EXPORTS)?.execute([&ids])? > 0 {
                            link.statement(PIECES)?.execute([])?;
                        }
                        if !paths.is_empty() {
                            let values = [&ids, &trace.resource];
                            let blank = |text: &str| link.statement(text)?.execute(values);
                            forgotten.events += blank(&events[0])? as u64;
                            blank(&events[1])?;
                        }
                    }
                }
                // What was written over before lies in free pages and in the log until then.
                link.connection.execute_batch("COMMIT; VACUUM")?;
                let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
                link.connection.query_row(checkpoint, [], |_| Ok(()))
            };
            gone().map_err(at(&path))?;
        }
        Ok(forgotten)
    }
}
