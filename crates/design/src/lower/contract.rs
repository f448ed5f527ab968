//! The operations of the API: what has a route, who may call it without a token, which problems
//! it can answer with.

mod filters;
mod problems;

#[cfg(test)]
mod tests;

use super::schema::snake;
use ir::contract::{Contract, Operation, OperationKind, problems as catalogue};
use ir::domain::{Caller, Command, CommandId, Domain, Grant, Kind, Resource, ResourceId};
use std::collections::BTreeSet;

/// The version prefix of the first version of an API.
const VERSION: &str = "v1";

/// All operations of the domain. A plain operation that nobody is allowed has no route.
pub fn contract(domain: &Domain) -> Contract {
    let mut operations = Vec::new();
    for (id, resource) in domain.roots() {
        let names = Names::of(domain, resource);
        for kind in plain_kinds(resource) {
            operations.push(plain(domain, id, kind, &names));
        }
        for (at, command) in resource.commands.iter().enumerate() {
            operations.push(command_operation(domain, id, CommandId::of(at), command, &names));
        }
        for at in 0..resource.routes.len() {
            operations.push(route(domain, id, at, &names));
        }
    }
    for at in 0..domain.views.len() {
        operations.extend(view(domain, domain.view_rows(at)));
    }
    if operations.iter().any(|operation| !operation.internal && writes(operation.kind)) {
        operations.push(batch(domain, &operations));
    }
    make_ids_unique(&mut operations);
    Contract { version: VERSION.to_owned(), operations, problems: catalogue::ALL.to_vec() }
}

/// What the ids of a resource's operations are made of.
struct Names {
    one: String,
    many: String,
    words: String,
    words_many: String,
    base: String,
}

impl Names {
    fn of(domain: &Domain, resource: &Resource) -> Self {
        let same = |other: &&Resource| other.owner.is_none() && other.name == resource.name;
        let context = &domain.contexts[resource.context.index()].name;
        let prefix = if domain.resources.iter().filter(same).count() > 1 {
            camel(context, true)
        } else {
            String::new()
        };
        let words = snake(&resource.name).replace('_', " ");
        let many = super::schema::plural(&resource.name);
        Self {
            one: format!("{prefix}{}", resource.name),
            many: format!("{prefix}{many}"),
            words_many: super::schema::plural(&words),
            words,
            base: format!("/{VERSION}/{}", resource.path),
        }
    }
}

fn plain_kinds(resource: &Resource) -> Vec<OperationKind> {
    let access = &resource.access;
    let kinds = [
        (OperationKind::List, &access.read),
        (OperationKind::Create, &access.create),
        (OperationKind::Get, &access.read),
        (OperationKind::Replace, &access.update),
        (OperationKind::Update, &access.update),
        (OperationKind::Delete, &access.delete),
    ];
    let allowed = kinds.into_iter().filter(|(_, grants)| !grants.is_empty());
    allowed.map(|(kind, _)| kind).collect()
}

/// The grants that rule an operation of that kind.
fn grants(resource: &Resource, kind: OperationKind) -> &[Grant] {
    match kind {
        OperationKind::List | OperationKind::Get | OperationKind::Route(_) => &resource.access.read,
        OperationKind::Create => &resource.access.create,
        OperationKind::Replace | OperationKind::Update => &resource.access.update,
        OperationKind::Delete => &resource.access.delete,
        OperationKind::Command(id) => &resource.commands[id.index()].by,
        OperationKind::Batch => &[],
    }
}

/// True for what changes rows.
pub(crate) fn writes(kind: OperationKind) -> bool {
    match kind {
        OperationKind::List | OperationKind::Get | OperationKind::Route(_) => false,
        OperationKind::Create | OperationKind::Replace | OperationKind::Update => true,
        OperationKind::Delete | OperationKind::Command(_) | OperationKind::Batch => true,
    }
}

fn plain(domain: &Domain, id: ResourceId, kind: OperationKind, names: &Names) -> Operation {
    let Names { one, many, words, words_many, base } = names;
    let item = format!("{base}/{{id}}");
    let (operation, method, path, summary) = match kind {
        OperationKind::List => (format!("list{many}"), "GET", base, format!("List {words_many}")),
        OperationKind::Create => {
            (format!("create{one}"), "POST", base, format!("Create {}", a(words)))
        }
        OperationKind::Get => (format!("get{one}"), "GET", &item, format!("Get {}", a(words))),
        OperationKind::Replace => {
            (format!("replace{one}"), "PUT", &item, format!("Replace {}", a(words)))
        }
        OperationKind::Update => {
            (format!("update{one}"), "PATCH", &item, format!("Change {}", a(words)))
        }
        OperationKind::Delete => {
            (format!("delete{one}"), "DELETE", &item, format!("Delete {}", a(words)))
        }
        OperationKind::Command(_) | OperationKind::Route(_) | OperationKind::Batch => {
            unreachable!("commands, routes and the batch have their own makers")
        }
    };
    let resource = domain.resource(id);
    let grants = grants(resource, kind);
    let list = kind == OperationKind::List;
    let reads = !writes(kind);
    Operation {
        id: operation,
        kind,
        resource: Some(id),
        method,
        path: path.clone(),
        summary,
        anonymous: anonymous(grants),
        internal: internal(grants),
        problems: problems::of(domain, Some(resource), kind),
        filters: if list { filters::filters(resource) } else { Vec::new() },
        expands: if reads { expands(domain, resource) } else { Vec::new() },
        searchable: list && resource.fields.iter().any(|field| field.search),
    }
}

