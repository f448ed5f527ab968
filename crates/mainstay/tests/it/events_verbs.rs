//! What an operator does about events, by verbs at the store itself: while a backend runs on it.

use crate::events::{FAILING, paid, sales};
use crate::harness::{Folder, Ran, Server, mainstay, run, until};
use crate::scenes::{Scene, order, product, text};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

const ALICE: &str = "shopper acme alice";
const MANAGER: &str = "staff.manager acme";

/// A verb on the data of a scene, wherever it is.
#[track_caller]
pub(crate) fn verb(scene: &Scene, words: &[&str]) -> Ran {
    let data = scene.folder.0.join("data");
    let url = crate::database::url_for(&data);
    let mut arguments = words.to_vec();
    match &url {
        Some(url) => arguments.extend(["--database", url]),
        None => arguments.extend(["--data", data.to_str().expect("plain")]),
    }
    run(&arguments)
}

#[track_caller]
pub(crate) fn fine(scene: &Scene, words: &[&str]) -> Value {
    let ran = verb(scene, &[words, &["--format", "json"]].concat());
    assert_eq!(ran.code, 0, "{words:?}: {}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap_or_else(|why| panic!("{why}: {}", ran.stdout))
}

/// A backend whose reaction failed for some letters, with its model and their ids.
fn failed(texts: &[&str]) -> (Scene, String, Vec<String>) {
    let folder = Folder::new().with("mainstay.yaml", FAILING);
    let model = folder.0.join("mainstay.yaml").display().to_string();
    let post = Scene::of(&model, folder);
    let write = |words: &&str| {
        text(&post.post("user - ann", "/v1/letters", json!({"text": words})).expect(201), "id")
    };
    let ids = texts.iter().map(write).collect();
    let letters = || post.get("staff - bob", "/v1/dead-letters").expect(200);
    let there = || letters()["items"].as_array().map_or(0, Vec::len);
    until(letters, || there() == texts.len());
    (post, model, ids)
}

/// The notes that reactions made.
fn notes(post: &Scene) -> Vec<String> {
    let page = post.get("user - ann", "/v1/notes").expect(200);
    let items = page["items"].as_array().expect("items");
    let mut texts: Vec<String> = items.iter().map(|note| text(note, "text")).collect();
    texts.sort();
    texts
}

#[test]
pub(crate) fn a_dead_letter_is_listed_shown_mended_and_redriven_while_the_backend_runs() {
    let (post, model, ids) = failed(&["far too long"]);
    let listed = fine(&post, &["dead-letters", "list", &model]);
    let shown = post.get("staff - bob", "/v1/dead-letters").expect(200)["items"][0].clone();
    let id = text(&shown, "id");
    assert_eq!(listed["items"][0]["id"], shown["id"]);
    assert_eq!(listed["items"][0]["event"].get("data"), None, "data is in `show` alone");
    assert_eq!(fine(&post, &["dead-letters", "show", &id, &model]), shown);
    let told = verb(&post, &["dead-letters", "list", &model]);
    let line = told.stdout.lines().nth(1).expect("a line");
    for part in ["archive", "letter.created.v1", &format!("letters/{}", ids[0]), "invalid-value"] {
        assert!(line.contains(part), "no {part} in {line}");
    }
    assert!(!told.stdout.contains("far too long"), "{}", told.stdout);
    let data = post.folder.0.join("edited.json");
    std::fs::write(&data, "[]").expect("writable");
    let path = data.to_str().expect("plain");
    let redrive = ["dead-letters", "redrive", &id, &model, "--event-data", path];
    let refused = verb(&post, &redrive);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("must be a JSON object"), "{}", refused.stderr);
    std::fs::write(&data, json!({"id": ids[0], "text": "brief"}).to_string()).expect("writable");
    assert_eq!(fine(&post, &redrive), json!({"redriven": 1}));
    until(|| format!("{:?}", notes(&post)), || notes(&post) == ["brief"]);
    let left = fine(&post, &["dead-letters", "list", &model]);
    assert_eq!(left, json!({"items": [], "more": false}));
    let gone = verb(&post, &redrive);
    assert_eq!(gone.code, 2);
    assert!(gone.stderr.contains("there is no dead letter"), "{}", gone.stderr);
}

