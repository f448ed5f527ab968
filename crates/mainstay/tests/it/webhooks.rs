//! Webhooks over HTTP: endpoints, signatures, retries, receivers that hang, addresses inside.

use crate::events::{ALICE, MANAGER, paid};
use crate::harness::{Folder, Server, until};
use crate::receiver::{Got, Receiver, Reply};
use crate::scenes::{Scene, pointers, product, text};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const PARTNER: &str = "partner acme p1";
const OTHER: &str = "partner acme p2";
const STRANGER: &str = "partner globex p1";
const ALLOWED: [&str; 2] = ["--webhook-allow", "127.0.0.0/8"];

/// True where one of the signatures is that of a secret, worked out by the specification alone.
fn is_signed_by(got: &Got, secret: &str) -> bool {
    let secret = secret.strip_prefix("whsec_").expect("a secret");
    let key = STANDARD.decode(secret).expect("base64");
    assert_eq!(key.len(), 32);
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key);
    let (id, at) = (got.header("webhook-id"), got.header("webhook-timestamp"));
    let signed = [id.as_bytes(), b".", at.as_bytes(), b".", &got.body].concat();
    let signatures = got.header("webhook-signature").split(' ');
    signatures.filter_map(|one| one.strip_prefix("v1,")).any(|one| {
        let tag = STANDARD.decode(one).expect("base64");
        ring::hmac::verify(&key, &signed, &tag).is_ok()
    })
}

/// Where a receiver takes webhooks.
fn hooks(receiver: &Receiver) -> String {
    format!("{}/hooks", receiver.base)
}

/// The orders that a receiver was told of.
fn told_of(receiver: &Receiver) -> BTreeSet<String> {
    receiver.got().iter().map(|got| text(&got.json()["data"], "id")).collect()
}

fn shop() -> (Scene, String) {
    let shop = Scene::with("examples/shop", Folder::new(), &ALLOWED);
    let product = product(&shop, "acme", "A-1", "12.50");
    (shop, product)
}

/// Registers an endpoint; as it was answered.
#[track_caller]
fn register(shop: &Scene, caller: &str, url: &str) -> Value {
    shop.post(caller, "/v1/webhooks", json!({"url": url, "events": ["order.paid"]})).expect(201)
}

fn path(endpoint: &Value) -> String {
    format!("/v1/webhooks/{}", text(endpoint, "id"))
}

fn attempts(shop: &Scene, endpoint: &Value) -> Vec<Value> {
    let page = shop.get(PARTNER, &format!("{}/attempts", path(endpoint))).expect(200);
    page["items"].as_array().expect("items").clone()
}

