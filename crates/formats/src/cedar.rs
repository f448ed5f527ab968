//! The access rules as Cedar policies, so that an independent engine can be asked and must agree.
//!
//! One `permit` per grant and resource. Principals are `Caller::Shopper::"<subject>"` with
//! `subject` and `roles`; the tenant is `context.tenant`; resources carry their scalar fields.
//! Instants and lengths of time are microseconds, decimals units of their last digit;
//! `context.now` is the time of the request. A condition that Cedar can't express leaves its permit
//! out, with a comment that says so: the export never allows more than the backend does.

mod condition;
mod schema;

pub use schema::write_schema;

use ir::architecture::Architecture;
use ir::contract::{Operation, OperationKind};
use ir::domain::{Caller, Domain, Grant, Resource, ResourceId, SYSTEM_READS};
use std::fmt::Write as _;

/// Whether a rule is about an operation of that kind.
type Wanted = fn(OperationKind) -> bool;

/// The policies of a whole architecture.
pub fn write(architecture: &Architecture) -> String {
    let domain = &architecture.domain;
    let mut out = format!(
        "// Access rules of `{}`, rebuilt whole by `mainstay export cedar`.\n\
         // A request that no permit covers is denied.\n",
        domain.system
    );
    for (id, resource) in domain.roots() {
        let _ = write!(out, "\n// {}\n", domain.full_name(id));
        let operations = |wanted: fn(OperationKind) -> bool| -> Vec<&Operation> {
            let all = architecture.contract.operations.iter();
            all.filter(|one| one.resource == Some(id) && wanted(one.kind)).collect()
        };
        let plain: [(&[Grant], Wanted); 4] = [
            (&resource.access.read, |kind| {
                matches!(kind, OperationKind::List | OperationKind::Get)
            }),
            (&resource.access.create, |kind| kind == OperationKind::Create),
            (&resource.access.update, |kind| {
                matches!(kind, OperationKind::Update | OperationKind::Replace)
            }),
            (&resource.access.delete, |kind| kind == OperationKind::Delete),
        ];
        let system = Grant { text: SYSTEM_READS.to_owned(), caller: Caller::System, when: None };
        for (grants, wanted) in plain {
            permits(domain, id, grants, &operations(wanted), &mut out);
        }
        permits(domain, id, &[system], &operations(plain[0].1), &mut out);
        for operation in operations(|kind| matches!(kind, OperationKind::Command(_))) {
            if let OperationKind::Command(command) = operation.kind {
                permits(domain, id, &resource.commands[command.index()].by, &[operation], &mut out);
            }
        }
    }
    out
}

fn permits(
    domain: &Domain,
    id: ResourceId,
    grants: &[Grant],
    operations: &[&Operation],
    out: &mut String,
) {
    if operations.is_empty() {
        return;
    }
    let resource = domain.resource(id);
    let actions: Vec<String> =
        operations.iter().map(|operation| format!("Action::{:?}", operation.id)).collect();
    let action = match actions.as_slice() {
        [one] => format!("action == {one}"),
        several => format!("action in [{}]", several.join(", ")),
    };
    for grant in grants {
        match conditions(domain, resource, grant) {
            Ok(conditions) => {
                let principal = match grant.caller {
                    Caller::Anyone => "principal".to_owned(),
                    Caller::System => "principal is Caller::System".to_owned(),
                    Caller::Actor(actor, _) => {
                        format!("principal is Caller::{}", type_name(&domain.actor(actor).name))
                    }
                };
                let _ = write!(
                    out,
                    "@rule({:?})\npermit ({principal}, {action}, resource is Row::{})",
                    grant.text, resource.name
                );
                if !conditions.is_empty() {
                    let _ = write!(out, "\nwhen {{ {} }}", conditions.join(" && "));
                }
                out.push_str(";\n");
            }
            Err(why) => {
                let _ = writeln!(
                    out,
                    "// left out, for Cedar has no {why}: {:?} on {}",
                    grant.text,
                    actions.join(", ")
                );
            }
        }
    }
}

fn conditions(
    domain: &Domain,
    resource: &Resource,
    grant: &Grant,
) -> Result<Vec<String>, &'static str> {
    let mut conditions = Vec::new();
    let across = match grant.caller {
        Caller::Actor(actor, role) => {
            let actor = domain.actor(actor);
            if let Some(role) = role {
                conditions.push(format!(
                    "principal.roles.contains({:?})",
                    actor.roles[usize::from(role)]
                ));
            }
            actor.across_tenants
        }
        Caller::Anyone | Caller::System => false,
    };
    if domain.tenancy.is_some() && !resource.shared && !across {
        conditions.push("context.tenant == resource.tenant".to_owned());
    }
    if let Some(when) = &grant.when {
        conditions.push(condition::write(resource, when)?);
    }
    Ok(conditions)
}

/// The entity type of an actor: `staff` is `Staff`, `back_office` is `BackOffice`.
fn type_name(actor: &str) -> String {
    let mut name = String::with_capacity(actor.len());
    for word in actor.split(['_', '-']) {
        let mut letters = word.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name
}