#[test]
pub(crate) fn all_dead_letters_of_a_consumer_are_redriven_and_one_is_discarded() {
    let (mut post, model, _) = failed(&["too long, one", "too long, two"]);
    let letters = || fine(&post, &["dead-letters", "list", &model])["items"].clone();
    let id = text(&letters()[0], "id");
    let other = ["dead-letters", "redrive", "--all", &model, "--consumer", "nobody"];
    assert_eq!(fine(&post, &other), json!({"redriven": 0}));
    let discarded = fine(&post, &["dead-letters", "discard", &id, &model]);
    assert_eq!(discarded, json!({"discarded": id}));
    assert_eq!(letters().as_array().map(Vec::len), Some(1));
    // With nobody who tries, what is redriven stays so.
    assert_eq!(post.server.stop(), 0);
    let all = ["dead-letters", "redrive", "--all", &model, "--consumer", "archive"];
    assert_eq!(fine(&post, &all), json!({"redriven": 1}));
    assert_eq!(fine(&post, &all), json!({"redriven": 0}), "it is no dead letter any more");
    post.server = Server::start(&model, &post.folder.0.join("data"), &[]);
    let errors = || {
        let listed = fine(&post, &["dead-letters", "list", &model]);
        listed["items"][0]["errors"].as_array().map_or(0, Vec::len)
    };
    until(errors, || errors() == 2);
}

#[test]
fn a_directory_without_data_is_told_and_left_as_it_is() {
    let folder = Folder::new();
    for words in [["dead-letters", "list"].as_slice(), &["events"], &["views", "list"]] {
        let ran = run(&[words, &["examples/shop", "--data", folder.path()]].concat());
        assert_eq!(ran.code, 2, "{words:?}");
        assert!(ran.stderr.contains("there is no data in"), "{}", ran.stderr);
    }
    assert_eq!(std::fs::read_dir(&folder.0).expect("readable").count(), 0);
}

