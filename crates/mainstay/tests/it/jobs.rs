//! Jobs: a command that is asked for, run as `system` beside the requests, once in effect.

use crate::database::{Database, query, url_for};
use crate::harness::{Answer, Folder, Server, until};
use crate::scenes::{Scene, text};
use serde_json::{Value, json};
use std::fmt::Write as _;

const MODEL: &str = "
system: billing
tenancy: row by org
actors: { staff: oidc roles clerk | boss, robot: oidc }
contexts:
  ordering:
    resources:
      Order:
        if_match: required
        fields: { number: string max 40, sent: int = 0, state: open | paid }
        commands:
          invoice:
            input: { copies: int 1..9 }
            require: sent < 5
            set: { sent: sent + copies }
            by: system
          pay: { state: open -> paid, by: system }
        allow: { read: [staff, robot], write: staff }
jobs:
  send_invoice:
    about: Sends an invoice
    input: { order: ordering.Order, copies: int 1..5 = 1 }
    do: ordering.Order.invoice
    for: order
    with: { copies: copies }
    by: [staff.boss, system]
    priority: high
    retry: 2
    concurrency: 1
  send_later:
    input: { order: ordering.Order }
    do: Order.invoice
    for: order
    with: { copies: 1 }
    by: staff
    priority: low
  send_first:
    input: { order: ordering.Order }
    do: Order.invoice
    for: order
    with: { copies: 1 }
    by: staff
    priority: high
  pay_it: { input: { order: ordering.Order }, do: Order.pay, for: order, by: system }
";
const BOSS: &str = "staff.boss acme";

fn billing() -> (Scene, String) {
    let folder = Folder::new().with("mainstay.yaml", MODEL);
    let model = folder.0.join("mainstay.yaml").display().to_string();
    (Scene::of(&model, folder), model)
}

fn order(scene: &Scene, number: &str) -> String {
    text(&scene.post(BOSS, "/v1/orders", json!({"number": number})).expect(201), "id")
}

fn ask(scene: &Scene, caller: &str, job: &str, body: Value) -> Answer {
    scene.post(caller, &format!("/v1/operations/{job}"), body)
}

fn sent(scene: &Scene, order: &str) -> i64 {
    let order = scene.get(BOSS, &format!("/v1/orders/{order}")).expect(200);
    order["sent"].as_i64().expect("a number")
}

/// The operation when it is over.
#[track_caller]
fn awaited(scene: &Scene, caller: &str, answer: &Answer) -> Value {
    let begun = answer.expect(202);
    let path = answer.header("location").to_owned();
    assert_eq!(path, format!("/v1/operations/{}", text(&begun, "id")));
    let now = || scene.get(caller, &path).expect(200);
    until(|| now().to_string(), || now()["done"] == true);
    now()
}

/// A statement in the database of a scene, by someone else than the backend.
fn execute(scene: &Scene, sqlite: &str, postgresql: &str) {
    let data = scene.folder.0.join("data");
    if let Some(url) = url_for(&data) {
        query(&url, postgresql).expect("it runs");
        return;
    }
    let file = rusqlite::Connection::open(data.join("billing.db")).expect("it opens");
    file.busy_timeout(std::time::Duration::from_secs(10)).expect("it is set");
    file.execute_batch(sqlite).expect("it runs");
}

/// From now on no order can be changed.
fn break_orders(scene: &Scene) {
    execute(
        scene,
        "CREATE TRIGGER broken BEFORE UPDATE ON ordering_orders \
         BEGIN SELECT json_extract('broken', '$'); END",
        "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS \
         $$BEGIN RAISE 'broken'; END$$; \
         CREATE TRIGGER broken BEFORE UPDATE ON ordering.orders \
         FOR EACH ROW EXECUTE FUNCTION broken()",
    );
}

/// They can be changed again.
fn mend_orders(scene: &Scene) {
    execute(scene, "DROP TRIGGER broken", "DROP TRIGGER broken ON ordering.orders");
}

#[test]
pub(crate) fn a_job_calls_its_command_once_with_its_inputs_and_defaults() {
    let (scene, _) = billing();
    let id = order(&scene, "A");
    let answer = ask(&scene, BOSS, "send-invoice", json!({"order": id, "copies": 3}));
    let begun = answer.expect(202);
    assert_eq!((&begun["kind"], &begun["of"]), (&json!("job"), &json!("send_invoice")));
    assert_eq!(begun["metadata"]["priority"], "high");
    let done = awaited(&scene, BOSS, &answer);
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(done["response"], json!({"id": id}));
    assert_eq!(done["metadata"]["attempts"], 1);
    assert_eq!(sent(&scene, &id), 3);
    awaited(&scene, BOSS, &ask(&scene, BOSS, "send-invoice", json!({"order": id})));
    assert_eq!(sent(&scene, &id), 4, "one copy unless it is said");
    let system = "system acme";
    let paid = awaited(&scene, system, &ask(&scene, system, "pay-it", json!({"order": id})));
    assert_eq!(paid["state"], "done", "{paid}");
}

