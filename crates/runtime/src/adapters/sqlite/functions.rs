//! The functions `mainstay_…` that conditions call: the kernel's own arithmetic, so that a filter
//! and an evaluation cannot differ. A fault comes back as a real, which no column of ours stores.

use crate::adapters::sql::shape::{Shape, Stored};
use crate::adapters::sql::term::arithmetic;
use ir::domain::FieldId;
use ir::expr::{Aggregate, Expr, ExprKind, FieldRef, Operator, Type};
use ir::value::Value;
use kernel::expr::{Fault, Scope, evaluate};
use rusqlite::functions::{Aggregate as SqlAggregate, Context, FunctionFlags};
use rusqlite::types::{Value as SqlValue, ValueRef};
use rusqlite::{Connection, Error, Result};
use std::borrow::Cow;
use std::sync::Arc;

/// The mark of a fault.
const FAULT: SqlValue = SqlValue::Real(0.0);

/// Registers all of them on a connection.
pub(super) fn register(connection: &Connection) -> Result<()> {
    let pure = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("mainstay_arithmetic", 5, pure, operation)?;
    connection.create_scalar_function("mainstay_negate", 2, pure, negation)?;
    connection.create_scalar_function("mainstay_order", 3, pure, order)?;
    connection.create_scalar_function("mainstay_day", 1, pure, day)?;
    connection.create_scalar_function("mainstay_search", 1, pure, |context| {
        Ok(match context.get_raw(0) {
            ValueRef::Text(text) => {
                SqlValue::Text(crate::search::fold(&String::from_utf8_lossy(text)))
            }
            _ => SqlValue::Null,
        })
    })?;
    connection.create_aggregate_function("mainstay_fold", 3, pure, Fold)
}

/// What the first argument says: what is done to which shapes.
struct Signature {
    word: String,
    shapes: Vec<Shape>,
    result: String,
}

/// Parsed once per statement.
fn signature(context: &Context<'_>) -> Result<Arc<Signature>> {
    context.get_or_create_aux(0, parse)
}

fn parse(text: ValueRef<'_>) -> Result<Signature> {
    let ValueRef::Text(text) = text else { return Err(Error::InvalidQuery) };
    let text = std::str::from_utf8(text).map_err(|_| Error::InvalidQuery)?;
    let mut words = text.split('|');
    let word = words.next().unwrap_or_default().to_owned();
    let rest: Vec<_> = words.collect();
    let shapes = rest.iter().filter_map(|word| arithmetic::shape(word)).collect();
    let result = rest.last().copied().unwrap_or_default().to_owned();
    Ok(Signature { word, shapes, result })
}

/// The value of one or two arguments; the fault passes on.
fn value(
    context: &Context<'_>,
    at: usize,
    second: Option<usize>,
    shape: Option<&Shape>,
) -> Result<std::result::Result<Value, Fault>> {
    let stored = |at: usize| match context.get_raw(at) {
        ValueRef::Null => Ok(Stored::Null),
        ValueRef::Integer(n) => Ok(Stored::Int(n)),
        ValueRef::Blob(bytes) => Ok(Stored::Bytes(bytes)),
        ValueRef::Text(text) => {
            std::str::from_utf8(text).map(Stored::Text).map_err(|_| Error::InvalidQuery)
        }
        ValueRef::Real(_) => Ok(Stored::Foreign),
    };
    let first = stored(at)?;
    if first == Stored::Foreign {
        return Ok(Err(Fault::Overflow));
    }
    let second = second.map_or(Ok(Stored::Null), stored)?;
    let shape = shape.ok_or(Error::InvalidQuery)?;
    shape.decode(first, second).map(Ok).map_err(|_| Error::InvalidQuery)
}

fn literal(value: Value) -> Box<Expr> {
    Box::new(Expr { kind: ExprKind::Literal(value), ty: Type::Null })
}

