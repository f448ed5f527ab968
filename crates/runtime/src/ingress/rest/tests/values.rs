//! Bodies: what is taken, what is refused, and where.

use super::world::World;
use expect_test::expect;

/// Sends bodies of a product and shows what is wrong with each.
#[tokio::test]
async fn each_fault_of_a_body_is_told_at_its_place() {
    let world = World::new();
    let price = r#""price":{"amount":"1.00","currency":"EUR"}"#;
    let mut shown = Vec::new();
    for body in [
        "".to_owned(),
        "{".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        "{}".to_owned(),
        format!(r#"{{"sku":"a","sku":"b","name":"n",{price}}}"#),
        format!(r#"{{"sku":"a","name":"n\u0000",{price}}}"#),
        format!(r#"{{"sku":"a","name":"n\ud800",{price}}}"#),
        format!(r#"{{"sku":7,"name":null,{price},"stock":"7"}}"#),
        format!(r#"{{"sku":"{}","name":"n",{price},"stock":-1}}"#, "é".repeat(41)),
        format!(r#"{{"sku":"a","name":"n",{price},"stock":1.5}}"#),
        format!(r#"{{"sku":"a","name":"n",{price},"stock":9223372036854775808}}"#),
        format!(r#"{{"sku":"a","name":"n",{price},"stock":1e400}}"#),
        format!(
            r#"{{"id":"x","created_at":1,"sku":"a","name":"n",{price},"colour":"red","stock":-1}}"#
        ),
        r#"{"sku":"a","name":"n","price":12.5}"#.to_owned(),
        r#"{"sku":"a","name":"n","price":{"amount":12.5,"currency":"EUR"}}"#.to_owned(),
        r#"{"sku":"a","name":"n","price":{"amount":"12.505","currency":"EUR"}}"#.to_owned(),
        r#"{"sku":"a","name":"n","price":{"amount":"12.5","currency":"JPY"}}"#.to_owned(),
        r#"{"sku":"a","name":"n","price":{"amount":"12.5"}}"#.to_owned(),
        r#"{"sku":"a","name":"n","price":{"amount":"12.5","currency":"euro"}}"#.to_owned(),
        r#"{"sku":"a","name":"n","price":{"amount":"12.5","currency":"ABC"}}"#.to_owned(),
        r#"{"sku":"a","name":"n","price":{"amount":"12.5","currency":978}}"#.to_owned(),
        r#"{"sku":"a","name":"n","price":{"amount":"1","currency":"EUR","cents":1}}"#.to_owned(),
        r#"{"sku":"a","name":"n","price":{"amount":"999999999999999","currency":"EUR"}}"#
            .to_owned(),
    ] {
        let answer = world
            .send("manager POST /v1/products", &["content-type: application/json"], &body)
            .await;
        shown.push(answer.show());
    }
    expect![[r#"
        400
        malformed-body: the text ends where a value was expected at byte 0
        400
        malformed-body: a member name in quotes was expected at byte 1
        422
        invalid-value
          : must be an object, not an array
        422
        invalid-value
          : must be an object, not null
        422
        invalid-value
          /sku: is required
          /name: is required
          /price: is required
        400
        malformed-body: the member `sku` stands twice at byte 11
        422
        invalid-value
          /name: may not hold the character NUL
        400
        malformed-body: a lone surrogate at byte 26
        422
        invalid-value
          /sku: must be text, not a number
          /name: may not be null
          /stock: must be a whole number of 64 bits, not text
        422
        invalid-value
          /sku: must have at most 40 characters
          /stock: must be at least 0
        422
        invalid-value
          /stock: must be a whole number of 64 bits
        422
        invalid-value
          /stock: must be a whole number of 64 bits
        400
        malformed-body: a number out of range at byte 73
        400
        read-only-member
          /id: is set by the server
          /created_at: is set by the server
          /colour: `colour` is no member of this body (unknown-member)
          /stock: must be at least 0 (invalid-value)
        422
        invalid-value
          /price: must be an object of `amount` and `currency`, not a number
        422
        invalid-value
          /price/amount: must be a decimal number as text, not a number
        422
        invalid-value
          /price/amount: `EUR` has 2 decimals
        422
        invalid-value
          /price/amount: `JPY` has 0 decimals
        422
        invalid-value
          /price/currency: is missing
        422
        invalid-value
          /price/currency: must be the code of a currency (ISO 4217), such as `EUR`
        422
        invalid-value
          /price/currency: must be the code of a currency (ISO 4217), such as `EUR`
        422
        invalid-value
          /price/currency: must be the code of a currency (ISO 4217), such as `EUR`
        400
        unknown-member
          /price/cents: `cents` is no member of money
        422
        invalid-value
          /price/amount: must be a decimal number as text, such as `12.50`"#]]
    .assert_eq(&shown.join("\n"));
    let list = world.ask("manager GET /v1/products", "").await;
    assert_eq!(list.body, r#"{"items":[]}"#, "nothing was made");
}

#[tokio::test]
async fn every_kind_of_field_is_read_strictly_and_shown_in_one_form() {
    let world = World::new();
    let room = world.ask("manager POST /v1/rooms", r#"{"name":"Blue"}"#).await.id();
    let body = format!(
        r#"{{"room":"{}","during":{{"start":"2030-05-01T10:00:00+02:00","end":"2030-05-01T09:00:00.5Z"}},
        "door_code":"1234","size":"12.5","day":"2030-05-01","starts":"08:30","seen_at":"2030-05-01T08:00:00.123456789Z",
        "buffer":"PT90M","ticket":"0190A5C4-0000-7000-8000-000000000001","contact":"a.b@example.org",
        "extra":{{"n":1e3,"big":123456789012345678901234567890,"list":[true,null,"é"]}},"tags":["x","y"],"mood":"calm"}}"#,
        room.to_uppercase()
    );
    let made = world.send("alice POST /v1/bookings", &["idempotency-key: 1"], &body).await;
    expect![[r#"{"id":"01b8dac5-b400-7002-8000-000000000002","room":"01b8dac5-b400-7000-8000-000000000000","during":{"start":"2030-05-01T08:00:00Z","end":"2030-05-01T09:00:00.500000Z"},"guest":"alice","size":"12.50","day":"2030-05-01","starts":"08:30:00","seen_at":"2030-05-01T08:00:00.123456Z","buffer":"PT1H30M","ticket":"0190a5c4-0000-7000-8000-000000000001","contact":"a.b@example.org","extra":{"n":1e3,"big":123456789012345678901234567890,"list":[true,null,"é"]},"tags":["x","y"],"mood":"calm","created_at":"2030-01-01T00:00:00Z","updated_at":"2030-01-01T00:00:00Z"}"#]].assert_eq(&made.body);
    let row = format!("/v1/bookings/{}", made.id());
    let read = world.ask(&format!("alice GET {row}"), "").await;
    assert_eq!(read.body, made.body, "what is stored is what was shown");
    let mut shown = Vec::new();
    for (at, patch) in [
        r#"{"during":{"start":"2030-05-01T10:00:00Z","end":"2030-05-01T10:00:00Z"}}"#,
        r#"{"during":{"start":"2030-05-01T10:00:00Z"}}"#,
        r#"{"during":"2030-05-01"}"#,
        r#"{"size":12.5}"#,
        r#"{"size":"12.505"}"#,
        r#"{"size":"10000.00"}"#,
        r#"{"day":"2030-02-29","starts":"24:00","seen_at":"2030-05-01","buffer":"P1Y"}"#,
        r#"{"ticket":"0190a5c4","contact":"nobody","mood":"angry","tags":"x"}"#,
        r#"{"tags":["x",7]}"#,
        r#"{"extra":{"a":"\u0000"}}"#,
        r#"{"room":"0190a5c4-0000-7000-8000-000000000001"}"#,
        r#"{"guest":"bob"}"#,
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("idempotency-key: p{at}");
        shown.push(world.send(&format!("alice PATCH {row}"), &[&key], patch).await.show());
    }
    expect![[r#"
        422
        invalid-value
          /during/end: must be after `start`
        422
        invalid-value
          /during/end: is missing
        422
        invalid-value
          /during: must be an object of `start` and `end`
        422
        invalid-value
          /size: must be a decimal number with at most 2 decimals, as text, not a number
        422
        invalid-value
          /size: must be a decimal number with at most 2 decimals, as text
        422
        invalid-value
          /size: must have at most 6 digits in all
        422
        invalid-value
          /day: must be a date such as `2026-01-31`
          /starts: must be a time of day such as `12:30:00`
          /seen_at: must be an RFC 3339 timestamp such as `2026-01-31T12:30:00Z`
          /buffer: must be an ISO 8601 duration such as `PT30M`
        422
        invalid-value
          /ticket: must be a UUID
          /contact: must be an e-mail address
          /mood: must be one of `calm`, `loud`
          /tags: must be an array
        422
        invalid-value
          /tags/1: must be text, not a number
        422
        invalid-value
          /extra: may not hold the character NUL
        422
        unknown-reference
          /room: there is no such row
        400
        read-only-member
          /guest: is the caller, and cannot be set"#]]
    .assert_eq(&shown.join("\n"));
    let patch = r#"{"extra":{"n":null,"more":{"a":1}},"size":null,"tags":[]}"#;
    let merged = world.send(&format!("alice PATCH {row}"), &["idempotency-key: m"], patch).await;
    let json = merged.json();
    assert_eq!(json["extra"]["more"]["a"], 1, "a merge patch goes into JSON");
    assert!(json["extra"].get("n").is_none() && json["extra"].get("list").is_some());
    assert_eq!((&json["size"], &json["tags"]), (&serde_json::Value::Null, &serde_json::json!([])));
}

#[tokio::test]
async fn what_the_store_refuses_is_told_at_the_member() {
    let world = World::new();
    world.product("a-1", "1", 1).await;
    let other = world.product("a-2", "1", 1).await;
    let body = r#"{"sku":"a-1","name":"n","price":{"amount":"1","currency":"EUR"}}"#;
    let mut shown = vec![world.ask("manager POST /v1/products", body).await.show()];
    let line = format!("manager PATCH /v1/products/{other}");
    shown.push(world.ask(&line, r#"{"sku":"a-1"}"#).await.show());
    assert_eq!(world.ask("rival POST /v1/products", body).await.status, 201, "unique per tenant");
    let room = world.ask("manager POST /v1/rooms", r#"{"name":"Blue"}"#).await;
    let booking = |start: &str, end: &str| {
        let day = "2030-05-01T";
        format!(
            r#"{{"room":"{}","during":{{"start":"{day}{start}:00Z","end":"{day}{end}:00Z"}}}}"#,
            room.id()
        )
    };
    for (at, (start, end)) in
        [("10:00", "11:00"), ("11:00", "12:00"), ("10:30", "10:45")].into_iter().enumerate()
    {
        let key = format!("idempotency-key: {at}");
        let answer = world.send("alice POST /v1/bookings", &[&key], &booking(start, end)).await;
        if answer.status != 201 {
            shown.push(answer.show());
        }
    }
    let tag = format!("if-match: {}", room.header("etag"));
    let line = format!("manager DELETE /v1/rooms/{}", room.id());
    shown.push(world.send(&line, &[&tag], "").await.show());
    expect![[r#"
        409
        duplicate
          /sku: is taken
        409
        duplicate
          /sku: is taken
        409
        overlap
          /during: overlaps another with the same room
        409
        still-referenced: a `Booking` refers to it"#]]
    .assert_eq(&shown.join("\n"));
}

#[tokio::test]
async fn money_of_unlike_currencies_is_never_summed() {
    let world = World::new();
    let euro = world.product("a-1", "1", 1).await;
    let body = r#"{"sku":"yen","name":"n","price":{"amount":"100","currency":"JPY"}}"#;
    let yen = world.ask("manager POST /v1/products", body).await.id();
    let body = format!(
        r#"{{"lines":[{{"product":"{euro}","quantity":1}},{{"product":"{yen}","quantity":1}}]}}"#
    );
    let made = world.ask("alice POST /v1/orders", &body).await;
    expect![[r#"
        422
        mixed-currencies
          /total: amounts have unlike currencies"#]]
    .assert_eq(&made.show());
    let huge = r#"{"sku":"huge","name":"n","price":{"amount":"99999999999999","currency":"EUR"}}"#;
    let huge = world.ask("manager POST /v1/products", huge).await.id();
    let body = format!(r#"{{"lines":[{{"product":"{huge}","quantity":99}}]}}"#);
    let made = world.ask("alice POST /v1/orders", &body).await;
    expect![[r#"
        422
        invalid-value
          /lines/0/amount: cannot be computed: a number leaves its range"#]]
    .assert_eq(&made.show());
}
