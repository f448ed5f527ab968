//! Pages of rows: filters, search, a total order and the place where the page before ended.
//!
//! The condition of the place is over the values of the sort keys, never an offset: a row that
//! nobody touches is returned exactly once however many others come and go. Nulls are last in
//! both directions.

use super::condition::Refused;
use super::plan::{Plan, TablePlan};
use super::shape::{Cell, Shape};
use super::term::{Compiler, Param, search_columns};
use crate::ports::store::ListQuery;
use ir::expr::{Expr, FieldRef, Implicit};
use ir::value::Value;
use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

/// A statement with what is to be bound to it.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Its text: the same for all queries of one shape.
    pub text: String,
    /// Parameters in the order of their numbers.
    pub params: Vec<Param>,
}

/// One column that a list is sorted by.
struct Key {
    column: String,
    descending: bool,
    nullable: bool,
    /// Placeholder of the value where the page before ended; none where that was null.
    after: Option<String>,
}

/// Forms of pages of a table whose statements are kept; others are made each time.
const KEPT_MAX: usize = 32;

/// Statements that differ in nothing but what is bound to them: filters that the model made, an
/// order, and whether another page came before.
pub struct Memo {
    /// Filled from the front.
    kept: Box<[OnceLock<Kept>]>,
}

struct Kept {
    filter: Vec<Expr>,
    sort: Vec<(FieldRef, bool)>,
    /// Of each key, whether the page before ended at null.
    after: Option<Vec<bool>>,
    statement: Arc<Statement>,
}

impl Default for Memo {
    fn default() -> Self {
        Self { kept: (0..KEPT_MAX).map(|_| OnceLock::new()).collect() }
    }
}

impl Kept {
    fn serves(&self, query: &ListQuery<'_>) -> bool {
        let same_place = match (&self.after, &query.after) {
            (None, None) => true,
            (Some(kept), Some(after)) => {
                kept.len() == after.len()
                    && kept.iter().zip(after).all(|(null, value)| *null == is_null(value))
            }
            (None, Some(_)) | (Some(_), None) => false,
        };
        same_place
            && self.sort == query.sort
            && self.filter.len() == query.filter.len()
            && self.filter.iter().zip(&query.filter).all(|(kept, asked)| *kept == **asked)
    }
}

fn is_null(value: &Value) -> bool {
    matches!(value, Value::Null)
}

/// The statement of a page.
///
/// # Errors
/// [`Refused`] where a filter reads what a row does not have or a sort key cannot be sorted by.
pub fn statement(plan: &Plan, query: &ListQuery<'_>) -> Result<Arc<Statement>, Refused> {
    // What a client filters by stands in the text; what the model does is the same each time.
    let own = query.filter.iter().any(|filter| matches!(filter, Cow::Owned(_)));
    if own || !query.search.is_empty() {
        return made(plan, query).map(Arc::new);
    }
    let memo = &plan.table(query.resource).pages;
    for place in &memo.kept {
        let kept = match place.get() {
            Some(kept) => kept,
            None => {
                let statement = Arc::new(made(plan, query)?);
                let filter = query.filter.iter().map(|filter| filter.as_ref().clone()).collect();
                let after = query.after.as_ref().map(|after| after.iter().map(is_null).collect());
                place.get_or_init(|| Kept { filter, sort: query.sort.clone(), after, statement })
            }
        };
        if kept.serves(query) {
            check_place(plan.table(query.resource), query)?;
            return Ok(Arc::clone(&kept.statement));
        }
    }
    made(plan, query).map(Arc::new)
}

/// The values of a cursor are of the forms of their keys.
fn check_place(table: &TablePlan, query: &ListQuery<'_>) -> Result<(), Refused> {
    for (value, (field, _)) in query.after.iter().flatten().zip(&query.sort) {
        let (shape, _, _) = column(table, *field)?;
        for part in sorted_parts(&shape) {
            shape.encode(value, *part).map_err(|_| Refused::Misshapen)?;
        }
    }
    Ok(())
}

fn made(plan: &Plan, query: &ListQuery<'_>) -> Result<Statement, Refused> {
    let table = plan.table(query.resource);
    let mut compiler = Compiler::new(plan);
    let mut conditions = Vec::with_capacity(query.filter.len() + query.search.len() + 2);
    if let Some(tenant) = &table.tenant {
        conditions.push(format!("r.{tenant} = {}", compiler.tenant()));
    }
    for filter in &query.filter {
        conditions.push(compiler.filter(filter, query.resource)?);
    }
    search(plan, query, &mut compiler, &mut conditions);
    let keys = keys(table, query, &mut compiler)?;
    if query.after.is_some() {
        conditions.push(behind(&keys));
    }
    let order: Vec<_> = keys.iter().map(Key::order).collect();
    let limit = compiler.param(Param::Limit, &Shape::Int);
    let mut text = format!("SELECT {} FROM {} r", table.select_list, table.name);
    for (at, condition) in conditions.iter().enumerate() {
        text.push_str(if at == 0 { " WHERE " } else { " AND " });
        text.push_str(condition);
    }
    text.push_str(&format!(" ORDER BY {} LIMIT {limit}", order.join(", ")));
    let leaves_gaps = plan.dialect.leaves_gaps();
    let params = compiler.into_params();
    Ok(if leaves_gaps { Statement { text, params } } else { without_gaps(&text, params) })
}

/// The statement with those parameters alone that it names, numbered anew: a constant that was
/// brought to another scale leaves its own unused.
fn without_gaps(text: &str, params: Vec<Param>) -> Statement {
    let mut kept: Vec<usize> = Vec::new();
    let mut parts = text.split('$');
    let mut made = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let Ok(number) = part[..digits].parse::<usize>() else {
            made.push('$');
            made.push_str(part);
            continue;
        };
        let at = kept.iter().position(|one| *one == number).unwrap_or_else(|| {
            kept.push(number);
            kept.len() - 1
        });
        made.push_str(&format!("${}{}", at + 1, &part[digits..]));
    }
    let params = kept.iter().filter_map(|number| params.get(number - 1).cloned()).collect();
    Statement { text: made, params }
}

