//! Data leaves a running system and comes into another: backups of rows, tenants that are taken
//! along and erased, moves between stores and tenancies. What was handed out before stays good.

use crate::database::Database;
use crate::harness::{Folder, Ran, Server, run};
use crate::scenes::text;
use serde_json::{Value, json};
use std::path::Path;

const MODEL: &str = "
system: notes
tenancy: TENANCY by org
actors: { user: oidc, office: oidc across tenants }
contexts:
  notes:
    resources:
      Topic:
        shared: true
        fields: { name: string max 40 }
        allow: { read: anyone, write: office }
      Book:
        fields: { title: string max 80, topic: Topic optional, price: money optional }
        allow: { read: user, write: user }
      Note:
        fields: { book: Book, text: text max 2000 search, due: timestamp optional }
        allow: { read: user, write: user }
";

/// A model of that tenancy in a folder of its own.
fn model(tenancy: &str) -> Folder {
    Folder::new().with("mainstay.yaml", &MODEL.replace("TENANCY", tenancy))
}

#[track_caller]
fn fine(arguments: &[&str]) -> Ran {
    let ran = run(arguments);
    assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
    ran
}

#[track_caller]
fn refused(arguments: &[&str], told: &[&str]) {
    let ran = run(arguments);
    assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.stderr);
    for told in told {
        assert!(ran.stderr.contains(told), "`{told}` is not in {}", ran.stderr);
    }
}

fn plain(path: &Path) -> &str {
    path.to_str().expect("a plain name")
}

/// What a caller was given before the data went elsewhere.
struct Given {
    token: String,
    note: String,
    etag: String,
    cursor: String,
    made: Value,
}

const KEY: &str = "\"the-one-book\"";

fn token(server: &Server, tenant: &str) -> String {
    server.token("user", &["--tenant", tenant, "--subject", "alice"])
}

/// Rows of two tenants, with everything that must stay good.
fn fill(server: &Server) -> Given {
    for tenant in ["acme", "bluebird"] {
        let token = token(server, tenant);
        for number in 0..5 {
            let body = json!({"title": format!("{tenant} {number} — ü")});
            server.post("/v1/books", body).bearer(&token).send().expect(201);
        }
    }
    let token = token(server, "acme");
    let once = || server.post("/v1/books", json!({"title": "once"})).bearer(&token);
    let made = once().header("idempotency-key", KEY).send().expect(201);
    let note = json!({"book": made["id"], "text": "canary-of-acme"});
    let note = text(&server.post("/v1/notes", note).bearer(&token).send().expect(201), "id");
    let read = server.get(&format!("/v1/notes/{note}")).bearer(&token).send();
    let etag = read.header("etag").to_owned();
    read.expect(200);
    let page = server.get("/v1/books?limit=2").bearer(&token).send().expect(200);
    let cursor = text(&page, "next_cursor");
    Given { token, note, etag, cursor, made }
}

/// What was given before the move is good behind it.
fn stays_good(server: &Server, given: &Given) {
    let page = format!("/v1/books?limit=2&cursor={}", given.cursor);
    let page = server.get(&page).bearer(&given.token).send().expect(200);
    assert_eq!(page["items"].as_array().map(Vec::len), Some(2), "{page}");
    let again = server.post("/v1/books", json!({"title": "once"})).bearer(&given.token);
    let again = again.header("idempotency-key", KEY).send();
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.expect(201), given.made);
    let path = format!("/v1/notes/{}", given.note);
    let spared = server.get(&path).bearer(&given.token).header("if-none-match", &given.etag);
    assert_eq!(spared.send().status, 304);
    let changed = server.patch(&path, json!({"text": "canary-of-acme, moved"}));
    changed.bearer(&given.token).header("if-match", &given.etag).send().expect(200);
}

fn count(server: &Server, tenant: &str) -> usize {
    let page = server.get("/v1/books?limit=100").bearer(&token(server, tenant)).send().expect(200);
    page["items"].as_array().map_or(0, Vec::len)
}