#[test]
pub(crate) fn an_event_is_delivered_signed_to_the_endpoints_of_its_tenant() {
    let (shop, product) = shop();
    let (receiver, elsewhere) = (Receiver::good(), Receiver::good());
    let made = shop.post(
        PARTNER,
        "/v1/webhooks",
        json!({"url": hooks(&receiver), "events": ["order.paid.v1"], "description": "books"}),
    );
    let endpoint = made.expect(201);
    assert_eq!(made.header("location"), path(&endpoint));
    let secret = text(&endpoint, "secret");
    register(&shop, STRANGER, &hooks(&elsewhere));
    let order = paid(&shop, ALICE, &product);
    let got = receiver.await_count(1)[0].clone();
    assert!(is_signed_by(&got, &secret), "{got:?}");
    assert!(!is_signed_by(&got, &format!("whsec_{}", STANDARD.encode([0; 32]))));
    assert_eq!(got.header("content-type"), "application/cloudevents+json");
    assert_eq!(got.header("traceparent").len(), 55);
    let event = got.json();
    assert_eq!(event["id"], got.header("webhook-id"));
    assert_eq!(event["type"], "order.paid.v1");
    assert_eq!(event["data"]["id"], order);
    assert_eq!(event["data"]["total"]["amount"], "25.00");
    // It is shown once.
    let shown = shop.get(PARTNER, &path(&endpoint)).expect(200);
    assert_eq!(shown["description"], "books");
    assert_eq!(shown["events"], json!(["order.paid.v1"]));
    assert_eq!(shown["state"], "active");
    let list = shop.get(PARTNER, "/v1/webhooks");
    assert_eq!(list.expect(200)["items"], json!([shown]));
    for shown in [list.text(), shown.to_string(), shop.server.log()] {
        assert!(!shown.contains(secret.trim_start_matches("whsec_")), "{shown}");
    }
    // Whose it is, and who looks after all.
    assert_eq!(shop.get(OTHER, &path(&endpoint)).problem(404), "not-found");
    assert_eq!(shop.get(STRANGER, &path(&endpoint)).problem(404), "not-found");
    assert_eq!(shop.delete(STRANGER, &path(&endpoint)).problem(404), "not-found");
    assert_eq!(shop.get(MANAGER, &path(&endpoint)).expect(200), shown);
    assert_eq!(shop.get(ALICE, "/v1/webhooks").problem(403), "forbidden");
    assert_eq!(shop.server.get("/v1/webhooks").send().problem(401), "unauthenticated");
    let tried = attempts(&shop, &endpoint);
    assert_eq!(tried.len(), 1);
    assert_eq!(tried[0]["event"], event["id"]);
    assert_eq!((&tried[0]["status"], &tried[0]["delivered"]), (&json!(204), &json!(true)));
    assert!(elsewhere.got().is_empty(), "tenants never meet");
    // Nothing comes once it is gone.
    assert_eq!(shop.delete(PARTNER, &path(&endpoint)).status, 204);
    assert_eq!(shop.delete(PARTNER, &path(&endpoint)).problem(404), "not-found");
    paid(&shop, ALICE, &product);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(receiver.got().len(), 1);
}

#[test]
pub(crate) fn a_key_is_rotated_while_the_one_before_still_signs() {
    let (shop, _) = shop();
    let receiver = Receiver::good();
    let endpoint = register(&shop, PARTNER, &hooks(&receiver));
    let rotated = shop.command(PARTNER, &format!("{}/rotate", path(&endpoint))).expect(200);
    let (old, new) = (text(&endpoint, "secret"), text(&rotated, "secret"));
    assert_ne!(old, new);
    assert!(rotated["previous_key_until"].is_string());
    let test = shop.command(PARTNER, &format!("{}/test", path(&endpoint))).expect(200);
    assert_eq!((&test["delivered"], &test["status"]), (&json!(true), &json!(204)));
    let got = receiver.await_count(1)[0].clone();
    assert_eq!(got.header("webhook-signature").split(' ').count(), 2);
    assert!(is_signed_by(&got, &old) && is_signed_by(&got, &new));
    assert_eq!(got.json()["type"], "webhook.test.v1");
    // Who asks for it verifies by a public key.
    let body = json!({"url": hooks(&receiver), "events": ["order.paid"], "signing": "ed25519"});
    let open = shop.post(PARTNER, "/v1/webhooks", body).expect(201);
    assert!(open.get("secret").is_none(), "{open}");
    shop.command(PARTNER, &format!("{}/test", path(&open))).expect(200);
    let got = receiver.await_count(2)[1].clone();
    let public = text(&open, "public_key");
    let public = STANDARD.decode(public.strip_prefix("whpk_").expect("a key")).expect("base64");
    let signature = got.header("webhook-signature").strip_prefix("v1a,").expect("one").to_owned();
    let (id, at) = (got.header("webhook-id"), got.header("webhook-timestamp"));
    let signed = [id.as_bytes(), b".", at.as_bytes(), b".", &got.body].concat();
    let verifies = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, public);
    assert!(verifies.verify(&signed, &STANDARD.decode(signature).expect("base64")).is_ok());
}

