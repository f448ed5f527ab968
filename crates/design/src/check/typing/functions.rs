//! `if`, constants of time, functions of scalars and folds over owned children.

use super::literals::{self, PRECISION_MAX, QUOTIENT_SCALE};
use super::scope::Use;
use super::{Typing, assign, literal, types};
use crate::check::world::Meaning;
use crate::check::{e048_call, e053_pattern};
use ir::domain::{FieldId, ResourceId};
use ir::expr::{Aggregate, Expr, ExprKind, FieldRef, Function, Node, Tree, Type};
use ir::source::{Name, Span};
use ir::value::Value;

impl Typing<'_, '_, '_> {
    /// Types `function(arguments)`.
    pub(super) fn call(
        &mut self,
        function: &Name,
        arguments: &[Tree],
        hint: Option<&Type>,
        span: Span,
    ) -> Option<Expr> {
        match function.as_str() {
            "if" => self.choice(arguments, hint, span),
            "date" => self.date(arguments, span),
            "time" => self.constant(arguments, "time('09:30')", span, |text| {
                Some((Value::Time(literals::time(text)?), Type::Time))
            }),
            "timestamp" => {
                self.constant(arguments, "timestamp('2026-01-31T09:30:00Z')", span, |text| {
                    Some((Value::Timestamp(literals::timestamp(text)?), Type::Timestamp))
                })
            }
            "duration" => self.constant(arguments, "duration('7d')", span, |text| {
                Some((Value::Duration(literals::duration(text)?), Type::Duration))
            }),
            "start" => self.end_of(Function::Start, "start(timespan)", arguments, span),
            "end" => self.end_of(Function::End, "end(timespan)", arguments, span),
            "lower" => self.lower(arguments, span),
            "size" => self.size(arguments, span),
            "matches" => self.matches(arguments, span),
            "sum" => self.fold(Aggregate::Sum, arguments, span),
            "count" => self.fold(Aggregate::Count, arguments, span),
            "min" => self.fold(Aggregate::Min, arguments, span),
            "max" => self.fold(Aggregate::Max, arguments, span),
            "avg" => self.fold(Aggregate::Avg, arguments, span),
            _ => {
                self.found.push(e048_call::unknown_function(self.scope, function));
                None
            }
        }
    }

    fn wrong(&mut self, span: Span, usage: &str) {
        self.found.push(e048_call::usage(span, usage, self.scope.place));
    }

    fn choice(&mut self, arguments: &[Tree], hint: Option<&Type>, span: Span) -> Option<Expr> {
        let [condition, then, otherwise] = arguments else {
            self.wrong(span, "if(condition, then, otherwise)");
            return None;
        };
        let condition = self.bool(condition);
        let then = self.infer(then, hint);
        let hint = hint.cloned().or_else(|| then.as_ref().map(|expr| expr.ty.clone()));
        let otherwise = self.infer(otherwise, hint.as_ref());
        let (condition, then, otherwise) = (condition?, then?, otherwise?);
        let fits = |expr: &Expr, to: &Type| assign::coerce(expr.clone(), to).is_ok();
        let ty = if fits(&otherwise, &then.ty) && then.ty != Type::Null {
            then.ty.clone()
        } else if fits(&then, &otherwise.ty) {
            otherwise.ty.clone()
        } else {
            let names = [&then.ty, &otherwise.ty].map(|ty| types::name(self.scope.world, ty));
            self.found.push(e048_call::branches(span, &names[0], &names[1], self.scope.place));
            return None;
        };
        let then = assign::coerce(then, &ty).ok()?;
        let otherwise = assign::coerce(otherwise, &ty).ok()?;
        let kind = ExprKind::If(Box::new(condition), Box::new(then), Box::new(otherwise));
        Some(Expr { kind, ty })
    }

    /// A constant written as text.
    fn constant(
        &mut self,
        arguments: &[Tree],
        usage: &str,
        span: Span,
        read: impl Fn(&str) -> Option<(Value, Type)>,
    ) -> Option<Expr> {
        let text = match arguments {
            [Tree { node: Node::Text(text), .. }] => read(text),
            _ => None,
        };
        let Some((value, ty)) = text else {
            self.wrong(span, usage);
            return None;
        };
        Some(literal(value, ty))
    }

    /// `date('2026-01-31')`, or the UTC day of a timestamp.
    fn date(&mut self, arguments: &[Tree], span: Span) -> Option<Expr> {
        const USAGE: &str = "date(a_timestamp)` or `date('2026-01-31')";
        let [argument] = arguments else {
            self.wrong(span, USAGE);
            return None;
        };
        if let Node::Text(text) = &argument.node {
            let Some(days) = literals::date(text) else {
                self.wrong(span, USAGE);
                return None;
            };
            return Some(literal(Value::Date(days), Type::Date));
        }
        let argument = self.infer(argument, None)?;
        if argument.ty != Type::Timestamp {
            self.wrong(span, USAGE);
            return None;
        }
        Some(Expr { kind: ExprKind::Call(Function::Date, vec![argument]), ty: Type::Date })
    }

    /// The first instant of a timespan, or the one after its last.
    fn end_of(
        &mut self,
        function: Function,
        usage: &str,
        arguments: &[Tree],
        span: Span,
    ) -> Option<Expr> {
        let typed = match arguments {
            [argument] => self.infer(argument, None)?,
            _ => {
                self.wrong(span, usage);
                return None;
            }
        };
        if typed.ty != Type::Timespan {
            self.wrong(span, usage);
            return None;
        }
        Some(Expr { kind: ExprKind::Call(function, vec![typed]), ty: Type::Timestamp })
    }

    fn lower(&mut self, arguments: &[Tree], span: Span) -> Option<Expr> {
        let typed = match arguments {
            [argument] => self.infer(argument, None)?,
            _ => {
                self.wrong(span, "lower(text)");
                return None;
            }
        };
        if typed.ty != Type::Text {
            self.wrong(span, "lower(text)");
            return None;
        }
        Some(Expr { kind: ExprKind::Call(Function::Lower, vec![typed]), ty: Type::Text })
    }

    fn size(&mut self, arguments: &[Tree], span: Span) -> Option<Expr> {
        const USAGE: &str = "size(text)` or `size(list)";
        let [argument] = arguments else {
            self.wrong(span, USAGE);
            return None;
        };
        if let Node::Name(name) = &argument.node
            && self.children_named(name).is_some()
        {
            self.wrong(span, &format!("count({name})"));
            return None;
        }
        let typed = self.infer(argument, None)?;
        if !matches!(typed.ty, Type::Text | Type::List(_)) {
            self.wrong(span, USAGE);
            return None;
        }
        Some(Expr { kind: ExprKind::Call(Function::Size, vec![typed]), ty: Type::Int })
    }

    fn matches(&mut self, arguments: &[Tree], span: Span) -> Option<Expr> {
        const USAGE: &str = "matches(text, 'pattern')";
        let [text, Tree { node: Node::Text(pattern), span: at }] = arguments else {
            self.wrong(span, USAGE);
            return None;
        };
        if self.scope.purpose.queries() {
            self.found.push(e048_call::not_in_queries(span, self.scope.place));
            return None;
        }
        if let Err(why) = e053_pattern::read(pattern) {
            self.found.push(e053_pattern::fault(pattern, why, *at, self.scope.place));
            return None;
        }
        let text = self.infer(text, None)?;
        if text.ty != Type::Text {
            self.wrong(span, USAGE);
            return None;
        }
        let pattern = literal(Value::text(pattern.as_str()), Type::Text);
        let kind = ExprKind::Call(Function::Matches, vec![text, pattern]);
        Some(Expr { kind, ty: Type::Bool })
    }

    /// `sum(lines.amount)`, `count(lines)`; in a view `sum(event.total)`, `count()`.
    fn fold(&mut self, aggregate: Aggregate, arguments: &[Tree], span: Span) -> Option<Expr> {
        if self.fold.is_some() {
            self.found.push(e048_call::nested(span, self.scope.place));
            return None;
        }
        match self.scope.purpose {
            Use::ViewValue => return self.fold_events(aggregate, arguments, span),
            Use::ViewKey => {
                self.found.push(e048_call::in_key(span, self.scope.place));
                return None;
            }
            _ => {}
        }
        let usage = match aggregate {
            Aggregate::Count => "count(children)",
            _ => "sum(children.field)",
        };
        let [argument] = arguments else {
            self.wrong(span, usage);
            return None;
        };
        let Some((field, child)) = self.children_in(argument) else {
            self.found.push(e048_call::no_children(self.scope, span, usage));
            return None;
        };
        let bare = matches!(argument.node, Node::Name(_));
        match (aggregate, bare) {
            (Aggregate::Count, true) => {
                let kind = ExprKind::Aggregate(Aggregate::Count, field, None);
                return Some(Expr { kind, ty: Type::Int });
            }
            (Aggregate::Count, false) | (_, true) => {
                self.wrong(span, usage);
                return None;
            }
            (_, false) => {}
        }
        self.fold = Some((field, child));
        let inner = self.infer(argument, None);
        self.fold = None;
        let inner = inner?;
        let ty = self.folded(aggregate, &inner.ty, argument.span)?;
        let kind = ExprKind::Aggregate(aggregate, field, Some(Box::new(inner)));
        Some(Expr { kind, ty })
    }

    fn fold_events(
        &mut self,
        aggregate: Aggregate,
        arguments: &[Tree],
        span: Span,
    ) -> Option<Expr> {
        match (aggregate, arguments) {
            (Aggregate::Count, []) => {
                let kind = ExprKind::ViewAggregate(Aggregate::Count, None);
                Some(Expr { kind, ty: Type::Int })
            }
            (Aggregate::Count, _) => {
                self.wrong(span, "count()");
                None
            }
            (_, [argument]) => {
                let inner = self.infer(argument, None)?;
                let ty = self.folded(aggregate, &inner.ty, argument.span)?;
                let kind = ExprKind::ViewAggregate(aggregate, Some(Box::new(inner)));
                Some(Expr { kind, ty })
            }
            (_, _) => {
                self.wrong(span, "sum(event.member)");
                None
            }
        }
    }

    /// The type of a fold over values of a type.
    fn folded(&mut self, aggregate: Aggregate, inner: &Type, span: Span) -> Option<Type> {
        let summable =
            matches!(inner, Type::Int | Type::Decimal { .. } | Type::Money { .. } | Type::Duration);
        let fits = match aggregate {
            Aggregate::Sum | Aggregate::Avg => summable,
            Aggregate::Min | Aggregate::Max => types::ordered(inner),
            Aggregate::Count => true,
        };
        if !fits {
            let name = types::name(self.scope.world, inner);
            self.found.push(e048_call::not_foldable(span, aggregate, &name, self.scope.place));
            return None;
        }
        Some(match (aggregate, inner) {
            (Aggregate::Count, _) => Type::Int,
            (Aggregate::Avg, Type::Int | Type::Decimal { .. }) => {
                let scale = match inner {
                    Type::Decimal { scale, .. } => (*scale).max(QUOTIENT_SCALE),
                    _ => QUOTIENT_SCALE,
                };
                Type::Decimal { precision: PRECISION_MAX, scale }
            }
            (_, inner) => inner.clone(),
        })
    }

    /// The children that a bare name is.
    pub(super) fn children_named(&self, name: &str) -> Option<(FieldId, ResourceId)> {
        let row = self.scope.row?;
        let FieldRef::Field(field) = self.scope.world.entry(row).field(name)? else { return None };
        match self.scope.world.meaning(row, field) {
            Meaning::Children(child) => Some((field, child)),
            Meaning::Value(_) | Meaning::Faulty => None,
        }
    }

    /// The first children that an argument speaks of.
    fn children_in(&self, tree: &Tree) -> Option<(FieldId, ResourceId)> {
        match &tree.node {
            Node::Name(name) => self.children_named(name),
            Node::Member(left, _) => self.children_in(left),
            Node::Not(inner) | Node::Negate(inner) => self.children_in(inner),
            Node::Binary(_, left, right) => {
                self.children_in(left).or_else(|| self.children_in(right))
            }
            Node::Call(_, items) | Node::List(items) => {
                items.iter().find_map(|item| self.children_in(item))
            }
            Node::Null | Node::Bool(_) | Node::Int(_) | Node::Decimal { .. } | Node::Text(_) => {
                None
            }
        }
    }
}
