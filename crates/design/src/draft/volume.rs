//! Rows and bytes of each resource at the end of the growth horizon.

use crate::capacity::Term;
use crate::draft::MONTH_SECONDS;
use crate::draft::inputs::{Inputs, Knob};
use crate::draft::load::Load;
use ir::domain::{Domain, Field, Kind, ResourceId};
use ir::model::{Effect, FieldType, Model, Rows};
use ir::quantity::{Computed, Grade, Unit};
use std::collections::BTreeMap;

/// Bytes of a row beside its fields: row header, id, version, two times, tenant.
const ROW_OVERHEAD_BYTES: f64 = 76.0;
/// Bytes of an index entry: key, row pointer, page fill.
const ENTRY_BYTES: f64 = 48.0;
/// Share of its greatest length that a text has in the mean.
const TEXT_FILL: f64 = 0.5;
/// Characters of a text without a greatest length.
const TEXT_CHARS: f64 = 120.0;

/// What a resource holds at the end of the horizon.
#[derive(Debug, Clone, PartialEq)]
pub struct Volume {
    /// The resource.
    pub resource: ResourceId,
    /// The model states its rows, its own or its owner's.
    pub stated: bool,
    /// The resource itself has `rows`, rather than its owner or what it is made from.
    pub own_statement: bool,
    /// Rows at the end of the horizon.
    pub rows: Computed,
    /// Rows a second that come, where it grows.
    pub growth_rows: Option<f64>,
    /// Seconds a row is kept.
    pub keep: Option<f64>,
    /// Bytes of one row without indexes.
    pub row_bytes: f64,
    /// Indexes, the primary key among them.
    pub indexes: f64,
    /// Bytes in all, indexes among them, at the end of the horizon.
    pub bytes: Computed,
}

/// Volumes of all resources, by id.
pub fn read(
    model: &Model,
    domain: &Domain,
    indexes: &BTreeMap<ResourceId, usize>,
    inputs: &Inputs,
    load: &Load,
) -> Vec<Volume> {
    let mut stated = stated_rows(model, domain);
    if inputs.rows_of_workload {
        stated.retain(|id, rows| rows.per.is_none() || load.creates(*id) <= 0.0);
    }
    let reacted = created_by_reactions(model, domain);
    let mut volumes: Vec<Option<Volume>> = vec![None; domain.resources.len()];
    // Owners before children, originals before what reactions make of them.
    for pass in 0..3 {
        for (id, resource) in domain.resources() {
            if volumes[id.index()].is_some() {
                continue;
            }
            let rows = match (resource.owner, stated.get(&id), reacted.get(&id)) {
                (Some((owner, _)), _, _) => volumes[owner.index()].as_ref().map(|owner| {
                    let owners = Term::input(
                        "owners",
                        owner.rows.value,
                        owner.rows.unit.clone(),
                        owner.rows.grade(),
                        &owner.rows.formula,
                    );
                    let rows = owners * children(domain, id, inputs);
                    let per = inputs.value(Knob::Children);
                    let growth = owner.growth_rows.map(|rows| rows * per);
                    (rows, growth, owner.keep, owner.stated)
                }),
                (None, Some(rows), _) => Some(of_statement(rows, resource.shared, inputs)),
                (None, None, Some(sources)) if pass < 2 => from_sources(sources, &volumes),
                (None, None, _) => Some(unstated(id, resource.shared, inputs, load)),
            };
            if let Some((rows, growth, keep, known)) = rows {
                let count = indexes.get(&id).copied().unwrap_or(0) as f64 + 1.0;
                let mut volume = measured(domain, id, rows, growth, keep, count);
                volume.stated = known;
                volume.own_statement = stated.contains_key(&id);
                volumes[id.index()] = Some(volume);
            }
        }
    }
    volumes.into_iter().flatten().collect()
}

type Estimate = (Term, Option<f64>, Option<f64>, bool);