#[test]
fn data_moves_from_files_to_a_server_and_what_was_given_stays_good() {
    let Some(database) = Database::new() else { return };
    let (folder, url) = (model("row"), database.url());
    let (path, data) = (folder.path().to_owned(), folder.0.join("data"));
    let mut server = Server::start(&path, &data, &[]);
    let given = fill(&server);
    let elsewhere = folder.0.join("elsewhere");
    let files = ["move", &path, "--data", plain(&data), "--to", plain(&elsewhere)];
    refused(&files, &["in use by another `mainstay`"]);
    server.stop();
    let going = ["move", &path, "--data", plain(&data), "--to", &url];
    let moved = fine(&going);
    assert!(moved.stdout.contains("notes_books "), "{}", moved.stdout);
    assert!(moved.stderr.contains("equal on both"), "{}", moved.stderr);
    let up = ["up", &path, "--data", plain(&data), "--listen", "127.0.0.1:0"];
    let there = format!("was moved to `{}", url.rsplit_once('/').expect("an address").0);
    refused(&up, &[&there, "--database"]);
    refused(&going, &["was moved to"]);
    refused(
        &["backup", plain(&folder.0.join("late")), &path, "--data", plain(&data)],
        &["was moved"],
    );
    let server = Server::start(&path, &data, &["--database", &url]);
    stays_good(&server, &given);
    assert_eq!((count(&server, "acme"), count(&server, "bluebird")), (6, 5));
    fine(&["audit", "verify", &path, "--database", &url]);
}

#[test]
fn data_moves_between_the_three_tenancies_on_both_stores() {
    let rows = model("row");
    let files = rows.0.join("data");
    let mut server = Server::start(rows.path(), &files, &[]);
    let given = fill(&server);
    server.stop();
    let databases = [Database::new(), Database::new(), Database::new()];
    let [Some(by_schema), Some(by_database), Some(by_row)] = databases else { return };
    let (schema, database) = (model("schema"), model("database"));
    // Files by tenant, then a schema, a database, a column: what was given is good at the end.
    let apart = rows.0.join("apart");
    let (data, apart_path) = (plain(&files), plain(&apart));
    let arguments = ["move", database.path(), "--data", data, "--to", apart_path];
    refused(&arguments, &["written for another model"]);
    fine(&[&arguments[..], &["--from-tenancy", "row"]].concat());
    assert!(apart.join("notes/acme.db").exists() || apart.join("notes").is_dir());
    let (one, two, three) = (by_schema.url(), by_database.url(), by_row.url());
    fine(&[
        "move",
        schema.path(),
        "--data",
        apart_path,
        "--from-tenancy",
        "database",
        "--to",
        &one,
    ]);
    fine(&["move", database.path(), "--database", &one, "--from-tenancy", "schema", "--to", &two]);
    let listed = fine(&["tenant", "list", database.path(), "--database", &two]);
    assert_eq!(listed.stdout, "acme\nbluebird\n");
    fine(&["move", rows.path(), "--database", &two, "--from-tenancy", "database", "--to", &three]);
    let server = Server::start(rows.path(), &apart, &["--database", &three]);
    stays_good(&server, &given);
    fine(&["audit", "verify", rows.path(), "--database", &three]);
    assert_eq!((count(&server, "acme"), count(&server, "bluebird")), (6, 5));
}

