//! Parameters of path, query and header.

use super::scalar::{any_text, filtered, instant, reference, uuid};
use super::{Writing, common};
use crate::tree::{Node, list, map};
use ir::contract::{Filter, Operation, OperationKind};
use ir::domain::Field;
use ir::expr::{FieldRef, Implicit};
use ir::schema::Part;

/// Values of one `in` at most.
const IN_VALUES_MAX: i64 = 100;
/// An idempotency key: visible ASCII without quote and backslash.
const KEY: &str = "^[!#-\\[\\]-~]{1,255}$";
/// What a tenant can be called.
const TENANT: &str = "^[a-z0-9][a-z0-9-]{0,62}$";
/// Keys of `sort` at most.
const SORT_KEYS_MAX: i64 = 4;
/// At least one word, which is of letters or digits.
const WORD: &str = "^[^\\x00]*[\\p{L}\\p{N}][^\\x00]*$";
/// Entity tags between commas, where elements may be empty (RFC 9110, 5.6.1 and 8.8.3).
const TAGS: &str = "^[ \\t]*(?:(?:W/)?\"[!#-~]*\"[ \\t]*)?\
                    (?:,[ \\t]*(?:(?:W/)?\"[!#-~]*\"[ \\t]*)?){0,49}$";

/// Parameters that several operations share.
pub(super) fn shared(writing: &Writing<'_>) -> Node {
    let settings = &writing.architecture.settings;
    let mut all = Node::empty();
    let reads = |kind| writing.operations().any(|operation| operation.kind == kind);
    all.set("rowId", named("id", "path", uuid(), "The id of the row"));
    if reads(OperationKind::List) {
        let limit = map([
            ("type", "integer".into()),
            ("minimum", 1.into()),
            ("default", i64::from(settings.page_items_default).into()),
        ]);
        let about = format!("Items of a page; above {0}, {0} are given", settings.page_items_max);
        all.set("limit", named("limit", "query", limit, &about));
        let about = "Where the page begins: the `next_cursor` of the one before";
        let cursor = map([("type", "string".into())]);
        all.set("cursor", named("cursor", "query", cursor, about));
        for filter in implicit_filters(writing) {
            for (name, schema) in terms(&filter, None) {
                all.set(&name, query(&name, schema));
            }
        }
    }
    let writes = writing.operations().any(|operation| operation.method != "GET");
    if writes {
        let key = map([("type", "string".into()), ("pattern", KEY.into())]);
        let about = format!(
            "Makes the call repeatable: the same key and request give the same answer for {} hours",
            (settings.idempotency_seconds / 3_600.0).round()
        );
        all.set("idempotencyKey", named("Idempotency-Key", "header", key.clone(), &about));
        let required = named("Idempotency-Key", "header", key, &about).with("required", true);
        all.set("idempotencyKeyRequired", required);
        let about = "`return=minimal`: the answer leaves the row out (RFC 7240)";
        let text = map([("type", "string".into())]);
        all.set("prefer", named("Prefer", "header", text, about));
        let about = "The call is refused (412) unless the row still has the version of this \
                     `ETag`, or of one of several; `*` is any";
        let tags = || tag("\"1.0123456789abcdef\"");
        all.set("ifMatch", named("If-Match", "header", tags(), about));
        let required = named("If-Match", "header", tags(), about).with("required", true);
        all.set("ifMatchRequired", required);
    }
    if reads(OperationKind::Get) || reads(OperationKind::List) {
        let tags = tag("\"0123456789abcdef\"");
        let about = "Answers 304 where the representation still has this `ETag`";
        all.set("ifNoneMatch", named("If-None-Match", "header", tags, about));
        if common::has_copies(writing.architecture) {
            let about = "What a write answered: nothing up to there is missed, though a replica \
                         may answer";
            let text = map([("type", "string".into())]);
            all.set("position", named(common::POSITION, "header", text, about));
        }
    }
    let across = across_tenants(writing);
    if !across.is_empty() {
        let about = format!("The tenant to act in, for {} alone", across.join(", "));
        let name = map([("type", "string".into()), ("pattern", TENANT.into())]);
        all.set("tenant", named("X-Tenant", "header", name, &about));
    }
    all
}

