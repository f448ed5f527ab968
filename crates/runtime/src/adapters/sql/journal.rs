//! What the journals of both stores have in common: the text of a step and what it is known by, how
//! far a step has come, what a database remembers after it.

use ir::migration::{Remembered, Run, ScriptStep, Snapshot};
use serde_json::{Value as Json, json};

/// What a step is known by.
#[derive(Clone, Copy)]
pub(crate) struct Step<'a> {
    pub(crate) name: &'a str,
    pub(crate) sum: &'a str,
}

/// How far a step has come: the part that runs, and from where in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) run: usize,
    pub(crate) from: u64,
}

/// The whole text of a step.
pub(crate) fn text(step: &ScriptStep) -> String {
    let all: Vec<&str> = step.run.iter().flat_map(Run::statements).collect();
    all.join(";\n")
}

/// What a text is known by.
pub(crate) fn checksum(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How far the step of a checksum has come, by the note of the step that was broken off.
pub(crate) fn place(noted: Option<&str>, sum: &str) -> Place {
    let value = parsed(noted);
    if value["checksum"] != sum {
        return Place::default();
    }
    let number = |name: &str| value[name].as_u64().unwrap_or_default();
    Place { run: usize::try_from(number("run")).unwrap_or_default(), from: number("from") }
}

/// The note of how far a step has come.
pub(crate) fn noted(Step { name, sum }: Step<'_>, at: Place) -> String {
    json!({ "step": name, "checksum": sum, "run": at.run, "from": at.from }).to_string()
}

/// The name of the step that was broken off.
pub(crate) fn underway(noted: Option<&str>) -> Option<String> {
    parsed(noted)["step"].as_str().map(str::to_owned)
}

fn parsed(noted: Option<&str>) -> Json {
    serde_json::from_str(noted.unwrap_or_default()).unwrap_or_default()
}

/// What is remembered after a change, and what would change it back.
pub(crate) fn remembered(before: Option<&str>, held: &Remembered) -> (String, Remembered) {
    let mut snapshot: Snapshot =
        serde_json::from_str(before.unwrap_or_default()).unwrap_or_default();
    let mut back = Remembered::default();
    for key in held.with.keys().chain(&held.without) {
        match snapshot.tables.get(key) {
            Some(was) => drop(back.with.insert(key.clone(), was.clone())),
            None => back.without.push(key.clone()),
        }
    }
    snapshot.remember(held);
    (serde_json::to_string(&snapshot).unwrap_or_default(), back)
}