/// Each word must begin some word of some searched field.
fn search(
    plan: &Plan,
    query: &ListQuery<'_>,
    compiler: &mut Compiler<'_>,
    conditions: &mut Vec<String>,
) {
    if query.search.is_empty() {
        return;
    }
    let columns = search_columns(plan, query.resource);
    for word in &query.search {
        let word = Param::Cell(Cell::Text(format!(" {word}").into()));
        let word = compiler.param(word, &Shape::Text);
        let any: Vec<_> = columns
            .iter()
            .map(|column| plan.dialect.contains(&format!("r.{column}"), &word))
            .collect();
        conditions.push(match any.as_slice() {
            [] => "FALSE".to_owned(),
            any => format!("({})", any.join(" OR ")),
        });
    }
}

fn keys(
    table: &TablePlan,
    query: &ListQuery<'_>,
    compiler: &mut Compiler<'_>,
) -> Result<Vec<Key>, Refused> {
    if !matches!(query.sort.last(), Some((FieldRef::Implicit(Implicit::Id), _))) {
        return Err(Refused::NotInScope("an order that does not end in the id"));
    }
    if query.after.as_ref().is_some_and(|after| after.len() != query.sort.len()) {
        return Err(Refused::Misshapen);
    }
    let mut keys = Vec::with_capacity(query.sort.len());
    for (at, (field, descending)) in query.sort.iter().enumerate() {
        let after = query.after.as_ref().map(|after| &after[at]);
        let (shape, columns, nullable) = column(table, *field)?;
        for (column, part) in columns.into_iter().zip(sorted_parts(&shape)) {
            let after = match after {
                None => None,
                Some(value) => match shape.encode(value, *part).map_err(|_| Refused::Misshapen)? {
                    Cell::Null => None,
                    _ => {
                        let (part, of) = (*part, shape.of_part(*part));
                        let param = Param::After { key: at, part, shape: shape.clone() };
                        Some(compiler.param(param, &of))
                    }
                },
            };
            keys.push(Key { column, descending: *descending, nullable, after });
        }
    }
    Ok(keys)
}

/// Money is sorted by its amount alone.
fn sorted_parts(shape: &Shape) -> &'static [ir::schema::Part] {
    let parts = shape.parts();
    if *shape == Shape::Money { &parts[..1] } else { parts }
}

fn column(table: &TablePlan, field: FieldRef) -> Result<(Shape, Vec<String>, bool), Refused> {
    let implicit = |name: &str, shape| Ok((shape, vec![format!("r.\"{name}\"")], false));
    match field {
        FieldRef::Implicit(Implicit::Id) => implicit("id", Shape::Uuid),
        FieldRef::Implicit(Implicit::CreatedAt) => implicit("created_at", Shape::Timestamp),
        FieldRef::Implicit(Implicit::UpdatedAt) => implicit("updated_at", Shape::Timestamp),
        FieldRef::Field(field) => {
            let place = table
                .place(field)
                .filter(|place| !matches!(place.shape, Shape::Json | Shape::List(_)))
                .ok_or(Refused::NotInScope("an order by such a field"))?;
            let columns = place.columns.iter().map(|column| format!("r.{column}")).collect();
            Ok((place.shape.clone(), columns, place.nullable))
        }
    }
}

impl Key {
    fn order(&self) -> String {
        let direction = if self.descending { " DESC" } else { "" };
        let nulls = if self.nullable { " NULLS LAST" } else { "" };
        format!("{}{direction}{nulls}", self.column)
    }

    /// Rows whose key comes behind; none where nothing does.
    fn behind(&self) -> Option<String> {
        let after = self.after.as_ref()?;
        let sign = if self.descending { "<" } else { ">" };
        let value = format!("{} {sign} {after}", self.column);
        Some(if self.nullable { format!("({value} OR {} IS NULL)", self.column) } else { value })
    }

    fn same(&self) -> String {
        match &self.after {
            Some(after) => format!("{} = {after}", self.column),
            None => format!("{} IS NULL", self.column),
        }
    }
}

/// Rows behind the place where the page before ended.
fn behind(keys: &[Key]) -> String {
    let plain = keys.iter().all(|key| !key.nullable && key.descending == keys[0].descending);
    if plain {
        let sign = if keys[0].descending { "<" } else { ">" };
        let columns: Vec<_> = keys.iter().map(|key| key.column.as_str()).collect();
        let values: Vec<_> = keys.iter().filter_map(|key| key.after.as_deref()).collect();
        return match (columns.as_slice(), values.as_slice()) {
            ([column], [value]) => format!("{column} {sign} {value}"),
            (columns, values) => {
                format!("({}) {sign} ({})", columns.join(", "), values.join(", "))
            }
        };
    }
    let mut any = Vec::with_capacity(keys.len());
    for (at, key) in keys.iter().enumerate() {
        let Some(behind) = key.behind() else { continue };
        let mut all: Vec<_> = keys[..at].iter().map(Key::same).collect();
        all.push(behind);
        any.push(all.join(" AND "));
    }
    format!("{}({})", bound(&keys[0]), any.join(" OR "))
}

/// What the first key alone says, so that an index on it serves the page.
fn bound(first: &Key) -> String {
    match &first.after {
        Some(after) if !first.nullable => {
            let sign = if first.descending { "<=" } else { ">=" };
            format!("{} {sign} {after} AND ", first.column)
        }
        _ => String::new(),
    }
}
