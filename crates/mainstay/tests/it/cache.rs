//! Answers that are reused: for whom, how long, and what ends them.

use crate::database::Database;
use crate::harness::{Answer, Folder, Server, until};
use crate::scenes::{Scene, text};
use serde_json::{Value, json};

const MODEL: &str = "mainstay: 1
system: shelf
tenancy: row by org
actors:
  reader: oidc
  editor: oidc roles chief
contexts:
  main:
    resources:
      Author:
        fields: { name: string max 80 }
        cache: 5 min
        allow: { read: anyone, write: editor }
      Book:
        fields:
          author: Author optional on delete clear
          title: string max 80
          stock: int = 0
        cache: { for: 5 min, except: [stock] }
        allow: { read: anyone, write: editor }
      Note:
        rules: { own: reader == me }
        fields:
          reader: actor reader
          text: string max 200
        cache: 5 min
        allow: { read: [reader when own, editor.chief], create: reader, update: reader when own, delete: reader when own }
      Word:
        shared: true
        fields: { text: string max 80 }
        cache: 1 min
        allow: { read: anyone, write: system }
      Plain:
        fields: { text: string max 80 }
        allow: { read: anyone, write: editor }
";

const EDITOR: &str = "editor acme ed";
const PART: &str = "?fields=title,author";

fn scene() -> Scene {
    let folder = Folder::new().with("mainstay.yaml", MODEL);
    let model = folder.0.join("mainstay.yaml");
    let scene = Scene::of(model.to_str().expect("plain"), folder);
    heard(&scene, &scene.server);
    scene
}

/// Waits until a backend keeps answers: on PostgreSQL it has to hear of others first.
#[track_caller]
fn heard(scene: &Scene, server: &Server) {
    let get = || server.get("/v1/authors").bearer(&scene.token(EDITOR)).send();
    until(
        || get().header("cache-status").to_owned(),
        || get().header("cache-status").contains("hit"),
    );
}

fn status(answer: &Answer) -> &str {
    answer.header("cache-status")
}

#[track_caller]
fn is_hit(answer: &Answer) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(status(answer).starts_with("mainstay; hit; ttl="), "{}", status(answer));
}

#[track_caller]
fn is_read(answer: &Answer) {
    assert!(status(answer).starts_with("mainstay; fwd=miss; stored"), "{}", status(answer));
}

#[track_caller]
fn author(scene: &Scene, name: &str) -> String {
    let made = scene.post(EDITOR, "/v1/authors", json!({"name": name})).expect(201);
    format!("/v1/authors/{}", text(&made, "id"))
}

#[track_caller]
fn book(scene: &Scene, body: Value) -> String {
    format!("/v1/books/{}", text(&scene.post(EDITOR, "/v1/books", body).expect(201), "id"))
}

#[test]
pub(crate) fn an_answer_is_reused_until_its_row_changes() {
    let scene = scene();
    let path = author(&scene, "Ann");
    let first = scene.get(EDITOR, &path);
    is_read(&first);
    let second = scene.get(EDITOR, &path);
    is_hit(&second);
    assert_eq!((&first.body, first.header("etag")), (&second.body, second.header("etag")));
    assert!(second.header("age").parse::<u32>().is_ok_and(|age| age < 60));
    let patched = scene.patch(EDITOR, &path, json!({"name": "Bea"}));
    patched.expect(200);
    let third = scene.get(EDITOR, &path);
    is_read(&third);
    assert_eq!(third.expect(200)["name"], "Bea");
    assert_eq!(third.header("etag"), patched.header("etag"));
    let other = author(&scene, "Cleo");
    is_hit(&scene.get(EDITOR, &path));
    scene.delete(EDITOR, &path).expect(204);
    assert_eq!(scene.get(EDITOR, &path).problem(404), "not-found");
    scene.get(EDITOR, &other).expect(200);
}

