//! Systems outside that are called: by reactions and by jobs, once in effect where the other side
//! can tell.

use crate::harness::{Answer, Folder, Server, until};
use crate::receiver::{Got, Receiver, Reply};
use crate::scenes::{Scene, text};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const MODEL: &str = "
system: desk
tenancy: row by org
actors: { staff: oidc }
contexts:
  sales:
    resources:
      Order:
        fields: { number: string max 40, price: money, state: open | paid }
        commands: { pay: { state: open -> paid, by: staff, emit: order.paid } }
        allow: { read: staff, write: staff }
  billing:
    reacts:
      order.paid:
        when: event.number != \"free\"
        do: bank.charge
        with: { amount: event.price, reference: event.id }
events:
  order.paid: { data: [id, number, price] }
integrations:
  bank:
    http: BASE/api/
    auth: bearer ${file:bank.key}
    expects: { p95: 250 ms }
    operations:
      charge:
        post: /charges
        body: { amount: money, reference: string, note: string optional }
        returns: { id: string, state: string optional }
        idempotent: true
        refuses: { 402: declined }
      book:
        post: \"/books/{account}\"
        body: { reference: string }
        returns: { id: string }
        lookup: { get: \"/books?reference={reference}\" }
      rate: { get: \"/rates/{currency}\", body: { day: date }, returns: { rate: decimal(9.4) } }
      ring: { post: /bell }
jobs:
  charge:
    input: { order: sales.Order, sum: money }
    do: bank.charge
    with: { amount: sum, reference: order }
    by: staff
    retry: 3
  book:
    input: { order: sales.Order, account: string max 40 }
    do: bank.book
    with: { account: account, reference: order }
    by: staff
  rate: { input: { currency: string max 9, day: date }, do: bank.rate, with: { currency: currency, day: day }, by: staff }
  ring: { do: bank.ring, by: staff, retry: 1 }
";
const STAFF: &str = "staff acme";

/// The desk, whose bank is a receiver.
fn desk(bank: &Receiver) -> (Scene, String) {
    let model = MODEL.replace("BASE", &bank.base);
    let folder = Folder::new().with("mainstay.yaml", &model).with("bank.key", "s3cret\n");
    let model = folder.0.join("mainstay.yaml").display().to_string();
    (Scene::of(&model, folder), model)
}

fn paid(scene: &Scene, number: &str) -> String {
    let order = json!({"number": number, "price": {"amount": "12.50", "currency": "EUR"}});
    let id = text(&scene.post(STAFF, "/v1/orders", order).expect(201), "id");
    scene.command(STAFF, &format!("/v1/orders/{id}/pay")).expect(200);
    id
}

fn ask(scene: &Scene, job: &str, body: Value) -> Answer {
    scene.post(STAFF, &format!("/v1/operations/{job}"), body)
}

/// The operation when it is over.
#[track_caller]
fn awaited(scene: &Scene, answer: &Answer) -> Value {
    answer.expect(202);
    let path = answer.header("location").to_owned();
    let now = || scene.get(STAFF, &path).expect(200);
    until(|| now().to_string(), || now()["done"] == true);
    now()
}

fn keys(got: &[Got]) -> Vec<&str> {
    got.iter().map(|got| got.header("idempotency-key")).collect()
}

#[test]
pub(crate) fn a_reaction_calls_outside_with_proof_key_and_trace_where_its_condition_holds() {
    let bank = Receiver::start(|_, _| Reply::Json(201, json!({"id": "ch_1"})));
    let (scene, _) = desk(&bank);
    paid(&scene, "free");
    let order = paid(&scene, "A");
    let got = bank.await_count(1);
    assert_eq!((&*got[0].method, &*got[0].path), ("POST", "/api/charges"));
    assert_eq!(got[0].header("authorization"), "Bearer s3cret");
    assert_eq!(got[0].header("content-type"), "application/json");
    assert!(got[0].header("traceparent").starts_with("00-"), "{got:?}");
    let price = json!({"amount": "12.50", "currency": "EUR"});
    assert_eq!(got[0].json(), json!({"amount": price, "reference": order}));
    // One key for each event and context.
    let events = scene.get(STAFF, "/v1/events").expect(200);
    let events = events["items"].as_array().expect("items");
    let event = events.iter().find(|event| event["data"]["id"] == order).expect("it is told");
    assert_eq!(got[0].header("idempotency-key"), format!("{}-billing", text(event, "id")));
    let metrics = scene.server.get("/metrics").send().text();
    let counted = "mainstay_integration_call_duration_seconds_count{integration=\"bank\",\
                   operation=\"charge\",outcome=\"done\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
    assert!(!scene.server.log().contains("s3cret"));
    assert_eq!(bank.got().len(), 1, "the order that is free is not charged");
}

#[test]
pub(crate) fn a_call_that_fails_is_made_again_by_the_same_key() {
    let bank = Receiver::start(|_, number| match number {
        1 => Reply::Status(500),
        2 => Reply::Hang,
        _ => Reply::Json(200, json!({"id": "ch_1"})),
    });
    let (scene, _) = desk(&bank);
    paid(&scene, "A");
    let got = bank.await_count(3);
    let keys = keys(&got);
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert!(got.iter().all(|one| one.body == got[0].body), "{got:?}");
    let letters = || scene.get("system acme", "/v1/dead-letters").expect(200);
    assert_eq!(letters()["items"], json!([]), "it was done in the end");
}

#[test]
pub(crate) fn a_refusal_of_a_reaction_is_a_dead_letter_at_once() {
    let bank = Receiver::start(|_, number| match number {
        1 => Reply::Json(402, json!({"why": "no money"})),
        _ => Reply::Json(200, json!({"id": "ch_1"})),
    });
    let (scene, _) = desk(&bank);
    paid(&scene, "A");
    let letters = || scene.get("system acme", "/v1/dead-letters").expect(200);
    until(|| letters().to_string(), || letters()["items"] != json!([]));
    let letter = letters()["items"][0].clone();
    assert_eq!(letter["errors"][0]["problem"], "outside-refused", "{letter}");
    let said = "`bank.charge` answered 402: declined";
    assert!(letter.to_string().contains(said), "{letter}");
    assert_eq!(bank.got().len(), 1, "a refusal is an answer");
    let path = format!("/v1/dead-letters/{}/redrive", text(&letter, "id"));
    scene.command("system acme", &path);
    let got = bank.await_count(2);
    assert_eq!(got[0].header("idempotency-key"), got[1].header("idempotency-key"));
}

#[test]
pub(crate) fn a_job_calls_outside_and_shows_what_came_of_it() {
    let bank = Receiver::start(|got, _| match got.path.as_str() {
        "/api/rates/EU%2FR?day=2026-01-02" => {
            Reply::Json(200, json!({"rate": "1.25", "secret": 1}))
        }
        _ => Reply::Json(200, json!({"id": "ch_1", "state": null, "card": "4111"})),
    });
    let (scene, _) = desk(&bank);
    let order = paid(&scene, "free");
    let sum = json!({"amount": "3.00", "currency": "EUR"});
    let asked = ask(&scene, "charge", json!({"order": order, "sum": sum}));
    let done = awaited(&scene, &asked);
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(done["response"], json!({"id": "ch_1", "state": null}), "what the model knows");
    let got = bank.got();
    assert_eq!(got[0].header("idempotency-key"), text(&done, "id"));
    assert_eq!(got[0].json(), json!({"amount": sum, "reference": order}));
    let rate = json!({"currency": "EU/R", "day": "2026-01-02"});
    let done = awaited(&scene, &ask(&scene, "rate", rate));
    assert_eq!(done["response"], json!({"rate": "1.25"}), "{done}");
    assert_eq!(bank.got()[1].method, "GET");
    assert_eq!(bank.got()[1].body, b"");
}

#[test]
pub(crate) fn a_job_that_is_refused_ends_and_one_that_fails_is_tried_again() {
    let bank =
        Receiver::start(|got, number| match (got.json()["amount"]["amount"].as_str(), number) {
            (Some("4.02"), _) => Reply::Status(402),
            (Some("4.22"), _) => Reply::Status(422),
            (Some("3.02"), _) => Reply::Status(302),
            (_, 4) => Reply::Status(429),
            _ => Reply::Json(200, json!({"id": "ch_1"})),
        });
    let (scene, _) = desk(&bank);
    let order = paid(&scene, "free");
    let charge = |amount: &str| {
        let sum = json!({"amount": amount, "currency": "EUR"});
        awaited(&scene, &ask(&scene, "charge", json!({"order": order, "sum": sum})))
    };
    let refused = charge("4.02");
    assert_eq!(refused["state"], "failed");
    assert_eq!(refused["error"]["type"], "urn:problem:outside-refused", "{refused}");
    assert_eq!(refused["error"]["detail"], "`bank.charge` answered 402: declined");
    let wrong = charge("4.22");
    assert_eq!(wrong["error"]["type"], "urn:problem:outside-failed", "{wrong}");
    assert_eq!(wrong["metadata"]["attempts"], 1, "what is wrong stays wrong: {wrong}");
    let elsewhere = charge("3.02");
    let said = "`bank.charge` answered 302; redirects are not followed";
    assert_eq!(elsewhere["error"]["detail"], said);
    let done = charge("1.00");
    assert_eq!((&done["state"], &done["metadata"]["attempts"]), (&json!("done"), &json!(2)));
    assert_eq!(keys(&bank.got()[3..]), [text(&done, "id"), text(&done, "id")]);
}

#[test]
pub(crate) fn where_no_key_is_taken_the_other_side_is_asked_before_a_call_is_made_again() {
    let booked = Arc::new(AtomicBool::new(false));
    let known = Arc::clone(&booked);
    // It books, and its answer is lost.
    let bank = Receiver::start(move |got, _| match got.method.as_str() {
        "GET" if known.load(Ordering::SeqCst) => Reply::Json(200, json!({"items": [{"id": "b1"}]})),
        "GET" => Reply::Json(200, json!({"items": []})),
        _ => {
            known.store(true, Ordering::SeqCst);
            Reply::Hang
        }
    });
    let (scene, _) = desk(&bank);
    let order = paid(&scene, "free");
    let asked = ask(&scene, "book", json!({"order": order, "account": "a b"}));
    let done = awaited(&scene, &asked);
    assert_eq!((&done["state"], &done["response"]), (&json!("done"), &json!({"id": "b1"})));
    let calls: Vec<String> =
        bank.got().iter().map(|got| format!("{} {}", got.method, got.path)).collect();
    let lookup = format!("GET /api/books?reference={order}");
    assert_eq!(calls, [lookup.clone(), "POST /api/books/a%20b".to_owned(), lookup]);
    assert!(booked.load(Ordering::SeqCst));
}

#[test]
pub(crate) fn a_call_that_kill_9_cuts_is_made_again_by_its_key_and_never_where_it_has_none() {
    let up = Arc::new(AtomicBool::new(false));
    let answers = Arc::clone(&up);
    let bank = Receiver::start(move |_, _| match answers.load(Ordering::SeqCst) {
        true => Reply::Json(200, json!({"id": "ch_1"})),
        false => Reply::Hang,
    });
    let (mut scene, model) = desk(&bank);
    let order = paid(&scene, "A");
    let sum = json!({"amount": "3.00", "currency": "EUR"});
    let charge = ask(&scene, "charge", json!({"order": order, "sum": sum}));
    let ring = ask(&scene, "ring", json!({}));
    // The reaction's, and one of each job.
    bank.await_count(3);
    scene.server.kill();
    up.store(true, Ordering::SeqCst);
    scene.server = Server::start(&model, &scene.folder.0.join("data"), &[]);
    let charged = awaited(&scene, &charge);
    assert_eq!(charged["state"], "done", "{charged}");
    let rung = awaited(&scene, &ring);
    assert_eq!(rung["state"], "failed", "{rung}");
    let said = text(&rung["error"], "detail");
    assert!(said.starts_with("whether `bank.ring` was done is not known"), "{said}");
    let reaction = |got: &Got| got.header("idempotency-key").ends_with("-billing");
    until(
        || format!("{:?}", bank.got()),
        || bank.got().iter().filter(|got| reaction(got)).count() == 2,
    );
    let got = bank.got();
    assert_eq!(got.iter().filter(|got| got.path == "/api/bell").count(), 1, "never again");
    let both: Vec<Got> = got.into_iter().filter(reaction).collect();
    assert_eq!(keys(&both)[0], keys(&both)[1]);
}
