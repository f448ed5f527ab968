//! What a typed expression reads.

use ir::domain::{Domain, FieldId, ResourceId};
use ir::expr::{Expr, ExprKind, FieldRef};

/// A field that an expression reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Read {
    pub(crate) resource: ResourceId,
    pub(crate) field: FieldId,
    /// Of the same aggregate: the row itself, its owner or its children.
    pub(crate) own: bool,
}

/// The declared fields that an expression in the scope of a row reads.
pub(crate) fn reads(domain: &Domain, row: ResourceId, expr: &Expr) -> Vec<Read> {
    let owner = domain.resource(row).owner.map(|(owner, _)| owner);
    let mut found = Vec::new();
    collect(domain, (row, owner), expr, &mut found);
    found
}

fn collect(
    domain: &Domain,
    (row, owner): (ResourceId, Option<ResourceId>),
    expr: &Expr,
    found: &mut Vec<Read>,
) {
    match &expr.kind {
        ExprKind::Field(FieldRef::Field(field)) => {
            found.push(Read { resource: row, field: *field, own: true });
        }
        ExprKind::Parent(FieldRef::Field(field)) => {
            found.extend(owner.map(|resource| Read { resource, field: *field, own: true }));
        }
        ExprKind::Related { target, field: FieldRef::Field(field), .. } => {
            found.push(Read { resource: *target, field: *field, own: false });
        }
        ExprKind::Aggregate(_, field, inner) => {
            let children = domain.resource(row).children();
            let child = children.into_iter().find(|(children, _)| children == field);
            if let (Some(inner), Some((_, child))) = (inner, child) {
                collect(domain, (child, Some(row)), inner, found);
            }
            return;
        }
        _ => {}
    }
    parts(expr).into_iter().for_each(|part| collect(domain, (row, owner), part, found));
}

/// Visits an expression and everything in it.
pub(crate) fn walk<'e>(expr: &'e Expr, visit: &mut dyn FnMut(&'e Expr)) {
    visit(expr);
    parts(expr).into_iter().for_each(|part| walk(part, visit));
}

/// The expressions directly inside.
pub(crate) fn parts(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::Not(inner) | ExprKind::Negate(inner) => vec![inner],
        ExprKind::And(items) | ExprKind::Or(items) | ExprKind::Call(_, items) => {
            items.iter().collect()
        }
        ExprKind::In(element, items) => std::iter::once(&**element).chain(items).collect(),
        ExprKind::Compare(_, left, right) | ExprKind::Arithmetic(_, left, right) => {
            vec![left, right]
        }
        ExprKind::If(condition, then, otherwise) => vec![condition, then, otherwise],
        ExprKind::Aggregate(_, _, inner) | ExprKind::ViewAggregate(_, inner) => {
            inner.iter().map(|inner| &**inner).collect()
        }
        ExprKind::Literal(_)
        | ExprKind::Field(_)
        | ExprKind::Related { .. }
        | ExprKind::Parent(_)
        | ExprKind::Input(_)
        | ExprKind::Got(_)
        | ExprKind::Me
        | ExprKind::Now
        | ExprKind::Age
        | ExprKind::Item(_)
        | ExprKind::ItemRelated { .. }
        | ExprKind::EventData(_)
        | ExprKind::EventMeta(_)
        | ExprKind::Step { .. } => Vec::new(),
    }
}
