//! Mermaid diagrams of an architecture: context, containers, entities, sagas, states.

mod containers;
mod entities;
mod sequence;
mod states;

#[cfg(test)]
mod tests;

pub(crate) use containers::{channels, effect};
pub use containers::{containers, context};
pub use entities::entities;
pub(crate) use entities::with_tables;
pub use sequence::sequence;
pub use states::{states, with_states};

/// A quoted label of a node or edge.
fn label(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in one_line(text).chars() {
        match letter {
            '"' => out.push_str("#quot;"),
            '#' => out.push_str("#35;"),
            '&' => out.push_str("#amp;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '`' => out.push('\''),
            '%' => out.push_str("#37;"),
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

/// The text of a message, note or branch in a sequence diagram.
fn message(text: &str) -> String {
    let mut out = String::new();
    for letter in one_line(text).chars() {
        match letter {
            '#' => out.push_str("#35;"),
            ';' => out.push_str("#59;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '%' => out.push_str("#37;"),
            letter => out.push(letter),
        }
    }
    if out.is_empty() { "-".to_owned() } else { out }
}

/// Words for places whose grammar takes no punctuation.
fn words(text: &str) -> String {
    let plain = |letter: char| {
        if letter.is_alphanumeric() || matches!(letter, ' ' | '_' | '-' | '.' | ',' | '(' | ')') {
            letter
        } else {
            ' '
        }
    };
    let text: String = text.chars().map(plain).collect();
    let text = one_line(&text);
    if text.is_empty() { "-".to_owned() } else { text }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
