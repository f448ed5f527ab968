//! What `design` writes for each example is what stands beside it: a diff is reviewed as product
//! text. `UPDATE_EXPECT=1` writes it anew.

use crate::harness::{Folder, run};
use crate::house::{none, top};
use std::collections::BTreeMap;
use std::path::Path;

const EXAMPLES: [&str; 4] = ["clinic", "kiosk", "links", "shop"];

/// Every file below a folder, by its path there.
fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(top: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                walk(top, &path, found);
            } else {
                let name = path.strip_prefix(top).expect("below").to_string_lossy().into_owned();
                found.insert(name, std::fs::read(&path).expect("readable"));
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, folder, &mut found);
    found
}

fn differences(written: &Path, committed: &Path) -> Vec<String> {
    let (written, committed) = (tree(written), tree(committed));
    let mut found = Vec::new();
    for (name, bytes) in &written {
        match committed.get(name) {
            Some(there) if there == bytes => {}
            Some(there) => found.push(format!("{name} {}", first_difference(there, bytes))),
            None => found.push(format!("{name} is new")),
        }
    }
    let gone = committed.keys().filter(|name| !written.contains_key(*name));
    found.extend(gone.map(|name| format!("{name} is no longer written")));
    found
}

fn first_difference(committed: &[u8], written: &[u8]) -> String {
    let (committed, written) =
        (String::from_utf8_lossy(committed), String::from_utf8_lossy(written));
    let lines = committed.lines().zip(written.lines());
    match lines.enumerate().find(|(_, (committed, written))| committed != written) {
        Some((at, (committed, written))) => {
            format!("differs in line {}:\n    - {committed}\n    + {written}", at + 1)
        }
        None => "differs in length".to_owned(),
    }
}

fn golden(example: &str) {
    let model = format!("examples/{example}");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        assert_eq!(run(&["design", &model]).code, 0);
        return;
    }
    let (first, second) = (Folder::new(), Folder::new());
    for out in [&first, &second] {
        let ran = run(&["design", &model, "--out", out.path()]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    none("two runs differ", differences(&first.0, &second.0));
    let committed = top().join(&model).join("architecture");
    none(&format!("{model}/architecture is stale"), differences(&first.0, &committed));
}

#[test]
fn every_example_is_here() {
    let mut there: Vec<String> = std::fs::read_dir(top().join("examples"))
        .expect("examples")
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .collect();
    there.sort();
    assert_eq!(there, EXAMPLES);
}

#[test]
fn the_clinic_is_designed_as_committed() {
    golden("clinic");
}

#[test]
fn the_kiosk_is_designed_as_committed() {
    golden("kiosk");
}

#[test]
fn links_is_designed_as_committed() {
    golden("links");
}

#[test]
fn the_shop_is_designed_as_committed() {
    golden("shop");
}

#[test]
fn a_design_removes_what_it_wrote_and_nothing_else() {
    let folder =
        Folder::new().with("mainstay.yaml", "system: a\n").with("architecture/notes.md", "mine\n");
    assert_eq!(run(&["design", folder.path()]).code, 0);
    let list = folder.0.join("architecture/.files");
    let names = std::fs::read_to_string(&list).expect("the list of files");
    std::fs::write(&list, format!("{names}decisions/0999-gone.md\n../outside.md\n")).expect("ok");
    let folder = folder.with("architecture/decisions/0999-gone.md", "old").with("outside.md", "");
    assert_eq!(run(&["design", folder.path(), "--check"]).code, 1);
    assert!(folder.0.join("architecture/decisions/0999-gone.md").exists());
    assert_eq!(run(&["design", folder.path()]).code, 0);
    assert!(!folder.0.join("architecture/decisions/0999-gone.md").exists());
    assert!(
        folder.0.join("outside.md").exists() && folder.0.join("architecture/notes.md").exists()
    );
    assert_eq!(run(&["design", folder.path(), "--check"]).code, 0);
}

#[test]
fn a_design_refuses_to_replace_files_that_none_wrote() {
    let folder = Folder::new()
        .with("mainstay.yaml", "system: a\n")
        .with("ARCHITECTURE.md", "ours\n")
        .with("decisions/README.md", "ours too\n");
    let (top, read) = (folder.path(), |name: &str| std::fs::read_to_string(folder.0.join(name)));
    let ran = run(&["design", top, "--out", top]);
    assert_eq!(ran.code, 2, "{}", ran.stdout);
    assert!(ran.stderr.contains("ARCHITECTURE.md` is there and was not"), "{}", ran.stderr);
    assert!(ran.stderr.contains("--out") && ran.stderr.contains("--force"), "{}", ran.stderr);
    assert_eq!(read("ARCHITECTURE.md").expect("there"), "ours\n");
    assert!(!folder.0.join("architecture.json").exists(), "nothing was written");
    assert_eq!(run(&["design", top, "--out", top, "--force"]).code, 0);
    assert_ne!(read("ARCHITECTURE.md").expect("there"), "ours\n");
    assert_eq!(read("decisions/README.md").expect("there"), "ours too\n");
    // From now on they are the design's own, also where hidden files were left out of a copy.
    for change in ["goals: { peak: 5 rps }\n", "goals: { peak: 9 rps }\n"] {
        let text = format!("system: a\n{change}");
        std::fs::write(folder.0.join("mainstay.yaml"), text).expect("writable");
        assert_eq!(run(&["design", top, "--out", top]).code, 0);
        std::fs::remove_file(folder.0.join(".files")).expect("the list");
    }
}

/// What stands between a mark and the next sign that ends a word.
fn words_after<'a>(text: &'a str, mark: &'a str) -> impl Iterator<Item = &'a str> {
    let ends = |c: char| !(c.is_alphanumeric() || "-_.".contains(c));
    text.split(mark).skip(1).map(move |rest| rest.split(ends).next().unwrap_or_default())
}

#[test]
fn the_documents_name_only_verbs_and_schemas_that_are_there() {
    let help = run(&["--help"]).stdout;
    let verbs: Vec<&str> = help.split_whitespace().collect();
    let mut faults = Vec::new();
    for example in EXAMPLES {
        let folder = top().join(format!("examples/{example}/architecture"));
        let text = std::fs::read_to_string(folder.join("ARCHITECTURE.md")).expect("it is written");
        let unknown = words_after(&text, "`mainstay ").filter(|verb| !verbs.contains(verb));
        faults.extend(unknown.map(|verb| format!("{example}: no verb `{verb}`")));
        let files = words_after(&text, "schema/").filter(|file| file.ends_with(".sql"));
        let missing = files.filter(|file| !folder.join("schema").join(file).exists());
        faults.extend(missing.map(|file| format!("{example}: no file schema/{file}")));
    }
    none("the documents name what is not there", faults);
}