#[test]
fn a_backup_of_rows_is_taken_while_the_backend_runs_and_goes_into_either_store() {
    let (Some(database), Some(other)) = (Database::new(), Database::new()) else { return };
    let (folder, url) = (model("row"), database.url());
    let (path, data) = (folder.path().to_owned(), folder.0.join("data"));
    let server = Server::start(&path, &data, &["--database", &url]);
    let given = fill(&server);
    let backup = folder.0.join("backup");
    let taken = fine(&["backup", plain(&backup), &path, "--database", &url]);
    assert!(taken.stdout.contains("mainstay_idempotency"), "{}", taken.stdout);
    assert!(backup.join("manifest.json").exists() && backup.join("notes_books.jsonl.zst").exists());
    let restore = ["restore", plain(&backup), &path, "--database", &url];
    refused(&restore, &["there are rows in", "--force"]);
    refused(&[&restore[..], &["--force"]].concat(), &["a backend runs on"]);
    let files = folder.0.join("files");
    std::fs::create_dir_all(&files).expect("writable");
    std::fs::copy(data.join("dev-key.pem"), files.join("dev-key.pem")).expect("writable");
    let restored = fine(&["restore", plain(&backup), &path, "--data", plain(&files)]);
    assert_eq!(restored.stdout, taken.stdout, "the same rows and digests");
    let mut server = Server::start(&path, &files, &[]);
    stays_good(&server, &given);
    server.stop();
    let again = folder.0.join("again");
    fine(&["backup", plain(&again), &path, "--data", plain(&files), "--rows"]);
    fine(&["restore", plain(&again), &path, "--database", &other.url()]);
    let elsewhere = model("row").with(
        "mainstay.yaml",
        &MODEL.replace("TENANCY", "row").replace("system: notes", "system: others"),
    );
    let nowhere = folder.0.join("x");
    let wrong = ["restore", plain(&again), elsewhere.path(), "--data", plain(&nowhere)];
    refused(&wrong, &["backup of the system `notes`, and this is `others`"]);
}

#[test]
fn a_tenant_is_taken_along_erased_to_the_last_byte_and_put_back() {
    for tenancy in ["row", "database"] {
        let folder = model(tenancy);
        let (path, data) = (folder.path().to_owned(), folder.0.join("data"));
        let mut server = Server::start(&path, &data, &[]);
        let given = fill(&server);
        let out = folder.0.join("out");
        let of = ["--data", plain(&data)];
        fine(&[&["tenant", "export", "acme", &path, "--to", plain(&out)], &of[..]].concat());
        let erase = [&["tenant", "erase", "acme", &path], &of[..]].concat();
        refused(&erase, &["--yes"]);
        let erase = [&erase[..], &["--yes"]].concat();
        refused(&erase, &["in use by another `mainstay`"]);
        server.stop();
        assert!(holds(&data, b"canary-of-acme"), "it is there before");
        fine(&erase);
        assert!(!holds(&data, b"canary-of-acme"), "{tenancy}: a byte of it is left");
        let listed = fine(&[&["tenant", "list", &path], &of[..]].concat());
        assert_eq!(listed.stdout, "bluebird\n");
        fine(&[&["restore", plain(&out), &path], &of[..]].concat());
        refused(&[&["restore", plain(&out), &path], &of[..]].concat(), &["the tenant `acme` has"]);
        fine(&[&["tenant", "add", "newcomer", &path], &of[..]].concat());
        let server = Server::start(&path, &data, &[]);
        stays_good(&server, &given);
        assert_eq!((count(&server, "acme"), count(&server, "bluebird")), (6, 5));
        assert_eq!(count(&server, "newcomer"), 0);
    }
}

#[test]
fn a_tenant_is_erased_from_a_server() {
    for tenancy in ["row", "schema", "database"] {
        let Some(database) = Database::new() else { return };
        let (folder, url) = (model(tenancy), database.url());
        let (path, data) = (folder.path().to_owned(), folder.0.join("data"));
        let mut server = Server::start(&path, &data, &["--database", &url]);
        fill(&server);
        let erase = ["tenant", "erase", "acme", &path, "--database", &url, "--yes"];
        if tenancy != "row" {
            refused(&erase, &["a backend runs on"]);
            server.stop();
            database.until_left();
        }
        fine(&erase);
        let listed = fine(&["tenant", "list", &path, "--database", &url]);
        assert_eq!(listed.stdout, "bluebird\n", "{tenancy}");
        let tables = "SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) \
                      FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND \
                      table_schema NOT IN ('pg_catalog', 'information_schema')";
        for table in database.query(tables).into_iter().flatten() {
            let found = database.query(&format!(
                "SELECT count(*) FROM {table} t WHERE t::text LIKE '%canary-of-acme%' \
                 OR t::text LIKE '%63616e6172792d6f662d61636d65%'"
            ));
            assert_eq!(found, [["0"]], "{tenancy}: {table}");
        }
    }
}

