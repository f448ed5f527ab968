//! The edges between the crates are exactly those of the house.

use crate::house::top;
use std::collections::BTreeSet;
use std::process::Command;

/// Crate and crate it may see.
const EDGES: [(&str, &str); 10] = [
    ("kernel", "ir"),
    ("design", "ir"),
    ("formats", "ir"),
    ("runtime", "ir"),
    ("runtime", "kernel"),
    ("mainstay", "ir"),
    ("mainstay", "kernel"),
    ("mainstay", "design"),
    ("mainstay", "formats"),
    ("mainstay", "runtime"),
];

/// The rules of the design read YAML in their tests.
const DEV_EDGES: [(&str, &str); 1] = [("design", "formats")];

fn manifests() -> serde_json::Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(top())
        .output()
        .expect("cargo runs");
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}

/// Edges among our own crates, the usual ones or those of tests.
fn edges(manifests: &serde_json::Value, dev: bool) -> BTreeSet<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let packages = manifests["packages"].as_array().expect("packages");
    let ours: BTreeSet<String> = packages.iter().map(|package| text(&package["name"])).collect();
    let mut edges = BTreeSet::new();
    for package in packages {
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let name = text(&dependency["name"]);
            if ours.contains(&name) && (dependency["kind"] == "dev") == dev {
                edges.insert((text(&package["name"]), name));
            }
        }
    }
    edges
}

fn owned(edges: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    edges.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect()
}

#[test]
fn crates_see_only_the_floors_below() {
    let manifests = manifests();
    assert_eq!(edges(&manifests, false), owned(&EDGES));
    assert_eq!(edges(&manifests, true), owned(&DEV_EDGES));
}

#[test]
fn the_core_has_no_io_in_its_dependencies() {
    let manifests = manifests();
    let banned = ["tokio", "hyper", "reqwest", "rusqlite", "rand", "getrandom", "mio"];
    for package in manifests["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().unwrap_or_default();
        if !["ir", "kernel", "design", "formats"].contains(&name) {
            continue;
        }
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let used = dependency["name"].as_str().unwrap_or_default();
            assert!(!banned.contains(&used), "`{name}` must not depend on `{used}`");
        }
    }
}

#[test]
fn no_second_crypto_library_is_built() {
    let lock = std::fs::read_to_string(top().join("Cargo.lock")).expect("the lock file is there");
    for banned in ["aws-lc-sys", "aws-lc-rs", "openssl-sys", "native-tls"] {
        assert!(!lock.contains(&format!("name = \"{banned}\"")), "`{banned}` is in Cargo.lock");
    }
}
