//! Markdown while it is written: headings, paragraphs, tables, fences.

use crate::tree::Node;
use std::fmt::Write as _;

/// A page in the making.
#[derive(Default)]
pub(crate) struct Page {
    out: String,
}

impl Page {
    /// The text.
    pub(crate) fn finish(self) -> String {
        let mut out = self.out.trim_end().to_owned();
        out.push('\n');
        out
    }

    /// A heading of that depth.
    pub(crate) fn heading(&mut self, depth: usize, text: &str) {
        let _ = write!(self.out, "{} {}\n\n", "#".repeat(depth), one_line(text));
    }

    /// A paragraph; nothing where the text is empty.
    pub(crate) fn text(&mut self, text: impl AsRef<str>) {
        let text = text.as_ref().trim();
        if !text.is_empty() {
            let _ = write!(self.out, "{text}\n\n");
        }
    }

    /// Bullets; nothing where there are none.
    pub(crate) fn bullets<T: AsRef<str>>(&mut self, items: impl IntoIterator<Item = T>) {
        let mut any = false;
        for item in items {
            let _ = writeln!(self.out, "- {}", one_line(item.as_ref()));
            any = true;
        }
        if any {
            self.out.push('\n');
        }
    }

    /// A table; nothing where it has no rows.
    pub(crate) fn table(&mut self, head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        let mut rows = rows.into_iter().peekable();
        if rows.peek().is_none() {
            return;
        }
        let _ = writeln!(self.out, "| {} |", head.join(" | "));
        let _ = writeln!(self.out, "|{}", " --- |".repeat(head.len()));
        for row in rows {
            let cells: Vec<String> = row.iter().map(|text| cell(text)).collect();
            let _ = writeln!(self.out, "| {} |", cells.join(" | "));
        }
        self.out.push('\n');
    }

    /// A fenced block.
    pub(crate) fn fence(&mut self, language: &str, text: &str) {
        let _ = write!(self.out, "```{language}\n{}\n```\n\n", text.trim_end());
    }

    /// A Mermaid diagram.
    pub(crate) fn diagram(&mut self, text: &str) {
        self.fence("mermaid", text);
    }

    /// JSON.
    pub(crate) fn json(&mut self, node: &Node) {
        self.fence("json", &node.json());
    }
}

fn cell(text: &str) -> String {
    let text = one_line(text).replace('|', "\\|");
    if text.is_empty() { "–".to_owned() } else { text }
}

pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `a, b and c`
pub(crate) fn listed<T: AsRef<str>>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

/// Each in code quotes.
pub(crate) fn coded<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> Vec<String> {
    items.into_iter().map(|item| format!("`{}`", item.as_ref())).collect()
}

/// `1 table`, `3 tables`
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

/// The first letter as a capital, unless the word has capitals of its own (`gRPC`).
pub(crate) fn capital(text: &str) -> String {
    let word = text.split_whitespace().next().unwrap_or_default();
    if word.chars().any(char::is_uppercase) {
        return text.to_owned();
    }
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}
