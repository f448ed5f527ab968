//! The link shortener: public redirects, buffered counters, no tenants.

use crate::scenes::{Scene, text};
use serde_json::json;
use std::time::{Duration, Instant};

const MAKER: &str = "maker - mia";

fn link(links: &Scene, code: &str) -> String {
    let body = json!({"code": code, "target": "https://example.org/long"});
    text(&links.post(MAKER, "/v1/links", body).expect(201), "id")
}

#[test]
fn a_short_address_redirects_anyone_and_is_counted() {
    let links = Scene::empty("links");
    let id = link(&links, "abcd");
    for _ in 0..7 {
        let answer = links.server.get("/abcd").send();
        assert_eq!(answer.status, 302);
        assert_eq!(answer.header("location"), "https://example.org/long");
    }
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        let hits = links.get(MAKER, &format!("/v1/links/{id}")).expect(200)["hits"].clone();
        if hits == 7 {
            break;
        }
        assert!(Instant::now() < until, "counted {hits} of 7");
        std::thread::sleep(Duration::from_millis(50));
    }
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
fn patterns_lengths_urls_and_counters_are_kept() {
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
