//! What the edge adds to every answer: origins, codings, traces, problems.

use super::*;
use crate::http::config::Operator;
use crate::http::health::{Check, Health};
use expect_test::expect;
use std::io::Read;

fn get(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{more}\r\n")
}

/// The head without what differs from run to run.
fn head(answer: &str) -> String {
    let head = answer.split("\r\n\r\n").next().unwrap();
    let stable = |line: &&str| {
        let name = line.split(':').next().unwrap();
        !matches!(name, "date" | "traceparent" | "server-timing" | "content-length")
    };
    head.lines().filter(stable).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_answer_is_compressed_as_the_client_accepts() {
    let server = start(config());
    let plain = talk(&server, &get("/json", ""));
    expect![[r#"
        HTTP/1.1 200 OK
        content-type: application/json
        etag: "7.ab"
        vary: accept-encoding
        x-content-type-options: nosniff
        connection: close"#]]
    .assert_eq(&head(&plain));
    let mut socket = connect(&server);
    socket.write_all(get("/json", "Accept-Encoding: gzip, zstd;q=0.1\r\n").as_bytes()).unwrap();
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    expect![[r#"
        HTTP/1.1 200 OK
        content-type: application/json
        etag: "7.ab-gzip"
        vary: accept-encoding
        content-encoding: gzip
        x-content-type-options: nosniff
        connection: close"#]]
    .assert_eq(&head(&String::from_utf8_lossy(&bytes[..end])));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&bytes[end..]).read_to_string(&mut text).unwrap();
    assert!(plain.ends_with(&text));
    assert!(bytes.len() - end < text.len() / 10);
}

#[test]
fn a_large_answer_is_compressed_beside_the_core() {
    let server = start(config());
    let mut socket = connect(&server);
    socket.write_all(get("/large", "Accept-Encoding: zstd\r\n").as_bytes()).unwrap();
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert!(String::from_utf8_lossy(&bytes[..end]).contains("content-encoding: zstd"));
    let text = zstd::bulk::decompress(&bytes[end..], 1 << 20).unwrap();
    assert_eq!(text.len(), 35 * 10_000);
}

#[test]
fn a_tag_of_a_compressed_answer_is_understood_again() {
    let server = start(config());
    let answer = talk(&server, &get("/tag", "If-None-Match: \"7.ab-gzip\"\r\n"));
    // The echo sends back what it saw; the server adds the suffix that the client holds.
    assert!(answer.contains("etag: \"7.ab-gzip\"\r\n"), "{answer}");
    assert!(answer.contains("vary: accept-encoding\r\n"), "{answer}");
    let answer = talk(&server, &get("/tag", "If-None-Match: \"7.ab\"\r\n"));
    assert!(answer.contains("etag: \"7.ab\"\r\n"), "{answer}");
}

#[test]
fn a_page_of_an_allowed_origin_may_read_also_errors() {
    let mut config = config();
    config.cors.origins = vec!["https://app.example".into()];
    let server = start(config);
    let answer = talk(&server, &get("/missing", "Origin: https://app.example\r\n"));
    expect![[r#"
        HTTP/1.1 404 Not Found
        content-type: application/problem+json
        cache-control: no-store
        vary: origin
        access-control-allow-origin: https://app.example
        access-control-expose-headers: etag, location, link, retry-after, ratelimit, ratelimit-policy, idempotent-replayed, idempotency-expires, deprecation, sunset, server-timing, traceparent, www-authenticate, allow, accept-patch, mainstay-position
        x-content-type-options: nosniff
        connection: close"#]].assert_eq(&head(&answer));
    let preflight = "OPTIONS /v1/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
                     Origin: https://app.example\r\nAccess-Control-Request-Method: PATCH\r\n\r\n";
    expect![[r#"
        HTTP/1.1 204 No Content
        access-control-allow-methods: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS
        access-control-allow-headers: authorization, content-type, idempotency-key, if-match, if-none-match, prefer, traceparent, tracestate, x-api-key, x-request-timeout, x-tenant, api-version, mainstay-position
        access-control-max-age: 600
        vary: origin
        access-control-allow-origin: https://app.example
        access-control-expose-headers: etag, location, link, retry-after, ratelimit, ratelimit-policy, idempotent-replayed, idempotency-expires, deprecation, sunset, server-timing, traceparent, www-authenticate, allow, accept-patch, mainstay-position
        x-content-type-options: nosniff
        connection: close"#]].assert_eq(&head(&talk(&server, preflight)));
    let stranger = preflight.replace("app.example", "evil.example");
    expect![[r#"
        HTTP/1.1 204 No Content
        vary: origin
        x-content-type-options: nosniff
        connection: close"#]]
    .assert_eq(&head(&talk(&server, &stranger)));
}

#[test]
fn probes_and_metrics_are_for_everybody_or_for_the_operator() {
    let look = || -> BoxFuture<'static, Result<(), String>> {
        async { Err("the disk is full".to_owned()) }.boxed()
    };
    let check = Check { name: "store", required: true, look: Box::new(look) };
    let health = Arc::new(Health::new(vec![check]));
    health.started();
    let mut config = config();
    config.operator = Operator::Token("s3cret".into());
    config.hosts = vec!["api.example".into()];
    let around = Surroundings { health, ..Surroundings::default() };
    let server = start_with(config, around);
    let ask = |path: &str, more: &str| talk(&server, &get(path, more));
    assert!(ask("/livez", "").ends_with("ok\n"), "also by another host");
    assert_eq!(problem(&ask("/readyz", "")), "503 unavailable: not ready");
    assert!(problem(&ask("/readyz?verbose", "")).starts_with("401 unauthenticated"));
    assert!(!ask("/readyz", "").contains("disk"));
    let token = "Authorization: Bearer s3cret\r\n";
    assert!(ask("/readyz?verbose", token).contains("the disk is full"));
    assert!(problem(&ask("/metrics", "")).starts_with("401"));
    assert!(problem(&ask("/metrics", "Authorization: Bearer s3cre\r\n")).starts_with("401"));
    let metrics = ask("/metrics", token);
    assert!(metrics.contains("http_server_requests_total{operation=\"other\""), "{metrics}");
    assert!(!metrics.contains("log_lines_dropped_total"), "there is no log here");
    assert!(problem(&ask("/", "")).starts_with("421 misdirected"));
    let other = "POST /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert!(problem(&talk(&server, other)).starts_with("405 method-not-allowed"));
}

#[test]
fn a_trusted_proxy_tells_client_scheme_and_host() {
    let mut config = config();
    config.proxies.trusted = vec!["127.0.0.0/8".parse().unwrap()];
    let server = start(config);
    let more = "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n\
                X-Forwarded-Host: acme.shop.example\r\n";
    let answer = talk(&server, &get("/", more));
    let wanted = r#"host=Some("acme.shop.example") client=203.0.113.9 secure=true"#;
    assert!(answer.contains(wanted), "{answer}");
}

#[test]
fn a_request_is_traced_timed_and_logged_without_what_is_personal() {
    let kept = Kept::default();
    let server = start_with(config(), kept.around());
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let more =
        format!("Authorization: Bearer tok3n\r\ntraceparent: 00-{trace}-00f067aa0ba902b7-01\r\n");
    let answer = talk(&server, &get("/json?email=alice%40example.org", &more));
    assert!(answer.contains(&format!("traceparent: 00-{trace}-")), "{answer}");
    let timing = answer.lines().find(|line| line.starts_with("server-timing")).unwrap();
    assert!(timing.contains("total;dur=") && timing.ends_with(", db;dur=0.310"), "{timing}");
    talk(&server, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n");
    let lines = kept.lines(2);
    assert_eq!(lines[0]["trace_id"], trace);
    assert_eq!(lines[0]["status"], 200);
    assert_eq!(lines[0]["http"], "1.1");
    assert_eq!(lines[1]["problem"], "malformed-request");
    let all = format!("{lines:?}");
    for personal in ["alice", "tok3n", "127.0.0.1", "/json"] {
        assert!(!all.contains(personal), "{personal} in {all}");
    }
}

#[test]
fn a_public_path_knows_what_the_edge_answers() {
    for path in crate::http::edge::EDGE_PATHS {
        assert!(ir::contract::OWN_PATHS.contains(&path), "{path}");
    }
}
