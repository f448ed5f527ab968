//! The schemas of what is sent and received: per resource its representation, its page and its
//! bodies, and the few that every API has.

use super::Writing;
use super::scalar::{any_money, currency, field, instant, or_null, reference, timespan, uuid};
use crate::bodies::{Body, Need, need};
use crate::example::Form;
use crate::tree::{Node, list, map};
use ir::contract::OperationKind;
use ir::domain::{Command, Domain, Field, FieldId, Kind, Resource, ResourceId, Source};
use ir::model::FieldType;
use ir::schema::{Part, Schema};

/// Names that the document itself uses.
const TAKEN: [&str; 14] = [
    "Money",
    "Currency",
    "Timespan",
    "Problem",
    "Batch",
    "BatchAnswer",
    "Explanation",
    "AuditEntry",
    "DeadLetter",
    "DeadLetterPage",
    "Event",
    "EventPage",
    "Redriven",
    "AuditPage",
];

/// The names of the resources in the document.
pub(crate) struct SchemaNames {
    ones: Vec<String>,
}

impl SchemaNames {
    /// Each resource's own, none twice and none of those that the document itself uses.
    pub(crate) fn of(domain: &Domain) -> Self {
        let mut ones: Vec<String> = Vec::new();
        for (_, resource) in domain.stored() {
            let twins = domain.stored().filter(|(_, other)| other.name == resource.name);
            let mut name = resource.name.clone();
            if twins.count() > 1 {
                let context = &domain.contexts[resource.context.index()].name;
                let (first, rest) = context.split_at(context.len().min(1));
                name = format!("{}{rest}{name}", first.to_uppercase());
            }
            while ones.contains(&name) || TAKEN.contains(&name.as_str()) {
                name.push('_');
            }
            ones.push(name);
        }
        Self { ones }
    }

    /// `Order`
    pub(crate) fn one(&self, id: ResourceId) -> &str {
        &self.ones[id.index()]
    }

    /// `OrderPart`: any of its members.
    pub(super) fn part(&self, id: ResourceId) -> String {
        format!("{}Part", self.one(id))
    }

    /// `OrderPage`
    pub(super) fn page(&self, id: ResourceId) -> String {
        format!("{}Page", self.one(id))
    }

    /// `OrderCreate`, `OrderReplace`, `OrderPatch`
    pub(super) fn body(&self, id: ResourceId, body: Body) -> String {
        let end = match body {
            Body::Create => "Create",
            Body::Replace => "Replace",
            Body::Patch => "Patch",
        };
        format!("{}{end}", self.one(id))
    }

    /// `OrderCancelInput`
    pub(super) fn input(&self, id: ResourceId, command: &Command) -> String {
        let mut name = self.one(id).to_owned();
        for word in command.name.split(['_', '-']).filter(|word| !word.is_empty()) {
            let (first, rest) = word.split_at(1);
            name.push_str(&first.to_uppercase());
            name.push_str(rest);
        }
        name + "Input"
    }
}

/// All schemas.
pub(super) fn schemas(writing: &Writing<'_>) -> Node {
    let mut schemas = Node::empty();
    let domain = &writing.architecture.domain;
    for (id, resource) in domain.stored().filter(|(_, resource)| resource.owner.is_none()) {
        let kinds: Vec<OperationKind> = writing
            .operations()
            .filter(|operation| operation.resource == Some(id))
            .map(|operation| operation.kind)
            .collect();
        if !kinds.is_empty() {
            of_root(writing, id, resource, &kinds, &mut schemas);
        }
    }
    let uses = |test: fn(&FieldType) -> bool| {
        let inputs = |resource: &Resource| {
            let commands = resource.commands.iter().filter(|command| !command.internal);
            commands.flat_map(|command| &command.input).any(|field| test(&field.declared))
        };
        domain.stored().any(|(_, resource)| {
            resource.fields.iter().any(|field| test(&field.declared)) || inputs(resource)
        })
    };
    let open_money = uses(|declared| matches!(declared, FieldType::Money { currency: None }));
    if open_money {
        schemas.set("Money", any_money());
    }
    let mut filters = writing.operations().flat_map(|operation| &operation.filters);
    if open_money || filters.any(|filter| filter.part == Part::Currency) {
        schemas.set("Currency", currency());
    }
    if uses(|declared| matches!(declared, FieldType::Timespan)) {
        schemas.set("Timespan", timespan());
    }
    if writing.operations().any(|operation| operation.kind == OperationKind::Batch) {
        super::common::batch(writing, &mut schemas);
    }
    schemas.set("Problem", super::common::problem());
    schemas.set("Explanation", super::common::explanation());
    if writing.architecture.settings.audited {
        super::trail::schemas(&mut schemas);
    }
    if super::operations::any(writing).is_some() {
        super::operations::schemas(writing, &mut schemas);
    }
    if super::events::any(writing) {
        super::events::schemas(&mut schemas);
    }
    if super::webhooks::any(writing) {
        super::webhooks::schemas(writing, &mut schemas);
    }
    if super::receivers::any(writing) {
        super::receivers::schemas(&mut schemas);
    }
    schemas
}

