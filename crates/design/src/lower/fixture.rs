//! A small shop, made by hand, for the tests of the lowerings.

use ir::domain::*;
use ir::expr::*;
use ir::model::{At, FieldType, Isolation, Journey, JourneyStep, Model, OnDelete, Proof, Verb};
use ir::source::{Name, Span, Spanned};
use ir::value::Value;

/// A field of a scalar type that the client gives.
pub(crate) fn field(name: &str, declared: FieldType) -> Field {
    Field {
        name: name.to_owned(),
        about: String::new(),
        declared,
        kind: Kind::Scalar,
        source: Source::Client,
        optional: false,
        min: None,
        max: None,
        pattern: None,
        search: false,
        personal: false,
        secret: false,
        state: false,
        filterable: true,
        read: None,
        write: None,
    }
}

/// A typed expression.
pub(crate) fn expr(kind: ExprKind, ty: Type) -> Expr {
    Expr { kind, ty }
}

/// `field == me`
pub(crate) fn mine(field: u16) -> Expr {
    compare(Operator::Equal, field, ExprKind::Me)
}

/// `field == 'text'`
pub(crate) fn is(field: u16, text: &str) -> Expr {
    compare(Operator::Equal, field, ExprKind::Literal(Value::text(text)))
}

/// A comparison of a field.
pub(crate) fn compare(operator: Operator, field: u16, with: ExprKind) -> Expr {
    let left = expr(ExprKind::Field(FieldRef::Field(FieldId(field))), Type::Text);
    let right = expr(with, Type::Text);
    expr(ExprKind::Compare(operator, Box::new(left), Box::new(right)), Type::Bool)
}

/// A grant.
pub(crate) fn grant(text: &str, caller: Caller, when: Option<Expr>) -> Grant {
    Grant { text: text.to_owned(), caller, when }
}

/// A resource without anything.
pub(crate) fn resource(name: &str, context: u16, path: &str) -> Resource {
    Resource {
        name: name.to_owned(),
        about: String::new(),
        context: ContextId(context),
        path: path.to_owned(),
        owner: None,
        shared: false,
        fields: Vec::new(),
        uniques: Vec::new(),
        overlaps: Vec::new(),
        commands: Vec::new(),
        access: Access::default(),
        routes: Vec::new(),
        emits: Vec::new(),
        idempotency_required: false,
        if_match_required: false,
        cache: None,
    }
}

/// A command without anything.
pub(crate) fn command(name: &str, by: Vec<Grant>) -> Command {
    Command {
        name: name.to_owned(),
        about: String::new(),
        input: Vec::new(),
        get: Vec::new(),
        require: Vec::new(),
        transitions: Vec::new(),
        set: Vec::new(),
        internal: by.iter().all(|grant| grant.caller == Caller::System),
        by,
        emits: Vec::new(),
        not_during: Vec::new(),
        starts: None,
    }
}

const MONEY: FieldType = FieldType::Money { currency: None };

fn reference(name: &str, target: u16, crosses: bool) -> Field {
    let on_delete = OnDelete::Restrict;
    let declared = FieldType::Reference { context: None, resource: Default::default() };
    let kind = Kind::Reference { target: ResourceId(target), crosses, on_delete };
    Field { kind, ..field(name, declared) }
}

fn states(name: &str, values: &[&str]) -> Field {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    let kind = Kind::Enum(values);
    Field { kind, source: Source::State, state: true, ..field(name, FieldType::Enum(Vec::new())) }
}

fn computed(field: Field, kind: ExprKind, ty: Type) -> Field {
    Field { source: Source::Computed(expr(kind, ty)), ..field }
}

fn actor(name: &str, roles: &[&str], proof: Proof) -> Actor {
    Actor {
        name: name.to_owned(),
        proof,
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        limit: None,
        across_tenants: false,
        claims: Vec::new(),
        issuer: None,
    }
}

const SHOPPER: Caller = Caller::Actor(ActorId(0), None);
const MANAGER: Caller = Caller::Actor(ActorId(1), Some(1));

fn product() -> Resource {
    let text =
        |name: &str, max| Field { max: Some(Value::Int(max)), ..field(name, FieldType::String) };
    let stock = expr(ExprKind::Literal(Value::Int(0)), Type::Int);
    let mut product = resource("Product", 0, "products");
    product.fields = vec![
        text("sku", 40),
        Field { search: true, ..text("name", 200) },
        field("price", MONEY),
        Field {
            min: Some(Value::Int(0)),
            source: Source::Default(stock),
            ..field("stock", FieldType::Int)
        },
    ];
    product.uniques = vec![Unique { fields: vec![FieldId(0)], when: None }];
    let manager = || vec![grant("staff.manager", MANAGER, None)];
    let mut reserve = command("reserve", vec![grant("system", Caller::System, None)]);
    reserve.input = vec![Field {
        min: Some(Value::Int(1)),
        max: Some(Value::Int(99)),
        ..field("quantity", FieldType::Int)
    }];
    product.commands = vec![reserve];
    product.access = Access {
        read: vec![grant("anyone", Caller::Anyone, None)],
        create: manager(),
        update: manager(),
        delete: manager(),
    };
    product
}

