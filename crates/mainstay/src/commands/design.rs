//! `mainstay design`: the architecture, decided and written.

use crate::failure::{Failure, Outcome};
use crate::model_files::WRITTEN_LIST;
use crate::pipeline::{self, Designed};
use crate::published;
use ir::architecture::Architecture;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What happened to one file of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Change {
    /// It was not there.
    Added,
    /// It was otherwise.
    Changed,
    /// It is no longer part of the architecture.
    Removed,
}

/// What `design` wrote, or would write.
#[derive(Debug)]
pub(crate) struct Written {
    /// The architecture.
    pub(crate) designed: Designed,
    /// Where it stands.
    pub(crate) out: PathBuf,
    /// How many files it has.
    pub(crate) files: usize,
    /// The files that were not already as they should be.
    pub(crate) changes: Changes,
}

/// What `design` may do to the directory it writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Nothing is written.
    Check,
    /// Files of others are left alone: the design is refused.
    Write,
    /// Files of others are replaced.
    Force,
}

/// A model, as a user names it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named<'a> {
    /// File or directory.
    pub(crate) path: &'a Path,
    /// Environment over it.
    pub(crate) environment: Option<&'a str>,
    /// Published events that may break.
    pub(crate) breaking: &'a [String],
}

/// Designs a model and writes its files to `out`. A file that a former design wrote and this one
/// does not have is removed.
pub(crate) fn design(
    model: Named<'_>,
    prices: Option<&Path>,
    out: Option<&Path>,
    mode: Mode,
) -> Outcome<Written> {
    let check = mode == Mode::Check;
    let catalog = pipeline::catalog(prices)?;
    let mut checked = pipeline::check(model.path, model.environment)?;
    let no = published::compare(&mut checked, model.breaking);
    let designed = pipeline::design_checked(checked, &catalog);
    let designed = designed.map_err(|failure| Failure { no, ..failure })?;
    let out = out.map_or_else(|| designed.home.join("architecture"), Path::to_owned);
    if mode == Mode::Write {
        refuse_foreign(&designed.architecture, &out)?;
    }
    let (names, mut changes) = write_files(&designed.architecture, &out, check)?;
    for stale in written_before(&out).into_iter().filter(|name| !names.contains(name)) {
        if !check {
            let place = out.join(&stale);
            std::fs::remove_file(&place).map_err(|fault| unwritable(&place, &fault))?;
        }
        changes.push((stale, Change::Removed));
    }
    let listed = changes.is_empty() && out.join(WRITTEN_LIST).exists();
    if !check && !listed {
        let list: String = names.iter().map(|name| format!("{name}\n")).collect();
        write(&out.join(WRITTEN_LIST), &list)?;
    }
    changes.sort();
    Ok(Written { designed, out, files: names.len(), changes })
}

/// Files that were not as they should be.
type Changes = Vec<(String, Change)>;

/// Writes what is not there as it should be: the names of all files, and what changed.
fn write_files(
    architecture: &Architecture,
    out: &Path,
    check: bool,
) -> Outcome<(BTreeSet<String>, Changes)> {
    let met = Mutex::new(Vec::new());
    formats::write_architecture(architecture, &|name, text| {
        let change = write_changed(&out.join(&name), &text, check);
        met.lock().unwrap_or_else(PoisonError::into_inner).push((name, change));
    });
    let (mut names, mut changes) = (BTreeSet::new(), Vec::new());
    for (name, change) in met.into_inner().unwrap_or_else(PoisonError::into_inner) {
        changes.extend(change?.map(|change| (name.clone(), change)));
        names.insert(name);
    }
    Ok((names, changes))
}

/// Where a design writes: files, and directories of files.
const PLACES: [&str; 5] =
    ["ARCHITECTURE.md", "architecture.json", "contracts", "decisions", "schema"];
/// The beginning of a file that says whether a design wrote it.
const HEAD_BYTES_MAX: u64 = 256;
/// Files that a refusal names at most.
const NAMED_MAX: usize = 8;

