//! Keys of actors that call by key.

use super::*;
use crate::adapters::sqlite::SqliteKeys;
use crate::ports::clock::SystemClock;
use crate::ports::keys::{KeyStore, StoredKey};

fn key(prefix: &str, created: i64) -> StoredKey {
    let mut hash = [0; 32];
    hash[..prefix.len()].copy_from_slice(prefix.as_bytes());
    StoredKey {
        prefix: prefix.to_owned(),
        hash,
        actor: "partner".to_owned(),
        roles: vec!["reader".to_owned(), "\"quoted\"".to_owned()],
        tenant: Some("acme".to_owned()),
        subject: "corp".to_owned(),
        label: "nightly import".to_owned(),
        created,
        expires: Some(10_000_000_000),
        revoked: None,
        used: None,
    }
}

#[test]
fn keys_are_found_listed_revoked_and_noted() {
    let place = Place::new();
    let open = || SqliteKeys::open(place.path(), Arc::new(SystemClock)).expect("it opens");
    // The command and the server are two processes.
    let (command, server) = (open(), open());
    let (old, new) = (key("old", 1), StoredKey { tenant: None, expires: None, ..key("new", 2) });
    wait(command.create(old.clone())).expect("it is kept");
    wait(command.create(new.clone())).expect("it is kept");
    assert!(wait(command.create(new.clone())).is_err(), "a prefix stands for one key");
    assert_eq!(wait(server.find(&old.hash)), Ok(Some(old.clone())));
    assert_eq!(wait(server.find(&[9; 32])), Ok(None));
    assert_eq!(wait(server.list()), Ok(vec![new.clone(), old.clone()]));
    wait(server.used("old", 3 * 60_000_000 + 5)).expect("it is noted");
    wait(server.used("old", 2 * 60_000_000)).expect("an earlier use changes nothing");
    assert_eq!(wait(command.revoke("old", 77)), Ok(true));
    assert_eq!(wait(command.revoke("old", 88)), Ok(true), "the first time stays");
    assert_eq!(wait(command.revoke("none", 99)), Ok(false));
    let revoked = StoredKey { revoked: Some(77), used: Some(3 * 60_000_000), ..old };
    assert_eq!(wait(server.find(&revoked.hash)), Ok(Some(revoked.clone())));
    drop((command, server));
    assert_eq!(wait(open().list()), Ok(vec![new, revoked]));
}
