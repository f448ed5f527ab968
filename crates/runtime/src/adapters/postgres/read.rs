//! Rows by id and pages of rows, each by one statement: one snapshot, one round trip. Children
//! come along as an array of records.

use super::cells::{Bound, Column, Ids, records};
use super::error::misshapen;
use super::link::Parameter;
use crate::adapters::sql::list::Statement;
use crate::adapters::sql::plan::{self, Plan, TablePlan};
use crate::adapters::sql::shape::{Cell, Stored};
use crate::adapters::sql::term::Param;
use crate::ports::store::{Bindings, Tenant, Unavailable};
use crate::record::Record;
use ir::domain::{FieldId, ResourceId};
use std::sync::Arc;
use tokio_postgres::Row;

/// What is read, in which form.
pub(super) struct Read<'a> {
    pub(super) plan: &'a Plan,
    pub(super) resource: ResourceId,
    pub(super) children: &'a [FieldId],
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
    ) -> (String, Vec<Value<'a>>) {
        let table = self.table();
        let mut values = Vec::with_capacity(2);
        if table.tenant.is_some() {
            values.push(Value::Cell(Bound(plan::tenant(tenant))));
        }
        let text = match ids {
            [id] => {
                values.push(Value::Cell(Bound(plan::id(*id))));
                table.get.clone()
            }
            ids => {
                values.push(Value::Ids(Ids(ids)));
                let (single, many) = (format!("r.\"id\" = ${}", values.len()), "r.\"id\" = ANY($");
                table.get.replace(&single, &format!("{many}{})", values.len()))
            }
        };
        (self.with_children(&text), values)
    }

    /// The text of a page, and what it takes.
    pub(super) fn page(
        &self,
        statement: &'a Statement,
        tenant: &'a Tenant,
        bindings: &'a Bindings,
    ) -> (String, Vec<Value<'a>>) {
        let text = |text: &'a Option<Arc<str>>| match text {
            Some(text) => Cell::Text(text.as_ref().into()),
            None => Cell::Null,
        };
        let value = |param: &'a Param| match param {
            Param::Tenant => text(tenant),
            Param::Me => text(&bindings.me),
            Param::Now { less } => Cell::Int(bindings.now.saturating_sub(*less)),
            Param::Cell(Cell::Text(text)) => Cell::Text(text.as_ref().into()),
            Param::Cell(cell) => cell.clone(),
        };
        let values = statement.params.iter().map(|param| Value::Cell(Bound(value(param))));
        (self.with_children(&statement.text), values.collect())
    }

    /// The text with one column more for each field of children.
    fn with_children(&self, text: &str) -> String {
        let list = &self.table().select_list;
        let mut all = text.to_owned();
        let mut at = "SELECT ".len() + list.len();
        for field in self.children {
            let column = self.children_column(*field);
            all.insert_str(at, &column);
            at += column.len();
        }
        all
    }

    fn children_column(&self, field: FieldId) -> String {
        let Some(child) = self.plan.child(self.resource, field) else {
            return ", NULL".to_owned();
        };
        let table = self.plan.table(child);
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
