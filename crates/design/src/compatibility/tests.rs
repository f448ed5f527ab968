//! Each change of a model, and what consumers notice of it.

use super::{Incompatibility, incompatibilities};
use crate::lower::fixture::{field, resource, shop};
use ir::domain::{Domain, Event, EventMember, Field, FieldId, Kind, ResourceId};
use ir::expr::{FieldRef, Implicit, Type};
use ir::model::FieldType;
use ir::value::Value;

const ORDER: usize = 1;
const LINE: usize = 2;

/// `order.placed: { data: [id, shopper, lines, total, status] }`
fn placed() -> Domain {
    let (_, mut domain) = shop();
    let member = |name: &str, field, ty| EventMember {
        name: name.to_owned(),
        field,
        ty,
        optional: false,
        default: None,
    };
    let of = |name: &str, at| member(name, FieldRef::Field(FieldId(at)), Type::Json);
    let id = member("id", FieldRef::Implicit(Implicit::Id), Type::Uuid);
    domain.events = vec![Event {
        name: "order.placed".to_owned(),
        emitters: vec![ResourceId(1)],
        data: vec![id, of("shopper", 0), of("lines", 1), of("total", 2), of("status", 4)],
        webhook: Vec::new(),
        declared: true,
        version: 1,
        older: Vec::new(),
        inbound: None,
    }];
    domain
}

/// What consumers notice of a change.
fn noticed(change: impl FnOnce(&mut Domain)) -> Vec<String> {
    let (old, mut new) = (placed(), placed());
    change(&mut new);
    told(&incompatibilities(&old, &new))
}

fn told(found: &[Incompatibility]) -> Vec<String> {
    found.iter().map(|one| format!("{} {}: {}", one.event, one.at, one.reason)).collect()
}

/// What consumers notice where a field of a line was one and is another.
fn line(was: Field, now: Field) -> Vec<String> {
    let (mut old, mut new) = (placed(), placed());
    old.resources[LINE].fields.push(was);
    new.resources[LINE].fields.push(now);
    told(&incompatibilities(&old, &new))
}

fn text(max: i64) -> Field {
    Field { max: Some(Value::Int(max)), ..field("extra", FieldType::String) }
}

fn names(of: &[&str]) -> Field {
    let values = of.iter().map(|name| (*name).to_owned()).collect();
    Field { kind: Kind::Enum(values), ..field("extra", FieldType::Enum(Vec::new())) }
}

#[test]
fn the_same_model_is_compatible_with_itself() {
    assert_eq!(noticed(|_| {}), Vec::<String>::new());
}

#[test]
fn more_events_and_more_members_are_nothing_that_anybody_waits_for() {
    let more = noticed(|domain| {
        let mut other = domain.events[0].clone();
        other.name = "order.paid".to_owned();
        domain.events.push(other);
        domain.resources[LINE].fields.push(field("extra", FieldType::String));
        let extra = EventMember { name: "note".to_owned(), ..domain.events[0].data[1].clone() };
        domain.events[0].data.push(extra);
    });
    assert_eq!(more, Vec::<String>::new());
}

#[test]
fn an_event_that_goes_is_noticed() {
    let gone = noticed(|domain| domain.events.clear());
    assert_eq!(gone, ["order.placed : is gone: who waits for it waits for ever"]);
}

#[test]
fn a_member_that_goes_is_noticed_in_owned_rows_too() {
    let gone = noticed(|domain| {
        domain.events[0].data.remove(1);
        domain.resources[LINE].fields.remove(1);
    });
    assert_eq!(
        gone,
        ["order.placed data.shopper: is gone", "order.placed data.lines.price: is gone",]
    );
}

#[test]
fn a_secret_of_an_owned_row_has_gone_from_it() {
    let gone = noticed(|domain| domain.resources[LINE].fields[2].secret = true);
    assert_eq!(gone, ["order.placed data.lines.quantity: is gone"]);
}

#[test]
fn what_may_be_null_or_left_out_is_noticed_once() {
    let found = noticed(|domain| {
        domain.events[0].data[3].optional = true;
        domain.resources[ORDER].fields[2].optional = true;
        domain.resources[LINE].fields[1].optional = true;
        domain.resources[ORDER].fields[0].personal = true;
        domain.resources[ORDER].fields[4].read = Some(Vec::new());
    });
    assert_eq!(
        found,
        [
            "order.placed data.shopper: is left out where a person was erased",
            "order.placed data.lines.price: may be null",
            "order.placed data.total: may be null",
            "order.placed data.status: is left out for those who may not read it",
        ]
    );
}

