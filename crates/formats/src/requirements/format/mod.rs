//! `fmt`: the same model in its short form. Comments, the order of everything, blank lines and the
//! choice between `{}` and lines stay as they were written; what is longer than a line is broken.

mod print;
mod scalar;
mod shorten;
#[cfg(test)]
mod tests;

use super::construct::MODEL;
use super::tree;
use ir::{Diagnostic, Sources};
use serde_json::Value;

/// Columns of a line before `{}` and `[]` become lines of their own.
pub(super) const WIDTH_MAX: usize = 100;

/// The text in its canonical form.
///
/// # Errors
/// The faults of a text that can't be taken apart safely: not YAML, key set twice and their kin
/// (E001-E008). Faults of meaning do not matter here.
pub fn format(text: &str) -> Result<String, Vec<Diagnostic>> {
    let (sources, mut faults) =
        super::sources_from_bytes(vec![(String::new(), text.as_bytes().to_vec())]);
    let text = sources.files.first().map_or("", |file| file.text.as_str());
    let formatted = settled(text).map_err(|found| {
        faults.extend(found);
        std::mem::take(&mut faults)
    })?;
    if !faults.is_empty() {
        return Err(faults);
    }
    // A formatter that changes the meaning is worse than none.
    Ok(if means(&formatted) == means(text) { formatted } else { text.to_owned() })
}

/// Passes until nothing changes: a comment that moves out of `{}` can free a short form, once.
const PASSES_MAX: usize = 4;

/// The text printed until printing changes nothing.
fn settled(text: &str) -> Result<String, Vec<Diagnostic>> {
    let mut settled = printed(text)?;
    for _ in 1..PASSES_MAX {
        let again = printed(&settled)?;
        if again == settled {
            break;
        }
        settled = again;
    }
    Ok(settled)
}

/// The text printed, whatever that does to its meaning.
fn printed(text: &str) -> Result<String, Vec<Diagnostic>> {
    let mut tree = tree::parse(0, text);
    if !tree.faults.is_empty() {
        return Err(tree.faults);
    }
    if let Some(root) = &mut tree.root {
        shorten::construct(root, &MODEL, &tree.comments, 0);
    }
    Ok(print::print(text, &tree))
}

/// The model without its places.
fn means(text: &str) -> Value {
    let (model, _) = super::read(&Sources::one("", text));
    let mut value = serde_json::to_value(model).unwrap_or_default();
    forget_places(&mut value);
    value
}

/// Flags are places in the model; that they are set is all they mean.
fn forget_places(value: &mut Value) {
    match value {
        Value::Object(members) if members.contains_key("start") && members.contains_key("file") => {
            *value = Value::Bool(true);
        }
        Value::Object(members) => members.values_mut().for_each(forget_places),
        Value::Array(items) => items.iter_mut().for_each(forget_places),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
