//! Prints a tree with its comments: every comment finds its place by where it stood.

use super::WIDTH_MAX;
use super::scalar;
use crate::requirements::tree::{Comment, Entry, Kind, List, Map, Node, Style, Tree};

/// Columns of one level.
const INDENT: usize = 2;
/// Columns between a value and the comment after it, at least.
const COMMENT_GAP: usize = 2;

/// The whole text, ending in one line break.
pub(super) fn print(source: &str, tree: &Tree) -> String {
    let mut printer = Printer {
        source,
        comments: &tree.comments,
        out: String::new(),
        line: String::new(),
        pending: String::new(),
        opened: true,
    };
    if let Some(root) = &tree.root {
        match &root.kind {
            Kind::Map(map) => printer.map(map, root, 0, source.len(), true),
            Kind::List(list) => printer.list(list, root, 0, source.len()),
            Kind::Scalar(_) | Kind::Refused => printer.put_line(source.trim(), 0, source.len()),
        }
    }
    printer.comments_before(source.len() + 1, 0);
    printer.out
}

struct Printer<'s> {
    source: &'s str,
    /// Those that were not printed yet.
    comments: &'s [Comment],
    out: String,
    /// The line being written.
    line: String,
    /// `- ` signs that begin the next line.
    pending: String,
    /// Nothing stands above in this block: no blank line is kept here.
    opened: bool,
}

