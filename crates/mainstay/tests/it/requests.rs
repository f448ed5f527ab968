//! Requests that come by a broker instead of HTTP, asked with real clients of it.

mod asker;

use crate::brokers::{by_nats, on_rabbitmq, on_redis, url_for};
use crate::events::{ALICE, MANAGER};
use crate::harness::{Folder, Server, WAIT, run};
use crate::scenes::{Scene, ids, product, text};
use asker::{Asker, Reply};
use serde_json::json;
use std::time::{Duration, Instant};

/// What lets a backend answer by its broker.
const ON: &[&str] = &["--broker-requests"];
/// So long nothing comes where nothing is to come.
const QUIET: Duration = Duration::from_millis(1_500);

/// A shop that answers by the broker of this thread, and who asks it.
fn shop() -> (Scene, Asker) {
    let shop = Scene::with("examples/shop", Folder::new(), ON);
    shop.server.logs("taking requests");
    let asker = Asker::of(&url_for(&shop.folder.0.join("data")).expect("there is a broker"));
    (shop, asker)
}

fn bearer(shop: &Scene, caller: &str) -> String {
    format!("Bearer {}", shop.token(caller))
}

/// Fields of an order of a caller, under a key.
fn order_fields<'a>(token: &'a str, key: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("method", "POST"),
        ("path", "/v1/orders"),
        ("authorization", token),
        ("content-type", "application/json"),
        ("idempotency-key", key),
    ]
}

fn order_body(product: &str) -> String {
    json!({"lines": [{"product": product, "quantity": 2}]}).to_string()
}

fn orders(shop: &Scene) -> Vec<String> {
    ids(&shop.get(MANAGER, "/v1/orders?limit=100").expect(200))
}

/// Instants of RFC 3339, so many seconds from now.
fn from_now(seconds: i64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after");
    let at = i64::try_from(now.as_secs()).expect("it fits") + seconds;
    jiff::Timestamp::from_second(at).expect("it fits").to_string()
}

fn what_is_asked_by_a_broker_is_answered_as_over_http() {
    let (mut shop, asker) = shop();
    let product = product(&shop, "acme", "A-1", "12.50");
    let alice = bearer(&shop, ALICE);
    let body = order_body(&product);
    let made = asker.ask(&order_fields(&alice, "k-1"), &body);
    let order = text(&made.expect(201), "id");
    let path = format!("/v1/orders/{order}");
    assert_eq!(made.header("location"), path);
    assert_eq!(made.header("traceparent").len(), 55);
    let read = shop.get(ALICE, &path);
    assert_eq!(read.expect(200), made.expect(201), "over HTTP it is the same row");
    assert_eq!(read.header("etag"), made.header("etag"));
    // The same key again is the same answer, by whichever way it comes.
    let again = asker.ask(&order_fields(&alice, "k-1"), &body);
    assert_eq!(again.expect(201), made.expect(201));
    assert_eq!(again.header("idempotent-replayed"), "true");
    let http = shop.request(ALICE, "POST", "/v1/orders").header("idempotency-key", "k-1");
    let http = http.bytes("application/json", body.clone().into_bytes()).send();
    assert_eq!(http.expect(201), made.expect(201));
    assert_eq!(orders(&shop), [order.as_str()]);
    let read = asker.ask(&[("method", "GET"), ("path", &path), ("authorization", &alice)], "");
    assert_eq!(read.expect(200), made.expect(201));
    what_is_refused_over_http_is_refused(&shop, &asker, &path, &body);
    let metrics = shop.server.get("/metrics").send().text();
    let kind = if asker.is_nats() { "nats" } else { "" };
    let counted = format!("mainstay_broker_requests_total{{broker=\"{kind}");
    assert!(metrics.contains(&counted) && metrics.contains("status=\"2xx\"}"), "{metrics}");
    assert!(metrics.contains("mainstay_broker_request_duration_seconds_count{broker="));
    assert_eq!(shop.server.stop(), 0);
}

/// A problem of each kind, by the name of its type.
#[track_caller]
fn refused(reply: &Reply, status: u16, slug: &str) {
    let problem = reply.expect(status);
    assert_eq!(problem["type"], format!("urn:problem:{slug}"), "{problem}");
    assert_eq!(reply.header("content-type"), "application/problem+json");
}