fn of_root(
    writing: &Writing<'_>,
    id: ResourceId,
    resource: &Resource,
    kinds: &[OperationKind],
    schemas: &mut Node,
) {
    let names = &writing.names;
    let shown = kinds.iter().any(|kind| *kind != OperationKind::Delete);
    if shown {
        schemas.set(names.one(id), representation(writing, id, true));
        for (_, child) in resource.children() {
            schemas.set(names.one(child), representation(writing, child, true));
        }
    }
    if kinds.iter().any(|kind| matches!(kind, OperationKind::List | OperationKind::Get)) {
        schemas.set(&names.part(id), representation(writing, id, false));
        for (_, child) in resource.children() {
            schemas.set(&names.part(child), representation(writing, child, false));
        }
    }
    if kinds.contains(&OperationKind::List) {
        schemas.set(&names.page(id), page(writing, id));
    }
    let bodies = [
        (OperationKind::Create, Body::Create),
        (OperationKind::Replace, Body::Replace),
        (OperationKind::Update, Body::Patch),
    ];
    for (kind, body) in bodies {
        if kinds.contains(&kind) {
            schemas.set(&names.body(id, body), self::body(writing, id, body));
        }
    }
    for (_, child) in resource.children() {
        if kinds.contains(&OperationKind::Create) {
            schemas.set(&names.body(child, Body::Create), self::body(writing, child, Body::Create));
        }
        if kinds.contains(&OperationKind::Replace) || kinds.contains(&OperationKind::Update) {
            let schema = self::body(writing, child, Body::Replace);
            schemas.set(&names.body(child, Body::Replace), schema);
        }
    }
    for kind in kinds {
        if let OperationKind::Command(command) = kind {
            let command = &resource.commands[command.index()];
            if !command.input.is_empty() {
                schemas.set(&names.input(id, command), input(writing, id, command));
            }
        }
    }
}

/// What is read. The whole has its required members; the part is what `fields`, `expand` and the
/// rules of single fields leave of it.
fn representation(writing: &Writing<'_>, id: ResourceId, whole: bool) -> Node {
    let resource = writing.resource(id);
    let mut properties = Node::empty().with("id", read_only(uuid()));
    let mut required = vec!["id".to_owned()];
    for (field_id, field) in resource.fields().filter(|(_, field)| !field.secret) {
        let null = may_be_null(&writing.architecture.schema, id, field_id, field);
        let schema = described(field, member(writing, field, whole));
        let schema = if null { or_null(schema) } else { schema };
        let given = field.source.writable();
        properties.set(&field.name, if given { schema } else { read_only(schema) });
        if field.read.is_none() {
            required.push(field.name.clone());
        }
    }
    if resource.owner.is_none() {
        for name in ["created_at", "updated_at"] {
            properties.set(name, read_only(instant()));
            required.push(name.to_owned());
        }
    }
    let mut schema = map([("type", "object".into())]);
    if whole {
        if !resource.about.is_empty() {
            schema.set("description", &resource.about);
        }
        schema.set("required", list(required));
    } else {
        schema.set("description", "The members that were asked for and may be read");
        schema.set("required", list(["id"]));
    }
    schema.set("properties", properties);
    schema
}

fn member(writing: &Writing<'_>, of: &Field, whole: bool) -> Node {
    match of.kind {
        Kind::Children { target, .. } => {
            let items = match whole {
                true => reference(writing.names.one(target)),
                false => reference(&writing.names.part(target)),
            };
            map([("type", "array".into()), ("items", items)])
        }
        Kind::Reference { target, .. } if !whole => {
            let shown = writing.operations().any(|operation| operation.resource == Some(target));
            let expanded = match shown {
                true => reference(writing.names.one(target)),
                false => map([("type", "object".into())]),
            };
            let null = map([("type", "null".into())]);
            map([("anyOf", Node::List(vec![uuid(), expanded, null]))])
        }
        Kind::Reference { .. } | Kind::Scalar | Kind::Enum(_) | Kind::Actor(_) => {
            field(of).unwrap_or_else(Node::empty)
        }
    }
}