#[test]
pub(crate) fn what_is_asked_twice_under_one_key_is_done_once() {
    let (scene, _) = billing();
    let id = order(&scene, "A");
    let post = || {
        let post = scene.request(BOSS, "POST", "/v1/operations/send-invoice");
        post.json(&json!({"order": id})).header("idempotency-key", "k-1").send()
    };
    let (first, again) = (post(), post());
    assert_eq!(first.header("location"), again.header("location"));
    assert_eq!(again.header("idempotent-replayed"), "true");
    awaited(&scene, BOSS, &first);
    assert_eq!(sent(&scene, &id), 1);
}

#[test]
pub(crate) fn a_job_is_for_those_whom_the_model_lets_ask() {
    let (scene, _) = billing();
    let id = order(&scene, "A");
    let body = || json!({"order": id});
    assert_eq!(ask(&scene, "staff.clerk acme", "send-invoice", body()).problem(403), "forbidden");
    assert_eq!(ask(&scene, "robot acme", "send-later", body()).problem(403), "forbidden");
    assert_eq!(ask(&scene, BOSS, "pay-it", body()).problem(404), "not-found");
    let nobody = scene.server.request("POST", "/v1/operations/send-invoice").json(&body()).send();
    assert_eq!(nobody.problem(401), "unauthenticated");
    let read = scene.get(BOSS, "/v1/operations/send-invoice");
    assert_eq!(read.problem(405), "method-not-allowed");
    let globex = "staff.boss globex";
    let other = awaited(&scene, globex, &ask(&scene, globex, "send-invoice", body()));
    assert_eq!(other["state"], "failed", "an order of another tenant is not there");
    assert_eq!(other["error"]["type"], "urn:problem:not-found");
    let mine = ask(&scene, BOSS, "send-invoice", body());
    awaited(&scene, BOSS, &mine);
    let path = mine.header("location").to_owned();
    assert_eq!(scene.get(globex, &path).problem(404), "not-found");
    assert_eq!(sent(&scene, &id), 1);
}

#[test]
pub(crate) fn inputs_that_do_not_fit_are_refused_before_anything_is_kept() {
    let (scene, _) = billing();
    let id = order(&scene, "A");
    let refused = |body: Value| ask(&scene, BOSS, "send-invoice", body);
    assert_eq!(refused(json!({})).problem(422), "invalid-value");
    assert_eq!(refused(json!({"order": id, "copies": 6})).problem(422), "invalid-value");
    assert_eq!(refused(json!({"order": id, "more": 1})).problem(400), "unknown-member");
    let page = scene.get(BOSS, "/v1/operations").expect(200);
    assert_eq!(page["items"], json!([]));
}

#[test]
pub(crate) fn a_refusal_that_stays_one_fails_at_once() {
    let (scene, _) = billing();
    let id = order(&scene, "A");
    let body = || json!({"order": id, "copies": 5});
    awaited(&scene, BOSS, &ask(&scene, BOSS, "send-invoice", body()));
    let failed = awaited(&scene, BOSS, &ask(&scene, BOSS, "send-invoice", body()));
    assert_eq!(failed["state"], "failed", "{failed}");
    assert_eq!(failed["error"]["type"], "urn:problem:guard-failed");
    assert_eq!(failed["metadata"]["attempts"], 1);
    assert_eq!(sent(&scene, &id), 5);
}

#[test]
pub(crate) fn what_may_succeed_later_is_tried_again_and_fails_with_its_last_attempt() {
    let (scene, _) = billing();
    let id = order(&scene, "A");
    break_orders(&scene);
    let failed = awaited(&scene, BOSS, &ask(&scene, BOSS, "send-invoice", json!({"order": id})));
    assert_eq!(failed["state"], "failed", "{failed}");
    assert_eq!(failed["metadata"]["attempts"], 2, "{failed}");
    assert!(failed["error"]["status"].as_i64() >= Some(500), "{failed}");
    let later = ask(&scene, BOSS, "send-later", json!({"order": id}));
    let path = later.header("location").to_owned();
    let now = || scene.get(BOSS, &path).expect(200);
    until(|| now().to_string(), || now()["metadata"]["attempts"].as_i64() >= Some(2));
    mend_orders(&scene);
    let done = awaited(&scene, BOSS, &later);
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(sent(&scene, &id), 1, "attempts that failed changed nothing");
}

#[test]
pub(crate) fn a_job_that_is_cancelled_before_it_runs_does_nothing() {
    let (scene, _) = billing();
    let id = order(&scene, "A");
    break_orders(&scene);
    let later = ask(&scene, BOSS, "send-later", json!({"order": id}));
    let path = later.header("location").to_owned();
    let cancelled = scene.request(BOSS, "POST", &format!("{path}/cancel")).send().expect(200);
    assert_eq!(cancelled["state"], "cancelled");
    mend_orders(&scene);
    awaited(&scene, BOSS, &ask(&scene, BOSS, "send-invoice", json!({"order": id, "copies": 2})));
    assert_eq!(scene.get(BOSS, &path).expect(200)["state"], "cancelled");
    assert_eq!(sent(&scene, &id), 2);
}

