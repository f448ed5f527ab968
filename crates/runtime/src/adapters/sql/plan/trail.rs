//! What the audit trail says of rows that go or change with a row that is deleted: stores find them
//! as they delete, in the transaction.

use super::Where;
use crate::adapters::sql::dialect::{Dialect, quote};
use crate::plan::audit::AuditPlan;
use crate::ports::audit::{Along, uuid};
use ir::domain::{Domain, FieldId, ResourceId};
use ir::schema::Schema;

/// How the audit trail tells of a row that goes or changes with another.
#[derive(Debug, Clone)]
pub struct Trail {
    /// The root: itself, or its owner.
    resource: String,
    shared: bool,
    /// The field of the reference.
    field: String,
    /// Whose values stay out of the trail.
    hidden: bool,
    /// Of a child: the list that it is in, and the id of its owner: tenant, id of the child.
    child: Option<(String, String)>,
}

impl Trail {
    pub(super) fn of(
        domain: &Domain,
        schema: &Schema,
        (of, field): (ResourceId, FieldId),
        dialect: &dyn Dialect,
        hidden: &AuditPlan,
    ) -> Self {
        let resource = domain.resource(of);
        let child = resource.owner.and_then(|(owner, list)| {
            let table = schema.table(of);
            let tenant = table.tenant.as_deref().map(quote);
            let mut by = Where::new(dialect, 1, tenant.as_deref());
            by.equal("\"id\"");
            let link = quote(table.owner.as_ref()?);
            let text = format!("SELECT {link} FROM {}{}", dialect.table(table), by.finish());
            Some((domain.resource(owner).field(list).name.clone(), text))
        });
        let root = resource.owner.map_or(of, |(owner, _)| owner);
        Self {
            resource: domain.full_name(root),
            shared: domain.resource(root).shared,
            field: resource.field(field).name.clone(),
            hidden: hidden.hides(of, field),
            child,
        }
    }

    /// Gives the owner of a row that is a child: tenant, id of the row.
    pub fn owner(&self) -> Option<&str> {
        self.child.as_ref().map(|(_, text)| text.as_str())
    }

    /// Of a row that goes.
    pub fn gone(&self, row: u128, owner: Option<u128>) -> Along {
        self.along(row, owner, "")
    }

    /// Of a row whose reference to another becomes null.
    pub fn cleared(&self, row: u128, owner: Option<u128>, to: u128) -> Along {
        let before = if self.hidden { "redacted".to_owned() } else { uuid(to) };
        let field = &self.field;
        let change = format!("\"{field}\":{{\"before\":\"{before}\",\"after\":null}}");
        self.along(row, owner, &change)
    }

    fn along(&self, row: u128, owner: Option<u128>, change: &str) -> Along {
        let (row, changes) = match (&self.child, owner) {
            (Some((list, _)), Some(owner)) => {
                let comma = if change.is_empty() { "" } else { "," };
                let id = uuid(row);
                (owner, format!("\"{list}\":[{{\"id\":\"{id}\"{comma}{change}}}]"))
            }
            (Some(_) | None, _) => (row, change.to_owned()),
        };
        let (resource, shared) = (self.resource.clone(), self.shared);
        Along { resource, shared, row, changes }
    }
}
