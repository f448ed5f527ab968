//! A shop-like architecture for tests: tenants, children, references inside and across contexts,
//! every kind of field, states, commands, routes. Made by hand, for the runtime knows no notation.

mod contract;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
mod review;
mod schema;
pub(crate) mod store;
mod view;

use ir::architecture::{Architecture, Service, Settings};
use ir::domain::{
    Access, Actor, ActorId, Caller, Change, Command, Context, ContextId, Domain, Event,
    EventMember, Field, FieldId, Grant, Kind, Resource, ResourceId, Route, Source, Tenancy,
    Transition, Unique,
};
use ir::expr::{Aggregate, Expr, ExprKind, FieldRef, Implicit, Operator, Type};
use ir::model::{At, FieldType, Isolation, Model, OnDelete, Proof};
use ir::value::Value;
use ir::{Name, Span, Spanned, Valid};

/// `catalog.Product`
pub(crate) const PRODUCT: ResourceId = ResourceId(0);
/// `ordering.Order`
pub(crate) const ORDER: ResourceId = ResourceId(1);
/// `ordering.OrderLine`, a child of [`ORDER`].
pub(crate) const LINE: ResourceId = ResourceId(2);
/// `desk.Room`, changed only with `If-Match`.
pub(crate) const ROOM: ResourceId = ResourceId(4);

/// The rows of `ordering.SalesByDay`, behind all resources.
pub(crate) const SALES_BY_DAY: ResourceId = ResourceId(7);

const SHOPPER: ActorId = ActorId(0);
const STAFF: ActorId = ActorId(1);
const PARTNER: ActorId = ActorId(2);

/// The architecture, one service, one file for all tenants.
pub(crate) fn shop() -> Valid<Architecture> {
    let domain = domain();
    let schema = schema::schema(&domain);
    let contract = contract::contract(&domain);
    let contexts = domain.contexts.iter().map(|context| context.name.clone()).collect();
    Valid::vouch(Architecture {
        model: Valid::vouch(model()),
        domain,
        contract,
        schema,
        services: vec![Service { name: "shop".to_owned(), contexts, calls: Vec::new() }],
        traffic: Vec::new(),
        decisions: Vec::new(),
        infeasible: Vec::new(),
        assumptions: Vec::new(),
        settings: Settings::default(),
    })
}

fn model() -> Model {
    Model { notation: 1, system: Name::new("shop".to_owned(), Span::default()), ..Model::default() }
}

/// By name; the fields are those of [`order`] and [`room`].
fn events() -> Vec<Event> {
    let id = |of| ("id", FieldRef::Implicit(Implicit::Id), Type::Reference(of));
    let own = |name, field, ty| (name, FieldRef::Field(FieldId(field)), ty);
    let event = |name: &str, of, data: Vec<(&str, FieldRef, Type)>| Event {
        name: name.to_owned(),
        emitters: vec![of],
        data: data
            .into_iter()
            .map(|(name, field, ty)| EventMember {
                name: name.to_owned(),
                field,
                ty,
                optional: false,
                default: None,
            })
            .collect(),
        webhook: Vec::new(),
        declared: true,
        version: 1,
        older: Vec::new(),
        inbound: None,
    };
    let shopper = || own("shopper", 0, Type::Actor(SHOPPER));
    let total = || own("total", 2, Type::Money { currency: None });
    let lines = own("lines", 1, Type::Json);
    vec![
        event("order.paid", ORDER, vec![id(ORDER), shopper(), total()]),
        event("order.placed", ORDER, vec![id(ORDER), shopper(), lines, total()]),
        event("room.changed", ROOM, vec![id(ROOM), own("name", 0, Type::Text)]),
    ]
}

fn domain() -> Domain {
    let actor = |name: &str, proof, roles: &[&str]| Actor {
        name: name.to_owned(),
        proof,
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        limit: None,
        across_tenants: false,
        claims: Vec::new(),
        issuer: None,
    };
    let context = |name: &str| Context { name: name.to_owned(), about: String::new() };
    Domain {
        system: "shop".to_owned(),
        title: "Shop".to_owned(),
        summary: String::new(),
        tenancy: Some(Tenancy {
            isolation: Isolation::Row,
            claim: "org".to_owned(),
            host: Some((String::new(), ".shop.example".to_owned())),
        }),
        actors: vec![
            actor("shopper", Proof::Oidc, &[]),
            actor("staff", Proof::Oidc, &["picker", "manager"]),
            actor("partner", Proof::ApiKey, &[]),
        ],
        contexts: vec![context("catalog"), context("ordering"), context("desk")],
        resources: vec![product(), order(), line(), coupon(), room(), booking(), review::review()],
        events: events(),
        receivers: Vec::new(),
        integrations: Vec::new(),
        reactions: Vec::new(),
        views: vec![view::sales_by_day()],
        schedules: Vec::new(),
        jobs: Vec::new(),
    }
}

