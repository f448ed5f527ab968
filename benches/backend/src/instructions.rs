//! Work that is counted instead of timed: instructions do not depend on what else the machine does.

use crate::arguments::Counted;
use crate::process::{Scratch, Server, free_address, mainstay, top};
use crate::table::{progress, put};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Of 100 instructions, so many more are a regression: hash seeds and threads move the count.
const MORE_PERCENT_MAX: f64 = 3.0;

/// Counts and compares; false where there is more work than in the baseline.
pub(crate) fn run(arguments: &Counted) -> Result<bool, String> {
    let binary = mainstay(arguments.mainstay.as_deref())?;
    let scratch = Scratch::new(None)?;
    let shop = top().join("examples/shop");
    let large = large(&scratch, arguments.contexts)?;
    let out = scratch.0.join("out");
    let text = |path: &Path| path.display().to_string();
    let size = format!("{} resources", arguments.contexts * 10);
    let mut counts = Map::new();
    let mut note = |name: String, count: u64| {
        progress(&format!("{name}: {count}"));
        counts.insert(name, count.into());
    };
    note("check shop".to_owned(), count(&binary, &["check", &text(&shop)])?);
    note(format!("check {size}"), count(&binary, &["check", &text(&large)])?);
    note(
        format!("design {size}"),
        count(&binary, &["design", &text(&large), "--out", &text(&out)])?,
    );
    note("up shop".to_owned(), count_up(&binary, &scratch, &shop, "shop")?);
    note(format!("up {size}"), count_up(&binary, &scratch, &large, "large")?);
    compare(counts, arguments.update)
}

fn baseline() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.json")
}

fn compare(counts: Map<String, Value>, update: bool) -> Result<bool, String> {
    let known = std::fs::read_to_string(baseline()).unwrap_or_default();
    let known: Map<String, Value> = serde_json::from_str(&known).unwrap_or_default();
    let mut sound = true;
    let mut table = format!("{:<24} {:>16} {:>16} {:>8}\n", "what", "instructions", "baseline", "");
    for (name, count) in &counts {
        let count = count.as_f64().unwrap_or(0.0);
        let before = known.get(name).and_then(Value::as_f64);
        let change = before.map(|before| (count / before - 1.0) * 100.0);
        let more = change.is_some_and(|change| change > MORE_PERCENT_MAX);
        sound &= !more;
        table.push_str(&format!(
            "{name:<24} {count:>16.0} {:>16} {:>8}{}\n",
            before.map_or("-".to_owned(), |before| format!("{before:.0}")),
            change.map_or(String::new(), |change| format!("{change:+.1} %")),
            if more { "  more than it was" } else { "" }
        ));
    }
    put(&table);
    if update {
        let mut all = known;
        all.extend(counts);
        let text = format!("{:#}\n", Value::Object(all));
        std::fs::write(baseline(), text).map_err(|why| why.to_string())?;
        return Ok(true);
    }
    Ok(sound)
}

/// The model that `benches/large-model` writes.
fn large(scratch: &Scratch, contexts: u32) -> Result<PathBuf, String> {
    let path = scratch.0.join("large");
    let made = Command::new(top().join("benches/large-model"))
        .arg(&path)
        .args([contexts.to_string().as_str(), "10"])
        .status();
    match made {
        Ok(status) if status.success() => Ok(path),
        other => Err(format!("the large model was not made: {other:?}")),
    }
}

/// Under valgrind, which runs one thread at a time and counts.
fn valgrind(binary: &Path) -> Command {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(binary);
    command
}

fn collected(said: &str) -> Result<u64, String> {
    let line = said.lines().find_map(|line| line.split_once("Collected : "));
    let count = line.and_then(|(_, count)| count.trim().parse().ok());
    count.ok_or_else(|| format!("valgrind said nothing of use:\n{said}"))
}

fn count(binary: &Path, arguments: &[&str]) -> Result<u64, String> {
    let output = valgrind(binary).args(arguments).output();
    let output = output.map_err(|why| format!("valgrind: {why}"))?;
    collected(&String::from_utf8_lossy(&output.stderr))
}

/// From the start to the first answer and a clean end, on tables that are there already.
fn count_up(binary: &Path, scratch: &Scratch, model: &Path, name: &str) -> Result<u64, String> {
    let data = scratch.0.join(format!("data-{name}"));
    let log = scratch.0.join("log");
    let serve = |command: &mut Command| {
        let address = free_address()?;
        command.arg("up").arg(model).arg("--data").arg(&data);
        command.args(["--listen", &address.to_string(), "--threads", "1"]);
        let command = std::mem::replace(command, Command::new("true"));
        Server::start(command, address, &log)?.end()
    };
    serve(&mut Command::new(binary))?;
    serve(&mut valgrind(binary))?;
    let said = std::fs::read_to_string(&log).map_err(|why| why.to_string())?;
    collected(&said)
}
