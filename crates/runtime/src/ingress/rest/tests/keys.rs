//! Idempotency keys: one effect for all calls with one key.

use super::world::World;
use expect_test::expect;

#[tokio::test]
async fn the_same_call_is_answered_from_what_was_kept() {
    let world = World::new();
    let product = world.product("a-1", "2", 3).await;
    let body = format!(r#"{{"lines":[{{"product":"{product}","quantity":1}}],"note":"x"}}"#);
    // The same meaning in another order of members.
    let other = format!(r#"{{ "note":"x", "lines":[ {{"quantity":1,"product":"{product}"}} ] }}"#);
    let key = ["idempotency-key: k-1"];
    let first = world.send("alice POST /v1/orders", &key, &body).await;
    expect![[r#"
        201
        location: /v1/orders/01b8dac5-b400-7001-8000-000000000001
        etag: "1.f27c57fc159ad7eb"
        idempotency-expires: Wed, 02 Jan 2030 00:00:00 GMT"#]]
    .assert_eq(first.show().rsplit_once('\n').unwrap().0);
    world.pass(60_000_000);
    let second = world.send("alice POST /v1/orders", &["idempotency-key: \"k-1\""], &other).await;
    expect![[r#"
        201
        location: /v1/orders/01b8dac5-b400-7001-8000-000000000001
        etag: "1.f27c57fc159ad7eb"
        idempotent-replayed: true
        idempotency-expires: Wed, 02 Jan 2030 00:00:00 GMT"#]]
    .assert_eq(second.show().rsplit_once('\n').unwrap().0);
    assert_eq!(second.body, first.body);
    let reused = body.replace("\"x\"", "\"y\"");
    let reused = world.send("alice POST /v1/orders", &key, &reused).await;
    assert_eq!(reused.show(), "422\nkey-reused");
    let list = world.ask("alice GET /v1/orders", "").await;
    assert_eq!(list.json()["items"].as_array().unwrap().len(), 1);
    // The key is the caller's, the tenant's, the path's and the method's own.
    assert_eq!(world.send("bob POST /v1/orders", &key, &body).await.status, 201);
    let place = format!("alice POST /v1/orders/{}/place", first.id());
    let placed = world.send(&place, &key, "").await;
    assert_eq!((placed.status, placed.header("idempotent-replayed")), (200, ""));
    let again = world.send(&place, &key, "").await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, "true"));
    assert_eq!(again.body, placed.body);
    assert_eq!(again.header("etag"), placed.header("etag"));
    // After a day the key is free again.
    world.pass(24 * 3_600 * 1_000_000);
    let later = world.send("alice POST /v1/orders", &key, &body).await;
    assert_eq!((later.status, later.header("idempotent-replayed")), (201, ""));
    assert_ne!(later.id(), first.id());
}

#[tokio::test]
async fn failures_are_not_kept_and_deletions_are() {
    let world = World::new();
    let key = ["idempotency-key: k-1"];
    let body = r#"{"sku":"a-1","name":"Lamp","price":{"amount":"x","currency":"EUR"}}"#;
    assert_eq!(world.send("manager POST /v1/products", &key, body).await.status, 422);
    let body = body.replace("\"x\"", "\"1\"");
    let made = world.send("manager POST /v1/products", &key, &body).await;
    assert_eq!(made.status, 201, "a failed call may be tried again with another body");
    let row = format!("manager DELETE /v1/products/{}", made.id());
    assert_eq!(world.send(&row, &key, "").await.show().lines().next(), Some("204"));
    let again = world.send(&row, &key, "").await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (204, "true"));
    assert_eq!(world.ask(&row, "").await.status, 404, "without the key it is gone");
}

#[tokio::test]
async fn a_key_is_required_where_the_model_says_so_and_always_readable() {
    let world = World::new();
    let room = world.ask("manager POST /v1/rooms", r#"{"name":"Blue"}"#).await.id();
    let body = format!(
        r#"{{"room":"{room}","during":{{"start":"2030-01-01T10:00:00Z","end":"2030-01-01T11:00:00Z"}}}}"#
    );
    let without = world.ask("alice POST /v1/bookings", &body).await;
    assert_eq!(without.show(), "400\nkey-required\n  @Idempotency-Key: is required");
    let with = world.send("alice POST /v1/bookings", &["idempotency-key: k"], &body).await;
    assert_eq!(with.status, 201, "{}", with.body);
    let long = format!("idempotency-key: {}", "k".repeat(256));
    for key in [long.as_str(), "idempotency-key: a b", "idempotency-key: \"\""] {
        let answer = world.send("alice POST /v1/bookings", &[key], &body).await;
        assert_eq!((answer.status, answer.body.lines().next()), (400, Some("invalid-parameter")));
    }
    let twice = ["idempotency-key: a", "idempotency-key: b"];
    assert_eq!(world.send("alice POST /v1/bookings", &twice, &body).await.status, 400);
}

#[tokio::test]
async fn an_answer_is_not_shown_again_to_who_may_no_longer_ask_for_it() {
    let world = World::new();
    let key = ["idempotency-key: k-1"];
    let body = r#"{"sku":"a-1","name":"Lamp","price":{"amount":"1","currency":"EUR"}}"#;
    let made = world.send("manager POST /v1/products", &key, body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let fresh = world.ask("dismissed POST /v1/products", body).await;
    let replayed = world.send("dismissed POST /v1/products", &key, body).await;
    assert_eq!((replayed.status, replayed.show()), (403, fresh.show()));
    let row = format!("PATCH /v1/products/{}", made.id());
    let changed = world.send(&format!("manager {row}"), &key, r#"{"name":"Lamps"}"#).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let again = world.send(&format!("dismissed {row}"), &key, r#"{"name":"Lamps"}"#).await;
    assert_eq!(again.status, 403, "{}", again.body);
    let batch = format!(
        r#"{{"operations":[{{"method":"POST","path":"/v1/products","body":{}}}]}}"#,
        body.replace("a-1", "a-2")
    );
    assert_eq!(world.send("manager POST /v1/batch", &key, &batch).await.status, 200);
    assert_eq!(world.send("dismissed POST /v1/batch", &key, &batch).await.status, 403);
    let still = world.send("manager POST /v1/products", &key, body).await;
    assert_eq!((still.status, still.body), (201, made.body));
}

#[tokio::test]
async fn an_answer_is_not_shown_again_to_other_roles_and_nothing_is_done_twice() {
    let world = World::new();
    let key = ["idempotency-key: k-1"];
    let body = r#"{"name":"Blue"}"#;
    let made = world.send("manager POST /v1/rooms", &key, body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    // Any staff may make a room, but what its answer shows may be for a manager's eyes.
    let other = world.send("demoted POST /v1/rooms", &key, body).await;
    expect![[r#"
        422
        key-reused: the call with this key was answered when the caller had other roles: it is done, and its answer is not shown again"#]]
    .assert_eq(&other.show());
    let again = world.send("manager POST /v1/rooms", &key, body).await;
    assert_eq!((again.status, again.body), (201, made.body));
    let rooms = world.ask("manager GET /v1/rooms", "").await;
    assert_eq!(rooms.json()["items"].as_array().map(Vec::len), Some(1));
}
