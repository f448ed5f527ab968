//! Entity tags and preconditions.

use super::world::World;
use expect_test::expect;

#[tokio::test]
async fn preconditions_are_asked_in_the_order_of_rfc_9110() {
    let world = World::new();
    let product = world.product("a-1", "1", 3).await;
    let row = format!("/v1/products/{product}");
    let tag = world.ask(&format!("manager GET {row}"), "").await.header("etag").to_owned();
    let stale = format!("\"9{}", &tag[2..]);
    let weak = format!("W/{tag}");
    let both = format!("\"8.x\", {tag}");
    let version_alone = "\"1\"";
    let mut shown = Vec::new();
    for (line, header, value) in [
        ("manager GET", "if-none-match", tag.as_str()),
        ("manager GET", "if-none-match", weak.as_str()),
        ("manager GET", "if-none-match", "*"),
        ("manager GET", "if-none-match", stale.as_str()),
        ("manager GET", "if-match", tag.as_str()),
        ("manager GET", "if-match", stale.as_str()),
        ("manager GET", "if-none-match", "broken"),
        ("manager PATCH", "if-match", stale.as_str()),
        ("manager PATCH", "if-match", weak.as_str()),
        ("manager PATCH", "if-match", "\"abc\""),
        ("manager PATCH", "if-match", "abc"),
        ("manager PATCH", "if-match", ""),
        ("manager PATCH", "if-match", "\"a b\""),
        ("manager PATCH", "if-match", "\"a\" \"b\""),
        ("manager PATCH", "if-match", "*, \"a\""),
        ("manager GET", "if-none-match", " ,, "),
        ("manager PATCH", "if-none-match", "*"),
        ("manager PATCH", "if-match", both.as_str()),
        ("manager PATCH", "if-match", "*"),
        ("manager PATCH", "if-match", version_alone),
        ("manager DELETE", "if-match", version_alone),
        ("alice PATCH", "if-match", stale.as_str()),
        ("rival PATCH", "if-match", stale.as_str()),
    ] {
        let header = format!("{header}: {value}");
        let body = if line.ends_with("PATCH") { r#"{"stock":4}"# } else { "" };
        let answer = world.send(&format!("{line} {row}"), &[&header], body).await;
        let first = answer.body.lines().next().unwrap_or_default().to_owned();
        let first = if first.starts_with('{') { "a row".to_owned() } else { first };
        let version = answer.header("etag").split('.').next().unwrap_or_default().to_owned();
        shown.push(format!("{line} {header}: {} {first} {version}", answer.status));
    }
    let text = shown.join("\n").replace(&tag, "TAG").replace(&stale, "STALE");
    expect![[r#"
        manager GET if-none-match: TAG: 304  "1
        manager GET if-none-match: W/TAG: 304  "1
        manager GET if-none-match: *: 304  "1
        manager GET if-none-match: STALE: 200 a row "1
        manager GET if-match: TAG: 200 a row "1
        manager GET if-match: STALE: 412 version-mismatch 
        manager GET if-none-match: broken: 400 invalid-parameter 
        manager PATCH if-match: STALE: 412 version-mismatch 
        manager PATCH if-match: W/TAG: 412 version-mismatch 
        manager PATCH if-match: "abc": 412 version-mismatch 
        manager PATCH if-match: abc: 400 invalid-parameter 
        manager PATCH if-match: : 412 version-mismatch 
        manager PATCH if-match: "a b": 400 invalid-parameter 
        manager PATCH if-match: "a" "b": 400 invalid-parameter 
        manager PATCH if-match: *, "a": 400 invalid-parameter 
        manager GET if-none-match:  ,, : 200 a row "1
        manager PATCH if-none-match: *: 412 version-mismatch 
        manager PATCH if-match: "8.x", TAG: 200 a row "2
        manager PATCH if-match: *: 200 a row "3
        manager PATCH if-match: "1": 412 version-mismatch 
        manager DELETE if-match: "1": 412 version-mismatch 
        alice PATCH if-match: STALE: 403 forbidden: only `staff.manager` may change this `Product` 
        rival PATCH if-match: STALE: 404 not-found "#]]
    .assert_eq(&text.replace(&weak, "WEAK"));
}

#[tokio::test]
async fn what_must_be_conditional_is_refused_without() {
    let world = World::new();
    let made = world.ask("manager POST /v1/rooms", r#"{"name":"Blue"}"#).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let row = format!("/v1/rooms/{}", made.id());
    let tag = format!("if-match: {}", made.header("etag"));
    for (method, body) in
        [("PATCH", r#"{"floor":2}"#), ("PUT", r#"{"name":"Red"}"#), ("DELETE", "")]
    {
        let line = format!("manager {method} {row}");
        let answer = world.ask(&line, body).await;
        assert_eq!(
            answer.show(),
            "428\nprecondition-required: send the `ETag` of this `Room` as `If-Match`"
        );
    }
    // Who may not do it hears that first, and a row that is not there is not there.
    assert_eq!(world.ask(&format!("alice PATCH {row}"), "{}").await.status, 403);
    let none = "manager PATCH /v1/rooms/0190a5c4-0000-7000-8000-000000000001";
    assert_eq!(world.ask(none, "{}").await.status, 404);
    let changed = world.send(&format!("manager PATCH {row}"), &[&tag], r#"{"floor":2}"#).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let again = world.send(&format!("manager DELETE {row}"), &[&tag], "").await;
    assert_eq!(again.show(), "412\nversion-mismatch");
    let tag = format!("if-match: {}", changed.header("etag"));
    assert_eq!(world.send(&format!("manager DELETE {row}"), &[&tag], "").await.status, 204);
}

#[tokio::test]
async fn the_tag_is_of_the_representation_as_the_caller_may_see_it() {
    let world = World::new();
    let product = world.product("a-1", "1", 3).await;
    let row = format!("/v1/products/{product}");
    let manager = world.ask(&format!("manager GET {row}"), "").await;
    let alice = world.ask(&format!("alice GET {row}"), "").await;
    assert_ne!(manager.header("etag"), alice.header("etag"), "alice does not see `cost`");
    let part = world.ask(&format!("alice GET {row}?fields=sku"), "").await;
    assert_eq!(part.body, format!(r#"{{"id":"{product}","sku":"a-1"}}"#));
    assert_ne!(part.header("etag"), alice.header("etag"));
    let header = format!("if-none-match: {}", alice.header("etag"));
    let same = world.send(&format!("alice GET {row}"), &[&header], "").await;
    assert_eq!((same.status, same.body.as_str()), (304, ""));
    assert_eq!(same.header("etag"), alice.header("etag"));
    // Tags of other representations of the row are good for a change: the version counts.
    for tag in [alice.header("etag"), part.header("etag")] {
        let header = format!("if-match: {tag}");
        let again = world.send(&format!("manager GET {row}"), &[&header], "").await;
        assert_eq!(again.status, 200, "{tag}");
    }
    let header = format!("if-match: {}", part.header("etag"));
    let changed = world.send(&format!("manager PATCH {row}"), &[&header], r#"{"stock":1}"#).await;
    assert_eq!(changed.status, 200);
    let page = world.ask("alice GET /v1/products", "").await;
    let header = format!("if-none-match: {}", page.header("etag"));
    assert_eq!(world.send("alice GET /v1/products", &[&header], "").await.status, 304);
}

#[tokio::test]
async fn a_header_that_stands_twice_is_told_so() {
    let world = World::new();
    let headers = ["content-type: application/json", "content-type: application/json"];
    let answer = world.send("manager POST /v1/rooms", &headers, r#"{"name":"Blue"}"#).await;
    expect![[r#"
        415
        unsupported-media-type: the header `Content-Type` stands more than once
          @Content-Type: stands more than once: send it once"#]]
    .assert_eq(&answer.show());
}

#[tokio::test]
async fn what_is_no_tag_of_this_version_stops_every_write() {
    let world = World::new();
    let product = world.product("a-1", "1", 3).await;
    let order = world.order(&product).await;
    let body = format!(r#"{{"order":"{order}","product":"{product}","stars":4}}"#);
    let made = world.ask("alice POST /v1/reviews", &body).await;
    let row = format!("/v1/reviews/{}", made.id());
    let tag = made.header("etag").to_owned();
    let read = world.ask(&format!("alice GET {row}"), "").await;
    assert_eq!(read.header("etag"), tag, "a write answers with the tag of a read");
    let expanded = world.ask(&format!("alice GET {row}?expand=order"), "").await;
    assert_ne!(expanded.header("etag"), tag);
    let batch = |tag: &str| {
        let tag = tag.replace('"', "\\\"");
        let patch = format!(r#""method":"PATCH","path":"{row}","body":{{"stars":5}}"#);
        format!(r#"{{"operations":[{{{patch},"if_match":"{tag}"}}]}}"#)
    };
    let (endorse, patch) = (format!("alice POST {row}/endorse"), format!("alice PATCH {row}"));
    for other in ["\"1\"", "\"2.0000000000000000\"", "\"1.x\""] {
        let header = format!("if-match: {other}");
        for (line, body) in [
            (format!("alice GET {row}"), ""),
            (patch.clone(), r#"{"stars":5}"#),
            (format!("alice PUT {row}"), &*format!(r#"{{"order":"{order}","stars":5}}"#)),
            (endorse.clone(), ""),
        ] {
            let answer = world.send(&line, &[&header], body).await;
            assert_eq!(answer.status, 412, "{line} {header}: {}", answer.body);
        }
        let answer = world.ask("alice POST /v1/batch", &batch(other)).await;
        assert_eq!(answer.status, 412, "{header}: {}", answer.body);
    }
    let same = format!("if-none-match: {tag}");
    assert_eq!(world.send(&patch, &[&same], r#"{"stars":5}"#).await.status, 412);
    let other = "if-none-match: \"1\"";
    assert_eq!(world.send(&patch, &[other], r#"{"stars":5}"#).await.status, 200);
    let read = world.ask(&format!("alice GET {row}"), "").await;
    let answer = world.ask("alice POST /v1/batch", &batch(read.header("etag"))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[tokio::test]
async fn the_tag_of_a_write_is_that_of_a_read() {
    let world = World::new();
    let room = world.ask("manager POST /v1/rooms", r#"{"name":"Blue"}"#).await.id();
    let span = r#"{"start":"2030-05-01T08:00:00+02:00","end":"2030-05-01T09:00:00Z"}"#;
    let body = format!(
        r#"{{"room":"{room}","during":{span},"size":"1.5","day":"2030-01-31","starts":"12:30",
        "seen_at":"2030-01-31T12:30:00.5Z","buffer":"PT90M","contact":"a@b.example",
        "extra":{{"b":1.0,"a":[1e2,null]}},"tags":["x"],"mood":"calm"}}"#
    );
    let made = world.send("alice POST /v1/bookings", &["idempotency-key: k"], &body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let row = format!("/v1/bookings/{}", made.id());
    let read = world.ask(&format!("alice GET {row}"), "").await;
    assert_eq!((read.header("etag"), &read.body), (made.header("etag"), &made.body));
    let header = format!("if-match: {}", made.header("etag"));
    let headers = [header.as_str(), "idempotency-key: p"];
    let changed = world.send(&format!("alice PATCH {row}"), &headers, r#"{"size":"2"}"#).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let read = world.ask(&format!("alice GET {row}"), "").await;
    assert_eq!((read.header("etag"), &read.body), (changed.header("etag"), &changed.body));
}
