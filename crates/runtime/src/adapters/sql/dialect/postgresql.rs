//! The dialect of PostgreSQL.
//!
//! Columns are typed, so a value that may be the mark of a fault is *lifted*: numbers, truths and
//! times to `numeric` in storage units, whose `NaN` no column of ours stores; ids to text, where a
//! text that nobody writes by accident is the mark. Parameters say their type, and those that sort
//! their collation: bytes, as SQLite does.

use super::{Dialect, quote};
use crate::adapters::sql::shape::Shape;
use ir::domain::ResourceId;
use ir::schema::Table;
use std::collections::BTreeSet;

/// Stands for the schema of a tenant in the text of statements.
pub const TENANT: &str = "\"\u{1}tenant\"";

/// Stands, with the index of a resource behind it, for rows that are in another database.
pub const ELSEWHERE: &str = "\"\u{1}elsewhere\"";

/// The mark of a fault among texts.
const TEXT_FAULT: &str = "U&'\\+10FFFFmainstay\\+10FFFFfault'";
/// The mark of a fault among numbers.
const FAULT: &str = "'NaN'::numeric";

/// The dialect of PostgreSQL.
#[derive(Debug, Clone, Default)]
pub struct Postgresql {
    /// Resources whose tables are in the schema of a tenant; the others are in their context's.
    pub of_tenants: BTreeSet<ResourceId>,
    /// Resources whose tables are in another database than those of tenants.
    pub elsewhere: BTreeSet<ResourceId>,
}

/// The type of a cell.
fn kind(shape: &Shape) -> &'static str {
    match shape {
        Shape::Bool => "boolean",
        Shape::Int | Shape::Decimal { .. } | Shape::Money | Shape::Duration => "bigint",
        Shape::Text => "text",
        Shape::Date => "date",
        Shape::Time => "time",
        Shape::Timestamp | Shape::Timespan => "timestamptz",
        Shape::Uuid => "uuid",
        Shape::Json | Shape::List(_) => "json",
    }
}

/// True where a lifted value is text.
fn textual(shape: &Shape) -> bool {
    matches!(shape, Shape::Text | Shape::Uuid | Shape::Json | Shape::List(_))
}

fn scale(shape: &Shape) -> u8 {
    if let Shape::Decimal { scale } = shape { *scale } else { 0 }
}

impl Dialect for Postgresql {
    fn placeholder(&self, number: usize) -> String {
        format!("${number}")
    }

    fn parameter(&self, number: usize, shape: &Shape) -> String {
        match shape {
            Shape::Text => format!("(${number}::text COLLATE \"C\")"),
            shape => format!("${number}::{}", kind(shape)),
        }
    }

    fn parameter_type(&self, shape: &Shape) -> Option<&'static str> {
        Some(kind(shape))
    }

    fn leaves_gaps(&self) -> bool {
        false
    }

    fn table(&self, table: &Table) -> String {
        match self.of_tenants.contains(&table.resource) {
            true => format!("{TENANT}.{}", quote(&table.sql_name())),
            false => format!("{}.{}", quote(table.sql_schema()), quote(&table.name)),
        }
    }

    fn elsewhere(&self, from: ResourceId, table: &Table) -> Option<String> {
        let reaches = self.elsewhere.contains(&table.resource) && !self.elsewhere.contains(&from);
        reaches.then(|| format!("{ELSEWHERE}{}", table.resource.index()))
    }

    // A searched word is letters and digits: no sign of a pattern among them.
    fn contains(&self, text: &str, part: &str) -> String {
        format!("{text} LIKE '%' || {part} || '%'")
    }

    fn elements(&self, list: &str, alias: &str) -> String {
        format!("json_array_elements_text({list}) {alias}(value)")
    }

    fn list_size(&self, list: &str) -> String {
        format!("json_array_length({list})")
    }

    fn uuid_text(&self, id: &str) -> String {
        format!("replace(({id})::text, '-', '')")
    }

    fn element(&self, value: &str, shape: &Shape) -> String {
        match shape {
            Shape::Bool => format!("({value})::boolean::int::numeric"),
            shape if textual(shape) => value.to_owned(),
            _ => format!("({value})::numeric"),
        }
    }

    fn json_text(&self, json: &str) -> String {
        format!("({json})::text")
    }

    fn lower(&self, text: &str) -> String {
        format!("lower(({text}) COLLATE \"C\")")
    }

    fn function(&self, name: &str) -> String {
        format!("mainstay.\"{name}\"")
    }

    fn lift(&self, value: &str, shape: &Shape) -> String {
        match shape {
            Shape::Bool => format!("({value})::int::numeric"),
            Shape::Int | Shape::Decimal { .. } | Shape::Money | Shape::Duration => {
                format!("({value})::numeric")
            }
            Shape::Date => format!("(({value}) - date '1970-01-01')::numeric"),
            Shape::Time | Shape::Timestamp | Shape::Timespan => {
                format!("(extract(epoch FROM {value}) * 1000000)")
            }
            Shape::Text => value.to_owned(),
            Shape::Uuid | Shape::Json | Shape::List(_) => format!("({value})::text"),
        }
    }

    fn condition(&self, lifted: &str) -> String {
        format!("(({lifted}) = 1)")
    }

    fn fault(&self, shape: Option<&Shape>) -> &'static str {
        if shape.is_some_and(textual) { TEXT_FAULT } else { FAULT }
    }

    fn is_fault(&self, value: &str, shape: Option<&Shape>) -> String {
        // Never null: a condition is either true or false.
        format!("(({value}) IS NOT DISTINCT FROM {})", self.fault(shape))
    }

    fn fold(&self, fold: &str, shape: &Shape, made: &str, value: &str, currency: &str) -> String {
        let fault = self.fault(Some(shape));
        let mut faults = format!("bool_or({})", self.is_fault(value, Some(shape)));
        if *shape == Shape::Money && fold != "count" {
            let filter = format!("FILTER (WHERE ({value}) IS NOT NULL)");
            faults.push_str(&format!(" OR min({currency}) {filter} <> max({currency}) {filter}"));
        }
        let from = scale(shape);
        let to = made.strip_prefix("decimal:").and_then(|scale| scale.parse().ok());
        let to: u8 = to.unwrap_or(from);
        let folded = match fold {
            "count" => format!("count({value})::numeric"),
            "min" | "max" => format!("{fold}({value})"),
            "sum" => format!("{}(sum({value}), {from}, {to})", self.function("rescaled")),
            _ => format!("{}(sum({value}), count({value}), {from}, {to})", self.function("mean")),
        };
        let fault = if fold == "count" { FAULT } else { fault };
        format!("CASE WHEN {faults} THEN {fault} ELSE {folded} END")
    }
}