impl Printer<'_> {
    // --- lines -------------------------------------------------------------------------------

    /// Begins a line for what stood at `at` in the source, its comments and blank line before it.
    fn begin(&mut self, at: usize, indent: usize) {
        self.comments_before(at, indent.saturating_sub(self.pending.len()));
        self.blank_before(at);
        let dashes = std::mem::take(&mut self.pending);
        let spaces = indent.saturating_sub(dashes.len());
        self.line = format!("{}{dashes}", " ".repeat(spaces));
    }

    /// Ends the line; a comment that stood after `end` on the same line stays with it.
    fn end(&mut self, end: usize) {
        if let Some(comment) = self.comments.first() {
            let start = comment.span.start as usize;
            let between = self.source.get(end..start);
            if between.is_some_and(|between| !between.contains('\n')) && !self.is_own_line(start) {
                let width = self.line.chars().count();
                let gap = self.column(start).max(width + COMMENT_GAP) - width;
                self.line.push_str(&" ".repeat(gap));
                self.line.push_str(&comment.text);
                self.comments = &self.comments[1..];
            }
        }
        self.out.push_str(self.line.trim_end());
        self.out.push('\n');
        self.line.clear();
        self.opened = false;
    }

    fn put_line(&mut self, text: &str, indent: usize, end: usize) {
        self.line = format!("{}{text}", " ".repeat(indent));
        self.end(end);
    }

    /// Comments that stood before `at`, each on a line of its own.
    fn comments_before(&mut self, at: usize, indent: usize) {
        while let Some(comment) = self.comments.first() {
            let start = comment.span.start as usize;
            if start >= at {
                break;
            }
            self.comments = &self.comments[1..];
            self.blank_before(start);
            self.out.push_str(&" ".repeat(indent));
            self.out.push_str(&comment.text);
            self.out.push('\n');
            self.opened = false;
        }
    }

    /// Comments at the end of a block that stood within its indentation.
    fn comments_within(&mut self, column: usize, inside: usize, until: usize, indent: usize) {
        while let Some(comment) = self.comments.first() {
            let start = comment.span.start as usize;
            let belongs = start < inside
                || (column > 0 && self.is_own_line(start) && self.column(start) >= column);
            if start >= until || !belongs {
                break;
            }
            self.comments_before(start + 1, indent);
        }
    }

    /// Keeps one blank line where there were some.
    fn blank_before(&mut self, at: usize) {
        let start = self.source[..at].rfind('\n').map_or(0, |at| at + 1);
        let before_it = self.source[start..at].trim_matches([' ', '-']).is_empty();
        let above = &self.source[..start.max(1) - 1];
        let blank = above.rfind('\n').map_or(above, |at| &above[at + 1..]).trim().is_empty();
        if before_it && start > 0 && blank && !self.opened && self.pending.is_empty() {
            self.out.push('\n');
        }
    }

    fn is_own_line(&self, at: usize) -> bool {
        let start = self.source[..at].rfind('\n').map_or(0, |at| at + 1);
        self.source[start..at].trim().is_empty()
    }

    /// Characters before `at` on its line.
    fn column(&self, at: usize) -> usize {
        let start = self.source[..at].rfind('\n').map_or(0, |at| at + 1);
        self.source[start..at].chars().count()
    }

    // --- blocks ------------------------------------------------------------------------------

    fn map(&mut self, map: &Map, node: &Node, indent: usize, until: usize, root: bool) {
        let starts = map.entries.iter().map(|entry| entry.key.span.start as usize);
        let next: Vec<usize> = starts.skip(1).chain([until]).collect();
        self.opened = true;
        if root {
            self.opened = self.out.is_empty();
        }
        for (entry, next) in map.entries.iter().zip(next) {
            self.entry(entry, indent, next);
        }
        self.close(
            node,
            map.flow,
            map.entries.first().map(|entry| entry.key.span.start),
            until,
            indent,
        );
    }

    fn list(&mut self, list: &List, node: &Node, indent: usize, until: usize) {
        let starts = list.items.iter().map(|item| item.span.start as usize);
        let next: Vec<usize> = starts.skip(1).chain([until]).collect();
        self.opened = true;
        for (item, next) in list.items.iter().zip(next) {
            let start = item.span.start as usize;
            let outer = indent.saturating_sub(self.pending.len());
            self.comments_before(start, outer);
            self.blank_before(start);
            self.pending.push_str("- ");
            self.item(item, indent + INDENT, next);
        }
        let dash = |item: &Node| self.source[..item.span.start as usize].rfind('-');
        let first = list.items.first().and_then(dash).and_then(|at| u32::try_from(at).ok());
        self.close(node, list.flow, first, until, indent);
    }

    /// Comments that end a block.
    fn close(&mut self, node: &Node, flow: bool, first: Option<u32>, until: usize, indent: usize) {
        let column = match first {
            Some(first) if !flow => self.column(first as usize),
            _ => 0,
        };
        let inside = if flow { node.span.end as usize } else { 0 };
        self.comments_within(column, inside, until, indent);
    }

    /// One item of a list; its `- ` is pending.
    fn item(&mut self, item: &Node, indent: usize, until: usize) {
        let start = item.span.start as usize;
        let room = WIDTH_MAX.saturating_sub(indent);
        if let Some(text) = self.inline(item, false).filter(|text| fits(item, text, room)) {
            self.begin(start, indent);
            self.line.push_str(&text);
            self.end(item.span.end as usize);
            return;
        }
        match &item.kind {
            Kind::Map(map) => self.map(map, item, indent, until, false),
            Kind::List(list) => self.list(list, item, indent, until),
            Kind::Scalar(_) | Kind::Refused => {
                self.begin(start, indent);
                self.long_scalar(item, indent);
            }
        }
    }

    fn entry(&mut self, entry: &Entry, indent: usize, until: usize) {
        let key_end = entry.key.span.end as usize;
        self.begin(entry.key.span.start as usize, indent);
        self.opened = false;
        let key = scalar::inline(self.source, &entry.key, false);
        self.line.push_str(&key);
        self.line.push(':');
        let value = &entry.value;
        let room = WIDTH_MAX.saturating_sub(self.line.chars().count() + 1);
        let joined = || self.joined(value).filter(|text| text.chars().count() <= room);
        let text = self.inline(value, false).filter(|text| fits(value, text, room));
        if let Some(text) = text.or_else(joined) {
            if !text.is_empty() {
                self.line.push(' ');
                self.line.push_str(&text);
            }
            return self.end((value.span.end as usize).max(key_end));
        }
        match &value.kind {
            Kind::Map(map) => {
                self.end(key_end);
                self.map(map, value, indent + INDENT, until, false);
            }
            Kind::List(list) => {
                self.end(key_end);
                self.list(list, value, indent + INDENT, until);
            }
            Kind::Scalar(_) | Kind::Refused => {
                self.line.push(' ');
                self.long_scalar(value, indent + INDENT);
            }
        }
    }

    /// A scalar of several lines; its key or dash is written already.
    fn long_scalar(&mut self, node: &Node, indent: usize) {
        let Some(scalar) = node.scalar() else { return };
        let end = node.span.end as usize;
        let start = node.span.start as usize;
        let (header, lines): (&str, Vec<String>) = match scalar.style {
            Style::Block => match scalar::block(self.source, scalar) {
                Some((header, lines)) => (header, lines.into_iter().map(str::to_owned).collect()),
                None => ("", Vec::new()),
            },
            _ => match scalar::folded(&scalar.value, WIDTH_MAX - indent.min(WIDTH_MAX / 2)) {
                Some(lines) => (">-", lines),
                None => ("", Vec::new()),
            },
        };
        if lines.is_empty() {
            self.line.push_str(&scalar::inline(self.source, scalar, false));
            return self.end(end);
        }
        self.line.push_str(header);
        self.end(start);
        for line in lines {
            let text = if line.is_empty() { line } else { format!("{}{line}", " ".repeat(indent)) };
            self.out.push_str(&text);
            self.out.push('\n');
        }
    }

    // --- one line ----------------------------------------------------------------------------

    /// The node on one line, where it may stand there: lines of a block do not.
    fn inline(&self, node: &Node, flow: bool) -> Option<String> {
        match &node.kind {
            Kind::Scalar(scalar) if scalar.is_absent() => Some(String::new()),
            Kind::Scalar(scalar) => {
                let lines = matches!(scalar.style, Style::Block)
                    || (self.written(node).contains('\n') && scalar.style != Style::Made);
                (flow || !lines).then(|| scalar::inline(self.source, scalar, flow))
            }
            Kind::Map(map) if !map.flow || self.has_comment(node) => None,
            Kind::Map(map) if map.entries.is_empty() => Some("{}".to_owned()),
            Kind::Map(map) => {
                let entries = map.entries.iter().map(|entry| {
                    let key = scalar::inline(self.source, &entry.key, true);
                    let value = self.inline(&entry.value, true)?;
                    let space = if value.is_empty() { "" } else { " " };
                    Some(format!("{key}:{space}{value}"))
                });
                let entries: Option<Vec<String>> = entries.collect();
                Some(format!("{{ {} }}", entries?.join(", ")))
            }
            Kind::List(list) if !list.flow || self.has_comment(node) => None,
            Kind::List(list) => {
                let items: Option<Vec<String>> =
                    list.items.iter().map(|item| self.inline(item, true)).collect();
                Some(format!("[{}]", items?.join(", ")))
            }
            Kind::Refused => Some(self.written(node).to_owned()),
        }
    }

    /// A plain or quoted text of several lines on one line.
    fn joined(&self, node: &Node) -> Option<String> {
        let scalar = node.scalar().filter(|scalar| scalar.style != Style::Block)?;
        Some(scalar::inline(self.source, scalar, false))
    }

    fn written(&self, node: &Node) -> &str {
        self.source.get(node.span.start as usize..node.span.end as usize).unwrap_or("")
    }

    fn has_comment(&self, node: &Node) -> bool {
        self.comments
            .iter()
            .take_while(|comment| comment.span.start < node.span.end)
            .any(|comment| comment.span.start > node.span.start)
    }
}

/// Scalars stay on their line however long; collections do not.
fn fits(node: &Node, text: &str, room: usize) -> bool {
    node.scalar().is_some() || text.chars().count() <= room
}
