//! An expression with some of its parts replaced.

use ir::expr::{Expr, ExprKind};

/// The expression with each part for which `of` gives another one replaced by it, from the outside
/// inwards; what is replaced is not gone into.
pub(super) fn rebuilt(expr: &Expr, of: &mut impl FnMut(&Expr) -> Option<Expr>) -> Expr {
    if let Some(other) = of(expr) {
        return other;
    }
    let kind = match &expr.kind {
        ExprKind::Not(inner) => ExprKind::Not(boxed(inner, of)),
        ExprKind::Negate(inner) => ExprKind::Negate(boxed(inner, of)),
        ExprKind::And(terms) => ExprKind::And(all(terms, of)),
        ExprKind::Or(terms) => ExprKind::Or(all(terms, of)),
        ExprKind::Compare(operator, left, right) => {
            ExprKind::Compare(*operator, boxed(left, of), boxed(right, of))
        }
        ExprKind::In(element, list) => ExprKind::In(boxed(element, of), all(list, of)),
        ExprKind::Arithmetic(operator, left, right) => {
            ExprKind::Arithmetic(*operator, boxed(left, of), boxed(right, of))
        }
        ExprKind::If(condition, then, otherwise) => {
            ExprKind::If(boxed(condition, of), boxed(then, of), boxed(otherwise, of))
        }
        ExprKind::Call(function, arguments) => ExprKind::Call(*function, all(arguments, of)),
        ExprKind::Aggregate(fold, children, inner) => {
            ExprKind::Aggregate(*fold, *children, inner.as_ref().map(|inner| boxed(inner, of)))
        }
        ExprKind::ViewAggregate(fold, inner) => {
            ExprKind::ViewAggregate(*fold, inner.as_ref().map(|inner| boxed(inner, of)))
        }
        ExprKind::Literal(_) | ExprKind::Field(_) | ExprKind::Related { .. } => expr.kind.clone(),
        ExprKind::Parent(_) | ExprKind::Input(_) | ExprKind::Got(_) => expr.kind.clone(),
        ExprKind::Me | ExprKind::Now | ExprKind::Age => expr.kind.clone(),
        ExprKind::Item(_) | ExprKind::ItemRelated { .. } => expr.kind.clone(),
        ExprKind::EventData(_) | ExprKind::EventMeta(_) => expr.kind.clone(),
        ExprKind::Step { .. } => expr.kind.clone(),
    };
    Expr { kind, ty: expr.ty.clone() }
}

fn boxed(expr: &Expr, of: &mut impl FnMut(&Expr) -> Option<Expr>) -> Box<Expr> {
    Box::new(rebuilt(expr, of))
}

fn all(exprs: &[Expr], of: &mut impl FnMut(&Expr) -> Option<Expr>) -> Vec<Expr> {
    exprs.iter().map(|expr| rebuilt(expr, of)).collect()
}
