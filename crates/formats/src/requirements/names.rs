//! How names are spelt, kind by kind.

use super::construct::NameKind;
use super::faults::{bad_name, bad_quantity, bad_route, reserved_name};
use super::source::Slice;
use ir::{Diagnostic, Name};

/// Reads a name; what is wrong with it is said, and the name kept so that reading can go on.
pub(crate) fn read(kind: NameKind, slice: Slice<'_>, faults: &mut Vec<Diagnostic>) -> Name {
    let text = slice.text;
    if text.chars().count() > bad_name::NAME_CHARS_MAX && !is_free(kind) {
        faults.push(bad_name::long(slice.span(), text));
        return slice.name();
    }
    let mut name = slice.name();
    match kind {
        NameKind::Percentile if percentile(text).is_none() => {
            faults.push(bad_quantity::at(slice.span(), text, "a percentile", "p95"));
        }
        NameKind::Status if status(text).is_none() => {
            let what = "a status from 400 to 599";
            faults.push(bad_quantity::at(slice.span(), text, what, "402"));
        }
        NameKind::Version if version(text).is_none() => {
            faults.push(bad_quantity::at(slice.span(), text, "a version", "1"));
        }
        _ => {
            if let Some((what, form)) = wrong(kind, text) {
                let better = better(kind, text);
                // Read on with the right spelling: who refers to it by that is not at fault.
                if let (NameKind::Camel(_) | NameKind::Snake(_) | NameKind::Field, false) =
                    (kind, better.is_empty())
                {
                    name.value.clone_from(&better);
                }
                faults.push(match kind {
                    NameKind::Segment => bad_route::at(slice.span(), text, form, &better),
                    _ => bad_name::at(slice.span(), text, what, form, &better),
                });
            }
        }
    }
    name
}

/// Kinds whose length is looked at elsewhere.
fn is_free(kind: NameKind) -> bool {
    matches!(
        kind,
        NameKind::Route
            | NameKind::Subject
            | NameKind::Reference
            | NameKind::Event
            | NameKind::Heard
    )
}

/// What is wrong with a name of that kind: what it names and how it is spelt.
fn wrong(kind: NameKind, text: &str) -> Option<(&'static str, &'static str)> {
    const SNAKE: &str = "it is written `lower_snake_case`";
    const CAMEL: &str = "it is written `UpperCamelCase`";
    let (fits, what, form) = match kind {
        NameKind::Snake(what) => (is_snake(text), what, SNAKE),
        NameKind::Field => (is_snake(text), "a field", SNAKE),
        NameKind::Camel(what) => (is_camel(text), what, CAMEL),
        NameKind::Event => (
            text.split('.').all(is_snake),
            "an event",
            "it is written `lower_snake.case`, with points",
        ),
        NameKind::Sent => (
            is_sent(text),
            "an event of a sender",
            "it has letters, digits, `_`, `-`, `:`, `/` and points",
        ),
        NameKind::Heard => (
            text.split('.').all(is_snake)
                || text.split_once('.').is_some_and(|(of, sent)| is_snake(of) && is_sent(sent)),
            "an event",
            "it is written `lower_snake.case`, with points",
        ),
        NameKind::Reference => (
            text.split('.').all(|part| is_snake(part) || is_camel(part)),
            "an element",
            "names with points between them, as `Order.place`",
        ),
        NameKind::Word => (
            text.starts_with(|c: char| c.is_ascii_alphabetic())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:/".contains(&b)),
            "",
            "it has letters, digits, `-` and `_`",
        ),
        NameKind::Segment => (
            !text.is_empty()
                && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
            "a path",
            "a segment has lower-case letters, digits and `-`",
        ),
        NameKind::Identifier => (
            text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_$. ".contains(&b)),
            "a table or column",
            "it begins with a letter or `_` and has letters, digits, `_`, `$`, `.` and spaces",
        ),
        NameKind::Subject => (!text.is_empty(), "a decision", "its name, perhaps with a subject"),
        NameKind::Percentile | NameKind::Status | NameKind::Version | NameKind::Route => {
            (true, "", "")
        }
    };
    (!fits).then_some((what, form))
}

fn is_sent(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.:/".contains(&b))
}

fn is_snake(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn is_camel(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// The name in the spelling of its kind, where that is possible.
fn better(kind: NameKind, text: &str) -> String {
    let words = words(text);
    let fits = match kind {
        NameKind::Camel(_) => words.iter().map(|word| capital(word)).collect::<String>(),
        NameKind::Snake(_) | NameKind::Field => words.join("_"),
        NameKind::Segment | NameKind::Word => words.join("-"),
        NameKind::Event | NameKind::Heard => words.join("."),
        NameKind::Sent
        | NameKind::Reference
        | NameKind::Identifier
        | NameKind::Subject
        | NameKind::Percentile
        | NameKind::Status
        | NameKind::Version
        | NameKind::Route => return String::new(),
    };
    if wrong(kind, &fits).is_none() { fits } else { String::new() }
}

/// The words of a name in any spelling, in lower case.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut after_lower = false;
    for c in text.chars() {
        if !c.is_ascii_alphanumeric() {
            words.push(String::new());
        } else {
            if words.is_empty() || (c.is_ascii_uppercase() && after_lower) {
                words.push(String::new());
            }
            let last = words.last_mut().expect("one was just pushed");
            last.push(c.to_ascii_lowercase());
        }
        after_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
    }
    words.retain(|word| !word.is_empty());
    words
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

/// The number of `p95`, `p99.9`.
pub(crate) fn percentile(text: &str) -> Option<f64> {
    let value = super::leaf::number(text.strip_prefix('p')?)?;
    (value > 0.0 && value < 100.0).then_some(value)
}

/// An HTTP status that a business answer may have.
pub(crate) fn status(text: &str) -> Option<u16> {
    text.parse().ok().filter(|status| (400..600).contains(status))
}

/// A version of an event.
pub(crate) fn version(text: &str) -> Option<u32> {
    text.parse().ok().filter(|version| *version > 0 && !text.starts_with(['0', '+']))
}

/// Says so where a name is reserved.
pub(crate) fn refuse_reserved(
    name: &Name,
    reserved: fn(&str) -> Option<&'static str>,
    faults: &mut Vec<Diagnostic>,
) {
    if let Some(reason) = reserved(&name.value) {
        faults.push(reserved_name::at(name.span, &name.value, reason));
    }
}
