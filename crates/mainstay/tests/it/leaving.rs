//! The page about leaving, executed: every command of it runs as it stands, and prints what it says.

use crate::database::Database;
use crate::harness::{Folder, Server, run};
use crate::house::top;
use crate::tour::{assert_printed, blocks};
use std::path::Path;
use std::process::{Command, Stdio};

/// True where a tool is here; where it lacks that is told, and a failure with `CI`.
fn has(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok();
    assert!(found || std::env::var_os("CI").is_none(), "the page needs {tool}");
    if !found {
        eprintln!("**** SKIPPED: `{tool}` is not here ****");
    }
    found
}

#[test]
fn every_command_of_the_page_about_leaving_runs_as_it_stands() {
    let Some(database) = Database::new() else { return };
    let (folder, url) = (Folder::new(), database.url());
    let data = folder.0.join("data");
    let plain = |path: &Path| path.to_str().expect("a plain name").to_owned();
    let _running = Server::start("examples/shop", &data, &["--seed"]);
    let rows = plain(&folder.0.join("first"));
    let from = plain(&data);
    let taken = run(&["backup", &rows, "examples/shop", "--data", &from, "--rows"]);
    assert_eq!(taken.code, 0, "{}", taken.stderr);
    let put = run(&["restore", &rows, "examples/shop", "--database", &url]);
    assert_eq!(put.code, 0, "{}", put.stderr);
    let page = std::fs::read_to_string(top().join("docs/LEAVING.md")).expect("the page");
    let binary = Path::new(env!("CARGO_BIN_EXE_mainstay")).parent().expect("in a folder");
    let path = format!("{}:{}", plain(binary), std::env::var("PATH").unwrap_or_default());
    let (mut printed, mut ran) = (None, 0);
    for block in blocks(&page) {
        match (block.language.as_str(), printed.take()) {
            ("sh", _) => {
                let tools = ["sqlite3", "psql", "pg_dump", "python3", "zstd"];
                let used = |tool: &&str| block.text.contains(&format!("{tool} "));
                if !tools.iter().filter(|tool| used(tool)).all(|tool| has(tool)) {
                    continue;
                }
                let output = Command::new("bash")
                    .args(["-c", &format!("set -euo pipefail\nexec 2>&1\n{}", block.text)])
                    .current_dir(top())
                    .env("PATH", &path)
                    .env("DATA", &data)
                    .env("URL", &url)
                    .env("OUT", &folder.0)
                    .stdin(Stdio::null())
                    .output()
                    .expect("bash runs");
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                // A reader that has seen enough (`| head`) ends the writer.
                let fine = output.status.success() || output.status.code() == Some(141);
                assert!(fine, "{} stops with\n{text}", block.text);
                printed = Some((block.text, text));
                ran += 1;
            }
            ("output", Some((command, text))) => assert_printed(&block.text, &text, &command),
            _ => {}
        }
    }
    assert!(ran >= 1, "nothing of the page ran");
}

#[test]
fn the_page_about_leaving_names_every_table_of_ours() {
    let page = std::fs::read_to_string(top().join("docs/LEAVING.md")).expect("the page");
    for table in runtime::ports::transfer::SYSTEM {
        let name = table.name.trim_start_matches("mainstay_");
        assert!(page.contains(&format!("`{name}`")), "`{name}` is not in docs/LEAVING.md");
    }
}
