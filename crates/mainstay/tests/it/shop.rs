//! The shop over HTTP: an order from its first line to its end, and what is refused on the way.

use crate::scenes::{Scene, euro, ids, order, pointers, product, text};
use serde_json::{Value, json};

const ALICE: &str = "shopper acme alice";
const BOB: &str = "shopper acme bob";
const MANAGER: &str = "staff.manager acme";
const PICKER: &str = "staff.picker acme";
const SYSTEM: &str = "system acme";

#[test]
pub(crate) fn an_order_goes_from_draft_to_shipped() {
    let shop = Scene::empty("shop");
    let product = product(&shop, "acme", "A-1", "12.50");
    let body = json!({"lines": [{"product": product, "quantity": 3}], "note": "ring twice"});
    let made = shop.post(ALICE, "/v1/orders", body);
    let order = made.expect(201);
    let path = format!("/v1/orders/{}", text(&order, "id"));
    assert_eq!(made.header("location"), path);
    assert_eq!(order["total"], euro("37.50"));
    assert_eq!(order["lines"][0]["price"], euro("12.50"));
    assert_eq!(order["lines"][0]["amount"], euro("37.50"));
    assert_eq!(order["status"], "draft");
    assert_eq!(order["shopper"], "alice");
    assert!(order.get("org").is_none(), "the tenant is never shown: {order}");

    let placed = shop.command(ALICE, &format!("{path}/place")).expect(200);
    assert_eq!(placed["status"], "placed");
    let paid = shop.command(SYSTEM, &format!("{path}/pay")).expect(200);
    assert_eq!(paid["status"], "paid");
    let shipped = shop.command(PICKER, &format!("{path}/ship")).expect(200);
    assert_eq!(shipped["status"], "shipped");
    assert_eq!(shop.get(ALICE, &path).expect(200)["status"], "shipped");
}

#[test]
fn an_illegal_transition_names_from_to_and_what_is_allowed() {
    let shop = Scene::empty("shop");
    let product = product(&shop, "acme", "A-1", "1.00");
    let path = format!("/v1/orders/{}", order(&shop, ALICE, &product));
    let refused = shop.command(PICKER, &format!("{path}/ship"));
    assert_eq!(refused.problem(409), "illegal-transition");
    let problem = refused.json();
    assert_eq!(problem["from"], "draft");
    assert_eq!(problem["to"], "shipped");
    assert_eq!(problem["allowed"], json!(["placed", "cancelled"]));
}

#[test]
fn a_false_guard_names_the_expression() {
    let shop = Scene::empty("shop");
    let id = product(&shop, "acme", "A-1", "1.00");
    let take = |quantity: i64| {
        shop.post(SYSTEM, &format!("/v1/products/{id}/reserve"), json!({"quantity": quantity}))
    };
    assert_eq!(take(30).expect(200)["stock"], 20);
    let refused = take(21);
    assert_eq!(refused.problem(409), "guard-failed");
    assert!(refused.text().contains("stock >= quantity"), "{}", refused.text());
    assert_eq!(take(20).expect(200)["stock"], 0);
}

#[test]
fn commands_of_the_system_do_not_exist_for_others() {
    let shop = Scene::empty("shop");
    let id = product(&shop, "acme", "A-1", "1.00");
    let path = format!("/v1/products/{id}/reserve");
    let refused = shop.post(MANAGER, &path, json!({"quantity": 1}));
    assert_eq!(refused.problem(404), "not-found");
    assert_eq!(
        shop.server
            .post(&path, json!({"quantity": 1}))
            .header("host", "acme.localhost")
            .send()
            .problem(404),
        "not-found"
    );
}

#[test]
fn who_may_not_read_gets_404_and_who_may_not_do_gets_403_with_the_rule() {
    let shop = Scene::empty("shop");
    let product = product(&shop, "acme", "A-1", "1.00");
    let path = format!("/v1/orders/{}", order(&shop, ALICE, &product));
    assert_eq!(shop.get(BOB, &path).problem(404), "not-found");
    assert_eq!(shop.command(BOB, &format!("{path}/place")).problem(404), "not-found");
    assert_eq!(shop.patch(BOB, &path, json!({"note": "mine"})).problem(404), "not-found");
    let refused = shop.command(PICKER, &format!("{path}/place"));
    assert_eq!(refused.problem(403), "forbidden");
    assert!(refused.text().contains("shopper when own"), "{}", refused.text());
    assert_eq!(shop.patch(PICKER, &path, json!({"note": "x"})).problem(403), "forbidden");
    assert_eq!(shop.delete(ALICE, &path).problem(405), "method-not-allowed");
}

