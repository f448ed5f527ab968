//! What a database notes of its migrations: the journal, what it remembers, how its tables are.

use super::super::{schema, system};
use super::{Result, Spot};
use crate::adapters::sql::dialect::quote;
use crate::adapters::sql::journal::{self, Place, Step, checksum};
use ir::migration::{Held, Remembered, ScriptStep, Snapshot};
use ir::schema::Schema;
use std::collections::BTreeMap;

/// What was done, in order, with what takes it back; `place` is the service's, or a tenant's.
const JOURNAL: &str = r#"
CREATE TABLE IF NOT EXISTS "mainstay"."migrations" (
  "place" text COLLATE "C" NOT NULL,
  "number" bigint NOT NULL,
  "name" text NOT NULL,
  "checksum" text NOT NULL,
  "text" text NOT NULL,
  "undo" text,
  "before" text NOT NULL,
  "serves" text NOT NULL,
  "time" bigint NOT NULL,
  PRIMARY KEY ("place", "number")
)"#;

/// The last line of the journal.
pub(super) struct Last {
    pub(super) number: i64,
    pub(super) name: String,
    /// Statements that take it back.
    pub(super) undo: Option<Vec<String>>,
    pub(super) before: Remembered,
    /// The models that were served before it.
    pub(super) serves: Vec<String>,
}

/// Makes the journal where there is none.
pub(super) async fn make(spot: &Spot<'_>) -> Result<()> {
    if !there(spot).await? {
        spot.link.plain(JOURNAL).await?;
    }
    Ok(())
}

