//! Resources: what holds fields, commands, uniques, routes and access together.

use super::access::access;
use super::commands::{NO_CALLER, command};
use super::fields::field;
use crate::check::place::Place;
use crate::check::typing::condition;
use crate::check::typing::scope::{Scope, Use};
use crate::check::world::{Entry, World};
use crate::check::{e034_unknown_resource, e035_unknown_field, e064_never_overlap, e094_routes};
use crate::naming;
use ir::Diagnostic;
use ir::domain::{Change, FieldId, Resource, ResourceId, Route, Unique};
use ir::expr::FieldRef;
use ir::model::{self, FieldType};
use ir::source::Name;

/// One resource.
pub(super) fn resource(world: &World<'_>, id: ResourceId, found: &mut Vec<Diagnostic>) -> Resource {
    let entry = world.entry(id);
    let asked = entry.model;
    let fields =
        (0..asked.fields.len()).map(|at| field(world, id, FieldId::of(at), found)).collect();
    let cache = asked.cache.as_ref().map(|cache| {
        let except = cache.except.iter();
        let mut except: Vec<FieldId> =
            except.filter_map(|name| declared(world, id, name, "cache", found)).collect();
        except.sort_unstable();
        except.dedup();
        ir::domain::Cache { seconds: cache.time, except }
    });
    let path = match &asked.path {
        Some(path) => path.value.clone(),
        None => naming::resource_path(entry.name()),
    };
    Resource {
        name: asked.name.value.clone(),
        about: asked.about.as_ref().map_or_else(String::new, |about| about.value.clone()),
        context: entry.context,
        path,
        owner: entry.owner,
        shared: asked.shared.is_some() || world.model.tenancy.is_none(),
        fields,
        uniques: uniques(world, id, found),
        overlaps: overlaps(world, id, found),
        commands: asked.commands.iter().map(|c| command(world, id, c, found)).collect(),
        access: access(world, id, found),
        routes: asked.routes.iter().filter_map(|r| route(world, id, r, found)).collect(),
        emits: emits(entry),
        idempotency_required: asked.idempotency_required.is_some(),
        if_match_required: asked.if_match_required.is_some(),
        cache,
    }
}

/// A declared field by its name.
fn declared(
    world: &World<'_>,
    id: ResourceId,
    name: &Name,
    part: &str,
    found: &mut Vec<Diagnostic>,
) -> Option<FieldId> {
    let entry = world.entry(id);
    match entry.field(name.as_str()) {
        Some(FieldRef::Field(field)) => Some(field),
        Some(FieldRef::Implicit(_)) | None => {
            let place = Place::new(entry.name(), part);
            found.push(e035_unknown_field::fault(world, id, name, place));
            None
        }
    }
}

/// Uniques of single fields in the order of the fields, then those of several.
fn uniques(world: &World<'_>, id: ResourceId, found: &mut Vec<Diagnostic>) -> Vec<Unique> {
    let entry = world.entry(id);
    let single = entry.model.fields.iter().enumerate().filter(|(_, f)| f.unique.is_some());
    let mut uniques: Vec<Unique> =
        single.map(|(at, _)| Unique { fields: vec![FieldId::of(at)], when: None }).collect();
    for unique in &entry.model.unique {
        let names = unique.fields.iter();
        let fields: Vec<Option<FieldId>> =
            names.map(|name| declared(world, id, name, "unique", found)).collect();
        let place = Place::new(entry.name(), "unique");
        let row = Scope::row(world, place, Use::UniqueWhen, Some(id));
        let scope = Scope { me: NO_CALLER, ..row };
        let when = unique.when.as_ref().map(|when| condition(&scope, when, found));
        let fields: Option<Vec<FieldId>> = fields.into_iter().collect();
        match (fields, when) {
            (Some(fields), None) => uniques.push(Unique { fields, when: None }),
            (Some(fields), Some(Some(when))) => uniques.push(Unique { fields, when: Some(when) }),
            (None, _) | (_, Some(None)) => {}
        }
    }
    uniques
}

fn overlaps(
    world: &World<'_>,
    id: ResourceId,
    found: &mut Vec<Diagnostic>,
) -> Vec<(Vec<FieldId>, FieldId)> {
    let entry = world.entry(id);
    let mut overlaps = Vec::new();
    for set in &entry.model.never_overlap {
        let names = set.value.iter();
        let fields: Vec<Option<FieldId>> =
            names.map(|name| declared(world, id, name, "never_overlap", found)).collect();
        let Some(fields) = fields.into_iter().collect::<Option<Vec<FieldId>>>() else { continue };
        let is_span = |field: &FieldId| entry.declared(*field).ty.value == FieldType::Timespan;
        let (spans, equal): (Vec<FieldId>, Vec<FieldId>) = fields.into_iter().partition(is_span);
        match spans.as_slice() {
            [span] => overlaps.push((equal, *span)),
            spans => found.push(e064_never_overlap::fault(entry, set.span, spans.len())),
        }
    }
    overlaps
}

fn emits(entry: &Entry<'_>) -> Vec<(Change, String)> {
    let changes = entry.model.emit.iter().filter_map(|name| {
        let change = match name.as_str() {
            "created" => Change::Created,
            "updated" => Change::Updated,
            "deleted" => Change::Deleted,
            _ => return None,
        };
        Some((change, plain_event(entry.name(), name.as_str())))
    });
    changes.collect()
}

/// The event of a plain write: `order.created`.
pub(crate) fn plain_event(resource: &str, change: &str) -> String {
    format!("{}.{change}", naming::snake(resource))
}

fn route(
    world: &World<'_>,
    id: ResourceId,
    asked: &model::Route,
    found: &mut Vec<Diagnostic>,
) -> Option<Route> {
    let entry = world.entry(id);
    let place = Place::new(entry.name(), "routes");
    if asked.find.as_str() != entry.name() {
        found.push(match world.in_context(entry.context, asked.find.as_str()) {
            Some(_) => e094_routes::elsewhere(&asked.find, place),
            None => e034_unknown_resource::fault(world, Some(entry.context), &asked.find, place),
        });
        return None;
    }
    let by = declared(world, id, &asked.by, "routes", found);
    let mut optional = |name: &Option<Name>| -> Option<Option<FieldId>> {
        match name {
            Some(name) => declared(world, id, name, "routes", found).map(Some),
            None => Some(None),
        }
    };
    let (redirect, count) = (optional(&asked.redirect), optional(&asked.count));
    let row = Scope::row(world, place, Use::Filter, Some(id));
    let scope = Scope { me: NO_CALLER, ..row };
    let when = match &asked.when {
        Some(when) => Some(condition(&scope, when, found)?),
        None => None,
    };
    Some(Route {
        path: asked.path.value.clone(),
        by: by?,
        redirect: redirect?,
        count: count?,
        when,
    })
}
