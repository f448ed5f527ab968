//! Who calls, how that is proved, and the matrix of permissions.

use super::decision::{Section, write_all};
use super::page::{Page, coded, listed};
use ir::architecture::Architecture;
use ir::domain::{ActorId, Caller, Domain, Grant, Resource, SYSTEM_READS};
use ir::model::Proof;
use ir::quantity::{Unit, print};

pub(super) fn write(page: &mut Page, architecture: &Architecture) {
    page.heading(2, "Authentication and authorization");
    let domain = &architecture.domain;
    page.table(
        &["Actor", "Proves itself by", "Roles", "Limit", "Reaches"],
        domain.actors.iter().map(|actor| {
            let proof = match actor.proof {
                Proof::Oidc => "token of the OpenID provider",
                Proof::ApiKey => "API key",
            };
            let issuer = actor.issuer.as_ref().map(|issuer| format!(" {issuer}"));
            let reaches = match (&domain.tenancy, actor.across_tenants) {
                (None, _) => "the system",
                (Some(_), true) => "every tenant, audited",
                (Some(_), false) => "its tenant",
            };
            let limit = actor.limit.map(|limit| print(limit, &Unit::PerSecond));
            vec![
                actor.name.clone(),
                format!("{proof}{}", issuer.unwrap_or_default()),
                listed(&actor.roles),
                limit.unwrap_or_default(),
                reaches.to_owned(),
            ]
        }),
    );
    page.heading(3, "Permissions, role by operation");
    let columns = columns(domain);
    for (at, context) in domain.contexts.iter().enumerate() {
        let mut head = vec![format!("`{}`", context.name)];
        head.extend(columns.iter().map(|(name, _)| name.clone()));
        let head: Vec<&str> = head.iter().map(String::as_str).collect();
        let resources = domain.roots().map(|(_, resource)| resource);
        let rows = resources
            .filter(|resource| resource.context.index() == at)
            .flat_map(|resource| matrix(resource, &columns));
        page.table(&head, rows);
    }
    fields(page, domain);
    write_all(page, architecture, Section::Access);
}

/// Callers of the matrix: an actor with roles once for each role.
fn columns(domain: &Domain) -> Vec<(String, Caller)> {
    let mut columns = vec![("anyone".to_owned(), Caller::Anyone)];
    for (at, actor) in domain.actors.iter().enumerate() {
        let id = ActorId::of(at);
        if actor.roles.is_empty() {
            columns.push((actor.name.clone(), Caller::Actor(id, None)));
        }
        for (number, role) in actor.roles.iter().enumerate() {
            let role_id = u16::try_from(number).ok();
            columns.push((format!("{}.{role}", actor.name), Caller::Actor(id, role_id)));
        }
    }
    columns.push(("system".to_owned(), Caller::System));
    columns
}

fn matrix(resource: &Resource, columns: &[(String, Caller)]) -> Vec<Vec<String>> {
    let access = &resource.access;
    let system = Grant { text: SYSTEM_READS.to_owned(), caller: Caller::System, when: None };
    let read = [&access.read[..], &[system]].concat();
    let mut operations: Vec<(String, &[Grant])> = vec![
        (format!("{} read", resource.name), &read),
        (format!("{} create", resource.name), &access.create),
        (format!("{} update", resource.name), &access.update),
        (format!("{} delete", resource.name), &access.delete),
    ];
    for command in &resource.commands {
        operations.push((format!("{}.{}", resource.name, command.name), &command.by));
    }
    let row = |(name, grants): (String, &[Grant])| {
        let mut row = vec![name];
        row.extend(columns.iter().map(|(_, caller)| cell(grants, caller)));
        row
    };
    operations.into_iter().map(row).collect()
}

/// `yes`, the conditions, or nothing.
fn cell(grants: &[Grant], caller: &Caller) -> String {
    let holds = |grant: &&Grant| match (&grant.caller, caller) {
        (Caller::Anyone, _) => true,
        (Caller::Actor(allowed, None), Caller::Actor(id, _)) => allowed == id,
        (allowed, caller) => allowed == caller,
    };
    let mut conditions = Vec::new();
    for grant in grants.iter().filter(holds) {
        if grant.when.is_none() {
            return "yes".to_owned();
        }
        let condition = grant.text.split_once(" when ").map_or("", |(_, condition)| condition);
        conditions.push(format!("`{condition}`"));
    }
    conditions.join(" or ")
}

/// Fields that not everybody who sees the row may see or set.
fn fields(page: &mut Page, domain: &Domain) {
    let mut rows = Vec::new();
    for (id, resource) in domain.resources() {
        for field in &resource.fields {
            let texts = |grants: &Option<Vec<Grant>>| match grants {
                Some(grants) => listed(&coded(grants.iter().map(|grant| &grant.text))),
                None => "as the row".to_owned(),
            };
            let name = format!("{}.{}", domain.full_name(id), field.name);
            if field.secret {
                rows.push(vec![name, "nobody".to_owned(), texts(&field.write)]);
            } else if field.read.is_some() || field.write.is_some() {
                rows.push(vec![name, texts(&field.read), texts(&field.write)]);
            }
        }
    }
    page.table(&["Field of its own rule", "Read", "Set"], rows);
}
