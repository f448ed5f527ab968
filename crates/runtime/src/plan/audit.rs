//! What of the rows the audit trail may hold.
//!
//! The trail outlives what it tells of, and a chain can't forget: what is about a person, secret,
//! or shown to some readers of the row alone is never in it, and nothing that is made of those.

use super::needs::walk;
use ir::domain::{Domain, Field, FieldId, Resource, ResourceId, Source};
use ir::expr::{Expr, ExprKind, FieldRef};

/// Fields whose values stay out of the trail.
#[derive(Debug)]
pub(crate) struct AuditPlan {
    /// By resource and field.
    hidden: Vec<Vec<bool>>,
    /// Where it begins.
    is_declared: fn(&Field) -> bool,
}

impl AuditPlan {
    /// Of a model.
    pub(crate) fn of(domain: &Domain) -> Self {
        Self::made_of(domain, is_declared)
    }

    /// The fields that are personal, and what is made of them.
    pub(crate) fn of_personal(domain: &Domain) -> Self {
        Self::made_of(domain, |field| field.personal)
    }

    fn made_of(domain: &Domain, is_declared: fn(&Field) -> bool) -> Self {
        let declared =
            |resource: &Resource| resource.fields.iter().map(is_declared).collect::<Vec<_>>();
        let hidden = domain.resources.iter().map(declared).collect();
        let mut plan = Self { hidden, is_declared };
        while plan.spreads(domain) {}
        plan
    }

    /// True for a field whose values stay out.
    pub(crate) fn hides(&self, resource: ResourceId, field: FieldId) -> bool {
        let of = self.hidden.get(resource.index()).and_then(|of| of.get(field.index()));
        of.copied().unwrap_or(true)
    }

    /// Hides what is made of what is hidden; true where there was something.
    fn spreads(&mut self, domain: &Domain) -> bool {
        let mut found = Vec::new();
        for (id, resource) in domain.resources() {
            for (field, of) in resource.fields() {
                let (Source::Computed(expr) | Source::Copied(_, expr) | Source::Default(expr)) =
                    &of.source
                else {
                    continue;
                };
                if self.reads(domain, id, expr, &[], &[]) {
                    found.push((id, field));
                }
            }
            for command in &resource.commands {
                let mut got = Vec::new();
                for (_, expr) in &command.get {
                    got.push(self.reads(domain, id, expr, &command.input, &got));
                }
                let set = command.set.iter();
                let hidden =
                    set.filter(|(_, expr)| self.reads(domain, id, expr, &command.input, &got));
                found.extend(hidden.map(|(field, _)| (id, *field)));
            }
        }
        let mut news = false;
        for (resource, field) in found {
            let of = self.hidden.get_mut(resource.index());
            if let Some(hidden) = of.and_then(|of| of.get_mut(field.index())) {
                news |= !*hidden;
                *hidden = true;
            }
        }
        news
    }

    /// True where an expression over a row reads what is hidden.
    fn reads(
        &self,
        domain: &Domain,
        resource: ResourceId,
        expr: &Expr,
        inputs: &[Field],
        got: &[bool],
    ) -> bool {
        let mut found = false;
        walk(expr, None, &mut |expr, within| {
            let child = within.and_then(|within| {
                let mut children = domain.resource(resource).children();
                children.find(|(field, _)| *field == within).map(|(_, child)| child)
            });
            let here = child.unwrap_or(resource);
            let hides = |of: ResourceId, field: FieldRef| match field {
                FieldRef::Field(field) => self.hides(of, field),
                FieldRef::Implicit(_) => false,
            };
            found |= match &expr.kind {
                ExprKind::Field(field) => hides(here, *field),
                ExprKind::Related { target, field, .. } => hides(*target, *field),
                ExprKind::Parent(field) => match domain.resource(here).owner {
                    Some((owner, _)) => hides(owner, *field),
                    None => hides(resource, *field),
                },
                ExprKind::Input(n) => inputs.get(*n).is_none_or(self.is_declared),
                ExprKind::Got(n) => got.get(*n).copied().unwrap_or(true),
                _ => false,
            };
        });
        found
    }
}

/// The model itself says that not everybody may see it.
fn is_declared(field: &Field) -> bool {
    field.personal || field.secret || field.read.is_some()
}
