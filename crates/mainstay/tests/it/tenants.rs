//! Tenants never meet: whatever a token of one asks, nothing of another comes back or changes.

use crate::harness::{Folder, Server};
use crate::scenes::{Scene, euro, ids, order, product, text};
use expect_test::expect;
use serde_json::json;

/// Requests of the mixed run; `MAINSTAY_FUZZ_REQUESTS` asks for more.
const FUZZ_REQUESTS: u64 = 3_000;

/// Every way to reach a row of another tenant, by every caller of the shop.
#[test]
pub(crate) fn no_token_of_one_tenant_reaches_a_row_of_another() {
    let shop = Scene::empty("shop");
    let theirs = product(&shop, "umbra", "SECRET-1", "66.60");
    let their_order = order(&shop, "shopper umbra alice", &theirs);
    let ours = product(&shop, "acme", "OURS-1", "1.00");
    for caller in ["shopper acme alice", "staff.manager acme", "staff.picker acme", "system acme"] {
        for path in [format!("/v1/products/{theirs}"), format!("/v1/orders/{their_order}")] {
            assert_eq!(shop.get(caller, &path).problem(404), "not-found", "{caller} {path}");
            let deleted = shop.delete(caller, &path).status;
            assert!([404, 405].contains(&deleted), "{caller} deletes {path}: {deleted}");
            let patched = shop.patch(caller, &path, json!({}));
            assert_eq!(patched.status, 404, "{caller} patches {path}");
        }
        for command in ["place", "pay", "ship", "cancel"] {
            let path = format!("/v1/orders/{their_order}/{command}");
            assert_eq!(shop.command(caller, &path).status, 404, "{caller} {path}");
        }
        for query in [
            "limit=100".to_owned(),
            "sku=SECRET-1".to_owned(),
            "sku.prefix=SEC".to_owned(),
            "price.gt=60".to_owned(),
            "q=thing".to_owned(),
            "sort=-price".to_owned(),
            format!("id={theirs}"),
            format!("id.in={theirs},{ours}"),
        ] {
            let page = shop.get(caller, &format!("/v1/products?{query}")).expect(200);
            assert!(!ids(&page).contains(&theirs), "{caller} {query}: {page}");
        }
        let orders = shop.get(caller, "/v1/orders?expand=lines&limit=100").expect(200);
        assert!(ids(&orders).is_empty(), "{caller}: {orders}");
    }
    let body = json!({"lines": [{"product": theirs, "quantity": 1}]});
    let refused = shop.post("shopper acme alice", "/v1/orders", body);
    assert_eq!(refused.problem(422), "unknown-reference");
    let still = shop.get("staff.manager umbra", &format!("/v1/products/{theirs}")).expect(200);
    assert_eq!(still["sku"], "SECRET-1");
}

#[test]
fn a_batch_can_not_reach_across_either() {
    let shop = Scene::empty("shop");
    let theirs = product(&shop, "umbra", "T", "1.00");
    let operations = json!([{"method": "PATCH", "path": format!("/v1/products/{theirs}"), "body": {"stock": 1}}]);
    let refused = shop.post("staff.manager acme", "/v1/batch", json!({"operations": operations}));
    assert_eq!(refused.problem(404), "not-found");
}

#[test]
pub(crate) fn one_key_in_two_tenants_is_two_keys() {
    let shop = Scene::empty("shop");
    let body = json!({"sku": "K", "name": "k", "price": euro("1.00")});
    let send = |caller: &str| {
        shop.request(caller, "POST", "/v1/products")
            .json(&body)
            .header("idempotency-key", "same")
            .send()
    };
    let (ours, theirs) =
        (send("staff.manager acme").expect(201), send("staff.manager umbra").expect(201));
    assert_ne!(ours["id"], theirs["id"]);
}

/// The decision counts, not what it overrules: the store opens and keeps tenants apart.
#[test]
pub(crate) fn tenants_are_kept_apart_however_their_tenancy_is_asked_for_and_pinned() {
    let ways = [("row", "schema"), ("row", "database"), ("schema", "row"), ("database", "row")];
    for (asked, pinned) in ways {
        let told = format!("{asked} pinned to {pinned}");
        let model = format!(
            "
system: notes
tenancy: {asked} by org
decisions: {{ tenancy: {{ choose: {pinned}, because: a contract }} }}
actors: {{ user: oidc, support: oidc across tenants }}
contexts:
  notes:
    resources:
      Kind:
        shared: true
        fields: {{ name: string max 20 unique }}
        allow: {{ read: anyone, write: support }}
      Note:
        fields: {{ kind: Kind, text: string max 20 unique }}
        allow: {{ read: user, write: user }}
"
        );
        let folder = Folder::new().with("mainstay.yaml", &model);
        let path = format!("{}/mainstay.yaml", folder.path());
        let scene = Scene::of(&path, folder);
        let kind = scene.post("support acme", "/v1/kinds", json!({"name": "k"})).expect(201);
        let body = json!({"kind": kind["id"], "text": "same"});
        let ours = scene.post("user acme", "/v1/notes", body.clone()).expect(201);
        let theirs = scene.post("user umbra", "/v1/notes", body).expect(201);
        let page = scene.get("user acme", "/v1/notes").expect(200);
        assert_eq!(ids(&page), [text(&ours, "id")], "{told}: {theirs}");
        let own = scene.folder.0.join("data/notes/acme.db");
        let on_files = crate::database::url_for(&scene.folder.0.join("data")).is_none();
        assert!(!on_files || own.exists() == (pinned != "row"), "{told}: {}", own.display());
    }
}

