//! Meaning of expressions, one sentence a test.

use super::*;
use ir::expr::{Aggregate, Implicit, Operator, Type};
use ir::value::Currency;

struct Row {
    values: Vec<Value>,
    children: Vec<Row>,
    me: Option<&'static str>,
}

impl Scope for Row {
    fn field(&self, field: FieldRef) -> Cow<'_, Value> {
        match field {
            FieldRef::Field(field) => Cow::Borrowed(&self.values[field.index()]),
            FieldRef::Implicit(Implicit::CreatedAt) => Cow::Owned(Value::Timestamp(0)),
            FieldRef::Implicit(_) => Cow::Owned(Value::Null),
        }
    }
    fn children(
        &self,
        _: FieldId,
        visit: &mut dyn FnMut(&dyn Scope) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.children.iter().try_for_each(|child| visit(child))
    }
    fn me(&self) -> Option<&str> {
        self.me
    }
    fn now(&self) -> i64 {
        8 * DAY_MICROS
    }
}

fn row(values: impl IntoIterator<Item = Value>) -> Row {
    Row { values: values.into_iter().collect(), children: Vec::new(), me: Some("alice") }
}
fn literal(value: Value) -> Box<Expr> {
    Box::new(Expr { kind: ExprKind::Literal(value), ty: Type::Null })
}
fn field(at: usize) -> Box<Expr> {
    Box::new(Expr { kind: ExprKind::Field(FieldRef::Field(FieldId::of(at))), ty: Type::Null })
}
fn compare(operator: Operator, left: Box<Expr>, right: Box<Expr>) -> Expr {
    Expr { kind: ExprKind::Compare(operator, left, right), ty: Type::Bool }
}
fn arithmetic(operator: Operator, left: Value, right: Value, ty: Type) -> Result<Value, Fault> {
    let expr = Expr { kind: ExprKind::Arithmetic(operator, literal(left), literal(right)), ty };
    evaluate(&expr, &row([])).map(Cow::into_owned)
}
fn euro(units: i64) -> Value {
    Value::Money { units, currency: Currency(*b"EUR") }
}
fn yen(units: i64) -> Value {
    Value::Money { units, currency: Currency(*b"JPY") }
}
const MONEY: Type = Type::Money { currency: None };

#[test]
fn a_comparison_with_a_null_value_is_false_and_unequal_is_true() {
    let row = row([Value::Null, Value::Null]);
    for operator in [Operator::Equal, Operator::Less, Operator::GreaterEqual] {
        assert_eq!(holds(&compare(operator, field(0), literal(Value::Int(1))), &row), Ok(false));
        assert_eq!(holds(&compare(operator, field(0), field(1)), &row), Ok(false));
    }
    assert_eq!(holds(&compare(Operator::NotEqual, field(0), field(1)), &row), Ok(true));
}

#[test]
fn against_the_literal_null_equality_asks_whether_there_is_a_value() {
    let row = row([Value::Null, Value::Int(1)]);
    let test = |operator, at| holds(&compare(operator, field(at), literal(Value::Null)), &row);
    assert_eq!(test(Operator::Equal, 0), Ok(true));
    assert_eq!(test(Operator::Equal, 1), Ok(false));
    assert_eq!(test(Operator::NotEqual, 0), Ok(false));
    assert_eq!(test(Operator::NotEqual, 1), Ok(true));
}

#[test]
fn a_caller_without_token_is_nobody() {
    let me = || Box::new(Expr { kind: ExprKind::Me, ty: Type::Text });
    let mut row = row([Value::text("alice")]);
    assert_eq!(holds(&compare(Operator::Equal, field(0), me()), &row), Ok(true));
    row.me = None;
    assert_eq!(holds(&compare(Operator::Equal, field(0), me()), &row), Ok(false));
}

#[test]
fn numbers_compare_by_value_whatever_their_scale() {
    let decimal = |units, scale| literal(Value::Decimal { units, scale });
    let row = row([]);
    let equal = compare(Operator::Equal, decimal(1250, 2), decimal(125, 1));
    assert_eq!(holds(&equal, &row), Ok(true));
    let less = compare(Operator::Less, literal(Value::Int(12)), decimal(125, 1));
    assert_eq!(holds(&less, &row), Ok(true));
}

#[test]
fn money_compares_with_its_own_currency_or_by_amount_with_a_number() {
    let test = |operator, left, right| {
        holds(&compare(operator, literal(left), literal(right)), &row([])).unwrap()
    };
    assert!(test(Operator::Greater, euro(20_000), euro(10_000)));
    assert!(!test(Operator::Greater, euro(20_000), yen(10_000)));
    assert!(test(Operator::NotEqual, euro(10_000), yen(10_000)));
    assert!(test(Operator::GreaterEqual, euro(10_000_000), Value::Int(1000)));
}

#[test]
fn overflow_and_division_by_zero_are_faults() {
    let int = |operator, a, b| arithmetic(operator, Value::Int(a), Value::Int(b), Type::Int);
    assert_eq!(int(Operator::Add, i64::MAX, 1), Err(Fault::Overflow));
    assert_eq!(int(Operator::Divide, i64::MIN, -1), Err(Fault::Overflow));
    assert_eq!(int(Operator::Divide, 1, 0), Err(Fault::DivisionByZero));
    assert_eq!(int(Operator::Remainder, 1, 0), Err(Fault::DivisionByZero));
    assert_eq!(int(Operator::Divide, -7, 2), Ok(Value::Int(-3)));
}

