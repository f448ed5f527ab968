//! Values of expressions as SQL.

use super::condition::{Mode, Refused};
use super::dialect::{Dialect, quote};
use super::plan::Plan;
use super::shape::{Cell, Shape};
use ir::domain::{FieldId, ResourceId};
use ir::expr::{Aggregate, Expr, ExprKind, FieldRef, Function, Implicit, Operator, Type};
use ir::schema::Part;
use ir::value::Value;

pub(crate) mod arithmetic;
mod fold;
mod param;

pub use param::Param;

pub(super) use arithmetic::word as signature;

/// A value as SQL.
#[derive(Debug, Clone)]
pub(super) struct Term {
    /// Its first cell.
    pub(super) sql: String,
    /// Its second cell, where it has one.
    pub(super) second: Option<String>,
    /// Its form; none for the literal null.
    pub(super) shape: Option<Shape>,
    /// May be the mark of a fault; lifted, then.
    pub(super) faults: bool,
    /// In the form that can be the mark of a fault.
    pub(super) lifted: bool,
    /// The constant it is.
    pub(super) literal: Option<Value>,
}

impl Term {
    pub(super) fn one(sql: String, shape: Shape) -> Self {
        let shape = Some(shape);
        Self { sql, second: None, shape, faults: false, lifted: false, literal: None }
    }

    /// A value that is lifted already.
    pub(super) fn lifted(sql: String, shape: Shape) -> Self {
        Self { lifted: true, ..Self::one(sql, shape) }
    }

    pub(super) fn null() -> Self {
        Self {
            sql: "NULL".to_owned(),
            second: Some("NULL".to_owned()),
            shape: None,
            faults: false,
            lifted: true,
            literal: Some(Value::Null),
        }
    }

    pub(super) fn faulting(mut self, faults: bool) -> Self {
        self.faults = faults;
        self
    }
}

/// The row that an expression speaks of.
pub(super) struct Row<'r> {
    pub(super) alias: String,
    pub(super) resource: ResourceId,
    pub(super) owner: Option<&'r Row<'r>>,
}

/// Turns expressions into text and collects their parameters.
pub struct Compiler<'p> {
    pub(super) plan: &'p Plan,
    pub(super) params: Vec<(Param, Option<&'static str>)>,
    aliases: usize,
}

impl<'p> Compiler<'p> {
    /// Begins a statement.
    pub fn new(plan: &'p Plan) -> Self {
        Self { plan, params: Vec::new(), aliases: 0 }
    }

    /// The parameters, in the order of their numbers.
    pub fn into_params(self) -> Vec<Param> {
        self.params.into_iter().map(|(param, _)| param).collect()
    }