#[test]
pub(crate) fn what_fails_is_tried_again_and_can_be_replayed() {
    let (shop, product) = shop();
    let receiver = Receiver::start(|_, number| {
        Reply::Status([500, 302].get(number - 1).copied().unwrap_or(200))
    });
    let endpoint = register(&shop, PARTNER, &hooks(&receiver));
    let order = paid(&shop, ALICE, &product);
    receiver.await_count(1);
    let tried = || attempts(&shop, &endpoint);
    until(
        || format!("{:?}", tried()),
        || tried().iter().any(|one| one["next_attempt"].is_string()),
    );
    let first = tried()[0].clone();
    assert_eq!((&first["status"], &first["answer"]), (&json!(500), &json!("what")));
    assert_eq!(first["error"], "answered 500");
    assert!(shop.get(PARTNER, &path(&endpoint)).expect(200)["failing_since"].is_string());
    // The second attempt comes after 5 s.
    let got = receiver.await_count(2);
    assert_eq!(got[0].header("webhook-id"), got[1].header("webhook-id"));
    assert_eq!(got[0].body, got[1].body);
    until(|| format!("{:?}", tried()), || tried().len() == 2);
    assert!(text(&tried()[0], "error").contains("redirects"));
    // Whoever can't wait has it sent now.
    let event = got[0].header("webhook-id");
    let later = paid(&shop, ALICE, &product);
    receiver.await_count(3);
    assert_eq!(told_of(&receiver), BTreeSet::from([order, later]));
    let replay = |body: Value| shop.post(PARTNER, &format!("{}/replay", path(&endpoint)), body);
    assert_eq!(replay(json!({"event": event})).expect(202)["replayed"], 1);
    let both = replay(json!({"since": "2020-01-01T00:00:00Z"})).expect(202);
    assert_eq!((&both["replayed"], &both["more"]), (&json!(2), &json!(false)));
    let got = receiver.await_count(5);
    let ids: BTreeSet<&str> = got.iter().map(|got| got.header("webhook-id")).collect();
    assert_eq!(ids.len(), 2, "what is sent again has the id that it had");
    assert_eq!(replay(json!({"since": "yesterday"})).problem(422), "invalid-value");
    let unknown = "0190a5c4-0000-7000-8000-000000000000";
    assert_eq!(replay(json!({"event": unknown})).problem(422), "unknown-reference");
    let first = format!("{}/attempts?limit=1", path(&endpoint));
    let page = shop.get(PARTNER, &first).expect(200);
    let next = format!("{first}&cursor={}", text(&page, "next_cursor"));
    let second = shop.get(PARTNER, &next).expect(200);
    assert_ne!(page["items"], second["items"]);
}

#[test]
pub(crate) fn an_endpoint_that_wants_nothing_more_is_disabled_and_can_come_back() {
    let (shop, product) = shop();
    let receiver = Receiver::start(|_, number| Reply::Status(if number == 1 { 410 } else { 200 }));
    let endpoint = register(&shop, PARTNER, &hooks(&receiver));
    paid(&shop, ALICE, &product);
    let shown = || shop.get(PARTNER, &path(&endpoint)).expect(200);
    until(shown, || shown()["state"] == "disabled");
    assert!(text(&shown(), "reason").contains("410"));
    let replay = shop.post(PARTNER, &format!("{}/replay", path(&endpoint)), json!({"event": "x"}));
    assert_eq!(replay.problem(422), "invalid-value");
    let metrics = || shop.server.get("/metrics").send().text();
    assert!(metrics().contains("mainstay_webhook_endpoints_disabled_total 1"));
    std::thread::sleep(Duration::from_secs(1));
    let missed = paid(&shop, ALICE, &product);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(receiver.got().len(), 1, "nothing goes to one that is disabled");
    let back = shop.patch(PARTNER, &path(&endpoint), json!({"disabled": false})).expect(200);
    assert_eq!(back["state"], "active");
    assert!(back.get("reason").is_none());
    until(|| format!("{:?}", told_of(&receiver)), || told_of(&receiver).contains(&missed));
}

