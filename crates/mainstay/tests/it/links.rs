//! The link shortener: public redirects, buffered counters, no tenants.

use crate::harness::{Folder, Server, until};
use crate::scenes::{Scene, text};
use serde_json::json;

const MAKER: &str = "maker - mia";

fn link(links: &Scene, code: &str) -> String {
    let body = json!({"code": code, "target": "https://example.org/long"});
    text(&links.post(MAKER, "/v1/links", body).expect(201), "id")
}

#[test]
pub(crate) fn a_short_address_redirects_anyone_and_is_counted() {
    let links = Scene::empty("links");
    let id = link(&links, "abcd");
    for _ in 0..7 {
        let answer = links.server.get("/abcd").send();
        assert_eq!(answer.status, 302);
        assert_eq!(answer.header("location"), "https://example.org/long");
    }
    let hits = || links.get(MAKER, &format!("/v1/links/{id}")).expect(200)["hits"].clone();
    until(|| format!("{} of 7", hits()), || hits() == 7);
    assert_eq!(links.server.get("/nothing").send().problem(404), "not-found");
}

#[test]
fn a_closed_link_leads_nowhere() {
    let links = Scene::empty("links");
    let id = link(&links, "shut");
    links.command(MAKER, &format!("/v1/links/{id}/close")).expect(200);
    assert_eq!(links.server.get("/shut").send().problem(404), "not-found");
    links.command("moderator - mod", &format!("/v1/links/{id}/reopen")).expect(200);
    assert_eq!(links.server.get("/shut").send().status, 302);
}

#[test]
fn a_redirect_passes_over_what_trackers_put_behind_an_address() {
    let links = Scene::empty("links");
    link(&links, "abcd");
    for query in ["utm_source=x&utm_campaign=y", "fbclid", "a=1&a=2", "%zz", "="] {
        let answer = links.server.get(&format!("/abcd?{query}")).send();
        assert_eq!(answer.status, 302, "{query}: {}", answer.text());
        assert_eq!(answer.header("location"), "https://example.org/long");
    }
}

#[test]
fn a_code_that_could_not_be_reached_is_refused() {
    let links = Scene::empty("links");
    let path = format!("/v1/links/{}", link(&links, "abcd"));
    for code in ["docs", "livez", "readyz", "startupz", "metrics"] {
        let body = json!({"code": code, "target": "https://example.org/long"});
        let patch = links.patch(MAKER, &path, json!({"code": code}));
        for answer in [links.post(MAKER, "/v1/links", body), patch] {
            assert_eq!(answer.problem(422), "invalid-value");
            let fault = answer.json()["errors"][0].clone();
            assert_eq!(fault["pointer"], "/code");
            let detail = format!("could not be reached: the server answers `/{code}` itself");
            assert_eq!(fault["detail"], detail);
        }
    }
    let contract = links.server.get("/openapi.json").send().expect(200);
    let code = &contract["components"]["schemas"]["LinkCreate"]["properties"]["code"];
    assert!(code["not"]["enum"].as_array().is_some_and(|all| all.contains(&json!("docs"))));
    link(&links, "Docs");
}

/// A page is found by what is computed of its name.
const PAGES: &str = "
mainstay: 1
system: pages
actors: { writer: oidc }
contexts:
  site:
    resources:
      Page:
        fields:
          name: string max 20
          slug: string max 20 unique = lower(name)
        routes:
          \"GET /{slug}\": { find: Page by slug }
        allow: { read: anyone, write: writer }
";

#[test]
fn a_computed_value_that_could_not_be_reached_is_refused() {
    let folder = Folder::new().with("pages/mainstay.yaml", PAGES);
    let model = folder.0.join("pages/mainstay.yaml");
    let server = Server::start(model.to_str().expect("plain"), &folder.0.join("data"), &[]);
    let writer = server.token("writer", &[]);
    let post = |name: &str| server.post("/v1/pages", json!({"name": name})).bearer(&writer).send();
    for name in ["DOCS", "OpenAPI.json", "V1", ".."] {
        let answer = post(name);
        assert_eq!(answer.problem(422), "invalid-value", "{name}");
        assert_eq!(answer.json()["errors"][0]["pointer"], "/slug", "{name}");
    }
    post("About").expect(201);
    assert_eq!(server.get("/about").send().expect(200)["name"], "About");
    let strict = server.get("/about?utm_source=x").send();
    assert_eq!(strict.problem(400), "unknown-parameter");
}

#[test]
pub(crate) fn patterns_lengths_urls_and_counters_are_kept() {
    let links = Scene::empty("links");
    let post = |body| links.post(MAKER, "/v1/links", body);
    for (body, status) in [
        (json!({"code": "a b c d", "target": "https://example.org"}), 422),
        (json!({"code": "abc", "target": "https://example.org"}), 422),
        (json!({"code": "abcd", "target": "not a url"}), 422),
        (json!({"code": "abcd", "target": "javascript:alert(1)"}), 422),
        (json!({"code": "abcd", "target": "https://example.org", "hits": 5}), 400),
        (json!({"code": "abcd", "target": "https://example.org", "maker": "eve"}), 400),
    ] {
        assert_eq!(post(body.clone()).status, status, "{body}");
    }
}

#[test]
fn a_maker_sees_and_mends_only_what_is_their_own() {
    let links = Scene::empty("links");
    let path = format!("/v1/links/{}", link(&links, "mine"));
    let other = "maker - max";
    assert_eq!(links.get(other, &path).problem(404), "not-found");
    assert!(links.get(other, "/v1/links").expect(200)["items"].as_array().unwrap().is_empty());
    links.patch(MAKER, &path, json!({"note": "seen on a poster"})).expect(200);
    links.delete(MAKER, &path).expect(204);
    assert_eq!(links.get(MAKER, &path).problem(404), "not-found");
}
