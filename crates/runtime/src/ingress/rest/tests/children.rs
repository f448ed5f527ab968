//! Owned children: written, kept, replaced and deleted with their root.

use super::world::{Answer, World};
use expect_test::expect;

/// Id, price, quantity and amount of each line.
fn lines(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let json = answer.json();
    let lines = json["lines"].as_array().expect("lines").iter().map(|line| {
        let id = line["id"].as_str().expect("an id");
        let (price, amount) = (&line["price"]["amount"], &line["amount"]["amount"]);
        format!("{} {price} {} {amount}", &id[34..], line["quantity"])
    });
    let lines: Vec<String> = lines.collect();
    format!("{} | total {}", lines.join(" | "), json["total"]["amount"])
}

#[tokio::test]
async fn a_child_that_stays_keeps_what_was_copied() {
    let world = World::new();
    let (lamp, chair) =
        (world.product("lamp", "2", 9).await, world.product("chair", "10", 9).await);
    let order = world.order(&lamp).await;
    let row = format!("/v1/orders/{order}");
    let first = world.ask(&format!("alice GET {row}"), "").await;
    let line = first.json()["lines"][0]["id"].as_str().unwrap().to_owned();
    // The price rises: what was ordered keeps its own.
    let dearer = r#"{"price":{"amount":"3","currency":"EUR"}}"#;
    assert_eq!(world.ask(&format!("manager PATCH /v1/products/{lamp}"), dearer).await.status, 200);
    let mut shown = vec![lines(&first)];
    for body in [
        r#"{"note":"nothing of the lines"}"#.to_owned(),
        format!(r#"{{"lines":[{{"id":"{line}","product":"{lamp}","quantity":5}}]}}"#),
        format!(
            r#"{{"lines":[{{"product":"{chair}","quantity":1}},{{"id":"{line}","product":"{lamp}","quantity":5}}]}}"#
        ),
        format!(r#"{{"lines":[{{"id":"{line}","product":"{chair}","quantity":5}}]}}"#),
        format!(r#"{{"lines":[{{"product":"{lamp}","quantity":1}}]}}"#),
    ] {
        shown.push(lines(&world.ask(&format!("alice PATCH {row}"), &body).await));
    }
    let put = format!(r#"{{"lines":[{{"product":"{chair}","quantity":2}}]}}"#);
    let put = world.ask(&format!("alice PUT {row}"), &put).await;
    assert_eq!(put.json()["note"], serde_json::Value::Null, "PUT replaces the whole");
    shown.push(lines(&put));
    let read = world.ask(&format!("alice GET {row}"), "").await;
    assert_eq!(read.body, put.body);
    expect![[r#"
        03 "2.00" 2 "4.00" | total "4.00"
        03 "2.00" 2 "4.00" | total "4.00"
        03 "2.00" 5 "10.00" | total "10.00"
        04 "10.00" 1 "10.00" | 03 "2.00" 5 "10.00" | total "20.00"
        03 "10.00" 5 "50.00" | total "50.00"
        05 "3.00" 1 "3.00" | total "3.00"
        06 "10.00" 2 "20.00" | total "20.00""#]]
    .assert_eq(&shown.join("\n"));
}

#[tokio::test]
async fn faults_of_children_are_told_at_their_place() {
    let world = World::new();
    let lamp = world.product("lamp", "2", 9).await;
    let order = world.order(&lamp).await;
    let row = format!("/v1/orders/{order}");
    let line = world.ask(&format!("alice GET {row}"), "").await;
    let line = line.json()["lines"][0]["id"].as_str().unwrap().to_owned();
    let none = "0190a5c4-0000-7000-8000-000000000001";
    let ok = format!(r#"{{"product":"{lamp}","quantity":1}}"#);
    let mut shown = Vec::new();
    for (line_of, body) in [
        ("POST /v1/orders", "{}".to_owned()),
        ("POST /v1/orders", r#"{"lines":[]}"#.to_owned()),
        ("POST /v1/orders", r#"{"lines":{}}"#.to_owned()),
        ("POST /v1/orders", format!(r#"{{"lines":[{}]}}"#, vec![ok.as_str(); 51].join(","))),
        ("POST /v1/orders", format!(r#"{{"lines":[{ok},7,{{"quantity":0}},{{"product":"x"}}]}}"#)),
        (
            "POST /v1/orders",
            format!(r#"{{"lines":[{{"id":"{none}","product":"{lamp}","quantity":1}}]}}"#),
        ),
        ("POST /v1/orders", format!(r#"{{"lines":[{ok},{{"product":"{none}","quantity":1}}]}}"#)),
        (
            "POST /v1/orders",
            format!(
                r#"{{"total":1,"shopper":"bob","status":"paid","lines":[{{"product":"{lamp}","quantity":1,"price":1,"amount":2,"x":3}}]}}"#
            ),
        ),
        ("PATCH", format!(r#"{{"lines":[{{"id":"{none}","product":"{lamp}","quantity":1}}]}}"#)),
        ("PATCH", format!(r#"{{"lines":[{{"id":7,"product":"{lamp}","quantity":1}}]}}"#)),
        ("PATCH", format!(r#"{{"lines":[{{"id":"{line}"}}]}}"#)),
        (
            "PATCH",
            format!(
                r#"{{"lines":[{{"id":"{line}","product":"{lamp}","quantity":1}},{{"id":"{line}","product":"{lamp}","quantity":1}}]}}"#
            ),
        ),
        ("PATCH", r#"{"lines":null}"#.to_owned()),
    ] {
        let target = if line_of == "PATCH" { format!("PATCH {row}") } else { line_of.to_owned() };
        let answer = world.ask(&format!("alice {target}"), &body).await;
        shown.push(answer.show());
    }
    expect![[r#"
        422
        invalid-value
          /lines: is required
        422
        invalid-value
          /lines: must have at least 1 element
        422
        invalid-value
          /lines: must be an array, not an object
        422
        invalid-value
          /lines: must have at most 50 elements
        422
        invalid-value
          /lines/1: must be an object, not a number
          /lines/2/quantity: must be at least 1
          /lines/2/product: is required
          /lines/3/product: must be a UUID
          /lines/3/quantity: is required
        400
        read-only-member
          /lines/0/id: is set by the server
        422
        unknown-reference
          /lines/1/product: there is no such `Product`, or you may not see it
        400
        read-only-member
          /total: is computed
          /shopper: is the caller, and cannot be set
          /status: is changed by commands alone
          /lines/0/price: is copied through a reference
          /lines/0/amount: is computed
          /lines/0/x: `x` is no member of this body (unknown-member)
        422
        invalid-value
          /lines/0/id: is the id of no element that is there; leave it out of a new one
        422
        invalid-value
          /lines/0/id: is the id of no element that is there; leave it out of a new one
        422
        invalid-value
          /lines/0/product: is required
          /lines/0/quantity: is required
        422
        invalid-value
          /lines/1/id: stands twice
        422
        invalid-value
          /lines: must be an array, not null"#]]
    .assert_eq(&shown.join("\n"));
}

#[tokio::test]
async fn a_reference_that_the_caller_may_not_follow_leads_nowhere() {
    let world = World::new();
    // A product of another tenant.
    let body = r#"{"sku":"x","name":"n","price":{"amount":"1","currency":"EUR"}}"#;
    let theirs = world.ask("rival POST /v1/products", body).await.id();
    let body = format!(r#"{{"lines":[{{"product":"{theirs}","quantity":1}}]}}"#);
    let made = world.ask("alice POST /v1/orders", &body).await;
    expect![[r#"
        422
        unknown-reference
          /lines/0/product: there is no such `Product`, or you may not see it"#]]
    .assert_eq(&made.show());
    // A product that goes is still named by the orders that have it, and they can be changed.
    let lamp = world.product("lamp", "2", 9).await;
    let order = world.order(&lamp).await;
    assert_eq!(world.ask(&format!("manager DELETE /v1/products/{lamp}"), "").await.status, 204);
    let row = format!("alice PATCH /v1/orders/{order}");
    let changed = world.ask(&row, r#"{"note":"still here"}"#).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let line = changed.json()["lines"][0]["id"].as_str().unwrap().to_owned();
    let body = format!(r#"{{"lines":[{{"id":"{line}","product":"{lamp}","quantity":3}}]}}"#);
    assert_eq!(world.ask(&row, &body).await.status, 200, "a child that stays is not asked for");
}
