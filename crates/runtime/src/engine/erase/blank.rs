//! What stands in the place of a personal value.

use super::{Part, Person};
use crate::plan::audit::AuditPlan;
use crate::record::Record;
use ir::domain::{Domain, Field, FieldId, Kind, Resource, ResourceId, Source};
use ir::model::{At, FieldType};
use ir::value::{Currency, Value};

/// The fields that are erased, by resource and field.
pub(super) struct Blank {
    fields: Vec<Vec<bool>>,
}

/// True where the root or a child of it names the person.
pub(super) fn names(domain: &Domain, root: ResourceId, row: &Record, person: &Person) -> bool {
    let children = domain.resource(root).children();
    named(domain.resource(root), row, person)
        || children.into_iter().any(|(field, child)| {
            row.children_of(field).iter().any(|row| named(domain.resource(child), row, person))
        })
}

fn named(of: &Resource, row: &Record, person: &Person) -> bool {
    of.fields().any(|(id, field)| is(field, row.value(id), person))
}

fn is(field: &Field, value: &Value, person: &Person) -> bool {
    let Kind::Actor(actor) = field.kind else { return false };
    person.actor.is_none_or(|only| only == actor) && value.as_text() == Some(&*person.subject)
}

impl Blank {
    /// Declared personal, or copied from what is: `derived` says which are made of such.
    pub(super) fn new(domain: &Domain, derived: &AuditPlan) -> Self {
        let erased = |id: ResourceId, at: FieldId, field: &Field| match &field.source {
            // Made anew of what is left.
            Source::Computed(_) | Source::Copied(At::Read, _) => false,
            Source::Copied(..) => derived.hides(id, at),
            _ => field.personal && !matches!(field.kind, Kind::Children { .. }),
        };
        let of = |(id, resource): (ResourceId, &Resource)| {
            resource.fields().map(|(at, field)| erased(id, at, field)).collect()
        };
        Self { fields: domain.resources().map(of).collect() }
    }

    fn has(&self, resource: ResourceId, field: FieldId) -> bool {
        self.fields[resource.index()][field.index()]
    }

    /// True for roots that may name somebody and hold something personal.
    pub(super) fn concerns(&self, domain: &Domain, root: ResourceId) -> bool {
        let of = || std::iter::once(root).chain(domain.resource(root).children().map(|(_, id)| id));
        let actor = |field: &Field| matches!(field.kind, Kind::Actor(_));
        of().any(|id| domain.resource(id).fields.iter().any(actor))
            && of().any(|id| self.fields[id.index()].contains(&true))
    }

    /// Names of a root's fields that are personal, hold such children, or are made of such.
    pub(super) fn members(&self, domain: &Domain, root: ResourceId) -> Vec<String> {
        let held = |id: FieldId, field: &Field| match field.kind {
            Kind::Children { target, .. } => self.fields[target.index()].contains(&true),
            _ => field.personal || self.has(root, id),
        };
        let fields = domain.resource(root).fields();
        let mut names: Vec<String> = fields
            .filter(|(id, field)| held(*id, field))
            .map(|(_, field)| field.name.clone())
            .collect();
        // Logs hold members under the names of older versions, too.
        let events = domain.events.iter().filter(|event| event.emitters.contains(&root));
        let told = events.flat_map(|event| &event.older).flat_map(|older| &older.data);
        for field in told.filter(|field| field.personal) {
            if !names.contains(&field.name) {
                names.push(field.name.clone());
            }
        }
        names
    }

    /// Erases a root with its children; of a root that names somebody else only those children
    /// that name the person.
    pub(super) fn root(
        &self,
        domain: &Domain,
        root: ResourceId,
        record: &mut Record,
        person: &Person,
        part: Part,
    ) {
        let of = domain.resource(root);
        let whole = named(of, record, person);
        for (field, rows) in &mut record.children {
            let Kind::Children { target, .. } = of.field(*field).kind else { continue };
            for row in rows {
                if whole || named(domain.resource(target), row, person) {
                    self.row(domain, target, row, person, part);
                }
            }
        }
        if whole {
            self.row(domain, root, record, person, part);
        }
    }

