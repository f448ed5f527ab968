//! From PATH to the files of a model: the only place that looks for them.
//!
//! PATH is one file, or a directory. Of a directory, `mainstay.yaml` and every other `*.yaml` below
//! that is written in the notation belong to the model; not hidden entries, what Mainstay itself
//! keeps beside a model (`architecture/`, `seed/`) or wrote as a design (`.files`), and the
//! environments (`mainstay.<name>.yaml` at its top). What else ends in `.yaml` is passed over.

use crate::failure::{Failure, Outcome};
use formats::requirements::{
    DIRECTORY_BYTES_MAX, DIRECTORY_FILES_MAX, FILE_BYTES_MAX, belongs, names_system,
    sources_from_bytes,
};
use ir::Diagnostic;
use ir::source::{SourceFile, Sources};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Folders inside one another that are searched.
const DEPTH_MAX: usize = 8;
/// `*.yaml` files below a directory that are looked at.
const SEARCHED_FILES_MAX: usize = 10_000;
/// The beginning of a file, in which a key tells whether it belongs to the model.
const HEAD_BYTES_MAX: u64 = 65_536;
/// The file that always belongs to the model.
const MAIN: &str = "mainstay.yaml";
/// In a directory of a design: the list of the files that the design wrote there.
pub(crate) const WRITTEN_LIST: &str = ".files";
/// Folders beside a model that are not part of it.
const BESIDE: [&str; 4] = ["architecture", "seed", "target", "node_modules"];

/// The files of a model and where they stand.
#[derive(Debug)]
pub(crate) struct ModelFiles {
    /// The texts, by path.
    pub(crate) sources: Sources,
    /// The environment's file, where one was asked for.
    pub(crate) overlay: Sources,
    /// Files that are no text.
    pub(crate) faults: Vec<Diagnostic>,
    /// `*.yaml` files of the directory that are written in something else.
    pub(crate) passed_over: Vec<String>,
    /// The directory of the model: `seed/`, `architecture/` and `.mainstay/` are beside it.
    pub(crate) home: PathBuf,
}

/// Reads the model at `path`, and `mainstay.<environment>.yaml` beside it.
pub(crate) fn read(path: &Path, environment: Option<&str>) -> Outcome<ModelFiles> {
    let unreadable = |cause: std::io::Error| {
        Failure::new(format!("can't read the model at `{}`", path.display()))
            .caused_by(cause)
            .hint("give a model file, or a directory that holds `mainstay.yaml`")
    };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    let (home, found) = if metadata.is_dir() {
        (path.to_owned(), in_directory(path)?)
    } else {
        let home = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let found = Found { model: vec![path.to_owned()], passed_over: Vec::new() };
        (home.unwrap_or(Path::new(".")).to_owned(), found)
    };
    let (sources, mut faults) = texts(&found.model)?;
    let overlay = match environment.map(|name| overlay(&home, name)).transpose()?.flatten() {
        Some(path) => {
            let (overlay, found) = texts(&[path])?;
            let base = u32::try_from(sources.files.len()).unwrap_or(u32::MAX);
            faults.extend(found.into_iter().map(|fault| moved(fault, base)));
            overlay
        }
        None => Sources::default(),
    };
    let passed_over = found.passed_over.iter().map(|path| shown(path)).collect();
    Ok(ModelFiles { sources, overlay, faults, passed_over, home })
}

/// The files that may belong to the model at `path`, also those that turn out to be something
/// else: where none of them changes, the model does not.
pub(crate) fn candidates(path: &Path, environment: Option<&str>) -> Outcome<Vec<PathBuf>> {
    let mut paths = Vec::new();
    let home = if path.is_dir() {
        search(path, 0, &mut BTreeSet::new(), &mut paths)?;
        paths.retain(|found| !is_environment(found, path));
        paths.sort();
        path
    } else {
        paths.push(path.to_owned());
        path.parent().unwrap_or(Path::new("."))
    };
    paths.extend(environment.map(|name| home.join(format!("mainstay.{name}.yaml"))));
    Ok(paths)
}

