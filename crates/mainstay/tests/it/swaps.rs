//! A swap that fails once tables have changed: what was done is undone, or hurts nobody.

use crate::database::Database;
use crate::harness::{Folder, Server};
use crate::live::{COLOUR, Live, TAG, TINT, hang_up, model};
use serde_json::json;

/// Fails where a row is touched whose title is `poison`.
const TRIGGER: (&str, &str) = (
    "CREATE TRIGGER refuse BEFORE UPDATE ON main_notes WHEN NEW.title = 'poison' BEGIN SELECT \
     RAISE(ABORT, 'by hand'); END",
    "CREATE FUNCTION main.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.title = \
     'poison' THEN RAISE 'by hand'; END IF; RETURN NEW; END $$; CREATE TRIGGER refuse BEFORE \
     UPDATE ON main.notes FOR EACH ROW EXECUTE FUNCTION main.refuse()",
);

#[test]
pub(crate) fn a_swap_that_fails_in_the_middle_of_its_steps_takes_them_back() {
    let live = Live::start(&model(COLOUR, "", ""), &[]);
    let note = live.make("/v1/notes", json!({"title": "poison", "colour": "red"}));
    let path = format!("/v1/notes/{}", note["id"].as_str().expect("an id"));
    live.sql(TRIGGER);
    let (hash, stars) = (live.hash(), "          stars: int = 3\n");
    let next = model(&format!("{TINT}{stars}"), "", TAG).replace("max 80", "max 80 search");
    live.save(&next);
    live.until("it is told", || live.log().contains("still serving the model"));
    let log = live.log();
    for told in ["about to migrate", "rename main.notes.colour to tint", "by hand"] {
        assert!(log.contains(told), "{told}: {log}");
    }
    assert!(log.contains("rename main.notes.tint to colour"), "it was renamed, and back: {log}");
    assert_eq!(live.hash(), hash);
    let read = live.server.get(&path).send().expect(200);
    assert_eq!((&read["colour"], &read["title"]), (&json!("red"), &json!("poison")), "{read}");
    let more = live.make("/v1/notes", json!({"title": "b", "colour": "blue"}));
    assert_eq!(more["colour"], "blue");
    live.sql(("DROP TRIGGER refuse", "DROP TRIGGER refuse ON main.notes"));
    live.swap(&format!("# mended\n{next}"));
    let read = live.server.get(&path).send().expect(200);
    assert_eq!((&read["tint"], &read["stars"]), (&json!("red"), &json!(3)), "{read}");
    live.make("/v1/tags", json!({"word": "w"}));
    let found = live.server.get("/v1/notes?q=poison").send().expect(200);
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "{found}");
}

/// Only a server has things that depend on a table: run from `postgresql.rs`.
pub(crate) fn what_a_swap_tightened_before_it_failed_is_loose_again() {
    let live = Live::start(&model(COLOUR, "", TAG), &[]);
    live.make("/v1/notes", json!({"title": "a", "colour": "red"}));
    // Nothing may drop the empty table while the view is there.
    live.sql(("", "CREATE VIEW main.seen AS SELECT word FROM main.tags"));
    let required = "          colour: { type: string, max: 20, value: \"'x'\" }\n";
    live.save(&model(required, "", ""));
    live.until("it is told", || live.log().contains("still serving the model"));
    let log = live.log();
    assert!(log.contains("tighten main.notes") && log.contains("main.seen"), "{log}");
    live.make("/v1/notes", json!({"title": "b"}));
    live.make("/v1/tags", json!({"word": "w"}));
}

#[test]
fn what_other_processes_do_not_bear_is_refused_before_anybody_waits() {
    let Some(database) = Database::new() else { return };
    let (folder, url) = (Folder::new(), database.url());
    let former = model(COLOUR, "", "");
    let (one, two) =
        (folder.with("one/mainstay.yaml", &former), Folder::new().with("mainstay.yaml", &former));
    let more = ["--database", url.as_str()];
    let first = Server::start(&format!("{}/one", one.path()), &one.0.join("data"), &more);
    let server = Server::start(two.path(), &two.0.join("data"), &more);
    // As a whole: the server looks by itself too, and half a model is another fault.
    let (new, file) = (two.0.join(".mainstay.yaml.new"), two.0.join("mainstay.yaml"));
    std::fs::write(&new, model(TINT, "", "")).expect("writable");
    std::fs::rename(&new, &file).expect("renamed");
    hang_up(&server);
    server.logs("still serving the model");
    let log = server.log();
    for told in ["can't be done while processes of the former model run", "--contract"] {
        assert!(log.contains(told), "{told}: {log}");
    }
    assert!(!log.contains("about to migrate"), "nobody waited: {log}");
    for server in [&first, &server] {
        assert_eq!(server.get("/v1/notes").send().status, 200);
    }
}

/// Rows that were there before they were to be found by their words.
const MANY: u32 = 30_000;

#[test]
pub(crate) fn a_fill_of_many_rows_tells_now_and_then_how_far_it_has_come() {
    let live = Live::start(&model("", "", ""), &[]);
    let columns = "(id, row_version, created_at, updated_at, title)";
    live.sql((
        &format!(
            "INSERT INTO main_notes {columns} WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT \
             i + 1 FROM n WHERE i < {MANY}) SELECT randomblob(16), 1, 0, 0, 'word ' || i FROM n"
        ),
        &format!(
            "INSERT INTO main.notes {columns} SELECT gen_random_uuid(), 1, now(), now(), 'word ' \
             || i FROM generate_series(1, {MANY}) i"
        ),
    ));
    let began = std::time::Instant::now();
    live.swap(&model("", "", "").replace("max 80", "max 80 search"));
    live.server.logs("fill main.notes.title_search: ");
    let (log, seconds) = (live.log(), began.elapsed().as_secs() as usize);
    let told: Vec<&str> =
        log.lines().filter(|line| line.contains("fill main.notes.title_search: ")).collect();
    let done = |line: &&str| line.contains(&format!(" of {MANY} rows"));
    assert!(told.iter().all(done), "{told:?}");
    assert!((1..=seconds + 1).contains(&told.len()), "{told:?} in {seconds} s");
    let found = live.server.get("/v1/notes?q=29999").send().expect(200);
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "{found}");
}

#[test]
pub(crate) fn a_new_computed_field_is_refused_with_the_way_to_it_and_that_way_leads_there() {
    let sizes = |optional: &str| {
        let twice = format!("          twice: int{optional} = size * 2\n");
        model(&format!("          size: int\n{twice}"), "", "")
    };
    let live = Live::start(&model("          size: int\n", "", ""), &[]);
    let note = live.make("/v1/notes", json!({"title": "a", "size": 3}));
    let path = format!("/v1/notes/{}", note["id"].as_str().expect("an id"));
    let refused = |what: &str, many: usize| {
        live.save(&sizes(""));
        live.until(what, || live.log().matches("still serving the model").count() == many);
        assert!(live.log().contains(what), "{what}: {}", live.log());
    };
    refused("make `twice` `optional`, send each of those rows a `PATCH` with `{}`", 1);
    live.swap(&sizes(" optional"));
    assert_eq!(live.server.get(&path).send().expect(200)["twice"], json!(null));
    refused("have no `twice`", 2);
    let patched = live.server.patch(&path, json!({})).bearer(&live.token).send().expect(200);
    assert_eq!(patched["twice"], 6);
    live.swap(&format!("# again\n{}", sizes("")));
    assert_eq!(live.server.get(&path).send().expect(200)["twice"], 6);
    assert_eq!(live.make("/v1/notes", json!({"title": "b", "size": 4}))["twice"], 8);
}
