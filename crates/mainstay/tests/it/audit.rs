//! The audit trail: who did what, by which rule, chained; who looked; who may see it; that nobody
//! changes it unseen.

use crate::database::{on_postgresql, url_for};
use crate::harness::{Folder, Ran, Server, run};
use crate::scenes::{Scene, euro, order, product, text};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const MANAGER: &str = "staff.manager acme mona";
const SHOPPER: &str = "shopper acme alice";

/// Runs `audit verify` on the data of a scene.
fn verify_at(model: &str, data: &Path, more: &[&str]) -> Ran {
    let mut arguments =
        vec!["audit", "verify", model, "--data", data.to_str().expect("a plain name")];
    let url = url_for(data);
    if let Some(url) = &url {
        arguments.extend(["--database", url]);
    }
    arguments.extend(more);
    run(&arguments)
}

fn verify(scene: &Scene, model: &str, more: &[&str]) -> Ran {
    verify_at(model, &scene.folder.0.join("data"), more)
}

#[track_caller]
fn trail(scene: &Scene, caller: &str, query: &str) -> Vec<Value> {
    let page = scene.get(caller, &format!("/v1/audit?limit=100&{query}")).expect(200);
    page["items"].as_array().expect("items").clone()
}

fn operations(trail: &[Value]) -> Vec<String> {
    trail.iter().map(|entry| text(entry, "operation")).collect()
}

