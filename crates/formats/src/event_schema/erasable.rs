//! What goes from an event that is kept once a person is erased: personal members, and what is made
//! of such fields. No event can promise them.

use ir::domain::{Command, Domain, Field, FieldId, Kind, ResourceId, Source};
use ir::expr::{Expr, ExprKind, FieldRef};
use std::collections::BTreeSet;

/// Fields that may go, by resource.
pub(super) struct Erasable(BTreeSet<(ResourceId, FieldId)>);

impl Erasable {
    /// Of a model.
    pub(super) fn of(domain: &Domain) -> Self {
        let fields = |id, of: &ir::domain::Resource| {
            let personal = of.fields().filter(|(_, field)| field.personal);
            personal.map(|(field, _)| (id, field)).collect::<Vec<_>>()
        };
        let mut found = Self(domain.resources().flat_map(|(id, of)| fields(id, of)).collect());
        while found.spreads(domain) {}
        found
    }

    /// True for a field that may go, and for owned rows of which one has such a field.
    pub(super) fn has(&self, domain: &Domain, resource: ResourceId, field: FieldId) -> bool {
        match domain.resource(resource).field(field).kind {
            Kind::Children { target, .. } => self.0.iter().any(|(of, _)| *of == target),
            Kind::Scalar | Kind::Enum(_) | Kind::Reference { .. } | Kind::Actor(_) => {
                self.0.contains(&(resource, field))
            }
        }
    }

    /// Adds what is made of what is there; true where there was something.
    fn spreads(&mut self, domain: &Domain) -> bool {
        let before = self.0.len();
        for (id, resource) in domain.resources() {
            for (field, of) in resource.fields() {
                if let Source::Computed(expr) | Source::Copied(_, expr) | Source::Default(expr) =
                    &of.source
                    && self.reads(domain, id, expr, &[], &[])
                {
                    self.0.insert((id, field));
                }
            }
            for command in &resource.commands {
                self.through(domain, id, command);
            }
        }
        self.0.len() > before
    }

    /// Adds what a command sets from what is there.
    fn through(&mut self, domain: &Domain, id: ResourceId, command: &Command) {
        let mut got = Vec::new();
        for (_, expr) in &command.get {
            got.push(self.reads(domain, id, expr, &command.input, &got));
        }
        for (field, expr) in &command.set {
            if self.reads(domain, id, expr, &command.input, &got) {
                self.0.insert((id, *field));
            }
        }
    }

    /// True where an expression over a row reads what may go.
    fn reads(
        &self,
        domain: &Domain,
        here: ResourceId,
        expr: &Expr,
        inputs: &[Field],
        got: &[bool],
    ) -> bool {
        let inner = |expr: &Expr| self.reads(domain, here, expr, inputs, got);
        let has = |of: ResourceId, field: FieldRef| match field {
            FieldRef::Field(field) => self.0.contains(&(of, field)),
            FieldRef::Implicit(_) => false,
        };
        match &expr.kind {
            ExprKind::Field(field) => has(here, *field),
            ExprKind::Related { target, field, .. } => has(*target, *field),
            ExprKind::Parent(field) => {
                let owner = domain.resource(here).owner.map_or(here, |(owner, _)| owner);
                has(owner, *field)
            }
            ExprKind::Input(at) => inputs.get(*at).is_some_and(|input| input.personal),
            ExprKind::Got(at) => got.get(*at).copied().unwrap_or_default(),
            ExprKind::Not(one) | ExprKind::Negate(one) => inner(one),
            ExprKind::And(all) | ExprKind::Or(all) | ExprKind::Call(_, all) => {
                all.iter().any(inner)
            }
            ExprKind::Compare(_, left, right) | ExprKind::Arithmetic(_, left, right) => {
                inner(left) || inner(right)
            }
            ExprKind::In(needle, all) => inner(needle) || all.iter().any(inner),
            ExprKind::If(condition, then, otherwise) => {
                inner(condition) || inner(then) || inner(otherwise)
            }
            ExprKind::Aggregate(_, children, Some(of)) => {
                let mut rows = domain.resource(here).children();
                let rows = rows.find(|(field, _)| field == children);
                let rows = rows.map_or(here, |(_, target)| target);
                self.reads(domain, rows, of, inputs, got)
            }
            ExprKind::ViewAggregate(_, Some(of)) => inner(of),
            ExprKind::Aggregate(_, _, None)
            | ExprKind::ViewAggregate(_, None)
            | ExprKind::Literal(_)
            | ExprKind::Me
            | ExprKind::Now
            | ExprKind::Age
            | ExprKind::Item(_)
            | ExprKind::ItemRelated { .. }
            | ExprKind::EventData(_)
            | ExprKind::EventMeta(_)
            | ExprKind::Step { .. } => false,
        }
    }
}