fn measured(
    domain: &Domain,
    id: ResourceId,
    rows: Term,
    growth_rows: Option<f64>,
    keep: Option<f64>,
    indexes: f64,
) -> Volume {
    let unit = Unit::Count("rows".to_owned());
    let rows = rows.ceil().named("rows", unit);
    let row_bytes = row_bytes(domain, id);
    let name = domain.full_name(id);
    let source = format!("{} fields of {name}, texts half full", domain.resource(id).fields.len());
    let row = Term::input("row_bytes", row_bytes, Unit::Bytes, Grade::Assumed, &source);
    let count = Unit::Count("indexes".to_owned());
    let index = Term::input("indexes", indexes, count, Grade::Derived, "schema");
    let entry = Term::input(
        "entry_bytes",
        ENTRY_BYTES,
        Unit::Bytes,
        Grade::Assumed,
        "a key and a row pointer in a page two thirds full",
    );
    let bytes = Term::from(&rows) * (row + index * entry);
    let bytes = bytes.named("bytes", Unit::Bytes);
    Volume {
        resource: id,
        stated: false,
        own_statement: false,
        rows,
        growth_rows,
        keep,
        row_bytes,
        indexes,
        bytes,
    }
}

fn of_statement(rows: &Rows, shared: bool, inputs: &Inputs) -> Estimate {
    let unit = Unit::Count("rows".to_owned());
    let count = Term::input("count", rows.count.worst(), unit, Grade::Given, "rows");
    let per_tenant = rows.per_tenant && !shared;
    let count = if per_tenant { count * inputs.get(Knob::Tenants) } else { count };
    let tenants = if per_tenant { inputs.value(Knob::Tenants) } else { 1.0 };
    let Some(period) = rows.per else {
        return (count * inputs.get(Knob::Growth), None, rows.keep, true);
    };
    let horizon = inputs.horizon();
    let kept = rows.keep.map_or(horizon, |keep| keep.min(horizon));
    let kept_term = Term::input(
        "kept",
        kept,
        Unit::Seconds,
        Grade::Given,
        "the horizon, or how long a row is kept",
    );
    let period_term = Term::input("period", period, Unit::Seconds, Grade::Given, "rows");
    let growth = (Term::number(1.0) + inputs.get(Knob::Growth)) / 2.0;
    let rate = rows.count.worst() * tenants / period;
    (count * growth * kept_term / period_term, Some(rate), rows.keep, true)
}

/// Without a statement: what the workload creates, or the assumed number.
fn unstated(id: ResourceId, shared: bool, inputs: &Inputs, load: &Load) -> Estimate {
    let creates = load.creates(id);
    if creates > 0.0 && !load.assumed {
        let rate = Term::input("creates", creates, Unit::PerSecond, Grade::Derived, "workload");
        let horizon = inputs.horizon();
        let time = Term::input("horizon", horizon, Unit::Seconds, Grade::Derived, "goals.growth");
        let mean = rate / inputs.get(Knob::PeakToMean);
        let growth = (Term::number(1.0) + inputs.get(Knob::Growth)) / 2.0;
        let rows = mean.clone().value();
        return (mean * growth * time, Some(rows), None, false);
    }
    let rows = inputs.get(Knob::Rows).clone();
    let rows = if shared { rows } else { rows * inputs.get(Knob::Tenants) };
    (rows * inputs.get(Knob::Growth), None, None, false)
}

fn from_sources(sources: &[ResourceId], volumes: &[Option<Volume>]) -> Option<Estimate> {
    let mut known = Vec::new();
    for source in sources {
        known.push(volumes[source.index()].as_ref()?);
    }
    let terms = known.iter().enumerate().map(|(at, volume)| {
        let name = format!("source_{}", at + 1);
        Term::input(
            &name,
            volume.rows.value,
            volume.rows.unit.clone(),
            volume.rows.grade(),
            "rows of the resource whose event makes one",
        )
    });
    let growth: Option<f64> = known.iter().map(|volume| volume.growth_rows).sum::<Option<f64>>();
    let keep = known.iter().filter_map(|volume| volume.keep).reduce(f64::max);
    Some((Term::sum(terms), growth, keep, known.iter().all(|volume| volume.stated)))
}

