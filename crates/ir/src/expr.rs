//! The expression language: as parsed ([`Tree`]) and as typed ([`Expr`]).
//!
//! CEL's syntax on the common part, our own types. `formats` parses, `design::check` types,
//! `kernel::expr` evaluates and `runtime` turns into SQL.

use crate::domain::{ActorId, FieldId, ResourceId};
use crate::source::{Name, Span};
use crate::value::Value;
use serde::Serialize;

/// An expression as the user wrote it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Expression {
    /// The text, as written.
    pub text: String,
    /// Where it stands.
    #[serde(skip)]
    pub span: Span,
    /// What the parser made of it.
    #[serde(skip)]
    pub tree: Tree,
}

/// One node of a parsed, untyped expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    /// What it is.
    pub node: Node,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of parsed node.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// `42`, `50_000`
    Int(i64),
    /// `12.50`: kept as digits and the number of decimals, for exactness.
    Decimal {
        /// The digits as a whole number.
        digits: i128,
        /// Digits after the point.
        scale: u8,
    },
    /// `'text'` or `"text"`
    Text(String),
    /// A bare name: a field, `me`, `now`, an enum value, a named rule, a step.
    Name(String),
    /// `left.name`
    Member(Box<Tree>, Name),
    /// `name(a, b)`
    Call(Name, Vec<Tree>),
    /// `not x`, `!x`
    Not(Box<Tree>),
    /// `-x`
    Negate(Box<Tree>),
    /// `a op b`
    Binary(Operator, Box<Tree>, Box<Tree>),
    /// `[a, b]`, only on the right of `in`
    List(Vec<Tree>),
}

/// Binary operators, in CEL's spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    /// `||` or `or`
    Or,
    /// `&&` or `and`
    And,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `in`
    In,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
}

/// The type of an expression or a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// The type of `null` alone; fits every optional place.
    Null,
    /// True or false.
    Bool,
    /// 64-bit signed.
    Int,
    /// Exact decimal with this many digits after the point.
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// Exact amount with a currency; fixed where named.
    Money {
        /// The only currency it can have.
        currency: Option<String>,
    },
    /// Unicode text (`string`, `text`, `url`, `email`).
    Text,
    /// One of these names; stored as text.
    Enum {
        /// Its names in order.
        values: Vec<String>,
    },
    /// Calendar day.
    Date,
    /// Time of day.
    Time,
    /// Instant, microseconds.
    Timestamp,
    /// Length of time, microseconds.
    Duration,
    /// Half-open span of instants.
    Timespan,
    /// 128-bit id.
    Uuid,
    /// Any JSON.
    Json,
    /// Several scalars.
    List(Box<Type>),
    /// The id of a row of that resource.
    Reference(ResourceId),
    /// A caller of that actor; `None` in `system`'s own scope.
    Actor(ActorId),
}

/// A typed expression; every name is resolved.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Its type.
    pub ty: Type,
}

/// Fields that every row has without being asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Implicit {
    /// UUIDv7.
    Id,
    /// When the row was made.
    CreatedAt,
    /// When it was last changed.
    UpdatedAt,
}

/// A field in the sense of an expression: declared or implicit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldRef {
    /// Declared in the model.
    Field(FieldId),
    /// Every row has it.
    Implicit(Implicit),
}

/// The kinds of typed node. Rule of evaluation: two-valued logic; a comparison with a null value is
/// false and `!=` true, but against the literal `null` `==` and `!=` ask whether there is a value.
/// Arithmetic over null is null. Money compares only with its own currency (else as with null), or
/// by amount with a plain number. Overflow, division by zero and sums of unlike currencies are
/// faults, which deny.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExprKind {
    /// A constant; an enum value is a [`Value::Text`].
    Literal(Value),
    /// A field of the row in scope.
    Field(FieldRef),
    /// A field of a row that is referred to: `path` are reference fields to follow, in order,
    /// beginning at the row in scope; `crosses` where the target is in another context.
    Related {
        /// References to follow.
        path: Vec<FieldId>,
        /// The resource at the end.
        target: ResourceId,
        /// What is read there.
        field: FieldRef,
        /// The target is another context's: asked of its owner, never joined.
        crosses: bool,
    },
    /// A field of the row that owns the row in scope (an owned child's expression).
    Parent(FieldRef),
    /// Input number n of the command.
    Input(usize),
    /// Value number n of the command's `get`.
    Got(usize),
    /// The caller, as the actor of the type.
    Me,
    /// Now.
    Now,
    /// `now - created_at`.
    Age,
    /// `item` in a step with `each`: a field of the child.
    Item(FieldRef),
    /// A reference of the child followed: `item.product.name`.
    ItemRelated {
        /// References to follow from the child.
        path: Vec<FieldId>,
        /// The resource at the end.
        target: ResourceId,
        /// What is read there.
        field: FieldRef,
    },
    /// A member of the event's data in a reaction or view.
    EventData(String),
    /// `event.time`, `event.tenant`, `event.type`, `event.id_of_event`.
    EventMeta(EventMeta),
    /// A member of an earlier step's answer: `charge.id`.
    Step {
        /// The step's name.
        step: String,
        /// The member of its answer.
        member: String,
    },
    /// `not x`
    Not(Box<Expr>),
    /// `-x`
    Negate(Box<Expr>),
    /// All of them; the first false one decides.
    And(Vec<Expr>),
    /// Any of them; the first true one decides.
    Or(Vec<Expr>),
    /// `==` and its kin; never `In`, arithmetic or logic.
    Compare(Operator, Box<Expr>, Box<Expr>),
    /// `x in [a, b]`, or `x in list_field` with a single element that is a list.
    In(Box<Expr>, Vec<Expr>),
    /// `+ - * / %`
    Arithmetic(Operator, Box<Expr>, Box<Expr>),
    /// `if(condition, then, otherwise)`
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// A function of scalars.
    Call(Function, Vec<Expr>),
    /// A fold over owned children: `sum(lines.amount)`; the inner expression is in the child's
    /// scope and absent for `count(lines)`. A `sum` over no rows is zero (money: null currency
    /// falls back to the field's fixed one, else the sum is null); `min`, `max`, `avg` are null.
    Aggregate(Aggregate, FieldId, Option<Box<Expr>>),
    /// A fold in a view (`count()`, `sum(event.total)`); the inner expression is in event scope.
    ViewAggregate(Aggregate, Option<Box<Expr>>),
}

/// What an event carries beside its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventMeta {
    /// When it was committed.
    Time,
    /// Whose it is.
    Tenant,
    /// Its name.
    Type,
    /// Its id.
    Id,
}

/// Functions of scalars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Function {
    /// `date(timestamp)`: the UTC day.
    Date,
    /// `lower(text)`: Unicode simple lower case (ASCII only in SQL, so ASCII everywhere).
    Lower,
    /// `size(text)` in characters, `size(list)` in elements.
    Size,
    /// `matches(text, 'pattern')`: the pattern is a literal; RE2 syntax; not available in list
    /// filters (a type error there).
    Matches,
    /// `currency(money)`: its code. Made by list filters (`total.currency=EUR`).
    Currency,
    /// `starts_with(text, text)`, exact bytes. Made by list filters (`name.prefix=ab`).
    StartsWith,
    /// `start(timespan)`: its first instant. Made by list filters (`during.start.gte=…`).
    Start,
    /// `end(timespan)`: one past its last instant. Made by list filters (`during.end.lt=…`).
    End,
}

/// Folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// Sum.
    Sum,
    /// Number of rows.
    Count,
    /// Least.
    Min,
    /// Greatest.
    Max,
    /// Mean.
    Avg,
}