/// True where a file below a directory holds these bytes.
pub(crate) fn holds(directory: &Path, bytes: &[u8]) -> bool {
    let entries = std::fs::read_dir(directory).expect("readable");
    entries.map(|entry| entry.expect("an entry").path()).any(|path| match path.is_dir() {
        true => holds(&path, bytes),
        false => {
            let all = std::fs::read(&path).expect("readable");
            all.windows(bytes.len()).any(|some| some == bytes)
        }
    })
}

/// A system of two services with a trail.
const HALVES: &str = "
system: halves
constraints: { compliance: [soc2], team: 40 engineers }
actors: { user: oidc }
contexts:
  left:
    resources:
      Note: { fields: { text: string max 9 }, allow: { read: user, write: user } }
  right:
    resources:
      Page: { fields: { text: string max 9 }, allow: { read: user, write: user } }
";

#[test]
fn trails_of_two_services_are_not_put_into_one_and_that_is_said_before_anything_is_done() {
    let Some(database) = Database::new() else { return };
    let (folder, url) = (Folder::new().with("mainstay.yaml", HALVES), database.url());
    let (model, data) = (folder.path().to_owned(), folder.0.join("data"));
    let mut server = Server::start(&model, &data, &[]);
    let make = |server: &Server, path: &str| {
        let token = server.token("user", &[]);
        server.post(path, serde_json::json!({"text": "a"})).bearer(&token).send().expect(201)
    };
    make(&server, "/v1/notes");
    make(&server, "/v1/pages");
    server.stop();
    for file in ["left.db", "right.db"] {
        assert!(data.join(file).exists(), "each service has its file");
    }
    let path = data.to_str().expect("plain");
    let rows = folder.0.join("rows");
    let rows = rows.to_str().expect("plain");
    for arguments in [
        vec!["move", &model, "--data", path, "--to", &url],
        vec!["backup", rows, &model, "--data", path, "--rows"],
    ] {
        let refused = run(&arguments);
        assert_eq!(refused.code, 2, "{}{}", refused.stdout, refused.stderr);
        for told in ["kept by two services", "left.db", "right.db", "`mainstay backup`"] {
            assert!(refused.stderr.contains(told), "{told}: {}", refused.stderr);
        }
    }
    let there = Server::start(&model, &folder.0.join("other"), &["--database", &url]);
    let token = there.token("user", &[]);
    let pages = there.get("/v1/pages").bearer(&token).send().expect(200);
    assert_eq!(pages["items"], serde_json::json!([]), "nothing went there, nor is it half there");
    server = Server::start(&model, &data, &[]);
    make(&server, "/v1/notes");
    server.stop();
    let whole = run(&["audit", "verify", &model, "--data", path]);
    assert_eq!(whole.code, 0, "{}", whole.stderr);
    let files = folder.0.join("files");
    let copied = run(&["backup", files.to_str().expect("plain"), &model, "--data", path]);
    assert_eq!(copied.code, 0, "{}", copied.stderr);
}

#[test]
fn a_trail_that_one_of_two_services_keeps_goes_along() {
    let Some(database) = Database::new() else { return };
    let (folder, url) = (Folder::new().with("mainstay.yaml", HALVES), database.url());
    let (model, data) = (folder.path().to_owned(), folder.0.join("data"));
    let mut server = Server::start(&model, &data, &[]);
    let token = server.token("user", &[]);
    let body = serde_json::json!({"text": "a"});
    server.post("/v1/pages", body).bearer(&token).send().expect(201);
    server.stop();
    let path = data.to_str().expect("plain");
    let moved = run(&["move", &model, "--data", path, "--to", &url]);
    assert_eq!(moved.code, 0, "{}{}", moved.stdout, moved.stderr);
    let whole = run(&["audit", "verify", &model, "--database", &url]);
    assert_eq!((whole.code, whole.stdout.contains("1 entry, unbroken")), (0, true), "{whole:?}");
}