/// Every file that is written in the notation at `path`, those of environments too.
pub(crate) fn read_with_environments(path: &Path) -> Outcome<Vec<SourceFile>> {
    let mut files = read(path, None)?;
    if path.is_dir() {
        let beside = std::fs::read_dir(path).into_iter().flatten().flatten();
        let environments =
            beside.map(|entry| entry.path()).filter(|found| is_environment(found, path));
        let (sources, faults) = texts(&environments.collect::<Vec<_>>())?;
        let base = u32::try_from(files.sources.files.len()).unwrap_or(u32::MAX);
        files.faults.extend(faults.into_iter().map(|fault| moved(fault, base)));
        files.sources.files.extend(sources.files);
    }
    if !files.faults.is_empty() {
        return Err(Failure::refused(files.sources, files.faults));
    }
    Ok(files.sources.files)
}

/// `mainstay.<name>.yaml` at the top of a model.
fn is_environment(path: &Path, top: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let inner = name.strip_prefix("mainstay.").and_then(|rest| rest.strip_suffix(".yaml"));
    path.parent() == Some(top) && inner.is_some_and(|inner| !inner.is_empty())
}

/// The files at these paths, each cut off one byte after its limit: the reader says what is wrong
/// with a longer one.
pub(crate) fn texts(paths: &[PathBuf]) -> Outcome<(Sources, Vec<Diagnostic>)> {
    let mut files = Vec::new();
    let mut bytes_in_all = 0;
    for path in paths {
        let unreadable = |cause: std::io::Error| {
            Failure::new(format!("can't read `{}`", shown(path))).caused_by(cause)
        };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        bytes_in_all += bytes.len();
        files.push((shown(path), bytes));
        if bytes_in_all > DIRECTORY_BYTES_MAX {
            // The reader says so; nothing more of the directory need be held for that.
            break;
        }
    }
    Ok(sources_from_bytes(files))
}

/// The path as a user would name it: `./a` is `a`, separators are `/`.
fn shown(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "/");
    text.strip_prefix("./").map(str::to_owned).unwrap_or(text)
}

/// A fault of the environment's file, which follows those of the model.
fn moved(mut fault: Diagnostic, base: u32) -> Diagnostic {
    fault.primary.span.file += base;
    fault
}

fn overlay(home: &Path, name: &str) -> Outcome<Option<PathBuf>> {
    let simple = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(simple) {
        return Err(Failure::new(format!("`{name}` is no name of an environment"))
            .hint("use letters, digits, `-` and `_`, as in `--env prod`"));
    }
    let path = home.join(format!("mainstay.{name}.yaml"));
    if path.exists() {
        return Ok(Some(path));
    }
    // These two also say how the server runs, and need no file for that.
    if ["production", "development"].contains(&name) {
        return Ok(None);
    }
    Err(Failure::new(format!("there is no environment `{name}`"))
        .caused_by(format!("`{}` is not there", shown(&path)))
        .hint("write that file: it may set goals, constraints, URLs and limits"))
}

/// The `*.yaml` files of a directory, each part by path.
struct Found {
    model: Vec<PathBuf>,
    passed_over: Vec<PathBuf>,
}

/// What belongs to the model in a directory; a failure where there is no model.
fn in_directory(top: &Path) -> Outcome<Found> {
    let mut paths = Vec::new();
    search(top, 0, &mut BTreeSet::new(), &mut paths)?;
    paths.retain(|path| !is_environment(path, top));
    paths.sort();
    let nothing = paths.is_empty();
    let mut found = Found { model: Vec::new(), passed_over: Vec::new() };
    let mut named = false;
    for path in paths {
        let main = path == top.join(MAIN);
        let head = if main { String::new() } else { head(&path)? };
        named |= main || (belongs(&head) && names_system(&head));
        if main || belongs(&head) {
            found.model.push(path);
        } else {
            found.passed_over.push(path);
        }
        if found.model.len() > DIRECTORY_FILES_MAX {
            // The reader says so; there is no use in looking for more.
            break;
        }
    }
    if named {
        return Ok(found);
    }
    let cause = match (nothing, found.model.first()) {
        (true, _) => "the directory holds no `*.yaml` file".to_owned(),
        (false, None) => "none of its `*.yaml` files is written in the notation".to_owned(),
        (false, Some(part)) => {
            format!("it has no `mainstay.yaml`, and no file as `{}` names the system", shown(part))
        }
    };
    Err(Failure::new(format!("there is no model in `{}`", top.display()))
        .caused_by(cause)
        .hint("write `mainstay.yaml` there, or give the path of a model"))
}

