//! The statements of one table.

use super::inserts::Inserts;
use super::updates::Updates;
use super::{Place, PlanError, Slot, TablePlan, Where, implicit, references, uniques};
use crate::adapters::sql::dialect::{Dialect, quote};
use crate::adapters::sql::list::Memo;
use crate::adapters::sql::shape::Shape;
use crate::plan::audit::AuditPlan;
use ir::domain::{Domain, FieldId, Resource, ResourceId};
use ir::model::FieldType;
use ir::schema::{Part, Schema, Table};

pub(super) fn table(
    domain: &Domain,
    schema: &Schema,
    id: ResourceId,
    dialect: &dyn Dialect,
    hidden: &AuditPlan,
) -> Result<TablePlan, PlanError> {
    let (resource, table) = (domain.resource(id), schema.table(id));
    let name = dialect.table(table);
    let tenant = table.tenant.as_deref().map(quote);
    let owner = table.owner.as_deref().map(quote);
    let (select_list, lead_cells, fields) = selection(resource, table)?;
    let insert_slots = slots(resource, table)?;
    let by_id = |alias: &str| {
        let column = |name: &str| format!("{alias}{name}");
        let tenant = tenant.as_deref().map(column);
        let mut all = Where::new(dialect, 1, tenant.as_deref());
        all.equal(&column("\"id\""));
        all
    };
    let get = format!("SELECT {select_list} FROM {name} r{}", by_id("r.").finish());
    let of_owner = owner.as_deref().map(|owner| {
        let column = tenant.as_deref().map(|tenant| format!("r.{tenant}"));
        let mut all = Where::new(dialect, 1, column.as_deref());
        all.equal(&format!("r.{owner}"));
        let order = "ORDER BY r.\"position\"";
        format!("SELECT {select_list} FROM {name} r{} {order}", all.finish())
    });
    let with_version = || {
        let mut all = by_id("");
        all.equal(if owner.is_some() { owner.as_deref().unwrap_or("") } else { "\"row_version\"" });
        all.finish()
    };
    let insert = insert(&name, table, &insert_slots, dialect);
    let upsert = owner.as_deref().map(|owner| upsert(&insert, table, &name, owner));
    let updates = Updates::new(&name, resource, table, dialect)?;
    Ok(TablePlan {
        plain_name: table.sql_name(),
        delete: format!("DELETE FROM {name}{}", with_version()),
        is_version: format!("SELECT 1 FROM {name}{}", with_version()),
        count: counters(&name, resource, table, dialect),
        targets: references::targets(domain, schema, id, dialect),
        referers: references::referers(domain, schema, id, dialect, hidden),
        pages: Memo::default(),
        uniques: uniques::keys(resource, table, dialect),
        overlaps: uniques::overlaps(table, dialect),
        unmanaged: !table.is_managed(),
        name,
        tenant,
        owner,
        fields,
        select_list,
        lead_cells,
        insert_slots,
        get,
        of_owner,
        insert,
        inserts: Inserts::default(),
        updates,
        upsert,
    })
}

fn selection(
    resource: &Resource,
    table: &Table,
) -> Result<(String, usize, Vec<Option<Place>>), PlanError> {
    let lead: &[&str] = if table.owner.is_some() {
        &["id"]
    } else {
        &["id", "row_version", "created_at", "updated_at"]
    };
    for name in lead {
        implicit(table, name)?;
    }
    let mut columns: Vec<String> = lead.iter().map(|name| format!("r.{}", quote(name))).collect();
    let mut places = Vec::with_capacity(resource.fields.len());
    for (id, field) in resource.fields() {
        let place = Shape::of_field(field).and_then(|shape| place(table, id, shape, columns.len()));
        if let Some(place) = &place {
            columns.extend(place.columns.iter().map(|column| format!("r.{column}")));
        }
        places.push(place);
    }
    Ok((columns.join(", "), lead.len(), places))
}

/// None where the field has no columns: asked of its owner when read.
fn place(table: &Table, field: FieldId, shape: Shape, at: usize) -> Option<Place> {
    let parts = shape.parts();
    let columns: Option<Vec<_>> = parts
        .iter()
        .map(|part| table.column(field, *part).map(|column| quote(&column.name)))
        .collect();
    Some(Place {
        columns: columns?,
        search: table.column(field, Part::Search).map(|column| quote(&column.name)),
        nullable: table.column(field, parts[0]).is_some_and(|column| column.nullable),
        shape,
        at,
    })
}

pub(super) fn slots(resource: &Resource, table: &Table) -> Result<Vec<Slot>, PlanError> {
    let slot = |column: &ir::schema::Column| {
        let unknown = || PlanError(format!("`{}.{}`", table.sql_name(), column.name));
        Ok(match column.field {
            Some((field, part)) => {
                let shape = Shape::of_field(resource.field(field)).ok_or_else(unknown)?;
                Slot::Field(field, part, shape)
            }
            None if Some(&column.name) == table.tenant.as_ref() => Slot::Tenant,
            None if Some(&column.name) == table.owner.as_ref() => Slot::Owner,
            None => match column.name.as_str() {
                "id" => Slot::Id,
                "row_version" => Slot::Version,
                "created_at" => Slot::CreatedAt,
                "updated_at" => Slot::UpdatedAt,
                "position" => Slot::Position,
                _ => return Err(unknown()),
            },
        })
    };
    table.columns.iter().map(slot).collect()
}

fn insert(name: &str, table: &Table, slots: &[Slot], dialect: &dyn Dialect) -> String {
    let columns: Vec<_> = table.columns.iter().map(|column| quote(&column.name)).collect();
    let values: Vec<_> = (1..=slots.len()).map(|at| dialect.placeholder(at)).collect();
    format!("INSERT INTO {name} ({}) VALUES ({})", columns.join(", "), values.join(", "))
}

fn upsert(insert: &str, table: &Table, name: &str, owner: &str) -> String {
    let key: Vec<_> = table.primary_key.iter().map(|column| quote(column)).collect();
    let sets: Vec<_> = table
        .columns
        .iter()
        .map(|column| quote(&column.name))
        .filter(|column| !key.contains(column) && column != owner)
        .map(|column| format!("{column} = excluded.{column}"))
        .collect();
    format!(
        "{insert} ON CONFLICT ({}) DO UPDATE SET {} WHERE {name}.{owner} = excluded.{owner}",
        key.join(", "),
        sets.join(", ")
    )
}

/// A counter stops at its greatest value rather than fail.
fn counters(
    name: &str,
    resource: &Resource,
    table: &Table,
    dialect: &dyn Dialect,
) -> Vec<(FieldId, String)> {
    let tenant = table.tenant.as_deref().map(quote);
    let statement = |field: FieldId| {
        let column = quote(&table.column(field, Part::Whole)?.name);
        let mut all = Where::new(dialect, 2, tenant.as_deref());
        all.equal("\"id\"");
        let (by, condition) = (dialect.placeholder(1), all.finish());
        let raised = format!(
            "CASE WHEN {column} <= {} - {by} THEN {column} + {by} ELSE {} END",
            i64::MAX,
            i64::MAX
        );
        Some((field, format!("UPDATE {name} SET {column} = {raised}{condition}")))
    };
    resource
        .fields()
        .filter(|(_, field)| field.declared == FieldType::Counter)
        .filter_map(|(id, _)| statement(id))
        .collect()
}