#[test]
fn a_placed_order_can_no_longer_be_updated() {
    let shop = Scene::empty("shop");
    let product = product(&shop, "acme", "A-1", "1.00");
    let path = format!("/v1/orders/{}", order(&shop, ALICE, &product));
    shop.patch(ALICE, &path, json!({"note": "soon"})).expect(200);
    shop.command(ALICE, &format!("{path}/place")).expect(200);
    assert_eq!(shop.patch(ALICE, &path, json!({"note": "late"})).problem(403), "forbidden");
}

#[test]
fn what_a_client_may_not_set_is_refused_with_its_pointer() {
    let shop = Scene::empty("shop");
    let id = product(&shop, "acme", "A-1", "1.00");
    let line = json!({"product": id, "quantity": 1});
    let cases: [(Value, u16, &str); 12] = [
        (json!({"lines": [line], "total": euro("1.00")}), 400, "/total"),
        (json!({"lines": [line], "status": "paid"}), 400, "/status"),
        (json!({"lines": [line], "shopper": "bob"}), 400, "/shopper"),
        (json!({"lines": [line], "colour": "red"}), 400, "/colour"),
        (json!({"lines": [line], "id": "0192f0c1-2a3b-7c4d-8e5f-60718293a4b5"}), 400, "/id"),
        (
            json!({"lines": [{"product": id, "quantity": 1, "price": euro("0.01")}]}),
            400,
            "/lines/0/price",
        ),
        (json!({"lines": []}), 422, "/lines"),
        (json!({"note": "no lines"}), 422, "/lines"),
        (json!({"lines": [{"product": id, "quantity": 0}]}), 422, "/lines/0/quantity"),
        (json!({"lines": [{"product": id, "quantity": 100}]}), 422, "/lines/0/quantity"),
        (json!({"lines": [{"product": id, "quantity": "1"}]}), 422, "/lines/0/quantity"),
        (
            json!({"lines": [{"product": "0192f0c1-2a3b-7c4d-8e5f-60718293a4b5", "quantity": 1}]}),
            422,
            "/lines/0/product",
        ),
    ];
    for (body, status, pointer) in cases {
        let refused = shop.post(ALICE, "/v1/orders", body.clone());
        let problem = refused.expect(status);
        assert_eq!(pointers(&problem), [pointer], "{body}: {problem}");
    }
}

#[test]
fn every_fault_of_a_body_is_named_at_once() {
    let shop = Scene::empty("shop");
    let body = json!({"sku": "x".repeat(41), "name": "", "price": {"amount": "1.234", "currency": "EUR"}, "stock": -1});
    let problem = shop.post(MANAGER, "/v1/products", body).expect(422);
    let mut found = pointers(&problem);
    found.sort();
    assert!(found.contains(&"/sku".to_owned()), "{problem}");
    assert!(found.contains(&"/price/amount".to_owned()) || found.contains(&"/price".to_owned()));
    assert!(found.contains(&"/stock".to_owned()), "{problem}");
}