fn operator(word: &str) -> Result<Operator> {
    Ok(match word {
        "add" => Operator::Add,
        "subtract" => Operator::Subtract,
        "multiply" => Operator::Multiply,
        "divide" => Operator::Divide,
        "remainder" => Operator::Remainder,
        _ => return Err(Error::InvalidQuery),
    })
}

/// The type that evaluation is told, of a signature's last word.
fn made(word: &str, same: Option<&Shape>) -> Type {
    let scale = |scale: u8| Type::Decimal { precision: 18, scale };
    match (word, same) {
        ("same", Some(Shape::Decimal { scale: of })) => scale(*of),
        ("same", Some(Shape::Money)) | ("money", _) => Type::Money { currency: None },
        ("same", Some(Shape::Duration)) | ("duration", _) => Type::Duration,
        (word, _) => match (word.strip_prefix("money:"), arithmetic::shape(word)) {
            (Some(code), _) => Type::Money { currency: Some(code.to_owned()) },
            (None, Some(Shape::Decimal { scale: of })) => scale(of),
            (None, _) => Type::Int,
        },
    }
}

/// The first cell of an answer; its second the statement makes by itself.
fn answer(value: std::result::Result<Value, Fault>) -> SqlValue {
    let Ok(value) = value else { return FAULT };
    let Some(shape) = Shape::of_value(&value) else { return SqlValue::Null };
    match shape.encode(&value, shape.parts()[0]) {
        Ok(crate::adapters::sql::shape::Cell::Int(n)) => SqlValue::Integer(n),
        Ok(crate::adapters::sql::shape::Cell::Text(text)) => SqlValue::Text(text.into_owned()),
        Ok(crate::adapters::sql::shape::Cell::Uuid(id)) => SqlValue::Blob(id.to_vec()),
        Ok(crate::adapters::sql::shape::Cell::Null) => SqlValue::Null,
        Err(_) => FAULT,
    }
}

/// `mainstay_arithmetic('add|money|money|money', a, a_currency, b, b_currency)`
fn operation(context: &Context<'_>) -> Result<SqlValue> {
    let signature = signature(context)?;
    let a = value(context, 1, Some(2), signature.shapes.first())?;
    let b = value(context, 3, Some(4), signature.shapes.get(1))?;
    let (Ok(a), Ok(b)) = (a, b) else { return Ok(FAULT) };
    let kind = ExprKind::Arithmetic(operator(&signature.word)?, literal(a), literal(b));
    let expr = Expr { kind, ty: made(&signature.result, None) };
    Ok(answer(evaluate(&expr, &Nothing).map(Cow::into_owned)))
}

/// `mainstay_negate('int', a)`
fn negation(context: &Context<'_>) -> Result<SqlValue> {
    let signature = signature(context)?;
    let shape = arithmetic::shape(&signature.word);
    // The currency stays what it was: a stand-in will do.
    let a = match (context.get_raw(1), shape) {
        (ValueRef::Integer(units), Some(Shape::Money)) => Ok(Value::Int(units)),
        (_, shape) => value(context, 1, None, shape.as_ref())?,
    };
    let Ok(a) = a else { return Ok(FAULT) };
    let expr = Expr { kind: ExprKind::Negate(literal(a)), ty: Type::Null };
    Ok(answer(evaluate(&expr, &Nothing).map(Cow::into_owned)))
}

/// `mainstay_order('int|decimal:2', a, b)`: -1, 0, 1, or null where one of them is null.
fn order(context: &Context<'_>) -> Result<Option<i64>> {
    let signature = signature(context)?;
    let scale = |shape: Option<Shape>| match shape {
        Some(Shape::Decimal { scale }) => scale,
        Some(Shape::Money) => 4,
        _ => 0,
    };
    let of_a = scale(arithmetic::shape(&signature.word));
    let of_b = scale(arithmetic::shape(&signature.result));
    let (ValueRef::Integer(a), ValueRef::Integer(b)) = (context.get_raw(1), context.get_raw(2))
    else {
        return Ok(None);
    };
    let wide = |units: i64, other: u8| i128::from(units) * 10_i128.pow(u32::from(other.min(18)));
    Ok(Some(match wide(a, of_b).cmp(&wide(b, of_a)) {
        std::cmp::Ordering::Less => -1,
        std::cmp::Ordering::Equal => 0,
        std::cmp::Ordering::Greater => 1,
    }))
}

