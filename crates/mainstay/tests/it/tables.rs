//! Tables and columns that are called as somebody else called them.

use crate::database::{Database, on_postgresql};
use crate::harness::{Folder, Server, run};
use serde_json::json;

const MODEL: &str = "
system: names
actors: { user: oidc }
contexts:
  main:
    resources:
      Shelf:
        table: SELECT
        fields:
          name: { type: string, max: 40, unique: true, column: ORDER }
        allow: { read: user, write: user }
      Book:
        table: Old Books.2
        fields:
          title: { type: string, max: 80, search: true, column: Title Text }
          shelf: { type: Shelf, column: SHELF.NO }
          price: { type: money, column: Price$ }
          pages: { type: int, min: 1, column: sold WHERE from }
          lent: { type: timespan, optional: true, column: When }
          authors: many Author
        allow: { read: user, write: user }
        unique: [[shelf, pages]]
      Author:
        table: a u t h o r
        fields:
          name: { type: string, max: 40, column: Full Name }
";

fn odd_names_of_tables_and_columns_are_served_as_plain_ones_are() {
    let folder = Folder::new().with("mainstay.yaml", MODEL);
    let mut server = Server::start(folder.path(), &folder.0.join("data"), &[]);
    let user = server.token("user", &[]);
    let post = |path: &str, body| server.post(path, body).bearer(&user).send();
    let get = |server: &Server, path: &str| server.get(path).bearer(&user).send();
    let shelf = post("/v1/shelves", json!({ "name": "a" })).expect(201)["id"].clone();
    assert_eq!(post("/v1/shelves", json!({ "name": "a" })).problem(409), "duplicate");
    let book = |title: &str, pages: u32| {
        json!({
            "title": title, "shelf": shelf, "pages": pages, "authors": [{ "name": "A" }],
            "price": { "amount": "1.50", "currency": "EUR" },
            "lent": { "start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z" },
        })
    };
    let first = post("/v1/books", book("Blue sea", 10)).expect(201);
    post("/v1/books", book("Red sand", 20)).expect(201);
    assert_eq!(post("/v1/books", book("Another", 20)).problem(409), "duplicate");
    let nowhere = json!({ "title": "No", "shelf": first["id"], "pages": 1, "authors": [],
                          "price": { "amount": "1.00", "currency": "EUR" } });
    assert_eq!(post("/v1/books", nowhere).problem(422), "unknown-reference");
    for (query, titles) in [
        ("pages=10", vec!["Blue sea"]),
        ("pages.gt=10", vec!["Red sand"]),
        ("q=blu", vec!["Blue sea"]),
        ("sort=-pages", vec!["Red sand", "Blue sea"]),
        ("sort=title", vec!["Blue sea", "Red sand"]),
    ] {
        let page = get(&server, &format!("/v1/books?{query}")).expect(200);
        let items = page["items"].as_array().expect("a list");
        let found: Vec<_> = items.iter().filter_map(|one| one["title"].as_str()).collect();
        assert_eq!(found, titles, "{query}");
    }
    let path = format!("/v1/books/{}", first["id"].as_str().expect("an id"));
    let change = json!({ "title": "Green sea", "authors": [{ "name": "B" }] });
    server.patch(&path, change).bearer(&user).send().expect(200);
    let kept = format!("/v1/shelves/{}", shelf.as_str().expect("an id"));
    assert_eq!(server.request("DELETE", &kept).bearer(&user).send().status, 409);
    server.stop();
    let server = Server::start(folder.path(), &folder.0.join("data"), &[]);
    let read = get(&server, &path).expect(200);
    assert_eq!(read["title"], "Green sea", "{read}");
    assert_eq!(read["authors"][0]["name"], "B", "{read}");
    assert_eq!(read["price"]["amount"], "1.50", "{read}");
    assert_eq!(server.request("DELETE", &path).bearer(&user).send().status, 204);
}

#[test]
fn odd_names_of_tables_and_columns_are_served_on_sqlite() {
    odd_names_of_tables_and_columns_are_served_as_plain_ones_are();
}

#[test]
fn odd_names_of_tables_and_columns_are_served_on_postgresql() {
    on_postgresql(odd_names_of_tables_and_columns_are_served_as_plain_ones_are);
}

#[test]
fn a_table_that_somebody_else_made_is_named_and_never_touched() {
    let Some(database) = Database::new() else { return };
    database.query("CREATE SCHEMA main");
    database.query("CREATE TABLE main.\"Old Books.2\" (what text)");
    database.query("INSERT INTO main.\"Old Books.2\" VALUES ('kept')");
    let folder = Folder::new().with("mainstay.yaml", MODEL);
    let (model, data, url) = (folder.path(), folder.0.join("data"), database.url());
    let data = data.to_str().expect("a plain name");
    let ran = run(&["up", model, "--listen", "127.0.0.1:0", "--data", data, "--database", &url]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let told = "table `main.Old Books.2` is there already, and Mainstay did not make it";
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
    assert_eq!(database.query("SELECT * FROM main.\"Old Books.2\""), [["kept"]]);
    let made = database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'main'");
    assert_eq!(made, [["Old Books.2"]], "nothing else is made beside it");
}
