//! The spanned tree of one file: every scalar as its source text, comments beside it. Nothing of
//! YAML but its shapes gets any further than this folder.

mod build;
mod recover;
mod torn;

pub(crate) use recover::parse;

use super::source::{Offsets, Slice};
use ir::{Diagnostic, Span};

/// One file as read.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// Its only document; none where the file holds comments alone.
    pub(crate) root: Option<Node>,
    /// Comments in the order of their places.
    pub(crate) comments: Vec<Comment>,
    /// What was wrong with it.
    pub(crate) faults: Vec<Diagnostic>,
    /// Something was left out, so that names may be missing.
    pub(crate) partial: bool,
    /// Keys, scalars, mappings and lists in it.
    pub(crate) values: usize,
}

/// A comment with its `#`.
#[derive(Debug, Clone)]
pub(crate) struct Comment {
    pub(crate) span: Span,
    pub(crate) text: String,
}

/// A scalar, mapping or list with its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) kind: Kind,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Scalar(Scalar),
    Map(Map),
    List(List),
    /// Something was wrong with it and has been said.
    Refused,
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    /// `|` and `>`.
    Block,
    /// Not written at all, but made from a long form.
    Made,
}

/// A text as it means, with the way back to its source.
#[derive(Debug, Clone)]
pub(crate) struct Scalar {
    pub(crate) value: String,
    pub(crate) style: Style,
    pub(crate) span: Span,
    pub(crate) offsets: Offsets,
}

/// Keys and values in order.
#[derive(Debug, Clone)]
pub(crate) struct Map {
    pub(crate) entries: Vec<Entry>,
    /// `{}` rather than lines.
    pub(crate) flow: bool,
}

/// One key with its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: Scalar,
    pub(crate) value: Node,
}

/// Values in order.
#[derive(Debug, Clone)]
pub(crate) struct List {
    pub(crate) items: Vec<Node>,
    /// `[]` rather than lines.
    pub(crate) flow: bool,
}

impl Scalar {
    /// The whole value, knowing its place.
    pub(crate) fn slice(&self) -> Slice<'_> {
        Slice::new(&self.value, self.span.file, &self.offsets)
    }

    /// True where nothing was written at all.
    pub(crate) fn is_absent(&self) -> bool {
        self.style == Style::Plain && self.value.is_empty()
    }

    /// True for `'…'` and `"…"`.
    pub(crate) fn is_quoted(&self) -> bool {
        matches!(self.style, Style::SingleQuoted | Style::DoubleQuoted)
    }
}

impl Node {
    /// The scalar that it is, if so.
    pub(crate) fn scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(scalar),
            Kind::Map(_) | Kind::List(_) | Kind::Refused => None,
        }
    }

    /// What it is, in words.
    pub(crate) fn described(&self) -> &'static str {
        match &self.kind {
            Kind::Scalar(scalar) if scalar.is_absent() => "nothing",
            Kind::Scalar(_) => "a text",
            Kind::Map(_) => "a mapping",
            Kind::List(_) => "a list",
            Kind::Refused => "unreadable",
        }
    }
}
