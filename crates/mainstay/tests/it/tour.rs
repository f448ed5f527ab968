//! The tour of the README, executed: every `sh` block is run as it stands, in order, in one shell,
//! and an `output` block after it must be what was printed (`…` stands for anything).

use crate::harness::{Folder, Server};
use crate::house::top;
use std::process::{Command, Stdio};

/// A fenced block: its language and text.
pub(crate) struct Block {
    pub(crate) language: String,
    pub(crate) text: String,
}

pub(crate) fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in markdown.lines() {
        match (line.strip_prefix("```"), open.as_mut()) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(language), None) => {
                open = Some(Block { language: language.to_owned(), text: String::new() });
            }
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// True where `…` in the pattern may stand for any text of one line.
fn matches(pattern: &str, line: &str) -> bool {
    match pattern.split_once('…') {
        None => pattern == line,
        Some((head, rest)) => line.strip_prefix(head).is_some_and(|line| {
            let ends = line.char_indices().map(|(at, _)| at).chain([line.len()]);
            ends.into_iter().any(|at| matches(rest, &line[at..]))
        }),
    }
}

/// Every line of the block stands in the output, in that order; a line that is `…` alone stands
/// for any lines.
pub(crate) fn assert_printed(expected: &str, printed: &str, what: &str) {
    let mut lines = printed.lines().map(str::trim_end);
    for pattern in expected.lines().filter(|line| line.trim() != "…") {
        let found = lines.any(|line| matches(pattern, line));
        assert!(found, "`{what}` did not print\n  {pattern}\nbut\n{printed}");
    }
}

const MARK: &str = "-- the end of a block --";

/// The blocks of a shell session, run to their ends, and what each printed.
fn session(blocks: &[String], data: &str) -> Vec<String> {
    let mut script = String::from("set -euo pipefail\nexec 2>&1\n");
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_mainstay"));
    let folder = binary.parent().expect("in a folder").to_str().expect("a plain name");
    for block in blocks {
        script.push_str(&block.replace("$PWD/target/release", folder));
        script.push_str(&format!("\necho; echo '{MARK}'\n"));
    }
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(top())
        .env("MAINSTAY_DATA", data)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    let stdout = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "the tour stops after\n{stdout}");
    stdout.split(MARK).map(|part| part.trim_matches('\n').to_owned()).collect()
}

fn has_curl() -> bool {
    let found = Command::new("curl").arg("--version").output().is_ok();
    assert!(found || std::env::var_os("CI").is_none(), "the tour needs curl");
    if !found {
        eprintln!("**** SKIPPED: the tour needs curl, which is not here ****");
    }
    found
}

#[test]
fn the_tour_of_the_readme_runs_as_it_stands() {
    if !has_curl() {
        return;
    }
    let readme = std::fs::read_to_string(top().join("README.md")).expect("README.md");
    let (_, tour) = readme.split_once("\n## A ten-minute tour\n").expect("the tour");
    let tour = tour.split("\n## ").next().unwrap_or_default();
    let folder = Folder::new();
    let data = folder.0.join("data");
    let server = Server::start("examples/shop", &data, &["--seed"]);
    let address = server.address.to_string();
    let port = server.address.port().to_string();
    let (mut commands, mut expected) = (Vec::new(), Vec::new());
    let mut started = false;
    for block in blocks(tour) {
        match block.language.as_str() {
            "sh" if block.text.starts_with("mainstay up ") => {
                assert_eq!(block.text.trim(), "mainstay up examples/shop --seed");
                started = true;
            }
            "sh" => {
                let text = block.text.replace("127.0.0.1:8080", &address);
                commands.push(text.replace(":8080", &format!(":{port}")));
            }
            "output" if !commands.is_empty() => {
                let text = block.text.replace("127.0.0.1:8080", &address);
                expected.push((commands.len() - 1, text.replace(":8080", &format!(":{port}"))));
            }
            _ => {}
        }
    }
    assert!(started, "the tour starts the backend");
    assert!(commands.len() >= 8, "the tour is a tour");
    let printed = session(&commands, data.to_str().expect("a plain name"));
    for (at, text) in expected {
        assert_printed(&text, &printed[at], &commands[at]);
    }
}

#[test]
fn the_readme_says_the_two_commands() {
    let readme = std::fs::read_to_string(top().join("README.md")).expect("README.md");
    assert!(readme.contains("cargo run --release -- up examples/shop"));
    assert!(readme.contains("cargo test --workspace"));
}

#[test]
fn dots_stand_for_anything_in_a_line() {
    assert!(matches("a…c", "abbc") && matches("…", "") && matches("a…", "abc"));
    assert!(!matches("a…c", "abb") && !matches("ab", "abc"));
}
