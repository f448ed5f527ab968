//! Who may do what, and who may know why.

use super::world::World;
use expect_test::expect;

#[tokio::test]
async fn rows_of_others_are_not_there() {
    let world = World::new();
    let product = world.product("a-1", "2", 3).await;
    let order = world.order(&product).await;
    let row = format!("/v1/orders/{order}");
    let mut shown = Vec::new();
    for (line, body) in [
        (format!("alice GET {row}"), ""),
        (format!("bob GET {row}"), ""),
        (format!("eve GET {row}"), ""),
        (format!("picker GET {row}"), ""),
        (format!("partner GET {row}"), ""),
        (format!("system GET {row}"), ""),
        (format!("bob PATCH {row}"), r#"{"note":"mine"}"#),
        (format!("eve PATCH {row}"), r#"{"note":"mine"}"#),
        (format!("picker PATCH {row}"), r#"{"note":"mine"}"#),
        (format!("bob POST {row}/place"), ""),
        (format!("picker POST {row}/place"), ""),
        (format!("picker POST {row}/cancel"), ""),
        ("picker POST /v1/orders".to_owned(), r#"{"lines":[]}"#),
        ("alice GET /v1/coupons".to_owned(), ""),
        ("nobody GET /v1/orders".to_owned(), ""),
    ] {
        let answer = world.ask(&line, body).await;
        let line = line.replace(&order, "ORDER");
        let text = if answer.status < 300 { answer.status.to_string() } else { answer.show() };
        shown.push(format!("{line}: {}", text.replace('\n', " | ")));
    }
    expect![[r#"
        alice GET /v1/orders/ORDER: 200
        bob GET /v1/orders/ORDER: 404 | not-found
        eve GET /v1/orders/ORDER: 404 | not-found
        picker GET /v1/orders/ORDER: 200
        partner GET /v1/orders/ORDER: 200
        system GET /v1/orders/ORDER: 200
        bob PATCH /v1/orders/ORDER: 404 | not-found
        eve PATCH /v1/orders/ORDER: 404 | not-found
        picker PATCH /v1/orders/ORDER: 403 | forbidden: only `shopper when own && status == draft` may change this `Order` |   rules = ["shopper when own && status == draft"]
        bob POST /v1/orders/ORDER/place: 404 | not-found
        picker POST /v1/orders/ORDER/place: 403 | forbidden: only `shopper when own` may `place` this `Order` |   rules = ["shopper when own"]
        picker POST /v1/orders/ORDER/cancel: 403 | forbidden: only `shopper when own`, `staff.manager` or `system` may `cancel` this `Order` |   rules = ["shopper when own","staff.manager","system"]
        picker POST /v1/orders: 403 | forbidden: only `shopper` may create this `Order` |   rules = ["shopper"]
        alice GET /v1/coupons: 403 | forbidden: only `staff` may list `Coupon` |   rules = ["staff"]
        nobody GET /v1/orders: 401 | www-authenticate: Bearer | unauthenticated"#]].assert_eq(&shown.join("\n"));
    let count = async |who: &str| {
        let list = world.ask(&format!("{who} GET /v1/orders"), "").await;
        list.json()["items"].as_array().map_or(0, Vec::len)
    };
    let counts = [
        count("alice").await,
        count("bob").await,
        count("eve").await,
        count("picker").await,
        count("rival").await,
    ];
    assert_eq!(counts, [1, 0, 0, 1, 0]);
}

#[tokio::test]
async fn a_field_with_a_rule_of_its_own_is_kept_from_others() {
    let world = World::new();
    let product = world.product("a-1", "2", 3).await;
    let row = format!("/v1/products/{product}");
    let cost = r#"{"cost":{"amount":"1.10","currency":"EUR"}}"#;
    assert_eq!(world.ask(&format!("manager PATCH {row}"), cost).await.status, 200);
    let manager = world.ask(&format!("manager GET {row}"), "").await;
    assert_eq!(manager.json()["cost"]["amount"], "1.10");
    for who in ["alice", "picker", "partner"] {
        let read = world.ask(&format!("{who} GET {row}"), "").await;
        assert!(read.json().get("cost").is_none(), "{who}: {}", read.body);
        for query in ["cost.gt=1", "cost.null=true", "sort=cost"] {
            let list = world.ask(&format!("{who} GET /v1/products?{query}"), "").await;
            assert_eq!(list.status, 400, "{who} {query}: {}", list.body);
        }
    }
    let list = world.ask("manager GET /v1/products?cost.gt=1&sort=-cost", "").await;
    assert_eq!(list.json()["items"].as_array().unwrap().len(), 1);
    // Whoever replaces the row without a field it may not see keeps it.
    let secret = world.ask(&format!("manager GET {row}?fields=door_code"), "").await;
    assert_eq!(secret.status, 400);
}

#[tokio::test]
async fn a_secret_is_taken_and_never_shown() {
    let world = World::new();
    let room = world.ask("manager POST /v1/rooms", r#"{"name":"Blue"}"#).await.id();
    let body = format!(
        r#"{{"room":"{room}","door_code":"4711","during":{{"start":"2030-01-01T10:00:00Z","end":"2030-01-01T11:00:00Z"}}}}"#
    );
    let made = world.send("alice POST /v1/bookings", &["idempotency-key: 1"], &body).await;
    let row = format!("/v1/bookings/{}", made.id());
    let read = world.ask(&format!("alice GET {row}"), "").await;
    let list = world.ask("alice GET /v1/bookings", "").await;
    for answer in [&made, &read, &list] {
        assert!(answer.status < 300 && !answer.body.contains("4711"), "{}", answer.body);
        assert!(!answer.body.contains("door_code"), "{}", answer.body);
    }
    for query in ["door_code=4711", "sort=door_code", "fields=door_code"] {
        assert_eq!(world.ask(&format!("alice GET /v1/bookings?{query}"), "").await.status, 400);
    }
}

#[tokio::test]
async fn a_rule_must_hold_before_and_after_a_change() {
    let world = World::new();
    let room = world.ask("manager POST /v1/rooms", r#"{"name":"Blue"}"#).await.id();
    let body = format!(
        r#"{{"room":"{room}","guest":"bob","during":{{"start":"2030-01-01T10:00:00Z","end":"2030-01-01T11:00:00Z"}}}}"#
    );
    let key = ["idempotency-key: 1"];
    let mine = world.send("alice POST /v1/bookings", &key, &body).await;
    assert_eq!(mine.body, "read-only-member\n  /guest: is the caller, and cannot be set");
    let made = world.send("manager POST /v1/bookings", &key, &body).await;
    assert_eq!((made.status, &made.json()["guest"]), (201, &"bob".into()));
    let without = body.replace("\"guest\":\"bob\",", "");
    let without = world.send("manager POST /v1/bookings", &["idempotency-key: 2"], &without).await;
    assert_eq!(without.show(), "422\ninvalid-value\n  /guest: is required");
    let row = format!("manager PATCH /v1/bookings/{}", made.id());
    let given = world.send(&row, &["idempotency-key: 3"], r#"{"guest":"alice"}"#).await;
    assert_eq!(given.json()["guest"], "alice");
    let read = world.ask(&format!("bob GET /v1/bookings/{}", made.id()), "").await;
    assert_eq!(read.status, 404, "it is not bob's any more");
}

#[tokio::test]
async fn the_system_reads_what_no_rule_lists_it_for_and_is_told_so() {
    let world = World::new();
    let product = world.product("a-1", "2", 3).await;
    let order = world.order(&product).await;
    for (path, row, resource) in
        [("/v1/products", product, "Product"), ("/v1/orders", order, "Order")]
    {
        for (template, path, id) in [
            (path.to_owned(), path.to_owned(), String::new()),
            (format!("{path}/%7Bid%7D"), format!("{path}/{row}"), format!("&id={row}")),
        ] {
            let asked = format!("/v1/explain?operation=GET%20{template}%20{resource}{id}");
            let told = world.ask(&format!("system GET {asked}"), "").await.json();
            assert_eq!(told["decision"], "allowed", "{path}: {told}");
            let rule = serde_json::json!({"rule": "system reads every row", "result": "allows"});
            assert_eq!(told["rules"][0], rule, "{path}");
            let read = world.ask(&format!("system GET {path}"), "").await;
            assert_eq!(read.status, 200, "{path}");
        }
        let change = format!("PATCH%20{path}/%7Bid%7D%20{resource}&id={row}");
        let told = world.ask(&format!("system GET /v1/explain?operation={change}"), "").await;
        assert_eq!(told.json()["decision"], "denied", "{}", told.body);
        let changed = world.ask(&format!("system PATCH {path}/{row}"), "{}").await;
        assert_eq!(changed.status, 403, "{}", changed.body);
    }
}

#[tokio::test]
async fn a_path_that_redirects_is_explained_as_it_is_followed() {
    let world = World::new();
    let made = r#"{"code":"abc","target":"https://a.example/"}"#;
    let coupon = world.ask("manager POST /v1/coupons", made).await.id();
    let open = "GET%20/c/%7Bcode%7D%20Coupon";
    let shown = "GET%20/coupon-of/%7Bcode%7D%20Coupon";
    let mut told = Vec::new();
    for (line, path) in [
        (format!("alice GET /v1/explain?operation={open}"), "/c/abc"),
        (format!("manager GET /v1/explain?operation={open}&id={coupon}"), "/c/abc"),
        (format!("alice GET /v1/explain?operation={shown}"), "/coupon-of/abc"),
        (format!("manager GET /v1/explain?operation={shown}&id={coupon}"), "/coupon-of/abc"),
        (format!("system GET /v1/explain?operation={shown}&id={coupon}"), "/coupon-of/abc"),
    ] {
        let (who, _) = line.split_once(' ').unwrap();
        let answer = world.ask(&line, "").await.json();
        let read = world.ask(&format!("{who} GET {path}"), "").await;
        let (decision, rules) = (&answer["decision"], &answer["rules"]);
        told.push(format!("{who} {path} {}: {decision} {rules}", read.status));
    }
    expect![[r#"
        alice /c/abc 302: "depends_on_row" [{"result":"depends_on_row","rule":"anyone follows the path"}]
        manager /c/abc 302: "allowed" [{"result":"allows","rule":"anyone follows the path"}]
        alice /coupon-of/abc 404: "denied" [{"result":"other_caller","rule":"staff"}]
        manager /coupon-of/abc 200: "allowed" [{"result":"allows","rule":"staff"}]
        system /coupon-of/abc 200: "allowed" [{"result":"allows","rule":"system reads every row"},{"result":"other_caller","rule":"staff"}]"#]].assert_eq(&told.join("\n"));
}

#[tokio::test]
async fn rules_are_explained_to_whom_they_concern() {
    let world = World::new();
    let product = world.product("a-1", "2", 3).await;
    let order = world.order(&product).await;
    let mut shown = Vec::new();
    let patch = "PATCH%20/v1/orders/%7Bid%7D%20Order";
    let place = "POST%20/v1/orders/%7Bid%7D/place%20Order";
    let pay = "POST%20/v1/orders/%7Bid%7D/pay%20Order";
    for line in [
        format!("alice GET /v1/explain?operation={patch}&id={order}"),
        format!("picker GET /v1/explain?operation={patch}&id={order}"),
        format!("alice GET /v1/explain?operation={patch}"),
        format!("bob GET /v1/explain?operation={place}&id={order}"),
        format!("alice GET /v1/explain?operation={pay}&id={order}"),
        format!("system GET /v1/explain?operation={pay}&id={order}"),
        format!("nobody GET /v1/explain?operation={patch}"),
        "alice GET /v1/explain".to_owned(),
        "alice GET /v1/explain?operation=nothing".to_owned(),
        "alice GET /v1/explain?operation=nothing&x=1".to_owned(),
        "alice POST /v1/explain".to_owned(),
    ] {
        let answer = world.ask(&line, "").await;
        shown.push(format!("{}: {}", line.replace(&order, "ORDER"), answer.show()));
    }
    expect![[r#"
        alice GET /v1/explain?operation=PATCH%20/v1/orders/%7Bid%7D%20Order&id=ORDER: 200
        {"operation":"PATCH /v1/orders/{id} Order","decision":"allowed","rules":[{"rule":"shopper when own && status == draft","result":"allows"}]}
        picker GET /v1/explain?operation=PATCH%20/v1/orders/%7Bid%7D%20Order&id=ORDER: 200
        {"operation":"PATCH /v1/orders/{id} Order","decision":"denied","rules":[{"rule":"shopper when own && status == draft","result":"other_caller"}]}
        alice GET /v1/explain?operation=PATCH%20/v1/orders/%7Bid%7D%20Order: 200
        {"operation":"PATCH /v1/orders/{id} Order","decision":"depends_on_row","rules":[{"rule":"shopper when own && status == draft","result":"depends_on_row"}]}
        bob GET /v1/explain?operation=POST%20/v1/orders/%7Bid%7D/place%20Order&id=ORDER: 404
        not-found
        alice GET /v1/explain?operation=POST%20/v1/orders/%7Bid%7D/pay%20Order&id=ORDER: 400
        invalid-parameter
          ?operation: is the id of no operation
        system GET /v1/explain?operation=POST%20/v1/orders/%7Bid%7D/pay%20Order&id=ORDER: 200
        {"operation":"POST /v1/orders/{id}/pay Order","decision":"allowed","rules":[{"rule":"system","result":"allows"}]}
        nobody GET /v1/explain?operation=PATCH%20/v1/orders/%7Bid%7D%20Order: 401
        www-authenticate: Bearer
        unauthenticated
        alice GET /v1/explain: 400
        invalid-parameter
          ?operation: is required: the id of an operation
        alice GET /v1/explain?operation=nothing: 400
        invalid-parameter
          ?operation: is the id of no operation
        alice GET /v1/explain?operation=nothing&x=1: 400
        unknown-parameter
          ?x: is no parameter of this operation
        alice POST /v1/explain: 405
        allow: GET, HEAD
        method-not-allowed"#]].assert_eq(&shown.join("\n"));
}

#[tokio::test]
async fn who_may_not_ask_is_told_before_the_body_is_read() {
    let world = World::new();
    let order = "/v1/orders/01890a5d-ac96-774b-bcce-b302099a8057";
    for (line, wanted) in [
        ("nobody POST /v1/nothing", Some(404)),
        ("alice POST /v1/nothing", Some(404)),
        ("alice DELETE /v1/orders", Some(405)),
        ("nobody POST /v1/orders", Some(401)),
        ("nobody POST /v1/batch", Some(401)),
        ("alice POST /v1/orders", None),
        (&format!("alice PATCH {order}"), None),
    ] {
        let status = world.turned_away(line).await.map(|answer| answer.status);
        assert_eq!(status, wanted, "{line}");
    }
}

#[tokio::test]
async fn a_call_without_a_tenant_is_told_how_to_name_one() {
    let answer = World::new().ask("nobody GET /v1/products", "").await;
    expect![[r#"
        401
        www-authenticate: Bearer
        tenant-unknown: no tenant is named: a token does it with the claim `org`, or without a token the host `{tenant}.shop.example`"#]]
    .assert_eq(&answer.show());
}

#[tokio::test]
async fn a_tenant_without_a_place_of_its_own_begins_with_a_caller_who_is_known() {
    let world = World::open();
    let host = ["host: acme"];
    let body = |code: &str| format!(r#"{{"code":"{code}","target":"https://a.example/"}}"#);
    world.tenants_are_new(true);
    let refused = world.send("nobody POST /v1/coupons", &host, &body("one")).await;
    expect![[r#"
        401
        www-authenticate: Bearer
        tenant-unknown: there is no such tenant yet: its first row comes from a caller with a token"#]]
    .assert_eq(&refused.show());
    let staff = world.ask("picker POST /v1/coupons", &body("two")).await;
    assert_eq!(staff.status, 201, "{}", staff.body);
    world.tenants_are_new(false);
    let then = world.send("nobody POST /v1/coupons", &host, &body("one")).await;
    assert_eq!(then.status, 201, "{}", then.body);
}
