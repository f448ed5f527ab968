//! Events of the YAML parser become a tree; limits and refused features are seen at the event,
//! before any value is built.

use super::{Comment, Entry, Kind, List, Map, Node, Scalar, Style, Tree, torn};
use crate::requirements::faults::{
    boolean_key, duplicate_key, foreign_yaml, too_deep, too_large, wrong_shape,
};
use crate::requirements::source::Offsets;
use crate::requirements::{DEPTH_MAX, SCALAR_BYTES_MAX, VALUES_MAX};
use granit_parser::{Event, Parser, ScalarStyle, ScanError, StructureStyle};
use ir::Span;
use std::collections::BTreeMap;

/// Ranges of a text that are read as one plain scalar though YAML would tear them: start to end.
pub(super) type Whole = BTreeMap<usize, usize>;

/// The tree as far as it could be built, and where the parser gave up.
pub(super) struct Built {
    pub(super) tree: Tree,
    pub(super) error: Option<ScanError>,
    /// First bytes of the `{` and `[` that were open then, outermost first.
    pub(super) open: Vec<usize>,
}

/// Parses `text`, in which the ranges of `whole` are filled with letters; `source` is what the user
/// wrote, byte for byte as long.
pub(super) fn build(file: u32, source: &str, text: &str, whole: &Whole) -> Built {
    let options = granit_parser::options! {
        emit_unresolved_aliases: true,
        emit_anchor_events: true,
        flow_nesting_limit: DEPTH_MAX + 8,
        block_nesting_limit: DEPTH_MAX + 8,
        max_buffered_comment_events: source.len(),
    };
    let mut builder =
        Builder { file, source, whole, tree: Tree::default(), stack: Vec::new(), documents: 0 };
    let mut error = None;
    for next in Parser::new_from_str_with_options(text, options) {
        match next {
            Ok((event, span)) => {
                let tag = span.tag_span().and_then(|tag| tag.byte_range());
                let range = span.byte_range().unwrap_or_default();
                if !builder.event(event, range, tag) || builder.tree.values > VALUES_MAX {
                    break;
                }
            }
            Err(fault) => {
                error = Some(fault);
                break;
            }
        }
    }
    let flows = builder.stack.iter().filter(|frame| frame.flow);
    let open = flows.map(|frame| frame.start).collect();
    while let Some(frame) = builder.stack.pop() {
        let end = frame.start;
        builder.close(frame, end);
    }
    builder.tree.comments.sort_by_key(|comment| comment.span);
    builder.tree.comments.dedup_by_key(|comment| comment.span);
    Built { tree: builder.tree, error, open }
}

type Range = std::ops::Range<usize>;

struct Builder<'s> {
    file: u32,
    source: &'s str,
    whole: &'s Whole,
    tree: Tree,
    stack: Vec<Frame>,
    documents: usize,
}

/// A collection whose end has not come.
struct Frame {
    start: usize,
    flow: bool,
    /// None for a list.
    entries: Option<Vec<Entry>>,
    items: Vec<Node>,
    /// The key whose value comes next.
    key: Option<Key>,
}

enum Key {
    Good(Scalar),
    /// What follows is dropped.
    Refused,
}