    fn row(
        &self,
        domain: &Domain,
        resource: ResourceId,
        row: &mut Record,
        person: &Person,
        part: Part,
    ) {
        let of = domain.resource(resource);
        for (at, field) in of.fields().filter(|(at, _)| self.has(resource, *at)) {
            let now = match field.kind {
                Kind::Actor(_) => part == Part::Names && is(field, row.value(at), person),
                _ => part == Part::Facts && !row.value(at).is_null(),
            };
            if now {
                let unique = of.uniques.iter().any(|unique| unique.fields.contains(&at))
                    || of.overlaps.iter().any(|(_, span)| *span == at);
                row.values[at.index()] = replacement(field, row.value(at), row.id, unique);
            }
        }
    }
}

/// Null, or what says nothing: of a unique field something of the row's id.
fn replacement(field: &Field, old: &Value, id: u128, unique: bool) -> Value {
    if field.optional {
        return Value::Null;
    }
    // The random end of the id; of a number as much as any bounds leave room for.
    let drawn = if unique { (id % (1 << 52)) as i64 } else { 0 };
    let number = |limit: i64| within(field, drawn % limit);
    match &field.kind {
        Kind::Enum(values) => {
            return values.first().map_or(Value::Null, |first| Value::text(first.as_str()));
        }
        Kind::Actor(_) => return Value::text(format!("erased-{id:032x}")),
        // Who it leads to is erased by itself.
        Kind::Reference { .. } | Kind::Children { .. } => return old.clone(),
        Kind::Scalar => {}
    }
    match (&field.declared, old) {
        (FieldType::Email, _) if unique => Value::text(format!("erased-{id:032x}@invalid")),
        (FieldType::Email, _) => Value::text("erased@invalid"),
        (FieldType::Url, _) if unique => Value::text(format!("https://invalid/{id:032x}")),
        (FieldType::Url, _) => Value::text("https://invalid/"),
        (_, Value::Text(_)) => Value::text(text(field, id, unique)),
        (_, Value::Int(_)) => Value::Int(number(1 << 52)),
        (_, Value::Decimal { scale, .. }) => {
            let digits = match field.declared {
                FieldType::Decimal { precision, .. } => u32::from(precision),
                _ => 1,
            };
            Value::Decimal { units: number(10_i64.saturating_pow(digits)), scale: *scale }
        }
        (FieldType::Money { currency }, Value::Money { currency: old, .. }) => {
            let code = currency.as_deref().and_then(|code| code.as_bytes().try_into().ok());
            Value::Money { units: number(1 << 52), currency: code.map_or(*old, Currency) }
        }
        (_, Value::Bool(_)) => Value::Bool(false),
        (_, Value::Date(_)) => Value::Date(i32::try_from(number(1 << 20)).unwrap_or_default()),
        (_, Value::Time(_)) => Value::Time(number(86_400_000_000)),
        (_, Value::Timestamp(_)) => Value::Timestamp(number(1 << 52)),
        (_, Value::Duration(_)) => Value::Duration(number(1 << 52)),
        (_, Value::Timespan { .. }) => Value::Timespan { start: drawn, end: drawn + 1 },
        (_, Value::Uuid(_)) => Value::Uuid(if unique { id } else { 0 }),
        (_, Value::Json(_)) => Value::Json("{}".into()),
        (_, Value::List(_)) => Value::List(Vec::new()),
        (_, Value::Null | Value::Money { .. }) => old.clone(),
    }
}

/// A number inside the bounds of its field.
fn within(field: &Field, number: i64) -> i64 {
    let bound = |value: &Option<Value>| match value {
        Some(
            Value::Int(n)
            | Value::Time(n)
            | Value::Timestamp(n)
            | Value::Duration(n)
            | Value::Decimal { units: n, .. }
            | Value::Money { units: n, .. },
        ) => Some(*n),
        Some(Value::Date(n)) => Some(i64::from(*n)),
        _ => None,
    };
    let number = bound(&field.min).map_or(number, |min| number.max(min));
    bound(&field.max).map_or(number, |max| number.min(max))
}

/// As long as its field wants.
fn text(field: &Field, id: u128, unique: bool) -> String {
    let length = |bound: &Option<Value>| match bound {
        Some(Value::Int(n)) => usize::try_from(*n).ok(),
        _ => None,
    };
    let (min, max) = (length(&field.min).unwrap_or(0), length(&field.max).unwrap_or(usize::MAX));
    let text = if unique { format!("erased-{id:032x}") } else { "erased".to_owned() };
    // Of a unique one the random end is what tells it apart.
    let cut = text.len().saturating_sub(max);
    let text = if unique { &text[cut..] } else { &text[..text.len() - cut] };
    format!("{text:-<min$}")
}
