//! Webhooks that systems outside send, over HTTP: each scheme, what is refused, what comes twice,
//! what a kill leaves, and who it is for.

use crate::harness::{Answer, Folder, Request, Server, until};
use crate::scenes::Scene;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use ring::{digest, hmac};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MODEL: &str = r#"mainstay: 1
system: till
tenancy: row by org host {org}.till.example
actors: { staff: oidc }
contexts:
  ordering:
    resources:
      Order:
        if_match: required
        fields: { paid: int optional, payments: int = 0 }
        commands:
          pay:
            input: { amount: int }
            set: { paid: amount, payments: payments + 1 }
            by: system
        allow: { read: staff, write: staff }
    reacts:
      shop.charge.succeeded:
        { do: Order.pay, with: { id: event.reference, amount: event.amount } }
      stripes.charge.succeeded:
        { do: Order.pay, with: { id: event.reference, amount: event.amount } }
      hub.pull_request.closed:
        { do: Order.pay, with: { id: event.reference, amount: event.number } }
      hub.ping: { do: Order.pay, with: { id: event.reference, amount: 1 } }
      signed.charge.succeeded:
        { do: Order.pay, with: { id: event.reference, amount: event.amount } }
integrations:
  shop:
    http: http://shop.example
    webhooks:
      verify: standard
      secret: ["${file:old.txt}", "${file:new.txt}"]
      events: { charge.succeeded: { data: { reference: uuid, amount: int } } }
  stripes:
    http: http://stripe.example
    webhooks:
      verify: stripe
      secret: "${file:stripe.txt}"
      tolerance: 1 min
      events:
        charge.succeeded: { data: { reference: uuid from /data/object/metadata/order, amount: int } }
  hub:
    http: http://github.example
    webhooks:
      verify: github
      secret: "${file:hub.txt}"
      events:
        pull_request.closed: { data: { reference: uuid, number: int } }
        ping: { data: { reference: uuid } }
  signed:
    http: http://signed.example
    webhooks:
      verify: rfc9421
      secret: ["${file:hmac.txt}", "${file:public.pem}"]
      events: { charge.succeeded: { data: { reference: uuid, amount: int } } }
  silent:
    http: http://silent.example
    webhooks:
      verify: stripe
      secret: ${SECRET_THAT_NOBODY_SETS}
      events: { anything: {} }
"#;

const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const TEXT: &str = "a secret that both sides know";
const SEED: [u8; 32] = [7; 32];
const STAFF: &str = "staff acme";

fn scene() -> Scene {
    let pair = Ed25519KeyPair::from_seed_unchecked(&SEED).expect("a seed");
    let head = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    let der = [&head, pair.public_key().as_ref()].concat();
    let pem = STANDARD.encode(der);
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{pem}\n-----END PUBLIC KEY-----\n");
    let folder = Folder::new()
        .with("mainstay.yaml", MODEL)
        .with("old.txt", OLD)
        .with("new.txt", NEW)
        .with("stripe.txt", TEXT)
        .with("hub.txt", TEXT)
        .with("hmac.txt", TEXT)
        .with("public.pem", &pem);
    let model = folder.path().to_owned();
    Scene::of(&model, folder)
}

/// An order of acme, by its id.
fn order(scene: &Scene) -> String {
    let order =
        scene.server.post("/v1/orders", json!({"paid": null})).bearer(&scene.token(STAFF)).send();
    order.expect(201)["id"].as_str().expect("an id").to_owned()
}

fn read(server: &Server, token: &str, order: &str) -> Value {
    server.get(&format!("/v1/orders/{order}")).bearer(token).send().expect(200)
}

/// Waits until as many payments of an order are known.
#[track_caller]
fn paid(scene: &Scene, order: &str, payments: u64, amount: u64) {
    let token = scene.token(STAFF);
    let now = || read(&scene.server, &token, order);
    until(|| now().to_string() + &scene.server.log(), || now()["payments"] == payments);
    assert_eq!(now()["paid"], amount);
}

pub(crate) fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

pub(crate) fn mac(key: &[u8], signed: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), signed).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn to(server: &Server, integration: &str, body: &str) -> Request {
    let request = server.request("POST", &format!("/v1/webhooks/in/{integration}"));
    request.bytes("application/json", body.into()).header("host", "acme.localhost")
}