#[test]
fn malformed_bodies_are_refused_before_anything_else() {
    let shop = Scene::empty("shop");
    let send = |media_type: &str, body: &[u8]| {
        shop.request(MANAGER, "POST", "/v1/products").bytes(media_type, body.to_vec()).send()
    };
    assert_eq!(send("application/json", b"{\"sku\":").problem(400), "malformed-body");
    assert_eq!(send("application/json", b"[1]").problem(422), "invalid-value");
    assert_eq!(
        send("application/json", b"{\"sku\":\"a\",\"sku\":\"b\"}").problem(400),
        "malformed-body"
    );
    assert_eq!(send("application/json", b"{\"sku\":\"\xff\"}").problem(400), "malformed-body");
    assert_eq!(send("application/json", b"{\"sku\":\"\\ud800\"}").problem(400), "malformed-body");
    assert_eq!(send("text/plain", b"{}").problem(415), "unsupported-media-type");
    let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    assert_eq!(send("application/json", &deep).problem(400), "malformed-body");
    let nul = json!({"sku": "a\u{0}b", "name": "n", "price": euro("1.00")}).to_string();
    assert_eq!(send("application/json", nul.as_bytes()).problem(422), "invalid-value");
    let patch = shop.request(MANAGER, "PATCH", "/v1/products/0192f0c1-2a3b-7c4d-8e5f-60718293a4b5");
    let refused = patch.bytes("text/plain", b"{}".to_vec()).send();
    assert_eq!(refused.problem(415), "unsupported-media-type");
    assert!(refused.header("accept-patch").contains("application/merge-patch+json"));
}

#[test]
pub(crate) fn a_second_product_of_one_sku_is_a_duplicate_in_its_tenant_only() {
    let shop = Scene::empty("shop");
    product(&shop, "acme", "A-1", "1.00");
    product(&shop, "umbra", "A-1", "1.00");
    let body = json!({"sku": "A-1", "name": "Again", "price": euro("1.00")});
    let refused = shop.post(MANAGER, "/v1/products", body);
    assert_eq!(refused.problem(409), "duplicate");
    assert_eq!(pointers(&refused.json()), ["/sku"]);
}

#[test]
pub(crate) fn the_price_of_a_line_is_kept_until_its_product_changes() {
    let shop = Scene::empty("shop");
    let (first, second) =
        (product(&shop, "acme", "A", "5.00"), product(&shop, "acme", "B", "7.00"));
    let path = format!("/v1/orders/{}", order(&shop, ALICE, &first));
    shop.patch(MANAGER, &format!("/v1/products/{first}"), json!({"price": euro("9.00")}))
        .expect(200);
    let order = shop.get(ALICE, &path).expect(200);
    assert_eq!(order["lines"][0]["price"], euro("5.00"));
    let line = text(&order["lines"][0], "id");

    let kept = json!({"lines": [{"id": line, "product": first, "quantity": 4}]});
    let order = shop.patch(ALICE, &path, kept).expect(200);
    assert_eq!(order["lines"][0]["price"], euro("5.00"), "same reference, same copy");
    assert_eq!(order["total"], euro("20.00"));

    let changed = json!({"lines": [{"id": line, "product": second, "quantity": 4}]});
    let order = shop.patch(ALICE, &path, changed).expect(200);
    assert_eq!(order["lines"][0]["price"], euro("7.00"), "another reference, another copy");

    let added = json!({"lines": [{"id": line, "product": second, "quantity": 1}, {"product": first, "quantity": 1}]});
    let order = shop.patch(ALICE, &path, added).expect(200);
    assert_eq!(order["lines"][1]["price"], euro("9.00"), "a new line asks again");
    assert_eq!(order["total"], euro("16.00"));

    let unknown = json!({"lines": [{"id": "0192f0c1-2a3b-7c4d-8e5f-60718293a4b5", "product": first, "quantity": 1}]});
    let problem = shop.patch(ALICE, &path, unknown).expect(422);
    assert_eq!(pointers(&problem), ["/lines/0/id"]);

    let one = json!({"lines": [{"product": first, "quantity": 1}]});
    let order = shop.patch(ALICE, &path, one).expect(200);
    assert_eq!(order["lines"].as_array().map(Vec::len), Some(1), "a missing line is deleted");
}

#[test]
fn unlike_currencies_are_never_added() {
    let shop = Scene::empty("shop");
    let euros = product(&shop, "acme", "A", "5.00");
    let body = json!({"sku": "Y", "name": "Yen", "price": {"amount": "500", "currency": "JPY"}, "stock": 1});
    let yens = text(&shop.post(MANAGER, "/v1/products", body).expect(201), "id");
    let lines =
        json!({"lines": [{"product": euros, "quantity": 1}, {"product": yens, "quantity": 1}]});
    assert_eq!(shop.post(ALICE, "/v1/orders", lines).problem(422), "mixed-currencies");
}

