//! `mainstay migrate` on files: a plan is reviewed, carried out once, refused where it would lose
//! something or meets what nobody planned, and taken back.

use crate::harness::{Folder, Server, mainstay, run};
use rusqlite::Connection;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// A model of notes with these fields.
fn notes(folder: &Folder, name: &str, fields: &[&str]) {
    let fields: String = fields.iter().map(|field| format!("          {field}\n")).collect();
    let text = format!(
        "system: lab\nactors: {{ user: oidc }}\ncontexts:\n  lab:\n    resources:\n      {name}\n        \
         fields:\n{fields}        allow: {{ read: user, write: user }}\n"
    );
    std::fs::write(folder.0.join("mainstay.yaml"), text).expect("writable");
}

/// A directory whose data was made for a first model, with rows.
fn made(fields: &[&str], rows: &str) -> (Folder, Connection) {
    let folder = Folder::new();
    notes(&folder, "Note:", fields);
    drop(Server::start(folder.path(), &folder.0.join(".mainstay"), &[]));
    let data = Connection::open(folder.0.join(".mainstay/lab.db")).expect("the data is there");
    data.execute_batch(rows).expect("rows are taken");
    (folder, data)
}

const TWO_NOTES: &str = "INSERT INTO lab_notes VALUES \
    (x'00000000000000000000000000000001', 1, 0, 0, 'a', 1), \
    (x'00000000000000000000000000000002', 1, 0, 0, 'a', 2)";

#[test]
fn a_plan_is_written_for_review_and_carried_out_once() {
    let (folder, data) = made(&["text: string max 9", "size: int"], TWO_NOTES);
    notes(
        &folder,
        "Memo:\n        was: Note",
        &["words: { type: string, max: 20, was: text }", "size: decimal(9.2)", "stars: int = 3"],
    );
    let planned = run(&["migrate", "plan", folder.path()]);
    assert_eq!(planned.code, 0, "{}", planned.stderr);
    let file = folder.0.join("migrations/0001_lab.sqlite.sql");
    let text = std::fs::read_to_string(&file).expect("a file to review");
    assert!(text.contains("[expand, needs backfill]") && text.contains("locks:"), "{text}");
    std::fs::write(&file, text.replace("SET \"stars\" = 3", "SET \"stars\" = 4"))
        .expect("writable");
    let refused = run(&["migrate", "apply", folder.path()]);
    assert_eq!(refused.code, 1);
    assert!(
        refused.stdout.contains("is not in the file that was reviewed: +"),
        "{}",
        refused.stdout
    );
    std::fs::write(&file, text).expect("writable");
    let applied = run(&["migrate", "apply", folder.path()]);
    assert_eq!(applied.code, 0, "{}", applied.stdout);
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let rows: (String, i64, i64) = data
        .query_row("SELECT words, size, stars FROM lab_memos ORDER BY id DESC", [], row)
        .expect("the row is there under its new name");
    assert_eq!(rows, ("a".to_owned(), 200, 3));
    let again = run(&["migrate", "apply", folder.path()]);
    assert_eq!((again.code, again.stdout.as_str()), (0, ""), "there is nothing left to do");
}

#[test]
fn rows_that_break_a_new_rule_are_counted_and_named_and_nothing_is_changed() {
    let (folder, _data) = made(&["text: string max 9", "size: int"], TWO_NOTES);
    notes(&folder, "Note:", &["text: string max 9 unique", "size: int max 1"]);
    let ran = run(&["migrate", "apply", folder.path()]);
    assert_eq!(ran.code, 1);
    for told in [
        "2 rows of `lab.notes` are equal to another in text",
        "1 row of `lab.notes` have a `size` outside the range of the model \
         (00000000000000000000000000000002)",
    ] {
        assert!(ran.stdout.contains(told), "{}", ran.stdout);
    }
    notes(&folder, "Note:", &["text: string max 9", "size: money EUR"]);
    let ran = run(&["migrate", "plan", folder.path()]);
    assert!(ran.stdout.contains("it was an int and is money; add a field"), "{}", ran.stdout);
    notes(&folder, "Note:", &["text: string max 9", "size: int"]);
    let ran = run(&["migrate", "plan", folder.path()]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "the first model still runs");
}

