//! Tables on PostgreSQL follow the model while processes use them: old and new ones side by side,
//! killed migrations, many tenants.

use crate::database::Database;
use crate::harness::{Folder, Ran, Server, WAIT, mainstay, run};
use serde_json::json;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A model of notes with these fields.
pub(crate) fn notes(folder: &Folder, tenancy: &str, fields: &[&str]) {
    let fields: String = fields.iter().map(|field| format!("          {field}\n")).collect();
    let tenancy = if tenancy.is_empty() { "" } else { &format!("tenancy: {tenancy} by org\n") };
    let text = format!(
        "system: lab\n{tenancy}actors: {{ user: oidc }}\ncontexts:\n  lab:\n    resources:\n      \
         Note:\n        fields:\n{fields}        allow: {{ read: user, write: user }}\n"
    );
    std::fs::write(folder.0.join("mainstay.yaml"), text).expect("writable");
}

fn up(folder: &Folder, url: &str, data: &str) -> Server {
    Server::start(folder.path(), &folder.0.join(data), &["--database", url])
}

/// `up` where it does not come to serve.
fn not_up(folder: &Folder, url: &str, more: &[&str]) -> Ran {
    let data = folder.0.join("data");
    let data = data.to_str().expect("plain");
    let listen = ["--listen", "127.0.0.1:0", "--data", data, "--database", url];
    run(&[&["up", folder.path()], &listen[..], more].concat())
}

fn migrate(folder: &Folder, url: &str, more: &[&str]) -> Ran {
    let data = folder.0.join("data");
    let data = data.to_str().expect("plain");
    let mut arguments = vec!["migrate", more[0], folder.path(), "--database", url, "--data", data];
    arguments.extend(&more[1..]);
    run(&arguments)
}

/// How long anybody writes or reads at most, where the test fails before it tells the end.
const LONG: Duration = Duration::from_secs(40);

/// Writes and reads until it is told to end; what went wrong.
fn busy(server: &Server, token: &str, mark: &str, end: &AtomicBool) -> (u32, Vec<String>) {
    let (mut many, mut wrong) = (0, Vec::new());
    let until = Instant::now() + LONG;
    while !end.load(Ordering::Relaxed) && Instant::now() < until {
        let body = json!({"text": mark, "size": many % 9});
        let made = server.post("/v1/notes", body).bearer(token).send();
        if made.status == 201 {
            let id = made.json()["id"].as_str().expect("an id").to_owned();
            let path = format!("/v1/notes/{id}");
            let changed = server.patch(&path, json!({"size": 7})).bearer(token).send();
            let read = server.get(&path).bearer(token).send();
            for answer in [changed, read] {
                if answer.status != 200 {
                    wrong.push(format!("{mark}: {} {}", answer.status, answer.text()));
                }
            }
        } else {
            wrong.push(format!("{mark}: {} {}", made.status, made.text()));
        }
        many += 1;
    }
    (many, wrong)
}