#[test]
pub(crate) fn what_leads_inside_is_refused_when_registered_and_when_delivered() {
    let (mut shop, product) = shop();
    let receiver = Receiver::good();
    let endpoint = register(&shop, PARTNER, &hooks(&receiver));
    let refused = |shop: &Scene, url: &str| {
        let body = json!({"url": url, "events": ["order.paid"]});
        let problem = shop.post(PARTNER, "/v1/webhooks", body).expect(422);
        assert_eq!(pointers(&problem), ["/url"], "{url}");
    };
    for url in ["http://10.0.0.1/", "http://169.254.169.254/latest/", "http://[::1]/", "ftp://a.b/"]
    {
        refused(&shop, url);
    }
    // Without leave it is called no more, whatever was registered before.
    assert_eq!(shop.server.stop(), 0);
    shop.server = Server::start("examples/shop", &shop.folder.0.join("data"), &[]);
    let local = hooks(&receiver).replace("127.0.0.1", "localhost");
    for url in [&hooks(&receiver), &local, "http://2130706433/", "http://0x7f.1/", "http://[::]/"] {
        refused(&shop, url);
    }
    let test = shop.command(PARTNER, &format!("{}/test", path(&endpoint))).expect(200);
    assert_eq!(test["delivered"], false);
    assert!(text(&test, "error").contains("public Internet"));
    paid(&shop, ALICE, &product);
    let tried = || attempts(&shop, &endpoint);
    until(|| format!("{:?}", tried()), || tried().len() == 2);
    assert!(text(&tried()[0], "error").contains("public Internet"));
    assert!(receiver.got().is_empty());
}

#[test]
pub(crate) fn a_body_of_an_endpoint_is_read_strictly() {
    let (shop, _) = shop();
    let url = "http://127.0.0.1:9/";
    let ask = |body: Value| shop.post(PARTNER, "/v1/webhooks", body);
    let wrong = ask(json!({"events": ["order.placed", 7]})).expect(422);
    assert_eq!(pointers(&wrong), ["/url", "/events/0", "/events/1"]);
    let wrong = ask(json!({"url": url, "events": []})).expect(422);
    assert_eq!(pointers(&wrong), ["/events"]);
    let wrong = ask(json!({"url": url, "events": ["order.paid"], "signing": "rsa"})).expect(422);
    assert_eq!(pointers(&wrong), ["/signing"]);
    let unknown = ask(json!({"url": url, "events": ["order.paid"], "color": 1}));
    assert_eq!(unknown.problem(400), "unknown-member");
    assert_eq!(shop.get(PARTNER, "/v1/webhooks?limit=1").problem(400), "unknown-parameter");
    assert_eq!(shop.get(PARTNER, "/v1/webhooks/x").problem(400), "invalid-parameter");
    assert_eq!(shop.request(PARTNER, "PUT", "/v1/webhooks").send().status, 405);
    // The same call with the same key has one effect, and the same answer.
    let keyed = |events: &str| {
        let body = json!({"url": url, "events": [events]});
        let request = shop.request(PARTNER, "POST", "/v1/webhooks").json(&body);
        request.header("idempotency-key", "one").send()
    };
    let made = keyed("order.paid").expect(201);
    assert_eq!(keyed("order.paid").expect(201), made);
    assert_eq!(keyed("order.shipped").problem(422), "key-reused");
    let change = json!({"events": ["order.shipped.v1"], "description": "two"});
    let changed = shop.patch(PARTNER, &path(&made), change).expect(200);
    assert_eq!(changed["events"], json!(["order.shipped.v1"]));
    let wrong = shop.patch(PARTNER, &path(&made), json!({"disabled": 1})).expect(422);
    assert_eq!(pointers(&wrong), ["/disabled"]);
    let mut made = 1;
    let last = loop {
        let answer = ask(json!({"url": url, "events": ["order.paid"]}));
        if answer.status != 201 {
            break answer;
        }
        made += 1;
    };
    assert_eq!((last.problem(409), made), ("guard-failed".to_owned(), 50));
    register(&shop, STRANGER, url);
}

#[test]
pub(crate) fn a_receiver_that_hangs_holds_up_nobody_else() {
    let (shop, product) = shop();
    let (hanging, good) = (Receiver::start(|_, _| Reply::Hang), Receiver::good());
    register(&shop, PARTNER, &hooks(&hanging));
    register(&shop, PARTNER, &hooks(&good));
    let orders: BTreeSet<String> = (0..12).map(|_| paid(&shop, ALICE, &product)).collect();
    let begun = std::time::Instant::now();
    until(|| format!("{:?}", told_of(&good)), || told_of(&good) == orders);
    assert!(begun.elapsed() < Duration::from_secs(15), "nobody waited for the one that hangs");
    assert_eq!(hanging.await_count(4).len(), 4, "it holds its own places alone");
    assert_eq!(shop.get(MANAGER, "/v1/orders").status, 200);
}

