//! Death and rest: `kill -9` under load, restart, drain, and a backup taken while it runs.

use crate::harness::{Folder, Server, WAIT, run, until};
use crate::scenes::{Scene, euro, ids, product, text};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const MANAGER: &str = "staff.manager acme";

/// Rows that were acknowledged, and rows whose answer never came.
#[derive(Default)]
struct Ledger {
    acknowledged: Mutex<BTreeMap<String, String>>,
    /// Also where the server did not know.
    unknown: Mutex<Vec<String>>,
    next: AtomicU64,
}

/// Writes products from four threads, each twice under one idempotency key, until told to end.
fn write_until(server: &Server, token: &str, ledger: &Ledger, stop: &AtomicBool) {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let sku = format!("K-{}", ledger.next.fetch_add(1, Ordering::Relaxed));
                    let body = json!({"sku": sku, "name": "n", "price": euro("1.00")});
                    for _ in 0..2 {
                        let post = server.post("/v1/products", body.clone()).bearer(token);
                        match post.header("idempotency-key", &sku).try_send() {
                            Ok(answer) if answer.status == 201 => {
                                let id = text(&answer.json(), "id");
                                ledger.acknowledged.lock().expect("whole").insert(sku.clone(), id);
                            }
                            Ok(answer) if answer.status >= 500 => {
                                ledger.unknown.lock().expect("whole").push(sku.clone());
                            }
                            Ok(answer) => assert_eq!(answer.status, 409, "{}", answer.text()),
                            Err(_) => ledger.unknown.lock().expect("whole").push(sku.clone()),
                        }
                    }
                }
            });
        }
    });
}

/// Rows that were acknowledged before a kill.
const ROWS_MIN: usize = 20;

#[test]
pub(crate) fn after_kill_9_under_load_every_acknowledged_write_is_there_exactly_once() {
    let folder = Folder::new();
    let data = folder.0.join("data");
    let ledger = Ledger::default();
    let mut token = String::new();
    for _ in 0..5 {
        let server = Server::start("examples/shop", &data, &[]);
        if token.is_empty() {
            token = server.token("staff", &["--role", "manager", "--tenant", "acme"]);
        }
        let stop = AtomicBool::new(false);
        let process = server.process().to_string();
        std::thread::scope(|scope| {
            scope.spawn(|| write_until(&server, &token, &ledger, &stop));
            let written = || ledger.acknowledged.lock().expect("whole").len();
            let before = written();
            until(|| server.log(), || written() > before + ROWS_MIN);
            let killed = std::process::Command::new("kill").args(["-9", &process]).status();
            assert!(killed.expect("kill runs").success());
            stop.store(true, Ordering::Relaxed);
        });
    }
    let server = Server::start("examples/shop", &data, &[]);
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut query = "limit=100".to_owned();
    loop {
        let page = server.get(&format!("/v1/products?{query}")).bearer(&token).send().expect(200);
        for item in page["items"].as_array().expect("items") {
            found.entry(text(item, "sku")).or_default().push(text(item, "id"));
        }
        match page.get("next_cursor").and_then(|cursor| cursor.as_str()) {
            Some(cursor) => query = format!("limit=100&cursor={cursor}"),
            None => break,
        }
    }
    let acknowledged = ledger.acknowledged.into_inner().unwrap();
    for (sku, id) in &acknowledged {
        assert_eq!(found.get(sku), Some(&vec![id.clone()]), "{sku} was acknowledged");
    }
    let unknown = ledger.unknown.into_inner().unwrap();
    for (sku, rows) in &found {
        assert_eq!(rows.len(), 1, "{sku} is there more than once");
        assert!(
            acknowledged.contains_key(sku) || unknown.contains(sku),
            "{sku} was never asked for"
        );
    }
    let lost: Vec<&String> =
        unknown.iter().filter(|sku| !acknowledged.contains_key(*sku)).collect();
    for sku in lost {
        let body = json!({"sku": sku, "name": "n", "price": euro("1.00")});
        let post = server.post("/v1/products", body).bearer(&token);
        let answer = post.header("idempotency-key", sku).send();
        let id = text(&answer.expect(201), "id");
        if let Some(rows) = found.get(sku) {
            assert_eq!(rows, &[id], "the same key gives the answer that was lost");
            assert_eq!(answer.header("idempotent-replayed"), "true");
        }
    }
}

#[test]
pub(crate) fn a_restart_keeps_rows_keys_and_tokens() {
    let mut shop = Scene::empty("shop");
    let id = product(&shop, "acme", "A", "1.00");
    let path = format!("/v1/products/{id}");
    let etag = shop.get(MANAGER, &path).header("etag").to_owned();
    let body = json!({"sku": "B", "name": "b", "price": euro("1.00")});
    let send = |scene: &Scene| {
        scene
            .request(MANAGER, "POST", "/v1/products")
            .json(&body)
            .header("idempotency-key", "r")
            .send()
    };
    let made = send(&shop).expect(201);
    assert_eq!(shop.server.stop(), 0, "a server that is asked to end ends well");
    shop.server = Server::start("examples/shop", &shop.folder.0.join("data"), &[]);
    assert_eq!(shop.get(MANAGER, &path).header("etag"), etag);
    let again = send(&shop);
    assert_eq!(again.expect(201), made);
    assert_eq!(again.header("idempotent-replayed"), "true");
}

