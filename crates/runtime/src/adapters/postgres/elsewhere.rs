//! Shared rows that a filter over a tenant's own database looks at: no statement reaches into
//! another database, so they come along as a parameter. What tenants share is small.

use super::cells::{Bound, Column};
use super::link::Session;
use super::place::Places;
use super::read::Value;
use crate::adapters::sql::dialect::{ELSEWHERE, quote};
use crate::adapters::sql::shape::{Cell, Stored};
use crate::ports::store::Unavailable;
use ir::domain::ResourceId;
use ir::schema::{Storage, Table};
use std::borrow::Cow;

/// Shared rows that a filter may look at.
const ROWS_MAX: usize = 10_000;

/// The text with what it looks at elsewhere as further parameters.
pub(super) async fn fetched<'t>(
    places: &Places,
    session: &Session,
    text: Cow<'t, str>,
    values: &mut Vec<Value<'_>>,
) -> Result<Cow<'t, str>, Unavailable> {
    if !text.contains(ELSEWHERE) {
        return Ok(text);
    }
    let mut text = text.into_owned();
    while let Some(at) = text.find(ELSEWHERE) {
        let digits = text[at + ELSEWHERE.len()..].bytes().take_while(u8::is_ascii_digit).count();
        let mark = text[at..at + ELSEWHERE.len() + digits].to_owned();
        let index = mark[ELSEWHERE.len()..].parse().unwrap_or_default();
        let table = places.plan.schema.table(ResourceId(index));
        let rows = rows(places, session, table).await?;
        values.push(Value::Cell(Bound(Cell::Text(rows.into()))));
        let columns: Vec<_> = table.columns.iter().map(column).collect();
        let source = format!(
            "(SELECT * FROM json_to_recordset(${}::json) AS s({}))",
            values.len(),
            columns.join(", ")
        );
        // Of two marks of one table neither begins the other: an alias follows behind a space.
        text = text.replace(&format!("{mark} "), &format!("{source} "));
    }
    Ok(text.into())
}

async fn rows(places: &Places, session: &Session, table: &Table) -> Result<String, Unavailable> {
    let name = &places.plan.table(table.resource).name;
    let text = format!(
        "SELECT coalesce(json_agg(s), '[]')::text, count(*) FROM \
         (SELECT * FROM {name} LIMIT {}) s",
        ROWS_MAX + 1
    );
    let found = places.home.readers.read(session, &text, &[]).await?;
    let cell = |at: usize| {
        let row = found.first()?;
        row.try_get::<_, Column<'_>>(at).ok().map(|cell| cell.0)
    };
    match (cell(0), cell(1)) {
        (Some(Stored::Text(rows)), Some(Stored::Int(count))) if count <= ROWS_MAX as i64 => {
            Ok(rows.to_owned())
        }
        _ => Err(Unavailable::Broken(format!(
            "a filter looks at more than {ROWS_MAX} shared rows of `{}` from a tenant's database",
            table.name
        ))),
    }
}

fn column(column: &ir::schema::Column) -> String {
    let kind = match column.storage {
        Storage::Uuid => "uuid",
        Storage::Bool => "boolean",
        Storage::Int | Storage::Decimal { .. } | Storage::Units | Storage::Duration => "bigint",
        Storage::Currency => "char(3)",
        Storage::Text => "text COLLATE \"C\"",
        Storage::Date => "date",
        Storage::Time => "time",
        Storage::Timestamp => "timestamptz",
        Storage::Json => "json",
    };
    format!("{} {kind}", quote(&column.name))
}