#[test]
fn old_and_new_processes_run_side_by_side_during_and_after_an_expand() {
    let Some(database) = Database::new() else { return };
    let (old, new, url) = (Folder::new(), Folder::new(), database.url());
    notes(&old, "row", &["text: string max 9", "size: int"]);
    let later = ["text: string max 20 search", "size: int", "stars: int = 3", "to: Note optional"];
    notes(&new, "row", &later);
    let first = up(&old, &url, "data");
    let token = first.token("user", &["--tenant", "acme"]);
    let end = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let olds = scope.spawn(|| busy(&first, &token, "old", &end));
        std::thread::sleep(Duration::from_millis(300));
        let refused = not_up(&new, &url, &["--production"]);
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        for told in ["another model", "add lab.notes.stars", "mainstay migrate plan"] {
            assert!(refused.stderr.contains(told), "{}", refused.stderr);
        }
        let planned = migrate(&new, &url, &["plan"]);
        assert_eq!(planned.code, 0, "{}{}", planned.stdout, planned.stderr);
        let file = new.0.join("migrations/0001_lab.postgresql.sql");
        let text = std::fs::read_to_string(file).expect("a file to review");
        assert!(text.contains("CREATE INDEX CONCURRENTLY") && text.contains("NOT VALID"), "{text}");
        let applied = migrate(&new, &url, &["apply"]);
        assert_eq!(applied.code, 0, "{}{}", applied.stdout, applied.stderr);
        let waits = "waits for `mainstay migrate apply --contract`: take the default of \
                     lab.notes.stars";
        assert!(applied.stdout.contains(waits), "{}", applied.stdout);
        let second = Arc::new(up(&new, &url, "data"));
        let user = second.token("user", &["--tenant", "acme"]);
        let news = scope.spawn({
            let (second, user, end) = (Arc::clone(&second), user.clone(), &end);
            move || busy(&second, &user, "a longer new text", end)
        });
        // A process of the former model may start again meanwhile.
        let again = up(&old, &url, "data");
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(again.get("/v1/notes").bearer(&token).send().status, 200);
        let alone = migrate(&new, &url, &["apply", "--contract"]);
        assert_eq!(alone.code, 2, "{}", alone.stdout);
        assert!(alone.stderr.contains("processes of another model use"), "{}", alone.stderr);
        end.store(true, Ordering::Relaxed);
        for ran in [olds.join(), news.join()] {
            let (many, wrong) = ran.expect("no panic");
            assert!(many > 3, "only {many} rounds");
            assert_eq!(wrong, [] as [String; 0]);
        }
        let stars = second.get("/v1/notes?limit=1").bearer(&user).send().expect(200);
        assert_eq!(stars["items"][0]["stars"], 3, "{stars}");
    });
    drop(first);
    database.until_left();
    let whole = migrate(&new, &url, &["apply", "--contract"]);
    assert_eq!(whole.code, 0, "{}{}", whole.stdout, whole.stderr);
    let left = migrate(&new, &url, &["apply", "--contract"]);
    assert_eq!((left.code, left.stdout.as_str()), (0, ""), "nothing is left");
    let (fresh_folder, Some(fresh)) = (Folder::new(), Database::new()) else { return };
    notes(&fresh_folder, "row", &later);
    drop(up(&fresh_folder, &fresh.url(), "data"));
    assert_eq!(tables(&database), tables(&fresh), "as if it had always been so");
}

/// Columns, constraints, indexes and policies of the model's tables.
fn tables(database: &Database) -> Vec<Vec<String>> {
    database.query(
        "SELECT 'column', attrelid::regclass || '.' || attname, format_type(atttypid, atttypmod) || \
         attnotnull::text || coalesce(pg_get_expr(adbin, adrelid), '') FROM pg_attribute LEFT JOIN \
         pg_attrdef ON adrelid = attrelid AND adnum = attnum JOIN pg_class c ON c.oid = attrelid \
         WHERE relnamespace = 'lab'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT \
         attisdropped UNION ALL SELECT 'constraint', conrelid::regclass::text, \
         pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'lab'::regnamespace \
         UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'lab' \
         UNION ALL SELECT 'policy', tablename || policyname, qual || with_check FROM pg_policies \
         ORDER BY 1, 2, 3",
    )
}

#[test]
fn up_in_development_follows_the_model_and_the_last_expand_is_taken_back() {
    let Some(database) = Database::new() else { return };
    let (folder, url) = (Folder::new(), database.url());
    notes(&folder, "", &["text: string max 9", "size: int"]);
    let mut server = up(&folder, &url, "data");
    let token = server.token("user", &[]);
    let body = json!({"text": "a", "size": 1});
    server.post("/v1/notes", body).bearer(&token).send().expect(201);
    server.stop();
    database.until_left();
    notes(
        &folder,
        "",
        &["text: string max 9", "number: { type: int, was: size }", "more: bool = true"],
    );
    let server = up(&folder, &url, "data");
    assert!(server.log().contains("rename lab.notes.size to number"), "{}", server.log());
    let rows = server.get("/v1/notes").bearer(&token).send().expect(200);
    assert_eq!((&rows["items"][0]["number"], &rows["items"][0]["more"]), (&json!(1), &json!(true)));
    drop(server);
    database.until_left();
    notes(
        &folder,
        "",
        &["text: string max 9", "number: int", "more: bool = true", "note: string optional"],
    );
    let applied = migrate(&folder, &url, &["apply"]);
    assert_eq!(applied.code, 0, "{}{}", applied.stdout, applied.stderr);
    let undone = migrate(&folder, &url, &["undo"]);
    assert!(undone.stdout.contains("took back `add lab.notes.note`"), "{}", undone.stdout);
    notes(&folder, "", &["text: string max 9", "number: int", "more: bool = true"]);
    drop(up(&folder, &url, "data"));
    database.until_left();
    database.query("ALTER TABLE lab.notes ADD COLUMN mine int");
    notes(&folder, "", &["text: string max 8", "number: int", "more: bool = true"]);
    let refused = migrate(&folder, &url, &["apply"]);
    assert_eq!(refused.code, 1, "{}", refused.stdout);
    assert!(
        refused.stdout.contains("behind Mainstay's back: + \"mine\" integer"),
        "{}",
        refused.stdout
    );
}

