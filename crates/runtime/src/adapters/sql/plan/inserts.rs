//! Several new rows of a table by one statement.

use super::Plan;
use crate::adapters::sql::dialect::quote;
use ir::domain::ResourceId;
use std::sync::OnceLock;

/// Rows of one statement at most.
pub const INSERT_ROWS_MAX: usize = 16;

/// The texts for two rows and more.
#[derive(Default)]
pub struct Inserts {
    texts: [OnceLock<String>; INSERT_ROWS_MAX],
}

impl Plan {
    /// The text that inserts so many rows, from 1 to [`INSERT_ROWS_MAX`]; its parameters are those
    /// of [`super::TablePlan::insert`] for the first row, then for the next.
    pub fn insert(&self, resource: ResourceId, rows: usize) -> &str {
        let table = self.table(resource);
        let Some(place) = table.inserts.texts.get(rows.wrapping_sub(1)).filter(|_| rows > 1) else {
            return &table.insert;
        };
        place.get_or_init(|| {
            let columns = &self.schema.table(resource).columns;
            let columns: Vec<_> = columns.iter().map(|column| quote(&column.name)).collect();
            let wide = table.insert_slots.len();
            let row = |row: usize| {
                let numbers = row * wide + 1..=(row + 1) * wide;
                let values: Vec<_> = numbers.map(|at| self.dialect.placeholder(at)).collect();
                format!("({})", values.join(", "))
            };
            let rows: Vec<_> = (0..rows).map(row).collect();
            let (columns, rows) = (columns.join(", "), rows.join(", "));
            format!("INSERT INTO {} ({columns}) VALUES {rows}", table.name)
        })
    }
}
