//! Which problems an operation can answer with.

use super::{grants, writes};
use ir::contract::OperationKind;
use ir::contract::{Problem, problems as p};
use ir::domain::{Caller, Command, Domain, Field, FieldId, Kind, Resource, Source, Unique};
use ir::model::{FieldType, OnDelete};

/// What any request may meet, whatever it asks.
const ANY: [Problem; 14] = [
    p::MALFORMED_REQUEST,
    p::UNKNOWN_PARAMETER,
    p::INVALID_PARAMETER,
    p::UNAUTHENTICATED,
    p::NOT_ACCEPTABLE,
    p::REQUEST_TIMEOUT,
    p::URI_TOO_LONG,
    p::MISDIRECTED,
    p::TOO_MANY_REQUESTS,
    p::HEADERS_TOO_LARGE,
    p::INTERNAL,
    p::UNAVAILABLE,
    p::DEADLINE_EXCEEDED,
    p::BODY_TOO_LARGE,
];

/// What every call that takes an idempotency key may meet.
const KEYED: [Problem; 2] = [p::KEY_RUNNING, p::KEY_REUSED];

/// What every call with a body may meet.
const WITH_BODY: [Problem; 5] = [
    p::MALFORMED_BODY,
    p::UNKNOWN_MEMBER,
    p::READ_ONLY_MEMBER,
    p::UNSUPPORTED_MEDIA_TYPE,
    p::INVALID_VALUE,
];

/// Slugs of the problems of an operation, in the order of the catalogue.
pub(super) fn of(
    domain: &Domain,
    resource: Option<&Resource>,
    kind: OperationKind,
) -> Vec<&'static str> {
    let mut problems: Vec<Problem> = ANY.to_vec();
    if domain.tenancy.is_some() && resource.is_none_or(|resource| !resource.shared) {
        problems.extend([p::TENANT_UNKNOWN, p::TENANT_MISMATCH]);
    }
    if writes(kind) {
        problems.extend(KEYED);
    }
    if let (OperationKind::Route(at), Some(resource)) = (kind, resource)
        && resource.routes[at].redirect.is_some()
    {
        // Parameters behind an address that is passed on are nobody's fault.
        problems.retain(|problem| problem.slug != p::UNKNOWN_PARAMETER.slug);
    }
    match resource {
        Some(resource) => problems.extend(of_resource(domain, resource, kind)),
        None => {
            problems.extend(WITH_BODY);
            problems.extend([p::NOT_FOUND, p::METHOD_NOT_ALLOWED]);
        }
    }
    let slugs: Vec<&'static str> = problems.iter().map(|problem| problem.slug).collect();
    in_order(&slugs)
}

/// True for what any request may meet.
#[cfg(test)]
pub(super) fn is_common(slug: &str) -> bool {
    ANY.iter().any(|problem| problem.slug == slug)
}