/// What the column takes; what has none is asked of its owner, who may have lost it.
pub(crate) fn may_be_null(
    schema: &Schema,
    id: ResourceId,
    field_id: FieldId,
    field: &Field,
) -> bool {
    if matches!(field.kind, Kind::Children { .. }) {
        return false;
    }
    let table = schema.table(id);
    let column = [Part::Whole, Part::Units, Part::Start]
        .into_iter()
        .find_map(|part| table.column(field_id, part));
    field.optional || column.is_none_or(|column| column.nullable)
}

fn read_only(mut schema: Node) -> Node {
    schema.set("readOnly", true);
    schema
}

/// With what the model says of the field.
pub(crate) fn described(field: &Field, schema: Node) -> Node {
    if field.about.is_empty() || schema.get("description").is_some() {
        return schema;
    }
    schema.with("description", &field.about)
}

fn page(writing: &Writing<'_>, id: ResourceId) -> Node {
    let whole = reference(writing.names.one(id));
    let part = reference(&writing.names.part(id));
    let items = map([
        ("type", "array".into()),
        ("items", map([("anyOf", list([whole, part]))])),
        ("maxItems", i64::from(writing.architecture.settings.page_items_max).into()),
    ]);
    let cursor = map([
        ("type", "string".into()),
        ("description", "The `cursor` of the next page; absent on the last".into()),
    ]);
    map([
        ("type", "object".into()),
        ("required", list(["items"])),
        ("properties", map([("items", items), ("next_cursor", cursor)])),
        ("additionalProperties", false.into()),
    ])
}

fn body(writing: &Writing<'_>, id: ResourceId, body: Body) -> Node {
    let resource = writing.resource(id);
    let domain = &writing.architecture.domain;
    let mut properties = Node::empty();
    let mut required = Vec::new();
    if resource.owner.is_some() && body == Body::Replace {
        let schema = uuid().with("description", "Of a row that stays; a new one has none");
        properties.set("id", schema);
    }
    for (field_id, field) in resource.fields() {
        let need = need(domain, id, field, body);
        if need == Need::Absent {
            continue;
        }
        if need == Need::Required {
            required.push(field.name.clone());
        }
        let mut schema = described(field, given(writing, field, body));
        // What a public path could not lead to, for the server answers there itself.
        let route = resource.routes.iter().find(|route| route.by == field_id);
        let contract = &writing.architecture.contract;
        let taken = route.map(|route| contract.taken_segments(&route.path)).unwrap_or_default();
        if !taken.is_empty() {
            schema.set("not", map([("enum", list(taken))]));
        }
        if let (Source::Caller, Kind::Actor(actor)) = (&field.source, &field.kind)
            && schema.get("description").is_none()
        {
            let name = &domain.actor(*actor).name;
            let about = format!("A {name} leaves it out, for it is the caller; others give it");
            schema.set("description", about);
        }
        let schema = if field.optional { or_null(schema) } else { schema };
        let schema = if field.secret { schema.with("writeOnly", true) } else { schema };
        properties.set(&field.name, schema);
    }
    object(properties, required)
}

fn given(writing: &Writing<'_>, of: &Field, body: Body) -> Node {
    let Kind::Children { target, min, max } = of.kind else {
        return field(of).unwrap_or_else(Node::empty);
    };
    let items = match body {
        Body::Create => Body::Create,
        Body::Replace | Body::Patch => Body::Replace,
    };
    map([
        ("type", "array".into()),
        ("minItems", i64::from(min).into()),
        ("maxItems", i64::from(max).into()),
        ("items", reference(&writing.names.body(target, items))),
    ])
}

fn input(writing: &Writing<'_>, id: ResourceId, command: &Command) -> Node {
    inputs(writing, id, &command.input)
}

/// What is given to a command of a resource, or to a job.
pub(super) fn inputs(writing: &Writing<'_>, id: ResourceId, input: &[Field]) -> Node {
    let mut properties = Node::empty();
    let mut required = Vec::new();
    for field in input {
        let need = need(&writing.architecture.domain, id, field, Body::Create);
        if need == Need::Required {
            required.push(field.name.clone());
        }
        let schema = described(field, given(writing, field, Body::Create));
        let schema = if field.optional { or_null(schema) } else { schema };
        properties.set(&field.name, schema);
    }
    object(properties, required)
}

fn object(properties: Node, required: Vec<String>) -> Node {
    let mut schema = map([("type", "object".into())]);
    if !required.is_empty() {
        schema.set("required", list(required));
    }
    if properties != Node::empty() {
        schema.set("properties", properties);
    }
    schema.with("additionalProperties", false)
}

/// The example of a representation or body, where one can be made.
pub(super) fn example(writing: &Writing<'_>, id: ResourceId, form: Form) -> Option<Node> {
    writing.examples.body(id, form)
}