    pub(super) fn dialect(&self) -> &'p dyn Dialect {
        self.plan.dialect.as_ref()
    }

    /// The text of a parameter; each is bound once however often it is named.
    pub(super) fn param(&mut self, param: Param, shape: &Shape) -> String {
        let wanted = (param, self.dialect().parameter_type(shape));
        let at = self.params.iter().position(|one| *one == wanted).unwrap_or_else(|| {
            self.params.push(wanted);
            self.params.len() - 1
        });
        self.dialect().parameter(at + 1, shape)
    }

    pub(super) fn tenant(&mut self) -> String {
        self.param(Param::Tenant, &Shape::Text)
    }

    /// The value in the form that can be the mark of a fault.
    pub(super) fn lift(&self, term: &Term) -> String {
        match &term.shape {
            Some(shape) if !term.lifted => self.dialect().lift(&term.sql, shape),
            _ => term.sql.clone(),
        }
    }

    /// Two values in one form.
    pub(super) fn in_one_form(&self, a: &Term, b: &Term) -> (String, String) {
        match a.lifted == b.lifted {
            true => (a.sql.clone(), b.sql.clone()),
            false => (self.lift(a), self.lift(b)),
        }
    }

    pub(super) fn is_fault(&self, term: &Term) -> String {
        self.dialect().is_fault(&term.sql, term.shape.as_ref())
    }

    pub(super) fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("t{}", self.aliases)
    }

    pub(super) fn term(&mut self, expr: &Expr, row: &Row<'_>) -> Result<Term, Refused> {
        match &expr.kind {
            ExprKind::Literal(value) => self.literal(value),
            ExprKind::Field(field) => self.field(*field, row),
            ExprKind::Parent(field) => match row.owner {
                Some(owner) => self.field(*field, owner),
                None => Err(Refused::NotInScope("the owner of a root")),
            },
            ExprKind::Related { path, field, crosses, .. } => {
                if *crosses {
                    return Err(Refused::NotInScope("a row of another context"));
                }
                self.related(path, *field, row)
            }
            ExprKind::Me => Ok(Term::one(self.param(Param::Me, &Shape::Text), Shape::Text)),
            ExprKind::Now => Ok(self.now(0)),
            ExprKind::Age => {
                let created = self.field(FieldRef::Implicit(Implicit::CreatedAt), row)?;
                let (now, created) = (self.now(0), self.lift(&created));
                Ok(Term::lifted(format!("({} - {created})", self.lift(&now)), Shape::Duration))
            }
            ExprKind::Not(_)
            | ExprKind::And(_)
            | ExprKind::Or(_)
            | ExprKind::Compare(..)
            | ExprKind::In(..) => self.truth(expr, row),
            ExprKind::Negate(inner) => {
                let inner = self.term(inner, row)?;
                self.negate(inner)
            }
            ExprKind::Arithmetic(operator, left, right) => {
                if let Some(less) = from_now(*operator, left, right) {
                    return Ok(self.now(less));
                }
                let (left, right) = (self.term(left, row)?, self.term(right, row)?);
                self.arithmetic(*operator, left, right, &expr.ty)
            }
            ExprKind::If(condition, then, otherwise) => {
                self.choice(condition, then, otherwise, row)
            }
            ExprKind::Call(function, arguments) => self.call(*function, arguments, row),
            ExprKind::Aggregate(fold, children, inner) => {
                self.fold(*fold, *children, inner.as_deref(), &expr.ty, row)
            }
            ExprKind::Input(_)
            | ExprKind::Got(_)
            | ExprKind::Item(_)
            | ExprKind::ItemRelated { .. }
            | ExprKind::EventData(_)
            | ExprKind::EventMeta(_)
            | ExprKind::Step { .. }
            | ExprKind::ViewAggregate(..) => {
                Err(Refused::NotInScope("an input, item, event or step"))
            }
        }
    }

    pub(super) fn literal(&mut self, value: &Value) -> Result<Term, Refused> {
        let shape = match value {
            Value::Null => return Ok(Term::null()),
            Value::List(elements) if elements.is_empty() => Shape::List(Box::new(Shape::Text)),
            value => Shape::of_value(value).ok_or(Refused::Misshapen)?,
        };
        let mut cells = Vec::with_capacity(2);
        for part in shape.parts() {
            let cell = shape.encode(value, *part).map_err(|_| Refused::Misshapen)?.into_owned();
            cells.push(self.param(Param::Cell(cell), &shape.of_part(*part)));
        }
        let mut cells = cells.into_iter();
        Ok(Term {
            sql: cells.next().unwrap_or_default(),
            second: cells.next(),
            shape: Some(shape),
            faults: false,
            lifted: false,
            literal: Some(value.clone()),
        })
    }

    pub(super) fn now(&mut self, less: i64) -> Term {
        Term::one(self.param(Param::Now { less }, &Shape::Timestamp), Shape::Timestamp)
    }

    pub(super) fn field(&self, field: FieldRef, row: &Row<'_>) -> Result<Term, Refused> {
        let table = self.plan.table(row.resource);
        let implicit = |name: &str, shape| Term::one(format!("{}.\"{name}\"", row.alias), shape);
        Ok(match field {
            FieldRef::Field(field) => {
                let place = table.place(field).ok_or_else(|| self.not_stored(row, field))?;
                let mut columns = place.columns.iter().map(|name| format!("{}.{name}", row.alias));
                Term {
                    sql: columns.next().unwrap_or_default(),
                    second: columns.next(),
                    shape: Some(place.shape.clone()),
                    faults: false,
                    lifted: false,
                    literal: None,
                }
            }
            FieldRef::Implicit(Implicit::Id) => implicit("id", Shape::Uuid),
            FieldRef::Implicit(Implicit::CreatedAt | Implicit::UpdatedAt)
                if table.owner.is_some() =>
            {
                let owner = row.owner.ok_or(Refused::NotInScope("the owner of a child"))?;
                return self.field(field, owner);
            }
            FieldRef::Implicit(Implicit::CreatedAt) => implicit("created_at", Shape::Timestamp),
            FieldRef::Implicit(Implicit::UpdatedAt) => implicit("updated_at", Shape::Timestamp),
        })
    }

    fn not_stored(&self, row: &Row<'_>, field: FieldId) -> Refused {
        let resource = self.plan.domain.resource(row.resource);
        Refused::NotStored(format!("{}.{}", resource.name, resource.field(field).name))
    }

    /// `(SELECT t2.column FROM a t1 JOIN b t2 ON … WHERE t1.id = r.reference)`, once per cell.
    fn related(
        &mut self,
        path: &[FieldId],
        field: FieldRef,
        row: &Row<'_>,
    ) -> Result<Term, Refused> {
        let mut from = String::new();
        let mut condition = String::new();
        let mut at = Row { alias: row.alias.clone(), resource: row.resource, owner: None };
        for (step, reference) in path.iter().enumerate() {
            let link = self.field(FieldRef::Field(*reference), &at)?;
            let (domain, resource) = (&self.plan.domain, at.resource);
            let ir::domain::Kind::Reference { target, crosses: false, .. } =
                domain.resource(resource).field(*reference).kind
            else {
                return Err(Refused::NotInScope("a row of another context"));
            };
            let alias = self.alias();
            let table = self.plan.table(target);
            let elsewhere = self.dialect().elsewhere(row.resource, self.plan.schema.table(target));
            let name = elsewhere.as_ref().unwrap_or(&table.name);
            let mut on = format!("{alias}.\"id\" = {}", link.sql);
            if let Some(tenant) = &table.tenant {
                let param = self.tenant();
                on = format!("{alias}.{tenant} = {param} AND {on}");
            }
            if step == 0 {
                from = format!("{name} {alias}");
                condition = on;
            } else {
                from = format!("{from} JOIN {name} {alias} ON {on}");
            }
            at = Row { alias, resource: target, owner: None };
        }
        let read = self.field(field, &at)?;
        let subquery = |sql: &str| format!("(SELECT {sql} FROM {from} WHERE {condition})");
        Ok(Term { sql: subquery(&read.sql), second: read.second.as_deref().map(subquery), ..read })
    }

    /// A condition as a value: its own fault becomes the mark of a fault.
    fn truth(&mut self, expr: &Expr, row: &Row<'_>) -> Result<Term, Refused> {
        let condition = self.condition(expr, row, Mode::Exact)?;
        if !condition.faults {
            return Ok(Term::one(format!("({})", condition.sql), Shape::Bool));
        }
        let lifted = self.dialect().lift(&condition.sql, &Shape::Bool);
        let sql = format!("coalesce({lifted}, {})", self.dialect().fault(Some(&Shape::Bool)));
        Ok(Term::lifted(sql, Shape::Bool).faulting(true))
    }

    fn choice(
        &mut self,
        condition: &Expr,
        then: &Expr,
        otherwise: &Expr,
        row: &Row<'_>,
    ) -> Result<Term, Refused> {
        let condition = self.condition(condition, row, Mode::Exact)?;
        let then = self.term(then, row)?;
        let otherwise = self.term(otherwise, row)?;
        let (then, otherwise) = self.alike(then, otherwise)?;
        let shape = then.shape.clone().or_else(|| otherwise.shape.clone());
        let case = |then: &str, otherwise: &str, fault: &str| match condition.faults {
            false => format!("CASE WHEN {} THEN {then} ELSE {otherwise} END", condition.sql),
            true => format!(
                "CASE {} WHEN TRUE THEN {then} WHEN FALSE THEN {otherwise} ELSE {fault} END",
                condition.sql
            ),
        };
        let second = match (&then.second, &otherwise.second) {
            (Some(then), Some(otherwise)) => Some(case(then, otherwise, "NULL")),
            _ => None,
        };
        let lifted = condition.faults || then.lifted || otherwise.lifted;
        let (a, b) = match lifted {
            true => (self.lift(&then), self.lift(&otherwise)),
            false => (then.sql, otherwise.sql),
        };
        Ok(Term {
            sql: case(&a, &b, self.dialect().fault(shape.as_ref())),
            second,
            shape,
            faults: condition.faults || then.faults || otherwise.faults,
            lifted,
            literal: None,
        })
    }

    /// Two numbers in one scale; other shapes must be the same already.
    fn alike(&mut self, a: Term, b: Term) -> Result<(Term, Term), Refused> {
        let (Some(of_a), Some(of_b)) = (&a.shape, &b.shape) else { return Ok((a, b)) };
        if of_a == of_b {
            return Ok((a, b));
        }
        let scale = |shape: &Shape| match shape {
            Shape::Int => Some(0),
            Shape::Decimal { scale } => Some(*scale),
            _ => None,
        };
        let (Some(of_a), Some(of_b)) = (scale(of_a), scale(of_b)) else {
            return Err(Refused::Misshapen);
        };
        let ty = Type::Decimal { precision: 18, scale: of_a.max(of_b) };
        let zero = Value::Decimal { units: 0, scale: of_a.max(of_b) };
        let zero = self.literal(&zero)?;
        Ok((
            self.arithmetic(Operator::Add, a, zero.clone(), &ty)?,
            self.arithmetic(Operator::Add, b, zero, &ty)?,
        ))
    }

    fn call(
        &mut self,
        function: Function,
        arguments: &[Expr],
        row: &Row<'_>,
    ) -> Result<Term, Refused> {
        let [first, rest @ ..] = arguments else { return Err(Refused::Misshapen) };
        let value = self.term(first, row)?;
        let (sql, shape) = match (function, &value.shape) {
            (Function::Matches, _) => return Err(Refused::NotInScope("`matches`")),
            (Function::StartsWith, _) => {
                let test = self.starts_with(value, rest, row)?;
                let no = match test.lifted {
                    true => self.dialect().lift("FALSE", &Shape::Bool),
                    false => "FALSE".to_owned(),
                };
                let sql = format!("coalesce({}, {no})", test.sql);
                return Ok(Term { sql, ..test });
            }
            (_, None) => return Ok(Term::null()),
            (Function::Date, Some(Shape::Timestamp)) => {
                let day = self.dialect().function("day");
                let sql = format!("{day}({})", self.lift(&value));
                return Ok(Term::lifted(sql, Shape::Date).faulting(value.faults));
            }
            (Function::Lower, Some(Shape::Text)) => (self.dialect().lower(&value.sql), Shape::Text),
            (Function::Size, Some(Shape::Text)) => (format!("length({})", value.sql), Shape::Int),
            (Function::Size, Some(Shape::List(_))) => {
                (self.dialect().list_size(&value.sql), Shape::Int)
            }
            (Function::Currency, Some(Shape::Money)) => {
                let currency = value.second.clone().unwrap_or_default();
                // A computed amount may be null beside a currency.
                let sql = match value.faults {
                    true => format!("CASE WHEN {} IS NOT NULL THEN {currency} END", value.sql),
                    false => currency,
                };
                (sql, Shape::Text)
            }
            (Function::Start, Some(Shape::Timespan)) => (value.sql.clone(), Shape::Timestamp),
            (Function::End, Some(Shape::Timespan)) => {
                (value.second.clone().unwrap_or_default(), Shape::Timestamp)
            }
            (
                Function::Date
                | Function::Lower
                | Function::Size
                | Function::Currency
                | Function::Start
                | Function::End,
                Some(_),
            ) => return Err(Refused::Misshapen),
        };
        let made = Term::one(sql, shape);
        Ok(if value.faults { self.passing(&[&value], made) } else { made })
    }

    /// The mark of a fault where one of the values is one, else what was made of them.
    fn passing(&self, values: &[&Term], made: Term) -> Term {
        let faults: Vec<_> =
            values.iter().filter(|one| one.faults).map(|one| self.is_fault(one)).collect();
        let Some(shape) = made.shape.clone().filter(|_| !faults.is_empty()) else { return made };
        let (fault, value) = (self.dialect().fault(Some(&shape)), self.lift(&made));
        let sql = format!("CASE WHEN {} THEN {fault} ELSE {value} END", faults.join(" OR "));
        Term::lifted(sql, shape).faulting(true)
    }

    /// `starts_with(text, prefix)`, null for null text; with a constant prefix a range that an
    /// index can serve.
    pub(super) fn starts_with(
        &mut self,
        text: Term,
        rest: &[Expr],
        row: &Row<'_>,
    ) -> Result<Term, Refused> {
        let [prefix] = rest else { return Err(Refused::Misshapen) };
        let prefix = self.term(prefix, row)?;
        let value = &text.sql;
        let sql = match &prefix.literal {
            Some(Value::Text(prefix)) => {
                let from = Param::Cell(Cell::Text(prefix.to_string().into()));
                let from = self.param(from, &Shape::Text);
                match after_prefix(prefix) {
                    Some(end) => {
                        let end = Param::Cell(Cell::Text(end.into()));
                        let end = self.param(end, &Shape::Text);
                        format!("({value} >= {from} AND {value} < {end})")
                    }
                    None => format!("({value} >= {from})"),
                }
            }
            Some(_) => "FALSE".to_owned(),
            None => format!("(substr({value}, 1, length({0})) = {0})", prefix.sql),
        };
        Ok(self.passing(&[&text, &prefix], Term::one(sql, Shape::Bool)))
    }

    fn fold(
        &mut self,
        fold: Aggregate,
        children: FieldId,
        inner: Option<&Expr>,
        ty: &Type,
        row: &Row<'_>,
    ) -> Result<Term, Refused> {
        let resource = self.plan.child(row.resource, children);
        let resource = resource.ok_or_else(|| self.not_stored(row, children))?;
        let table = self.plan.table(resource);
        let (alias, owner) = (self.alias(), table.owner.as_deref().unwrap_or("\"id\""));
        let mut from = format!("FROM {} {alias} WHERE ", table.name);
        if let Some(tenant) = &table.tenant {
            let param = self.tenant();
            from.push_str(&format!("{alias}.{tenant} = {param} AND "));
        }
        from.push_str(&format!("{alias}.{owner} = {}.\"id\"", row.alias));
        let child = Row { alias, resource, owner: Some(row) };
        let inner = inner.map(|inner| self.term(inner, &child)).transpose()?;
        self.folded(fold, inner, ty, &from)
    }
}

/// Microseconds that `now` can be moved by without leaving its range: a hundred thousand years.
const NOW_LESS_MAX: u64 = 3_200_000_000_000_000_000;

/// `now - duration` and `now + duration` are one parameter, so that an index can serve them.
fn from_now(operator: Operator, left: &Expr, right: &Expr) -> Option<i64> {
    let less = match (operator, &left.kind, &right.kind) {
        (Operator::Subtract, ExprKind::Now, ExprKind::Literal(Value::Duration(n))) => Some(*n),
        (Operator::Add, ExprKind::Now, ExprKind::Literal(Value::Duration(n))) => n.checked_neg(),
        _ => None,
    };
    less.filter(|less| less.unsigned_abs() < NOW_LESS_MAX)
}

/// The least text that is greater than every text that begins with the prefix; none where there
/// is no such text.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            last => char::from_u32(last as u32 + 1),
        };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

/// Quoted shadow columns of the searched fields of a resource.
pub(super) fn search_columns(plan: &Plan, resource: ResourceId) -> Vec<String> {
    let table = plan.schema.table(resource);
    table
        .columns
        .iter()
        .filter(|column| matches!(column.field, Some((_, Part::Search))))
        .map(|column| quote(&column.name))
        .collect()
}