/// Kills of one run; `MAINSTAY_KILLS` asks for more.
fn kills() -> usize {
    std::env::var("MAINSTAY_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(3)
}

#[test]
pub(crate) fn after_kill_9_under_load_every_event_has_arrived() {
    let (mut shop, product) = shop();
    let receiver = Receiver::good();
    let endpoint = register(&shop, PARTNER, &hooks(&receiver));
    let done: Mutex<Vec<String>> = Mutex::default();
    for kill in 0..kills() {
        let stop = AtomicBool::new(false);
        let process = shop.server.process().to_string();
        std::thread::scope(|scope| {
            scope.spawn(|| crate::events::pay_until(&shop, &product, &done, &stop));
            let before = done.lock().expect("whole").len();
            let more = 1 + kill * 7 % 13;
            until(|| shop.server.log(), || done.lock().expect("whole").len() > before + more);
            let killed = std::process::Command::new("kill").args(["-9", &process]).status();
            assert!(killed.expect("kill runs").success());
            stop.store(true, Ordering::Relaxed);
        });
        shop.server = Server::start("examples/shop", &shop.folder.0.join("data"), &ALLOWED);
    }
    let acknowledged: BTreeSet<String> = done.into_inner().expect("whole").into_iter().collect();
    let left = || acknowledged.difference(&told_of(&receiver)).count();
    until(|| format!("{} of {} are left", left(), acknowledged.len()), || left() == 0);
    let secret = text(&endpoint, "secret");
    assert!(receiver.got().iter().all(|got| is_signed_by(got, &secret)));
}

/// A model whose tenants have a place each; of a note its writer hears, of its price staff alone.
const APART: &str = "
system: notes
tenancy: database by org
actors: { user: oidc, staff: oidc, partner: api_key }
contexts:
  desk:
    resources:
      Note:
        fields:
          text: string max 40
          writer: actor user
          price: { type: int, value: 3, allow: { read: staff } }
          told: int = 0
        commands:
          tell: { set: { told: told + 1 }, by: user, emit: note.told }
        allow: { read: [user when writer == me, staff], write: [user, staff] }
events:
  note.told: { data: [id, text, price], webhook: [user, partner] }
";

#[test]
pub(crate) fn tenants_with_places_of_their_own_are_told_what_their_owners_may_know() {
    let folder = Folder::new().with("mainstay.yaml", APART);
    let model = folder.0.join("mainstay.yaml").display().to_string();
    let desk = Scene::with(&model, folder, &ALLOWED);
    let [own, others, apart, partner] = [(); 4].map(|()| Receiver::good());
    let register = |caller: &str, receiver: &Receiver| {
        let body = json!({"url": hooks(receiver), "events": ["note.told"]});
        desk.post(caller, "/v1/webhooks", body).expect(201)
    };
    // Nobody has written anything of either tenant.
    register("user acme ann", &own);
    register("user acme bob", &others);
    register("user globex ann", &apart);
    register("partner acme p1", &partner);
    let tell = |caller: &str, words: &str| {
        let note = desk.post(caller, "/v1/notes", json!({"text": words})).expect(201);
        let path = format!("/v1/notes/{}/tell", text(&note, "id"));
        desk.command(caller, &path).expect(200)
    };
    let note = tell("user acme ann", "hello");
    let got = own.await_count(1)[0].json();
    assert_eq!(got["data"]["id"], note["id"]);
    assert_eq!(got["data"]["text"], "hello");
    assert!(got["data"].get("price").is_none(), "{got}");
    let got = partner.await_count(1)[0].json();
    assert_eq!(got["data"]["text"], "hello", "to have it delivered is all that it may");
    assert!(got["data"].get("price").is_none(), "{got}");
    tell("user globex ann", "there");
    assert_eq!(apart.await_count(1)[0].json()["data"]["text"], "there");
    std::thread::sleep(Duration::from_secs(1));
    assert!(others.got().is_empty(), "a row that it may not read is no business of its");
    assert_eq!((own.got().len(), partner.got().len(), apart.got().len()), (1, 1, 1));
}