/// `*` or entity tags, with one that can be sent.
fn tag(example: &str) -> Node {
    let any = map([("type", "string".into()), ("const", "*".into())]);
    let these = map([("type", "string".into()), ("pattern", TAGS.into())]);
    map([("anyOf", list([any, these])), ("examples", list([example]))])
}

/// Actors that may act in every tenant.
fn across_tenants<'a>(writing: &Writing<'a>) -> Vec<&'a str> {
    let actors = writing.architecture.domain.actors.iter();
    actors.filter(|actor| actor.across_tenants).map(|actor| actor.name.as_str()).collect()
}

/// The names of the shared parameters of an operation.
fn references(writing: &Writing<'_>, operation: &Operation) -> Vec<&'static str> {
    let resource = operation.resource.map(|id| writing.resource(id));
    let if_match = match resource.is_some_and(|resource| resource.if_match_required) {
        true => "ifMatchRequired",
        false => "ifMatch",
    };
    let key = match resource.is_some_and(|resource| resource.idempotency_required) {
        true => "idempotencyKeyRequired",
        false => "idempotencyKey",
    };
    match operation.kind {
        OperationKind::List => vec!["limit", "cursor", "ifNoneMatch"],
        OperationKind::Create => vec![key, "prefer"],
        OperationKind::Get => vec!["rowId", "ifNoneMatch"],
        OperationKind::Replace | OperationKind::Update => {
            vec!["rowId", if_match, key, "prefer"]
        }
        OperationKind::Command(_) => vec!["rowId", if_match, key, "prefer"],
        OperationKind::Delete => vec!["rowId", if_match, key],
        OperationKind::Route(_) => Vec::new(),
        OperationKind::Batch => vec!["idempotencyKey"],
    }
}

/// All parameters of an operation.
pub(super) fn parameters(writing: &Writing<'_>, operation: &Operation) -> Node {
    let shared = |name: &str| map([("$ref", format!("#/components/parameters/{name}").into())]);
    let mut all: Vec<Node> = references(writing, operation).into_iter().map(shared).collect();
    let reads = matches!(operation.kind, OperationKind::Get | OperationKind::List);
    if reads && common::has_copies(writing.architecture) {
        all.push(shared("position"));
    }
    let own = operation.resource.is_none_or(|id| !writing.resource(id).shared);
    if own && !across_tenants(writing).is_empty() {
        all.push(shared("tenant"));
    }
    match operation.kind {
        OperationKind::List => all.extend(of_list(writing, operation, &shared)),
        OperationKind::Get => all.extend(of_get(writing, operation)),
        OperationKind::Route(at) => all.extend(of_route(writing, operation, at)),
        OperationKind::Create | OperationKind::Replace | OperationKind::Update => {}
        OperationKind::Delete | OperationKind::Command(_) | OperationKind::Batch => {}
    }
    Node::List(all)
}

fn of_list(
    writing: &Writing<'_>,
    operation: &Operation,
    shared: &dyn Fn(&str) -> Node,
) -> Vec<Node> {
    let mut all = Vec::new();
    let sortable = operation.filters.iter().filter(|filter| filter.sortable);
    let keys: Vec<String> =
        sortable.flat_map(|filter| [filter.name.clone(), format!("-{}", filter.name)]).collect();
    if !keys.is_empty() {
        all.push(
            query("sort", several(keys).with("maxItems", SORT_KEYS_MAX)).with(
                "description",
                "The order, `-` for descending; without it the newest are first",
            ),
        );
    }
    all.extend(of_get(writing, operation));
    if operation.searchable {
        let words = map([("type", "string".into()), ("pattern", WORD.into())]);
        let about = "Words of letters or digits that must all be found, or begin";
        all.push(query("q", words).with("description", about));
    }
    let resource = operation.resource.map(|id| writing.resource(id));
    for filter in &operation.filters {
        let field = match filter.field {
            FieldRef::Implicit(_) => None,
            FieldRef::Field(id) => resource.map(|resource| resource.field(id)),
        };
        for (name, schema) in terms(filter, field) {
            all.push(if field.is_none() { shared(&name) } else { query(&name, schema) });
        }
    }
    all
}

fn of_get(writing: &Writing<'_>, operation: &Operation) -> Vec<Node> {
    let Some(resource) = operation.resource.map(|id| writing.resource(id)) else {
        return Vec::new();
    };
    let mut names = vec!["id".to_owned()];
    let shown = resource.fields.iter().filter(|field| !field.secret);
    names.extend(shown.map(|field| field.name.clone()));
    names.extend(["created_at".to_owned(), "updated_at".to_owned()]);
    let about = "Only these members are given";
    let mut all = vec![query("fields", several(names)).with("description", about)];
    if !operation.expands.is_empty() {
        let about = "Rows that are given whole instead of by id, and children in lists";
        all.push(query("expand", several(operation.expands.clone())).with("description", about));
    }
    all
}

fn of_route(writing: &Writing<'_>, operation: &Operation, at: usize) -> Vec<Node> {
    let Some(resource) = operation.resource.map(|id| writing.resource(id)) else {
        return Vec::new();
    };
    let field = resource.field(resource.routes[at].by);
    let name = operation
        .path
        .split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'))
        .map_or(field.name.as_str(), |(name, _)| name);
    let about = format!("The {} of the row", field.name.replace('_', " "));
    let schema = super::scalar::field(field).unwrap_or_else(any_text);
    vec![named(name, "path", schema, &about)]
}

fn named(name: &str, place: &str, schema: Node, about: &str) -> Node {
    let mut parameter = map([("name", name.into()), ("in", place.into())]);
    parameter.set("description", about);
    if place == "path" {
        parameter.set("required", true);
    }
    parameter.with("schema", schema)
}

/// A query parameter; lists stand in one value with commas.
fn query(name: &str, schema: Node) -> Node {
    let is_list = schema.get("type") == Some(&"array".into());
    let mut parameter = map([("name", name.into()), ("in", "query".into())]);
    if is_list {
        parameter.set("style", "form");
        parameter.set("explode", false);
    }
    parameter.with("schema", schema)
}

fn several(names: Vec<String>) -> Node {
    let item = map([("type", "string".into()), ("enum", list(names))]);
    map([
        ("type", "array".into()),
        ("items", item),
        ("minItems", 1.into()),
        ("uniqueItems", true.into()),
    ])
}

/// Filters on what every row has, as the lists have them.
fn implicit_filters(writing: &Writing<'_>) -> Vec<Filter> {
    let list = writing.operations().find(|operation| operation.kind == OperationKind::List);
    let filters = list.map(|list| list.filters.as_slice()).unwrap_or_default();
    let implicit = filters.iter().filter(|filter| matches!(filter.field, FieldRef::Implicit(_)));
    implicit.cloned().collect()
}

/// Parameter names of a filter, each with the schema of its value.
fn terms(filter: &Filter, field: Option<&Field>) -> Vec<(String, Node)> {
    let value = match (filter.part, filter.field, field) {
        (Part::Currency, _, _) => reference("Currency"),
        (Part::Start | Part::End, _, _) => instant(),
        (_, FieldRef::Implicit(Implicit::Id), _) => uuid(),
        (_, FieldRef::Implicit(Implicit::CreatedAt | Implicit::UpdatedAt), _) => instant(),
        (_, FieldRef::Field(_), Some(field)) => filtered(field),
        (_, FieldRef::Field(_), None) => any_text(),
    };
    let mut terms = vec![(filter.name.clone(), value.clone())];
    for operator in &filter.operators {
        let schema = match *operator {
            "in" => map([
                ("type", "array".into()),
                ("items", without_commas(value.clone())),
                ("minItems", 1.into()),
                ("maxItems", IN_VALUES_MAX.into()),
            ]),
            "null" => map([("type", "boolean".into())]),
            _ => value.clone(),
        };
        terms.push((format!("{}.{operator}", filter.name), schema));
    }
    terms
}

/// Values of `in` are parted by commas, so that no value can hold one.
fn without_commas(schema: Node) -> Node {
    if schema == any_text() {
        return map([("type", "string".into()), ("pattern", "^[^,\\x00]+$".into())]);
    }
    schema
}