/// Refuses to replace what no design wrote: what exists otherwise and is not in the list of a
/// former one. Nothing is made for that where all files are known.
fn refuse_foreign(architecture: &Architecture, out: &Path) -> Outcome<()> {
    let listed: BTreeSet<String> = written_before(out).into_iter().collect();
    if is_unlisted_design(out) || !PLACES.iter().any(|place| has_unlisted(out, place, &listed)) {
        return Ok(());
    }
    let (_, changes) = write_files(architecture, out, true)?;
    let mut foreign: Vec<String> = changes
        .into_iter()
        .filter(|(name, change)| *change == Change::Changed && !listed.contains(name))
        .map(|(name, _)| out.join(name).display().to_string())
        .collect();
    foreign.sort();
    let more = foreign.len().saturating_sub(NAMED_MAX);
    let Some(first) = foreign.first() else { return Ok(()) };
    let mut failure = Failure::new(match foreign.len() {
        1 => format!("`{first}` is there and was not written by `mainstay design`"),
        number => format!("{number} files are there that `mainstay design` did not write"),
    })
    .hint("give another directory with `--out`, or replace what is there with `--force`");
    if foreign.len() > 1 {
        failure = foreign.iter().take(NAMED_MAX).fold(failure, Failure::caused_by);
    }
    Err(if more > 0 { failure.caused_by(format!("and {more} more")) } else { failure })
}

/// True for a design whose list was not kept, as where hidden files are left out of a copy: the
/// machine's form stands there, and names the notation as no other program does.
fn is_unlisted_design(out: &Path) -> bool {
    let mut head = Vec::new();
    let file = std::fs::File::open(out.join("architecture.json"));
    let read = file.and_then(|file| file.take(HEAD_BYTES_MAX).read_to_end(&mut head));
    let known = || formats::machine::is_written(&String::from_utf8_lossy(&head));
    read.is_ok() && !out.join(WRITTEN_LIST).exists() && known()
}

/// True where something is at `place` that is not in the list.
fn has_unlisted(out: &Path, place: &str, listed: &BTreeSet<String>) -> bool {
    match std::fs::read_dir(out.join(place)) {
        Ok(entries) => entries.flatten().any(|entry| {
            !listed.contains(&format!("{place}/{}", entry.file_name().to_string_lossy()))
        }),
        Err(_) => out.join(place).exists() && !listed.contains(place),
    }
}

fn write_changed(place: &Path, text: &str, check: bool) -> Outcome<Option<Change>> {
    let change = match std::fs::read(place) {
        Ok(there) if there == text.as_bytes() => return Ok(None),
        Ok(_) => Change::Changed,
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => Change::Added,
        Err(fault) => return Err(unwritable(place, &fault)),
    };
    if !check {
        write(place, text)?;
    }
    Ok(Some(change))
}

fn written_before(out: &Path) -> Vec<String> {
    let list = std::fs::read_to_string(out.join(WRITTEN_LIST)).unwrap_or_default();
    let inside = |name: &&str| {
        let plain =
            |part: std::path::Component<'_>| matches!(part, std::path::Component::Normal(_));
        Path::new(name).components().all(plain)
    };
    let names = list.lines().filter(inside).filter(|name| out.join(name).is_file());
    names.map(str::to_owned).collect()
}

fn write(place: &Path, text: &str) -> Outcome<()> {
    match std::fs::write(place, text) {
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => {
            let folder = place.parent().unwrap_or(Path::new("."));
            std::fs::create_dir_all(folder).map_err(|fault| unwritable(folder, &fault))?;
            std::fs::write(place, text)
        }
        done => done,
    }
    .map_err(|fault| unwritable(place, &fault))
}

fn unwritable(place: &Path, fault: &std::io::Error) -> Failure {
    Failure::new(format!("can't write `{}`", place.display()))
        .caused_by(fault)
        .hint("give another directory with `--out`")
}
