//! Random well-typed conditions over a thing.

use super::{Choices, key};
use crate::fixture::store::{AREA, part, thing};
use ir::domain::FieldId;
use ir::expr::{Aggregate, Expr, ExprKind, FieldRef, Function, Implicit, Operator, Type};
use ir::value::Value;

const COMPARISONS: [Operator; 6] = [
    Operator::Equal,
    Operator::NotEqual,
    Operator::Less,
    Operator::LessEqual,
    Operator::Greater,
    Operator::GreaterEqual,
];
const SUMS: [Operator; 2] = [Operator::Add, Operator::Subtract];

/// A kind of value.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Of {
    Int,
    /// Of that scale.
    Decimal(u8),
    Money,
    Text,
    Date,
    Time,
    Timestamp,
    Duration,
    Uuid,
    Bool,
}

fn expr(kind: ExprKind, ty: Type) -> Expr {
    Expr { kind, ty }
}

fn boxed(expr: Expr) -> Box<Expr> {
    Box::new(expr)
}

fn ty(of: Of) -> Type {
    match of {
        Of::Int => Type::Int,
        Of::Decimal(scale) => Type::Decimal { precision: 18, scale },
        Of::Money => Type::Money { currency: None },
        Of::Text => Type::Text,
        Of::Date => Type::Date,
        Of::Time => Type::Time,
        Of::Timestamp => Type::Timestamp,
        Of::Duration => Type::Duration,
        Of::Uuid => Type::Uuid,
        Of::Bool => Type::Bool,
    }
}

fn literal(value: Value, of: Of) -> Expr {
    expr(ExprKind::Literal(value), ty(of))
}

fn field(field: FieldId, of: Of) -> Expr {
    expr(ExprKind::Field(FieldRef::Field(field)), ty(of))
}

fn kind(choices: &mut Choices<'_>) -> Of {
    choices.one(&[
        Of::Int,
        Of::Decimal(3),
        Of::Money,
        Of::Text,
        Of::Date,
        Of::Time,
        Of::Timestamp,
        Of::Duration,
        Of::Uuid,
        Of::Bool,
        Of::Int,
        Of::Money,
        Of::Decimal(1),
    ])
}

/// What may be compared with it.
fn comparable(choices: &mut Choices<'_>, of: Of) -> Of {
    match of {
        Of::Int | Of::Decimal(_) | Of::Money => {
            let other = choices.one(&[Of::Int, Of::Decimal(1), Of::Decimal(3), Of::Decimal(6), of]);
            if choices.below(2) == 0 { of } else { other }
        }
        other => other,
    }
}

/// A condition of at most that depth.
pub(super) fn condition(choices: &mut Choices<'_>, depth: usize) -> Expr {
    let deeper = depth.saturating_sub(1);
    let of_kind = if depth == 0 { choices.below(4) } else { choices.below(12) };
    match of_kind {
        0..=2 => comparison(choices, deeper),
        3 => field(thing::ACTIVE, Of::Bool),
        4 => expr(ExprKind::Not(boxed(condition(choices, deeper))), Type::Bool),
        5 | 6 => expr(ExprKind::And(some(choices, deeper)), Type::Bool),
        7 | 8 => expr(ExprKind::Or(some(choices, deeper)), Type::Bool),
        9 => membership(choices, deeper),
        10 => null_test(choices, deeper),
        _ => match choices.below(3) {
            0 => {
                let prefix = if choices.below(3) == 0 {
                    value(choices, Of::Text, 0)
                } else {
                    literal(choices.text(), Of::Text)
                };
                let arguments = vec![value(choices, Of::Text, deeper), prefix];
                expr(ExprKind::Call(Function::StartsWith, arguments), Type::Bool)
            }
            1 => value(choices, Of::Bool, deeper),
            _ => expr(ExprKind::Literal(Value::Bool(choices.below(2) == 0)), Type::Bool),
        },
    }
}

fn some(choices: &mut Choices<'_>, depth: usize) -> Vec<Expr> {
    (0..2 + choices.below(2)).map(|_| condition(choices, depth)).collect()
}

fn comparison(choices: &mut Choices<'_>, depth: usize) -> Expr {
    if choices.below(12) == 0 {
        let (name, ends) = (choices.one(&COMPARISONS), [Function::Start, Function::End]);
        let span = field(thing::SPAN, Of::Bool);
        let left = expr(ExprKind::Call(choices.one(&ends), vec![span]), Type::Timestamp);
        let right = literal(Value::Timestamp(choices.one(&[0, 5, 9])), Of::Timestamp);
        return expr(ExprKind::Compare(name, boxed(left), boxed(right)), Type::Bool);
    }
    let of = kind(choices);
    let other = comparable(choices, of);
    let operator = choices.one(&COMPARISONS);
    let (left, right) = (value(choices, of, depth), value(choices, other, depth));
    let (left, right) = if choices.below(2) == 0 { (left, right) } else { (right, left) };
    expr(ExprKind::Compare(operator, boxed(left), boxed(right)), Type::Bool)
}