#[test]
pub(crate) fn each_write_is_one_entry_that_says_who_what_and_why() {
    let shop = Scene::empty("shop");
    let product = product(&shop, "acme", "A", "1.00");
    let path = format!("/v1/products/{product}");
    let patch = shop
        .request(MANAGER, "PATCH", &path)
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let body = json!({"price": euro("2.00")}).to_string().into_bytes();
    patch.bytes("application/merge-patch+json", body).send().expect(200);
    let order_body = json!({
        "note": "ring at the blue door", "lines": [{"product": product, "quantity": 2}]
    });
    let create = || {
        let post = shop.request(SHOPPER, "POST", "/v1/orders").json(&order_body);
        post.header("idempotency-key", "one").send()
    };
    let id = text(&create().expect(201), "id");
    assert_eq!(create().header("idempotent-replayed"), "true");
    shop.command(SHOPPER, &format!("/v1/orders/{id}/place")).expect(200);
    // None of these changes anything.
    assert_eq!(shop.command(SHOPPER, &format!("/v1/orders/{id}/place")).status, 409);
    assert_eq!(shop.patch(SHOPPER, &path, json!({"price": euro("0.01")})).status, 403);
    assert_eq!(shop.patch(MANAGER, &path, json!({"price": "cheap"})).status, 422);

    let all = trail(&shop, MANAGER, "");
    let expected = ["placeOrder", "createOrder", "updateProduct", "createProduct"];
    assert_eq!(operations(&all), expected, "a replay and a refusal make none: {all:?}");
    let [placed, ordered, changed, created] = &all[..] else { panic!("{all:?}") };
    assert_eq!(changed["who"], "mona");
    assert_eq!((&changed["actor"], &changed["roles"]), (&json!("staff"), &json!(["manager"])));
    assert_eq!(changed["tenant"], "acme");
    assert_eq!(changed["row"], product.as_str());
    assert_eq!(changed["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(changed["why"], "catalog.Product.update: staff.manager");
    let price = json!({"price": {"before": euro("1.00"), "after": euro("2.00")}});
    assert_eq!(changed["changes"], price, "what did not change is not told");
    assert_eq!(created["changes"]["sku"], json!({"after": "A"}));
    assert_eq!(placed["changes"]["status"], json!({"before": "draft", "after": "placed"}));
    assert_eq!(placed["why"], "ordering.Order.place: shopper when own");
    assert_eq!(ordered["changes"]["note"], json!({"after": "redacted"}));
    assert_eq!(ordered["changes"]["lines"][0]["quantity"], json!({"after": 2}));
    for (newer, older) in all.iter().zip(&all[1..]) {
        assert_eq!(newer["previous"], older["hash"], "each is chained to the one before");
    }
    let why = run(&["explain", "ordering.Order.place: shopper when own", "examples/shop"]);
    assert!(why.stdout.contains("- `shopper when own` (asked for)"), "{why:?}");

    let batch = json!({"operations": [
        {"method": "PATCH", "path": path, "body": {"stock": 9}},
        {"method": "DELETE", "path": path},
    ]});
    shop.post(MANAGER, "/v1/batch", batch).expect(200);
    let all = trail(&shop, MANAGER, "");
    assert_eq!(operations(&all)[..2], ["deleteProduct", "updateProduct"], "each of a batch");
    assert_eq!(all[0]["changes"]["sku"], json!({"before": "A"}));
    let whole = verify(&shop, "examples/shop", &[]);
    assert_eq!(whole.code, 0, "{whole:?}");
    assert!(whole.stdout.contains("6 entries, unbroken"), "{whole:?}");
}

#[test]
pub(crate) fn no_personal_value_is_in_the_trail() {
    let clinic = Scene::empty("clinic");
    let reception = "staff.reception north rita";
    let patient = json!({
        "account": "paul", "name": "Paul Klee", "born": "1980-02-29", "email": "paul@example.org"
    });
    let made = clinic.post(reception, "/v1/patients", patient);
    let path = format!("/v1/patients/{}", text(&made.expect(201), "id"));
    let patch = clinic.request(reception, "PATCH", &path).header("if-match", made.header("etag"));
    let body = b"{\"phone\":\"+49 1234\",\"name\":\"Paula Klee\"}".to_vec();
    patch.bytes("application/merge-patch+json", body).send().expect(200);
    let all = trail(&clinic, reception, "resource=people.Patient");
    assert_eq!(operations(&all), ["updatePatient", "createPatient"]);
    let changed = json!({
        "name": {"before": "redacted", "after": "redacted"},
        "phone": {"before": null, "after": "redacted"},
    });
    assert_eq!(all[0]["changes"], changed);
    let text = serde_json::to_string(&all).expect("JSON");
    for personal in ["Klee", "1980-02-29", "example.org", "1234\""] {
        assert!(!text.contains(personal), "{personal} is in {text}");
    }
}

#[test]
pub(crate) fn a_look_into_anothers_tenant_is_an_entry() {
    let clinic = Scene::empty("clinic");
    let (reception, support) = ("staff.reception north rita", "support - sam");
    let body = json!({
        "patient": "paul", "doctor": "dora",
        "during": {"start": "2026-12-01T09:00:00Z", "end": "2026-12-01T09:30:00Z"}
    });
    let post = clinic.request(reception, "POST", "/v1/appointments").json(&body);
    let id = text(&post.header("idempotency-key", "1").send().expect(201), "id");
    let look = |path: &str, tenant: &str| {
        clinic.request(support, "GET", path).header("x-tenant", tenant).send()
    };
    look("/v1/appointments?status=booked", "north").expect(200);
    look(&format!("/v1/appointments/{id}"), "north").expect(200);
    look("/v1/audit", "north").expect(200);
    assert_eq!(look("/v1/patients", "north").status, 403, "who sees nothing has not looked");
    // A tenant that looks at itself is no news.
    clinic.get(reception, "/v1/appointments").expect(200);
    let all = trail(&clinic, reception, "who=sam");
    assert_eq!(operations(&all), ["listAudit", "getAppointment", "listAppointments"]);
    assert_eq!(all[1]["actor"], "support");
    assert_eq!((&all[1]["row"], &all[1]["rows"]), (&json!(id), &json!([id])));
    assert_eq!(all[2]["rows"], json!([id]));
    assert_eq!(all[1]["why"], "scheduling.Appointment.read: support");

    look("/v1/appointments", "nowhere").expect(200);
    let shared = clinic.request(support, "GET", "/v1/audit?shared=true");
    let shared = shared.header("x-tenant", "north").send().expect(200);
    assert_eq!(shared["items"][0]["tenant"], "nowhere", "looking makes no tenant: {shared}");
    assert_eq!(clinic.get(reception, "/v1/audit?shared=true").problem(403), "forbidden");
    let verdict = verify(&clinic, "examples/clinic", &["--format", "json"]);
    assert_eq!(verdict.code, 0, "{verdict:?}");
    assert!(!verdict.stdout.contains("nowhere"), "{verdict:?}");
}

#[test]
pub(crate) fn the_trail_is_for_whom_the_model_allows() {
    let shop = Scene::empty("shop");
    let a = product(&shop, "acme", "A", "1.00");
    product(&shop, "bluebird", "B", "1.00");
    order(&shop, SHOPPER, &a);
    assert_eq!(shop.server.get("/v1/audit").send().problem(401), "unauthenticated");
    assert_eq!(shop.get(SHOPPER, "/v1/audit").problem(403), "forbidden");
    let resources = |caller: &str| -> Vec<String> {
        trail(&shop, caller, "").iter().map(|entry| text(entry, "resource")).collect()
    };
    assert_eq!(resources(MANAGER), ["ordering.Order", "catalog.Product"]);
    assert_eq!(resources("staff.manager bluebird"), ["catalog.Product"]);
    assert_eq!(resources("staff.picker acme"), ["ordering.Order"], "pickers change no product");
    let other = shop.get("staff.picker acme", "/v1/audit?resource=catalog.Product");
    assert_eq!(other.problem(400), "invalid-parameter");
    assert_eq!(shop.post(MANAGER, "/v1/audit", json!({})).problem(405), "method-not-allowed");
    for wrong in ["rwo=1", "row=1", "since=yesterday", "limit=0", "shared=1", "cursor=x"] {
        assert_eq!(shop.get(MANAGER, &format!("/v1/audit?{wrong}")).status, 400, "{wrong}");
    }
    let links = Scene::empty("links");
    assert_eq!(links.server.get("/v1/audit").send().problem(404), "not-found");
}

#[test]
pub(crate) fn the_trail_is_paged_and_narrowed() {
    let shop = Scene::empty("shop");
    let ids: Vec<String> =
        (0..5).map(|n| product(&shop, "acme", &format!("P{n}"), "1.00")).collect();
    let first = shop.get(MANAGER, "/v1/audit?limit=2&operation=createProduct");
    let page = first.expect(200);
    let rows = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().expect("items");
        items.iter().map(|entry| text(entry, "row")).collect()
    };
    assert_eq!(rows(&page), [ids[4].clone(), ids[3].clone()]);
    let link = first.header("link");
    let next = link.strip_prefix('<').and_then(|link| link.split_once('>')).expect("a link").0;
    // What comes meanwhile moves no page.
    product(&shop, "acme", "P5", "1.00");
    let page = shop.get(MANAGER, next).expect(200);
    assert_eq!(rows(&page), [ids[2].clone(), ids[1].clone()]);
    let cursor = text(&page, "next_cursor");
    let elsewhere = format!("/v1/audit?limit=2&operation=updateProduct&cursor={cursor}");
    assert_eq!(shop.get(MANAGER, &elsewhere).problem(400), "invalid-cursor");
    let rest = format!("/v1/audit?limit=2&operation=createProduct&cursor={cursor}");
    let page = shop.get(MANAGER, &rest).expect(200);
    assert_eq!((rows(&page), page.get("next_cursor")), (vec![ids[0].clone()], None));
    assert_eq!(trail(&shop, MANAGER, &format!("row={}", ids[1])).len(), 1);
    assert_eq!(trail(&shop, MANAGER, "since=2999-01-01T00:00:00Z").len(), 0);
    assert_eq!(trail(&shop, MANAGER, "until=2999-01-01T00:00:00Z").len(), 6);
    assert_eq!(trail(&shop, MANAGER, "who=nobody").len(), 0);
}

/// Writes products of two tenants until told to end; counts how many were acknowledged.
fn write_until(
    server: &Server,
    tokens: &[String; 2],
    prefix: &str,
    stop: &AtomicBool,
    done: &AtomicU64,
) {
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for token in tokens.iter().chain(tokens) {
            let next = &next;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let sku = format!("{prefix}-{}", next.fetch_add(1, Ordering::Relaxed));
                    let body = json!({"sku": sku, "name": "n", "price": euro("1.00")});
                    let post = server.post("/v1/products", body).bearer(token).try_send();
                    if post.is_ok_and(|answer| answer.status == 201) {
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
}

/// Waits until so many more were acknowledged, a minute at most.
fn until_written(done: &AtomicU64, more: u64) {
    let (begun, before) = (std::time::Instant::now(), done.load(Ordering::Relaxed));
    while done.load(Ordering::Relaxed) < before + more {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing is written");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn managers(server: &Server) -> [String; 2] {
    let token = |tenant: &str| server.token("staff", &["--role", "manager", "--tenant", tenant]);
    [token("acme"), token("bluebird")]
}

/// The entries that an unbroken trail has.
#[track_caller]
fn entries(verdict: &Ran) -> u64 {
    assert_eq!(verdict.code, 0, "{verdict:?}");
    let last = verdict.stdout.lines().last().unwrap_or_default();
    let number = last.strip_suffix(" entries, unbroken").and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("{verdict:?}"))
}

#[test]
pub(crate) fn after_kill_9_under_load_the_chain_is_whole() {
    let folder = Folder::new();
    let data = folder.0.join("data");
    let (acknowledged, mut tokens) = (AtomicU64::new(0), None);
    for round in 0..3 {
        let mut server = Server::start("examples/shop", &data, &[]);
        let tokens = tokens.get_or_insert_with(|| managers(&server)).clone();
        let (stop, process) = (AtomicBool::new(false), server.process().to_string());
        std::thread::scope(|scope| {
            let (server, stop, done) = (&server, &stop, &acknowledged);
            let prefix = format!("K{round}");
            scope.spawn(move || write_until(server, &tokens, &prefix, stop, done));
            until_written(done, 10);
            let killed = std::process::Command::new("kill").args(["-9", &process]).status();
            assert!(killed.expect("kill runs").success());
            stop.store(true, Ordering::Relaxed);
        });
        server.kill();
        let acknowledged = acknowledged.load(Ordering::Relaxed);
        let found = entries(&verify_at("examples/shop", &data, &[]));
        assert!(found >= acknowledged, "{found} entries of {acknowledged} changes");
    }
    // The trail has as many entries as there are rows, whoever heard of them.
    let server = Server::start("examples/shop", &data, &[]);
    let found = entries(&verify_at("examples/shop", &data, &[]));
    let mut rows = 0;
    for token in tokens.expect("tokens") {
        let mut query = "limit=100".to_owned();
        loop {
            let get = server.get(&format!("/v1/products?{query}")).bearer(&token);
            let page = get.send().expect(200);
            rows += page["items"].as_array().expect("items").len() as u64;
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(cursor) => query = format!("limit=100&cursor={cursor}"),
                None => break,
            }
        }
    }
    assert_eq!(found, rows);
}

#[test]
fn two_backends_on_one_database_make_one_chain() {
    on_postgresql(|| {
        let folder = Folder::new();
        let data = folder.0.join("data");
        let one = Server::start("examples/shop", &data, &[]);
        let two = Server::start("examples/shop", &data, &[]);
        let (tokens, stop) = (managers(&one), AtomicBool::new(false));
        let counts = [AtomicU64::new(0), AtomicU64::new(0)];
        std::thread::scope(|scope| {
            for ((server, prefix), done) in [(&one, "A"), (&two, "B")].into_iter().zip(&counts) {
                let (tokens, stop) = (&tokens, &stop);
                scope.spawn(move || write_until(server, tokens, prefix, stop, done));
            }
            counts.iter().for_each(|done| until_written(done, 20));
            stop.store(true, Ordering::Relaxed);
        });
        let acknowledged: u64 = counts.into_iter().map(AtomicU64::into_inner).sum();
        let found = entries(&verify_at("examples/shop", &data, &[]));
        assert_eq!(found, acknowledged, "each change has its entry, in one chain a tenant");
    });
}

/// Runs SQL on the data behind the backend's back, the table's name as the store has it.
pub(crate) fn behind_its_back(data: &Path, sqlite: &str, postgresql: &str) -> Result<(), String> {
    match url_for(data) {
        Some(url) => crate::database::query(&url, postgresql).map(|_| ()),
        None => {
            let file = std::fs::read_dir(data).expect("readable").flatten().find_map(|entry| {
                let path = entry.path();
                let name = path.file_name()?.to_str()?.to_owned();
                (name.ends_with(".db") && !name.starts_with('_')).then_some(path)
            });
            let file = rusqlite::Connection::open(file.expect("a file")).expect("it opens");
            file.execute_batch(sqlite).map_err(|why| why.to_string())
        }
    }
}

#[test]
pub(crate) fn who_changes_an_entry_or_cuts_off_the_end_is_found() {
    let mut shop = Scene::empty("shop");
    (0..4).for_each(|n| drop(product(&shop, "acme", &format!("P{n}"), "1.00")));
    let whole = verify(&shop, "examples/shop", &["--format", "json"]);
    let whole: Value = serde_json::from_str(&whole.stdout).expect("JSON");
    let head = text(&whole["chains"][0], "head");
    let data = shop.folder.0.join("data");
    let refused = behind_its_back(
        &data,
        "DELETE FROM mainstay_audit WHERE number = 4",
        "DELETE FROM mainstay.audit WHERE number = 4",
    );
    assert!(refused.is_err_and(|why| why.contains("append-only")));
    shop.server.stop();
    // Whoever may drop a trigger may do anything, and cuts with care.
    let cut = "DELETE FROM AUDIT WHERE number = 4; UPDATE AUDIT_chains SET number = 3, hash = \
               (SELECT hash FROM AUDIT WHERE number = 3);";
    behind_its_back(
        &data,
        &format!("DROP TRIGGER mainstay_audit_kept; {}", cut.replace("AUDIT", "mainstay_audit")),
        &format!(
            "ALTER TABLE mainstay.audit DISABLE TRIGGER ALL; {}",
            cut.replace("AUDIT", "mainstay.audit")
        ),
    )
    .expect("it is cut");
    assert_eq!(verify(&shop, "examples/shop", &[]).code, 0, "the rest is whole");
    let noted = verify(&shop, "examples/shop", &["--head", &head]);
    assert_eq!(noted.code, 1, "{noted:?}");
    assert!(noted.stdout.contains("number 4 was noted"), "{noted:?}");
    let change = "UPDATE AUDIT SET who = 'nobody' WHERE number = 2";
    behind_its_back(
        &data,
        &format!(
            "DROP TRIGGER mainstay_audit_unchanged; {}",
            change.replace("AUDIT", "mainstay_audit")
        ),
        &change.replace("AUDIT", "mainstay.audit"),
    )
    .expect("it is changed");
    let broken = verify(&shop, "examples/shop", &[]);
    assert_eq!(broken.code, 1, "{broken:?}");
    assert!(broken.stdout.contains("broken at number 2: it was changed"), "{broken:?}");
    assert_eq!(verify(&shop, "examples/shop", &["--head", "x"]).code, 2);
}

const DESK: &str = "
system: desk
tenancy: row by org
actors: { user: oidc, support: oidc across tenants, robot: api_key }
contexts:
  desk:
    resources:
      Note:
        fields: { text: string max 40 }
        allow: { read: [user, support, robot], write: [user, robot] }
";

#[test]
pub(crate) fn without_its_entry_nothing_is_changed_and_nothing_is_shown() {
    let folder = Folder::new().with("mainstay.yaml", DESK);
    let (model, data) = (folder.path().to_owned(), folder.0.join("data"));
    let desk = Scene::of(&model, folder);
    let note = |text: &str| desk.post("user acme", "/v1/notes", json!({"text": text}));
    let look = || desk.request("support -", "GET", "/v1/notes").header("x-tenant", "acme").send();
    note("first").expect(201);
    look().expect(200);
    behind_its_back(
        &data,
        "CREATE TRIGGER broken BEFORE INSERT ON mainstay_audit \
         BEGIN SELECT RAISE(ABORT, 'no'); END",
        "CREATE FUNCTION public.broken() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN RAISE EXCEPTION ''no''; END'; \
         CREATE TRIGGER broken BEFORE INSERT ON mainstay.audit FOR EACH ROW \
         EXECUTE FUNCTION public.broken()",
    )
    .expect("it is broken");
    assert_eq!(note("second").problem(503), "unavailable");
    assert_eq!(look().problem(503), "unavailable", "no answer without its entry");
    let own = desk.get("user acme", "/v1/notes").expect(200);
    assert_eq!(own["items"].as_array().map(Vec::len), Some(1), "who looks at its own is answered");
    let mended =
        behind_its_back(&data, "DROP TRIGGER broken", "DROP TRIGGER broken ON mainstay.audit");
    mended.expect("it is mended");
    note("third").expect(201);
    look().expect(200);
    assert_eq!(entries(&verify_at(&model, &data, &[])), 4);
}

#[test]
pub(crate) fn an_entry_names_the_key_that_was_used() {
    let folder = Folder::new().with("mainstay.yaml", DESK);
    let (model, data) = (folder.path().to_owned(), folder.0.join("data"));
    let desk = Scene::of(&model, folder);
    let path = data.to_str().expect("a plain name");
    let mut arguments =
        vec!["key", "create", &model, "--data", path, "--actor", "robot", "--tenant", "acme"];
    let url = url_for(&data);
    if let Some(url) = &url {
        arguments.extend(["--database", url]);
    }
    let key = run(&arguments).stdout.trim().to_owned();
    let post = desk.server.post("/v1/notes", json!({"text": "by a program"}));
    post.header("x-api-key", &key).send().expect(201);
    let all = trail(&desk, "user acme", "");
    assert_eq!(all[0]["actor"], "robot");
    let prefix = text(&all[0], "key");
    assert!(prefix.starts_with("ms_") && key.starts_with(&prefix) && key != prefix, "{prefix}");
    assert!(!desk.server.log().contains(&key));
}

/// What is made of a personal value is personal, whatever the model calls it.
const CARDS: &str = "
system: cards
constraints: { compliance: [soc2] }
actors: { user: oidc roles boss }
contexts:
  cards:
    resources:
      Card:
        fields:
          name: string max 40 personal
          slug: string max 40 = lower(name)
          badge: string max 40 optional
          wage: { type: int, allow: { read: user.boss } }
          room: int
        commands:
          print: { set: { badge: slug }, by: user }
        allow: { read: user, write: user }
";

#[test]
pub(crate) fn what_is_made_of_a_hidden_value_is_hidden_too() {
    let folder = Folder::new().with("mainstay.yaml", CARDS);
    let model = folder.path().to_owned();
    let cards = Scene::of(&model, folder);
    let body = json!({"name": "Klee", "wage": 4711, "room": 12});
    let id = text(&cards.post("user - ulla", "/v1/cards", body).expect(201), "id");
    cards.command("user - ulla", &format!("/v1/cards/{id}/print")).expect(200);
    let all = trail(&cards, "user - ulla", "");
    let hidden = json!({"after": "redacted"});
    let made = json!({"name": hidden, "slug": hidden, "wage": hidden, "room": {"after": 12}});
    assert_eq!(all[1]["changes"], made);
    assert_eq!(all[0]["changes"]["badge"], json!({"before": null, "after": "redacted"}));
    let text = serde_json::to_string(&all).expect("JSON").to_lowercase();
    assert!(!text.contains("klee") && !text.contains("4711"), "{text}");
}

/// Rows that go or change with a folder, in other aggregates and in children of others.
const DESKS: &str = "
system: desks
constraints: { compliance: [soc2] }
tenancy: row by org
actors: { user: oidc }
contexts:
  desks:
    resources:
      Binder:
        fields: { name: string max 9 }
        allow: { read: user, write: user }
      Paper:
        fields: { binder: Binder on delete cascade }
        allow: { read: user, write: user }
      Stamp:
        fields: { paper: Paper on delete cascade }
        allow: { read: user, write: user }
      Pin:
        fields:
          binder: Binder optional on delete clear
          about: Binder optional personal on delete clear
        allow: { read: user, write: user }
      Shelf:
        fields: { places: many Place 0..9 }
        allow: { read: user, write: user }
      Place:
        fields: { binder: Binder optional on delete clear }
";

#[test]
pub(crate) fn what_a_deletion_takes_along_or_clears_has_an_entry_each() {
    let folder = Folder::new().with("mainstay.yaml", DESKS);
    let model = folder.path().to_owned();
    let desk = Scene::of(&model, folder);
    let user = "user acme uma";
    let make = |path: &str, body: Value| {
        let made = desk.post(user, path, body).expect(201);
        (text(&made, "id"), made)
    };
    let binder = make("/v1/binders", json!({"name": "a"})).0;
    let other = make("/v1/binders", json!({"name": "b"})).0;
    let paper = make("/v1/papers", json!({"binder": binder})).0;
    make("/v1/papers", json!({"binder": other}));
    let stamps: Vec<String> =
        (0..3).map(|_| make("/v1/stamps", json!({"paper": paper})).0).collect();
    let pin = make("/v1/pins", json!({"binder": binder, "about": binder})).0;
    let places = json!({"places": [{"binder": other}, {"binder": binder}]});
    let (shelf, made) = make("/v1/shelves", places);
    let place = text(&made["places"][1], "id");
    let before = trail(&desk, user, "").len();
    let gone = desk.request(user, "DELETE", &format!("/v1/binders/{binder}"));
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    assert_eq!(gone.header("traceparent", trace).send().status, 204);

    let all = trail(&desk, user, "operation=deleteBinder");
    assert_eq!(trail(&desk, user, "").len(), before + all.len());
    let mut told: Vec<(String, String, Value)> = all
        .iter()
        .map(|entry| (text(entry, "resource"), text(entry, "row"), entry["changes"].clone()))
        .collect();
    let row = |resource: &str, row: &str, changes: Value| {
        (format!("desks.{resource}"), row.to_owned(), changes)
    };
    let cleared = |before: &str| json!({"before": before, "after": null});
    let mut expected = vec![
        row("Binder", &binder, json!({"name": {"before": "a"}})),
        row("Paper", &paper, json!({})),
        row("Pin", &pin, json!({"binder": cleared(&binder)})),
        row("Pin", &pin, json!({"about": cleared("redacted")})),
        row("Shelf", &shelf, json!({"places": [{"id": place, "binder": cleared(&binder)}]})),
    ];
    expected.extend(stamps.iter().map(|stamp| row("Stamp", stamp, json!({}))));
    let key = |one: &(String, String, Value)| format!("{one:?}");
    told.sort_by_key(key);
    expected.sort_by_key(key);
    assert_eq!(told, expected);
    let along = json!({"resource": "desks.Binder", "row": binder});
    for entry in &all {
        assert_eq!((&entry["who"], &entry["tenant"]), (&json!("uma"), &json!("acme")), "{entry}");
        assert_eq!(entry["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(entry["why"], "desks.Binder.delete: user");
        let itself = entry["resource"] == "desks.Binder";
        assert_eq!(entry["along_with"], if itself { Value::Null } else { along.clone() });
    }
    let of_stamp = trail(&desk, user, &format!("row={}", stamps[1]));
    assert_eq!(operations(&of_stamp), ["deleteBinder", "createStamp"], "found by its row");
    let whole = verify(&desk, &model, &[]);
    assert_eq!(whole.code, 0, "{whole:?}");
    // What is refused leaves nothing.
    let count = trail(&desk, user, "").len();
    assert_eq!(desk.delete(user, &format!("/v1/binders/{binder}")).status, 404);
    assert_eq!(trail(&desk, user, "").len(), count);
}