/// By Standard Webhooks, under an id, at a time, with secrets.
fn standard(server: &Server, id: &str, at: u64, secrets: &[&str], body: &str) -> Request {
    let signed = format!("{id}.{at}.{body}");
    let one = |secret: &&str| {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("whsec_")).expect("base64");
        format!("v1,{}", STANDARD.encode(mac(&key, signed.as_bytes())))
    };
    let signatures: Vec<String> = secrets.iter().map(one).collect();
    to(server, "shop", body)
        .header("webhook-id", id)
        .header("webhook-timestamp", &at.to_string())
        .header("webhook-signature", &signatures.join(" "))
}

fn charge(order: &str, amount: u64) -> String {
    let data = json!({ "reference": order, "amount": amount, "card": "4242" });
    json!({ "type": "charge.succeeded", "timestamp": "2026-01-01T00:00:00Z", "data": data })
        .to_string()
}

fn stripe(server: &Server, at: u64, body: &str) -> Request {
    let tag = hex(&mac(TEXT.as_bytes(), format!("{at}.{body}").as_bytes()));
    let header = format!("t={at},v1={},v1={tag},v0=00", "0".repeat(64));
    to(server, "stripes", body).header("stripe-signature", &header)
}

fn github(server: &Server, delivery: &str, event: &str, body: &str) -> Request {
    let tag = hex(&mac(TEXT.as_bytes(), body.as_bytes()));
    to(server, "hub", body)
        .header("x-hub-signature-256", &format!("sha256={tag}"))
        .header("x-github-delivery", delivery)
        .header("x-github-event", event)
}

/// How a message is signed.
#[derive(Clone, Copy)]
enum By {
    Hmac,
    Ed25519,
}

fn message(server: &Server, by: By, at: u64, body: &str) -> Request {
    let digest = digest::digest(&digest::SHA256, body.as_bytes());
    let digest = format!("sha-256=:{}:", STANDARD.encode(digest));
    let parts = "(\"@method\" \"@authority\" \"@path\" \"content-digest\")";
    let parameters = format!("{parts};created={at};keyid=\"k\"");
    let base = format!(
        "\"@method\": POST\n\"@authority\": acme.localhost\n\
         \"@path\": /v1/webhooks/in/signed\n\"content-digest\": {digest}\n\
         \"@signature-params\": {parameters}"
    );
    let tag = match by {
        By::Hmac => mac(TEXT.as_bytes(), base.as_bytes()),
        By::Ed25519 => {
            let pair = Ed25519KeyPair::from_seed_unchecked(&SEED).expect("a seed");
            pair.sign(base.as_bytes()).as_ref().to_vec()
        }
    };
    to(server, "signed", body)
        .header("content-digest", &digest)
        .header("signature-input", &format!("sig1={parameters}"))
        .header("signature", &format!("sig1=:{}:", STANDARD.encode(tag)))
}

#[track_caller]
fn outcome(answer: &Answer, wanted: &str) {
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(answer.json(), json!({ "outcome": wanted }));
}

#[test]
pub(crate) fn each_scheme_is_accepted_and_the_reaction_follows() {
    let scene = scene();
    let (server, at) = (&scene.server, seconds());
    let one = order(&scene);
    outcome(&standard(server, "msg_1", at, &[NEW], &charge(&one, 5)).send(), "accepted");
    paid(&scene, &one, 1, 5);
    let object = json!({ "amount": 6, "metadata": { "order": one } });
    let body = json!({ "id": "evt_1", "type": "charge.succeeded", "data": { "object": object } });
    outcome(&stripe(server, at, &body.to_string()).send(), "accepted");
    paid(&scene, &one, 2, 6);
    let body = json!({ "action": "closed", "number": 7, "reference": one }).to_string();
    outcome(&github(server, "d-1", "pull_request", &body).send(), "accepted");
    paid(&scene, &one, 3, 7);
    let body = json!({ "zen": "so", "reference": one }).to_string();
    outcome(&github(server, "d-2", "ping", &body).send(), "accepted");
    paid(&scene, &one, 4, 1);
    for (count, by) in [(5, By::Hmac), (6, By::Ed25519)] {
        let data = json!({ "reference": one, "amount": count });
        let body = json!({ "id": format!("m-{count}"), "type": "charge.succeeded", "data": data });
        outcome(&message(server, by, at, &body.to_string()).send(), "accepted");
        paid(&scene, &one, count, count);
    }
    let metrics = server.get("/metrics").send().text();
    let line = "mainstay_webhooks_received_total{integration=\"hub\",outcome=\"accepted\"} 2";
    assert!(metrics.contains(line), "{metrics}");
}