#[test]
fn values_are_lost_only_with_their_name_and_up_goes_on_without_them() {
    let (folder, data) = made(&["text: string max 9", "size: int"], TWO_NOTES);
    notes(&folder, "Note:", &["text: string max 9", "note: string optional"]);
    drop(Server::start(folder.path(), &folder.0.join(".mainstay"), &[]));
    let sizes = "SELECT count(size) FROM lab_notes";
    let sizes = || data.query_row(sizes, [], |row| row.get::<_, i64>(0));
    assert_eq!(sizes().ok(), Some(2), "`up` added a column and kept another");
    let kept = run(&["migrate", "apply", folder.path()]);
    assert!(kept.stdout.contains("kept `lab.notes.size`, in no model: 2 rows"), "{}", kept.stdout);
    let gone = run(&["migrate", "apply", folder.path(), "--allow-destroy", "lab.notes.size"]);
    assert_eq!(gone.code, 0, "{}", gone.stdout);
    assert!(sizes().is_err(), "the column is gone");
}

#[test]
fn a_table_changed_behind_its_back_is_refused_with_the_difference() {
    let (folder, data) = made(&["text: string max 9", "size: int"], TWO_NOTES);
    data.execute_batch("ALTER TABLE lab_notes ADD COLUMN mine INTEGER").expect("it is added");
    notes(&folder, "Note:", &["text: string max 9", "size: int", "note: string optional"]);
    let ran = run(&["migrate", "apply", folder.path()]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("behind Mainstay's back: + \"mine\" INTEGER"), "{}", ran.stdout);
}

#[test]
fn the_last_step_is_taken_back() {
    let (folder, data) = made(&["text: string max 9", "size: int"], TWO_NOTES);
    notes(&folder, "Note:", &["text: string max 9", "size: int", "note: string optional"]);
    assert_eq!(run(&["migrate", "apply", folder.path()]).code, 0);
    let notes = || data.query_row("SELECT count(note) FROM lab_notes", [], |_| Ok(()));
    assert!(notes().is_ok());
    let undone = run(&["migrate", "undo", folder.path()]);
    assert!(undone.stdout.contains("took back `add lab.notes.note`"), "{}", undone.stdout);
    assert!(notes().is_err());
}

#[test]
fn a_plan_is_made_beside_a_backend_that_serves_the_data() {
    for tenancy in ["", "tenancy: database by org\n"] {
        let folder = Folder::new();
        notes(&folder, "Note:", &["text: string max 9", "size: int"]);
        let file = folder.0.join("mainstay.yaml");
        let model = |text: String| text.replacen("actors:", &format!("{tenancy}actors:"), 1);
        let text = model(std::fs::read_to_string(&file).expect("readable"));
        std::fs::write(&file, &text).expect("writable");
        let server = Server::start(folder.path(), &folder.0.join(".mainstay"), &["--no-watch"]);
        let token = server.token("user", &["--tenant", "acme"][..tenancy.len().min(2)]);
        let body = serde_json::json!({"text": "a", "size": 1});
        server.post("/v1/notes", body).bearer(&token).send().expect(201);
        std::fs::write(&file, text.replace("size: int", "size: int max 0")).expect("writable");
        let planned = run(&["migrate", "plan", folder.path()]);
        assert_eq!(planned.code, 1, "{}{}", planned.stdout, planned.stderr);
        assert!(planned.stdout.contains("outside the range"), "it saw the row: {}", planned.stdout);
        std::fs::write(&file, text.replace("size: int", "size: int\n          to: Note optional"))
            .expect("writable");
        let planned = run(&["migrate", "plan", folder.path()]);
        assert_eq!(planned.code, 0, "{}{}", planned.stdout, planned.stderr);
        assert!(planned.stdout.contains("add lab.notes.to"), "{}", planned.stdout);
        let applied = run(&["migrate", "apply", folder.path()]);
        assert_eq!(applied.code, 2, "it is in use: {}", applied.stdout);
        let notes = server.get("/v1/notes").bearer(&token).send().expect(200);
        assert_eq!(notes["items"].as_array().map(Vec::len), Some(1), "{notes}");
    }
}

