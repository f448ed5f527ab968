//! The tree of the project as the house tests see it.

use std::path::{Path, PathBuf};

/// Folders that hold no source of ours.
const SKIPPED: [&str; 4] = ["target", "node_modules", ".git", ".mainstay"];

/// The top of the tree.
pub(crate) fn top() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).expect("the crate stands two levels deep").to_owned()
}

/// A file of the tree.
pub(crate) struct File {
    /// Path from the top, with `/`.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

/// All text files below `under` that end in one of the suffixes, by path.
pub(crate) fn files(under: &str, suffixes: &[&str]) -> Vec<File> {
    let top = top();
    let mut found = Vec::new();
    walk(&top.join(under), &mut |path| {
        let name = path.strip_prefix(&top).expect("below the top").to_string_lossy();
        if !suffixes.iter().any(|suffix| name.ends_with(suffix)) {
            return;
        }
        let text = std::fs::read_to_string(path).expect("a source file is readable text");
        found.push(File { path: name.replace('\\', "/"), text });
    });
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn walk(folder: &Path, visit: &mut dyn FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).expect("a folder of the tree is readable") {
        let path = entry.expect("an entry of the tree is readable").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_symlink() || SKIPPED.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            walk(&path, visit);
        } else {
            visit(&path);
        }
    }
}

/// Fails with all of the findings at once.
#[track_caller]
pub(crate) fn none(what: &str, findings: Vec<String>) {
    assert!(findings.is_empty(), "{what}:\n  {}", findings.join("\n  "));
}
