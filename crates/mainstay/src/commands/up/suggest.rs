//! What to try next: lines that work as they stand, in the shell that reads them.

use crate::seed::{self, Caller, Mint};
use ir::architecture::Architecture;
use ir::contract::{Operation, OperationKind};
use ir::domain::{Caller as Named, ResourceId};
use std::net::SocketAddr;

/// Where the backend is and who may be suggested.
pub(super) struct Setting<'a> {
    /// What runs.
    pub(super) architecture: &'a Architecture,
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// `http://127.0.0.1:8080`
    pub(super) url: &'a str,
    /// A tenant that has rows, or could.
    pub(super) tenant: Option<&'a str>,
    /// Seed of the example body.
    pub(super) seed: u64,
    /// A token for a caller.
    pub(super) token: &'a Mint<'a>,
}

/// Shell lines with a remark above each.
pub(super) fn lines(setting: &Setting<'_>) -> Vec<String> {
    let mut lines = vec![format!("# explore the API in a browser\n{}/docs", setting.url)];
    lines.extend(public_list(setting));
    lines.extend(own_list(setting));
    lines.extend(creation(setting));
    lines
}

fn operations<'a>(
    setting: &'a Setting<'_>,
    kind: OperationKind,
) -> impl Iterator<Item = &'a Operation> {
    let operations = setting.architecture.contract.operations.iter();
    operations.filter(move |operation| operation.kind == kind && !operation.internal)
}

/// A list that needs no token; the host names the tenant.
fn public_list(setting: &Setting<'_>) -> Option<String> {
    let list = operations(setting, OperationKind::List).find(|list| list.anonymous)?;
    let url = match setting.tenant {
        Some(_) if !setting.url.starts_with("http:") => return None,
        Some(tenant) => format!("http://{tenant}.localhost:{}", setting.address.port()),
        None => setting.url.to_owned(),
    };
    let what = "read what everybody may read";
    Some(format!("# {what}\ncurl '{url}{}?limit=3'", list.path))
}

/// A list for a caller who may read it, with a token.
fn own_list(setting: &Setting<'_>) -> Option<String> {
    let domain = &setting.architecture.domain;
    operations(setting, OperationKind::List).filter(|list| !list.anonymous).find_map(|list| {
        let resource = domain.resource(list.resource?);
        let grant = resource.access.read.iter().find_map(|grant| match grant.caller {
            Named::Actor(actor, role) => Some((actor, role)),
            Named::Anyone | Named::System => None,
        });
        let (actor, role) = grant?;
        let of = domain.actor(actor);
        let role = role.and_then(|role| of.roles.get(usize::from(role)).cloned());
        let subject = "alice".to_owned();
        let who = Caller::Token { actor: of.name.clone(), role, subject };
        let set = token(setting, &who)?;
        let curl = format!("curl -H \"Authorization: Bearer $TOKEN\" {}{}", setting.url, list.path);
        Some(format!("# read as {}\n{set}\n{curl}", shown(&who)))
    })
}

/// A row that somebody may make.
fn creation(setting: &Setting<'_>) -> Option<String> {
    let domain = &setting.architecture.domain;
    let (resource, who, body) = seed::example(domain, setting.seed)?;
    let create = operations(setting, OperationKind::Create).find(of(resource))?;
    let curl = format!(
        "curl -i -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' \\\n  \
         -H 'Idempotency-Key: try-1' {}{} \\\n  -d '{body}'",
        setting.url, create.path
    );
    let what = format!("# make a {} as {}", domain.resource(resource).name, shown(&who));
    Some(format!("{what}\n{}\n{curl}", token(setting, &who)?))
}

fn of(resource: ResourceId) -> impl Fn(&&Operation) -> bool {
    move |operation| operation.resource == Some(resource)
}

fn token(setting: &Setting<'_>, who: &Caller) -> Option<String> {
    (setting.token)(who, setting.tenant).ok().map(|token| format!("TOKEN={token}"))
}

fn shown(who: &Caller) -> String {
    match who {
        Caller::Anyone => "anyone".to_owned(),
        Caller::Token { actor, role: None, subject } => format!("{actor} {subject}"),
        Caller::Token { actor, role: Some(role), subject } => format!("{actor}.{role} {subject}"),
    }
}