/// Rows that take some chunks.
const MANY: u32 = 20_000;

/// Everything that a file has, but its journal and how it got there.
fn whole(data: &Connection) -> Vec<String> {
    let mut all = Vec::new();
    for text in [
        "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema WHERE name NOT \
         LIKE 'sqlite_%' ORDER BY 1",
        "SELECT hex(id) || ' ' || words || ' ' || size || ' ' || stars || ' ' || words_search FROM \
         lab_memos ORDER BY 1",
        "SELECT value FROM mainstay_meta WHERE name IN ('schema', 'fingerprint', 'migrating') \
         ORDER BY name",
        "SELECT name || ' ' || checksum FROM mainstay_migrations ORDER BY number",
        "PRAGMA integrity_check",
    ] {
        let mut statement = data.prepare(text).expect("it is SQL");
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).expect("it runs");
        all.extend(rows.map(|row| row.expect("a text")));
    }
    all
}

/// Kills `migrate apply` with `kill -9` as soon as the file shows a moment; true where it did not
/// end before.
fn killed_at(folder: &Folder, data: &Connection, moment: &str) -> bool {
    let mut child = mainstay(&["migrate", "apply", folder.path()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        // There is no journal at the beginning.
        let seen = data.query_row(moment, [], |row| row.get(0)).unwrap_or(false);
        if child.try_wait().expect("a child can be waited for").is_some() {
            return false;
        }
        if seen {
            child.kill().expect("it lives");
            child.wait().expect("it ends");
            return true;
        }
        assert!(Instant::now() < end, "it never came to {moment}");
    }
}

#[test]
fn a_migration_killed_at_any_moment_goes_on_to_the_same_tables_and_rows() {
    let rows = format!(
        "INSERT INTO lab_notes WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
         WHERE i < {MANY}) SELECT unhex(printf('%032x', i)), 1, 0, 0, 'Text ' || i, i FROM n"
    );
    let (folder, data) = made(&["text: string max 10", "size: int"], &rows);
    notes(
        &folder,
        "Memo:\n        was: Note",
        &[
            "words: { type: string, max: 10, was: text, search: true, unique: true }",
            "size: decimal(9.2)",
            "stars: int = 3",
        ],
    );
    let (file, start) = (folder.0.join(".mainstay/lab.db"), folder.0.join("start.db"));
    let again = |data: Connection| {
        drop(data);
        std::fs::copy(&start, &file).expect("copied");
        Connection::open(&file).expect("the data is there")
    };
    data.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("all is in the file");
    std::fs::copy(&file, &start).expect("copied");
    let applied = run(&["migrate", "apply", folder.path()]);
    assert_eq!(applied.code, 0, "{}{}", applied.stdout, applied.stderr);
    let (expected, mut data) = (whole(&data), data);
    let journal = |number: u32| format!("SELECT count(*) >= {number} FROM mainstay_migrations");
    let filling = |step: &str| {
        format!(
            "SELECT value ->> 'from' > 0 AND value ->> 'step' = '{step}' FROM mainstay_meta WHERE \
             name = 'migrating' AND value <> ''"
        )
    };
    let moments = [
        vec![journal(1)],
        vec![filling("add lab.memos.stars")],
        vec![filling("fill lab.memos.words_search"), filling("fill lab.memos.mainstay_new_size")],
        vec![journal(2), journal(4), journal(5), journal(6), journal(7)],
    ];
    let mut killed = 0;
    for moments in &moments {
        data = again(data);
        for moment in moments {
            killed += usize::from(killed_at(&folder, &data, moment));
        }
        let applied = run(&["migrate", "apply", folder.path()]);
        assert_eq!(applied.code, 0, "{}{}", applied.stdout, applied.stderr);
        assert_eq!(whole(&data).len(), expected.len());
        for (is, was) in whole(&data).iter().zip(&expected) {
            assert_eq!(is, was, "after {moments:?}");
        }
    }
    assert!(killed >= 6, "only {killed} were killed in the middle");
}