/// The list of a view's rows: a row has no address, for what it is about is in its key. None where
/// nobody may read it.
fn view(domain: &Domain, id: ResourceId) -> Option<Operation> {
    let rows = domain.resource(id);
    let words = snake(&rows.name).replace('_', " ");
    let same = |other: &&ir::domain::View| other.rows.name == rows.name;
    let context = &domain.contexts[rows.context.index()].name;
    let prefix = match domain.views.iter().filter(same).count() {
        0 | 1 => String::new(),
        _ => camel(context, true),
    };
    let name = format!("{prefix}{}", rows.name);
    let base = format!("/{VERSION}/{}", rows.path);
    let names = Names { one: name.clone(), many: name, words_many: words.clone(), words, base };
    let readable = !rows.access.read.is_empty();
    readable.then(|| plain(domain, id, OperationKind::List, &names))
}

fn command_operation(
    domain: &Domain,
    id: ResourceId,
    command_id: CommandId,
    command: &Command,
    names: &Names,
) -> Operation {
    let resource = domain.resource(id);
    let kind = OperationKind::Command(command_id);
    let words = snake(&command.name).replace('_', " ");
    let path = format!("{}/{{id}}/{}", names.base, words.replace(' ', "-"));
    Operation {
        id: format!("{}{}", camel(&command.name, false), names.one),
        kind,
        resource: Some(id),
        method: "POST",
        path,
        summary: format!("Command `{}` of {}", command.name, a(&names.words)),
        anonymous: anonymous(&command.by),
        internal: command.internal || internal(&command.by),
        problems: problems::of(domain, Some(resource), kind),
        filters: Vec::new(),
        expands: Vec::new(),
        searchable: false,
    }
}

fn route(domain: &Domain, id: ResourceId, at: usize, names: &Names) -> Operation {
    let resource = domain.resource(id);
    let route = &resource.routes[at];
    let by = &resource.field(route.by).name;
    let (verb, summary) = match route.redirect {
        Some(_) => ("open", format!("Open {} by its {by}", a(&names.words))),
        None => ("find", format!("Find {} by its {by}", a(&names.words))),
    };
    let kind = OperationKind::Route(at);
    Operation {
        id: format!("{verb}{}", names.one),
        kind,
        resource: Some(id),
        method: "GET",
        path: route.path.clone(),
        summary,
        anonymous: true,
        internal: false,
        problems: problems::of(domain, Some(resource), kind),
        filters: Vec::new(),
        expands: Vec::new(),
        searchable: false,
    }
}

/// The batch can answer with whatever its operations can.
fn batch(domain: &Domain, operations: &[Operation]) -> Operation {
    let mut all = problems::of(domain, None, OperationKind::Batch);
    for operation in operations.iter().filter(|other| !other.internal && writes(other.kind)) {
        all.extend(&operation.problems);
    }
    Operation {
        id: "batch".to_owned(),
        kind: OperationKind::Batch,
        resource: None,
        method: "POST",
        path: format!("/{VERSION}/batch"),
        summary: "Do several operations of one context, all or none".to_owned(),
        anonymous: operations.iter().any(|other| writes(other.kind) && other.anonymous),
        internal: false,
        problems: problems::in_order(&all),
        filters: Vec::new(),
        expands: Vec::new(),
        searchable: false,
    }
}

/// `anyone` without a condition, or with one: the condition is asked of each row.
fn anonymous(grants: &[Grant]) -> bool {
    grants.iter().any(|grant| grant.caller == Caller::Anyone)
}

fn internal(grants: &[Grant]) -> bool {
    grants.iter().all(|grant| grant.caller == Caller::System)
}

/// References, owned children and the references of those (`lines.product`).
fn expands(domain: &Domain, resource: &Resource) -> Vec<String> {
    let mut names = Vec::new();
    for field in resource.fields.iter().filter(|field| !field.secret) {
        match field.kind {
            Kind::Reference { .. } => names.push(field.name.clone()),
            Kind::Children { target, .. } => {
                names.push(field.name.clone());
                let inner = &domain.resource(target).fields;
                let inner = inner
                    .iter()
                    .filter(|inner| matches!(inner.kind, Kind::Reference { .. }) && !inner.secret);
                names.extend(inner.map(|inner| format!("{}.{}", field.name, inner.name)));
            }
            Kind::Scalar | Kind::Enum(_) | Kind::Actor(_) => {}
        }
    }
    names
}

fn make_ids_unique(operations: &mut [Operation]) {
    let mut taken = BTreeSet::new();
    for operation in operations {
        let mut id = operation.id.clone();
        let mut number = 2;
        while !taken.insert(id.clone()) {
            id = format!("{}{number}", operation.id);
            number += 1;
        }
        operation.id = id;
    }
}

/// `place_order` to `placeOrder`, or `PlaceOrder` where the first letter is a capital too.
fn camel(name: &str, capital: bool) -> String {
    let mut out = String::with_capacity(name.len());
    let mut up = capital;
    for letter in name.chars() {
        if letter == '_' || letter == '-' {
            up = !out.is_empty() || capital;
        } else if up {
            out.extend(letter.to_uppercase());
            up = false;
        } else {
            out.push(letter);
        }
    }
    out
}

/// With its article: `an order`.
fn a(words: &str) -> String {
    let vowel = words.starts_with(['a', 'e', 'i', 'o']);
    format!("{} {words}", if vowel { "an" } else { "a" })
}
