//! Fields and inputs: kind, source, bounds.

use super::access::grant;
use super::bounds::bounds;
use crate::check::place::Place;
use crate::check::reads::walk;
use crate::check::typing::assign::assign;
use crate::check::typing::scope::{Me, Scope, Use};
use crate::check::world::{Entry, World, value_type};
use crate::check::{e031_unknown_actor, e051_other_aggregate, e059_at};
use ir::Diagnostic;
use ir::domain::{ContextId, Field, FieldId, Grant, Kind, ResourceId, Source};
use ir::expr::{Expr, ExprKind, Expression, Node, Tree};
use ir::model::{self, At, FieldType, OnDelete};
use ir::source::Name;

/// Resolves the type of every field, before any expression is looked at.
pub(super) fn find_kinds(world: &mut World<'_>, found: &mut Vec<Diagnostic>) {
    for at in 0..world.resources.len() {
        let entry = &world.resources[at];
        let kinds = entry.model.fields.iter();
        let kinds = kinds.map(|field| {
            let place = Place::new(entry.model.name.as_str(), field.name.as_str());
            field_kind(world, entry.context, field, place, found)
        });
        let kinds = kinds.collect();
        world.resources[at].kinds = kinds;
    }
}

/// The kind of a field or input as seen from a context; none where a name in it is unknown.
pub(crate) fn field_kind(
    world: &World<'_>,
    context: ContextId,
    field: &model::Field,
    place: Place<'_>,
    found: &mut Vec<Diagnostic>,
) -> Option<Kind> {
    match &field.ty.value {
        FieldType::Enum(values) => {
            Some(Kind::Enum(values.iter().map(|value| value.value.clone()).collect()))
        }
        FieldType::Reference { context: other, resource } => {
            let target = match other {
                Some(other) => world.resource_of(other, resource, place, found)?,
                None => world.resource_from(context, resource, place, found)?,
            };
            let crosses = world.entry(target).context != context;
            let on_delete = field.on_delete.as_ref().map_or(OnDelete::Restrict, |on| on.value);
            Some(Kind::Reference { target, crosses, on_delete })
        }
        FieldType::Actor(actor) => actor_kind(world, actor, place, found),
        FieldType::Many { resource, min, max } => {
            let target = world.resource_from(context, resource, place, found)?;
            Some(Kind::Children { target, min: *min, max: *max })
        }
        FieldType::String
        | FieldType::Text
        | FieldType::Int
        | FieldType::Decimal { .. }
        | FieldType::Bool
        | FieldType::Money { .. }
        | FieldType::Date
        | FieldType::Time
        | FieldType::Timestamp
        | FieldType::Duration
        | FieldType::Timespan
        | FieldType::Uuid
        | FieldType::Url
        | FieldType::Email
        | FieldType::Json
        | FieldType::Counter
        | FieldType::List(_) => Some(Kind::Scalar),
    }
}

fn actor_kind(
    world: &World<'_>,
    actor: &Name,
    place: Place<'_>,
    found: &mut Vec<Diagnostic>,
) -> Option<Kind> {
    let id = world.actors.get(actor.as_str()).copied();
    if id.is_none() {
        found.push(e031_unknown_actor::fault(world, actor, place));
    }
    id.map(Kind::Actor)
}

/// A field of a resource.
pub(super) fn field(
    world: &World<'_>,
    resource: ResourceId,
    id: FieldId,
    found: &mut Vec<Diagnostic>,
) -> Field {
    let entry = world.entry(resource);
    let declared = entry.declared(id);
    let place = Place::new(entry.name(), declared.name.as_str());
    let kind = entry.kinds[id.index()].clone();
    let state = entry.states.contains(&id);
    let source = source(world, resource, declared, kind.as_ref(), state, found);
    let grants = |list: &[model::Grant], found: &mut Vec<Diagnostic>| -> Option<Vec<Grant>> {
        let grants = list.iter().filter_map(|g| grant(world, Some(resource), g, place, found));
        Some(grants.collect())
    };
    let allow = declared.allow.as_ref();
    let read = allow.filter(|allow| !allow.read.is_empty());
    let read = read.and_then(|allow| grants(&allow.read, found));
    let write = allow.filter(|allow| !allow.write.is_empty());
    let write = write.and_then(|allow| grants(&allow.write, found));
    Field { state, source, read, write, ..plain(declared, kind, place, found) }
}

/// An input of a command: as a field that the client gives, or has a default.
pub(crate) fn input(
    world: &World<'_>,
    context: ContextId,
    declared: &model::Field,
    place: Place<'_>,
    found: &mut Vec<Diagnostic>,
) -> (Field, bool) {
    let kind = field_kind(world, context, declared, place, found);
    let known = kind.is_some();
    let scope = Scope::row(world, place, Use::Field, None);
    let default = declared.expression.as_ref().zip(kind.as_ref()).and_then(|(expression, kind)| {
        let ty = value_type(&declared.ty.value, kind);
        assign(&scope, expression, &ty, declared.name.as_str(), found)
    });
    let source = default.map_or(Source::Client, Source::Default);
    (Field { source, ..plain(declared, kind, place, found) }, known)
}