#[test]
pub(crate) fn what_was_altered_or_is_old_is_refused_and_has_no_effect() {
    let scene = scene();
    let (server, at) = (&scene.server, seconds());
    let one = order(&scene);
    let body = charge(&one, 5);
    let good = |at| standard(server, "msg_1", at, &[OLD], &body);
    for (altered, status, slug) in [
        (good(at).header("webhook-id", "msg_2"), 401, "unauthenticated"),
        (good(at).header("webhook-timestamp", &(at + 1).to_string()), 401, "unauthenticated"),
        (good(at).bytes("application/json", charge(&one, 500).into()), 401, "unauthenticated"),
        (good(at).header("webhook-signature", "v1,AAAA"), 401, "unauthenticated"),
        (good(at).header("webhook-timestamp", "soon"), 400, "malformed-body"),
        (to(server, "shop", &body), 401, "unauthenticated"),
        (good(at - 301), 401, "unauthenticated"),
        (good(at + 360), 401, "unauthenticated"),
        (to(server, "nobody", &body), 404, "not-found"),
        (standard(server, "msg_3", at, &[OLD], "{"), 400, "malformed-body"),
        (standard(server, "msg_4", at, &[OLD], "{}"), 400, "malformed-body"),
        (stripe(server, at - 120, "{}"), 401, "unauthenticated"),
        (
            stripe(server, at, "{}").bytes("application/json", b"[]".to_vec()),
            401,
            "unauthenticated",
        ),
        (
            github(server, "d", "ping", "{}").header("x-hub-signature-256", "sha256=00"),
            401,
            "unauthenticated",
        ),
        (message(server, By::Hmac, at - 400, "{}"), 401, "unauthenticated"),
        (
            message(server, By::Hmac, at, "{}").header("host", "globex.localhost"),
            401,
            "unauthenticated",
        ),
        (
            message(server, By::Ed25519, at, "{}").bytes("application/json", b"[]".to_vec()),
            401,
            "unauthenticated",
        ),
        (to(server, "silent", &body), 503, "unavailable"),
    ] {
        assert_eq!(altered.send().problem(status), slug);
    }
    assert_eq!(
        server.request("GET", "/v1/webhooks/in/shop").send().problem(405),
        "method-not-allowed"
    );
    let large = "x".repeat(1_048_577);
    assert_eq!(standard(server, "msg_5", at, &[OLD], &large).send().problem(413), "body-too-large");
    // What comes afterwards is behind whatever was kept of them.
    outcome(&good(at).send(), "accepted");
    paid(&scene, &one, 1, 5);
    assert!(!server.log().contains(TEXT) && !server.log().contains(&OLD[6..]));
}

#[test]
pub(crate) fn a_delivery_that_comes_again_does_nothing() {
    let scene = scene();
    let (server, at) = (&scene.server, seconds());
    let one = order(&scene);
    let body = charge(&one, 5);
    std::thread::scope(|threads| {
        let send = || standard(server, "msg_1", at, &[OLD], &body).send();
        let all: Vec<_> = (0..8).map(|_| threads.spawn(send)).collect();
        let all = all.into_iter().map(|one| one.join().expect("it answers").json());
        let accepted = all.filter(|answer| *answer == json!({ "outcome": "accepted" })).count();
        assert_eq!(accepted, 1);
    });
    // Signed anew, and with another body: it is the id that counts.
    outcome(&standard(server, "msg_1", at + 1, &[NEW], &charge(&one, 9)).send(), "repeated");
    outcome(&standard(server, "msg_2", at, &[NEW], &charge(&one, 6)).send(), "accepted");
    paid(&scene, &one, 2, 6);
}

#[test]
pub(crate) fn while_one_secret_takes_the_place_of_another_both_are_accepted() {
    let scene = scene();
    let (server, at) = (&scene.server, seconds());
    let one = order(&scene);
    for (id, secrets) in [("a", &[OLD][..]), ("b", &[NEW]), ("c", &[OLD, NEW])] {
        outcome(&standard(server, id, at, secrets, &charge(&one, 5)).send(), "accepted");
    }
    paid(&scene, &one, 3, 5);
    let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let refused = standard(server, "d", at, &[other], &charge(&one, 5)).send();
    assert_eq!(refused.problem(401), "unauthenticated");
}

