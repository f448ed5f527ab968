//! Links: what can be done next with a row that an answer shows, or with a page.

use super::Writing;
use crate::tree::{Node, map};
use ir::contract::{Operation, OperationKind};
use ir::domain::ResourceId;

/// The links of the answer of an operation that went well; none where it shows no row.
pub(super) fn links(writing: &Writing<'_>, operation: &Operation) -> Option<Node> {
    let id = operation.resource?;
    match operation.kind {
        OperationKind::Create | OperationKind::Get => {
            let next = writing.operations().filter(|other| other.id != operation.id);
            let links = next.filter_map(|next| of_row(writing, id, next));
            Some(Node::Map(links.collect())).filter(|links| *links != Node::empty())
        }
        OperationKind::List => {
            let mut links = Node::empty();
            let mut operations = writing.operations();
            let get = operations
                .find(|other| other.kind == OperationKind::Get && other.resource == Some(id));
            if let Some(get) = get {
                let first = map([("id", "$response.body#/items/0/id".into())]);
                links.set(&get.id, link("The first of them", &get.id, first));
            }
            let cursor = map([("cursor", "$response.body#/next_cursor".into())]);
            let about = "The next page, with the same filters and order";
            links.set("next", link(about, &operation.id, cursor));
            Some(links)
        }
        OperationKind::Replace | OperationKind::Update | OperationKind::Delete => None,
        OperationKind::Command(_) | OperationKind::Route(_) | OperationKind::Batch => None,
    }
}

/// The link to an operation on a row of the resource that the answer shows.
fn of_row(writing: &Writing<'_>, id: ResourceId, to: &Operation) -> Option<(String, Node)> {
    if to.resource != Some(id) {
        return None;
    }
    let resource = writing.resource(id);
    let row = || map([("id", "$response.body#/id".into())]);
    let parameters = match to.kind {
        OperationKind::Get => row(),
        OperationKind::Replace | OperationKind::Update => {
            guarded(row(), resource.if_match_required)
        }
        OperationKind::Delete | OperationKind::Command(_) => {
            guarded(row(), resource.if_match_required)
        }
        OperationKind::Route(at) => {
            let field = &resource.field(resource.routes[at].by).name;
            let (_, rest) = to.path.split_once('{')?;
            let (name, _) = rest.split_once('}')?;
            map([(name, format!("$response.body#/{field}").into())])
        }
        OperationKind::List | OperationKind::Create | OperationKind::Batch => return None,
    };
    Some((to.id.clone(), link(&to.summary, &to.id, parameters)))
}

/// With the version that was read, where a change must name one.
fn guarded(parameters: Node, required: bool) -> Node {
    if required { parameters.with("If-Match", "$response.header.ETag") } else { parameters }
}

fn link(about: &str, to: &str, parameters: Node) -> Node {
    map([("operationId", to.into()), ("parameters", parameters), ("description", about.into())])
}
