//! What several rules look up in the model, and how they print numbers in sentences.

use crate::capacity::Term;
use crate::draft::Draft;
use crate::draft::inputs::Knob;
use ir::decision::Setting;
use ir::domain::{ContextId, Domain, FieldId, Kind, ResourceId, Source};
use ir::expr::{Expr, ExprKind};
use ir::model::{At, Step};
use ir::quantity::{Computed, Grade, Unit, print};
use std::collections::BTreeMap;

/// A reference from one context into another.
#[derive(Debug, Clone, PartialEq)]
pub struct Relation {
    /// The resource that refers.
    pub from: ResourceId,
    /// Its field.
    pub field: FieldId,
    /// The resource referred to.
    pub to: ResourceId,
    /// Fields that are copied through the reference, and when.
    pub copies: Vec<(String, At)>,
}

/// All references across contexts, in the order of the resources.
pub fn relations(domain: &Domain) -> Vec<Relation> {
    let mut relations: Vec<Relation> = Vec::new();
    for (from, resource) in domain.resources() {
        let first = relations.len();
        for (field, declared) in resource.fields() {
            match declared.kind {
                Kind::Reference { target, crosses: true, .. } => {
                    relations.push(Relation { from, field, to: target, copies: Vec::new() });
                }
                Kind::Reference { .. }
                | Kind::Scalar
                | Kind::Enum(_)
                | Kind::Actor(_)
                | Kind::Children { .. } => {}
            }
        }
        for field in &resource.fields {
            let (at, expr) = match &field.source {
                Source::Copied(at, expr) => (*at, expr),
                Source::Client
                | Source::Default(_)
                | Source::Computed(_)
                | Source::State
                | Source::Caller
                | Source::Counted => continue,
            };
            let Some(through) = followed(expr) else { continue };
            let own = relations[first..].iter_mut().find(|relation| relation.field == through);
            if let Some(relation) = own {
                relation.copies.push((field.name.clone(), at));
            }
        }
    }
    relations
}

/// The first reference that an expression follows.
fn followed(expr: &Expr) -> Option<FieldId> {
    let ExprKind::Related { path, .. } = &expr.kind else { return None };
    path.first().copied()
}

/// How strongly two contexts hang together: references, and steps of workflows that cross.
pub(crate) fn coupling(draft: &Draft<'_>) -> BTreeMap<(ContextId, ContextId), u32> {
    let mut pairs = BTreeMap::new();
    for relation in relations(draft.domain) {
        let from = draft.domain.resource(relation.from).context;
        let to = draft.domain.resource(relation.to).context;
        let strength = 1 + u32::try_from(relation.copies.len()).unwrap_or(0);
        *pairs.entry((from.min(to), from.max(to))).or_insert(0) += strength;
    }
    pairs
}

/// Requests a second that land on each context, by id; what workflows add among them.
pub(crate) fn rate_by_context(draft: &Draft<'_>) -> Vec<f64> {
    let mut rates = vec![0.0; draft.domain.contexts.len()];
    for flow in &draft.load.flows {
        if let Some(id) = flow.resource {
            rates[draft.domain.resource(id).context.index()] += flow.rate.value;
        }
    }
    rates
}

/// All steps of a workflow, those side by side among them, in order.
pub(crate) fn steps(all: &[Step]) -> Vec<&Step> {
    let mut found = Vec::new();
    for step in all {
        found.push(step);
        found.extend(steps(&step.parallel));
    }
    found
}

/// The integration's operation that a step calls: `payments`, `charge`.
pub(crate) fn outside<'a>(draft: &Draft<'_>, step: &'a Step) -> Option<(&'a str, &'a str)> {
    let (integration, operation) = step.run.as_ref()?.as_str().split_once('.')?;
    draft.integration(integration).map(|_| (integration, operation))
}

/// Whether only the caller that a row belongs to may edit it: every grant compares with `me`.
pub(crate) fn edited_by_its_owner(draft: &Draft<'_>, id: ResourceId) -> bool {
    let grants = &draft.domain.resource(id).access.update;
    let owned = |grant: &ir::domain::Grant| grant.when.as_ref().is_some_and(speaks_of_me);
    !grants.is_empty() && grants.iter().all(owned)
}

fn speaks_of_me(expr: &Expr) -> bool {
    if let ExprKind::And(all) = &expr.kind {
        return all.iter().any(speaks_of_me);
    }
    if let ExprKind::Or(any) = &expr.kind {
        return any.iter().all(speaks_of_me);
    }
    if let ExprKind::Compare(_, left, right) = &expr.kind {
        return speaks_of_me(left) || speaks_of_me(right);
    }
    matches!(expr.kind, ExprKind::Me)
}

/// The resource with the most of something, if any has some.
pub(crate) fn most(draft: &Draft<'_>, of: impl Fn(ResourceId) -> f64) -> Option<(ResourceId, f64)> {
    let mut best: Option<(ResourceId, f64)> = None;
    for (id, _) in draft.domain.resources() {
        let amount = of(id);
        if amount > best.map_or(0.0, |(_, most)| most) {
            best = Some((id, amount));
        }
    }
    best
}

/// Rows a second of a resource that come at the peak, and by whose word.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NewRows {
    /// At the peak.
    pub rate: f64,
    /// ` by `rows`` where the statement and the workload do not agree; else nothing.
    pub by: &'static str,
}

