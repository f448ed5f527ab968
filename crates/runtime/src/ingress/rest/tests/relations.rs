//! What is known through references: rules, guards, fields asked for when read.

use super::world::{Answer, World};
use expect_test::expect;

/// A shop with a shipped order of alice and a review of it.
struct Reviewed {
    world: World,
    product: String,
    order: String,
    review: Answer,
}

async fn reviewed(stars: u8) -> Reviewed {
    let world = World::new();
    let product = world.product("a-1", "2", 3).await;
    let order = world.order(&product).await;
    let body = format!(r#"{{"order":"{order}","product":"{product}","stars":{stars}}}"#);
    let review = world.ask("alice POST /v1/reviews", &body).await;
    assert_eq!(review.status, 201, "{}", review.body);
    Reviewed { world, product, order, review }
}

#[tokio::test]
async fn fields_are_asked_of_their_owners_when_a_row_is_read() {
    let Reviewed { world, product, order, review } = reviewed(4).await;
    expect![[r#"{"id":"01b8dac5-b400-7003-8000-000000000003","order":"01b8dac5-b400-7001-8000-000000000001","product":"01b8dac5-b400-7000-8000-000000000000","author":"alice","stars":4,"product_name":"Thing a-1","order_status":"draft","reply":null,"weight":"5.00","endorsed":0,"created_at":"2030-01-01T00:00:00Z","updated_at":"2030-01-01T00:00:00Z"}"#]].assert_eq(&review.body);
    let row = format!("/v1/reviews/{}", review.id());
    let renamed = format!("manager PATCH /v1/products/{product}");
    assert_eq!(world.ask(&renamed, r#"{"name":"Other"}"#).await.status, 200);
    let placed = world.ask(&format!("alice POST /v1/orders/{order}/place"), "").await;
    assert_eq!(placed.status, 200);
    let asked = async |line: String| {
        let answer = world.ask(&line, "").await;
        let json = answer.json();
        let row = json["items"].get(0).cloned().unwrap_or(json);
        format!("{} {}", row["product_name"], row["order_status"])
    };
    assert_eq!(asked(format!("alice GET {row}")).await, "\"Other\" \"placed\"");
    assert_eq!(asked("alice GET /v1/reviews".to_owned()).await, "\"Other\" \"placed\"");
    // Bob sees the review and the product, and not the order.
    assert_eq!(asked(format!("bob GET {row}")).await, "\"Other\" null");
    let expanded = world.ask(&format!("bob GET {row}?expand=order,product"), "").await.json();
    assert_eq!(expanded["order"], serde_json::Value::Null, "{expanded}");
    assert_eq!(expanded["product"]["name"], "Other");
    let expanded = world.ask(&format!("alice GET {row}?expand=order"), "").await.json();
    assert_eq!(expanded["order"]["lines"][0]["product"], product.as_str(), "{expanded}");
    assert_eq!(world.ask(&format!("manager DELETE /v1/products/{product}"), "").await.status, 204);
    assert_eq!(asked(format!("alice GET {row}")).await, "null \"placed\"");
}

#[tokio::test]
async fn rules_look_through_references() {
    let Reviewed { world, order, review, .. } = reviewed(2).await;
    let row = format!("/v1/reviews/{}", review.id());
    let body = format!(r#"{{"order":"{order}","stars":5}}"#);
    let mut shown = Vec::new();
    for (line, body) in [
        ("bob POST /v1/reviews".to_owned(), body.as_str()),
        ("alice POST /v1/reviews".to_owned(), body.as_str()),
        (format!("bob GET {row}"), ""),
        (format!("manager DELETE {row}"), ""),
        (format!("alice PATCH {row}"), r#"{"reply":"thanks"}"#),
        (format!("manager PATCH {row}"), r#"{"reply":"spam, it seems"}"#),
        (format!("manager PATCH {row}"), r#"{"reply":"no","stars":4}"#),
        (format!("alice PUT {row}"), &format!(r#"{{"order":"{order}","stars":3}}"#)),
        (format!("bob GET {row}?fields=stars,reply"), ""),
        (format!("partner GET {row}?fields=stars,reply"), ""),
        (format!("alice GET {row}?fields=stars,reply"), ""),
        (format!("manager PATCH {row}"), r#"{"reply":"no"}"#),
        (format!("manager DELETE {row}"), ""),
    ] {
        let answer = world.ask(&line, body).await;
        let text = if answer.status == 200 && body.len() > 1 {
            format!("200 reply {}", answer.json()["reply"])
        } else {
            answer.show()
        };
        shown.push(format!("{}: {text}", line.replace(&review.id(), "ID")));
    }
    let text = shown.join("\n").replace(&order, "ORDER");
    expect![[r#"
        bob POST /v1/reviews: 422
        unknown-reference
          /order: there is no such `Order`, or you may not see it
        alice POST /v1/reviews: 409
        duplicate
          /order: is taken
          /author: is taken
        bob GET /v1/reviews/ID: 404
        not-found
        manager DELETE /v1/reviews/ID: 403
        forbidden: only `staff.manager when matches(reply, 'spam.*')` may delete this `Review`
          rules = ["staff.manager when matches(reply, 'spam.*')"]
        alice PATCH /v1/reviews/ID: 403
        forbidden
          /reply: only `staff.manager when stars < 3` may set it
        manager PATCH /v1/reviews/ID: 200 reply "spam, it seems"
        manager PATCH /v1/reviews/ID: 403
        forbidden
          /reply: only `staff.manager when stars < 3` may set it
        alice PUT /v1/reviews/ID: 200 reply "spam, it seems"
        bob GET /v1/reviews/ID?fields=stars,reply: 200
        etag: "3.289f5811c17ccb8a"
        {"id":"ID","stars":3}
        partner GET /v1/reviews/ID?fields=stars,reply: 400
        invalid-parameter
          ?fields: `reply` is no member of the row
        alice GET /v1/reviews/ID?fields=stars,reply: 200
        etag: "3.894aa17ba70022a3"
        {"id":"ID","stars":3,"reply":"spam, it seems"}
        manager PATCH /v1/reviews/ID: 403
        forbidden
          /reply: only `staff.manager when stars < 3` may set it
        manager DELETE /v1/reviews/ID: 204
    "#]]
    .assert_eq(&text.replace(&review.id(), "ID"));
}

#[tokio::test]
async fn a_reference_inside_a_context_leads_to_what_the_caller_may_read() {
    let Reviewed { world, product, order, review } = reviewed(2).await;
    let lines = format!(r#"{{"lines":[{{"product":"{product}","quantity":1}}]}}"#);
    let theirs = world.ask("bob POST /v1/orders", &lines).await.id();
    let row = format!("/v1/reviews/{}", review.id());
    let own = format!(r#"{{"order":"{order}","stars":3}}"#);
    let hidden = format!(r#"{{"order":"{theirs}","stars":3}}"#);
    let nowhere = r#"{"order":"01b8dac5-b400-7003-8000-00000000dead","stars":3}"#;
    let batch = |order: &str, before: &str| {
        let review = format!(r#"{{"order":"{order}","stars":4}}"#);
        let post = format!(r#"{{"method":"POST","path":"/v1/reviews","body":{review}}}"#);
        format!(r#"{{"operations":[{before}{post}]}}"#)
    };
    let made = format!(r#"{{"method":"POST","path":"/v1/orders","body":{lines}}},"#);
    let mut shown = Vec::new();
    for (line, body) in [
        ("alice POST /v1/reviews".to_owned(), hidden.clone()),
        ("alice POST /v1/reviews".to_owned(), nowhere.to_owned()),
        (format!("alice PUT {row}"), hidden.clone()),
        (format!("alice PATCH {row}"), hidden.clone()),
        (format!("manager PATCH {row}"), hidden.clone()),
        (format!("alice PATCH {row}"), r#"{"stars":4}"#.to_owned()),
        (format!("alice PATCH {row}"), own),
        ("alice POST /v1/batch".to_owned(), batch(&theirs, "")),
        ("alice POST /v1/batch".to_owned(), batch("#0", &made)),
    ] {
        let answer = world.ask(&line, &body).await;
        let shows = answer.status >= 400;
        let text = if shows { answer.show() } else { answer.status.to_string() };
        shown.push(format!("{}: {text}", line.replace(&review.id(), "ID")));
    }
    expect![[r#"
        alice POST /v1/reviews: 422
        unknown-reference
          /order: there is no such `Order`, or you may not see it
        alice POST /v1/reviews: 422
        unknown-reference
          /order: there is no such `Order`, or you may not see it
        alice PUT /v1/reviews/ID: 422
        unknown-reference
          /order: there is no such `Order`, or you may not see it
        alice PATCH /v1/reviews/ID: 422
        unknown-reference
          /order: there is no such `Order`, or you may not see it
        manager PATCH /v1/reviews/ID: 200
        alice PATCH /v1/reviews/ID: 200
        alice PATCH /v1/reviews/ID: 200
        alice POST /v1/batch: 422
        unknown-reference
          /operations/0/body/order: there is no such `Order`, or you may not see it
        alice POST /v1/batch: 200"#]]
    .assert_eq(&shown.join("\n"));
}

#[tokio::test]
async fn lists_are_narrowed_by_rules_and_by_what_may_be_read() {
    let Reviewed { world, product, .. } = reviewed(2).await;
    for stars in [3, 5] {
        let order = world.order(&product).await;
        let body = format!(r#"{{"order":"{order}","stars":{stars}}}"#);
        assert_eq!(world.ask("alice POST /v1/reviews", &body).await.status, 201);
    }
    let list = world.ask("manager GET /v1/reviews?stars=2", "").await.json();
    let low = list["items"][0]["id"].as_str().unwrap().to_owned();
    let reply = format!("manager PATCH /v1/reviews/{low}");
    assert_eq!(world.ask(&reply, r#"{"reply":"sorry"}"#).await.status, 200);
    let stars = async |line: &str| {
        let answer = world.ask(line, "").await;
        let json = answer.json();
        let all = json["items"].as_array().unwrap().iter();
        all.map(|row| row["stars"].to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(stars("alice GET /v1/reviews?sort=stars").await, "2 3 5", "her own");
    assert_eq!(stars("bob GET /v1/reviews?sort=stars").await, "3 5");
    assert_eq!(stars("partner GET /v1/reviews?sort=stars").await, "3 5");
    assert_eq!(stars("manager GET /v1/reviews?sort=-stars").await, "5 3 2");
    assert_eq!(stars("alice GET /v1/reviews?sort=stars&weight.gte=3.75").await, "3 5");
    // Whether `reply` matches is told only of rows whose `reply` may be read.
    assert_eq!(stars("alice GET /v1/reviews?reply.prefix=so").await, "2");
    assert_eq!(stars("bob GET /v1/reviews?reply.null=true").await, "");
    assert_eq!(stars("manager GET /v1/reviews?reply.null=true&sort=stars").await, "3 5");
    assert_eq!(world.ask("partner GET /v1/reviews?reply=x", "").await.status, 400);
    assert_eq!(world.ask("partner GET /v1/reviews?fields=reply", "").await.status, 400);
    assert_eq!(world.ask("bob GET /v1/reviews?sort=reply", "").await.status, 400);
}

#[tokio::test]
async fn a_guard_asks_the_rows_that_a_command_looks_up() {
    let Reviewed { world, order, review, .. } = reviewed(4).await;
    let endorse = format!("alice POST /v1/reviews/{}/endorse", review.id());
    let early = world.ask(&endorse, "").await;
    assert_eq!(
        early.body.lines().next(),
        Some("guard-failed: `status == 'shipped'` does not hold")
    );
    for step in ["alice {}/place", "system {}/pay", "picker {}/ship"] {
        let (who, path) = step.split_once(' ').unwrap();
        let line = format!("{who} POST /v1/orders/{}", path.replace("{}", &order));
        assert_eq!(world.ask(&line, "").await.status, 200);
    }
    let done = world.ask(&endorse, "").await;
    assert_eq!((done.status, &done.json()["endorsed"]), (200, &1.into()), "the input's default");
    let done = world.ask(&endorse, r#"{"by":3}"#).await;
    assert_eq!(done.json()["endorsed"], 4);
    assert_eq!(done.json()["order_status"], "shipped", "the answer shows what is asked for");
    let null = world.ask(&endorse, r#"{"by":null}"#).await;
    assert_eq!(null.show(), "422\ninvalid-value\n  /by: may not be null");
    // Its answer is kept and replayed with what was asked for then.
    let key = ["idempotency-key: k"];
    let first = world.send(&endorse, &key, "").await;
    let second = world.send(&endorse, &key, "").await;
    assert_eq!(
        (second.body.as_str(), second.header("idempotent-replayed")),
        (&*first.body, "true")
    );
}

#[tokio::test]
async fn spans_sort_by_their_start_and_are_filtered_by_either_end() {
    let world = World::new();
    let room = world.ask("manager POST /v1/rooms", r#"{"name":"Blue"}"#).await.id();
    for (at, (start, end)) in
        [("12:00", "13:00"), ("08:00", "11:00"), ("11:00", "12:00")].into_iter().enumerate()
    {
        let day = "2030-05-01T";
        let body = format!(
            r#"{{"room":"{room}","during":{{"start":"{day}{start}:00Z","end":"{day}{end}:00Z"}}}}"#
        );
        let key = format!("idempotency-key: {at}");
        assert_eq!(world.send("alice POST /v1/bookings", &[&key], &body).await.status, 201);
    }
    let starts = async |query: &str| {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let line = format!("alice GET /v1/bookings?limit=1&{query}{cursor}");
            let page = world.ask(&line, "").await;
            assert_eq!(page.status, 200, "{line}: {}", page.body);
            let json = page.json();
            let items = json["items"].as_array().unwrap().iter();
            all.extend(
                items.map(|row| row["during"]["start"].as_str().unwrap()[11..13].to_owned()),
            );
            match json["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all.join(" "),
            }
        }
    };
    assert_eq!(starts("sort=during.start").await, "08 11 12");
    assert_eq!(starts("sort=-during.start").await, "12 11 08");
    assert_eq!(starts("sort=during.start&during.start.gt=2030-05-01T08:00:00Z").await, "11 12");
    assert_eq!(starts("sort=id&during.end.lte=2030-05-01T12:00:00Z").await, "08 11");
    assert_eq!(world.ask("alice GET /v1/bookings?during=x", "").await.status, 400);
}
