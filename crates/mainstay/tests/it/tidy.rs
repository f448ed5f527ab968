//! Sizes, headers, names and bans of the house.

use crate::house::{File, files, none, top};
use std::collections::BTreeSet;

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_CHARACTERS_MAX: usize = 100;

fn rust() -> Vec<File> {
    files("crates", &[".rs"])
}

fn is_test_file(path: &str) -> bool {
    let folder = ["/tests/", "/fixture/", "/suite/"].iter().any(|folder| path.contains(folder));
    let names = ["/tests.rs", "_tests.rs", "/fixture.rs", "/suite.rs"];
    folder || names.iter().any(|name| path.ends_with(name))
}

/// The lines before the tests of a file.
fn code(file: &File) -> Vec<&str> {
    let test = |line: &&str| *line != "#[cfg(test)]" && *line != "#[test]";
    let all: Vec<&str> = file.text.lines().take_while(test).collect();
    // `#[cfg(test)] mod tests;` stands among the declarations at the top of some files.
    let declares = file.text.lines().nth(all.len() + 1).is_some_and(|line| line.ends_with(';'));
    if declares { file.text.lines().collect() } else { all }
}

#[test]
fn every_file_begins_with_its_header() {
    let bare = rust().into_iter().filter(|file| !file.text.starts_with("//!"));
    none("files without a `//!` header", bare.map(|file| file.path).collect());
}

#[test]
fn files_are_short() {
    let mut long = Vec::new();
    for file in rust().iter().filter(|file| !is_test_file(&file.path)) {
        let lines = code(file).len();
        if lines > FILE_LINES_MAX {
            long.push(format!("{}: {lines} lines without tests", file.path));
        }
    }
    none("files over the cap", long);
}

#[test]
fn lines_are_short() {
    let mut long = Vec::new();
    for file in rust().iter().filter(|file| !is_test_file(&file.path)) {
        for (at, line) in code(file).iter().enumerate() {
            if line.chars().count() > LINE_CHARACTERS_MAX {
                long.push(format!("{}:{}", file.path, at + 1));
            }
        }
    }
    none("lines over 100 characters", long);
}

/// Functions of a formatted file with their first line and length; tests are left out.
fn functions(file: &File) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = file.text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let mut words = line.split_whitespace();
        let prefixes = ["pub", "pub(crate)", "pub(super)", "const", "async", "unsafe"];
        let head = words.find(|word| !prefixes.contains(word));
        let above = lines[..at].iter().rev().take_while(|line| line.trim_start().starts_with('#'));
        if head != Some("fn") || above.into_iter().any(|line| line.contains("test]")) {
            continue;
        }
        let close = format!("{}}}", " ".repeat(indent));
        let opens = lines[at..].iter().position(|line| line.ends_with('{') || line.ends_with(';'));
        let Some(opens) = opens.filter(|opens| lines[at + opens].ends_with('{')) else { continue };
        let end = lines[at + opens..].iter().position(|line| **line == close);
        found.push((at + 1, opens + end.unwrap_or(0) + 1));
    }
    found
}

#[test]
fn functions_are_short() {
    let mut long = Vec::new();
    for file in rust().into_iter().filter(|file| !is_test_file(&file.path)) {
        for (line, length) in functions(&file) {
            if length > FUNCTION_LINES_MAX {
                long.push(format!("{}:{line}: {length} lines", file.path));
            }
        }
    }
    none("functions over the cap", long);
}

#[test]
fn a_long_function_is_seen() {
    let body = "    step();\n".repeat(FUNCTION_LINES_MAX);
    let text = format!("fn short() {{\n}}\n\npub(crate) async fn long(\n) {{\n{body}}}\n");
    let found = functions(&File { path: String::new(), text });
    assert_eq!(found, [(1, 2), (4, FUNCTION_LINES_MAX + 3)]);
}

#[test]
fn nothing_unfinished_is_left() {
    let banned = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("db", "g!("),
        concat!("#[ig", "nore"),
        concat!("allow(dead", "_code)"),
        concat!("FIX", "ME"),
        concat!("TO", "DO"),
    ];
    let mut found = Vec::new();
    for file in rust() {
        for (at, line) in file.text.lines().enumerate() {
            if let Some(word) = banned.iter().find(|word| line.contains(**word)) {
                found.push(format!("{}:{}: {word}", file.path, at + 1));
            }
        }
    }
    none("unfinished things", found);
}

