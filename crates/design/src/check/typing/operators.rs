//! `&& || == < in + - * / %`: which operands go together and what comes out.

use super::literals::{self, PRECISION_MAX, QUOTIENT_SCALE, SCALE_MAX};
use super::{Typing, types};
use crate::check::{e046_operands, e050_foreign_me};
use ir::expr::{Expr, ExprKind, Node, Operator, Tree, Type};
use ir::source::Span;
use ir::value::Value;

impl Typing<'_, '_, '_> {
    /// Types `left operator right`.
    pub(super) fn binary(
        &mut self,
        operator: Operator,
        left: &Tree,
        right: &Tree,
        hint: Option<&Type>,
        span: Span,
    ) -> Option<Expr> {
        match operator {
            Operator::And | Operator::Or => self.logic(operator, left, right),
            Operator::In => self.within(left, right, span),
            Operator::Equal
            | Operator::NotEqual
            | Operator::Less
            | Operator::LessEqual
            | Operator::Greater
            | Operator::GreaterEqual => self.comparison(operator, left, right, span),
            Operator::Add
            | Operator::Subtract
            | Operator::Multiply
            | Operator::Divide
            | Operator::Remainder => self.arithmetic(operator, left, right, hint, span),
        }
    }

    /// `a && b && c` becomes one list.
    fn logic(&mut self, operator: Operator, left: &Tree, right: &Tree) -> Option<Expr> {
        let (left, right) = (self.bool(left), self.bool(right));
        let mut terms = Vec::new();
        for side in [left?, right?] {
            match (operator, side.kind) {
                (Operator::And, ExprKind::And(inner)) | (Operator::Or, ExprKind::Or(inner)) => {
                    terms.extend(inner);
                }
                (_, kind) => terms.push(Expr { kind, ty: Type::Bool }),
            }
        }
        let kind = match operator {
            Operator::And => ExprKind::And(terms),
            _ => ExprKind::Or(terms),
        };
        Some(Expr { kind, ty: Type::Bool })
    }

    /// Types both sides; a name that means nothing by itself is a value of the other side's enum.
    fn sides(&mut self, left: &Tree, right: &Tree) -> Option<(Expr, Expr)> {
        let waits = matches!(&left.node, Node::Name(name) if !self.known(name))
            || matches!(&left.node, Node::Text(_));
        if waits {
            let right = self.infer(right, None)?;
            let left = self.infer(left, Some(&right.ty))?;
            return Some((left, right));
        }
        let typed = self.infer(left, None);
        let hint = typed.as_ref().map(|expr| expr.ty.clone());
        let names_a_value = matches!(&right.node, Node::Name(name) if !self.known(name));
        if typed.is_none() && names_a_value {
            return None;
        }
        let right = self.infer(right, hint.as_ref());
        Some((typed?, right?))
    }

    fn comparison(
        &mut self,
        operator: Operator,
        left: &Tree,
        right: &Tree,
        span: Span,
    ) -> Option<Expr> {
        let (a, b) = self.sides(left, right)?;
        let (a, b) = as_amount(a, b);
        if let (Type::Actor(of), Type::Actor(me)) = (&a.ty, &b.ty)
            && of != me
        {
            let fault = e050_foreign_me::fault(self.scope, *of, *me, span);
            self.found.push(fault);
            return None;
        }
        let fits = types::comparable(&a.ty, &b.ty) || types::amounts(&a.ty, &b.ty);
        let equality = matches!(operator, Operator::Equal | Operator::NotEqual);
        if !fits {
            let fault = e046_operands::unlike(self.scope, operator, (&a, left), (&b, right), span);
            self.found.push(fault);
            return None;
        }
        let ordered = types::ordered(&a.ty) && types::ordered(&b.ty);
        if !equality && !ordered {
            let fault = e046_operands::unordered(self.scope, operator, &a, span);
            self.found.push(fault);
            return None;
        }
        let kind = ExprKind::Compare(operator, Box::new(a), Box::new(b));
        Some(Expr { kind, ty: Type::Bool })
    }

    /// A number added to money is money where the currency is fixed.
    fn as_money(&mut self, a: Expr, b: Expr, at: Span, bt: Span) -> Option<(Expr, Expr)> {
        let (money, number, span) = match (&a.ty, &b.ty) {
            (Type::Money { currency }, other) if types::numeric(other) => (currency, &b, bt),
            (other, Type::Money { currency }) if types::numeric(other) => (currency, &a, at),
            _ => return Some((a, b)),
        };
        let made = money.as_ref().and_then(|currency| literals::money(number, currency));
        let Some(made) = made else {
            let fault = e046_operands::bare_number(money.as_deref(), span, self.scope.place);
            self.found.push(fault);
            return None;
        };
        Some(if types::numeric(&a.ty) { (made, b) } else { (a, made) })
    }

    /// `x in [a, b]` and `x in tags`.
    fn within(&mut self, left: &Tree, right: &Tree, span: Span) -> Option<Expr> {
        let element = self.infer(left, None)?;
        let list = match &right.node {
            Node::List(items) => {
                let mut typed = Vec::new();
                for item in items {
                    let expr = self.infer(item, Some(&element.ty));
                    let Some(expr) = expr else { continue };
                    let (_, expr) = as_amount(element.clone(), expr);
                    if types::comparable(&element.ty, &expr.ty) {
                        typed.push(expr);
                        continue;
                    }
                    let sides = ((&element, left), (&expr, item));
                    let fault =
                        e046_operands::unlike(self.scope, Operator::In, sides.0, sides.1, span);
                    self.found.push(fault);
                }
                if typed.len() < items.len() {
                    return None;
                }
                typed
            }
            _ => {
                let list = self.infer(right, None)?;
                let fits = match &list.ty {
                    Type::List(item) => types::comparable(&element.ty, item),
                    _ => false,
                };
                if !fits {
                    let sides = ((&element, left), (&list, right));
                    let fault =
                        e046_operands::unlike(self.scope, Operator::In, sides.0, sides.1, span);
                    self.found.push(fault);
                    return None;
                }
                vec![list]
            }
        };
        Some(Expr { kind: ExprKind::In(Box::new(element), list), ty: Type::Bool })
    }

    fn arithmetic(
        &mut self,
        operator: Operator,
        left: &Tree,
        right: &Tree,
        hint: Option<&Type>,
        span: Span,
    ) -> Option<Expr> {
        let hint = hint.filter(|ty| matches!(ty, Type::Duration));
        let (a, b) = (self.infer(left, hint), self.infer(right, hint));
        let (a, b) = (a?, b?);
        let (a, b) = match operator {
            Operator::Add | Operator::Subtract => self.as_money(a, b, left.span, right.span)?,
            _ => (a, b),
        };
        let by_zero = matches!(operator, Operator::Divide | Operator::Remainder)
            && matches!(b.kind, ExprKind::Literal(Value::Int(0) | Value::Decimal { units: 0, .. }));
        if by_zero {
            self.found.push(e046_operands::by_zero(right.span, self.scope.place));
            return None;
        }
        let Some(ty) = result(operator, &a.ty, &b.ty) else {
            let fault = e046_operands::unlike(self.scope, operator, (&a, left), (&b, right), span);
            self.found.push(fault);
            return None;
        };
        Some(Expr { kind: ExprKind::Arithmetic(operator, Box::new(a), Box::new(b)), ty })
    }
}