fn product() -> Resource {
    let manager = || vec![grant("staff.manager", Caller::Actor(STAFF, Some(1)), None)];
    let mut sku = field("sku", FieldType::String);
    sku.max = Some(Value::Int(40));
    let mut name = field("name", FieldType::String);
    (name.max, name.search) = (Some(Value::Int(200)), true);
    let mut stock = field("stock", FieldType::Int);
    (stock.min, stock.source) = (Some(Value::Int(0)), Source::Default(int(0)));
    let mut cost = field("cost", money());
    (cost.optional, cost.read, cost.write) = (true, Some(manager()), Some(manager()));
    let by = |name: &str, operator, require| Command {
        input: vec![{
            let mut quantity = field("quantity", FieldType::Int);
            (quantity.min, quantity.max) = (Some(Value::Int(1)), Some(Value::Int(99)));
            quantity
        }],
        require,
        set: vec![(FieldId(3), arithmetic(operator, read(3, Type::Int), input(0), Type::Int))],
        by: vec![grant("system", Caller::System, None)],
        internal: true,
        ..command(name)
    };
    let enough = compare(Operator::GreaterEqual, read(3, Type::Int), input(0));
    let reserve = by("reserve", Operator::Subtract, vec![("stock >= quantity".to_owned(), enough)]);
    Resource {
        fields: vec![sku, name, field("price", money()), stock, cost],
        uniques: vec![Unique { fields: vec![FieldId(0)], when: None }],
        commands: vec![reserve, by("release", Operator::Add, Vec::new())],
        access: Access {
            read: vec![grant("anyone", Caller::Anyone, None)],
            create: manager(),
            update: manager(),
            delete: manager(),
        },
        ..resource("Product", 0, "products")
    }
}

fn order() -> Resource {
    let own = own_order;
    let draft = compare(Operator::Equal, read(4, Type::Text), text("draft"));
    let both = Expr { kind: ExprKind::And(vec![own(), draft]), ty: Type::Bool };
    let mut shopper = field("shopper", FieldType::Actor(name("shopper")));
    (shopper.kind, shopper.source) = (Kind::Actor(SHOPPER), Source::Caller);
    let many = FieldType::Many { resource: name("OrderLine"), min: 1, max: 50 };
    let mut lines = field("lines", many);
    (lines.kind, lines.filterable) = (Kind::Children { target: LINE, min: 1, max: 50 }, false);
    let mut total = field("total", money());
    let sum = ExprKind::Aggregate(
        Aggregate::Sum,
        FieldId(1),
        Some(Box::new(read(3, Type::Money { currency: None }))),
    );
    total.source = Source::Computed(Expr { kind: sum, ty: Type::Money { currency: None } });
    let mut note = field("note", FieldType::Text);
    (note.max, note.optional, note.personal) = (Some(Value::Int(500)), true, true);
    let states = ["draft", "placed", "paid", "shipped", "cancelled"];
    let mut status = enumeration("status", &states);
    (status.source, status.state) = (Source::State, true);
    let shopper_own = || grant("shopper when own", Caller::Actor(SHOPPER, None), Some(own()));
    Resource {
        fields: vec![shopper, lines, total, note, status],
        commands: order_commands(),
        access: Access {
            read: vec![
                shopper_own(),
                grant("staff", Caller::Actor(STAFF, None), None),
                grant("partner", Caller::Actor(PARTNER, None), None),
            ],
            create: vec![grant("shopper", Caller::Actor(SHOPPER, None), None)],
            update: vec![grant(
                "shopper when own && status == draft",
                Caller::Actor(SHOPPER, None),
                Some(both),
            )],
            delete: Vec::new(),
        },
        ..resource("Order", 1, "orders")
    }
}

fn own_order() -> Expr {
    compare(Operator::Equal, read(0, Type::Actor(SHOPPER)), me())
}

