//! # E095 value that may be null where there must be one
//! A computed or copied field, or an effect, may come to null, but the field is not `optional`.
//!
//! **Why**: the write would be refused at run time, with data that a client is allowed to send.
//!
//! A sum over no children is null where the currency is open; least, greatest and mean of no
//! children are null; so is everything that is read through an optional reference.
//!
//! Wrong:
//! ```yaml
//! discount: decimal(4.2) optional
//! net: decimal(12.2) = gross - discount
//! ```
//! Right:
//! ```yaml
//! net: decimal(12.2) = if(discount != null, gross - discount, gross)
//! ```

use super::reads::parts;
use super::resolve::Resolved;
use ir::domain::{Domain, Field, FieldId, Kind, ResourceId, Source};
use ir::expr::{Aggregate, Expr, ExprKind, FieldRef, Operator, Type};
use ir::source::Span;
use ir::value::Value;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E095");

/// Looks at computed and copied fields and at effects.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    let domain = &resolved.domain;
    for ((id, entry), resource) in resolved.world.entries().zip(&domain.resources) {
        let nothing = Scope { domain, row: id, input: &[], got: &[], known: &[] };
        for (asked, field) in entry.model.fields.iter().zip(&resource.fields) {
            let (Source::Computed(expr) | Source::Copied(_, expr)) = &field.source else {
                continue;
            };
            let Some(expression) = &asked.expression else { continue };
            if !field.optional && nothing.nullable(expr) {
                let what = format!("`{}` of `{}`", field.name, entry.name());
                found.push(fault(expression.span, &what, &field.name));
            }
        }
        for (asked, command) in entry.model.commands.iter().zip(&resource.commands) {
            let mut known = Vec::new();
            for (_, guard) in &command.require {
                not_null(guard, true, &mut known);
            }
            let scope =
                Scope { input: &command.input, got: &command.get, known: &known, ..nothing };
            for (set, expr) in &command.set {
                let field = resource.field(*set);
                let literal = matches!(expr.kind, ExprKind::Literal(_));
                if field.optional || literal || !scope.nullable(expr) {
                    continue;
                }
                let expression = asked.set.iter().find(|(name, _)| *name == field.name.as_str());
                let Some((_, expression)) = expression else { continue };
                let what = format!("`{}` set by `{}.{}`", field.name, entry.name(), command.name);
                found.push(fault(expression.span, &what, &field.name));
            }
        }
    }
}

/// True where an expression over these inputs may be null; `row` is any resource there is.
pub(crate) fn of_inputs(domain: &Domain, row: ResourceId, input: &[Field], expr: &Expr) -> bool {
    Scope { domain, row, input, got: &[], known: &[] }.nullable(expr)
}

fn fault(span: Span, what: &str, field: &str) -> Diagnostic {
    Diagnostic::warning(CODE, span, format!("{what} may be null, but it must have a value"))
        .why("the write would be refused, with data that a client may send")
        .help(format!("make `{field}` optional, or give a value instead: `if(x != null, x, 0)`"))
}

/// What may be null where an expression stands.
#[derive(Clone, Copy)]
struct Scope<'a> {
    domain: &'a Domain,
    row: ResourceId,
    input: &'a [Field],
    got: &'a [(String, Expr)],
    /// Expressions that are certainly not null here.
    known: &'a [&'a Expr],
}

