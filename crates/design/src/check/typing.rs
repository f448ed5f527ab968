//! From parsed to typed expressions: every name resolved, every operand fitting, or a fault told.
//! `None` always means that a fault was told already, here or where the name was declared.

pub(crate) mod assign;
mod functions;
pub(crate) mod literals;
mod members;
mod names;
mod operators;
pub(crate) mod scope;
pub(crate) mod types;

use super::{e036_unknown_name, e046_operands, e049_not_here, e052_too_large};
use ir::Diagnostic;
use ir::domain::{FieldId, ResourceId};
use ir::expr::{Expr, ExprKind, Expression, Node, Tree, Type};
use ir::source::Span;
use ir::value::Value;
use scope::Scope;

/// Nodes of one typed expression, named rules written out.
pub(crate) const NODES_MAX: u32 = 2_000;

/// Levels of one expression, named rules written out.
pub(crate) const DEPTH_MAX: u32 = 100;

/// The typing of one expression.
#[derive(Debug)]
pub(crate) struct Typing<'t, 'a, 'm> {
    scope: &'t Scope<'a, 'm>,
    found: &'t mut Vec<Diagnostic>,
    /// Children that are folded over, while inside `sum(…)`: the field and their resource.
    fold: Option<(FieldId, ResourceId)>,
    /// Named rules that are being written out.
    rules: Vec<usize>,
    nodes: u32,
    depth: u32,
    /// The limit was told.
    full: bool,
}

/// Types a whole expression. `hint` is the type wanted, where one is.
pub(crate) fn infer(
    scope: &Scope<'_, '_>,
    expression: &Expression,
    hint: Option<&Type>,
    found: &mut Vec<Diagnostic>,
) -> Option<Expr> {
    let (fold, rules) = (None, Vec::new());
    let mut typing = Typing { scope, found, fold, rules, nodes: 0, depth: 0, full: false };
    typing.infer(&expression.tree, hint)
}

/// Types a condition: it must be true or false.
pub(crate) fn condition(
    scope: &Scope<'_, '_>,
    expression: &Expression,
    found: &mut Vec<Diagnostic>,
) -> Option<Expr> {
    let expr = infer(scope, expression, Some(&Type::Bool), found)?;
    if expr.ty == Type::Bool {
        return Some(expr);
    }
    let name = types::name(scope.world, &expr.ty);
    found.push(e046_operands::not_a_condition(expression.span, &name, scope.place));
    None
}

impl Typing<'_, '_, '_> {
    /// Types one node and all below it.
    fn infer(&mut self, tree: &Tree, hint: Option<&Type>) -> Option<Expr> {
        self.nodes += 1;
        if !self.spend_one() {
            self.full = true;
            return None;
        }
        if self.full || self.nodes > NODES_MAX || self.depth >= DEPTH_MAX {
            if !self.full {
                self.found.push(e052_too_large::fault(tree.span, self.scope.place));
            }
            self.full = true;
            return None;
        }
        self.depth += 1;
        let expr = self.node(tree, hint);
        self.depth -= 1;
        expr
    }

    /// Takes one node from what the whole model may have; tells once that there is none left.
    fn spend_one(&mut self) -> bool {
        let left = &self.scope.world.nodes_left;
        match left.get() {
            0 => false,
            1 => {
                self.found.push(e052_too_large::model(self.scope.world.model.system.span));
                left.set(0);
                false
            }
            more => {
                left.set(more - 1);
                true
            }
        }
    }

    fn node(&mut self, tree: &Tree, hint: Option<&Type>) -> Option<Expr> {
        match &tree.node {
            Node::Null => Some(literal(Value::Null, Type::Null)),
            Node::Bool(value) => Some(literal(Value::Bool(*value), Type::Bool)),
            Node::Int(value) => Some(literal(Value::Int(*value), Type::Int)),
            Node::Decimal { digits, scale } => self.decimal(*digits, *scale, tree.span),
            Node::Text(text) => self.text(text, hint, tree.span),
            Node::Name(name) => self.name(name, hint, tree.span),
            Node::Member(left, name) => self.member(left, name, tree.span),
            Node::Call(function, arguments) => self.call(function, arguments, hint, tree.span),
            Node::Not(inner) => {
                let inner = self.bool(inner)?;
                Some(Expr { kind: ExprKind::Not(Box::new(inner)), ty: Type::Bool })
            }
            Node::Negate(inner) => self.negate(inner, hint),
            Node::Binary(operator, left, right) => {
                self.binary(*operator, left, right, hint, tree.span)
            }
            Node::List(_) => {
                self.found.push(e049_not_here::list(tree.span, self.scope.place));
                None
            }
        }
    }

    /// Types a node that must be true or false.
    fn bool(&mut self, tree: &Tree) -> Option<Expr> {
        let expr = self.infer(tree, Some(&Type::Bool))?;
        if expr.ty == Type::Bool {
            return Some(expr);
        }
        let name = types::name(self.scope.world, &expr.ty);
        self.found.push(e046_operands::not_a_condition(tree.span, &name, self.scope.place));
        None
    }

    fn decimal(&mut self, digits: i128, scale: u8, span: Span) -> Option<Expr> {
        let units = i64::try_from(digits).ok().filter(|_| scale <= literals::SCALE_MAX);
        let Some(units) = units else {
            self.found.push(e052_too_large::digits(span, self.scope.place));
            return None;
        };
        let ty = Type::Decimal { precision: literals::PRECISION_MAX, scale };
        Some(literal(Value::Decimal { units, scale }, ty))
    }

    /// A text; where an enum is wanted, one of its values.
    fn text(&mut self, text: &str, hint: Option<&Type>, span: Span) -> Option<Expr> {
        if let Some(Type::Enum { values }) = hint {
            if values.iter().any(|value| value == text) {
                return Some(literal(Value::text(text), Type::Enum { values: values.clone() }));
            }
            let place = self.scope.place;
            let budget = &self.scope.world.budget;
            let fault = super::e037_unknown_value::fault(text, span, values, place, budget);
            self.found.push(fault);
            return None;
        }
        Some(literal(Value::text(text), Type::Text))
    }

    fn negate(&mut self, inner: &Tree, hint: Option<&Type>) -> Option<Expr> {
        let expr = self.infer(inner, hint)?;
        let kind = match (&expr.ty, expr.kind) {
            (Type::Int, ExprKind::Literal(Value::Int(value))) => {
                ExprKind::Literal(Value::Int(value.saturating_neg()))
            }
            (Type::Decimal { .. }, ExprKind::Literal(Value::Decimal { units, scale })) => {
                ExprKind::Literal(Value::Decimal { units: units.saturating_neg(), scale })
            }
            (Type::Int | Type::Decimal { .. } | Type::Money { .. } | Type::Duration, kind) => {
                ExprKind::Negate(Box::new(Expr { kind, ty: expr.ty.clone() }))
            }
            (ty, _) => {
                let name = types::name(self.scope.world, ty);
                self.found.push(e046_operands::not_a_number(inner.span, &name, self.scope.place));
                return None;
            }
        };
        Some(Expr { kind, ty: expr.ty })
    }

    /// Tells that a name means nothing here.
    fn unknown_name(&mut self, name: &str, hint: Option<&Type>, span: Span) {
        let fault = e036_unknown_name::fault(self.scope, name, hint, span);
        self.found.push(fault);
    }
}

/// A constant.
pub(crate) fn literal(value: Value, ty: Type) -> Expr {
    Expr { kind: ExprKind::Literal(value), ty }
}
