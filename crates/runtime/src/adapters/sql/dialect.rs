//! Where the dialects differ: small on purpose.

use ir::schema::Table;

/// The differences between SQL stores that reach beyond their drivers.
pub trait Dialect: Send + Sync {
    /// Parameter number n, from 1.
    fn placeholder(&self, number: usize) -> String;

    /// Quoted name of a table.
    fn table(&self, table: &Table) -> String;

    /// True where `text` holds `part`.
    fn contains(&self, text: &str, part: &str) -> String;

    /// Rows of a stored list, as a table source with the alias given; each has a column `value`.
    fn elements(&self, list: &str, alias: &str) -> String;

    /// Number of elements of a stored list.
    fn list_size(&self, list: &str) -> String;

    /// An id as it stands inside a stored list: 32 lower-case hex digits.
    fn uuid_text(&self, id: &str) -> String;

    /// The value that marks a fault inside an expression.
    fn fault(&self) -> &'static str;

    /// True where a value is the mark of a fault.
    fn is_fault(&self, value: &str) -> String;
}

/// A name in double quotes.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The dialect of SQLite.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sqlite;

impl Dialect for Sqlite {
    fn placeholder(&self, number: usize) -> String {
        format!("?{number}")
    }

    fn table(&self, table: &Table) -> String {
        quote(&table.sql_name())
    }

    fn contains(&self, text: &str, part: &str) -> String {
        format!("instr({text}, {part}) > 0")
    }

    fn elements(&self, list: &str, alias: &str) -> String {
        format!("json_each({list}) {alias}")
    }

    fn list_size(&self, list: &str) -> String {
        format!("json_array_length({list})")
    }

    fn uuid_text(&self, id: &str) -> String {
        format!("lower(hex({id}))")
    }

    // No column of ours stores a real, and integer overflow turns into one by itself.
    fn fault(&self) -> &'static str {
        "0.0"
    }

    fn is_fault(&self, value: &str) -> String {
        format!("typeof({value}) = 'real'")
    }
}
