//! The columns of a table: implicit ones first, then those of the fields.

use super::fill::fill;
use super::nullable::may_be_null;
use super::{CREATED_AT, ID, POSITION, ROW_VERSION, UPDATED_AT, snake};
use ir::domain::{Domain, Field, FieldId, Kind, Resource, ResourceId, Source};
use ir::model::{At, FieldType};
use ir::schema::{Check, Column, Giver, Literal, Part, Storage};
use ir::value::{MONEY_UNITS, Value};

/// What a table has beside its fields.
pub(super) struct Frame<'a> {
    /// The resource as the model has it.
    pub(super) asked: Option<&'a ir::model::Resource>,
    /// The tenant's column.
    pub(super) tenant: Option<&'a str>,
    /// The column that names the owner's row, and its former name.
    pub(super) owner: Option<(&'a str, Option<String>)>,
    /// Personal fields are set to null at the end of a row's time.
    pub(super) erased: bool,
}

/// What a field's columns are called.
struct Wished<'a> {
    name: &'a str,
    was: Option<&'a str>,
    nullable: bool,
}

/// What a column is beside name and storage.
#[derive(Default)]
struct Shape {
    nullable: bool,
    field: Option<(FieldId, Part)>,
    check: Option<Check>,
    was: Option<String>,
    fill: Option<Literal>,
    giver: Giver,
}

/// Columns while they are gathered; every name is taken once.
pub(super) struct Columns {
    taken: Vec<Column>,
}

impl Columns {
    /// All columns of the table of a resource.
    pub(super) fn of(domain: &Domain, id: ResourceId, frame: Frame<'_>) -> Vec<Column> {
        let Frame { asked, tenant, owner, erased } = frame;
        let mut columns = Self { taken: Vec::new() };
        if let Some(tenant) = tenant {
            let check = Check::Length { min: Some(1), max: None };
            columns.implicit(tenant, Storage::Text, Some(check));
        }
        columns.implicit(ID, Storage::Uuid, None);
        if let Some((owner, was)) = owner {
            columns.push(owner, Storage::Uuid, Shape { was, ..Shape::default() });
            let check = Check::Range { min: Some(0), max: None };
            columns.implicit(POSITION, Storage::Int, Some(check));
        } else {
            let check = Check::Range { min: Some(1), max: None };
            columns.implicit(ROW_VERSION, Storage::Int, Some(check));
            columns.implicit(CREATED_AT, Storage::Timestamp, None);
            columns.implicit(UPDATED_AT, Storage::Timestamp, None);
        }
        let resource = domain.resource(id);
        for (field_id, field) in resource.fields().filter(|(_, field)| is_stored(field)) {
            let asked =
                asked.and_then(|asked| asked.fields.iter().find(|other| other.name == *field.name));
            let wished = asked
                .and_then(|asked| asked.column.as_ref())
                .map_or_else(|| snake(&field.name), |column| column.value.clone());
            let was = asked.and_then(|asked| asked.was.as_ref()).map(|was| snake(was.as_str()));
            // What folds events knows which of its fields may have no value.
            let folded = domain.view_of(id).is_some();
            let nullable = field.optional
                || (erased && field.personal)
                || (!folded && computed_to_null(domain, resource, field));
            let was = was.as_deref();
            columns.field(field_id, field, Wished { name: &wished, was, nullable });
        }
        columns.taken
    }

    fn implicit(&mut self, name: &str, storage: Storage, check: Option<Check>) {
        self.push(name, storage, Shape { check, ..Shape::default() });
    }

    fn push(&mut self, wished: &str, storage: Storage, shape: Shape) {
        let mut name = wished.to_owned();
        let mut number = 2;
        while self.taken.iter().any(|column| column.name == name) {
            name = format!("{wished}_{number}");
            number += 1;
        }
        let Shape { nullable, field, check, was, fill, giver } = shape;
        self.taken.push(Column { name, storage, nullable, field, check, was, fill, giver });
    }

    fn field(&mut self, id: FieldId, field: &Field, wished: Wished<'_>) {
        let Wished { name, was, nullable } = wished;
        let mut push = |end: &str, storage, part, check| {
            let was = was.map(|was| format!("{was}{end}"));
            let fill = fill(field, part);
            let giver = giver(&field.source);
            let shape = Shape { nullable, field: Some((id, part)), check, was, fill, giver };
            self.push(&format!("{name}{end}"), storage, shape);
        };
        match &field.declared {
            FieldType::Money { currency } => {
                push("", Storage::Units, Part::Units, range(field, units_of_money));
                let check = currency.as_ref().map(|code| Check::OneOf(vec![code.clone()]));
                push("_currency", Storage::Currency, Part::Currency, check);
            }
            FieldType::Timespan => {
                push("_start", Storage::Timestamp, Part::Start, None);
                push("_end", Storage::Timestamp, Part::End, None);
            }
            declared => {
                let (storage, check) = whole(field, declared);
                push("", storage, Part::Whole, check);
            }
        }
        if field.search {
            push("_search", Storage::Text, Part::Search, None);
        }
    }
}