/// New rows at the peak: the workload's, but `rows`'s where the two do not agree, as storage does.
pub(crate) fn new_rows(draft: &Draft<'_>, id: ResourceId) -> NewRows {
    let volume = draft.volume(id);
    let made = draft.load.creates(id);
    let ratio = draft.value(Knob::PeakToMean);
    match volume.growth_rows.filter(|_| made > 0.0 && super::data::differs(draft, volume)) {
        Some(stated) => NewRows { rate: stated * ratio, by: " by `rows`" },
        None => NewRows { rate: made, by: "" },
    }
}

/// Rows in reach of one caller: its tenant's where there are tenants; its own where every rule
/// of reading has a condition on the row.
pub(crate) fn reach(draft: &Draft<'_>, id: ResourceId) -> Computed {
    /// Callers among whom rows are spread that only their own may read.
    const CALLERS: f64 = 10_000.0;
    let rows = Term::from(&draft.volume(id).rows);
    let unit = Unit::Count("rows".to_owned());
    let root = draft.domain.resource(id).owner.map_or(id, |(owner, _)| owner);
    let root = draft.domain.resource(root);
    if draft.tenants() && !draft.domain.resource(id).shared {
        return (rows * draft.input(Knob::Largest)).named("rows in reach", unit);
    }
    if !root.access.read.is_empty() && root.access.read.iter().all(|grant| grant.when.is_some()) {
        let source = "each sees its own rows alone";
        let callers = Term::input("callers", CALLERS, Unit::One, Grade::Assumed, source);
        return (rows / callers).named("rows in reach", unit);
    }
    (rows * 1.0).named("rows in reach", unit)
}

/// Writes a second of a resource that name rows of another context, whose owner is asked: those
/// that make or replace the row. A command decides on what the row already holds.
pub(crate) fn questions(draft: &Draft<'_>, from: ResourceId) -> f64 {
    let root = draft.domain.resource(from).owner.map_or(from, |(owner, _)| owner);
    draft.load.creates(root) + draft.load.edits(root)
}

/// Names of the deployable units, as the boundaries decision has them.
fn units<'a>(draft: &'a Draft<'_>) -> Vec<&'a str> {
    let decision = draft.decided("boundaries", crate::draft::SYSTEM);
    let settings = decision.into_iter().flat_map(|decision| &decision.settings);
    let words = settings.filter_map(|(key, setting)| match setting {
        Setting::Word(word) if *key == "unit" => word.split_once(": "),
        Setting::Word(_) | Setting::Flag(_) | Setting::Number(_) => None,
    });
    words.map(|(name, _)| name).collect()
}

/// `` `schema/shop.postgresql.sql` is``, or each of several units' files `are`.
pub(crate) fn schema_files(draft: &Draft<'_>) -> String {
    let units = units(draft);
    let files: Vec<String> =
        units.iter().map(|name| format!("`schema/{name}.postgresql.sql`")).collect();
    format!("{} {}", super::choice::listed(&files), if files.len() == 1 { "is" } else { "are" })
}

/// `peak above 4,800 rps: …`, or from below where the peak is already past it.
pub(crate) fn peak_flip(draft: &Draft<'_>, at: f64, above: &str, below: &str) -> String {
    if at > draft.value(Knob::Peak) {
        format!("peak above {}: {above}", rps(at))
    } else {
        format!("peak below {}: {below}", rps(at))
    }
}

/// A count of things of the model as a finished number.
pub(crate) fn count(name: &str, value: f64, things: &str, source: &str) -> Computed {
    let unit = Unit::Count(things.to_owned());
    let formula = format!("counted: {source}");
    Computed { name: name.to_owned(), value, unit, formula, inputs: Vec::new() }
}

/// `1,200 rps`
pub(crate) fn rps(value: f64) -> String {
    print(value, &Unit::PerSecond)
}

/// `200 ms`
pub(crate) fn time(value: f64) -> String {
    if value.is_infinite() {
        return "without bound".to_owned();
    }
    print(value, &Unit::Seconds)
}

/// `99.95 %`
pub(crate) fn share(value: f64) -> String {
    print(value, &Unit::Share)
}

/// A share beside another, with as many digits as tell the two apart.
pub(crate) fn share_beside(value: f64, other: f64) -> String {
    let text = share(value);
    if text != share(other) || (value - other).abs() < 1e-12 {
        return text;
    }
    let told = |digits: &usize| {
        let (own, other) = (format!("{:.*}", *digits, value * 100.0), other * 100.0);
        (own != format!("{other:.digits$}")).then_some(own)
    };
    let own = (0..=10).collect::<Vec<usize>>().iter().find_map(told);
    own.map_or(text, |own| format!("{own} %"))
}

/// `4.2 %`: a share where four decimals would be noise.
pub(crate) fn about(value: f64) -> String {
    format!("{} %", ir::quantity::number((value * 1e4).round() / 100.0))
}

/// `1.5 GB`
pub(crate) fn bytes(value: f64) -> String {
    print(value, &Unit::Bytes)
}

/// `1,200`
pub(crate) fn number(value: f64) -> String {
    ir::quantity::number(value)
}

/// `57.7 USD a month`
pub(crate) fn money(draft: &Draft<'_>, value: f64) -> String {
    format!("{} {} a month", number(value), draft.catalog.currency)
}
