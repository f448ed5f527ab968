//! Rows by id and pages of rows, each by one statement: one snapshot, one round trip. Children
//! come along as an array of records, or, with a single narrow row, joined to it, which costs the
//! server less.

use super::cells::{Bound, Column, Ids, records};
use super::error::misshapen;
use super::link::Parameter;
use crate::adapters::sql::list::Statement;
use crate::adapters::sql::plan::{self, Plan, TablePlan};
use crate::adapters::sql::shape::Stored;
use crate::adapters::sql::term::Param;
use crate::ports::store::{Bindings, ListQuery, Tenant, Unavailable};
use crate::record::Record;
use ir::domain::{Field, FieldId, Kind, ResourceId};
use ir::model::FieldType;
use ir::value::Value as Constant;
use std::borrow::Cow;
use std::sync::OnceLock;
use tokio_postgres::Row;

/// Sets of children of a resource whose texts are kept; those of others are made each time.
const KEPT_MAX: usize = 8;

/// Bytes, about, of a row at most that is said again with each of its children.
const REPEATED_MAX: usize = 2_048;
/// Bytes that a cell is thought to take where nothing tells.
const CELL: usize = 16;

/// What is read, in which form.
pub(super) struct Read<'a> {
    plan: &'a Plan,
    resource: ResourceId,
    children: &'a [FieldId],
    text: Cow<'a, Text>,
}

/// The texts of all resources, by what is read with a row.
pub(super) struct Texts {
    resources: Vec<[OnceLock<Text>; KEPT_MAX]>,
}

/// The texts for a resource with children of some fields.
#[derive(Clone)]
struct Text {
    children: Box<[FieldId]>,
    /// A column more for each field of children.
    columns: String,
    /// One row by tenant and id.
    get: String,
    /// The same with its only children joined to it: a row for each.
    joined: Option<String>,
}

impl Texts {
    pub(super) fn new(plan: &Plan) -> Self {
        Self { resources: plan.tables.iter().map(|_| Default::default()).collect() }
    }

    /// What reads rows with children of those fields.
    pub(super) fn read<'a>(
        &'a self,
        plan: &'a Plan,
        resource: ResourceId,
        children: &'a [FieldId],
    ) -> Read<'a> {
        let made = || Text::new(plan, resource, children);
        for place in &self.resources[resource.index()] {
            let text = place.get_or_init(made);
            if *text.children == *children {
                return Read { plan, resource, children, text: Cow::Borrowed(text) };
            }
        }
        Read { plan, resource, children, text: Cow::Owned(made()) }
    }
}

impl Text {
    fn new(plan: &Plan, resource: ResourceId, children: &[FieldId]) -> Self {
        let table = plan.table(resource);
        let columns = children.iter().map(|field| children_column(plan, resource, *field));
        let columns: String = columns.collect();
        let get = with_columns(&table.get, &columns, table);
        let joined = match children {
            [field] => joined(plan, resource, *field),
            _ => None,
        };
        Self { children: children.into(), columns, get, joined }
    }
}

/// The text of a read with further columns behind its own.
fn with_columns(text: &str, columns: &str, table: &TablePlan) -> String {
    let mut all = String::with_capacity(text.len() + columns.len());
    let (first, rest) = text.split_at("SELECT ".len() + table.select_list.len());
    all.extend([first, columns, rest]);
    all
}

fn children_column(plan: &Plan, resource: ResourceId, field: FieldId) -> String {
    let Some(child) = plan.child(resource, field) else {
        return ", NULL".to_owned();
    };
    let table = plan.table(child);
    let columns = table.select_list.replace("r.\"", "c.\"");
    let owner = table.owner.as_deref().unwrap_or("\"id\"");
    let mut condition = format!("c.{owner} = r.\"id\"");
    if let Some(tenant) = &table.tenant {
        condition = format!("c.{tenant} = r.{tenant} AND {condition}");
    }
    format!(
        ", ARRAY(SELECT ROW({columns}) FROM {} c WHERE {condition} ORDER BY c.\"position\")",
        table.name
    )
}

/// None where the row is too wide to be said again.
fn joined(plan: &Plan, resource: ResourceId, field: FieldId) -> Option<String> {
    let (table, child) = (plan.table(resource), plan.table(plan.child(resource, field)?));
    if width(plan, resource) > REPEATED_MAX {
        return None;
    }
    let columns = format!(", {}", child.select_list.replace("r.\"", "c.\""));
    let get = with_columns(&table.get, &columns, table);
    // By its length: a column may be called by any words.
    let lead = ["SELECT ", &table.select_list, &columns, " FROM ", &table.name, " r"];
    let (first, condition) = get.split_at_checked(lead.iter().map(|part| part.len()).sum())?;
    let owner = child.owner.as_deref()?;
    let tenants = child.tenant.as_deref().zip(table.tenant.as_deref());
    let same = tenants.map(|(child, own)| format!("c.{child} = r.{own} AND "));
    let same = same.unwrap_or_default();
    Some(format!(
        "{first} LEFT JOIN {} c ON {same}c.{owner} = r.\"id\"{condition} \
         ORDER BY c.\"position\"",
        child.name
    ))
}

