//! Which rule a refused row broke. The statement was undone, so the tables can be asked.

use super::{Apply, Row, broken, is_constraint};
use crate::adapters::sql::plan::{Target, UniqueKey};
use crate::ports::store::CommitError;
use ir::value::Value;
use rusqlite::{Error, ffi};

impl Apply<'_> {
    pub(super) fn refusal(&self, row: &Row<'_>, error: &Error) -> CommitError {
        let Error::SqliteFailure(code, Some(message)) = error else { return broken(error) };
        if !is_constraint(error) {
            return broken(error);
        }
        match code.extended_code {
            ffi::SQLITE_CONSTRAINT_UNIQUE => self.duplicate(row, message, error),
            ffi::SQLITE_CONSTRAINT_FOREIGNKEY | ffi::SQLITE_CONSTRAINT_TRIGGER => {
                self.unknown_reference(row, error)
            }
            _ => broken(error),
        }
    }

    /// SQLite names the columns (`t.a, t.b`); keys over the same columns are told apart by asking.
    fn duplicate(&self, row: &Row<'_>, message: &str, error: &Error) -> CommitError {
        let table = self.plan().table(row.resource);
        let named = message.rsplit_once(": ").map_or(message, |(_, named)| named);
        let mut columns: Vec<&str> = named
            .split(", ")
            .filter_map(|column| column.strip_prefix(&table.plain_name)?.strip_prefix('.'))
            .collect();
        columns.sort_unstable();
        let over = |key: &&UniqueKey| {
            key.columns == columns || named.contains(&format!("'{}'", key.index))
        };
        let candidates: Vec<_> = table.uniques.iter().filter(over).collect();
        let (write, resource) = (row.write, row.resource);
        let found = match candidates.as_slice() {
            [] => return broken(error),
            [one] => one,
            several => {
                let collides =
                    |key: &&&UniqueKey| self.probe(&key.other, &key.slots, row) == Ok(true);
                several.iter().find(collides).unwrap_or(&several[0])
            }
        };
        CommitError::Duplicate { write, resource, unique: found.unique }
    }

    fn unknown_reference(&self, row: &Row<'_>, error: &Error) -> CommitError {
        for target in &self.plan().table(row.resource).targets {
            if let Err(unknown) = self.check_target(row, target) {
                return unknown;
            }
        }
        broken(error)
    }

    pub(super) fn check_target(&self, row: &Row<'_>, target: &Target) -> Result<(), CommitError> {
        let id = match row.record.value(target.field) {
            Value::Uuid(id) => *id,
            _ => return Ok(()),
        };
        let table = self.plan().table(target.resource);
        let there = self.link.exists(&target.exists, self.by_id(table, id));
        if there.map_err(|error| broken(&error))? {
            return Ok(());
        }
        let (write, resource, field) = (row.write, row.resource, target.field);
        Err(CommitError::UnknownReference { write, resource, field, id })
    }
}
