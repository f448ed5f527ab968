//! The physical schema of a domain: one table a resource, typed columns, keys, and the indexes
//! that the API's own queries need.

mod columns;
mod condition;
mod fill;
mod indexes;
mod nullable;
mod queries;

#[cfg(test)]
mod tests;

use crate::rules;
use columns::{Columns, Frame};
use ir::domain::{Domain, FieldId, Kind, Resource, ResourceId};
use ir::model::{Isolation, Model, OnDelete};
use ir::schema::{ForeignKey, Overlap, PUBLIC, Part, Schema, Table};

pub(crate) use crate::naming::{plural, snake};
pub(crate) use condition::holds as index_holds;

/// The column of a row's own id.
pub(super) const ID: &str = "id";
/// The column that `If-Match` is compared with.
pub(super) const ROW_VERSION: &str = "row_version";
/// When a row was made.
pub(super) const CREATED_AT: &str = "created_at";
/// When a row was last changed.
pub(super) const UPDATED_AT: &str = "updated_at";
/// The place of a child among its siblings, from 0.
pub(super) const POSITION: &str = "position";

/// The tables of all contexts. The model gives what the domain leaves out: names of existing
/// tables and columns, and the journeys and schedules whose queries need indexes.
pub fn schema(model: &Model, domain: &Domain) -> Schema {
    let mut tables: Vec<Table> =
        domain.resources().map(|(id, _)| bare_table(model, domain, id)).collect();
    for at in 0..domain.views.len() {
        tables.push(view_table(model, domain, domain.view_rows(at), &tables));
    }
    for at in 0..tables.len() {
        let id = ResourceId::of(at);
        let foreign_keys = foreign_keys(domain, &tables, id);
        let overlaps = overlaps(domain.resource(id), &tables[at]);
        tables[at].foreign_keys = foreign_keys;
        tables[at].overlaps = overlaps;
    }
    for at in 0..tables.len() {
        let id = ResourceId::of(at);
        // Only what a promise rests on is asked of a table that somebody else makes.
        let wanted = match tables[at].is_managed() {
            true => queries::queries(model, domain, &tables, id),
            false => Vec::new(),
        };
        tables[at].indexes = indexes::indexes(domain.resource(id), &tables[at], wanted);
    }
    Schema { tables }
}

/// The column that parts the tenants of a table, where they share it.
fn tenant_column(model: &Model, domain: &Domain, resource: &Resource) -> Option<String> {
    let tenancy = domain.tenancy.as_ref().filter(|_| !resource.shared)?;
    match rules::isolation(model, tenancy.isolation) {
        Isolation::Row => Some(snake(&tenancy.claim)),
        Isolation::Schema | Isolation::Database => None,
    }
}

fn bare_table(model: &Model, domain: &Domain, id: ResourceId) -> Table {
    let resource = domain.resource(id);
    let asked = asked(model, domain, resource);
    let tenant = tenant_column(model, domain, resource);
    let link = |name: &str| format!("{}_id", snake(name));
    let owner = resource.owner.map(|(root, _)| link(&domain.resource(root).name));
    let owner_was = resource.owner.and_then(|(root, _)| {
        let root = self::asked(model, domain, domain.resource(root))?;
        Some(link(root.was.as_ref()?.as_str()))
    });
    let frame = Frame {
        asked,
        tenant: tenant.as_deref(),
        owner: owner.as_deref().map(|owner| (owner, owner_was)),
        erased: erased(model, domain, id),
    };
    let columns = Columns::of(domain, id, frame);
    let named = asked.and_then(|asked| asked.table.as_ref());
    let unmanaged = asked.and_then(unmanaged);
    let name = match (&unmanaged, named) {
        (Some((_, name)), _) => name.clone(),
        (None, Some(table)) => table.value.clone(),
        (None, None) => plural(&snake(&resource.name)),
    };
    let was = was(model, domain, resource).filter(|_| unmanaged.is_none());
    Table {
        resource: id,
        context: domain.contexts[resource.context.index()].name.clone(),
        name,
        primary_key: tenant.iter().cloned().chain([ID.to_owned()]).collect(),
        tenant,
        owner,
        columns,
        foreign_keys: Vec::new(),
        indexes: Vec::new(),
        overlaps: Vec::new(),
        was,
        unmanaged: unmanaged.map(|(schema, _)| schema),
    }
}

