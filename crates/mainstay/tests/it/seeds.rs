//! First rows: those of the examples' seed files, and plausible ones for a model without.

use crate::harness::{Folder, Server, until};
use serde_json::{Value, json};

fn items(server: &Server, token: &str, path: &str) -> Vec<Value> {
    let page = server.get(path).bearer(token).send().expect(200);
    page["items"].as_array().expect("items").clone()
}

#[test]
pub(crate) fn orders_of_the_shop_stand_in_every_state_and_tenant() {
    let folder = Folder::new();
    let server = Server::example("shop", &folder);
    let manager = server.token("staff", &["--role", "manager", "--tenant", "acme"]);
    let orders = items(&server, &manager, "/v1/orders?limit=100");
    let mut states: Vec<&str> = orders.iter().filter_map(|one| one["status"].as_str()).collect();
    states.sort_unstable();
    states.dedup();
    assert_eq!(states, ["cancelled", "draft", "paid", "placed", "shipped"]);
    for (tenant, name) in [("acme", "Teapot of stoneware"), ("corner", "Black tea")] {
        let host = format!("{tenant}.localhost:{}", server.address.port());
        let list = server.get("/v1/products?sku=KIT-001").header("host", &host).send();
        assert_eq!(list.expect(200)["items"][0]["name"], name);
    }
}

#[test]
fn links_lead_somewhere_and_clinics_have_a_day() {
    let folder = Folder::new();
    let links = Server::example("links", &folder);
    assert_eq!(links.get("/menu").send().header("location"), "https://example.com/menu");
    assert_eq!(links.get("/spring24").send().status, 404, "it is closed");
    let folder = Folder::new();
    let clinic = Server::example("clinic", &folder);
    let rita = clinic.token("staff", &["--role", "reception", "--tenant", "north"]);
    assert_eq!(items(&clinic, &rita, "/v1/appointments?status=seen").len(), 1);
    assert_eq!(items(&clinic, &rita, "/v1/patients").len(), 3);
}

#[test]
fn a_model_of_seven_lines_runs_with_plausible_rows() {
    let model = "system: notes\nactors: { writer: oidc }\ncontexts:\n  notes:\n    resources:\n      \
                 Note: { fields: { writer: actor writer, text: text max 40, rank: int 1..9 },\n        \
                 allow: { read: writer, write: writer when writer == me } }\n";
    assert_eq!(model.lines().count(), 7);
    let folder = Folder::new().with("mainstay.yaml", model);
    let server = Server::start(folder.path(), &folder.0.join("data"), &["--seed"]);
    let alice = server.token("writer", &["--subject", "alice"]);
    let notes = items(&server, &alice, "/v1/notes");
    assert_eq!(notes.len(), 12);
    let whole = |note: &Value| note["text"] != "" && note["rank"].as_i64() > Some(0);
    assert!(notes.iter().all(whole), "{}", json!(notes));
    let tries = || server.printed().iter().any(|line| line.starts_with("curl "));
    until(|| "what to try next", tries);
}

#[test]
fn plausible_rows_match_patterns_and_what_is_refused_is_named() {
    let model = "system: fleet\nactors: { staff: oidc }\ncontexts:\n  fleet:\n    resources:\n      \
                 Car:\n        fields: { plate: \"string pattern [A-Z]{2}-[0-9]{3} unique\", \
                 name: string max 12 unique, grade: int }\n        \
                 allow: { read: staff, write: staff }\n      Van:\n        \
                 fields: { plate: \"string pattern (?i)x unique\" }\n        \
                 allow: { read: staff, write: staff }\n";
    let folder = Folder::new().with("mainstay.yaml", model);
    let server = Server::start(folder.path(), &folder.0.join("data"), &["--seed"]);
    let staff = server.token("staff", &[]);
    let cars = items(&server, &staff, "/v1/cars?limit=100");
    assert_eq!(cars.len(), 12, "{}", json!(cars));
    let plate = |car: &Value| car["plate"].as_str().is_some_and(|plate| plate.len() == 6);
    assert!(cars.iter().all(plate), "{}", json!(cars));
    let told = server.log();
    assert!(told.contains("12 refused by the model's rules"), "{told}");
    assert!(told.contains("  12 of Van, first: 422 "), "{told}");
}

#[test]
fn the_explorer_and_the_contract_are_served() {
    let folder = Folder::new();
    let server = Server::start("examples/shop", &folder.0.join("data"), &[]);
    for (path, holds) in [
        ("/docs", "/docs/explorer.js"),
        ("/docs/explorer.js", "requestSnippetGenerator_typescript"),
        ("/docs/swagger-ui-bundle.js", "SwaggerUIBundle"),
        ("/openapi.yaml", "3.1"),
        ("/.well-known/jwks.json", "\"keys\""),
        ("/metrics", "# TYPE"),
    ] {
        let answer = server.get(path).send();
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.text().contains(holds), "{path}");
    }
    let contract = server.get("/openapi.json").send().expect(200);
    assert!(contract["paths"]["/v1/orders/{id}/place"]["post"].is_object());
    assert!(contract["paths"].get("/v1/orders/{id}/pay").is_none(), "system's own commands");
    let page = server.get("/").header("accept", "text/html").send();
    assert!(page.text().contains("Order management for many merchants"));
    assert_eq!(server.request("POST", "/docs").send().problem(405), "method-not-allowed");
}