/// `mainstay_day(timestamp)`: days since 1970.
fn day(context: &Context<'_>) -> Result<SqlValue> {
    const DAY_MICROS: i64 = 86_400_000_000;
    Ok(match context.get_raw(0) {
        ValueRef::Integer(micros) => SqlValue::Integer(micros.div_euclid(DAY_MICROS)),
        ValueRef::Real(_) => FAULT,
        _ => SqlValue::Null,
    })
}

/// `mainstay_fold('sum|money|money', value, currency)`
struct Fold;

/// The rows of a group.
struct Group {
    signature: Option<Signature>,
    rows: std::result::Result<Vec<Value>, Fault>,
}

impl SqlAggregate<Group, SqlValue> for Fold {
    fn init(&self, _: &mut Context<'_>) -> Result<Group> {
        Ok(Group { signature: None, rows: Ok(Vec::new()) })
    }

    fn step(&self, context: &mut Context<'_>, group: &mut Group) -> Result<()> {
        let signature = match &mut group.signature {
            Some(signature) => signature,
            none => none.insert(parse(context.get_raw(0))?),
        };
        let value = value(context, 1, Some(2), signature.shapes.first())?;
        match (value, &mut group.rows) {
            (Ok(value), Ok(rows)) => rows.push(value),
            (Err(fault), rows) => *rows = Err(fault),
            (Ok(_), Err(_)) => {}
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, group: Option<Group>) -> Result<SqlValue> {
        let (found, rows) = match group {
            Some(Group { signature: Some(signature), rows }) => (signature, rows),
            // Without rows there were no arguments; the statement says what it wants then.
            Some(Group { signature: None, .. }) | None => return Ok(SqlValue::Null),
        };
        let Ok(rows) = rows else { return Ok(FAULT) };
        let fold = match found.word.as_str() {
            "sum" => Aggregate::Sum,
            "count" => Aggregate::Count,
            "min" => Aggregate::Min,
            "max" => Aggregate::Max,
            _ => Aggregate::Avg,
        };
        let inner = ExprKind::Field(FieldRef::Field(FieldId(0)));
        let inner = Box::new(Expr { kind: inner, ty: Type::Null });
        let ty = made(&found.result, found.shapes.first());
        let expr = Expr { kind: ExprKind::Aggregate(fold, FieldId(0), Some(inner)), ty };
        Ok(answer(evaluate(&expr, &Rows(rows)).map(Cow::into_owned)))
    }
}

/// A scope that has nothing but literals.
struct Nothing;

impl Scope for Nothing {
    fn field(&self, _: FieldRef) -> Cow<'_, Value> {
        Cow::Owned(Value::Null)
    }
    fn me(&self) -> Option<&str> {
        None
    }
    fn now(&self) -> i64 {
        0
    }
}

/// The rows of a group as children with one field.
struct Rows(Vec<Value>);

/// One of them.
struct Child<'v>(&'v Value);

impl Scope for Rows {
    fn field(&self, _: FieldRef) -> Cow<'_, Value> {
        Cow::Owned(Value::Null)
    }
    fn children(
        &self,
        _: FieldId,
        visit: &mut dyn FnMut(&dyn Scope) -> std::result::Result<(), Fault>,
    ) -> std::result::Result<(), Fault> {
        self.0.iter().try_for_each(|value| visit(&Child(value)))
    }
    fn me(&self) -> Option<&str> {
        None
    }
    fn now(&self) -> i64 {
        0
    }
}

impl Scope for Child<'_> {
    fn field(&self, _: FieldRef) -> Cow<'_, Value> {
        Cow::Borrowed(self.0)
    }
    fn me(&self) -> Option<&str> {
        None
    }
    fn now(&self) -> i64 {
        0
    }
}
