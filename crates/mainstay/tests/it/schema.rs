//! The tables that a started backend has are those that the design wrote down, its own among them.

use crate::harness::{Folder, Server};
use crate::house::top;
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::path::Path;

/// What a database was made by, without white space.
fn made(database: &Connection) -> BTreeSet<String> {
    let text = "SELECT \"sql\" FROM sqlite_schema WHERE \"sql\" IS NOT NULL \
                AND \"name\" NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let mut statement = database.prepare(text).expect("SQLite has its schema");
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).expect("rows");
    let plain = |sql: String| sql.split_whitespace().collect::<Vec<_>>().join(" ");
    rows.map(|sql| plain(sql.expect("a text"))).collect()
}

/// What a written file makes of an empty database.
fn written(example: &str, file: &str) -> BTreeSet<String> {
    let path = top().join("examples").join(example).join("architecture/schema").join(file);
    let text = std::fs::read_to_string(&path).expect("the file is written");
    let database = Connection::open_in_memory().expect("memory");
    database.execute_batch(&text).expect("the written statements run");
    made(&database)
}

fn found(path: &Path) -> BTreeSet<String> {
    made(&Connection::open(path).expect("the backend made the file"))
}

#[test]
fn a_started_backend_has_the_tables_that_the_design_wrote() {
    for example in ["shop", "links", "kiosk"] {
        let folder = Folder::new();
        let data = folder.0.join("data");
        let mut server = Server::start(&format!("examples/{example}"), &data, &[]);
        server.stop();
        let file = format!("{example}.sqlite.sql");
        assert_eq!(found(&data.join(format!("{example}.db"))), written(example, &file));
    }
}

#[test]
fn the_keys_lie_in_a_file_of_their_own_as_the_design_wrote() {
    let folder = Folder::new();
    let data = folder.0.join("data");
    let mut server = Server::start("examples/shop", &data, &[]);
    server.stop();
    assert_eq!(found(&data.join("_keys.db")), written("shop", "_keys.sqlite.sql"));
}