/// Bytes of a row on the wire, about.
fn width(plan: &Plan, resource: ResourceId) -> usize {
    let cell = |(_, field): (FieldId, &Field)| match (&field.kind, &field.declared, &field.max) {
        (Kind::Scalar, FieldType::Text, Some(Constant::Int(most))) => {
            usize::try_from(*most).unwrap_or(usize::MAX)
        }
        (Kind::Scalar, FieldType::Text | FieldType::Json | FieldType::List(_), _) => REPEATED_MAX,
        _ => CELL,
    };
    plan.domain.resource(resource).fields().map(cell).fold(4 * CELL, usize::saturating_add)
}

/// A parameter of a read.
pub(super) enum Value<'a> {
    Cell(Bound<'a>),
    Ids(Ids<'a>),
}

impl<'v> Value<'v> {
    pub(super) fn parameter(&self) -> Parameter<'_> {
        match self {
            Self::Cell(cell) => cell,
            Self::Ids(ids) => ids,
        }
    }
}

impl<'a> Read<'a> {
    fn table(&self) -> &'a TablePlan {
        self.plan.table(self.resource)
    }

    /// The text of rows by id, and what it takes.
    pub(super) fn by_ids(
        &self,
        tenant: Option<&'a str>,
        ids: &'a [u128],
    ) -> (Cow<'_, str>, Vec<Value<'a>>) {
        let mut values = Vec::with_capacity(2);
        if self.table().tenant.is_some() {
            values.push(Value::Cell(Bound(plan::tenant(tenant))));
        }
        let get = self.text.get.as_str();
        if let [id] = ids {
            values.push(Value::Cell(Bound(plan::id(*id))));
            return (self.text.joined.as_deref().unwrap_or(get).into(), values);
        }
        values.push(Value::Ids(Ids(ids)));
        let number = values.len();
        let (single, many) =
            (format!("r.\"id\" = ${number}"), format!("r.\"id\" = ANY(${number})"));
        (get.replace(&single, &many).into(), values)
    }

    /// The text of a page, and what it takes.
    pub(super) fn page(
        &self,
        statement: &'a Statement,
        query: &'a ListQuery<'_>,
        tenant: &'a Tenant,
        bindings: &'a Bindings,
    ) -> (Cow<'a, str>, Vec<Value<'a>>) {
        let cell = |param: &'a Param| Value::Cell(Bound(param.cell(query, tenant, bindings)));
        let values = statement.params.iter().map(cell);
        let text = match self.text.columns.as_str() {
            "" => statement.text.as_str().into(),
            columns => with_columns(&statement.text, columns, self.table()).into(),
        };
        (text, values.collect())
    }

    /// The records of rows that were read by ids.
    pub(super) fn found(&self, ids: &[u128], rows: &[Row]) -> Result<Vec<Record>, Unavailable> {
        match (ids, rows, &self.text.joined) {
            ([_], [first, ..], Some(_)) => Ok(vec![self.joined(first, rows)?]),
            _ => self.decode(rows),
        }
    }

    /// A row that is said again with each of its children.
    fn joined(&self, first: &Row, rows: &[Row]) -> Result<Record, Unavailable> {
        let table = self.table();
        let wrong = |table: &TablePlan| misshapen(&table.plain_name);
        let mut record = table.decode(&mut |at| cell(first, at)).map_err(|_| wrong(table))?;
        for field in self.children {
            let Some(child) = self.plan.child(self.resource, *field) else { continue };
            let table = self.plan.table(child);
            let own = first.len() - table.cells();
            let (created_at, updated_at) = (record.created_at, record.updated_at);
            let there = rows.iter().filter(|row| !matches!(cell(row, own), Stored::Null));
            let children = there.map(|row| {
                let child = table.decode(&mut |at| cell(row, own + at));
                let child = child.map_err(|_| wrong(table))?;
                Ok(Record { created_at, updated_at, ..child })
            });
            record.children.push((*field, children.collect::<Result<_, Unavailable>>()?));
        }
        Ok(record)
    }

    /// The records of rows.
    pub(super) fn decode(&self, rows: &[Row]) -> Result<Vec<Record>, Unavailable> {
        rows.iter().map(|row| self.record(row)).collect()
    }

    fn record(&self, row: &Row) -> Result<Record, Unavailable> {
        let table = self.table();
        let wrong = |table: &TablePlan| misshapen(&table.plain_name);
        let mut record = table.decode(&mut |at| cell(row, at)).map_err(|_| wrong(table))?;
        let first = row.len() - self.children.len();
        for (at, field) in (first..).zip(self.children) {
            let Some(child) = self.plan.child(self.resource, *field) else { continue };
            let table = self.plan.table(child);
            let Stored::Bytes(raw) = cell(row, at) else { return Err(wrong(table)) };
            let mut all = Vec::new();
            let (created_at, updated_at) = (record.created_at, record.updated_at);
            let read = records(raw, &mut |cells| {
                let cell = |at: usize| cells.get(at).copied().unwrap_or(Stored::Foreign);
                let child = table.decode(&mut { cell });
                all.extend(child.ok().map(|child| Record { created_at, updated_at, ..child }));
            });
            // One that was left out would be a fault that nobody sees.
            let complete = read.is_some_and(|count| count == all.len());
            if !complete {
                return Err(wrong(table));
            }
            record.children.push((*field, all));
        }
        Ok(record)
    }
}

fn cell(row: &Row, at: usize) -> Stored<'_> {
    row.try_get::<_, Column<'_>>(at).map_or(Stored::Foreign, |column| column.0)
}