impl Builder<'_> {
    fn span(&self, range: &Range) -> Span {
        Span::new(self.file, range.start, range.end)
    }

    /// Takes one event; false where the rest is not to be read.
    fn event(&mut self, event: Event<'_>, range: Range, tag: Option<Range>) -> bool {
        let refused = self.refuse_tag(&event, &range, tag);
        match event {
            Event::Comment(_, _) => {
                let text = self.source.get(range.clone()).unwrap_or("#").trim_end().to_owned();
                self.tree.comments.push(Comment { span: self.span(&range), text });
            }
            Event::DocumentStart(explicit, _) => return self.document(explicit, &range),
            Event::Scalar(..) if refused => self.put(self.refused(&range)),
            Event::Scalar(value, style, _, _) => {
                let node = self.scalar(&value, style, range);
                self.put(node);
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                let help = "write the value itself; quote a text that begins with `*`";
                self.fault(foreign_yaml::at(self.span(&range), "an alias", help));
                self.put(self.refused(&range));
            }
            Event::SequenceStart(style, _, _) => return self.open(style, range, false),
            Event::MappingStart(style, _, _) => return self.open(style, range, true),
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(frame) = self.stack.pop() {
                    self.close(frame, range.end);
                }
            }
            Event::Anchor(..) => {
                let help = "delete it; quote a text that begins with `&`";
                self.fault(foreign_yaml::at(self.span(&range), "an anchor", help));
            }
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            #[allow(unreachable_patterns, reason = "another crate's enum may grow")]
            _ => {}
        }
        true
    }

    fn fault(&mut self, fault: ir::Diagnostic) {
        self.tree.faults.push(fault);
    }

    fn refused(&self, range: &Range) -> Node {
        Node { span: self.span(range), kind: Kind::Refused }
    }

    /// Says what is wrong with tags; true where a tag has eaten the value.
    fn refuse_tag(&mut self, event: &Event<'_>, range: &Range, place: Option<Range>) -> bool {
        let Some(tag) = event.tag() else { return false };
        let name = tag.suffix().to_owned();
        let eaten = range.is_empty() || self.source[range.clone()].starts_with('!');
        let span = self.span(&place.unwrap_or_else(|| range.clone()));
        let fault = if eaten {
            let help = format!("a negation is written `not {name}`");
            foreign_yaml::at(span, "a tag", &help).fix(format!("not {name}"))
        } else {
            foreign_yaml::at(span, "a tag", "delete it; quote a text that begins with `!`")
        };
        self.fault(fault);
        eaten
    }

    fn document(&mut self, explicit: bool, range: &Range) -> bool {
        self.documents += 1;
        let before = &self.source[..range.start];
        if self.documents == 1 {
            if let Some(at) = before.find('%').filter(|_| explicit) {
                let line = before[at..].lines().next().unwrap_or("%");
                let span = Span::new(self.file, at, at + line.len());
                self.fault(foreign_yaml::at(span, "a directive", "delete the line"));
            }
            return true;
        }
        let help = "put the second model in another file; only the first is read";
        self.fault(foreign_yaml::at(self.span(range), "a second document", help));
        self.tree.partial = true;
        false
    }

    fn scalar(&mut self, value: &str, style: ScalarStyle, range: Range) -> Node {
        if let Some(end) = self.whole.get(&range.start) {
            return self.written(range.start..*end);
        }
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let range = if is_block { self.header(range.start)..range.end } else { range };
        let source = self.source.get(range.clone()).unwrap_or_default();
        let source = source.trim_end_matches(['\n', '\r', ' ', '\t']);
        let span = self.span(&(range.start..range.start + source.len()));
        let value = if source.is_empty() { "" } else { value };
        if value.len() > SCALAR_BYTES_MAX {
            self.fault(too_large::scalar(span, value.len(), SCALAR_BYTES_MAX));
            return Node { span, kind: Kind::Refused };
        }
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::SingleQuoted,
            ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
            ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
        };
        let header = if style == Style::Block { source.find('\n').unwrap_or(0) } else { 0 };
        let offsets = Offsets::align(value, &source[header..], range.start + header);
        let scalar = Scalar { value: value.to_owned(), style, span, offsets };
        Node { span, kind: Kind::Scalar(scalar) }
    }

    /// Where the `|` or `>` of the block scalar stands whose lines begin at `body`.
    fn header(&self, body: usize) -> usize {
        let line = self.source[..body].rfind('\n').map_or(0, |at| at + 1);
        let above = self.source[..line].trim_end();
        let start = above.rfind('\n').map_or(0, |at| at + 1);
        let bare = above[start..].split(" #").next().unwrap_or("").trim_end();
        let sign = bare.rfind(['|', '>']).filter(|at| bare.len() - at <= 3);
        sign.map_or(body, |at| start + at)
    }

    /// A plain scalar over that range of the source, whatever YAML makes of it.
    fn written(&self, range: Range) -> Node {
        let value = self.source.get(range.clone()).unwrap_or_default().to_owned();
        let span = self.span(&range);
        let offsets = Offsets::align(&value, &value, range.start);
        Node { span, kind: Kind::Scalar(Scalar { value, style: Style::Plain, span, offsets }) }
    }

    fn open(&mut self, style: StructureStyle, range: Range, map: bool) -> bool {
        if self.stack.len() >= DEPTH_MAX {
            let span = Span::new(self.file, range.start, range.start + 1);
            self.fault(too_deep::at(span, DEPTH_MAX));
            self.tree.partial = true;
            return false;
        }
        self.stack.push(Frame {
            start: range.start,
            flow: style == StructureStyle::Flow,
            entries: map.then(Vec::new),
            items: Vec::new(),
            key: None,
        });
        true
    }

    /// The collection is whole: mends what commas tore, looks at the keys, hands it on.
    fn close(&mut self, frame: Frame, end: usize) {
        let Frame { start, flow, entries, mut items, key } = frame;
        let kind = match entries {
            Some(mut entries) => {
                if let Some(Key::Good(key)) = key {
                    let value = Node { span: key.span, kind: Kind::Refused };
                    entries.push(Entry { key, value });
                }
                if flow {
                    torn::mend_entries(self.source, &mut entries, &mut self.tree.faults);
                }
                let entries = self.known_once(entries);
                Kind::Map(Map { entries, flow })
            }
            None => {
                if flow {
                    torn::mend_items(self.source, &mut items, &mut self.tree.faults);
                }
                Kind::List(List { items, flow })
            }
        };
        let last = match &kind {
            Kind::Map(map) if !flow => map.entries.last().map(|entry| entry.value.span.end),
            Kind::List(list) if !flow => list.items.last().map(|item| item.span.end),
            _ => None,
        };
        let end = last.map_or(end, |end| end as usize);
        let span = Span::new(self.file, start, end);
        self.put(Node { span, kind });
    }

    /// The entries whose keys can be used, each once.
    fn known_once(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
        let mut kept = Vec::with_capacity(entries.len());
        for entry in &entries {
            let key = &entry.key;
            let mut keep = false;
            if key.style == Style::Plain && key.value == "<<" {
                let help = "write the keys themselves";
                self.fault(foreign_yaml::at(key.span, "a merge key", help));
            } else if let Some(first) = seen.get(key.value.as_str()) {
                self.fault(duplicate_key::at(key.span, &key.value, *first));
            } else {
                if key.style == Style::Plain && boolean_key::is_one(&key.value) {
                    self.fault(boolean_key::at(key.span, &key.value));
                }
                seen.insert(&key.value, key.span);
                keep = true;
            }
            kept.push(keep);
        }
        let mut kept = kept.into_iter();
        entries.into_iter().filter(|_| kept.next().unwrap_or_default()).collect()
    }

    /// Hands a node to the collection around it.
    fn put(&mut self, node: Node) {
        self.tree.values += 1;
        let Some(frame) = self.stack.last_mut() else {
            self.tree.root = Some(node);
            return;
        };
        let Some(entries) = &mut frame.entries else {
            frame.items.push(node);
            return;
        };
        match frame.key.take() {
            Some(Key::Good(key)) => entries.push(Entry { key, value: node }),
            Some(Key::Refused) => {}
            None => {
                frame.key = Some(match node.kind {
                    Kind::Scalar(scalar) => Key::Good(scalar),
                    Kind::Refused => Key::Refused,
                    Kind::Map(_) | Kind::List(_) => {
                        self.tree.faults.push(wrong_shape::key(node.span));
                        Key::Refused
                    }
                });
            }
        }
    }
}