/// A constant number compared with money of a fixed currency is an amount in it.
fn as_amount(a: Expr, b: Expr) -> (Expr, Expr) {
    let made = |money: &Type, number: &Expr| match money {
        Type::Money { currency: Some(currency) } => literals::money(number, currency),
        _ => None,
    };
    match (made(&a.ty, &b), made(&b.ty, &a)) {
        (Some(amount), _) => (a, amount),
        (None, Some(amount)) => (amount, b),
        (None, None) => (a, b),
    }
}

/// The type of `left operator right`, where they go together.
fn result(operator: Operator, left: &Type, right: &Type) -> Option<Type> {
    use Operator::{Add, Divide, Multiply, Subtract};
    let scaled = |scale: u8| Some(Type::Decimal { precision: PRECISION_MAX, scale });
    if types::numeric(left) && types::numeric(right) {
        let (a, b) = (scale(left), scale(right));
        return match (left, right, operator) {
            (Type::Int, Type::Int, _) => Some(Type::Int),
            (_, _, Multiply) => scaled((a + b).min(SCALE_MAX)),
            (_, _, Divide) => scaled(a.max(b).max(QUOTIENT_SCALE)),
            _ => scaled(a.max(b)),
        };
    }
    match (left, operator, right) {
        (Type::Money { currency: a }, Add | Subtract, Type::Money { currency: b }) => {
            let unlike = a.is_some() && b.is_some() && a != b;
            (!unlike).then(|| Type::Money { currency: a.clone().or_else(|| b.clone()) })
        }
        (Type::Money { .. }, Multiply | Divide, number) if types::numeric(number) => {
            Some(left.clone())
        }
        (number, Multiply, Type::Money { .. }) if types::numeric(number) => Some(right.clone()),
        (Type::Money { .. }, Divide, Type::Money { .. }) => scaled(QUOTIENT_SCALE),
        (Type::Date | Type::Timestamp, Subtract, _) if left == right => Some(Type::Duration),
        (Type::Date | Type::Timestamp, Add | Subtract, Type::Duration) => Some(left.clone()),
        (Type::Duration, Add, Type::Timestamp) => Some(Type::Timestamp),
        (Type::Duration, Add | Subtract, Type::Duration) => Some(Type::Duration),
        (Type::Duration, Multiply | Divide, Type::Int) => Some(Type::Duration),
        (Type::Int, Multiply, Type::Duration) => Some(Type::Duration),
        (Type::Text, Add, Type::Text) => Some(Type::Text),
        _ => None,
    }
}

fn scale(ty: &Type) -> u8 {
    match ty {
        Type::Decimal { scale, .. } => *scale,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_follow_the_arithmetic() {
        let decimal = |scale| Type::Decimal { precision: PRECISION_MAX, scale };
        assert_eq!(result(Operator::Add, &decimal(2), &Type::Int), Some(decimal(2)));
        assert_eq!(result(Operator::Multiply, &decimal(2), &decimal(3)), Some(decimal(5)));
        assert_eq!(result(Operator::Divide, &decimal(2), &Type::Int), Some(decimal(6)));
        assert_eq!(result(Operator::Divide, &Type::Int, &Type::Int), Some(Type::Int));
    }

    #[test]
    fn money_goes_with_numbers_and_with_its_own_currency() {
        let money = |code: Option<&str>| Type::Money { currency: code.map(str::to_owned) };
        let (open, eur, usd) = (money(None), money(Some("EUR")), money(Some("USD")));
        assert_eq!(result(Operator::Multiply, &Type::Int, &open), Some(open.clone()));
        assert_eq!(result(Operator::Add, &open, &eur), Some(eur.clone()));
        assert_eq!(result(Operator::Add, &usd, &eur), None);
        assert_eq!(result(Operator::Multiply, &eur, &eur), None);
        assert!(matches!(result(Operator::Divide, &eur, &eur), Some(Type::Decimal { .. })));
    }
}
