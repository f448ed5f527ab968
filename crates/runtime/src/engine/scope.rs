//! What an expression sees: a row, its children or its owner, rows referred to, the call.

use super::rows::Rows;
use crate::plan::Plan;
use crate::ports::store::Bindings;
use crate::record::Record;
use ir::domain::{FieldId, ResourceId};
use ir::expr::FieldRef;
use ir::value::Value;
use kernel::expr::{Fault, Scope};
use std::borrow::Cow;

/// The scope of one row.
#[derive(Clone, Copy)]
pub(crate) struct RowScope<'a> {
    /// Knows the fields.
    pub(crate) plan: &'a Plan,
    /// Caller and time.
    pub(crate) bindings: &'a Bindings,
    /// Rows that references lead to.
    pub(crate) rows: &'a Rows,
    /// Whose row it is.
    pub(crate) resource: ResourceId,
    /// The row.
    pub(crate) record: &'a Record,
    /// The row that owns it, for a child.
    pub(crate) parent: Option<&'a Record>,
    /// Inputs of the command.
    pub(crate) inputs: &'a [Value],
    /// Values of the command's `get`.
    pub(crate) got: &'a [Value],
}

impl<'a> RowScope<'a> {
    /// The scope of a root row, without inputs.
    pub(crate) fn new(
        plan: &'a Plan,
        bindings: &'a Bindings,
        rows: &'a Rows,
        resource: ResourceId,
        record: &'a Record,
    ) -> Self {
        Self { plan, bindings, rows, resource, record, parent: None, inputs: &[], got: &[] }
    }

    /// The scope of a child of this row.
    pub(crate) fn child(&self, resource: ResourceId, record: &'a Record) -> Self {
        Self { resource, record, parent: Some(self.record), ..*self }
    }
}

fn read(record: &Record, field: FieldRef) -> Cow<'_, Value> {
    match field {
        FieldRef::Field(field) => Cow::Borrowed(record.value(field)),
        FieldRef::Implicit(_) => Cow::Owned(record.read(field)),
    }
}

fn at<'v>(values: &'v [Value], at: usize) -> Cow<'v, Value> {
    values.get(at).map_or(Cow::Owned(Value::Null), Cow::Borrowed)
}

impl Scope for RowScope<'_> {
    fn field(&self, field: FieldRef) -> Cow<'_, Value> {
        read(self.record, field)
    }

    fn parent(&self, field: FieldRef) -> Cow<'_, Value> {
        self.parent.map_or(Cow::Owned(Value::Null), |parent| read(parent, field))
    }

    fn related(&self, path: &[FieldId], field: FieldRef) -> Cow<'_, Value> {
        let end = self.rows.end(&self.plan.domain, self.resource, self.record, path);
        end.map_or(Cow::Owned(Value::Null), |record| read(record, field))
    }

    fn children(
        &self,
        field: FieldId,
        visit: &mut dyn FnMut(&dyn Scope) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let children = &self.plan.resource(self.resource).children;
        let Some(child) = children.iter().find(|child| child.field == field) else {
            return Ok(());
        };
        let mut rows = self.record.children_of(field).iter();
        rows.try_for_each(|row| visit(&self.child(child.target, row)))
    }

    fn input(&self, input: usize) -> Cow<'_, Value> {
        at(self.inputs, input)
    }

    fn got(&self, got: usize) -> Cow<'_, Value> {
        at(self.got, got)
    }

    fn me(&self) -> Option<&str> {
        self.bindings.me.as_deref()
    }

    fn now(&self) -> i64 {
        self.bindings.now
    }

    fn matches(&self, text: &str, pattern: &str) -> bool {
        self.plan.patterns.get(pattern).is_some_and(|pattern| pattern.is_match(text))
    }
}