#[test]
pub(crate) fn of_those_that_wait_the_higher_priority_is_done_first() {
    let (scene, _) = billing();
    let mut body = String::new();
    for at in 0..6_000 {
        let _written = writeln!(body, "{}", json!({"number": format!("I-{at}")}));
    }
    let id = order(&scene, "A");
    // As many as a process works on at once.
    for _ in 0..4 {
        let post = scene.request(BOSS, "POST", "/v1/orders/import");
        let body = body.clone().into_bytes();
        post.bytes("application/x-ndjson", body).send().expect(202);
    }
    let many = |job: &str| -> Vec<Answer> {
        (0..2).map(|_| ask(&scene, BOSS, job, json!({"order": id}))).collect()
    };
    let (low, high) = (many("send-later"), many("send-first"));
    let started = |answers: &[Answer]| -> Vec<String> {
        let done = answers.iter().map(|answer| awaited(&scene, BOSS, answer));
        done.map(|done| text(&done["metadata"], "started_at")).collect()
    };
    let (low, high) = (started(&low), started(&high));
    assert!(high.iter().max() < low.iter().min(), "{high:?} before {low:?}");
}

#[test]
pub(crate) fn after_kill_9_under_load_every_job_is_done_once() {
    let (mut scene, model) = billing();
    let data = scene.folder.0.join("data");
    let orders: Vec<String> = (0..90).map(|at| order(&scene, &format!("K-{at}"))).collect();
    let mut asked = Vec::new();
    for (at, id) in orders.iter().enumerate() {
        let answer = ask(&scene, BOSS, "send-invoice", json!({"order": id, "copies": 2}));
        answer.expect(202);
        asked.push(answer.header("location").to_owned());
        if at % 30 == 29 {
            scene.server.kill();
            scene.server = Server::start(&model, &data, &[]);
        }
    }
    for path in &asked {
        let now = || scene.get(BOSS, path).expect(200);
        until(|| now().to_string(), || now()["done"] == true);
        assert_eq!(now()["state"], "done", "{}", now());
    }
    for id in &orders {
        assert_eq!(sent(&scene, id), 2, "once each");
    }
}

/// Waits until all are over, and looks meanwhile how many run: never more than one.
#[track_caller]
fn one_at_a_time(get: impl Fn(&str) -> Value, asked: &[String]) {
    let running = || {
        let page = get("/v1/operations?state=running&limit=100");
        page["items"].as_array().map_or(0, Vec::len)
    };
    for path in asked {
        let now = || {
            let count = running();
            assert!(count <= 1, "{count} run at once");
            get(path)
        };
        until(|| now().to_string(), || now()["done"] == true);
        assert_eq!(now()["state"], "done", "{}", now());
    }
}

#[test]
pub(crate) fn no_more_run_at_once_than_the_model_says() {
    let (scene, _) = billing();
    let orders: Vec<String> = (0..40).map(|at| order(&scene, &format!("C-{at}"))).collect();
    let path = |id: &String| {
        let answer = ask(&scene, BOSS, "send-invoice", json!({"order": id}));
        answer.expect(202);
        answer.header("location").to_owned()
    };
    let asked: Vec<String> = orders.iter().map(path).collect();
    one_at_a_time(|path| scene.get(BOSS, path).expect(200), &asked);
}

#[test]
fn of_two_processes_no_more_run_at_once_than_the_model_says() {
    let Some(database) = Database::new() else { return };
    let folder = Folder::new().with("mainstay.yaml", MODEL);
    let (model, url) = (folder.0.join("mainstay.yaml").display().to_string(), database.url());
    let start = |name: &str| Server::start(&model, &folder.0.join(name), &["--database", &url]);
    let (one, other) = (start("one"), start("other"));
    let token = one.token("staff", &["--role", "boss", "--tenant", "acme"]);
    let post = |path: &str, body: Value| one.post(path, body).bearer(&token).send();
    let made = |at: i32| post("/v1/orders", json!({"number": format!("T-{at}")})).expect(201);
    let orders: Vec<Value> = (0..30).map(made).collect();
    // Each takes so long that others would begin meanwhile.
    database.query(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
         $$BEGIN PERFORM pg_sleep(0.05); RETURN NEW; END$$; \
         CREATE TRIGGER slow BEFORE UPDATE ON ordering.orders \
         FOR EACH ROW EXECUTE FUNCTION slow()",
    );
    let path = |made: &Value| {
        let answer = post("/v1/operations/send-invoice", json!({"order": text(made, "id")}));
        answer.expect(202);
        answer.header("location").to_owned()
    };
    let asked: Vec<String> = orders.iter().map(path).collect();
    one_at_a_time(|path| one.get(path).bearer(&token).send().expect(200), &asked);
    assert!(other.get("/metrics").send().text().contains("mainstay_operations_open"));
}