/// Each slug once, in the order of the catalogue.
pub(super) fn in_order(slugs: &[&'static str]) -> Vec<&'static str> {
    let known = p::ALL.iter().map(|problem| problem.slug);
    known.filter(|slug| slugs.contains(slug)).collect()
}

fn of_resource(domain: &Domain, resource: &Resource, kind: OperationKind) -> Vec<Problem> {
    let mut problems = Vec::new();
    let open = grants(resource, kind)
        .iter()
        .any(|grant| grant.caller == Caller::Anyone && grant.when.is_none());
    let may_be_forbidden = writes(kind) || kind == OperationKind::List;
    if may_be_forbidden && !open {
        problems.push(p::FORBIDDEN);
    }
    if writes(kind) && resource.idempotency_required {
        problems.push(p::KEY_REQUIRED);
    }
    match kind {
        OperationKind::List => problems.push(p::INVALID_CURSOR),
        OperationKind::Get | OperationKind::Route(_) => problems.push(p::NOT_FOUND),
        OperationKind::Create => {
            problems.extend(WITH_BODY);
            problems.extend(constraints(domain, resource));
        }
        OperationKind::Replace | OperationKind::Update => {
            problems.extend(of_existing(resource));
            problems.extend(WITH_BODY);
            problems.extend(constraints(domain, resource));
            let child_referenced = resource
                .children()
                .any(|(_, child)| is_held(domain, &domain.resource(child).name, resource));
            problems.extend(child_referenced.then_some(p::STILL_REFERENCED));
        }
        OperationKind::Delete => {
            problems.extend(of_existing(resource));
            let held = is_held(domain, &resource.name, resource);
            problems.extend(held.then_some(p::STILL_REFERENCED));
        }
        OperationKind::Command(id) => {
            problems.extend(of_existing(resource));
            problems.extend(WITH_BODY);
            let command = &resource.commands[id.index()];
            problems.extend(changed(domain, resource, command));
            let names = |field: &Field| matches!(field.kind, Kind::Reference { .. });
            problems.extend(command.input.iter().any(names).then_some(p::UNKNOWN_REFERENCE));
            let transitions = !command.transitions.is_empty();
            problems.extend(transitions.then_some(p::ILLEGAL_TRANSITION));
            problems.extend((!command.require.is_empty()).then_some(p::GUARD_FAILED));
            problems.extend((!command.not_during.is_empty()).then_some(p::WORKFLOW_RUNNING));
        }
        OperationKind::Batch => {}
    }
    problems
}

fn of_existing(resource: &Resource) -> Vec<Problem> {
    let mut problems = vec![p::NOT_FOUND, p::VERSION_MISMATCH];
    problems.extend(resource.if_match_required.then_some(p::PRECONDITION_REQUIRED));
    problems
}

/// Constraints that a changed row may break.
fn constraints(domain: &Domain, resource: &Resource) -> Vec<Problem> {
    let mut all = vec![resource];
    all.extend(resource.children().map(|(_, child)| domain.resource(child)));
    let has = |test: fn(&Resource) -> bool| all.iter().any(|resource| test(resource));
    let mut problems = Vec::new();
    problems.extend(has(|one| !one.uniques.is_empty()).then_some(p::DUPLICATE));
    problems.extend(has(|one| !one.overlaps.is_empty()).then_some(p::OVERLAP));
    problems.extend(has(refers).then_some(p::UNKNOWN_REFERENCE));
    problems.extend(has(computes_money).then_some(p::MIXED_CURRENCIES));
    problems
}

/// Constraints that a command may break by the fields that it changes.
fn changed(domain: &Domain, resource: &Resource, command: &Command) -> Vec<Problem> {
    let states = command.transitions.iter().map(|transition| transition.field);
    let changed: Vec<FieldId> = command.set.iter().map(|(field, _)| *field).chain(states).collect();
    let moves = |field: &FieldId| {
        changed.contains(field) || matches!(resource.field(*field).source, Source::Computed(_))
    };
    let any = |fields: &[FieldId]| fields.iter().any(moves);
    let touches = |unique: &Unique| any(&unique.fields) || unique.when.is_some();
    let mut problems = constraints(domain, resource);
    problems.retain(|problem| match problem.slug {
        slug if slug == p::DUPLICATE.slug => resource.uniques.iter().any(touches),
        slug if slug == p::OVERLAP.slug => {
            resource.overlaps.iter().any(|(equal, span)| any(equal) || moves(span))
        }
        slug if slug == p::UNKNOWN_REFERENCE.slug => changed
            .iter()
            .any(|field| matches!(resource.field(*field).kind, Kind::Reference { .. })),
        _ => true,
    });
    problems
}

fn refers(resource: &Resource) -> bool {
    resource.fields.iter().any(|field| matches!(field.kind, Kind::Reference { .. }))
}

fn computes_money(resource: &Resource) -> bool {
    resource
        .fields
        .iter()
        .any(|field| matches!(field.declared, FieldType::Money { .. }) && !field.source.writable())
}

/// A row of that name may be held by a reference of its own context.
fn is_held(domain: &Domain, name: &str, within: &Resource) -> bool {
    domain.resources.iter().any(|other| {
        other.fields.iter().any(|field| match field.kind {
            Kind::Reference { target, crosses: false, on_delete: OnDelete::Restrict } => {
                let target = domain.resource(target);
                target.name == name && target.context == within.context
            }
            Kind::Reference { .. } | Kind::Scalar | Kind::Enum(_) | Kind::Actor(_) => false,
            Kind::Children { .. } => false,
        })
    })
}
