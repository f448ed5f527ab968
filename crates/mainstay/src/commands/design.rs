//! `mainstay design`: the architecture, decided and written.

use crate::failure::{Failure, Outcome};
use crate::pipeline::{self, Designed};
use ir::architecture::Architecture;
use std::collections::BTreeSet;
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

/// Designs the model at `path` and writes its files to `out`; where `check` is set nothing is
/// written. A file that a former design wrote and this one does not have is removed.
pub(crate) fn design(
    path: &Path,
    environment: Option<&str>,
    prices: Option<&Path>,
    out: Option<&Path>,
    check: bool,
) -> Outcome<Written> {
    let catalog = pipeline::catalog(prices)?;
    let designed = pipeline::design_with(path, environment, &catalog)?;
    let out = out.map_or_else(|| designed.home.join("architecture"), Path::to_owned);
    let (names, mut changes) = write_files(&designed.architecture, &out, check)?;
    for stale in written_before(&out).into_iter().filter(|name| !names.contains(name)) {
        if !check {
            let place = out.join(&stale);
            std::fs::remove_file(&place).map_err(|fault| unwritable(&place, &fault))?;
        }
        changes.push((stale, Change::Removed));
    }
    let listed = changes.is_empty() && out.join(LIST).exists();
    if !check && !listed {
        let list: String = names.iter().map(|name| format!("{name}\n")).collect();
        write(&out.join(LIST), &list)?;
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

/// The list of what a design wrote: only what stands there is ever removed.
const LIST: &str = ".files";

fn written_before(out: &Path) -> Vec<String> {
    let list = std::fs::read_to_string(out.join(LIST)).unwrap_or_default();
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
