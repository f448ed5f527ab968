//! What is published: with the change that caused it, or not at all.

use super::world::World;
use expect_test::expect;

#[tokio::test]
async fn commands_and_plain_writes_publish_what_the_model_declares() {
    let world = World::new();
    let lamp = world.product("lamp", "2", 9).await;
    let order = world.order(&lamp).await;
    let place = format!("alice POST /v1/orders/{order}/place");
    assert_eq!(world.ask(&place, "").await.status, 200);
    assert_eq!(world.ask(&place, "").await.status, 409);
    let pay = format!("system POST /v1/orders/{order}/pay");
    let key = ["idempotency-key: k"];
    assert_eq!(world.send(&pay, &key, "").await.status, 200);
    assert_eq!(world.send(&pay, &key, "").await.status, 200);
    let room = world.ask("manager POST /v1/rooms", r#"{"name":"Blue"}"#).await;
    assert_eq!(world.ask("manager POST /v1/rooms", r#"{"name":"Blue"}"#).await.status, 409);
    let row = format!("/v1/rooms/{}", room.id());
    let tag = format!("if-match: {}", room.header("etag"));
    let changed = world.send(&format!("manager PATCH {row}"), &[&tag], r#"{"floor":1}"#).await;
    let tag = format!("if-match: {}", changed.header("etag"));
    assert_eq!(world.send(&format!("manager DELETE {row}"), &[&tag], "").await.status, 204);
    expect![[r#"
        order.placed {"id":"01b8dac5-b400-7001-8000-000000000001","shopper":"alice","lines":[{"id":"01b8dac5-b400-7002-8000-000000000002","product":"01b8dac5-b400-7000-8000-000000000000","price":{"amount":"2.00","currency":"EUR"},"quantity":2,"amount":{"amount":"4.00","currency":"EUR"}}],"total":{"amount":"4.00","currency":"EUR"}}
        order.paid {"id":"01b8dac5-b400-7001-8000-000000000001","shopper":"alice","total":{"amount":"4.00","currency":"EUR"}}
        room.changed {"id":"01b8dac5-b400-7005-8000-000000000005","name":"Blue"}
        room.changed {"id":"01b8dac5-b400-7005-8000-000000000005","name":"Blue"}"#]].assert_eq(&world.published().join("\n"));
}
