//! Many at once: no update is lost, one key has one effect.

use crate::harness::{Answer, Folder, Request, WAIT};
use crate::scenes::{Scene, euro, ids, product, text};
use serde_json::json;
use std::sync::Barrier;
use std::time::{Duration, Instant};

const MANAGER: &str = "staff.manager acme";
const SYSTEM: &str = "system acme";

/// Runs `work` this many times at once and gives what each answered.
fn at_once<T: Send>(times: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(times);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..times)
            .map(|number| {
                let (barrier, work) = (&barrier, &work);
                scope.spawn(move || {
                    barrier.wait();
                    work(number)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    })
}

/// Asks again as long as the store has too many callers: a slow disk serves a hundred for longer
/// than one may wait, and nothing was done by then.
fn answered(request: &Request) -> Answer {
    let end = Instant::now() + WAIT;
    loop {
        let answer = request.clone().send();
        if answer.status != 503 || Instant::now() > end {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
pub(crate) fn of_a_hundred_writers_with_one_etag_exactly_one_wins() {
    let shop = Scene::empty("shop");
    let path = format!("/v1/products/{}", product(&shop, "acme", "A", "1.00"));
    let etag = shop.get(MANAGER, &path).header("etag").to_owned();
    let token = shop.token(MANAGER);
    let server = &shop.server;
    let statuses = at_once(100, |number| {
        let body = json!({"stock": number});
        answered(&server.patch(&path, body).bearer(&token).header("if-match", &etag)).status
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 99, "{statuses:?}");
    assert!(shop.get(MANAGER, &path).header("etag").starts_with("\"2."));
}

#[test]
pub(crate) fn a_hundred_writers_who_read_and_try_again_lose_no_update() {
    let shop = Scene::empty("shop");
    let path = format!("/v1/products/{}", product(&shop, "acme", "A", "1.00"));
    shop.patch(MANAGER, &path, json!({"stock": 0})).expect(200);
    let token = shop.token(MANAGER);
    let server = &shop.server;
    at_once(100, |_| {
        loop {
            let read = answered(&server.get(&path).bearer(&token));
            let stock = read.expect(200)["stock"].as_i64().expect("a number");
            let patch = server.patch(&path, json!({"stock": stock + 1})).bearer(&token);
            match answered(&patch.header("if-match", read.header("etag"))).status {
                200 => return,
                412 => {}
                other => panic!("status {other}"),
            }
        }
    });
    let read = shop.get(MANAGER, &path);
    assert_eq!(read.expect(200)["stock"], 100);
    assert!(read.header("etag").starts_with("\"102."), "{}", read.header("etag"));
}

#[test]
pub(crate) fn a_hundred_commands_without_if_match_all_count() {
    let shop = Scene::empty("shop");
    let id = product(&shop, "acme", "A", "1.00");
    let token = shop.token(SYSTEM);
    let server = &shop.server;
    let path = format!("/v1/products/{id}/reserve");
    let statuses = at_once(100, |_| {
        answered(&server.post(&path, json!({"quantity": 1})).bearer(&token)).status
    });
    let won = statuses.iter().filter(|status| **status == 200).count();
    let refused = statuses.iter().filter(|status| **status == 409).count();
    assert_eq!((won, refused), (50, 50), "stock was 50: {statuses:?}");
    assert_eq!(shop.get(MANAGER, &format!("/v1/products/{id}")).expect(200)["stock"], 0);
}

#[test]
pub(crate) fn fifty_calls_with_one_idempotency_key_have_one_effect() {
    let shop = Scene::empty("shop");
    let token = shop.token(MANAGER);
    let server = &shop.server;
    let body = json!({"sku": "ONE", "name": "Once", "price": euro("1.00"), "stock": 1});
    let answers = at_once(50, |_| {
        loop {
            let post = server.post("/v1/products", body.clone()).bearer(&token);
            let answer = answered(&post.header("idempotency-key", "\"race\""));
            match answer.status {
                409 => {
                    assert_eq!(answer.problem(409), "key-running");
                    assert!(!answer.header("retry-after").is_empty());
                    std::thread::sleep(Duration::from_millis(20));
                }
                _ => return answer,
            }
        }
    });
    let first = text(&answers[0].expect(201), "id");
    assert!(answers.iter().all(|answer| text(&answer.expect(201), "id") == first));
    let fresh = answers.iter().filter(|answer| answer.header("idempotent-replayed").is_empty());
    assert_eq!(fresh.count(), 1, "one made it, the others were told");
    assert_eq!(ids(&shop.get(MANAGER, "/v1/products").expect(200)).len(), 1);
}

#[test]
pub(crate) fn of_fifty_products_of_one_sku_one_is_made() {
    let shop = Scene::empty("shop");
    let token = shop.token(MANAGER);
    let server = &shop.server;
    let statuses = at_once(50, |number| {
        let body = json!({"sku": "S", "name": format!("n {number}"), "price": euro("1.00")});
        answered(&server.post("/v1/products", body).bearer(&token)).status
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 49, "{statuses:?}");
}

#[test]
pub(crate) fn a_pager_sees_each_untouched_row_exactly_once_while_others_write() {
    let shop = Scene::empty("shop");
    let mut untouched: Vec<String> =
        (0..60).map(|number| product(&shop, "acme", &format!("U-{number:02}"), "1.00")).collect();
    let token = shop.token(MANAGER);
    let server = &shop.server;
    let done = std::sync::atomic::AtomicBool::new(false);
    let mut seen = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let sku = format!("{}-{number}", if number % 2 == 0 { "A" } else { "Z" });
                let body = json!({"sku": sku, "name": "x", "price": euro("1.00")});
                let made = server.post("/v1/products", body).bearer(&token).send().expect(201);
                let path = format!("/v1/products/{}", text(&made, "id"));
                server.request("DELETE", &path).bearer(&token).send();
                number += 1;
            }
        });
        let mut query = "sort=sku&limit=5".to_owned();
        loop {
            let page =
                server.get(&format!("/v1/products?{query}")).bearer(&token).send().expect(200);
            seen.extend(ids(&page));
            match page.get("next_cursor").and_then(|cursor| cursor.as_str()) {
                Some(cursor) => query = format!("sort=sku&limit=5&cursor={cursor}"),
                None => break,
            }
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let mut found: Vec<String> = seen.into_iter().filter(|id| untouched.contains(id)).collect();
    found.sort();
    untouched.sort();
    assert_eq!(found, untouched);
}

#[test]
fn of_many_rows_that_a_unique_with_a_condition_keeps_apart_exactly_one_is_made() {
    let folder = Folder::new().with(
        "mainstay.yaml",
        "
system: hall
actors: { user: oidc }
contexts:
  hall:
    resources:
      Seat:
        fields:
          seat: string max 20
          kind: plain | box
          rate: decimal(4.2)
          price: money EUR
          closed: bool
          note: string max 20 optional
        unique:
          - [seat when kind != plain]
          - [seat, note when rate == 1.5]
          - [seat, kind when price == 2]
          - [note when not closed and note != null]
        allow: { read: user, write: user }
",
    );
    let path = format!("{}/mainstay.yaml", folder.path());
    let hall = Scene::of(&path, folder);
    let token = hall.token("user");
    let plain = |seat: &str| json!({"seat": seat, "kind": "plain", "rate": "1", "price": euro("1.00"), "closed": true});
    let kept_apart = [
        ("kind", json!({"kind": "box"})),
        ("rate", json!({"rate": "1.50", "note": "rate"})),
        ("price", json!({"price": euro("2.00")})),
        ("closed", json!({"closed": false, "note": "closed"})),
        ("none", json!({})),
    ];
    for (seat, members) in kept_apart {
        let mut body = plain(seat);
        for (name, value) in members.as_object().expect("members") {
            body[name] = value.clone();
        }
        let statuses = at_once(20, |_| {
            answered(&hall.server.post("/v1/seats", body.clone()).bearer(&token)).status
        });
        let made = statuses.iter().filter(|status| **status == 201).count();
        let refused = statuses.iter().filter(|status| **status == 409).count();
        let wanted = if seat == "none" { (20, 0) } else { (1, 19) };
        assert_eq!((made, refused), wanted, "{seat}: {statuses:?}");
    }
}