fn order() -> Resource {
    let mut order = resource("Order", 1, "orders");
    let money = Type::Money { currency: None };
    let amount = expr(ExprKind::Field(FieldRef::Field(FieldId(3))), money.clone());
    let sum = ExprKind::Aggregate(Aggregate::Sum, FieldId(1), Some(Box::new(amount)));
    let many = FieldType::Many { resource: Default::default(), min: 1, max: 50 };
    let buyer = FieldType::Actor(Default::default());
    order.fields = vec![
        Field { kind: Kind::Actor(ActorId(0)), source: Source::Caller, ..field("shopper", buyer) },
        Field {
            kind: Kind::Children { target: ResourceId(2), min: 1, max: 50 },
            filterable: false,
            ..field("lines", many)
        },
        computed(field("total", MONEY), sum, money),
        Field {
            optional: true,
            personal: true,
            max: Some(Value::Int(500)),
            ..field("note", FieldType::Text)
        },
        states("status", &["draft", "placed", "paid", "shipped", "cancelled"]),
    ];
    let own = || grant("shopper when own", SHOPPER, Some(mine(0)));
    let mut place = command("place", vec![own()]);
    place.transitions = vec![Transition {
        field: FieldId(4),
        from: vec!["draft".to_owned()],
        to: "placed".to_owned(),
    }];
    place.starts = Some("place_order".to_owned());
    let mut cancel = command("cancel", vec![own(), grant("system", Caller::System, None)]);
    cancel.transitions = vec![Transition {
        field: FieldId(4),
        from: vec!["draft".to_owned(), "placed".to_owned()],
        to: "cancelled".to_owned(),
    }];
    cancel.not_during = vec!["place_order".to_owned()];
    order.commands = vec![place, cancel];
    let draft = expr(ExprKind::And(vec![mine(0), is(4, "draft")]), Type::Bool);
    order.access = Access {
        read: vec![own(), grant("staff", Caller::Actor(ActorId(1), None), None)],
        create: vec![grant("shopper", SHOPPER, None)],
        update: vec![grant("shopper when own && status == draft", SHOPPER, Some(draft))],
        delete: Vec::new(),
    };
    order
}

fn order_line() -> Resource {
    let money = Type::Money { currency: None };
    let price = ExprKind::Related {
        path: vec![FieldId(0)],
        target: ResourceId(0),
        field: FieldRef::Field(FieldId(2)),
        crosses: true,
    };
    let own = |id| Box::new(expr(ExprKind::Field(FieldRef::Field(FieldId(id))), Type::Int));
    let amount = ExprKind::Arithmetic(Operator::Multiply, own(2), own(1));
    let mut line = resource("OrderLine", 1, "order-lines");
    line.owner = Some((ResourceId(1), FieldId(1)));
    line.fields = vec![
        reference("product", 0, true),
        Field {
            source: Source::Copied(At::Write, expr(price, money.clone())),
            ..field("price", MONEY)
        },
        Field {
            min: Some(Value::Int(1)),
            max: Some(Value::Int(99)),
            ..field("quantity", FieldType::Int)
        },
        computed(field("amount", MONEY), amount, money),
    ];
    line
}

/// The shop.
pub(crate) fn shop() -> (Model, Domain) {
    let domain = Domain {
        system: "shop".to_owned(),
        title: "Order management".to_owned(),
        summary: String::new(),
        tenancy: Some(Tenancy {
            isolation: Isolation::Row,
            claim: "org".to_owned(),
            host: Some((String::new(), ".shop.example".to_owned())),
        }),
        actors: vec![
            actor("shopper", &[], Proof::Oidc),
            actor("staff", &["picker", "manager"], Proof::Oidc),
        ],
        contexts: ["catalog", "ordering"]
            .map(|name| Context { name: name.to_owned(), about: String::new() })
            .to_vec(),
        resources: vec![product(), order(), order_line()],
        events: Vec::new(),
        receivers: Vec::new(),
        integrations: Vec::new(),
        reactions: Vec::new(),
        views: Vec::new(),
        schedules: Vec::new(),
        jobs: Vec::new(),
    };
    (Model::default(), domain)
}

/// A journey of that actor: `list RESOURCE where FIELD == paid`.
pub(crate) fn list_where(actor: &str, resource: &str, field: &str, sort: Option<&str>) -> Journey {
    let name = |text: &str| Name::new(text.to_owned(), Span::default());
    let tree = |node| Tree { node, span: Span::default() };
    let side = |text: &str| Box::new(tree(Node::Name(text.to_owned())));
    let condition = Expression {
        text: format!("{field} == paid"),
        span: Span::default(),
        tree: tree(Node::Binary(Operator::Equal, side(field), side("paid"))),
    };
    Journey {
        name: name("pick"),
        share: Spanned::default(),
        actor: Some(ir::model::Grant {
            text: actor.to_owned(),
            span: Span::default(),
            actor: name(actor),
            role: None,
            when: None,
        }),
        steps: vec![JourneyStep {
            span: Span::default(),
            verb: Verb::List,
            resource: name(resource),
            condition: Some(condition),
            sort: sort.map(name),
            limit: None,
        }],
    }
}