/// Everything of a field that needs no expression.
fn plain(
    declared: &model::Field,
    kind: Option<Kind>,
    place: Place<'_>,
    found: &mut Vec<Diagnostic>,
) -> Field {
    let (min, max) = bounds(declared, place, found);
    let ty = &declared.ty.value;
    Field {
        name: declared.name.value.clone(),
        about: declared.about.as_ref().map_or_else(String::new, |about| about.value.clone()),
        declared: ty.clone(),
        kind: kind.unwrap_or(Kind::Scalar),
        source: Source::Client,
        optional: declared.optional.is_some(),
        min,
        max,
        pattern: declared.pattern.as_ref().map(|pattern| pattern.value.clone()),
        search: declared.search.is_some(),
        personal: declared.personal.is_some(),
        secret: declared.secret.is_some(),
        state: false,
        filterable: filterable(declared),
        read: None,
        write: None,
    }
}

/// Not json, lists, children, secrets, nor what is asked of its owner at each read.
fn filterable(declared: &model::Field) -> bool {
    let stored = declared.at.as_ref().is_none_or(|at| at.value != At::Read);
    let fits = match &declared.ty.value {
        FieldType::Json | FieldType::List(_) | FieldType::Many { .. } => false,
        FieldType::String
        | FieldType::Text
        | FieldType::Int
        | FieldType::Decimal { .. }
        | FieldType::Bool
        | FieldType::Money { .. }
        | FieldType::Date
        | FieldType::Time
        | FieldType::Timestamp
        | FieldType::Duration
        | FieldType::Timespan
        | FieldType::Uuid
        | FieldType::Url
        | FieldType::Email
        | FieldType::Counter
        | FieldType::Enum(_)
        | FieldType::Reference { .. }
        | FieldType::Actor(_) => true,
    };
    fits && stored && declared.secret.is_none()
}

/// Where the value of a field comes from.
fn source(
    world: &World<'_>,
    resource: ResourceId,
    declared: &model::Field,
    kind: Option<&Kind>,
    state: bool,
    found: &mut Vec<Diagnostic>,
) -> Source {
    let entry = world.entry(resource);
    let place = Place::new(entry.name(), declared.name.as_str());
    if state {
        return Source::State;
    }
    let Some(expression) = &declared.expression else {
        if let Some(at) = &declared.at {
            found.push(e059_at::without_expression(at.span, place));
        }
        return match kind {
            Some(Kind::Actor(_)) => Source::Caller,
            _ if declared.ty.value == FieldType::Counter => Source::Counted,
            _ => Source::Client,
        };
    };
    let Some(kind) = kind.filter(|kind| !matches!(kind, Kind::Children { .. })) else {
        return Source::Client;
    };
    let purpose = if declared.at.is_some() { Use::FieldAt } else { Use::Field };
    let me = Me::Nobody("a field has no caller; `actor …` fields are filled from the caller");
    let scope = Scope { me, ..Scope::row(world, place, purpose, Some(resource)) };
    let ty = value_type(&declared.ty.value, kind);
    let Some(expr) = assign(&scope, expression, &ty, declared.name.as_str(), found) else {
        return Source::Client;
    };
    match (&declared.at, reads(&expr)) {
        (Some(at), false) => {
            found.push(e059_at::reads_nothing(at.span, place));
            Source::Default(expr)
        }
        (Some(at), true) => Source::Copied(at.value, expr),
        (None, false) => Source::Default(expr),
        (None, true) => {
            if let Some(word) = unstable(&expr) {
                found.push(e051_other_aggregate::unstable(word, expression.span, place));
            }
            Source::Computed(expr)
        }
    }
}

/// Does it read a field of anything?
fn reads(expr: &Expr) -> bool {
    let mut reads = false;
    walk(expr, &mut |expr| {
        reads |= match &expr.kind {
            ExprKind::Field(_)
            | ExprKind::Related { .. }
            | ExprKind::Parent(_)
            | ExprKind::Age
            | ExprKind::Item(_)
            | ExprKind::ItemRelated { .. }
            | ExprKind::Aggregate(..) => true,
            ExprKind::Literal(_)
            | ExprKind::Input(_)
            | ExprKind::Got(_)
            | ExprKind::Me
            | ExprKind::Now
            | ExprKind::EventData(_)
            | ExprKind::EventMeta(_)
            | ExprKind::Step { .. }
            | ExprKind::Not(_)
            | ExprKind::Negate(_)
            | ExprKind::And(_)
            | ExprKind::Or(_)
            | ExprKind::Compare(..)
            | ExprKind::In(..)
            | ExprKind::Arithmetic(..)
            | ExprKind::If(..)
            | ExprKind::Call(..)
            | ExprKind::ViewAggregate(..) => false,
        };
    });
    reads
}

/// Does an expression of a field, not yet typed, read a field? Then it is computed.
pub(crate) fn reads_fields(entry: &Entry<'_>, expression: &Expression) -> bool {
    fn walk(entry: &Entry<'_>, tree: &Tree) -> bool {
        match &tree.node {
            Node::Name(name) => name == "age" || entry.field(name).is_some(),
            Node::Member(..) => true,
            Node::Not(inner) | Node::Negate(inner) => walk(entry, inner),
            Node::Binary(_, left, right) => walk(entry, left) || walk(entry, right),
            Node::Call(_, items) | Node::List(items) => items.iter().any(|item| walk(entry, item)),
            Node::Null | Node::Bool(_) | Node::Int(_) | Node::Decimal { .. } | Node::Text(_) => {
                false
            }
        }
    }
    walk(entry, &expression.tree)
}

/// `now` or `age` in a computed field: its stored value would be wrong a moment later.
fn unstable(expr: &Expr) -> Option<&'static str> {
    let mut word = None;
    walk(expr, &mut |expr| match expr.kind {
        ExprKind::Now => word = Some("now"),
        ExprKind::Age => word = Some("age"),
        _ => {}
    });
    word
}