fn order_commands() -> Vec<Command> {
    let shopper_own = || grant("shopper when own", Caller::Actor(SHOPPER, None), Some(own_order()));
    let moves = |name: &str, from: &[&str], to: &str, by: Vec<Grant>, emits: &str| Command {
        transitions: vec![Transition {
            field: FieldId(4),
            from: from.iter().map(|state| (*state).to_owned()).collect(),
            to: to.to_owned(),
        }],
        by,
        emits: vec![emits.to_owned()],
        ..command(name)
    };
    let system = || grant("system", Caller::System, None);
    let staff = |role| Caller::Actor(STAFF, role);
    let mut place = moves("place", &["draft"], "placed", vec![shopper_own()], "order.placed");
    place.starts = Some("place_order".to_owned());
    let mut pay = moves("pay", &["placed"], "paid", vec![system()], "order.paid");
    pay.internal = true;
    let picker = vec![grant("staff.picker", staff(Some(0)), None)];
    let ship = moves("ship", &["paid"], "shipped", picker, "order.shipped");
    let who = vec![shopper_own(), grant("staff.manager", staff(Some(1)), None), system()];
    let mut cancel = moves("cancel", &["draft", "placed"], "cancelled", who, "order.cancelled");
    cancel.not_during = vec!["place_order".to_owned()];
    vec![place, pay, ship, cancel]
}

fn line() -> Resource {
    let product = reference("product", PRODUCT, true);
    let money_type = || Type::Money { currency: None };
    let mut price = field("price", money());
    let asked = ExprKind::Related {
        path: vec![FieldId(0)],
        target: PRODUCT,
        field: FieldRef::Field(FieldId(2)),
        crosses: true,
    };
    price.source = Source::Copied(At::Write, Expr { kind: asked, ty: money_type() });
    let mut quantity = field("quantity", FieldType::Int);
    (quantity.min, quantity.max) = (Some(Value::Int(1)), Some(Value::Int(99)));
    let mut amount = field("amount", money());
    let (times, each) = (read(2, Type::Int), read(1, money_type()));
    amount.source = Source::Computed(arithmetic(Operator::Multiply, times, each, money_type()));
    Resource {
        owner: Some((ORDER, FieldId(1))),
        fields: vec![product, price, quantity, amount],
        ..resource("OrderLine", 1, "order-lines")
    }
}

fn coupon() -> Resource {
    let mut code = field("code", FieldType::String);
    (code.min, code.max) = (Some(Value::Int(3)), Some(Value::Int(16)));
    code.pattern = Some("[A-Za-z0-9-]+".to_owned());
    let mut hits = field("hits", FieldType::Counter);
    hits.source = Source::Counted;
    let mut open = field("open", FieldType::Bool);
    let yes = Expr { kind: ExprKind::Literal(Value::Bool(true)), ty: Type::Bool };
    open.source = Source::Default(yes);
    let staff = || vec![grant("staff", Caller::Actor(STAFF, None), None)];
    let route = |path: &str, redirect, count| Route {
        path: path.to_owned(),
        by: FieldId(0),
        redirect,
        count,
        when: Some(read(3, Type::Bool)),
    };
    Resource {
        fields: vec![code, field("target", FieldType::Url), hits, open],
        uniques: vec![Unique { fields: vec![FieldId(0)], when: None }],
        access: Access { read: staff(), create: staff(), update: staff(), delete: staff() },
        routes: vec![
            route("/c/{code}", Some(FieldId(1)), Some(FieldId(2))),
            route("/coupon-of/{code}", None, None),
        ],
        ..resource("Coupon", 1, "coupons")
    }
}

fn room() -> Resource {
    let staff = || vec![grant("staff", Caller::Actor(STAFF, None), None)];
    let mut name = field("name", FieldType::String);
    name.max = Some(Value::Int(60));
    let mut floor = field("floor", FieldType::Int);
    floor.optional = true;
    Resource {
        shared: true,
        fields: vec![name, floor],
        uniques: vec![Unique { fields: vec![FieldId(0)], when: None }],
        access: Access {
            read: vec![grant("anyone", Caller::Anyone, None)],
            create: staff(),
            update: staff(),
            delete: staff(),
        },
        emits: vec![
            (Change::Created, "room.changed".to_owned()),
            (Change::Deleted, "room.changed".to_owned()),
        ],
        if_match_required: true,
        ..resource("Room", 2, "rooms")
    }
}