#[test]
pub(crate) fn events_are_listed_as_the_api_lists_them() {
    let shop = Scene::empty("shop");
    let (mine, theirs) =
        (product(&shop, "acme", "A-1", "12.50"), product(&shop, "globex", "A-1", "1.00"));
    paid(&shop, ALICE, &mine);
    let id = order(&shop, "shopper globex carol", &theirs);
    shop.command("shopper globex carol", &format!("/v1/orders/{id}/place")).expect(200);
    let api = shop.get("system acme", "/v1/events?limit=100").expect(200)["items"].clone();
    let list = |more: &[&str]| {
        let ran = verb(&shop, &[&["events", "examples/shop", "--format", "json"], more].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let read = |line| serde_json::from_str(line).expect("a CloudEvent a line");
        ran.stdout.lines().map(read).collect::<Vec<Value>>()
    };
    assert_eq!(json!(list(&["--tenant", "acme"])), api);
    assert!(list(&[]).len() > api.as_array().map_or(0, Vec::len), "of all tenants");
    let placed = list(&["--type", "order.placed.v1"]);
    assert_eq!(placed.len(), 2);
    assert_eq!(list(&["--type", "order.placed", "--limit", "1"]), placed[..1]);
    assert_eq!(list(&["--since", "1h"]), list(&[]));
    assert_eq!(list(&["--since", "2999-01-01T00:00:00Z"]), [Value::Null; 0]);
    let unknown = verb(&shop, &["events", "examples/shop", "--type", "order.lost"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("`order.placed`"), "{}", unknown.stderr);
    let told = verb(&shop, &["events", "examples/shop", "--type", "order.paid"]).stdout;
    assert!(told.contains("  order.paid.v1  orders/"), "{told}");
    assert!(!told.contains("alice"), "data is for programs: {told}");
    follow(&shop, &mine);
}

/// What happens later is told to who follows.
fn follow(shop: &Scene, product: &str) {
    let data = shop.folder.0.join("data");
    let url = crate::database::url_for(&data);
    let place = match &url {
        Some(url) => ["--database", url],
        None => ["--data", data.to_str().expect("plain")],
    };
    let words = ["events", "examples/shop", "--follow", "--type", "order.paid", "--limit", "2"];
    let mut following = mainstay(&[words.as_slice(), &place].concat());
    let mut following = following.stdout(Stdio::piped()).spawn().expect("the binary runs");
    let mut lines = BufReader::new(following.stdout.take().expect("it is piped")).lines();
    assert!(lines.next().is_some(), "what happened before");
    let id = paid(shop, ALICE, product);
    let line = lines.next().expect("what happens now").expect("readable");
    assert!(line.contains(&id), "{line}");
    assert!(following.wait().expect("it ends").success());
}

/// The rows of the view, as the API has them.
fn rows(shop: &Scene) -> Value {
    sales(shop, MANAGER);
    shop.get(MANAGER, "/v1/sales-by-day").expect(200)["items"].clone()
}

/// A shop with sales in two tenants.
fn sold() -> Scene {
    let shop = Scene::empty("shop");
    let (mine, theirs) =
        (product(&shop, "acme", "A-1", "12.50"), product(&shop, "globex", "A-1", "1.00"));
    for _ in 0..3 {
        paid(&shop, ALICE, &mine);
    }
    let id = order(&shop, "shopper globex carol", &theirs);
    shop.command("shopper globex carol", &format!("/v1/orders/{id}/place")).expect(200);
    shop.command("system globex", &format!("/v1/orders/{id}/pay")).expect(200);
    sales(&shop, "staff.manager globex");
    shop
}

const REBUILD: [&str; 4] = ["views", "rebuild", "SalesByDay", "examples/shop"];

#[test]
pub(crate) fn a_view_that_is_rebuilt_has_the_same_rows() {
    let mut shop = sold();
    let before = rows(&shop);
    let view = fine(&shop, &["views", "list", "examples/shop"])["views"][0].clone();
    assert_eq!(view["view"], "ordering.SalesByDay");
    assert!(view["rows"].as_u64().is_some_and(|rows| rows >= 2), "of both tenants: {view}");
    let beside = crate::database::url_for(&shop.folder.0.join("data")).is_some();
    if !beside {
        let refused = verb(&shop, &REBUILD);
        assert_eq!(refused.code, 2);
        assert!(refused.stderr.contains("PostgreSQL"), "{}", refused.stderr);
        assert_eq!(shop.server.stop(), 0);
    }
    let rebuilt = fine(&shop, &REBUILD);
    assert_eq!((&rebuilt["tenants"], &rebuilt["events"]), (&json!(2), &json!(4)), "{rebuilt}");
    assert_eq!(rebuilt["changed"], 0, "{rebuilt}");
    if !beside {
        shop.server = Server::start("examples/shop", &shop.folder.0.join("data"), &[]);
    }
    assert_eq!(rows(&shop), before);
    // What comes later is folded on top, once.
    let next = product(&shop, "acme", "A-2", "1.00");
    paid(&shop, ALICE, &next);
    let orders: i64 = sales(&shop, MANAGER).iter().map(|(orders, _)| orders).sum();
    assert_eq!(orders, 4);
    let unknown = verb(&shop, &["views", "rebuild", "Nothing", "examples/shop"]);
    assert_eq!(unknown.code, 2);
}

#[test]
fn rows_of_a_view_that_were_damaged_by_hand_are_healed() {
    let mut shop = sold();
    let before = rows(&shop);
    assert_eq!(shop.server.stop(), 0);
    let file = rusqlite::Connection::open(shop.folder.0.join("data/shop.db")).expect("it opens");
    let name: String = file
        .query_row(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE '%sales%'",
            [],
            |row| row.get(0),
        )
        .expect("the table of the view");
    let changed = file.execute(&format!("UPDATE \"{name}\" SET orders = 99"), []);
    assert!(changed.expect("it is changed") >= 2);
    drop(file);
    let rebuilt = verb(&shop, &REBUILD);
    assert_eq!(rebuilt.code, 0, "{}", rebuilt.stderr);
    assert!(rebuilt.stderr.contains("4 of 4 events, 2 of 2 tenants done"), "{}", rebuilt.stderr);
    shop.server = Server::start("examples/shop", &shop.folder.0.join("data"), &[]);
    let bare = |rows: &Value| {
        let items = rows.as_array().expect("items").iter();
        items.map(|row| (row["orders"].clone(), row["revenue"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(bare(&rows(&shop)), bare(&before));
}
