//! Long-running operations over HTTP: imports and exports, their reports, their callers, their end.

use crate::database::Database;
use crate::events::MANAGER;
use crate::harness::{Answer, Folder, Server, until};
use crate::scenes::{Scene, text};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const NDJSON: &str = "application/x-ndjson";

fn row(sku: &str) -> String {
    let row = json!({"sku": sku, "name": sku, "price": {"amount": "1.50", "currency": "EUR"}});
    format!("{row}\n")
}

fn import(shop: &Scene, caller: &str, more: &str, media: &str, body: String) -> Answer {
    let path = format!("/v1/products/import{more}");
    shop.request(caller, "POST", &path).bytes(media, body.into_bytes()).send()
}

/// The operation when it is over.
#[track_caller]
fn awaited(shop: &Scene, caller: &str, answer: &Answer) -> Value {
    let path = answer.header("location").to_owned();
    answer.expect(202);
    let now = || shop.get(caller, &path).expect(200);
    until(|| now().to_string(), || now()["done"] == true);
    now()
}

/// All items of a list, page by page.
fn all(shop: &Scene, caller: &str, path: &str) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    let between = if path.contains('?') { '&' } else { '?' };
    loop {
        let page = shop.get(caller, &format!("{path}{between}limit=100{cursor}")).expect(200);
        found.extend(page["items"].as_array().expect("items").clone());
        match page.get("next_cursor").and_then(Value::as_str) {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

fn skus(shop: &Scene, caller: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for product in all(shop, caller, "/v1/products") {
        *found.entry(text(&product, "sku")).or_insert(0) += 1;
    }
    found
}

#[test]
pub(crate) fn an_import_makes_the_rows_that_are_good_and_reports_the_others() {
    let shop = Scene::empty("shop");
    let mut body = String::new();
    for at in 1..=2_000 {
        match at {
            7 => body.push_str("{\"sku\": \n"),
            500 => body.push_str(&row("S-1")),
            1_200..1_300 => body.push_str(&row("S-2")),
            1_999 => body.push_str(&json!({"sku": "S-1999", "price": {"amount": "x"}}).to_string()),
            at => body.push_str(&row(&format!("S-{at}"))),
        }
        if at == 1_999 {
            body.push('\n');
        }
    }
    let answer = import(&shop, MANAGER, "", NDJSON, body);
    let begun = answer.expect(202);
    assert_eq!(begun["kind"], "import");
    assert_eq!(begun["of"], "catalog.Product");
    assert_eq!(begun["metadata"]["rows_total"], 2_000);
    let done = awaited(&shop, MANAGER, &answer);
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(done["metadata"]["rows_done"], 2_000);
    assert_eq!(done["response"], json!({"rows_created": 1_897, "rows_failed": 103}));
    let found = skus(&shop, MANAGER);
    assert_eq!(found.len(), 1_897);
    assert!(found.values().all(|count| *count == 1));
    let path = answer.header("location").to_owned();
    let report = all(&shop, MANAGER, &format!("{path}/rows"));
    let lines: Vec<i64> = report.iter().filter_map(|row| row["line"].as_i64()).collect();
    assert_eq!(lines, (1..=2_000).collect::<Vec<_>>(), "each line once, in order");
    let failed = all(&shop, MANAGER, &format!("{path}/rows?failed=true"));
    assert_eq!(failed.len(), 103);
    assert_eq!((&failed[0]["line"], &failed[0]["status"]), (&json!(7), &json!(400)));
    assert_eq!(failed[1]["problem"]["type"], "urn:problem:duplicate");
    assert_eq!(failed[1]["problem"]["errors"][0]["pointer"], "/sku");
    let last = &failed[102];
    assert_eq!((&last["line"], &last["status"]), (&json!(1_999), &json!(422)));
    assert_eq!(report[0]["status"], 201);
    let made = text(&report[0], "id");
    assert_eq!(shop.get(MANAGER, &format!("/v1/products/{made}")).expect(200)["sku"], "S-1");
}

#[test]
pub(crate) fn an_import_that_is_all_or_nothing_makes_nothing_where_a_row_is_refused() {
    let shop = Scene::empty("shop");
    let good = format!("{}{}", row("A"), row("B"));
    let bad = format!("{good}{}{{}}\n", row("A"));
    let refused = awaited(&shop, MANAGER, &import(&shop, MANAGER, "?atomic=true", NDJSON, bad));
    assert_eq!(refused["state"], "failed", "{refused}");
    assert_eq!(refused["error"]["type"], "urn:problem:invalid-value");
    assert_eq!(skus(&shop, MANAGER).len(), 0);
    let path = format!("{}/rows", text(&refused["links"], "self"));
    let report = all(&shop, MANAGER, &path);
    assert!(report.iter().all(|row| row["problem"].is_object()), "{report:?}");
    assert_eq!(report.last().expect("a row")["line"], 4);
    let done = awaited(&shop, MANAGER, &import(&shop, MANAGER, "?atomic=true", NDJSON, good));
    assert_eq!(done["response"]["rows_created"], 2, "{done}");
    assert_eq!(skus(&shop, MANAGER).len(), 2);
}

#[test]
pub(crate) fn rows_come_and_go_as_values_between_commas() {
    let shop = Scene::empty("shop");
    let body =
        "sku,name,price.amount,price.currency\nA,\"an \"\"old\"\"\nlamp\",12.50,EUR\nB,,1,EUR\n";
    let done = awaited(&shop, MANAGER, &import(&shop, MANAGER, "", "text/csv", body.to_owned()));
    assert_eq!(done["response"], json!({"rows_created": 1, "rows_failed": 1}), "{done}");
    let path = format!("{}/rows?failed=true", text(&done["links"], "self"));
    assert_eq!(all(&shop, MANAGER, &path)[0]["line"], 4, "the line that the row begins in");
    let export = "/v1/products/export?fields=sku,name,price";
    let export = shop.request(MANAGER, "POST", export).header("accept", "text/csv").send();
    let done = awaited(&shop, MANAGER, &export);
    let result = text(&done["links"], "result");
    let file = shop.request(MANAGER, "GET", &result).header("accept", "text/csv").send();
    assert_eq!(file.status, 200, "{}", file.text());
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"products.csv\"");
    let lines = file.text();
    assert!(lines.starts_with("id,sku,name,price.amount,price.currency\n"), "{lines}");
    assert!(lines.ends_with(",A,\"an \"\"old\"\"\nlamp\",12.50,EUR\n"), "{lines}");
    let refuse = |body: &str, media: &str| import(&shop, MANAGER, "", media, body.to_owned());
    assert_eq!(refuse("sku,nme\nA,b\n", "text/csv").problem(400), "unknown-member");
    assert_eq!(refuse("sku,name\nA\n", "text/csv").problem(400), "malformed-body");
    assert_eq!(refuse("", NDJSON).problem(422), "invalid-value");
    assert_eq!(refuse("{}", "application/json").problem(415), "unsupported-media-type");
    assert_eq!(import(&shop, MANAGER, "?x=1", NDJSON, row("A")).problem(400), "unknown-parameter");
    let shopper = import(&shop, "shopper acme alice", "", NDJSON, row("A"));
    assert_eq!(shopper.problem(403), "forbidden");
    let nobody = shop.server.request("POST", "/v1/products/import");
    assert_eq!(nobody.bytes(NDJSON, row("A").into()).send().problem(401), "unauthenticated");
}

#[test]
pub(crate) fn an_export_holds_what_the_list_holds() {
    let shop = Scene::empty("shop");
    let body = (0..1_234).map(|at| row(&format!("E-{at:04}"))).collect();
    awaited(&shop, MANAGER, &import(&shop, MANAGER, "", NDJSON, body));
    let query = "sort=-sku&sku.gte=E-0100&fields=sku,price";
    let listed = all(&shop, MANAGER, &format!("/v1/products?{query}"));
    let export = shop.request(MANAGER, "POST", &format!("/v1/products/export?{query}"));
    let done = awaited(&shop, MANAGER, &export.send());
    assert_eq!(done["response"]["rows"], listed.len());
    let result = text(&done["links"], "result");
    let file = shop.request(MANAGER, "GET", &result).header("accept", NDJSON).send();
    assert_eq!(file.header("content-type"), NDJSON);
    let rows: Vec<Value> =
        file.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(rows, listed);
    assert_eq!(rows.len(), 1_134);
    let wrong = shop.request(MANAGER, "POST", "/v1/products/export?nothing=1").send();
    assert_eq!(wrong.problem(400), "unknown-parameter");
}

#[test]
pub(crate) fn operations_are_their_callers_alone() {
    let shop = Scene::empty("shop");
    let post = || {
        let post = shop.request(MANAGER, "POST", "/v1/products/import");
        post.bytes(NDJSON, row("A").into()).header("idempotency-key", "k-1").send()
    };
    let (first, again) = (post(), post());
    assert_eq!(first.header("location"), again.header("location"));
    assert_eq!(again.header("idempotent-replayed"), "true");
    let path = first.header("location").to_owned();
    awaited(&shop, MANAGER, &first);
    assert_eq!(skus(&shop, MANAGER).len(), 1);
    for stranger in ["staff.manager globex", "shopper acme alice", "staff.manager acme other"] {
        for method in ["GET", "DELETE"] {
            let answer = shop.request(stranger, method, &path).send();
            assert_eq!(answer.problem(404), "not-found", "{stranger} {method}");
        }
        let cancel = shop.request(stranger, "POST", &format!("{path}/cancel")).send();
        assert_eq!(cancel.problem(404), "not-found");
        assert_eq!(shop.get(stranger, "/v1/operations").expect(200)["items"], json!([]));
    }
    let mine = shop.get(MANAGER, "/v1/operations?state=done").expect(200);
    assert_eq!(mine["items"].as_array().map(Vec::len), Some(1));
    let over = shop.request(MANAGER, "POST", &format!("{path}/cancel")).send();
    assert_eq!(over.problem(409), "guard-failed");
    assert_eq!(shop.delete(MANAGER, &path).status, 204);
    assert_eq!(shop.get(MANAGER, &path).problem(404), "not-found");
}

#[test]
pub(crate) fn after_kill_9_in_an_import_every_row_is_there_exactly_once() {
    let mut shop = Scene::empty("shop");
    let mut body = String::new();
    for at in 0..4_000 {
        let sku = if at % 50 == 49 { "K-0".to_owned() } else { format!("K-{at}") };
        let _written = write!(body, "{}", row(&sku));
    }
    let answer = import(&shop, MANAGER, "", NDJSON, body);
    answer.expect(202);
    let path = answer.header("location").to_owned();
    let done = |shop: &Scene| {
        shop.get(MANAGER, &path).expect(200)["metadata"]["rows_done"].as_i64().unwrap_or(0)
    };
    for part in [500, 1_500, 2_500] {
        until(|| done(&shop).to_string(), || done(&shop) >= part);
        shop.server.kill();
        shop.server = Server::start("examples/shop", &shop.folder.0.join("data"), &[]);
    }
    let now = |shop: &Scene| shop.get(MANAGER, &path).expect(200);
    until(|| now(&shop).to_string(), || now(&shop)["done"] == true);
    let over = now(&shop);
    assert_eq!(over["response"], json!({"rows_created": 3_920, "rows_failed": 80}), "{over}");
    let found = skus(&shop, MANAGER);
    assert_eq!(found.len(), 3_920);
    assert!(found.values().all(|count| *count == 1), "no row is there twice");
    let report = all(&shop, MANAGER, &format!("{path}/rows"));
    assert_eq!(report.len(), 4_000);
}

#[test]
pub(crate) fn a_cancelled_import_goes_no_further() {
    let shop = Scene::empty("shop");
    let body = (0..20_000).map(|at| row(&format!("C-{at}"))).collect();
    let answer = import(&shop, MANAGER, "", NDJSON, body);
    answer.expect(202);
    let path = answer.header("location").to_owned();
    let now = || shop.get(MANAGER, &path).expect(200);
    until(|| now().to_string(), || now()["metadata"]["rows_done"] != 0);
    assert_eq!(shop.delete(MANAGER, &path).problem(409), "guard-failed");
    let cancelled = shop.request(MANAGER, "POST", &format!("{path}/cancel")).send().expect(200);
    assert_eq!(cancelled["state"], "cancelled");
    shop.request(MANAGER, "POST", &format!("{path}/cancel")).send().expect(200);
    let made = cancelled["metadata"]["rows_done"].as_u64().expect("a number");
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(skus(&shop, MANAGER).len() as u64, made, "what was committed stays, and no more");
    assert_eq!(now()["metadata"]["rows_done"], made);
}

/// How many operations a process has ended.
fn ended(server: &Server) -> u64 {
    let text = server.get("/metrics").send().text();
    let lines = text.lines().filter(|line| line.starts_with("mainstay_operations_ended_total{"));
    let counts = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
    counts.sum()
}

#[test]
fn processes_on_one_postgresql_share_what_waits_and_tell_how_much() {
    let Some(database) = Database::new() else { return };
    let (folder, url) = (Folder::new(), database.url());
    let start =
        |name: &str| Server::start("examples/shop", &folder.0.join(name), &["--database", &url]);
    let (one, other) = (start("one"), start("other"));
    let token = one.token("staff", &["--role", "manager", "--tenant", "acme"]);
    let posted: Vec<String> = (0..24)
        .map(|number| {
            let body: String = (0..400).map(|at| row(&format!("P-{number}-{at}"))).collect();
            let post = one.request("POST", "/v1/products/import").bearer(&token);
            let answer = post.bytes(NDJSON, body.into_bytes()).send();
            answer.expect(202);
            answer.header("location").to_owned()
        })
        .collect();
    for path in &posted {
        let now = || one.get(path).bearer(&token).send().expect(200);
        until(|| now().to_string(), || now()["done"] == true);
        assert_eq!(now()["response"], json!({"rows_created": 400, "rows_failed": 0}));
        assert_eq!(now()["metadata"]["attempts"], 1, "nobody took it from another");
    }
    until(
        || format!("{} and {}", ended(&one), ended(&other)),
        || ended(&one) + ended(&other) == 24,
    );
    assert!(ended(&one) > 0 && ended(&other) > 0, "{} and {}", ended(&one), ended(&other));
    let text = one.get("/metrics").send().text();
    assert!(text.contains("mainstay_operation_duration_seconds_count{kind="), "{text}");
}

#[test]
pub(crate) fn a_tenants_many_imports_do_not_keep_anothers_waiting() {
    let shop = Scene::empty("shop");
    let body = |number: usize, rows: usize| -> String {
        (0..rows).map(|at| row(&format!("F-{number}-{at}"))).collect()
    };
    let bodies: Vec<String> = (0..14).map(|number| body(number, 3_000)).collect();
    let import_of = |body| import(&shop, MANAGER, "", NDJSON, body);
    let many: Vec<Answer> = bodies.into_iter().map(import_of).collect();
    let globex = "staff.manager globex";
    awaited(&shop, globex, &import(&shop, globex, "", NDJSON, body(0, 10)));
    let waiting = shop.get(MANAGER, "/v1/operations?state=queued&limit=100").expect(200);
    let waiting = waiting["items"].as_array().map_or(0, Vec::len);
    assert!(waiting > 0, "the others' turns came first");
    for answer in &many {
        let cancel = format!("{}/cancel", answer.header("location"));
        let status = shop.request(MANAGER, "POST", &cancel).send().status;
        assert!(matches!(status, 200 | 409), "{status}");
    }
}
