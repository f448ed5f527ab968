//! Many callers at once: no update is lost, one key has one effect, tenants never meet.

use super::world::World;
use futures::future::join_all;
use std::collections::BTreeSet;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_name_one_version_one_wins() {
    let world = Arc::new(World::new());
    let product = world.product("a-1", "1", 0).await;
    let row = format!("/v1/products/{product}");
    let mut version = 1;
    for round in 0..3 {
        let read = world.ask(&format!("manager GET {row}"), "").await;
        let tag = read.header("etag").to_owned();
        let calls = (0..100).map(|at| {
            let (world, row, tag) = (Arc::clone(&world), row.clone(), tag.clone());
            tokio::spawn(async move {
                let body = format!(r#"{{"stock":{}}}"#, round * 1_000 + at);
                let header = format!("if-match: {tag}");
                world.send(&format!("manager PATCH {row}"), &[&header], &body).await
            })
        });
        let answers: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
        let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        let lost = answers.iter().filter(|answer| answer.status == 412).count();
        assert_eq!((won.len(), lost), (1, 99), "round {round}");
        version += 1;
        let read = world.ask(&format!("manager GET {row}"), "").await;
        assert_eq!(read.body, won[0].body, "what won is what is there");
        assert!(read.header("etag").starts_with(&format!("\"{version}.")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_name_none_no_update_is_lost() {
    let world = Arc::new(World::new());
    let product = world.product("a-1", "1", 100).await;
    let calls = (0..100).map(|_| {
        let (world, product) = (Arc::clone(&world), product.clone());
        tokio::spawn(async move {
            let line = format!("system POST /v1/products/{product}/reserve");
            world.ask(&line, r#"{"quantity":1}"#).await
        })
    });
    let answers: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
    let stocks: BTreeSet<i64> =
        answers.iter().map(|answer| answer.json()["stock"].as_i64().expect("a stock")).collect();
    assert_eq!(stocks, (0..100).collect(), "each saw its own step");
    let line = format!("system POST /v1/products/{product}/reserve");
    let empty = world.ask(&line, r#"{"quantity":1}"#).await;
    assert_eq!(empty.body.lines().next(), Some("guard-failed: `stock >= quantity` does not hold"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_with_one_key_one_has_an_effect() {
    let world = Arc::new(World::new());
    let product = world.product("a-1", "1", 1).await;
    let body = format!(r#"{{"lines":[{{"product":"{product}","quantity":1}}]}}"#);
    let calls = (0..50).map(|_| {
        let (world, body) = (Arc::clone(&world), body.clone());
        tokio::spawn(async move {
            world.send("alice POST /v1/orders", &["idempotency-key: one"], &body).await
        })
    });
    let answers: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
    let mut bodies = BTreeSet::new();
    let (mut fresh, mut replayed, mut running) = (0, 0, 0);
    for answer in &answers {
        match (answer.status, answer.header("idempotent-replayed")) {
            (201, "true") => replayed += 1,
            (201, _) => fresh += 1,
            (409, _) => {
                assert_eq!(answer.body, "key-running");
                assert_eq!(answer.header("retry-after"), "1");
                running += 1;
            }
            (status, _) => panic!("{status}: {}", answer.body),
        }
        if answer.status == 201 {
            bodies.insert(answer.body.clone());
        }
    }
    assert_eq!(fresh, 1, "{replayed} replayed, {running} running");
    assert_eq!(fresh + replayed + running, 50);
    assert_eq!(bodies.len(), 1, "all are told the same");
    let list = world.ask("alice GET /v1/orders", "").await;
    assert_eq!(list.json()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_unique_value_is_given_once() {
    let world = Arc::new(World::new());
    let calls = (0..40).map(|at| {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            let body = format!(
                r#"{{"sku":"only","name":"n{at}","price":{{"amount":"1","currency":"EUR"}}}}"#
            );
            world.ask("manager POST /v1/products", &body).await.status
        })
    });
    let statuses: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(201), count(409)), (1, 39));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tenants_never_meet() {
    let world = Arc::new(World::new());
    let calls = (0..60).map(|at| {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            let who = if at % 2 == 0 { "manager" } else { "rival" };
            let body = format!(
                r#"{{"sku":"s-{at}","name":"of {who}","price":{{"amount":"1","currency":"EUR"}}}}"#
            );
            let made = world.ask(&format!("{who} POST /v1/products"), &body).await;
            assert_eq!(made.status, 201);
            let other = if at % 2 == 0 { "rival" } else { "manager" };
            let id = made.id();
            for line in ["GET", "DELETE", "PATCH", "PUT"] {
                let line = format!("{other} {line} /v1/products/{id}");
                assert_eq!(
                    world.ask(&line, "").await.status,
                    if line.contains("P") && !line.contains("GET") && !line.contains("DELETE") {
                        415
                    } else {
                        404
                    }
                );
                assert_eq!(world.ask(&line, "{}").await.status, 404);
            }
            for query in ["sort=name", "q=of", "name.prefix=of", "limit=100", ""] {
                let list = world.ask(&format!("{who} GET /v1/products?{query}"), "").await;
                let json = list.json();
                for item in json["items"].as_array().unwrap() {
                    assert_eq!(item["name"], format!("of {who}"));
                }
            }
        })
    });
    for call in join_all(calls).await {
        call.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_key_has_one_effect_over_two_processes() {
    let one = Arc::new(World::new());
    let other = Arc::new(one.twin());
    let product = one.product("a-1", "1", 1).await;
    let body = format!(r#"{{"lines":[{{"product":"{product}","quantity":1}}]}}"#);
    for round in 0..10 {
        let calls = [&one, &other].map(|world| {
            let (world, body) = (Arc::clone(world), body.clone());
            let key = format!("idempotency-key: {round}");
            tokio::spawn(async move { world.send("alice POST /v1/orders", &[&key], &body).await })
        });
        let answers: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
        assert_eq!((answers[0].status, answers[1].status), (201, 201));
        assert_eq!(answers[0].body, answers[1].body, "both are told of the one order");
    }
    let list = other.ask("alice GET /v1/orders?limit=100", "").await;
    assert_eq!(list.json()["items"].as_array().unwrap().len(), 10);
}