/// Some ten thousand rows.
const MANY: u32 = 30_000;

fn many(database: &Database) {
    database.query(&format!(
        "INSERT INTO lab.notes (id, row_version, created_at, updated_at, text, size) SELECT \
         ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 1, now(), now(), \
         'text ' || n, n FROM generate_series(1, {MANY}) n"
    ));
}

/// Repeats a statement that may take so long.
fn repeated(url: &str, text: &str, most: Duration, done: &AtomicBool) -> Result<u32, String> {
    let (mut many, until) = (0, Instant::now() + LONG);
    let most = most.as_millis();
    while !done.load(Ordering::Relaxed) && Instant::now() < until {
        crate::database::query(url, &format!("SET statement_timeout = '{most}ms'; {text}"))?;
        many += 1;
    }
    Ok(many)
}

/// How often as long as the rows took to be made one statement may take.
const MOST: u32 = 4;

#[test]
fn nobody_waits_long_while_ten_thousands_of_rows_are_changed() {
    let Some(database) = Database::new() else { return };
    let (folder, url) = (Folder::new(), database.url());
    notes(&folder, "", &["text: string max 20", "size: int"]);
    let server = up(&folder, &url, "data");
    let began = Instant::now();
    many(&database);
    // A second, or on a slow machine as much longer as that takes longer there.
    let most = (began.elapsed() * MOST).max(Duration::from_secs(1));
    notes(
        &folder,
        "",
        &[
            "text: string max 19 search",
            "size: int 0..99999",
            "stars: int = 3",
            "to: Note optional",
        ],
    );
    let (done, ended, url) = (AtomicBool::new(false), AtomicBool::new(false), &url);
    std::thread::scope(|scope| {
        let traffic = |done, text| scope.spawn(move || repeated(url, text, most, done));
        let update = "UPDATE lab.notes SET row_version = row_version + 1 WHERE size = 77";
        let insert = "INSERT INTO lab.notes (id, row_version, created_at, updated_at, text, size) \
                      VALUES (gen_random_uuid(), 1, now(), now(), 'x', 5)";
        let all = [
            traffic(&done, update),
            traffic(&done, "SELECT text FROM lab.notes WHERE size = 78"),
            // As a process of the former model does, for as long as there is one.
            traffic(&ended, insert),
        ];
        let applied = migrate(&folder, url, &["apply"]);
        ended.store(true, Ordering::Relaxed);
        drop(server);
        database.until_left();
        let whole = migrate(&folder, url, &["apply", "--contract"]);
        done.store(true, Ordering::Relaxed);
        for ran in [&applied, &whole] {
            assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        }
        assert!(applied.stderr.contains("fill lab.notes.text_search: "), "{}", applied.stderr);
        for one in all {
            let ran = one.join().expect("no panic");
            assert!(ran.as_ref().is_ok_and(|many| *many > 3), "{ran:?}");
        }
    });
    let found = database.query("SELECT count(*) FROM lab.notes WHERE text_search LIKE '%text 77%'");
    assert_ne!(found, [["0"]]);
}

/// Kills a migration with `kill -9` once the database shows that it is in the middle of a step.
fn killed_at(folder: &Folder, database: &Database, middle: &str) {
    let data = folder.0.join("data");
    let data = data.to_str().expect("plain");
    let url = database.url();
    let mut child =
        mainstay(&["migrate", "apply", folder.path(), "--database", &url, "--data", data])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
    let end = Instant::now() + WAIT;
    while database.query(middle).is_empty() {
        assert!(Instant::now() < end, "it never came to {middle}");
        let ended = child.try_wait().expect("a child can be waited for");
        assert!(ended.is_none(), "it ended before {middle}");
    }
    child.kill().expect("it lives");
    child.wait().expect("it ends");
}

