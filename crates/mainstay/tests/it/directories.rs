//! Directories of data: whose they are, who may read them, and which verbs make them.

use crate::harness::{Folder, Ran, Server, run};
use std::path::{Path, PathBuf};

/// A model whose tenants have files of their own.
fn model(system: &str) -> String {
    format!(
        "
system: {system}
tenancy: database by org
actors: {{ user: oidc, partner: api_key }}
contexts:
  notes:
    resources:
      Note:
        fields: {{ text: string max 20 }}
        allow: {{ read: user, write: user }}
"
    )
}

fn folder(system: &str) -> Folder {
    Folder::new().with("mainstay.yaml", &model(system))
}

/// A server with a note of a tenant.
fn noted(folder: &Folder) -> Server {
    let server = Server::start(folder.path(), &folder.0.join("data"), &[]);
    let token = server.token("user", &["--tenant", "acme"]);
    let body = serde_json::json!({"text": "x"});
    server.post("/v1/notes", body).bearer(&token).send().expect(201);
    server
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain name")
}

fn refused(ran: &Ran, words: &[&str]) {
    assert_eq!(ran.code, 2, "{ran:?}");
    for word in words {
        assert!(ran.stderr.contains(word), "no `{word}`: {}", ran.stderr);
    }
}

#[cfg(unix)]
fn open_to_others(below: &Path, found: &mut Vec<PathBuf>) -> usize {
    use std::os::unix::fs::PermissionsExt;
    let mut count = 0;
    for entry in std::fs::read_dir(below).expect("readable") {
        let path = entry.expect("readable").path();
        let kind = std::fs::metadata(&path).expect("there");
        if kind.permissions().mode() & 0o077 != 0 {
            found.push(path.clone());
        }
        count += 1;
        if kind.is_dir() {
            count += open_to_others(&path, found);
        }
    }
    count
}

#[cfg(unix)]
#[test]
fn what_is_stored_and_copied_is_readable_by_its_owner_alone() {
    let folder = folder("notes");
    let data = folder.0.join("data");
    let mut server = noted(&folder);
    let made = run(&[
        "key",
        "create",
        folder.path(),
        "--actor",
        "partner",
        "--tenant",
        "acme",
        "--data",
        text(&data),
    ]);
    assert_eq!(made.code, 0, "{made:?}");
    let (all, copy) = (folder.0.join("all"), folder.0.join("all/copy"));
    std::fs::create_dir(&all).expect("writable");
    let copied = run(&["backup", text(&copy), folder.path(), "--data", text(&data)]);
    assert_eq!(copied.code, 0, "{copied:?}");
    let mut open = Vec::new();
    let seen = open_to_others(&data, &mut open);
    assert!(open_to_others(&all, &mut open) > 4 && seen > 6, "{seen}");
    assert!(open.is_empty(), "others may read {open:?}");
    assert_eq!(server.stop(), 0);
    let back = all.join("back");
    let restored = run(&["restore", text(&copy), folder.path(), "--data", text(&back)]);
    assert_eq!(restored.code, 0, "{restored:?}");
    open_to_others(&all, &mut open);
    assert!(open.is_empty(), "others may read {open:?}");
    for made in [&data, &back] {
        let ignored = std::fs::read_to_string(made.join(".gitignore")).expect("there");
        assert_eq!(ignored, "*\n", "git would take the data with it");
    }
}

#[test]
fn data_of_another_system_is_neither_used_nor_restored() {
    let (old, new) = (folder("old"), folder("new"));
    let (data, copy) = (old.0.join("data"), old.0.join("copy"));
    let mut server = noted(&old);
    let copied = run(&["backup", text(&copy), old.path(), "--data", text(&data)]);
    assert_eq!(copied.code, 0, "{copied:?}");
    assert_eq!(server.stop(), 0);
    let whose = ["data of the system `old`, and this is `new`", "--data", "`system: old` again"];
    let there = ["--data", text(&data)];
    let up = [&["up", new.path(), "--listen", "127.0.0.1:0"], &there[..]].concat();
    refused(&run(&up), &whose);
    refused(&run(&[&["token", new.path(), "--actor", "user"], &there[..]].concat()), &whose);
    refused(&run(&[&["key", "list", new.path()], &there[..]].concat()), &whose);
    let fresh = new.0.join("data");
    let restored = run(&["restore", text(&copy), new.path(), "--data", text(&fresh)]);
    refused(&restored, &["a backup of the system `old`, and this is `new`", "choose a backup"]);
    assert!(!fresh.exists(), "a refusal makes nothing");
    let force = ["restore", text(&copy), new.path(), "--force", "--data", text(&data)];
    refused(&run(&force), &whose);
    let back = old.0.join("back");
    let restored = run(&["restore", text(&copy), old.path(), "--data", text(&back)]);
    assert_eq!(restored.code, 0, "{restored:?}");
}

#[test]
fn verbs_make_no_data_where_there_is_nothing_to_use_it() {
    let folder = folder("notes");
    let (none, far) = (folder.0.join("none"), folder.0.join("none/far"));
    for verb in [&["list"][..], &["revoke", "abc"]] {
        let arguments = [&["key"], verb, &[folder.path(), "--data", text(&none)]].concat();
        refused(&run(&arguments), &["there is no directory", "--data"]);
    }
    let token = ["token", folder.path(), "--actor", "user", "--tenant", "a", "--data", text(&far)];
    refused(&run(&token), &["there is no directory", "--data"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let up = ["up", folder.path(), "--listen", &address, "--data", text(&none)];
    refused(&run(&up), &["cannot listen", "--listen"]);
    assert!(!none.exists(), "no verb made it");
    let token = ["token", folder.path(), "--actor", "user", "--tenant", "a", "--data", text(&none)];
    let made = run(&token);
    assert_eq!(made.code, 0, "{made:?}");
    assert!(made.stderr.contains("made a new development key in"), "{}", made.stderr);
    let again = run(&token);
    assert_eq!((again.code, again.stderr.as_str()), (0, ""), "the key is there now");
    let token = ["token", folder.path(), "--actor", "user", "--data", text(&none)];
    let without = run(&token);
    assert!(without.stderr.contains("names no tenant"), "{}", without.stderr);
}

#[test]
fn up_says_what_is_wrong_with_its_address_certificate_or_origin() {
    let folder = folder("notes");
    let data = folder.0.join("data");
    let up = |more: &[&str]| run(&[&["up", folder.path(), "--data", text(&data)], more].concat());
    let forms = "write `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080` or `8080`";
    for wrong in ["here", "127.0.0.1", ":8080", "localhost:http", "::1:99999"] {
        refused(&up(&["--listen", wrong]), &[forms]);
    }
    let missing = text(&data);
    let tls = up(&["--listen", "127.0.0.1:0", "--tls-cert", missing, "--tls-key", missing]);
    refused(&tls, &["--tls-cert"]);
    assert!(!tls.stderr.contains("another address"), "{}", tls.stderr);
    let cors = up(&["--listen", "0", "--cors-origin", "example.com/x"]);
    refused(&cors, &["is not an origin", "--cors-origin"]);
    assert!(!cors.stderr.contains("another address"), "{}", cors.stderr);
    assert!(!data.exists(), "nothing was made");
    let server = Server::start(folder.path(), &data, &["--drain-delay", "0"]);
    let port = server.address.port().to_string();
    for same in [&port, &format!("localhost:{port}")] {
        refused(&up(&["--listen", same]), &["cannot listen on 127.0.0.1:", "another address"]);
    }
}
