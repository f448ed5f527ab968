//! Copies of the data while it is written.

use super::*;
use crate::adapters::sqlite::{BackupError, backup, restore};
use expect_test::expect;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

fn message(error: BackupError, places: &[&Place]) -> String {
    let names = places.iter().zip(["DATA", "COPY", "BACK"]);
    let text = names.fold(error.to_string(), |text, (place, name)| {
        text.replace(&place.path().display().to_string(), name)
    });
    // One clause a line.
    text.replace(": ", ":\n")
}

#[test]
fn a_backup_under_load_holds_what_was_acknowledged_before_it() {
    let (data, copy, back) = (Place::new(), Place::new(), Place::new());
    let store = Arc::new(sqlite(data.path(), Layout::File));
    std::fs::write(data.path().join("dev-key.pem"), "a key").expect("it is writable");
    for of in ["acme", "other"] {
        for id in 0..20 {
            insert(store.as_ref(), &tenant(of), thing_of(id, "before")).expect("it commits");
        }
    }
    let stop = Arc::new(AtomicBool::new(false));
    let written = Arc::new(AtomicU64::new(0));
    let load = {
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        let written = Arc::clone(&written);
        std::thread::spawn(move || {
            let mut id = 1_000;
            while !stop.load(Ordering::Relaxed) {
                for of in ["acme", "other", "third"] {
                    insert(store.as_ref(), &tenant(of), thing_of(id, "during"))
                        .expect("it commits");
                }
                id += 1;
                written.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    // There is load.
    while written.load(Ordering::Relaxed) == 0 && !load.is_finished() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let target = copy.path().join("copy");
    let copied = backup(data.path(), &target).expect("it copies");
    stop.store(true, Ordering::Relaxed);
    load.join().expect("no panic");
    let paths: Vec<_> = copied.iter().map(|file| file.path.as_str()).collect();
    for path in ["dev-key.pem", "everything.db", "everything/acme.db", "everything/other.db"] {
        assert!(paths.contains(&path), "{paths:?}");
    }
    assert!(!paths.contains(&"lock"));
    drop(store);
    let restored = back.path().join("data");
    restore(&target, &restored, false).expect("it restores");
    assert_eq!(std::fs::read(restored.join("dev-key.pem")).expect("it is there"), b"a key");
    let store = sqlite(&restored, Layout::File);
    for of in ["acme", "other"] {
        let names = names(&store, &tenant(of));
        assert_eq!(names.iter().filter(|name| *name == "before").count(), 20);
    }
    insert(&store, &tenant("acme"), thing_of(5_000, "after")).expect("it goes on");
}

#[test]
fn what_is_no_whole_backup_is_refused() {
    let (data, copy, back) = (Place::new(), Place::new(), Place::new());
    let places = [&data, &copy, &back];
    let empty = backup(&data.path().join("nothing"), copy.path()).expect_err("there is no data");
    expect!["there is no data in `DATA/nothing`"].assert_eq(&message(empty, &places));
    drop(sqlite(data.path(), Layout::NoTenants));
    backup(data.path(), copy.path()).expect("it copies");
    let twice = backup(data.path(), copy.path()).expect_err("there is one already");
    expect![[r#"
        `COPY` is not empty:
        choose a directory that is"#]]
    .assert_eq(&message(twice, &places));
    let over = restore(copy.path(), data.path(), false).expect_err("there is data");
    expect![[r#"
        `DATA` is not empty:
        choose a directory that is"#]]
    .assert_eq(&message(over, &places));
    restore(copy.path(), data.path(), true).expect("it replaces");
    let running = sqlite(data.path(), Layout::NoTenants);
    let used = restore(copy.path(), data.path(), true).expect_err("a server runs on it");
    assert!(matches!(used, BackupError::Directory(_)));
    drop(running);
    let file = copy.path().join("everything.db");
    let mut bytes = std::fs::read(&file).expect("it is there");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&file, bytes).expect("it is writable");
    let damaged = restore(copy.path(), back.path(), false).expect_err("it is damaged");
    expect![[r#"
        `COPY/everything.db` is not the file that was copied:
        its checksum differs; use another backup"#]]
    .assert_eq(&message(damaged, &places));
    std::fs::remove_file(copy.path().join("backup.json")).expect("it is there");
    let broken_off = restore(copy.path(), back.path(), false).expect_err("it has no list");
    expect![[r#"
        `COPY` is not a whole backup:
        it has no `backup.json`, which is written last"#]]
    .assert_eq(&message(broken_off, &places));
}