#[test]
fn a_fault_denies_even_under_not() {
    let overflow = Expr {
        kind: ExprKind::Arithmetic(
            Operator::Add,
            literal(Value::Int(i64::MAX)),
            literal(Value::Int(1)),
        ),
        ty: Type::Int,
    };
    let test = compare(Operator::Greater, Box::new(overflow), literal(Value::Int(0)));
    let not = Expr { kind: ExprKind::Not(Box::new(test)), ty: Type::Bool };
    assert_eq!(holds(&not, &row([])), Err(Fault::Overflow));
}

#[test]
fn money_is_exact_and_never_mixed() {
    assert_eq!(arithmetic(Operator::Multiply, Value::Int(3), euro(3_333), MONEY), Ok(euro(9_999)));
    assert_eq!(arithmetic(Operator::Add, euro(1), yen(1), MONEY), Err(Fault::MixedCurrencies));
    let third = arithmetic(Operator::Divide, euro(10_000), Value::Int(3), MONEY);
    assert_eq!(third, Ok(euro(3_333)));
    let half = Value::Decimal { units: 5, scale: 1 };
    assert_eq!(arithmetic(Operator::Multiply, euro(5), half.clone(), MONEY), Ok(euro(2)));
    assert_eq!(arithmetic(Operator::Multiply, euro(7), half, MONEY), Ok(euro(4)));
}

#[test]
fn arithmetic_over_null_is_null() {
    assert_eq!(arithmetic(Operator::Add, Value::Null, euro(1), MONEY), Ok(Value::Null));
}

#[test]
fn instants_and_lengths_add_up() {
    let day = Value::Duration(DAY_MICROS);
    let sum = arithmetic(Operator::Add, Value::Timestamp(5), day.clone(), Type::Timestamp);
    assert_eq!(sum, Ok(Value::Timestamp(5 + DAY_MICROS)));
    let between =
        arithmetic(Operator::Subtract, Value::Timestamp(7), Value::Timestamp(5), Type::Duration);
    assert_eq!(between, Ok(Value::Duration(2)));
    let week = compare(
        Operator::Greater,
        Box::new(Expr { kind: ExprKind::Age, ty: Type::Duration }),
        literal(Value::Duration(7 * DAY_MICROS)),
    );
    assert_eq!(holds(&week, &row([])), Ok(true));
}

fn fold(fold: Aggregate, values: Vec<Value>, ty: Type) -> Result<Value, Fault> {
    let expr = Expr { kind: ExprKind::Aggregate(fold, FieldId::of(0), Some(field(0))), ty };
    let mut owner = row([]);
    owner.children = values.into_iter().map(|value| row([value])).collect();
    evaluate(&expr, &owner).map(Cow::into_owned)
}

#[test]
fn folds_pass_over_nulls() {
    let amounts = || vec![euro(1), Value::Null, euro(2)];
    assert_eq!(fold(Aggregate::Sum, amounts(), MONEY), Ok(euro(3)));
    assert_eq!(fold(Aggregate::Count, amounts(), Type::Int), Ok(Value::Int(2)));
    assert_eq!(fold(Aggregate::Max, amounts(), MONEY), Ok(euro(2)));
    assert_eq!(fold(Aggregate::Min, amounts(), MONEY), Ok(euro(1)));
    assert_eq!(fold(Aggregate::Avg, amounts(), MONEY), Ok(euro(2)));
}

#[test]
fn a_sum_over_nothing_is_zero_unless_the_currency_is_open() {
    assert_eq!(fold(Aggregate::Sum, vec![], Type::Int), Ok(Value::Int(0)));
    assert_eq!(fold(Aggregate::Sum, vec![], MONEY), Ok(Value::Null));
    let fixed = Type::Money { currency: Some("EUR".to_owned()) };
    assert_eq!(fold(Aggregate::Sum, vec![], fixed), Ok(euro(0)));
    assert_eq!(fold(Aggregate::Max, vec![], Type::Int), Ok(Value::Null));
}

#[test]
fn a_sum_of_unlike_currencies_is_a_fault() {
    assert_eq!(fold(Aggregate::Sum, vec![euro(1), yen(1)], MONEY), Err(Fault::MixedCurrencies));
}

#[test]
fn membership_looks_into_lists() {
    let list = Value::List(vec![Value::text("a"), Value::text("b")]);
    let test = |needle: Value, elements: Vec<Value>| {
        let elements = elements.into_iter().map(|value| *literal(value)).collect();
        let expr = Expr { kind: ExprKind::In(literal(needle), elements), ty: Type::Bool };
        holds(&expr, &row([])).unwrap()
    };
    assert!(test(Value::text("b"), vec![list.clone()]));
    assert!(!test(Value::text("c"), vec![list]));
    assert!(test(Value::Int(2), vec![Value::Int(1), Value::Int(2)]));
    assert!(!test(Value::Null, vec![Value::Null]));
}
