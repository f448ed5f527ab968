//! A process that is killed while it writes: what it acknowledged is there, whole, once.

use super::*;
use crate::fixture::store::{PART, part};
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

/// Tells the test below that it is the process to be killed.
const DIRECTORY: &str = "MAINSTAY_TEST_KILLED_IN";
/// Acknowledgements to wait for.
const WRITTEN_MIN: usize = 150;

fn owner(id: u128) -> Record {
    let part = |at: u128| {
        let mut values = vec![Value::Null; 4];
        values[part::KIND.index()] = Value::text(format!("part {at}"));
        Record { version: 0, ..record(id * 10 + at, values) }
    };
    Record { children: vec![(thing::PARTS, vec![part(1), part(2)])], ..thing_of(id, "whole") }
}

/// Writes for ever; says each id once it is acknowledged.
fn write_for_ever(directory: &Path, layout: Layout) {
    let store = Arc::new(sqlite(directory, layout));
    let threads = (0..4_u128).map(|thread| {
        let store = Arc::clone(&store);
        std::thread::spawn(move || {
            for at in 0.. {
                let id = at * 4 + thread;
                insert(store.as_ref(), &tenant("acme"), owner(id)).expect("it commits");
                let mut out = std::io::stdout().lock();
                writeln!(out, "written {id}").and_then(|()| out.flush()).expect("someone reads");
            }
        })
    });
    for thread in threads.collect::<Vec<_>>() {
        thread.join().expect("no panic");
    }
}

fn killed(layout: Layout, name: &str) {
    if let Ok(directory) = std::env::var(DIRECTORY) {
        return write_for_ever(Path::new(&directory), layout);
    }
    let place = Place::new();
    let mut child = Command::new(std::env::current_exe().expect("a program"))
        .args(["--exact", "--nocapture", &format!("adapters::sqlite::tests::kill::{name}")])
        .env(DIRECTORY, place.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut said = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let mut written: Vec<u128> = Vec::new();
    let id =
        |line: String| line.rsplit_once("written ").and_then(|(_, id)| id.parse::<u128>().ok());
    while written.len() < WRITTEN_MIN {
        written.extend(said.next().expect("it goes on").ok().and_then(id));
    }
    child.kill().expect("it is killed");
    written.extend(said.map_while(Result::ok).filter_map(id));
    child.wait().expect("it ends");
    let store = sqlite(place.path(), layout);
    let query = ListQuery { children: &[thing::PARTS], ..all(100_000) };
    let rows = wait(store.list(&tenant("acme"), &query, &Bindings::default())).expect("it lists");
    for id in &written {
        assert_eq!(rows.iter().filter(|row| row.id == *id).count(), 1, "row {id}");
    }
    // What was not acknowledged may be there, but whole.
    assert!(rows.iter().all(|row| *row == owner(row.id)));
    assert_eq!(PART.0, 2);
}

#[test]
fn a_killed_process_loses_nothing_that_it_acknowledged() {
    killed(Layout::Row, "a_killed_process_loses_nothing_that_it_acknowledged");
}

#[test]
fn a_killed_process_leaves_a_tenants_file_whole() {
    killed(Layout::File, "a_killed_process_leaves_a_tenants_file_whole");
}
