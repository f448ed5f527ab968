//! Directories and files: locked, damaged, full, in the wrong place.

use super::*;
use crate::adapters::sqlite::{DataDirectory, OpenError, SqliteStore};
use crate::fixture::store::{config, domain, schema};
use crate::ports::store::Unavailable;
use expect_test::expect;
use std::path::Path;

fn open(
    path: &Path,
    layout: Layout,
    change: impl FnOnce(&mut crate::adapters::sqlite::SqliteConfig),
) -> Result<SqliteStore, OpenError> {
    let domain = domain(layout);
    let schema = schema(&domain, layout);
    let mut config = config(path, &domain, &schema, layout);
    change(&mut config);
    SqliteStore::open(config, Arc::new(domain), Arc::new(schema))
}

fn message(error: impl std::fmt::Display, place: &Place) -> String {
    let text = error.to_string().replace(&place.path().display().to_string(), "DATA");
    let text = text.replace(&std::process::id().to_string(), "1234");
    // One clause a line.
    text.replace(": ", ":\n").replace(", ", ",\n")
}

#[test]
fn a_directory_serves_one_process_at_a_time() {
    let place = Place::new();
    let first = DataDirectory::open(place.path()).expect("it is free");
    let second = DataDirectory::open(place.path()).expect_err("it is taken");
    expect![[r#"
        the data directory `DATA` is in use by another `mainstay` (process 1234):
        stop it,
        or give this one a directory of its own with `--data`"#]]
    .assert_eq(&message(second, &place));
    drop(first);
    DataDirectory::open(place.path()).expect("it is free again");
}

#[test]
fn a_directory_that_cannot_be_made_says_so() {
    let place = Place::new();
    let file = place.path().join("file");
    std::fs::write(&file, "").expect("it is writable");
    let error = DataDirectory::open(&file.join("data")).expect_err("a file is no directory");
    expect!["`DATA/file/data` cannot be used (Not a directory (os error 20))"]
        .assert_eq(&message(error, &place));
}

#[test]
fn a_damaged_file_is_not_opened() {
    let place = Place::new();
    let file = place.path().join("everything.db");
    std::fs::write(&file, vec![b'x'; 10_000]).expect("it is writable");
    let error = open(place.path(), Layout::Row, |_| {}).err().expect("it is damaged");
    expect![[r#"
        `DATA/everything.db` cannot be opened as a database (file is not a database):
        restore it from a backup,
        or move it away to begin with an empty one"#]]
    .assert_eq(&message(error, &place));
}

#[test]
fn a_file_of_a_later_format_is_not_opened() {
    let place = Place::new();
    drop(sqlite(place.path(), Layout::NoTenants));
    let file = rusqlite::Connection::open(place.path().join("everything.db")).expect("it opens");
    file.execute_batch(
        "UPDATE mainstay_meta SET value = '9' WHERE name = 'format'; \
                        UPDATE mainstay_meta SET value = '?' WHERE name = 'fingerprint'",
    )
    .expect("it is ours");
    drop(file);
    let error = open(place.path(), Layout::NoTenants, |_| {}).err().expect("it is later");
    expect![[r#"
        `DATA/everything.db` is of format `9`,
        which this version does not know:
        use the version that wrote it"#]]
    .assert_eq(&message(error, &place));
}

#[test]
fn tenants_that_nothing_parts_are_never_served() {
    let place = Place::new();
    let undivided = |config: &mut crate::adapters::sqlite::SqliteConfig| {
        config.file_per_tenant = false;
    };
    let error = open(place.path(), Layout::File, undivided).err().expect("tenants would meet");
    expect![[r#"
        the schema does not fit the model:
        tenants would share the rows of `Area`:
        they have neither a file nor a column"#]]
    .assert_eq(&message(error, &place));
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    let place = Place::new();
    let store = open(place.path(), Layout::NoTenants, |config| config.limits.file_pages_max = 120)
        .expect("it opens");
    let name = "a name that takes some room ".repeat(40);
    let mut written = Vec::new();
    let refused = (0..2_000).find_map(|id| match insert(&store, &None, thing_of(id, &name)) {
        Ok(()) => {
            written.push(id);
            None
        }
        Err(error) => Some(error),
    });
    assert_eq!(refused, Some(CommitError::Unavailable(Unavailable::Full)));
    assert_eq!(store.writes(), Err(Unavailable::Full), "operators are told");
    assert_eq!(wait(store.ready()), Ok(()), "and reads are answered");
    assert_eq!(names(&store, &None).len(), written.len(), "what was acknowledged is read");
    let writes = written.iter().take(written.len() / 2);
    let writes = writes.map(|id| Write::Delete { resource: THING, id: *id, expected: 1 }).collect();
    let set = WriteSet { writes, ..WriteSet::default() };
    assert_eq!(wait(store.commit(set, &Bindings::default())), Ok(()), "room is made");
    assert_eq!(insert(&store, &None, thing_of(9_999, &name)), Ok(()), "and used");
    assert_eq!(store.writes(), Ok(()));
}

#[test]
fn a_tenant_has_a_file_once_it_has_written() {
    let place = Place::new();
    let store = open(place.path(), Layout::File, |config| config.limits.tenant_files_max = 2)
        .expect("it opens");
    let file = |tenant: &str| place.path().join("everything").join(format!("{tenant}.db"));
    let tenants: Vec<_> = (0..6).map(|n| format!("tenant-{n}")).collect();
    for name in &tenants {
        assert_eq!(names(&store, &tenant(name)), Vec::<String>::new());
        assert!(!file(name).exists(), "reading makes nothing");
        assert_eq!(insert(&store, &tenant(name), thing_of(1, name)), Ok(()));
        assert!(file(name).exists());
    }
    // More tenants than open files.
    for name in &tenants {
        assert_eq!(names(&store, &tenant(name)), std::slice::from_ref(name));
        assert_eq!(insert(&store, &tenant(name), thing_of(2, "second")), Ok(()));
    }
    store.close();
    let left: Vec<_> = std::fs::read_dir(place.path().join("everything"))
        .expect("it is there")
        .map(|entry| entry.expect("a name").file_name().into_string().expect("text"))
        .filter(|name| !name.ends_with(".db"))
        .collect();
    assert_eq!(left, Vec::<String>::new(), "closing leaves no journal");
}

#[test]
fn a_closed_store_refuses() {
    let place = Place::new();
    let store = sqlite(place.path(), Layout::NoTenants);
    assert_eq!(wait(store.ready()), Ok(()));
    store.close();
    let closed = Unavailable::Broken("the store is closed".to_owned());
    assert_eq!(
        insert(&store, &None, thing_of(1, "late")),
        Err(CommitError::Unavailable(closed.clone()))
    );
    assert_eq!(wait(store.list(&None, &all(1), &Bindings::default())), Err(closed));
    assert!(wait(store.ready()).is_err());
}

#[test]
fn the_home_issuer_is_the_first_one() {
    let place = Place::new();
    let store = sqlite(place.path(), Layout::NoTenants);
    assert_eq!(store.home_issuer("https://one.example"), Ok("https://one.example".to_owned()));
    assert_eq!(store.home_issuer("https://two.example"), Ok("https://one.example".to_owned()));
}

#[test]
fn a_store_knows_the_tenants_that_have_written() {
    let place = Place::new();
    let store = open(place.path(), Layout::File, |_| {}).expect("it opens");
    let knows = |name: &str| wait(store.knows(&tenant(name)));
    assert_eq!(knows("acme"), Ok(false));
    assert_eq!(insert(&store, &tenant("acme"), thing_of(1, "one")), Ok(()));
    assert_eq!((knows("acme"), knows("evil")), (Ok(true), Ok(false)));
    assert!(knows("../evil").is_err());
    assert_eq!(wait(store.knows(&None)), Ok(true));
    let place = Place::new();
    let together = open(place.path(), Layout::Row, |_| {}).expect("it opens");
    assert_eq!(wait(together.knows(&tenant("acme"))), Ok(true));
}