#[test]
pub(crate) fn if_match_guards_and_if_none_match_spares() {
    let shop = Scene::empty("shop");
    let path = format!("/v1/products/{}", product(&shop, "acme", "A", "5.00"));
    let read = shop.get(MANAGER, &path);
    let etag = read.header("etag").to_owned();
    assert!(etag.starts_with("\"1.") && etag.ends_with('"'), "{etag}");
    let again = shop.request(MANAGER, "GET", &path).header("if-none-match", &etag).send();
    assert_eq!((again.status, again.body.len()), (304, 0));
    let stale = "\"7.0000\"";
    let patch = |tag: &str| {
        shop.request(MANAGER, "PATCH", &path)
            .bytes("application/merge-patch+json", b"{\"stock\":1}".to_vec())
            .header("if-match", tag)
            .send()
    };
    assert_eq!(patch(stale).problem(412), "version-mismatch");
    let changed = patch(&etag);
    changed.expect(200);
    assert!(changed.header("etag").starts_with("\"2."));
    assert_eq!(patch(&etag).problem(412), "version-mismatch");
    assert_eq!(patch("*").status, 200);
}

#[test]
pub(crate) fn lists_page_filter_sort_and_search() {
    let shop = Scene::empty("shop");
    for number in 0..25 {
        let name = if number % 2 == 0 { "Grüne Lampe" } else { "Blue chair" };
        let body = json!({"sku": format!("S-{number:02}"), "name": format!("{name} {number}"),
            "price": euro(&format!("{number}.00")), "stock": number});
        shop.post(MANAGER, "/v1/products", body).expect(201);
    }
    let page = |query: &str| shop.get(MANAGER, &format!("/v1/products?{query}")).expect(200);
    let count = |query: &str| ids(&page(query)).len();
    assert_eq!(count(""), 20);
    assert_eq!(count("limit=500"), 25);
    assert_eq!(count("stock.gte=10&stock.lt=15"), 5);
    assert_eq!(count("price.gt=20"), 4);
    assert_eq!(count("price.currency=JPY"), 0);
    assert_eq!(count("sku.in=S-01,S-02,S-99"), 2);
    assert_eq!(count("sku.prefix=S-2&limit=100"), 5);
    assert_eq!(count("q=grune%20LAMP&limit=100"), 13);
    let slim = page("sort=-stock,sku&limit=2&fields=stock");
    let items: Vec<&Value> = slim["items"].as_array().unwrap().iter().collect();
    assert_eq!(items[0]["stock"], 24);
    assert!(items[0].get("name").is_none(), "{slim}");

    let mut seen = Vec::new();
    let mut query = "sort=price&limit=7".to_owned();
    loop {
        let page = page(&query);
        seen.extend(ids(&page));
        match page.get("next_cursor") {
            Some(cursor) => {
                query = format!("sort=price&limit=7&cursor={}", cursor.as_str().unwrap())
            }
            None => break,
        }
    }
    let mut unique = seen.clone();
    unique.sort();
    unique.dedup();
    assert_eq!((seen.len(), unique.len()), (25, 25));
}

#[test]
fn a_list_refuses_what_it_does_not_know() {
    let shop = Scene::empty("shop");
    for number in 0..3 {
        product(&shop, "acme", &format!("S-{number}"), "1.00");
    }
    let refused = |query: &str| shop.get(MANAGER, &format!("/v1/products?{query}")).problem(400);
    assert_eq!(refused("colour=red"), "unknown-parameter");
    assert_eq!(refused("stock.near=3"), "unknown-parameter");
    for query in
        ["stock=abc", "sort=nothing", "fields=nothing", "expand=nothing", "limit=0", "limit=x"]
    {
        assert!(
            ["invalid-parameter", "unknown-parameter"].contains(&refused(query).as_str()),
            "{query}"
        );
    }
    assert_eq!(refused("cursor=nonsense"), "invalid-cursor");
    let cursor = text(&shop.get(MANAGER, "/v1/products?limit=1").expect(200), "next_cursor");
    assert_eq!(refused(&format!("limit=1&sort=sku&cursor={cursor}")), "invalid-cursor");
    let foreign = |caller: &str| {
        shop.get(caller, &format!("/v1/products?limit=1&cursor={cursor}")).problem(400)
    };
    assert_eq!(foreign("staff.manager umbra"), "invalid-cursor");
    // Pages of what anyone may read, and caches keep, are alike for all: so are their cursors.
    shop.get(ALICE, &format!("/v1/products?limit=1&cursor={cursor}")).expect(200);
    let sold = product(&shop, "acme", "S-9", "1.00");
    for _ in 0..2 {
        order(&shop, ALICE, &sold);
    }
    let cursor = text(&shop.get(MANAGER, "/v1/orders?limit=1").expect(200), "next_cursor");
    let own = format!("/v1/orders?limit=1&cursor={cursor}");
    shop.get(MANAGER, &own).expect(200);
    assert_eq!(shop.get(ALICE, &own).problem(400), "invalid-cursor");
}