#[test]
fn a_migration_killed_in_a_fill_and_in_an_index_goes_on_where_it_was() {
    let Some(database) = Database::new() else { return };
    let (folder, url) = (Folder::new(), database.url());
    notes(&folder, "", &["text: string max 20", "size: int"]);
    drop(up(&folder, &url, "data"));
    many(&database);
    notes(&folder, "", &["text: string max 20 search", "size: int"]);
    // The last row waits for this, so that it is caught in the middle.
    database.query(&format!(
        "CREATE FUNCTION public.waits() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM \
         pg_advisory_xact_lock(77); RETURN NEW; END $$; CREATE TRIGGER waits BEFORE UPDATE ON \
         lab.notes FOR EACH ROW WHEN (NEW.size = {MANY}) EXECUTE FUNCTION public.waits()"
    ));
    let held = database.hold("SELECT pg_advisory_xact_lock(77)");
    killed_at(
        &folder,
        &database,
        "SELECT 1 FROM mainstay.meta WHERE name = 'migrating lab' AND value LIKE '%fill%' AND \
         (value::json ->> 'from')::int > 0",
    );
    drop(held);
    database.until_left();
    database.query("DROP FUNCTION public.waits CASCADE");
    let begun = database.query("SELECT value FROM mainstay.meta WHERE name = 'migrating lab'");
    assert!(begun[0][0].contains("fill lab.notes.text_search"), "{begun:?}");
    let planned = migrate(&folder, &url, &["plan"]);
    assert_eq!(planned.code, 0, "{}{}", planned.stdout, planned.stderr);
    // An index waits for this transaction, so that it is caught in the middle.
    let held = database.hold("UPDATE lab.notes SET row_version = 1 WHERE size = 1");
    killed_at(
        &folder,
        &database,
        "SELECT 1 FROM pg_index WHERE NOT indisvalid AND indrelid = 'lab.notes'::regclass",
    );
    drop(held);
    let applied = migrate(&folder, &url, &["apply"]);
    assert_eq!(applied.code, 0, "{}{}", applied.stdout, applied.stderr);
    let invalid = database.query("SELECT 1 FROM pg_index WHERE NOT indisvalid");
    assert!(invalid.is_empty(), "no index is half made");
    let empty = database.query("SELECT count(*) FROM lab.notes WHERE text_search IS NULL");
    assert_eq!(empty, [["0"]]);
    let twice =
        database.query("SELECT name FROM mainstay.migrations GROUP BY 1 HAVING count(*) > 1");
    assert!(twice.is_empty(), "{twice:?} was noted twice");
    drop(up(&folder, &url, "data"));
}

#[test]
fn of_many_tenants_one_that_fails_is_named_and_followed_later() {
    for tenancy in ["schema", "database"] {
        let Some(database) = Database::new() else { return };
        let (folder, url) = (Folder::new(), database.url());
        notes(&folder, tenancy, &["text: string max 9", "size: int"]);
        let server = up(&folder, &url, "data");
        for number in 0..6 {
            let token = server.token("user", &["--tenant", &format!("t{number}")]);
            let body = json!({"text": "a", "size": number});
            server.post("/v1/notes", body).bearer(&token).send().expect(201);
        }
        drop(server);
        database.until_left();
        notes(
            &folder,
            tenancy,
            &["text: string max 9", "size: int max 4", "note: string optional"],
        );
        let refused = migrate(&folder, &url, &["apply", "--contract"]);
        assert_eq!(refused.code, 1, "{}{}", refused.stdout, refused.stderr);
        let fault = "1 row of `lab.notes` have a `size` outside the range of the model";
        assert_eq!(refused.stdout.matches(fault).count(), 1, "{}", refused.stdout);
        let failed = refused.stdout.split(fault).next().unwrap_or_default();
        assert!(failed.contains("t5:"), "it is the last of them: {}", refused.stdout);
        let refused = not_up(&folder, &url, &[]);
        assert!(refused.stderr.contains("can't follow the model"), "{}", refused.stderr);
        notes(
            &folder,
            tenancy,
            &["text: string max 9", "size: int max 5", "note: string optional"],
        );
        let applied = migrate(&folder, &url, &["apply", "--contract"]);
        assert_eq!(applied.code, 0, "{}{}", applied.stdout, applied.stderr);
        let server = up(&folder, &url, "data");
        for number in 0..7 {
            let token = server.token("user", &["--tenant", &format!("t{number}")]);
            let body = json!({"text": "a", "size": 1, "note": "new"});
            server.post("/v1/notes", body).bearer(&token).send().expect(201);
        }
    }
}