/// The table of the rows of a view.
fn view_table(model: &Model, domain: &Domain, id: ResourceId, others: &[Table]) -> Table {
    let rows = domain.resource(id);
    let context = &domain.contexts[rows.context.index()].name;
    let mut name = snake(&rows.name);
    // A plural may be the name of a view: `Sale` and `Sales`.
    while others.iter().any(|other| other.context == *context && other.name == name) {
        name.push_str("_view");
    }
    let declared = model.contexts.iter().find(|asked| asked.name == context.as_str());
    let asked = declared.and_then(|asked| asked.views.iter().find(|view| view.name == *rows.name));
    let former = declared.and_then(|asked| asked.was.as_ref());
    let renamed = asked.and_then(|asked| asked.was.as_ref());
    let was = (former.is_some() || renamed.is_some()).then(|| {
        let context = former.map_or_else(|| context.clone(), |was| was.value.clone());
        (context, renamed.map_or_else(|| name.clone(), |was| snake(was.as_str())))
    });
    Table { name, was, ..bare_table(model, domain, id) }
}

/// Schema and name of a table that somebody else makes: `legacy.orders`, `orders`.
pub(crate) fn unmanaged(asked: &ir::model::Resource) -> Option<(String, String)> {
    let (table, _) = (asked.table.as_ref()?.as_str(), asked.unmanaged?);
    let (schema, name) = table.split_once('.').unwrap_or((PUBLIC, table));
    Some((schema.to_owned(), name.to_owned()))
}

/// Where the rows were before the resource or its context was renamed.
fn was(model: &Model, domain: &Domain, resource: &Resource) -> Option<(String, String)> {
    let asked = asked(model, domain, resource)?;
    let context = &domain.contexts[resource.context.index()].name;
    let former = model.contexts.iter().find(|asked| asked.name == context.as_str());
    let former = former.and_then(|context| context.was.as_ref());
    if former.is_none() && asked.was.is_none() {
        return None;
    }
    let context = former.map_or_else(|| context.clone(), |was| was.value.clone());
    let table = asked.table.as_ref().filter(|_| asked.was.is_none());
    let name = asked.was.as_ref().map_or(resource.name.as_str(), |was| was.as_str());
    let name = table.map_or_else(|| plural(&snake(name)), |table| table.value.clone());
    Some((context, name))
}

/// At the end of its time a row, or its owner's, loses what is about a person and stays.
fn erased(model: &Model, domain: &Domain, id: ResourceId) -> bool {
    let root = domain.resource(id).owner.map_or(id, |(root, _)| root);
    let asked = asked(model, domain, domain.resource(root));
    let rows = asked.and_then(|asked| asked.rows.as_ref());
    rows.is_some_and(|rows| rows.then_erase_personal)
}

/// The resource as the model has it.
fn asked<'a>(
    model: &'a Model,
    domain: &Domain,
    resource: &Resource,
) -> Option<&'a ir::model::Resource> {
    let context = &domain.contexts[resource.context.index()].name;
    let context = model.contexts.iter().find(|asked| asked.name == context.as_str())?;
    context.resources.iter().find(|asked| asked.name == resource.name.as_str())
}

fn foreign_keys(domain: &Domain, tables: &[Table], id: ResourceId) -> Vec<ForeignKey> {
    let table = &tables[id.index()];
    let mut keys = Vec::new();
    if let (Some((root, _)), Some(column)) = (domain.resource(id).owner, &table.owner) {
        keys.extend(foreign_key(tables, table, root, column, OnDelete::Cascade, None));
    }
    for (field_id, field) in domain.resource(id).fields() {
        if let Kind::Reference { target, crosses: false, on_delete } = field.kind
            && let Some(column) = table.column(field_id, Part::Whole)
        {
            let column = column.name.clone();
            keys.extend(foreign_key(tables, table, target, &column, on_delete, Some(field_id)));
        }
    }
    keys
}

/// None where a tenant's rows are referred to from a table that all tenants share: there the key
/// would need a tenant that the row does not have. And none from or to a table that somebody else
/// makes: there the store looks for itself.
fn foreign_key(
    tables: &[Table],
    from: &Table,
    target: ResourceId,
    column: &str,
    on_delete: OnDelete,
    field: Option<FieldId>,
) -> Option<ForeignKey> {
    let to = &tables[target.index()];
    if !from.is_managed() || !to.is_managed() {
        return None;
    }
    let tenant = match (&from.tenant, &to.tenant) {
        (Some(tenant), Some(_)) => Some(tenant.clone()),
        (Some(_) | None, None) => None,
        (None, Some(_)) => return None,
    };
    Some(ForeignKey {
        columns: tenant.into_iter().chain([column.to_owned()]).collect(),
        table: target.index(),
        to: to.primary_key.clone(),
        on_delete,
        field,
    })
}

fn overlaps(resource: &Resource, table: &Table) -> Vec<Overlap> {
    let name = |field, part| table.column(field, part).map(|column| column.name.clone());
    let overlap = |(equal, span): &(Vec<FieldId>, FieldId)| {
        let equal = equal.iter().filter_map(|field| name(*field, Part::Whole));
        Some(Overlap {
            equal: table.tenant.iter().cloned().chain(equal).collect(),
            start: name(*span, Part::Start)?,
            end: name(*span, Part::End)?,
        })
    };
    resource.overlaps.iter().filter_map(overlap).collect()
}
