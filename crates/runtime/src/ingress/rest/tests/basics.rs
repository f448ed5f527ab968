//! The plain life of rows.

use super::world::World;
use expect_test::expect;

#[tokio::test]
async fn a_row_is_made_read_changed_replaced_and_deleted() {
    let world = World::new();
    let body = r#"{"sku":"a-1","name":"Lamp \"é\"","price":{"amount":"12.50","currency":"EUR"}}"#;
    let made = world.ask("manager POST /v1/products", body).await;
    expect![[r#"
        201
        location: /v1/products/01b8dac5-b400-7000-8000-000000000000
        etag: "1.65c97750585f7956"
        {"id":"01b8dac5-b400-7000-8000-000000000000","sku":"a-1","name":"Lamp \"é\"","price":{"amount":"12.50","currency":"EUR"},"stock":0,"cost":null,"created_at":"2030-01-01T00:00:00Z","updated_at":"2030-01-01T00:00:00Z"}"#]].assert_eq(&made.show());
    let row = format!("/v1/products/{}", made.id());
    assert_eq!(made.header("location"), row);
    let read = world.ask(&format!("nobody GET {row}"), "").await;
    assert_eq!(read.status, 401, "a tenant is needed");
    let read = world.send(&format!("nobody GET {row}"), &["host: acme"], "").await;
    expect![[r#"
        200
        etag: "1.41d4c9cb5d920bd6"
        {"id":"01b8dac5-b400-7000-8000-000000000000","sku":"a-1","name":"Lamp \"é\"","price":{"amount":"12.50","currency":"EUR"},"stock":0,"created_at":"2030-01-01T00:00:00Z","updated_at":"2030-01-01T00:00:00Z"}"#]].assert_eq(&read.show());
    world.pass(1_500_000);
    let patch = r#"{"stock":5,"price":{"amount":"13","currency":"EUR"}}"#;
    let changed = world.ask(&format!("manager PATCH {row}"), patch).await;
    expect![[r#"
        200
        etag: "2.279c0a577e1f6301"
        {"id":"01b8dac5-b400-7000-8000-000000000000","sku":"a-1","name":"Lamp \"é\"","price":{"amount":"13.00","currency":"EUR"},"stock":5,"cost":null,"created_at":"2030-01-01T00:00:00Z","updated_at":"2030-01-01T00:00:01.500000Z"}"#]].assert_eq(&changed.show());
    let put = r#"{"sku":"a-2","name":"Lamp","price":{"amount":"1","currency":"EUR"}}"#;
    let replaced = world.ask(&format!("manager PUT {row}"), put).await;
    expect![[r#"
        200
        etag: "3.0f78659f4b45aa09"
        {"id":"01b8dac5-b400-7000-8000-000000000000","sku":"a-2","name":"Lamp","price":{"amount":"1.00","currency":"EUR"},"stock":0,"cost":null,"created_at":"2030-01-01T00:00:00Z","updated_at":"2030-01-01T00:00:01.500000Z"}"#]].assert_eq(&replaced.show());
    let gone = world.ask(&format!("manager DELETE {row}"), "").await;
    assert_eq!(gone.show(), "204\n");
    let read = world.ask(&format!("manager GET {row}"), "").await;
    assert_eq!(read.show(), "404\nnot-found");
    let again = world.ask(&format!("manager DELETE {row}"), "").await;
    assert_eq!(again.status, 404);
}

#[tokio::test]
async fn an_order_is_filled_priced_and_walks_through_its_states() {
    let world = World::new();
    let product = world.product("a-1", "2.25", 10).await;
    let body = format!(
        r#"{{"note":"soon","lines":[{{"product":"{product}","quantity":3}},{{"product":"{product}","quantity":1}}]}}"#
    );
    let made = world.ask("alice POST /v1/orders", &body).await;
    expect![[r#"
        201
        location: /v1/orders/01b8dac5-b400-7001-8000-000000000001
        etag: "1.b56f0239fc23bbd8"
        {"id":"01b8dac5-b400-7001-8000-000000000001","shopper":"alice","lines":[{"id":"01b8dac5-b400-7002-8000-000000000002","product":"01b8dac5-b400-7000-8000-000000000000","price":{"amount":"2.25","currency":"EUR"},"quantity":3,"amount":{"amount":"6.75","currency":"EUR"}},{"id":"01b8dac5-b400-7003-8000-000000000003","product":"01b8dac5-b400-7000-8000-000000000000","price":{"amount":"2.25","currency":"EUR"},"quantity":1,"amount":{"amount":"2.25","currency":"EUR"}}],"total":{"amount":"9.00","currency":"EUR"},"note":"soon","status":"draft","created_at":"2030-01-01T00:00:00Z","updated_at":"2030-01-01T00:00:00Z"}"#]].assert_eq(&made.show());
    let row = format!("/v1/orders/{}", made.id());
    let placed = world.ask(&format!("alice POST {row}/place"), "").await;
    assert_eq!((placed.status, &placed.json()["status"]), (200, &"placed".into()));
    assert!(placed.header("etag").starts_with("\"2."), "{}", placed.header("etag"));
    let again = world.ask(&format!("alice POST {row}/place"), "{}").await;
    expect![[r#"
        409
        illegal-transition: `place` needs `status` to be `draft`, and it is `placed`
          allowed = ["paid","cancelled"]
          field = "status"
          from = "placed"
          to = "placed""#]]
    .assert_eq(&again.show());
    let denied = world.ask(&format!("alice POST {row}/pay"), "").await;
    assert_eq!(denied.show(), "404\nnot-found");
    let paid = world.ask(&format!("system POST {row}/pay"), "").await;
    assert_eq!((paid.status, &paid.json()["status"]), (200, &"paid".into()));
    let shipped = world.ask(&format!("picker POST {row}/ship"), "").await;
    assert_eq!((shipped.status, &shipped.json()["status"]), (200, &"shipped".into()));
    let late = world.ask(&format!("alice PATCH {row}"), r#"{"note":"late"}"#).await;
    expect![[r#"
        403
        forbidden: only `shopper when own && status == draft` may change this `Order`
          rules = ["shopper when own && status == draft"]"#]]
    .assert_eq(&late.show());
}

#[tokio::test]
async fn a_command_with_inputs_and_a_guard_changes_what_it_says() {
    let world = World::new();
    let product = world.product("a-1", "1", 3).await;
    let reserve = format!("system POST /v1/products/{product}/reserve");
    let done = world.ask(&reserve, r#"{"quantity":2}"#).await;
    assert_eq!((done.status, &done.json()["stock"]), (200, &1.into()));
    let mut shown = Vec::new();
    let bodies =
        [r#"{"quantity":2}"#, r#"{"quantity":0}"#, "{}", "", r#"{"quantity":1,"x":1}"#, "[]", "{"];
    for body in bodies {
        shown.push(world.ask(&reserve, body).await.show());
    }
    expect![[r#"
        409
        guard-failed: `stock >= quantity` does not hold
          condition = "stock >= quantity"
        422
        invalid-value
          /quantity: must be at least 1
        422
        invalid-value
          /quantity: is required
        422
        invalid-value
          /quantity: is required
        400
        unknown-member
          /x: `x` is no input of this command
        422
        invalid-value
          : must be an object, not an array
        400
        malformed-body: a member name in quotes was expected at byte 1"#]]
    .assert_eq(&shown.join("\n"));
}

#[tokio::test]
async fn paths_and_methods_are_answered_as_http_says() {
    let world = World::new();
    let mut shown = Vec::new();
    for line in [
        "manager GET /v1/nothing",
        "manager PUT /v1/products",
        "manager OPTIONS /v1/products",
        "manager TRACE /v1/products",
        "manager DELETE /v1/orders/0190a5c4-0000-7000-8000-000000000001",
        "manager GET /v1/products/17",
        "manager GET /v1/products/0190a5c4-0000-7000-8000-000000000001",
        "alice POST /v1/products/0190a5c4-0000-7000-8000-000000000001/reserve",
        "alice GET /v1/products/0190a5c4-0000-7000-8000-000000000001/reserve",
        "nobody POST /v1/orders",
        "nobody GET /v1/orders",
        "manager GET /v1/products?limit=1&limit=2",
        "manager GET /v1/products/0190a5c4-0000-7000-8000-000000000001?limit=1",
        "manager POST /v1/products?x=1",
    ] {
        shown.push(format!("{line}: {}", world.ask(line, "").await.show()));
    }
    expect![[r#"
        manager GET /v1/nothing: 404
        not-found
        manager PUT /v1/products: 405
        allow: GET, HEAD, POST
        method-not-allowed
        manager OPTIONS /v1/products: 204
        allow: GET, HEAD, POST

        manager TRACE /v1/products: 405
        allow: GET, HEAD, POST
        method-not-allowed
        manager DELETE /v1/orders/0190a5c4-0000-7000-8000-000000000001: 405
        allow: GET, HEAD, PUT, PATCH
        method-not-allowed
        manager GET /v1/products/17: 400
        invalid-parameter
          ?id: must be a UUID
        manager GET /v1/products/0190a5c4-0000-7000-8000-000000000001: 404
        not-found
        alice POST /v1/products/0190a5c4-0000-7000-8000-000000000001/reserve: 404
        not-found
        alice GET /v1/products/0190a5c4-0000-7000-8000-000000000001/reserve: 404
        not-found
        nobody POST /v1/orders: 401
        www-authenticate: Bearer
        unauthenticated
        nobody GET /v1/orders: 401
        www-authenticate: Bearer
        unauthenticated
        manager GET /v1/products?limit=1&limit=2: 400
        invalid-parameter
          ?limit: stands twice
        manager GET /v1/products/0190a5c4-0000-7000-8000-000000000001?limit=1: 400
        unknown-parameter
          ?limit: is no parameter of this operation
        manager POST /v1/products?x=1: 400
        unknown-parameter
          ?x: is no parameter of this operation"#]]
    .assert_eq(&shown.join("\n"));
}

#[tokio::test]
async fn forms_of_bodies_and_answers_are_negotiated() {
    let world = World::new();
    let product = world.product("a-1", "1", 3).await;
    let row = format!("/v1/products/{product}");
    let mut shown = Vec::new();
    for accept in
        ["", ",", "text/html", "application/json;q=0, */*", "application/*", "text/*, */*;q=0.1"]
    {
        let header = format!("accept: {accept}");
        let answer = world.send(&format!("manager GET {row}"), &[&header], "").await;
        shown.push(format!("{accept}: {}", answer.show().lines().next().unwrap()));
    }
    for version in ["v1", "v2"] {
        let header = format!("api-version: {version}");
        let answer = world.send(&format!("manager GET {row}"), &[&header], "").await;
        shown.push(format!("{version}: {}", answer.show().lines().next().unwrap()));
    }
    for (method, form) in [
        ("PATCH", "text/plain"),
        ("PATCH", "application/json"),
        ("PATCH", "application/json-patch+json"),
        ("PUT", "application/merge-patch+json"),
        ("PUT", "application/json; charset=latin1"),
    ] {
        let header = format!("content-type: {form}");
        let line = format!("manager {method} {row}");
        let answer = world.send(&line, &[&header], r#"{"stock":4}"#).await;
        let show = answer.show();
        shown.push(format!(
            "{method} {form}: {}",
            show.lines().take(3).collect::<Vec<_>>().join(" | ")
        ));
    }
    for coding in ["gzip", "identity, gzip", "Identity"] {
        let header = format!("content-encoding: {coding}");
        let line = format!("manager PUT {row}");
        let answer = world.send(&line, &[&header], r#"{"stock":4}"#).await;
        shown.push(format!("{coding}: {} {}", answer.status, answer.header("accept-encoding")));
    }
    expect![[r#"
        : 200
        ,: 200
        text/html: 406
        application/json;q=0, */*: 406
        application/*: 200
        text/*, */*;q=0.1: 200
        v1: 200
        v2: 406
        PATCH text/plain: 415 | accept-patch: application/merge-patch+json | unsupported-media-type: `application/merge-patch+json` in UTF-8 is taken here
        PATCH application/json: 200 | etag: "2.ebf3a5be4c137655" | {"id":"01b8dac5-b400-7000-8000-000000000000","sku":"a-1","name":"Thing a-1","price":{"amount":"1.00","currency":"EUR"},"stock":4,"cost":null,"created_at":"2030-01-01T00:00:00Z","updated_at":"2030-01-01T00:00:00Z"}
        PATCH application/json-patch+json: 415 | accept-patch: application/merge-patch+json | unsupported-media-type: `application/merge-patch+json` in UTF-8 is taken here
        PUT application/merge-patch+json: 415 | unsupported-media-type: `application/json` in UTF-8 is taken here |   @Content-Type: must be `application/json`
        PUT application/json; charset=latin1: 415 | unsupported-media-type: `application/json` in UTF-8 is taken here |   @Content-Type: must be `application/json`
        gzip: 415 identity
        identity, gzip: 415 identity
        Identity: 422 "#]].assert_eq(&shown.join("\n"));
    let line = format!("manager PATCH {row}");
    let quiet = world.send(&line, &["prefer: return=minimal"], r#"{"stock":9}"#).await;
    expect![[r#"
        204
        etag: "3.eeb0bf9386a71a42"
        preference-applied: return=minimal
    "#]]
    .assert_eq(&quiet.show());
    let head = world.ask(&format!("manager HEAD {row}"), "").await;
    assert_eq!(head.status, 200);
}

#[tokio::test]
async fn a_public_path_redirects_and_counts() {
    let world = World::new();
    let body = r#"{"code":"summer","target":"https://example.org/sale"}"#;
    let made = world.ask("manager POST /v1/coupons", body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let line = "nobody GET /c/summer";
    let found = world.send(line, &["host: acme"], "").await;
    expect![[r#"
        302
        location: https://example.org/sale
    "#]]
    .assert_eq(&found.show());
    let image = world.send(line, &["host: acme", "accept: image/webp"], "").await;
    assert_eq!(image.status, 302, "a redirect is followed whatever form is wanted behind it");
    let line = "nobody HEAD /c/summer";
    assert_eq!(world.send(line, &["host: acme"], "").await.status, 302);
    for line in ["nobody GET /c/winter", "nobody GET /c/a", "nobody GET /c/%00%ff"] {
        assert_eq!(world.send(line, &["host: acme"], "").await.show(), "404\nnot-found");
    }
    let other = world.send("nobody GET /c/summer", &["host: evil"], "").await;
    assert_eq!(other.status, 404, "another tenant has no such code");
    let hidden = world.send("nobody GET /coupon-of/summer", &["host: acme"], "").await;
    assert_eq!(hidden.status, 404, "who may not read it is not shown it");
    let shown = world.ask("manager GET /coupon-of/summer", "").await;
    assert_eq!(shown.status, 200, "{}", shown.body);
    let row = format!("manager PATCH /v1/coupons/{}", made.id());
    assert_eq!(world.ask(&row, r#"{"open":false}"#).await.status, 200);
    assert_eq!(world.send(line, &["host: acme"], "").await.status, 404, "the path's condition");
    tokio::time::sleep(std::time::Duration::from_millis(1_300)).await;
    let read = world.ask(&format!("manager GET /v1/coupons/{}", made.id()), "").await;
    assert_eq!(read.json()["hits"], 2, "HEAD is not counted");
}