async fn there(spot: &Spot<'_>) -> Result<bool> {
    let text = "SELECT to_regclass('mainstay.migrations') IS NOT NULL";
    let rows = spot.link.query(text, &[]).await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

/// How far a step has come.
pub(super) async fn progress(spot: &Spot<'_>, sum: &str) -> Result<Place> {
    let noted = system::meta(&spot.link, &spot.progress()).await?;
    Ok(journal::place(noted.as_deref(), sum))
}

/// Notes how far a step has come.
pub(super) async fn set_progress(spot: &Spot<'_>, step: Step<'_>, at: Place) -> Result<()> {
    let noted = journal::noted(step, at);
    Ok(system::set_meta(&spot.link, &spot.progress(), &noted).await?)
}

/// No step is under way.
pub(super) async fn none_underway(spot: &Spot<'_>) -> Result<()> {
    Ok(system::set_meta(&spot.link, &spot.progress(), "").await?)
}

/// The journal's line, with what was remembered before; no step is under way from then on.
pub(super) async fn note(
    spot: &Spot<'_>,
    step: &ScriptStep,
    text: &str,
    sum: &str,
    now: i64,
) -> Result<()> {
    let before = remember(spot, &step.held).await?;
    let before = serde_json::to_string(&before).unwrap_or_default();
    let undo = step.undo.as_ref().and_then(|undo| serde_json::to_string(undo).ok());
    let serves = schema::served(&spot.link, &spot.name).await?;
    let serves = serde_json::to_string(&serves).unwrap_or_default();
    let insert = "INSERT INTO \"mainstay\".\"migrations\" SELECT $1::text, \
                  coalesce(max(\"number\"), 0) + 1, $2::text, $3::text, $4::text, $5::text, \
                  $6::text, $7::text, $8::bigint FROM \"mainstay\".\"migrations\" \
                  WHERE \"place\" = $1::text";
    let link = &spot.link;
    link.execute(insert, &[&spot.name, &step.name, &sum, &text, &undo, &before, &serves, &now])
        .await?;
    none_underway(spot).await
}

/// Changes what is remembered; answers with what would change it back.
pub(super) async fn remember(spot: &Spot<'_>, held: &Remembered) -> Result<Remembered> {
    let key = schema::remembers(&spot.name);
    let before = system::meta(&spot.link, &key).await?;
    let (text, back) = journal::remembered(before.as_deref(), held);
    system::set_meta(&spot.link, &key, &text).await?;
    Ok(back)
}

/// The next number, and the steps whose text is another than was carried out.
pub(super) async fn lines(spot: &Spot<'_>) -> Result<(u64, Vec<String>)> {
    if !there(spot).await? {
        return Ok((1, Vec::new()));
    }
    let text = "SELECT \"name\", \"checksum\", \"text\", \"number\" FROM \
                \"mainstay\".\"migrations\" WHERE \"place\" = $1 ORDER BY \"number\"";
    let (mut next, mut tampered) = (1, Vec::new());
    for row in spot.link.query(text, &[&spot.name]).await? {
        let (name, sum, text): (String, String, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        tampered.extend((checksum(&text) != sum).then_some(name));
        next = row.try_get::<_, i64>(3)?.unsigned_abs() + 1;
    }
    Ok((next, tampered))
}

/// The last line; none where there is none.
pub(super) async fn last(spot: &Spot<'_>) -> Result<Option<Last>> {
    if !there(spot).await? {
        return Ok(None);
    }
    let text = "SELECT \"number\", \"name\", \"undo\", \"before\", \"serves\" FROM \
                \"mainstay\".\"migrations\" WHERE \"place\" = $1 ORDER BY \"number\" DESC LIMIT 1";
    let rows = spot.link.query(text, &[&spot.name]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let undo: Option<String> = row.try_get(2)?;
    let (before, serves): (String, String) = (row.try_get(3)?, row.try_get(4)?);
    Ok(Some(Last {
        number: row.try_get(0)?,
        name: row.try_get(1)?,
        undo: undo.and_then(|undo| serde_json::from_str(&undo).ok()),
        before: serde_json::from_str(&before).unwrap_or_default(),
        serves: serde_json::from_str(&serves).unwrap_or_default(),
    }))
}

/// Takes a line out.
pub(super) async fn forget(spot: &Spot<'_>, number: i64) -> Result<()> {
    let text = "DELETE FROM \"mainstay\".\"migrations\" WHERE \"place\" = $1 AND \"number\" = $2";
    spot.link.execute(text, &[&spot.name, &number]).await?;
    Ok(())
}

/// `"note" text NOT NULL` of each column of each table that is remembered, sorted.
pub(super) async fn structure(
    spot: &Spot<'_>,
    remembered: &str,
    schema: &Schema,
) -> Result<BTreeMap<String, Vec<String>>> {
    let snapshot: Snapshot = serde_json::from_str(remembered).unwrap_or_default();
    let text = "SELECT '\"' || attname || '\" ' || format_type(atttypid, atttypmod) || CASE WHEN \
                attnotnull THEN ' NOT NULL' ELSE '' END FROM pg_catalog.pg_attribute WHERE \
                attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped";
    let mut all = BTreeMap::new();
    for (key, held) in &snapshot.tables {
        let name = name(spot, key, held, schema);
        let mut lines = Vec::new();
        for row in spot.link.query(text, &[&name]).await? {
            lines.push(row.try_get(0)?);
        }
        lines.sort();
        all.insert(key.clone(), lines);
    }
    Ok(all)
}

/// Quoted name of a table; what an older version remembered lacks its parts.
fn name(spot: &Spot<'_>, key: &str, held: &Held, schema: &Schema) -> String {
    if let Some(schema) = &spot.schema {
        return format!("{schema}.{}", quote(key));
    }
    let known = schema.tables.iter().find(|table| table.sql_name() == *key);
    let parts = match known {
        _ if !held.name.is_empty() => Some((held.context.as_str(), held.name.as_str())),
        Some(table) => Some((table.context.as_str(), table.name.as_str())),
        None => key.split_once('_'),
    };
    let (context, name) = parts.unwrap_or_default();
    format!("{}.{}", quote(context), quote(name))
}