/// A small generator (SplitMix64, Steele et al. 2014): the same run for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).expect("below a usize")
    }
}

/// Mixed requests of three tenants whose rows carry the tenant's mark: no answer to one holds the
/// mark of another. They share tables here, with a column for the tenant.
#[test]
fn no_answer_to_one_tenant_holds_the_mark_of_another() {
    let requests = std::env::var("MAINSTAY_FUZZ_REQUESTS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(FUZZ_REQUESTS);
    let seed = 20_261_122;
    println!("seed {seed}, {requests} requests");
    let shop = Scene::empty("shop");
    let tenants = ["acme", "umbra", "zenit"];
    let mut rows: Vec<String> = Vec::new();
    let mut random = Random(seed);
    for number in 0..requests {
        let tenant = tenants[random.below(3)];
        let mark = format!("MARK-{tenant}");
        let caller = match random.below(4) {
            0 => format!("shopper {tenant} alice"),
            1 => format!("staff.picker {tenant}"),
            2 => format!("system {tenant}"),
            _ => format!("staff.manager {tenant}"),
        };
        let any = rows.get(random.below(rows.len().max(1))).cloned().unwrap_or_default();
        let answer = match random.below(8) {
            0 => {
                let body = json!({"sku": format!("{mark}-{number}"), "name": format!("{mark} lamp"), "price": euro("1.00"), "stock": 9});
                shop.post(&format!("staff.manager {tenant}"), "/v1/products", body)
            }
            1 => shop.get(&caller, &format!("/v1/products/{any}")),
            2 => shop.get(&caller, "/v1/products?limit=100&sort=name"),
            3 => shop.get(&caller, &format!("/v1/products?id.in={any}")),
            4 => shop.get(&caller, "/v1/products?q=mark&fields=name,sku"),
            5 => shop.patch(
                &caller,
                &format!("/v1/products/{any}"),
                json!({"name": format!("{mark} chair")}),
            ),
            6 => {
                let body = json!({"lines": [{"product": any, "quantity": 1}], "note": mark});
                shop.post(&format!("shopper {tenant} alice"), "/v1/orders", body)
            }
            _ => shop.get(&caller, "/v1/orders?limit=100&expand=lines.product"),
        };
        assert!(answer.status < 500, "request {number}: {}", answer.text());
        if answer.status == 201 && answer.header("location").starts_with("/v1/products/") {
            rows.push(text(&answer.json(), "id"));
        }
        let seen = answer.text();
        for other in tenants.iter().filter(|other| **other != tenant) {
            assert!(
                !seen.contains(&format!("MARK-{other}")),
                "request {number} of {tenant}: {seen}"
            );
        }
    }
    assert!(rows.len() > 10, "the run made rows to look for");
}

/// Rooms that all tenants share, and rows of tenants that refer to them in each way.
const ROOMS: &str = "
mainstay: 1
system: rooms
tenancy: ISOLATION by org
actors: { staff: oidc, office: oidc across tenants }
contexts:
  desk:
    resources:
      Room:
        shared: true
        fields: { name: string max 20 }
        allow: { read: anyone, write: office }
      Lease:
        fields: { room: Room }
        allow: { read: staff, write: staff }
      Wish:
        fields: { room: Room optional on delete clear }
        allow: { read: staff, write: staff }
      Visit:
        fields: { room: Room on delete cascade }
        allow: { read: staff, write: staff }
";

/// What becomes of a shared row that a row of the tenant `acme` refers to, by resource.
fn delete_shared(isolation: &str) -> String {
    let model = ROOMS.replace("ISOLATION", isolation);
    let folder = Folder::new().with("rooms/mainstay.yaml", &model);
    let model = folder.0.join("rooms/mainstay.yaml");
    let server = Server::start(model.to_str().expect("plain"), &folder.0.join("data"), &[]);
    let (staff, office) =
        (server.token("staff", &["--tenant", "acme"]), server.token("office", &[]));
    let mut shown = Vec::new();
    for path in ["leases", "wishes", "visits"] {
        let room = server.post("/v1/rooms", json!({"name": "Blue"})).bearer(&office).send();
        let room = text(&room.expect(201), "id");
        let body = json!({"room": room});
        let made = server.post(&format!("/v1/{path}"), body).bearer(&staff).send().expect(201);
        let gone = server.request("DELETE", &format!("/v1/rooms/{room}")).bearer(&office).send();
        let detail = match gone.status {
            204 => String::new(),
            status => {
                assert_eq!(gone.problem(status), "still-referenced");
                text(&gone.json(), "detail")
            }
        };
        let row = format!("/v1/{path}/{}", text(&made, "id"));
        let left = server.get(&row).bearer(&staff).send();
        let holds = left.status == 200 && left.json()["room"] == room.as_str();
        let left = if holds { "the row refers to it" } else { "no row does" };
        shown.push(format!("{path}: {} {detail} ({left})", gone.status).replace("  ", " "));
    }
    shown.join("\n")
}

#[test]
fn a_shared_row_that_tenants_refer_to_says_why_it_stays() {
    expect![[r#"
        leases: 409 a `Lease` of a tenant refers to it (the row refers to it)
        wishes: 204 (no row does)
        visits: 204 (no row does)"#]]
    .assert_eq(&delete_shared("row"));
    expect![[r#"
        leases: 409 a `Lease` refers to it (the row refers to it)
        wishes: 409 a `Wish` of a tenant refers to it, whose file does not change with what all share (the row refers to it)
        visits: 409 a `Visit` of a tenant refers to it, whose file does not change with what all share (the row refers to it)"#]].assert_eq(&delete_shared("database"));
}