#[test]
pub(crate) fn a_list_is_reused_until_any_of_its_rows_comes_goes_or_changes() {
    let scene = scene();
    let path = author(&scene, "Ann");
    let list = || scene.get(EDITOR, "/v1/authors?limit=5&sort=name");
    is_read(&list());
    is_hit(&list());
    // The same list, however it is asked for.
    is_hit(&scene.get(EDITOR, "/v1/authors?sort=n%61me&limit=5"));
    let last = author(&scene, "Bea");
    assert_eq!(list().expect(200)["items"].as_array().map(Vec::len), Some(2));
    is_hit(&list());
    scene.patch(EDITOR, &path, json!({"name": "Cleo"})).expect(200);
    assert_eq!(list().expect(200)["items"][1]["name"], "Cleo");
    is_hit(&list());
    scene.delete(EDITOR, &last).expect(204);
    assert_eq!(list().expect(200)["items"].as_array().map(Vec::len), Some(1));
}

#[test]
pub(crate) fn a_write_that_is_refused_ends_nothing() {
    let scene = scene();
    let path = author(&scene, "Ann");
    scene.get(EDITOR, &path).expect(200);
    assert_eq!(scene.patch(EDITOR, &path, json!({"name": 5})).status, 422);
    let stale = scene
        .request(EDITOR, "PATCH", &path)
        .bytes("application/merge-patch+json", br#"{"name":"Bea"}"#.to_vec())
        .header("if-match", "\"7.0000000000000000\"");
    assert_eq!(stale.send().status, 412);
    is_hit(&scene.get(EDITOR, &path));
}

#[test]
pub(crate) fn no_tenant_and_no_caller_gets_the_answer_of_another() {
    let scene = scene();
    let path = author(&scene, "Ann");
    scene.get(EDITOR, &path).expect(200);
    is_hit(&scene.get("reader acme rita", &path));
    assert_eq!(scene.get("editor evil ed", &path).status, 404, "another tenant");
    let note = scene.post("reader acme rita", "/v1/notes", json!({"text": "mine"})).expect(201);
    let note = format!("/v1/notes/{}", text(&note, "id"));
    scene.get("reader acme rita", &note).expect(200);
    let own = scene.get("reader acme rita", &note);
    is_hit(&own);
    assert_eq!(own.header("cache-control"), "private, no-cache");
    assert!(own.header("vary").contains("authorization"), "{}", own.header("vary"));
    assert_eq!(scene.get("reader acme rob", &note).status, 404, "another caller");
    assert_eq!(scene.get("reader acme rob", "/v1/notes").expect(200)["items"], json!([]));
    assert_eq!(scene.get("reader acme rita", "/v1/notes").expect(200)["items"][0]["text"], "mine");
    // The same subject with another role is another.
    scene.get("editor.chief acme eve", &note).expect(200);
    is_hit(&scene.get("editor.chief acme eve", &note));
    assert_eq!(scene.get("editor acme eve", &note).status, 404, "a role that was taken away");
    assert_eq!(scene.server.get(&note).send().status, 401);
}

#[test]
pub(crate) fn an_excepted_field_is_never_older_than_its_row() {
    let scene = scene();
    let path = book(&scene, json!({"title": "Sea", "stock": 4}));
    for stock in [3, 2, 1] {
        scene.patch(EDITOR, &path, json!({"stock": stock})).expect(200);
        let whole = scene.get(EDITOR, &path);
        assert_eq!(whole.expect(200)["stock"], stock);
        assert_eq!(status(&whole), "mainstay; fwd=bypass; detail=excepted");
        assert_eq!(whole.header("cache-control"), "private, no-cache");
        assert_eq!(scene.get(EDITOR, "/v1/books").expect(200)["items"][0]["stock"], stock);
        let counted = format!("/v1/books?fields=title&stock={stock}");
        assert_eq!(status(&scene.get(EDITOR, &counted)), "mainstay; fwd=bypass; detail=excepted");
        // What names the version of the row ends with it.
        let part = scene.get(EDITOR, &format!("{path}{PART}"));
        is_read(&part);
        is_hit(&scene.get(EDITOR, &format!("{path}{PART}")));
        let tag = part.header("etag").to_owned();
        let body = json!({"title": "Sea", "stock": stock});
        let put = scene.request(EDITOR, "PUT", &path).json(&body).header("if-match", &tag).send();
        assert_eq!(put.status, 200, "{}", put.text());
    }
}

#[test]
pub(crate) fn a_change_of_an_excepted_field_alone_ends_no_list_without_it() {
    let scene = scene();
    let path = book(&scene, json!({"title": "Sea", "stock": 4}));
    let list = || scene.get(EDITOR, "/v1/books?fields=title");
    list().expect(200);
    scene.patch(EDITOR, &path, json!({"stock": 3})).expect(200);
    is_hit(&list());
    scene.patch(EDITOR, &path, json!({"title": "Lake"})).expect(200);
    assert_eq!(list().expect(200)["items"][0]["title"], "Lake");
    scene.patch(EDITOR, &path, json!({"title": "Pond", "stock": 2})).expect(200);
    assert_eq!(list().expect(200)["items"][0]["title"], "Pond", "both changed");
}

#[test]
pub(crate) fn what_a_deletion_clears_elsewhere_is_not_reused() {
    let scene = scene();
    let author = author(&scene, "Ann");
    let id = author.rsplit('/').next().expect("an id").to_owned();
    let path = book(&scene, json!({"title": "Sea", "author": id}));
    let one = || scene.get(EDITOR, &format!("{path}{PART}"));
    let all = || scene.get(EDITOR, "/v1/books?fields=author");
    assert_eq!((one().expect(200)["author"].clone(), all().status), (json!(id), 200));
    is_hit(&one());
    is_hit(&all());
    scene.delete(EDITOR, &author).expect(204);
    assert_eq!(one().expect(200)["author"], Value::Null);
    assert_eq!(all().expect(200)["items"][0]["author"], Value::Null);
}

#[test]
pub(crate) fn an_expanded_row_that_changed_is_not_reused() {
    let scene = scene();
    let author = author(&scene, "Ann");
    let id = author.rsplit('/').next().expect("an id").to_owned();
    book(&scene, json!({"title": "Sea", "author": id}));
    let list = || scene.get(EDITOR, "/v1/books?fields=author&expand=author");
    assert_eq!(list().expect(200)["items"][0]["author"]["name"], "Ann");
    is_hit(&list());
    scene.patch(EDITOR, &author, json!({"name": "Bea"})).expect(200);
    assert_eq!(list().expect(200)["items"][0]["author"]["name"], "Bea");
}

#[test]
pub(crate) fn a_reader_who_wants_what_is_now_gets_it() {
    let scene = scene();
    let path = author(&scene, "Ann");
    scene.get(EDITOR, &path).expect(200);
    for wish in ["no-cache", "max-age=0", "no-store"] {
        let fresh = scene.request(EDITOR, "GET", &path).header("cache-control", wish).send();
        assert_eq!(status(&fresh), "mainstay; fwd=request; stored", "{wish}");
    }
    is_hit(&scene.request(EDITOR, "GET", &path).header("cache-control", "max-age=60").send());
    let sent = scene.request(EDITOR, "GET", &path).header("mainstay-position", "x").send();
    assert_eq!(status(&sent), "mainstay; fwd=request; stored");
    let named = scene.get(EDITOR, &path).header("etag").to_owned();
    let named = scene.request(EDITOR, "GET", &path).header("if-match", &named).send();
    assert_eq!((named.status, status(&named)), (200, "mainstay; fwd=request; stored"));
    let other = "\"9.0000000000000000\"";
    let other = scene.request(EDITOR, "GET", &path).header("if-match", other).send();
    assert_eq!(other.status, 412);
}

#[test]
pub(crate) fn what_has_not_changed_is_304_from_what_is_kept() {
    let scene = scene();
    let path = author(&scene, "Ann");
    let tag = scene.get(EDITOR, &path).header("etag").to_owned();
    let same = || scene.request(EDITOR, "GET", &path).header("if-none-match", &tag).send();
    let kept = same();
    assert_eq!((kept.status, kept.body.len()), (304, 0));
    assert!(status(&kept).starts_with("mainstay; hit"), "{}", status(&kept));
    assert_eq!(kept.header("etag"), tag);
    assert!(kept.header("cache-control").starts_with("private, max-age="));
    scene.patch(EDITOR, &path, json!({"name": "Bea"})).expect(200);
    assert_eq!(same().status, 200);
    // Who asks first with a tag leaves the whole answer for the next.
    let tag = scene.get(EDITOR, "/v1/authors?limit=9").header("etag").to_owned();
    author(&scene, "Cleo");
    let list = || scene.request(EDITOR, "GET", "/v1/authors?limit=9");
    assert_eq!(list().header("if-none-match", &tag).send().status, 200);
    is_hit(&list().send());
}

#[test]
fn headers_say_who_else_may_reuse_an_answer() {
    let scene = scene();
    let words = scene.server.get("/v1/words").send();
    assert_eq!(words.status, 200);
    let control = words.header("cache-control");
    let seconds = control.strip_prefix("public, max-age=").and_then(|text| text.parse().ok());
    assert!(seconds.is_some_and(|seconds: u32| (54..=60).contains(&seconds)), "{control}");
    assert!(!words.header("vary").contains("authorization"));
    let authors = scene.get(EDITOR, "/v1/authors");
    assert!(authors.header("cache-control").starts_with("private, max-age="));
    assert!(authors.header("vary").contains("authorization"));
    let plain = scene.get(EDITOR, "/v1/plains");
    assert_eq!((plain.header("cache-control"), plain.header("age"), status(&plain)), ("", "", ""));
    let contract = scene.server.get("/openapi.json").send().expect(200);
    let headers = |path: &str| {
        let of = &contract["paths"][path]["get"]["responses"]["200"]["headers"];
        ["Cache-Control", "Age", "Cache-Status"].map(|name| of.get(name).is_some())
    };
    assert_eq!(headers("/v1/authors"), [true; 3]);
    assert_eq!(headers("/v1/plains"), [false; 3]);
}

#[test]
fn what_is_reused_is_counted_by_resource() {
    let scene = scene();
    let path = author(&scene, "Ann");
    let number = |name: &str| {
        let metrics = scene.server.get("/metrics").send().text();
        let line = format!("mainstay_cache_{name}{{resource=\"main.Author\"}} ");
        let found = metrics.lines().find_map(|found| found.strip_prefix(&line));
        found.and_then(|number| number.parse::<i64>().ok()).unwrap_or(-1)
    };
    let before = ["hits_total", "misses_total", "invalidations_total"].map(number);
    scene.get(EDITOR, &path).expect(200);
    scene.get(EDITOR, &path).expect(200);
    scene.patch(EDITOR, &path, json!({"name": "Bea"})).expect(200);
    let after = ["hits_total", "misses_total", "invalidations_total"].map(number);
    assert_eq!([after[0] - before[0], after[1] - before[1]], [1, 1]);
    assert!(after[2] > before[2]);
    for name in ["bypasses_total", "evictions_total", "fills_refused_total", "joined_total"] {
        assert_eq!(number(name), 0, "{name}");
    }
    assert!(number("bytes") > 0);
}

#[test]
fn what_one_process_writes_is_not_reused_by_another() {
    let Some(database) = Database::new() else { return };
    let folder = Folder::new().with("mainstay.yaml", MODEL);
    let model = folder.0.join("mainstay.yaml").to_str().expect("plain").to_owned();
    let url = database.url();
    let scene = Scene::with(&model, folder, &["--database", &url]);
    let data = scene.folder.0.join("other");
    let other = Server::start(&model, &data, &["--database", &url]);
    let token = other.token("editor", &["--tenant", "acme", "--subject", "ed"]);
    let get = |path: &str| other.get(path).bearer(&token).send();
    heard(&scene, &scene.server);
    until(
        || get("/v1/authors").text(),
        || get("/v1/authors").header("cache-status").contains("hit"),
    );
    let path = author(&scene, "Ann");
    for round in 0..20 {
        get(&path).expect(200);
        get("/v1/authors?fields=name").expect(200);
        let name = format!("Name {round}");
        scene.patch(EDITOR, &path, json!({"name": name})).expect(200);
        let begun = std::time::Instant::now();
        until(|| "the old name stays", || get(&path).expect(200)["name"] == name);
        let list = || get("/v1/authors?fields=name").expect(200)["items"][0]["name"].clone();
        until(|| "the old name stays in the list", || list() == name);
        assert!(begun.elapsed() < std::time::Duration::from_secs(3), "{:?}", begun.elapsed());
    }
    is_hit(&get(&path));
    // A connection that breaks empties what is kept, and it is kept again once it is back.
    let listening = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = \
                     current_database() AND pid <> pg_backend_pid() AND query IN \
                     ('SELECT 1', 'LISTEN \"mainstay_changes\"')";
    assert!(!database.query(listening).is_empty(), "nobody listens");
    until(|| "it never noticed", || !get(&path).header("cache-status").contains("hit"));
    until(|| "it never came back", || get(&path).header("cache-status").contains("hit"));
}