#[test]
fn only_the_renderer_prints() {
    let printing = ["println!(", "print!(", "io::stdout()", "io::stderr()", "process::exit("];
    let mut found = Vec::new();
    for file in rust() {
        let printers = ["crates/mainstay/src/render.rs", "crates/runtime/src/telemetry/logs.rs"];
        let may = printers.contains(&file.path.as_str()) || is_test_file(&file.path);
        for (at, line) in code(&file).iter().enumerate() {
            if !may && printing.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{}", file.path, at + 1));
            }
        }
    }
    none("prints or exits outside `render.rs`", found);
}

#[test]
fn every_module_is_reachable() {
    let sources: Vec<File> = files("crates", &[".rs"]);
    let mut lost = Vec::new();
    for file in &sources {
        let path = file.path.trim_end_matches("/mod.rs").trim_end_matches(".rs");
        let Some((folder, module)) = path.rsplit_once('/') else { continue };
        if ["lib", "main", "build"].contains(&module) {
            continue;
        }
        let parents = [
            format!("{folder}.rs"),
            format!("{folder}/mod.rs"),
            format!("{folder}/lib.rs"),
            format!("{folder}/main.rs"),
        ];
        let declared = sources
            .iter()
            .filter(|source| parents.contains(&source.path))
            .flat_map(|source| source.text.lines())
            .any(|line| line.trim_end_matches(';').split_whitespace().last() == Some(module));
        if !declared {
            lost.push(file.path.clone());
        }
    }
    none("files that no `mod` line names", lost);
}

#[test]
fn only_a_checker_vouches() {
    let makers = ["crates/design/src/check", "crates/design/src/design", "crates/design/src/lib"];
    let mut found = Vec::new();
    for file in rust().into_iter().filter(|file| !is_test_file(&file.path)) {
        let maker = makers.iter().any(|maker| file.path.starts_with(maker));
        let calls = code(&file).iter().any(|line| line.contains(concat!("Valid::", "vouch(")));
        if calls && !maker && file.path != "crates/ir/src/valid.rs" {
            found.push(file.path);
        }
    }
    none("calls of `Valid::vouch` outside its makers", found);
}

#[test]
fn no_path_of_one_machine_is_in_the_tree() {
    let suffixes = [".rs", ".md", ".toml", ".yaml", ".json", ".sql", ".run", ".js", ".html"];
    let homes = [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Use", "rs/")];
    let mut found = Vec::new();
    for file in files("", &suffixes) {
        for (at, line) in file.text.lines().enumerate() {
            if homes.iter().any(|home| line.contains(home)) {
                found.push(format!("{}:{}", file.path, at + 1));
            }
        }
    }
    none("absolute paths", found);
}

#[test]
fn names_are_the_fields_own() {
    let banned = ["Manager", "Helper", "Util", "Processor"];
    let mut found = Vec::new();
    for file in rust() {
        for (at, line) in code(&file).iter().enumerate() {
            let mut words = line
                .split_whitespace()
                .skip_while(|word| !["struct", "enum", "trait", "type", "mod"].contains(word));
            let name = words.nth(1).unwrap_or_default();
            if banned.iter().any(|word| name.contains(word)) {
                found.push(format!("{}:{}: {name}", file.path, at + 1));
            }
        }
    }
    none("names that say nothing", found);
}

#[test]
fn the_map_of_the_code_is_true() {
    let map = std::fs::read_to_string(top().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let named: BTreeSet<&str> = map
        .split(|c: char| c.is_whitespace() || "`()[],;".contains(c))
        .filter(|word| word.starts_with("crates/"))
        .map(|word| word.trim_end_matches(['.', ':', '*', '/']))
        .collect();
    let gone = named.iter().filter(|path| !top().join(path).exists());
    none("paths in ARCHITECTURE.md that are not there", gone.map(ToString::to_string).collect());
    for entry in std::fs::read_dir(top().join("crates")).expect("the crates are there") {
        let name = entry.expect("readable").file_name().to_string_lossy().into_owned();
        assert!(named.contains(format!("crates/{name}").as_str()), "crate `{name}` is not named");
    }
}
