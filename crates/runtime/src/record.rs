//! A row with its owned children, as engine and stores hand it to each other.

use ir::domain::FieldId;
use ir::expr::{FieldRef, Implicit};
use ir::value::Value;

/// A row: a root or an owned child.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// UUIDv7.
    pub id: u128,
    /// Counts the writes of a root, from 1; 0 in a child.
    pub version: i64,
    /// Microseconds since 1970; a child has its own only in memory (its owner's on reading).
    pub created_at: i64,
    /// Microseconds since 1970.
    pub updated_at: i64,
    /// One value per field of the resource, by [`FieldId`]; children fields are null here.
    pub values: Box<[Value]>,
    /// Children that were loaded or are to be written, in their order.
    pub children: Vec<(FieldId, Vec<Record>)>,
}

impl Record {
    /// None: what an expression of inputs alone is evaluated beside.
    pub(crate) fn nothing() -> Self {
        Self {
            id: 0,
            version: 0,
            created_at: 0,
            updated_at: 0,
            values: Box::default(),
            children: Vec::new(),
        }
    }

    /// The value of a declared field.
    pub fn value(&self, field: FieldId) -> &Value {
        &self.values[field.index()]
    }

    /// The value of a field, declared or implicit.
    pub fn read(&self, field: FieldRef) -> Value {
        match field {
            FieldRef::Field(field) => self.value(field).clone(),
            FieldRef::Implicit(Implicit::Id) => Value::Uuid(self.id),
            FieldRef::Implicit(Implicit::CreatedAt) => Value::Timestamp(self.created_at),
            FieldRef::Implicit(Implicit::UpdatedAt) => Value::Timestamp(self.updated_at),
        }
    }

    /// The loaded children of a field; none where they were not loaded.
    pub fn children_of(&self, field: FieldId) -> &[Record] {
        self.children.iter().find(|(of, _)| *of == field).map_or(&[], |(_, rows)| rows)
    }
}
