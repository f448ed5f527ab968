//! What rows say of one person goes, from every table and byte; rows and what others are stay.

use crate::database::{Database, until_left};
use crate::harness::{Folder, Server, run, until};
use crate::scenes::text;
use crate::transfers::holds;
use serde_json::json;
use std::path::Path;

const MODEL: &str = "
system: clinic
tenancy: row by org
actors: { patient: oidc, staff: oidc }
constraints: { compliance: [soc2] }
contexts:
  care:
    resources:
      Person:
        fields:
          owner: actor patient
          name: string max 40 personal search
          email: email personal unique
          phone: string max 30 personal optional
          born: date personal
          note: string max 40
          doctor: actor staff optional
          contacts: many Contact 0..5
        emit: [created]
        allow: { read: [patient, staff], write: [patient, staff] }
      Contact:
        fields: { label: string max 20, phone: string max 30 personal }
      Diary:
        fields: { writer: { type: actor patient, personal: true }, line: string max 80 personal }
        allow: { read: [patient, staff], write: [patient, staff] }
events:
  person.created: { data: [id, email, note] }
";

const CANARY: &str = "canary";

fn person(which: &str) -> serde_json::Value {
    json!({
        "name": format!("{which} name"), "email": format!("{which}@example.org"),
        "phone": format!("{which}-1"), "born": "1980-02-29", "note": "kept", "doctor": "house",
        "contacts": [{"label": "home", "phone": format!("{which}-2")}],
    })
}

