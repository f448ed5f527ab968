//! What a list can be narrowed and sorted by.

use ir::contract::{Filter, SORT_KEY_CHARACTERS_MAX};
use ir::domain::{Field, Kind, Resource, Source};
use ir::expr::{FieldRef, Implicit};
use ir::model::{At, FieldType};
use ir::schema::Part;
use ir::value::Value;

/// Operators of what has an order.
const ORDERED: &[&str] = &["ne", "gt", "gte", "lt", "lte", "in"];
/// Operators of text.
const TEXT: &[&str] = &["ne", "gt", "gte", "lt", "lte", "in", "prefix"];
/// Operators of what can only be equal or not.
const EQUAL: &[&str] = &["ne", "in"];
/// Operators of the ends of a timespan.
const INSTANT: &[&str] = &["ne", "gt", "gte", "lt", "lte"];

/// The filters of a resource, implicit fields first.
pub(super) fn filters(resource: &Resource) -> Vec<Filter> {
    let mut filters = vec![
        implicit("id", Implicit::Id, ORDERED),
        implicit("created_at", Implicit::CreatedAt, ORDERED),
        implicit("updated_at", Implicit::UpdatedAt, ORDERED),
    ];
    for (id, field) in resource.fields().filter(|(_, field)| is_filterable(field)) {
        for (suffix, part, operators, sortable) in parts(field) {
            let mut operators = operators.to_vec();
            if field.optional {
                operators.push("null");
            }
            filters.push(Filter {
                name: format!("{}{suffix}", field.name),
                field: FieldRef::Field(id),
                part,
                operators,
                sortable,
            });
        }
    }
    filters
}

fn implicit(name: &str, field: Implicit, operators: &[&'static str]) -> Filter {
    Filter {
        name: name.to_owned(),
        field: FieldRef::Implicit(field),
        part: Part::Whole,
        operators: operators.to_vec(),
        sortable: true,
    }
}

/// Stored here, and readable at all.
fn is_filterable(field: &Field) -> bool {
    let asked_when_read = matches!(field.source, Source::Copied(At::Read, _));
    field.filterable && !field.secret && !asked_when_read
}

/// Whether a text is bounded so that it may be a sort key.
fn is_short(field: &Field) -> bool {
    match (&field.declared, &field.max) {
        (_, Some(Value::Int(max))) => *max <= SORT_KEY_CHARACTERS_MAX,
        // An address is bounded by its own rules.
        (FieldType::Email, _) => true,
        _ => false,
    }
}

type Parts = Vec<(&'static str, Part, &'static [&'static str], bool)>;

fn parts(field: &Field) -> Parts {
    let whole = |operators: &'static [&'static str]| vec![("", Part::Whole, operators, true)];
    match &field.kind {
        Kind::Enum(_) | Kind::Reference { .. } | Kind::Actor(_) => return whole(EQUAL),
        Kind::Children { .. } => return Vec::new(),
        Kind::Scalar => {}
    }
    match &field.declared {
        FieldType::String | FieldType::Text | FieldType::Url | FieldType::Email => {
            vec![("", Part::Whole, TEXT, is_short(field))]
        }
        FieldType::Int | FieldType::Decimal { .. } | FieldType::Counter => whole(ORDERED),
        FieldType::Date | FieldType::Time | FieldType::Timestamp => whole(ORDERED),
        FieldType::Duration => whole(ORDERED),
        FieldType::Bool => whole(&EQUAL[..1]),
        FieldType::Uuid => whole(EQUAL),
        FieldType::Money { .. } => {
            vec![("", Part::Units, ORDERED, true), (".currency", Part::Currency, EQUAL, false)]
        }
        FieldType::Timespan => {
            vec![(".start", Part::Start, INSTANT, true), (".end", Part::End, INSTANT, false)]
        }
        FieldType::Enum(_) | FieldType::Reference { .. } | FieldType::Actor(_) => whole(EQUAL),
        FieldType::Json | FieldType::List(_) | FieldType::Many { .. } => Vec::new(),
    }
}