/// The beginning of a file, as far as it is text.
fn head(path: &Path) -> Outcome<String> {
    let unreadable = |cause: std::io::Error| {
        Failure::new(format!("can't read `{}`", shown(path))).caused_by(cause)
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(HEAD_BYTES_MAX).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The files of a folder that a design wrote there.
fn written_by_design(folder: &Path) -> BTreeSet<PathBuf> {
    let list = std::fs::File::open(folder.join(WRITTEN_LIST));
    let mut text = String::new();
    let read = list.and_then(|list| list.take(FILE_BYTES_MAX as u64).read_to_string(&mut text));
    if read.is_err() {
        return BTreeSet::new();
    }
    text.lines().map(|name| folder.join(name)).collect()
}

fn search(
    folder: &Path,
    depth: usize,
    above: &mut BTreeSet<PathBuf>,
    found: &mut Vec<PathBuf>,
) -> Outcome<()> {
    let unreadable = |cause: std::io::Error| {
        Failure::new(format!("can't read the directory `{}`", shown(folder))).caused_by(cause)
    };
    let real = folder.canonicalize().map_err(unreadable)?;
    if !above.insert(real.clone()) {
        return Err(Failure::new(format!("the directory `{}` holds itself", shown(folder)))
            .caused_by("a link in it leads back to a directory above")
            .hint("remove the link"));
    }
    if depth > DEPTH_MAX {
        return Err(Failure::new(format!("`{}` is too deep for a model", shown(folder)))
            .caused_by(format!("a model's directories are at most {DEPTH_MAX} deep"))
            .hint("give the path of the model itself"));
    }
    let mut inner = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || BESIDE.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            inner.push(path);
        } else if name.ends_with(".yaml") {
            found.push(path);
        }
        if found.len() > SEARCHED_FILES_MAX {
            return Err(Failure::new(format!("`{}` holds too much for a model", shown(folder)))
                .caused_by(format!("more than {SEARCHED_FILES_MAX} `*.yaml` files are there"))
                .hint("give the path of the model itself"));
        }
    }
    for folder in inner {
        search(&folder, depth + 1, above, found)?;
    }
    let written = written_by_design(folder);
    found.retain(|path| !written.contains(path));
    above.remove(&real);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of its own that goes with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&folder);
            for (path, text) in files {
                let path = folder.join(path);
                std::fs::create_dir_all(path.parent().expect("inside")).expect("writable");
                std::fs::write(path, text).expect("writable");
            }
            Self(folder)
        }

        fn names(&self, environment: Option<&str>) -> Outcome<Vec<String>> {
            let files = read(&self.0, environment)?;
            let names = files.sources.files.iter().map(|file| {
                let top = shown(&self.0);
                file.path.strip_prefix(&top).expect("below").trim_start_matches('/').to_owned()
            });
            Ok(names.collect())
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_directory_is_all_that_is_written_in_the_notation_but_what_stands_beside_the_model() {
        let folder = Folder::new(
            "files-all",
            &[
                ("mainstay.yaml", "system: a"),
                ("mainstay.prod.yaml", "goals: {}"),
                ("ordering/orders.yaml", "contexts: {}"),
                ("ordering/mainstay.odd.yaml", "events: {}"),
                ("docker-compose.yaml", "services: {}"),
                ("k8s/a.yaml", "apiVersion: v1\nevents: {}"),
                ("docs/.files", "contracts/events.yaml\n"),
                ("docs/contracts/events.yaml", "events: {}"),
                ("docs/contracts/own.yaml", "events: {}"),
                ("architecture/contracts/openapi.yaml", ""),
                ("seed/products.yaml", ""),
                (".hidden/x.yaml", ""),
                ("notes.md", ""),
            ],
        );
        let names = folder.names(None).expect("readable");
        let model = ["docs/contracts/own.yaml", "mainstay.yaml", "ordering/mainstay.odd.yaml"];
        assert_eq!(names, [&model[..], &["ordering/orders.yaml"]].concat());
        let files = read(&folder.0, None).expect("readable");
        let passed: Vec<&str> =
            files.passed_over.iter().filter_map(|path| path.rsplit('/').next()).collect();
        assert_eq!(passed, ["docker-compose.yaml", "a.yaml"]);
    }

    #[test]
    fn a_directory_whose_files_name_no_system_is_no_model() {
        let folder = Folder::new("files-foreign", &[("compose.yaml", "services: {}")]);
        let cause = |folder: &Folder| folder.names(None).expect_err("no model").causes[0].clone();
        assert!(cause(&folder).starts_with("none of its"));
        let folder = Folder::new("files-part", &[("orders.yaml", "contexts: {}")]);
        assert!(cause(&folder).contains("no `mainstay.yaml`"));
        let folder = Folder::new("files-named", &[("shop.yaml", "system: shop")]);
        assert_eq!(folder.names(None).expect("a model"), ["shop.yaml"]);
    }

    #[test]
    fn an_environment_is_read_beside_the_model_and_must_be_there() {
        let folder = Folder::new(
            "files-env",
            &[("mainstay.yaml", "system: a"), ("mainstay.prod.yaml", "goals: {}")],
        );
        let files = read(&folder.0, Some("prod")).expect("readable");
        assert_eq!(files.overlay.files[0].text, "goals: {}");
        assert!(read(&folder.0, Some("production")).expect("no need").overlay.files.is_empty());
        let failure = read(&folder.0, Some("prdo")).expect_err("there is none");
        assert_eq!(failure.message, "there is no environment `prdo`");
        assert!(read(&folder.0, Some("../x")).is_err());
    }

    #[test]
    fn a_long_file_and_an_odd_one_are_faults_with_their_places() {
        let long = "é".repeat(600_000);
        let folder =
            Folder::new("files-long", &[("a.yaml", "system: a"), ("mainstay.yaml", &long)]);
        let files = read(&folder.0, None).expect("readable");
        assert!(files.faults.is_empty(), "the reader says it, once");
        let (_, faults) = formats::requirements::read(&files.sources);
        assert_eq!(faults.iter().filter(|fault| fault.primary.span.file == 1).count(), 1);
        std::fs::write(folder.0.join("mainstay.prod.yaml"), b"a: b\nc: \xff").expect("writable");
        let files = read(&folder.0, Some("prod")).expect("readable");
        let places: Vec<u32> = files.faults.iter().map(|fault| fault.primary.span.file).collect();
        assert_eq!(places, [2]);
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_that_holds_itself_is_refused() {
        let folder =
            Folder::new("files-loop", &[("mainstay.yaml", ""), ("a/b.yaml", "events: {}")]);
        std::os::unix::fs::symlink(&folder.0, folder.0.join("a/loop")).expect("a link");
        let failure = folder.names(None).expect_err("a loop");
        assert!(failure.message.ends_with("a/loop` holds itself"), "{}", failure.message);
    }

    #[test]
    fn an_empty_directory_and_a_missing_one_say_what_to_do() {
        let folder = Folder::new("files-none", &[("notes.md", "")]);
        assert!(folder.names(None).expect_err("no model").message.starts_with("there is no model"));
        let failure = read(&folder.0.join("gone"), None).expect_err("not there");
        assert!(failure.hint.expect("a hint").contains("mainstay.yaml"));
    }
}