fn booking() -> Resource {
    let own = || compare(Operator::Equal, read(2, Type::Actor(SHOPPER)), me());
    let who = || {
        vec![
            grant("shopper when own", Caller::Actor(SHOPPER, None), Some(own())),
            grant("staff.manager", Caller::Actor(STAFF, Some(1)), None),
        ]
    };
    let mut guest = field("guest", FieldType::Actor(name("shopper")));
    (guest.kind, guest.source) = (Kind::Actor(SHOPPER), Source::Caller);
    let optional = |name: &str, declared| Field { optional: true, ..field(name, declared) };
    let mut door_code = optional("door_code", FieldType::String);
    (door_code.secret, door_code.filterable) = (true, false);
    let list = FieldType::List(Box::new(FieldType::String));
    let decimal = FieldType::Decimal { precision: 6, scale: 2 };
    let fields = vec![
        reference("room", ROOM, false),
        field("during", FieldType::Timespan),
        guest,
        door_code,
        optional("size", decimal),
        optional("day", FieldType::Date),
        optional("starts", FieldType::Time),
        optional("seen_at", FieldType::Timestamp),
        optional("buffer", FieldType::Duration),
        optional("ticket", FieldType::Uuid),
        optional("contact", FieldType::Email),
        Field { filterable: false, ..optional("extra", FieldType::Json) },
        Field { filterable: false, ..optional("tags", list) },
        Field { optional: true, ..enumeration("mood", &["calm", "loud"]) },
    ];
    Resource {
        fields,
        overlaps: vec![(vec![FieldId(0)], FieldId(1))],
        access: Access { read: who(), create: who(), update: who(), delete: who() },
        idempotency_required: true,
        ..resource("Booking", 2, "bookings")
    }
}

fn resource(name: &str, context: u16, path: &str) -> Resource {
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

fn field(name: &str, declared: FieldType) -> Field {
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

fn reference(of: &str, target: ResourceId, crosses: bool) -> Field {
    let kind = Kind::Reference { target, crosses, on_delete: OnDelete::Restrict };
    let declared = FieldType::Reference { context: None, resource: name(of) };
    Field { kind, ..field(of, declared) }
}

fn enumeration(of: &str, values: &[&str]) -> Field {
    let declared = FieldType::Enum(values.iter().map(|value| name(value)).collect());
    let kind = Kind::Enum(values.iter().map(|value| (*value).to_owned()).collect());
    Field { kind, ..field(of, declared) }
}

fn command(name: &str) -> Command {
    Command {
        name: name.to_owned(),
        about: String::new(),
        input: Vec::new(),
        get: Vec::new(),
        require: Vec::new(),
        transitions: Vec::new(),
        set: Vec::new(),
        by: Vec::new(),
        emits: Vec::new(),
        not_during: Vec::new(),
        starts: None,
        internal: false,
    }
}

fn money() -> FieldType {
    FieldType::Money { currency: None }
}

fn name(text: &str) -> Name {
    Spanned::new(text.to_owned(), Span::default())
}

fn grant(text: &str, caller: Caller, when: Option<Expr>) -> Grant {
    Grant { text: text.to_owned(), caller, when }
}

fn read(field: u16, ty: Type) -> Expr {
    Expr { kind: ExprKind::Field(FieldRef::Field(FieldId(field))), ty }
}

fn input(at: usize) -> Expr {
    Expr { kind: ExprKind::Input(at), ty: Type::Int }
}

fn int(value: i64) -> Expr {
    Expr { kind: ExprKind::Literal(Value::Int(value)), ty: Type::Int }
}

fn text(value: &str) -> Expr {
    Expr { kind: ExprKind::Literal(Value::text(value)), ty: Type::Text }
}

fn me() -> Expr {
    Expr { kind: ExprKind::Me, ty: Type::Actor(SHOPPER) }
}

fn compare(operator: Operator, left: Expr, right: Expr) -> Expr {
    Expr { kind: ExprKind::Compare(operator, Box::new(left), Box::new(right)), ty: Type::Bool }
}

fn arithmetic(operator: Operator, left: Expr, right: Expr, ty: Type) -> Expr {
    Expr { kind: ExprKind::Arithmetic(operator, Box::new(left), Box::new(right)), ty }
}