impl Scope<'_> {
    fn nullable(&self, expr: &Expr) -> bool {
        if self.known.iter().any(|known| known.kind == expr.kind) {
            return false;
        }
        let resource = self.domain.resource(self.row);
        match &expr.kind {
            ExprKind::Literal(value) => value.is_null(),
            ExprKind::Field(FieldRef::Field(field)) => resource.field(*field).optional,
            ExprKind::Parent(FieldRef::Field(field)) => resource
                .owner
                .is_some_and(|(owner, _)| self.domain.resource(owner).field(*field).optional),
            ExprKind::Related { path, target, field, .. } => self.path(path, *target, *field),
            ExprKind::Input(at) => self.input.get(*at).is_some_and(|field| field.optional),
            ExprKind::Got(at) => self.got.get(*at).is_some_and(|(_, expr)| self.nullable(expr)),
            ExprKind::If(condition, then, otherwise) => {
                let (mut when, mut unless) = (self.known.to_vec(), self.known.to_vec());
                not_null(condition, true, &mut when);
                not_null(condition, false, &mut unless);
                Scope { known: &when, ..*self }.nullable(then)
                    || Scope { known: &unless, ..*self }.nullable(otherwise)
            }
            ExprKind::Aggregate(fold, children, _) => self.fold(*fold, *children, &expr.ty),
            ExprKind::Not(_)
            | ExprKind::And(_)
            | ExprKind::Or(_)
            | ExprKind::Compare(..)
            | ExprKind::In(..)
            | ExprKind::Me
            | ExprKind::Now
            | ExprKind::Age
            | ExprKind::Field(FieldRef::Implicit(_))
            | ExprKind::Parent(FieldRef::Implicit(_))
            | ExprKind::ViewAggregate(..)
            | ExprKind::Item(_)
            | ExprKind::ItemRelated { .. }
            | ExprKind::EventData(_)
            | ExprKind::EventMeta(_)
            | ExprKind::Step { .. } => false,
            ExprKind::Negate(_) | ExprKind::Arithmetic(..) | ExprKind::Call(..) => {
                parts(expr).into_iter().any(|part| self.nullable(part))
            }
        }
    }

    fn path(&self, path: &[FieldId], target: ResourceId, field: FieldRef) -> bool {
        let mut at = self.row;
        for step in path {
            let reference = self.domain.resource(at).field(*step);
            if reference.optional {
                return true;
            }
            if let Kind::Reference { target, .. } = reference.kind {
                at = target;
            }
        }
        match field {
            FieldRef::Field(field) => self.domain.resource(target).field(field).optional,
            FieldRef::Implicit(_) => false,
        }
    }

    fn fold(&self, fold: Aggregate, children: FieldId, ty: &Type) -> bool {
        let least = match self.domain.resource(self.row).field(children).kind {
            Kind::Children { min, .. } => min,
            Kind::Scalar | Kind::Enum(_) | Kind::Reference { .. } | Kind::Actor(_) => 1,
        };
        match fold {
            Aggregate::Count => false,
            Aggregate::Sum => least == 0 && *ty == Type::Money { currency: None },
            Aggregate::Min | Aggregate::Max | Aggregate::Avg => least == 0,
        }
    }
}

/// What is certainly not null where the condition is as it is.
fn not_null<'a>(condition: &'a Expr, holds: bool, known: &mut Vec<&'a Expr>) {
    match (&condition.kind, holds) {
        (ExprKind::Not(inner), _) => not_null(inner, !holds, known),
        (ExprKind::And(terms), true) | (ExprKind::Or(terms), false) => {
            terms.iter().for_each(|term| not_null(term, holds, known));
        }
        (ExprKind::Compare(operator, left, right), _) => {
            let null = |expr: &Expr| matches!(expr.kind, ExprKind::Literal(Value::Null));
            let differs = (*operator == Operator::NotEqual) == holds;
            match (null(left), null(right)) {
                (false, true) if differs => known.push(left),
                (true, false) if differs => known.push(right),
                // A comparison with null is false, so one that holds had two values.
                (false, false) if holds && *operator != Operator::NotEqual => {
                    known.extend([&**left, &**right]);
                }
                _ => {}
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check_resources;
    use expect_test::expect;

    #[test]
    fn what_may_be_null_is_told_and_what_is_guarded_is_not() {
        let resource = "
            Bill:
              fields:
                gross: int
                rebate: int optional
                net: int = gross - rebate
                fine: int = if(rebate != null, gross - rebate, gross)
                lines: many Line 0..9
                total: money = sum(lines.price)
                most: int optional = max(lines.count)
              commands:
                a: { set: { gross: rebate }, by: staff }
                b: { require: rebate > 3, set: { gross: rebate }, by: staff }
                c: { input: { to: int optional }, set: { gross: to }, by: staff }
              allow: { read: anyone, write: staff }
            Line:
              fields: { price: money, count: int }";
        check_resources(
            resource,
            expect![[r#"
                warning[E095]: `net` of `Bill` may be null, but it must have a value
                  --> mainstay.yaml:10:22
                   |
                10 |           net: int = gross - rebate
                   |                      ^^^^^^^^^^^^^^
                   = why: the write would be refused, with data that a client may send
                   = help: make `net` optional, or give a value instead: `if(x != null, x, 0)`

                warning[E095]: `total` of `Bill` may be null, but it must have a value
                  --> mainstay.yaml:13:26
                   |
                13 |           total: money = sum(lines.price)
                   |                          ^^^^^^^^^^^^^^^^
                   = why: the write would be refused, with data that a client may send
                   = help: make `total` optional, or give a value instead: `if(x != null, x, 0)`

                warning[E095]: `gross` set by `Bill.a` may be null, but it must have a value
                  --> mainstay.yaml:16:30
                   |
                16 |           a: { set: { gross: rebate }, by: staff }
                   |                              ^^^^^^
                   = why: the write would be refused, with data that a client may send
                   = help: make `gross` optional, or give a value instead: `if(x != null, x, 0)`

                warning[E095]: `gross` set by `Bill.c` may be null, but it must have a value
                  --> mainstay.yaml:18:59
                   |
                18 |           c: { input: { to: int optional }, set: { gross: to }, by: staff }
                   |                                                           ^^
                   = why: the write would be refused, with data that a client may send
                   = help: make `gross` optional, or give a value instead: `if(x != null, x, 0)`
            "#]],
        );
    }
}
