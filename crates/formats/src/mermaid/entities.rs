//! The tables of one context and what they refer to.

use super::{label, words};
use ir::architecture::Architecture;
use ir::domain::{Domain, Field, Kind, ResourceId};
use ir::schema::{Column, Storage, Table};
use std::fmt::Write as _;

/// The entities of a context; a row of another context is drawn with a dotted line: only its id
/// is kept, no query joins it.
pub fn entities(architecture: &Architecture, context: &str) -> String {
    let (domain, schema) = (&architecture.domain, &architecture.schema);
    let mut out = String::from("erDiagram\n");
    for table in schema.tables.iter().filter(|table| table.context == context) {
        let _ = writeln!(out, "  {} {{", label(&table.name));
        for column in &table.columns {
            let _ = writeln!(out, "    {}", attribute(table, column));
        }
        out.push_str("  }\n");
    }
    for table in schema.tables.iter().filter(|table| table.context == context) {
        let resource = domain.resource(table.resource);
        if let Some((root, field)) = resource.owner {
            let field = domain.resource(root).field(field);
            let owner = label(&schema.table(root).name);
            let many = match field.kind {
                Kind::Children { min: 0, .. } => "o{",
                _ => "|{",
            };
            let (name, about) = (label(&table.name), label(&field.name));
            let _ = writeln!(out, "  {owner} ||--{many} {name} : {about}");
        }
        for field in &resource.fields {
            if let Kind::Reference { target, crosses, .. } = field.kind {
                let line = reference(architecture, table, field, target, crosses);
                let _ = writeln!(out, "  {line}");
            }
        }
    }
    out
}

fn reference(
    architecture: &Architecture,
    table: &Table,
    field: &Field,
    target: ResourceId,
    crosses: bool,
) -> String {
    let to = architecture.schema.table(target);
    let least = if field.optional { "|o" } else { "||" };
    let (line, name, about) = match crosses {
        true => ("..", format!("{}.{}", to.context, to.name), format!("{} (id)", field.name)),
        false => ("--", to.name.clone(), field.name.clone()),
    };
    format!("{} {least}{line}o{{ {} : {}", label(&name), label(&table.name), label(&about))
}

fn attribute(table: &Table, column: &Column) -> String {
    let ty = match column.storage {
        Storage::Uuid => "uuid",
        Storage::Bool => "bool",
        Storage::Int => "int",
        Storage::Decimal { .. } => "decimal",
        Storage::Units => "money",
        Storage::Currency => "currency",
        Storage::Text => "text",
        Storage::Date => "date",
        Storage::Time => "time",
        Storage::Timestamp => "timestamp",
        Storage::Duration => "duration",
        Storage::Json => "json",
    };
    let mut keys = Vec::new();
    if table.primary_key.contains(&column.name) {
        keys.push("PK");
    }
    if table.foreign_keys.iter().any(|key| key.columns.last() == Some(&column.name)) {
        keys.push("FK");
    }
    let unique = table.indexes.iter().filter(|index| index.unique.is_some());
    let unique: Vec<_> = unique
        .filter(|index| {
            let own = index.columns.iter().filter(|(name, _)| Some(name) != table.tenant.as_ref());
            own.map(|(name, _)| name).eq([&column.name])
        })
        .collect();
    if !unique.is_empty() {
        keys.push("UK");
    }
    let mut line = format!("{ty} {}", identifier(&column.name));
    if !keys.is_empty() {
        let _ = write!(line, " {}", keys.join(", "));
    }
    if column.nullable {
        line.push_str(" \"may be null\"");
    }
    line
}

/// Attribute names take letters, digits and underscores.
fn identifier(name: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
    let name: String = words(name).chars().map(plain).collect();
    if name.starts_with(|letter: char| letter.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// The contexts that have tables.
pub(crate) fn with_tables(domain: &Domain) -> Vec<&str> {
    let has = |at: usize| domain.resources.iter().any(|one| one.context.index() == at);
    let contexts = domain.contexts.iter().enumerate().filter(|(at, _)| has(*at));
    contexts.map(|(_, context)| context.name.as_str()).collect()
}