fn children(domain: &Domain, child: ResourceId, inputs: &Inputs) -> Term {
    let assumed = inputs.get(Knob::Children);
    let Some((owner, field)) = domain.resource(child).owner else { return assumed.clone() };
    match domain.resource(owner).field(field).kind {
        Kind::Children { min, max, .. } => {
            let value = assumed.value().clamp(f64::from(min), f64::from(max.max(min)));
            assumed.with_value(value, assumed.grade())
        }
        Kind::Scalar | Kind::Enum(_) | Kind::Reference { .. } | Kind::Actor(_) => assumed.clone(),
    }
}

fn stated_rows<'a>(model: &'a Model, domain: &Domain) -> BTreeMap<ResourceId, &'a Rows> {
    let mut names = BTreeMap::new();
    for (id, _) in domain.resources() {
        names.insert(domain.full_name(id), id);
    }
    let mut found = BTreeMap::new();
    for context in &model.contexts {
        for resource in &context.resources {
            let id = names.get(&format!("{}.{}", context.name, resource.name));
            if let (Some(id), Some(rows)) = (id, &resource.rows) {
                found.insert(*id, rows);
            }
        }
    }
    found
}

/// Resources whose rows reactions make, with the resources whose events they react to.
fn created_by_reactions(model: &Model, domain: &Domain) -> BTreeMap<ResourceId, Vec<ResourceId>> {
    let mut emitters: BTreeMap<&str, ResourceId> = BTreeMap::new();
    let mut names = BTreeMap::new();
    for (id, resource) in domain.resources() {
        names.insert(domain.full_name(id), id);
        for command in &resource.commands {
            for event in &command.emits {
                emitters.insert(event, id);
            }
        }
        for (_, event) in &resource.emits {
            emitters.insert(event, id);
        }
    }
    let mut made: BTreeMap<ResourceId, Vec<ResourceId>> = BTreeMap::new();
    for context in &model.contexts {
        for reaction in &context.reacts {
            let Effect::Create(resource) = &reaction.effect else { continue };
            let full = format!("{}.{resource}", context.name);
            let source = emitters.get(reaction.event.as_str());
            if let (Some(id), Some(source)) = (names.get(&full), source)
                && id != source
            {
                made.entry(*id).or_default().push(*source);
            }
        }
    }
    made
}

/// Bytes of a mean row.
pub fn row_bytes(domain: &Domain, id: ResourceId) -> f64 {
    let resource = domain.resource(id);
    ROW_OVERHEAD_BYTES + resource.fields.iter().map(field_bytes).sum::<f64>()
}

fn field_bytes(field: &Field) -> f64 {
    let bytes = match &field.kind {
        Kind::Enum(values) => {
            let all: usize = values.iter().map(String::len).sum();
            all as f64 / values.len().max(1) as f64 + 2.0
        }
        Kind::Reference { .. } => 16.0,
        Kind::Actor(_) => 38.0,
        Kind::Children { .. } => 0.0,
        Kind::Scalar => scalar_bytes(&field.declared, field),
    };
    let searched = if field.search { 2.0 } else { 1.0 };
    if field.optional { bytes * searched / 2.0 } else { bytes * searched }
}

fn scalar_bytes(declared: &FieldType, field: &Field) -> f64 {
    match declared {
        FieldType::String | FieldType::Text => {
            let max = field.max.as_ref().and_then(|max| match max {
                ir::value::Value::Int(chars) => Some(*chars as f64),
                _ => None,
            });
            max.map_or(TEXT_CHARS, |max| max * TEXT_FILL)
        }
        FieldType::Url => 80.0,
        FieldType::Email => 26.0,
        FieldType::Json => 400.0,
        FieldType::Bool => 1.0,
        FieldType::Int
        | FieldType::Decimal { .. }
        | FieldType::Timestamp
        | FieldType::Duration
        | FieldType::Time
        | FieldType::Counter => 8.0,
        FieldType::Date => 4.0,
        FieldType::Money { .. } => 12.0,
        FieldType::Timespan | FieldType::Uuid => 16.0,
        FieldType::List(item) => 4.0 * scalar_bytes(item, field),
        FieldType::Enum(_)
        | FieldType::Reference { .. }
        | FieldType::Actor(_)
        | FieldType::Many { .. } => 16.0,
    }
}

/// Rows a month from rows a second.
pub fn a_month(rows_a_second: f64) -> f64 {
    rows_a_second * MONTH_SECONDS
}