#[test]
pub(crate) fn a_list_expands_lines_and_products() {
    let shop = Scene::empty("shop");
    let product = product(&shop, "acme", "A", "5.00");
    let id = order(&shop, ALICE, &product);
    let plain = shop.get(ALICE, "/v1/orders").expect(200);
    assert!(plain["items"][0].get("lines").is_none(), "{plain}");
    let with = shop.get(ALICE, "/v1/orders?expand=lines").expect(200);
    assert_eq!(with["items"][0]["lines"][0]["quantity"], 2);
    let deep = shop.get(ALICE, &format!("/v1/orders/{id}?expand=lines.product")).expect(200);
    assert_eq!(deep["lines"][0]["product"]["sku"], "A", "{deep}");
    shop.delete(MANAGER, &format!("/v1/products/{product}")).expect(204);
    let gone = shop.get(ALICE, &format!("/v1/orders/{id}?expand=lines.product")).expect(200);
    assert_eq!(gone["lines"][0]["product"], Value::Null, "a deleted target is null: {gone}");
    let kept = shop.get(ALICE, &format!("/v1/orders/{id}")).expect(200);
    assert_eq!(kept["lines"][0]["product"], json!(product), "the id stays");
}

#[test]
pub(crate) fn an_idempotency_key_replays_one_answer_and_refuses_another_body() {
    let shop = Scene::empty("shop");
    let product = product(&shop, "acme", "A", "5.00");
    let send = |caller: &str, quantity: i64| {
        let body = json!({"lines": [{"product": product, "quantity": quantity}]});
        shop.request(caller, "POST", "/v1/orders")
            .json(&body)
            .header("idempotency-key", "\"k-1\"")
            .send()
    };
    let first = send(ALICE, 1);
    let made = first.expect(201);
    let again = send(ALICE, 1);
    assert_eq!(again.expect(201), made);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.header("etag"), first.header("etag"));
    assert_eq!(send(ALICE, 2).problem(422), "key-reused");
    assert_ne!(send(BOB, 1).expect(201)["id"], made["id"], "another caller's key is another key");
    assert_eq!(ids(&shop.get(ALICE, "/v1/orders").expect(200)).len(), 1);
    let failed = |quantity: i64| {
        let body = json!({"lines": [{"product": product, "quantity": quantity}]});
        shop.request(ALICE, "POST", "/v1/orders")
            .json(&body)
            .header("idempotency-key", "k-2")
            .send()
    };
    failed(0).expect(422);
    failed(3).expect(201);
}