/// On a store; `database` adds its arguments.
fn erases(data: &Path, folder: &Folder, database: &[&str], beside: bool) {
    let path = folder.path().to_owned();
    let mut server = Server::start(&path, data, database);
    let sam = format!("{CANARY}-sam");
    let token = |server: &Server, who: &str| {
        server.token("patient", &["--tenant", "acme", "--subject", who])
    };
    let (mine, other) = (token(&server, "sam"), token(&server, "eve"));
    let other_diary = token(&server, &sam);
    let key = "\"once\"";
    let made = server.post("/v1/people", person(CANARY)).bearer(&mine);
    let made = made.header("idempotency-key", key).send().expect(201);
    let kept = server.post("/v1/people", person("eve")).bearer(&other).send().expect(201);
    let line = json!({"line": format!("{CANARY} of a diary")});
    let diary = server.post("/v1/diaries", line).bearer(&other_diary).send().expect(201);
    let of = |row: &serde_json::Value| format!("/v1/people/{}", text(row, "id"));
    let before = server.get(&of(&made)).bearer(&mine).send().header("etag").to_owned();
    let export = server.request("POST", "/v1/people/export").bearer(&mine).send();
    let export = export.header("location").to_owned();
    let state = || server.get(&export).bearer(&mine).send().expect(200);
    until(|| state().to_string(), || state()["state"] == "done");
    let erase = |who: &str, more: &[&str]| {
        let data = data.to_str().expect("a plain name");
        let place = if database.is_empty() { vec!["--data", data] } else { database.to_vec() };
        run(&[&["erase", who, &path][..], &place, more].concat())
    };
    if !beside {
        let refused = erase("sam", &["--yes"]);
        assert!(refused.stderr.contains("in use by another `mainstay`"), "{}", refused.stderr);
        server.stop();
    }
    let refused = erase("sam", &[]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("--yes"), "{}", refused.stderr);
    let counted = erase("sam", &["--dry-run"]);
    assert!(counted.stderr.contains("1 row would be erased"), "{}", counted.stderr);
    let doctor = erase("house", &["--dry-run", "--actor", "patient"]);
    assert!(doctor.stderr.contains("0 rows would be erased"), "{}", doctor.stderr);
    let done = erase("sam", &["--yes"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let told = "1 row erased; 1 kept answer and personal members of 1 event removed";
    assert!(done.stderr.contains(told), "{}", done.stderr);
    let done = erase(&sam, &["--yes", "--tenant", "acme"]);
    assert!(done.stderr.contains("1 row erased"), "{}", done.stderr);
    for who in ["sam", &sam] {
        let again = erase(who, &["--yes"]);
        assert!(again.stderr.contains("0 rows erased"), "{}", again.stderr);
    }
    if !beside {
        server = Server::start(&path, data, database);
    }
    let gone = server.get(&export).bearer(&mine).send();
    assert_eq!(gone.problem(404), "not-found", "an export that held the row is gone");
    let row = server.get(&of(&made)).bearer(&mine).send();
    assert_ne!(row.header("etag"), before, "the row is another");
    let row = row.expect(200);
    let id = text(&made, "id").replace('-', "");
    assert_eq!(row["name"], "erased");
    assert_eq!(row["email"], json!(format!("erased-{id}@invalid")));
    assert_eq!((&row["phone"], &row["born"]), (&json!(null), &json!("1970-01-01")));
    assert_eq!((&row["note"], &row["owner"]), (&json!("kept"), &json!("sam")));
    assert_eq!(row["contacts"][0]["label"], "home");
    assert_eq!(row["contacts"][0]["phone"], "erased");
    let diary_id = text(&diary, "id");
    let diary = server.get(&format!("/v1/diaries/{diary_id}")).bearer(&mine).send().expect(200);
    assert_eq!(diary["writer"], json!(format!("erased-{}", diary_id.replace('-', ""))));
    let found = server.get(&format!("/v1/people?q={CANARY}")).bearer(&mine).send().expect(200);
    assert_eq!(found["items"], json!([]));
    assert_eq!(server.get(&of(&kept)).bearer(&other).send().expect(200), kept);
    server.stop();
}

#[test]
fn a_persons_fields_are_erased_from_files_to_the_last_byte() {
    let folder = Folder::new().with("mainstay.yaml", MODEL);
    let data = folder.0.join("data");
    erases(&data, &folder, &[], false);
    assert!(!holds(&data, b"canary name"), "a byte of it is left");
    assert!(!holds(&data, b"canary@example"), "a byte of it is left");
    assert!(!holds(&data, b"canary-1") && !holds(&data, b"canary-2"), "a byte of it is left");
    assert!(!holds(&data, b"canary of a diary"), "a byte of it is left");
    let verified =
        run(&["audit", "verify", folder.path(), "--data", data.to_str().expect("a plain name")]);
    assert_eq!(verified.code, 0, "{}", verified.stderr);
}

#[test]
fn a_persons_fields_are_erased_from_a_server_while_a_backend_runs() {
    let Some(database) = Database::new() else { return };
    let folder = Folder::new().with("mainstay.yaml", MODEL);
    let (data, url) = (folder.0.join("data"), database.url());
    erases(&data, &folder, &["--database", &url], true);
    let tables = "SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) FROM \
                  information_schema.tables WHERE table_type = 'BASE TABLE' AND \
                  table_schema NOT IN ('pg_catalog', 'information_schema')";
    for table in database.query(tables).into_iter().flatten() {
        for left in ["canary name", "canary@", "canary-1", "canary-2", "canary of"] {
            let bytes: String = left.bytes().map(|byte| format!("{byte:02x}")).collect();
            let found = database.query(&format!(
                "SELECT count(*) FROM {table} t WHERE t::text LIKE '%{left}%' \
                 OR t::text LIKE '%{bytes}%'"
            ));
            assert_eq!(found, [["0"]], "{left} is in {table}");
        }
    }
}

/// Erases a person in one tenant of several, each with a place of its own, and looks at the others.
fn erases_in_places(tenancy: &str, folder: &Folder, database: &[&str]) {
    let path = folder.path().to_owned();
    let model = MODEL.replace("tenancy: row", &format!("tenancy: {tenancy}"));
    std::fs::write(folder.0.join("mainstay.yaml"), model).expect("writable");
    let data = folder.0.join("data");
    let mut server = Server::start(&path, &data, database);
    let tenants = ["acme", "beta", "gamma"];
    let token = |server: &Server, tenant: &str, who: &str| {
        server.token("patient", &["--tenant", tenant, "--subject", who])
    };
    let mut rows = Vec::new();
    for tenant in tenants {
        for who in ["sam", "eve"] {
            let post = server.post("/v1/people", person(&format!("{tenant}-{who}")));
            let post = post.bearer(&token(&server, tenant, who)).header("idempotency-key", "\"k\"");
            rows.push((tenant, who, post.send().expect(201)));
        }
    }
    server.stop();
    database.iter().skip(1).for_each(|url| until_left(url));
    let erase = |more: &[&str]| {
        let data = data.to_str().expect("a plain name");
        let place = if database.is_empty() { vec!["--data", data] } else { database.to_vec() };
        let done = run(&[&["erase", "sam", &path, "--yes"][..], &place, more].concat());
        assert_eq!(done.code, 0, "{}", done.stderr);
        done.stderr
    };
    let one = erase(&["--tenant", "acme"]);
    let told = |many: &str| format!("{many} erased; {}", many.replace("row", "kept answer"));
    assert!(one.contains(&told("1 row")), "{tenancy}: {one}");
    let rest = erase(&[]);
    assert!(rest.contains(&told("2 rows")), "{tenancy}: {rest}");
    assert!(erase(&[]).contains("0 rows erased"), "{tenancy}: there is nothing left to do");
    server = Server::start(&path, &data, database);
    for (tenant, who, made) in &rows {
        let of = format!("/v1/people/{}", text(made, "id"));
        let row = server.get(&of).bearer(&token(&server, tenant, who)).send().expect(200);
        match *who {
            "sam" => {
                assert_eq!((&row["name"], &row["note"]), (&json!("erased"), &json!("kept")));
                assert_eq!(row["contacts"][0]["phone"], "erased");
            }
            _ => assert_eq!(&row, made, "{tenancy}: it is of another"),
        }
        // Nobody else's answer was forgotten.
        let again = server.post("/v1/people", person(&format!("{tenant}-{who}")));
        let again = again.bearer(&token(&server, tenant, who)).header("idempotency-key", "\"k\"");
        let again = again.send();
        let replayed = again.header("idempotent-replayed") == "true";
        assert_eq!(replayed, *who == "eve", "{tenancy}, {tenant}: {}", again.text());
    }
    server.stop();
}

#[test]
fn a_person_is_erased_where_tenants_have_a_file_each() {
    let folder = Folder::new();
    erases_in_places("database", &folder, &[]);
    let data = folder.0.join("data");
    for tenant in ["acme", "beta", "gamma"] {
        assert!(data.join(format!("clinic/{tenant}.db")).exists(), "it has one");
    }
}

#[test]
fn a_person_is_erased_where_tenants_have_a_schema_or_a_database_each() {
    for tenancy in ["schema", "database"] {
        let Some(database) = Database::new() else { return };
        let (folder, url) = (Folder::new(), database.url());
        erases_in_places(tenancy, &folder, &["--database", &url]);
        let apart = match tenancy {
            "schema" => "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 't\\_%'".to_owned(),
            _ => {
                let name = url.rsplit('/').next().expect("a name").to_owned();
                format!("SELECT count(*) FROM pg_database WHERE datname LIKE '{name}\\_%'")
            }
        };
        assert_eq!(database.query(&apart), [["3"]], "{tenancy}: each has its own");
    }
}
