//! The Cedar schema that the policies are strict against.

use super::type_name;
use ir::architecture::Architecture;
use ir::contract::OperationKind;
use ir::domain::{Kind, Resource};
use ir::model::FieldType;
use std::fmt::Write as _;

/// The schema in Cedar's own syntax.
pub fn write_schema(architecture: &Architecture) -> String {
    let domain = &architecture.domain;
    let mut out = String::new();
    let mut principals = vec!["System".to_owned(), "Anonymous".to_owned()];
    principals.extend(domain.actors.iter().map(|actor| type_name(&actor.name)));
    out.push_str("namespace Caller {\n");
    for principal in &principals {
        let _ = writeln!(out, "  entity {principal} {{ subject: String, roles: Set<String> }};");
    }
    out.push_str("}\n\nnamespace Row {\n");
    for (_, resource) in domain.roots() {
        let _ = writeln!(out, "  entity {} {{", resource.name);
        if domain.tenancy.is_some() && !resource.shared {
            out.push_str("    tenant: String,\n");
        }
        out.push_str("    id: String,\n    created_at: Long,\n    updated_at: Long,\n");
        attributes(resource, &mut out);
        out.push_str("  };\n");
    }
    out.push_str("}\n\n");
    for operation in &architecture.contract.operations {
        let Some(resource) = operation.resource else { continue };
        // A view is read under the rules of its own rows, which are nobody's entity.
        if domain.view_of(resource).is_some()
            || matches!(operation.kind, OperationKind::Route(_) | OperationKind::Batch)
        {
            continue;
        }
        let tenant = if domain.tenancy.is_some() { "tenant: String, " } else { "" };
        let _ = writeln!(
            out,
            "action {:?} appliesTo {{ principal: [{}], resource: [Row::{}], \
             context: {{ {tenant}now: Long }} }};",
            operation.id,
            principals.iter().map(|one| format!("Caller::{one}")).collect::<Vec<_>>().join(", "),
            domain.resource(resource).name
        );
    }
    out
}

fn attributes(resource: &Resource, out: &mut String) {
    for (_, field) in resource.fields() {
        if matches!(field.kind, Kind::Children { .. }) {
            continue;
        }
        if let Some(ty) = cedar_type(&field.declared) {
            let mark = if field.optional { "?" } else { "" };
            let _ = writeln!(out, "    {}{mark}: {ty},", field.name);
        }
    }
}

/// The Cedar type of a field; none for what Cedar can't hold.
pub(super) fn cedar_type(declared: &FieldType) -> Option<&'static str> {
    match declared {
        FieldType::String
        | FieldType::Text
        | FieldType::Uuid
        | FieldType::Url
        | FieldType::Email
        | FieldType::Enum(_)
        | FieldType::Reference { .. }
        | FieldType::Actor(_) => Some("String"),
        FieldType::Int
        | FieldType::Counter
        | FieldType::Decimal { .. }
        | FieldType::Date
        | FieldType::Time
        | FieldType::Timestamp
        | FieldType::Duration => Some("Long"),
        FieldType::Bool => Some("Bool"),
        FieldType::Money { .. }
        | FieldType::Timespan
        | FieldType::Json
        | FieldType::List(_)
        | FieldType::Many { .. } => None,
    }
}