fn what_is_refused_over_http_is_refused(shop: &Scene, asker: &Asker, path: &str, body: &str) {
    let alice = bearer(shop, ALICE);
    let wrong = asker.ask(&order_fields("Bearer wrong", "k-2"), body);
    refused(&wrong, 401, "unauthenticated");
    assert!(wrong.header("www-authenticate").starts_with("Bearer"), "{wrong:?}");
    let bob = bearer(shop, "shopper acme bob");
    let hidden = asker.ask(&[("method", "GET"), ("path", path), ("authorization", &bob)], "");
    refused(&hidden, 404, "not-found");
    let fields = [("method", "DELETE"), ("path", "/v1/orders"), ("authorization", &alice)];
    let fields = [&fields[..], &[("idempotency-key", "k-3")]].concat();
    refused(&asker.ask(&fields, ""), 405, "method-not-allowed");
    let long = format!("{{\"lines\": \"{}\"}}", "x".repeat(1 << 20));
    if !asker.is_nats() {
        refused(&asker.ask(&order_fields(&alice, "k-4"), &long), 413, "body-too-large");
    }
    refused(&asker.ask(&[("path", "/v1/orders")], ""), 400, "malformed-request");
    let stale = [("method", "PATCH"), ("path", path), ("authorization", &alice)];
    let more = [
        ("if-match", "\"stale\""),
        ("idempotency-key", "k-5"),
        ("content-type", "application/merge-patch+json"),
    ];
    refused(&asker.ask(&[&stale[..], &more].concat(), "{}"), 412, "version-mismatch");
    // What is the server's own is not of the contract.
    let metrics = asker.ask(&[("method", "GET"), ("path", "/metrics")], "");
    assert_eq!(metrics.status, 404, "{metrics:?}");
}

fn what_came_too_late_is_not_done() {
    let (shop, asker) = shop();
    let product = product(&shop, "acme", "A-1", "12.50");
    let (alice, body) = (bearer(&shop, ALICE), order_body(&product));
    let with = |name: &'static str, value: &str, key: &str| {
        let fields = [&order_fields(&alice, key)[..], &[(name, value)]].concat();
        asker.ask(&fields, &body)
    };
    refused(&with("deadline", &from_now(-5), "k-1"), 504, "deadline-exceeded");
    refused(&with("timeout", "0", "k-2"), 504, "deadline-exceeded");
    refused(&with("timeout", "soon", "k-3"), 400, "invalid-parameter");
    refused(&with("deadline", "tomorrow", "k-4"), 400, "invalid-parameter");
    assert_eq!(orders(&shop), [""; 0], "nothing was done");
    with("deadline", &from_now(60), "k-1").expect(201);
    with("timeout", "20000", "k-2").expect(201);
    assert_eq!(orders(&shop).len(), 2);
}

/// Where the broker keeps what nobody takes.
fn what_waited_past_its_deadline_is_not_done() {
    let (mut shop, asker) = shop();
    let product = product(&shop, "acme", "A-1", "12.50");
    let (alice, body) = (bearer(&shop, ALICE), order_body(&product));
    let data = shop.folder.0.join("data");
    assert_eq!(shop.server.stop(), 0);
    let soon = from_now(1);
    let late = [&order_fields(&alice, "k-1")[..], &[("deadline", soon.as_str())]].concat();
    let late = asker.send(&late, &body);
    let fine = asker.send(&order_fields(&alice, "k-2"), &body);
    std::thread::sleep(Duration::from_millis(2_100));
    shop.server = Server::start("examples/shop", &data, ON);
    let late = asker.take(&late, WAIT).expect("it is answered");
    refused(&late, 504, "deadline-exceeded");
    let fine = asker.take(&fine, WAIT).expect("it is answered").expect(201);
    assert_eq!(orders(&shop), [text(&fine, "id")]);
}

/// Where the broker delivers again what was not settled.
fn after_kill_9_under_load_every_request_was_done_once() {
    const MANY: usize = 60;
    let (mut shop, asker) = shop();
    let product = product(&shop, "acme", "A-1", "12.50");
    let (alice, body) = (bearer(&shop, ALICE), order_body(&product));
    let data = shop.folder.0.join("data");
    let tickets: Vec<String> = (0..MANY)
        .map(|number| {
            // Without a key of its own each is known by the id of its message.
            let id = format!("m-{number}");
            let mut fields = order_fields(&alice, "");
            fields.retain(|(name, _)| *name != "idempotency-key");
            fields.push(("message-id", &id));
            asker.send(&fields, &body)
        })
        .collect();
    let first = asker.take(&tickets[0], WAIT).expect("it is answered");
    shop.server.kill();
    let killed = Instant::now();
    shop.server = Server::start("examples/shop", &data, ON);
    let mut made = vec![text(&first.expect(201), "id")];
    for ticket in &tickets[1..] {
        let reply = asker.take(ticket, WAIT).expect("it is answered");
        made.push(text(&reply.expect(201), "id"));
    }
    assert!(killed.elapsed() < WAIT, "{:?}", killed.elapsed());
    made.sort();
    made.dedup();
    assert_eq!(made.len(), MANY, "each answer is of an order of its own");
    let mut kept = orders(&shop);
    kept.sort();
    assert_eq!(kept, made);
}

