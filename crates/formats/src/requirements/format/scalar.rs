//! How a scalar is written: as the user did wherever that still means the same.

use crate::requirements::faults::torn_value::quoted;
use crate::requirements::tree::{Scalar, Style};

/// A scalar on one line, in `{}` and `[]` where `flow`.
pub(super) fn inline(source: &str, scalar: &Scalar, flow: bool) -> String {
    let written = || source.get(scalar.span.start as usize..scalar.span.end as usize);
    match scalar.style {
        Style::Plain | Style::SingleQuoted | Style::DoubleQuoted => match written() {
            Some(text) if !text.contains('\n') => text.to_owned(),
            _ => of_value(&scalar.value, flow),
        },
        Style::Block | Style::Made => of_value(&scalar.value, flow),
    }
}

/// A value on one line: plain where YAML lets it be, else in quotes.
fn of_value(value: &str, flow: bool) -> String {
    if value.chars().any(char::is_control) {
        return escaped(value);
    }
    if is_plain(value, flow) { value.to_owned() } else { quoted(value) }
}

fn escaped(value: &str) -> String {
    let mut text = String::from("\"");
    for c in value.chars() {
        match c {
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            '"' | '\\' => text.extend(['\\', c]),
            c if c.is_control() => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

/// True where a value needs no quotes.
pub(super) fn is_plain(value: &str, flow: bool) -> bool {
    let Some(first) = value.chars().next() else { return false };
    let second = value.chars().nth(1);
    let starts_well = match first {
        '-' | '?' | ':' => second.is_some_and(|c| !(c.is_whitespace() || flow && is_flow(c))),
        c => !"#&*!|>'\"%@`,[]{}".contains(c) && !c.is_whitespace(),
    };
    let torn = value.contains(": ")
        || value.contains(" #")
        || value.ends_with([':', ' ', '\t'])
        || value.chars().any(char::is_control);
    let flow_torn = flow && value.contains(is_flow);
    starts_well && !torn && !flow_torn
}

fn is_flow(c: char) -> bool {
    ",[]{}".contains(c)
}

/// The header of a block scalar that can be indented anew, and its lines without indentation.
pub(super) fn block<'s>(source: &'s str, scalar: &Scalar) -> Option<(&'s str, Vec<&'s str>)> {
    let written = source.get(scalar.span.start as usize..scalar.span.end as usize)?;
    let (header, body) = written.split_once('\n')?;
    let header = header.split_whitespace().next()?;
    if header.contains(|c: char| c.is_ascii_digit() || c == '+') {
        return None;
    }
    let lines: Vec<&str> = body.lines().collect();
    let indent = |line: &&str| line.len() - line.trim_start_matches(' ').len();
    let common = lines.iter().filter(|line| !line.trim().is_empty()).map(indent).min()?;
    Some((header, lines.into_iter().map(|line| line.get(common..).unwrap_or("")).collect()))
}

/// The lines of a folded text, none longer than `width` where its words allow; `None` for a text
/// that folding would change.
pub(super) fn folded(value: &str, width: usize) -> Option<Vec<String>> {
    let changes = value.contains("  ") || value.contains(char::is_control) || value.trim() != value;
    if changes || value.is_empty() {
        return None;
    }
    let mut lines: Vec<String> = vec![String::new()];
    for word in value.split(' ') {
        let last = lines.last_mut()?;
        if last.is_empty() {
            last.push_str(word);
        } else if last.chars().count() + 1 + word.chars().count() <= width {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    Some(lines)
}
