//! Whether a computed or copied value can be null: then its column must take null, and its member
//! of the wire too.

use ir::domain::{Domain, Field, FieldId, Kind, Resource, ResourceId, Source};
use ir::expr::{Aggregate, Expr, ExprKind, FieldRef};
use ir::model::FieldType;
use ir::value::Value;

/// True where the expression of a field of that resource may yield null.
pub(super) fn may_be_null(
    domain: &Domain,
    resource: &Resource,
    declared: &FieldType,
    expr: &Expr,
) -> bool {
    let open_money = matches!(declared, FieldType::Money { currency: None });
    Scope { domain, resource, open_money, steps: 0 }.null(expr)
}

/// Computed fields that read computed fields are followed this far; further on null is assumed.
const STEPS_MAX: u8 = 16;

struct Scope<'a> {
    domain: &'a Domain,
    resource: &'a Resource,
    open_money: bool,
    steps: u8,
}

impl Scope<'_> {
    fn null(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Literal(value) => *value == Value::Null,
            ExprKind::Field(field) => self.field(self.resource, *field),
            ExprKind::Parent(field) => self.parent(*field),
            ExprKind::Related { path, target, field, .. } => self.related(path, *target, *field),
            ExprKind::Aggregate(fold, children, inner) => {
                self.fold(*fold, *children, inner.as_deref())
            }
            ExprKind::Negate(inner) => self.null(inner),
            ExprKind::Arithmetic(_, left, right) => self.null(left) || self.null(right),
            ExprKind::If(_, then, otherwise) => self.null(then) || self.null(otherwise),
            ExprKind::Call(_, arguments) => arguments.iter().any(|argument| self.null(argument)),
            ExprKind::Me | ExprKind::Now | ExprKind::Age => false,
            ExprKind::Not(_) | ExprKind::And(_) | ExprKind::Or(_) => false,
            ExprKind::Compare(..) | ExprKind::In(..) => false,
            ExprKind::Input(_) | ExprKind::Got(_) => true,
            ExprKind::Item(_) | ExprKind::ItemRelated { .. } | ExprKind::Step { .. } => true,
            ExprKind::EventData(_) | ExprKind::EventMeta(_) => true,
            ExprKind::ViewAggregate(..) => true,
        }
    }

    fn field(&self, resource: &Resource, field: FieldRef) -> bool {
        match field {
            FieldRef::Implicit(_) => false,
            FieldRef::Field(id) => {
                resource.fields.get(id.index()).is_none_or(|field| self.declared(resource, field))
            }
        }
    }

    fn declared(&self, resource: &Resource, field: &Field) -> bool {
        let (Source::Computed(expr) | Source::Copied(_, expr)) = &field.source else {
            return field.optional;
        };
        let open_money = matches!(field.declared, FieldType::Money { currency: None });
        let steps = self.steps + 1;
        let scope = Scope { domain: self.domain, resource, open_money, steps };
        field.optional || steps > STEPS_MAX || scope.null(expr)
    }

    fn parent(&self, field: FieldRef) -> bool {
        self.resource.owner.is_none_or(|(root, _)| self.field(self.domain.resource(root), field))
    }

    fn related(&self, path: &[FieldId], target: ResourceId, field: FieldRef) -> bool {
        let mut at = self.resource;
        for step in path {
            let Some(reference) = at.fields.get(step.index()) else { return true };
            if reference.optional {
                return true;
            }
            let Kind::Reference { target, .. } = reference.kind else { return true };
            at = self.domain.resource(target);
        }
        self.field(self.domain.resource(target), field)
    }

    /// A sum over no rows is zero, but an amount of no currency; the others have no value then.
    fn fold(&self, fold: Aggregate, children: FieldId, inner: Option<&Expr>) -> bool {
        let Some(field) = self.resource.fields.get(children.index()) else { return true };
        let Kind::Children { target, min, .. } = field.kind else { return true };
        let scope = Scope { resource: self.domain.resource(target), ..*self };
        let inner = inner.is_some_and(|inner| scope.null(inner));
        match fold {
            Aggregate::Count => false,
            Aggregate::Sum => self.open_money && (min == 0 || inner),
            Aggregate::Min | Aggregate::Max | Aggregate::Avg => min == 0 || inner,
        }
    }
}