#[test]
pub(crate) fn what_nobody_waits_for_is_answered_and_what_does_not_fit_is_kept_for_a_person() {
    let scene = scene();
    let (server, at) = (&scene.server, seconds());
    let one = order(&scene);
    let other = json!({ "type": "charge.refunded", "data": {} }).to_string();
    outcome(&standard(server, "msg_1", at, &[OLD], &other).send(), "ignored");
    let odd = json!({ "type": "charge.succeeded", "data": { "reference": one, "amount": "much" } });
    outcome(&standard(server, "msg_2", at, &[OLD], &odd.to_string()).send(), "accepted");
    let token = scene.token(STAFF);
    let letters = || server.get("/v1/dead-letters").bearer(&token).send().expect(200);
    until(letters, || letters()["items"].as_array().is_some_and(|all| all.len() == 1));
    assert!(letters().to_string().contains("/amount"), "{}", letters());
    outcome(&standard(server, "msg_3", at, &[OLD], &charge(&one, 4)).send(), "accepted");
    paid(&scene, &one, 1, 4);
    // Nobody is told of them as of events of ours, and what was not declared is nowhere.
    let told = server.get("/v1/events").bearer(&token).send().text();
    assert!(!told.contains("charge.succeeded") && !letters().to_string().contains("4242"));
}

#[test]
pub(crate) fn the_host_names_the_tenant_that_a_delivery_is_for() {
    let scene = scene();
    let (server, at) = (&scene.server, seconds());
    let one = order(&scene);
    let send = |id: &str, host: &str| {
        standard(server, id, at, &[OLD], &charge(&one, 5)).header("host", host).send()
    };
    // A token says nothing here, neither does a header.
    let named = standard(server, "a", at, &[OLD], &charge(&one, 5)).header("x-tenant", "globex");
    outcome(&named.bearer("of another kind").send(), "accepted");
    paid(&scene, &one, 1, 5);
    assert_eq!(send("b", "127.0.0.1").problem(401), "tenant-unknown");
    // The same id in another tenant is another event, about a row that is not there.
    let globex = server
        .post("/v1/orders", json!({"paid": null}))
        .bearer(&scene.token("staff globex"))
        .send();
    globex.expect(201);
    outcome(&send("a", "globex.localhost"), "accepted");
    server.logs("\"problem\":\"not-found\"");
    assert_eq!(read(server, &scene.token(STAFF), &one)["payments"], 1);
}

#[test]
pub(crate) fn after_kill_9_whatever_was_answered_has_its_effect_once() {
    let mut scene = scene();
    let one = order(&scene);
    let answered = AtomicU64::new(0);
    for kill in 0..4 {
        let (server, at) = (&scene.server, seconds());
        let killed = std::thread::scope(|threads| {
            let (process, enough) = (server.process().to_string(), answered.load(Relaxed) + 5);
            let answered = &answered;
            let kills = threads.spawn(move || {
                until(|| "nothing is answered", || answered.load(Relaxed) >= enough);
                std::thread::sleep(Duration::from_millis(kill * 7));
                std::process::Command::new("kill").args(["-9", &process]).status()
            });
            for _ in 0..10_000 {
                let id = format!("msg_{}", answered.load(Relaxed));
                match standard(server, &id, at, &[OLD], &charge(&one, 5)).try_send() {
                    // What was not answered is sent again, and may have been kept.
                    Ok(answer) if answer.status == 202 => answered.fetch_add(1, Relaxed),
                    Ok(answer) => panic!("{}", answer.text()),
                    Err(_) => break,
                };
            }
            kills.join().expect("it ends").expect("kill runs").success()
        });
        assert!(killed);
        scene.server.kill();
        let model = scene.folder.path().to_owned();
        scene.server = Server::start(&model, &scene.folder.0.join("data"), &[]);
    }
    let answered = answered.into_inner();
    let last = format!("msg_{answered}");
    let again = standard(&scene.server, &last, seconds(), &[OLD], &charge(&one, 5)).send();
    assert_eq!(again.status, 202);
    paid(&scene, &one, answered + 1, 5);
}

#[test]
fn production_wants_every_secret() {
    let folder = Folder::new().with("mainstay.yaml", MODEL);
    let data = folder.0.join("data");
    let arguments = ["up", folder.path(), "--production", "--data"];
    let ran = crate::harness::run(&[&arguments[..], &[data.to_str().expect("plain")]].concat());
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("${SECRET_THAT_NOBODY_SETS}"), "{}", ran.stderr);
    assert!(ran.stderr.contains("integrations.shop.webhooks.secret"), "{}", ran.stderr);
}