#[test]
fn names_may_go_and_not_come() {
    let none = Vec::<String>::new();
    assert_eq!(line(names(&["a", "b"]), names(&["a"])), none);
    let more = line(names(&["a"]), names(&["a", "b", "c"]));
    assert_eq!(more, ["order.placed data.lines.extra: may be `b` or `c`"]);
    assert_eq!(line(field("extra", FieldType::Text), names(&["a"])), none);
    let free = line(names(&["a"]), field("extra", FieldType::Text));
    assert_eq!(free, ["order.placed data.lines.extra: is of another type"]);
}

#[test]
fn bounds_may_narrow_and_not_widen() {
    let none = Vec::<String>::new();
    assert_eq!(line(text(40), text(20)), none);
    assert_eq!(line(field("extra", FieldType::String), text(20)), none);
    let longer = ["order.placed data.lines.extra: may be more, or longer, than before"];
    assert_eq!(line(text(40), text(41)), longer);
    assert_eq!(line(text(40), field("extra", FieldType::String)), longer);
    let least = |least| Field { min: Some(Value::Int(least)), ..field("extra", FieldType::Int) };
    assert_eq!(line(least(1), least(2)), none);
    let less = ["order.placed data.lines.extra: may be less, or shorter, than before"];
    assert_eq!(line(least(1), least(0)), less);
    let dear = |units, scale| Field {
        max: Some(Value::Decimal { units, scale }),
        ..field("extra", FieldType::Decimal { precision: 9, scale: 2 })
    };
    assert_eq!(line(dear(10, 1), dear(100, 2)), none, "1.0 is 1.00");
    assert_eq!(line(dear(10, 1), dear(101, 2)), longer);
    let pattern = |pattern: &str| Field { pattern: Some(pattern.to_owned()), ..text(9) };
    assert_eq!(line(text(9), pattern("[a-z]+")), none);
    let other = ["order.placed data.lines.extra: is of another pattern"];
    assert_eq!(line(pattern("[a-z]+"), pattern("[a-z0-9]+")), other);
}

#[test]
fn types_may_narrow_and_not_change() {
    let of = |declared: &FieldType| field("extra", declared.clone());
    let other = ["order.placed data.lines.extra: is of another type"];
    let euro = || FieldType::Money { currency: Some("EUR".to_owned()) };
    let any = || FieldType::Money { currency: None };
    let decimal = |precision, scale| FieldType::Decimal { precision, scale };
    let list = |of| FieldType::List(Box::new(of));
    let one_way = [
        (any(), euro()),
        (FieldType::Text, FieldType::Email),
        (FieldType::String, FieldType::Uuid),
        (FieldType::Int, FieldType::Counter),
        (FieldType::Json, FieldType::Bool),
        (decimal(9, 2), decimal(8, 2)),
        (decimal(9, 2), decimal(8, 1)),
        (list(any()), list(euro())),
    ];
    for (wide, narrow) in one_way {
        assert_eq!(line(of(&wide), of(&narrow)), Vec::<String>::new(), "{wide:?} to {narrow:?}");
        assert_eq!(line(of(&narrow), of(&wide)), other, "{narrow:?} to {wide:?}");
    }
    for (was, now) in [(FieldType::Int, FieldType::Bool), (decimal(9, 2), decimal(9, 1))] {
        assert_eq!(line(of(&was), of(&now)), other, "{was:?} to {now:?}");
    }
}

#[test]
fn where_an_event_comes_from_and_what_it_is_about_is_noticed() {
    let moved = noticed(|domain| domain.contexts[1].name = "sales".to_owned());
    assert_eq!(moved, ["order.placed source: may be `/shop/sales`"]);
    let renamed = noticed(|domain| domain.resources[ORDER].path = "purchases".to_owned());
    assert_eq!(renamed, ["order.placed subject: may be `purchases`"]);
    let alone = noticed(|domain| domain.tenancy = None);
    assert_eq!(alone, ["order.placed tenant: is not in every event any more"]);
}

#[test]
fn another_emitter_is_held_to_what_the_first_one_sent() {
    let found = noticed(|domain| {
        let mut other = resource("Return", 1, "returns");
        let hidden = Field { secret: true, ..field("shopper", FieldType::String) };
        other.fields = vec![field("total", FieldType::Int), hidden];
        domain.resources.push(other);
        domain.events[0].emitters.push(ResourceId(3));
    });
    assert_eq!(
        found,
        [
            "order.placed subject: may be `returns`",
            "order.placed data.shopper: is left out where `Return` emits it",
            "order.placed data.total: is of another type",
        ]
    );
}