/// Where the broker keeps nothing: who asks repeats, under the same key.
fn who_repeats_after_kill_9_gets_the_answer_and_it_is_done_once() {
    let (mut shop, asker) = shop();
    let product = product(&shop, "acme", "A-1", "12.50");
    let (alice, body) = (bearer(&shop, ALICE), order_body(&product));
    let data = shop.folder.0.join("data");
    for round in 0..5 {
        let key = format!("k-{round}");
        let lost = asker.send(&order_fields(&alice, &key), &body);
        std::thread::sleep(Duration::from_millis(3 * round));
        shop.server.kill();
        shop.server = Server::start("examples/shop", &data, ON);
        shop.server.logs("taking requests");
        let lost = asker.take(&lost, Duration::from_millis(50));
        let made = text(&asker.ask(&order_fields(&alice, &key), &body).expect(201), "id");
        if let Some(lost) = lost {
            assert_eq!(text(&lost.expect(201), "id"), made);
        }
    }
    assert_eq!(orders(&shop).len(), 5);
}

/// Processes on one database share what is asked.
fn two_processes_share_the_requests() {
    crate::database::on_postgresql(|| {
        let (mut shop, asker) = shop();
        let product = product(&shop, "acme", "A-1", "12.50");
        let data = shop.folder.0.join("data");
        let second = Server::start("examples/shop", &data, ON);
        second.logs("taking requests");
        let (alice, body) = (bearer(&shop, ALICE), order_body(&product));
        let ask = |many: std::ops::Range<usize>| {
            let keys: Vec<String> = many.map(|number| format!("k-{number}")).collect();
            let send = |key: &String| asker.send(&order_fields(&alice, key), &body);
            let tickets: Vec<String> = keys.iter().map(send).collect();
            for ticket in &tickets {
                asker.take(ticket, WAIT).expect("it is answered").expect(201);
            }
        };
        ask(0..40);
        let answered = |server: &Server| {
            let text = server.get("/metrics").send().text();
            let line = text.lines().find(|line| {
                line.starts_with("mainstay_broker_requests_total") && line.contains("2xx")
            });
            line.and_then(|line| line.rsplit(' ').next()?.parse::<u32>().ok()).unwrap_or(0)
        };
        let (one, other) = (answered(&shop.server), answered(&second));
        assert_eq!(one + other, 40);
        assert!(one > 0 && other > 0, "{one} and {other}");
        // One that ends in peace leaves nothing behind.
        assert_eq!(shop.server.stop(), 0);
        shop.server = second;
        ask(40..60);
        assert_eq!(orders(&shop).len(), 60);
    });
}

/// What is sent by the rights of the backend does not go where an asker may not write.
fn an_answer_does_not_go_where_it_would_be_believed() {
    let (shop, asker) = shop();
    let product = product(&shop, "acme", "A-1", "12.50");
    let (alice, body) = (bearer(&shop, ALICE), order_body(&product));
    let own = asker.desk.replace(".requests", ".shop.0.order.paid");
    asker.send_to(&own, &order_fields(&alice, "k-1"), &body);
    asker.send_to("$JS.API.STREAM.PURGE.t0_shop_shop", &order_fields(&alice, "k-2"), &body);
    shop.server.logs("its answer may not go where it says");
    asker.ask(&order_fields(&alice, "k-3"), &body).expect(201);
    std::thread::sleep(QUIET);
    assert_eq!(orders(&shop).len(), 1, "they were not done");
}

#[test]
fn a_broker_that_takes_no_requests_is_refused_at_the_start() {
    let folder = Folder::new();
    let data = folder.0.join("data").display().to_string();
    let ran = run(&["up", "examples/shop", "--data", &data, "--broker-requests"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("--broker <URL>"), "{}", ran.stderr);
}

/// Runs scenarios as tests of a broker.
macro_rules! by {
    ($($broker:ident: $($scenario:ident,)*;)*) => {
        $(mod $broker {
            $(#[test]
            fn $scenario() {
                super::$broker(super::$scenario);
            })*
        })*
    };
}

by! {
    by_nats:
        what_is_asked_by_a_broker_is_answered_as_over_http,
        what_came_too_late_is_not_done,
        who_repeats_after_kill_9_gets_the_answer_and_it_is_done_once,
        two_processes_share_the_requests,
        an_answer_does_not_go_where_it_would_be_believed,;
    on_rabbitmq:
        what_is_asked_by_a_broker_is_answered_as_over_http,
        what_came_too_late_is_not_done,
        what_waited_past_its_deadline_is_not_done,
        after_kill_9_under_load_every_request_was_done_once,
        two_processes_share_the_requests,;
    on_redis:
        what_is_asked_by_a_broker_is_answered_as_over_http,
        what_came_too_late_is_not_done,
        what_waited_past_its_deadline_is_not_done,
        after_kill_9_under_load_every_request_was_done_once,
        two_processes_share_the_requests,;
}