#[test]
fn a_second_process_on_the_same_data_is_refused() {
    let shop = Scene::empty("shop");
    let data = shop.folder.0.join("data");
    let second =
        run(&["up", "examples/shop", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()]);
    assert_eq!(second.code, 2, "{}", second.stderr);
    assert!(second.stderr.contains("another"), "{}", second.stderr);
}

/// Four callers behind a balancer that looks at `/readyz`, while the server is told to end.
#[test]
fn draining_finishes_what_runs_and_fails_nothing() {
    let folder = Folder::new();
    // Long enough for whoever looks at readiness to see it go, also on a slow machine.
    let more = ["--drain-delay", "3"];
    let mut server = Server::start("examples/shop", &folder.0.join("data"), &more);
    let token = server.token("staff", &["--role", "manager", "--tenant", "acme"]);
    let address = server.address;
    let (get, ready) = (server.get("/v1/products").bearer(&token), server.get("/readyz"));
    let balanced = AtomicBool::new(true);
    let done = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while ready.clone().try_send().is_ok_and(|answer| answer.status == 200) {
                std::thread::sleep(Duration::from_millis(20));
            }
            balanced.store(false, Ordering::Relaxed);
        });
        for _ in 0..4 {
            scope.spawn(|| {
                while balanced.load(Ordering::Relaxed) {
                    let answer = get.clone().try_send().expect("no answer is cut");
                    assert_eq!(answer.status, 200);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        until(|| "no requests run", || done.load(Ordering::Relaxed) > 20);
        assert_eq!(server.stop(), 0);
        assert!(!balanced.load(Ordering::Relaxed), "readiness went off before the end");
    });
    assert!(TcpStream::connect(address).is_err(), "nobody listens");
}

/// Clients that know nothing of readiness, that keep their connection for as long as they may and
/// then open the next, until nobody is there.
#[test]
fn clients_that_honour_the_end_of_their_connection_lose_no_request_in_a_drain() {
    let folder = Folder::new();
    let more = ["--drain-delay", "1"];
    let mut server = Server::start("examples/shop", &folder.0.join("data"), &more);
    let token = server.token("staff", &["--role", "manager", "--tenant", "acme"]);
    let (address, next) = (server.address, AtomicU64::new(0));
    std::thread::scope(|scope| {
        let write = || {
            while let Ok(socket) = TcpStream::connect(address) {
                write_while_kept(socket, &token, &next);
            }
        };
        for _ in 0..8 {
            scope.spawn(write);
        }
        until(|| "no requests run", || next.load(Ordering::Relaxed) > 20);
        assert_eq!(server.stop(), 0);
    });
}

/// Makes products on one connection until an answer says that it ends.
fn write_while_kept(mut socket: TcpStream, token: &str, next: &AtomicU64) {
    socket.set_read_timeout(Some(WAIT)).expect("it can have one");
    loop {
        let sku = format!("D-{}", next.fetch_add(1, Ordering::Relaxed));
        let body = json!({"sku": sku, "name": "n", "price": euro("1.00")}).to_string();
        let request = format!(
            "POST /v1/products HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        socket.write_all(request.as_bytes()).expect("a request is taken");
        let mut answer = Vec::new();
        while !whole(&answer) {
            let mut part = [0; 4096];
            let bytes = socket.read(&mut part).expect("a request is answered");
            assert!(bytes > 0, "the connection ends without an answer");
            answer.extend_from_slice(&part[..bytes]);
        }
        let answer = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        assert!(answer.starts_with("http/1.1 201"), "{answer}");
        if answer.contains("connection: close") {
            return;
        }
    }
}

/// True where head and body of an answer are there.
fn whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_none_or(|length| body.len() >= length.parse().expect("a length"))
}

#[test]
fn a_backup_taken_under_load_restores_to_rows_that_were_acknowledged() {
    let shop = Scene::empty("shop");
    let token = shop.token(MANAGER);
    let before = product(&shop, "acme", "BEFORE", "1.00");
    let ledger = Ledger::default();
    let stop = AtomicBool::new(false);
    let data = shop.folder.0.join("data");
    let backup = shop.folder.0.join("backup");
    std::thread::scope(|scope| {
        scope.spawn(|| write_until(&shop.server, &token, &ledger, &stop));
        std::thread::sleep(Duration::from_millis(200));
        let ran = run(&["backup", backup.to_str().unwrap(), "--data", data.to_str().unwrap()]);
        stop.store(true, Ordering::Relaxed);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    });
    let copy = shop.folder.0.join("copy");
    let ran = run(&["restore", backup.to_str().unwrap(), "--data", copy.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let restored = Server::start("examples/shop", &copy, &[]);
    let token = restored.token("staff", &["--role", "manager", "--tenant", "acme"]);
    let read = restored.get(&format!("/v1/products/{before}")).bearer(&token).send();
    assert_eq!(read.expect(200)["sku"], "BEFORE");
    let page = restored.get("/v1/products?limit=100").bearer(&token).send().expect(200);
    assert!(!ids(&page).is_empty());
    let again = run(&["restore", backup.to_str().unwrap(), "--data", copy.to_str().unwrap()]);
    assert_eq!(again.code, 2, "a restore never overwrites data: {}", again.stdout);
}
