//! From texts to the model: limits, trees, one merged tree, then construct by construct.

mod access;
mod behaviour;
mod field;
mod resource;
mod system;
#[cfg(test)]
mod tests;
mod types;

#[cfg(test)]
pub(super) use types::WORDS as TYPE_WORDS;

use super::environment::Overrides;
use super::faults::{empty_model, too_large};
use super::form::{Reader, Value};
use super::tree::{self, Kind, Node};
use super::{
    DIRECTORY_BYTES_MAX, DIRECTORY_FILES_MAX, FAULTS_MAX, FILE_BYTES_MAX, VALUES_MAX, merge,
};
use ir::{Diagnostic, Model, Sources, Span};

/// Reads all files of a model, in the order of their paths. All faults come at once; where one of
/// them is an error, the model is what could be read in spite of it.
pub fn read(sources: &Sources) -> (Model, Vec<Diagnostic>) {
    read_with_environment(sources, &Sources::default())
}

/// The same with the files of an environment laid over it; their places follow those of the model
/// in [`Model::sources`], which the diagnostics refer to.
pub fn read_with_environment(base: &Sources, overlay: &Sources) -> (Model, Vec<Diagnostic>) {
    let mut sources = base.clone();
    sources.files.extend(overlay.files.iter().cloned());
    let mut faults = Vec::new();
    let (roots, overlays, partial) = match within_limits(&sources, &mut faults) {
        true => trees(&sources, base.files.len(), &mut faults),
        false => (Vec::new(), Vec::new(), true),
    };
    let root = merge::merge(roots, &mut faults);
    let overrides = Overrides::read(&overlays, &mut faults);
    let mut model = Model { notation: 1, ..Model::default() };
    if let Some(root) = &root
        && !is_empty(root)
    {
        let mut reader = Reader {
            faults,
            variables: Vec::new(),
            path: Vec::new(),
            partial,
            overrides: &overrides,
        };
        model = system::model(&mut reader, Value::from(root));
        model.variables = reader.variables;
        faults = reader.faults;
        overrides.unknown(&mut faults);
    } else if faults.is_empty() {
        faults.push(empty_model::at(Span::default()));
    }
    model.sources = sources;
    (model, limited(faults))
}

/// The trees of the files, those of the model and those of the overlay after it; true where a part
/// of them was left out. Beyond the limit of values nothing is built: not even the trees are kept.
fn trees(
    sources: &Sources,
    files_of_model: usize,
    faults: &mut Vec<Diagnostic>,
) -> (Vec<Node>, Vec<Node>, bool) {
    let (mut roots, mut overlays) = (Vec::new(), Vec::new());
    let (mut partial, mut values) = (false, 0);
    for (at, file) in sources.files.iter().enumerate() {
        let number = u32::try_from(at).unwrap_or(u32::MAX);
        let place = Span::new(number, 0, 0);
        if file.text.len() > FILE_BYTES_MAX {
            faults.push(too_large::file(place, FILE_BYTES_MAX));
            partial = true;
            continue;
        }
        let tree = tree::parse(number, &file.text);
        faults.extend(tree.faults);
        partial |= tree.partial;
        values += tree.values;
        if values > VALUES_MAX {
            faults.push(too_large::values(Span::default(), VALUES_MAX));
            return (Vec::new(), Vec::new(), true);
        }
        if at < files_of_model { roots.extend(tree.root) } else { overlays.extend(tree.root) }
    }
    (roots, overlays, partial)
}

/// True where text was left out of the model, so that a name that seems to be missing may stand in
/// what was left out: checking further would blame the user for it.
pub fn is_partial(diagnostics: &[Diagnostic]) -> bool {
    const LEFT_OUT: [&str; 5] = ["E001", "E002", "E003", "E004", "E005"];
    diagnostics.iter().any(|diagnostic| LEFT_OUT.contains(&diagnostic.code.0))
}

fn is_empty(root: &Node) -> bool {
    matches!(&root.kind, Kind::Map(map) if map.entries.is_empty())
}

fn within_limits(sources: &Sources, faults: &mut Vec<Diagnostic>) -> bool {
    let bytes: usize = sources.files.iter().map(|file| file.text.len()).sum();
    let files = sources.files.len();
    if files > DIRECTORY_FILES_MAX {
        faults.push(too_large::files(Span::default(), files, DIRECTORY_FILES_MAX));
    } else if bytes > DIRECTORY_BYTES_MAX {
        faults.push(too_large::directory(Span::default(), bytes, DIRECTORY_BYTES_MAX));
    } else {
        return true;
    }
    false
}

/// The first faults in the order of their places, and that there are more.
fn limited(mut faults: Vec<Diagnostic>) -> Vec<Diagnostic> {
    faults.sort_by_key(|fault| (fault.primary.span, fault.code));
    if let Some(first) = faults.get(FAULTS_MAX) {
        let more = too_large::faults(first.primary.span, FAULTS_MAX);
        faults.truncate(FAULTS_MAX);
        faults.push(more);
    }
    faults
}

/// A model that sets every key of every construct.
#[cfg(test)]
pub(crate) const EVERYTHING: &str = include_str!("everything.yaml");