fn null_test(choices: &mut Choices<'_>, depth: usize) -> Expr {
    let of = kind(choices);
    let operator = choices.one(&COMPARISONS[..2]);
    let null = expr(ExprKind::Literal(Value::Null), Type::Null);
    let tested = value(choices, of, depth);
    expr(ExprKind::Compare(operator, boxed(tested), boxed(null)), Type::Bool)
}

fn membership(choices: &mut Choices<'_>, depth: usize) -> Expr {
    let (needle, elements) = match choices.below(4) {
        0 => (value(choices, Of::Text, depth), vec![field(thing::TAGS, Of::Text)]),
        1 => (value(choices, Of::Int, depth), vec![field(thing::NUMBERS, Of::Int)]),
        2 => (value(choices, Of::Uuid, depth), vec![field(thing::KEYS, Of::Uuid)]),
        _ => {
            let of = kind(choices);
            let size = choices.below(4);
            let elements = (0..size).map(|_| {
                let other = comparable(choices, of);
                value(choices, other, if size > 2 { 0 } else { depth })
            });
            let elements = elements.collect();
            (value(choices, of, depth), elements)
        }
    };
    expr(ExprKind::In(boxed(needle), elements), Type::Bool)
}

/// A value of a kind.
fn value(choices: &mut Choices<'_>, of: Of, depth: usize) -> Expr {
    let deeper = depth.saturating_sub(1);
    match if depth == 0 { choices.below(3) } else { choices.below(9) } {
        0 | 1 => plain(choices, of),
        2 => constant(choices, of),
        3 if of != Of::Bool => {
            let (then, otherwise) = (value(choices, of, deeper), value(choices, of, deeper));
            let condition = condition(choices, deeper);
            let kind = ExprKind::If(boxed(condition), boxed(then), boxed(otherwise));
            expr(kind, ty(of))
        }
        4 => fold(choices, of).unwrap_or_else(|| plain(choices, of)),
        5 => called(choices, of, deeper).unwrap_or_else(|| plain(choices, of)),
        _ => computed(choices, of, deeper).unwrap_or_else(|| plain(choices, of)),
    }
}

fn constant(choices: &mut Choices<'_>, of: Of) -> Expr {
    let value = match of {
        Of::Int => Value::Int(choices.whole()),
        Of::Decimal(scale) => choices.decimal(scale),
        Of::Money => choices.money(),
        Of::Text => choices.text(),
        Of::Date => choices.date(),
        Of::Time => Value::Time(choices.one(&[0, 1])),
        Of::Timestamp => choices.timestamp(),
        Of::Duration => choices.duration(),
        Of::Uuid => key(choices),
        Of::Bool => Value::Bool(choices.below(2) == 0),
    };
    literal(value, of)
}

/// A field, or what else needs nothing.
fn plain(choices: &mut Choices<'_>, of: Of) -> Expr {
    let implicit = |name: Implicit, of: Of| expr(ExprKind::Field(FieldRef::Implicit(name)), ty(of));
    let area = choices.one(&[thing::AREA, thing::ZONE]);
    let related = |at: u16, of: Of| {
        let field = FieldRef::Field(FieldId(at));
        let kind = ExprKind::Related { path: vec![area], target: AREA, field, crosses: false };
        expr(kind, ty(of))
    };
    let second = choices.below(3) == 0;
    match of {
        Of::Int if second => related(1, Of::Int),
        Of::Int => field(thing::COUNT, of),
        Of::Decimal(1) => field(thing::RATIO, of),
        Of::Decimal(3) => field(thing::WEIGHT, of),
        Of::Decimal(_) => constant(choices, of),
        Of::Money => field(thing::PRICE, of),
        Of::Text => match choices.below(5) {
            0 => expr(ExprKind::Me, Type::Text),
            1 => related(0, Of::Text),
            2 => field(thing::STATUS, of),
            3 => field(thing::OWNER, of),
            _ => field(thing::NAME, of),
        },
        Of::Date => field(thing::DAY, of),
        Of::Time => field(thing::TIME, of),
        Of::Timestamp => match choices.below(3) {
            0 => expr(ExprKind::Now, ty(of)),
            1 => implicit(Implicit::CreatedAt, of),
            _ => field(thing::SEEN, of),
        },
        Of::Duration if second => expr(ExprKind::Age, ty(of)),
        Of::Duration => field(thing::WAIT, of),
        Of::Uuid if second => field(area, of),
        Of::Uuid => field(thing::KEY, of),
        Of::Bool => field(thing::ACTIVE, of),
    }
}

fn called(choices: &mut Choices<'_>, of: Of, depth: usize) -> Option<Expr> {
    let call = |function, argument| expr(ExprKind::Call(function, vec![argument]), ty(of));
    Some(match of {
        Of::Int if choices.below(2) == 0 => call(Function::Size, field(thing::NUMBERS, Of::Int)),
        Of::Int => call(Function::Size, value(choices, Of::Text, depth)),
        Of::Text if choices.below(2) == 0 => call(Function::Lower, value(choices, Of::Text, depth)),
        Of::Text => call(Function::Currency, value(choices, Of::Money, depth)),
        Of::Date => call(Function::Date, value(choices, Of::Timestamp, depth)),
        Of::Decimal(_)
        | Of::Money
        | Of::Time
        | Of::Timestamp
        | Of::Duration
        | Of::Uuid
        | Of::Bool => return None,
    })
}

