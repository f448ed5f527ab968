//! Which rule a refused row broke, by the name of the constraint. What was written is undone by
//! now, so the catalogue can be asked.

use super::{Apply, Fault, Row};
use crate::adapters::sql::dialect::quote;
use crate::ports::store::CommitError;
use ir::domain::{FieldId, ResourceId};
use ir::schema::Part;
use ir::value::Value;
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

/// Columns of a constraint in their order, and its text.
const CONSTRAINT: &str = "SELECT coalesce(array_agg(a.attname::text ORDER BY k.at), '{}'), \
    pg_get_constraintdef(c.oid) FROM pg_constraint c \
    CROSS JOIN LATERAL unnest(c.conkey) WITH ORDINALITY AS k(attribute, at) \
    LEFT JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attribute \
    WHERE c.conname = $1 AND c.conrelid = ($2::text)::regclass GROUP BY c.oid";

/// Columns of an index of somebody else, sorted.
const INDEX: &str = "SELECT array(SELECT a.attname::text FROM pg_catalog.pg_attribute a \
    WHERE a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)) \
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
    WHERE c.relname = $1 AND i.indrelid = ($2::text)::regclass";

impl Apply<'_> {
    /// The fault of a row as the port tells it; other faults stay what they are.
    pub(super) async fn told(&self, row: Option<Row<'_>>, fault: Fault) -> Fault {
        let error = match &fault {
            Fault::Undone(error) | Fault::Unknown(error) => error,
            Fault::Refused(_) => return fault,
        };
        let (Some(row), Some(db)) = (row, error.as_db_error()) else { return fault };
        match self.refusal(row, db).await {
            Ok(Some(refusal)) => refusal.into(),
            Ok(None) => fault,
            Err(error) => Fault::Undone(error),
        }
    }

    async fn refusal(&self, row: Row<'_>, db: &DbError) -> Result<Option<CommitError>, Error> {
        let Row { write, resource, .. } = row;
        let Some(name) = db.constraint() else { return Ok(None) };
        Ok(match db.code() {
            &SqlState::UNIQUE_VIOLATION => {
                let keys = &self.plan.table(resource).uniques;
                let mut found = keys.iter().find(|key| key.index == name);
                if found.is_none() && self.plan.table(resource).unmanaged {
                    let columns = self.index(db, name).await?;
                    found = keys.iter().find(|key| key.columns == columns);
                }
                found.map(|key| CommitError::Duplicate { write, resource, unique: key.unique })
            }
            &SqlState::EXCLUSION_VIOLATION => {
                let (_, text) = self.constraint(db, name).await?;
                let overlaps = &self.plan.schema.table(resource).overlaps;
                let is = |start: &String| {
                    text.contains(&format!("tstzrange({start},"))
                        || text.contains(&format!("tstzrange({},", quote(start)))
                };
                let found = overlaps.iter().position(|one| {
                    is(&one.start) && one.equal.iter().all(|column| text.contains(column.as_str()))
                });
                found.map(|overlap| CommitError::Overlap { write, resource, overlap })
            }
            &SqlState::FOREIGN_KEY_VIOLATION | &SqlState::RESTRICT_VIOLATION => match row.record {
                Some(record) => {
                    let (columns, _) = self.constraint(db, name).await?;
                    let field = columns.last().and_then(|name| self.field(resource, name));
                    field.and_then(|field| match record.value(field) {
                        Value::Uuid(id) => {
                            let id = *id;
                            Some(CommitError::UnknownReference { write, resource, field, id })
                        }
                        _ => None,
                    })
                }
                None => self.table(db).map(|by| CommitError::StillReferenced { write, by }),
            },
            _ => None,
        })
    }

    async fn index(&self, db: &DbError, name: &str) -> Result<Vec<String>, Error> {
        let rows = self.link.query(INDEX, &[&name, &table(db)]).await?;
        let Some(row) = rows.first() else { return Ok(Vec::new()) };
        let mut columns: Vec<String> = row.try_get(0)?;
        columns.sort();
        Ok(columns)
    }

    async fn constraint(&self, db: &DbError, name: &str) -> Result<(Vec<String>, String), Error> {
        let table = table(db);
        let rows = self.link.query(CONSTRAINT, &[&name, &table]).await?;
        let Some(row) = rows.first() else { return Ok((Vec::new(), String::new())) };
        let columns: Vec<Option<String>> = row.try_get(0)?;
        Ok((columns.into_iter().flatten().collect(), row.try_get(1)?))
    }

    fn field(&self, resource: ResourceId, column: &str) -> Option<FieldId> {
        let columns = &self.plan.schema.table(resource).columns;
        let found = columns.iter().find(|one| one.name == column)?;
        found.field.and_then(|(field, part)| (part == Part::Whole).then_some(field))
    }

    /// The resource of the table that an error names.
    fn table(&self, db: &DbError) -> Option<ResourceId> {
        let (schema, name) = (db.schema()?, db.table()?);
        let is = |table: &&ir::schema::Table| {
            (table.sql_schema() == schema && table.name == name) || table.sql_name() == name
        };
        self.plan.schema.tables.iter().find(is).map(|table| table.resource)
    }
}

/// Quoted name of the table that an error names.
fn table(db: &DbError) -> String {
    let (schema, table) = (db.schema().unwrap_or_default(), db.table().unwrap_or_default());
    format!("{}.{}", quote(schema), quote(table))
}