fn giver(source: &Source) -> Giver {
    match source {
        Source::Computed(_) => Giver::Computed,
        Source::Copied(..) => Giver::Copied,
        Source::Client | Source::Default(_) | Source::State => Giver::Writer,
        Source::Caller | Source::Counted => Giver::Writer,
    }
}

/// Children have a table of their own, and `at read` is asked of the owner whenever it is read.
pub(super) fn is_stored(field: &Field) -> bool {
    let asked_when_read = matches!(field.source, Source::Copied(At::Read, _));
    !asked_when_read && !matches!(field.kind, Kind::Children { .. })
}

fn computed_to_null(domain: &Domain, resource: &Resource, field: &Field) -> bool {
    match &field.source {
        Source::Computed(expr) | Source::Copied(_, expr) => {
            may_be_null(domain, resource, &field.declared, expr)
        }
        Source::Default(_) | Source::Client | Source::State => false,
        Source::Caller | Source::Counted => false,
    }
}

/// Storage and constraint of a field that one column holds.
fn whole(field: &Field, declared: &FieldType) -> (Storage, Option<Check>) {
    match &field.kind {
        Kind::Enum(values) => return (Storage::Text, Some(Check::OneOf(values.clone()))),
        Kind::Reference { .. } => return (Storage::Uuid, None),
        Kind::Actor(_) => return (Storage::Text, None),
        Kind::Scalar | Kind::Children { .. } => {}
    }
    match declared {
        FieldType::String | FieldType::Text | FieldType::Url | FieldType::Email => {
            (Storage::Text, length(field))
        }
        FieldType::Int => (Storage::Int, range(field, |value| scaled(value, 0))),
        FieldType::Counter => (Storage::Int, Some(Check::Range { min: Some(0), max: None })),
        FieldType::Decimal { precision, scale } => {
            let widest = 10_i64.checked_pow(u32::from(*precision)).map(|power| power - 1);
            let asked = range(field, |value| scaled(value, *scale));
            let (min, max) = match asked {
                Some(Check::Range { min, max }) => (min, max),
                Some(Check::Length { .. } | Check::OneOf(_)) | None => (None, None),
            };
            let check = Check::Range { min: min.or(widest.map(|most| -most)), max: max.or(widest) };
            (Storage::Decimal { scale: *scale }, Some(check))
        }
        FieldType::Bool => (Storage::Bool, None),
        FieldType::Date => (Storage::Date, range(field, instant)),
        FieldType::Time => (Storage::Time, range(field, instant)),
        FieldType::Timestamp => (Storage::Timestamp, range(field, instant)),
        FieldType::Duration => (Storage::Duration, range(field, instant)),
        FieldType::Uuid => (Storage::Uuid, None),
        FieldType::Json | FieldType::List(_) => (Storage::Json, None),
        FieldType::Enum(_) | FieldType::Actor(_) => (Storage::Text, None),
        FieldType::Reference { .. } => (Storage::Uuid, None),
        FieldType::Money { .. } | FieldType::Timespan | FieldType::Many { .. } => {
            unreachable!("money and spans have two columns, children have a table")
        }
    }
}

fn range(field: &Field, convert: impl Fn(&Value) -> Option<i64>) -> Option<Check> {
    let min = field.min.as_ref().and_then(&convert);
    let max = field.max.as_ref().and_then(&convert);
    (min.is_some() || max.is_some()).then_some(Check::Range { min, max })
}

fn length(field: &Field) -> Option<Check> {
    let count = |value: &Value| scaled(value, 0);
    let min = field.min.as_ref().and_then(count);
    let max = field.max.as_ref().and_then(count);
    (min.is_some() || max.is_some()).then_some(Check::Length { min, max })
}

/// A number in units of 10^-scale; none where it is no number or does not fit.
pub(super) fn scaled(value: &Value, scale: u8) -> Option<i64> {
    let (units, has) = match value {
        Value::Int(units) => (*units, 0),
        Value::Decimal { units, scale } => (*units, *scale),
        Value::Money { units, .. } => (*units, MONEY_UNITS.ilog10() as u8),
        Value::Null | Value::Bool(_) | Value::Text(_) | Value::Date(_) | Value::Time(_) => {
            return None;
        }
        Value::Timestamp(_) | Value::Duration(_) | Value::Timespan { .. } => return None,
        Value::Uuid(_) | Value::Json(_) | Value::List(_) => return None,
    };
    if has <= scale {
        units.checked_mul(10_i64.checked_pow(u32::from(scale - has))?)
    } else {
        let cut = 10_i64.checked_pow(u32::from(has - scale))?;
        (units % cut == 0).then_some(units / cut)
    }
}

pub(super) fn units_of_money(value: &Value) -> Option<i64> {
    scaled(value, MONEY_UNITS.ilog10() as u8)
}

pub(super) fn instant(value: &Value) -> Option<i64> {
    match value {
        Value::Date(days) => Some(i64::from(*days)),
        Value::Time(micros) | Value::Timestamp(micros) | Value::Duration(micros) => Some(*micros),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Decimal { .. } => None,
        Value::Money { .. } | Value::Text(_) | Value::Timespan { .. } => None,
        Value::Uuid(_) | Value::Json(_) | Value::List(_) => None,
    }
}
