//! Where the dialects differ: small on purpose.

use super::shape::Shape;
use super::term::signature;
use ir::domain::ResourceId;
use ir::schema::Table;

mod postgresql;

pub use postgresql::{ELSEWHERE, Postgresql, TENANT};

/// The differences between SQL stores that reach beyond their drivers.
pub trait Dialect: Send + Sync {
    /// Parameter number n, from 1.
    fn placeholder(&self, number: usize) -> String;

    /// Parameter number n as a value of that shape's first cell.
    fn parameter(&self, number: usize, _shape: &Shape) -> String {
        self.placeholder(number)
    }

    /// What tells two parameters of one value apart; none where nothing does.
    fn parameter_type(&self, _shape: &Shape) -> Option<&'static str> {
        None
    }

    /// False where a parameter that the text does not name is a fault.
    fn leaves_gaps(&self) -> bool {
        true
    }

    /// Quoted name of a table.
    fn table(&self, table: &Table) -> String;

    /// What stands for a table that rows of another place refer to; none where it is at hand.
    fn elsewhere(&self, _from: ResourceId, _table: &Table) -> Option<String> {
        None
    }

    /// True where `text` holds `part`.
    fn contains(&self, text: &str, part: &str) -> String;

    /// Rows of a stored list, as a table source with the alias given; each has a column `value`.
    fn elements(&self, list: &str, alias: &str) -> String;

    /// Number of elements of a stored list.
    fn list_size(&self, list: &str) -> String;

    /// An id as it stands inside a stored list: 32 lower-case hex digits.
    fn uuid_text(&self, id: &str) -> String;

    /// An element of such a source, lifted.
    fn element(&self, value: &str, shape: &Shape) -> String;

    /// A JSON document as it was stored.
    fn json_text(&self, json: &str) -> String;

    /// Text without capital letters of ASCII.
    fn lower(&self, text: &str) -> String;

    /// The name of one of our own functions.
    fn function(&self, name: &str) -> String;

    /// A value in the form that can also be the mark of a fault.
    fn lift(&self, value: &str, shape: &Shape) -> String;

    /// A lifted truth as a condition.
    fn condition(&self, lifted: &str) -> String;

    /// The value that marks a fault inside an expression, lifted.
    fn fault(&self, shape: Option<&Shape>) -> &'static str;

    /// True where a lifted value is the mark of a fault.
    fn is_fault(&self, value: &str, shape: Option<&Shape>) -> String;

    /// A fold of lifted values of a shape, by name and what it makes, null over nothing.
    fn fold(&self, fold: &str, shape: &Shape, made: &str, value: &str, currency: &str) -> String;
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

    fn element(&self, value: &str, _: &Shape) -> String {
        value.to_owned()
    }

    fn json_text(&self, json: &str) -> String {
        json.to_owned()
    }

    fn lower(&self, text: &str) -> String {
        format!("lower({text})")
    }

    fn function(&self, name: &str) -> String {
        format!("mainstay_{name}")
    }

    // A column takes a value of any type.
    fn lift(&self, value: &str, _: &Shape) -> String {
        value.to_owned()
    }

    fn condition(&self, lifted: &str) -> String {
        lifted.to_owned()
    }

    // No column of ours stores a real, and integer overflow turns into one by itself.
    fn fault(&self, _: Option<&Shape>) -> &'static str {
        "0.0"
    }

    fn is_fault(&self, value: &str, _: Option<&Shape>) -> String {
        format!("typeof({value}) = 'real'")
    }

    fn fold(&self, fold: &str, shape: &Shape, made: &str, value: &str, currency: &str) -> String {
        let word = signature(shape).unwrap_or_default();
        format!("mainstay_fold('{fold}|{word}|{made}', {value}, {currency})")
    }
}