#[test]
pub(crate) fn a_batch_is_all_or_nothing_in_one_context() {
    let shop = Scene::empty("shop");
    let make = |sku: &str, stock: i64| {
        json!({"method": "POST", "path": "/v1/products",
            "body": {"sku": sku, "name": sku, "price": euro("1.00"), "stock": stock}})
    };
    let batch =
        |operations: Value| shop.post(MANAGER, "/v1/batch", json!({"operations": operations}));
    let rename = json!({"method": "PATCH", "path": "/v1/products/#0", "body": {"name": "Renamed"}});
    let done = batch(json!([make("A", 1), make("B", 2), rename])).expect(200);
    let results = done["results"].as_array().expect("results");
    assert_eq!(
        results.iter().map(|one| one["status"].as_u64()).collect::<Vec<_>>(),
        [Some(201), Some(201), Some(200)]
    );
    assert_eq!(results[2]["body"]["name"], "Renamed");

    let refused = batch(json!([make("C", 1), make("D", -1), make("E", 1)]));
    let problem = refused.expect(422);
    assert_eq!(pointers(&problem), ["/operations/1/body/stock"]);
    let refused = batch(json!([make("C", 1), make("A", 1)]));
    assert_eq!(refused.problem(409), "duplicate");
    let mixed =
        json!([make("F", 1), {"method": "POST", "path": "/v1/orders", "body": {"lines": []}}]);
    assert!((400..500).contains(&batch(mixed).status), "two contexts in one batch");
    let many: Vec<Value> = (0..101).map(|n| make(&format!("M-{n}"), 1)).collect();
    assert!((400..500).contains(&batch(json!(many)).status));
    let all = shop.get(MANAGER, "/v1/products?limit=100").expect(200);
    assert_eq!(ids(&all).len(), 2, "nothing of a refused batch stays");
}

#[test]
fn methods_media_types_and_paths_are_answered_by_the_book() {
    let shop = Scene::empty("shop");
    let id = product(&shop, "acme", "A", "5.00");
    let refused = shop.request(MANAGER, "DELETE", "/v1/products").send();
    assert_eq!(refused.problem(405), "method-not-allowed");
    let allow = refused.header("allow").to_owned();
    assert!(allow.contains("GET") && allow.contains("POST") && allow.contains("HEAD"), "{allow}");
    assert_eq!(shop.get(MANAGER, "/v1/nothing").problem(404), "not-found");
    assert_eq!(shop.get(MANAGER, "/v1/order-lines").problem(404), "not-found");
    assert_eq!(shop.get(MANAGER, "/v1/products/not-an-id").problem(400), "invalid-parameter");
    let picky = shop.request(MANAGER, "GET", "/v1/products").header("accept", "text/csv").send();
    assert_eq!(picky.problem(406), "not-acceptable");
    let head = shop.request(MANAGER, "HEAD", &format!("/v1/products/{id}")).send();
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert!(!head.header("etag").is_empty());
    let put = json!({"sku": "Z", "name": "n", "price": euro("1.00")});
    let nowhere = "/v1/products/0192f0c1-2a3b-7c4d-8e5f-60718293a4b5";
    assert_eq!(shop.request(MANAGER, "PUT", nowhere).json(&put).send().problem(404), "not-found");
    let replaced = shop.request(MANAGER, "PUT", &format!("/v1/products/{id}")).json(&put).send();
    let product = replaced.expect(200);
    assert_eq!((product["sku"].clone(), product["stock"].clone()), (json!("Z"), json!(0)));
    let large = format!("{{\"sku\":\"{}\"}}", "x".repeat(2 << 20)).into_bytes();
    let refused =
        shop.request(MANAGER, "POST", "/v1/products").bytes("application/json", large).send();
    assert_eq!(refused.problem(413), "body-too-large");
}

#[test]
fn without_a_token_only_what_anyone_may_is_answered() {
    let shop = Scene::empty("shop");
    let id = product(&shop, "acme", "A", "5.00");
    let host = |request: crate::harness::Request| request.header("host", "acme.localhost");
    host(shop.server.get(&format!("/v1/products/{id}"))).send().expect(200);
    assert_eq!(ids(&host(shop.server.get("/v1/products")).send().expect(200)).len(), 1);
    let refused = host(shop.server.get("/v1/orders")).send();
    assert_eq!(refused.problem(401), "unauthenticated");
    assert!(refused.header("www-authenticate").starts_with("Bearer"));
    assert_eq!(shop.server.get("/v1/products").send().problem(401), "tenant-unknown");
    let bad = shop.server.get("/v1/products").bearer("nonsense").send();
    assert_eq!(bad.problem(401), "unauthenticated");
    let contradicting =
        shop.request(MANAGER, "GET", "/v1/products").header("host", "umbra.localhost").send();
    assert_eq!(contradicting.problem(403), "tenant-mismatch");
}