fn computed(choices: &mut Choices<'_>, of: Of, depth: usize) -> Option<Expr> {
    let all = [
        Operator::Add,
        Operator::Subtract,
        Operator::Multiply,
        Operator::Divide,
        Operator::Remainder,
    ];
    let number =
        |choices: &mut Choices<'_>| choices.one(&[Of::Int, Of::Decimal(1), Of::Decimal(3)]);
    let (operator, left, right) = match of {
        Of::Int => (choices.one(&all), Of::Int, Of::Int),
        Of::Decimal(_) => match choices.below(5) {
            0 => (Operator::Divide, Of::Money, Of::Money),
            1 => {
                let kind = ExprKind::Negate(boxed(value(choices, of, depth)));
                return Some(expr(kind, ty(of)));
            }
            _ => (choices.one(&all), number(choices), number(choices)),
        },
        Of::Money => match choices.below(5) {
            0 => (choices.one(&SUMS), Of::Money, Of::Money),
            1 => (Operator::Multiply, number(choices), Of::Money),
            2 => (Operator::Multiply, Of::Money, number(choices)),
            3 => {
                let kind = ExprKind::Negate(boxed(value(choices, of, depth)));
                return Some(expr(kind, ty(of)));
            }
            _ => (Operator::Divide, Of::Money, number(choices)),
        },
        Of::Text => (Operator::Add, Of::Text, Of::Text),
        Of::Date => (choices.one(&SUMS), Of::Date, Of::Duration),
        Of::Timestamp => (choices.one(&SUMS), Of::Timestamp, Of::Duration),
        Of::Duration => match choices.below(4) {
            0 => (Operator::Subtract, Of::Timestamp, Of::Timestamp),
            1 => (Operator::Subtract, Of::Date, Of::Date),
            2 => (choices.one(&all[2..4]), Of::Duration, Of::Int),
            _ => (choices.one(&SUMS), Of::Duration, Of::Duration),
        },
        Of::Bool => return Some(condition(choices, depth)),
        Of::Time | Of::Uuid => return None,
    };
    let (left, right) = (value(choices, left, depth), value(choices, right, depth));
    Some(expr(ExprKind::Arithmetic(operator, boxed(left), boxed(right)), ty(of)))
}

fn fold(choices: &mut Choices<'_>, of: Of) -> Option<Expr> {
    let parts = |fold, inner: Option<Expr>| {
        let kind = ExprKind::Aggregate(fold, thing::PARTS, inner.map(boxed));
        Some(expr(kind, ty(of)))
    };
    let either = choices.one(&[Aggregate::Min, Aggregate::Max]);
    let any = choices.one(&[Aggregate::Sum, Aggregate::Min, Aggregate::Max, Aggregate::Avg]);
    match of {
        Of::Int => match choices.below(3) {
            0 => parts(Aggregate::Count, None),
            1 => parts(Aggregate::Count, Some(field(part::AMOUNT, Of::Money))),
            _ => parts(any, Some(quantity(choices))),
        },
        Of::Decimal(_) => {
            let fold = choices.one(&[Aggregate::Sum, Aggregate::Avg]);
            parts(fold, Some(quantity(choices)))
        }
        Of::Money => parts(any, Some(amount(choices))),
        Of::Text => parts(either, Some(field(part::KIND, Of::Text))),
        Of::Date | Of::Time | Of::Timestamp | Of::Duration | Of::Uuid | Of::Bool => None,
    }
}

/// A whole number in the scope of a part.
fn quantity(choices: &mut Choices<'_>) -> Expr {
    let quantity = field(part::QUANTITY, Of::Int);
    let other = match choices.below(4) {
        0 => return quantity,
        1 => expr(ExprKind::Parent(FieldRef::Field(thing::COUNT)), Type::Int),
        2 => {
            let path = vec![part::AREA];
            let field = FieldRef::Field(FieldId(1));
            let kind = ExprKind::Related { path, target: AREA, field, crosses: false };
            expr(kind, Type::Int)
        }
        _ => constant(choices, Of::Int),
    };
    let operator = choices.one(&[Operator::Add, Operator::Multiply, Operator::Divide]);
    expr(ExprKind::Arithmetic(operator, boxed(quantity), boxed(other)), Type::Int)
}

/// Money in the scope of a part.
fn amount(choices: &mut Choices<'_>) -> Expr {
    let amount = field(part::AMOUNT, Of::Money);
    if choices.below(2) == 0 {
        return amount;
    }
    let times = quantity(choices);
    expr(ExprKind::Arithmetic(Operator::Multiply, boxed(amount), boxed(times)), ty(Of::Money))
}
