//! Opening: what is refused, and in which words; what was made before.

use super::*;
use crate::adapters::postgres::{Address, OpenError, PostgresConfig, PostgresKeys, PostgresStore};
use crate::ports::keys::{KeyStore, StoredKey};

fn refused(database: &Database, change: impl FnOnce(&mut PostgresConfig)) -> OpenError {
    let (domain, schema) = Database::model(Layout::Row);
    let mut config = database.config(Layout::Row);
    change(&mut config);
    PostgresStore::open(config, domain, schema).err().expect("it is refused")
}

#[test]
fn a_server_that_is_not_there_and_a_database_that_is_not_there_are_told_apart() {
    let database = database!();
    let error = refused(&database, |config| {
        let address = Address::parse("postgres://me:secret@127.0.0.1:1/shop");
        config.address = address.expect("an address");
    });
    let text = error.to_string();
    assert!(error.may_pass() && text.contains("no server answers"), "{text}");
    assert!(
        text.contains("`postgres://me@127.0.0.1:1/shop`") && !text.contains("secret"),
        "{text}"
    );
    let error = refused(&database, |config| {
        config.address = config.address.database("nowhere_to_be_found");
    });
    let text = error.to_string();
    assert!(!error.may_pass() && text.contains("make it with `createdb`"), "{text}");
}

#[test]
fn a_database_of_other_text_is_refused() {
    let database = database!();
    let name = format!("{}_latin", database.name());
    let make = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'");
    database.administer(&[&make]);
    let error = refused(&database, |config| config.address = config.address.database(&name));
    database.administer(&[&format!("DROP DATABASE {name} WITH (FORCE)")]);
    assert!(error.to_string().contains("stores text as SQL_ASCII"), "{error}");
}

#[test]
fn tables_of_somebody_else_are_named_and_left_alone() {
    let database = database!();
    database.run(&["CREATE SCHEMA lab", "CREATE TABLE lab.things (a int)"]);
    let error = refused(&database, |_| {});
    assert!(matches!(error, OpenError::Schema { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("table `lab.things` is there already"), "{text}");
    let left = database.run(&["SELECT count(*) FROM pg_namespace WHERE nspname = 'mainstay'"]);
    assert_eq!(left, [[Some("0".to_owned())]], "nothing was made");
}

#[test]
fn what_was_kept_first_stays_and_a_store_knows_whether_it_ever_had_rows() {
    let database = database!();
    for layout in [Layout::Row, Layout::Schema, Layout::File] {
        let database = if layout == Layout::Row { &database } else { &database!() };
        let store = database.open(layout);
        assert_eq!(store.kept("key", "one"), Ok("one".to_owned()));
        assert_eq!(store.kept("key", "two"), Ok("one".to_owned()));
        assert_eq!(store.is_empty(), Ok(true), "{layout:?}");
        wait(insert(&store, &tenant("acme"), thing_of(1, "a"))).expect("it commits");
        assert_eq!(store.is_empty(), Ok(false), "{layout:?}");
    }
}

fn key(prefix: &str, created: i64) -> StoredKey {
    StoredKey {
        prefix: prefix.to_owned(),
        hash: [created as u8; 32],
        actor: "billing".to_owned(),
        roles: vec!["reader".to_owned(), "w\"riter".to_owned()],
        tenant: Some("acme".to_owned()),
        subject: "billing".to_owned(),
        label: "the old one".to_owned(),
        created,
        expires: Some(5_000_000_000),
        revoked: None,
        used: None,
    }
}

#[test]
fn keys_are_made_found_listed_used_and_revoked() {
    let database = database!();
    let keys = PostgresKeys::open(Address::parse(&database.url()).expect("an address"));
    let keys = keys.expect("they open");
    let (first, second) = (key("mk_one", 1), key("mk_two", 2));
    wait(keys.create(first.clone())).expect("it is kept");
    wait(keys.create(second.clone())).expect("it is kept");
    assert!(wait(keys.create(key("mk_one", 3))).is_err(), "a prefix is taken once");
    assert_eq!(wait(keys.list()), Ok(vec![second, first.clone()]));
    assert_eq!(wait(keys.find(&[1; 32])), Ok(Some(first)));
    assert_eq!(wait(keys.find(&[9; 32])), Ok(None));
    assert_eq!(wait(keys.used("mk_one", 125_000_000)), Ok(()));
    assert_eq!(wait(keys.revoke("mk_one", 7)), Ok(true));
    assert_eq!(wait(keys.revoke("mk_one", 8)), Ok(true));
    assert_eq!(wait(keys.revoke("mk_none", 8)), Ok(false));
    let found = wait(keys.find(&[1; 32])).expect("it reads").expect("it is there");
    assert_eq!((found.used, found.revoked), (Some(120_000_000), Some(7)));
    let again = PostgresKeys::open(Address::parse(&database.url()).expect("an address"));
    assert_eq!(wait(again.expect("they open").list()).map(|all| all.len()), Ok(2));
}
