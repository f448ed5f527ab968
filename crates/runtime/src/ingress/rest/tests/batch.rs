//! `POST /v1/batch`: all or none, in one context.

use super::world::World;
use expect_test::expect;

#[tokio::test]
async fn operations_see_what_those_before_them_made() {
    let world = World::new();
    let lamp = world.product("lamp", "2", 9).await;
    let line = format!(r#"{{"product":"{lamp}","quantity":2}}"#);
    let body = format!(
        r##"{{"operations":[
            {{"method":"POST","path":"/v1/orders","body":{{"lines":[{line}]}}}},
            {{"method":"PATCH","path":"/v1/orders/#0","body":{{"note":"hello"}},"if_match":"*"}},
            {{"method":"POST","path":"/v1/orders/#0/place"}},
            {{"method":"POST","path":"/v1/orders/#0/cancel","body":{{}}}}
        ]}}"##
    );
    let done = world.ask("alice POST /v1/batch", &body).await;
    expect![[r#"
        200
        {"results":[{"status":201,"location":"/v1/orders/01b8dac5-b400-7001-8000-000000000001","etag":"\"1.6b818ab1cea3c5d4\"","body":{"id":"01b8dac5-b400-7001-8000-000000000001","shopper":"alice","lines":[{"id":"01b8dac5-b400-7002-8000-000000000002","product":"01b8dac5-b400-7000-8000-000000000000","price":{"amount":"2.00","currency":"EUR"},"quantity":2,"amount":{"amount":"4.00","currency":"EUR"}}],"total":{"amount":"4.00","currency":"EUR"},"note":null,"status":"draft","created_at":"2030-01-01T00:00:00Z","updated_at":"2030-01-01T00:00:00Z"}},{"status":200,"etag":"\"2.b6201a4824d0bbe1\"","body":{"id":"01b8dac5-b400-7001-8000-000000000001","shopper":"alice","lines":[{"id":"01b8dac5-b400-7002-8000-000000000002","product":"01b8dac5-b400-7000-8000-000000000000","price":{"amount":"2.00","currency":"EUR"},"quantity":2,"amount":{"amount":"4.00","currency":"EUR"}}],"total":{"amount":"4.00","currency":"EUR"},"note":"hello","status":"draft","created_at":"2030-01-01T00:00:00Z","updated_at":"2030-01-01T00:00:00Z"}},{"status":200,"etag":"\"3.897cb9043b0f337a\"","body":{"id":"01b8dac5-b400-7001-8000-000000000001","shopper":"alice","lines":[{"id":"01b8dac5-b400-7002-8000-000000000002","product":"01b8dac5-b400-7000-8000-000000000000","price":{"amount":"2.00","currency":"EUR"},"quantity":2,"amount":{"amount":"4.00","currency":"EUR"}}],"total":{"amount":"4.00","currency":"EUR"},"note":"hello","status":"placed","created_at":"2030-01-01T00:00:00Z","updated_at":"2030-01-01T00:00:00Z"}},{"status":200,"etag":"\"4.fbd5db1f6c65ad14\"","body":{"id":"01b8dac5-b400-7001-8000-000000000001","shopper":"alice","lines":[{"id":"01b8dac5-b400-7002-8000-000000000002","product":"01b8dac5-b400-7000-8000-000000000000","price":{"amount":"2.00","currency":"EUR"},"quantity":2,"amount":{"amount":"4.00","currency":"EUR"}}],"total":{"amount":"4.00","currency":"EUR"},"note":"hello","status":"cancelled","created_at":"2030-01-01T00:00:00Z","updated_at":"2030-01-01T00:00:00Z"}}]}"#]].assert_eq(&done.show());
    let list = world.ask("alice GET /v1/orders", "").await;
    assert_eq!(list.json()["items"][0]["status"], "cancelled");
}

#[tokio::test]
async fn one_that_fails_undoes_all() {
    let world = World::new();
    let lamp = world.product("lamp", "2", 9).await;
    let product = |sku: &str| {
        format!(
            r#"{{"method":"POST","path":"/v1/products","body":{{"sku":"{sku}","name":"n","price":{{"amount":"1","currency":"EUR"}}}}}}"#
        )
    };
    let order = r#"{"method":"POST","path":"/v1/orders","body":{"lines":[]}}"#.to_owned();
    let patch = |body: &str, more: &str| {
        format!(r#"{{"method":"PATCH","path":"/v1/products/{lamp}","body":{body}{more}}}"#)
    };
    let mut shown = Vec::new();
    let batches = [
        vec![product("a"), product("a")],
        vec![product("a"), product("lamp")],
        vec![product("a"), patch(r#"{"stock":-1,"x":1}"#, "")],
        vec![product("a"), patch(r#"{"stock":1}"#, r#","if_match":"\"7\"""#)],
        vec![product("a"), patch(r#"{"stock":1}"#, r#","if_match":"7""#)],
        vec![product("a"), order],
        vec![product("a"), product("b").replace("POST", "GET")],
        vec![product("a"), product("b").replace("/v1/products", "/v1/nothing")],
        vec![product("a"), product("b").replace("/v1/products", "/v1/batch")],
        vec![product("a"), patch("{}", "").replace(&lamp, "#1")],
        vec![
            product("a"),
            patch("{}", "").replace("PATCH", "PUT").replace("\"body\":{}", "\"x\":1"),
        ],
        vec![product("a"), format!(r#"{{"method":"DELETE","path":"/v1/products/{lamp}?x=1"}}"#)],
        vec![product("a"), format!(r#"{{"method":"POST","path":"/v1/products/{lamp}/reserve"}}"#)],
        vec!["7".to_owned()],
        vec!["{}".to_owned()],
        vec![],
        vec![product("a"); 101],
    ];
    for operations in batches {
        let body = format!(r#"{{"operations":[{}]}}"#, operations.join(","));
        let answer = world.ask("manager POST /v1/batch", &body).await;
        shown.push(answer.show().replace(&lamp, "LAMP"));
    }
    for body in ["[]", "{}", r#"{"operations":7}"#, r#"{"operations":[],"x":1}"#, "{"] {
        shown.push(world.ask("manager POST /v1/batch", body).await.show());
    }
    expect![[r#"
        409
        duplicate
          /operations/1/body/sku: is taken
        409
        duplicate
          /operations/1/body/sku: is taken
        400
        unknown-member
          /operations/1/body/stock: must be at least 0 (invalid-value)
          /operations/1/body/x: `x` is no member of this body
        412
        version-mismatch
          /operations/1: The row has changed
        422
        invalid-value
          /operations/1/if_match: must be `*` or an `ETag` with its quotes
        422
        invalid-value
          /operations/1/path: is of the context `ordering`, and the first operation is of `catalog`: a batch is atomic within one context
        422
        invalid-value
          /operations/1/method: must be `POST`, `PUT`, `PATCH` or `DELETE`
        404
        not-found
          /operations/1: There is no such thing
        404
        not-found
          /operations/1: There is no such thing
        422
        invalid-value
          /operations/1/path: `#` and a number name the row that an earlier operation made
        400
        unknown-member
          /operations/1/x: is no member of an operation
        422
        invalid-value
          /operations/1/path: must be a path without query
        404
        not-found
          /operations/1: There is no such thing
        422
        invalid-value
          /operations/0: must be an object, not a number
        422
        invalid-value
          /operations/0/method: is required
          /operations/0/path: is required
        422
        invalid-value
          /operations: must have 1 to 100 elements
        422
        invalid-value
          /operations: must have 1 to 100 elements
        422
        invalid-value
          : must be an object, not an array
        422
        invalid-value
          /operations: is required
        422
        invalid-value
          /operations: must be an array, not a number
        400
        unknown-member
          /x: is no member of a batch
          /operations: must have 1 to 100 elements (invalid-value)
        400
        malformed-body: a member name in quotes was expected at byte 1"#]].assert_eq(&shown.join("\n"));
    let list = world.ask("manager GET /v1/products", "").await;
    assert_eq!(list.json()["items"].as_array().unwrap().len(), 1, "only the lamp: {}", list.body);
}

#[tokio::test]
async fn a_batch_is_done_once_for_one_key() {
    let world = World::new();
    let body = r#"{"operations":[{"method":"POST","path":"/v1/products","body":{"sku":"a","name":"n","price":{"amount":"1","currency":"EUR"}}}]}"#;
    let key = ["idempotency-key: k"];
    let first = world.send("manager POST /v1/batch", &key, body).await;
    let second = world.send("manager POST /v1/batch", &key, body).await;
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(first.body, second.body);
    assert_eq!(second.header("idempotent-replayed"), "true");
    // What needs a key alone needs one in a batch too.
    let booking = r#"{"operations":[{"method":"POST","path":"/v1/bookings","body":{}}]}"#;
    let without = world.ask("alice POST /v1/batch", booking).await;
    assert_eq!(
        without.body.lines().next(),
        Some("key-required: the batch needs an `Idempotency-Key`")
    );
}

#[tokio::test]
async fn a_reference_to_a_row_of_the_same_batch_is_written_as_its_number() {
    let world = World::new();
    let body = r##"{"operations":[
        {"method":"POST","path":"/v1/rooms","body":{"name":"Blue"}},
        {"method":"POST","path":"/v1/bookings","body":{"room":"#0","guest":"bob","during":{"start":"2030-01-01T10:00:00Z","end":"2030-01-01T11:00:00Z"}}},
        {"method":"POST","path":"/v1/bookings","body":{"room":"#0","guest":"bob","during":{"start":"2030-01-01T11:00:00Z","end":"2030-01-01T12:00:00Z"}}}
    ]}"##;
    let done = world.send("manager POST /v1/batch", &["idempotency-key: k"], body).await;
    assert_eq!(done.status, 200, "{}", done.body);
    let json = done.json();
    assert_eq!(json["results"][1]["body"]["room"], json["results"][0]["body"]["id"]);
    let later = body.replace("Blue", "Red").replace("\"#0\"", "\"#2\"");
    let later = world.send("manager POST /v1/batch", &["idempotency-key: l"], &later).await;
    assert_eq!(
        later.show(),
        "422\ninvalid-value\n  /operations/1/body/room: no earlier operation of the batch made this row"
    );
}

#[tokio::test]
async fn a_batch_has_a_bounded_number_of_rows_with_their_children() {
    let world = World::new();
    let product = world.product("a-1", "2", 3).await;
    let line = format!(r#"{{"product":"{product}","quantity":1}}"#);
    let batch = |orders: usize, lines: usize| {
        let lines = vec![line.as_str(); lines].join(",");
        let one =
            format!(r#"{{"method":"POST","path":"/v1/orders","body":{{"lines":[{lines}]}}}}"#);
        format!(r#"{{"operations":[{}]}}"#, vec![one.as_str(); orders].join(","))
    };
    let more = world.ask("alice POST /v1/batch", &batch(91, 10)).await;
    expect![[r#"
        422
        invalid-value
          /operations: have 1001 rows with their children, and a batch at most 1000"#]]
    .assert_eq(&more.show());
    let none = world.ask("alice GET /v1/orders", "").await;
    assert_eq!(none.json()["items"].as_array().map(Vec::len), Some(0));
    let fits = world.ask("alice POST /v1/batch", &batch(20, 49)).await;
    assert_eq!(fits.status, 200, "{}", fits.body);
}
